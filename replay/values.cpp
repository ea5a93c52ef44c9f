#include "replay/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cctype>
#include <charconv>
#include <functional>

namespace rehearse::replay {
namespace {

namespace json = boost::json;

std::vector<std::string_view> segments(std::string_view path) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 1; at <= path.size();) {
    const auto slash = std::min(path.find('/', at), path.size());
    parts.push_back(path.substr(at, slash - at));
    at = slash + 1;
  }
  return parts;
}

// The path of an absolute or relative URL.
std::string_view path_of_url(std::string_view url) {
  if (const auto scheme = url.find("://"); scheme != std::string_view::npos) {
    const auto slash = url.find('/', scheme + 3);
    url = slash == std::string_view::npos ? std::string_view("/") : url.substr(slash);
  }
  return path_of(url);
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (unsigned char c : text) {
    if (std::isalnum(c) || std::string_view("-._~").find(static_cast<char>(c)) != std::string_view::npos) {
      out += static_cast<char>(c);
    } else {
      out += fmt::format("%{:02X}", c);
    }
  }
  return out;
}

std::optional<json::value> parsed(const Headers& headers, const std::string& body, json::storage_ptr memory = {}) {
  if (body.empty() || !is_json(headers)) return std::nullopt;
  std::optional<std::string> decoded;
  if (field(headers, "Content-Encoding")) {
    decoded = decoded_body(headers, body);
    if (!decoded) return std::nullopt;
  }
  boost::system::error_code error;
  json::value value = json::parse(decoded ? *decoded : body, error, std::move(memory));
  if (error) return std::nullopt;
  return value;
}

std::optional<std::string> text_of(const json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_int64()) return std::to_string(value.get_int64());
  if (value.is_uint64()) return std::to_string(value.get_uint64());
  return std::nullopt;
}

void append_escaped(std::string& out, std::string_view key) {  // RFC 6901, section 3
  for (char c : key) {
    if (c == '~' || c == '/')
      out += c == '~' ? "~0" : "~1";
    else
      out += c;
  }
}

std::string escaped(std::string_view key) {
  std::string out;
  append_escaped(out, key);
  return out;
}

// Documents nested deeper hold nothing that a request would name.
constexpr int max_depth = 32;

// Walks over a document with one place that grows and shrinks.
class Leaves {
 public:
  explicit Leaves(const VisitValue& visit) : visit_(visit) {}

  void visit(const json::value& value, std::string_view key = {}, bool in_array = false, int depth = 0) {
    if (depth > max_depth) return;
    const std::size_t here = place_.size();
    if (const auto* object = value.if_object()) {
      for (const auto& [name, member] : *object) {
        place_ += '/';
        append_escaped(place_, name);
        visit(member, name, in_array, depth + 1);
        place_.resize(here);
      }
    } else if (const auto* array = value.if_array()) {
      for (std::size_t i = 0; i < array->size(); ++i) {
        fmt::format_to(std::back_inserter(place_), "/{}", i);
        visit((*array)[i], key, true, depth + 1);
        place_.resize(here);
      }
    } else if (const auto* text = value.if_string()) {
      visit_({place_, key, *text, in_array});
    } else if (value.is_int64() || value.is_uint64()) {
      const std::string number = *text_of(value);  // short enough to need no memory
      visit_({place_, key, number, in_array});
    }
  }

 private:
  const VisitValue& visit_;
  std::string place_ = "json:";
};

// A number as JSON writes it.
bool json_integer(const std::string& text) {
  std::int64_t small = 0;
  std::uint64_t large = 0;
  const char* end = text.data() + text.size();
  if (std::from_chars(text.data(), end, small).ptr == end && std::to_string(small) == text) return true;
  return std::from_chars(text.data(), end, large).ptr == end && std::to_string(large) == text;
}

// Where a value begins and ends in a text that was parsed before, so that it can be replaced and everything else stays as it was
// sent: a parsed and printed document has other spaces, and other digits in its numbers.
class JsonText {
 public:
  explicit JsonText(std::string_view text) : text_(text) {}

  [[nodiscard]] std::optional<std::pair<std::size_t, std::size_t>> range_of(std::string_view pointer) const {
    std::size_t at = behind_space(0);
    while (!pointer.empty()) {
      const auto end = std::min(pointer.find('/', 1), pointer.size());
      const auto found = member(at, pointer.substr(1, end - 1));
      if (!found) return std::nullopt;
      at = *found;
      pointer.remove_prefix(end);
    }
    return std::pair(at, behind_value(at));
  }

