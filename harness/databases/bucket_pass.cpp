#include "harness/databases/bucket_pass.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <exception>
#include <random>
#include <thread>
#include <tuple>

#include "harness/databases/server_hash.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

// Rows that a bucket holds about: few enough to read again for one that differs, enough that the sums are nothing beside the rows.
constexpr double rows_a_bucket = 2'048;
constexpr std::uint32_t least_buckets = 64, most_buckets = 16'384;
// Beyond that share of buckets that differ, reading them is reading everything.
constexpr std::size_t narrow_share = 3;
// Rows that are read in both ways to choose one; with fewer than five times as many, choosing costs more than it gains.
constexpr std::int64_t trial_rows = 20'000;
// Rows and columns of them whose hashes are tried out.
constexpr std::size_t planted_rows = 4, planted_columns = 8;

using Readings = std::array<const Reading*, 2>;
using Readers = std::array<SideReader*, 2>;

struct Bucket {
  std::int64_t rows = 0;
  std::uint64_t sum = 0;  // modulo 2^64
  bool operator==(const Bucket&) const = default;
};

std::uint64_t number_in(std::string_view text) {
  const bool negative = text.starts_with('-');
  std::uint64_t number = 0;
  for (const char c : text.substr(negative ? 1 : 0)) number = number * 10 + static_cast<std::uint64_t>(c - '0');
  return negative ? -number : number;
}

std::int64_t big_endian(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char c : bytes) number = number << 8 | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(number);
}

std::uint32_t buckets_for(double rows) {
  const double wanted = std::clamp(rows / rows_a_bucket, 1.0 * least_buckets, 1.0 * most_buckets);
  return std::bit_ceil(static_cast<std::uint32_t>(wanted));
}

double expected(const Readings& readings) { return std::max(readings[0]->expected_rows, readings[1]->expected_rows); }

std::string bucket_sql(const HashSql& hash, std::uint32_t buckets) {
  return fmt::format("({} & {})::bigint", hash.key, buckets - 1);
}

// Gives bucket, rows, sum of hashes.
Reading as_buckets(const Reading& reading, const SideColumns& columns, std::uint64_t seed, std::uint32_t buckets) {
  const HashSql hash = hash_sql(reading, columns, seed);
  Reading hashed = reading;
  hashed.columns.resize(3);
  hashed.around = {fmt::format("SELECT {}, count(*), sum({})::text FROM ({}", bucket_sql(hash, buckets), hash.row,
                               reading.around.first),
                   reading.around.second + ") s GROUP BY 1"};
  return hashed;
}

Reading narrowed(const Reading& reading, const SideColumns& columns, std::uint64_t seed, std::uint32_t buckets,
                 const std::vector<std::uint32_t>& differing) {
  Reading fewer = reading;
  std::vector<std::string> names;
  for (const auto& column : reading.columns) names.push_back("s." + quoted_identifier(column.name));
  fewer.around = {fmt::format("SELECT {} FROM ({}", fmt::join(names, ", "), reading.around.first),
                  fmt::format("{}) s WHERE {} = ANY ('{{{}}}')", reading.around.second,
                              bucket_sql(hash_sql(reading, columns, seed), buckets), fmt::join(differing, ","))};
  return fewer;
}

// Calls `work` for both sides at once; the error that came first.
template <class Work>
void on_both(const PassOptions& options, const Work& work) {
  std::atomic<bool> halt{false};
  std::array<std::exception_ptr, 2> problems;
  const auto guarded = [&](std::size_t s) {
    try {
      work(s, halt);
    } catch (...) {
      problems[s] = std::current_exception();
      halt = true;
    }
  };
  {
    std::thread other(guarded, 1);
    guarded(0);
    other.join();
  }
  for (const auto& problem : problems) {
    if (!problem) continue;
    try {
      std::rethrow_exception(problem);
    } catch (const ReadingStopped&) {
      if (options.stop != nullptr && *options.stop) throw;
    }
  }
}

