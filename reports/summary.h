// Evidence and judgement condensed to the document that renderers render.
#pragma once

#include "properties/evidence.h"
#include "properties/judgement.h"
#include "reports/report.h"

namespace rehearse::reports {

// Fills sections, results, volatile values and conservation; the rest of the report is for the caller to say.
[[nodiscard]] Report report_of(const properties::Evidence& evidence, const properties::Judgement& judgement);

}  // namespace rehearse::reports
