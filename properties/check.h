// A check is a named invariant: a pure function from evidence to what it contradicts.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "properties/evidence.h"
#include "properties/judgement.h"

namespace rehearse::properties {

// What a check says while it looks. A pass is what remains when it looked at something and contradicted nothing.
class Outcome {
 public:
  // Something was looked at; `what` names it in the plural ("answers", "rows") for the report.
  void looked_at(std::int64_t count, std::string_view what);
  // Two facts that contradict each other. `record` is the request they are about, `history` the play it stands in.
  void contradict(std::string expected, std::string observed, const replay::History* history = nullptr,
                  const replay::Record* record = nullptr);
  // More of the same, counted and not shown.
  void count_more(std::int64_t violations) { result_.violations += static_cast<std::uint64_t>(violations); }
  // The evidence that is needed is not there.
  void cannot_tell(std::string reason);

  // The result; `unknown` when nothing was looked at.
  [[nodiscard]] Result finish() &&;

 private:
  Result result_;
  std::vector<std::pair<std::string, std::int64_t>> looked_at_;  // what → how many, in the order of the first look
  std::string unknown_;
};

struct Check {
  std::string_view invariant;  // the id in ARCHITECTURE.md: "G1"
  std::string_view title;      // what must hold, in one line
  std::function<bool(const Section&)> applies;
  std::function<void(const Evidence&, const Section&, Outcome&)> look;
};

// Judges the evidence by every check that applies. A check that throws yields `unknown`, never `pass`. The same evidence gives
// the same judgement, in any order of `checks`; results stand in the order of sections, then of checks. Waived invariants give
// no result.
[[nodiscard]] Judgement judge(std::span<const Check> checks, const Evidence& evidence);

// The same of one section of it.
[[nodiscard]] std::vector<Result> judge_section(std::span<const Check> checks, const Evidence& evidence,
                                                const Section& section);

// Every check there is, in the order of the report.
[[nodiscard]] std::vector<Check> all_checks();

// The checks of one file each.
[[nodiscard]] std::vector<Check> checks_of_every_stage();
[[nodiscard]] std::vector<Check> checks_of_off();
[[nodiscard]] std::vector<Check> checks_of_read_only();
[[nodiscard]] std::vector<Check> checks_of_shadow();
[[nodiscard]] std::vector<Check> checks_of_live();
[[nodiscard]] std::vector<Check> checks_of_completed();
[[nodiscard]] std::vector<Check> checks_of_edges();
[[nodiscard]] std::vector<Check> checks_of_latency();

}  // namespace rehearse::properties
