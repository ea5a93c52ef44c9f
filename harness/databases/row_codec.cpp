#include "harness/databases/row_codec.h"

#include <algorithm>

namespace rehearse::harness {
namespace {

std::size_t length_at(std::string_view bytes, std::size_t at) {
  std::size_t length = 0;
  for (std::size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<unsigned char>(bytes[at + i]);
  return length;
}

}  // namespace

bool SideColumns::keys_have_text() const {
  // What was translated on the way cannot be asked for.
  const bool translated = pairs != nullptr && !pairs->empty();
  return !translated && std::all_of(key.begin(), key.end(), [&](std::size_t c) { return forms[c].has_text(); });
}

bool RowCodec::append(std::size_t column, const BinaryField& field, std::string& out) const {
  if (field.null()) return false;
  const Canonical& form = columns_.forms[column];
  if (columns_.pairs != nullptr && !columns_.identifies[column].empty()) {
    const auto text = form.text_of(field.value());
    const std::string* other = text ? columns_.pairs->identifier_for(columns_.identifies[column], *text) : nullptr;
    if (other != nullptr && form.append_text(*other, out)) return true;
  }
  form.append(field.value(), out);
  return true;
}

RowElement RowCodec::element(const BinaryRow& row) {
  key_.clear();
  row_.clear();
  const auto append_to = [&](std::string& bytes, std::size_t column) {
    row[column].null() ? append_null(bytes)
                       : append_column(bytes, [&](std::string& out) { append(column, row[column], out); });
  };
  for (std::size_t c = 0; c < columns_.forms.size(); ++c) append_to(row_, c);
  for (const std::size_t c : columns_.key) append_to(key_, c);
  return hasher_.element(key_, row_);
}

RowElement RowCodec::key_element(const BinaryRow& key) {
  key_.clear();
  for (std::size_t k = 0; k < columns_.key.size(); ++k) {
    key[k].null() ? append_null(key_)
                  : append_column(key_, [&](std::string& out) { append(columns_.key[k], key[k], out); });
  }
  RowElement element = hasher_.element(key_, {});
  element.hash = {};
  return element;
}

std::string RowCodec::shown(std::size_t column, const BinaryField& field, std::string text) const {
  if (columns_.pairs == nullptr || columns_.identifies[column].empty()) return text;
  const auto own = columns_.forms[column].text_of(field.value());
  const std::string* other = own ? columns_.pairs->identifier_for(columns_.identifies[column], *own) : nullptr;
  return other == nullptr ? text : *other;
}

std::optional<KeyValues> key_values(const SideColumns& columns, const RowElement& element) {
  const auto bytes = RowHasher::key_in(element);
  if (!bytes) return std::nullopt;
  KeyValues values;
  std::size_t at = 0;
  for (const std::size_t c : columns.key) {
    const std::size_t length = length_at(*bytes, at);
    at += 4;
    if (length == 0xFFFFFFFF) {
      values.emplace_back();
      continue;
    }
    values.emplace_back(columns.forms[c].text_of_canonical(std::string_view(*bytes).substr(at, length)));
    at += length;
  }
  return values;
}

std::optional<RowElement> key_element_of(const SideColumns& columns, const RowHasher& hasher, const KeyValues& values) {
  std::string bytes;
  if (!columns.keys_have_text() || values.size() != columns.key.size()) return std::nullopt;
  for (std::size_t k = 0; k < values.size(); ++k) {
    const Canonical& form = columns.forms[columns.key[k]];
    if (form.pads()) return std::nullopt;  // it is printed with what does not count
    bool good = true;
    values[k] ? append_column(bytes, [&](std::string& out) { good = form.append_text(*values[k], out); })
              : append_null(bytes);
    if (!good) return std::nullopt;
  }
  RowElement element = hasher.element(bytes, {});
  element.hash = {};
  return element;
}

std::string key_text(const KeyValues& values) {
  if (values.size() == 1) return values[0].value_or("NULL");
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) text += ',';
    for (const char c : values[i].value_or("NULL"))
      text += c == ',' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  }
  return text;
}

}  // namespace rehearse::harness
