#include "harness/rehearsal.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <thread>
#include <tuple>
#include <utility>

#include "harness/latency/samples.h"
#include "harness/latency/stage_measurement.h"
#include "harness/probes.h"
#include "harness/process.h"
#include "harness/services.h"
#include "harness/stage_control.h"
#include "harness/stores.h"
#include "replay/error.h"
#include "replay/history_file.h"
#include "replay/player.h"

namespace rehearse::harness {
namespace {

using properties::Comparison;
using properties::Edge;
using properties::Evidence;
using properties::Fault;
using properties::Section;
using properties::Stage;
using replay::History;
using replay::Plan;
using Kind = properties::Mark::Kind;

constexpr const char* oracle_1 = properties::first_oracle;
constexpr const char* oracle_2 = properties::second_oracle;
constexpr const char* reads_1 = "oracle of reads 1";
constexpr const char* reads_2 = "oracle of reads 2";
// So many answers beyond the bound prove that a fault is not hidden; waiting for hundreds more proves nothing else.
constexpr std::size_t max_late_answers = 3;
constexpr auto services_start_within = std::chrono::seconds(10);

struct Interrupted {};

std::int64_t wall_clock_ns() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

class Rehearsal {
 public:
  Rehearsal(const Configuration& configuration, const Plan& plan, const RehearsalOptions& options)
      : config_(configuration),
        plan_(plan),
        options_(options),
        stages_(configuration, [this](Kind kind, std::string text) { mark(kind, std::move(text)); }),
        stores_(configuration) {
    evidence_.contract = config_.contract;
    std::erase_if(evidence_.contract.budgets, [&](const auto& budget) { return !selected(budget.stage); });
    evidence_.waived = config_.waived;
    evidence_.conservation = options.conservation;
    evidence_.complete = false;
    evidence_.began_ns = wall_clock_ns();
  }

  Evidence run() {
    check_permissions();
    stages_.learn();
    legacy_target_.emplace(config_.legacy.target, plan_);
    new_target_.emplace(config_.new_.target, plan_);
    writer_.emplace(options_.history_path);
    for (const auto& [name, body] : options_.documents) writer_->add_document(name, body);
    // A restore would make the database that a wrong name names.
    static_cast<void>(Session(config_.legacy_database.dsn, Stores::legacy_name));
    static_cast<void>(Session(config_.new_database.dsn, Stores::new_name));
    if (options_.on_start) options_.on_start(expected());
    try {
      rehearse_oracle();
      for (Stage stage : properties::all_stages) {
        if (selected(stage)) rehearse_stage(stage);
      }
      if (!options_.selection.everything()) try_guards_on_the_way();
      for (const auto& walk : walks()) rehearse_walk(walk);
      if (options_.selection.everything()) rehearse_round_trip();
      evidence_.complete = true;
    } catch (const StageNotServed& stuck) {
      mark(Kind::error, "a service does not follow the flag");
      current_.polls.insert(current_.polls.end(), stuck.polls.begin(), stuck.polls.end());
      keep_section();
    } catch (const Interrupted&) {
      mark(Kind::error, "interrupted");
      // What was begun is not proved: the section stands in the evidence, and its checks find what is missing.
      if (current_.played.empty()) current_.played = current_.name;
      current_.not_done["G16"] = "the rehearsal was interrupted";
      keep_section();
    } catch (const Error&) {
      // Our world failed; the services are still to be left as they were found, as far as that is possible.
      try {
        leave_it_as_found();
      } catch (const Error&) {
      }
      throw;
    }
    leave_it_as_found();
    return std::move(evidence_);
  }

 private:
  // -- what is selected ------------------------------------------------------------------------------------------------

  [[nodiscard]] bool selected(Stage stage) const {
    const auto& stages = options_.selection.stages;
    return options_.selection.everything() || std::find(stages.begin(), stages.end(), stage) != stages.end();
  }

  // The paths over the edges: all the way up and back, or just as far as a selected edge needs.
  [[nodiscard]] std::vector<std::vector<Stage>> walks() const {
    if (options_.selection.everything()) {
      auto up = properties::path(Stage::off, Stage::completed);
      const auto down = properties::path(Stage::completed, Stage::off);
      up.insert(up.end(), down.begin() + 1, down.end());
      return {up};
    }
    std::vector<std::vector<Stage>> walks;
    for (const Edge& edge : options_.selection.edges) {
      auto path = properties::path(Stage::off, edge.from);
      path.push_back(edge.to);
      walks.push_back(std::move(path));
    }
    return walks;
  }

  [[nodiscard]] bool guarded(Stage from, Stage to) const {
    return std::find(config_.guards.begin(), config_.guards.end(), Edge{from, to}) != config_.guards.end();
  }

  void check_permissions() const {
    if (!config_.legacy.writes_allowed || !config_.new_.writes_allowed) {
      throw Error(
          "a rehearsal writes to both services: write `writes: allowed` beside services.legacy and services.new when "
          "they are not production");
    }
    for (const auto& [database, name] : {std::pair(&config_.legacy_database, Stores::legacy_name),
                                         std::pair(&config_.new_database, Stores::new_name)}) {
      if (!database->disposable)
        throw Error(
            fmt::format("{} is not to be altered, and a rehearsal restores and breaks it: if it may be lost, write "
                        "disposable: true beside its dsn",
                        name));
    }
    if (plan_.steps.empty())
      throw Error(
          "the traffic holds no exchange that can be played; see `rehearse show` for what it holds and why it was left "
          "out");
  }

