// Relations told by a toy of a migration: registers under paths in two stores and legacy alone, all in memory. It keeps every relation;
// each of its bugs breaks one.
#include "properties/plans/relations.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "properties/checks/rehearsed.h"
#include "properties/plans/shrinking.h"
#include "properties/plans/signal.h"

namespace rehearse::properties {
namespace {

using replay::Plan;
using replay::Record;
using replay::Step;
using replay::StepId;

constexpr std::int64_t ms = 1'000'000;

// "PUT /orders/1 a" is a request with a body, everything without a "/" a cue.
Plan chain(const std::vector<std::string>& words) {
  Plan plan;
  for (const std::string& word : words) {
    Step step;
    step.id = static_cast<StepId>(plan.steps.size()) + 1;
    if (!plan.steps.empty()) step.after.push_back({step.id - 1, replay::CauseKind::hand});
    if (word.find('/') == std::string::npos) {
      step.cue = word;
    } else {
      const auto space = word.find(' '), second = std::min(word.find(' ', space + 1), word.size());
      const std::string body = second < word.size() ? fmt::format(R"({{"v":"{}"}})", word.substr(second + 1)) : "";
      step.lane = 1;
      step.read = word.starts_with("GET");
      step.request = replay::Request{word.substr(0, space),
                                     word.substr(space + 1, second - space - 1),
                                     {{"Content-Type", "application/json"}},
                                     body};
    }
    plan.steps.push_back(step);
  }
  return plan;
}

std::vector<std::string> words_of(const Plan& plan) {
  std::vector<std::string> words;
  for (const Step& step : plan.steps)
    words.push_back(step.request.has_value() ? step.request.get()->method + " " + step.request.get()->target
                                             : step.cue);
  return words;
}

using Store = std::map<std::string, std::string>;  // path → body

struct Played {
  Trial trial;
  Store legacy, new_, alone;
};

// What is wrong with the toy.
enum class Bug {
  none,
  live_leaves_nulls_away,
  fault_reaches_the_client,
  writes_depend_on_the_one_before,
  put_appends,
  copy_back_does_nothing,
  queue_is_lost,
  reads_write,
  names_are_looked_at,
  copy_appends,
  lanes_overwrite_each_other,
  moment_in_answers,
};

class Toy {
 public:
  explicit Toy(Bug bug, bool in_legacy_too = false) : bug_(bug), in_legacy_too_(in_legacy_too) {}

  Played play(const Plan& plan) {
    ++plays_;
    Played played;
    Trial& trial = played.trial;
    trial.plan = plan;
    trial.began = begins_in(plan);
    trial.copied = trial.began > Stage::read_only;
    trial.played.began_ns = 1000 * ms;
    trial.played.name = "played";
    trial.legacy.known = trial.new_.known = trial.legacy_writes.known = trial.new_writes.known = true;
    played.legacy = played.alone = {{"/orders/1", ""}, {"/orders/2", ""}};
    if (trial.copied) played.new_ = played.legacy;
    SerialRun run;
    run.history = trial.played;
    stage_ = trial.began;
    broken_ = false;
    last_.clear();
    queue_.clear();
    std::int64_t now = 10;
    const Step* before = nullptr;
    for (const Step& step : plan.steps) {
      now += 10;
      if (!step.cue.empty()) {
        cue(signal_in(step.cue), now, played);
        continue;
      }
      Record record;
      record.step = step.id;
      record.lane = step.lane;
      record.sent_ns = now * ms;
      record.done_ns = (now + 5) * ms;
      record.outcome = replay::Outcome::answered;
      record.read = step.read;
      record.request = *step.request.get();
      Record alone = record;
      const bool beside = before != nullptr && before->lane != step.lane && before->lane > 1;
      before = &step;
      answer(record, played, now, beside);
      alone.response = at(in_legacy_too_ ? bug_ : Bug::none, alone.request, played.alone);
      trial.played.records.push_back(record);
      if (!alone.read) run.order.push_back(alone.step);
      run.history.records.push_back(alone);
    }
    for (const auto& [path, body] : queue_) played.new_[path] = body;
    trial.ended = stage_;
    trial.serial.push_back(run);
    return played;
  }

