// A property of the orders migration: whatever else happens, and whichever stage serves it, a cancelled order stays cancelled.
#include <gtest/gtest.h>
#include <harness/rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <set>

rehearse::Migration& orders() {
  static rehearse::Migration migration(std::getenv("REHEARSE_CONFIG"));
  return migration;
}

RC_GTEST_PROP(Orders, StayCancelled, ()) {
  rehearse::properties::DrawingOptions options;
  options.lanes = 1;
  options.faults = false;
  const auto plan = *rehearse::plans(orders(), options);
  const auto trial = orders().play(plan);
  RC_ASSERT(orders().judge(trial).verdict() == rehearse::properties::Verdict::pass);

  std::set<std::string> cancelled;
  for (const auto& record : trial.played.records) {
    const auto& [method, target, headers, body, trailers] = record.request;
    const auto suffix = target.find("/cancel");
    if (method == "POST" && suffix != std::string::npos && record.response.status == 200)
      cancelled.insert(target.substr(0, suffix));
    if (method == "DELETE") cancelled.erase(target);
    if (method == "GET" && record.response.status == 200 && cancelled.contains(target))
      RC_ASSERT(record.response.body.find(R"("status":"cancelled")") != std::string::npos);
  }
}
