#include "harness/fuzz/campaign.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <condition_variable>
#include <deque>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>
#include <utility>

#include "harness/commands/planning.h"
#include "harness/fuzz/openapi_file.h"
#include "harness/fuzz/relating.h"
#include "properties/check.h"
#include "properties/plans/openapi.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using properties::Judgement;
using properties::Stage;
using properties::Trial;
using properties::Verdict;
using replay::Plan;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// What a round of plans is made of: about as much time for each. They are drawn together and played by the stage that they begin in,
// because going there takes the propagation bound for every edge.
constexpr std::pair<properties::Ingredients, std::size_t> round_of_plans[] = {{properties::Ingredients::sequence, 30},
                                                                              {properties::Ingredients::lanes, 8},
                                                                              {properties::Ingredients::faults, 9},
                                                                              {properties::Ingredients::flips, 6},
                                                                              {properties::Ingredients::all, 2}};
// In a round those come first whose stage has most to break: who looks for a bug waits for the first one.
constexpr Stage stages_of_a_round[] = {Stage::shadow, Stage::live, Stage::completed, Stage::read_only, Stage::off};
std::size_t turn_of(const Plan& plan) {
  return static_cast<std::size_t>(
      std::find(std::begin(stages_of_a_round), std::end(stages_of_a_round), properties::begins_in(plan)) -
      std::begin(stages_of_a_round));
}
constexpr int confirmations = 10;
// A relation that was looked at so many times less than another one is looked at whenever it can be.
constexpr std::int64_t seldom_by = 4;

double seconds_since(Clock::time_point then) { return std::chrono::duration<double>(Clock::now() - then).count(); }

// The most telling of what a plan violates: what follows from the others comes last.
std::string headline(const std::vector<std::string>& invariants) {
  static const std::vector<std::string> order{"O1", "R1",  "R3", "C4",  "R4",  "C2",  "O2", "O4",  "O6",  "S3", "S8",
                                              "S5", "S4",  "V3", "V4",  "G15", "G13", "E!", "G8",  "R7",  "R6", "R5",
                                              "E1", "E1'", "E2", "E2'", "E3",  "E3'", "E4", "E4'", "G11", "G3", "G9",
                                              "S1", "V2",  "S7", "V6",  "G7",  "R2",  "G6", "G5",  "G4",  "G2", "G1",
                                              "M2", "M4",  "M9", "M6",  "M5",  "M1",  "M8", "M3",  "M7",  "M10"};
  for (const std::string& id : order)
    if (std::find(invariants.begin(), invariants.end(), id) != invariants.end()) return id;
  return invariants.front();
}

std::string reason_of(const Judgement& judgement) {
  for (const auto& result : judgement.results)
    if (result.verdict == Verdict::unknown) return result.invariant + ": " + result.reason;
  return {};
}

std::string file_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) throw Error(fmt::format("cannot read {}", path));
  return text.str();
}

// "G5-3f2a9c01.json": the invariant stands in the name, so that a plan that is played again is held against it.
std::string name_of_file(const std::string& invariant, const Plan& plan) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const unsigned char c : replay::to_json(plan)) hash = (hash ^ c) * 0x100000001b3;
  std::string id = invariant;
  std::replace(id.begin(), id.end(), '\'', 'b');
  return fmt::format("{}-{:08x}.json", id, static_cast<std::uint32_t>(hash ^ (hash >> 32)));
}
std::string invariant_in(const std::string& file) {
  std::string id = fs::path(file).filename().string();
  id.resize(std::min(id.find('-'), id.size()));
  if (id.ends_with('b')) id.back() = '\'';
  // A file under another name is held against every invariant.
  const auto checks = properties::all_checks();
  static const std::set<std::string> of_plans{"C2", "E!", "G4", "G8", "G12", "G15", "O3", "O4",
                                              "O6", "R4", "R6", "R7", "S5",  "S8",  "V4"};
  const bool relation = std::any_of(properties::all_relations.begin(), properties::all_relations.end(),
                                    [&](const auto named) { return properties::id_of(named) == id; });
  const bool known =
      relation || of_plans.contains(id) ||
      std::any_of(checks.begin(), checks.end(), [&](const auto& check) { return check.invariant == id; });
  return known ? id : std::string();
}

void save(const std::string& path, const Plan& plan) {
  const std::string draft = path + ".draft";
  {
    std::ofstream file(draft, std::ios::binary);
    file << replay::to_json(plan);
    if (!file) throw Error(fmt::format("cannot write {}", draft));
  }
  fs::rename(draft, path);
}