  static std::string in_pairs(const std::string& section) { return section + ", in pairs"; }

  // At most; a measurement ends when it is decided.
  [[nodiscard]] std::size_t requests_in_pairs() const {
    return static_cast<std::size_t>(2 * config_.budgets.rate *
                                    std::chrono::duration<double>(config_.budgets.time).count());
  }

  // What `run` is going to do, section by section.
  [[nodiscard]] std::vector<ExpectedSection> expected() const {
    const std::size_t all = plan_.steps.size(), part = std::min(all, config_.fault_steps);
    const std::size_t reads = reads_of(plan_).steps.size();
    const bool everything = options_.selection.everything();
    std::vector<ExpectedSection> sections{{"oracle", 2 * all + (selected(Stage::read_only) ? 2 * reads : 0)}};
    const auto add = [&](std::string name, std::size_t requests) { sections.push_back({std::move(name), requests}); };
    const auto add_guard = [&](Stage from, Stage to) {
      if (guarded(from, to)) add(name_of(Edge{from, to}) + " with an open alert", part);
    };
    for (const Stage stage : properties::all_stages) {
      if (!selected(stage)) continue;
      add(std::string(name_of(stage)), all);
      if (!budgets_of(config_, stage).empty()) add(in_pairs(std::string(name_of(stage))), requests_in_pairs());
      if (stage == Stage::off) add("off, new database stopped", part);
      if (stage == Stage::shadow) {
        for (const char* fault :
             {"new database stopped", "new database read-only", "new database hung", "legacy stopped"})
          add(fmt::format("shadow, {}", fault), part);
        if (everything) add_guard(Stage::shadow, Stage::live);
      }
      if (stage == Stage::live) add("live, legacy stopped", part);
      if (stage == Stage::live && everything) {
        add_guard(Stage::live, Stage::completed);
        add_guard(Stage::live, Stage::shadow);
      }
      if (stage == Stage::completed) add("completed, legacy stopped", part);
    }
    if (!everything) {
      for (const Edge& edge :
           {Edge{Stage::shadow, Stage::live}, Edge{Stage::live, Stage::completed}, Edge{Stage::live, Stage::shadow}}) {
        if (on_the_way(edge)) add_guard(edge.from, edge.to);
      }
    }
    for (const auto& walk : walks()) {
      add(fmt::format("walk: {}", name_of(Edge{walk[0], walk[1]})), all / walk.size());
      for (std::size_t i = 1; i < walk.size(); ++i) add(name_of(Edge{walk[i - 1], walk[i]}), all / walk.size());
    }
    if (everything) add("round trip without writes", std::min(reads, max_read_backs) * 2);
    return sections;
  }

  // -- the databases ---------------------------------------------------------------------------------------------------

  void restore_both() {
    stores_.restore_seeded();
    stages_.forget_copy();
  }

  // Both databases as they were right behind the copy, without copying again.
  void restore_copied() {
    stores_.restore_copied();
    stages_.remember_copy();
  }

  Comparison compare_with_oracle(bool new_store) {
    auto plays = evidence_.earlier_plays(current_);
    plays.push_back(&evidence_.histories.at(current_.played));
    return stores_.compare_with_oracle(new_store, properties::correspondence(evidence_.histories.at(oracle_1), plays));
  }

  void compare_all(Section& section, bool stores) {
    if (stores) section.comparisons[std::string(properties::legacy_against_new)] = stores_.compare();
    if (properties::new_store_is_authoritative(section.stage)) {
      section.comparisons[std::string(properties::new_against_oracle)] = compare_with_oracle(true);
    } else {
      section.comparisons[std::string(properties::legacy_against_oracle)] = compare_with_oracle(false);
    }
  }

  void look_at_ids(Section& section) {
    try {
      section.ids = stores_.ids();
    } catch (const Error& problem) {
      for (const char* invariant : {"G9", "R5"})
        section.not_done.try_emplace(invariant, fmt::format("the sequences could not be read: {}", problem.what()));
    }
  }

  // -- playing ---------------------------------------------------------------------------------------------------------

  [[nodiscard]] const std::string& legacy_url() const { return config_.legacy.urls.front(); }
  [[nodiscard]] const std::string& new_url() const { return config_.new_.urls.front(); }

  using OnCue = std::function<void(const replay::Step&)>;

  const History& play(const std::string& name, const Plan& plan, const std::string& target,
                      std::vector<replay::Binding> earlier = {}, OnCue on_cue = {}) {
    return keep_history(play_unkept(name, plan, target, std::move(earlier), std::move(on_cue)));
  }

  History play_unkept(const std::string& name, const Plan& plan, const std::string& target,
                      std::vector<replay::Binding> earlier = {}, OnCue on_cue = {}) {
    if (options_.stop != nullptr && options_.stop->load()) throw Interrupted{};
    replay::PlayOptions options;
    options.name = name;
    options.target = target;
    if (target == new_url()) options.other_instances.assign(config_.new_.urls.begin() + 1, config_.new_.urls.end());
    options.connect_deadline = options.deadline = config_.deadline;
    (target == new_url() ? *new_target_ : *legacy_target_).apply(options);
    options.whole = &plan_;
    options.earlier = std::move(earlier);
    options.on_cue = std::move(on_cue);
    options.stop = options_.stop;
    const bool bounded = current_.fault != Fault::none && current_.fault != Fault::legacy_stopped;
    options.enough = [&, late = std::size_t{0}](const replay::Record& record) mutable {
      late += bounded && record.done_ns - record.sent_ns > config_.contract.fault_latency_ns;
      return late >= max_late_answers;
    };
    if (options_.on_progress) {
      options.on_progress = [&, total = plan.steps.size()](std::size_t done) { options_.on_progress(done, total); };
    }
    return replay::play(plan, options);
  }

