#include "replay/causes.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <tuple>

namespace rehearse::replay {
namespace {

std::uint64_t digest(std::string_view kind, std::string_view text) {
  return XXH3_64bits_withSeed(text.data(), text.size(), XXH3_64bits(kind.data(), kind.size()));
}

// What an answer made is one thing, however requests call it: "/orders/41", "?order=41" and {"of": "41"} name the same one.
std::uint64_t digest_of_made(const Use& use) {
  return XXH3_64bits_withSeed(use.source.data(), use.source.size(), static_cast<std::uint64_t>(use.from));
}

bool identifies(const Value& value) {
  if (value.text.empty()) return false;
  if (value.place.starts_with("path:"))
    return identifies_in_path(value.text) && !value.name.empty() && !identifies_in_path(value.name);
  const bool field =
      value.place.starts_with("query:") || value.place.starts_with("form:") || value.place.starts_with("json:");
  return field && names_an_id(value.name) && !entity_name(value.name).empty();
}

std::string entity_of(std::string_view name, std::string_view value) {
  return entity_name(name) + " " + std::string(value);
}

void add(std::vector<std::string>& entities, std::string_view name, std::string_view value) {
  std::string entity = entity_of(name, value);
  if (std::find(entities.begin(), entities.end(), entity) == entities.end()) entities.push_back(std::move(entity));
}

}  // namespace

std::vector<std::string> entities_of(const std::vector<Value>& request) {
  std::vector<std::string> entities;
  for (const Value& value : request) {
    if (identifies(value)) add(entities, value.name, value.text);
    // A request that is sent again with its key is the same write, on whatever connection.
    if (equal_without_case(value.place, "header:Idempotency-Key")) add(entities, "idempotency-key", value.text);
  }
  return entities;
}

std::optional<std::string> entity_made_by(const Request& request, const ValueView& value) {
  if (value.place == "json:/id" || value.place == "json:/uuid") {
    const std::string_view collection = collection_of(path_of(request.target));
    return collection.empty() ? std::nullopt : std::optional(entity_of(collection, value.text));
  }
  if (value.place.starts_with("location:") && identifies_in_path(value.text) && !value.name.empty() &&
      !identifies_in_path(value.name))
    return entity_of(value.name, value.text);
  return std::nullopt;
}

void CauseFinder::Frontier::made(const Ended& step) { writes_.push_back(step); }

void CauseFinder::Frontier::ended(const Ended& step, bool writes) {
  // What had ended before it began, it waited for.
  const auto waited_for = [&](const Ended& other) { return other.end_ns <= step.begin_ns; };
  if (writes) {
    std::erase_if(writes_, waited_for);
    std::erase_if(reads_, waited_for);
    writes_.push_back(step);
    reads_looked_at_ = 0;
  } else {
    constexpr std::size_t few = 64;
    if (reads_.size() < few)
      std::erase_if(reads_, [&](const Ended& other) { return other.lane == step.lane && waited_for(other); });
    reads_.push_back(step);
    // A popular entity has reads of thousands of lanes: they are looked through only when they have become twice as many.
    if (reads_.size() >= 2 * std::max(few, reads_looked_at_)) drop_covered_reads();
  }
}

// Of the reads that one lane sent one after the other the last is enough.
void CauseFinder::Frontier::drop_covered_reads() {
  std::stable_sort(reads_.begin(), reads_.end(), [](const Ended& a, const Ended& b) {
    return std::tie(a.lane, a.end_ns) < std::tie(b.lane, b.end_ns);
  });
  std::vector<Ended> kept;
  std::int64_t last_begin_ns = 0;  // of the lane's reads that were looked at: from the last one backwards
  for (auto read = reads_.rbegin(); read != reads_.rend(); ++read) {
    const bool same_lane = !kept.empty() && kept.back().lane == read->lane;
    if (same_lane && read->end_ns <= last_begin_ns) continue;
    last_begin_ns = same_lane ? std::max(last_begin_ns, read->begin_ns) : read->begin_ns;
    kept.push_back(*read);
  }
  reads_ = std::move(kept);
  reads_looked_at_ = reads_.size();
}

void CauseFinder::Frontier::causes_of(bool writes, CauseKind kind, std::vector<Cause>& causes) const {
  for (const Ended& step : writes_) causes.push_back({step.step, kind});
  if (!writes) return;
  for (const Ended& step : reads_) causes.push_back({step.step, kind});
}

CauseFinder::CauseFinder(CauseOptions options) : options_(std::move(options)), session_finder_(options_.session_keys) {}

void CauseFinder::end(const Running& running) {
  lanes_[running.step.lane].ended(running.step, true);
  for (const std::uint64_t session : running.sessions) sessions_[session].ended(running.step, true);
  for (const std::uint64_t entity : running.entities) entities_[entity].ended(running.step, running.writes);
  for (const std::uint64_t entity : running.made) entities_[entity].made(running.step);
}

std::vector<Cause> CauseFinder::causes_of(const Step& step, const Exchange& exchange, const std::vector<Value>& values,
                                          const std::vector<std::string>& made) {
  while (!running_.empty() && running_.top().step.end_ns <= exchange.request_ns) {
    end(running_.top());
    running_.pop();
  }
  Running running;
  running.step = {step.id, step.lane, exchange.request_ns, exchange.response_end_ns};
  running.writes = !step.read;
  std::vector<Cause> causes;
  if (options_.entity) {
    for (const std::string& entity : entities_of(values)) running.entities.push_back(digest("", entity));
    for (const Use& use : step.uses) running.entities.push_back(digest_of_made(use));
    for (const std::uint64_t entity : running.entities) {
      if (const auto known = entities_.find(entity); known != entities_.end())
        known->second.causes_of(running.writes, CauseKind::entity, causes);
    }
    for (const std::string& entity : made) {
      running.made.push_back(digest("", entity));
      if (std::find(running.entities.begin(), running.entities.end(), running.made.back()) != running.entities.end())
        running.made.pop_back();
    }
  }
  if (options_.session) {
    running.sessions = session_finder_.sessions_of(exchange, values);
    for (const std::uint64_t session : running.sessions) {
      if (const auto known = sessions_.find(session); known != sessions_.end())
        known->second.causes_of(true, CauseKind::session, causes);
    }
  }
  if (const auto known = lanes_.find(step.lane); known != lanes_.end())
    known->second.causes_of(true, CauseKind::connection, causes);
  running_.push(std::move(running));
  return causes;
}

}  // namespace rehearse::replay
