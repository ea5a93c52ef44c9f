// Trials told in words: what the clients saw, what the logs hold, what legacy alone would have said.
#include "properties/plans/trial.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "properties/checks/rehearsed.h"

namespace rehearse::properties {
namespace {

using replay::Record;
using replay::StepId;

constexpr std::int64_t ms = 1'000'000;

// Everything happens on a clock that begins at 1 s; times are in milliseconds from there.
class Story {
 public:
  Story() {
    contract = testing::contract();
    contract.stage_header = "Migration-Stage";
    for (const Stage stage : all_stages) contract.stage_values[std::string(name_of(stage))] = stage;
    contract.propagation_ns = 300 * ms;
    contract.fault_latency_ns = 1000 * ms;
    trial.played.began_ns = 1000 * ms;
    trial.played.name = "played";
    trial.began = trial.ended = Stage::shadow;
    trial.copied = true;
    trial.legacy.known = trial.new_.known = trial.legacy_writes.known = trial.new_writes.known = true;
    trial.stores = testing::same("legacy database", "new database");
    trial.alerts.known = trial.alerts.logged_known = true;
  }

  Record& request(StepId step, std::int64_t sent, std::int64_t done, const std::string& method,
                  const std::string& target, int status, const std::string& answer = "{}", Stage stage = Stage::shadow,
                  const std::string& body = "") {
    Record record;
    record.step = step;
    record.lane = step;
    record.sent_ns = sent * ms;
    record.done_ns = done * ms;
    record.outcome = replay::Outcome::answered;
    record.read = method == "GET";
    record.request = {method, target, {{"Content-Type", "application/json"}}, body};
    record.response = {
        status, {{"Content-Type", "application/json"}, {"Migration-Stage", std::string(name_of(stage))}}, answer};
    replay::Step planned;
    planned.id = step;
    planned.lane = step;
    planned.read = record.read;
    planned.request = record.request;
    trial.plan.steps.push_back(planned);
    trial.played.records.push_back(record);
    return trial.played.records.back();
  }

  // A commit of a row in one of the two logs.
  void commit(bool new_store, std::int64_t at, const std::string& entity, const std::string& key,
              const std::string& image) {
    StoreLog& log = new_store ? trial.new_ : trial.legacy;
    const std::int64_t transaction = 100 + static_cast<std::int64_t>(log.transactions.size());
    log.transactions.push_back({transaction,
                                (1000 + at) * ms,
                                {"table public." + entity + ": UPDATE: id[bigint]:" + key +
                                 " v[bigint]:" + image.substr(image.find('=') + 1)}});
    LoggedWrite write;
    write.entity = entity;
    write.key = key;
    write.image = image;
    write.transaction = transaction;
    write.committed_ns = (1000 + at) * ms;
    (new_store ? trial.new_writes : trial.legacy_writes).writes.push_back(write);
  }
  void commit_both(std::int64_t at, const std::string& entity, const std::string& key, const std::string& image) {
    commit(false, at, entity, key, image);
    commit(true, at + 1, entity, key, image);
  }

  // Legacy alone: a register for each path. Runs the orders as the world does, until one explains the trial.
  void legacy_alone(std::map<std::string, std::string> state) {
    const Orders orders = possible_orders(contract, trial, 24);
    trial.orders_left = orders.more;
    for (const auto& order : orders.orders) {
      const SerialPlan serial = serial_plan(contract, trial, order);
      SerialRun run;
      run.order = order;
      run.position = serial.positions;
      run.history.began_ns = 1000 * ms;
      run.state = testing::same("legacy alone", "legacy database");
      auto now = state;
      for (std::size_t i = 0; i < serial.plan.steps.size(); ++i) {
        Record record;
        record.step = serial.steps[i];
        record.outcome = replay::Outcome::answered;
        record.request = *serial.plan.steps[i].request.get();
        record.read = record.request.method == "GET";
        const auto& path = record.request.target;
        if (!record.read) now[path] = record.request.body;
        record.response = {200, {{"Content-Type", "application/json"}}, record.read ? now[path] : "{}"};
        run.history.records.push_back(record);
      }
      trial.serial.push_back(run);
      if (!explain(contract, trial, trial.serial.back(), {}).explains()) continue;
      trial.serial = {trial.serial.back()};
      trial.orders_left = false;
      return;
    }
  }

  [[nodiscard]] std::vector<std::string> violations() const { return violated(judge(contract, trial, {})); }
  [[nodiscard]] bool violates(const std::string& invariant) const {
    const auto ids = violations();
    return std::find(ids.begin(), ids.end(), invariant) != ids.end();
  }

