#include "replay/planner.h"

#include <algorithm>
#include <queue>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "replay/bindings.h"

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
  StepId first_of(const Step& step) {
    const auto key = field(step.request->headers, "Idempotency-Key");
    if (!key) return 0;
    const auto [first, fresh] =
        first_.try_emplace(step.request->method + " " + step.request->target + " " + std::string(*key), step.id);
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

struct Answer {
  std::int64_t end_ns;
  const Exchange* exchange;
  StepId step;
  bool wrote;
  friend bool operator>(const Answer& a, const Answer& b) {
    return std::tie(a.end_ns, a.step) > std::tie(b.end_ns, b.step);
  }
};

// Why an exchange is no step; empty when it is one.
std::string reason_to_leave_out(const Exchange& exchange) {
  if (!exchange.complete())
    return "not replayable: " + (exchange.flags.empty() ? std::string("no response") : exchange.flags.front());
  if (exchange.request.method == "CONNECT" || exchange.response->status == 101)
    return "not replayable: the connection left HTTP (CONNECT or upgrade)";
  return {};
}

}  // namespace

Plan plan_of(const Traffic& traffic, const PlannerOptions& options) {
  Plan plan;
  BindingFinder finder;
  CauseFinder causes(options.causes);
  WriteOrder writes;
  Retries retries;
  // Answers that were not finished yet when the current request began.
  std::priority_queue<Answer, std::vector<Answer>, std::greater<>> under_way;
  std::unordered_map<std::int64_t, std::int64_t> lane_ends;  // by lane: when the last answer so far had come
  const std::int64_t start = traffic.exchanges.empty() ? 0 : traffic.exchanges.front().request_ns;

  for (const Exchange& exchange : traffic.exchanges) {
    if (const std::string reason = reason_to_leave_out(exchange); !reason.empty()) {
      ++plan.left_out[reason];
      continue;
    }
    while (!under_way.empty() && under_way.top().end_ns <= exchange.request_ns) {
      const Answer answer = under_way.top();
      under_way.pop();
      finder.answered(answer.step, answer.wrote, answer.exchange->request, *answer.exchange->response);
    }
    Step step;
    step.id = static_cast<StepId>(plan.steps.size()) + 1;
    step.lane = exchange.connection;
    step.due_ns = exchange.request_ns - start;
    step.request = exchange.request;
    step.exchange = exchange.id;
    step.read = options.is_read ? options.is_read(exchange.request.method, path_of(exchange.request.target))
                                : safe(exchange.request.method);
    step.retry_of = retries.first_of(step);
    std::int64_t& lane_end_ns = lane_ends.try_emplace(step.lane, exchange.request_ns).first->second;
    step.overlaps = lane_end_ns > exchange.request_ns;
    lane_end_ns = std::max(lane_end_ns, exchange.response_end_ns);
    const std::vector<Value> values = values_in(exchange.request);
    if (options.bindings) step.uses = finder.uses_in(values);
    std::vector<Cause> found = causes.causes_of(step, exchange, values);
    for (const Use& use : step.uses) found.push_back({use.from, CauseKind::value});
    if (options.one_write_at_a_time) writes.order(step, found);
    count(found, plan.causes_found);
    step.after = reduced(std::move(found), [&](StepId id) -> const std::vector<Cause>& {
      return plan.steps[static_cast<std::size_t>(id) - 1].after;
    });
    under_way.push({exchange.response_end_ns, &exchange, step.id, !step.read});
    plan.steps.push_back(std::move(step));
  }
  return plan;
}

}  // namespace rehearse::replay
