#include "properties/answers/headers.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>

#include "properties/answers/media.h"

namespace rehearse::properties {
namespace {

using Kind = Difference::Kind;
using replay::equal_without_case;
using replay::Headers;
using replay::lower;
using replay::trim;

constexpr std::array<std::string_view, 5> unordered{"Vary", "Allow", "Accept-Ranges", "Cache-Control", "Link"};
constexpr std::array<std::string_view, 4> without_case{"Vary", "Accept-Ranges", "Cache-Control", "Content-Encoding"};

template <std::size_t n>
bool one_of(const std::array<std::string_view, n>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(), [&](std::string_view each) { return equal_without_case(each, name); });
}

// Every value of a field, as RFC 9110 section 5.3 joins them.
std::optional<std::string> whole_field(const Headers& headers, std::string_view name) {
  std::optional<std::string> whole;
  for (const auto& header : headers) {
    if (equal_without_case(header.name, name)) whole = whole ? *whole + ", " + header.value : header.value;
  }
  return whole;
}

// Parts between separators that stand outside of quotes, trimmed.
std::vector<std::string> parts_of(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::string part;
  bool quoted = false;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || (text[i] == separator && !quoted)) {
      if (const auto plain = trim(part); !plain.empty()) parts.emplace_back(plain);
      part.clear();
      continue;
    }
    if (text[i] == '"' && (i == 0 || text[i - 1] != '\\')) quoted = !quoted;
    part += text[i];
  }
  return parts;
}

std::string joined(const std::vector<std::string>& parts, std::string_view by) {
  std::string text;
  for (const std::string& part : parts) {
    if (!text.empty()) text += by;
    text += part;
  }
  return text;
}

// "text/html; charset=utf-8" however it is written.
std::string media_type(std::string_view field) {
  auto parts = parts_of(field, ';');
  for (std::string& part : parts) {
    const std::string name = lower(trim(std::string_view(part).substr(0, part.find('='))));
    std::string value = part.find('=') == std::string::npos ? "" : part.substr(part.find('=') + 1);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    part = name == "boundary" ? "boundary" : part.find('=') == std::string::npos ? name : name + "=" + lower(value);
  }
  if (parts.size() > 1) std::sort(parts.begin() + 1, parts.end());
  return joined(parts, "; ");
}

// The one spelling of fields whose values mean the same in several.
std::string canonical(std::string_view name, const std::string& value) {
  if (equal_without_case(name, "Content-Type")) return media_type(value);
  auto parts = parts_of(value, ',');
  if (one_of(without_case, name)) {
    for (std::string& part : parts) part = lower(part);
  }
  if (one_of(unordered, name)) std::sort(parts.begin(), parts.end());
  return one_of(without_case, name) || one_of(unordered, name) ? joined(parts, ", ") : std::string(trim(value));
}

// "/orders/7" of "http://host/orders/7" where `host` is the service itself.
std::string_view without_own_host(std::string_view url, std::string_view host) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos || host.empty()) return url;
  const std::string_view behind = url.substr(scheme + 3);
  if (!equal_without_case(behind.substr(0, host.size()), host)) return url;
  const std::string_view rest = behind.substr(host.size());
  return rest.empty() || rest.front() == '/' || rest.front() == '?' ? rest : url;
}

class HeaderComparer {
 public:
  HeaderComparer(const ComparedHeaders& what, Differences& out) : what_(what), out_(out) {}

  void compare(const Headers& expected, const Headers& observed) {
    if (expected == observed) return;
    for (const std::string& name : what_.names) {
      if (replay::hop_by_hop(name)) continue;
      if (equal_without_case(name, "Set-Cookie")) {
        compare_cookies(expected, observed);
        continue;
      }
      const auto left = whole_field(expected, name), right = whole_field(observed, name);
      const std::string path = "header " + name;
      if (left && !right) out_.add({Kind::missing, path, *left, "", ""});
      if (!left && right) out_.add({Kind::extra, path, "", *right, ""});
      if (left && right && !same(name, *left, *right)) out_.add({Kind::value, path, *left, *right, ""});
    }
  }

 private:
  [[nodiscard]] bool stand_for_each_other(std::string_view name, const std::string& a, const std::string& b) const {
    return a == b || (what_.how.same && what_.how.same(name, false, a, b));
  }

  [[nodiscard]] bool same(const std::string& name, const std::string& a, const std::string& b) const {
    if (a == b || canonical(name, a) == canonical(name, b) || stand_for_each_other(name, a, b)) return true;
    if (!equal_without_case(name, "Location") && !equal_without_case(name, "Content-Location")) {
      return same_segments(a, b);
    }
    return same_segments(std::string(without_own_host(a, what_.expected_host)),
                         std::string(without_own_host(b, what_.observed_host)));
  }

  [[nodiscard]] bool same_segments(const std::string& a, const std::string& b) const {
    const auto left = split(a), right = split(b);
    // A path has several segments; what stands alone is judged by its field's name.
    return left.size() == right.size() && left.size() > 1 &&
           std::equal(left.begin(), left.end(), right.begin(),
                      [this](const std::string& x, const std::string& y) { return stand_for_each_other("id", x, y); });
  }

  static std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts(1);
    for (const char c : text) c == '/' ? parts.emplace_back() : parts.back() += c;
    return parts;
  }

  // Cookies by name: the value, which is a secret and shown as a digest, and the attributes in any order.
  struct Cookie {
    std::string value, attributes;
  };
  static std::map<std::string, Cookie> cookies_of(const Headers& headers) {
    std::map<std::string, Cookie> cookies;
    for (const auto& header : headers) {
      if (!equal_without_case(header.name, "Set-Cookie")) continue;
      auto parts = parts_of(header.value, ';');
      if (parts.empty()) continue;
      const auto equals = std::min(parts.front().find('='), parts.front().size());
      const std::string name = parts.front().substr(0, equals);
      const std::string value = parts.front().substr(std::min(equals + 1, parts.front().size()));
      parts.erase(parts.begin());
      for (std::string& part : parts) part = lower(part);
      std::sort(parts.begin(), parts.end());
      cookies[name] = {value, joined(parts, "; ")};
    }
    return cookies;
  }

  void compare_cookies(const Headers& expected, const Headers& observed) {
    const auto left = cookies_of(expected), right = cookies_of(observed);
    for (const auto& [name, cookie] : left) {
      const std::string path = "header Set-Cookie" + member_text(name);
      const auto other = right.find(name);
      if (other == right.end()) {
        out_.add({Kind::missing, path, digest_text(cookie.value), "", ""});
        continue;
      }
      if (!stand_for_each_other(name, cookie.value, other->second.value))
        out_.add({Kind::value, path, digest_text(cookie.value), digest_text(other->second.value), ""});
      if (cookie.attributes != other->second.attributes)
        out_.add({Kind::value, path + ".attributes", cookie.attributes, other->second.attributes, ""});
    }
    for (const auto& [name, cookie] : right) {
      if (!left.contains(name))
        out_.add({Kind::extra, "header Set-Cookie" + member_text(name), "", digest_text(cookie.value), ""});
    }
  }

  const ComparedHeaders& what_;
  Differences& out_;
};

}  // namespace

void compare_headers(const Headers& expected, const Headers& observed, const ComparedHeaders& what, Differences& out) {
  HeaderComparer(what, out).compare(expected, observed);
}

}  // namespace rehearse::properties
