#include "replay/http/parser.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "replay/capture/limits.h"

namespace rehearse::replay {
namespace {

constexpr std::array<std::string_view, 9> methods{"GET",    "HEAD",    "POST",  "PUT",    "PATCH",
                                                  "DELETE", "OPTIONS", "TRACE", "CONNECT"};

// RFC 9110, section 5.6.2.
constexpr std::array<bool, 256> token_chars = [] {
  std::array<bool, 256> table{};
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

bool is_token(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return token_chars[static_cast<unsigned char>(c)]; });
}

// Lines of a head, one after the other. A lone CR, LF or NUL is `stray`: some recipients end a line there and others do not
// (RFC 9112, section 2.2).
struct Lines {
  std::string_view rest;
  bool stray = false;

  std::string_view next() {
    const auto eol = rest.find('\n');
    auto line = rest.substr(0, eol);
    rest.remove_prefix(eol == std::string_view::npos ? rest.size() : eol + 1);
    if (line.ends_with('\r'))
      line.remove_suffix(1);
    else
      stray = true;
    if (line.find('\r') != std::string_view::npos || line.find('\0') != std::string_view::npos) stray = true;
    return line;
  }
};

ParseStatus read_fields(Lines& lines, Headers& fields) {
  ParseStatus status = ParseStatus::complete;
  while (!lines.rest.empty()) {
    const auto line = lines.next();
    if (line.empty() && !lines.stray) break;
    if (line.starts_with(' ') || line.starts_with('\t')) {  // obsolete line folding, RFC 9112 section 5.2
      if (fields.empty()) return ParseStatus::malformed;
      if (fields.back().value.size() + line.size() > limits::head_bytes) return ParseStatus::beyond_limit;
      fields.back().value += ' ';
      fields.back().value += trim(line);
      continue;
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
      status = ParseStatus::malformed;
      break;
    }
    if (fields.size() == limits::header_fields) {
      status = ParseStatus::beyond_limit;
      break;
    }
    fields.push_back({std::string(line.substr(0, colon)), std::string(trim(line.substr(colon + 1)))});
  }
  return lines.stray ? ParseStatus::ambiguous : status;
}

// Nothing when two implementations could cut the body differently.
std::optional<Framing> framing_of(const Headers& headers, bool is_response, bool version_1_0) {
  std::optional<std::string_view> length;
  std::optional<std::string_view> coding;
  for (const Header& header : headers) {
    if (header.name.size() == 14 && equal_without_case(header.name, "Content-Length")) {
      if (length && *length != header.value) return std::nullopt;
      length = header.value;
    } else if (header.name.size() == 17 && equal_without_case(header.name, "Transfer-Encoding")) {
      if (coding) return std::nullopt;
      coding = header.value;
    }
  }
  if (coding) {
    // Another coding before chunked, or after it, or HTTP/1.0, which has no codings: RFC 9112, section 6.1.
    if (length || version_1_0 || !equal_without_case(*coding, "chunked")) return std::nullopt;
    return Framing{Framing::Kind::chunked, 0};
  }
  if (length) {
    std::uint64_t value = 0;
    const auto [rest, error] = std::from_chars(length->data(), length->data() + length->size(), value);
    if (error != std::errc() || rest != length->data() + length->size() || value > INT64_MAX) return std::nullopt;
    return Framing{value == 0 ? Framing::Kind::none : Framing::Kind::length, value};
  }
  return Framing{is_response ? Framing::Kind::until_close : Framing::Kind::none, 0};
}

// Servers skip empty lines in front of a request (RFC 9112, section 2.2): old clients sent one behind a body.
std::string_view behind_empty_lines(std::string_view bytes) {
  while (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
  return bytes;
}

}  // namespace

std::optional<std::size_t> head_length(std::string_view bytes) {
  const auto end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  return end + 4;
}

RequestHead parse_request_head(std::string_view head) {
  RequestHead parsed;
  Lines lines{head};
  const auto line = lines.next();
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last || !is_token(line.substr(0, first))) return parsed;
  const auto version = line.substr(last + 1);
  if (version.size() != 8 || !version.starts_with("HTTP/1.")) return parsed;
  parsed.message.method = line.substr(0, first);
  parsed.message.target = line.substr(first + 1, last - first - 1);
  parsed.status = read_fields(lines, parsed.message.headers);
  if (parsed.status != ParseStatus::complete) return parsed;
  // A space within the target: where it ends is a guess (RFC 9112, section 3).
  const auto framing = framing_of(parsed.message.headers, false, version == "HTTP/1.0");
  if (!framing || parsed.message.target.find(' ') != std::string::npos)
    parsed.status = ParseStatus::ambiguous;
  else
    parsed.framing = *framing;
  return parsed;
}

