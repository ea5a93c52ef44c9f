#include "properties/answers/noise.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <cmath>

#include "properties/answers/answers.h"
#include "properties/answers/path.h"
#include "properties/checks/rehearsed.h"

namespace rehearse::properties {
namespace {

using testing::answered;
using ::testing::ElementsAre;
using testing::get;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// The slow, obviously right way: every outcome of every coin.
TEST(AtLeastByChance, CountsTheOutcomesOfSoManyCoins) {
  for (int trials = 0; trials <= 12; ++trials) {
    for (int wanted = 0; wanted <= trials; ++wanted) {
      int found = 0;
      for (unsigned coins = 0; coins < 1u << trials; ++coins) found += std::popcount(coins) >= wanted;
      EXPECT_NEAR(at_least_by_chance(wanted, trials), found / std::pow(2.0, trials), 1e-12)
          << wanted << " of " << trials;
    }
  }
  EXPECT_LT(at_least_by_chance(3000, 3000), 1e-300) << "and more coins than a double has bits";
}

NoiseCounts counts(std::int64_t n, std::int64_t only_candidate, std::int64_t only_oracle, std::int64_t both) {
  return {n, only_oracle + both, only_candidate + both, only_candidate, only_oracle};
}

TEST(Decide, ADifferenceWhereTheOracleIsStableIsNoNoise) {
  EXPECT_EQ(decide(counts(1000, 1, 0, 0)).verdict, NoiseVerdict::stable);
}

TEST(Decide, WhatTheOracleChangesInTwoThirdsOfItsAnswersHidesNothing) {
  EXPECT_EQ(decide(counts(30, 10, 0, 20)).verdict, NoiseVerdict::broken);
  const auto too_few = decide(counts(12, 4, 0, 8));
  EXPECT_EQ(too_few.verdict, NoiseVerdict::undecided);
  EXPECT_EQ(too_few.needed, 30) << "a third of the answers speaks, and ten are needed";
}

TEST(Decide, WhatDiffersAsOftenAsTheOracleIsNoise) {
  EXPECT_EQ(decide(counts(30, 7, 7, 13)).verdict, NoiseVerdict::noise);
  EXPECT_EQ(decide(counts(30, 0, 0, 30)).verdict, NoiseVerdict::noise);
  EXPECT_EQ(decide(counts(3, 1, 1, 1)).verdict, NoiseVerdict::undecided)
      << "nothing was seen that could have said more";
  EXPECT_EQ(decide(counts(30, 9, 2, 5)).verdict, NoiseVerdict::undecided) << "neither likely nor unlikely enough";
}

// Under the hypothesis that both runs are alike a path is called broken less often than once in a thousand.
RC_GTEST_PROP(Decide, SeldomAccusesACandidateThatIsLikeTheOracle, ()) {
  const auto speaking = *rc::gen::inRange<std::int64_t>(0, 400);
  double accused = 0;
  for (std::int64_t k = 0; k <= speaking; ++k) {
    if (decide(counts(1000, k, speaking - k, 1)).verdict != NoiseVerdict::broken) continue;
    accused += at_least_by_chance(k, speaking) - (k == speaking ? 0 : at_least_by_chance(k + 1, speaking));
  }
  RC_ASSERT(accused < broken_below);
}

// -- whole histories ---------------------------------------------------------------------------------------------------

replay::History play(std::int64_t began_s, const std::vector<std::string>& bodies) {
  replay::History history;
  history.began_ns = began_s * 1'000'000'000;
  for (const std::string& body : bodies) {
    const auto step = static_cast<replay::StepId>(history.records.size()) + 1;
    history.records.push_back(answered(step, get("/orders/" + std::to_string(step)), testing::json(200, body)));
  }
  return history;
}

AnswersCompared compared(const replay::History& oracle, const replay::History& again, const replay::History& observed) {
  static const Contract contract = testing::contract();
  return compare_answers(contract, oracle, &again, observed, [](const replay::Record&) { return true; });
}

std::vector<std::string> bodies(int n, const std::function<std::string(int)>& value) {
  std::vector<std::string> all;
  for (int i = 0; i < n; ++i) all.push_back(R"({"v":)" + value(i) + "}");
  return all;
}

// Noisy in two thirds of the oracle's answers, broken in all of the candidate's: the rule that hides this is the one that people know.
TEST(Noise, APathNoisyInTwoThirdsOfTheOraclesAnswersAndBrokenInAllIsFound) {
  const auto oracle = play(1000, bodies(60, [](int i) { return std::to_string(1000 + i); }));
  const auto again = play(2000, bodies(60, [](int i) { return std::to_string(i % 3 == 0 ? 1000 + i : 2000 + i); }));
  const auto broken = compared(oracle, again, play(3000, bodies(60, [](int) { return std::string("0"); })));
  EXPECT_EQ(broken.differed, 20);
  EXPECT_EQ(broken.masked, 40);
  ASSERT_EQ(broken.noise.size(), 1u);
  EXPECT_EQ(broken.noise[0].decision.verdict, NoiseVerdict::broken);
  EXPECT_EQ(broken.noise[0].counts, (NoiseCounts{60, 40, 60, 20, 0}));
  const auto like_the_oracle = compared(
      oracle, again, play(3000, bodies(60, [](int i) { return std::to_string(i % 3 == 1 ? 1000 + i : 3000 + i); })));
  EXPECT_EQ(like_the_oracle.differed + like_the_oracle.undecided, 0);
}

// One element that the oracle changes says nothing of its neighbours: a broken price beside it must not hide behind it.
TEST(Noise, AVolatileElementHidesNoBrokenOneBesideIt) {
  const auto items = [](const std::string& first, const std::string& second) {
    return [=](int i) { return "[" + first + std::to_string(i) + "," + second + "]"; };
  };
  for (const auto& [volatile_a, volatile_b, volatile_c] : {std::tuple("1", "2", "3"), std::tuple("10", "20", "30")}) {
    const auto oracle = play(1000, bodies(60, items(volatile_a, "5")));
    const auto again = play(2000, bodies(60, items(volatile_b, "5")));
    const auto broken = compared(oracle, again, play(3000, bodies(60, items(volatile_c, "-5"))));
    EXPECT_EQ(broken.differed, 60);
    EXPECT_EQ(compared(oracle, again, play(3000, bodies(60, items(volatile_c, "5")))).masked, 60);
  }
  const auto few = compared(play(1000, bodies(3, items("1", "5"))), play(2000, bodies(3, items("2", "5"))),
                            play(3000, bodies(3, items("3", "-5"))));
  EXPECT_EQ(few.undecided, 3) << "three answers prove nothing, and are not green";
}

TEST(Noise, AVolatileColumnOrLineHidesNoBrokenOneBesideIt) {
  const auto documents = [](const std::string& type, const std::function<std::string(int)>& body) {
    replay::History history;
    for (int i = 0; i < 40; ++i) {
      replay::Response response{200, {{"Content-Type", type}}, body(i)};
      history.records.push_back(answered(i + 1, get("/orders/" + std::to_string(i) + ".csv"), response));
    }
    return history;
  };
  for (const auto& [type, between] :
       {std::pair("text/csv", ","), std::pair("text/html", "\n"), std::pair("text/plain", "\n")}) {
    const auto run = [&](const std::string& trace, const std::string& total) {
      return documents(type, [=](int i) {
        return "trace" + std::string(between) + "total\n" + trace + std::to_string(i) + between + "total is " + total +
               "\n";
      });
    };
    const auto oracle = run("a", "5.00"), again = run("b", "5.00");
    EXPECT_EQ(compared(oracle, again, run("c", "-5.00")).differed, 40) << type;
    EXPECT_EQ(compared(oracle, again, run("c", "5.00")).masked, 40) << type;
  }
}

TEST(Noise, AUuidThatTheOracleGaveTwiceIsNoAccidentBesideOneThatItDrew) {
  const auto uuids = [](const std::string& drawn, const std::string& kept) {
    const std::string tail = "f8fad5b-d9cb-469f-a165-70867728950e";
    return [=](int) { return "[\"" + drawn + tail + "\",\"" + kept + tail + "\"]"; };
  };
  const auto oracle = play(1000, bodies(20, uuids("0", "a"))), again = play(2000, bodies(20, uuids("1", "a")));
  EXPECT_EQ(compared(oracle, again, play(3000, bodies(20, uuids("2", "b")))).differed, 20);
  EXPECT_EQ(compared(oracle, again, play(3000, bodies(20, uuids("2", "a")))).masked, 20);
}

// That customer 8 of the oracle is customer 9 here makes no 8 of a stock a 9.
TEST(Answers, ASmallIdentifierStandsForAnotherWhereANameSaysSoAndNowhereElse) {
  const auto run = [](const std::string& id, const std::string& named, const std::string& other) {
    replay::History history;
    history.records = {
        answered(1, testing::post("/customers", "{}"),
                 testing::json(201, "{\"id\":" + id + "}", {{"Location", "/customers/" + id}})),
        answered(2, get("/a"), testing::json(200, "{\"customer_id\":\"" + named + "\",\"stock\":\"" + other + "\"}")),
        answered(
            3, get("/b"),
            replay::Response{200, {{"Content-Type", "text/csv"}}, "customer_id,stock\n" + named + "," + other + "\n"}),
        answered(4, get("/c"), replay::Response{200, {{"Content-Type", "text/plain"}, {"Retry-After", other}}, "x"})};
    return history;
  };
  static Contract contract = testing::contract();
  contract.compared_headers.emplace_back("Retry-After");
  const auto oracle = run("8", "8", "8");
  const auto held = [&](const replay::History& observed) {
    return compare_answers(contract, oracle, &oracle, observed, [](const replay::Record&) { return true; });
  };
  EXPECT_EQ(held(run("9", "9", "8")).differed, 0);
  EXPECT_EQ(held(run("9", "9", "9")).differed, 3);
}

// A map of many entries that another server writes in another order: not the square of their number.
TEST(Answers, OfManyMembersInAnotherOrderAreCompared) {
  std::string expected = "{", observed = "{", twice = "{", thrice = "{";
  constexpr int members = 60'000;
  for (int i = 0; i < members; ++i) {
    expected += fmt::format("{}\"k{}\":1", i > 0 ? "," : "", i);
    observed += fmt::format("{}\"k{}\":2", i > 0 ? "," : "", members - 1 - i);
    twice += fmt::format("{}\"a\":{}", i > 0 ? "," : "", i);
    thrice += fmt::format("{}\"a\":{}", i > 0 ? "," : "", -1 - i);
  }
  const auto result = compared(play(1000, {expected + "}", twice + "}"}), play(2000, {expected + "}", twice + "}"}),
                               play(3000, {observed + "}", thrice + "}"}));
  EXPECT_EQ(result.differed, 2);
}

TEST(Noise, WhatCannotBeToldIsSaidWithTheNumberOfAnswersThatItTakes) {
  const auto result = compared(play(1000, {R"({"v":1})", R"({"v":2})"}), play(2000, {R"({"v":7})", R"({"v":2})"}),
                               play(3000, {R"({"v":8})", R"({"v":9})"}));
  EXPECT_EQ(std::tuple(result.masked, result.undecided, result.differed), std::tuple(1, 1, 0));
  EXPECT_THAT(in_words(result.noise.at(0)),
              HasSubstr("GET /orders/{}: $.v differed from the oracle in 2 of 2 answers, in 1 of which "
                        "the oracle's runs agreed"));
  EXPECT_THAT(in_words(result.noise.at(0)), HasSubstr("it needs n >= 20 answers of the route"));
}

// What the oracle answered once tells nothing of noise, neither for the candidate nor against it.
TEST(Noise, AnswersThatTheOracleGaveOnlyOnceAccuseNobodyAndAreNotCounted) {
  std::vector<std::string> first, second, third;
  for (int i = 0; i < 20; ++i) {
    first.push_back(fmt::format(R"({{"a":"x{}"}})", i));
    second.push_back(fmt::format(R"({{"a":"y{}"}})", i));
    third.push_back(fmt::format(R"({{"a":"z{}"}})", i));
  }
  auto again = play(0, second);
  for (std::size_t i = 0; i < 12; ++i) again.records[i].outcome = replay::Outcome::lost;
  const Contract contract = testing::contract();
  const auto result =
      compare_answers(contract, play(0, first), &again, play(0, third), [](const replay::Record&) { return true; });
  EXPECT_EQ(std::tuple(result.masked, result.undecided, result.differed), std::tuple(8, 12, 0));
  ASSERT_EQ(result.noise.size(), 1u);
  EXPECT_EQ(result.noise[0].counts.compared, 8);
  EXPECT_EQ(result.noise[0].counts.candidate_differed, 8);
  EXPECT_EQ(result.noise[0].counts.only_candidate, 0);
}

TEST(Noise, AMomentMustLieWithinItsRunHoweverOftenTheOracleAgreedByLuck) {
  // The runs begin at 1000 s (00:16:40), 1001 s and 3000 s (00:50:00).
  const std::string seeded = R"({"v":"1969-01-01T00:00:00Z"})", lucky = R"({"v":"1970-01-01T00:16:41Z"})";
  const auto oracle = play(1000, {R"({"v":"1970-01-01T00:16:40Z"})", seeded, lucky});
  const auto again = play(1001, {lucky, seeded, lucky});
  const auto third = [&](const std::string& first, const std::string& second, const std::string& last) {
    return compared(oracle, again, play(3000, {first, second, last}));
  };
  const std::string now = R"({"v":"1970-01-01T00:50:00Z"})";
  EXPECT_EQ(third(R"({"v":"1970-01-01T00:50:00.123Z"})", seeded, now).masked, 2);
  EXPECT_EQ(third(R"({"v":"1970-01-01T01:50:00Z"})", seeded, lucky).differed, 1)
      << "the oracle varies there, and yet this is no moment of the run";
  const auto touched = third(now, now, lucky);
  EXPECT_EQ(touched.differed, 1) << "what was stored is not now";
  EXPECT_EQ(touched.steps[0].step, 2);
}

TEST(Noise, AMomentThatIsTooFineToAgreeByLuckWasStored) {
  const std::string stored = R"({"v":"1970-01-01T00:16:39.123456Z"})", cut = R"({"v":"1970-01-01T00:16:39.123Z"})";
  const auto oracle = play(1000, {R"({"v":"1970-01-01T00:16:40.1Z"})", stored});
  const auto again = play(1001, {R"({"v":"1970-01-01T00:16:41.2Z"})", stored});
  const auto result = compared(oracle, again, play(1002, {R"({"v":"1970-01-01T00:16:42.3Z"})", cut}));
  EXPECT_EQ(std::pair(result.masked, result.differed), std::pair(std::int64_t{1}, std::int64_t{1}));
}

TEST(Noise, AUuidThatTheOracleGaveTwiceIsNoAccident) {
  const std::string made = R"({"v":"6f9619ff-8b86-4011-b42d-00cf4fc964f0"})",
                    other = R"({"v":"6f9619ff-8b86-4011-b42d-00cf4fc964f1"})",
                    third = R"({"v":"6f9619ff-8b86-4011-b42d-00cf4fc964f2"})";
  const auto oracle = play(1000, {made, made}), again = play(2000, {other, made});
  EXPECT_EQ(compared(oracle, again, play(3000, {third, made})).masked, 1);
  EXPECT_EQ(compared(oracle, again, play(3000, {R"({"v":"none"})", made})).differed, 1);
  EXPECT_EQ(compared(oracle, again, play(3000, {third, third})).differed, 1);
}

TEST(Noise, StructureIsNeverNoise) {
  const auto result =
      compared(play(1000, {R"({"v":[1]})"}), play(2000, {R"({"v":[1,2]})"}), play(3000, {R"({"v":[1,2,3]})"}));
  EXPECT_EQ(result.differed, 1);
}

// -- typed values ------------------------------------------------------------------------------------------------------

TEST(MomentIn, ReadsWhatServersWrite) {
  constexpr std::int64_t expected = 784'111'777'000'000'000;
  for (const char* text : {"1994-11-06T08:49:37Z", "1994-11-06 08:49:37", "1994-11-06T08:49:37.000",
                           "1994-11-06T10:19:37+01:30", "1994-11-06t03:49:37-05", "Sun, 06 Nov 1994 08:49:37 GMT"})
    EXPECT_EQ(moment_in(text), expected) << text;
  EXPECT_EQ(moment_in("1700000000"), 1'700'000'000'000'000'000);
  EXPECT_EQ(moment_in("1700000000.25"), 1'700'000'000'250'000'000);
  EXPECT_EQ(moment_in("1700000000123"), 1'700'000'000'123'000'000);
  for (const char* text :
       {"", "12", "1994-11-06", "1994-13-06T08:49:37Z", "1994-11-06T08:49:37.Z", "1994-11-06T08:49:37+1",
        "Sun, 06 Xov 1994 08:49:37 GMT", "99999999999999999999", "9999999999999999999", "1700000000x"})
    EXPECT_EQ(moment_in(text), std::nullopt) << text;
}

TEST(IsDuration, GoesByTheNameToo) {
  EXPECT_TRUE(is_duration("took_ms", "12.5"));
  EXPECT_TRUE(is_duration("elapsed", "0"));
  EXPECT_FALSE(is_duration("took_ms", "-1"));
  EXPECT_FALSE(is_duration("items", "12"));
}

// -- paths -------------------------------------------------------------------------------------------------------------

TEST(Path, CoversExactlyWhatItNames) {
  const auto covered = [](const char* pattern, const char* place) {
    return covers(*path_from(pattern), *path_from(place));
  };
  EXPECT_TRUE(covered("$.items[*].id", "$.items[3].id"));
  EXPECT_TRUE(covered("$.items[3].id", "$.items[3].id.part"));
  EXPECT_TRUE(covered("$.*.id", "$.a.id"));
  EXPECT_TRUE(covered("header ETag", "header etag"));
  for (const char* place : {"$.items[3].idempotency_key", "$.items[3].ids", "$.other[3].id", "$.items.id",
                            "$.a.items[3].id", "$.items[3].id#2", "form.items", "header items"})
    EXPECT_FALSE(covered("$.items[*].id", place)) << place;
}

TEST(Path, IsReadAsItIsWritten) {
  for (const char* text : {"$", "$.a[3].b-c", "$[\"a.b\"].c", "$[\"a\\\"b\"]", "$.a#2", "$.*[*]", "header etag",
                           "header set-cookie.sid", "status", "text[4]", "csv[0][1]", "body"}) {
    const auto path = path_from(text);
    ASSERT_TRUE(path) << text;
    EXPECT_EQ(text_of(*path), text);
  }
  for (const char* text : {"", "items", "$..id", "$.a[", "$.a[x]", "$[\"a]", "$.", "status.a", "$.a#1", "header "})
    EXPECT_FALSE(path_from(text)) << text;
  EXPECT_EQ(without_indices("$.a[3][\"b[1]\"].c[0]"), "$.a[*][\"b[1]\"].c[*]");
}

}  // namespace
}  // namespace rehearse::properties
