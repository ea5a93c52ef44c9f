#include "replay/capture/har.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <charconv>
#include <chrono>

#include "replay/base64.h"
#include "replay/capture/limits.h"
#include "replay/error.h"

namespace rehearse::replay {
namespace {

namespace json = boost::json;

// "2026-11-22T17:28:58.123+01:00" in nanoseconds since the epoch; nothing when it is no such time (RFC 3339, section 5.6).
std::optional<std::int64_t> nanoseconds_of(std::string_view text) {
  const auto number = [&](std::size_t at, std::size_t length) -> std::optional<int> {
    int value = 0;
    if (text.size() < at + length) return std::nullopt;
    const auto [rest, error] = std::from_chars(text.data() + at, text.data() + at + length, value);
    return error == std::errc() && rest == text.data() + at + length ? std::optional(value) : std::nullopt;
  };
  const auto year = number(0, 4), month = number(5, 2), day = number(8, 2);
  const auto hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok() || *year < 1970 || *year > 2200) return std::nullopt;  // what nanoseconds can count
  // Nanoseconds in 64 bits, with room for how long an exchange took, count these years.
  if (*year < 1970 || *year > 2200 || std::min({*hour, *minute, *second}) < 0) return std::nullopt;
  if (*hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  std::int64_t seconds = std::chrono::sys_days(date).time_since_epoch().count() * 86'400ll;
  seconds += *hour * 3600 + *minute * 60 + *second;
  std::int64_t fraction = 0;
  std::size_t at = 19;
  if (at < text.size() && (text[at] == '.' || text[at] == ',')) {
    std::int64_t unit = 100'000'000;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10)
      fraction += (text[at] - '0') * unit;
  }
  if (at < text.size() && (text[at] == '+' || text[at] == '-')) {
    const auto hours = number(at + 1, 2);
    const auto minutes = number(at + (text.size() > at + 3 && text[at + 3] == ':' ? 4 : 3), 2);
    if (!hours || *hours < 0 || *hours > 23 || minutes.value_or(0) < 0) return std::nullopt;
    seconds -= (text[at] == '-' ? -1 : 1) * (*hours * 3600 + minutes.value_or(0) * 60);
  }
  return seconds * 1'000'000'000 + fraction;
}

// A member that may be missing or of another kind.
const json::value& at(const json::value& value, std::string_view key) {
  static const json::value nothing;
  const auto* object = value.if_object();
  const auto* found = object ? object->if_contains(key) : nullptr;
  return found ? *found : nothing;
}
std::string text_at(const json::value& value, std::string_view key) {
  const auto* text = at(value, key).if_string();
  return text ? std::string(*text) : std::string();
}
double number_at(const json::value& value, std::string_view key) {
  const auto& found = at(value, key);
  return found.is_number() ? found.to_number<double>() : -1;
}

Headers headers_of(const json::value& message) {
  Headers headers;
  const auto* list = at(message, "headers").if_array();
  if (!list) return headers;
  for (const json::value& entry : *list) {
    std::string name = text_at(entry, "name");
    if (name.empty() || name.starts_with(':')) continue;  // HTTP/2 pseudo headers repeat the rest
    headers.push_back({std::move(name), text_at(entry, "value")});
  }
  erase_field(headers, "Content-Encoding");
  erase_field(headers, "Transfer-Encoding");
  return headers;
}

// A body as "text", with "encoding": "base64" where it is binary; nothing when there is none or it is damaged.
std::optional<std::string> body_of(const json::value& content) {
  if (!at(content, "text").is_string()) return std::nullopt;
  std::string text = text_at(content, "text");
  if (text_at(content, "encoding") != "base64") return text;
  const std::size_t digits = text.find_last_not_of('=') + 1;
  std::string bytes = from_base64(text);
  if (digits % 4 == 1 || bytes.size() != digits * 3 / 4) return std::nullopt;
  return bytes;
}

// Whether there was a body that cannot be read.
bool lost_body(const json::value& content, std::string_view size) {
  return at(content, "text").is_string() || number_at(content, size) > 0;
}

Exchange exchange_of(const json::value& entry, std::int64_t started_ns) {
  Exchange exchange;
  const json::value& request = at(entry, "request");
  const json::value& response = at(entry, "response");
  exchange.request.method = text_at(request, "method");
  const std::string version = lower(text_at(request, "httpVersion"));  // browsers write "h2", "HTTP/2", "http/2.0"
  exchange.http2 = version == "h2" || version.starts_with("http/2");
  const std::string url = text_at(request, "url");
  const auto scheme = url.find("://");
  const auto host = scheme == std::string::npos ? 0 : scheme + 3;
  const auto path = std::min(url.find_first_of("/?#", host), url.size());
  const auto end = std::min(url.find('#', path), url.size());
  exchange.request.target = url.substr(path, end - path);
  if (!exchange.request.target.starts_with('/')) exchange.request.target.insert(0, "/");
  exchange.request.headers = headers_of(request);
  if (!field(exchange.request.headers, "Host"))
    exchange.request.headers.insert(exchange.request.headers.begin(), {"Host", url.substr(host, path - host)});
  exchange.server = text_at(entry, "serverIPAddress");
  if (exchange.server.empty()) exchange.server = url.substr(host, path - host);
  exchange.client = "har";
  if (const auto body = body_of(at(request, "postData")))
    exchange.request.body = *body;
  else if (number_at(request, "bodySize") > 0 || lost_body(at(request, "postData"), "size"))
    exchange.add_flag(flag::gap);
  exchange.started_ns = exchange.request_ns = exchange.request_end_ns = started_ns;

  const double number = number_at(response, "status");
  const int status = number >= 100 && number <= 999 ? static_cast<int>(number) : 0;
  if (status == 0) {  // blocked, aborted, or from a cache
    exchange.add_flag(flag::no_response);
    return exchange;
  }
  const auto milliseconds = [](double value) {
    return static_cast<std::int64_t>(std::clamp(value, 0.0, 86'400'000.0) * 1e6);
  };
  exchange.response_end_ns = started_ns + milliseconds(number_at(entry, "time"));
  exchange.response_ns =
      std::max(started_ns, exchange.response_end_ns - milliseconds(number_at(at(entry, "timings"), "receive")));
  Response& answer = exchange.response.emplace();
  answer.status = status;
  answer.headers = headers_of(response);
  const json::value& content = at(response, "content");
  const bool bodyless = exchange.request.method == "HEAD" || status == 204 || status == 304;
  if (const auto body = body_of(content))
    answer.body = *body;
  else if (!bodyless && lost_body(content, "size"))
    exchange.add_flag(flag::gap);
  return exchange;
}

// The texts of the elements of `log.entries`, which is all of the document that is needed, one after the other: as values they
// would take many times the memory of the text.
class Entries {
 public:
  explicit Entries(std::string_view document) : text_(document) {}

