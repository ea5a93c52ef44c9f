#include "properties/checks/facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "properties/answers/paired_reads.h"
#include "properties/answers/path.h"

#include "properties/write_order.h"

namespace rehearse::properties {

using replay::field;
using replay::History;
using replay::Record;

std::string what_happened(const Record& record) {
  const std::string request = fmt::format("{} {} (step {})", record.request.method, record.request.target, record.step);
  if (record.outcome == replay::Outcome::answered)
    return fmt::format("{} was answered {}", request, record.response.status);
  return fmt::format("{} was {} ({})", request, name_of(record.outcome), record.problem);
}

bool acknowledged(const Record& record) {
  return !record.read && record.outcome == replay::Outcome::answered && record.response.status >= 200 &&
         record.response.status < 300;
}

bool refused(const Contract& contract, const Record& record) {
  if (record.read || record.outcome != replay::Outcome::answered) return false;
  const int status = record.response.status;
  if (status >= 400 && status < 500) return true;
  return status == contract.refusal.status &&
         std::all_of(contract.refusal.headers.begin(), contract.refusal.headers.end(),
                     [&](const std::string& name) { return field(record.response.headers, name).has_value(); });
}

std::string in_words(const Comparison& comparison, const RowDifference& difference) {
  const std::string row = fmt::format("{}/{}", difference.entity, difference.key);
  switch (difference.kind) {
    case RowDifference::Kind::only_left:
      return fmt::format("{} stands in the {} and not in the {}", row, comparison.left, comparison.right);
    case RowDifference::Kind::only_right:
      return fmt::format("{} stands in the {} and not in the {}", row, comparison.right, comparison.left);
    case RowDifference::Kind::changed:
      break;
  }
  return fmt::format("{}.{} is {} in the {} and {} in the {}", row, difference.column, difference.left, comparison.left,
                     difference.right, comparison.right);
}

const Record* writer_of(const History* history, const std::string& key) {
  if (history == nullptr) return nullptr;
  const std::string first = key.substr(0, key.find(','));
  const auto names_key = [&](const Record& record) {
    const auto path = replay::path_of(record.request.target);
    if (("/" + std::string(path) + "/").find("/" + first + "/") != std::string::npos) return true;
    if (const auto location = field(record.response.headers, "Location"); location && location->ends_with("/" + first))
      return true;
    const auto body = replay::decoded_body(record.response.headers, record.response.body);
    return body && (body->find("\"id\":" + first + ",") != std::string::npos ||
                    body->find("\"" + first + "\"") != std::string::npos);
  };
  const auto found = std::find_if(history->records.rbegin(), history->records.rend(),
                                  [&](const Record& record) { return acknowledged(record) && names_key(record); });
  return found == history->records.rend() ? nullptr : &*found;
}

const Record* writer_of(const Section& section, const History* history, const RowDifference& row) {
  if (history == nullptr) return nullptr;
  // The request under way when the row's last write was committed, when there was but one; clocks of a service and a database elsewhere
  // may differ, and then it is none.
  for (const auto& [store, log] : section.logs) {
    const LoggedWrite* write = log.known ? last_write(log, row.entity, row.key) : nullptr;
    if (write == nullptr) continue;
    const Record* only = nullptr;
    int under_way = 0;
    for (const Record& record : history->records) {
      const std::int64_t at = write->committed_ns - history->began_ns;
      if (record.read || record.sent_ns > at || record.done_ns < at) continue;
      only = &record;
      ++under_way;
    }
    if (under_way == 1) return only;
  }
  return writer_of(history, row.key);
}

bool named_by_alert(const Evidence& evidence, const Section& section, const RowDifference& row) {
  // Such rows are excused by a fault that raised alerts for their owners, and by nothing else.
  if (evidence.contract.not_alerted.contains(row.entity))
    return section.fault != Fault::none && section.alerts.counted > 0;
  const auto owner = evidence.contract.part_of.find(row.entity);
  const bool part = owner != evidence.contract.part_of.end();
  const std::string& entity = part ? owner->second : row.entity;
  const std::string key = part ? row.key.substr(0, row.key.find(',')) : row.key;
  return std::any_of(section.alerts.logged.begin(), section.alerts.logged.end(), [&](const Alert& alert) {
    return alert.entity == entity && ("," + alert.key + ",").find("," + key + ",") != std::string::npos;
  });
}

bool no_operation(const Evidence& evidence, const Record& record) {
  const History* oracle = evidence.history(first_oracle);
  const Record* expected = oracle ? replay::record_of(*oracle, record.step) : nullptr;
  const auto unknown = [](int status) { return status == 405 || status == 501; };
  return expected != nullptr && unknown(expected->response.status) && unknown(record.response.status);
}

namespace {

// "; last written by transaction 812 of the new database at 12:00:01.204" for each database whose log was read.
std::string who_wrote(const Section& section, const Comparison& comparison, const RowDifference& row) {
  std::string text;
  for (const std::string& side : {comparison.left, comparison.right}) {
    const auto log = section.logs.find(side == "legacy database" ? "legacy" : side == "new database" ? "new" : "");
    if (log == section.logs.end() || !log->second.known) continue;
    const LoggedWrite* write = last_write(log->second, row.entity, row.key);
    if (write == nullptr) continue;
    const std::int64_t ms = write->committed_ns / 1'000'000;
    text += fmt::format("; last written by transaction {} of the {} at {:02}:{:02}:{:02}.{:03} UTC{}{}",
                        write->transaction, side, ms / 3'600'000 % 24, ms / 60'000 % 60, ms / 1'000 % 60, ms % 1'000,
                        write->lsn.empty() ? "" : ", LSN " + write->lsn,
                        write->image == "deleted" ? ", which deleted it" : "");
  }
  return text;
}

}  // namespace

void contradict_rows(const Evidence& evidence, const Section& section, const Comparison& comparison, Outcome& outcome,
                     const std::function<bool(const RowDifference&)>& which) {
  const History* history = evidence.history(section.played);
  std::size_t accepted = 0;
  std::size_t shown = 0;
  for (std::size_t i = 0; i < comparison.rows.size();) {
    const RowDifference& first = comparison.rows[i];
    // The columns of a row stand together: one row is one finding.
    std::size_t columns = 0;
    const std::size_t begin = i;
    for (; i < comparison.rows.size(); ++i) {
      const RowDifference& next = comparison.rows[i];
      if (next.kind != first.kind || next.entity != first.entity || next.key != first.key) break;
      if (which(next)) ++columns;
    }
    if (columns == 0) continue;
    accepted += i - begin;
    // Looking for the writer reads bodies; only what is shown needs it.
    const Record* writer = shown++ < max_findings_per_result ? writer_of(section, history, first) : nullptr;
    const std::string more = columns > 1 ? fmt::format(" (and {} more of its columns)", columns - 1) : "";
    outcome.contradict(writer ? what_happened(*writer)
                              : fmt::format("the {} and the {} hold the same rows", comparison.left, comparison.right),
                       in_words(comparison, first) + more + who_wrote(section, comparison, first), history, writer);
  }
  const auto beyond = comparison.differences - static_cast<std::int64_t>(comparison.rows.size());
  if (beyond <= 0) return;
  if (accepted == comparison.rows.size()) {
    outcome.count_more(beyond);
  } else {
    outcome.cannot_tell(
        fmt::format("{} more rows differ than were kept, and of which kind they are is not known", beyond));
  }
}

const Comparison* comparison_of(const Section& section, std::string_view name, Outcome& outcome) {
  const auto found = section.comparisons.find(std::string(name));
  if (found == section.comparisons.end()) {
    outcome.cannot_tell(fmt::format("the databases were not compared ({})", name));
    return nullptr;
  }
  const Comparison& comparison = found->second;
  if (!comparison.problem.empty()) {
    outcome.cannot_tell(fmt::format("the comparison {} is not whole: {}", name, comparison.problem));
    return nullptr;
  }
  if (comparison.rows_left + comparison.rows_right == 0) {
    outcome.cannot_tell(fmt::format("the comparison {} saw no rows on either side", name));
    return nullptr;
  }
  return &comparison;
}

const Changes* changes_of(const Section& section, const std::string& store, Outcome& outcome) {
  const auto found = section.changes.find(store);
  if (found == section.changes.end()) {
    outcome.cannot_tell(fmt::format("the {} database was not watched", store));
    return nullptr;
  }
  if (!found->second.known) {
    outcome.cannot_tell(fmt::format("the {} database could not be watched: {}", store, found->second.problem));
    return nullptr;
  }
  return &found->second;
}

std::string in_words(const Changes& changes) {
  std::string text;
  const auto add = [&](std::string part) { text += (text.empty() ? "" : "; ") + std::move(part); };
  for (const auto& [table, rows] : changes.by_table)
    add(fmt::format("{}: {} row change{}", table, rows, rows == 1 ? "" : "s"));
  if (!changes.first.empty()) add("the first: " + changes.first.front());
  for (const std::string& sequence : changes.sequences) add(fmt::format("sequence {} moved", sequence));
  if (changes.content_changed && changes.rows == 0) add("the content of its tables changed");
  return text.empty() ? "nothing was written" : text;
}

namespace {

// The steps that differ, the first of each cause (a kind of difference at a path of a route) before all others: only so many are
// shown.
std::vector<const StepDifference*> causes_first(const History& played, const std::vector<StepDifference>& steps) {
  std::set<std::string> causes;
  std::vector<const StepDifference*> first, others;
  for (const StepDifference& step : steps) {
    const Record* record = replay::record_of(played, step.step);
    bool is_new = false;
    for (const Difference& difference : step.differences) {
      is_new |= causes
                    .insert(fmt::format("{} {} {}", replay::route_of(record->request.method, record->request.target),
                                        without_indices(difference.path), name_of(difference.kind)))
                    .second;
    }
    (is_new ? first : others).push_back(&step);
  }
  first.insert(first.end(), others.begin(), others.end());
  return first;
}

}  // namespace

void expect_oracle_answers(const Evidence& evidence, const Section& section, Outcome& outcome, const Which& which) {
  const History* played = evidence.history(section.played);
  const History* oracle = evidence.history(section.oracle);
  if (played == nullptr || oracle == nullptr)
    return outcome.cannot_tell("there is no oracle to hold the answers against");
  const auto compared = compare_answers(evidence.contract, *oracle, evidence.history(section.oracle_again), *played,
                                        which, evidence.earlier_plays(section));
  outcome.looked_at(compared.matched + compared.masked + compared.ignored + compared.undecided + compared.differed,
                    "answers");
  for (const StepDifference* step : causes_first(*played, compared.steps)) {
    const Record* record = replay::record_of(*played, step->step);
    const Difference& first = step->differences.front();
    const std::string more =
        step->differences.size() > 1 ? fmt::format(" (and {} more differences)", step->differences.size() - 1) : "";
    const auto value = [](const std::string& text) { return text.empty() ? std::string("nothing") : text; };
    outcome.contradict(
        fmt::format("the oracle answered {} {} (step {}) with {} = {}", record->request.method, record->request.target,
                    step->step, first.path, value(first.expected)),
        fmt::format("in {} it was answered with {} = {}{}", section.name,
                    first.observed_path.empty() ? first.path : first.observed_path, value(first.observed), more),
        played, record);
  }
  for (const NoisePath& path : compared.noise) {
    if (path.decision.verdict == NoiseVerdict::undecided) outcome.cannot_tell(in_words(path));
  }
  if (compared.unanswered + compared.without_oracle == 0) return;
  std::int64_t without_oracle = 0;
  for (const Record& record : played->records) {
    const Record* expected = replay::record_of(*oracle, record.step);
    if (!which(record)) continue;
    if (expected == nullptr || expected->outcome != replay::Outcome::answered) {
      ++without_oracle;
      continue;
    }
    if (record.outcome != replay::Outcome::answered) {
      outcome.contradict(fmt::format("the oracle answered step {} with {}", record.step, expected->response.status),
                         what_happened(record), played, &record);
    }
  }
  if (without_oracle > 0)
    outcome.cannot_tell(fmt::format("the oracle itself did not answer {} of these requests", without_oracle));
}

void expect_equal_pairs(const Evidence& evidence, const Section& section, Outcome& outcome) {
  for (const PairedReads& pair : section.paired) {
    const auto compared = compare_paired_reads(evidence, pair);
    if (compared.missing) outcome.cannot_tell(fmt::format("the reads around {} are missing", pair.around));
    for (const Record* record : compared.failed_before)
      outcome.cannot_tell(fmt::format("before {}: {}", pair.around, what_happened(*record)));
    for (const Record* record : compared.not_read_again)
      outcome.cannot_tell(fmt::format("after {}: {} was not read again", pair.around, record->request.target));
    outcome.looked_at(compared.pairs(), "pairs of reads");
    for (const StepDifference& step : compared.answers.steps) {
      const History* after = evidence.history(pair.after);
      const Record* observed = replay::record_of(*after, step.step);
      const Difference& first = step.differences.front();
      outcome.contradict(
          fmt::format("before {}, {} was answered with {} = {}", pair.around,
                      replay::record_of(*evidence.history(pair.before), step.step)->request.target, first.path,
                      first.expected),
          fmt::format("after it, with {} = {}", first.path, first.observed.empty() ? "nothing" : first.observed), after,
          observed);
    }
  }
}

void expect_writes_to_fail_without_trace(const Evidence& evidence, const Section& section, Outcome& outcome) {
  const History* history = evidence.history(section.played);
  if (history == nullptr) return outcome.cannot_tell("nothing was played");
  for (const Record& record : history->records) {
    if (record.read) continue;
    outcome.looked_at(1, "writes");
    if (acknowledged(record)) {
      outcome.contradict("legacy is stopped, and a write that legacy did not take fails", what_happened(record),
                         history, &record);
    }
  }
  const Changes* changes = changes_of(section, "new", outcome);
  if (changes != nullptr && changes->written()) {
    outcome.contradict("no write was acknowledged, because legacy was stopped",
                       "the new database was written: " + in_words(*changes));
  }
}

void look_at_acknowledged_writes(const Evidence& evidence, const Section& section, Outcome& outcome) {
  const History* history = evidence.history(section.played);
  if (history == nullptr) return outcome.cannot_tell("nothing was played");
  const auto writes = std::count_if(history->records.begin(), history->records.end(), acknowledged);
  outcome.looked_at(writes, "acknowledged writes");
  if (writes == 0) outcome.cannot_tell("no write was acknowledged: the traffic does not exercise what this speaks of");
}

bool served_nothing(const FlagTrial& trial) {
  const auto nothing = [](const std::string& value) { return value.empty() || value == "nothing"; };
  return nothing(trial.served_before) || nothing(trial.served_after);
}

void expect_answer(const Contract::Answer& declared, const History& history, Outcome& outcome, std::string_view who,
                   const Which& which) {
  for (const Record& record : history.records) {
    if (!which(record)) continue;
    outcome.looked_at(1, "answers");
    std::string wrong;
    if (record.outcome != replay::Outcome::answered) {
      wrong = "it";
    } else if (record.response.status != declared.status) {
      wrong = "it";
    } else if (const auto type = field(record.response.headers, "Content-Type").value_or("");
               !declared.content_type.empty() && !replay::lower(type).starts_with(declared.content_type)) {
      wrong = fmt::format("its Content-Type is {:?}, and it", std::string(type));
    }
    for (const std::string& header : declared.headers) {
      if (wrong.empty() && !field(record.response.headers, header))
        wrong = fmt::format("it has no {} header, and it", header);
    }
    if (wrong.empty()) continue;
    outcome.contradict(fmt::format("{} promises {} ({} {})", who, declared.status, declared.content_type,
                                   fmt::join(declared.headers, ", ")),
                       (wrong == "it" ? "" : wrong + ": ") + what_happened(record), &history, &record);
  }
}

}  // namespace rehearse::properties