// Two systems that share a database or a flag would answer for each other.
void expect_apart(const std::vector<const Configuration*>& systems) {
  std::set<std::string> seen;
  for (const Configuration* system : systems)
    for (const auto& [what, value] :
         {std::pair("legacy database", &system->legacy_database.dsn),
          std::pair("new database", &system->new_database.dsn),
          std::pair("oracle's database", &system->fuzz.oracle_database.dsn), std::pair("flag", &system->flag.path),
          std::pair("new service", &system->new_.urls.front()),
          std::pair("legacy service", &system->legacy.urls.front())})
      if (!value->empty() && !seen.insert(*value).second)
        throw Error(fmt::format(
            "two systems that plans are played in beside each other have the same {}: give each one of its own", what));
}

class Campaign {
 public:
  Campaign(const Configuration& configuration, const properties::Catalogue& catalogue, const CampaignOptions& options)
      : config_(configuration),
        options_(options),
        worlds_(worlds_of(configuration, options)),
        drawing_(options.drawing) {
    for (const auto& each : worlds_) relating_.emplace(each.get(), Relating(*each, configuration));
    World& world = *worlds_.front();
    catalogue_ = in_world(catalogue, world);
    const auto keys = world.keys();
    for (std::size_t i = 1; i < worlds_.size(); ++i)
      if (worlds_[i]->keys() != keys)
        throw Error(
            "the systems that plans are played in beside each other do not begin with the same rows: restore all from "
            "one template");
    drawing_ = drawing_with_faults();
    coverage_.emplace(catalogue_, drawing_);
    if (catalogue_.operations.empty())
      throw Error("the traffic holds no request that could be an operation; see `rehearse show` for what it holds");
  }

  CampaignResult run() {
    started_ = Clock::now();
    play_known();
    for (const Plan& plan : options_.captured)
      if (!stopped() && result_.failures.size() < options_.failures) play_new(*worlds_.front(), plan);
    until_ = Clock::now() + options_.time;
    seed_ = options_.seed * 1'000'003;
    std::vector<std::thread> others;
    for (std::size_t i = 1; i < worlds_.size(); ++i) others.emplace_back([&, i] { play_in(*worlds_[i]); });
    play_in(*worlds_.front());
    for (std::thread& other : others) other.join();
    if (problem_) std::rethrow_exception(problem_);
    result_.missing = coverage_->missing();
    result_.coverage = coverage_->met().times;
    for (const auto& world : worlds_) {
      result_.rewinds += world->rewinds();
      result_.restores += world->restores();
      if (world->restarts() == 0) continue;
      result_.unknown += world->restarts();
      result_
          .unknown_reasons["the services did not follow the flag from one plan to the next, and were started anew"] +=
          world->restarts();
    }
    result_.seconds = seconds_since(started_);
    result_.interrupted = stopped();
    return std::move(result_);
  }

 private:
  using Lock = std::unique_lock<std::mutex>;

  [[nodiscard]] static std::vector<std::unique_ptr<World>> worlds_of(const Configuration& configuration,
                                                                     const CampaignOptions& options) {
    std::vector<const Configuration*> systems{&configuration};
    for (const Configuration& system : options.beside) systems.push_back(&system);
    expect_apart(systems);
    std::vector<std::unique_ptr<World>> worlds;
    for (const Configuration* system : systems) worlds.push_back(std::make_unique<World>(*system, options.stop));
    return worlds;
  }
  [[nodiscard]] properties::DrawingOptions drawing_with_faults() {
    auto drawing = options_.drawing;
    if (drawing.fault_cues.empty()) drawing.fault_cues = worlds_.front()->faults();
    if (drawing.faults) drawing.wires = worlds_.front()->wires();
    drawing.copy_back = !config_.copy_backward.empty();
    drawing.hung_for = std::chrono::duration_cast<std::chrono::milliseconds>(
                           std::chrono::nanoseconds(config_.contract.fault_latency_ns)) +
                       300ms;
    return drawing;
  }
  [[nodiscard]] bool stopped() const { return options_.stop != nullptr && options_.stop->load(); }
  [[nodiscard]] bool over() const {
    return stopped() || problem_ || Clock::now() >= until_ || result_.failures.size() >= options_.failures ||
           (options_.plans > 0 && handed_out_ >= options_.plans);
  }

