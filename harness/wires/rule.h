// The words of a rule for what passes over a wire, as they stand in a plan behind "wire new-database: ".
//
//   hold write "~12~" at most 100ms   the message stays here until "release", "mend" or the time it may take (5 s when none is said)
//   delay 200ms                       the message goes on later; what comes behind it on its connection waits
//   reset                             the connection is cut in both directions instead (RST)
//   cut after commit                  PostgreSQL: the server commits, and the connection is cut before the client hears of it
//   cut after answer                  HTTP: the same, when the answer begins
//   hang up                           HTTP: the client is gone once its request is with the server; "hang up after 3ms", a moment later
//   answer error 40001                PostgreSQL: the statement fails with this SQLSTATE; its transaction too, the connection not
//   answer status 503                 HTTP: the request gets this answer and does not arrive
//   black-hole                        nothing passes over the connection any more, in either direction, until "mend"
//   release                           what is held goes on
//   await                             nothing happens until a rule of this wire has met its message
//
// Behind the first words stands what a rule meets: every message until "mend" ("every", else the first one alone), only one that writes
// ("write"), that holds some bytes ("\"~12~\""), the n-th of those ("message 3"), or the beginning of the n-th connection from now on
// ("connection 1"). A message is a statement of SQL with its values, or a whole HTTP request.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace rehearse::harness {

enum class WireProtocol : std::uint8_t { postgres, http };

struct WireRule {
  enum class Action : std::uint8_t { hold, delay, reset, cut, hang_up, answer, black_hole, release, await };
  Action action = Action::hold;
  std::chrono::milliseconds time{0};  // of a delay, before a hang-up; of a hold at most, 0: max_hold
  std::string answer;                 // SQLSTATE, or status
  bool every = false;
  bool write = false;
  std::string token;   // empty: any
  int message = 0;     // from 1; 0: any
  int connection = 0;  // from 1; 0: none, it is about messages
  friend bool operator==(const WireRule&, const WireRule&) = default;

  // What is armed and meets messages; not `release` and `await`.
  [[nodiscard]] bool armed() const { return action != Action::release && action != Action::await; }
};

// A hold without a time ends by itself then, and counts as one that did not end properly.
inline constexpr std::chrono::milliseconds max_hold{5'000};

// Throws Error with one sentence when the words are no rule, or none for this protocol.
[[nodiscard]] WireRule wire_rule_in(std::string_view words, WireProtocol protocol);
[[nodiscard]] std::string words_of(const WireRule& rule, WireProtocol protocol);

}  // namespace rehearse::harness