ResponseHead parse_response_head(std::string_view head, std::string_view method) {
  ResponseHead parsed;
  Lines lines{head};
  const auto line = lines.next();
  if (!line.starts_with("HTTP/1.") || line.size() < 12 || line[8] != ' ' || (line.size() > 12 && line[12] != ' '))
    return parsed;
  const auto [rest, error] = std::from_chars(line.data() + 9, line.data() + 12, parsed.message.status);
  if (error != std::errc() || rest != line.data() + 12 || parsed.message.status < 100) return parsed;
  parsed.status = read_fields(lines, parsed.message.headers);
  if (parsed.status != ParseStatus::complete) return parsed;
  const int status = parsed.message.status;
  const bool tunnel = method == "CONNECT" && status / 100 == 2;
  if (method == "HEAD" || tunnel || status < 200 || status == 204 || status == 304) return parsed;
  const auto framing = framing_of(parsed.message.headers, true, line.substr(0, 8) == "HTTP/1.0");
  if (!framing)
    parsed.status = ParseStatus::ambiguous;
  else
    parsed.framing = *framing;
  return parsed;
}

Fields parse_fields(std::string_view text) {
  Fields fields;
  Lines lines{text};
  fields.status = read_fields(lines, fields.headers);
  if (fields.status != ParseStatus::complete) fields.headers.clear();
  return fields;
}

std::optional<std::uint64_t> parse_chunk_size(std::string_view line) {
  const auto text = trim(line.substr(0, line.find(';')));
  std::uint64_t size = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), size, 16);
  if (error != std::errc() || rest != text.data() + text.size() || size > INT64_MAX) return std::nullopt;
  return size;
}

bool looks_like_request(std::string_view bytes) {
  bytes = behind_empty_lines(bytes);
  const bool known = std::any_of(methods.begin(), methods.end(), [&](std::string_view method) {
    const auto n = std::min(bytes.size(), method.size());
    return n > 0 && bytes.substr(0, n) == method.substr(0, n) &&
           (bytes.size() <= method.size() || bytes[method.size()] == ' ');
  });
  if (known) return true;
  // Any other method shows itself by a whole request line.
  const auto line = bytes.substr(0, bytes.substr(0, limits::head_bytes).find("\r\n"));
  const auto space = line.find(' ');
  return line.size() < bytes.size() && space != std::string_view::npos && is_token(line.substr(0, space)) &&
         line.substr(line.rfind(' ') + 1).starts_with("HTTP/1.");
}

bool may_begin_request(std::string_view bytes) {
  if (looks_like_request(bytes)) return true;
  return bytes.size() <= limits::head_bytes && bytes.find('\n') == std::string_view::npos &&
         is_token(bytes.substr(0, bytes.find(' ')));
}

bool looks_like_response(std::string_view bytes) {
  constexpr std::string_view prefix = "HTTP/1.";
  const auto n = std::min(bytes.size(), prefix.size());
  return n > 0 && bytes.substr(0, n) == prefix.substr(0, n);
}

}  // namespace rehearse::replay