void shake_hands(const Readers& sides, std::uint64_t seed) {
  if (hashes_of_planted_values(sides[0]->leader(), seed) != hashes_of_planted_values(sides[1]->leader(), seed))
    throw Error(
        fmt::format("the two servers (PostgreSQL {} and {}) hash the same values differently; compare with --strategy "
                    "full",
                    sides[0]->leader().server_version() / 10'000, sides[1]->leader().server_version() / 10'000));
}

// Sampled rows with one value made NULL, on the server: their hashes must become others.
void test_itself(const Reading& reading, const SideColumns& columns, std::uint64_t seed, BulkSession& session,
                 EntityPass& pass) {
  std::vector<std::size_t> chosen(reading.columns.size());
  for (std::size_t c = 0; c < chosen.size(); ++c) chosen[c] = c;
  std::shuffle(chosen.begin(), chosen.end(), std::mt19937_64(seed));
  chosen.resize(std::min(chosen.size(), planted_columns));
  const std::string row = hash_sql(reading, columns, seed).row;
  std::vector<std::string> tried;
  for (const std::size_t c : chosen)
    tried.push_back(fmt::format("CASE WHEN s.{} IS NOT NULL THEN {} <> {} END",
                                quoted_identifier(reading.columns[c].name), row,
                                hash_sql(reading, columns, seed, c).row));
  for (const auto& found : session.text(
           fmt::format("SELECT {} FROM ({}) s LIMIT {}", fmt::join(tried, ", "), reading.part(0, -1), planted_rows))) {
    for (const auto& value : found) {
      if (!value) continue;
      ++pass.planted;
      pass.planted_found += *value == "t";
    }
  }
}

EntityPass hash_pass(const Entity& entity, const EntityColumns& columns, const Readings& readings, const Readers& sides,
                     const PassOptions& options) {
  shake_hands(sides, options.seed);
  const std::uint32_t count = buckets_for(expected(readings));
  EntityPass pass;
  std::array<std::vector<std::vector<Bucket>>, 2> gathered;  // by side and connection
  std::array<std::vector<std::int64_t>, 2> bytes;
  std::atomic<std::int64_t> rows{0};
  for (std::size_t s = 0; s < 2; ++s) {
    gathered[s].assign(sides[s]->connections(), std::vector<Bucket>(count));
    bytes[s].assign(sides[s]->connections(), 0);
  }
  on_both(options, [&](std::size_t s, const std::atomic<bool>& halt) {
    sides[s]->read(
        as_buckets(*readings[s], columns.sides[s], options.seed, count),
        [&](std::size_t connection, const BinaryRow& row) {
          Bucket& bucket = gathered[s][connection][static_cast<std::size_t>(big_endian(row[0].value()))];
          const std::int64_t counted = big_endian(row[1].value());
          bucket.rows += counted;
          bucket.sum += number_in(row[2].value());
          bytes[s][connection] += 16 + row[2].size;
          const auto sum = rows += counted;
          if (options.on_progress) options.on_progress(entity.name, sum, 2 * expected(readings));
        },
        options.stop, halt);
  });
  std::array<std::vector<Bucket>, 2> whole;
  for (std::size_t s = 0; s < 2; ++s) {
    whole[s].resize(count);
    for (std::size_t i = 0; i < gathered[s].size(); ++i) {
      pass.bytes[s] += bytes[s][i];
      for (std::uint32_t b = 0; b < count; ++b) {
        whole[s][b].rows += gathered[s][i][b].rows;
        whole[s][b].sum += gathered[s][i][b].sum;
        pass.rows[s] += gathered[s][i][b].rows;
      }
    }
    test_itself(*readings[s], columns.sides[s], options.seed, sides[s]->leader(), pass);
  }
  std::vector<std::uint32_t> differing;
  for (std::uint32_t b = 0; b < count; ++b) {
    if (whole[0][b] != whole[1][b]) differing.push_back(b);
  }
  pass.strategy = fmt::format("hashes, {} of {} buckets differ", differing.size(), count);
  pass.difference.complete = true;
  if (differing.empty()) return pass;
  EntityPass rest;
  if (differing.size() * narrow_share > count) {
    rest = full_pass(entity, columns, readings, sides, options, SideReader::Begins::behind);
  } else {
    const std::array<Reading, 2> fewer{narrowed(*readings[0], columns.sides[0], options.seed, count, differing),
                                       narrowed(*readings[1], columns.sides[1], options.seed, count, differing)};
    rest = full_pass(entity, columns, {&fewer[0], &fewer[1]}, sides, options, SideReader::Begins::behind);
  }
  for (std::size_t s = 0; s < 2; ++s) pass.bytes[s] += rest.bytes[s];
  pass.difference = std::move(rest.difference);
  pass.planted += rest.planted;
  pass.planted_found += rest.planted_found;
  return pass;
}

