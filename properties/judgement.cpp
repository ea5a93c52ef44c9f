#include "properties/judgement.h"

#include <array>

namespace rehearse::properties {

std::string_view name_of(Verdict verdict) {
  static constexpr std::array<std::string_view, 3> names{"pass", "unknown", "fail"};
  return names[static_cast<std::size_t>(verdict)];
}

Verdict Judgement::verdict() const {
  if (results.empty()) return Verdict::unknown;
  Verdict verdict = Verdict::pass;
  for (const Result& result : results) verdict = worst(verdict, result.verdict);
  return verdict;
}

}  // namespace rehearse::properties