 private:
  void cue(const Signal& signal, std::int64_t now, Played& played) {
    using Kind = Signal::Kind;
    if (signal.kind == Kind::flip) {
      played.trial.moves.push_back({stage_, signal.stage, (1000 + now) * ms, (1001 + now) * ms, false, true, {}});
      stage_ = signal.stage;
    }
    if (signal.kind == Kind::copy && stage_ == Stage::read_only) {
      const Store before = bug_ == Bug::copy_appends ? played.new_ : Store{};
      played.new_ = played.legacy;
      for (const auto& [path, body] : before) played.new_[path] += body + "again";
      played.trial.copied = true;
    }
    if (signal.kind == Kind::copy_back && bug_ != Bug::copy_back_does_nothing) played.legacy = played.new_;
    if (signal.kind == Kind::break_database) {
      broken_ = true;
      played.trial.faults.push_back({signal.what, signal.how, (1000 + now) * ms, 0});
    }
    if (signal.kind == Kind::mend) {
      broken_ = false;
      played.trial.faults.back().to_ns = (1000 + now) * ms;
    }
    if (signal.kind == Kind::service && signal.how == "stop") queue_.clear();
  }

  // One store's answer, and what it does to it.
  replay::Response at(Bug bug, const replay::Request& request, Store& store) {
    const replay::Headers json{{"Content-Type", "application/json"}};
    if (request.method == "GET") {
      if (bug == Bug::reads_write) store[request.target] += "r";
      return store.contains(request.target)
                 ? replay::Response{200, json,
                                    fmt::format(R"({{"note":null,"row":{}}})",
                                                store[request.target].empty() ? "null" : store[request.target])}
                 : replay::Response{404, json, "{}"};
    }
    if (request.method == "DELETE") return {store.erase(request.target) > 0 ? 204 : 404, {}, ""};
    std::string body = request.body;
    if (bug == Bug::put_appends && store.contains(request.target) && !store[request.target].empty())
      body = "[" + store[request.target] + "," + body + "]";
    if (bug == Bug::writes_depend_on_the_one_before) body = "[" + std::exchange(last_, "1,") + body + "]";
    if (bug == Bug::names_are_looked_at && request.target.ends_with("2")) body = "0";
    const bool made = !store.contains(request.target);
    store[request.target] = body;
    return {made ? 201 : 200, json, "{}"};
  }

  void answer(Record& record, Played& played, std::int64_t now, bool beside) {
    const bool new_answers = stage_ == Stage::live || stage_ == Stage::completed;
    Store scratch = played.legacy;
    if (new_answers) {
      record.response =
          at(bug_, record.request, beside && bug_ == Bug::lanes_overwrite_each_other ? scratch : played.new_);
      if (stage_ == Stage::live && !record.read)
        played.legacy[record.request.target] = played.new_[record.request.target];
    } else {
      record.response =
          at(bug_, record.request, beside && bug_ == Bug::lanes_overwrite_each_other ? scratch : played.legacy);
    }
    if (stage_ == Stage::shadow && !record.read && !broken_) {
      if (bug_ == Bug::queue_is_lost)
        queue_.emplace_back(record.request.target, played.legacy[record.request.target]);
      else if (played.legacy.contains(record.request.target))
        played.new_[record.request.target] = played.legacy[record.request.target];
      else
        played.new_.erase(record.request.target);
    }
    if (bug_ == Bug::fault_reaches_the_client && broken_ && !record.read) record.response = {502, {}, ""};
    if (bug_ == Bug::live_leaves_nulls_away && new_answers && record.response.status == 200 && record.read)
      record.response.body = fmt::format(R"({{"row":{}}})", played.new_[record.request.target]);
    if (bug_ == Bug::moment_in_answers) record.response.body = fmt::format(R"({{"seen":{}}})", plays_ * 100 + now);
    if (!record.read) log(record, now, played);
  }

