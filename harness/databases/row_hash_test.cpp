#include "harness/databases/row_hash.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace rehearse::harness {
namespace {

std::string bytes_of(const std::vector<std::optional<std::string>>& columns) {
  std::string bytes;
  for (const auto& column : columns) {
    if (column) {
      append_column(bytes, [&](std::string& out) { out += *column; });
    } else {
      append_null(bytes);
    }
  }
  return bytes;
}

RowElement element(const std::vector<std::optional<std::string>>& columns) {
  return RowHasher(7).element(bytes_of({columns[0]}), bytes_of(columns));
}

TEST(RowHash, TellsRowsApartThatPlainHashesConfuse) {
  EXPECT_EQ(element({"1", "x"}), element({"1", "x"}));
  EXPECT_NE(element({"1", "x0", "y"}), element({"1", "x", "0y"})) << "shifted from one column into the next";
  EXPECT_NE(element({"1", std::nullopt}), element({"1", ""}));
  EXPECT_NE(element({"1", std::nullopt}), element({"1", "NULL"}));
  EXPECT_NE(element({"1", std::nullopt, "x"}), element({"1", "x", std::nullopt}));
}

TEST(RowHash, IsNoSumOfItsColumns) {
  // Values that change places between two rows leave any linear hash as it was.
  for (int i = 0; i < 500; ++i) {
    const std::string a = std::to_string(i), b = std::to_string(7 * i + 1);
    DifferenceTable table(20, 7);
    table.add(element({"1", a, "x"}), 1);
    table.add(element({"2", b, "x"}), 1);
    table.add(element({"1", b, "x"}), -1);
    table.add(element({"2", a, "x"}), -1);
    ASSERT_FALSE(table.empty()) << i;
    ASSERT_EQ(table.decode().found.size(), 4u) << i;
  }
}

TEST(RowHash, CarriesShortKeysAsTheyAreAndLongOnesAsAHash) {
  const RowHasher hasher(7);
  for (const std::string& key : {std::string(), std::string("k"), bytes_of({"12345678", "87654321"}),
                                 bytes_of({std::string(16, 'u')}), std::string(27, '\xFF')}) {
    EXPECT_EQ(RowHasher::key_in(hasher.element(key, "row")), key);
  }
  const RowElement one = hasher.element(std::string(28, 'a'), "row"),
                   other = hasher.element(std::string(28, 'b'), "row");
  EXPECT_EQ(RowHasher::key_in(one), std::nullopt);
  EXPECT_NE(one.key, other.key);
}

TEST(RowHash, IsAnotherOneForEachSeed) {
  EXPECT_NE(RowHasher(1).element("k", "row").hash, RowHasher(2).element("k", "row").hash);
}

}  // namespace
}  // namespace rehearse::harness
