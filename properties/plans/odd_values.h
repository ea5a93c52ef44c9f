// Values that captures do not hold and migrations break on: the ends of number ranges, scales, time zones and daylight saving, texts
// that two collations, encodings or lengths take differently, the empty, the blank, the null and the absent.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rehearse::properties {

// What a value looks like, and so which odd ones a server may take in its place.
enum class Shape { text, integer, decimal, date, moment, uuid, email, boolean };
[[nodiscard]] Shape shape_of(std::string_view text);

// Odd values of the shape, as the text that stands in JSON, a query or a path; those of one kind together, so that each kind is as likely.
[[nodiscard]] const std::vector<std::vector<std::string>>& odd_values(Shape shape);

// A value of the same shape that nobody has used: `number` is unique to the plan. "SKU-00353" → "SKU-90007", "a@b.com" →
// "t7@example.com", "Ada" → "Ada ~7~". Numbers, dates and moments stay as they are.
[[nodiscard]] std::string fresh_like(std::string_view text, int number);
// The mark that `fresh_like` leaves in a text, by which a write is found again in a commit log; empty where the shape has no room.
[[nodiscard]] std::string mark_of(int number);

}  // namespace rehearse::properties
