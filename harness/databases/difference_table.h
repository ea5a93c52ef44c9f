// The difference of two multisets of any size in memory that depends on the difference alone.
//
// An invertible lookup table (Goodrich and Mitzenmacher, 2011): each element is added to three cells of one table, with +1 for
// the left side and -1 for the right one, so that what both sides hold leaves no trace. A cell in which one element is left gives
// it away; taking that out of its other cells uncovers more. Cells hold sums in the field of the integers modulo 2^61-1 instead of
// the usual exclusive or: an element that stands c times can be divided out of its sum, where an exclusive or of twice the same
// would be nothing. Tables are added, so that any number of threads fill their own, in any order.
//
// What it leaves out: with more elements than it has room for (about 0.8 a cell) it gives a part of them, and says so.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace rehearse::harness {

// A row as the table knows it: bytes of its key, or a hash of them, and a hash of the whole row.
struct RowElement {
  static constexpr std::size_t key_words = 4, key_bytes = key_words * 7;
  std::array<std::uint64_t, key_words> key{};  // seven bytes each
  std::array<std::uint64_t, 2> hash{};         // 61 bits each

  bool operator==(const RowElement&) const = default;
  auto operator<=>(const RowElement&) const = default;
};

using KeyWords = std::array<std::uint64_t, RowElement::key_words>;

class DifferenceTable {
 public:
  // Has room for about `elements` of difference. `seed` makes the cells unpredictable to whoever wrote the rows.
  DifferenceTable(std::size_t elements, std::uint64_t seed);

  // Adds the element `times` times; negative takes it out.
  void add(const RowElement& element, std::int64_t times);
  // REQUIRES: both were made with the same arguments.
  void add(const DifferenceTable& other);

  struct Found {
    RowElement element;
    std::int64_t times = 0;  // on the left side more often than on the right one; never 0
  };
  struct Difference {
    std::vector<Found> found;   // ordered
    bool complete = false;      // all of it
    std::int64_t at_least = 0;  // different elements that there are for certain
  };
  [[nodiscard]] Difference decode() const;
  // Nothing is left: both sides held the same.
  [[nodiscard]] bool empty() const;

 private:
  // One line of the processor's cache.
  struct alignas(64) Cell {
    std::int64_t count = 0;
    RowElement sum;
    std::uint64_t check = 0;  // sum of a hash of the elements: tells a cell of one element from one of several
  };
  struct Places {
    std::array<std::size_t, 3> cells;
    std::uint64_t check;
  };
  [[nodiscard]] Places places_of(const RowElement& element) const;
  static void add_to(Cell& cell, const RowElement& element, std::uint64_t check, std::int64_t times);
  [[nodiscard]] bool gives_away(std::size_t index, Found& found) const;

  std::uint64_t seed_;
  std::size_t third_;  // cells of each of the three parts; an element has one in each
  std::vector<Cell> cells_;
};

}  // namespace rehearse::harness
