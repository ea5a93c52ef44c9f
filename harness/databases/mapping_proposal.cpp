#include "harness/databases/mapping_proposal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "replay/error.h"

namespace rehearse::harness {
namespace {

using Column = CatalogueTable::Column;

// Tables that agree in fewer of their columns have nothing to do with each other.
constexpr double least_agreement = 0.5;

constexpr const char* catalogue_query = R"(
  SELECT c.oid::regclass::text, a.attname, coalesce(eb.typname, e.typname, b.typname, t.typname), format_type(t.oid, -1),
         coalesce(eb.typtype, e.typtype, b.typtype, t.typtype), (e.oid IS NOT NULL)::int,
         pg_get_serial_sequence(c.oid::regclass::text, a.attname),
         (SELECT array_position(i.indkey::int[], a.attnum::int) FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
  JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = t.typbasetype AND t.typtype = 'd'
  LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A' AND t.typlen = -1
  LEFT JOIN pg_type eb ON eb.oid = e.typbasetype AND e.typtype = 'd'
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
  ORDER BY 1, a.attnum)";

std::set<std::string> words_of(const std::string& name) {
  std::set<std::string> words;
  std::string word;
  for (const char c : name + "_") {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!word.empty()) {
      words.insert(std::exchange(word, ""));
    }
  }
  return words;
}

std::size_t shared_words(const std::string& a, const std::string& b) {
  const auto left = words_of(a), right = words_of(b);
  return static_cast<std::size_t>(
      std::count_if(left.begin(), left.end(), [&](const std::string& word) { return right.contains(word); }));
}

bool fit(const Column& left, const Column& right) {
  try {
    static_cast<void>(comparable(left.type, right.type, false));
    return true;
  } catch (const Error&) {
    return false;
  }
}

struct Pairing {
  std::vector<std::pair<const Column*, const Column*>> same, guessed;
  std::vector<const Column*> legacy_only, new_only;
};

// Takes from both lists what `agree` says belongs together, the surest first.
template <class Agree>
void take(std::vector<const Column*>& left, std::vector<const Column*>& right, Agree agree,
          std::vector<std::pair<const Column*, const Column*>>& pairs) {
  for (bool more = true; std::exchange(more, false);) {
    std::size_t best = 0;
    std::pair<std::size_t, std::size_t> at;
    for (std::size_t l = 0; l < left.size(); ++l) {
      for (std::size_t r = 0; r < right.size(); ++r) {
        if (const std::size_t agreed = agree(*left[l], *right[r]); agreed > best) best = agreed, at = {l, r};
      }
    }
    if (best == 0) return;
    pairs.emplace_back(left[at.first], right[at.second]);
    left.erase(left.begin() + static_cast<std::ptrdiff_t>(at.first));
    right.erase(right.begin() + static_cast<std::ptrdiff_t>(at.second));
    more = true;
  }
}

Pairing paired(const CatalogueTable& legacy, const CatalogueTable& new_) {
  Pairing pairing;
  for (const Column& column : legacy.columns) pairing.legacy_only.push_back(&column);
  for (const Column& column : new_.columns) pairing.new_only.push_back(&column);
  take(
      pairing.legacy_only, pairing.new_only,
      [](const Column& a, const Column& b) { return std::size_t{a.name == b.name}; }, pairing.same);
  take(
      pairing.legacy_only, pairing.new_only,
      [](const Column& a, const Column& b) { return fit(a, b) ? shared_words(a.name, b.name) : 0; }, pairing.guessed);
  return pairing;
}

double agreement(const CatalogueTable& legacy, const CatalogueTable& new_) {
  if (legacy.name == new_.name) return 2;
  const Pairing pairing = paired(legacy, new_);
  return static_cast<double>(pairing.same.size() + pairing.guessed.size()) /
         static_cast<double>(std::max(legacy.columns.size(), new_.columns.size()));
}

// Legacy table → new table, the surest first; each stands in one pair.
std::map<const CatalogueTable*, const CatalogueTable*> counterparts(const std::vector<CatalogueTable>& legacy,
                                                                    const std::vector<CatalogueTable>& new_) {
  struct Candidate {
    double agreement;
    const CatalogueTable *legacy, *new_;
  };
  std::vector<Candidate> candidates;
  for (const auto& left : legacy) {
    for (const auto& right : new_) {
      const double agreed = agreement(left, right);
      if (agreed >= least_agreement) candidates.push_back({agreed, &left, &right});
    }
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.agreement > b.agreement; });
  std::map<const CatalogueTable*, const CatalogueTable*> pairs;
  std::set<const CatalogueTable*> taken;
  for (const Candidate& candidate : candidates) {
    if (pairs.contains(candidate.legacy) || !taken.insert(candidate.new_).second) continue;
    pairs[candidate.legacy] = candidate.new_;
  }
  return pairs;
}

