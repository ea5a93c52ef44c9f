#include "replay/http/parser.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace rehearse::replay {
namespace {

constexpr std::array<std::string_view, 9> methods{"GET",    "HEAD",    "POST",  "PUT",    "PATCH",
                                                  "DELETE", "OPTIONS", "TRACE", "CONNECT"};

struct Head {
  ParseStatus status = ParseStatus::truncated;
  std::string_view start_line;
  Headers headers;
  std::size_t end = 0;
};

bool token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// A lone CR, LF or NUL: some recipients end a line there and others do not (RFC 9112, section 2.2).
bool holds_stray_control(std::string_view head) {
  for (std::size_t at = head.find_first_of(std::string_view("\r\n\0", 3)); at != std::string_view::npos;
       at = head.find_first_of(std::string_view("\r\n\0", 3), at + 2)) {
    if (head.substr(at, 2) != "\r\n") return true;
  }
  return false;
}

Head parse_head(std::string_view bytes) {
  Head head;
  const auto end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    head.status = bytes.size() > max_head_bytes ? ParseStatus::malformed : ParseStatus::truncated;
    return head;
  }
  if (end > max_head_bytes) {
    head.status = ParseStatus::malformed;
    return head;
  }
  head.end = end + 4;
  std::string_view rest = bytes.substr(0, end + 2);
  if (holds_stray_control(rest)) {
    head.status = ParseStatus::ambiguous;
    return head;
  }
  const auto take_line = [&rest] {
    const auto eol = rest.find("\r\n");
    const auto line = rest.substr(0, eol);
    rest.remove_prefix(eol + 2);
    return line;
  };
  head.start_line = take_line();
  while (!rest.empty()) {
    const auto line = take_line();
    if (line.starts_with(' ') || line.starts_with('\t')) {  // obsolete line folding, RFC 9112 section 5.2
      if (head.headers.empty()) return {.status = ParseStatus::malformed, .start_line = {}, .headers = {}, .end = 0};
      head.headers.back().value += ' ';
      head.headers.back().value += trim(line);
      continue;
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 ||
        !std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(colon), token_char)) {
      head.status = ParseStatus::malformed;
      return head;
    }
    head.headers.push_back({std::string(line.substr(0, colon)), std::string(trim(line.substr(colon + 1)))});
  }
  head.status = ParseStatus::complete;
  return head;
}

// How the body is delimited (RFC 9112, section 6.3).
struct Framing {
  enum class Kind { none, length, chunked, until_close, ambiguous } kind = Kind::none;
  std::size_t length = 0;
};

Framing framing_of(const Headers& headers, bool is_response) {
  std::optional<std::string> length;
  std::string coding;
  for (const Header& header : headers) {
    if (equal_without_case(header.name, "Content-Length")) {
      if (length && *length != header.value) return {Framing::Kind::ambiguous, 0};
      length = header.value;
    } else if (equal_without_case(header.name, "Transfer-Encoding")) {
      coding += (coding.empty() ? "" : ",") + lower(header.value);
    }
  }
  if (!coding.empty()) {
    const auto comma = coding.rfind(',');
    const auto last = trim(std::string_view(coding).substr(comma == std::string::npos ? 0 : comma + 1));
    if (length || last != "chunked" || comma != std::string::npos) return {Framing::Kind::ambiguous, 0};
    return {Framing::Kind::chunked, 0};
  }
  if (length) {
    std::size_t value = 0;
    const auto [rest, error] = std::from_chars(length->data(), length->data() + length->size(), value);
    if (error != std::errc() || rest != length->data() + length->size()) return {Framing::Kind::ambiguous, 0};
    return {Framing::Kind::length, value};
  }
  return {is_response ? Framing::Kind::until_close : Framing::Kind::none, 0};
}

// Dechunks what begins at bytes[0]; `end` is set behind the trailer section.
ParseStatus dechunk(std::string_view bytes, std::string& body, std::size_t& end) {
  std::size_t at = 0;
  while (true) {
    const auto eol = bytes.find("\r\n", at);
    if (eol == std::string_view::npos)
      return bytes.size() - at > 1024 ? ParseStatus::malformed : ParseStatus::truncated;
    const auto line = bytes.substr(at, eol - at);
    const auto size_text = trim(line.substr(0, line.find(';')));
    std::size_t size = 0;
    const auto [rest, error] = std::from_chars(size_text.data(), size_text.data() + size_text.size(), size, 16);
    if (error != std::errc() || rest != size_text.data() + size_text.size()) return ParseStatus::malformed;
    at = eol + 2;
    if (size == 0) break;
    if (size > bytes.size() || at + size + 2 > bytes.size()) return ParseStatus::truncated;
    body.append(bytes.substr(at, size));
    if (bytes.substr(at + size, 2) != "\r\n") return ParseStatus::malformed;
    at += size + 2;
  }
  while (true) {  // trailer fields, then an empty line
    const auto eol = bytes.find("\r\n", at);
    if (eol == std::string_view::npos) return ParseStatus::truncated;
    const bool empty = eol == at;
    at = eol + 2;
    if (empty) break;
  }
  end = at;
  return ParseStatus::complete;
}

