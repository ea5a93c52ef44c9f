// Evidence and judgement condensed to the document that renderers render.
#pragma once

#include "properties/answers/groups.h"
#include "properties/evidence.h"
#include "properties/judgement.h"
#include "reports/report.h"

namespace rehearse::reports {

// Fills sections, results, volatile values and conservation; the rest of the report is for the caller to say.
[[nodiscard]] Report report_of(const properties::Evidence& evidence, const properties::Judgement& judgement);

// The same of pairs of answers alone, which were compared already.
[[nodiscard]] Report report_of_answers(const properties::Evidence& evidence, const properties::Judgement& judgement,
                                       const std::vector<properties::ComparedSection>& compared);

// A rule that nobody needs hides the next bug. Makes a result of the remarks on rules: with one, the verdict is unknown at best.
void hold_against_rules(Report& report);

}  // namespace rehearse::reports