  Contract contract;
  Trial trial;
};

Record& write(Story& story, StepId step, std::int64_t sent, std::int64_t done, const std::string& body,
              int status = 200, Stage stage = Stage::shadow) {
  return story.request(step, sent, done, "PUT", "/orders/7", status, "{}", stage, body);
}
Record& read(Story& story, StepId step, std::int64_t sent, std::int64_t done, const std::string& answer,
             Stage stage = Stage::shadow) {
  return story.request(step, sent, done, "GET", "/orders/7", 200, answer, stage);
}

TEST(Trials, OneAfterTheOtherTheyAreLegacysAnswers) {
  Story story;
  write(story, 1, 0, 10, R"({"v":1})");
  read(story, 2, 20, 30, R"({"v":1})");
  story.commit_both(5, "orders", "7", "v=1");
  story.legacy_alone({});
  EXPECT_EQ(story.violations(), std::vector<std::string>{});
}

TEST(Trials, AnAnswerThatLegacyWouldNotGiveBreaksG7) {
  Story story;
  write(story, 1, 0, 10, R"({"v":1})");
  read(story, 2, 20, 30, R"({"v":2})");
  story.commit_both(5, "orders", "7", "v=1");
  story.legacy_alone({});
  EXPECT_EQ(story.violations(), std::vector<std::string>{"G7"});
}

TEST(Trials, AReadBesideAWriteMayShowEitherState) {
  for (const char* shown : {R"({"v":0})", R"({"v":1})"}) {
    Story story;
    write(story, 1, 0, 20, R"({"v":1})");
    read(story, 2, 5, 15, shown);
    story.commit_both(10, "orders", "7", "v=1");
    story.legacy_alone({{"/orders/7", R"({"v":0})"}});
    EXPECT_EQ(story.violations(), std::vector<std::string>{}) << shown;
  }
}

TEST(Trials, AReadThatGoesBackIsNoSerialExecution) {
  Story story;
  write(story, 1, 0, 40, R"({"v":1})");
  read(story, 2, 5, 10, R"({"v":1})");
  read(story, 3, 15, 20, R"({"v":0})");
  story.commit_both(3, "orders", "7", "v=1");
  story.legacy_alone({{"/orders/7", R"({"v":0})"}});
  EXPECT_FALSE(story.violations().empty());
}

TEST(Trials, ConcurrentWritesTakeTheOrderOfTheCommitLog) {
  for (const bool first_wins : {false, true}) {
    Story story;
    write(story, 1, 0, 40, R"({"v":1})");
    write(story, 2, 0, 40, R"({"v":2})");
    read(story, 3, 50, 60, first_wins ? R"({"v":1})" : R"({"v":2})");
    story.commit_both(10, "orders", "7", first_wins ? "v=2" : "v=1");
    story.commit_both(20, "orders", "7", first_wins ? "v=1" : "v=2");
    story.legacy_alone({});
    EXPECT_EQ(story.violations(), std::vector<std::string>{}) << first_wins;
  }
}

TEST(Trials, AStaleReadBehindConcurrentWritesIsNoSerialExecution) {
  Story story;
  write(story, 1, 0, 40, R"({"v":1})");
  write(story, 2, 0, 40, R"({"v":2})");
  read(story, 3, 50, 60, R"({"v":0})");
  story.commit_both(10, "orders", "7", "v=1");
  story.commit_both(20, "orders", "7", "v=2");
  story.legacy_alone({{"/orders/7", R"({"v":0})"}});
  // One order is what the log leaves, so the answer itself is named.
  EXPECT_FALSE(story.violations().empty());
}

TEST(Trials, ALostWriteIsWhatTheLogSaysItIs) {
  for (const bool committed : {false, true}) {
    Story story;
    Record& lost = write(story, 1, 0, 10, R"({"v":1})");
    lost.outcome = replay::Outcome::lost;
    story.trial.faults.push_back({"new", "kill", 1000 * ms, 1020 * ms});
    read(story, 2, 30, 40, committed ? R"({"v":1})" : R"({"v":0})");
    if (committed) story.commit_both(5, "orders", "7", "v=1");
    story.legacy_alone({{"/orders/7", R"({"v":0})"}});
    EXPECT_EQ(story.violations(), std::vector<std::string>{}) << committed;
  }
}

TEST(Trials, ALostWriteWithoutAFaultBreaksG10) {
  Story story;
  write(story, 1, 0, 10, "{}").outcome = replay::Outcome::lost;
  story.legacy_alone({});
  EXPECT_TRUE(story.violates("G10"));
}

TEST(Trials, DatabasesThatDifferBreakG5UnlessAnAlertNamesTheRow) {
  Story story;
  write(story, 1, 0, 10, R"({"v":1})");
  story.commit(false, 5, "orders", "7", "v=1");
  testing::differ(story.trial.stores, RowDifference::Kind::changed, "orders", "7", "v", "1", "0");
  story.legacy_alone({});
  EXPECT_TRUE(story.violates("G5"));
  EXPECT_TRUE(story.violates("G12"));  // under shadow both are written
  story.trial.faults.push_back({"new-database", "stopped", 1000 * ms, 1020 * ms});
  EXPECT_TRUE(story.violates("G11"));  // hidden, and nobody was told
  story.trial.alerts.counted = 1;
  story.trial.alerts.logged.push_back({"new", "shadow", "replace_order", "orders", "7"});
  EXPECT_FALSE(story.violates("G5"));
  EXPECT_FALSE(story.violates("G11"));
}

TEST(Trials, AnAlertWithoutACauseBreaksG11) {
  Story story;
  read(story, 1, 0, 5, "{}");
  story.trial.alerts.counted = 1;
  story.legacy_alone({{"/orders/7", "{}"}});
  EXPECT_EQ(story.violations(), std::vector<std::string>{"G11"});
}

TEST(Trials, ARefusalThatStandsInALogBreaksG3) {
  Story story;
  write(story, 1, 0, 10, "{}", 412);
  story.commit(true, 5, "orders", "7", "v=1");
  EXPECT_TRUE(story.violates("G3"));
}

TEST(Trials, WritesInReadOnlyAreRefusedAsDeclared) {
  for (const int status : {503, 200, 500}) {
    Story story;
    story.trial.began = story.trial.ended = Stage::read_only;
    Record& record = write(story, 1, 0, 10, "{}", status, Stage::read_only);
    for (const std::string& header : story.contract.refusal.headers) record.response.headers.push_back({header, "1"});
    replay::set_field(record.response.headers, "Content-Type", story.contract.refusal.content_type);
    EXPECT_EQ(story.violates("R1"), status != story.contract.refusal.status) << status;
  }
}

TEST(Trials, AStageWritesItsOwnDatabasesAlone) {
  for (const auto& [stage, new_store, invariant] :
       {std::tuple(Stage::off, true, "O1"), std::tuple(Stage::read_only, false, "R3"),
        std::tuple(Stage::completed, false, "C4")}) {
    Story story;
    story.trial.began = story.trial.ended = stage;
    write(story, 1, 0, 10, "{}", 200, stage);
    story.commit(new_store, 5, "orders", "7", "v=1");
    EXPECT_TRUE(story.violates(invariant)) << invariant;
    EXPECT_TRUE(story.violates("G12")) << invariant;
  }
}

TEST(Trials, ATransactionOfNobodyBreaksG2AndACopysIsTheCopys) {
  Story story;
  read(story, 1, 0, 5, "{}");
  story.commit(true, 50, "orders", "9", "v=1");
  EXPECT_TRUE(story.violates("G2"));
  story.trial.copies.push_back({1040 * ms, 1060 * ms, false});
  EXPECT_FALSE(story.violates("G2"));
  story.trial.copies.front().back = true;  // a copy to the legacy database writes nothing to the new one
  EXPECT_TRUE(story.violates("G2"));
}

TEST(Trials, TwoRowsForOneIdempotencyKeyBreakG8) {
  Story story;
  for (const StepId step : {1, 2}) {
    Record& record = story.request(step, 10 * step, 10 * step + 5, "POST", "/orders", 201,
                                   R"({"id":)" + std::to_string(40 + step) + "}");
    record.request.headers.push_back({"Idempotency-Key", "k"});
    story.commit_both(10 * step + 1, "orders", std::to_string(40 + step), "v=1");
  }
  for (StoreLog* log : {&story.trial.legacy, &story.trial.new_})
    for (auto& transaction : log->transactions) transaction.rows.front().replace(0, 28, "table public.orders: INSERT:");
  EXPECT_TRUE(story.violates("G8"));
}

TEST(Trials, AnEarlierStageBehindTheBoundBreaksG13) {
  for (const std::int64_t sent : {250, 350}) {
    Story story;
    story.trial.began = Stage::read_only;
    story.trial.moves.push_back({Stage::read_only, Stage::shadow, 1000 * ms, 1010 * ms, false, true, std::nullopt});
    story.trial.copies.push_back({900 * ms, 990 * ms, false});
    read(story, 1, sent, sent + 5, "{}", Stage::read_only);
    story.legacy_alone({{"/orders/7", "{}"}});
    EXPECT_EQ(story.violates("G13"), sent > 300) << sent;
  }
}

TEST(Trials, AFlipThatIsTakenWhileTheDatabasesDifferBreaksItsEdge) {
  Story story;
  FlagMove move;
  move.from = Stage::shadow;
  move.to = Stage::live;
  move.asked_ns = 1000 * ms;
  move.served_ns = 1020 * ms;
  move.before = testing::same("legacy database", "new database");
  testing::differ(*move.before, RowDifference::Kind::only_left, "orders", "7");
  story.trial.moves.push_back(move);
  EXPECT_TRUE(story.violates("E3"));
  story.trial.moves.front().served_ns = 0;  // refused, as it must be
  EXPECT_FALSE(story.violates("E3"));
  story.trial.moves.front().before = testing::same("legacy database", "new database");
  EXPECT_TRUE(story.violates("E3"));  // and refused for nothing
}

// Two copies enclose the flip from completed to live. Whoever writes behind the first and leaves out the second leaves legacy behind: that
// is not the services' doing. Without any copy it is.
TEST(Trials, AWriteBetweenTheCopyBackAndTheFlipIsWhatTheSecondCopyIsFor) {
  Story story;
  story.trial.began = Stage::completed;
  FlagMove move;
  move.from = Stage::completed;
  move.to = Stage::live;
  move.asked_ns = 1500 * ms;
  move.served_ns = 1520 * ms;
  move.before = testing::same("legacy database", "new database");
  testing::differ(*move.before, RowDifference::Kind::changed, "orders", "7");
  story.trial.moves.push_back(move);
  story.trial.ended = Stage::live;
  write(story, 1, 100, 110, R"({"v":1})", 200, Stage::completed);
  story.commit(true, 105, "orders", "7", "v=1");
  EXPECT_TRUE(story.violates("E4'"));
  story.trial.copies.push_back({1010 * ms, 1050 * ms, true, true, false});  // before the write
  EXPECT_FALSE(story.violates("E4'"));
  story.trial.copies.push_back({1200 * ms, 1250 * ms, true, true, false});  // and behind it
  EXPECT_TRUE(story.violates("E4'"));
}

TEST(Trials, AnotherOrderInTheOtherLogBreaksG6) {
  Story story;
  write(story, 1, 0, 40, R"({"v":1})");
  write(story, 2, 0, 40, R"({"v":2})");
  story.commit(false, 10, "orders", "7", "v=1");
  story.commit(false, 20, "orders", "7", "v=2");
  story.commit(true, 22, "orders", "7", "v=2");
  story.commit(true, 24, "orders", "7", "v=1");
  EXPECT_TRUE(story.violates("G6"));
}

TEST(Trials, AFaultOfTheNewDatabaseInShadowReachesNobody) {
  for (const auto& [status, took, broken] :
       {std::tuple(200, 20, false), std::tuple(502, 20, true), std::tuple(200, 1500, true)}) {
    Story story;
    story.trial.faults.push_back({"new-database", "hung", 1000 * ms, 4000 * ms});
    story.trial.alerts.counted = 1;
    write(story, 1, 0, took, R"({"v":1})", status);
    story.commit(false, 5, "orders", "7", "v=1");
    story.legacy_alone({});
    EXPECT_EQ(story.violates("S3"), broken) << status << " after " << took;
  }
}

TEST(Trials, NothingSucceedsWithLegacyStopped) {
  Story story;
  story.trial.began = story.trial.ended = Stage::off;
  story.trial.faults.push_back({"legacy", "stop", 1000 * ms, 2000 * ms});
  write(story, 1, 10, 20, "{}", 200, Stage::off);
  EXPECT_TRUE(story.violates("O6"));
}

// A failure that nothing explains is legacy's answer or a contradiction, in whatever order refusals are tried.
TEST(Trials, AFailureWithoutATraceIsHeldAgainstLegacy) {
  Story story;
  write(story, 1, 0, 10, R"({"v":1})", 500);
  story.legacy_alone({});
  EXPECT_TRUE(story.violates("G7"));
}

TEST(Trials, AWriteThatIsCommittedBehindALaterOneIsNoSerialExecution) {
  Story story;
  write(story, 1, 0, 10, R"({"v":1})");
  write(story, 2, 20, 30, R"({"v":2})");
  story.commit_both(25, "orders", "7", "v=2");
  story.commit_both(45, "orders", "7", "v=1");
  story.legacy_alone({});
  ASSERT_FALSE(story.trial.serial.empty());
  testing::differ(story.trial.serial.front().state, RowDifference::Kind::changed, "orders", "7", "v", "2", "1");
  EXPECT_TRUE(story.violates("G1"));
  story.trial.serial.clear();
  EXPECT_EQ(judge(story.contract, story.trial, {}).verdict(), Verdict::unknown);
}

TEST(Trials, AFlipAtRestExcusesNothingOnceItIsServed) {
  for (const bool straddled : {false, true}) {
    Story story;
    story.trial.began = Stage::live;
    story.trial.ended = Stage::shadow;
    FlagMove move;
    move.from = Stage::live;
    move.to = Stage::shadow;
    move.asked_ns = 1000 * ms;
    move.served_ns = 1020 * ms;
    move.straddled = straddled;
    story.trial.moves.push_back(move);
    write(story, 1, 30, 40, R"({"v":1})", 500);
    story.legacy_alone({});
    EXPECT_EQ(story.violates("G7"), !straddled);
  }
}

TEST(Trials, AFlipOfLongAgoDoesNotMakeALaterOneOneAtRest) {
  Story story;
  story.trial.began = Stage::shadow;
  story.trial.ended = Stage::live;
  const auto move = [&](Stage from, Stage to, std::int64_t at, bool straddled) {
    FlagMove made;
    made.from = from;
    made.to = to;
    made.asked_ns = (1000 + at) * ms;
    made.served_ns = (1020 + at) * ms;
    made.straddled = straddled;
    story.trial.moves.push_back(made);
  };
  move(Stage::shadow, Stage::live, 0, false);
  move(Stage::live, Stage::completed, 1000, false);
  move(Stage::completed, Stage::live, 2000, true);
  write(story, 1, 2005, 2008, R"({"v":1})", 503, Stage::live);  // the two services served different stages
  story.legacy_alone({});
  EXPECT_TRUE(story.violations().empty());
}

TEST(Trials, WhatWasGivenUpMayTakeEffectWhenTheServiceGoesOn) {
  for (const bool fault : {true, false}) {
    Story story;
    if (fault) story.trial.faults.push_back({"legacy", "pause", 1005 * ms, 1100 * ms});
    write(story, 1, 10, 90, R"({"v":"later"})", 504);
    read(story, 2, 102, 104, R"({"v":"before"})");
    story.commit_both(130, "orders", "7", "v=later");
    read(story, 3, 140, 150, R"({"v":"later"})");
    story.legacy_alone({{"/orders/7", R"({"v":"before"})"}});
    EXPECT_EQ(story.violations().empty(), fault) << fault;
  }
}

TEST(Trials, ACommitBehindAHungUpClientIsThatOnesAndNotTheNextRequests) {
  Story story;
  story.trial.faults.push_back({"client", "hang up write", 1005 * ms, 1100 * ms});
  write(story, 1, 10, 12, R"({"v":1})").outcome = replay::Outcome::lost;
  story.request(2, 13, 45, "DELETE", "/customers", 405);
  story.commit_both(40, "orders", "7", "v=1");
  EXPECT_FALSE(story.violates("G3"));
}

TEST(Trials, ARefusalThatHoldsTheSameValuesIsNotTheOneThatWroteWhenAnotherWasGivenUp) {
  Story story;
  story.trial.faults.push_back({"client", "hang up write", 1005 * ms, 1100 * ms});
  story.request(1, 10, 12, "POST", "/orders", 0, "", Stage::shadow, R"({"sku":"SKU-7","n":1})").outcome =
      replay::Outcome::lost;
  story.request(2, 13, 45, "POST", "/products/bulk", 422, "{}", Stage::shadow, R"({"sku":"SKU-7"})");
  story.commit_both(40, "orders", "17", "v=SKU-7");
  EXPECT_FALSE(story.violates("G3"));
}

TEST(Trials, WhoMadeAThingIsNotWhoDeletedItAtTheSameTime) {
  Story story;
  story.request(1, 10, 30, "POST", "/orders", 201, R"({"id":17})");
  story.request(2, 11, 31, "DELETE", "/orders/17", 204, "");
  for (const bool new_store : {false, true}) {
    for (const char* kind : {"INSERT", "DELETE"}) {
      story.commit(new_store, *kind == 'I' ? 15 : 20, "orders", "17", "v=1");
      auto& row = (new_store ? story.trial.new_ : story.trial.legacy).transactions.back().rows.back();
      row.replace(row.find("UPDATE"), 6, kind);
    }
  }
  const TrialEffects effects(story.contract, story.trial);
  for (const StepId step : {1, 2}) {
    const Effect& effect = *effects.of(step);
    EXPECT_EQ(effect.in_legacy, (std::vector<std::size_t>{static_cast<std::size_t>(step) - 1})) << step;
    EXPECT_EQ(effect.in_new, effect.in_legacy) << step;
    EXPECT_FALSE(effect.ambiguous) << step;
  }
}

TEST(Trials, AnAlertWithoutAFaultIsAnAlarmUnlessTheMachineWasTooSlow) {
  for (const std::int64_t took : {10, 300}) {
    Story story;
    write(story, 1, 10, 10 + took, R"({"v":1})");
    story.commit_both(15, "orders", "7", "v=1");
    story.trial.alerts.counted = 1;
    story.legacy_alone({});
    EXPECT_EQ(judge(story.contract, story.trial, {}).verdict(), took == 10 ? Verdict::fail : Verdict::unknown);
  }
}

TEST(Trials, ARowThatWasMadeBehindAFailureIsNotTheDeletionsThatCameNext) {
  Story story;
  story.trial.faults.push_back({"legacy-database", "cut after commit", 1005 * ms, 1100 * ms});
  story.request(1, 10, 12, "POST", "/orders", 503, "{}", Stage::shadow, R"({"sku":"SKU-7"})");
  story.request(2, 13, 45, "DELETE", "/orders/1", 204, "");
  for (const char* kind : {"INSERT", "DELETE"}) {
    story.commit(false, *kind == 'I' ? 20 : 30, "orders", *kind == 'I' ? "17" : "1", "v=SKU-7 1");
    auto& row = story.trial.legacy.transactions.back().rows.back();
    row.replace(row.find("UPDATE"), 6, kind);
  }
  const TrialEffects effects(story.contract, story.trial);
  EXPECT_EQ(effects.of(1)->in_legacy, (std::vector<std::size_t>{0}));
  EXPECT_EQ(effects.of(2)->in_legacy, (std::vector<std::size_t>{1}));
}

TEST(Trials, ANewRowIsTheOneRequestsThatMakesSuchRows) {
  Story story;
  story.trial.faults.push_back({"client", "hang up write", 1005 * ms, 1100 * ms});
  story.request(1, 10, 12, "POST", "/orders", 0, "", Stage::shadow, R"({"sku":"SKU-7"})").outcome =
      replay::Outcome::lost;
  story.request(2, 13, 45, "POST", "/products/bulk", 200, "{}", Stage::shadow, R"({"a":"SKU-7","b":"SKU-8"})");
  story.commit(false, 20, "orders", "17", "v=SKU-7 w:'SKU-8'");
  auto& row = story.trial.legacy.transactions.back().rows.back();
  row.replace(row.find("UPDATE"), 6, "INSERT");
  story.commit(false, 30, "products", "9", "v=SKU-7");
  const TrialEffects effects(story.contract, story.trial);
  EXPECT_EQ(effects.of(1)->in_legacy, (std::vector<std::size_t>{0}));
  EXPECT_EQ(effects.of(2)->in_legacy, (std::vector<std::size_t>{1}));
}

// One was given up while legacy stood still, and taken when it went on; meanwhile another makes a thing of the same kind.
TEST(Trials, OfTwoThatMakeRowsOfOneKindTheMarkTellsWhichMadeWhich) {
  Story story;
  story.request(1, 0, 200, "POST", "/orders", 504, "{}", Stage::live, R"({"note":"a ~1~"})");
  story.request(2, 210, 400, "POST", "/orders", 201, R"({"id":14})", Stage::live, R"({"note":"b ~2~"})");
  const auto insert = [&](std::int64_t at, const std::string& key, const std::string& note) {
    story.trial.legacy.transactions.push_back(
        {at, (1000 + at) * ms, {"table public.orders: INSERT: id[bigint]:" + key + " note[text]:'" + note + "'"}});
  };
  insert(380, "13", "a ~1~");
  insert(390, "14", "b ~2~");
  story.trial.faults.push_back({"legacy", "pause", 1000 * ms, 1370 * ms});
  const TrialEffects effects(story.contract, story.trial);
  EXPECT_EQ(effects.of(1)->in_legacy, std::vector<std::size_t>{0});
  EXPECT_EQ(effects.of(2)->in_legacy, std::vector<std::size_t>{1});
}

// What read-only refused is not what legacy took seconds later, when it went on: that was given up by another.
TEST(Trials, ARefusalOfTheStageIsNotTakenLater) {
  Story story;
  story.contract.refusal.status = 503;
  story.request(1, 0, 10, "PUT", "/orders/7", 503, "{}", Stage::read_only, R"({"v":1})");
  story.request(2, 500, 900, "POST", "/orders/7/cancel", 504, "{}", Stage::shadow, "{}");
  story.trial.began = Stage::read_only;
  story.trial.moves.push_back({Stage::read_only, Stage::shadow, 1100 * ms, 1150 * ms, false, true, std::nullopt});
  story.trial.faults.push_back({"legacy", "pause", 1450 * ms, 1910 * ms});
  story.commit(false, 920, "orders", "7", "v=1");
  const TrialEffects effects(story.contract, story.trial);
  EXPECT_TRUE(effects.of(1)->in_legacy.empty());
  EXPECT_EQ(effects.of(2)->in_legacy, std::vector<std::size_t>{0});
}

TEST(Trials, WhatWeHeldOurselvesIsNoSlowAnswer) {
  for (const bool held : {false, true}) {
    Story story;
    story.trial.faults.push_back({"new-database", "delay 300ms write", 1000 * ms, 3000 * ms});
    // Also not beside a hold of ours on the way to the new database: that is a fault of it.
    story.trial.faults.push_back(
        {held ? "legacy" : "new-database", "hold write at most 1500ms", 1005 * ms, 2600 * ms, true});
    write(story, 1, 10, 1600, R"({"v":1})");
    story.commit_both(1500, "orders", "7", "v=1");
    EXPECT_EQ(story.violates("S3"), !held);
  }
}

TEST(Trials, InstancesThatStayInDifferentStagesBreakG13) {
  Story story;
  FlagMove move;
  move.from = Stage::shadow;
  move.to = Stage::live;
  move.asked_ns = 1000 * ms;
  story.trial.moves.push_back(move);
  story.trial.disagreed = true;
  EXPECT_TRUE(story.violates("G13"));
}

// -- edges, copies, and legacy itself -----------------------------------------------------------------------------------

// A write in shadow that the new database did not take, and then a flip to live with that database at fault: nobody could compare.
class FlipWithADatabaseAtFault : public ::testing::Test {
 protected:
  FlipWithADatabaseAtFault() {
    story.trial.ended = Stage::live;
    story.trial.faults.push_back({"new-database", "stopped", 1000 * ms, 1500 * ms});
    story.trial.alerts.counted = 1;
    write(story, 1, 10, 20, R"({"v":1})");
    story.commit(false, 15, "orders", "7", "v=1");
    FlagMove move;
    move.from = Stage::shadow;
    move.to = Stage::live;
    move.asked_ns = 1100 * ms;
    move.served_ns = 1120 * ms;
    story.trial.moves.push_back(move);
  }
  Story story;
};
TEST_F(FlipWithADatabaseAtFault, IsWrongWhileAWriteIsInOneDatabaseOnly) { EXPECT_TRUE(story.violates("E3")); }
TEST_F(FlipWithADatabaseAtFault, IsRightWhenTheOtherOneTookItLater) {
  story.commit(true, 60, "orders", "7", "v=1");
  EXPECT_FALSE(story.violates("E3"));
}
TEST_F(FlipWithADatabaseAtFault, IsRightWhereItIsRefused) {
  story.trial.moves.front().served_ns = 0;
  story.trial.ended = Stage::shadow;
  EXPECT_FALSE(story.violates("E3"));
}

TEST(Trials, ACopyThatWasKilledIsNoReasonToEnterShadow) {
  for (const bool again : {false, true}) {
    Story story;
    story.trial.began = Stage::read_only;
    story.trial.copies.push_back({1000 * ms, 1010 * ms, false, false, true});
    if (again) story.trial.copies.push_back({1020 * ms, 1040 * ms, false, true});
    FlagMove move;
    move.from = Stage::read_only;
    move.to = Stage::shadow;
    move.asked_ns = 1100 * ms;
    move.served_ns = 1120 * ms;
    story.trial.moves.push_back(move);
    EXPECT_EQ(story.violates("E2"), !again);
    EXPECT_FALSE(story.violates("R5")) << "it was killed on purpose";
  }
}

TEST(Trials, ACopyMadeAgainIsHeldAgainstR6) {
  Story story;
  story.trial.copies = {{1000 * ms, 1010 * ms, false, false, true}, {1020 * ms, 1040 * ms, false, true}};
  story.trial.behind_copies.push_back(testing::same("legacy database", "new database"));
  testing::differ(story.trial.behind_copies.front(), RowDifference::Kind::only_right, "orders", "7", "", "", "");
  story.trial.behind_a_cut_one = {true};
  EXPECT_TRUE(story.violates("R6"));
  EXPECT_FALSE(story.violates("R5"));
}

TEST(Trials, AServiceThatEndsDuringAFlipComesBackInOneOfTheTwoStages) {
  for (const Stage back : {Stage::shadow, Stage::live, Stage::off}) {
    Story story;
    FlagMove move;
    move.from = Stage::shadow;
    move.to = Stage::live;
    move.asked_ns = 1000 * ms;
    move.straddled = true;
    story.trial.moves.push_back(move);
    story.trial.faults.push_back({"new", "kill", 1005 * ms, 1050 * ms});
    read(story, 1, 100, 110, R"({"v":1})", back);
    EXPECT_EQ(story.violates("E!"), back == Stage::off) << name_of(back);
  }
}

TEST(Trials, ARefusalThatWaitsForABrokenDatabaseBreaksR7) {
  for (const std::int64_t took : {5, 1500}) {
    Story story;
    story.trial.began = story.trial.ended = Stage::read_only;
    story.trial.faults.push_back({"legacy-database", "hung", 1000 * ms, 9000 * ms});
    story.contract.refusal.status = 503;
    write(story, 1, 10, 10 + took, "{}", 503, Stage::read_only);
    EXPECT_EQ(story.violates("R7"), took > 1000) << took;
  }
}

TEST(Trials, APartOfAnOperationInTheNewDatabaseBreaksS8) {
  for (const bool whole : {false, true}) {
    Story story;
    story.trial.faults.push_back({"new-database", "reset write", 1000 * ms, 1500 * ms});
    write(story, 1, 10, 20, R"({"v":1})");
    const auto both_rows = [&](bool new_store, bool second) {
      story.commit(new_store, 15, "orders", "7", "v=1");
      auto& writes = (new_store ? story.trial.new_writes : story.trial.legacy_writes).writes;
      if (second) writes.push_back(writes.back()), writes.back().key = "8";
    };
    both_rows(false, true);
    both_rows(true, whole);
    if (!whole) testing::differ(story.trial.stores, RowDifference::Kind::only_left, "orders", "8", "", "", "");
    EXPECT_EQ(story.violates("S8"), !whole);
  }
}

TEST(Trials, AMismatchThatTheServiceSeesAndKeepsToItselfBreaksS5) {
  for (const bool alerted : {false, true}) {
    Story story;
    story.trial.alterations.push_back({true, 1000 * ms});
    story.trial.alerts.counted = alerted ? 1 : 0;
    story.request(1, 10, 20, "PATCH", "/orders/7", 200, R"({"note":"ring twice"})", Stage::shadow, R"({"v":1})");
    story.commit_both(15, "orders", "7", "v=1");
    testing::differ(story.trial.stores, RowDifference::Kind::changed, "orders", "7", "note", "ring twice", "altered");
    EXPECT_EQ(story.violates("S5"), !alerted);
    EXPECT_FALSE(story.violates("G5")) << "we altered it";
    EXPECT_FALSE(story.violates("G11"));
  }
}

TEST(Trials, LegacyThatServesWhoComesPastTheNewServiceBreaksC2AndR4) {
  for (const Stage stage : {Stage::completed, Stage::read_only}) {
    for (const int status : {200, 405, 503, 410}) {
      Story story;
      story.contract.refusal = {};
      story.contract.refusal.status = 503;
      story.contract.legacy_gone = {};
      story.contract.legacy_gone.status = 410;
      write(story, 1, 10, 20, "{}", status, stage);
      story.trial.direct = story.trial.played;
      story.trial.played.records.clear();
      story.trial.began = story.trial.ended = stage;
      EXPECT_EQ(story.violates("C2"), stage == Stage::completed && status != 410) << status;
      EXPECT_EQ(story.violates("R4"), stage == Stage::read_only && status != 503 && status != 405) << status;
    }
  }
}

TEST(Trials, ACopyThatFailsBreaksR5) {
  Story story;
  story.trial.copies.push_back({900 * ms, 990 * ms, false, false});
  EXPECT_TRUE(story.violates("R5"));
}

TEST(Trials, WithoutItsSourceTheFlagStays) {
  Story story;
  story.trial.faults.push_back({"flag", "gone", 1000 * ms, 2000 * ms});
  read(story, 1, 10, 20, "{}", Stage::completed);
  EXPECT_TRUE(story.violates("G15"));
}

TEST(Trials, WhatWasArmedAndMetNothingProvesNothing) {
  Story story;
  read(story, 1, 0, 5, "{}");
  story.trial.unfired.push_back("never fired: wire new-database: hold \"~3~\"");
  story.legacy_alone({{"/orders/7", "{}"}});
  EXPECT_EQ(judge(story.contract, story.trial, {}).verdict(), Verdict::unknown);
}

TEST(Trials, AWriteWhoseAcknowledgementWasLostMayBeAnsweredWithAFailure) {
  for (const bool broken : {true, false}) {
    Story story;
    write(story, 1, 0, 10, R"({"v":1})", 502);
    read(story, 2, 20, 30, R"({"v":1})");
    story.commit(false, 5, "orders", "7", "v=1");
    if (broken) story.trial.faults.push_back({"legacy", "cut after answer write", 1000 * ms, 1015 * ms});
    story.legacy_alone({});
    EXPECT_EQ(story.violates("G7"), !broken);
  }
}

TEST(Trials, ARowThatLegacyMadeWhileItsAnswerGotLostIsAlertedWithoutItsKey) {
  const auto differs = [](bool broken, const std::string& key, RowDifference::Kind kind) {
    Story story;
    read(story, 2, 20, 30, "{}");
    if (broken) story.trial.faults.push_back({"legacy", "cut after answer write", 1000 * ms, 1015 * ms});
    story.trial.alerts.counted = 1;
    story.trial.alerts.logged.push_back({"legacy", "shadow", "create", "orders", key});
    RowDifference row;
    row.kind = kind;
    row.entity = "orders";
    row.key = "9";
    story.trial.stores.differences = 1;
    story.trial.stores.rows.push_back(row);
    return story.violates("G5");
  };
  using Kind = RowDifference::Kind;
  EXPECT_FALSE(differs(true, "?", Kind::only_left));
  EXPECT_FALSE(differs(true, "9", Kind::only_left));
  EXPECT_TRUE(differs(true, "8", Kind::only_left));
  EXPECT_TRUE(differs(true, "?", Kind::only_right)) << "legacy did not make it";
  EXPECT_TRUE(differs(false, "?", Kind::only_left)) << "no answer of legacy can have been lost";
}

TEST(Trials, AValueWhoseAnswerWasLostIsSentToLegacyAsItWentOut) {
  for (const bool lost : {true, false}) {
    Story story;
    story.request(1, 0, 10, "POST", "/orders", lost ? 502 : 201, lost ? "{}" : R"({"id": 9})", Stage::shadow,
                  R"({"v":1})");
    read(story, 2, 20, 30, "{}");
    story.trial.plan.steps[1].uses.push_back({"path:1", "7", 1, "json:/id"});
    story.commit(false, 5, "orders", "9", "v=1");
    story.trial.faults.push_back({"legacy", "cut after answer write", 1000 * ms, 1015 * ms});
    const SerialPlan serial = serial_plan(story.contract, story.trial, {1});
    EXPECT_EQ(serial.plan.steps.back().uses.empty(), lost);
  }
}

class Upstream : public ::testing::Test {
 protected:
  Upstream() {
    story.trial.began = story.trial.ended = Stage::off;
    story.trial.copied = false;
    story.trial.upstream_known = true;
    story.request(1, 10, 20, "POST", "/orders?x=1", 201, "{}", Stage::off, "{\"note\": 1}")
        .request.headers.push_back({"If-Match", "\"7\""});
  }
  void came(std::int64_t at) {
    story.trial.upstream.push_back({(1000 + at) * ms, story.trial.played.records.front().request});
  }
  Story story;
};

TEST_F(Upstream, RequestThatCameOnceAsItWasSentIsSound) {
  came(12);
  EXPECT_FALSE(story.violates("O3"));
}
TEST_F(Upstream, RequestThatCameTwiceIsFound) {
  came(12);
  came(14);
  EXPECT_TRUE(story.violates("O3"));
}
TEST_F(Upstream, RequestThatCameUnderAnotherTargetIsFound) {
  came(12);
  story.trial.upstream.back().request.target = "/orders";
  EXPECT_TRUE(story.violates("O3"));
}
TEST_F(Upstream, FieldThatGotLostIsFound) {
  came(12);
  replay::erase_field(story.trial.upstream.back().request.headers, "If-Match");
  EXPECT_TRUE(story.violates("O3"));
}
TEST_F(Upstream, FieldThatCameInSeveralLinesIsLookedAtWhole) {
  auto& asked = story.trial.played.records.front().request.headers;
  asked.push_back({"X-Trace", "a1"});
  asked.push_back({"X-Trace", "b1"});
  came(12);
  EXPECT_FALSE(story.violates("O3"));
  auto& arrived = story.trial.upstream.back().request.headers;
  replay::erase_field(arrived, "X-Trace");
  arrived.push_back({"x-trace", "a1, b1"});
  EXPECT_FALSE(story.violates("O3")) << "one line or several say the same";
  arrived.back().value = "a1";
  EXPECT_TRUE(story.violates("O3"));
}
TEST_F(Upstream, BodyThatCameAnotherWayIsFound) {
  came(12);
  story.trial.upstream.back().request.body = "{\"note\":1}";
  EXPECT_TRUE(story.violates("O3"));
}
TEST_F(Upstream, WriteThatWasSentAgainBehindAFailureBreaksO4) {
  story.trial.faults.push_back({"legacy", "answer status 503 write", 1000 * ms, 2000 * ms});
  came(12);
  EXPECT_FALSE(story.violates("O4"));
  came(14);
  EXPECT_TRUE(story.violates("O4"));
  EXPECT_FALSE(story.violates("O3")) << "beside a fault a service may do without";
}
TEST_F(Upstream, SaysNothingWithoutAWireOrBesideAFault) {
  story.trial.upstream_known = false;
  EXPECT_FALSE(story.violates("O3"));
  story.trial.upstream_known = true;
  story.trial.faults.push_back({"legacy", "reset write", 1000 * ms, 2000 * ms});
  EXPECT_FALSE(story.violates("O3"));
}
TEST_F(Upstream, SameRequestOfTwoClientsComesTwice) {
  story.request(2, 12, 22, "POST", "/orders?x=1", 201, "{}", Stage::off, "{\"note\": 1}")
      .request.headers.push_back({"If-Match", "\"7\""});
  came(13);
  came(15);
  EXPECT_FALSE(story.violates("O3"));
}

TEST(Trials, WhatWasNotWatchedWholeIsUnknown) {
  Story story;
  story.trial.problem = "it was interrupted";
  EXPECT_EQ(judge(story.contract, story.trial, {}).verdict(), Verdict::unknown);
}

}  // namespace
}  // namespace rehearse::properties
