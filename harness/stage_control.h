// Moves both services from stage to stage over legal edges, with the copies that an edge needs.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/configuration.h"
#include "harness/flag/flag.h"
#include "properties/evidence.h"

namespace rehearse::harness {

// A service did not follow the flag: evidence, not an error of ours; what was polled says who stayed behind.
struct StageNotServed {
  std::vector<properties::StagePoll> polls;
};

// Told of what the flag and the copies do, as it begins or ends.
using NoteMark = std::function<void(properties::Mark::Kind kind, std::string text)>;

class StageControl {
 public:
  explicit StageControl(const Configuration& configuration, NoteMark note = {});

  // Learns the stage that both services serve. Throws Error when they cannot be reached, do not say, or do not agree.
  void learn();

  // One legal flip; returns the wall-clock time in nanoseconds at which it and its propagation bound were over. Throws
  // StageNotServed when a service has not followed within `patience`.
  std::int64_t flip(properties::Stage to);

  // The same without waiting for the propagation bound: returns the wall-clock time in nanoseconds at which every instance was seen to
  // serve the stage, or 0 when one has not within `bound`, or counts a refusal and keeps to it; then the flag is back
  // where it was.
  std::int64_t follow(properties::Stage to, milliseconds bound);
  // Waits until every instance serves the same stage, which is the one that they are in from now on; false when they do not within
  // `bound`.
  bool agree(milliseconds bound);
  // Sets the flag to a stage and does not look.
  void set(properties::Stage to);

  // Flips over legal edges until `to` is served, with the copies on the way: forward before shadow, backward around live.
  std::int64_t go_to(properties::Stage to);

  // Sets the flag to a value that must change nothing, waits for the propagation bound, and sets it back.
  properties::FlagTrial attempt(const std::string& value, const std::string& why, const std::string& invariant);

  // Runs the copy commands. False when the command fails; Error when there is none. `cut`: it is killed then; zero: not at all.
  bool copy_forward(milliseconds cut = milliseconds(0));
  bool copy_backward();

  [[nodiscard]] properties::Stage now() const { return now_; }
  // The copy in the new database is of another legacy database from now on.
  void forget_copy() { copied_ = false; }
  // A copied database was restored.
  void remember_copy() { copied_ = true; }

 private:
  static constexpr milliseconds patience{5'000};
  static constexpr milliseconds refusal_grace{150};

  bool copy(const std::string& command, const char* what, milliseconds deadline);
  void note(properties::Mark::Kind kind, std::string text) const;

  const Configuration& configuration_;
  NoteMark note_;
  std::unique_ptr<Flag> flag_;
  properties::Stage now_ = properties::Stage::off;
  bool copied_ = false;
};

}  // namespace rehearse::harness
