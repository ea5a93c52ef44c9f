#include "properties/answers/tree_compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "properties/answers/alignment.h"
#include "properties/answers/limits.h"

namespace rehearse::properties {
namespace {

using Index = std::uint32_t;
using Kind = Difference::Kind;

bool is_text(TokenKind kind) { return kind == TokenKind::string || kind == TokenKind::name; }
bool is_truth(TokenKind kind) { return kind == TokenKind::true_ || kind == TokenKind::false_; }

class TreeComparer {
 public:
  TreeComparer(const Tree& expected, const Tree& observed, const TreeComparison& how, Differences& out)
      : left_(expected), right_(observed), how_(how), out_(out) {}

  void run() {
    steps_.push_back({Segment::Kind::root});
    compare(0, 0);
  }

 private:
  // A step of the way from the root, on either side; texts are made of it only where something differs.
  struct Step {
    Segment::Kind kind = Segment::Kind::root;
    Index left_object = 0, right_object = 0;  // tokens: of a name, what it stands in
    Index left_name = 0, right_name = 0;      // ... and itself; 0 where it does not stand
    std::int64_t left = 0, right = 0;         // of an element, its positions
  };

  // -- the way --------------------------------------------------------------------------------------------------------

  [[nodiscard]] Segment segment(const Step& step, bool left) const {
    if (step.kind == Segment::Kind::index) return {step.kind, "", left ? step.left : step.right};
    // A member that is called otherwise on the candidate's side is the oracle's, and one that stands there alone its own.
    left = left ? step.left_name != 0 : step.right_name == 0;
    const Tree& tree = left ? left_ : right_;
    const Index index = left ? step.left_name : step.right_name;
    return {step.kind, tree.decoded(tree.at(index)),
            occurrence(tree, left ? step.left_object : step.right_object, index)};
  }

  [[nodiscard]] Path place(bool left = true) const {
    Path path{{Segment::Kind::root, how_.root, 0}};
    for (std::size_t i = 1; i < steps_.size(); ++i) path.push_back(segment(steps_[i], left));
    return path;
  }

  [[nodiscard]] std::string way(bool left) const { return text_of(place(left)); }

  // The member that a value belongs to, also as an element of it.
  [[nodiscard]] std::string key() const {
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
      if (step->kind == Segment::Kind::name) return segment(*step, true).name;
    }
    if (how_.root == "csv" && steps_.size() == 3) return column(steps_.back().left);
    return how_.name;
  }

  // What the first line of a table calls a column.
  [[nodiscard]] std::string column(std::int64_t wanted) const {
    const Index line = 1;
    if (left_.at(0).next <= line || left_.at(line).kind != TokenKind::array) return {};
    std::int64_t number = 0;
    for (Index i = line + 1; i < left_.at(line).next; i = left_.at(i).next, ++number) {
      if (number == wanted) return left_.decoded(left_.at(i));
    }
    return {};
  }

  [[nodiscard]] std::optional<std::size_t> shape_here(bool unordered) const {
    if (how_.shapes == nullptr) return std::nullopt;
    const Path here = place();
    for (std::size_t i = 0; i < how_.shapes->size(); ++i) {
      const ShapeRule& shape = (*how_.shapes)[i];
      if (shape.unordered == unordered && names(shape.place, here)) return i;
    }
    return std::nullopt;
  }

  void used(std::size_t shape) const {
    if (how_.shapes_used != nullptr) ++(*how_.shapes_used)[shape];
  }

  void add(Kind kind, std::string expected, std::string observed) {
    if (out_.list.size() >= answer_limits::differences)
      return static_cast<void>(++out_.more);  // no path for what is only counted
    std::string left = way(true), right = way(false);
    if (left == right) right.clear();
    out_.add({kind, std::move(left), std::move(expected), std::move(observed), std::move(right)});
  }

  // -- values ---------------------------------------------------------------------------------------------------------

  [[nodiscard]] bool same_text(const Token& a, const Token& b) const {
    const auto left = left_.raw(a), right = right_.raw(b);
    return left == right || ((a.escaped || b.escaped) && left_.decoded(a) == right_.decoded(b));
  }

  // Texts that are the same say the same.
  [[nodiscard]] bool spelled_alike(const Token& a, const Token& b) const {
    return !left_.built() && !right_.built() && left_.raw(a) == right_.raw(b);
  }

