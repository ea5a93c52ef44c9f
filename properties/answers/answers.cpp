#include "properties/answers/answers.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "properties/answers/path.h"
#include "properties/answers/typed_values.h"

namespace rehearse::properties {
namespace {

using Kind = Difference::Kind;
using replay::History;
using replay::Outcome;
using replay::Record;

// The text of a value as it is shown: JSON's quotes are not part of a date.
std::string_view plain(std::string_view shown) {
  return shown.size() >= 2 && shown.front() == '"' && shown.back() == '"' ? shown.substr(1, shown.size() - 2) : shown;
}

// The name that a path ends in.
std::string last_name(std::string_view path) {
  const auto parsed = path_from(path);
  if (!parsed) return {};
  for (auto segment = parsed->rbegin(); segment != parsed->rend(); ++segment) {
    if (segment->kind == Segment::Kind::name) return segment->name;
  }
  return {};
}

// From the beginning of the world to the end of an answer.
Window window_of(std::int64_t world_began_ns, const History& history, const Record& record) {
  return {std::min(world_began_ns, history.began_ns), history.began_ns + record.done_ns};
}

// One answer that all three runs gave, with what is between them.
struct Observation {
  const Record* oracle = nullptr;
  const Record* again = nullptr;
  const Record* candidate = nullptr;
  std::vector<Difference> of_oracle, of_candidate;
  std::vector<bool> excused;  // of the candidate's: by a rule
  bool ignored = false, tolerated = false;
};

// The differences of value at one path of one route.
struct Group {
  struct Seen {
    std::size_t observation;
    const Difference* difference;
  };
  std::vector<Seen> of_oracle, of_candidate;
  // Of those in which all three plays answered.
  std::set<std::size_t> oracle_answers, candidate_answers;
  std::set<std::pair<std::size_t, std::string>> oracle_places,
      candidate_places;  // the answer, and the path with its indices
};

class PlayComparison {
 public:
  PlayComparison(const Contract& contract, const History& oracle, const History* again, const History& observed,
                 const std::vector<const History*>& earlier)
      : oracle_(oracle), again_(again), observed_(observed) {
    auto plays = earlier;
    plays.push_back(&observed);
    const auto day = day_of(observed.began_ns);
    against_oracle_.emplace(contract, correspondence(oracle, plays), day, oracle.target, observed.target);
    if (again != nullptr)
      among_oracles_.emplace(contract, correspondence(oracle, {again}), day, oracle.target, again->target);
    world_began_ns_ = observed.began_ns;
    for (const History* play : earlier) world_began_ns_ = std::min(world_began_ns_, play->began_ns);
    result_.rule_hits.assign(contract.answer_rules.size(), 0);
  }

  AnswersCompared run(const Which& which) {
    for (const Record& record : observed_.records) {
      if (which(record)) look_at(record);
    }
    group();
    for (auto& [route, paths] : groups_) {
      for (auto& [path, seen] : paths) judge(route, path, seen);
    }
    for (std::size_t i = 0; i < observations_.size(); ++i) classify(i);
    return std::move(result_);
  }

 private:
  void look_at(const Record& record) {
    const Record* expected = replay::record_of(oracle_, record.step);
    if (expected == nullptr) {
      ++result_.without_oracle;
      return;
    }
    if (expected->outcome != Outcome::answered || record.outcome != Outcome::answered) {
      ++result_.unanswered;
      auto differences = against_oracle_->differences(*expected, record);
      if (!differences.empty()) result_.failed.push_back({record.step, std::move(differences)});
      return;
    }
    Observation seen;
    seen.oracle = expected;
    seen.candidate = &record;
    seen.of_candidate = against_oracle_->differences(*expected, record, &result_.rule_hits);
    seen.excused.assign(seen.of_candidate.size(), false);
    if (again_ != nullptr) seen.again = replay::record_of(*again_, record.step);
    if (three(seen)) seen.of_oracle = among_oracles_->differences(*expected, *seen.again);
    observations_.push_back(std::move(seen));
  }

  // True when the oracle's second run answered, too.
  static bool three(const Observation& seen) {
    return seen.again != nullptr && seen.again->outcome == Outcome::answered;
  }

  [[nodiscard]] Windows windows_of(const Observation& seen) const {
    return {window_of(oracle_.began_ns, oracle_, *seen.oracle), window_of(world_began_ns_, observed_, *seen.candidate)};
  }

