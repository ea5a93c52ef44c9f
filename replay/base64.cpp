#include "replay/base64.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>

#include "replay/error.h"

namespace rehearse::replay {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string base64(std::string_view bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto at = [&](std::size_t k) { return i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u; };
    const std::uint32_t group = at(0) << 16 | at(1) << 8 | at(2);
    for (std::size_t k = 0; k < 4; ++k) {
      out += i + k > bytes.size() ? '=' : alphabet[group >> (18 - 6 * k) & 63];
    }
  }
  return out;
}

std::string from_base64(std::string_view text) {
  std::string out;
  std::uint32_t group = 0;
  int bits = 0;
  for (char c : text) {
    const auto value = alphabet.find(c);
    if (value == std::string_view::npos) break;
    group = group << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>(group >> bits & 0xff);
    }
  }
  return out;
}

bool valid_utf8(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size();) {
    const auto lead = static_cast<unsigned char>(bytes[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
    if (length == 0 || i + length > bytes.size()) return false;
    std::uint32_t point = length == 1 ? lead : lead & (0x7fu >> length);
    for (std::size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(bytes[i + k]);
      if (next >> 6 != 2) return false;
      point = point << 6 | (next & 0x3f);
    }
    static constexpr std::array<std::uint32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
    if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
    i += length;
  }
  return true;
}

void put_bytes(boost::json::object& object, std::string_view key, std::string_view bytes) {
  if (bytes.empty()) return;
  if (valid_utf8(bytes)) {
    object[key] = bytes;
  } else {
    object[std::string(key) + "_base64"] = base64(bytes);
  }
}

std::string take_bytes(const boost::json::object& object, std::string_view key) {
  if (const auto* text = object.if_contains(key)) return std::string(text->as_string());
  if (const auto* coded = object.if_contains(std::string(key) + "_base64"))
    return whole_base64(std::string(key) + "_base64", std::string_view(coded->as_string()));
  return {};
}

std::string whole_base64(std::string_view key, std::string_view text) {
  std::string bytes = from_base64(text);
  if (base64(bytes) != text)
    throw Error(
        fmt::format("\"{}\" holds {:?}, which is no base64 of RFC 4648 with its padding", key, text.substr(0, 40)));
  return bytes;
}

}  // namespace rehearse::replay