  void compare(Index l, Index r) {
    const Token& a = left_.at(l);
    const Token& b = right_.at(r);
    if (a.kind == b.kind && (a.kind == TokenKind::object || a.kind == TokenKind::array)) {
      if (spelled_alike(a, b)) return;
      return a.kind == TokenKind::object ? compare_objects(l, r) : compare_arrays(l, r);
    }
    compare_leaves(l, r);
  }

  void compare_leaves(Index l, Index r) {
    const Token& a = left_.at(l);
    const Token& b = right_.at(r);
    if (a.kind != b.kind)
      return add(is_truth(a.kind) && is_truth(b.kind) ? Kind::value : Kind::type, left_.shown(l), right_.shown(r));
    const bool number = a.kind == TokenKind::number;
    if (is_text(a.kind) ? same_text(a, b) : left_.raw(a) == right_.raw(b)) {
      // Readers of forms take `a` for `a=` (URL Standard, section 5.1); some that look closer do not.
      const auto spelled = [](const Token& token) { return token.bare ? "without a sign of equality" : "with one"; };
      if (a.bare != b.bare) add(Kind::formatting, spelled(a), spelled(b));
      return;
    }
    if (number && same_number(left_.raw(a), right_.raw(b)))
      return add(Kind::formatting, left_.shown(l), right_.shown(r));
    if (how_.same && how_.same(key(), number, left_.decoded(a), right_.decoded(b))) return;
    add(Kind::value, left_.shown(l), right_.shown(r));
  }

  // -- objects --------------------------------------------------------------------------------------------------------

  void compare_objects(Index l, Index r) {
    const Index left_end = left_.at(l).next, right_end = right_.at(r).next;
    Index i = l + 1, j = r + 1;
    // Mostly both sides name the same members in the same order; then which one of several it is does not matter, and it is
    // not asked for until something differs.
    while (i < left_end && j < right_end && same_text(left_.at(i), right_.at(j))) {
      compare_member(l, r, i, j);
      i = left_.at(i + 1).next;
      j = right_.at(j + 1).next;
    }
    if (i < left_end || j < right_end) compare_rest(l, r, i, j);
  }

  // The number among the members of its name, from 1, of the member at `index`. An object's are counted once, when the first of its
  // members differs: it may have as many as its text has room for.
  std::int64_t occurrence(const Tree& tree, Index object, Index index) const {
    auto& counted = (&tree == &left_ ? left_occurrences_ : right_occurrences_)[object];
    if (counted.empty()) {
      std::unordered_map<std::string, std::int64_t> so_far;
      for (Index i = object + 1; i < tree.at(object).next; i = tree.at(i + 1).next)
        counted.emplace(i, ++so_far[tree.decoded(tree.at(i))]);
    }
    return counted.at(index);
  }

  void compare_member(Index l, Index r, Index i, Index j) {
    // Equal leaves are nearly all there is: no step for them.
    const Token& a = left_.at(i + 1);
    const Token& b = right_.at(j + 1);
    if (a.kind == b.kind && spelled_alike(a, b)) return;
    steps_.push_back({Segment::Kind::name, l, r, i, j});
    compare(i + 1, j + 1);
    steps_.pop_back();
  }

  struct Members {
    std::vector<Index> left, right;  // in their order
  };

  // Members from `i` and `j` on, which do not stand in the same order. By their names; those of one name in their order.
  void compare_rest(Index l, Index r, Index i, Index j) {
    std::map<std::string, Members> by_name;
    for (; i < left_.at(l).next; i = left_.at(i + 1).next) {
      std::string name = left_.decoded(left_.at(i));
      by_name[std::move(name)].left.push_back(i);
    }
    for (; j < right_.at(r).next; j = right_.at(j + 1).next) by_name[right_.decoded(right_.at(j))].right.push_back(j);
    rename(l, by_name);
    for (const auto& [name, members] : by_name) {
      const std::size_t both = std::min(members.left.size(), members.right.size());
      for (std::size_t k = 0; k < both; ++k) compare_member(l, r, members.left[k], members.right[k]);
      for (std::size_t k = both; k < members.left.size(); ++k) only(l, r, members.left[k], true, both);
      for (std::size_t k = both; k < members.right.size(); ++k) only(l, r, members.right[k], false, both);
    }
  }

