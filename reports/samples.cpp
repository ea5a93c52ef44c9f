#include "reports/samples.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace rehearse::reports {

using properties::Finding;
using properties::Result;
using properties::Verdict;

namespace {

Section section(std::string name, std::string kind, Verdict verdict, std::uint64_t sent) {
  Section section;
  section.name = std::move(name);
  section.kind = std::move(kind);
  section.verdict = verdict;
  section.sent = sent;
  section.answered = sent;
  section.matched = sent - sent / 5;
  section.masked = sent / 5;
  section.p50_ms = 1.84;
  section.p99_ms = 12.41;
  section.seconds = 4.2;
  return section;
}

Result result(std::string invariant, std::string title, std::string scope, Verdict verdict, std::string reason) {
  Result result;
  result.invariant = std::move(invariant);
  result.title = std::move(title);
  result.scope = std::move(scope);
  result.verdict = verdict;
  result.reason = std::move(reason);
  result.checked = verdict == Verdict::unknown ? 0 : 431;
  return result;
}

// A budget of ten percent whose estimate is `overhead`.
BudgetResult budget(std::string section, Verdict verdict, std::string reason, double overhead) {
  BudgetResult budget;
  budget.section = std::move(section);
  budget.route = "GET /orders/{}";
  budget.metric = "overhead_p50";
  budget.limit = "10%";
  budget.limit_value = 0.1;
  budget.unit = "ratio";
  budget.verdict = verdict;
  budget.reason = std::move(reason);
  budget.estimate = overhead;
  budget.low = overhead - 0.03;
  budget.high = overhead + 0.03;
  budget.resolvable = 0.03;
  budget.looks = 1;
  budget.blocks = {{2.5, 0.21}, {5, 0.2}, {7.5, 0.25}};
  return budget;
}

}  // namespace

Report passing_report() {
  Report report;
  report.tool_version = "0.1.0";
  report.title = "orders";
  report.started = "2026-03-01T08:00:00Z";
  report.seconds = 61.2;
  report.seed = 42;
  report.repeat = "rehearse gate --config fixtures/orders/rehearse.yaml --seed 42";
  report.verdict = Verdict::pass;
  report.traffic = "fixtures/captures/orders.pcap";
  report.history = "rehearsal/history.db";
  report.conservation = {{"captured", 3012}, {"sent", 2990}, {"filtered: health checks", 22}};
  report.sections = {
      section("oracle", "oracle", Verdict::pass, 2990),        section("off", "stage", Verdict::pass, 2990),
      section("off → read-only", "edge", Verdict::pass, 427),  section("read-only", "stage", Verdict::pass, 2990),
      section("shadow", "stage", Verdict::pass, 2990),         section("live", "stage", Verdict::pass, 2990),
      section("live → completed", "edge", Verdict::pass, 427), section("completed", "stage", Verdict::pass, 2990),
      section("completed → live", "edge", Verdict::pass, 427)};
  report.results = {
      result("O1", "the new database is untouched", "off", Verdict::pass,
             "431 writes, no transaction in the new database"),
      result("G5", "both databases are equal when all is quiet", "shadow", Verdict::pass, "30,412 rows of 5 tables"),
      result("C1", "nothing is sent to the legacy service", "completed", Verdict::pass, "431 writes")};
  report.volatiles = {{"GET /orders/{}: $.updated_at", 2990, "timestamp within the run", 3000, 2980, 2990},
                      {"database: orders.updated_at", 212, "", 0, 0, 0}};
  report.sections[5].matched -= 12;
  report.sections[5].ignored = 12;
  report.latencies = {{"shadow",
                       "GET /orders/{}",
                       4800,
                       3,
                       {{0.5, 1.7, 1.8}, {0.99, 3.6, 3.9}, {0.999, 9.1, 9.8}},
                       "2 of its 40 requests are not measured: 2 with 404 in place of 200"}};
  report.budgets = {budget("shadow", Verdict::pass, "decided after 12 blocks of pairs", 0.058)};
  report.environment = {"2 × Intel Xeon, Linux 6.1", 1.4, 0.3, 0.05, 0.21, 0.06, 0.31, 160, 159.6, "SCHED_FIFO 1"};
  report.timeline = {{0, "section", "oracle", "oracle"},
                     {4.2, "section", "off", "off"},
                     {8.4, "flip", "off → read-only", "off"},
                     {8.9, "section", "read-only", "read-only"},
                     {9.5, "copy", "copy legacy to new begins", "read-only"},
                     {10.1, "copy", "copy legacy to new done", "read-only"},
                     {14, "section", "shadow", "shadow"},
                     {19, "fault", "new database hung", "shadow"},
                     {21, "fault", "new database mended", "shadow"},
                     {25, "section", "live", "live"},
                     {40, "section", "live → completed", "live → completed"},
                     {40.5, "flip", "live → completed", "live → completed"}};
  report.rules = {{"ignore GET /orders/{}: $.debug", "for developers", "shop team", "2026-12-31", 12, {}}};
  return report;
}

