#include "replay/pace.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace rehearse::replay {
namespace {

// Of the requests, the one that is due first in front.
std::vector<std::size_t> in_order_of_time(const Plan& plan) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    if (plan.steps[i].request) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return plan.steps[a].due_ns < plan.steps[b].due_ns; });
  return order;
}

char renewed_character(char c, std::uint64_t random) {
  const auto among = [&](std::string_view all) { return all[random % all.size()]; };
  if (c >= '0' && c <= '9') return among("0123456789");
  if (c >= 'a' && c <= 'f') return among("abcdef");  // hexadecimal stays hexadecimal
  if (c >= 'A' && c <= 'F') return among("ABCDEF");
  if (c > 'f' && c <= 'z') return among("ghijklmnopqrstuvwxyz");
  if (c > 'F' && c <= 'Z') return among("GHIJKLMNOPQRSTUVWXYZ");
  return c;
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
    if (pace.rate > 0) {
      due_ns = std::max(due_ns, earliest_ns);
      earliest_ns = due_ns + 1e9 / pace.rate;
    }
    step.due_ns = std::llround(due_ns);
  }
  return plan;
}

Plan renewed(Plan plan, int round) {
  for (Step& step : plan.steps) {
    if (!step.request) continue;
    for (Header& header : step.request->headers) {
      if (!equal_without_case(header.name, "Idempotency-Key")) continue;
      const std::string old = header.value;
      for (std::size_t i = 0; i < old.size(); ++i) {
        const auto seed = static_cast<std::uint64_t>(round) << 32 | i;
        header.value[i] = renewed_character(old[i], XXH3_64bits_withSeed(old.data(), old.size(), seed));
      }
    }
  }
  return plan;
}

}  // namespace rehearse::replay
