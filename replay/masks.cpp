#include "replay/masks.h"

#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "replay/redaction/rules.h"
#include "replay/sessions.h"

namespace rehearse::replay {
namespace {

std::uint64_t digest(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

// "json:/items/3/token" is called "token".
std::pair<std::string_view, std::string_view> kind_and_name(std::string_view place) {
  const auto colon = std::min(place.find(':'), place.size());
  const auto kind = place.substr(0, colon);
  auto name = place.substr(std::min(colon + 1, place.size()));
  if (kind == "json") name = name.substr(name.rfind('/') + 1);
  return {kind, name};
}

// One name for the places of a list: "json:/items/*/token".
std::string without_indices(std::string_view place) {
  std::string out;
  for (std::size_t at = 0; at < place.size();) {
    const auto slash = std::min(place.find('/', at + 1), place.size());
    const auto part = place.substr(at, slash - at);
    const bool index = part.size() > 1 && part[0] == '/' && part.find_first_not_of("0123456789", 1) == part.npos;
    out += index ? "/*" : part;
    at = slash;
  }
  return out;
}

// What such a request carries is there to be kept: it creates or replaces something.
bool stores(const Exchange& exchange) {
  const int status = exchange.response->status;
  const std::string& method = exchange.request.method;
  return status == 201 || (status / 100 == 2 && (method == "PUT" || method == "PATCH"));
}

}  // namespace

bool is_credential_place(std::string_view place) {
  const auto [kind, name] = kind_and_name(place);
  return kind == "credential" || kind == "cookie" || ((kind != "path" && kind != "body") && names_a_credential(name));
}

Masks::Masks(MaskOptions options) : options_(std::move(options)) {}

bool Masks::minted(std::string_view kind, std::string_view name) const {
  const std::string_view header = kind == "cookie" ? std::string_view("Cookie") : name;
  return (kind == "credential" || kind == "header" || kind == "cookie") &&
         std::any_of(options_.minted.begin(), options_.minted.end(),
                     [&](const std::string& own) { return equal_without_case(own, header); });
}

std::string Masks::reason_to_leave_out(const Exchange& exchange, const std::vector<Value>& values,
                                       const std::vector<Use>& uses) const {
  if (options_.send) return {};
  const int status = exchange.response->status;
  for (const std::string& place : exchange.masked) {
    const auto value = std::find_if(values.begin(), values.end(), [&](const Value& v) { return v.place == place; });
    const bool bound = std::any_of(uses.begin(), uses.end(), [&](const Use& use) { return use.at == place; });
    if (bound || value == values.end() || kept_.contains(digest(value->text))) continue;
    const auto [kind, name] = kind_and_name(place);
    const bool cookie = kind == "cookie";
    const bool proof = cookie ? identifies_a_session({value->place, value->name, value->text}, options_.session_keys)
                              : is_credential_place(place);
    const bool of_body = kind == "json" || kind == "form";
    if (proof) {
      if (status == 401 || status == 403 || minted(kind, name) || (of_body && stores(exchange))) continue;
      return fmt::format("not replayable: {} is masked, and no answer gave it", without_indices(place));
    }
    if ((kind == "path" || kind == "query") && status != 404 && status != 410)
      return fmt::format("not replayable: what {} asks for is masked, and nothing before gave it", place);
  }
  return {};
}

std::vector<std::uint64_t> Masks::given_in(const Exchange& exchange, const std::vector<Value>& values) {
  std::vector<std::uint64_t> given;
  if (exchange.response->status / 100 != 2) return given;
  for (const std::string& place : exchange.masked) {
    const auto kind = kind_and_name(place).first;
    // A login carries a password, too, and gives nothing to keep.
    if ((kind != "json" && kind != "form") || (is_credential_place(place) && !stores(exchange))) continue;
    for (const Value& value : values) {
      if (value.place == place) given.push_back(digest(value.text));
    }
  }
  return given;
}

}  // namespace rehearse::replay