  const History& keep_history(History history) {
    writer_->add(history);  // on disk before anything is judged
    evidence_.recorded[history.name] = static_cast<std::int64_t>(history.records.size());
    return evidence_.histories[history.name] = std::move(history);
  }

  // Plays against the new service and gathers what every section gathers.
  void play_section(Section& section, const std::string& name, const Plan& plan,
                    std::vector<replay::Binding> earlier = {}, OnCue on_cue = {}) {
    const AlertReader alerts(config_);
    const auto before = poll_stages(config_);
    section.played = name;
    section.planned = std::count_if(plan.steps.begin(), plan.steps.end(),
                                    [](const replay::Step& step) { return step.request.has_value(); });
    play(name, plan, new_url(), std::move(earlier), std::move(on_cue));
    // What is written or raised behind the last answer counts too. A broken database comes to rest when it is mended.
    const bool broken = section.fault != Fault::none && section.fault != Fault::legacy_stopped;
    if (!broken) section.quiet = stores_.come_to_rest();
    section.alerts = alerts.finish();
    const auto after = poll_stages(config_);
    section.polls.insert(section.polls.end(), before.begin(), before.end());
    section.polls.insert(section.polls.end(), after.begin(), after.end());
  }

  void begin(const std::string& name, Stage stage) {
    current_ = Section{};
    current_.name = name;
    current_.stage = stage;
    started_ = std::chrono::steady_clock::now();
    mark(Kind::section, name);
    if (options_.on_section) options_.on_section(name);
  }

  void mark(Kind kind, std::string text) {
    evidence_.timeline.push_back({kind, wall_clock_ns(), std::move(text), current_.name});
  }

  void end() {
    current_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
    keep_section();
    writer_->add_document("evidence", to_json(evidence_));
    if (options_.on_section_end) options_.on_section_end(evidence_, evidence_.sections.back());
  }

  void keep_section() {
    evidence_.sections.push_back(current_);
    evidence_.rehearsed.push_back(current_.name);
  }

  // -- the oracle ------------------------------------------------------------------------------------------------------

  // Legacy alone on a restored database, twice: what differs between the two runs is volatile. They also show which values are
  // taken from answers by mistake; without these they are played once more, for they asked for something else than was captured.
  void rehearse_oracle() {
    begin("oracle", Stage::off);
    stages_.go_to(Stage::off);
    auto [first, second] = play_oracle_twice();
    evidence_.bound = properties::bound_values(plan_, first, second);
    const bool refuted = std::any_of(evidence_.bound.begin(), evidence_.bound.end(),
                                     [](const auto& value) { return value.belief == properties::Belief::refuted; });
    if (refuted) {
      for (History* run : {&first, &second}) {
        run->name += ", with values that proved false";
        keep_history(std::move(*run));
      }
      plan_ = without_refuted(std::move(plan_), evidence_.bound);
      std::tie(first, second) = play_oracle_twice();
    }
    keep_history(std::move(first));
    keep_history(std::move(second));
    stores_.learn_volatile_cells(
        properties::correspondence(evidence_.histories.at(oracle_1), {&evidence_.histories.at(oracle_2)}));
    if (!selected(Stage::read_only)) return;
    const Plan reads = reads_of(plan_);
    restore_both();
    play(reads_1, reads, legacy_url());
    play(reads_2, reads, legacy_url());
  }

  std::pair<History, History> play_oracle_twice() {
    std::pair<History, History> runs;
    restore_both();
    {
      Watch watch = stores_.watch_legacy(Watch::Depth::log);
      const auto before = legacy_requests();
      runs.first = play_unkept(oracle_1, plan_, legacy_url());
      const auto after = legacy_requests();
      // A counter that does not count the oracle's requests would not count others either.
      counts_requests_ = before && after && *after - *before >= static_cast<double>(plan_.steps.size());
      oracle_changes_ = watch.lap();
      if (!watch.has_commit_log()) oracle_changes_.known = false;
    }
    stores_.keep_oracle(1);
    restore_both();
    runs.second = play_unkept(oracle_2, plan_, legacy_url());
    stores_.keep_oracle(2);
    return runs;
  }

  // -- stages ----------------------------------------------------------------------------------------------------------

  void rehearse_stage(Stage stage) {
    switch (stage) {
      case Stage::off:
        return rehearse_off();
      case Stage::read_only:
        return rehearse_read_only();
      case Stage::shadow:
        return rehearse_shadow();
      case Stage::live:
        return rehearse_live();
      case Stage::completed:
        return rehearse_completed();
    }
  }

  // Restores to the state behind the copy, making it when this is the first time, and goes to the stage.
  std::int64_t arrive_copied(Stage stage) {
    if (!stores_.copy_kept()) {
      stages_.go_to(Stage::read_only);
      restore_both();
      if (!stages_.copy_forward()) throw Error("the copy failed; run copy.forward by hand and read what it says");
      stores_.keep_copy();
    }
    restore_copied();  // before the flips, whose guards look at the databases, and after them, for what the flips wrote
    const std::int64_t settled = stages_.go_to(stage);
    restore_copied();
    return settled;
  }

