// Where in a plan that was played a relation promises something.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "properties/plans/drawing.h"
#include "properties/plans/relations.h"
#include "properties/plans/signal.h"
#include "replay/values.h"

namespace rehearse::properties {
namespace {

using replay::Plan;
using replay::Record;
using replay::Step;
using replay::StepId;
using Kind = Signal::Kind;

// A captured plan has thousands, and each is looked at as a whole.
constexpr std::size_t most_places = 40;

bool is_request(const Step& step) { return step.request.has_value(); }

// The first thing that a request names, as it was sent: the collection and the identifier.
std::pair<std::string, std::string> thing_in(const Record& record) {
  for (const auto& value : replay::values_in(record.request))
    if (value.place.starts_with("path:") && replay::identifies_in_path(value.text))
      return {replay::entity_name(value.name), value.text};
  return {};
}

std::set<std::string> rows_of(const Trial& trial, const Effect& effect) {
  std::set<std::string> rows;
  for (const bool new_store : {false, true}) {
    const StoreLog& log = new_store ? trial.new_ : trial.legacy;
    for (const std::size_t t : new_store ? effect.in_new : effect.in_legacy)
      for (const LoggedWrite& write : (new_store ? trial.new_writes : trial.legacy_writes).writes)
        if (write.transaction == log.transactions[t].transaction) rows.insert(write.entity + "/" + write.key);
  }
  return rows;
}

// Why two requests may not be taken for ones about different things; empty when they may. They name two things of one collection, no
// database shows that they wrote one row, and neither made anything, for a service numbers what it makes.
std::string depends(const Trial& trial, const TrialEffects& effects, StepId a, StepId b) {
  const Record *first = replay::record_of(trial.played, a), *second = replay::record_of(trial.played, b);
  const Effect *of_first = effects.of(a), *of_second = effects.of(b);
  const auto both = fmt::format("steps {} and {}", a, b);
  if (first == nullptr || second == nullptr || of_first == nullptr || of_second == nullptr)
    return both + " were not played";
  for (const Record* record : {first, second})
    if (record->outcome != replay::Outcome::answered || record->response.status >= 300 ||
        record->response.status == 201)
      return fmt::format("step {} was refused, or made something", record->step);
  const auto thing = thing_in(*first), other = thing_in(*second);
  if (thing.first.empty() || thing.first != other.first || thing.second == other.second)
    return both + " do not name two things of one collection";
  if (of_first->ambiguous || of_second->ambiguous) return both + " cannot be told apart in the logs";
  const auto key = replay::field(first->request.headers, "Idempotency-Key");
  if (key && key == replay::field(second->request.headers, "Idempotency-Key"))
    return both + " have one Idempotency-Key";
  const auto rows = rows_of(trial, *of_first);
  for (const std::string& row : rows_of(trial, *of_second))
    if (rows.contains(row)) return both + " wrote " + row;
  return {};
}

bool every_flip_was_taken(const Trial& trial) {
  return !trial.disagreed && trial.ended == stages_of(trial.plan).back() &&
         std::all_of(trial.moves.begin(), trial.moves.end(),
                     [](const FlagMove& move) { return move.served_ns != 0 && move.could_be_set; });
}

bool holds_text(const Trial& trial, const std::string& text) {
  const auto in_headers = [&](const replay::Headers& headers) {
    return std::any_of(headers.begin(), headers.end(),
                       [&](const auto& header) { return header.value.find(text) != std::string::npos; });
  };
  return std::any_of(trial.played.records.begin(), trial.played.records.end(), [&](const Record& record) {
    return record.request.target.find(text) != std::string::npos ||
           record.request.body.find(text) != std::string::npos ||
           record.response.body.find(text) != std::string::npos || in_headers(record.request.headers) ||
           in_headers(record.response.headers);
  });
}

bool of_a_name(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
         c == '.' || c == '~';
}

// Whether the name never stands as a part of a longer one.
bool stands_alone(const std::string& text, const std::string& name) {
  for (auto at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
    const auto end = at + name.size();
    if ((at > 0 && of_a_name(text[at - 1])) || (end < text.size() && of_a_name(text[end]))) return false;
  }
  return true;
}

// The plan with the cue right before the step at `position`, and one that ends it right before `end`.
Plan with_cue(Plan plan, const std::string& cue, std::size_t position, std::size_t end = 0) {
  StepId last = 0;
  for (const Step& step : plan.steps) last = std::max(last, step.id);
  const auto put_in = [&](const std::string& text, std::size_t at) {
    Step step;
    step.id = ++last;
    step.cue = text;
    if (at > 0) step.after.push_back({plan.steps[at - 1].id, replay::CauseKind::hand});
    if (at < plan.steps.size()) plan.steps[at].after.push_back({step.id, replay::CauseKind::hand});
    plan.steps.insert(plan.steps.begin() + static_cast<std::ptrdiff_t>(at), std::move(step));
  };
  if (end > position && end < plan.steps.size()) put_in("relate end", end);
  put_in(cue, position);
  return plan;
}

class Places {
 public:
  Places(Relation relation, const Contract& contract, const Trial& trial, const RelationMeans& means,
         std::uint64_t seed)
      : relation_(relation), trial_(trial), means_(means), random_(seed), effects_(contract, trial) {
    const auto& steps = trial.plan.steps;
    first_ = !steps.empty() && steps.front().cue.starts_with("world") ? 1 : 0;
    for (std::size_t i = first_; i <= steps.size(); ++i) places_.push_back(i);
    for (std::size_t i = places_.size(); i > 1; --i) std::swap(places_[i - 1], places_[below(i)]);
    // What is repeated is a write where there is one.
    if (relation == Relation::M4)
      std::stable_partition(places_.begin(), places_.end(),
                            [&](std::size_t place) { return request_at(place - 1) && !steps[place - 1].read; });
  }

