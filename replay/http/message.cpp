#include "replay/http/message.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace rehearse::replay {
namespace {

char lower_char(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Inflates with the given window bits: 31 = gzip, 15 = zlib, -15 = raw deflate.
std::optional<std::string> inflated(std::string_view data, int window_bits, std::size_t limit_bytes) {
  z_stream stream{};
  if (inflateInit2(&stream, window_bits) != Z_OK) return std::nullopt;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  std::string out;
  std::array<char, 16384> chunk;
  int status = Z_OK;
  while (status == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = chunk.size();
    status = inflate(&stream, Z_NO_FLUSH);
    out.append(chunk.data(), chunk.size() - stream.avail_out);
    if (out.size() > limit_bytes || (status == Z_BUF_ERROR)) break;
  }
  inflateEnd(&stream);
  if (status != Z_STREAM_END || out.size() > limit_bytes) return std::nullopt;
  return out;
}

}  // namespace

bool equal_without_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower_char(x) == lower_char(y); });
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower_char);
  return out;
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::optional<std::string_view> field(const Headers& headers, std::string_view name) {
  for (const Header& header : headers) {
    if (equal_without_case(header.name, name)) return header.value;
  }
  return std::nullopt;
}

void set_field(Headers& headers, std::string_view name, std::string_view value) {
  for (Header& header : headers) {
    if (equal_without_case(header.name, name)) {
      header.value = value;
      return;
    }
  }
  headers.push_back({std::string(name), std::string(value)});
}

void erase_field(Headers& headers, std::string_view name) {
  std::erase_if(headers, [&](const Header& header) { return equal_without_case(header.name, name); });
}

bool hop_by_hop(std::string_view name) {
  static constexpr std::array<std::string_view, 9> names{"connection",          "keep-alive", "proxy-authenticate",
                                                         "proxy-authorization", "te",         "trailer",
                                                         "transfer-encoding",   "upgrade",    "proxy-connection"};
  return std::any_of(names.begin(), names.end(), [&](std::string_view n) { return equal_without_case(n, name); });
}

bool safe(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "TRACE";
}

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

std::string percent_decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::optional<std::string> decoded_body(const Headers& headers, std::string_view body, std::size_t limit_bytes) {
  const auto coding = field(headers, "Content-Encoding");
  if (!coding || body.empty() || equal_without_case(trim(*coding), "identity")) return std::string(body);
  if (equal_without_case(trim(*coding), "gzip") || equal_without_case(trim(*coding), "x-gzip")) {
    return inflated(body, 31, limit_bytes);
  }
  if (equal_without_case(trim(*coding), "deflate")) {
    if (auto zlib = inflated(body, 15, limit_bytes)) return zlib;
    return inflated(body, -15, limit_bytes);
  }
  return std::nullopt;
}

bool is_json(const Headers& headers) {
  const auto type = field(headers, "Content-Type");
  if (!type) return false;
  const std::string media = lower(trim(type->substr(0, type->find(';'))));
  return media == "application/json" || media.ends_with("+json");
}

}  // namespace rehearse::replay