 private:
  [[nodiscard]] std::size_t behind_space(std::size_t at) const {
    while (at < text_.size() && std::string_view(" \t\r\n").find(text_[at]) != std::string_view::npos) ++at;
    return at;
  }

  [[nodiscard]] std::size_t behind_value(std::size_t at) const {
    int depth = 0;
    do {
      if (text_[at] == '"') {
        for (++at; text_[at] != '"'; ++at) at += text_[at] == '\\';
        ++at;
      } else if (text_[at] == '{' || text_[at] == '[') {
        ++depth;
        ++at;
      } else if (text_[at] == '}' || text_[at] == ']') {
        --depth;
        ++at;
      } else if (depth > 0) {
        ++at;
      } else {
        at = std::min(text_.find_first_of(",]} \t\r\n", at), text_.size());
      }
    } while (depth > 0);
    return at;
  }

  // The place of a member's value; of a name that stands twice the last, which is the one that the parser kept.
  [[nodiscard]] std::optional<std::size_t> member(std::size_t at, std::string_view token) const {
    const bool object = text_[at] == '{';
    if (!object && text_[at] != '[') return std::nullopt;
    std::optional<std::size_t> found;
    std::size_t index = 0;
    for (at = behind_space(at + 1); text_[at] != '}' && text_[at] != ']'; ++index) {
      bool wanted = token == std::to_string(index);
      if (object) {
        const auto end = behind_value(at);
        wanted = token == escaped(std::string_view(json::parse(text_.substr(at, end - at)).as_string()));
        at = behind_space(behind_space(end) + 1);  // behind the colon
      }
      if (wanted) found = at;
      at = behind_space(behind_value(at));
      if (text_[at] == ',') at = behind_space(at + 1);
    }
    return found;
  }

  std::string_view text_;
};

struct QueryField {
  std::string_view name;
  std::string_view value;  // as sent
  std::size_t at = 0;      // of the value, within the target
};

void visit_leaves(const Headers& headers, const std::string& body, const VisitValue& visit) {
  std::array<unsigned char, 8192> enough_for_most;
  json::monotonic_resource memory(enough_for_most.data(), enough_for_most.size());
  if (const auto document = parsed(headers, body, &memory)) Leaves(visit).visit(*document);
}

bool is_form(const Headers& headers) {
  const auto type = field(headers, "Content-Type");
  return type && lower(*type).starts_with("application/x-www-form-urlencoded");
}

// Fields of a query or of a form, which begins at `at` of the text.
std::vector<QueryField> fields_of(std::string_view text, std::size_t at) {
  std::vector<QueryField> fields;
  while (at <= text.size()) {
    const auto end = std::min(text.find('&', at), text.size());
    const auto field = text.substr(at, end - at);
    const auto equals = std::min(field.find('='), field.size());
    const auto value_at = std::min(equals + 1, field.size());
    fields.push_back({field.substr(0, equals), field.substr(value_at), at + value_at});
    at = end + 1;
  }
  return fields;
}

std::vector<QueryField> query_fields(std::string_view target) {
  const auto mark = target.find('?');
  return mark == std::string_view::npos ? std::vector<QueryField>{} : fields_of(target, mark + 1);
}

// In a form a plus is a space (URL Standard, section 5.1).
std::string form_decoded(std::string_view text) {
  std::string plain(text);
  std::replace(plain.begin(), plain.end(), '+', ' ');
  return percent_decoded(plain);
}

// Name and value of each cookie of a Cookie header (RFC 6265, section 4.2.1), with the place of the value.
std::vector<QueryField> cookies_of(std::string_view header) {
  std::vector<QueryField> cookies;
  for (std::size_t at = 0; at < header.size();) {
    const auto end = std::min(header.find(';', at), header.size());
    const auto begin = std::min(header.find_first_not_of(' ', at), end);
    const auto equals = header.substr(begin, end - begin).find('=');
    if (equals != std::string_view::npos)
      cookies.push_back({header.substr(begin, equals), header.substr(begin + equals + 1, end - begin - equals - 1),
                         begin + equals + 1});
    at = end + 1;
  }
  return cookies;
}

