// Which requests belong to one user's session: they carry the same cookie, credential or configured header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "replay/exchange.h"
#include "replay/values.h"

namespace rehearse::replay {

// A credential that requests carry at one time on more connections than this belongs to a service and not to one user: a browser
// opens six to a host. From the request on that shows it, the credential is no session any more.
inline constexpr std::size_t max_session_connections = 8;

// True for a value of a request that says who somebody is: a credential, a cookie with the name of one and a text that nobody
// would have chosen, or a cookie or header that `session_keys` names.
[[nodiscard]] bool identifies_a_session(const ValueView& value, const std::vector<std::string>& session_keys);

// Finds sessions while exchanges are shown to it in order of time.
class SessionFinder {
 public:
  // `session_keys` are headers and cookies that name a session, besides Authorization and cookies whose name says so.
  explicit SessionFinder(std::vector<std::string> session_keys);

  // The sessions that the exchange's request, which holds `values`, belongs to: digests of what names them.
  [[nodiscard]] std::vector<std::uint64_t> sessions_of(const Exchange& exchange, const std::vector<Value>& values);

 private:
  struct Running {
    std::int64_t connection = 0, end_ns = 0;
  };
  struct Session {
    std::vector<Running> running;
    bool of_a_service = false;
  };
  std::vector<std::string> session_keys_;
  std::unordered_map<std::uint64_t, Session> sessions_;
};

// The session that an answer begins, as later requests name it: by a Set-Cookie, or by a token in its body. Nothing when it
// begins none.
[[nodiscard]] std::optional<std::uint64_t> session_begun_by(const Response& response,
                                                            const std::vector<std::string>& session_keys);

// True for names of what a server gives to one client for its next requests: tokens, cursors, what guards against forgery.
[[nodiscard]] bool names_a_token(std::string_view name);
// Whether an answer may hold one in its body. Most do not, and to look for a few letters is cheaper than to read them.
[[nodiscard]] bool may_name_a_token(const Response& response);

}  // namespace rehearse::replay
