// Reads the rows behind a difference, and nothing else.
//
// What a difference table gives are keys, or hashes of keys that are too long for it. Keys are asked for by value; for hashed or
// translated ones the key's columns of the side are streamed once more to learn their values, and for rows without a key all
// of its columns.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/databases/full_pass.h"

namespace rehearse::harness {

struct FoundRow {
  KeyValues key;                                   // in print
  std::vector<std::optional<std::string>> values;  // canonical bytes
  std::vector<std::optional<std::string>> shown;   // in print, identifiers in the other side's words
  RowElement element;
  std::string writer;      // the transaction that wrote it; empty when it is not known
  std::string written_at;  // when that committed; empty when it is not known
  std::optional<std::chrono::milliseconds>
      age;  // since then, by the server's clock; very long when it kept no record of it
};

using FoundRows = std::multimap<KeyWords, FoundRow>;

class RowLookup {
 public:
  RowLookup(const Reading& reading, const SideColumns& columns, const RowHasher& hasher, SideReader& reader,
            const std::atomic<bool>* stop)
      : reading_(reading), columns_(columns), hasher_(hasher), reader_(reader), stop_(stop) {}

  // The rows of these keys, or, of rows without a key, those with one of these hashes. `known` are values of keys that the elements
  // may hold as a hash alone; empty ones are not known.
  [[nodiscard]] FoundRows rows(const std::set<RowElement>& wanted,
                               const std::map<KeyWords, KeyValues>* known = nullptr);
  // What the rows of these keys hash to, and nothing else of them: a tenth of the server's time where most of them are equal. A key that
  // several rows have, or that a collation holds equal to another one, may be given several times.
  [[nodiscard]] std::multimap<KeyWords, RowElement> elements(const std::set<RowElement>& wanted,
                                                             const std::map<KeyWords, KeyValues>* known);

 private:
  // Asks for rows by the conditions that find them. A join gives them in the order of the keys, and a row twice that two keys find; a filter gives
  // each once.
  enum class By { join, filter };
  using Ask = std::function<void(const std::string& from, const std::vector<std::string>& parameters)>;
  void for_keys(const std::vector<KeyValues>& keys, By by, const Ask& ask) const;
  [[nodiscard]] std::vector<KeyValues> keys_in(const std::set<RowElement>& wanted,
                                               const std::map<KeyWords, KeyValues>* known);
  void stream_keys(const std::set<KeyWords>& wanted, std::vector<KeyValues>& keys);
  void take(const BinaryRow& row, FoundRows& found);
  [[nodiscard]] std::string select_list() const;

  const Reading& reading_;
  const SideColumns& columns_;
  const RowHasher& hasher_;
  SideReader& reader_;
  const std::atomic<bool>* stop_;
  std::set<KeyWords> wanted_keys_;
};

}  // namespace rehearse::harness
