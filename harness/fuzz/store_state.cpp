#include "harness/fuzz/store_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "replay/error.h"

namespace rehearse::harness {
namespace {

using properties::Comparison;
using properties::RowDifference;

std::string select_of(const Reading& reading) {
  std::vector<std::string> list;
  for (const auto& column : reading.columns) list.push_back("s." + quoted_identifier(column.name));
  for (const auto& column : reading.columns) list.push_back("s." + quoted_identifier(column.name) + "::text");
  return fmt::format("SELECT {} FROM ({}) s", fmt::join(list, ", "), reading.query);
}

// "/orders/17" and "/orders/18", when 17 there is 18 here.
bool same_path(const properties::Correspondence& pairs, std::string_view a, std::string_view b) {
  if (!a.starts_with('/') || !b.starts_with('/')) return false;
  while (!a.empty() && !b.empty()) {
    const auto of_a = a.substr(0, a.find('/')), of_b = b.substr(0, b.find('/'));
    if (of_a != of_b && !pairs.same(std::string(of_a), std::string(of_b))) return false;
    a.remove_prefix(std::min(of_a.size() + 1, a.size()));
    b.remove_prefix(std::min(of_b.size() + 1, b.size()));
  }
  return a.empty() && b.empty();
}

std::string in_print(const std::optional<std::string>& value) { return value.value_or("NULL"); }

}  // namespace

StoreStates::StoreStates(const std::vector<Entity>& entities, const Side& legacy, const Side& new_,
                         const std::optional<Side>& oracle)
    : legacy_(legacy.dsn, legacy.label), new__(new_.dsn, new_.label), labels_{legacy.label, new_.label, ""} {
  if (oracle) {
    oracle_.emplace(oracle->dsn, oracle->label);
    labels_[2] = oracle->label;
  }
  legacy_.begin();
  new__.begin();
  static const std::map<std::string, std::string> nothing_ignored;
  for (const Entity& entity : entities) {
    EntityReading reading;
    reading.entity = entity;
    for (const auto& [side, session, at] : {std::tuple(&legacy, &legacy_, 0), std::tuple(&new_, &new__, 1)}) {
      const auto& ignored = side->ignored_columns != nullptr ? *side->ignored_columns : nothing_ignored;
      reading.readings[static_cast<std::size_t>(at)] =
          reading_of(entity, side->legacy_schema, ignored, side->label, *session);
    }
    reading.columns = paired_columns(entity, {&reading.readings[0], &reading.readings[1]}, {&legacy, &new_});
    entities_.push_back(std::move(reading));
  }
  // The codecs point into the columns, which stay where they are from now on.
  for (EntityReading& reading : entities_)
    for (std::size_t side = 0; side < 2; ++side)
      reading.codecs[side] = std::make_unique<RowCodec>(reading.columns.sides[side], hasher_);
  legacy_.end();
  new__.end();
}

StoreState StoreStates::legacy() { return read(legacy_, 0, labels_[0]); }
StoreState StoreStates::new_() { return read(new__, 1, labels_[1]); }
StoreState StoreStates::oracle() { return read(*oracle_, 0, labels_[2]); }

std::vector<int> StoreStates::processes() const {
  std::vector<int> ids{legacy_.process_id(), new__.process_id()};
  if (oracle_) ids.push_back(oracle_->process_id());
  return ids;
}

StoreState StoreStates::read(BulkSession& session, std::size_t form, const std::string& label) {
  StoreState state;
  state.label = label;
  session.begin();
  std::int64_t rows = 0;
  for (EntityReading& entity : entities_) {
    auto& kept = state.entities[entity.entity.name];
    const std::size_t count = entity.readings[form].columns.size();
    const RowCodec& codec = *entity.codecs[form];
    session.copy(select_of(entity.readings[form]), 2 * count,
                 [&](const BinaryRow& row) {
                   if (++rows > most_rows)
                     throw Error(fmt::format(
                         "the {} holds more than {} rows, and generated plans compare all of them each time: give a "
                         "small database, a few dozen rows in each table",
                         label, most_rows));
                   std::vector<StoreState::Cell> cells(count);
                   for (std::size_t c = 0; c < count; ++c) {
                     if (row[c].null()) continue;
                     cells[c].canonical.emplace();
                     codec.append(c, row[c], *cells[c].canonical);
                     cells[c].shown = std::string(row[count + c].value());
                   }
                   std::vector<std::optional<std::string>> key;
                   for (const std::size_t c : entity.readings[form].key) key.push_back(cells[c].shown);
                   kept.emplace(key_text(key), std::move(cells));
                 },
                 {});
  }
  session.end();
  return state;
}

Comparison StoreStates::compare(const StoreState& left, const StoreState& right,
                                const properties::Correspondence* pairs, const VolatileColumns& volatile_) const {
  Comparison result;
  result.left = left.label;
  result.right = right.label;
  const auto add = [&](RowDifference difference) {
    ++result.differences;
    if (result.rows.size() < properties::max_row_differences) result.rows.push_back(std::move(difference));
  };
  for (const EntityReading& reading : entities_) {
    const std::string& name = reading.entity.name;
    const auto& of_left = left.entities.at(name);
    const auto& of_right = right.entities.at(name);
    result.rows_left += static_cast<std::int64_t>(of_left.size());
    result.rows_right += static_cast<std::int64_t>(of_right.size());
    const auto& identifies = reading.columns.sides[0].identifies;
    const auto same_identifier = [&](std::size_t column, const StoreState::Cell& a, const StoreState::Cell& b) {
      if (pairs == nullptr || !a.shown || !b.shown) return false;
      const bool identifier = column < identifies.size() && !identifies[column].empty();
      return identifier ? pairs->same(*a.shown, *b.shown) : same_path(*pairs, *a.shown, *b.shown);
    };
    // A right row is looked for under the key that the left side has for it.
    std::multimap<std::string, const std::vector<StoreState::Cell>*> rights;
    for (const auto& [key, cells] : of_right) {
      std::string own = key;
      // What both sides hold alike stands for itself: another entity's numbers that shifted are no reason to look for it elsewhere.
      const auto as_it_is = of_left.find(key);
      const bool alike = as_it_is != of_left.end() &&
                         std::equal(cells.begin(), cells.end(), as_it_is->second.begin(), as_it_is->second.end(),
                                    [](const auto& a, const auto& b) { return a.canonical == b.canonical; });
      if (pairs != nullptr && !alike) {
        std::vector<std::optional<std::string>> translated;
        for (const std::size_t c : reading.readings[0].key) {
          auto shown = cells[c].shown;
          if (shown && c < identifies.size() && !identifies[c].empty())
            if (const auto* stands_for = pairs->identifier_for(identifies[c], *shown)) shown = *stands_for;
          translated.push_back(shown);
        }
        own = key_text(translated);
      }
      rights.emplace(std::move(own), &cells);
    }
    for (const auto& [key, cells] : of_left) {
      const auto found = rights.find(key);
      if (found == rights.end()) {
        add({RowDifference::Kind::only_left, name, key, {}, {}, {}});
        continue;
      }
      const auto& others = *found->second;
      for (std::size_t c = 0; c < cells.size(); ++c) {
        if (cells[c].canonical == others[c].canonical || same_identifier(c, cells[c], others[c])) continue;
        const std::string& column = reading.columns.names[c];
        if (volatile_.contains(name + "." + column) && cells[c].shown.has_value() == others[c].shown.has_value()) {
          ++result.masked;
          continue;
        }
        add({RowDifference::Kind::changed, name, key, column, in_print(cells[c].shown), in_print(others[c].shown)});
      }
      rights.erase(found);
    }
    for (const auto& [key, cells] : rights) add({RowDifference::Kind::only_right, name, key, {}, {}, {}});
  }
  return result;
}

}  // namespace rehearse::harness