  // One plan after the other, until there is none.
  void play_in(World& world) {
    try {
      while (const auto plan = next_plan()) play_new(world, *plan);
    } catch (...) {
      const Lock lock(mutex_);
      if (!problem_) problem_ = std::current_exception();
    }
    looked_into_.notify_all();
  }

  [[nodiscard]] std::optional<Plan> next_plan() {
    Lock lock(mutex_);
    // What another world has found may be the last failure that is wanted.
    looked_into_.wait(lock, [&] { return over() || result_.failures.size() + looking_into_ < options_.failures; });
    if (over()) return std::nullopt;
    if (round_.empty()) draw_round();
    ++handed_out_;
    Plan plan = std::move(round_.front());
    round_.pop_front();
    return plan;
  }

  // Drawn towards what the plans before have not met.
  void draw_round() {
    std::vector<Plan> plans;
    properties::MetSoFar met = coverage_->met();
    for (const auto& [ingredients, count] : round_of_plans) {
      const auto drawing = with(ingredients, drawing_);
      for (std::size_t i = 0; i < count; ++i) {
        plans.push_back(draw_plan(catalogue_, drawing, met, ++seed_));
        met.expect(plans.back());
      }
    }
    std::stable_sort(plans.begin(), plans.end(), [](const Plan& a, const Plan& b) { return turn_of(a) < turn_of(b); });
    round_.assign(std::make_move_iterator(plans.begin()), std::make_move_iterator(plans.end()));
  }