Report failing_report() {
  Report report = passing_report();
  report.verdict = Verdict::fail;
  report.sections[4].verdict = Verdict::unknown;
  report.sections[6].verdict = Verdict::fail;
  report.sections[6].findings = 22;
  report.sections[6].answered = 420;
  report.sections[6].lost = 7;
  report.sections[6].differed = 3;
  Result lost = result("G1", "no acknowledged write is lost", "live → completed", Verdict::fail, "");
  lost.violations = 22;
  lost.findings.push_back({"POST /orders was answered 201 at 12:00:01.204 with id 1481",
                           "orders/1481 is in neither database at 12:00:09.118",
                           "curl -i -X POST 'http://127.0.0.1:8081/orders' -H 'Content-Type: application/json' "
                           "--data-raw '{\"customer_id\":7}'",
                           "rehearsal/history.db", 481});
  lost.findings.push_back(
      {"PUT /products/SKU-1 was answered 200", "products/SKU-1 still has version 3", "", "rehearsal/history.db", 502});
  Result other = result("C2", "the legacy service answers with the declared error", "completed", Verdict::fail, "");
  other.violations = 1;
  other.findings.push_back({"410 for GET /orders/export", "200 with " + std::string(900, 'x'), "", "", -1});
  report.sections[5].differed = 814;
  report.sections[5].undecided = 2;
  const Example first{"live",
                      481,
                      "12",
                      "12.50",
                      "curl -i 'http://127.0.0.1:8081/orders/7?full=1'",
                      {{"{", "{", false},
                       {"  \"id\": 7,", "  \"id\": 7,", false},
                       {"  \"total\": 12", "  \"total\": 12.50", true},
                       {"}", "}", false}}};
  Example smallest = first;
  smallest.step = 530;
  smallest.request = "curl -i 'http://127.0.0.1:8081/orders/7'";
  report.differences = {{"GET /orders/{}", "$.total", "value", 812, {"live", "completed"}, first, smallest},
                        {"DELETE /orders/{}",
                         "answer",
                         "failure",
                         2,
                         {"live"},
                         {"live", 502, "204", "timeout", "curl -i -X DELETE 'http://127.0.0.1:8081/orders/9'", {}},
                         {"live", 502, "204", "timeout", "curl -i -X DELETE 'http://127.0.0.1:8081/orders/9'", {}}}};
  report.more_differences = 1;
  DifferingRow row;
  row.section = "live → completed";
  row.left = "legacy database";
  row.right = "new database";
  row.entity = "orders";
  row.key = "1481";
  row.columns = {{"status", "paid", "open"}, {"total", "12.00", "NULL"}};
  row.writes = {{"legacy database", 812, "2026-03-01T08:00:01.204Z", "0/16B3748", false},
                {"new database", 640, "2026-03-01T08:00:01.206Z", "", true}};
  row.request = "curl -i -X POST 'http://127.0.0.1:8081/orders/1481/payments' --data-raw '{}'";
  row.history = "live";
  row.step = 481;
  report.rows = {row};
  row.key = "1500";
  row.columns.clear();
  row.only_in = "legacy database";
  row.alerted = true;
  row.writes.clear();
  row.request.clear();
  row.history.clear();
  row.step = -1;
  report.rows.push_back(row);
  report.more_rows = 3;
  report.timeline.push_back({40.9, "error", "7 requests lost: no answer within 10000 ms", "live → completed"});
  report.rules.push_back({"tolerance every route: $.price (within 1%)", "rounding", "", "", 0, {"matched nothing"}});
  report.budgets = {
      budget("completed", Verdict::fail, "over budget in 12 of 12 blocks, and again in 12 of 12", 0.231),
      budget("shadow", Verdict::unknown, "the null probe's p99 took 6.1 ms, more than a quarter of 20ms", 0),
      budget("off", Verdict::pass, "within budget in 11 of 12 blocks", 0.058)};
  report.budgets[0].confirmed = true;
  report.budgets[1].metric = "p99";
  report.budgets[1].limit = "20ms";
  report.budgets[1].limit_value = 20;
  report.budgets[1].unit = "ms";
  report.budgets[1].estimate = report.budgets[1].low = report.budgets[1].high = report.budgets[1].resolvable = 0;
  report.budgets[1].blocks.clear();
  Result slow = result("L1", "latency, errors and throughput are within budget", "completed", Verdict::fail, "");
  slow.violations = 1;
  slow.findings.push_back({"overhead_p50 of GET /orders/{} is at most 10%",
                           "+23.1% (20.1% to 26.1%): over budget in 12 of 12 blocks, and again in 12 of 12", "", "",
                           -1});
  report.results.push_back(lost);
  report.results.push_back(other);
  report.results.push_back(result("S3", "a fault of the new database is hidden from clients", "shadow",
                                  Verdict::unknown,
                                  "the new database could not be stopped: no stop command is configured under "
                                  "databases.new.faults, so nothing was provoked and nothing is proved"));
  report.results.push_back(slow);
  report.results.push_back(
      result("L1", "latency, errors and throughput are within budget", "shadow", Verdict::unknown,
             "p99 of GET /orders/{}: the null probe's p99 took 6.1 ms, more than a quarter of 20ms"));
  return report;
}