// What stands behind the scheme of a credential: "Bearer abc" (RFC 9110, section 11.4).
std::size_t credential_at(std::string_view header) {
  const auto space = header.find(' ');
  return space == std::string_view::npos ? 0 : std::min(header.find_first_not_of(' ', space), header.size());
}

// Headers that say something about the client or the connection, and no value that a server made.
bool describes_the_client(std::string_view name) {
  static constexpr std::array<std::string_view, 12> names{"Host",   "User-Agent", "Date",       "Origin",
                                                          "Accept", "Connection", "Keep-Alive", "Transfer-Encoding",
                                                          "Expect", "Upgrade",    "TE",         "Trailer"};
  const auto starts = [&](std::string_view with) { return equal_without_case(name.substr(0, with.size()), with); };
  return starts("accept-") || starts("content-") || starts("sec-") || hop_by_hop(name) ||
         std::any_of(names.begin(), names.end(), [&](std::string_view n) { return equal_without_case(n, name); });
}

std::pair<std::string_view, std::string_view> split(const Place& place) {
  const auto colon = std::min(place.find(':'), place.size());
  return {std::string_view(place).substr(0, colon), std::string_view(place).substr(std::min(colon + 1, place.size()))};
}

bool ends_without_case(std::string_view text, std::string_view with) {
  return text.size() >= with.size() && equal_without_case(text.substr(text.size() - with.size()), with);
}

bool is_index(std::string_view text) {
  return !text.empty() && text.size() <= 4 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_pointer(std::string_view text) { return text.empty() || text.starts_with('/'); }

bool is_token(std::string_view name) {  // RFC 9110, section 5.6.2
  return unsendable(Request{"GET", "/", {{std::string(name), ""}}, ""}).empty();
}

std::optional<std::string> segment_at(std::string_view path, std::string_view index_text) {
  std::size_t index = 0;
  std::from_chars(index_text.data(), index_text.data() + index_text.size(), index);
  const auto parts = segments(path);
  if (index >= parts.size()) return std::nullopt;
  return percent_decoded(parts[index]);
}

template <typename Decode>
std::optional<std::string> field_at(const std::vector<QueryField>& fields, std::string_view name, Decode decode) {
  for (const QueryField& field : fields) {
    if (field.name == name) return decode(field.value);
  }
  return std::nullopt;
}

std::optional<std::string> json_at(const Headers& headers, const std::string& body, std::string_view pointer) {
  const auto document = parsed(headers, body);
  if (!document) return std::nullopt;
  boost::system::error_code error;
  const json::value* leaf = document->find_pointer(pointer, error);
  if (error || leaf == nullptr) return std::nullopt;
  return text_of(*leaf);
}

}  // namespace

bool is_request_place(const Place& place) {
  const auto [kind, name] = split(place);
  if (kind == "path") return is_index(name);
  if (kind == "json") return is_pointer(name);
  if (kind == "header" || kind == "credential") return is_token(name) && !hop_by_hop(name);
  return (kind == "query" || kind == "form" || kind == "cookie") && place.size() > kind.size();
}

bool is_answer_place(const Place& place) {
  const auto [kind, name] = split(place);
  if (kind == "location") return is_index(name);
  if (kind == "json") return is_pointer(name);
  if (kind == "header") return is_token(name);
  return (kind == "location-query" || kind == "set-cookie") && place.size() > kind.size();
}

bool identifies_in_path(std::string_view text) {
  const auto digits =
      static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }));
  const bool version = text.size() > 1 && (text[0] == 'v' || text[0] == 'V') &&
                       text.find_first_not_of("0123456789.", 1) == std::string_view::npos;
  return digits > 0 && !version && (digits * 3 >= text.size() || text.size() >= 16);
}

std::string_view collection_of(std::string_view path) {
  while (!path.empty()) {
    const auto slash = path.rfind('/');
    const auto segment = path.substr(slash == std::string_view::npos ? 0 : slash + 1);
    if (!segment.empty() && !identifies_in_path(segment)) return segment;
    path = path.substr(0, slash == std::string_view::npos ? 0 : slash);
  }
  return {};
}