  // Members that a rule gives another name, where the candidate has that one and not the oracle's.
  void rename(Index l, std::map<std::string, Members>& by_name) {
    if (how_.shapes == nullptr) return;
    for (auto& [name, members] : by_name) {
      if (members.left.empty() || !members.right.empty()) continue;
      steps_.push_back({Segment::Kind::name, l, 0, members.left.front(), 0});
      const auto shape = shape_here(false);
      steps_.pop_back();
      if (!shape) continue;
      const auto other = by_name.find((*how_.shapes)[*shape].renamed);
      if (other == by_name.end() || !other->second.left.empty()) continue;
      members.right.swap(other->second.right);
      used(*shape);
    }
  }

  // A member that stands on one side; `others` of its name stand on both.
  void only(Index l, Index r, Index index, bool left, std::size_t others) {
    const Tree& tree = left ? left_ : right_;
    const Index value = index + 1;
    const auto number = occurrence(tree, left ? l : r, index);
    steps_.push_back({Segment::Kind::name, l, r, left ? index : 0, left ? 0 : index});
    const Kind kind = others > 0 || number > 1                 ? Kind::duplicate_key
                      : tree.at(value).kind == TokenKind::null ? Kind::null_absent
                      : left                                   ? Kind::missing
                                                               : Kind::extra;
    left ? add(kind, tree.shown(value), "") : add(kind, "", tree.shown(value));
    steps_.pop_back();
  }

  // -- arrays ---------------------------------------------------------------------------------------------------------

  static std::vector<Index> elements_of(const Tree& tree, Index array) {
    std::vector<Index> elements;
    for (Index i = array + 1; i < tree.at(array).next; i = tree.at(i).next) elements.push_back(i);
    return elements;
  }

  void compare_arrays(Index l, Index r) {
    const auto left = elements_of(left_, l), right = elements_of(right_, r);
    if (const auto shape = shape_here(true)) {
      used(*shape);
      return compare_unordered((*how_.shapes)[*shape].key, left, right);
    }
    const std::size_t both = std::min(left.size(), right.size());
    std::size_t front = 0, back = 0;
    while (front < both && alike(left[front], right[front])) ++front;
    while (back < both - front && alike(left[left.size() - 1 - back], right[right.size() - 1 - back])) ++back;
    if (front == left.size() && front == right.size()) return;
    const auto middle = [&](const std::vector<Index>& all) {
      return std::vector<Index>(all.begin() + static_cast<std::ptrdiff_t>(front),
                                all.end() - static_cast<std::ptrdiff_t>(back));
    };
    compare_middle(middle(left), middle(right), static_cast<std::int64_t>(front));
  }

  // Equal as they are written: nearly always enough to find what did not change.
  [[nodiscard]] bool alike(Index l, Index r) const {
    const Token& a = left_.at(l);
    const Token& b = right_.at(r);
    if (a.kind != b.kind) return false;
    const bool container = a.kind == TokenKind::object || a.kind == TokenKind::array;
    if (container && (left_.built() || right_.built())) return digest_of(left_, l) == digest_of(right_, r);
    if (left_.raw(a) == right_.raw(b)) return true;
    return !container && is_text(a.kind) && same_text(a, b);
  }

  void compare_middle(const std::vector<Index>& left, const std::vector<Index>& right, std::int64_t from) {
    if (left.size() == 1 && right.size() == 1) return compare_elements(left[0], right[0], from, from);
    if (left.size() == right.size() && how_.same && equal_in_order(left, right, from)) return;
    std::vector<std::uint64_t> a, b;
    if (!left.empty() && !right.empty()) {
      for (const Index i : left) a.push_back(digest_of(left_, i));
      for (const Index i : right) b.push_back(digest_of(right_, i));
      if (left.size() == right.size() && a != b && permuted(a, b))
        return add(Kind::reordered, shown_order(left_, left), shown_order(right_, right));
    }
    for (const Match& match : aligned(left.size(), right.size(), a, b)) {
      const auto i = static_cast<std::int64_t>(match.left), j = static_cast<std::int64_t>(match.right);
      if (match.left != Match::none && match.right != Match::none) {
        compare_elements(left[match.left], right[match.right], from + i, from + j);
      } else if (match.left != Match::none) {
        lone_element(left[match.left], from + i, true);
      } else {
        lone_element(right[match.right], from + j, false);
      }
    }
  }

