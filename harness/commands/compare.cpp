#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <mutex>
#include <random>
#include <set>

#include "harness/commands/commands.h"
#include "harness/commands/comparison_text.h"
#include "harness/databases/causing_request.h"
#include "harness/databases/commit_positions.h"
#include "harness/databases/comparison.h"
#include "harness/databases/constraints.h"
#include "harness/databases/coverage.h"
#include "harness/databases/live_comparison.h"
#include "harness/databases/repair.h"
#include "replay/error.h"
#include "replay/history_file.h"

namespace rehearse::harness {
namespace {

using Clock = std::chrono::steady_clock;

std::chrono::milliseconds milliseconds_of(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

// For a person who waits; a pipe gets none.
class RowProgress {
 public:
  ~RowProgress() {
    if (drawn_) fmt::print(stderr, "\r\033[K");
  }

  // From several threads; one that finds another at it leaves it alone.
  void step(const std::string& entity, std::int64_t rows, double expected) {
    const std::unique_lock lock(guard_, std::try_to_lock);
    if (!terminal_ || !lock) return;
    const auto now = Clock::now();
    if (entity != entity_) {
      entity_ = entity;
      begun_ = now;
    }
    if (now - shown_ < std::chrono::milliseconds(100)) return;
    shown_ = now;
    const double seconds = std::max(std::chrono::duration<double>(now - begun_).count(), 0.001);
    const double rate = static_cast<double>(rows) / seconds;
    std::string left;
    if (expected > static_cast<double>(rows))
      left = fmt::format(" of about {:.0f}, {:.0f} s left", expected, (expected - static_cast<double>(rows)) / rate);
    fmt::print(stderr, "\r\033[K{:<24} {} rows of both sides{}, {:.2f} million a second", entity, rows, left,
               rate / 1e6);
    std::fflush(stderr);
    drawn_ = true;
  }

 private:
  const bool terminal_ = isatty(STDERR_FILENO) == 1;
  std::mutex guard_;
  std::string entity_;
  Clock::time_point begun_, shown_;
  bool drawn_ = false;
};

std::vector<Entity> chosen(const Configuration& config, const std::vector<std::string>& names) {
  if (config.entities.empty())
    throw Error("the configuration maps no entities; `rehearse init` with --legacy-dsn and --new-dsn proposes them");
  if (names.empty()) return config.entities;
  std::vector<Entity> entities;
  for (const std::string& name : names) {
    const auto found = std::find_if(config.entities.begin(), config.entities.end(),
                                    [&](const Entity& entity) { return entity.name == name; });
    if (found == config.entities.end()) throw Error(fmt::format("there is no entity {} in the mapping", name));
    entities.push_back(*found);
  }
  return entities;
}

// Large objects, by number and content, when there are any; no table shows them and no commit log.
std::optional<Entity> large_objects(const Configuration& config, SideReader& left, SideReader& right) {
  constexpr const char* name = "pg_largeobject";
  if (config.ignored_legacy_tables.contains(name) || config.ignored_new_tables.contains(name)) return std::nullopt;
  const auto any = [](SideReader& side) {
    return side.leader().value("SELECT EXISTS (SELECT FROM pg_largeobject_metadata)") == "t";
  };
  if (!any(left) && !any(right)) return std::nullopt;
  const std::string select =
      "SELECT oid::bigint AS loid, encode(sha256(lo_get(oid)), 'hex') AS sha256 FROM pg_largeobject_metadata";
  return Entity{"large objects", {"loid"}, select, select};
}

DatabaseVerdict::SequenceState judged(const Sequence& sequence, const properties::IdSpace& space) {
  DatabaseVerdict::SequenceState state{sequence.entity, "at least",       "",           space.legacy_next,
                                       space.new_next,  space.legacy_max, space.new_max};
  if (sequence.rule == Sequence::Rule::ignored) {
    state.rule = "ignored";
    return state;
  }
  if (std::min(space.legacy_next, space.new_next) <= std::max(space.legacy_max, space.new_max))
    state.problem = "a number that is in use would be given again";
  if (sequence.rule == Sequence::Rule::equal) {
    state.rule = "equal";
    if (space.legacy_next != space.new_next)
      state.problem += std::string(state.problem.empty() ? "" : ", and ") + "they would not give the same number next";
  }
  return state;
}

void look_at_the_rest(const Configuration& config, DatabaseVerdict& verdict) {
  Session legacy(config.legacy_database.dsn, "the legacy database"), new_(config.new_database.dsn, "the new database");
  const auto attempt = [&](const auto& look) {
    try {
      look();
    } catch (const Error& problem) {
      verdict.problems.emplace_back(problem.what());
    }
  };
  attempt([&] {
    const Coverage of_legacy =
        coverage_of(config.entities, true, config.ignored_legacy_tables, config.ignored_legacy_columns, legacy);
    const Coverage of_new =
        coverage_of(config.entities, false, config.ignored_new_tables, config.ignored_new_columns, new_);
    verdict.unmapped = said_of(of_legacy, of_new);
    verdict.ignored_columns = of_legacy.ignored + of_new.ignored;
  });
  attempt([&] {
    for (const EntityComparison& compared : verdict.entities) {
      if (compared.rows[0] + compared.rows[1] > 0 || !compared.problem.empty()) continue;
      const auto entity = std::find_if(config.entities.begin(), config.entities.end(),
                                       [&](const Entity& mapped) { return mapped.name == compared.entity; });
      if (entity != config.entities.end() &&
          (tables_hold_rows(entity->legacy, legacy) || tables_hold_rows(entity->new_, new_)))
        verdict.problems.push_back(fmt::format(
            "entity {} has no rows on either side, and the tables that it reads have some", compared.entity));
    }
  });
  attempt([&] {
    const auto spaces = id_spaces(config, legacy, new_);
    for (std::size_t i = 0; i < spaces.size(); ++i) verdict.sequences.push_back(judged(config.sequences[i], spaces[i]));
  });
  verdict.constraints = constraints_of(new_);
}

// Says of each row that differs where its last write stands in the WAL and which request caused it.
void tell_writers(const Configuration& config, const std::vector<replay::History>& histories,
                  DatabaseVerdict& verdict) {
  for (const bool is_legacy : {true, false}) {
    const auto writer_in = [&](RowFinding& finding) -> RowFinding::Writer& {
      return is_legacy ? finding.left : finding.right;
    };
    std::set<std::string> transactions;
    for (EntityComparison& entity : verdict.entities) {
      for (RowFinding& finding : entity.findings) {
        if (const std::string& writer = writer_in(finding).transaction; !writer.empty()) transactions.insert(writer);
      }
    }
    if (transactions.empty()) continue;
    const std::string what = is_legacy ? "legacy database" : "new database";
    Session session(is_legacy ? config.legacy_database.dsn : config.new_database.dsn, "the " + what);
    const CommitPositions positions = commit_positions(session, transactions);
    if (!positions.problem.empty()) verdict.notes.push_back(what + ": " + positions.problem);
    for (EntityComparison& entity : verdict.entities) {
      for (RowFinding& finding : entity.findings) {
        RowFinding::Writer& writer = writer_in(finding);
        const auto found = positions.by_transaction.find(writer.transaction);
        if (found != positions.by_transaction.end()) writer.lsn = found->second;
        const bool written = finding.kind == properties::RowDifference::Kind::changed || !writer.transaction.empty();
        if (written && !histories.empty())
          writer.request = causing_request(histories, writer.committed_at, finding.key);
      }
    }
  }
}

void write_repair(const std::string& path, const std::vector<Entity>& entities, const DatabaseVerdict& verdict) {
  std::ofstream file(path);
  file << repair_header();
  for (std::size_t i = 0; i < verdict.entities.size() && i < entities.size(); ++i)
    file << repair_sql(entities[i], verdict.entities[i]);
  file << repair_footer();
  file.close();
  if (!file) throw Error(fmt::format("cannot write {}; check the directory and the space on the disk", path));
}

}  // namespace

int compare_databases(const CompareArguments& arguments) {
  const Configuration config = load_databases(arguments.config);
  std::vector<replay::History> histories;
  if (!arguments.history.empty()) histories = replay::load_histories(arguments.history).histories;
  std::vector<Entity> entities = chosen(config, arguments.entities);
  DatabaseVerdict verdict;
  verdict.seed = arguments.seed != 0 ? arguments.seed : std::random_device{}() | 1U;
  RowProgress progress;
  PassOptions options;
  options.connections = arguments.connections;
  options.max_differences = arguments.max_differences;
  options.snapshot_limit = milliseconds_of(arguments.snapshot_limit_seconds);
  options.cost = arguments.cost;
  options.strategy = arguments.strategy == "hashes" ? Strategy::hashes
                     : arguments.strategy == "auto" ? Strategy::automatic
                                                    : Strategy::full;
  options.seed = verdict.seed;
  options.stop = &stop_requested;
  options.on_progress = [&](const std::string& entity, std::int64_t rows, double expected) {
    progress.step(entity, rows, expected);
  };
  const auto begun = Clock::now();
  try {
    DatabasePair pair({config.legacy_database.dsn, "legacy database", true, &config.ignored_legacy_columns},
                      {config.new_database.dsn, "new database", false, &config.ignored_new_columns}, options);
    if (arguments.entities.empty()) {
      if (const auto objects = large_objects(config, pair.left(), pair.right())) entities.push_back(*objects);
    }
    LiveOptions live;
    live.limit = milliseconds_of(arguments.live_seconds);
    live.settling.window = milliseconds_of(arguments.window_seconds);
    live.settling.max_rows = arguments.max_differences;
    live.stop = &stop_requested;
    for (const Entity& entity : entities)
      verdict.entities.push_back(arguments.live_seconds > 0 ? compare_live(pair, entity, live) : pair.compare(entity));
  } catch (const ReadingStopped&) {
    verdict.interrupted = true;
  }
  // Of a part, what nobody maps is not asked, and what the rest breaks is not its business.
  if (!verdict.interrupted && arguments.entities.empty()) look_at_the_rest(config, verdict);
  if (!verdict.interrupted && verdict.differences() > 0) {
    try {
      tell_writers(config, histories, verdict);
    } catch (const Error& problem) {  // the difference stands without it
      verdict.notes.emplace_back(problem.what());
    }
  }
  verdict.seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  if (!arguments.repair.empty() && !verdict.interrupted) write_repair(arguments.repair, entities, verdict);
  fmt::print("{}", arguments.json ? as_json(verdict) + "\n" : as_text(verdict));
  return verdict.status();
}

}  // namespace rehearse::harness