  void log(const Record& record, std::int64_t now, Played& played) const {
    const std::string key = record.request.target.substr(record.request.target.rfind('/') + 1);
    for (const bool new_store : {false, true}) {
      if (new_store ? stage_ < Stage::shadow : stage_ == Stage::completed) continue;
      auto& store = new_store ? played.trial.new_ : played.trial.legacy;
      const auto transaction = 100 + static_cast<std::int64_t>(store.transactions.size());
      store.transactions.push_back(
          {transaction, (1002 + now) * ms, {"table public.orders: UPDATE: id[bigint]:" + key}});
      LoggedWrite write;
      write.entity = "orders";
      write.key = key;
      write.transaction = transaction;
      (new_store ? played.trial.new_writes : played.trial.legacy_writes).writes.push_back(write);
    }
  }

  Bug bug_;
  bool in_legacy_too_;
  Stage stage_ = Stage::off;
  bool broken_ = false;
  std::string last_;
  int plays_ = 0;
  std::vector<std::pair<std::string, std::string>> queue_;
};

Comparison compared(const Store& left, const Store& right, const std::string& name) {
  Comparison result = testing::same("the " + name + " database", "the " + name + " database, changed");
  result.rows_left = static_cast<std::int64_t>(left.size());
  const auto add = [&](RowDifference row) {
    ++result.differences;
    result.rows.push_back(std::move(row));
  };
  for (const auto& [path, body] : left) {
    const auto found = right.find(path);
    if (found == right.end())
      add({RowDifference::Kind::only_left, "orders", path, {}, {}, {}});
    else if (found->second != body)
      add({RowDifference::Kind::changed, "orders", path, "v", body, found->second});
  }
  for (const auto& [path, body] : right)
    if (!left.contains(path)) add({RowDifference::Kind::only_right, "orders", path, {}, {}, {}});
  return result;
}

// Plays the plan and the changed one, as a campaign does.
Result related(Toy toy, const std::vector<std::string>& words, const Volatile& noise = {}) {
  const Plan plan = chain(words);
  const Derivation derivation = derive(plan);
  EXPECT_TRUE(derivation.derived.has_value()) << derivation.why_not;
  if (!derivation.derived) return {};
  const Derived& derived = *derivation.derived;
  Played original = toy.play(plan), changed = toy.play(derived.plan);
  const Contract contract = testing::contract();
  EXPECT_EQ(promises_nothing(contract, derived, original.trial), "");
  const auto old_names = [&](Store store) {
    Store renamed;
    for (auto& [path, body] : store) {
      const auto at = derived.other_name.empty() ? std::string::npos : path.find(derived.other_name);
      renamed[at == std::string::npos ? path : path.substr(0, at) + derived.name] = body;
    }
    return renamed;
  };
  changed.trial.played = with_names_of_the_original(derived, changed.trial.played);
  changed.trial.serial.back().history = with_names_of_the_original(derived, changed.trial.serial.back().history);
  RelatedTrials trials{
      &original.trial, &changed.trial, {}, compared(original.alone, old_names(changed.alone), "alone")};
  const bool new_answers = new_store_is_authoritative(original.trial.ended);
  const bool new_answers_changed = new_store_is_authoritative(changed.trial.ended);
  trials.states.push_back(compared(new_answers ? original.new_ : original.legacy,
                                   old_names(new_answers_changed ? changed.new_ : changed.legacy), "answering"));
  if (derived.relation != Relation::M2 && changed.trial.copied)
    trials.states.push_back(compared(original.new_, old_names(changed.new_), "new"));
  return judge_relation(contract, derived, trials, noise);
}

struct Story {
  Bug bug;
  std::vector<std::string> words;
  std::vector<std::string> changed;
  std::string observed;  // a part of what contradicts
};

const std::map<std::string, Story>& stories() {
  static const std::map<std::string, Story> all{
      {"M1",
       {Bug::live_leaves_nulls_away,
        {"world shadow", "PUT /orders/1 a", "relate M1 live", "GET /orders/1", "relate end", "PUT /orders/1 b"},
        {"world shadow", "PUT /orders/1", "flip live", "GET /orders/1", "flip shadow", "PUT /orders/1"},
        "in live instead of shadow behind step 2 it was answered 200 with $.note = nothing"}},
      {"M2",
       {Bug::fault_reaches_the_client,
        {"world shadow", "relate M2", "break new-database stopped", "PUT /orders/1 a", "mend", "GET /orders/1"},
        {"world shadow", "PUT /orders/1", "GET /orders/1"},
        "without the faults it was answered 200"}},
      {"M3",
       {Bug::writes_depend_on_the_one_before,
        {"world off", "relate M3", "PUT /orders/1 a", "PUT /orders/2 b"},
        {"world off", "PUT /orders/2", "PUT /orders/1"},
        "/orders/1.v is"}},
      {"M4",
       {Bug::put_appends,
        {"world completed", "PUT /orders/1 a", "relate M4", "GET /orders/1"},
        {"world completed", "PUT /orders/1", "PUT /orders/1", "GET /orders/1"},
        "with step 2 sent twice it was answered 200 with $.row"}},
      {"M5",
       {Bug::copy_back_does_nothing,
        {"world live", "PUT /orders/1 a", "relate M5 completed", "GET /orders/1"},
        {"world live", "PUT /orders/1", "flip completed", "copy back", "flip live", "copy back", "GET /orders/1"},
        ""}},
      {"M6",
       {Bug::queue_is_lost,
        {"world shadow", "PUT /orders/1 a", "relate M6 new", "GET /orders/1"},
        {"world shadow", "PUT /orders/1", "stop new", "start new", "ready", "GET /orders/1"},
        "orders//orders/1.v is"}},
      {"M7",
       {Bug::reads_write,
        {"world off", "relate M7", "PUT /orders/1 a", "GET /orders/1"},
        {"world off", "PUT /orders/1"},
        "/orders/1.v is"}},
      {"M8",
       {Bug::names_are_looked_at,
        {"world off", "relate M8 LAMP-1 -> LAMP-2", "PUT /products/LAMP-1 a", "GET /products/LAMP-1"},
        {"world off", "PUT /products/LAMP-2", "GET /products/LAMP-2"},
        "with LAMP-1 called LAMP-2 it was answered 200 with $.row = 0"}},
      {"M9",
       {Bug::copy_appends,
        {"world read-only", "relate M9", "copy", "flip shadow"},
        {"world read-only", "copy", "copy", "flip shadow"},
        "/orders/1.v is"}},
      {"M10",
       {Bug::lanes_overwrite_each_other,
        {"world off", "relate M10", "PUT /orders/1 a", "PUT /orders/2 b"},
        {"world off", "PUT /orders/1", "PUT /orders/2"},
        "/orders/2.v is"}},
  };
  return all;
}

TEST(Relations, EachIsBrokenByAHistoryOfItsOwn) {
  for (const Relation relation : all_relations) {
    const Story& story = stories().at(std::string(id_of(relation)));
    SCOPED_TRACE(id_of(relation));
    const Derivation derivation = derive(chain(story.words));
    ASSERT_TRUE(derivation.derived.has_value()) << derivation.why_not;
    EXPECT_EQ(words_of(derivation.derived->plan), story.changed);
    const Result good = related(Toy(Bug::none), story.words);
    EXPECT_EQ(good.verdict, Verdict::pass) << (good.findings.empty() ? good.reason : good.findings.front().observed);
    if (relation == Relation::M5) continue;  // below: what a copy did not bring back must be written meanwhile
    const Result broken = related(Toy(story.bug), story.words);
    EXPECT_EQ(broken.verdict, Verdict::fail);
    EXPECT_EQ(broken.invariant, id_of(relation));
    ASSERT_FALSE(broken.findings.empty());
    EXPECT_NE(broken.findings.front().observed.find(story.observed), std::string::npos)
        << broken.findings.front().observed;
  }
}

// A walk up and down again that copies may not bring back what was deleted before.
TEST(Relations, AWalkUpAndDownShowsACopyThatKeepsWhatWasThere) {
  const std::vector<std::string> words{"world off", "relate M5 shadow", "flip read-only",
                                       "copy",      "flip shadow",      "GET /orders/1"};
  EXPECT_EQ(words_of(derive(chain(words)).derived->plan),
            (std::vector<std::string>{"world off", "flip read-only", "copy", "flip shadow", "flip read-only",
                                      "flip off", "flip read-only", "copy", "flip shadow", "GET /orders/1"}));
  EXPECT_EQ(related(Toy(Bug::none), words).verdict, Verdict::pass);
  EXPECT_EQ(related(Toy(Bug::copy_appends), words).verdict, Verdict::fail);
}

// A walk without read-only: what is written in completed must be in legacy again behind it.
TEST(Relations, AWalkShowsACopyBackThatDoesNothing) {
  const std::vector<std::string> words{"world live", "relate M1 completed", "PUT /orders/1 a",
                                       "relate end", "flip shadow",         "GET /orders/1"};
  EXPECT_EQ(related(Toy(Bug::none), words).verdict, Verdict::pass);
  const Result broken = related(Toy(Bug::copy_back_does_nothing), words);
  EXPECT_EQ(broken.verdict, Verdict::fail);
}

TEST(Relations, WhatLegacyAloneDoesDifferentlyIsNoFaultOfTheMigration) {
  const auto& words = stories().at("M4").words;
  EXPECT_EQ(related(Toy(Bug::put_appends), words).verdict, Verdict::fail);
  EXPECT_EQ(related(Toy(Bug::put_appends, true), words).verdict, Verdict::pass);
}

TEST(Relations, WhatDiffersWheneverAPlanIsPlayedIsNoise) {
  const std::vector<std::string> words{"world live", "GET /orders/1", "relate M4", "PUT /orders/1 a"};
  Toy toy(Bug::moment_in_answers);
  EXPECT_EQ(related(toy, words).verdict, Verdict::fail);
  const Played once = toy.play(chain(words)), again = toy.play(chain(words));
  Volatile noise;
  EXPECT_TRUE(
      learn_noise(testing::contract(), once.trial, again.trial, {compared(once.new_, again.new_, "new")}, noise));
  EXPECT_EQ(related(toy, words, noise).verdict, Verdict::pass);
  // A row that comes and goes is no value.
  Comparison rows = compared({{"/orders/1", "a"}}, {}, "new");
  EXPECT_FALSE(learn_noise(testing::contract(), once.trial, once.trial, {rows}, noise));
}

TEST(Relations, ARepetitionOfAWriteIsHeldAgainstTheStateAlone) {
  // The second DELETE is answered 404, and that is as it should be.
  EXPECT_EQ(related(Toy(Bug::none), {"world off", "DELETE /orders/1", "relate M4", "GET /orders/1"}).verdict,
            Verdict::pass);
}

TEST(Relations, WhereTheyPromiseNothingTheySayWhy) {
  const auto why = [](const std::vector<std::string>& words) { return derive(chain(words)).why_not; };
  EXPECT_EQ(why({"world off", "GET /orders/1"}), "it names no relation");
  EXPECT_EQ(why({"world off", "relate M7", "relate M2", "GET /orders/1"}), "it names more than one relation");
  EXPECT_EQ(why({"world off", "relate M1 live", "GET /orders/1"}), "from off to live is no walk beyond read-only");
  EXPECT_EQ(why({"world live", "relate M1 live", "GET /orders/1"}), "it is in live there already");
  EXPECT_EQ(why({"world live", "relate M5 shadow", "GET /orders/1"}), "from live shadow is no way up");
  EXPECT_EQ(why({"world shadow", "relate M2", "GET /orders/1"}), "nothing is broken in it");
  EXPECT_EQ(why({"world live", "relate M2", "break new-database hung", "PUT /orders/1 a", "mend"}),
            "only shadow hides faults of the new database");
  EXPECT_EQ(why({"world shadow", "relate M2", "break new-database hung", "PUT /orders/1 a", "mend", "flip live"}),
            "the flag moves behind the fault, and an open alert closes edges");
  EXPECT_EQ(why({"world off", "relate M3", "GET /orders/1"}), "no two requests stand behind it");
  EXPECT_EQ(why({"world off", "PATCH /orders/1 a", "relate M4"}), "step 2 is not idempotent");
  EXPECT_EQ(why({"world off", "relate M7", "GET /orders/1"}), "it has no reads beside writes");
  EXPECT_EQ(why({"world off", "relate M8 A-1 -> A-22", "GET /orders/A-1"}), "the names are not two of one length");
  EXPECT_EQ(why({"world off", "relate M9", "GET /orders/1"}), "no copy stands behind it");
  EXPECT_EQ(why({"world off", "relate M10", "PUT /orders/1 a", "PUT /orders/1 b"}),
            "no requests about two things stand behind it");
  EXPECT_EQ(why({"world shadow", "relate M4", "kill new", "start new"}),
            "it has \"kill new\", and the relation says nothing of that");
  Plan beside = chain({"world off", "relate M7", "PUT /orders/1 a", "GET /orders/1"});
  beside.steps[3].after = {{2, replay::CauseKind::hand}};
  EXPECT_EQ(derive(beside).why_not, "its requests run at the same time, and such a plan does not do the same twice");
}

TEST(Relations, RequestsThatWriteOneRowDoNotCommute) {
  const Contract contract = testing::contract();
  const Plan plan = chain({"world off", "relate M3", "PUT /orders/1 a", "PUT /orders/2 b"});
  Played played = Toy(Bug::none).play(plan);
  const Derived derived = *derive(plan).derived;
  EXPECT_EQ(promises_nothing(contract, derived, played.trial), "");
  // Both took something from one shelf.
  for (auto& write : played.trial.legacy_writes.writes) write.entity = "shelves", write.key = "7";
  EXPECT_EQ(promises_nothing(contract, derived, played.trial), "steps 3 and 4 wrote shelves/7");
  played.trial.played.records[0].response.status = 201;
  EXPECT_EQ(promises_nothing(contract, derived, played.trial), "step 3 was refused, or made something");
}

TEST(Relations, AReadWhoseAnswerAWriteNeedsIsNotLeftOut) {
  Plan plan = chain({"world off", "relate M7", "GET /orders/1", "GET /orders/2", "PUT /orders/1 a"});
  plan.steps[4].uses.push_back({"header:If-Match", "x", 3, "header:ETag"});
  const Derived derived = *derive(plan).derived;
  EXPECT_EQ(words_of(derived.plan), (std::vector<std::string>{"world off", "GET /orders/1", "PUT /orders/1"}));
  EXPECT_EQ(derived.plan.steps[2].uses.front().from, derived.plan.steps[1].id);
}

TEST(Relations, TwoClientsWaitForWhatWasBeforeAndAreWaitedFor) {
  const Derived derived = *derive(chain({"world off", "GET /orders/1", "relate M10", "PUT /orders/1 a",
                                         "PUT /orders/2 b", "PUT /orders/1 c", "relate end", "GET /orders/2"}))
                               .derived;
  const auto after = [&](std::size_t i) {
    std::vector<StepId> ids;
    for (const auto& cause : derived.plan.steps[i].after) ids.push_back(cause.step);
    return ids;
  };
  EXPECT_EQ(after(2), std::vector<StepId>{2});
  EXPECT_EQ(after(3), std::vector<StepId>{2});
  EXPECT_EQ(after(4), std::vector<StepId>{3});
  EXPECT_EQ(after(5), (std::vector<StepId>{5, 4}));
  EXPECT_NE(derived.plan.steps[2].lane, derived.plan.steps[3].lane);
}

TEST(Relations, HaveAPlaceInPlansThatGiveThemOne) {
  const Contract contract = testing::contract();
  const std::map<std::string, std::vector<std::string>> with_one{
      {"M1", {"world shadow", "PUT /orders/1 a", "GET /orders/1"}},
      {"M2", {"world shadow", "break new-database hung", "PUT /orders/1 a", "mend"}},
      {"M3", {"world off", "PUT /orders/1 a", "PUT /orders/2 a"}},
      {"M4", {"world off", "PUT /orders/1 a", "GET /orders/1"}},
      {"M5", {"world off", "PUT /orders/1 a"}},
      {"M6", {"world off", "PUT /orders/1 a"}},
      {"M7", {"world off", "PUT /orders/1 a", "GET /orders/1"}},
      {"M8", {"world off", "PUT /products/LAMP-1 a", "GET /products/LAMP-1"}},
      {"M9", {"world read-only", "copy", "flip shadow"}},
      {"M10", {"world off", "PUT /orders/1 a", "PUT /orders/2 a"}}};
  for (const Relation relation : all_relations) {
    SCOPED_TRACE(id_of(relation));
    const Trial trial = Toy(Bug::none).play(chain(with_one.at(std::string(id_of(relation))))).trial;
    for (std::uint64_t seed = 1; seed < 20; ++seed) {
      const auto plan = placed(relation, contract, trial, {true, true}, seed);
      ASSERT_TRUE(plan.has_value());
      EXPECT_TRUE(names_relation(*plan));
      const Derivation derivation = derive(*plan);
      ASSERT_TRUE(derivation.derived.has_value()) << derivation.why_not;
      EXPECT_EQ(derivation.derived->relation, relation);
      EXPECT_EQ(replay::to_json(*plan), replay::to_json(*placed(relation, contract, trial, {true, true}, seed)));
      // It can be kept, and read again.
      EXPECT_EQ(replay::to_json(replay::plan_from_json(replay::to_json(*plan))), replay::to_json(*plan));
      EXPECT_EQ(replay::plan_from_json(replay::to_json(derivation.derived->plan)).steps.size(),
                derivation.derived->plan.steps.size());
    }
    const Trial without = Toy(Bug::none).play(chain({"world completed", "POST /orders a"})).trial;
    EXPECT_EQ(placed(relation, contract, without, {false, false}, 1).has_value(), false);
  }
}

// The place is a step like any other: it stays where it is while what it does not need is taken away.
TEST(Relations, APlanIsShrunkWithItsPlace) {
  const Attempt attempt = [](const Plan& plan) {
    const Derivation derivation = derive(plan);
    if (!derivation.derived) return std::set<std::string>{};
    const auto words = words_of(derivation.derived->plan);
    const auto put = std::find(words.begin(), words.end(), "PUT /orders/1");
    const bool twice = put != words.end() && put + 1 != words.end() && *(put + 1) == "PUT /orders/1";
    return twice ? std::set<std::string>{"M4"} : std::set<std::string>{};
  };
  const Plan plan = chain({"world off", "GET /orders/1", "PUT /orders/1 a", "relate M4", "GET /orders/2",
                           "flip read-only", "GET /orders/1"});
  const Shrunk shrunk = shrink(plan, "M4", attempt, {});
  ASSERT_EQ(words_of(shrunk.plan), (std::vector<std::string>{"world off", "PUT /orders/1", "relate M4"}));
}

}  // namespace
}  // namespace rehearse::properties
