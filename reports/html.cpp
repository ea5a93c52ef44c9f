#include "reports/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "reports/escape.h"
#include "reports/page/assets.h"
#include "reports/page/parts.h"
#include "reports/phrases.h"

namespace rehearse::reports {
namespace {

using page::Context;
using properties::Verdict;

// From what is nearly always enough down to what always fits.
constexpr std::array<page::Limits, 8> all_limits{{{20'000, 10'000, 10'000, 400},
                                                  {4'000, 2'000, 2'000, 100},
                                                  {2'000, 1'000, 1'000, 40},
                                                  {1'500, 500, 1'000, 24},
                                                  {1'000, 250, 500, 16},
                                                  {300, 250, 250, 12},
                                                  {150, 120, 120, 8},
                                                  {60, 60, 60, 6}}};

std::string head_of(const Report& report) {
  return fmt::format(
      "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
      "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src {}; script-src {}; "
      "base-uri 'none'; form-action 'none'\">\n"
      "<meta name=referrer content=no-referrer>\n<meta name=viewport content=\"width=device-width, initial-scale=1\">\n"
      "<title>{}: {}</title>\n<style>{}</style>\n</head>\n",
      page::style_source(), page::script_source(), shout(report.verdict), html_escape(excerpt(report.title, 300)),
      page::style());
}

std::string banner_of(const Context& page) {
  const Report& report = page.report;
  std::string about;
  for (const std::string& part : {report.title, report.traffic, report.started, duration(report.seconds),
                                  seed_of(report), "rehearse " + report.tool_version})
    about += prefixed(about.empty() ? "" : " · ", html_escape(excerpt(part, 300)));
  return fmt::format(
      "<body>\n<a class=skip href=#main>Skip to the report</a>\n<header class=\"banner {}\"><div class=page>\n"
      "<h1>{} {}: {}</h1>\n<p class=soft>{}</p></div></header>\n",
      name_of(report.verdict), page::mark_of(report.verdict), shout(report.verdict), advice(report), about);
}

std::string figures_of(const Report& report) {
  std::uint64_t sent = 0, lost = 0;
  for (const Section& section : report.sections) {
    sent += section.sent;
    lost += section.lost + section.refused;
  }
  const auto count = [&](Verdict verdict) { return results_with(report, verdict).size(); };
  const auto figure = [](std::string_view kind, std::uint64_t number, std::string_view what) {
    return fmt::format("<li{}><b>{}</b>{}\n", number > 0 && !kind.empty() ? fmt::format(" class={}", kind) : "",
                       grouped(number), what);
  };
  return "<ul class=figures>\n" + figure("", report.sections.size(), "stages, edges and faults") +
         figure("", sent, "requests sent") + figure("unknown", lost, "without an answer") +
         figure("", count(Verdict::pass), "checks proved") + figure("unknown", count(Verdict::unknown), "not proved") +
         figure("fail", count(Verdict::fail), "broken") + "</ul>\n";
}

std::string navigation_of(const std::string& body) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 10> parts{{{"way", "The way"},
                                                                                 {"since", "Since last time"},
                                                                                 {"sections", "Numbers"},
                                                                                 {"invariants", "Invariants"},
                                                                                 {"answers", "Answers"},
                                                                                 {"databases", "Databases"},
                                                                                 {"latency", "Latency"},
                                                                                 {"timeline", "The run"},
                                                                                 {"not-compared", "Not compared"},
                                                                                 {"repeat", "Repeat it"}}};
  std::string out = "<nav aria-label=\"Parts of the report\"><ul>\n";
  for (const auto& [id, name] : parts) {
    if (body.find(fmt::format("<section id={} ", id)) != std::string::npos)
      out += fmt::format("<li><a href=#{}>{}</a>\n", id, name);
  }
  return out + "</ul></nav>\n";
}

std::string page_of(const Report& report, const page::Limits& limits, const page::Names& names) {
  const Context page{report, limits, names, limits.findings};
  std::string body = path_of(page) + figures_of(report) + worst_of(page) + since_of(page) + overview_of(page) +
                     filter_of(page) + results_of(page) + differences_of(page) + rows_of(page) + latency_of(page) +
                     timeline_of(page) + not_compared_of(page) + repeat_of(page);
  return head_of(report) + banner_of(page) + navigation_of(body) + "<main id=main class=page>\n" + body +
         "</main>\n<script>" + std::string(page::script()) + "</script>\n</body>\n</html>\n";
}

}  // namespace

std::string render_html(const Report& report) {
  const page::Names names(report);
  std::string out;
  for (const page::Limits& limits : all_limits) {
    out = page_of(report, limits, names);
    if (out.size() <= page_limit) break;
  }
  return out;
}

}  // namespace rehearse::reports
