// Bytes inside JSON: text stays text, anything else becomes base64 (RFC 4648, section 4) under another key.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

namespace rehearse::replay {

[[nodiscard]] std::string base64(std::string_view bytes);
// Characters that are no base64 end the text.
[[nodiscard]] std::string from_base64(std::string_view text);
[[nodiscard]] bool valid_utf8(std::string_view bytes);

// Sets object[key] when the bytes are valid UTF-8, else object[key + "_base64"]; nothing for no bytes.
void put_bytes(boost::json::object& object, std::string_view key, std::string_view bytes);
// Throws Error for base64 that is none.
[[nodiscard]] std::string take_bytes(const boost::json::object& object, std::string_view key);
// What stands in that member; throws Error when it is no base64, or not all of it.
[[nodiscard]] std::string whole_base64(std::string_view key, std::string_view text);

}  // namespace rehearse::replay