  // Identifiers of two numberings may overlap: 7, 8 and 8, 9 hold an 8 that is alike and is not the same thing. Where each element
  // stands for the one in its place, nothing is to be aligned.
  bool equal_in_order(const std::vector<Index>& left, const std::vector<Index>& right, std::int64_t from) {
    const auto listed = out_.list.size();
    const auto more = out_.more;
    for (std::size_t i = 0; i < left.size(); ++i) {
      const auto at = from + static_cast<std::int64_t>(i);
      compare_elements(left[i], right[i], at, at);
      if (out_.list.size() == listed && out_.more == more) continue;
      out_.list.resize(listed);
      out_.more = more;
      return false;
    }
    return true;
  }

  // A rule says that the order means nothing. Elements stand for each other by a member, or by their whole value.
  void compare_unordered(const std::string& by, const std::vector<Index>& left, const std::vector<Index>& right) {
    const auto key_of = [&](const Tree& tree, Index element) {
      if (by.empty()) return digest_of(tree, element);
      for (Index i = element + 1; tree.at(element).kind == TokenKind::object && i < tree.at(element).next;
           i = tree.at(i + 1).next) {
        if (tree.decoded(tree.at(i)) == by) return digest_of(tree, i + 1);
      }
      return digest_of(tree, element);
    };
    std::multimap<std::uint64_t, std::size_t> waiting;
    for (std::size_t j = 0; j < right.size(); ++j) waiting.emplace(key_of(right_, right[j]), j);
    std::vector<std::size_t> alone;
    for (std::size_t i = 0; i < left.size(); ++i) {
      const auto found = waiting.lower_bound(key_of(left_, left[i]));
      if (found == waiting.end() || found->first != key_of(left_, left[i])) {
        alone.push_back(i);
        continue;
      }
      compare_elements(left[i], right[found->second], static_cast<std::int64_t>(i),
                       static_cast<std::int64_t>(found->second));
      waiting.erase(found);
    }
    // What found no partner by its key may be the same thing under another identifier: in their order.
    std::vector<std::size_t> others;
    for (const auto& [digest, j] : waiting) others.push_back(j);
    std::sort(others.begin(), others.end());
    for (std::size_t k = 0; k < std::max(alone.size(), others.size()); ++k) {
      if (k < alone.size() && k < others.size()) {
        compare_elements(left[alone[k]], right[others[k]], static_cast<std::int64_t>(alone[k]),
                         static_cast<std::int64_t>(others[k]));
      } else if (k < alone.size()) {
        lone_element(left[alone[k]], static_cast<std::int64_t>(alone[k]), true);
      } else {
        lone_element(right[others[k]], static_cast<std::int64_t>(others[k]), false);
      }
    }
  }

  void compare_elements(Index l, Index r, std::int64_t i, std::int64_t j) {
    steps_.push_back({Segment::Kind::index, 0, 0, 0, 0, i, j});
    compare(l, r);
    steps_.pop_back();
  }

  void lone_element(Index index, std::int64_t position, bool left) {
    steps_.push_back({Segment::Kind::index, 0, 0, 0, 0, position, position});
    left ? add(Kind::missing, left_.shown(index), "") : add(Kind::extra, "", right_.shown(index));
    steps_.pop_back();
  }

  static std::string shown_order(const Tree& tree, const std::vector<Index>& elements) {
    std::string text = "[";
    for (const Index element : elements) {
      if (text.size() > answer_limits::shown_bytes) return text + ", ...]";
      text += (text.size() > 1 ? ", " : "") + tree.shown(element);
    }
    return text + "]";
  }

  const Tree& left_;
  const Tree& right_;
  const TreeComparison& how_;
  Differences& out_;
  std::vector<Step> steps_;
  // By object, then by member.
  mutable std::unordered_map<Index, std::unordered_map<Index, std::int64_t>> left_occurrences_, right_occurrences_;
};

}  // namespace

void Differences::add(Difference difference) {
  if (list.size() < answer_limits::differences) {
    list.push_back(std::move(difference));
  } else {
    ++more;
  }
}

void compare_trees(const Tree& expected, const Tree& observed, const TreeComparison& how, Differences& out) {
  TreeComparer(expected, observed, how, out).run();
}

}  // namespace rehearse::properties
