// The world in which generated plans are played: both services, both databases, the flag, and legacy alone as the specification.
//
// Plans that begin in one stage share a world: the flag stays there, and what a plan wrote is taken back row by row. Everything that a
// plan breaks is mended when it ends, however it ends.
#pragma once

#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "harness/configuration.h"
#include "harness/databases/fault.h"
#include "harness/databases/written_rows.h"
#include "harness/fuzz/rewinder.h"
#include "harness/fuzz/store_state.h"
#include "harness/stage_control.h"
#include "harness/wires/wire.h"
#include "properties/plans/trial.h"

namespace rehearse::harness {

class World {
 public:
  // Restores both databases and makes the images that plans begin with; the flag is off. Throws Error when the configuration does not
  // permit it, naming what is missing.
  World(const Configuration& configuration, const std::atomic<bool>* stop);
  // Leaves the flag off and both databases as at the start.
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Plays the plan, watches it, and executes at legacy alone what took effect, in as many orders as it takes and at most
  // `max_orders`. What the system does wrong is in the trial; throws Error when our world fails.
  [[nodiscard]] properties::Trial play(const replay::Plan& plan);
  static constexpr std::size_t max_orders = 24;

  // The databases as the last plan left them, and legacy alone's behind the order that was executed there last.
  struct Ending {
    StoreState legacy, new_, alone;
  };
  [[nodiscard]] Ending take_ending() { return {std::move(legacy_state_), std::move(new_state_), std::move(alone_)}; }
  // Two states of any of the databases: what stands for each other by `pairs` is the same.
  [[nodiscard]] properties::Comparison compared(const StoreState& left, const StoreState& right,
                                                const properties::Correspondence& pairs) const {
    return states_->compare(left, right, pairs.empty() ? nullptr : &pairs);
  }

  // What legacy itself was seen to fill differently when it executed the same requests twice.
  [[nodiscard]] const properties::Volatile& noise() const { return noise_; }

  // The keys that the legacy database holds at the start, by the name of their entity: "order" → 1, 2, 3.
  [[nodiscard]] std::map<std::string, std::vector<std::string>> keys();
  // The faults that this world can make: the cue that begins one and the one that ends it.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> faults() const;

  // The wires on which a message can be held.
  [[nodiscard]] std::set<std::string> wires() const;

  // From now on every plan begins with restored databases: for what is to be confirmed.
  void restore_each_time(bool fresh) { fresh_ = fresh; }
  [[nodiscard]] std::int64_t restores() const { return restores_; }
  // How often services did not follow the flag from one plan to the next, with both databases restored, and were started anew.
  [[nodiscard]] std::int64_t restarts() const { return restarts_; }
  [[nodiscard]] std::int64_t rewinds() const { return rewinds_; }

 private:
  enum class Image { seeded, copied };
  [[nodiscard]] static Image image_of(properties::Stage begins);
  [[nodiscard]] std::string image_name(const DatabaseSettings& database, Image image) const;

  void set_up();
  void make_images();
  void open();
  void close();
  void begin(properties::Stage stage);
  bool go_to(properties::Stage stage);
  void run_settle() const;
  void expect_services() const;
  void expect_one_stage();
  [[nodiscard]] bool start_services_anew();
  void rewind(Image image);
  void put_back_meanwhile();
  bool put_back();
  void expect_oracle_put_back();
  void run_cue(const properties::Signal& signal, properties::Trial& trial);
  void move_flag(const properties::Signal& signal, properties::Trial& trial);
  [[nodiscard]] Wire* wire_named(std::string_view name) const;
  void follow_rule(const properties::Signal& signal, properties::Trial& trial);
  void set_back(properties::Trial& trial);
  void copy(const properties::Signal& signal, properties::Trial& trial);
  void run_service(const properties::Signal& signal, properties::Trial& trial);
  void alter(const properties::Signal& signal, properties::Trial& trial);
  void ask_legacy_itself(properties::Trial& trial);
  [[nodiscard]] properties::Comparison compared_when_settled();
  void end_faults(properties::Trial& trial);
  void undo_what_was_left();
  void leave_as_found() noexcept;
  void come_to_rest(properties::Trial& trial);
  void look(properties::Trial& trial);
  void read_stores(properties::Trial& trial);
  void take_upstream(properties::Trial& trial) const;
  void take_log(Rewinder& rewinder, const RowSources& sources, const std::map<std::string, std::string>& ignored,
                properties::Trial& trial, properties::StoreLog& log, properties::WriteLog& writes);
  struct Execution {
    properties::SerialRun run;
    StoreState state;
  };
  Execution execute(const properties::Trial& trial, const std::vector<replay::StepId>& order);
  [[nodiscard]] properties::SerialRun held_against(const Execution& execution, const properties::Trial& trial,
                                                   const StoreState& authoritative) const;
  bool learn(const Execution& once, const Execution& again);
  void hold_against_legacy(properties::Trial& trial);
  [[nodiscard]] std::vector<int> own_processes() const;
  replay::History play_on(const replay::Plan& plan, const std::string& name, const std::string& target,
                          const TargetSettings& settings, const std::function<void(const replay::Step&)>& on_cue);

  const Configuration& config_;
  const std::atomic<bool>* stop_;
  std::vector<std::unique_ptr<Wire>> wires_;
  StageControl stages_;
  std::unique_ptr<Rewinder> legacy_, new__, oracle_;
  std::unique_ptr<StoreStates> states_;
  std::unique_ptr<Session> legacy_session_, new_session_;  // for what is asked besides
  RowSources legacy_sources_, new_sources_;
  // While the oracle works, nobody uses the two databases, and while a plan is played, nobody uses the oracle's: what a plan wrote is
  // taken back then. Whoever uses one of these three waits for it first.
  std::future<bool> putting_back_, oracle_putting_back_;
  std::vector<std::unique_ptr<BrokenDatabase>> broken_;
  StoreState legacy_state_, new_state_;    // at the end of the last plan
  StoreState alone_;                       // legacy alone's, of the order that was tried last
  std::optional<Image> image_;             // that the new database was made from
  std::optional<properties::Stage> flag_;  // what the plan has set it to last
  properties::Volatile noise_;
  bool fresh_ = false;
  std::int64_t restores_ = 0, rewinds_ = 0, restarts_ = 0;
  std::int64_t last_move_ns_ = 0;    // wall clock
  std::set<std::int64_t> altering_;  // transactions of ours that changed rows by hand
};

}  // namespace rehearse::harness
