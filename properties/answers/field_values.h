// What the values of fields mean: one spelling for all that say the same (RFC 9110, and the documents that define the others).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "replay/http/message.h"

namespace rehearse::properties {

// The fields that clients act upon, compared where the configuration names no others: representation, caching, places, negotiation,
// authentication, cookies, CORS and what browsers are told for security. Not among them is what is of the server and the moment:
// Date, Age, Server, Via, Content-Length, and what a service made up for itself.
[[nodiscard]] const std::vector<std::string>& contract_headers();

// Where a service was spoken to. Without a URL both are empty.
struct Origin {
  std::string scheme, authority;  // "https", "shop:8443"; the port only when it is not the scheme's
  friend bool operator==(const Origin&, const Origin&) = default;
};
[[nodiscard]] Origin origin_of(std::string_view url);

// The value in its one spelling. An own origin is taken off the places that Location, Content-Location and Link name; when only the
// scheme is another one, that stays: a place behind http is not the one behind https. A boundary and the nonces of
// Content-Security-Policy are drawn by the server, and only that they are there is kept.
[[nodiscard]] std::string canonical_value(std::string_view field, std::string_view value, const Origin& own);

// "text/html; charset=utf-8" however it is written.
[[nodiscard]] std::string canonical_media_type(std::string_view value);

// True for Location, Content-Location and Link.
[[nodiscard]] bool names_places(std::string_view field);

// True when two values consist of several pieces between the same separators, and `same` holds for each two that stand in one place.
// It is given a name for them: "id", or that of the parameter whose value they are.
[[nodiscard]] bool same_pieces(
    std::string_view expected, std::string_view observed, std::string_view separators,
    const std::function<bool(std::string_view name, std::string_view expected, std::string_view observed)>& same);

// True when two moments lie equally far behind the Date of their answers, to Window::slack_ns: "for an hour", said twice.
[[nodiscard]] bool same_time_from_date(std::string_view expected, const replay::Headers& expected_headers,
                                       std::string_view observed, const replay::Headers& observed_headers);

}  // namespace rehearse::properties
