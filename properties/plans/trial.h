// What one generated plan did to the system under test, as plain values, and what must hold of it.
//
// A trial needs no model: legacy alone is the specification. The writes that took effect are executed there once more, one after the
// other, in an order that the clients may have seen; every answer and the final state of the store that answers for the data must be
// those of such an execution. Of writes that did not overlap there is one order, so a plan without lanes is held against it as captured
// traffic is; of those that did, the commit log says which came first, and other orders are tried before a history is called
// impossible (linearizability: Herlihy and Wing, 1990; checked per history and bounded, for the problem is NP-complete).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "properties/answers/difference.h"
#include "properties/evidence.h"
#include "properties/judgement.h"
#include "properties/plans/signal.h"
#include "replay/history.h"
#include "replay/plan.h"

namespace rehearse::properties {

// A time the flag was set. Wall clock.
struct FlagMove {
  Stage from = Stage::off, to = Stage::off;
  std::int64_t asked_ns = 0;
  std::int64_t served_ns = 0;  // by every instance; 0: never
  bool straddled = false;      // requests were under way
  bool could_be_set = true;    // false: the source of the flag was gone
  // The two databases right before it, when nothing was under way and nothing broken.
  std::optional<Comparison> before;
};

// Something that was broken on purpose. Wall clock.
struct FaultWindow {
  std::string what;  // "new-database", "legacy-database", "new", "legacy", "flag", a wire
  std::string how;
  std::int64_t from_ns = 0, to_ns = 0;
  bool schedules = false;  // it only makes something wait for a while (a gate, a delay): no reason to fail
};

// A copy that was begun. Wall clock.
struct CopyWindow {
  std::int64_t from_ns = 0, to_ns = 0;
  bool back = false;  // new → legacy
  bool done = true;   // its command ended with success
  bool cut = false;   // it was killed on purpose; what its database server had begun may go on for a moment

  // Whether it is the copy that wrote to that database then.
  [[nodiscard]] bool wrote(bool new_store, std::int64_t at_ns) const {
    return back != new_store && at_ns >= from_ns && at_ns <= to_ns;
  }
};

// A transaction that a database committed, and its rows as the log shows them.
struct CommittedTransaction {
  std::int64_t transaction = 0;
  std::int64_t at_ns = 0;  // wall clock of the server
  std::vector<std::string> rows;
};

// A request that the new service sent to legacy, as it came over the wire. Wall clock.
struct UpstreamRequest {
  std::int64_t at_ns = 0;
  replay::Request request;
};

struct StoreLog {
  bool known = false;
  std::string problem;  // why it is not
  std::vector<CommittedTransaction> transactions;
};

// The same requests at legacy alone, one after the other.
struct SerialRun {
  std::vector<replay::StepId> order;  // of the writes that took effect
  replay::History history;            // records carry the steps of the trial; a read may be there more than once
  std::vector<std::size_t> position;  // of each record: how many of `order` had been executed before it
  Comparison state;                   // legacy's final state on the left, the authoritative store's on the right
};

// Rows that were changed by hand. Wall clock.
struct Alteration {
  bool new_store = true;
  std::int64_t at_ns = 0;
};

struct Trial {
  replay::Plan plan;
  replay::History played;
  Stage began = Stage::off, ended = Stage::off;
  std::vector<FlagMove> moves;
  std::vector<FaultWindow> faults;
  std::vector<CopyWindow> copies;
  std::vector<Comparison> behind_copies;  // the two databases when a copy had ended with success
  std::vector<bool> behind_a_cut_one;     // of each of these: the copy before it was killed
  std::vector<Alteration> alterations;
  // What legacy itself answered, asked behind the plan's end for what the plan had asked the new service for.
  replay::History direct;
  StoreLog legacy, new_;
  WriteLog legacy_writes, new_writes;
  Comparison stores;  // the two databases at the end
  std::vector<IdSpace> ids;
  Alerts alerts;
  std::int64_t open_alerts = 0;
  bool quiet = true;
  bool disagreed = false;  // seconds behind the last move of the flag, instances served different stages
  bool copied = false;  // the new database holds the data at the end: it was copied, or the plan began behind the copy
  // Faults that were armed and met nothing, as sentences: what the plan is about did not happen.
  std::vector<std::string> unfired;
  std::vector<UpstreamRequest> upstream;
  bool upstream_known = false;    // there is a wire between the two services, and all that passed could be read
  std::vector<SerialRun> serial;  // the first one that explains the trial, or all that were tried
  bool orders_left = false;       // there are more orders than were tried
  std::string problem;            // why it is not whole; empty when it is
};

// Where two runs of legacy itself differ.
struct Volatile {
  std::map<std::string, std::set<std::string>> answers;  // "GET /orders/{}" → paths without indices
  std::set<std::string> columns;                         // "orders.updated_at"
};

// Whether the difference is one of a value that legacy itself fills differently each time. A moment must still be one of the trial.
[[nodiscard]] bool excused(const Trial& trial, const Volatile& noise, const std::string& route,
                           const Difference& difference);

// What became of a request, as far as answer and logs tell.
struct Effect {
  replay::StepId step = 0;
  Stage stage = Stage::off;  // that served it, as its answer says; of a lost one the stage of its window
  bool stage_known = false;
  bool write = false;
  // A flip that had not spread for certain while it was under way: the two services may have served different stages.
  std::optional<Edge> straddles;
  bool refused_by_stage = false;               // the declared refusal of read-only
  std::vector<std::size_t> in_legacy, in_new;  // indices of transactions that it caused
  // Another request that was under way at the same time may have caused one of them, or one that this one was not given.
  bool ambiguous = false;
  // Whether it changed the store that answers for the data; nothing when that cannot be told.
  std::optional<bool> effective;
};

class TrialEffects {
 public:
  TrialEffects(const Contract& contract, const Trial& trial);
  [[nodiscard]] const std::vector<Effect>& effects() const { return effects_; }
  [[nodiscard]] const Effect* of(replay::StepId step) const;
  // Transactions that no request of the plan explains.
  [[nodiscard]] const std::vector<std::size_t>& unclaimed(bool new_store) const {
    return new_store ? unclaimed_new_ : unclaimed_legacy_;
  }

