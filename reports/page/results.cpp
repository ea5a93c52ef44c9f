// What each invariant came to, section by section: the facts that contradict each other, what could not be told, what was proved.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "reports/escape.h"
#include "reports/page/parts.h"
#include "reports/phrases.h"

namespace rehearse::reports::page {
namespace {

using properties::Finding;
using properties::Result;
using properties::Verdict;

// A scope with its results; the section is nothing for what speaks of the whole rehearsal.
struct Scope {
  std::string name;
  const Section* section = nullptr;
  std::vector<const Result*> results;
};

// The sections in their order, then what speaks of no section.
std::vector<Scope> scopes_of(const Report& report) {
  std::vector<Scope> scopes;
  for (const Section& section : report.sections) scopes.push_back({section.name, &section, {}});
  for (const Result& result : report.results) {
    auto found =
        std::find_if(scopes.begin(), scopes.end(), [&](const Scope& scope) { return scope.name == result.scope; });
    if (found == scopes.end()) found = scopes.insert(scopes.end(), {result.scope, nullptr, {}});
    found->results.push_back(&result);
  }
  return scopes;
}

Verdict verdict_of(const Scope& scope) {
  Verdict verdict = scope.section != nullptr ? scope.section->verdict : Verdict::pass;
  for (const Result* result : scope.results) verdict = properties::worst(verdict, result->verdict);
  return verdict;
}

std::string item(Verdict verdict, std::string_view section) {
  return fmt::format(" data-item data-verdict={} data-section=\"{}\"", name_of(verdict), html_escape(section));
}

std::string finding_of(const Context& page, const Result& result, const Finding& finding) {
  const std::string& name = page.names.of(&finding);
  return fmt::format("<div class=finding id=\"{}\"{} data-words=\"{} {}\">{}<dl>\n", name,
                     item(Verdict::fail, result.scope), html_escape(result.invariant), html_escape(result.title),
                     link_to(name)) +
         term(page, "expected", finding.expected) + term(page, "observed", finding.observed) +
         term(page, "request", finding.request) + term(page, "where", place_of(finding)) + "</dl></div>\n";
}

std::string broken(const Context& page, const Result& result) {
  const std::string& name = page.names.of(&result);
  std::string out = fmt::format(
      "<div class=result id=\"{}\" data-group>{}<p><b class=fail>✗ {}</b> {} <span class=soft>{} · {} looked "
      "at</span>\n",
      name, link_to(name), html_escape(result.invariant), page.shown(result.title),
      counted(result.violations, "violation"), grouped(result.checked));
  if (result.findings.empty() && !result.reason.empty())
    out += fmt::format("<p{}>{}\n", item(Verdict::fail, result.scope), page.shown(result.reason));
  std::size_t shown = 0;
  const std::size_t room = std::min(result.findings.size(), page.findings_left);
  for (; shown < room; ++shown, --page.findings_left) {
    // The first shows what is wrong, the second that it was no accident.
    if (shown == 2)
      out += fmt::format("<details data-group><summary>{}</summary>\n", counted(room - 2, "more finding"));
    out += finding_of(page, result, result.findings[shown]);
  }
  if (room > 2) out += "</details>\n";
  if (result.violations > shown) {
    out += fmt::format("<p class=soft>{} shown of {}; the history holds the rest.\n", grouped(shown),
                       counted(result.violations, "violation"));
  }
  return out + "</div>\n";
}

std::string undecided(const Context& page, const Result& result) {
  const std::string& name = page.names.of(&result);
  return fmt::format(
      "<div class=result data-group><div class=\"finding unknown\" id=\"{}\"{}>{}<p><b class=unknown>? {}</b> {} "
      "<span class=soft>{} looked at</span>\n<p>{}</div></div>\n",
      name, item(Verdict::unknown, result.scope), link_to(name), html_escape(result.invariant),
      page.shown(result.title), grouped(result.checked),
      page.shown(result.reason.empty() ? "no reason was given" : result.reason));
}

std::string proved(const Context& page, const Result& result) {
  return fmt::format("<li id=\"{}\"{}><b class=pass>✓ {}</b> {} <span class=soft>{}</span>\n", page.names.of(&result),
                     item(Verdict::pass, result.scope), html_escape(result.invariant), page.shown(result.title),
                     page.shown(result.reason.empty() ? grouped(result.checked) + " looked at" : result.reason));
}

std::string scope_of(const Context& page, const Scope& scope) {
  const Verdict verdict = verdict_of(scope);
  const auto count = [&](Verdict wanted) {
    return std::count_if(scope.results.begin(), scope.results.end(),
                         [&](const Result* result) { return result->verdict == wanted; });
  };
  std::string said;
  const auto add = [&](std::string text) { said += (said.empty() ? "" : " · ") + std::move(text); };
  if (count(Verdict::fail) > 0) add(fmt::format("{} broken", count(Verdict::fail)));
  if (count(Verdict::unknown) > 0) add(fmt::format("{} not proved", count(Verdict::unknown)));
  if (count(Verdict::pass) > 0) add(fmt::format("{} proved", count(Verdict::pass)));
  if (scope.section != nullptr && scope.section->sent > 0) {
    add(counted(scope.section->sent, "request"));
    add("p50 " + milliseconds(scope.section->p50_ms));
  }
  if (scope.section != nullptr && scope.section->seconds > 0) add(duration(scope.section->seconds));
  std::string out = fmt::format(
      "<details class=\"section {0}\"{1} data-group{2}><summary><h3>{4}</h3> {3} <span class=soft>{5}</span>"
      "</summary>\n",
      name_of(verdict), scope.section == nullptr ? "" : fmt::format(" id=\"{}\"", page.names.of(scope.section)),
      verdict == Verdict::pass ? "" : " open", verdict_word(verdict), html_escape(scope.name), said);
  std::size_t shown = 0;
  const auto each = [&](Verdict wanted, auto&& render) {
    for (const Result* result : scope.results) {
      if (result->verdict != wanted || shown >= page.limits.items) continue;
      out += render(page, *result);
      ++shown;
    }
  };
  each(Verdict::fail, broken);
  each(Verdict::unknown, undecided);
  if (count(Verdict::pass) > 0) {
    out += "<ul class=proved data-group>\n";
    each(Verdict::pass, proved);
    out += "</ul>\n";
  }
  return out + left_out(scope.results.size() - shown, "invariant") + "</details>\n";
}

std::string cell(std::uint64_t count) {
  return count == 0 ? "<td class=zero>0" : fmt::format("<td>{}", grouped(count));
}

}  // namespace

std::string overview_of(const Context& page) {
  const Report& report = page.report;
  if (report.sections.empty()) return "";
  std::string out =
      "<section id=sections aria-labelledby=sections-title>\n<h2 id=sections-title>Stages and edges in numbers</h2>\n"
      "<div class=scroll role=region tabindex=0 aria-label=\"Stages and edges in numbers\"><table "
      "class=names><thead><tr>"
      "<th scope=col>section<th scope=col>verdict<th scope=col>sent<th scope=col>answered<th scope=col>refused"
      "<th scope=col>lost<th scope=col>matched<th scope=col>masked<th scope=col>ignored<th scope=col>undecided"
      "<th scope=col>differed<th scope=col>p50<th scope=col>p99<th scope=col>findings<th "
      "scope=col>time</thead><tbody>\n";
  for (std::size_t i = 0; i < std::min(report.sections.size(), page.limits.items); ++i) {
    const Section& s = report.sections[i];
    out += fmt::format("<tr><td><a href=\"#{}\">{}</a><td>{}", page.names.of(&s), page.shown(s.name),
                       verdict_word(s.verdict));
    for (const auto count :
         {s.sent, s.answered, s.refused, s.lost, s.matched, s.masked, s.ignored, s.undecided, s.differed})
      out += cell(count);
    out += fmt::format("<td>{}<td>{}{}<td>{}\n", milliseconds(s.p50_ms), milliseconds(s.p99_ms), cell(s.findings),
                       s.seconds > 0 ? duration(s.seconds) : "–");
  }
  out +=
      "</tbody></table></div>\n" +
      left_out(report.sections.size() - std::min(report.sections.size(), page.limits.items), "section") +
      "<p class=soft>refused: no byte left; lost: perhaps effective; masked: equal but for values that the legacy "
      "service itself changes; ignored: by rules, and not equal; undecided: whether it is noise cannot be told.</p>\n";
  if (!report.conservation.empty())
    out += "<p class=soft>" + html_escape(excerpt(conservation_line(report, valid_utf8), page.limits.text)) + "</p>\n";
  return out + "</section>\n";
}

std::string worst_of(const Context& page) {
  constexpr std::size_t shown_at_once = 12;
  std::string items;
  std::size_t shown = 0, more = 0;
  for (const Verdict verdict : {Verdict::fail, Verdict::unknown}) {
    for (const Result* result : results_with(page.report, verdict)) {
      if (shown >= shown_at_once) {
        ++more;
        continue;
      }
      ++shown;
      items += fmt::format("<li><a href=\"#{}\"><span class={}>{}</span> {} in {}</a> {} <span class=soft>{}</span>\n",
                           page.names.of(result), name_of(verdict), mark_of(verdict), page.shown(result->invariant),
                           page.shown(result->scope), page.shown(result->title),
                           verdict == Verdict::fail ? counted(result->violations, "violation") : "not proved");
    }
  }
  if (items.empty()) return "";
  if (more > 0) items += fmt::format("<li><a href=#invariants>and {}</a>\n", counted(more, "more check"));
  return "<ul class=broken aria-label=\"What is broken or not proved\">\n" + items + "</ul>\n";
}

std::string filter_of(const Context& page) {
  std::string out =
      "<form id=filter class=filter role=search hidden><label for=words>Find</label>\n"
      "<input type=search id=words name=words placeholder=\"an invariant, a route, a value\" autocomplete=off>\n"
      "<label><input type=checkbox name=kind value=fail checked> ✗ broken</label>\n"
      "<label><input type=checkbox name=kind value=unknown checked> ? not proved</label>\n"
      "<label><input type=checkbox name=kind value=pass checked> ✓ proved</label>\n"
      "<label>in <select name=section><option value=\"\">every section</option>\n";
  for (std::size_t i = 0; i < std::min(page.report.sections.size(), page.limits.items); ++i) {
    const std::string name = page.shown(page.report.sections[i].name);
    out += fmt::format("<option value=\"{0}\">{0}</option>\n", name);
  }
  return out +
         "</select></label>\n<button type=reset>Show all</button>\n<output aria-live=polite></output>\n"
         "<span class=soft><kbd>/</kbd> find <kbd>n</kbd> <kbd>p</kbd> next and previous finding</span></form>\n";
}

std::string results_of(const Context& page) {
  std::string out =
      "<section id=invariants aria-labelledby=invariants-title>\n"
      "<h2 id=invariants-title>The invariants, with what was found</h2>\n";
  if (page.report.results.empty()) out += "<p>Nothing was checked, so nothing is proved.</p>\n";
  std::uint64_t shown = 0, unshown = 0;
  for (const Scope& scope : scopes_of(page.report)) {
    if (shown++ < page.limits.items) {
      out += scope_of(page, scope);
    } else {
      ++unshown;
    }
  }
  return out + left_out(unshown, "section") + "</section>\n";
}

}  // namespace rehearse::reports::page
