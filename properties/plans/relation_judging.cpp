// What a plan and the changed one did, held against each other.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "properties/answers/answer_comparer.h"
#include "properties/answers/path.h"
#include "properties/check.h"
#include "properties/checks/facts.h"
#include "properties/plans/relations.h"

namespace rehearse::properties {
namespace {

using replay::History;
using replay::Record;
using replay::StepId;
using Kind = RowDifference::Kind;

// A request's answer in the original and in the changed play, and where they differ.
struct Answers {
  const Record* original = nullptr;
  const Record* changed = nullptr;
  std::vector<Difference> differences;
};

// The changed plan's records under the original's numbers: of a step that was sent twice the first.
History under_original_steps(const std::map<StepId, StepId>& stands_for, const History& changed) {
  History history = changed;
  history.records.clear();
  std::set<StepId> taken;
  for (const Record& record : changed.records) {
    const auto found = stands_for.find(record.step);
    if (found == stands_for.end() || !taken.insert(found->second).second) continue;
    history.records.push_back(record);
    history.records.back().step = found->second;
  }
  std::sort(history.records.begin(), history.records.end(),
            [](const Record& a, const Record& b) { return a.step < b.step; });
  return history;
}

Correspondence names_between(const std::map<StepId, StepId>& stands_for, const History& original,
                             const History& changed) {
  const auto writes_of = [](History history) {
    std::erase_if(history.records, [](const Record& record) { return record.read; });
    std::sort(history.records.begin(), history.records.end(),
              [](const Record& a, const Record& b) { return a.step < b.step; });
    return history;
  };
  const History made = writes_of(under_original_steps(stands_for, changed));
  return correspondence(writes_of(original), {&made});
}

const Record* first_of(const History& history, StepId step) {
  const auto found = std::find_if(history.records.begin(), history.records.end(),
                                  [&](const Record& record) { return record.step == step; });
  return found == history.records.end() ? nullptr : &*found;
}

// Of every request of the changed plan that stands for one of the original's.
std::vector<Answers> answers_between(const Contract& contract, const std::map<StepId, StepId>& stands_for,
                                     const History& original, const History& changed) {
  const AnswerComparer comparer(contract, names_between(stands_for, original, changed), day_of(original.began_ns),
                                original.target, changed.target);
  std::vector<Answers> all;
  for (const auto& [here, there] : stands_for) {
    Answers answers{first_of(original, there), first_of(changed, here), {}};
    if (answers.original == nullptr || answers.changed == nullptr) continue;
    answers.differences = comparer.differences(*answers.original, *answers.changed);
    const auto route = replay::route_of(answers.original->request.method, answers.original->request.target);
    const Windows windows{{original.began_ns, original.began_ns + answers.original->done_ns},
                          {changed.began_ns, changed.began_ns + answers.changed->done_ns}};
    const std::string of_stage = "header " + replay::lower(contract.stage_header);
    std::erase_if(answers.differences, [&](const Difference& difference) {
      if (!contract.stage_header.empty() && replay::lower(difference.path) == of_stage) return true;
      return comparer.rules().excuse(route, difference, windows).has_value();
    });
    all.push_back(std::move(answers));
  }
  return all;
}

bool of_the_outcome(const Difference& difference) {
  return difference.kind == Difference::Kind::status || difference.kind == Difference::Kind::failure;
}

// Where legacy alone answered the two plans differently: the relation is not one that this service keeps.
class OfLegacyAlone {
 public:
  OfLegacyAlone(const Contract& contract, const Derived& derived, const RelatedTrials& trials) {
    const auto &original = trials.original->serial, &changed = trials.derived->serial;
    if (original.empty() || changed.empty()) return;
    for (const Answers& answers :
         answers_between(contract, derived.stands_for, original.back().history, changed.back().history))
      for (const Difference& difference : answers.differences) {
        places_.insert({answers.original->step, without_indices(difference.path)});
        if (of_the_outcome(difference)) outcomes_.insert(answers.original->step);
      }
    for (const RowDifference& row : trials.alone.rows) rows_.insert({row.kind, row.entity, row.column});
  }
  [[nodiscard]] bool does(StepId step, const Difference& difference) const {
    return outcomes_.contains(step) || places_.contains({step, without_indices(difference.path)});
  }
  [[nodiscard]] bool does(const RowDifference& row) const { return rows_.contains({row.kind, row.entity, row.column}); }

 private:
  std::set<std::pair<StepId, std::string>> places_;
  std::set<StepId> outcomes_;
  std::set<std::tuple<Kind, std::string, std::string>> rows_;
};

bool masked(const Volatile& noise, const RowDifference& row) {
  return row.kind == Kind::changed && noise.columns.contains(row.entity + "." + row.column);
}

std::string in_place(const Difference& difference, const std::string& value) {
  return fmt::format("{} = {}", difference.path, value.empty() ? "nothing" : value);
}

}  // namespace

Correspondence names_between(const Derived& derived, const History& original, const History& changed) {
  return names_between(derived.stands_for, original, changed);
}

Result judge_relation(const Contract& contract, const Derived& derived, const RelatedTrials& trials,
                      const Volatile& noise) {
  const Trial &original = *trials.original, &changed = *trials.derived;
  const OfLegacyAlone alone(contract, derived, trials);
  Outcome outcome;
  // Two clients may be served in either order; what they leave behind is what counts.
  if (derived.relation != Relation::M10) {
    for (const Answers& answers : answers_between(contract, derived.stands_for, original.played, changed.played)) {
      outcome.looked_at(1, "answers");
      const auto route = replay::route_of(answers.original->request.method, answers.original->request.target);
      for (const Difference& difference : answers.differences) {
        if (excused(changed, noise, route, difference) || alone.does(answers.original->step, difference)) continue;
        outcome.contradict(
            fmt::format("{}, with {}", what_happened(*answers.original), in_place(difference, difference.expected)),
            fmt::format("{} it was answered {} with {}", derived.change, answers.changed->response.status,
                        in_place(difference, difference.observed)),
            &original.played, answers.original);
        break;
      }
    }
  }
  for (const Comparison& states : trials.states) {
    outcome.looked_at(states.rows_left, "rows");
    for (const RowDifference& row : states.rows) {
      if (masked(noise, row) || alone.does(row)) continue;
      outcome.contradict(fmt::format("the plan leaves the same rows behind, {} or not", derived.change),
                         in_words(states, row));
    }
  }
  Result result = std::move(outcome).finish();
  result.invariant = id_of(derived.relation);
  result.title = title_of(derived.relation);
  result.scope = derived.change;
  return result;
}

bool learn_noise(const Contract& contract, const Trial& once, const Trial& again, const std::vector<Comparison>& states,
                 Volatile& noise) {
  bool only_values = true;
  std::map<StepId, StepId> itself;
  for (const Record& record : once.played.records) itself[record.step] = record.step;
  for (const Answers& answers : answers_between(contract, itself, once.played, again.played)) {
    const auto route = replay::route_of(answers.original->request.method, answers.original->request.target);
    for (const Difference& difference : answers.differences) {
      if (excused(again, noise, route, difference)) continue;
      only_values &= is_of_a_value(difference.kind);
      if (is_of_a_value(difference.kind)) noise.answers[route].insert(without_indices(difference.path));
    }
  }
  for (const Comparison& compared : states)
    for (const RowDifference& row : compared.rows) {
      only_values &= row.kind == Kind::changed;
      if (row.kind == Kind::changed) noise.columns.insert(row.entity + "." + row.column);
    }
  return only_values;
}

}  // namespace rehearse::properties
