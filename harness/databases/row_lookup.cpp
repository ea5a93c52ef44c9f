#include "harness/databases/row_lookup.h"

#include <fmt/format.h>

#include <algorithm>

namespace rehearse::harness {
namespace {

// Keys asked for at a time: one statement stays below a megabyte, and a join without an index is scanned few times.
constexpr std::size_t keys_a_statement = 10'000;

constexpr std::int64_t longest_age_ms = 1'000'000'000'000;

// An array as PostgreSQL reads it from text.
void append_array_element(const std::string& value, std::string& array) {
  array += array.empty() ? "{\"" : ",\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') array += '\\';
    array += c;
  }
  array += '"';
}

}  // namespace

// The values, the same in print, and who wrote them. The writer's commit time is asked for where the server keeps it.
std::string RowLookup::select_list() const {
  std::vector<std::string> list;
  for (const auto& column : reading_.columns) list.push_back("s." + quoted_identifier(column.name));
  for (const auto& column : reading_.columns) list.push_back("s." + quoted_identifier(column.name) + "::text");
  const bool known = !reading_.writer.empty();
  list.push_back(known ? reading_.writer + "::text" : "NULL::text");
  list.push_back(known ? fmt::format("CASE WHEN current_setting('track_commit_timestamp') = 'on' THEN "
                                     "pg_xact_commit_timestamp({})::text END",
                                     reading_.writer)
                       : "NULL::text");
  // What the server has cleaned away is older than any window.
  list.push_back(
      known ? fmt::format("CASE WHEN current_setting('track_commit_timestamp') = 'on' THEN coalesce((extract(epoch "
                          "FROM clock_timestamp() - pg_xact_commit_timestamp({})) * 1000)::bigint, {})::text END",
                          reading_.writer, longest_age_ms)
            : "NULL::text");
  return fmt::format("{}", fmt::join(list, ", "));
}

FoundRows RowLookup::rows(const std::set<RowElement>& wanted, const std::map<KeyWords, KeyValues>* known) {
  FoundRows found;
  wanted_keys_.clear();
  if (columns_.key.empty()) {
    // Whole rows are looked through, as they are without a key to ask for.
    std::set<std::array<std::uint64_t, 2>> hashes;
    for (const RowElement& element : wanted) hashes.insert(element.hash);
    RowCodec codec(columns_, hasher_);
    reader_.leader().copy(fmt::format("SELECT {} FROM ({}) s", select_list(), reading_.rows),
                          2 * reading_.columns.size() + 3,
                          [&](const BinaryRow& row) {
                            if (hashes.contains(codec.element(row).hash)) take(row, found);
                          },
                          {stop_, nullptr, std::nullopt});
    return found;
  }
  for (const RowElement& element : wanted) wanted_keys_.insert(element.key);
  const std::string list = select_list();
  for_keys(
      keys_in(wanted, known), By::filter, [&](const std::string& from, const std::vector<std::string>& parameters) {
        reader_.leader().binary("SELECT " + list + from, parameters, [&](const BinaryRow& row) { take(row, found); });
      });
  return found;
}

std::multimap<KeyWords, RowElement> RowLookup::elements(const std::set<RowElement>& wanted,
                                                        const std::map<KeyWords, KeyValues>* known) {
  wanted_keys_.clear();
  for (const RowElement& element : wanted) wanted_keys_.insert(element.key);
  std::vector<std::string> names;
  for (const auto& column : reading_.columns) names.push_back("s." + quoted_identifier(column.name));
  const std::string list = fmt::format("{}", fmt::join(names, ", "));
  std::multimap<KeyWords, RowElement> found;
  RowCodec codec(columns_, hasher_);
  for_keys(keys_in(wanted, known), By::join, [&](const std::string& from, const std::vector<std::string>& parameters) {
    reader_.leader().binary("SELECT " + list + from, parameters, [&](const BinaryRow& row) {
      const RowElement element = codec.element(row);
      if (wanted_keys_.contains(element.key)) found.emplace(element.key, element);
    });
  });
  return found;
}

