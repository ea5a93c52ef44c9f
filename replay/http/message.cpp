#include "replay/http/message.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "replay/capture/limits.h"
#include "replay/http/content_coding.h"

namespace rehearse::replay {
namespace {

char lower_char(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
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

namespace {

// What a byte may not be part of, as bits.
enum : std::uint8_t { no_field = 1, no_target = 2, no_token = 4 };

constexpr std::array<std::uint8_t, 256> byte_classes = [] {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned c = 0; c < 256; ++c) {
    const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    const bool mark =
        std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos && c != 0;
    if (c == '\r' || c == '\n' || c == '\0') classes[c] |= no_field;
    if (c <= ' ' || c == 0x7f) classes[c] |= no_target;
    if (!alphanumeric && !mark) classes[c] |= no_token;  // RFC 9110, section 5.6.2
  }
  return classes;
}();

std::uint8_t classes_in(std::string_view text) {
  std::uint8_t classes = 0;
  for (const char c : text) classes |= byte_classes[static_cast<unsigned char>(c)];
  return classes;
}

}  // namespace

std::string_view unsendable(const Request& request) {
  const std::uint8_t method = classes_in(request.method), target = classes_in(request.target);
  std::uint8_t names = 0, values = 0;
  bool named = true;
  int hosts = 0;
  for (const Header& header : request.headers) {
    names |= classes_in(header.name);
    values |= classes_in(header.value);
    named = named && !header.name.empty();
    if (header.name.size() == 4 && equal_without_case(header.name, "Host")) ++hosts;
  }
  if (((method | target | names | values) & no_field) != 0) return "a line end in its method, target or headers";
  if (request.method.empty() || (method & no_token) != 0) return "a method that is none";
  if (request.target.empty() || (target & no_target) != 0)
    return "a space or a control character in its target, or none";
  if (!named || (names & no_token) != 0) return "a header without a proper name";
  if (hosts > 1) return "more than one Host";  // RFC 9112, section 3.2
  return {};
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
  if (!coding || body.empty()) return std::string(body);
  const auto codings = codings_in(*coding);
  if (codings.empty()) return std::string(body);
  // What grows a hundredfold is no document; small ones may be all blanks.
  const std::size_t grown = std::max(limits::always_decoded_bytes, body.size() * limits::expansion);
  return without_codings(body, codings, std::min(limit_bytes, grown));
}

bool is_json(const Headers& headers) {
  const auto type = field(headers, "Content-Type");
  if (!type) return false;
  const std::string media = lower(trim(type->substr(0, type->find(';'))));
  return media == "application/json" || media.ends_with("+json");
}

}  // namespace rehearse::replay
