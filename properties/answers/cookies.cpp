#include "properties/answers/cookies.h"

#include <algorithm>
#include <utility>

namespace rehearse::properties {
namespace {

using replay::lower;
using replay::trim;

// Up to the next semicolon, which is taken too; quotes do not keep it together.
std::string_view next_part(std::string_view& rest) {
  const auto end = std::min(rest.find(';'), rest.size());
  const std::string_view part = trim(rest.substr(0, end));
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

std::pair<std::string_view, std::string_view> name_and_value(std::string_view part) {
  const auto equals = std::min(part.find('='), part.size());
  return {trim(part.substr(0, equals)), trim(part.substr(std::min(equals + 1, part.size())))};
}

std::string_view host_of(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  return authority.substr(0, authority.find(':'));
}

void take_attribute(std::string_view part, std::string_view own_host, Cookie& cookie) {
  const auto [name, value] = name_and_value(part);
  const std::string key = lower(name);
  std::string meant(value);
  if (key.empty()) return;
  if (key == "secure" || key == "httponly" || key == "partitioned") meant.clear();
  if (key == "samesite") meant = lower(meant);
  if (key == "domain") {
    meant = lower(meant.starts_with('.') ? meant.substr(1) : meant);
    if (!meant.empty() && meant == own_host) meant = "the service's own host";
  }
  const bool says_nothing = (key == "domain" && meant.empty()) || (key == "path" && !meant.starts_with('/'));
  if (says_nothing) {
    cookie.attributes.erase(key);
  } else {
    cookie.attributes[key] = std::move(meant);
  }
}

}  // namespace

Cookies cookies_of(const replay::Headers& headers, std::string_view own_authority) {
  Cookies cookies;
  for (const auto& header : headers) {
    if (!replay::equal_without_case(header.name, "Set-Cookie")) continue;
    std::string_view rest = header.value;
    const auto [name, value] = name_and_value(next_part(rest));
    Cookie cookie{std::string(value), {}};
    while (!rest.empty()) take_attribute(next_part(rest), host_of(own_authority), cookie);
    const auto attribute = [&](const char* key) {
      const auto found = cookie.attributes.find(key);
      return found == cookie.attributes.end() ? std::string() : found->second;
    };
    auto place = std::pair(attribute("domain"), attribute("path"));
    cookies[std::string(name)][std::move(place)] = std::move(cookie);
  }
  return cookies;
}

}  // namespace rehearse::properties
