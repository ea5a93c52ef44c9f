#include "reports/console.h"

#include <fmt/format.h>

#include <algorithm>

#include "reports/escape.h"
#include "reports/phrases.h"

namespace rehearse::reports {
namespace {

using properties::Finding;
using properties::Result;
using properties::Verdict;

// Limits of what a person reads in a terminal; the report files hold everything.
constexpr std::size_t fact_limit = 600;       // code points of one fact: about seven lines
constexpr std::size_t request_limit = 2000;   // a curl line that is still worth copying
constexpr std::size_t findings_a_result = 3;  // the first shows what is wrong, two more that it was no accident
constexpr std::size_t volatile_values_shown = 8;
constexpr std::size_t differences_shown = 5;
constexpr std::size_t rows_shown = 8;
constexpr std::size_t changes_shown = 10;
constexpr std::size_t body_lines_shown = 24;
constexpr std::size_t value_limit = 200;  // code points of one value that differs

class Console {
 public:
  Console(const Report& report, const ConsoleOptions& options)
      : report_(report), options_(options), width_(static_cast<std::size_t>(std::max(options.width, 60))) {}

  std::string render() {
    verdict_line();
    wrapped("", about());
    table();
    budgets();
    changes();
    findings();
    differences();
    rows();
    unknowns();
    volatiles();
    rules();
    files();
    out_ += '\n';
    verdict_line();
    return std::move(out_);
  }

 private:
  std::string painted(std::string_view code, std::string_view text) const {
    return options_.color ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
  }

  static std::string_view color_of(Verdict verdict) {
    return verdict == Verdict::pass ? "1;32" : verdict == Verdict::fail ? "1;31" : "1;33";
  }

  void verdict_line() {
    out_ += painted(color_of(report_.verdict), shout(report_.verdict)) + "  " + advice(report_) + "\n";
  }

  std::string about() const {
    std::string line;
    const auto add = [&](std::string_view text) {
      if (!text.empty()) line += (line.empty() ? "" : " · ") + terminal_escape(text);
    };
    add(report_.title);
    add(report_.traffic);
    add(report_.started);
    add(duration(report_.seconds));
    add(seed_of(report_));
    add("rehearse " + report_.tool_version);
    return line;
  }

  // One paragraph, broken between words where it can be and inside a long one where it must.
  // REQUIRES: text holds no control characters.
  void wrapped(std::string_view first, std::string_view text) {
    const std::string indent(columns_of(first), ' ');
    const std::size_t room = width_ - std::min(columns_of(first), width_ / 2);
    std::string_view prefix = first;
    do {
      std::string_view line = first_columns(text, room);
      if (line.size() < text.size()) {
        const auto space = line.rfind(' ');
        if (text[line.size()] != ' ' && space != std::string_view::npos && space > 0) line = line.substr(0, space);
      }
      out_ += prefix;
      out_ += line;
      out_ += '\n';
      text.remove_prefix(line.size());
      if (text.starts_with(' ')) text.remove_prefix(1);
      prefix = indent;
    } while (!text.empty());
  }

  void heading(std::string_view text) { out_ += "\n" + painted("1", text) + "\n"; }

  void table() {
    if (report_.sections.empty()) return;
    std::vector<std::vector<std::string>> rows{{"", "verdict", "sent", "answered", "refused", "lost", "matched",
                                                "masked", "ignored", "undecided", "differed", "p50", "p99",
                                                "findings"}};
    for (const Section& section : report_.sections) {
      rows.push_back({terminal_escape(excerpt(section.name, 40)), std::string(name_of(section.verdict)),
                      grouped(section.sent), grouped(section.answered), grouped(section.refused), grouped(section.lost),
                      grouped(section.matched), grouped(section.masked), grouped(section.ignored),
                      grouped(section.undecided), grouped(section.differed), milliseconds(section.p50_ms),
                      milliseconds(section.p99_ms), grouped(section.findings)});
    }
    std::vector<std::size_t> widths(rows[0].size());
    for (const auto& row : rows) {
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns_of(row[i]));
    }
    out_ += '\n';
    for (std::size_t i = 0; i < rows.size(); ++i)
      table_row(rows[i], widths, i == 0 ? nullptr : &report_.sections[i - 1]);
    if (!report_.conservation.empty()) {
      out_ += '\n';
      wrapped("", conservation_line(report_, terminal_escape));
      wrapped("",
              "refused: no byte left; lost: perhaps effective; masked: equal but for values that the legacy service "
              "itself changes; ignored: by rules, and not equal");
    }
  }