 private:
  void join(const Trial& trial, const StoreLog& log, bool new_store);
  std::vector<Effect> effects_;
  std::map<replay::StepId, std::size_t> index_;
  std::vector<std::size_t> unclaimed_legacy_, unclaimed_new_;
};

// The orders in which the writes of the trial may have taken effect, the likeliest first, at most `limit`; each respects real time: what
// had been answered before another was sent comes first.
struct Orders {
  std::vector<std::vector<replay::StepId>> orders;
  bool more = false;
};
// Refusals have a place in the order like every write; or they are tried anywhere, as reads are, which is one order for many. That
// holds when legacy refuses them in each place, too; where it does not, the execution went another way and is none.
enum class Refusals { in_order, anywhere };
[[nodiscard]] Orders possible_orders(const Contract& contract, const Trial& trial, std::size_t limit,
                                     Refusals refusals = Refusals::in_order);
[[nodiscard]] bool refused_everywhere(const SerialRun& run);

// A plan that executes the order at legacy. Reads stand in every place that real time allows them.
struct SerialPlan {
  replay::Plan plan;
  std::vector<replay::StepId> steps;   // of the trial, of each of the plan's steps
  std::vector<std::size_t> positions;  // see SerialRun
};
[[nodiscard]] SerialPlan serial_plan(const Contract& contract, const Trial& trial,
                                     const std::vector<replay::StepId>& order);

// Whether a serial execution explains every answer and the final state.
struct Explanation {
  struct Contradiction {
    replay::StepId step = 0;  // 0: the final state
    std::string expected, observed;
  };
  std::vector<Contradiction> contradictions;
  std::int64_t answers = 0, rows = 0;  // looked at
  [[nodiscard]] bool explains() const { return contradictions.empty(); }
};
[[nodiscard]] Explanation explain(const Contract& contract, const Trial& trial, const SerialRun& run,
                                  const Volatile& noise);

// What holds of the trial and what does not, by invariant.
[[nodiscard]] Judgement judge(const Contract& contract, const Trial& trial, const Volatile& noise);

// The invariants that a judgement contradicts, in order.
[[nodiscard]] std::vector<std::string> violated(const Judgement& judgement);

}  // namespace rehearse::properties
