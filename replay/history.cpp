#include "replay/history.h"

#include <algorithm>
#include <array>

#include "replay/base64.h"

namespace rehearse::replay {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (char c : text) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

// Credentials do not belong in a report, and the rest curl sets by itself.
constexpr std::array<std::string_view, 9> left_out{"Authorization", "Cookie", "Proxy-Authorization",
                                                   "X-Api-Key",     "Host",   "Connection",
                                                   "User-Agent",    "Accept", "Content-Length"};

// A longer body makes the line useless; the history has it whole.
constexpr std::size_t max_body_in_line = 2000;

}  // namespace

std::string_view name_of(Outcome outcome) {
  static constexpr std::array<std::string_view, 3> names{"answered", "refused", "lost"};
  return names[static_cast<std::size_t>(outcome)];
}

const Record* record_of(const History& history, StepId step) {
  const auto found = std::lower_bound(history.records.begin(), history.records.end(), step,
                                      [](const Record& record, StepId id) { return record.step < id; });
  return found != history.records.end() && found->step == step ? &*found : nullptr;
}

std::string curl_line(const Record& record, std::string_view target) {
  std::string line = "curl -i";
  if (record.request.method == "HEAD") {
    line += " --head";
  } else if (record.request.method != "GET") {
    line += " -X " + record.request.method;
  }
  for (const Header& header : record.request.headers) {
    const bool skip = hop_by_hop(header.name) ||
                      std::any_of(left_out.begin(), left_out.end(),
                                  [&](std::string_view name) { return equal_without_case(name, header.name); });
    if (!skip) line += " -H " + quoted(header.name + ": " + header.value);
  }
  if (record.request.body.size() > max_body_in_line) {
    line += " --data-binary @body";
  } else if (!record.request.body.empty()) {
    line += valid_utf8(record.request.body) ? " --data-binary " + quoted(record.request.body)
                                            : std::string(" --data-binary @body");
  }
  return line + " " + quoted(std::string(target) + record.request.target);
}

}  // namespace rehearse::replay
