#include "replay/planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "replay/bindings.h"
#include "replay/error.h"

namespace rehearse::replay {
namespace {

// Hands out causes so that the order described in the header holds with few edges: a read needs only the last write, a write
// needs only the reads since the last write.
class WriteOrder {
 public:
  void order(const Step& step, std::vector<Cause>& causes) {
    if (step.read) {
      if (last_write_ != 0) causes.push_back({last_write_, CauseKind::write});
      reads_since_.push_back(step.id);
      return;
    }
    if (reads_since_.empty() && last_write_ != 0) causes.push_back({last_write_, CauseKind::write});
    for (StepId read : reads_since_) causes.push_back({read, CauseKind::write});
    reads_since_.clear();
    last_write_ = step.id;
  }

 private:
  StepId last_write_ = 0;
  std::vector<StepId> reads_since_;
};

// Requests that a client sent again with the same key: it is for the server to apply them once
// (draft-ietf-httpapi-idempotency-key-header).
class Retries {
 public:
  // The first step with that key, method and target; 0 when this one is.
  StepId first_of(StepId step, const Request& request) {
    const auto key = field(request.headers, "Idempotency-Key");
    if (!key) return 0;
    const auto [first, fresh] =
        first_.try_emplace(request.method + " " + request.target + " " + std::string(*key), step);
    return fresh ? 0 : first->second;
  }

 private:
  std::unordered_map<std::string, StepId> first_;
};

// Of each pair of steps the strongest reason.
void count(std::vector<Cause>& causes, std::map<std::string, std::int64_t>& counts) {
  std::sort(causes.begin(), causes.end(),
            [](const Cause& a, const Cause& b) { return std::tuple(a.step, a.kind) < std::tuple(b.step, b.kind); });
  StepId last = 0;
  for (const Cause& cause : causes) {
    if (std::exchange(last, cause.step) != cause.step) ++counts[std::string(name_of(cause.kind))];
  }
}

// Requests that were refused for their credentials, and what of these is followed all the same: see the header.
class Refusals {
 public:
  void look_at(Step& step, int status) {
    step.keep_credentials = status == 401 || status == 403;
    if (status == 401) {
      std::erase_if(step.uses, [](const Use& use) { return is_credential_place(use.at); });
      return;
    }
    for (const Use& use : step.uses) {
      if (!is_credential_place(use.at)) continue;
      if (status == 403)
        doubtful_.emplace_back(step.id, use);
      else
        accepted_[{use.from, use.source}] = step.id;
    }
  }

  void finish(Plan& plan) const {
    for (const auto& [step, use] : doubtful_) {
      const auto accepted = accepted_.find({use.from, use.source});
      if (accepted == accepted_.end() || accepted->second < step)
        std::erase(plan.steps[static_cast<std::size_t>(step) - 1].uses, use);
    }
  }

 private:
  std::vector<std::pair<StepId, Use>> doubtful_;
  std::map<std::pair<StepId, Place>, StepId> accepted_;  // the last step that used what that answer gave
};

// What an answer made, which requests can use when it has ended.
struct Answer {
  std::int64_t end_ns;
  StepId step;
  std::vector<MadeValue> made;
  std::vector<std::uint64_t> given;  // masked values that its request gave to the server
  About about;
  friend bool operator>(const Answer& a, const Answer& b) {
    return std::tie(a.end_ns, a.step) > std::tie(b.end_ns, b.step);
  }
};

// The causes of the last steps once more, side by side: a search for what follows from what looks at them again and again.
class RecentCauses {
 public:
  void add(const Step& step) { causes_[slot(step.id)] = step.after; }
  [[nodiscard]] const std::vector<Cause>& of(StepId id, const Plan& plan) const {
    const bool recent = id + size > static_cast<StepId>(plan.steps.size());
    return recent ? causes_[slot(id)] : plan.steps[static_cast<std::size_t>(id) - 1].after;
  }