  void rehearse_off() {
    begin("off", Stage::off);
    current_.served_from_ns = stages_.go_to(Stage::off);
    restore_both();
    try_illegal_values();
    set_oracle(oracle_1, oracle_2);
    {
      Watch legacy = stores_.watch_legacy(Watch::Depth::log);
      StatementWatch new_ = stores_.watch_new_statements();
      play_section(current_, "off", plan_);
      current_.changes["legacy"] = legacy.lap();
      current_.oracle_changes["legacy"] = oracle_changes_;
      current_.changes["new"] = new_.finish();
    }
    compare_all(current_, false);
    trace_refusals();
    provoke_second_tries();
    measure_latency([&] { restore_both(); });
    end();
    rehearse_fault("off, new database stopped", Stage::off, Fault::new_database_stopped);
  }

  void rehearse_read_only() {
    begin("read-only", Stage::read_only);
    current_.served_from_ns = stages_.go_to(Stage::read_only);
    restore_both();
    set_oracle(reads_1, reads_2);
    {
      Watch legacy = stores_.watch_legacy(Watch::Depth::content);
      Watch new_ = stores_.watch_new(Watch::Depth::content);
      properties::Changes before_the_copy;
      const OnCue copy = [&](const replay::Step&) {
        before_the_copy = new_.lap();
        make_the_copy(current_);
        static_cast<void>(new_.lap());  // what the copy wrote
      };
      play_section(current_, "read-only", with_cue_amid(plan_, "copy"), {}, copy);
      send_directly(true);
      current_.changes["legacy"] = legacy.lap();
      current_.changes["new"] = joined(before_the_copy, new_.lap());
    }
    current_.comparisons[std::string(properties::legacy_against_new)] = stores_.compare();
    look_at_ids(current_);
    look_for_unmapped_tables();
    current_.constraints = stores_.constraints_of_new();
    keep_copy_of(current_);
    trace_refusals();
    measure_latency([] {});  // both databases are as the copy left them, and reads leave them so
    end();
  }

  void make_the_copy(Section& section) {
    section.copy_began_ns = wall_clock_ns();
    section.copied = stages_.copy_forward();
    section.copy_ended_ns = wall_clock_ns();
  }

  // A copy that was made of a database which did not stand still would break the sections that begin with it: they make
  // another one.
  void keep_copy_of(const Section& section) {
    const bool stood_still = !section.changes.at("legacy").written() && !section.changes.at("new").written();
    if (section.copied.value_or(false) && stood_still) stores_.keep_copy();
  }

  // Shadow and live differ in where reads come from, which altering the other database by hand shows.
  void rehearse_dual(Stage stage, const std::string& reads_invariant, const DatabaseSettings& other,
                     const char* other_name, const std::string& poison) {
    begin(std::string(name_of(stage)), stage);
    current_.served_from_ns = arrive_copied(stage);
    set_oracle(oracle_1, oracle_2);
    {
      Watch legacy = stores_.watch_legacy(Watch::Depth::log);
      Watch new_ = stores_.watch_new(Watch::Depth::log);
      stores_.follow_writes(legacy, new_);
      play_section(current_, current_.name, plan_);
      for (const auto& [name, watch] : {std::pair("legacy", &legacy), std::pair("new", &new_)}) {
        static_cast<void>(watch->lap());
        current_.logs[name] = watch->take_writes();
      }
    }
    compare_all(current_, true);
    look_at_ids(current_);
    trace_refusals();
    poison_and_read(reads_invariant, other, other_name, poison);
    measure_latency([&] { restore_copied(); });
    end();
  }

  void rehearse_shadow() {
    rehearse_dual(Stage::shadow, "S2", config_.new_database, Stores::new_name, config_.poison_new);
    rehearse_fault("shadow, new database stopped", Stage::shadow, Fault::new_database_stopped);
    rehearse_fault("shadow, new database read-only", Stage::shadow, Fault::new_database_read_only);
    rehearse_fault("shadow, new database hung", Stage::shadow, Fault::new_database_hung);
    rehearse_fault("shadow, legacy stopped", Stage::shadow, Fault::legacy_stopped);
    if (options_.selection.everything()) try_flip_with_open_alert(Stage::shadow, Stage::live);
  }

  void rehearse_live() {
    rehearse_dual(Stage::live, "V1", config_.legacy_database, Stores::legacy_name, config_.poison_legacy);
    rehearse_fault("live, legacy stopped", Stage::live, Fault::legacy_stopped);
    if (!options_.selection.everything()) return;
    try_flip_with_open_alert(Stage::live, Stage::completed);
    try_flip_with_open_alert(Stage::live, Stage::shadow);
  }

  void rehearse_completed() {
    begin("completed", Stage::completed);
    current_.served_from_ns = arrive_copied(Stage::completed);
    set_oracle(oracle_1, oracle_2);
    {
      StatementWatch legacy = stores_.watch_legacy_statements();
      const auto before = legacy_requests();
      play_section(current_, "completed", plan_);
      const auto after = legacy_requests();
      // Counted by the legacy service itself: our own polls of its stage and counters are not business requests.
      if (before && after && counts_requests_) current_.legacy_requests = static_cast<std::int64_t>(*after - *before);
      current_.changes["legacy"] = legacy.finish();
    }
    compare_all(current_, false);
    look_at_ids(current_);
    trace_refusals();
    send_directly(false);
    measure_latency([&] { restore_copied(); });
    end();
    rehearse_fault("completed, legacy stopped", Stage::completed, Fault::legacy_stopped);
  }

