#include "harness/databases/difference_table.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

#include "replay/error.h"

namespace rehearse::harness {
namespace {

// The field: integers modulo a Mersenne prime, so that a remainder is a shift and an addition.
constexpr std::uint64_t prime = (std::uint64_t{1} << 61) - 1;

constexpr std::uint64_t reduced(std::uint64_t number) {
  number = (number & prime) + (number >> 61);
  return number >= prime ? number - prime : number;
}

constexpr std::uint64_t sum(std::uint64_t a, std::uint64_t b) { return reduced(a + b); }

constexpr std::uint64_t product(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide wide = static_cast<Wide>(a) * b;
  return sum(static_cast<std::uint64_t>(wide) & prime, reduced(static_cast<std::uint64_t>(wide >> 61)));
}

constexpr std::uint64_t in_field(std::int64_t number) {
  const std::uint64_t size =
      reduced(number < 0 ? ~static_cast<std::uint64_t>(number) + 1 : static_cast<std::uint64_t>(number));
  return number < 0 && size != 0 ? prime - size : size;
}

// By Fermat: a^(prime - 2).
constexpr std::uint64_t inverse(std::uint64_t a) {
  std::uint64_t result = 1;
  for (std::uint64_t exponent = prime - 2; exponent > 0; exponent >>= 1) {
    if ((exponent & 1) != 0) result = product(result, a);
    a = product(a, a);
  }
  return result;
}
static_assert(product(inverse(12'345), 12'345) == 1);

template <class Change>
void for_each_word(RowElement& element, Change change) {
  for (auto& word : element.key) word = change(word);
  for (auto& word : element.hash) word = change(word);
}

bool is_zero(const RowElement& element) { return element == RowElement{}; }

// Room beyond the elements: three cells an element are enough at 1.23 cells each for large tables; small ones need more.
constexpr double cells_per_element = 1.35;
// Two elements that share all three cells hide each other: in a table of that size one pair in a thousand million does.
constexpr std::size_t least_third = 1'024;
// The positions within a third are taken from 21 bits each.
constexpr std::size_t greatest_third = std::size_t{1} << 21;

}  // namespace

DifferenceTable::DifferenceTable(std::size_t elements, std::uint64_t seed)
    : seed_(seed),
      third_(std::clamp(static_cast<std::size_t>(static_cast<double>(elements) * cells_per_element / 3) + 1,
                        least_third, greatest_third)),
      cells_(3 * third_) {}

DifferenceTable::Places DifferenceTable::places_of(const RowElement& element) const {
  const XXH128_hash_t mixed = XXH3_128bits_withSeed(&element, sizeof element, seed_);
  Places places;
  places.check = reduced(mixed.low64);
  for (std::size_t i = 0; i < 3; ++i) {
    const std::uint64_t bits = mixed.high64 >> (21 * i) & (greatest_third - 1);
    places.cells[i] = i * third_ + static_cast<std::size_t>(bits * third_ >> 21);
  }
  return places;
}

void DifferenceTable::add_to(Cell& cell, const RowElement& element, std::uint64_t check, std::int64_t times) {
  cell.count += times;
  if (times == 1) {
    for (std::size_t i = 0; i < element.key.size(); ++i) cell.sum.key[i] = sum(cell.sum.key[i], element.key[i]);
    for (std::size_t i = 0; i < element.hash.size(); ++i) cell.sum.hash[i] = sum(cell.sum.hash[i], element.hash[i]);
    cell.check = sum(cell.check, check);
    return;
  }
  const std::uint64_t factor = in_field(times);
  for (std::size_t i = 0; i < element.key.size(); ++i)
    cell.sum.key[i] = sum(cell.sum.key[i], product(factor, element.key[i]));
  for (std::size_t i = 0; i < element.hash.size(); ++i)
    cell.sum.hash[i] = sum(cell.sum.hash[i], product(factor, element.hash[i]));
  cell.check = sum(cell.check, product(factor, check));
}

void DifferenceTable::add(const RowElement& element, std::int64_t times) {
  const Places places = places_of(element);
  for (const std::size_t index : places.cells) add_to(cells_[index], element, places.check, times);
}

void DifferenceTable::add(const DifferenceTable& other) {
  ENSURE(seed_ == other.seed_ && third_ == other.third_);
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    cells_[i].count += other.cells_[i].count;
    for (std::size_t w = 0; w < RowElement::key_words; ++w)
      cells_[i].sum.key[w] = sum(cells_[i].sum.key[w], other.cells_[i].sum.key[w]);
    for (std::size_t w = 0; w < 2; ++w) cells_[i].sum.hash[w] = sum(cells_[i].sum.hash[w], other.cells_[i].sum.hash[w]);
    cells_[i].check = sum(cells_[i].check, other.cells_[i].check);
  }
}

bool DifferenceTable::empty() const {
  return std::all_of(cells_.begin(), cells_.end(),
                     [](const Cell& cell) { return cell.count == 0 && cell.check == 0 && is_zero(cell.sum); });
}

bool DifferenceTable::gives_away(std::size_t index, Found& found) const {
  const Cell& cell = cells_[index];
  const std::uint64_t count = in_field(cell.count);
  if (count == 0) return false;
  const std::uint64_t divisor = cell.count == 1 ? 1 : inverse(count);
  found.times = cell.count;
  found.element = cell.sum;
  for_each_word(found.element, [&](std::uint64_t word) { return product(word, divisor); });
  const Places places = places_of(found.element);
  return places.check == product(cell.check, divisor) &&
         std::find(places.cells.begin(), places.cells.end(), index) != places.cells.end();
}

DifferenceTable::Difference DifferenceTable::decode() const {
  DifferenceTable rest = *this;
  std::vector<std::size_t> queue;
  for (std::size_t i = 0; i < rest.cells_.size(); ++i) {
    if (rest.cells_[i].count != 0) queue.push_back(i);
  }
  Difference difference;
  // Each find empties a cell for good unless a check lied, which the bound then ends.
  const std::size_t bound = cells_.size();
  while (!queue.empty() && difference.found.size() <= bound) {
    const std::size_t index = queue.back();
    queue.pop_back();
    Found found;
    if (!rest.gives_away(index, found)) continue;
    const Places places = rest.places_of(found.element);
    for (const std::size_t cell : places.cells) {
      add_to(rest.cells_[cell], found.element, places.check, -found.times);
      queue.push_back(cell);
    }
    difference.found.push_back(found);
  }
  std::sort(difference.found.begin(), difference.found.end(),
            [](const Found& a, const Found& b) { return a.element < b.element; });
  const auto left_over = std::count_if(rest.cells_.begin(), rest.cells_.end(), [](const Cell& cell) {
    return cell.count != 0 || cell.check != 0 || !is_zero(cell.sum);
  });
  difference.complete = left_over == 0;
  // Each element that is left touches three cells at most.
  difference.at_least = static_cast<std::int64_t>(difference.found.size()) + (left_over + 2) / 3;
  return difference;
}

}  // namespace rehearse::harness
