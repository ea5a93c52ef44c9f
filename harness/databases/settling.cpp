#include "harness/databases/settling.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "replay/error.h"

namespace rehearse::harness {

std::optional<SettlingTime> SettlingTimes::within(double share) const {
  if (sorted.empty()) return std::nullopt;
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

void Settling::judge(Row& row, const SettlingLook& look, SettlingTime now) const {
  if (look.equal) {
    row.state = SettlingState::settled;
    row.settled = now - row.seen;
    return;
  }
  const SettlingTime still = look.age ? *look.age : now - row.changed;
  if (still > options_.window) {
    row.state = SettlingState::diverged;
  } else if (now - row.seen > options_.hot_after * options_.window) {
    row.state = SettlingState::hot;
  } else {
    row.due = now + row.wait;
    row.wait = std::min(2 * row.wait, options_.window);
  }
}

bool Settling::add(const std::string& key, const SettlingLook& look, SettlingTime now) {
  if (rows_.contains(key)) return true;
  if (rows_.size() >= options_.max_rows) return false;
  Row& row = rows_[key];
  row.seen = row.changed = now;
  row.wait = options_.first_wait;
  row.image = look.image;
  judge(row, look, now);
  return true;
}

void Settling::look(const std::string& key, const SettlingLook& look, SettlingTime now) {
  const auto found = rows_.find(key);
  ENSURE(found != rows_.end() && found->second.state == SettlingState::in_flight);
  Row& row = found->second;
  if (std::exchange(row.image, look.image) != look.image) row.changed = now;
  judge(row, look, now);
}

std::vector<std::string> Settling::due(SettlingTime now, std::size_t most) const {
  std::vector<std::pair<SettlingTime, std::string>> ready;
  for (const auto& [key, row] : rows_) {
    if (row.state == SettlingState::in_flight && row.due <= now) ready.emplace_back(row.due, key);
  }
  std::sort(ready.begin(), ready.end());
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < std::min(most, ready.size()); ++i) keys.push_back(ready[i].second);
  return keys;
}

std::optional<SettlingTime> Settling::next() const {
  std::optional<SettlingTime> first;
  for (const auto& [key, row] : rows_) {
    if (row.state == SettlingState::in_flight && (!first || row.due < *first)) first = row.due;
  }
  return first;
}

std::size_t Settling::count(SettlingState state) const { return keys(state).size(); }

std::vector<std::string> Settling::keys(SettlingState state) const {
  std::vector<std::string> keys;
  for (const auto& [key, row] : rows_) {
    if (row.state == state) keys.push_back(key);
  }
  return keys;
}

SettlingTimes Settling::times() const {
  SettlingTimes times;
  for (const auto& [key, row] : rows_) {
    if (row.state == SettlingState::settled) times.sorted.push_back(row.settled);
  }
  std::sort(times.sorted.begin(), times.sorted.end());
  return times;
}

}  // namespace rehearse::harness