  void group() {
    for (std::size_t i = 0; i < observations_.size(); ++i) {
      Observation& seen = observations_[i];
      const auto route = replay::route_of(seen.oracle->request.method, seen.oracle->request.target);
      answers_[route] += three(seen);
      for (const Difference& difference : seen.of_oracle) {
        const auto path = without_indices(difference.path);
        ++result_.drifted[route][path];
        if (!is_of_a_value(difference.kind)) continue;
        Group& group = groups_[route][path];
        group.of_oracle.push_back({i, &difference});
        group.oracle_answers.insert(i);
        group.oracle_places.emplace(i, difference.path);
      }
      for (std::size_t k = 0; k < seen.of_candidate.size(); ++k) {
        const Difference& difference = seen.of_candidate[k];
        const auto path = without_indices(difference.path);
        ++result_.drifted[route][path];
        if (const auto rule = against_oracle_->rules().excuse(route, difference, windows_of(seen))) {
          ++result_.rule_hits[*rule];
          seen.excused[k] = true;
          const bool ignored = against_oracle_->rules().rule(*rule).kind == AnswerRule::Kind::ignore;
          (ignored ? seen.ignored : seen.tolerated) = true;
          ++(ignored ? result_.ignored_values : result_.volatile_values)[route + ": " + path];
          continue;
        }
        if (!is_of_a_value(difference.kind)) continue;
        Group& group = groups_[route][path];
        group.of_candidate.push_back({i, &difference});
        // Where the oracle answered once, nothing tells whether it would have differed, too.
        if (!three(seen)) continue;
        group.candidate_answers.insert(i);
        group.candidate_places.emplace(i, difference.path);
      }
    }
  }

  // What the oracle's own two values say that it is: the shape of all of them.
  [[nodiscard]] ValueShape shape_of(const std::string& path, const Group& group) const {
    const auto all = [&](auto&& is) {
      return !group.of_oracle.empty() && std::all_of(group.of_oracle.begin(), group.of_oracle.end(), is);
    };
    const auto name = last_name(path);
    if (all([&](const Group::Seen& seen) { return is_moment_of_both(seen); })) return ValueShape::timestamp;
    if (all([](const Group::Seen& seen) {
          return is_uuid(plain(seen.difference->expected)) && is_uuid(plain(seen.difference->observed));
        }))
      return ValueShape::uuid;
    if (all([&](const Group::Seen& seen) {
          return is_duration(name, seen.difference->expected) && is_duration(name, seen.difference->observed);
        }))
      return ValueShape::duration;
    return ValueShape::none;
  }

  [[nodiscard]] bool is_moment_of_both(const Group::Seen& seen) const {
    const Observation& observation = observations_[seen.observation];
    const auto first = moment_in(plain(seen.difference->expected));
    const auto second = moment_in(plain(seen.difference->observed));
    return first && second && window_of(oracle_.began_ns, oracle_, *observation.oracle).holds(*first) &&
           window_of(again_->began_ns, *again_, *observation.again).holds(*second);
  }

  // Time goes on between the oracle's runs: two moments of theirs are the same only when they are cut to what lay between.
  [[nodiscard]] bool agreed_by_luck(const Observation& seen, std::string_view moment) const {
    constexpr std::int64_t coarsest_ns = 60'000'000'000;
    if (seen.again == nullptr || moment.find('.') != std::string_view::npos) return false;
    return again_->began_ns + seen.again->done_ns - oracle_.began_ns - seen.oracle->done_ns < coarsest_ns;
  }

  enum class Fate { real, masked, undecided };

  // What the shape says of a difference; nothing when it says nothing.
  [[nodiscard]] std::optional<Fate> fate_by_shape(ValueShape shape, const std::string& name, const Group& group,
                                                  const Group::Seen& seen) const {
    const std::string_view expected = plain(seen.difference->expected), observed = plain(seen.difference->observed);
    const bool noisy_here = noisy_at(group, seen);
    const auto masked_if = [](bool condition) { return condition ? Fate::masked : Fate::real; };
    switch (shape) {
      case ValueShape::timestamp: {
        const Windows windows = windows_of(observations_[seen.observation]);
        const auto a = moment_in(expected), b = moment_in(observed);
        return masked_if((noisy_here || agreed_by_luck(observations_[seen.observation], expected)) && a && b &&
                         windows.expected.holds(*a) && windows.observed.holds(*b));
      }
      case ValueShape::uuid:  // where the oracle agreed with itself it was no accident
        return masked_if(noisy_here && is_uuid(observed));
      case ValueShape::duration:
        return masked_if(is_duration(name, observed));
      case ValueShape::none:
        break;
    }
    return std::nullopt;
  }

