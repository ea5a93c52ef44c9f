#include "replay/planner.h"

#include <algorithm>
#include <map>
#include <queue>
#include <tuple>

#include "replay/bindings.h"

namespace rehearse::replay {
namespace {

void add_cause(std::vector<StepId>& after, StepId cause) {
  if (cause != 0 && std::find(after.begin(), after.end(), cause) == after.end()) after.push_back(cause);
}

// Hands out causes so that the order described in the header holds with few edges: a read needs only the last write, a write
// needs only the reads since the last write.
class ConflictOrder {
 public:
  void order(Step& step) {
    if (step.read) {
      add_cause(step.after, last_write_);
      reads_since_.push_back(step.id);
      return;
    }
    if (reads_since_.empty()) add_cause(step.after, last_write_);
    for (StepId read : reads_since_) add_cause(step.after, read);
    reads_since_.clear();
    last_write_ = step.id;
  }

 private:
  StepId last_write_ = 0;
  std::vector<StepId> reads_since_;
};

struct Answer {
  std::int64_t end_ns;
  const Exchange* exchange;
  StepId step;
  bool wrote;
  friend bool operator>(const Answer& a, const Answer& b) {
    return std::tie(a.end_ns, a.step) > std::tie(b.end_ns, b.step);
  }
};

}  // namespace

Plan plan_of(const Traffic& traffic, const IsRead& is_read) {
  Plan plan;
  BindingFinder finder;
  ConflictOrder conflicts;
  std::map<std::int64_t, StepId> last_on_lane;
  // Answers that were not finished yet when the current request began.
  std::priority_queue<Answer, std::vector<Answer>, std::greater<>> under_way;
  const std::int64_t start = traffic.exchanges.empty() ? 0 : traffic.exchanges.front().request_ns;

  for (const Exchange& exchange : traffic.exchanges) {
    if (!exchange.complete()) {
      plan.left_out["not replayable: " +
                    (exchange.flags.empty() ? std::string("no response") : exchange.flags.front())] += 1;
      continue;
    }
    if (exchange.request.method == "CONNECT" || exchange.response->status == 101) {
      plan.left_out["not replayable: the connection left HTTP (CONNECT or upgrade)"] += 1;
      continue;
    }
    while (!under_way.empty() && under_way.top().end_ns <= exchange.request_ns) {
      const Answer answer = under_way.top();
      under_way.pop();
      finder.answered(answer.step, answer.wrote, *answer.exchange->response);
    }
    Step step;
    step.id = static_cast<StepId>(plan.steps.size()) + 1;
    step.lane = exchange.connection;
    step.due_ns = exchange.request_ns - start;
    step.request = exchange.request;
    step.exchange = exchange.id;
    step.read = is_read(exchange.request.method, path_of(exchange.request.target));
    step.uses = finder.uses_in(exchange.request);
    add_cause(step.after, last_on_lane[step.lane]);
    for (const Use& use : step.uses) add_cause(step.after, use.from);
    conflicts.order(step);
    last_on_lane[step.lane] = step.id;
    under_way.push({exchange.response_end_ns, &exchange, step.id, !step.read});
    plan.steps.push_back(std::move(step));
  }
  return plan;
}

}  // namespace rehearse::replay
