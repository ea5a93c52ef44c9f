#include "replay/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cctype>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "replay/base64.h"
#include "replay/error.h"

namespace rehearse::replay {
namespace {

namespace json = boost::json;

// In the order of CauseKind.
constexpr std::array<std::string_view, 6> cause_names{"by hand", "value", "entity", "session", "connection", "write"};

json::object json_of(const Request& request) {
  json::array headers;
  for (const Header& header : request.headers) {
    json::value value = json::string(header.value);
    if (!valid_utf8(header.value)) value = json::object{{"base64", base64(header.value)}};
    headers.push_back(json::array{header.name, std::move(value)});
  }
  json::object object{{"method", request.method}, {"headers", std::move(headers)}};
  put_bytes(object, "target", request.target);
  put_bytes(object, "body", request.body);
  return object;
}

json::object json_of(const Step& step) {
  json::object object{{"id", step.id}};
  if (step.request) {
    object["lane"] = step.lane;
    object["due_ms"] = static_cast<double>(step.due_ns) / 1e6;
    object["request"] = json_of(*step.request);
  } else {
    object["cue"] = step.cue;
  }
  if (!step.after.empty()) {
    json::array after;
    for (const Cause& cause : step.after) {
      if (cause.kind == CauseKind::hand)
        after.emplace_back(cause.step);
      else
        after.push_back(json::object{{"step", cause.step}, {"cause", name_of(cause.kind)}});
    }
    object["after"] = std::move(after);
  }
  if (!step.uses.empty()) {
    json::array uses;
    for (const Use& use : step.uses) {
      json::object used{{"from", use.from}};
      put_bytes(used, "at", use.at);
      put_bytes(used, "value", use.value);
      put_bytes(used, "source", use.source);
      uses.push_back(std::move(used));
    }
    object["uses"] = std::move(uses);
  }
  if (step.exchange != 0) object["exchange"] = step.exchange;
  if (step.read) object["read"] = true;
  if (step.retry_of != 0) object["retry_of"] = step.retry_of;
  return object;
}

std::string text_or(const json::object& object, std::string_view key, std::string fallback = {}) {
  const auto* value = object.if_contains(key);
  return value ? std::string(value->as_string()) : std::move(fallback);
}

std::int64_t integer_or(const json::object& object, std::string_view key, std::int64_t fallback) {
  const auto* value = object.if_contains(key);
  return value ? value->to_number<std::int64_t>() : fallback;
}

Request request_of(const json::object& object) {
  Request request{text_or(object, "method", "GET"), take_bytes(object, "target"), {}, take_bytes(object, "body")};
  if (const auto* headers = object.if_contains("headers")) {
    for (const json::value& header : headers->as_array()) {
      const auto& pair = header.as_array();
      const auto* coded = pair.at(1).if_object();
      const std::string value =
          coded ? from_base64(std::string_view(coded->at("base64").as_string())) : std::string(pair.at(1).as_string());
      request.headers.push_back({std::string(pair.at(0).as_string()), value});
    }
  }
  return request;
}

Cause cause_of(const json::value& value) {
  const auto* object = value.if_object();
  if (!object) return {value.to_number<std::int64_t>()};
  const std::string name = text_or(*object, "cause");
  for (std::size_t i = 0; i < cause_names.size(); ++i) {
    if (cause_names[i] == name) return {object->at("step").to_number<std::int64_t>(), static_cast<CauseKind>(i)};
  }
  throw Error(fmt::format("the plan holds the cause {:?}; the causes are {}", name, fmt::join(cause_names, ", ")));
}

Step step_of(const json::object& object) {
  Step step;
  step.id = object.at("id").to_number<std::int64_t>();
  step.lane = integer_or(object, "lane", 1);
  step.cue = text_or(object, "cue");
  step.exchange = integer_or(object, "exchange", 0);
  step.retry_of = integer_or(object, "retry_of", 0);
  if (const auto* due = object.if_contains("due_ms")) step.due_ns = std::llround(due->to_number<double>() * 1e6);
  if (const auto* after = object.if_contains("after")) {
    for (const json::value& cause : after->as_array()) step.after.push_back(cause_of(cause));
  }
  if (const auto* uses = object.if_contains("uses")) {
    for (const json::value& value : uses->as_array()) {
      const auto& use = value.as_object();
      step.uses.push_back({take_bytes(use, "at"), take_bytes(use, "value"), use.at("from").to_number<std::int64_t>(),
                           take_bytes(use, "source")});
    }
  }
  if (const auto* request = object.if_contains("request")) step.request = request_of(request->as_object());
  if (step.request.has_value() == !step.cue.empty()) {
    throw Error(fmt::format("step {} of the plan needs either a \"request\" or a \"cue\"", step.id));
  }
  const auto* read = object.if_contains("read");
  step.read = read ? read->as_bool() : step.request && safe(step.request->method);
  return step;
}

// What would go out as more or other than one request.
void check_sendable(const Step& step) {
  if (step.lane < 0)
    throw Error(fmt::format("step {} of the plan is in lane {}: lanes count from 0", step.id, step.lane));
  if (!step.request) return;
  if (step.request->target.empty()) throw Error(fmt::format("step {} of the plan has no \"target\"", step.id));
  if (const auto reason = unsendable(*step.request); !reason.empty())
    throw Error(fmt::format("step {} of the plan holds {}: it would not be sent as one request", step.id, reason));
}

void check_order(const Plan& plan) {
  std::unordered_map<StepId, bool> seen;
  StepId last = 0;
  for (const Step& step : plan.steps) {
    if (step.id < 1 || (step.request && step.id <= last))
      throw Error(fmt::format("step {} of the plan stands behind step {}: ids must ascend from 1", step.id, last));
    if (seen.contains(step.id))
      throw Error(fmt::format("step {} stands twice in the plan: give one of them another id", step.id));
    for (const Cause& cause : step.after) {
      if (!seen.contains(cause.step))
        throw Error(
            fmt::format("step {} of the plan is after step {}, which does not come before it", step.id, cause.step));
    }
    for (const Use& use : step.uses) {
      if (!seen.contains(use.from))
        throw Error(fmt::format("step {} of the plan uses a value of step {}, which does not come before it", step.id,
                                use.from));
    }
    seen[step.id] = true;
    if (step.request) last = step.id;  // a cue may be put into a plan whose numbers are given
  }
}

}  // namespace

std::string_view name_of(CauseKind kind) { return cause_names[static_cast<std::size_t>(kind)]; }

std::string to_json(const Plan& plan) {
  json::array steps;
  for (const Step& step : plan.steps) steps.push_back(json_of(step));
  json::object left_out;
  for (const auto& [reason, count] : plan.left_out) left_out[reason] = count;
  return json::serialize(json::object{
      {"schema_version", plan_schema_version}, {"left_out", std::move(left_out)}, {"steps", std::move(steps)}});
}

Plan plan_from_json(const std::string& text) {
  Plan plan;
  try {
    const json::value document = json::parse(text);
    const auto& root = document.as_object();
    const auto version = root.at("schema_version").to_number<int>();
    if (version != plan_schema_version) {
      throw Error(fmt::format("the plan has schema_version {}; this rehearse reads {}", version, plan_schema_version));
    }
    if (const auto* left_out = root.if_contains("left_out")) {
      for (const auto& [reason, count] : left_out->as_object())
        plan.left_out[std::string(reason)] = count.to_number<std::int64_t>();
    }
    for (const json::value& step : root.at("steps").as_array()) plan.steps.push_back(step_of(step.as_object()));
  } catch (const Error&) {
    throw;
  } catch (const std::exception& problem) {
    throw Error(fmt::format("this is no plan: {} (after {} steps); compare with the format in ARCHITECTURE.md",
                            problem.what(), plan.steps.size()));
  }
  check_order(plan);
  for (const Step& step : plan.steps) check_sendable(step);
  return plan;
}

Plan filtered(const Plan& plan, const std::function<bool(const Step&)>& keep) {
  Plan part;
  part.left_out = plan.left_out;
  std::unordered_set<StepId> kept;
  std::unordered_map<StepId, std::vector<Cause>> left_out;  // what a step that is not kept waited for
  for (Step step : plan.steps) {
    std::vector<Cause> after;
    const auto add = [&](const Cause& cause) {
      const auto same =
          std::find_if(after.begin(), after.end(), [&](const Cause& each) { return each.step == cause.step; });
      if (same == after.end())
        after.push_back(cause);
      else
        same->kind = std::min(same->kind, cause.kind);
    };
    for (const Cause& cause : step.after) {
      if (kept.contains(cause.step)) add(cause);
      if (const auto found = left_out.find(cause.step); found != left_out.end()) {
        for (const Cause& inherited : found->second) add(inherited);
      }
    }
    if (!keep(step)) {
      left_out.emplace(step.id, std::move(after));
      continue;
    }
    kept.insert(step.id);
    step.after = std::move(after);
    std::erase_if(step.uses, [&](const Use& use) { return !kept.contains(use.from); });
    part.steps.push_back(std::move(step));
  }
  return part;
}

Plan slice(const Plan& plan, std::size_t begin, std::size_t end) {
  Plan part;
  std::unordered_map<StepId, bool> inside;
  for (std::size_t i = begin; i < std::min(end, plan.steps.size()); ++i) {
    Step step = plan.steps[i];
    std::erase_if(step.after, [&](const Cause& cause) { return !inside.contains(cause.step); });
    inside[step.id] = true;
    part.steps.push_back(std::move(step));
  }
  return part;
}

std::string route_of(const std::string& method, std::string_view target) {
  std::string route = method + " ";
  const auto path = path_of(target);
  for (std::size_t at = 0; at < path.size();) {
    const auto end = std::min(path.find('/', at + 1), path.size());
    const auto segment = path.substr(at, end - at);  // with its leading slash
    const bool value =
        segment.size() > 25 || std::any_of(segment.begin(), segment.end(), [](char c) { return c >= '0' && c <= '9'; });
    route += value ? std::string("/{}") : std::string(segment);
    at = end;
  }
  return route;
}

}  // namespace rehearse::replay
