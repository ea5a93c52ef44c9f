#include "harness/wires/rule.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "replay/error.h"

namespace rehearse::harness {
namespace {

using Action = WireRule::Action;
using std::chrono::milliseconds;

constexpr int max_number = 1'000'000;
constexpr milliseconds max_time{60'000};

// Takes words off the front of a text.
class Words {
 public:
  explicit Words(std::string_view text) : rest_(text) {}
  [[nodiscard]] bool empty() const { return rest_.empty(); }

  // True when the text goes on with these words, which are taken then.
  bool take(std::string_view words) {
    if (!rest_.starts_with(words) || (rest_.size() > words.size() && rest_[words.size()] != ' ')) return false;
    rest_.remove_prefix(std::min(words.size() + 1, rest_.size()));
    return true;
  }
  std::string_view word() {
    const auto end = std::min(rest_.find(' '), rest_.size());
    const auto first = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return first;
  }
  std::optional<int> number() {
    const auto text = word();
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < 1 || value > max_number)
      return std::nullopt;
    return value;
  }
  std::optional<milliseconds> time() {
    const auto text = word();
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || std::string_view(end, text.data() + text.size()) != "ms" || value < 1)
      return std::nullopt;
    if (milliseconds(value) > max_time) return std::nullopt;
    return milliseconds(value);
  }
  // "\"~12~\"", which holds no quote itself.
  std::optional<std::string> quoted() {
    const auto end = rest_.find('"', 1);
    if (!rest_.starts_with('"') || end == std::string_view::npos || end == 1) return std::nullopt;
    std::string token(rest_.substr(1, end - 1));
    if (end + 1 < rest_.size() && rest_[end + 1] != ' ') return std::nullopt;
    rest_.remove_prefix(std::min(end + 2, rest_.size()));
    return token;
  }
  [[nodiscard]] bool at_quote() const { return rest_.starts_with('"'); }

 private:
  std::string_view rest_;
};

bool is_status(std::string_view text) {
  return text.size() == 3 && text[0] >= '2' && text[0] <= '5' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}
bool is_sqlstate(std::string_view text) {
  return text.size() == 5 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); });
}

bool take_action(Words& words, WireProtocol protocol, WireRule& rule) {
  const bool http = protocol == WireProtocol::http;
  if (words.take("hold")) return rule.action = Action::hold, true;
  if (words.take("reset")) return rule.action = Action::reset, true;
  if (words.take("black-hole")) return rule.action = Action::black_hole, true;
  if (words.take("release")) return rule.action = Action::release, words.empty();
  if (words.take("await")) return rule.action = Action::await, words.empty();
  if (words.take(http ? "cut after answer" : "cut after commit")) return rule.action = Action::cut, true;
  if (http && words.take("hang up")) {
    rule.action = Action::hang_up;
    if (!words.take("after")) return true;
    const auto time = words.time();
    rule.time = time.value_or(milliseconds(0));
    return time.has_value();
  }
  if (words.take("delay")) {
    rule.action = Action::delay;
    const auto time = words.time();
    rule.time = time.value_or(milliseconds(0));
    return time.has_value();
  }
  if (words.take(http ? "answer status" : "answer error")) {
    rule.action = Action::answer;
    rule.answer = words.word();
    return http ? is_status(rule.answer) : is_sqlstate(rule.answer);
  }
  return false;
}

// What it meets, each word at most once and in this order.
bool take_which(Words& words, WireRule& rule) {
  rule.every = words.take("every");
  rule.write = words.take("write");
  if (words.at_quote()) {
    auto token = words.quoted();
    if (!token) return false;
    rule.token = *std::move(token);
  }
  const auto numbered = [&](int& number) {
    const auto given = words.number();
    number = given.value_or(0);
    return given && !rule.every;
  };
  for (const char* name : {"message", "statement", "request"})
    if (words.take(name)) return numbered(rule.message);
  if (words.take("connection"))
    return !rule.write && rule.token.empty() && rule.action != Action::cut && rule.action != Action::hang_up &&
           numbered(rule.connection);
  return true;
}

std::optional<WireRule> parsed(std::string_view text, WireProtocol protocol) {
  WireRule rule;
  Words words(text);
  if (!take_action(words, protocol, rule)) return std::nullopt;
  if (!rule.armed()) return rule;
  if (!take_which(words, rule)) return std::nullopt;
  if (rule.action == Action::hold && words.take("at most")) {
    const auto time = words.time();
    if (!time) return std::nullopt;
    rule.time = *time;
  }
  return words.empty() ? std::optional(rule) : std::nullopt;
}

}  // namespace

WireRule wire_rule_in(std::string_view words, WireProtocol protocol) {
  if (auto rule = parsed(words, protocol)) return *std::move(rule);
  const bool http = protocol == WireProtocol::http;
  throw Error(fmt::format(
      "the rule {:?} is not understood; the rules of {} are hold, delay 200ms, reset, {}, black-hole, each "
      "followed by [every] [write] "
      "[\"bytes\"] [message N | connection N], a hold by [at most 100ms] too; release and await",
      words, http ? "an HTTP wire" : "a PostgreSQL wire",
      http ? "cut after answer, hang up [after 3ms], answer status 503" : "cut after commit, answer error 40001"));
}

std::string words_of(const WireRule& rule, WireProtocol protocol) {
  const bool http = protocol == WireProtocol::http;
  std::string words;
  switch (rule.action) {
    case Action::hold:
      words = "hold";
      break;
    case Action::delay:
      words = fmt::format("delay {}ms", rule.time.count());
      break;
    case Action::reset:
      words = "reset";
      break;
    case Action::cut:
      words = http ? "cut after answer" : "cut after commit";
      break;
    case Action::hang_up:
      words = rule.time.count() > 0 ? fmt::format("hang up after {}ms", rule.time.count()) : "hang up";
      break;
    case Action::answer:
      words = fmt::format("answer {} {}", http ? "status" : "error", rule.answer);
      break;
    case Action::black_hole:
      words = "black-hole";
      break;
    case Action::release:
      return "release";
    case Action::await:
      return "await";
  }
  if (rule.every) words += " every";
  if (rule.write) words += " write";
  if (!rule.token.empty()) words += fmt::format(" \"{}\"", rule.token);
  if (rule.message > 0) words += fmt::format(" message {}", rule.message);
  if (rule.connection > 0) words += fmt::format(" connection {}", rule.connection);
  if (rule.action == Action::hold && rule.time.count() > 0) words += fmt::format(" at most {}ms", rule.time.count());
  return words;
}

}  // namespace rehearse::harness
