#include "harness/fuzz/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <set>
#include <thread>

#include "harness/databases/comparison.h"
#include "harness/databases/restore.h"
#include "harness/fuzz/world_words.h"
#include "harness/process.h"
#include "harness/services.h"
#include "replay/error.h"
#include "replay/player.h"
#include "replay/values.h"

namespace rehearse::harness {
namespace {

using properties::Stage;
using properties::Trial;
using replay::History;
using replay::Plan;
using replay::Step;
using replay::StepId;
using namespace std::chrono_literals;

// Of PostgreSQL's 63: two long names must not be cut to the same one.
constexpr std::size_t max_name_bytes = 63;

constexpr auto behind_faults = 150ms;

void expect_permitted(const Configuration& configuration) {
  if (configuration.fuzz.oracle_url.empty())
    throw Error(
        "generated plans are held against legacy alone: start a second legacy service with a database of its own and "
        "its "
        "flag off, and name both under fuzz.oracle (url, dsn, disposable: true)");
  if (!configuration.legacy.writes_allowed || !configuration.new_.writes_allowed)
    throw Error(
        "generated plans write to both services: write `writes: allowed` beside services.legacy and services.new when "
        "they "
        "are not production");
  for (const auto& [database, key] : {std::pair(&configuration.legacy_database, "databases.legacy"),
                                      std::pair(&configuration.new_database, "databases.new"),
                                      std::pair(&configuration.fuzz.oracle_database, "fuzz.oracle")}) {
    if (!database->disposable)
      throw Error(fmt::format(
          "generated plans alter, break and restore the databases: if {} may be lost, write disposable: true there",
          key));
  }
  if (configuration.copy_forward.empty())
    throw Error(
        "copy.forward is missing in the configuration: give the command that copies legacy to the new database");
}

constexpr std::size_t most_direct_requests = 12;

}  // namespace

World::World(const Configuration& configuration, const std::atomic<bool>* stop)
    : config_(configuration), stop_(stop), stages_(configuration) {
  expect_permitted(configuration);
  for (const WireSettings& wire : configuration.fuzz.wires) wires_.push_back(std::make_unique<Wire>(wire));
  undo_what_was_left();
  stages_.learn();
  try {
    set_up();
  } catch (const StageNotServed&) {
    leave_as_found();
    throw Error("the services do not follow the flag; `rehearse gate` says which one stays behind");
  } catch (...) {
    leave_as_found();
    throw;
  }
}

void World::set_up() {
  stages_.go_to(Stage::off);
  make_images();
  open();
  const auto same = states_->compare(states_->legacy(), states_->oracle());
  if (same.differences > 0)
    throw Error(
        fmt::format("the oracle's database does not begin as the legacy database does ({} differences; {} {} is one): "
                    "restore both from one template",
                    same.differences, same.rows.front().entity, same.rows.front().key));
}

World::~World() { leave_as_found(); }

// The flag off, both databases as at the start, nothing broken, and no image.
void World::leave_as_found() noexcept {
  const auto attempt = [](const auto& step) {
    try {
      step();
    } catch (const Error&) {  // the next run restores, and says what is wrong
    } catch (const StageNotServed&) {
    }
  };
  attempt([&] {
    Trial nothing;
    end_faults(nothing);
  });
  attempt([&] {
    if (oracle_putting_back_.valid()) static_cast<void>(oracle_putting_back_.get());
  });
  attempt([&] {
    if (oracle_) static_cast<void>(oracle_->rewind());
  });
  attempt([&] {
    if (legacy_)
      begin(Stage::off);
    else
      stages_.go_to(Stage::off);
  });
  close();
  oracle_.reset();
  for (const auto& [database, what, image] : {std::tuple(&config_.legacy_database, legacy_name, Image::seeded),
                                              std::tuple(&config_.new_database, new_name, Image::seeded),
                                              std::tuple(&config_.new_database, new_name, Image::copied),
                                              std::tuple(&config_.fuzz.oracle_database, oracle_name, Image::seeded)})
    attempt([&, d = database, w = what, i = image] { drop(*d, w, image_name(*d, i)); });
}

// What a run that was killed has left broken.
void World::undo_what_was_left() {
  std::error_code error;
  const std::string away = config_.flag.path + ".away";
  if (config_.flag.kind == FlagSettings::Kind::flagd_file && std::filesystem::exists(away, error))
    std::filesystem::rename(away, config_.flag.path, error);
  for (const auto& [database, what] :
       {std::pair(&config_.legacy_database, legacy_name), std::pair(&config_.new_database, new_name)}) {
    Session maintenance = maintenance_session(database->dsn, what);
    const std::string name = maintenance.quoted_name(database_in(database->dsn));
    maintenance.run(fmt::format("ALTER DATABASE {0} WITH ALLOW_CONNECTIONS true", name));
    maintenance.run(fmt::format("ALTER DATABASE {0} RESET default_transaction_read_only", name));
  }
}

World::Image World::image_of(Stage begins) {
  return begins == Stage::off || begins == Stage::read_only ? Image::seeded : Image::copied;
}

std::string World::image_name(const DatabaseSettings& database, Image image) const {
  const std::string suffix = image == Image::seeded ? "_rehearse_seeded" : "_rehearse_copied";
  return database_in(database.dsn).substr(0, max_name_bytes - suffix.size()) + suffix;
}

void World::make_images() {
  const auto deadline = config_.command_deadline;
  restore(config_.legacy_database, legacy_name, deadline);
  restore(config_.new_database, new_name, deadline);
  for (const auto& [database, what] :
       {std::pair(&config_.legacy_database, legacy_name), std::pair(&config_.new_database, new_name),
        std::pair(&config_.fuzz.oracle_database, oracle_name)})
    keep_as(*database, what, image_name(*database, Image::seeded), deadline);
  stages_.go_to(Stage::read_only);
  if (!stages_.copy_forward()) throw Error("the copy failed; run copy.forward by hand and read what it says");
  keep_as(config_.new_database, new_name, image_name(config_.new_database, Image::copied), deadline);
  image_ = Image::copied;
}

void World::open() {
  legacy_ = std::make_unique<Rewinder>(config_.legacy_database, legacy_name,
                                       image_name(config_.legacy_database, Image::seeded));
  new__ = std::make_unique<Rewinder>(config_.new_database, new_name, image_name(config_.new_database, *image_));
  if (!oracle_)
    oracle_ = std::make_unique<Rewinder>(config_.fuzz.oracle_database, oracle_name,
                                         image_name(config_.fuzz.oracle_database, Image::seeded));
  states_ = std::make_unique<StoreStates>(
      config_.entities,
      harness::Side{config_.legacy_database.dsn, "legacy database", true, &config_.ignored_legacy_columns},
      harness::Side{config_.new_database.dsn, "new database", false, &config_.ignored_new_columns},
      harness::Side{config_.fuzz.oracle_database.dsn, "legacy alone", true, &config_.ignored_legacy_columns});
  legacy_session_ = std::make_unique<Session>(config_.legacy_database.dsn, legacy_name);
  new_session_ = std::make_unique<Session>(config_.new_database.dsn, new_name);
  std::tie(legacy_sources_, new_sources_) = row_sources(config_.entities, *legacy_session_, *new_session_);
}

void World::close() {
  // What it ended with is of a world that is given up.
  if (putting_back_.valid()) putting_back_.wait();
  putting_back_ = {};
  states_.reset();
  legacy_.reset();
  new__.reset();
  legacy_session_.reset();
  new_session_.reset();
}

std::vector<int> World::own_processes() const {
  auto ids = states_->processes();
  for (const auto* rewinder : {legacy_.get(), new__.get()})
    for (const int id : rewinder->processes()) ids.push_back(id);
  ids.push_back(legacy_session_->process_id());
  ids.push_back(new_session_->process_id());
  return ids;
}

// Both at once: each works in a database of its own.
bool World::put_back() {
  if (putting_back_.valid() && !putting_back_.get()) return false;
  auto of_new = std::async(std::launch::async, [&] { return new__->rewind(); });
  const bool of_legacy = legacy_->rewind();
  return of_new.get() && of_legacy;
}

void World::put_back_meanwhile() {
  if (fresh_) return;
  putting_back_ = std::async(std::launch::async, [&] { return new__->rewind() && legacy_->rewind(); });
}

void World::rewind(Image image) {
  if (image_ == image && !fresh_ && legacy_ && put_back()) {
    ++rewinds_;
    return;
  }
  close();
  restore_from(config_.legacy_database, legacy_name, image_name(config_.legacy_database, Image::seeded),
               config_.command_deadline);
  restore_from(config_.new_database, new_name, image_name(config_.new_database, image), config_.command_deadline);
  image_ = image;
  ++restores_;
  open();
}

// Over legal edges to the stage, with the copies that they need. Nobody sends anything meanwhile, and answers say which stage they
// were served under, so the propagation bound is waited for only where they do not.
bool World::go_to(Stage stage) {
  while (stages_.now() != stage) {
    const Stage now = stages_.now(), next = properties::path(now, stage)[1];
    if (now == Stage::read_only && next == Stage::shadow && !stages_.copy_forward())
      throw Error("the copy failed; run copy.forward by hand and read what it says");
    if (now == Stage::completed && !stages_.copy_backward())
      throw Error("the catch-up copy failed; run copy.backward by hand and read what it says");
    last_move_ns_ = wall_clock_ns();
    if (stages_.follow(next, config_.flag.propagation + 1s) == 0) return false;
  }
  if (config_.contract.stage_header.empty()) run_settle();
  return true;
}

void World::run_settle() const {
  const auto left = last_move_ns_ + std::chrono::nanoseconds(config_.flag.propagation).count() - wall_clock_ns();
  if (left > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(left));
}

// A legacy service that was stopped, killed or paused answers again before the next plan begins, or there is none.
void World::expect_services() const {
  const auto until = std::chrono::steady_clock::now() + 5s;
  while (true) {
    const auto polls = poll_stages(config_);
    const auto silent =
        std::find_if(polls.begin(), polls.end(), [](const auto& poll) { return poll.value == "nothing"; });
    if (silent == polls.end()) return;
    if (std::chrono::steady_clock::now() > until)
      throw Error(fmt::format(
          "the {} service does not answer any more, and nothing is broken on purpose; what does its log say?",
          silent->service));
    std::this_thread::sleep_for(5ms);
  }
}

// What a service keeps in memory may close an edge for ever; who may be started anew is. False where nobody may.
bool World::start_services_anew() {
  if (config_.legacy.stop.empty() || config_.new_.stop.empty()) return false;
  ++restarts_;
  stages_.set(stages_.now());
  for (const auto& [service, name] : {std::pair(&config_.new_, "new"), std::pair(&config_.legacy, "legacy")})
    for (const char* verb : {"stop", "start"})
      run_or_throw(command_of(*service, verb), config_.command_deadline,
                   fmt::format("the command to {} the {} service", verb, name));
  expect_services();
  return stages_.agree(config_.flag.propagation + 3s);
}

// Every service serves one stage, and we know which: what follows would be judged by another one.
void World::expect_one_stage() {
  const Stage believed = stages_.now();
  if (stages_.agree(config_.flag.propagation + 1s)) return;
  if (start_services_anew()) return;
  throw Error(
      fmt::format("the services do not serve one stage any more, and the flag says {}: start them anew; where "
                  "services.*.stop and start are given, that is done here",
                  name_of(believed)));
}

void World::begin(Stage stage) {
  // Copies and guards read what is still being put back.
  if (putting_back_.valid()) putting_back_.wait();
  expect_services();
  expect_one_stage();
  if (!go_to(stage)) {
    // What the last plan left open may close the edges; an alert may still be on its way to where it is kept.
    bool arrived = false;
    for (int tried = 0; tried < 4 && !arrived; ++tried) {
      std::this_thread::sleep_for(tried * 100ms);
      rewind(image_of(stages_.now()));
      arrived = go_to(stage);
    }
    if (!arrived && start_services_anew()) {
      rewind(image_of(stages_.now()));
      arrived = go_to(stage);
    }
    if (!arrived)
      throw Error(fmt::format(
          "the services serve {} and do not follow the flag on the way to {}, with both databases restored; "
          "`rehearse gate` says which one stays behind",
          name_of(stages_.now()), name_of(stage)));
  }
  rewind(image_of(stage));
}

// -- playing -------------------------------------------------------------------------------------------------------------

History World::play_on(const Plan& plan, const std::string& name, const std::string& target,
                       const TargetSettings& settings, const std::function<void(const Step&)>& on_cue) {
  replay::PlayOptions options;
  options.name = name;
  options.target = target;
  options.connect_deadline = options.deadline = config_.deadline;
  options.stop = stop_;
  options.on_cue = on_cue;
  options.real_time = false;
  if (target == config_.new_.urls.front()) {
    options.other_instances.assign(config_.new_.urls.begin() + 1, config_.new_.urls.end());
    if (const Wire* client = wire_named("client")) {
      options.target = "http://" + client->settings().listen;
      options.host = target.substr(target.find("//") + 2);
    }
  }
  const Target adapted(settings, plan, stop_);
  adapted.apply(options);
  History history = replay::play(plan, options);
  history.target = target;
  return history;
}

Trial World::play(const Plan& plan) {
  Trial trial;
  trial.plan = plan;
  trial.began = properties::begins_in(plan);
  begin(trial.began);
  trial.copied = image_of(trial.began) == Image::copied;
  const AlertReader alerts(config_);
  flag_.reset();
  altering_.clear();
  for (const auto& wire : wires_) static_cast<void>(wire->take_evidence());
  try {
    trial.played = play_on(plan, "played", config_.new_.urls.front(), config_.new_.target,
                           [&](const Step& step) { run_cue(properties::signal_in(step.cue), trial); });
  } catch (...) {
    end_faults(trial);
    throw;
  }
  end_faults(trial);
  // A plan may end while the flag says something else than what was seen to be served: where an edge leads there, it is taken.
  if (flag_ && legal(stages_.now(), *flag_)) {
    const auto served = stages_.follow(*flag_, config_.flag.propagation + 500ms);
    if (!trial.moves.empty() && trial.moves.back().served_ns == 0) trial.moves.back().served_ns = served;
  } else if (flag_ && *flag_ != stages_.now()) {
    stages_.set(stages_.now());
  }
  // On a machine that is busy a service may follow after we gave it up.
  if (!trial.moves.empty() && !stages_.agree(config_.flag.propagation + 3s)) {
    trial.disagreed = true;
    if (!trial.faults.empty()) trial.problem = "the services do not serve one stage at its end";
  }
  trial.ended = stages_.now();
  if (trial.played.interrupted) {
    trial.problem = "it was interrupted";
    return trial;
  }
  come_to_rest(trial);
  look(trial);
  take_upstream(trial);
  ask_legacy_itself(trial);
  trial.alerts = alerts.finish();
  // A service that began anew counts from zero; then its log says how many there were, or nobody does.
  const bool restarted = std::any_of(trial.faults.begin(), trial.faults.end(), [](const auto& fault) {
    return fault.what == "new" && (fault.how == "kill" || fault.how == "stop");
  });
  if (restarted && trial.alerts.logged_known)
    trial.alerts.counted = std::max(trial.alerts.counted, static_cast<std::int64_t>(trial.alerts.logged.size()));
  else if (restarted)
    trial.alerts.known = false;
  put_back_meanwhile();
  hold_against_legacy(trial);
  return trial;
}

// Nobody at work in either database: what the services still do behind their answers would be taken for a difference.
void World::come_to_rest(Trial& trial) {
  const auto own = own_processes();
  const auto busy = [&](Session& session) {
    return session.number(
        fmt::format("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = "
                    "'client backend' AND "
                    "state <> 'idle' AND pid <> ALL ('{{{}}}'::int[])",
                    fmt::join(own, ",")));
  };
  // Behind a fault a service still writes down what it could not: an alert that comes when the next plan has begun would be that one's.
  // Nothing fails for what only waited.
  const bool broke = std::any_of(trial.faults.begin(), trial.faults.end(), [](const auto& f) { return !f.schedules; });
  if (broke) std::this_thread::sleep_for(behind_faults);
  const auto until = std::chrono::steady_clock::now() + config_.quiet;
  while (busy(*legacy_session_) + busy(*new_session_) > 0) {
    if (std::chrono::steady_clock::now() > until) {
      trial.quiet = false;
      return;
    }
    std::this_thread::sleep_for(2ms);
  }
}

void World::take_log(Rewinder& rewinder, const RowSources& sources, const std::map<std::string, std::string>& ignored,
                     Trial& trial, properties::StoreLog& log, properties::WriteLog& writes) {
  log.known = writes.known = true;
  for (const Commit& commit : rewinder.committed()) {
    const bool copied = std::any_of(trial.copies.begin(), trial.copies.end(), [&](const auto& copy) {
      return copy.wrote(&rewinder == new__.get(), commit.at_ns);
    });
    if (altering_.contains(commit.transaction)) continue;
    properties::CommittedTransaction transaction{commit.transaction, commit.at_ns, {}};
    for (const Commit::Change& change : commit.changes) {
      const std::string_view table = change.table;
      const auto bare = table.substr(std::min(table.find('.') + 1, table.size()));
      if (ignored.contains(change.table) || ignored.contains(std::string(bare))) continue;
      transaction.rows.push_back(change.line);
      if (!copied) add_writes({change.kind, commit.transaction, change.table, change.line}, sources, writes);
    }
    set_committed({commit.transaction, commit.at_ns, ""}, writes);
    if (!transaction.rows.empty()) log.transactions.push_back(std::move(transaction));
  }
}

// What the new service asked legacy for.
void World::take_upstream(Trial& trial) const {
  Wire* wire = wire_named("legacy");
  if (wire == nullptr) return;
  WireEvidence evidence = wire->take_evidence();
  trial.upstream_known = evidence.whole;
  for (WireMessage& message : evidence.messages)
    if (message.request) trial.upstream.push_back({message.at_ns, *std::move(message.request)});
}

// Each database in a thread of its own.
void World::read_stores(Trial& trial) {
  auto of_new = std::async(std::launch::async, [&] {
    take_log(*new__, new_sources_, config_.ignored_new_tables, trial, trial.new_, trial.new_writes);
    new_state_ = states_->new_();
  });
  take_log(*legacy_, legacy_sources_, config_.ignored_legacy_tables, trial, trial.legacy, trial.legacy_writes);
  legacy_state_ = states_->legacy();
  of_new.get();
  trial.stores = states_->compare(legacy_state_, new_state_);
}

void World::look(Trial& trial) {
  read_stores(trial);
  // What is written behind the answers, by a queue, may still be on its way.
  const bool dual = trial.ended == Stage::shadow || trial.ended == Stage::live;
  for (const auto pause : {20ms, 100ms, 400ms}) {
    if (!dual || !trial.copied || trial.stores.differences == 0 || !trial.faults.empty()) break;
    std::this_thread::sleep_for(pause);
    read_stores(trial);
  }
  if (!config_.sequences.empty()) trial.ids = id_spaces(config_, *legacy_session_, *new_session_);
}

// Where legacy must refuse whoever comes past the new service: writes in read-only, everything in completed.
void World::ask_legacy_itself(Trial& trial) {
  const bool all = trial.ended == Stage::completed;
  if ((!all && trial.ended != Stage::read_only) || !trial.faults.empty()) return;
  // A flip that was under way may not have come to the legacy service.
  if (!trial.moves.empty()) run_settle();
  Plan plan;
  std::set<std::string> routes;
  for (const auto& record : trial.played.records) {
    if (plan.steps.size() == most_direct_requests) break;
    if ((record.read && !all) || !routes.insert(replay::route_of(record.request.method, record.request.target)).second)
      continue;
    Step step;
    step.id = static_cast<StepId>(plan.steps.size()) + 1;
    step.request = record.request;
    step.read = record.read;
    if (!plan.steps.empty()) step.after.push_back({plan.steps.back().id, replay::CauseKind::hand});
    plan.steps.push_back(std::move(step));
  }
  if (!plan.steps.empty())
    trial.direct = play_on(plan, "legacy itself", config_.legacy.urls.front(), config_.legacy.target, {});
}

std::map<std::string, std::vector<std::string>> World::keys() {
  std::map<std::string, std::vector<std::string>> keys;
  for (const auto& [entity, rows] : states_->legacy().entities) {
    auto& of_entity = keys[replay::entity_name(entity)];
    for (const auto& [key, cells] : rows) of_entity.push_back(key);
  }
  return keys;
}

std::set<std::string> World::wires() const {
  std::set<std::string> names;
  for (const auto& wire : wires_) names.insert(wire->settings().name);
  return names;
}

std::vector<std::pair<std::string, std::string>> World::faults() const {
  std::vector<std::pair<std::string, std::string>> cues;
  for (const char* database : {"new-database", "legacy-database"})
    for (const char* how : {"stopped", "read-only", "hung"})
      cues.emplace_back(fmt::format("break {} {}", database, how), "mend");
  for (const auto& [service, name] : {std::pair(&config_.legacy, "legacy"), std::pair(&config_.new_, "new")}) {
    // A new service that stands still answers nobody, in any stage.
    if (!service->stop.empty() && service == &config_.legacy)
      cues.emplace_back(fmt::format("stop {}", name), fmt::format("start {}", name));
    if (!service->kill.empty()) cues.emplace_back(fmt::format("kill {}", name), fmt::format("start {}", name));
    if (!service->pause.empty() && service == &config_.legacy)
      cues.emplace_back(fmt::format("pause {}", name), fmt::format("resume {}", name));
  }
  if (!config_.poison_new.empty()) cues.emplace_back("alter new-database", "");
  if (!config_.poison_legacy.empty()) cues.emplace_back("alter legacy-database", "");
  if (config_.flag.kind == FlagSettings::Kind::flagd_file) {
    cues.emplace_back("flag gone", "flag back");
    cues.emplace_back("flag garbage", "flag back");
  }
  for (const auto& wire : wires_) {
    const std::string& name = wire->settings().name;
    if (name == "flag") continue;
    const bool database = wire->settings().protocol() == WireProtocol::postgres;
    for (const char* rule :
         database ? std::array{"cut after commit", "reset write", "delay 300ms write", "answer error 40001 write"}
                  : std::array{"cut after answer write", "reset write", "delay 300ms write", "answer status 503 write"})
      cues.emplace_back(fmt::format("wire {}: {}", name, rule), "mend");
    // Whoever speaks to us may go away; a service that speaks to another one does so for a reason of its own.
    if (name != "client") continue;
    for (const char* rule : {"hang up write", "hang up after 3ms write"})
      cues.emplace_back(fmt::format("wire {}: {}", name, rule), "mend");
  }
  return cues;
}

}  // namespace rehearse::harness
