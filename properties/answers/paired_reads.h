// The same reads before and after something that must not change what is read, held against each other.
//
// What the first reading's own second run would tell of noise is not known here: only rules excuse a difference.
#pragma once

#include <cstdint>
#include <vector>

#include "properties/answers/answers.h"
#include "properties/evidence.h"

namespace rehearse::properties {

struct PairedReadsCompared {
  AnswersCompared answers;  // each pair that could be read is matched, masked by a tolerance, ignored, or differed
  // Reads that prove nothing, in the evidence's history of before.
  bool missing = false;                              // one of the histories is not there
  std::vector<const replay::Record*> failed_before;  // not answered, or with 500 and more
  std::vector<const replay::Record*> not_read_again;
  [[nodiscard]] std::int64_t pairs() const {
    return answers.matched + answers.masked + answers.ignored + answers.differed;
  }
};

[[nodiscard]] PairedReadsCompared compare_paired_reads(const Evidence& evidence, const PairedReads& reads);

// Adds what rules did and where anything differed, and the answers that they excused; what differed is for the checks to say.
void add_excused(const PairedReadsCompared& reads, AnswersCompared& to);

}  // namespace rehearse::properties