void RowLookup::for_keys(const std::vector<KeyValues>& keys, By by, const Ask& ask) const {
  std::vector<std::string> names, types;
  for (const std::size_t c : columns_.key) {
    names.push_back("s." + quoted_identifier(reading_.columns[c].name));
    types.push_back(reading_.columns[c].type.spelled);
  }
  std::vector<std::string> arrays(names.size());
  std::size_t held = 0;
  const auto flush = [&] {
    if (std::exchange(held, 0) == 0) return;
    std::vector<std::string> unnested, aliases, equal;
    for (std::size_t k = 0; k < names.size(); ++k) {
      unnested.push_back(fmt::format("${}::{}[]", k + 1, types[k]));
      aliases.push_back(fmt::format("k{}", k));
      equal.push_back(fmt::format("{} = w.k{}", names[k], k));
      arrays[k] += '}';
    }
    const std::string wanted = fmt::format("unnest({}) w({})", fmt::join(unnested, ", "), fmt::join(aliases, ", "));
    const std::string condition = fmt::format("{}", fmt::join(equal, " AND "));
    ask(by == By::join
            ? fmt::format(" FROM {} JOIN ({}) s ON {}", wanted, reading_.rows, condition)
            : fmt::format(" FROM ({}) s WHERE EXISTS (SELECT FROM {} WHERE {})", reading_.rows, wanted, condition),
        arrays);
    arrays.assign(names.size(), "");
  };
  for (const KeyValues& key : keys) {
    if (std::find(key.begin(), key.end(), std::nullopt) != key.end()) {
      std::vector<std::string> parts, parameters;
      for (std::size_t k = 0; k < key.size(); ++k) {
        if (key[k]) parameters.push_back(*key[k]);
        parts.push_back(key[k] ? fmt::format("{} = ${}::{}", names[k], parameters.size(), types[k])
                               : names[k] + " IS NULL");
      }
      ask(fmt::format(" FROM ({}) s WHERE {}", reading_.rows, fmt::join(parts, " AND ")), parameters);
      continue;
    }
    for (std::size_t k = 0; k < key.size(); ++k) append_array_element(*key[k], arrays[k]);
    if (++held == keys_a_statement) flush();
  }
  flush();
}

std::vector<KeyValues> RowLookup::keys_in(const std::set<RowElement>& wanted,
                                          const std::map<KeyWords, KeyValues>* known) {
  std::vector<KeyValues> keys;
  std::set<KeyWords> hashed, seen;
  for (const RowElement& element : wanted) {
    if (!seen.insert(element.key).second) continue;
    auto values = columns_.keys_have_text() ? key_values(columns_, element) : std::nullopt;
    if (const auto text = known == nullptr ? decltype(known->end()){} : known->find(element.key);
        !values && known != nullptr && text != known->end() && !text->second.empty())
      values = text->second;
    values ? keys.push_back(*values) : static_cast<void>(hashed.insert(element.key));
  }
  if (!hashed.empty()) stream_keys(hashed, keys);
  return keys;
}

void RowLookup::stream_keys(const std::set<KeyWords>& wanted, std::vector<KeyValues>& keys) {
  std::vector<std::string> names, texts;
  for (const std::size_t c : columns_.key) {
    names.push_back("s." + quoted_identifier(reading_.columns[c].name));
    texts.push_back(names.back() + "::text");
  }
  RowCodec codec(columns_, hasher_);
  std::set<KeyValues> found;
  reader_.leader().copy(
      fmt::format("SELECT {}, {} FROM ({}) s", fmt::join(names, ", "), fmt::join(texts, ", "), reading_.query),
      2 * names.size(),
      [&](const BinaryRow& row) {
        if (!wanted.contains(codec.key_element(row).key)) return;
        KeyValues values;
        for (std::size_t k = 0; k < names.size(); ++k) {
          const BinaryField& field = row[names.size() + k];
          values.push_back(field.null() ? std::nullopt : std::optional(std::string(field.value())));
        }
        found.insert(std::move(values));
      },
      {stop_, nullptr, std::nullopt});
  keys.insert(keys.end(), found.begin(), found.end());
}

void RowLookup::take(const BinaryRow& row, FoundRows& found) {
  RowCodec codec(columns_, hasher_);
  const std::size_t columns = reading_.columns.size();
  FoundRow one;
  one.element = codec.element(row);
  // SQL's equality may be wider than ours: what it found besides is not wanted.
  if (!columns_.key.empty() && !wanted_keys_.contains(one.element.key)) return;
  for (std::size_t c = 0; c < columns; ++c) {
    std::string bytes;
    const bool value = codec.append(c, row[c], bytes);
    one.values.push_back(value ? std::optional(std::move(bytes)) : std::nullopt);
    one.shown.push_back(value ? std::optional(codec.shown(c, row[c], std::string(row[columns + c].value())))
                              : std::nullopt);
  }
  for (const std::size_t c : columns_.key) one.key.push_back(one.shown[c]);
  const auto text = [](const BinaryField& field) { return field.null() ? std::string() : std::string(field.value()); };
  one.writer = text(row[2 * columns]);
  one.written_at = text(row[2 * columns + 1]);
  if (const std::string age = text(row[2 * columns + 2]); !age.empty())
    one.age = std::chrono::milliseconds(std::stoll(age));
  found.emplace(one.element.key, std::move(one));
}

}  // namespace rehearse::harness
