#include "reports/annotations.h"

#include <fmt/format.h>

#include <algorithm>

#include "reports/escape.h"
#include "reports/phrases.h"

namespace rehearse::reports {
namespace {

using properties::Result;
using properties::Verdict;

constexpr std::size_t fact_limit = 800;  // code points; GitHub cuts a message at 4,096 bytes

std::string escaped(std::string_view text, std::string_view also) {
  std::string out;
  for (const char c : text) {
    if (c == '%') {
      out += "%25";
    } else if (c == '\r') {
      out += "%0D";
    } else if (c == '\n') {
      out += "%0A";
    } else if (also.find(c) != std::string_view::npos) {
      out += c == ':' ? "%3A" : "%2C";
    } else {
      out += c;
    }
  }
  return out;
}

// One line of captured text: its own line ends are shown, not made.
std::string line(std::string_view text) { return terminal_escape(excerpt(text, fact_limit)); }

std::string command(std::string_view kind, const std::string& title, const std::string& text) {
  return fmt::format("::{} title={}::{}\n", kind, annotation_property(title), annotation_text(text));
}

std::string title_of(const Result& result) { return line(fmt::format("{} in {}", result.invariant, result.scope)); }

std::string failure_of(const Result& result) {
  std::string text = line(result.title) + " (" + counted(result.violations, "violation") + ")";
  if (result.findings.empty()) return text + (result.reason.empty() ? "" : "\n" + line(result.reason));
  const properties::Finding& first = result.findings.front();
  text += "\nexpected: " + line(first.expected) + "\nobserved: " + line(first.observed);
  if (const auto place = place_of(first); !place.empty()) text += "\nwhere: " + line(place);
  return text;
}

std::string unknown_of(const Result& result) {
  return line(result.title) + "\nnot proved: " + line(result.reason.empty() ? "no reason was given" : result.reason);
}

template <class Text>
std::string commands(const Report& report, Verdict verdict, std::string_view kind, Text text) {
  const auto results = results_with(report, verdict);
  const bool all = results.size() <= annotations_of_a_kind;
  const std::size_t shown = all ? results.size() : annotations_of_a_kind - 1;
  std::string out;
  for (std::size_t i = 0; i < shown; ++i) out += command(kind, title_of(*results[i]), text(*results[i]));
  if (!all)
    out += command(kind, "rehearse", fmt::format("and {} more: see the report files", grouped(results.size() - shown)));
  return out;
}

}  // namespace

std::string annotation_text(std::string_view text) { return escaped(valid_utf8(text), ""); }
std::string annotation_property(std::string_view text) { return escaped(valid_utf8(text), ":,"); }

std::string render_annotations(const Report& report) {
  std::string out =
      commands(report, Verdict::fail, "error", failure_of) + commands(report, Verdict::unknown, "warning", unknown_of);
  if (report.verdict == Verdict::pass) return out + command("notice", "rehearse", advice(report));
  if (out.empty()) out = command(report.verdict == Verdict::fail ? "error" : "warning", "rehearse", advice(report));
  return out;
}

}  // namespace rehearse::reports