  void play_known() {
    if (options_.directory.empty() || !fs::is_directory(options_.directory)) return;
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(options_.directory))
      if (entry.path().extension() == ".json") files.push_back(entry.path().string());
    std::sort(files.begin(), files.end());
    for (const std::string& file : files) {
      if (stopped()) return;
      KnownFailure known{file, invariant_in(file), KnownFailure::Now::unknown, 0, 0};
      const Plan plan = replay::plan_from_json(file_text(file));
      const Failure again = play_again(*worlds_.front(), config_, plan, known.invariant, confirmations);
      known.failed = again.failed;
      known.played = again.played;
      if (again.failed > 0)
        known.now = KnownFailure::Now::still_failing;
      else if (again.played == confirmations && again.judgement.verdict() == Verdict::pass)
        known.now = KnownFailure::Now::fixed;
      if (options_.on_known) options_.on_known(known);
      result_.known.push_back(known);
    }
  }

  void play_new(World& world, const Plan& plan) {
    const auto began = Clock::now();
    const Trial trial = world.play(plan);
    if (stopped()) return;
    const Judgement judgement = judge(config_.contract, trial, world.noise());
    const Verdict verdict = judgement.verdict();
    std::int64_t number = 0;
    {
      const Lock lock(mutex_);
      number = ++result_.plans;
      count(trial, judgement);
      if (options_.on_progress) options_.on_progress(result_.plans, seconds_since(started_));
    }
    const Judgement related = verdict == Verdict::pass ? relate(world, trial, number) : Judgement{};
    {
      const Lock lock(mutex_);
      if (options_.on_plan) options_.on_plan(line_of(trial, judgement, related, number, began));
    }
    if (verdict == Verdict::fail) look_into_it(world, trial, judgement, number);
  }

  // One world looks into the last failure that is wanted; if it does not show again, this one is next.
  void look_into_it(World& world, const Trial& trial, const Judgement& judgement, std::int64_t number) {
    {
      Lock lock(mutex_);
      looked_into_.wait(lock, [&] {
        return stopped() || problem_ || result_.failures.size() >= options_.failures ||
               result_.failures.size() + looking_into_ < options_.failures;
      });
      if (stopped() || problem_ || result_.failures.size() >= options_.failures) return;
      ++looking_into_;
    }
    look_into(world, trial, judgement, number);
    const Lock lock(mutex_);
    --looking_into_;
    looked_into_.notify_all();
  }

  // A share of the plans that passed is played once more as a relation changes them: as the one that was looked at least of those that
  // say something. What it came to; nothing when it was none's turn.
  Judgement relate(World& world, const Trial& trial, std::int64_t number) {
    if (options_.related == 0 || properties::concurrent(trial.plan) || stopped()) return {};
    const World::Ending ending = world.take_ending();
    std::vector<properties::Relation> relations(properties::all_relations.begin(), properties::all_relations.end());
    std::map<properties::Relation, std::int64_t> times;
    {
      const Lock lock(mutex_);
      times = times_related_;
    }
    std::stable_sort(relations.begin(), relations.end(), [&](auto a, auto b) { return times[a] < times[b]; });
    const properties::RelationMeans means{!config_.new_.start.empty() && !config_.new_.stop.empty(),
                                          !config_.copy_backward.empty()};
    for (const properties::Relation relation : relations) {
      const auto plan = properties::placed(relation, config_.contract, trial, means,
                                           options_.seed * 1'000'003 + static_cast<std::uint64_t>(number));
      if (!plan) continue;
      {
        const Lock lock(mutex_);
        const bool seldom = times_related_[relation] + seldom_by < times[relations.back()];
        if (could_be_related_++ % options_.related != 0 && !seldom) return {};
        ++times_related_[relation];
      }
      return relate_by(relation, world, *plan, trial, ending, number);
    }
    return {};
  }

  Judgement relate_by(properties::Relation relation, World& world, const Plan& plan, const Trial& trial,
                      const World::Ending& ending, std::int64_t number) {
    const auto began = Clock::now();
    Look look{trial, {}, std::nullopt, {}};
    relating_.at(&world).relate(plan, look, ending);
    if (stopped() || !look.changed) return {};
    const Verdict of_changed = look.of_changed.verdict(), of_both = look.judgement.verdict();
    {
      const Lock lock(mutex_);
      ++result_.related;
      result_.related_seconds += seconds_since(began);
      result_.requests += static_cast<std::int64_t>(look.changed->played.records.size());
      for (const auto& result : look.judgement.results)
        if (result.verdict != Verdict::unknown) ++result_.checked[result.invariant];
      if (of_both == Verdict::unknown) {
        ++result_.unknown;
        for (const auto& result : look.judgement.results)
          if (result.verdict == Verdict::unknown)
            ++result_.unknown_reasons[fmt::format("{}, {}: {}", id_of(relation), result.invariant, result.reason)];
        if (!options_.directory.empty())
          save((fs::path(options_.directory) / fmt::format("unknown-{}.plan", number)).string(), plan);
      }
    }
    // What the changed plan breaks by itself needs no other plan to be shown.
    if (of_changed == Verdict::fail)
      look_into_it(world, *look.changed, look.of_changed, number);
    else if (of_both == Verdict::fail)
      look_into_it(world, look.trial, look.judgement, number);
    return look.judgement;
  }

  void count(const Trial& trial, const Judgement& judgement) {
    result_.requests += static_cast<std::int64_t>(trial.played.records.size());
    learn_amounts(catalogue_, trial.played);
    const Verdict verdict = judgement.verdict();
    for (const auto& result : judgement.results)
      if (result.verdict != Verdict::unknown) ++result_.checked[result.invariant];
    // What was drawn met nothing: the plan proves nothing, and others will. What was never met is missing from the coverage.
    const bool idle = verdict == Verdict::unknown && !trial.unfired.empty() &&
                      std::all_of(judgement.results.begin(), judgement.results.end(), [](const auto& result) {
                        return result.verdict != Verdict::unknown || result.invariant == "G16";
                      });
    if (idle) {
      ++result_.unfired;
    } else if (verdict == Verdict::unknown) {
      ++result_.unknown;
      for (const auto& result : judgement.results)
        if (result.verdict == Verdict::unknown) ++result_.unknown_reasons[result.invariant + ": " + result.reason];
    }
    if (verdict == Verdict::pass) coverage_->add(config_.contract, trial);
    // What could not be told is kept beside the failing ones, for a person.
    if (verdict == Verdict::unknown && !idle && !options_.directory.empty())
      save((fs::path(options_.directory) / fmt::format("unknown-{}.plan", result_.plans)).string(), trial.plan);
  }

  [[nodiscard]] static std::string line_of(const Trial& trial, const Judgement& judgement, const Judgement& related,
                                           std::int64_t number, Clock::time_point began) {
    json::array way, violated_ids;
    for (const auto stage : properties::stages_of(trial.plan)) way.emplace_back(properties::name_of(stage));
    for (const auto& id : violated(judgement)) violated_ids.emplace_back(id);
    json::object line{{"plan", number},
                      {"verdict", properties::name_of(judgement.verdict())},
                      {"way", std::move(way)},
                      {"requests", trial.played.records.size()},
                      {"concurrent", properties::concurrent(trial.plan)},
                      {"faults", trial.faults.size()},
                      {"orders", trial.serial.size()},
                      {"violated", std::move(violated_ids)},
                      {"unknown", reason_of(judgement)},
                      {"ms", std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began).count()}};
    if (!related.results.empty())
      line["related"] = json::object{{"by", related.results.front().invariant},
                                     {"how", related.results.front().scope},
                                     {"verdict", properties::name_of(related.verdict())}};
    return json::serialize(line);
  }

  // Confirms and shrinks it in the world that showed it, while other worlds go on.
  void look_into(World& world, const Trial& trial, const Judgement& judgement, std::int64_t number) {
    const Plan& plan = trial.plan;
    const double seconds = seconds_since(started_);
    std::vector<std::string> ids = violated(judgement);
    std::string invariant = headline(ids);
    if (options_.on_first) {
      const Lock lock(mutex_);
      options_.on_first(trial, judgement, number);
    }
    Failure failure = play_again(world, config_, plan, invariant, confirmations);
    // What only seemed so may stand beside what is.
    while (failure.failed == 0 && ids.size() > 1 && !stopped()) {
      std::erase(ids, invariant);
      invariant = headline(ids);
      failure = play_again(world, config_, plan, invariant, confirmations);
    }
    if (failure.failed == 0) {
      const Lock lock(mutex_);
      // What a restored world does not show may be the doing of an earlier plan: kept, told, and no proof.
      ++result_.not_reproduced;
      ++result_.unknown_reasons[fmt::format("{}: it failed once and not in {} times in a restored world", invariant,
                                            failure.played)];
      if (!options_.directory.empty()) keep(plan, invariant);
      return;
    }
    properties::ShrinkOptions shrinking;
    shrinking.budget = options_.shrink ? options_.shrink_budget : std::chrono::milliseconds(0);
    shrinking.tries = properties::tries_for(failure.failed, failure.played);
    const properties::Attempt attempt = [&](const Plan& candidate) {
      if (stopped()) return std::set<std::string>{};
      const auto broken = violated(relating_.at(&world).play(candidate).judgement);
      return std::set<std::string>(broken.begin(), broken.end());
    };
    properties::Shrunk shrunk{plan, false, 0, {}};
    if (options_.shrink) shrunk = shrink(plan, invariant, attempt, shrinking);
    // What the shrunk plan does in restored worlds is what is reported.
    Failure of_shrunk = play_again(world, config_, shrunk.plan, invariant, confirmations);
    if (of_shrunk.failed == 0) {
      of_shrunk = std::move(failure);
      shrunk.plan = plan;
      shrunk.minimal = false;
    }
    of_shrunk.shrunk = std::move(shrunk);
    of_shrunk.length_before = properties::length_of(plan);
    of_shrunk.plan_number = number;
    of_shrunk.seconds = seconds;
    const Lock lock(mutex_);
    if (!options_.directory.empty()) of_shrunk.file = keep(of_shrunk.shrunk.plan, invariant);
    if (options_.on_failure) options_.on_failure(of_shrunk);
    result_.failures.push_back(std::move(of_shrunk));
  }

  std::string keep(const Plan& plan, const std::string& invariant) const {
    fs::create_directories(options_.directory);
    const std::string path = (fs::path(options_.directory) / name_of_file(invariant, plan)).string();
    save(path, plan);
    return path;
  }

  const Configuration& config_;
  const CampaignOptions& options_;
  std::vector<std::unique_ptr<World>> worlds_;
  std::map<World*, Relating> relating_;  // one for each of the worlds, which alone uses it
  properties::DrawingOptions drawing_;
  Clock::time_point started_, until_;
  // What the worlds share.
  std::mutex mutex_;
  std::condition_variable looked_into_;
  properties::Catalogue catalogue_;
  std::optional<properties::Coverage> coverage_;
  std::uint64_t seed_ = 0;
  std::deque<Plan> round_;
  std::int64_t handed_out_ = 0;
  std::map<properties::Relation, std::int64_t> times_related_;
  std::size_t could_be_related_ = 0;
  std::size_t looking_into_ = 0;  // failures that are being confirmed and shrunk
  std::exception_ptr problem_;
  CampaignResult result_;
};

}  // namespace

