#include "replay/sessions.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace rehearse::replay {
namespace {

std::uint64_t digest(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

constexpr std::array<std::string_view, 7> session_words{"sess", "sid", "token", "auth", "user", "login", "jwt"};

// A cookie that says who somebody is, and not how they like their page.
bool is_session_cookie(std::string_view name, std::string_view text) {
  return text.size() >= 8 && text.find_first_of("0123456789") != std::string_view::npos &&
         std::any_of(session_words.begin(), session_words.end(),
                     [&](std::string_view word) { return holds_without_case(name, word); });
}

bool configured(std::string_view name, const std::vector<std::string>& session_keys) {
  return std::any_of(session_keys.begin(), session_keys.end(),
                     [&](const std::string& key) { return equal_without_case(key, name); });
}

// A name in mixed case such as "tOKen" is not found.
constexpr std::array<std::string_view, 8> token_letters{"oken", "ursor", "once", "srf", "OKEN", "URSOR", "ONCE", "SRF"};

}  // namespace

bool identifies_a_session(const ValueView& value, const std::vector<std::string>& session_keys) {
  if (value.text.empty()) return false;
  if (value.place.starts_with("credential:")) return true;
  const bool cookie = value.place.starts_with("cookie:");
  return (cookie && is_session_cookie(value.name, value.text)) ||
         ((cookie || value.place.starts_with("header:")) && configured(value.name, session_keys));
}

SessionFinder::SessionFinder(std::vector<std::string> session_keys) : session_keys_(std::move(session_keys)) {}

std::vector<std::uint64_t> SessionFinder::sessions_of(const Exchange& exchange, const std::vector<Value>& values) {
  std::vector<std::uint64_t> found;
  for (const Value& value : values) {
    if (!identifies_a_session({value.place, value.name, value.text, false}, session_keys_)) continue;
    const std::uint64_t name = digest(value.text);
    Session& session = sessions_[name];
    if (session.of_a_service) continue;
    // A connection runs one request at a time, or several of one client: each counts once.
    std::erase_if(session.running, [&](const Running& running) {
      return running.end_ns <= exchange.request_ns || running.connection == exchange.connection;
    });
    session.running.push_back({exchange.connection, exchange.response_end_ns});
    session.of_a_service = session.running.size() > max_session_connections;
    if (session.of_a_service)
      session.running = {};
    else
      found.push_back(name);
  }
  return found;
}

std::optional<std::uint64_t> session_begun_by(const Response& response, const std::vector<std::string>& session_keys) {
  if (response.status < 200 || response.status >= 400) return std::nullopt;
  std::optional<std::uint64_t> session;
  const auto look = [&](const ValueView& value) {
    const bool cookie = value.place.starts_with("set-cookie:") &&
                        (is_session_cookie(value.name, value.text) || configured(value.name, session_keys));
    const bool token = value.place.starts_with("json:") && !value.in_array && names_a_token(value.name) &&
                       holds_without_case(value.name, "token");
    if (!session && (cookie || token)) session = digest(value.text);
  };
  if (may_name_a_token(response))
    visit_values(response, look);
  else
    visit_values(response.headers, look);
  return session;
}

bool may_name_a_token(const Response& response) {
  if (field(response.headers, "Content-Encoding")) return true;
  const std::string_view body = response.body;
  return std::any_of(token_letters.begin(), token_letters.end(), [&](std::string_view part) {
    return memmem(body.data(), body.size(), part.data(), part.size()) != nullptr;
  });
}

bool names_a_token(std::string_view name) {
  return ends_in_word(name, "token") || ends_in_word(name, "nonce") || holds_without_case(name, "cursor") ||
         holds_without_case(name, "csrf");
}

}  // namespace rehearse::replay
