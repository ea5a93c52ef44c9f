#include "reports/trial_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "properties/plans/signal.h"
#include "replay/values.h"

namespace rehearse::reports {
namespace {

using properties::Trial;
using replay::Record;
using replay::Step;

struct Event {
  std::int64_t at_ns = 0;  // from the beginning of the play
  std::size_t column = 0;
  std::string text;
};

// What a captured text may hold is not what a terminal may be told to do.
std::string printable(std::string_view text, std::size_t most) {
  std::string out;
  for (const unsigned char c : text) {
    if (out.size() >= most) return out + "...";
    if (c < 0x20 || c == 0x7f)
      out += fmt::format("\\x{:02x}", c);
    else
      out += static_cast<char>(c);
  }
  return out;
}

std::string outcome_of(const Record& record) {
  if (record.outcome == replay::Outcome::answered) return std::to_string(record.response.status);
  return std::string(replay::name_of(record.outcome));
}

// "table public.orders: UPDATE: id[bigint]:7 ..." → "UPDATE orders".
std::string in_short(const std::vector<std::string>& rows) {
  std::string text;
  for (const std::string& row : rows) {
    if (!text.empty()) text += ", ";
    const auto kind = row.find(": ");
    if (kind == std::string::npos || !row.starts_with("table ")) continue;
    std::string table = row.substr(6, kind - 6);
    if (table.starts_with("public.")) table.erase(0, 7);
    const auto end = row.find(':', kind + 2);
    text += row.substr(kind + 2, end - kind - 2) + " " + table;
    if (text.size() > 40) return text.substr(0, 37) + "...";
  }
  return text;
}

std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'')
      out += "'\\''";
    else
      out += c;
  }
  return out + "'";
}

// The jq filter of a place such as "json:/items/0/id"; empty where jq cannot find it.
std::string jq_of(const std::string& place) {
  if (!place.starts_with("json:/")) return {};
  std::string filter;
  for (std::size_t at = 6; at <= place.size();) {
    const auto slash = std::min(place.find('/', at), place.size());
    const std::string part = place.substr(at, slash - at);
    filter += replay::is_integer(part) ? fmt::format("[{}]", part) : fmt::format("[\"{}\"]", part);
    at = slash + 1;
  }
  return "." + filter;
}

}  // namespace

std::string swim_lanes(const Trial& trial) {
  const std::int64_t began = trial.played.began_ns;
  std::map<std::int64_t, std::size_t> columns;  // lane → column
  for (const Record& record : trial.played.records) columns.try_emplace(record.lane, 0);
  std::size_t next = 1;
  for (auto& [lane, column] : columns) column = next++;
  const std::size_t legacy = next, new_ = next + 1;
  std::vector<Event> events;
  for (const Record& record : trial.played.records) {
    const auto column = columns.at(record.lane);
    events.push_back(
        {record.sent_ns, column,
         fmt::format("{} {} {}", record.step, record.request.method, printable(record.request.target, 40))});
    events.push_back({record.done_ns, column, fmt::format("{} -> {}", record.step, outcome_of(record))});
  }
  for (const auto& move : trial.moves) {
    events.push_back({move.asked_ns - began, 0, fmt::format("flag: {}", name_of(move.to))});
    events.push_back({move.served_ns == 0 ? move.asked_ns - began + 1 : move.served_ns - began, 0,
                      move.served_ns == 0 ? "not taken" : fmt::format("serves {}", name_of(move.to))});
  }
  for (const auto& fault : trial.faults) {
    events.push_back({fault.from_ns - began, 0, fmt::format("{} {}", fault.what, fault.how)});
    if (fault.to_ns != 0) events.push_back({fault.to_ns - began, 0, fmt::format("{} mended", fault.what)});
  }
  for (const auto& copy : trial.copies) {
    events.push_back({copy.from_ns - began, 0, copy.back ? "copy back begins" : "copy begins"});
    events.push_back({copy.to_ns - began, 0, "copy ends"});
  }
  for (const auto& store : {std::pair(&trial.legacy, legacy), std::pair(&trial.new_, new_)}) {
    const auto* log = store.first;
    const std::size_t column = store.second;
    for (const auto& transaction : log->transactions) {
      const bool copied = std::any_of(trial.copies.begin(), trial.copies.end(),
                                      [&](const auto& copy) { return copy.wrote(column == new_, transaction.at_ns); });
      if (!copied) events.push_back({transaction.at_ns - began, column, in_short(transaction.rows)});
    }
  }
  std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.at_ns < b.at_ns; });
  std::vector<std::string> titles{fmt::format("flag: {}", name_of(trial.began))};
  for (const auto& [lane, column] : columns) titles.push_back(fmt::format("lane {}", lane));
  titles.insert(titles.end(), {"legacy database", "new database"});
  std::vector<std::size_t> widths;
  for (const std::string& title : titles) widths.push_back(title.size());
  for (const Event& event : events) widths[event.column] = std::max(widths[event.column], event.text.size());
  std::string out = fmt::format("{:>9}", "ms");
  for (std::size_t c = 0; c < titles.size(); ++c) out += fmt::format("  {:<{}}", titles[c], widths[c]);
  const auto end_line = [&] {
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  };
  end_line();
  for (const Event& event : events) {
    out += fmt::format("{:>9.1f}", static_cast<double>(event.at_ns) / 1e6);
    for (std::size_t c = 0; c < titles.size(); ++c)
      out += fmt::format("  {:<{}}", c == event.column ? event.text : "", widths[c]);
    end_line();
  }
  return out;
}