  // Goes to the array; false when there is none.
  bool find() {
    int depth = 0;
    bool in_log = false;
    while (skip_space()) {
      const char c = text_[at_];
      if (c == '{' || c == '[') {
        ++depth;
        ++at_;
      } else if (c == '}' || c == ']') {
        --depth;
        ++at_;
      } else if (c == '"') {
        const auto name = string();
        if (!skip_space() || text_[at_] != ':') continue;
        ++at_;
        if (depth == 1) in_log = name == "log";
        if (depth == 2 && in_log && name == "entries") return skip_space() && text_[at_++] == '[';
      } else {
        ++at_;
      }
    }
    return false;
  }

  // The next element; nothing at the end of the array, or of the text, which `whole` tells apart.
  std::optional<std::string_view> next() {
    if (!skip_space()) return std::nullopt;
    if (text_[at_] == ',') ++at_;
    if (!skip_space()) return std::nullopt;
    if (text_[at_] == ']') {
      whole_ = true;
      return std::nullopt;
    }
    const std::size_t begin = at_;
    int depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        string();
        continue;
      }
      if (depth == 0 && (c == ',' || c == ']')) break;
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      ++at_;
      if (depth == 0 && (c == '}' || c == ']')) return text_.substr(begin, at_ - begin);
    }
    if (at_ == text_.size()) return std::nullopt;
    return text_.substr(begin, at_ - begin);
  }
  [[nodiscard]] bool whole() const { return whole_; }

 private:
  bool skip_space() {
    at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size());
    return at_ < text_.size();
  }
  std::string_view string() {
    const std::size_t begin = ++at_;
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    at_ = std::min(at_, text_.size());
    const auto text = text_.substr(begin, at_ - begin);
    at_ = std::min(at_ + 1, text_.size());
    return text;
  }
  std::string_view text_;
  std::size_t at_ = 0;
  bool whole_ = false;
};

}  // namespace

Traffic read_har(std::string_view document, std::string_view name) {
  if (document.starts_with("\xef\xbb\xbf")) document.remove_prefix(3);
  Entries entries(document);
  if (!entries.find())
    throw Error(fmt::format(
        "{} is JSON, but no HTTP archive: it has no log.entries; give a pcap, pcapng, HAR or GoReplay file", name));
  Traffic traffic;
  std::map<std::string, std::int64_t> connections;
  std::map<std::int64_t, std::int64_t> indices;
  std::int64_t undated = 0;
  std::int64_t broken = 0;
  while (const auto text = entries.next()) {
    boost::system::error_code error;
    const json::value entry = text->size() <= limits::entry_bytes ? json::parse(*text, error) : json::value();
    if (error || !entry.is_object()) {
      ++broken;
      continue;
    }
    const auto started = nanoseconds_of(text_at(entry, "startedDateTime"));
    if (!started || text_at(at(entry, "request"), "method").empty()) {
      ++undated;
      continue;
    }
    Exchange exchange = exchange_of(entry, *started);
    const std::string connection = text_at(entry, "connection");
    const auto next = static_cast<std::int64_t>(connections.size()) + 1;
    // Without the connection's name each exchange stands alone, which claims no order that was not there.
    exchange.connection =
        connections.emplace(connection.empty() ? fmt::format("entry {}", next) : "named " + connection, next)
            .first->second;
    exchange.index = indices[exchange.connection]++;
    traffic.exchanges.push_back(std::move(exchange));
  }
  traffic.certificate.connections = static_cast<std::int64_t>(connections.size());
  if (undated > 0) traffic.certificate.remarks["HAR entries without a time or a request"] += undated;
  if (broken > 0) traffic.certificate.remarks["HAR entries that are no objects, or too long"] += broken;
  if (!entries.whole())
    traffic.certificate.notes.push_back(fmt::format("{} ends too early; what came before was kept", name));
  return traffic;
}

}  // namespace rehearse::replay
