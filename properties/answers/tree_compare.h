// Two trees held against each other: what differs, where, and how.
//
// The order of members does not count, that of elements does. Elements of arrays are aligned first, so that one that was added shows
// as extra and not as a difference of every one behind it: what begins and ends alike stands for itself; between, the longest common
// sequence of equal elements; what remains is paired in order. Arrays of the same elements in another order are `reordered`.
// The k-th member of a name stands for the k-th of that name.
//
// With the sides changed, the differences are the same ones with their sides changed.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "properties/answers/difference.h"
#include "properties/answers/path.h"
#include "properties/answers/tree.h"

namespace rehearse::properties {

// What a rule says about the shape of documents.
struct ShapeRule {
  Path place;  // the array, or the member of the oracle that has another name in the candidate's
  bool unordered = false;
  std::string
      key;  // of an unordered array: the member by which elements stand for each other; empty: their whole value
  std::string renamed;  // the candidate's name for the member
};

struct TreeComparison {
  std::string root = "$";  // the path that both trees stand at
  std::string name;        // of the member that they belong to; of a whole body none
  // True when two texts stand for one value that the servers made differently. `key` is the name that they stand under.
  std::function<bool(std::string_view key, bool number, const std::string& expected, const std::string& observed)> same;
  const std::vector<ShapeRule>* shapes = nullptr;
  std::vector<std::size_t>* shapes_used = nullptr;  // how often each shape found its place; as many as there are shapes
};

// Differences that an answer may still have, and those that no longer fit.
struct Differences {
  std::vector<Difference> list;  // at most answer_limits::differences
  std::size_t more = 0;
  void add(Difference difference);
};

void compare_trees(const Tree& expected, const Tree& observed, const TreeComparison& how, Differences& out);

}  // namespace rehearse::properties