std::string entity_name(std::string_view name) {
  std::string small = lower(name);
  const auto singular = [&] {
    if (small.size() > 4 && small.ends_with("ies")) {
      small.replace(small.size() - 3, 3, "y");
    } else if (small.ends_with("sses") || small.ends_with("xes") || small.ends_with("ches") ||
               small.ends_with("shes")) {
      small.resize(small.size() - 2);
    } else if (small.ends_with('s') && !small.ends_with("ss")) {
      small.pop_back();
    }
  };
  singular();
  if (names_an_id(name)) {
    for (const std::string_view word : {"uuid", "guid", "id"}) {
      if (!small.ends_with(word)) continue;
      small.resize(small.size() - word.size());
      while (small.ends_with('_') || small.ends_with('-')) small.pop_back();
      singular();
      break;
    }
  }
  return small;
}

bool is_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return !text.empty() && error == std::errc() && rest == text.data() + text.size();
}

bool ends_in_word(std::string_view key, std::string_view word) {
  if (key.ends_with('s')) key.remove_suffix(1);
  if (!ends_without_case(key, word)) return false;
  if (key.size() == word.size()) return true;
  const auto first = static_cast<unsigned char>(key[key.size() - word.size()]);
  return !std::isalnum(static_cast<unsigned char>(key[key.size() - word.size() - 1])) || std::isupper(first);
}

bool holds_without_case(std::string_view text, std::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(), [](char c, char small) {
           return (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) == small;
         }) != text.end();
}

bool names_an_id(std::string_view key) {
  return ends_in_word(key, "id") || ends_without_case(key, "uuid") || ends_without_case(key, "guid");
}

std::vector<Value> values_in(const Request& request) {
  std::vector<Value> values;
  const auto parts = segments(path_of(request.target));
  for (std::size_t i = 0; i < parts.size(); ++i)
    values.push_back({fmt::format("path:{}", i), std::string(i > 0 ? parts[i - 1] : ""), percent_decoded(parts[i])});
  for (const QueryField& field : query_fields(request.target))
    values.push_back({fmt::format("query:{}", field.name), std::string(field.name), percent_decoded(field.value)});
  for (const Header& header : request.headers) {
    if (equal_without_case(header.name, "Cookie")) {
      for (const QueryField& cookie : cookies_of(header.value))
        values.push_back({fmt::format("cookie:{}", cookie.name), std::string(cookie.name), std::string(cookie.value)});
    } else if (equal_without_case(header.name, "Authorization")) {
      values.push_back({"credential:Authorization", header.name, header.value.substr(credential_at(header.value))});
    } else if (!describes_the_client(header.name)) {
      values.push_back({"header:" + header.name, header.name, header.value});
    }
  }
  if (is_form(request.headers)) {
    const std::string body = decoded_body(request.headers, request.body).value_or("");
    for (const QueryField& field : fields_of(body, 0))
      values.push_back({fmt::format("form:{}", field.name), std::string(field.name), form_decoded(field.value)});
  } else {
    visit_leaves(request.headers, request.body, [&](const ValueView& value) {
      values.push_back({std::string(value.place), std::string(value.name), std::string(value.text), value.in_array});
    });
  }
  return values;
}

void visit_values(const Headers& of_an_answer, const VisitValue& visit) {
  for (const Header& header : of_an_answer) {
    if (equal_without_case(header.name, "Location")) {
      const auto parts = segments(path_of_url(header.value));
      for (std::size_t i = 0; i < parts.size(); ++i)
        visit({fmt::format("location:{}", i), i > 0 ? parts[i - 1] : std::string_view(), percent_decoded(parts[i])});
      for (const QueryField& field : query_fields(header.value))
        visit({fmt::format("location-query:{}", field.name), field.name, percent_decoded(field.value)});
    } else if (equal_without_case(header.name, "Set-Cookie")) {
      const auto cookies = cookies_of(std::string_view(header.value).substr(0, header.value.find(';')));
      if (!cookies.empty()) visit({fmt::format("set-cookie:{}", cookies[0].name), cookies[0].name, cookies[0].value});
    } else if (!describes_the_client(header.name)) {
      visit({"header:" + header.name, header.name, header.value});
    }
  }
}

void visit_values(const Response& response, const VisitValue& visit) {
  visit_values(response.headers, visit);
  visit_leaves(response.headers, response.body, visit);
}

