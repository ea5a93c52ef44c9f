#include "properties/answers/field_values.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <optional>

#include "properties/answers/typed_values.h"

namespace rehearse::properties {
namespace {

using replay::equal_without_case;
using replay::lower;
using replay::trim;

// Lists whose order means nothing.
constexpr std::array<std::string_view, 9> unordered{"Vary",
                                                    "Allow",
                                                    "Accept-Ranges",
                                                    "Accept-Patch",
                                                    "Cache-Control",
                                                    "Content-Language",
                                                    "Access-Control-Allow-Methods",
                                                    "Access-Control-Allow-Headers",
                                                    "Access-Control-Expose-Headers"};
constexpr std::array<std::string_view, 12> without_case{"Vary",
                                                        "Accept-Ranges",
                                                        "Accept-Patch",
                                                        "Cache-Control",
                                                        "Content-Encoding",
                                                        "Content-Language",
                                                        "Access-Control-Allow-Headers",
                                                        "Access-Control-Expose-Headers",
                                                        "X-Frame-Options",
                                                        "X-Content-Type-Options",
                                                        "Referrer-Policy",
                                                        "Strict-Transport-Security"};
constexpr std::array<std::string_view, 3> places{"Location", "Content-Location", "Link"};

template <std::size_t n>
bool one_of(const std::array<std::string_view, n>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(), [&](std::string_view each) { return equal_without_case(each, name); });
}

// Parts between separators that stand outside of quotes, and of angle brackets where these quote too; trimmed, without empty ones.
std::vector<std::string> parts_of(std::string_view text, char separator, bool angles = false) {
  std::vector<std::string> parts;
  std::string part;
  bool quoted = false, in_angles = false;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || (text[i] == separator && !quoted && !in_angles)) {
      if (const auto plain = trim(part); !plain.empty()) parts.emplace_back(plain);
      part.clear();
      continue;
    }
    if (text[i] == '"' && (i == 0 || text[i - 1] != '\\')) quoted = !quoted;
    if (angles && !quoted && (text[i] == '<' || text[i] == '>')) in_angles = text[i] == '<';
    part += text[i];
  }
  return parts;
}

std::string joined(std::vector<std::string> parts, std::string_view by) {
  std::string text;
  for (const std::string& part : parts) {
    if (!text.empty()) text += by;
    text += part;
  }
  return text;
}

std::string sorted_list(std::vector<std::string> parts, std::string_view by) {
  std::sort(parts.begin(), parts.end());
  return joined(std::move(parts), by);
}

std::string without_quotes(std::string_view text) {
  const bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
  return std::string(quoted ? text.substr(1, text.size() - 2) : text);
}

// "/orders/7" of "http://host/orders/7" where that is the service itself, "https:/orders/7" where only the scheme is another one.
std::string without_own_origin(std::string_view place, const Origin& own) {
  const auto scheme = place.find("://");
  if (scheme == std::string_view::npos || own.authority.empty()) return std::string(place);
  const Origin named = origin_of(place);
  if (named.authority != own.authority) return std::string(place);
  const auto behind = place.find_first_of("/?#", scheme + 3);
  std::string rest(behind == std::string_view::npos ? "/" : place.substr(behind));
  if (!rest.starts_with('/')) rest.insert(0, "/");
  return named.scheme == own.scheme ? rest : named.scheme + ":" + rest;
}

// RFC 8288: <place>; name=value; ...
std::string canonical_link(std::string_view value, const Origin& own) {
  std::vector<std::string> links;
  for (const std::string& link : parts_of(value, ',', true)) {
    auto parts = parts_of(link, ';', true);
    for (std::string& part : parts) {
      if (part.starts_with('<') && part.ends_with('>')) {
        part = "<" + without_own_origin(std::string_view(part).substr(1, part.size() - 2), own) + ">";
      } else {
        const auto equals = std::min(part.find('='), part.size());
        const std::string name = lower(trim(std::string_view(part).substr(0, equals)));
        part =
            equals == part.size() ? name : name + "=" + without_quotes(trim(std::string_view(part).substr(equals + 1)));
      }
    }
    if (parts.size() > 1) std::sort(parts.begin() + 1, parts.end());
    links.push_back(joined(std::move(parts), "; "));
  }
  return sorted_list(std::move(links), ", ");
}

// Content Security Policy Level 3, section 2.2: policies between commas, directives between semicolons, of which the first of a name
// counts; the sources of a directive are a set.
std::string canonical_policies(std::string_view value) {
  std::vector<std::string> policies;
  for (const std::string& policy : parts_of(value, ',')) {
    std::map<std::string, std::string> directives;
    for (const std::string& directive : parts_of(policy, ';')) {
      auto words = parts_of(directive, ' ');
      const std::string name = lower(words.front());
      words.erase(words.begin());
      for (std::string& word : words) {
        if (lower(word).starts_with("'nonce-")) word = "'nonce-...'";
      }
      directives.emplace(name, name + " " + sorted_list(std::move(words), " "));
    }
    std::vector<std::string> all;
    for (const auto& [name, directive] : directives) all.push_back(directive);
    policies.push_back(joined(std::move(all), "; "));
  }
  return sorted_list(std::move(policies), ", ");
}