Failure play_again(World& world, const Configuration& configuration, const Plan& plan, const std::string& invariant,
                   int times) {
  Failure failure;
  failure.invariant = invariant;
  failure.shrunk.plan = plan;
  failure.length_before = properties::length_of(plan);
  world.restore_each_time(true);
  Relating relating(world, configuration);
  for (int i = 0; i < times; ++i) {
    auto [trial, judgement, changed, of_changed] = relating.play(plan);
    if (trial.played.interrupted || (changed && changed->played.interrupted)) break;
    ++failure.played;
    const auto ids = violated(judgement);
    const bool failed = invariant.empty() ? !ids.empty() : std::find(ids.begin(), ids.end(), invariant) != ids.end();
    failure.failed += failed;
    // What is told is the first play that failed, or the one that proved least.
    const bool worse = failure.failed == 0 && judgement.verdict() > failure.judgement.verdict();
    if (i == 0 || worse || (failed && failure.invariants.empty())) {
      failure.trial = std::move(trial);
      failure.judgement = std::move(judgement);
      failure.changed = std::move(changed);
      if (failed) failure.invariants = ids;
    }
    // One that never failed in three is a race or nothing; one that always did needs no more.
    if (failure.played >= 3 && failure.failed == failure.played) break;
  }
  world.restore_each_time(false);
  return failure;
}

