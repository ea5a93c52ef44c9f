// What a rehearsal is doing, for whoever waits: the section, its step, exchanges, rate, findings so far, time left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/rehearsal.h"

namespace rehearse::harness {

// How progress is shown, and where time comes from.
struct ProgressDisplay {
  bool terminal = false;  // one line that is drawn anew; else a line for each section that ended
  int columns = 80;       // of the terminal
  std::function<void(std::string_view)> print;
  std::function<double()> seconds;  // since some moment, steady
};

// Draws at most ten times a second. The time that is left is a guess from how much of the expected work is done, and is not told
// before a twentieth of it is.
class Progress {
 public:
  explicit Progress(ProgressDisplay display);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void expect(std::vector<ExpectedSection> sections);
  void begin(const std::string& section);
  void step(std::size_t done, std::size_t total);                // of the play that is going on
  void end(const std::string& section, std::uint64_t findings);  // the next one ends it too

 private:
  [[nodiscard]] std::string line() const;
  [[nodiscard]] std::string place() const;  // "6 of 26"
  [[nodiscard]] double done_share() const;
  [[nodiscard]] std::string time_left() const;
  [[nodiscard]] double rate() const;
  void draw();

  ProgressDisplay display_;
  std::vector<ExpectedSection> expected_;
  bool open_ = false;       // a section has begun and not ended
  std::size_t number_ = 0;  // of the section, from 1
  std::string section_;
  double began_ = 0, section_began_ = 0, drawn_ = -1;
  std::size_t play_done_ = 0, play_total_ = 0;
  std::uint64_t section_exchanges_ = 0, exchanges_ = 0, findings_ = 0;
  std::deque<std::pair<double, std::uint64_t>> recent_;  // when → exchanges until then, of the last seconds
};

// The display of this process: a terminal where standard error is one and neither NO_COLOR nor CI is set nor the terminal dumb.
[[nodiscard]] ProgressDisplay standard_error_display();

}  // namespace rehearse::harness
