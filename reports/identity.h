// Names for what a report says, the same ones in every rehearsal of the same thing: for links into the page, and to tell what is new.
//
// A name is made of what does not change from run to run: the invariant, the section, the route of the request, and the words of the
// observation without its numbers, times, UUIDs and hosts. Two findings that differ in nothing else have one name, and are counted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "reports/report.h"

namespace rehearse::reports {

// "G5-shadow-1f3a90bc": letters, digits and hyphens only, so that it is a fragment of a URL and an id of HTML as it stands.
[[nodiscard]] std::string identity_of(const properties::Result& result, const properties::Finding& finding);
[[nodiscard]] std::string identity_of(const properties::Result& result);  // of its being unknown, or broken as a whole
[[nodiscard]] std::string identity_of(const Difference& difference);
[[nodiscard]] std::string identity_of(const DifferingRow& row);
[[nodiscard]] std::string identity_of(const BudgetResult& budget);
[[nodiscard]] std::string identity_of(const Section& section);

// The text without what is another one in each run: numbers, times, UUIDs and hexadecimal ids, masks and ports become #.
[[nodiscard]] std::string without_numbers(std::string_view text);

}  // namespace rehearse::reports
