#include "harness/databases/followed_comparison.h"

#include <fmt/format.h>

#include <utility>

#include "replay/error.h"

namespace rehearse::harness {

using properties::Comparison;

FollowedComparison::FollowedComparison(std::vector<Entity> entities, const Side& left, const Side& right)
    : entities_(std::move(entities)),
      left_(left),
      right_(right),
      left_changes_(left.dsn, "the " + left.label, left.legacy_schema, entities_),
      right_changes_(right.dsn, "the " + right.label, right.legacy_schema, entities_),
      pair_(left, right) {
  let_go();
}

// A snapshot or a lock that is held from one play to the next would keep a copy or a migration from its tables.
void FollowedComparison::let_go() {
  try {
    pair_.pair().left().let_go();
    pair_.pair().right().let_go();
  } catch (const Error&) {  // a connection is gone, and what it held with it
  }
}

EntityComparison FollowedComparison::look_at_all(const Entity& entity) {
  pair_.pair().left().renew();
  pair_.pair().right().renew();
  EntityComparison found = pair_.compare(entity, nullptr);
  Standing& standing = standing_[entity.name];
  standing = {found.problem.empty() && !found.at_least && !entity.key.empty(), {}, found.rows};
  for (const RowFinding& finding : found.findings) standing.differing.insert(finding.key_words);
  return found;
}

Comparison FollowedComparison::whole() {
  Comparison comparison;
  comparison.left = left_.label;
  comparison.right = right_.label;
  comparison.decided_by = "every row";
  if (entities_.empty()) comparison.problem = "the configuration maps no entities";
  try {
    // What changed until now is seen by the look itself.
    static_cast<void>(left_changes_.take());
    static_cast<void>(right_changes_.take());
    for (const Entity& entity : entities_) add(look_at_all(entity), comparison);
  } catch (const Error& problem) {
    comparison.problem = problem.what();
    standing_.clear();
  }
  let_go();
  return comparison;
}

Comparison FollowedComparison::changed() {
  Comparison comparison;
  comparison.left = left_.label;
  comparison.right = right_.label;
  const auto left = left_changes_.take(), right = right_changes_.take();
  std::size_t again = 0, whole = 0;
  std::string why;
  for (const Entity& entity : entities_) {
    static const EntityChange nothing;
    const auto change_in = [&](const ChangedKeys::Taken& taken) -> const EntityChange& {
      const auto found = taken.entities.find(entity.name);
      return found == taken.entities.end() ? nothing : found->second;
    };
    const EntityChange &in_left = change_in(left), &in_right = change_in(right);
    Standing& standing = standing_[entity.name];
    std::optional<EntityComparison> found;
    if (standing.known && !in_left.whole && !in_right.whole && in_left.keys.empty() && in_right.keys.empty() &&
        standing.differing.empty()) {
      EntityComparison same;
      same.entity = entity.name;
      same.rows = standing.rows;
      found = std::move(same);
    } else if (standing.known && !in_left.whole && !in_right.whole) {
      const DatabasePair::ChangedRows rows{{in_left.keys, in_right.keys}, standing.differing};
      found = pair_.pair().compare_changed(entity, rows);
      if (found && found->problem.empty()) {
        again += in_left.keys.size() + in_right.keys.size() + standing.differing.size();
        standing.differing.clear();
        for (const RowFinding& finding : found->findings) standing.differing.insert(finding.key_words);
        found->rows = standing.rows;  // as they were counted last
      }
    }
    if (!found || !found->problem.empty()) {
      ++whole;
      if (why.empty() && in_left.whole) why = entity.name + ": " + in_left.why;
      if (why.empty() && in_right.whole) why = entity.name + ": " + in_right.why;
      found = look_at_all(entity);
    }
    add(*found, comparison);
  }
  let_go();
  comparison.decided_by =
      fmt::format("{} keys that changed or differed before ({}; {})", again, left.proved_by, right.proved_by);
  if (whole > 0)
    comparison.decided_by +=
        fmt::format(", every row of {} of {} entities{}", whole, entities_.size(), why.empty() ? "" : " (" + why + ")");
  return comparison;
}

}  // namespace rehearse::harness
