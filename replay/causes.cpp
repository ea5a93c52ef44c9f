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

// "orders", "Order", "order_id", "orderId" and "order-ids" are all names of an order.
std::string entity_name(std::string_view name) {
  std::string small = lower(name);
  if (small.ends_with('s') && !small.ends_with("ss")) small.pop_back();
  for (const std::string_view suffix : {"_id", "-id", "_uuid", "-uuid", "id", "uuid"}) {
    if (small.size() > suffix.size() && small.ends_with(suffix) && names_an_id(name)) {
      small.resize(small.size() - suffix.size());
      break;
    }
  }
  if (small.ends_with('s') && !small.ends_with("ss")) small.pop_back();
  return small;
}

bool has_digit(std::string_view text) { return text.find_first_of("0123456789") != std::string_view::npos; }

// What may stand for one entity in a path: "41", "a1b2-..."; a word is the name of a collection or of an action.
bool identifies(const Value& value) {
  if (value.text.empty()) return false;
  if (value.place.starts_with("path:")) return has_digit(value.text) && !value.name.empty() && !has_digit(value.name);
  const bool field =
      value.place.starts_with("query:") || value.place.starts_with("form:") || value.place.starts_with("json:");
  return field && names_an_id(value.name) && entity_name(value.name) != "id" && entity_name(value.name) != "uuid";
}

// The collection that a path ends in: of "/shops/7/orders" the orders.
std::string_view collection_of(std::string_view path) {
  while (!path.empty()) {
    const auto slash = path.rfind('/');
    const auto segment = path.substr(slash == std::string_view::npos ? 0 : slash + 1);
    if (!segment.empty() && !has_digit(segment)) return segment;
    path = path.substr(0, slash == std::string_view::npos ? 0 : slash);
  }
  return {};
}

void add(std::vector<std::string>& entities, std::string_view name, std::string_view value) {
  std::string entity = entity_name(name) + " " + std::string(value);
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

std::vector<std::string> entities_made_by(const Request& request, const Response& response) {
  std::vector<std::string> entities;
  if (response.status < 200 || response.status >= 400) return entities;
  const std::string_view collection = collection_of(path_of(request.target));
  for (const Value& value : values_in(response)) {
    const bool own = value.place == "json:/id" || value.place == "json:/uuid";
    if (own && !collection.empty()) add(entities, collection, value.text);
    if (value.place.starts_with("location:") && has_digit(value.text) && !value.name.empty() && !has_digit(value.name))
      add(entities, value.name, value.text);
  }
  return entities;
}

void CauseFinder::Frontier::ended(const Ended& step, bool writes) {
  // What had ended before it began, it waited for.
  const auto waited_for = [&](const Ended& other) { return other.end_ns <= step.begin_ns; };
  if (writes) {
    std::erase_if(writes_, waited_for);
    std::erase_if(reads_, waited_for);
    writes_.push_back(step);
  } else {
    std::erase_if(reads_, [&](const Ended& other) { return other.lane == step.lane && waited_for(other); });
    reads_.push_back(step);
  }
}

void CauseFinder::Frontier::causes_of(bool writes, CauseKind kind, std::vector<Cause>& causes) const {
  for (const Ended& step : writes_) causes.push_back({step.step, kind});
  if (!writes) return;
  for (const Ended& step : reads_) causes.push_back({step.step, kind});
}

CauseFinder::CauseFinder(CauseOptions options) : options_(std::move(options)) {}

std::vector<std::uint64_t> CauseFinder::sessions_of(const std::vector<Value>& values) const {
  std::vector<std::uint64_t> sessions;
  for (const Value& value : values) {
    // A cookie that is short or a mere word is a setting which many clients share.
    const bool cookie = value.place.starts_with("cookie:") && value.text.size() >= 8 && has_digit(value.text);
    const bool credential = value.place.starts_with("credential:") && !value.text.empty();
    const bool configured = value.place.starts_with("header:") &&
                            std::any_of(options_.session_keys.begin(), options_.session_keys.end(),
                                        [&](const std::string& key) { return equal_without_case(key, value.name); });
    if (cookie || credential || configured) sessions.push_back(digest(value.place, value.text));
  }
  return sessions;
}

void CauseFinder::end(const Running& running) {
  lanes_[running.step.lane].ended(running.step, true);
  for (const std::uint64_t session : running.sessions) sessions_[session].ended(running.step, true);
  for (const std::uint64_t entity : running.entities) entities_[entity].ended(running.step, running.writes);
}

std::vector<Cause> CauseFinder::causes_of(const Step& step, const Exchange& exchange,
                                          const std::vector<Value>& values) {
  while (!running_.empty() && running_.top().step.end_ns <= exchange.request_ns) {
    end(running_.top());
    running_.pop();
  }
  Running running;
  running.step = {step.id, step.lane, exchange.request_ns, exchange.response_end_ns};
  running.writes = !step.read;
  std::vector<Cause> causes;
  if (options_.entity) {
    for (const std::string& entity : entities_of(values)) {
      running.entities.push_back(digest("", entity));
      if (const auto known = entities_.find(running.entities.back()); known != entities_.end())
        known->second.causes_of(running.writes, CauseKind::entity, causes);
    }
    if (running.writes && exchange.response) {
      for (const std::string& entity : entities_made_by(*step.request, *exchange.response))
        running.entities.push_back(digest("", entity));
      std::sort(running.entities.begin(), running.entities.end());
      running.entities.erase(std::unique(running.entities.begin(), running.entities.end()), running.entities.end());
    }
  }
  if (options_.session) {
    running.sessions = sessions_of(values);
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
