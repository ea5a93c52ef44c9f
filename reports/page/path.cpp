// The way of the flag: five stages, and an arrow each way between neighbours, with what the rehearsal came to for each.
#include <fmt/format.h>

#include <array>

#include "reports/escape.h"
#include "reports/page/parts.h"
#include "reports/phrases.h"

namespace rehearse::reports::page {
namespace {

using properties::Verdict;

struct Stop {
  std::string_view name;
  std::string_view meaning;
};
constexpr std::array<Stop, 5> stops{{{"off", "all goes to legacy"},
                                     {"read-only", "writes are refused, data is copied"},
                                     {"shadow", "writes to both, reads from legacy"},
                                     {"live", "writes to both, reads from new"},
                                     {"completed", "the new service alone"}}};

// What came of a stage or an edge: of itself, and of what was rehearsed beside it ("shadow, new database hung").
struct Outcome {
  const Section* first = nullptr;
  Verdict verdict = Verdict::pass;
  bool itself = false;
  std::uint64_t besides = 0, findings = 0;
  // What was tried beside a stage or an edge can condemn it, and cannot prove it: a guard that held says nothing of the way itself.
  [[nodiscard]] bool told() const { return itself || (first != nullptr && verdict != Verdict::pass); }
};

Outcome outcome_of(const Report& report, const std::string& name, std::string_view beside) {
  Outcome outcome;
  for (const Section& section : report.sections) {
    const bool itself = section.name == name;
    if (!itself && !section.name.starts_with(name + std::string(beside))) continue;
    if (outcome.first == nullptr || (itself && outcome.first->name != name)) outcome.first = &section;
    outcome.verdict = properties::worst(outcome.verdict, section.verdict);
    outcome.findings += section.findings;
    outcome.itself |= itself;
    if (!itself) ++outcome.besides;
  }
  return outcome;
}

std::string stage_of(const Context& page, const Stop& stop) {
  const Outcome outcome = outcome_of(page.report, std::string(stop.name), ", ");
  if (!outcome.told()) {
    return fmt::format(
        "<li class=stage><span><b>{}</b><span class=\"said none\">not rehearsed</span><small>{}</small>"
        "</span>\n",
        stop.name, stop.meaning);
  }
  std::string notes;
  if (outcome.besides > 0) notes = fmt::format("<small>with {}</small>", counted(outcome.besides, "fault"));
  if (outcome.findings > 0) notes += fmt::format("<small>{}</small>", counted(outcome.findings, "finding"));
  return fmt::format(
      "<li class=\"stage {0}\"><a href=\"#{1}\"><b>{2}</b><span class=\"said {0}\">{3} {0}</span><small>{4}</small>{5}"
      "</a>\n",
      name_of(outcome.verdict), page.names.of(outcome.first), stop.name, mark_of(outcome.verdict), stop.meaning, notes);
}

std::string edge_of(const Context& page, std::string_view from, std::string_view to, bool back) {
  const std::string name = fmt::format("{} → {}", from, to);
  const Outcome outcome = outcome_of(page.report, name, " with ");
  const std::string_view direction = back ? " back" : "";
  if (!outcome.told())
    return fmt::format("<span class=\"edge{} none\" title=\"{}\">not taken</span>\n", direction, name);
  return fmt::format("<a class=\"edge{0} {1}\" href=\"#{2}\" aria-label=\"{3}: {1}\">{4} {1}</a>\n", direction,
                     name_of(outcome.verdict), page.names.of(outcome.first), name, mark_of(outcome.verdict));
}

}  // namespace

std::string path_of(const Context& page) {
  std::string out =
      "<section id=way aria-labelledby=way-title>\n<h2 id=way-title>The way</h2>\n"
      "<ol class=path aria-label=\"The stages and the edges between them\">\n";
  for (std::size_t i = 0; i < stops.size(); ++i) {
    if (i > 0) {
      out += "<li class=edges>\n" + edge_of(page, stops[i - 1].name, stops[i].name, false) +
             edge_of(page, stops[i].name, stops[i - 1].name, true);
    }
    out += stage_of(page, stops[i]);
  }
  return out + "</ol>\n</section>\n";
}

}  // namespace rehearse::reports::page