// In double quotes where a name is more than a plain word, so that no character of it is YAML.
std::string yaml(const std::string& text) {
  const bool plain = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.") == std::string::npos &&
                     !text.empty() && std::isalpha(static_cast<unsigned char>(text.front())) != 0;
  // Words that YAML 1.1 takes for truth values.
  static const std::set<std::string> taken{"y", "n", "yes", "no", "on", "off", "true", "false", "null"};
  if (plain && !taken.contains(text)) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

// For a comment: one line.
std::string names(const std::vector<const Column*>& columns) {
  std::vector<std::string> list;
  for (const Column* column : columns) list.push_back(column->name);
  std::string text = columns.empty() ? "none" : fmt::format("{}", fmt::join(list, ", "));
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

std::string entity_lines(const CatalogueTable& legacy, const CatalogueTable& new_) {
  const Pairing pairing = paired(legacy, new_);
  std::vector<std::string> key, renamed;
  for (const std::string& column : legacy.key) key.push_back(yaml(column));
  for (const auto& [left, right] : pairing.guessed) renamed.push_back(yaml(left->name) + ": " + yaml(right->name));
  std::string text =
      fmt::format("  {}:\n    key: [{}]{}\n    legacy: {}\n    new: {}\n", yaml(legacy.name), fmt::join(key, ", "),
                  key.empty() ? "   # no primary key: rows are counted" : "", yaml(legacy.name), yaml(new_.name));
  if (!renamed.empty())
    text += fmt::format("    columns: {{{}}}   # guessed from their names\n", fmt::join(renamed, ", "));
  for (const auto& [left, right] : pairing.same) {
    if (!fit(*left, *right))
      text += fmt::format("    # {}: {} and {} cannot be compared as they are; write two SELECTs with a cast\n",
                          left->name, left->type.spelled, right->type.spelled);
  }
  if (!pairing.legacy_only.empty() || !pairing.new_only.empty())
    text += fmt::format(
        "    # without a counterpart: legacy {}; new {}. Write two SELECTs, or name them in ignored_columns\n",
        names(pairing.legacy_only), names(pairing.new_only));
  return text;
}

const std::string* sequence_of(const CatalogueTable& table, const std::string& column) {
  const auto found = std::find_if(table.columns.begin(), table.columns.end(),
                                  [&](const Column& one) { return one.name == column && !one.sequence.empty(); });
  return found == table.columns.end() ? nullptr : &found->sequence;
}

}  // namespace

std::vector<CatalogueTable> catalogue_of(Session& session) {
  std::vector<CatalogueTable> tables;
  std::map<std::size_t, std::string> key;
  const auto end_table = [&] {
    for (const auto& [position, column] : key) tables.back().key.push_back(column);
    key.clear();
  };
  for (const Row& row : session.run(catalogue_query).rows) {
    const std::string table = row[0].value_or("");
    if (tables.empty() || tables.back().name != table) {
      if (!tables.empty()) end_table();
      tables.push_back({table, {}, {}});
    }
    const std::string column = row[1].value_or("");
    tables.back().columns.push_back(
        {column,
         {row[2].value_or(""), row[3].value_or(""), row[4].value_or("") == "e", row[5].value_or("") == "1"},
         row[6].value_or("")});
    if (row[7]) key[std::stoul(*row[7])] = column;
  }
  if (!tables.empty()) end_table();
  return tables;
}

MappingProposal proposed_mapping(const std::vector<CatalogueTable>& legacy, const std::vector<CatalogueTable>& new_) {
  MappingProposal proposal;
  const auto pairs = counterparts(legacy, new_);
  std::set<const CatalogueTable*> used;
  std::vector<std::string> sequences;
  for (const CatalogueTable& table : legacy) {
    const auto pair = pairs.find(&table);
    if (pair == pairs.end()) {
      proposal.entities += fmt::format(
          "  # {}: no table of the new database is like it; write an entity of two SELECTs, or name "
          "it in ignored_tables\n",
          table.name);
      continue;
    }
    used.insert(pair->second);
    proposal.entities += entity_lines(table, *pair->second);
    const Pairing columns = paired(table, *pair->second);
    auto both = columns.same;
    both.insert(both.end(), columns.guessed.begin(), columns.guessed.end());
    for (const auto& [left, right] : both) {
      if (sequence_of(table, left->name) != nullptr && sequence_of(*pair->second, right->name) != nullptr)
        sequences.push_back(fmt::format("\n  - {{entity: {}, legacy: {}, new: {}, column: {}}}", yaml(table.name),
                                        yaml(left->sequence), yaml(right->sequence), yaml(left->name)));
    }
  }
  for (const CatalogueTable& table : new_) {
    if (!used.contains(&table))
      proposal.entities += fmt::format(
          "  # {} of the new database stands in no entity: join it into one, or name it in ignored_tables\n",
          table.name);
  }
  if (proposal.entities.empty()) proposal.entities = "  # neither database has tables\n";
  proposal.sequences = sequences.empty() ? "[]" : fmt::format("{}", fmt::join(sequences, ""));
  return proposal;
}

}  // namespace rehearse::harness