std::optional<std::string> value_at(const Response& response, const Place& place) {
  const auto [kind, name] = split(place);
  if (kind == "json") return json_at(response.headers, response.body, name);
  if (kind == "header") {
    const auto value = field(response.headers, name);
    return value ? std::optional(std::string(*value)) : std::nullopt;
  }
  const auto location = field(response.headers, "Location");
  if (kind == "location") return location ? segment_at(path_of_url(*location), name) : std::nullopt;
  if (kind == "location-query")
    return location ? field_at(query_fields(*location), name, percent_decoded) : std::nullopt;
  if (kind == "set-cookie") {
    std::optional<std::string> value;  // the last one counts (RFC 6265, section 5.3)
    for (const Header& header : response.headers) {
      if (!equal_without_case(header.name, "Set-Cookie")) continue;
      const auto cookies = cookies_of(std::string_view(header.value).substr(0, header.value.find(';')));
      if (!cookies.empty() && cookies[0].name == name) value = std::string(cookies[0].value);
    }
    return value;
  }
  return std::nullopt;
}

std::optional<std::string> value_at(const Request& request, const Place& place) {
  const auto [kind, name] = split(place);
  if (kind == "json") return json_at(request.headers, request.body, name);
  if (kind == "path") return segment_at(path_of(request.target), name);
  if (kind == "header") {
    const auto value = field(request.headers, name);
    return value ? std::optional(std::string(*value)) : std::nullopt;
  }
  if (kind == "query") return field_at(query_fields(request.target), name, percent_decoded);
  if (kind == "form") {
    const std::string body = decoded_body(request.headers, request.body).value_or("");
    return field_at(fields_of(body, 0), name, form_decoded);
  }
  if (kind == "cookie") {
    for (const Header& header : request.headers) {
      if (!equal_without_case(header.name, "Cookie")) continue;
      for (const QueryField& cookie : cookies_of(header.value)) {
        if (cookie.name == name) return std::string(cookie.value);
      }
    }
  }
  if (kind == "credential") {
    const auto value = field(request.headers, name);
    return value ? std::optional(std::string(value->substr(credential_at(*value)))) : std::nullopt;
  }
  return std::nullopt;
}

void put(Request& request, const Place& place, const std::string& old, const std::string& value) {
  if (old == value) return;
  const auto [kind, name] = split(place);
  if (kind == "header") {
    set_field(request.headers, name, value);
  } else if (kind == "path") {
    std::size_t index = 0;
    std::from_chars(name.data(), name.data() + name.size(), index);
    const auto parts = segments(path_of(request.target));
    if (index >= parts.size()) return;
    const auto at = static_cast<std::size_t>(parts[index].data() - request.target.data());
    request.target.replace(at, parts[index].size(), percent_encoded(value));
  } else if (kind == "query") {
    for (const QueryField& field : query_fields(request.target)) {
      if (field.name != name || percent_decoded(field.value) != old) continue;
      request.target.replace(field.at, field.value.size(), percent_encoded(value));
      return;
    }
  } else if (kind == "cookie") {
    for (Header& header : request.headers) {
      if (!equal_without_case(header.name, "Cookie")) continue;
      for (const QueryField& cookie : cookies_of(header.value)) {
        if (cookie.name != name || cookie.value != old) continue;
        header.value.replace(cookie.at, cookie.value.size(), value);
        return;
      }
    }
  } else if (kind == "credential") {
    if (const auto whole = field(request.headers, name)) {
      const std::string header(*whole);
      if (header.substr(credential_at(header)) == old)
        set_field(request.headers, name, header.substr(0, credential_at(header)) + value);
    }
  } else if (kind == "form") {
    std::string body = decoded_body(request.headers, request.body).value_or("");
    for (const QueryField& field : fields_of(body, 0)) {
      if (field.name != name || form_decoded(field.value) != old) continue;
      body.replace(field.at, field.value.size(), percent_encoded(value));
      request.body = std::move(body);
      erase_field(request.headers, "Content-Encoding");
      return;
    }
  } else if (kind == "json") {
    const auto document = parsed(request.headers, request.body);
    if (!document) return;
    boost::system::error_code error;
    const json::value* leaf = document->find_pointer(name, error);
    if (error || leaf == nullptr) return;
    std::string body = decoded_body(request.headers, request.body).value_or("");
    const auto range = JsonText(body).range_of(name);
    if (!range) return;
    const bool number = leaf->is_number() && json_integer(value);
    body.replace(range->first, range->second - range->first, number ? value : json::serialize(json::string(value)));
    request.body = std::move(body);
    erase_field(request.headers, "Content-Encoding");
  }
}

}  // namespace rehearse::replay
