#include "harness/services.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rehearse::harness {
namespace {

using testing::Optional;

TEST(MetricSum, AddsEverySampleOfTheMetric) {
  EXPECT_THAT(
      sum_in("# HELP a_total x\n# TYPE a_total counter\na_total{s=\"new\"} 2\na_total{s=\"legacy\"} 3\nb_total 7\n",
             "a_total"),
      Optional(5));
  EXPECT_THAT(sum_in("a_total 4", "a_total"), Optional(4)) << "the last line may lack its end";
  EXPECT_THAT(sum_in("a_total 1.5e3 1395066363000\n", "a_total"), Optional(1500)) << "a time may follow";
  EXPECT_THAT(sum_in("a_total\t4\n", "a_total"), Optional(4));
}

TEST(MetricSum, OfNoSampleIsNothing) {
  EXPECT_EQ(sum_in("", "a_total"), std::nullopt);
  EXPECT_EQ(sum_in("# TYPE a_total counter\nb_total 1\n", "a_total"), std::nullopt);
  EXPECT_THAT(sum_in("a_total 0\n", "a_total"), Optional(0)) << "zero is something";
}

TEST(MetricSum, DoesNotTakeALongerNameForIt) {
  const std::string page =
      "foo_total_created{a=\"b\"} 1700000000\nfoo_total_created 1700000000\nfoo_total{a=\"b\"} 2\nmy_foo_total 9\n";
  EXPECT_THAT(sum_in(page, "foo_total"), Optional(2));
  EXPECT_THAT(sum_in(page, "foo"), std::nullopt);
}

TEST(MetricSum, ReadsThroughLabelsThatLookLikeSamples) {
  EXPECT_THAT(sum_in("a{path=\"/x y\"} 2\n", "a"), Optional(2));
  EXPECT_THAT(sum_in("a{path=\"/orders/{id} 7\"} 2\n", "a"), Optional(2));
  EXPECT_THAT(sum_in("a{why=\"he said \\\"} 9\\\"\",x=\"\\\\\"} 2\n", "a"), Optional(2));
  EXPECT_THAT(sum_in("a{s=\"x\"} 2 # {trace_id=\"{4}\"} 0.67\n", "a"), Optional(2)) << "an exemplar is no sample";
}

AlertSettings named(std::map<std::string, std::string> fields, std::string event) {
  AlertSettings settings;
  settings.event = std::move(event);
  settings.fields = std::move(fields);
  for (const char* name : {"event", "store", "stage", "operation", "entity", "key"})
    settings.fields.try_emplace(name, name);
  return settings;
}

TEST(AlertLine, SaysWhichStoreStageAndKey) {
  const auto alert = alert_in(
      R"({"event":"alert","store":"new","stage":"shadow","operation":"create_order","entity":"orders","key":41,"more":[1]})",
      named({}, "alert"));
  ASSERT_TRUE(alert);
  EXPECT_EQ(alert->store + alert->stage + alert->operation + alert->entity, "newshadowcreate_orderorders");
  EXPECT_EQ(alert->key, "41") << "numbers are keys, too";
}

TEST(AlertLine, MayUseOtherNamesAndNoEvent) {
  const auto alert = alert_in(R"({"db":"new","phase":"2-double","table":"note","id":"x-1","why":"down"})",
                              named({{"store", "db"}, {"stage", "phase"}, {"entity", "table"}, {"key", "id"}}, ""));
  ASSERT_TRUE(alert);
  EXPECT_EQ(alert->store + "," + alert->stage + "," + alert->operation + "," + alert->entity + "," + alert->key,
            "new,2-double,,note,x-1");
}

TEST(AlertLine, OfSomethingElseIsNone) {
  for (const char* line : {R"({"event":"stage","store":"new"})", R"({"store":"new"})", "", "{", "[1]", "plain text",
                           R"({"event":"alert")"}) {
    EXPECT_FALSE(alert_in(line, named({}, "alert"))) << line;
  }
}

TEST(StageServed, OfAServiceThatIsDownIsNothing) {
  Configuration configuration;
  EXPECT_EQ(stage_served(configuration, "http://127.0.0.1:9"), std::nullopt);
  bool read = true;
  EXPECT_EQ(metric_sum(Configuration{}, "http://127.0.0.1:9", "/metrics", "a", &read), std::nullopt);
  EXPECT_FALSE(read);
}

}  // namespace
}  // namespace rehearse::harness
