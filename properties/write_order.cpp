#include "properties/write_order.h"

#include <map>
#include <string_view>
#include <utility>

namespace rehearse::properties {
namespace {

using Writes = std::vector<const LoggedWrite*>;
using ByRow = std::map<std::pair<std::string_view, std::string_view>, Writes>;

// Consecutive writes that left a row the same are one: a service may write it in two statements.
ByRow by_row(const WriteLog& log) {
  ByRow rows;
  for (const LoggedWrite& write : log.writes) {
    Writes& writes = rows[{write.entity, write.key}];
    if (writes.empty() || writes.back()->image != write.image) writes.push_back(&write);
  }
  return rows;
}

// Where each look stands; nothing for one that comes twice or is not known.
std::map<std::string_view, std::size_t> places_of(const Writes& writes) {
  std::map<std::string_view, std::size_t> places;
  std::map<std::string_view, int> times;
  for (std::size_t i = 0; i < writes.size(); ++i) {
    if (writes[i]->image.empty() || ++times[writes[i]->image] > 1) continue;
    places[writes[i]->image] = i;
  }
  for (const auto& [image, count] : times) {
    if (count > 1) places.erase(image);
  }
  return places;
}

}  // namespace

WriteOrder write_order(const WriteLog& legacy, const WriteLog& new_) {
  WriteOrder order;
  const ByRow in_legacy = by_row(legacy), in_new = by_row(new_);
  for (const auto& [row, writes] : in_legacy) {
    const auto found = in_new.find(row);
    if (found == in_new.end()) continue;
    ++order.rows;
    const auto legacy_places = places_of(writes), new_places = places_of(found->second);
    // In the order of legacy: where two neighbours are the other way round in the new database, they are an inversion; where none
    // are, nothing is.
    const LoggedWrite* before = nullptr;
    std::size_t before_place = 0;
    for (const LoggedWrite* write : writes) {
      const auto place = new_places.find(write->image);
      if (!legacy_places.contains(write->image) || place == new_places.end()) continue;
      if (before != nullptr && place->second < before_place) {
        order.inversions.push_back({before, write});
        break;
      }
      before = write;
      before_place = place->second;
    }
  }
  return order;
}

const LoggedWrite* last_write(const WriteLog& log, const std::string& entity, const std::string& key) {
  for (auto write = log.writes.rbegin(); write != log.writes.rend(); ++write) {
    if (write->entity == entity && write->key == key) return &*write;
  }
  return nullptr;
}

}  // namespace rehearse::properties
