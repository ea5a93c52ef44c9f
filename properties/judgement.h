// What the checks concluded: findings, results, and one verdict.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rehearse::properties {

// What a check concluded. Ordered so that the worst wins a merge: a gate that could not look must not open.
enum class Verdict { pass, unknown, fail };

[[nodiscard]] std::string_view name_of(Verdict verdict);
[[nodiscard]] inline Verdict worst(Verdict a, Verdict b) { return a < b ? b : a; }

// Two facts that contradict each other, and where to look. Never an opinion.
struct Finding {
  std::string expected;    // the first fact: what was promised, answered or recorded
  std::string observed;    // the second fact: what contradicts it
  std::string request;     // the request as a curl line; empty when the finding is not about one request
  std::string history;     // the history in which the exchange stands; empty when there is none
  std::int64_t step = -1;  // the step of the plan within that history; -1 when the finding is not about one request
};

// What one invariant came to in one scope.
struct Result {
  std::string invariant;  // the id: "G1", "S3", "E4'"
  std::string title;      // what must hold, in one line
  std::string scope;      // the stage or edge it was judged in: "shadow", "live → completed"
  Verdict verdict = Verdict::unknown;
  std::string reason;            // why it is unknown; for a pass, what was looked at
  std::uint64_t checked = 0;     // how many things were looked at; a pass has looked at at least one
  std::uint64_t violations = 0;  // all of them; `findings` holds at most `max_findings_per_result`
  std::vector<Finding> findings;
};

// A report that nobody can read helps nobody: the first twenty violations of an invariant in a scope are shown, all are counted.
inline constexpr std::size_t max_findings_per_result = 20;

struct Judgement {
  std::vector<Result> results;

  // The worst of the results; unknown when there is none, for a run that checked nothing proves nothing.
  [[nodiscard]] Verdict verdict() const;
};

}  // namespace rehearse::properties