  // Names and verdicts stand left, numbers right; a zero is a dot, so that what is not zero is seen.
  void table_row(const std::vector<std::string>& row, const std::vector<std::size_t>& widths, const Section* section) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string pad(widths[i] - columns_of(row[i]), ' ');
      const std::string cell = section != nullptr && row[i] == "0" ? "·" : row[i];
      if (i == 0) {
        out_ += cell + pad;
      } else if (i == 1) {
        out_ += "  " + (section == nullptr ? cell : painted(color_of(section->verdict), cell)) + pad;
      } else {
        out_ += "  " + pad + cell;
      }
    }
    out_ += '\n';
  }

  void budgets() {
    if (report_.budgets.empty()) return;
    heading("Budgets");
    for (const BudgetResult& budget : report_.budgets) {
      const auto safe = [](std::string_view text) { return terminal_escape(excerpt(text, 60)); };
      const bool measured = budget.estimate != 0 || budget.low != 0 || budget.high != 0;
      wrapped(fmt::format("  {:<7}  ", name_of(budget.verdict)),
              fmt::format("{}, {}: {} {} (limit {})", safe(budget.section), safe(budget.route), safe(budget.metric),
                          measured ? fmt::format("{}, {} to {}", in_unit(budget, budget.estimate),
                                                 in_unit(budget, budget.low), in_unit(budget, budget.high))
                                   : "not measured",
                          safe(budget.limit)));
    }
    if (!report_.environment) return;
    const Environment& seen = *report_.environment;
    wrapped("  ",
            terminal_escape(fmt::format("measured on {}; load {:.1f}, steal {:.1f} %, {}; requests left {} late at the "
                                        "median and {} at p99; an endpoint "
                                        "that does nothing took {} and {}; {:.0f} of {:.0f} requests/s",
                                        seen.machine, seen.load, seen.steal_percent, seen.scheduling,
                                        milliseconds(seen.send_error_p50_ms), milliseconds(seen.send_error_p99_ms),
                                        milliseconds(seen.null_probe_p50_ms), milliseconds(seen.null_probe_p99_ms),
                                        seen.achieved_rate, seen.planned_rate)));
  }

  void findings() {
    for (const Result* result : results_with(report_, Verdict::fail)) {
      heading(fmt::format("{} in {}: {}", terminal_escape(result->invariant), terminal_escape(result->scope),
                          counted(result->violations, "violation")));
      wrapped("  must hold  ", terminal_escape(result->title));
      const std::size_t shown = std::min(result->findings.size(), findings_a_result);
      for (std::size_t i = 0; i < shown; ++i) finding(result->findings[i]);
      if (result->violations > shown) {
        out_ += fmt::format("\n  and {} more: see the report files\n", grouped(result->violations - shown));
      }
    }
  }

  void finding(const Finding& finding) {
    out_ += '\n';
    wrapped("  expected   ", terminal_escape(excerpt(finding.expected, fact_limit)));
    wrapped("  observed   ", terminal_escape(excerpt(finding.observed, fact_limit)));
    if (!finding.request.empty()) {
      out_ += "  request    " + terminal_escape(excerpt(finding.request, request_limit)) + "\n";
    }
    if (const std::string place = place_of(finding); !place.empty())
      out_ += "  where      " + terminal_escape(place) + "\n";
  }

  void differences() {
    if (report_.differences.empty()) return;
    heading(fmt::format("Answers differ in {}", counted(report_.differences.size() + report_.more_differences, "way")));
    const std::size_t shown = std::min(report_.differences.size(), differences_shown);
    for (std::size_t i = 0; i < shown; ++i) difference(report_.differences[i]);
    const auto more = report_.differences.size() - shown + report_.more_differences;
    if (more > 0) out_ += fmt::format("\n  and {} more: see the report files\n", grouped(more));
  }

  void difference(const Difference& difference) {
    out_ += '\n';
    wrapped("  ", terminal_escape(fmt::format("{}  {}: {}", difference.route, excerpt(difference.path, value_limit),
                                              difference.kind)));
    wrapped("  ", terminal_escape(extent_of(difference)));
    example("first", difference.first);
    if (!same_place(difference.first, difference.smallest)) example("smallest", difference.smallest);
    out_ += "  request    " + terminal_escape(excerpt(difference.smallest.request, request_limit)) + "\n";
    bodies(difference.smallest.bodies);
  }

  void example(std::string_view which, const Example& example) {
    const auto value = [](const std::string& text) { return text.empty() ? "nothing" : excerpt(text, value_limit); };
    wrapped(fmt::format("  {:<9}  ", which), terminal_escape(fmt::format("{} against {} in {}", value(example.expected),
                                                                         value(example.observed), place_of(example))));
  }

  // Side by side; what differs is marked at the line's beginning.
  void bodies(const std::vector<BodyLine>& lines) {
    if (lines.empty()) return;
    const std::size_t column = (width_ - 7) / 2;
    const auto cell = [&](std::string_view text) {
      const std::string safe = terminal_escape(text);
      const std::string_view part = first_columns(safe, column);
      return std::string(part) + std::string(column - columns_of(part), ' ');
    };
    const auto row = [&](std::string_view mark, std::string_view left, std::string_view right) {
      std::string line = fmt::format("  {} {} | {}", mark, cell(left), cell(right));
      line.erase(line.find_last_not_of(' ') + 1);
      out_ += (mark == "*" ? painted("1", line) : line) + "\n";
    };
    row(" ", "the oracle", "the candidate");
    for (std::size_t i = 0; i < std::min(lines.size(), body_lines_shown); ++i)
      row(lines[i].differs ? "*" : " ", lines[i].expected, lines[i].observed);
    if (lines.size() > body_lines_shown) row(" ", "...", "...");
  }

  // What changed since an earlier rehearsal; what is still there is told below, and only counted here.
  void changes() {
    if (!report_.since) return;
    const Since& since = *report_.since;
    heading("Since the rehearsal of " + terminal_escape(since.started) + ": " + summary_of(since));
    for (const auto& [state, mark] : {std::pair("new", "+"), std::pair("gone", "-")}) {
      std::size_t shown = 0, more = 0;
      for (const ChangedFinding& finding : since.findings) {
        if (finding.state != state) continue;
        if (shown++ < changes_shown) {
          wrapped(fmt::format("  {} ", mark),
                  terminal_escape(fmt::format("{}: {}", finding.what, excerpt(finding.text, value_limit))));
        } else {
          ++more;
        }
      }
      if (more > 0) out_ += fmt::format("  and {} more that are {}\n", more, state);
    }
    for (const ChangedVerdict& verdict : since.verdicts) {
      const auto said = [](const std::string& text) { return text.empty() ? "not rehearsed" : text; };
      if (verdict.before != verdict.now)
        wrapped("  ", terminal_escape(fmt::format("{}: {} then, {} now", verdict.section, said(verdict.before),
                                                  said(verdict.now))));
    }
    for (const ChangedNumber* number : slowest(since)) {
      wrapped("  ", terminal_escape(fmt::format("{} {} then, {} now ({})", number->name, milliseconds(number->before),
                                                milliseconds(number->now), change_of(*number))));
    }
  }

  void rows() {
    const std::size_t unexplained = unexplained_rows(report_);  // they stand first
    if (unexplained == 0) return;
    heading(fmt::format("Databases differ in {} that no alert names", counted(unexplained, "row")));
    const std::size_t shown = std::min(unexplained, rows_shown);
    for (std::size_t i = 0; i < shown; ++i) {
      const DifferingRow& row = report_.rows[i];
      std::string columns;
      for (const RowColumn& column : row.columns) columns += (columns.empty() ? "" : ", ") + column.column;
      wrapped("  ", terminal_escape(fmt::format("{}/{} in {}: {}", row.entity, excerpt(row.key, 80), row.section,
                                                row.only_in.empty() ? columns : "only in the " + row.only_in)));
    }
    const auto more = unexplained - shown + report_.more_rows;
    if (more > 0) out_ += fmt::format("  and {} more: see the report files\n", grouped(more));
  }

  void rules() {
    if (report_.rules.empty()) return;
    heading("Rules about answers");
    for (const RuleUse& rule : report_.rules) {
      wrapped("  ", terminal_escape(excerpt(rule.rule, 200)));
      wrapped("    ", terminal_escape(excerpt(use_of(rule), fact_limit)));
      for (const std::string& remark : rule.remarks)
        wrapped("    look again: ", terminal_escape(excerpt(remark, fact_limit)));
    }
  }

  void unknowns() {
    const auto unknown = results_with(report_, Verdict::unknown);
    if (unknown.empty()) return;
    heading(fmt::format("Not proved: {}", counted(unknown.size(), "check")));
    for (const Result* result : unknown) {
      const std::string_view reason = result->reason.empty() ? "no reason was given" : std::string_view(result->reason);
      wrapped(fmt::format("  {:<4} ", terminal_escape(excerpt(result->invariant, 12))),
              terminal_escape(fmt::format("{}: {}", result->scope, excerpt(reason, fact_limit))));
    }
  }

  void volatiles() {
    if (report_.volatiles.empty()) return;
    heading(fmt::format("Not compared, because the legacy service itself changes them: {}",
                        counted(report_.volatiles.size(), "value")));
    const std::size_t shown = std::min(report_.volatiles.size(), volatile_values_shown);
    for (std::size_t i = 0; i < shown; ++i) {
      const VolatileValue& value = report_.volatiles[i];
      wrapped("  ",
              fmt::format("{} ({})", terminal_escape(excerpt(value.where, 200)), terminal_escape(counts_of(value))));
    }
    if (report_.volatiles.size() > shown) out_ += fmt::format("  and {} more\n", report_.volatiles.size() - shown);
  }

  void files() {
    if (options_.files.empty() && report_.history.empty() && report_.repeat.empty()) return;
    out_ += '\n';
    std::size_t widest = 7;
    for (const auto& [name, path] : options_.files) widest = std::max(widest, columns_of(name));
    const auto line = [&](std::string_view name, std::string_view text) {
      if (text.empty()) return;
      out_ += fmt::format("{}{}  {}\n", name, std::string(widest - columns_of(name), ' '), terminal_escape(text));
    };
    for (const auto& [name, path] : options_.files) line(terminal_escape(name), path);
    line("history", report_.history);
    line("again", report_.repeat);
  }

  const Report& report_;
  const ConsoleOptions& options_;
  std::size_t width_;
  std::string out_;
};

}  // namespace

std::string render_console(const Report& report, const ConsoleOptions& options) {
  return Console(report, options).render();
}

}  // namespace rehearse::reports