std::string facts(const properties::Judgement& judgement) {
  std::string out;
  for (const auto& result : judgement.results) {
    if (result.verdict != properties::Verdict::fail) continue;
    out += fmt::format("{}: {}\n", result.invariant, result.title);
    std::size_t shown = 0;
    for (const auto& finding : result.findings) {
      if (++shown > 3) break;
      out += fmt::format("    {}\n    but {}\n", printable(finding.expected, 400), printable(finding.observed, 400));
    }
    if (result.violations > 3) out += fmt::format("    and {} more\n", result.violations - 3);
  }
  return out;
}

std::string curl_script(const Trial& trial, const std::string& target) {
  std::string out =
      fmt::format("#!/bin/sh\n# {} (the flag says {})\nURL={}\n", "Begins with both databases as at the start",
                  name_of(trial.began), shell_quoted(target));
  std::set<std::int64_t> needed;
  for (const Step& step : trial.plan.steps)
    for (const auto& use : step.uses) needed.insert(use.from);
  if (properties::stages_of(trial.plan).size() > 1 || !trial.faults.empty())
    out += "# The lines that begin with # are to be done by hand.\n";
  for (const Step& step : trial.plan.steps) {
    if (!step.request.has_value()) {
      out += fmt::format("# {}\n", printable(step.cue, 200));
      continue;
    }
    auto request = *step.request.get();
    std::string path = request.target, body = request.body;
    std::string target_text = shell_quoted(path), body_text = shell_quoted(body);
    for (const auto& use : step.uses) replay::put(request, use.at, use.value, fmt::format("@@{}@@", use.from));
    const auto in_shell = [&](const std::string& text) {
      std::string quoted = shell_quoted(text);
      for (const auto& use : step.uses) {
        const std::string mark = fmt::format("@@{}@@", use.from);
        // JSON numbers stand bare, and %40 is what a path makes of @.
        for (const std::string& form : {"\"" + mark + "\"", mark, fmt::format("%40%40{}%40%40", use.from)})
          for (auto at = quoted.find(form); at != std::string::npos; at = quoted.find(form))
            quoted.replace(at, form.size(), fmt::format("'\"$V{}\"'", use.from));
      }
      return quoted;
    };
    target_text = in_shell(request.target);
    body_text = in_shell(request.body);
    std::string line = fmt::format("curl -sS -X {} \"$URL\"{}", shell_quoted(request.method), target_text);
    for (const auto& header : request.headers) {
      const std::string name = replay::lower(header.name);
      if (name == "host" || name == "content-length" || name == "connection" || name == "accept-encoding" ||
          name == "user-agent")
        continue;
      line += " -H " + in_shell(header.name + ": " + header.value);
    }
    if (!request.body.empty()) line += " --data-binary " + body_text;
    std::string filter;
    for (const Step& later : trial.plan.steps)
      for (const auto& use : later.uses)
        if (use.from == step.id && filter.empty()) filter = jq_of(use.source);
    if (needed.contains(step.id) && !filter.empty())
      out += fmt::format("A=$({}); echo \"$A\"; V{}=$(echo \"$A\" | jq -r '{}')\n", line, step.id, filter);
    else
      out += line + "; echo\n";
  }
  return out;
}

}  // namespace rehearse::reports
