#include "properties/bound_values.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "replay/masks.h"

namespace rehearse::properties {
namespace {

using Source = std::pair<replay::StepId, replay::Place>;
using Given = std::map<Source, std::string>;

enum class Kind { unknown, success, refusal, failure };

Kind kind_of(int status) {
  if (status < 200) return Kind::unknown;
  return status < 400 ? Kind::success : status < 500 ? Kind::refusal : Kind::failure;
}

// What requests with a value have said for it and against it.
struct Witnesses {
  BoundValue value;
  bool for_it = false, against_it = false;
};

Given given_in(const replay::History& run) {
  Given given;
  for (const replay::Binding& binding : run.bindings) given[{binding.step, binding.source}] = binding.value;
  return given;
}

int status_of(const replay::History& run, replay::StepId step) {
  const replay::Record* record = replay::record_of(run, step);
  return record != nullptr && record->outcome == replay::Outcome::answered ? record->response.status : 0;
}

// Refusals that say who may ask and when, and nothing about what was asked for.
bool about_the_client(int status) {
  constexpr std::array statuses{401, 403, 408, 429};
  return std::find(statuses.begin(), statuses.end(), status) != statuses.end();
}

bool speaks_for(int captured, int now) {
  return kind_of(captured) != Kind::unknown && kind_of(captured) == kind_of(now);
}

bool speaks_against(int captured, int now, bool credential) {
  if (!credential && (about_the_client(captured) || about_the_client(now))) return false;
  const Kind then = kind_of(captured), today = kind_of(now);
  return (then == Kind::success && today == Kind::refusal) || (then == Kind::refusal && today == Kind::success);
}

}  // namespace

std::string_view name_of(Belief belief) {
  static constexpr std::array<std::string_view, 3> names{"unconfirmed", "confirmed", "refuted"};
  return names[static_cast<std::size_t>(belief)];
}

std::vector<BoundValue> bound_values(const replay::Plan& plan, const replay::History& first,
                                     const replay::History& second) {
  const Given given_first = given_in(first), given_second = given_in(second);
  const auto changed = [](const Given& given, const Source& source, const std::string& captured) {
    const auto found = given.find(source);
    return found != given.end() && found->second != captured;
  };
  std::map<Source, Witnesses> all;
  for (const replay::Step& step : plan.steps) {
    for (const replay::Use& use : step.uses) {
      const Source source{use.from, use.source};
      Witnesses& witnesses = all[source];
      witnesses.value.captured = use.value;
      ++witnesses.value.uses;
      if (!changed(given_first, source, use.value) || !changed(given_second, source, use.value)) continue;
      const bool credential = replay::is_credential_place(use.at);
      const int one = status_of(first, step.id), two = status_of(second, step.id);
      witnesses.for_it |= speaks_for(step.captured_status, one) && speaks_for(step.captured_status, two);
      witnesses.against_it |= speaks_against(step.captured_status, one, credential) &&
                              speaks_against(step.captured_status, two, credential);
    }
  }
  std::vector<BoundValue> values;
  for (auto& [source, witnesses] : all) {
    std::tie(witnesses.value.step, witnesses.value.source) = source;
    if (witnesses.for_it)
      witnesses.value.belief = Belief::confirmed;
    else if (witnesses.against_it)
      witnesses.value.belief = Belief::refuted;
    values.push_back(std::move(witnesses.value));
  }
  return values;
}

replay::Plan without_refuted(replay::Plan plan, const std::vector<BoundValue>& values) {
  std::set<Source> refuted;
  for (const BoundValue& value : values) {
    if (value.belief == Belief::refuted) refuted.emplace(value.step, value.source);
  }
  for (replay::Step& step : plan.steps) {
    std::erase_if(step.uses, [&](const replay::Use& use) { return refuted.contains({use.from, use.source}); });
  }
  return plan;
}

}  // namespace rehearse::properties