  // Last in its section, for it puts the databases back and reads, or writes, thousands of times; every section begins by restoring them.
  void measure_latency(const std::function<void()>& restore_stores) {
    if (budgets_of(config_, current_.stage).empty()) return;
    if (options_.stop != nullptr && options_.stop->load()) throw Interrupted{};
    if (options_.on_section) options_.on_section(in_pairs(current_.name));
    StageToMeasure what;
    what.stage = current_.stage;
    what.budgets_of_all = evidence_.contract.budgets.size();
    what.restore = [&] {
      restore_stores();
      if (config_.budgets.writes) stores_.restore_oracle();
    };
    what.restart = [&] { return start_anew(); };
    what.stop = options_.stop;
    what.on_progress = options_.on_progress;
    current_.latency = measure_stage(config_, plan_, evidence_.histories.at(oracle_1), what);
  }

  // Processes that run for long may have become slow, or fast, by an accident that new ones do not share. Legacy has no part in completed.
  std::string start_anew() {
    const bool legacy = !config_.legacy.stop.empty() && current_.stage != Stage::completed,
               new_ = !config_.new_.stop.empty();
    if (!legacy && !new_) return "";
    const std::string who = legacy && new_ ? "both services" : legacy ? "the legacy service" : "the new service";
    try {
      if (new_) run_or_throw(config_.new_.stop, config_.command_deadline, "stopping the new service");
      if (legacy) run_or_throw(config_.legacy.stop, config_.command_deadline, "stopping the legacy service");
    } catch (...) {  // whatever happens: leave them running
      if (legacy) static_cast<void>(harness::run(config_.legacy.start, config_.command_deadline));
      if (new_) static_cast<void>(harness::run(config_.new_.start, config_.command_deadline));
      throw;
    }
    if (legacy) run_or_throw(config_.legacy.start, config_.command_deadline, "starting the legacy service again");
    if (new_) run_or_throw(config_.new_.start, config_.command_deadline, "starting the new service again");
    wait_for_services();
    mark(Kind::fault, who + " stopped and started anew, to be measured again");
    return who;
  }

