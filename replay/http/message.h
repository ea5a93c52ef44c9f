// HTTP messages as values: what a capture holds, what a plan sends, what a history records.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rehearse::replay {

struct Header {
  std::string name;  // as it was on the wire; compared without case (RFC 9110, section 5.1)
  std::string value;
  friend bool operator==(const Header&, const Header&) = default;
};

using Headers = std::vector<Header>;

struct Request {
  std::string method;
  std::string target;  // as sent in the request line: path and query
  Headers headers;
  std::string body;  // after chunked decoding; the content coding is left as it is
  Headers trailers = {};
  friend bool operator==(const Request&, const Request&) = default;
};

struct Response {
  int status = 0;
  Headers headers;
  std::string body;  // after chunked decoding; the content coding is left as it is
  Headers trailers = {};
  friend bool operator==(const Response&, const Response&) = default;
};

[[nodiscard]] bool equal_without_case(std::string_view a, std::string_view b);
[[nodiscard]] std::string lower(std::string_view text);
[[nodiscard]] std::string_view trim(std::string_view text);

// The first value of a header, or nothing.
[[nodiscard]] std::optional<std::string_view> field(const Headers& headers, std::string_view name);
void set_field(Headers& headers, std::string_view name, std::string_view value);
void erase_field(Headers& headers, std::string_view name);

// True for the fields that belong to one connection and not to the message (RFC 9110, section 7.6.1).
[[nodiscard]] bool hop_by_hop(std::string_view name);

// Why the request, written as HTTP/1.1, would be more or other than one request: "a line end in its method, target or headers",
// "more than one Host", which every server refuses, ...; empty when it is sound.
[[nodiscard]] std::string_view unsendable(const Request& request);

// GET, HEAD, OPTIONS, TRACE: safe by RFC 9110, section 9.2.1. What a service really does on them is for its databases to say.
[[nodiscard]] bool safe(std::string_view method);

// The path of a target, without its query.
[[nodiscard]] std::string_view path_of(std::string_view target);

// Percent-decodes `text`; a malformed escape stays as it is.
[[nodiscard]] std::string percent_decoded(std::string_view text);

// The body with its Content-Encoding removed (gzip, deflate, br, zstd; at most `limits::codings` of them). Nothing when a
// coding is unknown, the data is broken, or it would grow past `limit_bytes` or more than `limits::expansion` times.
[[nodiscard]] std::optional<std::string> decoded_body(const Headers& headers, std::string_view body,
                                                      std::size_t limit_bytes = 64u << 20);

// True when Content-Type says JSON (application/json or any +json).
[[nodiscard]] bool is_json(const Headers& headers);

}  // namespace rehearse::replay
