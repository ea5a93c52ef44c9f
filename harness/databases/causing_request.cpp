#include "harness/databases/causing_request.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/databases/commit_log.h"
#include "properties/checks/facts.h"

namespace rehearse::harness {
namespace {

using replay::History;
using replay::Record;

std::string named(const History& history, const Record& record) {
  return fmt::format("{} {} (step {} of {})", record.request.method, record.request.target, record.step, history.name);
}

bool names(const Record& record, const std::string& key) {
  History one;
  one.records.push_back(record);
  return properties::writer_of(&one, key) != nullptr;
}

}  // namespace

std::string causing_request(const std::vector<History>& histories, const std::string& committed_at,
                            const std::string& key) {
  if (committed_at.empty()) {
    for (auto history = histories.rbegin(); history != histories.rend(); ++history) {
      if (const Record* record = properties::writer_of(&*history, key))
        return named(*history, *record) + ", the last acknowledged write that names the row";
    }
    return {};
  }
  const std::int64_t committed_ns = wall_ns(committed_at);
  bool amid = false;
  std::vector<std::pair<const History*, const Record*>> under_way;
  for (const History& history : histories) {
    const std::int64_t at = committed_ns - history.began_ns;
    std::int64_t end = 0;
    for (const Record& record : history.records) {
      end = std::max(end, record.done_ns);
      if (!record.read && record.sent_ns <= at && at <= record.done_ns) under_way.emplace_back(&history, &record);
    }
    amid = amid || (0 <= at && at <= end);
  }
  if (under_way.size() == 1)
    return named(*under_way[0].first, *under_way[0].second) + ", the only write under way when it was committed";
  if (under_way.empty()) return amid ? "none: no write of the history was under way when it was committed" : "";
  const std::size_t all = under_way.size();
  std::erase_if(under_way, [&](const auto& one) { return !names(*one.second, key); });
  if (under_way.size() == 1)
    return fmt::format("{}, of {} writes under way when it was committed the one that names the row",
                       named(*under_way[0].first, *under_way[0].second), all);
  return fmt::format("one of {} writes that were under way when it was committed", all);
}

}  // namespace rehearse::harness