  void wait_for_services() {
    const auto& served = config_.flag.values.at(stages_.now());
    const auto until = std::chrono::steady_clock::now() + services_start_within;
    for (auto polls = poll_stages(config_);; polls = poll_stages(config_)) {
      if (std::all_of(polls.begin(), polls.end(), [&](const auto& poll) { return poll.value == served; })) return;
      if (std::chrono::steady_clock::now() > until) throw StageNotServed{polls};
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  // Plays the beginning of the plan while something is broken.
  void rehearse_fault(const std::string& name, Stage stage, Fault fault) {
    begin(name, stage);
    current_.fault = fault;
    // Where writes must fail there is nothing to hold the answers against.
    if (fault != Fault::legacy_stopped || stage == Stage::completed) set_oracle(oracle_1, oracle_2);
    if (stage == Stage::off) {
      current_.served_from_ns = stages_.go_to(stage);
      restore_both();
    } else {
      current_.served_from_ns = arrive_copied(stage);
    }
    const Plan part = slice(plan_, 0, config_.fault_steps);
    fault == Fault::legacy_stopped ? play_without_legacy(part) : play_with_broken_new_database(part, fault);
    if (stage == Stage::shadow && fault != Fault::legacy_stopped) {
      current_.comparisons[std::string(properties::legacy_against_new)] = stores_.compare();
    }
    end();
  }

  void play_with_broken_new_database(const Plan& part, Fault fault) {
    const auto how = fault == Fault::new_database_stopped     ? BrokenDatabase::How::stopped
                     : fault == Fault::new_database_read_only ? BrokenDatabase::How::read_only
                                                              : BrokenDatabase::How::hung;
    BrokenDatabase broken = stores_.break_new(how);
    mark(Kind::fault, std::string(name_of(fault)));
    play_section(current_, current_.name, part);
    broken.mend();
    mark(Kind::fault, "new database mended");
    current_.quiet = stores_.come_to_rest();
  }

  void play_without_legacy(const Plan& part) {
    const std::string invariant = current_.stage == Stage::completed ? "C3"
                                  : current_.stage == Stage::live    ? "V3"
                                                                     : "S4";
    if (config_.legacy.stop.empty()) {
      current_.not_done[invariant] = "services.legacy.stop and start are not configured";
      return;
    }
    run_or_throw(config_.legacy.stop, config_.command_deadline, "stopping the legacy service");
    mark(Kind::fault, "legacy service stopped");
    try {
      BrokenDatabase broken = stores_.break_legacy(BrokenDatabase::How::stopped);
      const AlertReader alerts(config_);
      Watch new_ = stores_.watch_new(Watch::Depth::content);
      current_.played = current_.name;
      current_.planned = static_cast<std::int64_t>(part.steps.size());
      play(current_.name, part, new_url());
      current_.quiet = stores_.come_to_rest();
      current_.polls = poll_new_service(config_);
      current_.alerts = alerts.finish();
      current_.changes["new"] = new_.lap();
      broken.mend();
    } catch (...) {
      static_cast<void>(
          harness::run(config_.legacy.start, config_.command_deadline));  // whatever happens: leave it running
      throw;
    }
    run_or_throw(config_.legacy.start, config_.command_deadline, "starting the legacy service again");
    wait_for_legacy();
    mark(Kind::fault, "legacy service runs again");
  }

  void wait_for_legacy() {
    const auto until = std::chrono::steady_clock::now() + services_start_within;
    while (stage_served(config_, legacy_url()) != config_.flag.values.at(stages_.now())) {
      if (std::chrono::steady_clock::now() > until) throw StageNotServed{poll_stages(config_)};
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  // -- probes ----------------------------------------------------------------------------------------------------------

  void set_oracle(const char* first, const char* second) {
    current_.oracle = first;
    current_.oracle_again = second;
  }

  void try_illegal_values() {
    current_.flag_trials.push_back(
        stages_.attempt(config_.flag.values.at(Stage::live), "off → live is not an edge", "G14"));
    current_.flag_trials.push_back(stages_.attempt("rehearse-no-such-stage", "it is no stage", "G14"));
    current_.flag_trials.push_back(
        stages_.attempt(config_.flag.values.at(Stage::off), "it is the stage that is served", "G14"));
  }

  // A selected edge lies behind others, whose guards are then tried as well.
  void try_guards_on_the_way() {
    for (const Edge& edge :
         {Edge{Stage::shadow, Stage::live}, Edge{Stage::live, Stage::completed}, Edge{Stage::live, Stage::shadow}}) {
      if (on_the_way(edge)) try_flip_with_open_alert(edge.from, edge.to);
    }
  }

  [[nodiscard]] bool on_the_way(const Edge& edge) const {
    const auto all = walks();
    return std::any_of(all.begin(), all.end(), [&](const std::vector<Stage>& walk) {
      const std::array<Stage, 2> crossed{edge.from, edge.to};
      return std::search(walk.begin(), walk.end(), crossed.begin(), crossed.end()) != walk.end();
    });
  }

  // With an alert left open by a fault the data differs, and the flip would lose it: the service must refuse it.
  void try_flip_with_open_alert(Stage from, Stage to) {
    const Edge edge{from, to};
    if (!guarded(from, to)) return;
    begin(name_of(edge) + " with an open alert", to);
    current_.edge = edge;
    arrive_copied(from);
    const AlertReader alerts(config_);
    // A database that refuses writes leaves them in legacy alone, in shadow and in live.
    BrokenDatabase broken = stores_.break_new(BrokenDatabase::How::read_only);
    mark(Kind::fault, "new database read-only");
    play(current_.name + ": writes that open it", slice(plan_, 0, config_.fault_steps), new_url());
    broken.mend();
    mark(Kind::fault, "new database mended");
    // What one instance could not write down while its database refused, another instance learns of only now.
    std::this_thread::sleep_for(config_.flag.propagation);
    static_cast<void>(stores_.come_to_rest());
    const std::string invariant(invariant_of(edge));
    if (alerts.finish().counted == 0) {
      current_.not_done[invariant] =
          "no alert could be opened: the beginning of the traffic (faults.steps) holds no write that succeeds";
    } else {
      current_.flag_trials.push_back(stages_.attempt(
          config_.flag.values.at(to), "a write is missing in one database and its alert is open", invariant));
    }
    end();
    restore_copied();  // without the alert, which would close the way back, too
  }

  void trace_refusals() {
    const History& played = evidence_.histories.at(current_.played);
    const auto refusals = refusals_of(config_, played);
    if (refusals.empty()) return;
    Watch legacy = stores_.watch_legacy(Watch::Depth::log);
    Watch new_ = stores_.watch_new(Watch::Depth::log);
    History history;
    history.name = current_.name + ": refused writes, one at a time";
    history.target = new_url();
    for (const replay::Record& refusal : refusals) {
      replay::PlayOptions alone;
      alone.target = new_url();
      alone.connect_deadline = alone.deadline = config_.deadline;
      new_target_->apply(alone);
      replay::Record record = replay::send(refusal.request, std::move(alone));
      ++history.sent;
      record.step = static_cast<replay::StepId>(history.records.size()) + 1;
      record.read = false;
      properties::Traced traced{history.name, record.step, legacy.lap(), new_.lap()};
      // A number that was drawn and not used is no trace of the request: sequences do not roll back.
      traced.legacy_changes.sequences.clear();
      traced.new_changes.sequences.clear();
      current_.traced.push_back(std::move(traced));
      history.records.push_back(std::move(record));
    }
    // What is written behind the last answer belongs to one of them; it is shown with the last.
    static_cast<void>(stores_.come_to_rest());
    const auto add_late = [](properties::Changes& changes, properties::Changes late) {
      late.sequences.clear();
      if (late.written()) changes = std::move(late);
    };
    add_late(current_.traced.back().legacy_changes, legacy.lap());
    add_late(current_.traced.back().new_changes, new_.lap());
    keep_history(std::move(history));
  }

  // What invites a proxy to send a request again: legacy takes it and fails, at once or after a while.
  void provoke_second_tries() {
    const Plan writes = not_idempotent_of(config_, plan_, evidence_.histories.at(oracle_1));
    if (!counts_requests_) {
      current_.not_done["O4"] =
          "what is sent on is counted by the legacy service, whose count could not be read; see "
          "services.legacy.requests";
    } else if (writes.steps.empty()) {
      current_.not_done["O4"] =
          "the traffic holds no POST or PATCH that succeeds without an earlier answer: nothing invites a second try";
    } else {
      restore_both();
      provoke(BrokenDatabase::How::read_only, "refused every write", writes);
      provoke(BrokenDatabase::How::hung, "hung", writes);
    }
  }

  void provoke(BrokenDatabase::How how, const std::string& in_words, const Plan& writes) {
    properties::Provocation provocation{in_words, current_.name + ", legacy database " + in_words, 0};
    BrokenDatabase broken = stores_.break_legacy(how);
    mark(Kind::fault, fmt::format("legacy database {}", how == BrokenDatabase::How::hung ? "hung" : "read-only"));
    const auto before = legacy_requests();
    play(provocation.history, writes, new_url());
    broken.mend();
    mark(Kind::fault, "legacy database mended");
    static_cast<void>(stores_.come_to_rest());  // a second try may come behind the answer
    const auto after = legacy_requests();
    if (before && after) provocation.arrived = static_cast<std::int64_t>(*after - *before);
    current_.provocations.push_back(std::move(provocation));
  }

  void send_directly(bool writes_only) {
    current_.direct = current_.name + ": sent to the legacy service";
    play(current_.direct, one_of_each_route(config_, plan_, evidence_.histories.at(oracle_1), writes_only),
         legacy_url());
  }

  std::optional<double> legacy_requests() const {
    if (config_.legacy.requests_metric.empty()) return std::nullopt;
    bool read = false;
    const auto sum =
        metric_sum(config_, legacy_url(), config_.legacy.requests_path, config_.legacy.requests_metric, &read);
    return read ? std::optional(sum.value_or(0)) : std::nullopt;
  }

  void look_for_unmapped_tables() {
    if (const std::string unmapped = stores_.unmapped(); !unmapped.empty()) current_.not_done["R5"] = unmapped;
  }

  // Alters one database by hand and reads the same things before and after: whose answers change is whose data is read.
  void poison_and_read(const std::string& invariant, const DatabaseSettings& database, const std::string& what,
                       const std::string& sql) {
    if (sql.empty()) {
      current_.not_done[invariant] =
          fmt::format("poison.{} is not configured: give an UPDATE that changes what reads show",
                      invariant == "S2" ? "new" : "legacy");
      return;
    }
    const Plan reads = read_back_of({&evidence_.histories.at(current_.played)});
    const std::string around = what.substr(4) + " altered by hand";  // without "the "
    properties::PairedReads pair{around, current_.name + ": before, " + around, current_.name + ": after, " + around};
    play(pair.before, reads, new_url());
    const auto affected = Session(database.dsn, what).run(sql).affected;
    mark(Kind::fault, around);
    if (affected == 0) current_.not_done[invariant] = "the poison changed no row";
    play(pair.after, reads, new_url());
    current_.paired.push_back(std::move(pair));
  }

  // -- the walk over the edges -----------------------------------------------------------------------------------------

  // One world, never restored: the plan is cut into legs, and each stage but read-only plays the next one, so that what was
  // written in one stage is read in all the later ones.
  void rehearse_walk(const std::vector<Stage>& path) {
    begin(fmt::format("walk: {}", name_of(Edge{path[0], path[1]})), Stage::off);
    stages_.go_to(Stage::off);
    restore_both();
    legs_ = static_cast<std::size_t>(
        std::count_if(path.begin(), path.end(), [](Stage stage) { return stage != Stage::read_only; }));
    leg_ = 0;
    walked_.clear();
    bindings_.clear();
    play_leg("walk 1: off", nullptr);
    for (std::size_t i = 1; i < path.size(); ++i) cross({path[i - 1], path[i]}, i, i + 1 == path.size());
  }

  void play_leg(const std::string& name, Section* section) {
    const std::size_t size = plan_.steps.size();
    const Plan leg = slice(plan_, leg_ * size / legs_, (leg_ + 1) * size / legs_);
    ++leg_;
    if (section != nullptr) {
      section->earlier = walked_;
      play_section(*section, name, leg, bindings_);
    } else {
      play(name, leg, new_url(), bindings_);
    }
    bindings_ = evidence_.histories.at(name).bindings;
    walked_.push_back(name);
  }

  void cross(const Edge& edge, std::size_t number, bool last) {
    begin(name_of(edge), edge.to);
    current_.edge = edge;
    const bool both_before = edge.from == Stage::shadow || edge.from == Stage::live;
    // The leg before ended with a comparison of every row; what changed since is little, and is all that is looked at.
    if (both_before) current_.comparisons["before the flip"] = stores_.compare_changed();
    if (edge == Edge{Stage::read_only, Stage::shadow}) prepare_shadow();
    if (edge == Edge{Stage::completed, Stage::live}) prepare_live_again();

    std::vector<const History*> histories;
    for (const std::string& name : walked_) histories.push_back(&evidence_.histories.at(name));
    const Plan reads = read_back_of(histories);
    properties::PairedReads pair{"the flip " + name_of(edge), fmt::format("walk {}: before {}", number, name_of(edge)),
                                 fmt::format("walk {}: after {}", number, name_of(edge))};
    play(pair.before, reads, new_url());
    current_.served_from_ns = stages_.flip(edge.to);
    current_.polls = poll_stages(config_);
    if (edge == Edge{Stage::completed, Stage::live}) {
      current_.copied = *current_.copied && stages_.copy_backward();
      current_.comparisons["after the catch-up"] = stores_.compare();
    }
    play(pair.after, reads, new_url());
    current_.paired.push_back(std::move(pair));

    if (edge.to == Stage::read_only) {
      arrive_in_read_only(edge);
    } else {
      play_walked_stage(edge, number, last);
    }
    end();
    if (edge == Edge{Stage::read_only, Stage::off}) enter_again();
  }

  // read-only → shadow: the guard is tried while the new database is empty, then the copy is made again.
  void prepare_shadow() {
    if (guarded(Stage::read_only, Stage::shadow)) {
      stores_.empty_new();
      stages_.forget_copy();
      current_.flag_trials.push_back(
          stages_.attempt(config_.flag.values.at(Stage::shadow), "no copy was made since read-only was entered", "E2"));
    }
    current_.copied = stages_.copy_forward();
    current_.comparisons["before the flip"] = stores_.compare();
  }

  void prepare_live_again() {
    if (guarded(Stage::completed, Stage::live)) {
      current_.flag_trials.push_back(
          stages_.attempt(config_.flag.values.at(Stage::live), "legacy has not caught up", "E4'"));
    }
    current_.copied = stages_.copy_backward();
  }

  void arrive_in_read_only(const Edge& edge) {
    if (edge.from == Stage::off) {
      current_.copied = stages_.copy_forward();
      look_at_ids(current_);
      current_.comparisons["after the copy"] = stores_.compare();
      return;
    }
    Watch legacy = stores_.watch_legacy(Watch::Depth::content);
    Watch new_ = stores_.watch_new(Watch::Depth::content);
    const std::string name = "writes in " + current_.name;
    play(name, one_of_each_route(config_, plan_, evidence_.histories.at(oracle_1), true), new_url());
    current_.quiet = stores_.come_to_rest();
    current_.changes["legacy"] = legacy.lap();
    current_.changes["new"] = new_.lap();
    current_.comparisons[std::string(properties::legacy_against_new)] = stores_.compare();
  }

  void play_walked_stage(const Edge& edge, std::size_t number, bool last) {
    set_oracle(oracle_1, oracle_2);
    const std::string name = fmt::format("walk {}: {}", number + 1, name_of(edge.to));
    if (edge.to == Stage::off) {
      Watch new_ = stores_.watch_new(Watch::Depth::content);
      play_leg(name, &current_);
      current_.changes["new"] = new_.lap();
    } else if (edge.to == Stage::completed) {
      Watch legacy = stores_.watch_legacy(Watch::Depth::content);
      play_leg(name, &current_);
      current_.changes["legacy"] = legacy.lap();
    } else {
      play_leg(name, &current_);
      current_.comparisons[std::string(properties::legacy_against_new)] = stores_.compare_and_follow();
    }
    if (edge.to != Stage::off) look_at_ids(current_);
    if (last) compare_all(current_, false);
  }

  // Off was used again, deletes included: a second copy must bring the new database to the same state.
  void enter_again() {
    Section& section = evidence_.sections.back();
    stages_.flip(Stage::read_only);
    const bool copied = stages_.copy_forward();
    section.copied = copied;
    section.comparisons["after a second copy"] = stores_.compare();
    stages_.flip(Stage::off);
    writer_->add_document("evidence", to_json(evidence_));
  }

  // Up and back without a write: the way itself, with its copies in both directions, must leave legacy as it was.
  void rehearse_round_trip() {
    begin("round trip without writes", Stage::off);
    current_.round_trip = true;
    stages_.go_to(Stage::off);
    restore_both();
    const Plan reads = slice(reads_of(plan_), 0, max_read_backs);
    properties::PairedReads pair{"the round trip", current_.name + ": before", current_.name + ": after"};
    play(pair.before, reads, new_url());
    {
      Watch legacy = stores_.watch_legacy(Watch::Depth::content);
      stages_.go_to(Stage::completed);
      current_.served_from_ns = stages_.go_to(Stage::off);
      current_.quiet = stores_.come_to_rest();
      current_.changes["legacy"] = legacy.lap();
    }
    current_.polls = poll_stages(config_);
    play(pair.after, reads, new_url());
    current_.paired.push_back(std::move(pair));
    end();
  }

  // -- the end ---------------------------------------------------------------------------------------------------------

  void leave_it_as_found() {
    try {
      if (stages_.now() != Stage::off) {
        if (stores_.copy_kept()) restore_copied();  // no alert is open in it that would close the way back
        stages_.go_to(Stage::off);
      }
    } catch (const StageNotServed&) {  // said already, by whatever did not follow
    } catch (const Error&) {
    }
    restore_both();
    stores_.drop_kept();
    writer_->add_document("evidence", to_json(evidence_));
  }

  const Configuration& config_;
  Plan plan_;  // without the values that the oracle refuted
  const RehearsalOptions& options_;
  StageControl stages_;
  std::optional<Target> legacy_target_, new_target_;
  std::optional<replay::HistoryWriter> writer_;  // the history of the last rehearsal is kept until this one can begin
  Evidence evidence_;
  Section current_;
  std::chrono::steady_clock::time_point started_;
  Stores stores_;
  properties::Changes oracle_changes_;
  bool counts_requests_ = false;
  // the walk
  std::size_t legs_ = 1, leg_ = 0;
  std::vector<std::string> walked_;
  std::vector<replay::Binding> bindings_;
};

}  // namespace

Evidence rehearse(const Configuration& configuration, const Plan& plan, const RehearsalOptions& options) {
  return Rehearsal(configuration, plan, options).run();
}

}  // namespace rehearse::harness
