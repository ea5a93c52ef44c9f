#include "harness/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "reports/escape.h"
#include "reports/phrases.h"

namespace rehearse::harness {
namespace {

constexpr double redraw_seconds = 0.1;
constexpr double rate_seconds = 2;
constexpr double told_from = 0.05;
// Restoring, flipping, waiting and comparing take as long as so many requests, whatever is played.
constexpr double section_overhead = 1'000;

double work_of(const ExpectedSection& section) { return static_cast<double>(section.requests) + section_overhead; }

}  // namespace

Progress::Progress(ProgressDisplay display) : display_(std::move(display)), began_(display_.seconds()) {}

Progress::~Progress() {
  if (display_.terminal && drawn_ >= 0) display_.print("\r\033[K");
}

void Progress::expect(std::vector<ExpectedSection> sections) { expected_ = std::move(sections); }

void Progress::begin(const std::string& section) {
  if (open_) end(section_, 0);
  open_ = true;
  ++number_;
  section_ = section;
  section_began_ = display_.seconds();
  section_exchanges_ = 0;
  play_done_ = play_total_ = 0;
  drawn_ = std::min(drawn_, section_began_ - redraw_seconds);
  draw();
}

void Progress::step(std::size_t done, std::size_t total) {
  const std::size_t before = total == play_total_ && done > play_done_ ? play_done_ : 0;
  section_exchanges_ += done - before;
  exchanges_ += done - before;
  play_done_ = done;
  play_total_ = total;
  draw();
}

void Progress::end(const std::string& section, std::uint64_t findings) {
  findings_ += findings;
  open_ = false;
  if (display_.terminal) return;
  std::string left = time_left();
  if (number_ == expected_.size()) left.clear();
  display_.print(fmt::format("rehearse: {}, {}: {} in {}, {} so far{}{}\n", place(), reports::terminal_escape(section),
                             reports::counted(section_exchanges_, "exchange"),
                             reports::duration(display_.seconds() - section_began_),
                             reports::counted(findings_, "finding"), left.empty() ? "" : ", ", left));
}

std::string Progress::place() const {
  return expected_.empty() ? fmt::format("{}", number_) : fmt::format("{} of {}", number_, expected_.size());
}

double Progress::done_share() const {
  double done = 0, all = 0;
  for (std::size_t i = 0; i < expected_.size(); ++i) {
    const double work = work_of(expected_[i]);
    all += work;
    if (i + 1 < number_ || (i + 1 == number_ && !open_)) done += work;
    // Of the section that is going on no more than what was expected of it.
    if (i + 1 == number_ && open_)
      done += std::min<double>(static_cast<double>(section_exchanges_), static_cast<double>(expected_[i].requests));
  }
  return all > 0 ? done / all : 0;
}

std::string Progress::time_left() const {
  const double share = done_share();
  if (share < told_from) return "";
  const double left = (display_.seconds() - began_) * (1 - share) / share;
  const auto whole = std::llround(std::ceil(left));
  if (left < 1) return "nearly done";
  return whole < 100 ? fmt::format("about {} s left", whole) : fmt::format("about {} min left", (whole + 30) / 60);
}

double Progress::rate() const {
  if (recent_.size() < 2) return 0;
  const double seconds = recent_.back().first - recent_.front().first;
  return seconds > 0 ? static_cast<double>(recent_.back().second - recent_.front().second) / seconds : 0;
}

std::string Progress::line() const {
  std::string line = fmt::format("{}  {}", place(), section_);
  if (play_total_ > 0)
    line += fmt::format("  {} of {} exchanges", reports::grouped(play_done_), reports::grouped(play_total_));
  if (const double per_second = rate(); per_second >= 1)
    line += fmt::format("  {}/s", reports::grouped(static_cast<std::uint64_t>(std::llround(per_second))));
  line += "  " + reports::counted(findings_, "finding");
  if (const std::string left = time_left(); !left.empty()) line += "  " + left;
  return reports::terminal_escape(line);
}

void Progress::draw() {
  const double now = display_.seconds();
  if (now - drawn_ < redraw_seconds && drawn_ >= 0) return;
  recent_.emplace_back(now, exchanges_);
  while (recent_.size() > 2 && now - recent_[1].first >= rate_seconds) recent_.pop_front();
  drawn_ = std::max(now, 0.0);
  if (!display_.terminal) return;
  // One column is left free: a terminal that wraps there would keep the line.
  const auto room = static_cast<std::size_t>(std::max(display_.columns - 1, 20));
  const std::string text = line();
  display_.print(fmt::format("\r\033[K{}", reports::first_columns(text, room)));
}

ProgressDisplay standard_error_display() {
  const auto set = [](const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0';
  };
  const char* term = std::getenv("TERM");
  ProgressDisplay display;
  display.terminal = isatty(STDERR_FILENO) == 1 && !set("NO_COLOR") && !set("CI") &&
                     (term == nullptr || std::string_view(term) != "dumb");
  if (winsize size{}; ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) display.columns = size.ws_col;
  display.print = [](std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fflush(stderr);
  };
  display.seconds = [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  };
  return display;
}

}  // namespace rehearse::harness
