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

std::string_view unsendable(const Request& request) {
  const auto whole = [](std::string_view text) {
    return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
  };
  const auto token = [](std::string_view text) {  // RFC 9110, section 5.6.2
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
             std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    });
  };
  bool good = whole(request.method) && whole(request.target);
  for (const Header& header : request.headers) good = good && whole(header.name) && whole(header.value);
  if (!good) return "a line end in its method, target or headers";
  if (!token(request.method)) return "a method that is none";
  const auto cuts = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; };
  if (request.target.empty() || std::any_of(request.target.begin(), request.target.end(), cuts))
    return "a space or a control character in its target, or none";
  for (const Header& header : request.headers) {
    if (!token(header.name)) return "a header without a proper name";
  }
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
