#include "harness/databases/full_pass.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <map>
#include <random>
#include <thread>

#include "replay/error.h"
#include "replay/values.h"

namespace rehearse::harness {
namespace {

constexpr std::size_t planted_rows = 4;

// A row of the stream, kept for the self-test.
struct KeptRow {
  std::vector<std::optional<std::string>> fields;

  explicit KeptRow(const BinaryRow& row) {
    for (const BinaryField& field : row)
      fields.push_back(field.null() ? std::nullopt : std::optional(std::string(field.value())));
  }
  [[nodiscard]] BinaryRow row() const {
    BinaryRow made;
    for (const auto& field : fields)
      made.push_back(field ? BinaryField{field->data(), static_cast<std::int32_t>(field->size())} : BinaryField{});
    return made;
  }
};

// What one thread gathers; on lines of its own, so that threads do not share them.
struct alignas(64) Gathered {
  DifferenceTable table;
  RowCodec codec;
  std::mt19937_64 random;
  std::vector<KeptRow> kept;  // an even sample of its rows
  std::int64_t rows = 0, bytes = 0;

  Gathered(std::size_t elements, std::uint64_t seed, const SideColumns& columns, const RowHasher& hasher)
      : table(elements, seed), codec(columns, hasher), random(seed) {}

  void take(const BinaryRow& row, int sign) {
    table.add(codec.element(row), sign);
    ++rows;
    for (const BinaryField& field : row) bytes += std::max(field.size, 0);
    if (kept.size() < planted_rows) {
      kept.emplace_back(row);
    } else if (const auto place = random() % static_cast<std::uint64_t>(rows); place < planted_rows) {
      kept[place] = KeptRow(row);
    }
  }
};

// The row with one value of it made NULL, which every type has; a row of nothing but NULLs stays as it is.
KeptRow altered(const KeptRow& row, const SideColumns& columns, std::mt19937_64& random) {
  std::vector<std::size_t> candidates, keys;
  for (std::size_t c = 0; c < row.fields.size(); ++c) {
    const bool key = std::find(columns.key.begin(), columns.key.end(), c) != columns.key.end();
    if (row.fields[c]) (key ? keys : candidates).push_back(c);
  }
  if (candidates.empty()) candidates = keys;
  KeptRow other = row;
  if (!candidates.empty()) other.fields[candidates[random() % candidates.size()]].reset();
  return other;
}

// Alters sampled rows in a copy of the table and looks whether exactly they come out of it besides what was in it.
void test_itself(const DifferenceTable& whole, Gathered& gathered, int sign, const SideColumns& columns,
                 EntityPass& pass) {
  std::map<RowElement, std::int64_t> expected;
  for (const auto& found : pass.difference.found) expected[found.element] = found.times;
  DifferenceTable copy = whole;
  std::vector<RowElement> planted;
  for (const KeptRow& kept : gathered.kept) {
    const RowElement was = gathered.codec.element(kept.row());
    const RowElement is = gathered.codec.element(altered(kept, columns, gathered.random).row());
    if (is != was) {  // else the row is there once more
      copy.add(was, -sign);
      expected[was] -= sign;
    }
    copy.add(is, sign);
    expected[is] += sign;
    planted.push_back(is);
  }
  std::map<RowElement, std::int64_t> seen;
  for (const auto& found : copy.decode().found) seen[found.element] = found.times;
  for (const RowElement& element : planted) {
    ++pass.planted;
    const auto found = seen.find(element);
    pass.planted_found += found == seen.end() ? expected[element] == 0 : found->second == expected[element];
  }
}

std::string names_of(const Reading& reading) {
  std::vector<std::string> names;
  for (const auto& column : reading.columns) names.push_back(column.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

EntityColumns paired_columns(const Entity& entity, const std::array<const Reading*, 2>& readings,
                             const std::array<const Side*, 2>& sides) {
  EntityColumns columns;
  const auto& left = readings[0]->columns;
  const auto& right = readings[1]->columns;
  const bool same = std::equal(left.begin(), left.end(), right.begin(), right.end(),
                               [](const auto& a, const auto& b) { return a.name == b.name; });
  if (!same) {
    throw Error(
        fmt::format("entity {}: its SELECTs give different columns ({} in the {}, {} in the {}); give both the same "
                    "names in the same order, or name what is not compared in ignored_columns with a reason",
                    entity.name, names_of(*readings[0]), sides[0]->label, names_of(*readings[1]), sides[1]->label));
  }
  for (std::size_t c = 0; c < left.size(); ++c) {
    const std::string& name = left[c].name;
    columns.names.push_back(name);
    try {
      const auto forms = comparable(left[c].type, right[c].type, entity.exact.contains(name));
      columns.sides[0].forms.push_back(forms.first);
      columns.sides[1].forms.push_back(forms.second);
    } catch (const Error& problem) {
      throw Error(fmt::format("entity {}, column {}: {}", entity.name, name, problem.what()));
    }
  }
  for (std::size_t s = 0; s < 2; ++s) {
    SideColumns& side = columns.sides[s];
    side.key = readings[s]->key;
    side.pairs = sides[s]->pairs;
    for (std::size_t c = 0; c < columns.names.size(); ++c) {
      const bool key = std::find(side.key.begin(), side.key.end(), c) != side.key.end();
      std::string of;
      // An array of arrays is one array to SQL, so that a list of such keys cannot be asked for.
      if (key && readings[s]->columns[c].type.array)
        throw Error(fmt::format("entity {}: the key {} is an array; write it with ::text in both SELECTs", entity.name,
                                columns.names[c]));
      if (key || properties::names_an_identifier(columns.names[c])) {
        of = replay::entity_name(columns.names[c]);
        if (of.empty()) of = replay::entity_name(entity.name);  // "id" is the entity's own
      }
      side.identifies.push_back(std::move(of));
    }
  }
  return columns;
}

EntityPass full_pass(const Entity& entity, const EntityColumns& columns, const std::array<const Reading*, 2>& readings,
                     const std::array<SideReader*, 2>& sides, const PassOptions& options, SideReader::Begins begins) {
  const RowHasher hasher(options.seed);
  const std::size_t elements = 2 * options.max_differences;  // a changed row is two of them
  std::array<std::vector<Gathered>, 2> gathered;
  for (std::size_t s = 0; s < 2; ++s) {
    gathered[s].reserve(sides[s]->connections());
    for (std::size_t i = 0; i < sides[s]->connections(); ++i)
      gathered[s].emplace_back(elements, options.seed, columns.sides[s], hasher);
  }
  const double expected = readings[0]->expected_rows < 0 || readings[1]->expected_rows < 0
                              ? -1
                              : readings[0]->expected_rows + readings[1]->expected_rows;
  std::atomic<bool> halt{false};
  std::atomic<std::int64_t> rows{0};
  std::array<std::exception_ptr, 2> problems;
  const auto read = [&](std::size_t s) {
    try {
      sides[s]->read(
          *readings[s],
          [&](std::size_t connection, const BinaryRow& row) {
            Gathered& own = gathered[s][connection];
            own.take(row, s == 0 ? 1 : -1);
            constexpr std::int64_t batch = 4'096;
            if (own.rows % batch == 0) {
              const auto sum = rows += batch;
              if (options.on_progress) options.on_progress(entity.name, sum, expected);
            }
          },
          options.stop, halt, begins);
    } catch (...) {
      problems[s] = std::current_exception();
      halt = true;  // the other side would read for nothing
    }
  };
  {
    std::thread other(read, 1);
    read(0);
    other.join();
  }
  // The error that came first made the other side stop; it is the one to tell.
  for (const auto& problem : problems) {
    if (!problem) continue;
    try {
      std::rethrow_exception(problem);
    } catch (const ReadingStopped&) {
      if (options.stop != nullptr && *options.stop) throw;
    }
  }
  EntityPass pass;
  pass.strategy = "full";
  DifferenceTable whole(elements, options.seed);
  for (std::size_t s = 0; s < 2; ++s) {
    for (const Gathered& own : gathered[s]) {
      whole.add(own.table);
      pass.rows[s] += own.rows;
      pass.bytes[s] += own.bytes;
    }
  }
  pass.difference = whole.decode();
  for (std::size_t s = 0; s < 2; ++s) test_itself(whole, gathered[s][0], s == 0 ? 1 : -1, columns.sides[s], pass);
  return pass;
}

}  // namespace rehearse::harness
