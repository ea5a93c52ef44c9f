#include "properties/answers/headers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "properties/answers/cookies.h"
#include "properties/answers/limits.h"
#include "properties/answers/media.h"

namespace rehearse::properties {
namespace {

using Kind = Difference::Kind;
using replay::equal_without_case;
using replay::Headers;

constexpr std::array<std::string_view, 2> set_off_from_now{"Expires", "Retry-After"};

// Every value of a field, as RFC 9110 section 5.3 joins them.
std::optional<std::string> whole_field(const Headers& headers, std::string_view name) {
  std::optional<std::string> whole;
  for (const auto& header : headers) {
    if (equal_without_case(header.name, name)) whole = whole ? *whole + ", " + header.value : header.value;
  }
  return whole;
}

class HeaderComparer {
 public:
  HeaderComparer(const Headers& expected, const Headers& observed, const ComparedHeaders& what, Differences& out)
      : expected_(expected), observed_(observed), what_(what), out_(out) {}

  void compare() {
    const bool one_origin = what_.expected_own == what_.observed_own;
    // The same text names two places where two services are spoken to.
    const auto any_place = [](const auto& header) { return names_places(header.name); };
    if (expected_ == observed_ && (one_origin || std::none_of(expected_.begin(), expected_.end(), any_place))) return;
    for (const std::string& name : what_.names) {
      if (equal_without_case(name, "Set-Cookie")) {
        compare_cookies();
        continue;
      }
      const auto left = whole_field(expected_, name), right = whole_field(observed_, name);
      const std::string path = "header " + name;
      if (left && !right) out_.add({Kind::missing, path, shown(*left), "", ""});
      if (!left && right) out_.add({Kind::extra, path, "", shown(*right), ""});
      if (left && right && !same(name, *left, *right)) out_.add({Kind::value, path, shown(*left), shown(*right), ""});
    }
  }

 private:
  [[nodiscard]] bool stand_for_each_other(std::string_view name, const std::string& a, const std::string& b) const {
    return a == b || (what_.how.same && what_.how.same(name, false, a, b));
  }

  [[nodiscard]] bool same(const std::string& name, const std::string& a, const std::string& b) const {
    const bool places = names_places(name);
    if (!places && stand_for_each_other(name, a, b)) return true;
    const bool from_now = std::any_of(set_off_from_now.begin(), set_off_from_now.end(),
                                      [&](std::string_view each) { return equal_without_case(each, name); });
    if (from_now && same_time_from_date(a, expected_, b, observed_)) return true;
    const auto left = canonical_value(name, a, what_.expected_own),
               right = canonical_value(name, b, what_.observed_own);
    // A path has several segments; what stands alone is judged by its field's name.
    return left == right || same_pieces(left, right, places ? "/?&=#<>;, " : "/",
                                        [this](std::string_view key, std::string_view x, std::string_view y) {
                                          return x == y || stand_for_each_other(key, std::string(x), std::string(y));
                                        });
  }

  void compare_cookies() {
    static const Cookies::mapped_type nothing;
    const auto left = cookies_of(expected_, what_.expected_own.authority);
    const auto right = cookies_of(observed_, what_.observed_own.authority);
    std::set<std::string> names;
    for (const auto* side : {&left, &right})
      for (const auto& [name, cookies] : *side) names.insert(name);
    for (const std::string& name : names) {
      const auto l = left.find(name), r = right.find(name);
      compare_cookies_named(name, l == left.end() ? nothing : l->second, r == right.end() ? nothing : r->second);
    }
  }

  void compare_cookies_named(const std::string& name, const Cookies::mapped_type& left,
                             const Cookies::mapped_type& right) {
    const auto path = [&](std::int64_t number) { return "header Set-Cookie" + member_text(name, number); };
    // Where each sets one they are the same one, and its place is an attribute like others.
    if (left.size() == 1 && right.size() == 1)
      return compare_cookie(name, path(1), left.begin()->second, right.begin()->second);
    std::set<std::pair<std::string, std::string>> places;
    for (const auto* side : {&left, &right})
      for (const auto& [place, cookie] : *side) places.insert(place);
    std::int64_t number = 0;
    for (const auto& place : places) {
      const auto l = left.find(place), r = right.find(place);
      ++number;
      if (r == right.end()) {
        out_.add({Kind::missing, path(number), shown(l->second), "", ""});
      } else if (l == left.end()) {
        out_.add({Kind::extra, path(number), "", shown(r->second), ""});
      } else {
        compare_cookie(name, path(number), l->second, r->second);
      }
    }
  }

  static std::string shown(const std::string& value) {
    if (value.size() <= answer_limits::shown_bytes) return value;
    return fmt::format("{}... ({} bytes)", std::string_view(value).substr(0, answer_limits::shown_bytes), value.size());
  }

  static std::string shown(const Cookie& cookie) {
    std::string text = digest_text(cookie.value);
    for (const auto& [name, value] : cookie.attributes) text += "; " + name + (value.empty() ? "" : "=" + value);
    return shown(text);
  }

  void compare_cookie(const std::string& name, const std::string& path, const Cookie& left, const Cookie& right) {
    if (!stand_for_each_other(name, left.value, right.value))
      out_.add({Kind::value, path + ".value", digest_text(left.value), digest_text(right.value), ""});
    const auto written = [](const std::string& attribute, const std::string& value) {
      return value.empty() ? attribute : value;
    };
    for (const auto& [attribute, value] : left.attributes) {
      const auto other = right.attributes.find(attribute);
      const std::string place = path + member_text(attribute);
      if (other == right.attributes.end()) {
        out_.add({Kind::missing, place, shown(written(attribute, value)), "", ""});
      } else if (value != other->second &&
                 !(attribute == "expires" && same_time_from_date(value, expected_, other->second, observed_))) {
        out_.add({Kind::value, place, shown(value), shown(other->second), ""});
      }
    }
    for (const auto& [attribute, value] : right.attributes) {
      if (!left.attributes.contains(attribute))
        out_.add({Kind::extra, path + member_text(attribute), "", shown(written(attribute, value)), ""});
    }
  }

  const Headers& expected_;
  const Headers& observed_;
  const ComparedHeaders& what_;
  Differences& out_;
};

}  // namespace

void compare_headers(const Headers& expected, const Headers& observed, const ComparedHeaders& what, Differences& out) {
  HeaderComparer(expected, observed, what, out).compare();
}

}  // namespace rehearse::properties
