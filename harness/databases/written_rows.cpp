#include "harness/databases/written_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "harness/databases/reading.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

using Origins = std::vector<Session::Origin>;

const LoggedColumn* column_named(const std::vector<LoggedColumn>& columns, const std::string& name) {
  const auto found =
      std::find_if(columns.begin(), columns.end(), [&](const LoggedColumn& column) { return column.name == name; });
  return found == columns.end() ? nullptr : &*found;
}

// Nothing when the log does not hold the whole key: of a deleted row it may know another one.
std::optional<std::string> key_in(const std::vector<LoggedColumn>& columns, const std::vector<std::string>& names) {
  std::string key;
  for (const std::string& name : names) {
    const LoggedColumn* column = column_named(columns, name);
    if (column == nullptr || !column->value) return std::nullopt;
    key += (key.empty() ? "" : ",") + *column->value;
  }
  return key;
}

// Empty when a part of it is not logged.
std::string image_in(const std::vector<LoggedColumn>& columns, const RowSource& source) {
  std::string image;
  for (const auto& [name, own] : source.image) {
    const LoggedColumn* column = column_named(columns, own);
    if (column == nullptr || column->unchanged) return {};
    image += (image.empty() ? "" : ", ") + name + "=" + column->value.value_or("NULL");
  }
  return image;
}

std::vector<std::string> names_in(Session& session, const std::string& select) {
  return session.run("SELECT * FROM (" + select + ") AS asked LIMIT 0").columns;
}

// The source that one side's SELECT gives; nothing when its key has no table.
std::optional<std::pair<std::string, RowSource>> source_of(const Entity& entity, const std::vector<std::string>& names,
                                                           const Origins& own, const Origins& other) {
  RowSource source{entity.name, {}, {}};
  std::string table;
  for (const std::string& key : entity.key) {
    const auto at = static_cast<std::size_t>(std::find(names.begin(), names.end(), key) - names.begin());
    if (at >= own.size() || own[at].table.empty() || (!table.empty() && own[at].table != table)) return std::nullopt;
    table = own[at].table;
    source.key.push_back(own[at].column);
  }
  if (table.empty()) return std::nullopt;
  for (std::size_t i = 0; i < std::min(own.size(), other.size()); ++i) {
    const bool is_key = std::find(entity.key.begin(), entity.key.end(), names[i]) != entity.key.end();
    if (!is_key && own[i].table == table && !other[i].table.empty()) source.image.emplace_back(names[i], own[i].column);
  }
  return std::pair(table, std::move(source));
}

}  // namespace

// A table's columns under the names that the mapping gives them, in the order of these; a SELECT as it is.
std::string select_of(const Entity& entity, bool legacy_schema, Session& session) {
  const std::string& source = legacy_schema ? entity.legacy : entity.new_;
  if (!is_table_name(source)) return source;
  std::map<std::string, std::string> by_word;
  for (const Row& row :
       session
           .run(fmt::format("SELECT attname FROM pg_attribute WHERE attrelid = {}::regclass AND attnum > 0 AND "
                            "NOT attisdropped AND attgenerated = ''",
                            session.quoted(source)))
           .rows) {
    const std::string name = row[0].value_or("");
    const auto renamed = std::find_if(entity.columns.begin(), entity.columns.end(), [&](const auto& column) {
      return (legacy_schema ? column.first : column.second) == name;
    });
    by_word[renamed == entity.columns.end() ? name : renamed->first] = name;
  }
  std::vector<std::string> list;
  for (const auto& [word, name] : by_word)
    list.push_back(session.quoted_name(name) + " AS " + session.quoted_name(word));
  return fmt::format("SELECT {} FROM {}", fmt::join(list, ", "), source);
}

std::pair<RowSources, RowSources> row_sources(const std::vector<Entity>& entities, Session& legacy, Session& new_) {
  std::pair<RowSources, RowSources> sources;
  for (const Entity& entity : entities) {
    const std::string from_legacy = select_of(entity, true, legacy), from_new = select_of(entity, false, new_);
    const Origins in_legacy = legacy.origins(from_legacy), in_new = new_.origins(from_new);
    auto of_legacy = source_of(entity, names_in(legacy, from_legacy), in_legacy, in_new);
    auto of_new = source_of(entity, names_in(new_, from_new), in_new, in_legacy);
    if (!of_legacy || !of_new) continue;
    // An image must be made of the same columns on both sides, each of the key's own table.
    const auto common = [](RowSource& one, const RowSource& other) {
      std::erase_if(one.image, [&](const auto& column) {
        return std::none_of(other.image.begin(), other.image.end(),
                            [&](const auto& theirs) { return theirs.first == column.first; });
      });
    };
    common(of_legacy->second, of_new->second);
    common(of_new->second, of_legacy->second);
    sources.first.insert(std::move(*of_legacy));
    sources.second.insert(std::move(*of_new));
  }
  return sources;
}

void add_writes(const LoggedChange& change, const RowSources& sources, properties::WriteLog& log) {
  const auto [begin, end] = sources.equal_range(std::string(change.table));
  if (begin == end || change.kind == LoggedChange::Kind::truncate) return;
  const auto row = row_in(change.line);
  if (!row) throw Error("the commit log holds a row that is not understood");
  for (auto source = begin; source != end; ++source) {
    const auto key = key_in(row->columns, source->second.key);
    if (!key || log.writes.size() >= max_kept_writes) {
      ++log.not_kept;
      continue;
    }
    const bool removed = change.kind == LoggedChange::Kind::remove;
    log.writes.push_back({source->second.entity, *key, removed ? "deleted" : image_in(row->columns, source->second),
                          change.transaction, 0, ""});
  }
}

void set_committed(const LoggedCommit& commit, properties::WriteLog& log) {
  for (auto write = log.writes.rbegin(); write != log.writes.rend() && write->transaction == commit.transaction;
       ++write) {
    write->committed_ns = commit.at_ns;
    write->lsn = commit.lsn;
  }
}

}  // namespace rehearse::harness
