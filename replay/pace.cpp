#include "replay/pace.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace rehearse::replay {
namespace {

// Of the requests and of the cues that have a time, the one that is due first in front.
std::vector<std::size_t> in_order_of_time(const Plan& plan) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    if (plan.steps[i].request || plan.steps[i].due_ns > 0) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return plan.steps[a].due_ns < plan.steps[b].due_ns; });
  return order;
}

bool is_uuid(std::string_view text) {  // RFC 9562, section 4
  constexpr std::string_view shape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  return text.size() == shape.size() && std::equal(text.begin(), text.end(), shape.begin(), [](char c, char s) {
           const bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
           return s == '-' ? c == '-' : digit;
         });
}

// Version and variant stay.
std::string renewed_uuid(std::string uuid, int round) {
  const std::string old = uuid;
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    if (uuid[i] == '-' || i == 14 || i == 19) continue;
    const auto seed = static_cast<std::uint64_t>(round) << 32 | i;
    uuid[i] = "0123456789abcdef"[XXH3_64bits_withSeed(old.data(), old.size(), seed) % 16];
  }
  return uuid;
}

}  // namespace

Plan paced(Plan plan, const Pace& pace) {
  const auto order = in_order_of_time(plan);
  if (order.empty()) return plan;
  std::int64_t before = plan.steps[order[0]].due_ns;  // as captured
  std::int64_t cut = before;
  double earliest_ns = 0;
  for (const std::size_t i : order) {
    Step& step = plan.steps[i];
    const std::int64_t gap = step.due_ns - before;
    before = step.due_ns;
    if (pace.max_gap_ns > 0 && gap > pace.max_gap_ns) cut += gap - pace.max_gap_ns;
    double due_ns = static_cast<double>(step.due_ns - cut) / pace.speed;
    if (pace.rate > 0 && step.request) {
      due_ns = std::max(due_ns, earliest_ns);
      earliest_ns = due_ns + 1e9 / pace.rate;
    }
    step.due_ns = std::llround(due_ns);
  }
  return plan;
}

void renew(Request& request, int round) {
  for (Header& header : request.headers) {
    if (!equal_without_case(header.name, "Idempotency-Key")) continue;
    if (is_uuid(header.value))
      header.value = renewed_uuid(header.value, round);
    else
      header.value += "-" + std::to_string(round);  // short keys would meet others of this round or of earlier ones
  }
}

}  // namespace rehearse::replay
