// Cuts what passes over a wire into the messages that rules are about. Bytes are never changed here, and what cannot be cut passes as it
// comes: a wire that no rule is about is as if it were not there.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/wires/rule.h"
#include "replay/http/message.h"

namespace rehearse::harness {

// A piece of what a client sends.
struct Sent {
  std::string bytes;
  enum class Kind : std::uint8_t {
    other,               // rules are not about it
    opening,             // PostgreSQL's startup message
    encryption_request,  // SSLRequest, GSSENCRequest: to be refused, for what is encrypted cannot be cut
    statement,           // Query
    bound_statement,     // Bind
    request,             // HTTP
  } kind = Kind::other;
  std::string text;     // where the bytes of a rule are looked for: a bound statement's SQL and values
  bool write = false;   // it may change something, by its first words or its method
  bool commit = false;  // it ends a transaction with success
  std::string words;    // what a person calls it: "INSERT INTO orders (id", "POST /orders"
  std::optional<replay::Request> request;

  [[nodiscard]] bool message() const {
    return kind == Kind::statement || kind == Kind::bound_statement || kind == Kind::request;
  }
};

// A piece of what a PostgreSQL server answers.
struct Answered {
  std::string bytes;
  enum class Kind : std::uint8_t { other, complete, ready, error } kind = Kind::other;
  std::string tag;    // of complete: "INSERT 0 1"
  char status = 'I';  // of ready: in a transaction 'T', in a failed one 'E'

  [[nodiscard]] bool changed_rows() const;
};

class SentFraming {
 public:
  virtual ~SentFraming() = default;
  virtual void take(std::string_view bytes, std::vector<Sent>& out) = 0;
  // False when something passed that could not be cut: requests are missing then.
  [[nodiscard]] bool whole() const { return whole_; }

 protected:
  bool whole_ = true;
};
[[nodiscard]] std::unique_ptr<SentFraming> postgres_framing();
[[nodiscard]] std::unique_ptr<SentFraming> http_framing();

// https://www.postgresql.org/docs/15/protocol-message-formats.html
class PostgresAnswers {
 public:
  void take(std::string_view bytes, std::vector<Answered>& out);

 private:
  std::string begun_;          // of a message that is not whole yet
  std::uint64_t passing_ = 0;  // bytes left of one that nobody asks for
};

// The messages that take the place of others.
[[nodiscard]] std::string error_response(std::string_view sqlstate, bool fatal);
// A statement that the server itself refuses, so that it knows of the failure: the answer names `refused_statement`.
inline constexpr std::string_view refused_statement = "rehearse_lets_this_fail";
[[nodiscard]] std::string refused_in_place_of(const Sent& statement);
[[nodiscard]] std::string http_answer(std::string_view status);

// What is longer passes in pieces: an HTTP request is met by its head alone, a statement not at all.
inline constexpr std::size_t max_framed_bytes = 4u << 20;

}  // namespace rehearse::harness
