#include "harness/databases/server_version.h"

#include <gtest/gtest.h>

namespace rehearse::harness {
namespace {

TEST(ServerVersions, GiveWhatCameWithThem) {
  EXPECT_EQ(abilities_of(130'000), (ServerAbilities{false, false, false, false}));
  EXPECT_EQ(abilities_of(130'022), (ServerAbilities{false, false, false, false}));
  EXPECT_EQ(abilities_of(140'000), (ServerAbilities{true, true, false, false}));
  EXPECT_EQ(abilities_of(140'020), (ServerAbilities{true, true, false, false}));
  for (const int version : {150'000, 150'018, 160'000, 170'000, newest_supported_server})
    EXPECT_EQ(abilities_of(version), (ServerAbilities{true, true, true, true})) << version;
}

}  // namespace
}  // namespace rehearse::harness
