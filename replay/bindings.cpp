#include "replay/bindings.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace rehearse::replay {
namespace {

std::uint64_t digest(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

// "application/json": a letter first, one slash, no digit before it.
bool is_media_type(std::string_view text) {
  const auto slash = text.find('/');
  return slash != std::string_view::npos && slash > 0 && text.find('/', slash + 1) == std::string_view::npos &&
         std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(slash),
                     [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; });
}

bool worth_binding(std::string_view value) {
  if (is_integer(value)) {
    std::int64_t number = 0;
    std::from_chars(value.data(), value.data() + value.size(), number);
    return number >= min_bound_integer;
  }
  return value.size() >= min_bound_string_bytes && !value.starts_with('/') &&
         value.find("://") == std::string_view::npos && !is_media_type(value);
}

// Identifiers hold a digit; what holds none is a word that anybody could have chosen: "awaiting_payment".
bool is_word(std::string_view text) { return text.find_first_of("0123456789") == std::string_view::npos; }

std::string_view kind_of(const Place& place) { return std::string_view(place).substr(0, place.find(':')); }

// What a server gives to one client for its next requests, whatever it was asked: cursors, tokens against forgery.
bool names_a_token(std::string_view name) {
  return ends_in_word(name, "token") || ends_in_word(name, "nonce") ||
         lower(name).find("cursor") != std::string::npos || lower(name).find("csrf") != std::string::npos;
}

// Whether the body is worth reading for that: most answers to reads are not, and to look for a few letters is cheap. A name in
// mixed case such as "tOKen" is not found.
bool may_name_a_token(const Response& response) {
  if (field(response.headers, "Content-Encoding")) return true;
  const std::string_view body = response.body;
  for (const std::string_view part : {"oken", "ursor", "once", "srf", "OKEN", "URSOR", "ONCE", "SRF"}) {
    if (memmem(body.data(), body.size(), part.data(), part.size()) != nullptr) return true;
  }
  return false;
}

// Whether the answer's server made the value. A read shows what was there before; only some of it was made for this client.
bool made(const Value& value, bool wrote) {
  const std::string_view kind = kind_of(value.place);
  if (kind == "set-cookie" || kind == "location-query") return true;
  if (kind == "header")
    return equal_without_case(value.name, "ETag") || names_a_token(value.name) || (wrote && names_an_id(value.name));
  if (kind == "location") return wrote && (is_integer(value.text) || !is_word(value.text));
  if (is_integer(value.text)) return wrote && names_an_id(value.name);
  return (wrote && !is_word(value.text)) || (!value.in_array && names_a_token(value.name));
}

// Numbers are believed where only identifiers stand, or under the name of one.
bool may_use(const Value& value) {
  return !is_integer(value.text) || kind_of(value.place) == "path" || names_an_id(value.name);
}

}  // namespace

std::vector<Use> BindingFinder::uses_in(const std::vector<Value>& request) {
  std::vector<Use> uses;
  for (const Value& value : request) {
    if (!may_use(value)) continue;
    const std::uint64_t key = digest(value.text);
    if (const auto source = sources_.find(key); source != sources_.end())
      uses.push_back({value.place, value.text, source->second.step, source->second.place});
    else
      chosen_by_clients_.insert(key);
  }
  return uses;
}

void BindingFinder::answered(StepId step, bool wrote, const Response& response) {
  if (response.status < 200 || response.status >= 400) return;
  const bool whole = wrote || may_name_a_token(response);
  for (Value& value : whole ? values_in(response) : values_in(response.headers)) {
    if (!made(value, wrote) || !worth_binding(value.text)) continue;
    const std::uint64_t key = digest(value.text);
    if (!chosen_by_clients_.contains(key)) sources_.try_emplace(key, Source{step, std::move(value.place)});
  }
}

}  // namespace rehearse::replay