  std::optional<Plan> find(const Contract& contract) {
    std::size_t tried = 0;
    for (const std::size_t place : places_) {
      auto plan = at(place);
      if (!plan) continue;
      if (++tried > most_places) break;
      const Derivation derivation = derive(*plan);
      if (derivation.derived && promises_nothing(contract, *derivation.derived, trial_).empty()) return plan;
    }
    return std::nullopt;
  }

 private:
  [[nodiscard]] const std::vector<Step>& steps() const { return trial_.plan.steps; }
  [[nodiscard]] bool request_at(std::size_t position) const {
    return position < steps().size() && is_request(steps()[position]);
  }
  [[nodiscard]] Stage stage_at(std::size_t place) const {
    Plan head = trial_.plan;
    head.steps.resize(place);
    return stages_of(head).back();
  }
  [[nodiscard]] std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

  std::optional<Plan> at(std::size_t place) {
    const std::string id(id_of(relation_));
    switch (relation_) {
      case Relation::M1: {
        const Stage here = stage_at(place);
        if (here < Stage::shadow || !request_at(place)) return std::nullopt;
        std::vector<Stage> others;
        for (const Stage stage : {Stage::shadow, Stage::live, Stage::completed})
          if (stage != here && (means_.copy_back || (here != Stage::completed && stage != Stage::completed)))
            others.push_back(stage);
        if (others.empty()) return std::nullopt;
        const Stage there = others[below(others.size())];
        std::size_t until = place;
        while (request_at(until)) ++until;
        return with_cue(trial_.plan, fmt::format("relate {} {}", id, name_of(there)), place,
                        place + 1 + below(until - place));
      }
      case Relation::M5: {
        const Stage here = stage_at(place);
        std::vector<Stage> above;
        for (const Stage stage : all_stages)
          if (stage > here && (means_.copy_back || stage != Stage::completed)) above.push_back(stage);
        if (above.empty()) return std::nullopt;
        return with_cue(trial_.plan, fmt::format("relate {} {}", id, name_of(above[below(above.size())])), place);
      }
      case Relation::M6:
        if (!means_.restarts_new) return std::nullopt;
        return with_cue(trial_.plan, "relate M6 new", place);
      case Relation::M8: {
        const auto name = name_chosen_at(place);
        if (name.empty()) return std::nullopt;
        const auto other = another(name);
        if (other.empty()) return std::nullopt;
        return with_cue(trial_.plan, fmt::format("relate M8 {} -> {}", name, other), first_);
      }
      case Relation::M10: {
        std::size_t until = place;
        while (request_at(until) && until - place < 6 && apart(place, until)) ++until;
        if (until - place < 2) return std::nullopt;
        return with_cue(trial_.plan, "relate M10", place, until);
      }
      case Relation::M2:
      case Relation::M7:
        if (place != first_) return std::nullopt;
        return with_cue(trial_.plan, "relate " + id, first_);
      case Relation::M3:
        if (!request_at(place) || !request_at(place + 1)) return std::nullopt;
        return with_cue(trial_.plan, "relate " + id, place);
      case Relation::M4:
        if (place == 0 || !request_at(place - 1)) return std::nullopt;
        return with_cue(trial_.plan, "relate " + id, place);
      case Relation::M9:
        if (place >= steps().size() || steps()[place].cue != "copy") return std::nullopt;
        return with_cue(trial_.plan, "relate " + id, place);
    }
    return std::nullopt;
  }