StrategyTrial trial_of(const EntityColumns& columns, const Readings& readings, const Readers& sides,
                       const PassOptions& options) {
  using Clock = std::chrono::steady_clock;
  StrategyTrial trial;
  const std::atomic<bool> halt{false};
  const auto timed = [&](std::size_t s, const Reading& reading, std::int64_t& rows) {
    const auto begun = Clock::now();
    rows = sides[s]->leader().copy(reading.part(0, -1), reading.columns.size(), [](const BinaryRow&) {},
                                   {options.stop, &halt, std::nullopt});
    return std::chrono::duration<double>(Clock::now() - begun);
  };
  for (std::size_t s = 0; s < 2; ++s) {
    Reading few = *readings[s];
    std::vector<std::string> names;
    for (const auto& column : few.columns) names.push_back("s." + quoted_identifier(column.name));
    few.around = {fmt::format("SELECT {} FROM ({}", fmt::join(names, ", "), few.around.first),
                  fmt::format("{}) s LIMIT {}", few.around.second, trial_rows)};
    std::int64_t rows = 0, buckets = 0;
    auto as_rows = std::chrono::duration<double>::max(), as_hashes = as_rows;
    for (int again = 0; again < 2;
         ++again) {  // hashes first: what is slow because it is new is not the rows' advantage
      as_hashes =
          std::min(as_hashes, timed(s, as_buckets(few, columns.sides[s], options.seed, least_buckets), buckets));
      as_rows = std::min(as_rows, timed(s, few, rows));
    }
    trial.rows += rows;
    trial.as_rows += as_rows;
    trial.as_hashes += as_hashes;
  }
  return trial;
}

}  // namespace

Strategy chosen(const StrategyTrial& trial) {
  constexpr double clearly = 1.2;
  return trial.rows > 0 && trial.as_hashes * clearly < trial.as_rows ? Strategy::hashes : Strategy::full;
}

EntityPass pass_over(const Entity& entity, const EntityColumns& columns, const Readings& readings, const Readers& sides,
                     const PassOptions& options) {
  if (options.strategy == Strategy::full) return full_pass(entity, columns, readings, sides, options);
  const bool translated = std::any_of(columns.sides.begin(), columns.sides.end(), [](const SideColumns& side) {
    return side.pairs != nullptr && !side.pairs->empty();
  });
  if (translated)
    throw Error(fmt::format("entity {}: a server cannot hash identifiers that stand for others", entity.name));
  if (options.strategy == Strategy::hashes) return hash_pass(entity, columns, readings, sides, options);
  const auto full = [&](const std::string& why) {
    EntityPass pass = full_pass(entity, columns, readings, sides, options);
    pass.strategy = "full, " + why;
    return pass;
  };
  if (expected(readings) >= 0 && expected(readings) < 5.0 * trial_rows) return full("for it is small");
  const StrategyTrial trial = trial_of(columns, readings, sides, options);
  const std::string measured = fmt::format("for {} rows took {:.0f} ms as rows and {:.0f} ms as hashes", trial.rows,
                                           trial.as_rows.count() * 1e3, trial.as_hashes.count() * 1e3);
  if (chosen(trial) == Strategy::full) return full(measured);
  EntityPass pass = hash_pass(entity, columns, readings, sides, options);
  pass.strategy += ", " + measured;
  return pass;
}

}  // namespace rehearse::harness
