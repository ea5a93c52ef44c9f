#include "properties/write_order.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>

namespace rehearse::properties {
namespace {

// "A B C": the looks of one row, in the order of commits.
WriteLog log_of(const std::string& images, const std::string& key = "7") {
  WriteLog log;
  log.known = true;
  for (const char image : images) {
    if (image != ' ')
      log.writes.push_back({"orders", key, std::string(1, image), 100 + static_cast<int>(log.writes.size()), 0, ""});
  }
  return log;
}

// "B A" for the inversion that is found, or nothing.
std::string inverted(const std::string& legacy, const std::string& new_) {
  const WriteLog first = log_of(legacy), second = log_of(new_);
  const WriteOrder order = write_order(first, second);
  return order.inversions.empty() ? "" : order.inversions[0].first->image + " " + order.inversions[0].second->image;
}

TEST(WriteOrder, IsTheSameWhenTheWritesCameInTheSameOrder) {
  EXPECT_EQ(inverted("A B C", "A B C"), "");
  EXPECT_EQ(inverted("A A B", "A B B"), "") << "a row may be written in two statements";
}

TEST(WriteOrder, OfTwoWritersThatOvertookEachOtherIsAnInversion) {
  EXPECT_EQ(inverted("A B", "B A"), "A B");
  EXPECT_EQ(inverted("A B C D", "A C B D"), "B C");
}

TEST(WriteOrder, SaysNothingOfWritesThatOneDatabaseLacks) {
  EXPECT_EQ(inverted("A B C", "A C"), "");
  EXPECT_EQ(inverted("A C", "A B C"), "");
  EXPECT_EQ(inverted("A B", "B"), "") << "that is a lost write, and no order";
}

TEST(WriteOrder, TakesNoLookForAWitnessThatCameTwice) {
  EXPECT_EQ(inverted("A B A", "B A"), "");
  EXPECT_EQ(inverted("A B A C D", "A B A D C"), "C D");
}

TEST(WriteOrder, TakesNoLookForAWitnessThatTheLogDoesNotKnow) {
  WriteLog legacy = log_of("A B"), new_ = log_of("B A");
  for (WriteLog* log : {&legacy, &new_})
    for (LoggedWrite& write : log->writes) write.image = write.image == "A" ? "" : write.image;
  EXPECT_TRUE(write_order(legacy, new_).inversions.empty());
}

TEST(WriteOrder, CountsTheRowsThatBothDatabasesWrote) {
  WriteLog legacy = log_of("A B", "7"), new_ = log_of("A B", "8");
  EXPECT_EQ(write_order(legacy, new_).rows, 0);
  EXPECT_EQ(write_order(legacy, legacy).rows, 1);
}

// The slow twin: some two looks, each once in either log, stand in opposite orders.
RC_GTEST_PROP(WriteOrder, IsInvertedExactlyWhenSomePairIs, ()) {
  const auto any_log = [] {
    std::string images;
    for (int left = *rc::gen::inRange(0, 8); left > 0; --left) images += *rc::gen::inRange('A', 'F');
    return images;
  };
  const std::string legacy = any_log(), new_ = any_log();
  const auto squeezed = [](std::string images) {
    images.erase(std::unique(images.begin(), images.end()), images.end());
    return images;
  };
  const std::string a = squeezed(legacy), b = squeezed(new_);
  const auto once = [](const std::string& in, char image) { return std::count(in.begin(), in.end(), image) == 1; };
  bool some = false;
  for (char x = 'A'; x < 'F'; ++x) {
    for (char y = 'A'; y < 'F'; ++y) {
      if (!once(a, x) || !once(b, x) || !once(a, y) || !once(b, y)) continue;
      some |= a.find(x) < a.find(y) && b.find(x) > b.find(y);
    }
  }
  RC_ASSERT(!inverted(legacy, new_).empty() == some);
}

TEST(LastWrite, IsTheLatestOfItsRow) {
  const WriteLog log = log_of("A B");
  EXPECT_EQ(last_write(log, "orders", "7")->image, "B");
  EXPECT_EQ(last_write(log, "orders", "8"), nullptr);
  EXPECT_EQ(last_write(log, "customers", "7"), nullptr);
}

}  // namespace
}  // namespace rehearse::properties
