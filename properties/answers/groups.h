// The differences of a whole rehearsal by their causes: ten thousand symptoms read as three.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "properties/answers/answers.h"
#include "properties/evidence.h"

namespace rehearse::properties {

// An answer that shows a difference, beside the oracle's.
struct DifferenceExample {
  std::string section, history;
  replay::StepId step = 0;
  Difference difference;
  const replay::Record* expected = nullptr;  // in the evidence
  const replay::Record* observed = nullptr;
  std::string target;  // whom the request was sent to
};

// All differences of one kind at one path, without indices, of one route.
struct DifferenceGroup {
  std::string route, path;
  Difference::Kind kind = Difference::Kind::value;
  std::int64_t answers = 0;           // that differ so, in all sections
  std::vector<std::string> sections;  // in which they do
  DifferenceExample first;
  DifferenceExample smallest;  // of the fewest bytes: request and both answers
};

// What one section came to.
struct ComparedSection {
  const Section* section = nullptr;
  AnswersCompared answers;
};

// The groups with the most answers first; of equally many, those that were seen first.
[[nodiscard]] std::vector<DifferenceGroup> difference_groups(const Evidence& evidence,
                                                             const std::vector<ComparedSection>& sections);

// Two bodies line by line, side by side.
struct BodyRow {
  std::string expected, observed;
  bool differs = false;  // it shows the difference that is spoken of; others may differ in the row, too
  friend bool operator==(const BodyRow&, const BodyRow&) = default;
};

// Lines around differing ones are kept, the rest is left out, with a row "..." in its place.
inline constexpr std::size_t rows_around_a_difference = 3;
inline constexpr std::size_t max_body_rows = 60;
inline constexpr std::size_t max_body_row_bytes = 200;

// Bodies with a structure, up to 1 MiB, are printed anew, a member a line with its name sorted; what has none is shown by its digest.
// Nothing for a difference of headers.
[[nodiscard]] std::vector<BodyRow> side_by_side(const replay::Response& expected, const replay::Response& observed,
                                                const Difference& difference);

}  // namespace rehearse::properties