properties::Catalogue operations_of(const Configuration& configuration, const std::string& traffic) {
  const auto& document = configuration.fuzz.openapi;
  if (traffic.empty() && document.empty())
    throw Error(
        "operations are mined from traffic or read from an OpenAPI document, and neither is named: give `traffic:` in "
        "the "
        "configuration or --traffic FILE, or fuzz.openapi");
  const auto is_read = [&](std::string_view method, std::string_view path) {
    return configuration.is_read(method, path);
  };
  properties::Catalogue catalogue;
  if (!traffic.empty()) {
    replay::PlannerOptions planner;
    planner.is_read = is_read;
    const auto planned = plan_files({traffic}, configuration.redaction, {}, planner);
    catalogue = properties::operations_in(
        planned.plan, [&](const replay::Step& step) { return configuration.is_business(step.request.get()->target); });
  }
  if (document.empty()) return catalogue;
  auto described = properties::operations_in_openapi(json_of_document(document), is_read);
  std::erase_if(described.operations, [&](const properties::Operation& operation) {
    return !configuration.is_business(operation.samples.front().request->target);
  });
  return joined(std::move(catalogue), described);
}

Plan captured_plan(const Configuration& configuration, const std::string& traffic, properties::Stage begins) {
  replay::PlannerOptions planner;
  planner.is_read = [&](std::string_view method, std::string_view path) { return configuration.is_read(method, path); };
  Plan captured = plan_files({traffic}, configuration.redaction, {}, planner).plan;
  Plan plan;
  replay::StepId last = 0;
  for (const replay::Step& step : captured.steps) last = std::max(last, step.id);
  replay::Step world;
  world.id = ++last;
  world.cue = cue_of(properties::world_at(begins));
  plan.steps.push_back(world);
  for (replay::Step& step : captured.steps) {
    if (!step.request || !configuration.is_business(step.request.get()->target)) continue;
    step.lane = 1;
    step.due_ns = 0;
    step.overlaps = step.http2 = false;
    step.after = {{plan.steps.back().id, replay::CauseKind::hand}};
    plan.steps.push_back(std::move(step));
  }
  // What was left out makes nothing.
  std::set<replay::StepId> kept;
  for (const replay::Step& step : plan.steps) kept.insert(step.id);
  for (replay::Step& step : plan.steps) {
    std::erase_if(step.uses, [&](const replay::Use& use) { return !kept.contains(use.from); });
    if (!kept.contains(step.retry_of)) step.retry_of = 0;
  }
  return plan;
}

properties::Catalogue in_world(properties::Catalogue catalogue, World& world) {
  const auto sorts = properties::sorts_of_entities(catalogue);
  std::map<properties::Sort, std::vector<std::string>> held;
  for (auto& [entity, keys] : world.keys()) {
    const auto sort = sorts.find(entity);
    auto& of_sort = held[sort == sorts.end() ? entity : sort->second];
    of_sort.insert(of_sort.end(), keys.begin(), keys.end());
  }
  for (auto& [sort, keys] : held) {
    const auto values = catalogue.values.find(sort);
    if (values == catalogue.values.end() || !values->second.reference || keys.empty()) continue;
    // One of those that were captured stays: most likely the world does not hold it.
    if (!values->second.seen.empty()) keys.push_back(values->second.seen.back());
    values->second.seen = std::move(keys);
  }
  return catalogue;
}

CampaignResult run_campaign(const Configuration& configuration, const properties::Catalogue& catalogue,
                            const CampaignOptions& options) {
  return Campaign(configuration, catalogue, options).run();
}

}  // namespace rehearse::harness
