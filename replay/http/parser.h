// Reads the heads of HTTP/1.x messages that were captured (RFC 9112), and says how their bodies are delimited. Never guesses:
// framing that two implementations could read differently is ambiguous, because a wrong cut would invent a request that no
// client sent. Cutting the body is for whoever holds the stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "replay/http/message.h"

namespace rehearse::replay {

enum class ParseStatus {
  complete,
  malformed,     // not HTTP/1.x
  beyond_limit,  // longer or of more fields than the import reads
  ambiguous,  // Content-Length against Transfer-Encoding, several lengths, a coding that is not just chunked, lone line ends
};

// How a body is delimited (RFC 9112, section 6.3).
struct Framing {
  enum class Kind { none, length, chunked, until_close } kind = Kind::none;
  std::uint64_t length = 0;  // bytes
};

struct RequestHead {
  ParseStatus status = ParseStatus::malformed;
  Request message;  // without its body; filled as far as it could be read when the framing is ambiguous
  Framing framing;
};

struct ResponseHead {
  ParseStatus status = ParseStatus::malformed;
  Response message;
  Framing framing;
};

// The length of the head that begins `bytes`, its empty line included; nothing when its end is not there.
[[nodiscard]] std::optional<std::size_t> head_length(std::string_view bytes);

// Parse a whole head, from the start line to the empty line.
[[nodiscard]] RequestHead parse_request_head(std::string_view head);
// `method` is the request's: answers to HEAD have no body, and CONNECT opens a tunnel.
[[nodiscard]] ResponseHead parse_response_head(std::string_view head, std::string_view method);

struct Fields {
  ParseStatus status = ParseStatus::malformed;
  Headers headers;  // none unless they are complete
};

// The fields of a trailer section or of a block without a start line, each line ended.
[[nodiscard]] Fields parse_fields(std::string_view lines);

// The size that a chunk's first line says, without its line end; nothing when it is malformed (RFC 9112, section 7.1).
[[nodiscard]] std::optional<std::uint64_t> parse_chunk_size(std::string_view line);

// True when `bytes` look like the beginning of a request / of an answer. A method that is not well known needs its whole line.
[[nodiscard]] bool looks_like_request(std::string_view bytes);
// The same where a request must begin: also part of the line of a method that is not well known.
[[nodiscard]] bool may_begin_request(std::string_view bytes);
[[nodiscard]] bool looks_like_response(std::string_view bytes);

}  // namespace rehearse::replay
