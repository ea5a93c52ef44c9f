// Turns rows of one side into what both sides have in common: canonical bytes, their hash, and their key in print.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/databases/binary_copy.h"
#include "harness/databases/canonical.h"
#include "harness/databases/row_hash.h"
#include "properties/correspondence.h"

namespace rehearse::harness {

// The columns of one side of an entity, compared with those of the other side in the same places.
struct SideColumns {
  std::vector<Canonical> forms;
  std::vector<std::size_t> key;
  // Of columns whose values are identifiers: what they identify. Those that stand for another value on the other side are replaced by it.
  std::vector<std::string> identifies;
  const properties::Correspondence* pairs = nullptr;

  // The keys of a difference table can be turned back into values of this side.
  [[nodiscard]] bool keys_have_text() const;
};

// One a thread: it keeps its buffers. The bytes that it gives hold until its next call.
class RowCodec {
 public:
  RowCodec(const SideColumns& columns, const RowHasher& hasher) : columns_(columns), hasher_(hasher) {}

  [[nodiscard]] RowElement element(const BinaryRow& row);
  // Of a row that has the key's columns only, in the order of the key.
  [[nodiscard]] RowElement key_element(const BinaryRow& key);
  // Appends the canonical bytes of one column; what was not NULL.
  bool append(std::size_t column, const BinaryField& field, std::string& out) const;
  // The text of a value in the words of the other side. REQUIRES: not null.
  [[nodiscard]] std::string shown(std::size_t column, const BinaryField& field, std::string text) const;

 private:
  const SideColumns& columns_;
  const RowHasher& hasher_;
  std::string key_, row_;
};

// The values of a key in a difference table, as SQL writes them; nothing where it is NULL.
using KeyValues = std::vector<std::optional<std::string>>;
// REQUIRES: columns.keys_have_text(). Nothing when the element holds a hash of the key.
[[nodiscard]] std::optional<KeyValues> key_values(const SideColumns& columns, const RowElement& element);

// The way back: the element of a key whose values stand as the database prints them; its hash is empty. Nothing when a column is of a type
// whose text is not its meaning.
[[nodiscard]] std::optional<RowElement> key_element_of(const SideColumns& columns, const RowHasher& hasher,
                                                       const KeyValues& values);

// The key as reports print it. A comma or backslash in a key of several columns is escaped: no two keys print alike.
[[nodiscard]] std::string key_text(const KeyValues& values);

}  // namespace rehearse::harness