  // Whether the request at `position` is about one of the things that those from `place` on are about, or independent of them.
  [[nodiscard]] bool apart(std::size_t place, std::size_t position) const {
    const Record* record = replay::record_of(trial_.played, steps()[position].id);
    if (record == nullptr) return false;
    const auto thing = thing_in(*record);
    if (thing.first.empty()) return false;
    for (std::size_t i = place; i < position; ++i) {
      const Record* other = replay::record_of(trial_.played, steps()[i].id);
      if (thing_in(*other) != thing && !depends(trial_, effects_, steps()[i].id, steps()[position].id).empty())
        return false;
    }
    return true;
  }

  // A name that the client gave and the service did not know before: of what a PUT made, or of the request itself.
  [[nodiscard]] std::string name_chosen_at(std::size_t place) const {
    if (!request_at(place)) return {};
    const Step& step = steps()[place];
    const Record* record = replay::record_of(trial_.played, step.id);
    if (record == nullptr) return {};
    std::string name;
    if (const auto key = replay::field(record->request.headers, "Idempotency-Key"))
      name = *key;
    else if (record->request.method == "PUT" && record->response.status == 201)
      name = record->request.target.substr(record->request.target.rfind('/') + 1);
    if (name.size() < 4 || !std::all_of(name.begin(), name.end(), of_a_name)) return {};
    // Only where the client wrote it each time, and never as a part of something longer.
    for (const Step& other : steps()) {
      if (!is_request(other)) continue;
      const auto& request = *other.request.get();
      if (!stands_alone(request.target, name) || !stands_alone(request.body, name)) return {};
      for (const auto& header : request.headers)
        if (!stands_alone(header.value, name)) return {};
    }
    return name;
  }
  // The nearest one, so that lists have it in the same place.
  [[nodiscard]] std::string another(std::string name) const {
    const auto is = [](int (*kind)(int), char c) { return kind(static_cast<unsigned char>(c)) != 0; };
    // What ends in a mark keeps it: by marks a request is found again in a log.
    char& changed = name.back() == '~' ? name.front() : name.back();
    const char original = changed;
    for (const int step : {1, -1}) {
      changed = static_cast<char>(original + step);
      const bool alike = is(std::isalnum, changed) && is(std::isdigit, changed) == is(std::isdigit, original);
      if (alike && !holds_text(trial_, name)) return name;
    }
    return {};
  }

  Relation relation_;
  const Trial& trial_;
  const RelationMeans& means_;
  std::mt19937_64 random_;
  TrialEffects effects_;
  std::size_t first_ = 0;
  std::vector<std::size_t> places_;
};

}  // namespace

std::string promises_nothing(const Contract& contract, const Derived& derived, const Trial& original) {
  switch (derived.relation) {
    case Relation::M1:
    case Relation::M5:
      return every_flip_was_taken(original) ? "" : "a flip of the plan was not taken";
    case Relation::M3: {
      const TrialEffects effects(contract, original);
      StepId last = 0;
      for (const Step& step : derived.plan.steps) {
        const auto found = derived.stands_for.find(step.id);
        if (found == derived.stands_for.end()) continue;
        if (found->second < last) return depends(original, effects, found->second, last);
        last = found->second;
      }
      return "no two requests have changed places";
    }
    case Relation::M8:
      return holds_text(original, derived.other_name) ? derived.other_name + " is a name already" : "";
    case Relation::M10: {
      const TrialEffects effects(contract, original);
      std::map<StepId, std::int64_t> lanes;  // of the original's steps that have another lane now
      for (const Step& step : original.plan.steps)
        if (is_request(step)) lanes[step.id] = step.lane;
      std::vector<std::pair<StepId, std::int64_t>> moved;
      for (const Step& step : derived.plan.steps)
        if (const auto found = derived.stands_for.find(step.id);
            found != derived.stands_for.end() && lanes[found->second] != step.lane)
          moved.emplace_back(found->second, step.lane);
      for (const auto& [a, lane_of_a] : moved)
        for (const auto& [b, lane_of_b] : moved)
          if (a < b && lane_of_a != lane_of_b)
            if (auto why = depends(original, effects, a, b); !why.empty()) return why;
      return {};
    }
    case Relation::M7: {
      const TrialEffects effects(contract, original);
      const bool some = std::any_of(effects.effects().begin(), effects.effects().end(),
                                    [](const Effect& effect) { return effect.effective.value_or(false); });
      return some ? "" : "no write took effect";
    }
    case Relation::M2:
    case Relation::M4:
    case Relation::M6:
    case Relation::M9:
      return {};
  }
  return {};
}

std::optional<Plan> placed(Relation relation, const Contract& contract, const Trial& trial, const RelationMeans& means,
                           std::uint64_t seed) {
  if (concurrent(trial.plan)) return std::nullopt;
  return Places(relation, contract, trial, means, seed).find(contract);
}

}  // namespace rehearse::properties
