// What a rehearsal went through, out of its evidence: the time line, and the rows that differ with whoever wrote them.
#pragma once

#include "properties/evidence.h"
#include "reports/report.h"

namespace rehearse::reports {

// Fills `timeline`: what the rehearsal wrote down, and requests without an answer, those within a second of each other as one.
void tell_time_line(const properties::Evidence& evidence, Report& report);

// When its last section ended, in seconds since it began, as the time line has it; 0 without one.
[[nodiscard]] double end_of(const Report& report);

// Fills `rows` and `more_rows` from every comparison of the two databases, and of one of them with the oracle's.
void list_rows(const properties::Evidence& evidence, Report& report);

}  // namespace rehearse::reports
