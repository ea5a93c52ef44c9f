// Cuts HTTP/1.x messages out of bytes that were captured (RFC 9112). Never guesses: framing that two implementations could
// read differently is reported as ambiguous, because a wrong cut would invent a request that no client sent.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "replay/http/message.h"

namespace rehearse::replay {

enum class ParseStatus {
  complete,   // the message is whole; `end` is the offset behind it
  truncated,  // the bytes end before the message does
  malformed,  // not HTTP/1.x, or a limit was passed
  ambiguous,  // Content-Length against Transfer-Encoding, several lengths, a coding that is not just chunked, lone line ends
};

// A head longer than this is not one that a server would accept (RFC 9110 leaves the limit open; servers use 8 to 64 KiB).
inline constexpr std::size_t max_head_bytes = 256 * 1024;

template <typename Message>
struct Parsed {
  ParseStatus status = ParseStatus::truncated;
  Message message;
  std::size_t end = 0;
  bool close = false;  // the connection ends behind this message
};

// Parses the request that begins at `bytes[0]`.
[[nodiscard]] Parsed<Request> parse_request(std::string_view bytes);

// Parses the answer that begins at `bytes[0]`. `method` is the request's, because answers to HEAD have no body; `ended` says
// that the stream ends behind `bytes`, which is what ends a body without a length.
[[nodiscard]] Parsed<Response> parse_response(std::string_view bytes, std::string_view method, bool ended);

// True when `bytes` could be the beginning of a request / of an answer.
[[nodiscard]] bool looks_like_request(std::string_view bytes);
[[nodiscard]] bool looks_like_response(std::string_view bytes);

}  // namespace rehearse::replay
