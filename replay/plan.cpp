#include "replay/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cctype>
#include <cmath>
#include <initializer_list>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "replay/base64.h"
#include "replay/error.h"
#include "replay/values.h"

namespace rehearse::replay {
namespace {

namespace json = boost::json;

// In the order of CauseKind.
constexpr std::array<std::string_view, 6> cause_names{"by hand", "value", "entity", "session", "connection", "write"};

json::array json_of(const Headers& headers) {
  json::array all;
  for (const Header& header : headers) {
    json::value value = json::string(header.value);
    if (!valid_utf8(header.value)) value = json::object{{"base64", base64(header.value)}};
    all.push_back(json::array{header.name, std::move(value)});
  }
  return all;
}

json::object json_of(const Request& request) {
  json::object object{{"method", request.method}, {"headers", json_of(request.headers)}};
  if (!request.trailers.empty()) object["trailers"] = json_of(request.trailers);
  put_bytes(object, "target", request.target);
  put_bytes(object, "body", request.body);
  return object;
}

json::object json_of(const Step& step) {
  json::object object{{"id", step.id}};
  if (step.request) {
    object["lane"] = step.lane;
    object["due_ms"] = static_cast<double>(step.due_ns) / 1e6;
    object["request"] = json_of(*step.request.get());
  } else {
    object["cue"] = step.cue;
    if (step.due_ns != 0) object["due_ms"] = static_cast<double>(step.due_ns) / 1e6;
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
  if (step.captured_status != 0) object["captured_status"] = step.captured_status;
  if (step.read) object["read"] = true;
  if (step.overlaps) object["overlaps"] = true;
  if (step.http2) object["http2"] = true;
  if (step.retry_of != 0) object["retry_of"] = step.retry_of;
  if (step.keep_credentials) object["keep_credentials"] = true;
  if (!step.masked.empty()) {
    json::array masked;
    for (const Place& place : step.masked) masked.push_back(json::string(place));
    object["masked"] = std::move(masked);
  }
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

Headers headers_in(const json::object& object, std::string_view key) {
  Headers headers;
  const auto* all = object.if_contains(key);
  if (all == nullptr) return headers;
  for (const json::value& header : all->as_array()) {
    const auto& pair = header.as_array();
    const auto* coded = pair.at(1).if_object();
    const std::string value =
        coded ? whole_base64("base64", text_or(*coded, "base64")) : std::string(pair.at(1).as_string());
    headers.push_back({std::string(pair.at(0).as_string()), value});
  }
  return headers;
}

// What is written by hand is misspelt by hand.
void expect_members(const json::object& object, std::initializer_list<std::string_view> known) {
  for (const auto& member : object) {
    const std::string_view name = member.key();
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw Error(fmt::format("{:?} is no member here; there are {}", name, fmt::join(known, ", ")));
  }
}

Request request_of(const json::object& object) {
  expect_members(object, {"method", "target", "target_base64", "headers", "body", "body_base64", "trailers"});
  return {text_or(object, "method", "GET"), take_bytes(object, "target"), headers_in(object, "headers"),
          take_bytes(object, "body"), headers_in(object, "trailers")};
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
  expect_members(object, {"id", "lane", "due_ms", "after", "request", "cue", "uses", "exchange", "captured_status",
                          "read", "overlaps", "http2", "retry_of", "keep_credentials", "masked"});
  Step step;
  step.id = object.at("id").to_number<std::int64_t>();
  step.lane = integer_or(object, "lane", 1);
  step.cue = text_or(object, "cue");
  step.exchange = integer_or(object, "exchange", 0);
  step.captured_status = static_cast<int>(integer_or(object, "captured_status", 0));
  step.retry_of = integer_or(object, "retry_of", 0);
  if (const auto* overlaps = object.if_contains("overlaps")) step.overlaps = overlaps->as_bool();
  if (const auto* http2 = object.if_contains("http2")) step.http2 = http2->as_bool();
  if (const auto* due = object.if_contains("due_ms")) {
    const auto milliseconds = due->to_number<double>();
    if (!(milliseconds >= 0 && milliseconds < 1e11))
      throw Error(
          fmt::format("step {} of the plan is due at {} ms; give a number from 0 to 10^11", step.id, milliseconds));
    step.due_ns = std::llround(milliseconds * 1e6);
  }
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
  const auto* keep = object.if_contains("keep_credentials");
  step.keep_credentials = keep != nullptr && keep->as_bool();
  if (const auto* masked = object.if_contains("masked")) {
    for (const json::value& place : masked->as_array()) step.masked.emplace_back(place.as_string());
  }
  const auto* read = object.if_contains("read");
  step.read = read ? read->as_bool() : step.request && safe(step.request.get()->method);
  return step;
}

// What would go out as more or other than one request.
void check_sendable(const Step& step) {
  if (step.lane < 0)
    throw Error(fmt::format("step {} of the plan is in lane {}: lanes count from 0", step.id, step.lane));
  if (!step.request) return;
  for (const Use& use : step.uses) {
    if (!is_request_place(use.at) || !is_answer_place(use.source))
      throw Error(
          fmt::format("step {} of the plan uses a value from {:?} at {:?}, which is no such place; see replay/plan.h",
                      step.id, use.source, use.at));
  }
  if (step.request.get()->target.empty()) throw Error(fmt::format("step {} of the plan has no \"target\"", step.id));
  if (const auto reason = unsendable(*step.request.get()); !reason.empty())
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

void write_json(const Plan& plan, const std::function<void(std::string_view)>& write) {
  json::object left_out;
  for (const auto& [reason, count] : plan.left_out) left_out[reason] = count;
  write(
      fmt::format(R"({{"schema_version":{},"left_out":{},"steps":[)", plan_schema_version, json::serialize(left_out)));
  bool first = true;
  for (const Step& step : plan.steps) {
    if (!std::exchange(first, false)) write(",");
    write(json::serialize(json_of(step)));
  }
  write("]}");
}

std::string to_json(const Plan& plan) {
  std::string text;
  write_json(plan, [&](std::string_view part) { text += part; });
  return text;
}

Plan plan_from_json(const std::string& text) {
  Plan plan;
  boost::system::error_code error;
  const json::value document = json::parse(text, error);
  if (error)
    throw Error("this is no plan: it is no JSON, or a part of it is missing; compare with replay/plan.schema.json");
  bool in_steps = false;
  try {
    const auto& root = document.as_object();
    const auto version = root.at("schema_version").to_number<int>();
    if (version != plan_schema_version) {
      throw Error(fmt::format("the plan has schema_version {}; this rehearse reads {}", version, plan_schema_version));
    }
    if (const auto* left_out = root.if_contains("left_out")) {
      for (const auto& [reason, count] : left_out->as_object())
        plan.left_out[std::string(reason)] = count.to_number<std::int64_t>();
    }
    const auto& steps = root.at("steps").as_array();
    in_steps = true;
    for (const json::value& step : steps) plan.steps.push_back(step_of(step.as_object()));
  } catch (const Error& problem) {
    if (!in_steps) throw;
    throw Error(fmt::format("entry {} of the plan's steps: {}", plan.steps.size() + 1, problem.what()));
  } catch (const std::exception&) {
    throw Error(fmt::format(
        "this is no plan: {} lacks a member or holds one of another type; compare with replay/plan.schema.json",
        in_steps ? fmt::format("entry {} of its steps", plan.steps.size() + 1) : "its outermost object"));
  }
  check_order(plan);
  for (const Step& step : plan.steps) check_sendable(step);
  return plan;
}

std::vector<Cause> reduced(std::vector<Cause> causes, const std::function<const std::vector<Cause>&(StepId)>& after) {
  constexpr std::size_t looks = 256;
  std::sort(causes.begin(), causes.end(),
            [](const Cause& a, const Cause& b) { return std::tuple(-a.step, a.kind) < std::tuple(-b.step, b.kind); });
  causes.erase(
      std::unique(causes.begin(), causes.end(), [](const Cause& a, const Cause& b) { return a.step == b.step; }),
      causes.end());
  if (causes.size() < 2) return causes;
  // Looks backwards from the latest of them for the others. A step that is reached over several ways comes several times, one
  // behind the other.
  std::vector<StepId> todo;  // a heap, as any descending sequence is
  for (const Cause& cause : causes) todo.push_back(cause.step);
  std::vector<bool> follows(causes.size());
  const StepId first = causes.back().step;
  std::size_t left = causes.size() - 1;  // the latest follows from nothing
  StepId last = 0;
  for (std::size_t looked = 0; left > 0 && todo.front() > first && looked < std::max(looks, 2 * causes.size());) {
    std::pop_heap(todo.begin(), todo.end());
    const StepId step = todo.back();
    todo.pop_back();
    if (std::exchange(last, step) == step) continue;
    ++looked;
    for (const Cause& cause : after(step)) {
      if (cause.step < first) continue;
      const auto found = std::lower_bound(causes.begin(), causes.end(), cause.step,
                                          [](const Cause& a, StepId b) { return a.step > b; });
      if (found != causes.end() && found->step == cause.step) {
        const auto i = static_cast<std::size_t>(found - causes.begin());
        left -= !follows[i];
        follows[i] = true;
      }
      todo.push_back(cause.step);
      std::push_heap(todo.begin(), todo.end());
    }
  }
  std::vector<Cause> kept;
  for (std::size_t i = 0; i < causes.size(); ++i) {
    if (!follows[i]) kept.push_back(causes[i]);
  }
  return kept;
}

Plan filtered(Plan plan, const std::function<bool(const Step&)>& keep) {
  Plan part;
  part.left_out = std::move(plan.left_out);
  part.uses_dropped = plan.uses_dropped;
  std::unordered_map<StepId, std::size_t> kept;               // positions
  std::unordered_map<StepId, std::vector<Cause>> instead_of;  // what stands for a step that is left out
  const auto causes_of = [&](StepId id) -> const std::vector<Cause>& {
    const auto found = kept.find(id);
    return found != kept.end() ? part.steps[found->second].after : instead_of.at(id);
  };
  for (Step& step : plan.steps) {
    std::vector<Cause> after;
    for (const Cause& cause : step.after) {
      if (kept.contains(cause.step))
        after.push_back(cause);
      else if (const auto found = instead_of.find(cause.step); found != instead_of.end())
        after.insert(after.end(), found->second.begin(), found->second.end());
    }
    after = reduced(std::move(after), causes_of);
    if (!keep(step)) {
      instead_of.emplace(step.id, std::move(after));
      continue;
    }
    step.after = std::move(after);
    part.uses_dropped +=
        static_cast<std::int64_t>(std::erase_if(step.uses, [&](const Use& use) { return !kept.contains(use.from); }));
    kept.emplace(step.id, part.steps.size());
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
