// Secrets that are known by their shape alone: e-mail addresses, card numbers, JSON Web Tokens, bearer tokens, passwords in URLs.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace rehearse::replay {

enum class Shape { email, card, jwt, bearer, url_credentials };
[[nodiscard]] std::string_view name_of(Shape shape);  // "e-mail address", ...

// Which shapes are looked for.
struct Shapes {
  bool email = true, card = true, jwt = true, bearer = true, url_credentials = true;
  friend bool operator==(const Shapes&, const Shapes&) = default;
};

struct Shaped {
  std::size_t at = 0, length = 0;
  Shape shape = Shape::email;
  friend bool operator==(const Shaped&, const Shaped&) = default;
};

// In their order, none within another. Conservative: what could as well be an order id, a timestamp or a file name is none.
[[nodiscard]] std::vector<Shaped> shapes_in(std::string_view text, const Shapes& wanted = {});
// False when there is none for sure; some gigabytes a second.
[[nodiscard]] bool may_hold_shapes(std::string_view text);

// True when all of the value has the shape.
[[nodiscard]] bool is_email(std::string_view value);
[[nodiscard]] bool is_card(std::string_view value);  // digits, perhaps in the groups in which they are printed
[[nodiscard]] bool is_jwt(std::string_view value);
[[nodiscard]] bool is_uuid(std::string_view value);

// The digit that makes the digits before it valid (ISO/IEC 7812-1, annex B).
[[nodiscard]] char luhn_digit(std::string_view digits);

}  // namespace rehearse::replay
