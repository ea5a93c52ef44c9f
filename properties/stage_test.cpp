#include "properties/stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace rehearse::properties {
namespace {

using ::testing::ElementsAre;
using enum Stage;

TEST(Stages, AreFoundByTheirNames) {
  for (Stage stage : all_stages) EXPECT_EQ(stage_named(name_of(stage)), stage);
  EXPECT_EQ(stage_named("read_only"), std::nullopt);
  EXPECT_EQ(stage_named(""), std::nullopt);
  EXPECT_EQ(stage_named("OFF"), std::nullopt);
}

TEST(Edges, JoinNeighboursOnly) {
  int edges = 0;
  std::set<std::string_view> invariants;
  for (Stage from : all_stages) {
    for (Stage to : all_stages) {
      const auto edge = edge_named(std::string(name_of(from)) + ":" + std::string(name_of(to)));
      EXPECT_EQ(edge.has_value(), legal(from, to));
      if (!edge) continue;
      ++edges;
      invariants.insert(invariant_of(*edge));
      EXPECT_EQ(*edge, (Edge{from, to}));
    }
  }
  EXPECT_EQ(edges, 8);
  EXPECT_THAT(invariants, ElementsAre("E1", "E1'", "E2", "E2'", "E3", "E3'", "E4", "E4'"));
  EXPECT_EQ(invariant_of({off, read_only}), "E1");
  EXPECT_EQ(invariant_of({read_only, off}), "E1'");
  EXPECT_EQ(invariant_of({completed, live}), "E4'");
  EXPECT_EQ(name_of(Edge{live, completed}), "live → completed");
  for (const char* wrong : {"", "off", ":", "off:", ":off", "off:live", "off:off", "live:completed:off"})
    EXPECT_EQ(edge_named(wrong), std::nullopt) << wrong;
}

TEST(Path, GoesOverLegalEdgesBothWays) {
  EXPECT_THAT(path(off, completed), ElementsAre(off, read_only, shadow, live, completed));
  EXPECT_THAT(path(live, read_only), ElementsAre(live, shadow, read_only));
  EXPECT_THAT(path(shadow, shadow), ElementsAre(shadow));
}

TEST(Authority, MovesWithTheReads) {
  EXPECT_FALSE(new_store_is_authoritative(shadow));
  EXPECT_TRUE(new_store_is_authoritative(live));
}

}  // namespace
}  // namespace rehearse::properties
