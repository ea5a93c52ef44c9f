// The values that stand in messages, each with its place: what a server may have made, and where it is put when another server made
// another one.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "replay/http/message.h"
#include "replay/plan.h"

namespace rehearse::replay {

struct Value {
  Place place;
  std::string
      name;  // what says what it is: the field's, header's or cookie's name; of a path segment the segment before it
  std::string text;  // decoded
  bool in_array = false;
};

// The same, to be looked at and not kept: what it shows is gone when the visit is over.
struct ValueView {
  std::string_view place, name, text;
  bool in_array = false;
};
using VisitValue = std::function<void(const ValueView&)>;

// Every value of a message that could be one that a server made: segments of the path, fields of the query, of a form and of a JSON
// document (strings and integers), cookies, credentials, headers that do not describe the client; of an answer also Location and
// Set-Cookie.
[[nodiscard]] std::vector<Value> values_in(const Request& request);
// Answers hold many values, of which few are wanted.
void visit_values(const Response& response, const VisitValue& visit);
// Of an answer those outside its body.
void visit_values(const Headers& of_an_answer, const VisitValue& visit);

// The value at `place` in a message; nothing when it is not there.
[[nodiscard]] std::optional<std::string> value_at(const Response& response, const Place& place);
[[nodiscard]] std::optional<std::string> value_at(const Request& request, const Place& place);

// Puts `value` in the place of `old`. The message is left as it is, byte for byte, when both are the same or `old` is not there.
void put(Request& request, const Place& place, const std::string& old, const std::string& value);

// Whether a place can be one of a request (of an answer): a known kind, a colon, and what belongs behind it.
[[nodiscard]] bool is_request_place(const Place& place);
[[nodiscard]] bool is_answer_place(const Place& place);

// "orders", "Order", "order_id", "orderId" and "order-ids" are all names of an "order"; "id" alone is the name of nothing: "".
[[nodiscard]] std::string entity_name(std::string_view name);

// Whether a segment of a path is an identifier: "41", "a1b2-4f", "SKU-00353"; not the "v2" of an interface, the "oauth2" of a protocol.
[[nodiscard]] bool identifies_in_path(std::string_view text);
// The collection that a path ends in: of "/shops/7/orders" and "/orders/41" the orders.
[[nodiscard]] std::string_view collection_of(std::string_view path);

// True for what a decimal integer of 64 bits looks like.
[[nodiscard]] bool is_integer(std::string_view text);

// True when `key` ends in that word, written small, as a word of its own: "order_key", "orderKey", "order-key", "key" and their
// plurals end in "key"; "monkey" does not.
[[nodiscard]] bool ends_in_word(std::string_view key, std::string_view word);
// True when `part`, written small, stands in `text`, in whatever case.
[[nodiscard]] bool holds_without_case(std::string_view text, std::string_view part);
// True for names of identifiers: "id", "order_id", "orderId", "uuid"; not for "paid", "valid" or "grid".
[[nodiscard]] bool names_an_id(std::string_view key);

}  // namespace rehearse::replay
