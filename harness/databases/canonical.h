// The bytes that a value means, whatever type, server, schema or setting it comes from: what is compared and hashed.
//
// Values come in PostgreSQL's binary format, which knows no TimeZone, DateStyle or extra_float_digits. Two columns are
// compared in a form that they have in common: integers of any width, numerics without their scale, reals at the smaller
// width, texts without the padding of char(n), json as jsonb, timestamps as microseconds (one without a zone means UTC),
// enums as their labels, arrays element by element with their bounds. `exact` columns keep scale, padding, the text of json and
// the sign of -0. What has no such form is refused with the cast that gives it one; nothing is guessed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace rehearse::harness {

// A type as a server's catalogue names it.
struct ValueType {
  std::string name;     // of pg_type: "int8"; of an array, of its elements
  std::string spelled;  // as SQL spells it: "bigint", "orders.state", "text[]"
  bool enumeration = false;
  bool array = false;
};

// How one column's values become canonical bytes.
class Canonical {
 public:
  enum class Wire { raw, int2, int4, int8, numeric, float4, float8, text, padded_text, json, jsonb, uuid };
  enum class Form { raw, integer, numeric, float4, float8, text, json };

  Canonical() = default;
  Canonical(Wire wire, Form form, bool array, bool exact) : wire_(wire), form_(form), array_(array), exact_(exact) {}

  // Appends the canonical bytes of a value that is not NULL. Throws Error for bytes that are none of the type.
  void append(std::string_view value, std::string& out) const;

  // The value as SQL writes it, for types that keys and identifiers have (integers, texts, uuid); nothing for others.
  [[nodiscard]] std::optional<std::string> text_of(std::string_view value) const;
  // The way back from such a text to the canonical bytes; false when it is none of the type's.
  [[nodiscard]] bool append_text(std::string_view text, std::string& out) const;
  // The text whose canonical bytes these are. REQUIRES: has_text().
  [[nodiscard]] std::string text_of_canonical(std::string_view bytes) const;
  [[nodiscard]] bool has_text() const;

  [[nodiscard]] Form form() const { return form_; }
  [[nodiscard]] bool array() const { return array_; }
  [[nodiscard]] bool exact() const { return exact_; }
  [[nodiscard]] bool pads() const { return wire_ == Wire::padded_text; }

 private:
  void append_one(std::string_view value, std::string& out) const;
  void append_array(std::string_view value, std::string& out) const;

  Wire wire_ = Wire::raw;
  Form form_ = Form::raw;
  bool array_ = false;
  bool exact_ = false;
};

// The forms in which a column of these two types is compared. Throws Error that says what to cast when there is none.
[[nodiscard]] std::pair<Canonical, Canonical> comparable(const ValueType& left, const ValueType& right, bool exact);

}  // namespace rehearse::harness
