#include "replay/causes.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>

namespace rehearse::replay {
namespace {

std::uint64_t digest(std::string_view kind, std::string_view text) {
  return XXH3_64bits_withSeed(text.data(), text.size(), XXH3_64bits(kind.data(), kind.size()));
}

constexpr std::array<std::string_view, 7> session_words{"sess", "sid", "token", "auth", "user", "login", "jwt"};

bool has_digit(std::string_view text) { return text.find_first_of("0123456789") != std::string_view::npos; }

bool identifies(const Value& value) {
  if (value.text.empty()) return false;
  if (value.place.starts_with("path:"))
    return identifies_in_path(value.text) && !value.name.empty() && !identifies_in_path(value.name);
  const bool field =
      value.place.starts_with("query:") || value.place.starts_with("form:") || value.place.starts_with("json:");
  return field && names_an_id(value.name) && !entity_name(value.name).empty();
}

// A cookie that says who somebody is, and not how they like their page.
bool names_a_session(std::string_view name) {
  const std::string small = lower(name);
  return std::any_of(session_words.begin(), session_words.end(),
                     [&](std::string_view word) { return small.find(word) != std::string::npos; });
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
    if (value.place.starts_with("location:") && identifies_in_path(value.text) && !value.name.empty() &&
        !identifies_in_path(value.name))
      add(entities, value.name, value.text);
  }
  return entities;
}

void CauseFinder::Frontier::made(const Ended& step) { writes_.push_back(step); }

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
    const bool of_cookie = value.place.starts_with("cookie:");
    const bool cookie = of_cookie && value.text.size() >= 8 && has_digit(value.text) && names_a_session(value.name);
    const bool credential = value.place.starts_with("credential:") && !value.text.empty();
    const bool configured = (of_cookie || value.place.starts_with("header:")) &&
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
  for (const std::uint64_t entity : running.made) entities_[entity].made(running.step);
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
        running.made.push_back(digest("", entity));
      std::erase_if(running.made, [&](std::uint64_t entity) {
        return std::find(running.entities.begin(), running.entities.end(), entity) != running.entities.end();
      });
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
