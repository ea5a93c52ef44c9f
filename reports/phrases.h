// What every renderer says in the same words: the verdict in one sentence, numbers, places, excerpts.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "reports/report.h"

namespace rehearse::reports {

// "PASS", "UNKNOWN", "FAIL".
[[nodiscard]] std::string_view shout(properties::Verdict verdict);

// The verdict as advice to whoever has to decide: "safe to take every stage rehearsed", "do not cut over: 2 invariants
// broken", "nothing proves 3 of 61 invariants: do not cut over on this evidence".
[[nodiscard]] std::string advice(const Report& report);

// "seed 41"; empty when nothing in the run was drawn at random.
[[nodiscard]] std::string seed_of(const Report& report);
// `prefix` before a text that is not empty.
[[nodiscard]] std::string prefixed(std::string_view prefix, const std::string& text);

// The results of that verdict, in the order of the report.
[[nodiscard]] std::vector<const properties::Result*> results_with(const Report& report, properties::Verdict verdict);

// Where to look: "history.db, step 481"; empty when the finding names no history.
[[nodiscard]] std::string place_of(const properties::Finding& finding);

// "1 violation", "3 violations".
[[nodiscard]] std::string counted(std::uint64_t count, std::string_view noun);

// 0.84 → "0.84 ms", 12.3 → "12.3 ms", 1534 → "1.53 s"; 0 → "–", for nothing was measured.
[[nodiscard]] std::string milliseconds(double value);

// A number of a budget in its unit: 0.231 → "+23.1%" of an overhead and "23.1%" of errors, 12.3 → "12.3 ms", 200 → "200/s".
[[nodiscard]] std::string in_unit(const BudgetResult& budget, double value);

// 61.2 → "1 min 1 s", 9.34 → "9.3 s".
[[nodiscard]] std::string duration(double seconds);

// "captured 3,012 · sent 2,990 · filtered: health checks 22", each name as `escape` shows it.
[[nodiscard]] std::string conservation_line(const Report& report, std::string (*escape)(std::string_view));

// "in 812 answers: live, completed".
[[nodiscard]] std::string extent_of(const Difference& difference);
// "638×, timestamp within the run; of 900 answers the oracle changed it in 638 and the candidate in 640".
[[nodiscard]] std::string counts_of(const VolatileValue& value);
// "applied 12×: the clock is not compared (shop team, until 2026-12-31)".
[[nodiscard]] std::string use_of(const RuleUse& rule);
// "rehearsal/history.db, step 481".
[[nodiscard]] std::string place_of(const Example& example);
// True when both say the same: then one of them is enough.
[[nodiscard]] bool same_place(const Example& a, const Example& b);

// The rows that no open alert names; while a database is broken on purpose, others differ as they must.
[[nodiscard]] std::size_t unexplained_rows(const Report& report);
// "2 new, 1 still there, 3 gone".
[[nodiscard]] std::string summary_of(const Since& since);
// "+12.3%", "+4"; "–" where there was nothing to compare with.
[[nodiscard]] std::string change_of(const ChangedNumber& number);
// Medians that changed by more than a tenth, the ones that grew most first, eight at most.
[[nodiscard]] std::vector<const ChangedNumber*> slowest(const Since& since);

// 1234567 → "1,234,567".
[[nodiscard]] std::string grouped(std::uint64_t value);

// At most `limit` code points of the text; what is left out is counted at its end. The result is valid UTF-8.
[[nodiscard]] std::string excerpt(std::string_view text, std::size_t limit);

}  // namespace rehearse::reports