  void judge(const std::string& route, const std::string& path, const Group& group) {
    if (group.of_oracle.empty()) return;  // the oracle does not change it: every difference counts
    NoisePath judged{route, path, shape_of(path, group), {}, {}};
    NoiseCounts& counts = judged.counts;
    counts.compared = answers_[route];
    counts.oracle_differed = static_cast<std::int64_t>(group.oracle_answers.size());
    counts.candidate_differed = static_cast<std::int64_t>(group.candidate_answers.size());
    // Of an answer that has the path in several places (elements, cells, lines), the places count: one that is noisy says nothing of its
    // neighbours. An answer speaks when places differ on one side alone.
    std::set<std::size_t> only_candidate, only_oracle;
    for (const auto& place : group.candidate_places)
      if (!group.oracle_places.contains(place)) only_candidate.insert(place.first);
    for (const auto& place : group.oracle_places)
      if (!group.candidate_places.contains(place)) only_oracle.insert(place.first);
    for (const std::size_t i : only_candidate) counts.only_candidate += !only_oracle.contains(i);
    for (const std::size_t i : only_oracle) counts.only_oracle += !only_candidate.contains(i);
    judged.decision = decide(counts);
    const auto name = last_name(path);
    bool real = false, undecided = false;
    for (const Group::Seen& seen : group.of_candidate) {
      Fate fate = Fate::masked;
      if (const auto by_shape = fate_by_shape(judged.shape, name, group, seen)) {
        fate = *by_shape;
      } else if (!noisy_at(group, seen)) {
        // Nothing that speaks is no noise: then places of one answer changed on both sides, and which of them is what nobody can tell.
        const bool shown = counts.only_candidate > 0;
        fate = judged.decision.verdict == NoiseVerdict::noise && shown        ? Fate::masked
               : judged.decision.verdict == NoiseVerdict::undecided || !shown ? Fate::undecided
                                                                              : Fate::real;
      }
      undecided = undecided || fate == Fate::undecided;
      real = real || fate == Fate::real;
      fates_[seen.difference] = fate;
      if (fate == Fate::masked) ++result_.volatile_values[route + ": " + path];
    }
    if (undecided && judged.decision.verdict != NoiseVerdict::undecided) {
      judged.decision.verdict = NoiseVerdict::undecided;
      judged.decision.needed = std::max(speaking_answers_needed, 2 * counts.compared);
    }
    // The shape has decided, one by one; how often says nothing more.
    if (judged.shape != ValueShape::none) {
      judged.decision = {real ? NoiseVerdict::broken : NoiseVerdict::noise, judged.decision.p, 0};
    }
    result_.noise.push_back(std::move(judged));
  }

  // The oracle changed this very value in this very answer.
  static bool noisy_at(const Group& group, const Group::Seen& seen) {
    return group.oracle_places.contains({seen.observation, seen.difference->path});
  }

  void classify(std::size_t index) {
    Observation& seen = observations_[index];
    std::vector<Difference> real;
    bool masked = seen.tolerated, undecided = false;
    for (std::size_t k = 0; k < seen.of_candidate.size(); ++k) {
      if (seen.excused[k]) continue;
      const auto fate = fates_.find(&seen.of_candidate[k]);
      const Fate is = fate == fates_.end() ? Fate::real : fate->second;
      masked = masked || is == Fate::masked;
      undecided = undecided || is == Fate::undecided;
      if (is == Fate::real) real.push_back(seen.of_candidate[k]);
    }
    if (!real.empty()) {
      ++result_.differed;
      result_.steps.push_back({seen.candidate->step, std::move(real)});
    } else if (undecided) {
      ++result_.undecided;
    } else if (seen.ignored) {
      ++result_.ignored;
    } else if (masked) {
      ++result_.masked;
    } else {
      ++result_.matched;
    }
  }

  const History& oracle_;
  const History* again_;
  const History& observed_;
  std::optional<AnswerComparer> against_oracle_, among_oracles_;
  std::int64_t world_began_ns_ = 0;
  std::vector<Observation> observations_;
  std::map<std::string, std::int64_t> answers_;  // of each route, that all three plays gave
  std::map<std::string, std::map<std::string, Group>> groups_;
  std::map<const Difference*, Fate> fates_;
  AnswersCompared result_;
};

}  // namespace

AnswersCompared compare_answers(const Contract& contract, const History& oracle, const History* oracle_again,
                                const History& observed, const Which& which,
                                const std::vector<const History*>& earlier) {
  return PlayComparison(contract, oracle, oracle_again, observed, earlier).run(which);
}

}  // namespace rehearse::properties
