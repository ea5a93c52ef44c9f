// What the parts of the page share while it is made: how much of a text is shown, and the names that links lead to.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "reports/report.h"

namespace rehearse::reports::page {

// How much of a report one page shows. A page that is larger than it should be is made again with less.
struct Limits {
  std::size_t text = 20'000;      // code points of one text; with longer ones a page becomes slow to open
  std::size_t findings = 10'000;  // findings, over all results
  std::size_t items = 10'000;     // of each list: results, rows, differences, budgets, marks
  std::size_t body_lines = 400;   // of one pair of bodies
};

// The name of everything that a link can lead to: what reports/identity.h calls it, with a number where several have one name.
class Names {
 public:
  explicit Names(const Report& report);
  // REQUIRES: the object is one of the report's results, findings, differences, rows, budgets or sections.
  [[nodiscard]] const std::string& of(const void* object) const { return names_.at(object); }

 private:
  std::unordered_map<const void*, std::string> names_;
};

// A page in the making.
struct Context {
  const Report& report;
  const Limits& limits;
  const Names& names;
  mutable std::size_t findings_left;
  // Escaped, and cut where the limit is.
  [[nodiscard]] std::string shown(std::string_view text) const;
};

[[nodiscard]] std::string_view mark_of(properties::Verdict verdict);  // ✓ ? ✗
// "<b class=fail>✗ fail</b>"
[[nodiscard]] std::string verdict_word(properties::Verdict verdict);
// A link to what bears that name, for whoever wants to show it to others.
[[nodiscard]] std::string link_to(std::string_view name);
// A row of a definition list with the text in a block; nothing when the text is empty.
[[nodiscard]] std::string term(const Context& page, std::string_view name, std::string_view text);
// A table cell with the number that charts are drawn from.
[[nodiscard]] std::string number_cell(double value, std::string_view text);
// "and 12 more stand in the JSON document"; empty when there are none.
[[nodiscard]] std::string left_out(std::uint64_t count, std::string_view noun);
// The same of what the report itself does not list.
[[nodiscard]] std::string unlisted(std::uint64_t count, std::string_view noun);
// The section of that name; nothing when there is none.
[[nodiscard]] const Section* section_named(const Report& report, std::string_view name);

// The parts, in the order of the page; empty when the report has nothing of the kind.
[[nodiscard]] std::string path_of(const Context& page);
[[nodiscard]] std::string worst_of(const Context& page);
[[nodiscard]] std::string since_of(const Context& page);
[[nodiscard]] std::string overview_of(const Context& page);
[[nodiscard]] std::string filter_of(const Context& page);
[[nodiscard]] std::string results_of(const Context& page);
[[nodiscard]] std::string differences_of(const Context& page);
[[nodiscard]] std::string rows_of(const Context& page);
[[nodiscard]] std::string latency_of(const Context& page);
[[nodiscard]] std::string timeline_of(const Context& page);
[[nodiscard]] std::string not_compared_of(const Context& page);
[[nodiscard]] std::string repeat_of(const Context& page);

}  // namespace rehearse::reports::page