template <typename Message>
void take_body(Parsed<Message>& parsed, const Framing& framing, std::string_view rest, bool ended) {
  switch (framing.kind) {
    case Framing::Kind::none:
      parsed.status = ParseStatus::complete;
      return;
    case Framing::Kind::length:
      if (rest.size() < framing.length) return;
      parsed.message.body = std::string(rest.substr(0, framing.length));
      parsed.end += framing.length;
      parsed.status = ParseStatus::complete;
      return;
    case Framing::Kind::chunked: {
      std::size_t used = 0;
      parsed.status = dechunk(rest, parsed.message.body, used);
      parsed.end += used;
      return;
    }
    case Framing::Kind::until_close:
      if (!ended) return;
      parsed.message.body = std::string(rest);
      parsed.end += rest.size();
      parsed.close = true;
      parsed.status = ParseStatus::complete;
      return;
    case Framing::Kind::ambiguous:
      parsed.status = ParseStatus::ambiguous;
      return;
  }
}

// Servers skip empty lines in front of a request (RFC 9112, section 2.2): old clients sent one behind a body.
std::size_t empty_lines(std::string_view bytes) {
  std::size_t at = 0;
  while (bytes.substr(at, 2) == "\r\n") at += 2;
  return at;
}

}  // namespace

bool looks_like_request(std::string_view bytes) {
  bytes.remove_prefix(empty_lines(bytes));
  const bool known = std::any_of(methods.begin(), methods.end(), [&](std::string_view method) {
    const auto n = std::min(bytes.size(), method.size());
    return n > 0 && bytes.substr(0, n) == method.substr(0, n) &&
           (bytes.size() <= method.size() || bytes[method.size()] == ' ');
  });
  if (known) return true;
  // Any other method shows itself by a whole request line.
  const auto line = bytes.substr(0, bytes.substr(0, max_head_bytes).find("\r\n"));
  const auto space = line.find(' ');
  return line.size() < bytes.size() && space != 0 && space != std::string_view::npos &&
         std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(space), token_char) &&
         line.substr(line.rfind(' ') + 1).starts_with("HTTP/1.");
}

bool looks_like_response(std::string_view bytes) {
  constexpr std::string_view prefix = "HTTP/1.";
  const auto n = std::min(bytes.size(), prefix.size());
  return n > 0 && bytes.substr(0, n) == prefix.substr(0, n);
}

Parsed<Request> parse_request(std::string_view bytes) {
  Parsed<Request> parsed;
  const auto skipped = empty_lines(bytes);
  bytes.remove_prefix(skipped);
  const Head head = parse_head(bytes);
  parsed.status = head.status;
  if (head.status != ParseStatus::complete) return parsed;
  const auto first = head.start_line.find(' ');
  const auto last = head.start_line.rfind(' ');
  if (first == std::string_view::npos || first == last || !head.start_line.substr(last + 1).starts_with("HTTP/1.")) {
    parsed.status = ParseStatus::malformed;
    return parsed;
  }
  parsed.message = {std::string(head.start_line.substr(0, first)),
                    std::string(head.start_line.substr(first + 1, last - first - 1)),
                    head.headers,
                    {}};
  parsed.end = skipped + head.end;
  parsed.status = ParseStatus::truncated;
  take_body(parsed, framing_of(head.headers, false), bytes.substr(head.end), false);
  return parsed;
}

Parsed<Response> parse_response(std::string_view bytes, std::string_view method, bool ended) {
  Parsed<Response> parsed;
  const Head head = parse_head(bytes);
  parsed.status = head.status;
  if (head.status != ParseStatus::complete) return parsed;
  const auto line = head.start_line;
  if (!line.starts_with("HTTP/1.") || line.size() < 12) {
    parsed.status = ParseStatus::malformed;
    return parsed;
  }
  const auto [rest, error] = std::from_chars(line.data() + 9, line.data() + 12, parsed.message.status);
  if (error != std::errc() || rest != line.data() + 12) {
    parsed.status = ParseStatus::malformed;
    return parsed;
  }
  parsed.message.headers = head.headers;
  parsed.end = head.end;
  parsed.status = ParseStatus::truncated;
  const int status = parsed.message.status;
  const bool tunnel = method == "CONNECT" && status / 100 == 2;
  const bool bodiless = method == "HEAD" || tunnel || status < 200 || status == 204 || status == 304;
  take_body(parsed, bodiless ? Framing{} : framing_of(head.headers, true), bytes.substr(head.end), ended);
  return parsed;
}

}  // namespace rehearse::replay