Report unknown_report() {
  Report report = passing_report();
  report.verdict = Verdict::unknown;
  report.results[1].verdict = Verdict::unknown;
  report.results[1].reason = "the capture holds no write that reached shadow";
  report.sections[4].verdict = Verdict::unknown;
  return report;
}

Report report_that_says(const std::string& text) {
  Report report = failing_report();
  report.title = report.tool_version = report.started = report.repeat = report.traffic = report.history = text;
  for (auto& [name, count] : report.conservation) name = text;
  for (Section& section : report.sections) section.name = section.kind = text;
  for (Result& result : report.results) {
    result.invariant = result.title = result.scope = result.reason = text;
    for (Finding& finding : result.findings) {
      finding.expected = finding.observed = finding.request = finding.history = text;
    }
  }
  for (VolatileValue& value : report.volatiles) value.where = value.judged_as = text;
  for (Difference& difference : report.differences) {
    difference.route = difference.path = difference.kind = text;
    for (std::string& section : difference.sections) section = text;
    for (Example* example : {&difference.first, &difference.smallest}) {
      example->history = example->expected = example->observed = example->request = text;
      for (BodyLine& line : example->bodies) line.expected = line.observed = text;
    }
  }
  for (RouteLatency& route : report.latencies) route.section = route.route = route.not_measured = text;
  for (BudgetResult& budget : report.budgets)
    budget.section = budget.route = budget.metric = budget.limit = budget.reason = text;
  for (DifferingRow& row : report.rows) {
    row.section = row.left = row.right = row.entity = row.key = row.request = row.history = text;
    if (!row.only_in.empty()) row.only_in = text;
    for (RowColumn& column : row.columns) column.column = column.left = column.right = text;
    for (RowWrite& write : row.writes) write.database = write.committed = write.lsn = text;
  }
  for (TimelineMark& mark : report.timeline) mark.text = mark.section = text;
  report.environment->machine = report.environment->scheduling = text;
  for (RuleUse& rule : report.rules) {
    rule.rule = rule.reason = rule.owner = rule.expires = text;
    for (std::string& remark : rule.remarks) remark = text;
  }
  return report;
}

std::string hostile_text() {
  return std::string(
             "<script>alert(1)</script> \"'><img src=x onerror=alert(2)> ]]> --> </pre></details>\n"
             "PASS  safe to take every stage rehearsed\r\n"
             "\x1b[2J\x1b]0;title\x07 \xC2\x9B"
             "31m \xE2\x80\xAE txt.exe \xFF\xFE\xC0\xAF\xED\xA0\x80 \xEF\xBF\xBE ``` ```` ~~~ | a | b |\n"
             "# heading [link](javascript:alert(3)) ![i](http://evil.example/x.png) @everyone https://evil.example "
             "&amp; &#60; ${x} {} %s ") +
         std::string(1, '\0') + "end";
}

void expect_golden(std::string_view name, const std::string& text) {
  const std::string path = std::string(REHEARSE_SOURCE_DIR "/reports/golden/") + std::string(name);
  if (std::getenv("REHEARSE_UPDATE_GOLDENS") != nullptr) {
    std::ofstream(path, std::ios::binary) << text;
    return;
  }
  std::ostringstream golden;
  golden << std::ifstream(path, std::ios::binary).rdbuf();
  EXPECT_EQ(golden.str(), text) << path << ": REHEARSE_UPDATE_GOLDENS=1 writes it anew";
}

}  // namespace rehearse::reports