 private:
  static constexpr StepId size = 1024;
  static std::size_t slot(StepId id) { return static_cast<std::size_t>(id % size); }
  std::vector<std::vector<Cause>> causes_ = std::vector<std::vector<Cause>>(size);
};

std::size_t size_of(const Request& request) {
  std::size_t size = sizeof request + request.method.size() + request.target.size() + request.body.size();
  for (const Headers* headers : {&request.headers, &request.trailers}) {
    for (const Header& header : *headers) size += sizeof header + header.name.size() + header.value.size();
  }
  return size;
}

// Why an exchange is no step; empty when it is one.
std::string reason_to_leave_out(const Exchange& exchange) {
  if (!exchange.complete())
    return "not replayable: " + (exchange.flags.empty() ? std::string("no response") : exchange.flags.front());
  if (const auto reason = unsendable(exchange.request); !reason.empty())
    return fmt::format("not replayable: the request holds {}", reason);
  if (exchange.request.method == "CONNECT" || exchange.response->status == 101)
    return "not replayable: the connection left HTTP (CONNECT or upgrade)";
  return {};
}

}  // namespace

struct Planner::State {
  explicit State(PlannerOptions with) : options(std::move(with)), causes(options.causes), masks(options.masks) {}

  PlannerOptions options;
  Plan plan;
  BindingFinder bindings;
  CauseFinder causes;
  Masks masks;
  Refusals refusals;
  WriteOrder writes;
  Retries retries;
  RecentCauses recent;
  // Answers that were not finished yet when the current request began.
  std::priority_queue<Answer, std::vector<Answer>, std::greater<>> under_way;
  std::unordered_map<std::int64_t, std::int64_t> lane_ends;  // by lane: when the last answer so far had come
  std::optional<std::int64_t> start_ns;
  std::size_t bytes_in_memory = 0;
  std::shared_ptr<RequestSpool> spool;  // null until it is needed

  void end_answers_before(std::int64_t time_ns) {
    while (!under_way.empty() && under_way.top().end_ns <= time_ns) {
      bindings.answered(under_way.top().step, under_way.top().made, under_way.top().about);
      masks.kept(under_way.top().given);
      under_way.pop();
    }
  }

  About about(const Exchange& exchange, const std::vector<Value>& values, const std::vector<std::string>& made) const {
    About about;
    const std::hash<std::string> digest;
    about.client = digest(fmt::format("connection {}", exchange.connection));
    for (const Value& value : values) {
      if (identifies_a_session({value.place, value.name, value.text}, options.causes.session_keys))
        about.client = digest(value.text);
    }
    for (const std::string& entity : made) about.entities.push_back(digest(entity));
    for (const std::string& entity : entities_of(values)) about.entities.push_back(digest(entity));
    return about;
  }

  // Reads the answer once, for all who look into it. Returns the entities that it made.
  std::vector<std::string> look_at_answer(const Step& step, const Exchange& exchange,
                                          const std::vector<Value>& values) {
    std::vector<std::string> entities;
    const Response& response = *exchange.response;
    if (response.status < 200 || response.status >= 400) return entities;
    Answer answer{exchange.response_end_ns, step.id, {}, {}, {}};
    const bool wrote = !step.read;
    if (wrote && !exchange.masked.empty()) answer.given = Masks::given_in(exchange, values);
    const auto look = [&](const ValueView& value) {
      if (options.bindings) {
        if (auto made = made_value(exchange.request, wrote, value)) {
          made->doubtful = made->doubtful && std::none_of(values.begin(), values.end(),
                                                          [&](const Value& own) { return own.text == value.text; });
          answer.made.push_back(std::move(*made));
        }
      }
      if (wrote) {
        if (auto entity = entity_made_by(exchange.request, value)) entities.push_back(std::move(*entity));
      }
    };
    if (wrote || may_name_a_token(response))
      visit_values(response, look);
    else
      visit_values(response.headers, look);
    if (std::any_of(answer.made.begin(), answer.made.end(), [](const MadeValue& made) { return made.doubtful; }))
      answer.about = about(exchange, values, entities);
    if (!answer.made.empty() || !answer.given.empty()) under_way.push(std::move(answer));
    return entities;
  }