// The dates of old cookies have dashes.
std::optional<std::int64_t> date_in(std::string_view text) {
  std::string spaced(trim(text));
  if (spaced.find(", ") != std::string::npos) std::replace(spaced.begin(), spaced.end(), '-', ' ');
  return moment_in(spaced);
}

}  // namespace

const std::vector<std::string>& contract_headers() {
  static const std::vector<std::string> names{"Content-Type",
                                              "Content-Encoding",
                                              "Content-Language",
                                              "Content-Range",
                                              "Content-Disposition",
                                              "Accept-Ranges",  //
                                              "ETag",
                                              "Last-Modified",
                                              "Cache-Control",
                                              "Expires",
                                              "Vary",  //
                                              "Location",
                                              "Content-Location",
                                              "Link",
                                              "Allow",
                                              "Accept-Patch",
                                              "Retry-After",
                                              "WWW-Authenticate",
                                              "Set-Cookie",  //
                                              "Access-Control-Allow-Origin",
                                              "Access-Control-Allow-Credentials",
                                              "Access-Control-Allow-Methods",
                                              "Access-Control-Allow-Headers",
                                              "Access-Control-Expose-Headers",
                                              "Access-Control-Max-Age",  //
                                              "Strict-Transport-Security",
                                              "Content-Security-Policy",
                                              "X-Frame-Options",
                                              "X-Content-Type-Options",
                                              "Referrer-Policy",
                                              "Permissions-Policy",
                                              "Cross-Origin-Opener-Policy",
                                              "Cross-Origin-Embedder-Policy",
                                              "Cross-Origin-Resource-Policy",
                                              "Deprecation",
                                              "Sunset"};
  return names;
}

Origin origin_of(std::string_view url) {
  const auto end = url.find("://");
  if (end == std::string_view::npos) return {};
  const std::string_view behind = url.substr(end + 3);
  Origin origin{lower(url.substr(0, end)), lower(behind.substr(0, behind.find_first_of("/?#")))};
  const std::string_view usual = origin.scheme == "https" ? ":443" : origin.scheme == "http" ? ":80" : "";
  if (!usual.empty() && origin.authority.ends_with(usual))
    origin.authority.resize(origin.authority.size() - usual.size());
  return origin;
}

std::string canonical_media_type(std::string_view value) {
  auto parts = parts_of(value, ';');
  for (std::string& part : parts) {
    const auto equals = part.find('=');
    const std::string name = lower(trim(std::string_view(part).substr(0, equals)));
    if (name == "boundary" || equals == std::string::npos) {
      part = name;
    } else {
      part = name + "=" + lower(without_quotes(trim(std::string_view(part).substr(equals + 1))));
    }
  }
  if (parts.size() > 1) std::sort(parts.begin() + 1, parts.end());
  return joined(std::move(parts), "; ");
}

std::string canonical_value(std::string_view field, std::string_view value, const Origin& own) {
  if (equal_without_case(field, "Content-Type")) return canonical_media_type(value);
  if (equal_without_case(field, "Link")) return canonical_link(value, own);
  if (names_places(field)) return without_own_origin(trim(value), own);
  if (equal_without_case(field, "Content-Security-Policy") ||
      equal_without_case(field, "Content-Security-Policy-Report-Only"))
    return canonical_policies(value);
  const bool directives = equal_without_case(field, "Strict-Transport-Security");
  std::string text(trim(value));
  if (one_of(without_case, field)) text = lower(text);
  if (directives || one_of(unordered, field)) return sorted_list(parts_of(text, directives ? ';' : ','), ", ");
  return one_of(without_case, field) ? joined(parts_of(text, ','), ", ") : text;
}

bool names_places(std::string_view field) { return one_of(places, field); }

bool same_pieces(
    std::string_view expected, std::string_view observed, std::string_view separators,
    const std::function<bool(std::string_view name, std::string_view expected, std::string_view observed)>& same) {
  std::string_view name = "id";
  for (bool several = false;; several = true) {
    const auto i = expected.find_first_of(separators), j = observed.find_first_of(separators);
    const auto left = expected.substr(0, i), right = observed.substr(0, j);
    if (!same(name, left, right)) return false;
    if (i == std::string_view::npos || j == std::string_view::npos) return i == j && several;
    if (expected[i] != observed[j]) return false;
    name = expected[i] == '=' && left == right ? left : "id";
    expected.remove_prefix(i + 1);
    observed.remove_prefix(j + 1);
  }
}

bool same_time_from_date(std::string_view expected, const replay::Headers& expected_headers, std::string_view observed,
                         const replay::Headers& observed_headers) {
  const auto from_date = [](std::string_view text, const replay::Headers& headers) -> std::optional<std::int64_t> {
    const auto moment = date_in(text), date = date_in(replay::field(headers, "Date").value_or(""));
    return moment && date ? std::optional(*moment - *date) : std::nullopt;
  };
  const auto a = from_date(expected, expected_headers), b = from_date(observed, observed_headers);
  return a && b && std::abs(*a - *b) <= Window::slack_ns;
}

}  // namespace rehearse::properties
