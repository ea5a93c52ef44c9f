#include "harness/databases/binary_copy.h"

#include <gmock/gmock.h>

#include <functional>
#include <optional>
#include <string>

#include "replay/error.h"

namespace rehearse::harness {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Optional;

const std::string header = std::string("PGCOPY\n\377\r\n\0", 11) + std::string(8, '\0');
const std::string end = "\377\377";

std::string int32(std::int32_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift);
  return bytes;
}

std::string row(const std::vector<std::optional<std::string>>& fields) {
  std::string bytes = int32(static_cast<std::int32_t>(fields.size())).substr(2);
  for (const auto& field : fields)
    bytes += field ? int32(static_cast<std::int32_t>(field->size())) + *field : int32(-1);
  return bytes;
}

// What a stream of these messages holds, fields joined by "|".
std::vector<std::string> rows_of(const std::vector<std::string>& messages, std::size_t columns, bool* ended = nullptr) {
  BinaryCopy copy(columns);
  std::vector<std::string> rows;
  for (const std::string& message : messages) {
    copy.take(message);
    while (const BinaryRow* fields = copy.next()) {
      std::string text;
      for (const BinaryField& field : *fields) text += (field.null() ? "NULL" : std::string(field.value())) + "|";
      rows.push_back(text);
    }
  }
  if (ended != nullptr) *ended = copy.ended();
  return rows;
}

std::string problem_of(const std::function<void()>& act) {
  try {
    act();
    return "none";
  } catch (const Error& problem) {
    return problem.what();
  }
}

TEST(BinaryCopyStream, HoldsItsRowsHoweverTheyAreCutIntoMessages) {
  const std::string one = row({"1", std::nullopt}), two = row({"2", ""});
  bool ended = false;
  EXPECT_THAT(rows_of({header + one, two, end}, 2, &ended), ElementsAre("1|NULL|", "2||"));
  EXPECT_TRUE(ended);
  EXPECT_THAT(rows_of({header, one + two + end}, 2, &ended), ElementsAre("1|NULL|", "2||"));
  EXPECT_TRUE(ended);
  EXPECT_THAT(rows_of({header + end}, 2, &ended), IsEmpty());
  EXPECT_TRUE(ended);
}

TEST(BinaryCopyStream, IsNotAtItsEndBeforeTheEndMark) {
  bool ended = true;
  rows_of({header + row({"1"}), row({"2"})}, 1, &ended);
  EXPECT_FALSE(ended);
  rows_of({}, 1, &ended);
  EXPECT_FALSE(ended);
}

TEST(BinaryCopyStream, IsBrokenWhereverItIsCut) {
  const std::string whole = header + row({"abc", "d"}) + end;
  for (std::size_t size = 1; size < whole.size(); ++size) {
    bool ended = false;
    const std::string problem = problem_of([&] { rows_of({whole.substr(0, size)}, 2, &ended); });
    EXPECT_FALSE(ended) << "cut at " << size;
    const bool between = size == header.size() || size == whole.size() - end.size();
    EXPECT_EQ(problem == "none", between) << "cut at " << size << ": " << problem;
  }
}

TEST(BinaryCopyStream, RefusesWhatIsNoRow) {
  EXPECT_THAT(problem_of([] { rows_of({"id,name\n"}, 1); }), HasSubstr("signature"));
  EXPECT_THAT(problem_of([] { rows_of({header + row({"1", "2"})}, 3); }), HasSubstr("2 fields instead of 3"));
  EXPECT_THAT(problem_of([] { rows_of({header + row({"1"}) + end + "x"}, 1); }), HasSubstr("behind its end"));
  EXPECT_THAT(problem_of([] { rows_of({header + end, row({"1"})}, 1); }), HasSubstr("behind its end"));
  std::string negative = row({"1"});
  negative.replace(2, 4, int32(-2));
  EXPECT_THAT(problem_of([&] { rows_of({header + negative}, 1); }), HasSubstr("negative length"));
  std::string later = header;
  later[12] = 1;
  EXPECT_THAT(problem_of([&] { rows_of({later + end}, 1); }), HasSubstr("later version"));
}

}  // namespace
}  // namespace rehearse::harness