  void add(Step&& step, Request&& request) {
    if (plan.steps.size() >= options.max_steps)
      throw Error(
          fmt::format("there are more than {} requests to plan; take a part of the time (--from, --to) or a sample of "
                      "the sessions (--sample)",
                      options.max_steps));
    bytes_in_memory += size_of(request);
    if (bytes_in_memory <= options.bytes_in_memory) {
      request.headers.shrink_to_fit();
      step.request = std::move(request);
    } else {
      if (!spool) spool = std::make_shared<RequestSpool>();
      step.request = PlannedRequest(spool, spool->add(request));
    }
    plan.steps.push_back(std::move(step));
  }

  std::optional<Step> left_out(const std::string& reason) {
    ++plan.left_out[reason];
    return std::nullopt;
  }

  // The step but for its request; nothing when it is left out.
  std::optional<Step> step_of(const Exchange& exchange) {
    if (!start_ns) start_ns = exchange.request_ns;
    if (const std::string reason = reason_to_leave_out(exchange); !reason.empty()) return left_out(reason);
    end_answers_before(exchange.request_ns);
    Step step;
    step.id = static_cast<StepId>(plan.steps.size()) + 1;
    step.lane = exchange.connection;
    step.due_ns = exchange.request_ns - *start_ns;
    step.exchange = exchange.id;
    step.http2 = exchange.http2;
    step.captured_status = exchange.response->status;
    step.read = options.is_read ? options.is_read(exchange.request.method, path_of(exchange.request.target))
                                : safe(exchange.request.method);
    const std::vector<Value> values = values_in(exchange.request);
    if (options.bindings) step.uses = bindings.uses_in(values);
    if (!exchange.masked.empty()) {
      if (const auto reason = masks.reason_to_leave_out(exchange, values, step.uses); !reason.empty())
        return left_out(reason);
      for (const std::string& place : exchange.masked) {
        if (options.masks.send || !is_credential_place(place)) step.masked.push_back(place);
      }
    }
    std::int64_t& lane_end_ns = lane_ends.try_emplace(step.lane, exchange.request_ns).first->second;
    step.overlaps = lane_end_ns > exchange.request_ns;
    lane_end_ns = std::max(lane_end_ns, exchange.response_end_ns);
    refusals.look_at(step, exchange.response->status);
    std::vector<Cause> found = causes.causes_of(step, exchange, values, look_at_answer(step, exchange, values));
    for (const Use& use : step.uses) found.push_back({use.from, CauseKind::value});
    if (options.one_write_at_a_time) writes.order(step, found);
    count(found, plan.causes_found);
    step.after = reduced(std::move(found), [&](StepId id) -> const std::vector<Cause>& { return recent.of(id, plan); });
    recent.add(step);
    step.after.shrink_to_fit();  // they stay for as long as the plan
    step.uses.shrink_to_fit();
    step.retry_of = retries.first_of(step.id, exchange.request);
    return step;
  }
};

Planner::Planner(PlannerOptions options) : state_(std::make_unique<State>(std::move(options))) {}
Planner::~Planner() = default;
Planner::Planner(Planner&&) noexcept = default;
Planner& Planner::operator=(Planner&&) noexcept = default;

void Planner::add(const Exchange& exchange) {
  if (auto step = state_->step_of(exchange)) state_->add(std::move(*step), Request(exchange.request));
}

void Planner::add(Exchange&& exchange) {
  if (auto step = state_->step_of(exchange)) state_->add(std::move(*step), std::move(exchange.request));
}

Plan Planner::finish() {
  if (state_->spool) state_->spool->flush();
  state_->refusals.finish(state_->plan);
  if (state_->bindings.disproved_any()) {
    for (Step& step : state_->plan.steps)
      std::erase_if(step.uses, [&](const Use& use) { return state_->bindings.disproved(use); });
  }
  return std::move(state_->plan);
}

Plan plan_of(const Traffic& traffic, const PlannerOptions& options) {
  Planner planner(options);
  for (const Exchange& exchange : traffic.exchanges) planner.add(exchange);
  return planner.finish();
}

}  // namespace rehearse::replay
