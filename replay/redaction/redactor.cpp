#include "replay/redaction/redactor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <optional>

#include "replay/base64.h"
#include "replay/http/content_coding.h"
#include "replay/redaction/edit.h"
#include "replay/redaction/limits.h"
#include "replay/redaction/mask.h"
#include "replay/redaction/memory.h"
#include "replay/redaction/percent.h"

namespace rehearse::replay {
namespace {

constexpr std::string_view masked_prefix = "masked: ";
constexpr std::string_view key_prefix = "exchanges searched for secrets, with the key ";
constexpr auto nowhere = std::string_view::npos;

using Place = std::function<std::string()>;  // asked only for what is masked

bool alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::string media_type(const Headers& headers) {
  const auto type = field(headers, "Content-Type");
  return type ? lower(trim(type->substr(0, type->find(';')))) : std::string();
}

// Pictures and sounds: nothing in them is a text, and bytes that look like one are chance.
bool picture_or_sound(std::string_view media) {
  return media != "image/svg+xml" && (media.starts_with("image/") || media.starts_with("audio/") ||
                                      media.starts_with("video/") || media.starts_with("font/"));
}

bool looks_like_json(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  return first != nowhere && (text[first] == '{' || text[first] == '[');
}

bool looks_like_markup(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  return first != nowhere && text[first] == '<';
}

// The value of a parameter of a header field, unquoted: `name` of `form-data; name="x"`.
std::optional<std::string> parameter(std::string_view value, std::string_view name) {
  for (auto at = value.find(';'); at != nowhere; at = value.find(';', at + 1)) {
    std::string_view rest = trim(value.substr(at + 1));
    const auto equals = rest.find('=');
    if (equals == nowhere || !equal_without_case(trim(rest.substr(0, equals)), name)) continue;
    rest = trim(rest.substr(equals + 1));
    if (rest.starts_with('"')) return std::string(rest.substr(1, rest.find('"', 1) - 1));
    return std::string(trim(rest.substr(0, rest.find(';'))));
  }
  return std::nullopt;
}

// "user[password]" and "login.password" are passwords.
std::string_view last_part(std::string_view name) {
  if (name.ends_with(']')) {
    const auto open = name.rfind('[');
    if (open != nowhere && open + 2 < name.size()) return name.substr(open + 1, name.size() - open - 2);
    if (open != nowhere && open > 0) return last_part(name.substr(0, open));
  }
  const auto dot = name.rfind('.');
  return dot == nowhere ? name : name.substr(dot + 1);
}

// What stands before the colon at `colon` when it is a name in double quotes that may be as long as `longest`; else nothing.
// With every character escaped it takes six times the room.
std::optional<std::string_view> quoted_name_before(std::string_view text, std::size_t colon, std::size_t longest) {
  std::size_t end = colon;
  while (end > 0 && space(text[end - 1])) --end;
  if (end == 0 || text[end - 1] != '"') return std::nullopt;
  --end;
  const std::size_t from = end > 6 * longest + 8 ? end - (6 * longest + 8) : 0;
  std::size_t open = end;
  while (open > from && text[open - 1] != '"') --open;
  if (open == from) return std::nullopt;
  return text.substr(open, end - open);
}

}  // namespace

struct Redactor::State {
  State(RedactionRules given, RedactionKey key) : rules(std::move(given)), memory(std::move(key)) {}
  RedactionRules rules;
  SecretMemory memory;
  std::map<std::string, std::int64_t, std::less<>> counts;
  std::int64_t exchanges = 0;
};

namespace {

// Marks of keys in JSON.
enum Mark { plain = 0, secret_mark = 1, kept_mark = 2 };

// One way over an exchange. The first looks for everything; when it learnt secrets, a second looks for those alone, because a
// secret may stand in the target and be known by the answer.
class Pass {
 public:
  Pass(const RedactionRules& rules, SecretMemory& memory, std::map<std::string, std::int64_t, std::less<>>& counts,
       std::vector<Masked>* found, bool known_only)
      : rules_(rules), memory_(memory), counts_(counts), found_(found), known_only_(known_only) {}

  void exchange(Exchange& exchange) {
    const auto has = [&](std::string_view name) {
      return std::find(exchange.flags.begin(), exchange.flags.end(), name) != exchange.flags.end();
    };
    const bool raw = has(flag::malformed);
    side_ = "request";
    masked_ = &exchange.masked;
    target(
        exchange.request.target, [] { return std::string("request target"); }, true);
    message(exchange.request.headers, exchange.request.body, exchange.request.trailers, raw);
    side_ = "response";
    masked_ = nullptr;
    for (Response& interim : exchange.interim) message(interim.headers, interim.body, interim.trailers, raw);
    if (exchange.response)
      message(exchange.response->headers, exchange.response->body, exchange.response->trailers, raw);
  }
  [[nodiscard]] bool learnt() const { return learnt_; }

 private:
  // Remembers where something of a request was masked; `place` as a plan names it.
  void mark(std::string place) {
    if (masked_ == nullptr || nested_ > 0) return;
    if (place.find('\n') != std::string::npos)
      place = "body";  // what nobody can name; places are lines of the traffic file
    if (std::find(masked_->begin(), masked_->end(), place) == masked_->end()) masked_->push_back(std::move(place));
  }

  // --- single values ---

  void note(std::string_view kind, const Place& place) {
    const auto count = counts_.find(kind);
    if (count == counts_.end()) {
      counts_.emplace(kind, 1);
    } else {
      ++count->second;
    }
    if (found_ == nullptr) return;
    std::string where = place();
    // The key of an object may be a secret as well.
    const auto shapes = shapes_in(where);
    for (auto shape = shapes.rbegin(); shape != shapes.rend(); ++shape) where.replace(shape->at, shape->length, "...");
    found_->push_back({std::move(where), kind});
  }

  // A secret by its place. Nothing when there is nothing to mask.
  std::optional<std::string> by_place(std::string_view value, std::string_view kind, const Place& place) {
    if (known_only_) return known(value, place);
    if (value.empty()) return std::nullopt;
    note(kind, place);
    learnt_ = memory_.remember(value) || learnt_;
    return memory_.mask(value);
  }

  // A value that is a secret found elsewhere, or holds one as a word.
  std::optional<std::string> known(std::string_view value, const Place& place) {
    if (memory_.empty()) return std::nullopt;
    if (const std::string* mask = memory_.sought(value)) {
      note("secret known from elsewhere", place);
      return *mask;
    }
    std::vector<Edit> edits;
    take_known_words(value, place, edits);
    return changed(value, std::move(edits));
  }

  void take_known_words(std::string_view text, const Place& place, std::vector<Edit>& edits) {
    if (memory_.empty()) return;
    const std::size_t before = edits.size();
    memory_.take_sought_words(text, edits);
    for (std::size_t i = before; i < edits.size(); ++i) note("secret known from elsewhere", place);
  }

  static std::optional<std::string> changed(std::string_view text, std::vector<Edit> edits) {
    if (edits.empty()) return std::nullopt;
    return edited(text, std::move(edits));
  }

  void take_shapes(std::string_view text, const Place& place, std::vector<Edit>& edits) {
    if (known_only_) return;
    for (const Shaped& shaped : shapes_in(text, rules_.shapes)) {
      const std::string_view value = text.substr(shaped.at, shaped.length);
      note(name_of(shaped.shape), place);
      if (shaped.shape != Shape::url_credentials) {
        edits.push_back({shaped.at, shaped.length, memory_.mask(value)});
        continue;
      }
      const auto colon = value.find(':');
      const Percent password = percent_read(value.substr(colon + 1), false);
      learnt_ = memory_.remember(password.decoded) || learnt_;
      edits.push_back(
          {shaped.at, shaped.length,
           memory_.mask(value.substr(0, colon)) + ":" + percent_written(memory_.mask(password.decoded), password)});
    }
  }

  // Any value of which nothing is said: by shape, as a document, or because it is known.
  std::optional<std::string> by_looks(std::string_view value, const Place& place) {
    if (const std::string* mask = memory_.sought(value)) {
      note("secret known from elsewhere", place);
      return *mask;
    }
    if (nested_ < limits::nested_texts && looks_like_json(value)) {
      ++nested_;
      auto made = json(
          value, [&] { return place() + " "; }, false);
      --nested_;
      return made;
    }
    std::vector<Edit> edits;
    take_shapes(value, place, edits);
    take_known_words(value, place, edits);
    return changed(value, std::move(edits));
  }

  std::optional<std::string> percent_encoded(std::string_view text, bool plus_is_space, bool secret,
                                             std::string_view kind, const Place& place) {
    const Percent read = percent_read(text, plus_is_space);
    const auto made = secret ? by_place(read.decoded, kind, place) : by_looks(read.decoded, place);
    if (!made) return std::nullopt;
    return percent_written(*made, read);
  }

  // --- targets, queries, forms ---

  [[nodiscard]] bool secret_parameter(std::string_view name) const {
    return (rules_.fields.contains(name) || rules_.parameters.contains(name) ||
            rules_.fields.contains(last_part(name)) || rules_.parameters.contains(last_part(name)));
  }
  [[nodiscard]] bool kept(std::string_view name) const {
    return rules_.kept.contains(name) || rules_.kept.contains(last_part(name));
  }

  // name=value pairs; `place_kind` is "query:" or "form:" where they are those of a request.
  void take_pairs(std::string_view text, std::size_t offset, char separator, bool plus_is_space, std::string_view kind,
                  std::vector<Edit>& edits, std::string_view place_kind = {}) {
    for (std::size_t at = 0; at <= text.size();) {
      const auto end = std::min(text.find(separator, at), text.size());
      const std::string_view pair = text.substr(at, end - at);
      const auto equals = std::min(pair.find('='), pair.size());
      const std::string name = percent_read(pair.substr(0, equals), plus_is_space).decoded;
      if (equals < pair.size() && !kept(name)) {
        const std::string_view value = pair.substr(equals + 1);
        const auto made = percent_encoded(value, plus_is_space, secret_parameter(name), kind,
                                          [&] { return side_ + " " + std::string(kind) + " " + name; });
        if (made) edits.push_back({offset + at + equals + 1, value.size(), *made});
        if (made && !place_kind.empty()) mark(std::string(place_kind) + std::string(pair.substr(0, equals)));
      } else if (equals == pair.size()) {
        const auto made =
            percent_encoded(pair, plus_is_space, false, kind, [&] { return side_ + " " + std::string(kind); });
        if (made) edits.push_back({offset + at, pair.size(), *made});
        if (made && !place_kind.empty()) mark(std::string(place_kind));
      }
      at = end + 1;
    }
  }

  void take_segment(std::string_view segment, std::size_t offset, const Place& place, std::vector<Edit>& edits) {
    const auto semicolon = std::min(segment.find(';'), segment.size());
    const auto made = percent_encoded(segment.substr(0, semicolon), false, false, "", place);
    if (made) edits.push_back({offset, semicolon, *made});
    if (semicolon < segment.size())
      take_pairs(segment.substr(semicolon + 1), offset + semicolon + 1, ';', false, "path parameter", edits);
  }

  // The target of a request, which is its `own`, or a URL.
  void target(std::string& text, const Place& place, bool own = false) {
    const std::string_view all = text;
    std::vector<Edit> edits;
    const auto scheme = all.find("://");
    std::size_t at = 0;
    if (scheme != nowhere && scheme < all.find_first_of("/?#")) {
      at = std::min(all.find_first_of("/?#", scheme + 3), all.size());
      take_shapes(all.substr(0, at), place, edits);
    }
    const auto query = std::min(all.find_first_of("?#", at), all.size());
    while (at < query) {
      const auto end = std::min(all.find('/', at), query);
      const std::size_t before = edits.size();
      if (end > at) take_segment(all.substr(at, end - at), at, place, edits);
      if (own && edits.size() > before)
        mark(fmt::format("path:{}", std::count(all.begin() + 1, all.begin() + static_cast<std::ptrdiff_t>(at), '/')));
      at = end + 1;
    }
    const auto fragment = std::min(all.find('#', query), all.size());
    if (query < fragment)
      take_pairs(all.substr(query + 1, fragment - query - 1), query + 1, '&', true, "query parameter", edits,
                 own ? "query:" : "");
    if (fragment < all.size()) take_pairs(all.substr(fragment + 1), fragment + 1, '&', true, "query parameter", edits);
    if (!edits.empty()) text = edited(all, std::move(edits));
  }

  // --- header fields ---

  void header(Header& header) {
    const std::string name = lower(header.name);
    if (rules_.kept.contains(name) || header.value.empty()) return;
    const Place place = [&] { return side_ + " header " + header.name; };
    const auto put = [&](std::optional<std::string> made, std::string_view place_kind = "header:") {
      if (!made) return;
      header.value = std::move(*made);
      if (!place_kind.empty()) mark(std::string(place_kind) + header.name);
    };
    const bool secret = rules_.headers.contains(name);
    if (secret && name == "authorization") {
      if (auto made = credentials(header.value, place)) {
        header.value = std::move(*made);
        mark("credential:Authorization");
      }
      return;
    }
    if (secret && name == "proxy-authorization") return put(credentials(header.value, place));
    if (secret && name == "cookie") return put(cookies(header.value, false), "");  // marked one by one
    if (secret && name == "set-cookie") return put(cookies(header.value, true));
    if (secret) return put(by_place(header.value, "header", place));
    static constexpr std::array urls{"location",      "content-location",     "referer",     "x-original-url",
                                     "x-rewrite-url", "x-forwarded-uri",      "destination", "x-original-uri",
                                     "sourcemap",     "x-envoy-original-path"};
    static constexpr std::array harmless{
        "content-type",     "content-length",    "host",      "date", "accept", "accept-encoding",
        "content-encoding", "transfer-encoding", "connection"};
    const auto is = [&](const char* other) { return name == other; };
    if (std::any_of(urls.begin(), urls.end(), is)) return target(header.value, place);
    if (std::none_of(harmless.begin(), harmless.end(), is)) put(by_looks(header.value, place));
  }

  // Scheme and credentials (RFC 9110, section 11.4).
  std::optional<std::string> credentials(std::string_view value, const Place& place) {
    const auto blank = value.find(' ');
    if (blank == nowhere) return by_place(value, "header", place);
    const std::string_view scheme = value.substr(0, blank);
    const auto begin = std::min(value.find_first_not_of(' ', blank), value.size());
    const std::string_view rest = value.substr(begin);
    std::optional<std::string> made;
    if (equal_without_case(scheme, "Basic")) {
      made = basic(rest, place);
    } else if (rest.find('=') < rest.find(',') && rest.find(',') != nowhere) {
      made = parameters(rest, place);
    } else {
      made = by_place(rest, "header", place);
    }
    if (!made) return std::nullopt;
    return std::string(value.substr(0, begin)) + *made;
  }

  std::optional<std::string> basic(std::string_view text, const Place& place) {
    const std::string decoded = from_base64(text);
    const auto colon = decoded.find(':');
    if (colon == nowhere) return by_place(text, "header", place);
    const std::string_view all = decoded;
    const auto user = by_place(all.substr(0, colon), "header", place);
    const auto password = by_place(all.substr(colon + 1), "header", place);
    if (!user && !password) return std::nullopt;
    return base64(user.value_or(decoded.substr(0, colon)) + ":" + password.value_or(decoded.substr(colon + 1)));
  }

  // Digest, AWS4-HMAC-SHA256: name=value, name="value".
  std::optional<std::string> parameters(std::string_view text, const Place& place) {
    std::vector<Edit> edits;
    for (std::size_t at = 0; at < text.size();) {
      std::size_t begin = std::min(text.find('=', at), text.size() - 1) + 1;
      const bool quoted = text.substr(begin, 1) == "\"";
      begin += quoted ? 1 : 0;
      const auto end = std::min(text.find(quoted ? '"' : ',', begin), text.size());
      const std::string_view value = text.substr(begin, end - begin);
      if (const auto made = by_place(value, "header", place)) edits.push_back({begin, value.size(), *made});
      at = std::min(text.find(',', end), text.size());
    }
    return changed(text, std::move(edits));
  }

  // Of Cookie all pairs, of Set-Cookie the first: the others are attributes.
  std::optional<std::string> cookies(std::string_view text, bool set) {
    std::vector<Edit> edits;
    for (std::size_t at = 0; at < text.size();) {
      const auto end = std::min(text.find(';', at), text.size());
      const auto equals = text.find('=', at);
      const std::string_view name = trim(text.substr(at, std::min(equals, end) - at));
      std::size_t begin = equals < end ? equals + 1 : end, last = end;
      while (begin < last && (text[begin] == '"' || space(text[begin]))) ++begin;
      while (last > begin && (text[last - 1] == '"' || space(text[last - 1]))) --last;
      if (begin < last && !rules_.kept.contains(name)) {
        const auto made = percent_encoded(text.substr(begin, last - begin), false, true, "cookie",
                                          [&] { return side_ + " cookie " + std::string(name); });
        if (made) edits.push_back({begin, last - begin, *made});
        if (made && !set) mark("cookie:" + std::string(name));
      }
      if (set) break;
      at = end + 1;
    }
    return changed(text, std::move(edits));
  }

  // --- bodies ---

  void message(Headers& headers, std::string& content, Headers& trailers, bool raw) {
    for (Header& field : headers) header(field);
    for (Header& field : trailers) header(field);
    if (content.empty()) return;
    const std::size_t size = content.size();
    const std::size_t marked = masked_ != nullptr ? masked_->size() : 0;
    if (raw) {
      unreadable(content);
    } else if (!body(headers, content)) {
      return;
    }
    if (masked_ != nullptr && masked_->size() == marked) mark("body");
    // A length that was wrong before (of a body that was cut) stays what it was.
    if (const auto length = field(headers, "Content-Length"); length && *length == std::to_string(size))
      set_field(headers, "Content-Length", std::to_string(content.size()));
    // Digests of what is not there any more: a request with a false one is refused.
    for (const char* digest : {"Content-MD5", "Digest", "Content-Digest", "Repr-Digest"}) {
      erase_field(headers, digest);
      erase_field(trailers, digest);
    }
  }

  [[nodiscard]] Place body_place() const {
    return [this] { return side_ + " body"; };
  }

  // Bytes that could not be read as HTTP: headers may stand among them.
  void unreadable(std::string& content) {
    if (known_only_) return;
    note("body that could not be read", body_place());
    content = masked(memory_.key(), content);
  }

  // True when the body changed.
  bool body(Headers& headers, std::string& content) {
    const std::string media = media_type(headers);
    if (picture_or_sound(media)) return false;
    const auto coding = field(headers, "Content-Encoding");
    auto codings = coding ? codings_in(*coding) : std::vector<std::string>();
    // What is packed is packed whether or not a header says so; its magic number does.
    const bool said = !codings.empty();
    if (!said && content.starts_with("\x1f\x8b")) codings = {"gzip"};
    if (!said && content.starts_with("\x28\xb5\x2f\xfd")) codings = {"zstd"};
    if (codings.empty()) return put_body(content, text_of(headers, media, content));
    const auto decoded = without_codings(content, codings, limits::decoded_body_bytes);
    if (!decoded) {
      if (known_only_) return false;
      note("body that could not be decoded", body_place());
      const std::string notice =
          fmt::format("{}{} bytes of {}", masked_prefix, content.size(), fmt::join(codings, ", "));
      content = media.ends_with("json") ? "{\"masked\":\"" + json_escaped(notice) + "\"}" : notice;
      erase_field(headers, "Content-Encoding");
      return true;
    }
    const auto made = text_of(headers, media, *decoded);
    return put_body(content, made ? std::optional(with_codings(*made, codings)) : std::nullopt);
  }

  static bool put_body(std::string& content, std::optional<std::string> made) {
    if (made) content = std::move(*made);
    return made.has_value();
  }

  std::optional<std::string> text_of(const Headers& headers, std::string_view media, std::string_view text) {
    // Clients that send JSON call it what they like: curl -d says it is a form.
    if (looks_like_json(text))
      return json(
          text, [this] { return side_ + " body "; }, true);
    if (media == "application/x-www-form-urlencoded") {
      std::vector<Edit> edits;
      take_pairs(text, 0, '&', true, "form field", edits, "form:");
      return changed(text, std::move(edits));
    }
    if (media.starts_with("multipart/")) {
      const auto boundary = parameter(field(headers, "Content-Type").value_or(""), "boundary");
      if (boundary && !boundary->empty()) return multipart(text, *boundary);
    }
    return loose_text(text, body_place());
  }

  std::optional<std::string> multipart(std::string_view text, const std::string& boundary) {
    const std::string delimiter = "--" + boundary;
    std::vector<Edit> edits;
    auto at = text.find(delimiter);
    while (at != nowhere) {
      const std::size_t begin = at + delimiter.size();
      at = text.find(delimiter, begin);
      const std::string_view part = text.substr(begin, at == nowhere ? nowhere : at - begin);
      const auto blank = part.find("\r\n\r\n");
      if (blank == nowhere) continue;
      const std::string_view head = part.substr(0, blank);
      std::string_view content = part.substr(blank + 4);
      if (content.ends_with("\r\n")) content.remove_suffix(2);
      if (const auto made = one_part(head, content)) edits.push_back({begin + blank + 4, content.size(), *made});
    }
    return changed(text, std::move(edits));
  }

  std::optional<std::string> one_part(std::string_view head, std::string_view content) {
    Headers headers;
    for (std::size_t at = 0; at < head.size();) {
      const auto end = std::min(head.find("\r\n", at), head.size());
      const auto colon = head.find(':', at);
      if (colon < end)
        headers.push_back({std::string(trim(head.substr(at, colon - at))),
                           std::string(trim(head.substr(colon + 1, end - colon - 1)))});
      at = end + 2;
    }
    const std::string name = parameter(field(headers, "Content-Disposition").value_or(""), "name").value_or("");
    if (kept(name) || picture_or_sound(media_type(headers))) return std::nullopt;
    const Place place = [&] { return side_ + " form field " + name; };
    if (secret_parameter(name)) return by_place(content, "form field", place);
    return looks_like_json(content) ? by_looks(content, place) : loose_text(content, place);
  }

  // --- JSON ---

  [[nodiscard]] bool may_hold_names(std::string_view text) const {
    const std::size_t longest = std::max(rules_.fields.longest() * 2, rules_.kept.longest() * 2);
    for (auto at = text.find(':'); at != nowhere; at = text.find(':', at + 1)) {
      const auto name = quoted_name_before(text, at, longest);
      if (name && (rules_.fields.contains(*name) || name->find('\\') != nowhere)) return true;
    }
    return false;
  }

  [[nodiscard]] Mark mark_of(std::string_view key) const {
    const std::string name = key.find('\\') == nowhere ? std::string() : json_unescaped(key);
    const std::string_view plain_key = name.empty() ? key : std::string_view(name);
    if (rules_.kept.contains(plain_key)) return kept_mark;
    return rules_.fields.contains(plain_key) ? secret_mark : plain;
  }

  // `whole`: the text is all of a body, so that configured paths hold.
  std::optional<std::string> json(std::string_view text, const Place& where, bool whole) {
    const bool shapes = !known_only_ && (may_hold_shapes(text) || text.find("\\u") != nowhere);
    const bool by_path = whole && !(rules_.paths.empty() && rules_.kept_paths.empty());
    const bool walk = known_only_ ? memory_.has_phrases() || !rules_.kept.empty() || by_path
                                  : shapes || by_path || memory_.has_phrases() || may_hold_names(text) ||
                                        (!memory_.empty() && !rules_.kept.empty());
    std::vector<Edit> edits;
    if (!walk) {
      take_known_words(text, where, edits);
      return changed(text, std::move(edits));
    }
    const auto judge = [&](std::string_view key) {
      if (shapes || !memory_.empty()) take_key(text, key, where, edits);
      return static_cast<int>(mark_of(key));
    };
    const auto visit = [&](const std::vector<JsonStep>& path, const JsonScalar& scalar) {
      take_scalar(text, path, scalar, where, by_path, shapes, edits);
    };
    const std::size_t end = walk_json(text, judge, visit);
    if (end < text.size())
      take_loose(
          text.substr(end), end, [&] { return trimmed(where()); }, edits);
    return changed(text, std::move(edits));
  }

  static std::string trimmed(const std::string& text) { return std::string(trim(text)); }

  // People are keys of objects at times: {"ada@company.com": {...}}.
  void take_key(std::string_view text, std::string_view key, const Place& where, std::vector<Edit>& edits) {
    const auto at = static_cast<std::size_t>(key.data() - text.data());
    std::vector<Edit> found;
    const Place place = [&] { return where() + "(a key)"; };
    take_shapes(key, place, found);
    take_known_words(key, place, found);
    for (Edit& edit : found) edits.push_back({edit.at + at, edit.length, std::move(edit.with)});
  }

  void take_scalar(std::string_view text, const std::vector<JsonStep>& path, const JsonScalar& scalar,
                   const Place& where, bool by_path, bool shapes, std::vector<Edit>& edits) {
    const auto covered = [&](const std::vector<JsonPath>& paths) {
      return by_path && std::any_of(paths.begin(), paths.end(), [&](const JsonPath& p) { return p.covers(path); });
    };
    if (scalar.mark == kept_mark || covered(rules_.kept_paths)) return;
    const bool on_path = covered(rules_.paths);
    const bool secret = scalar.mark == secret_mark || on_path;
    const bool nested = scalar.string && looks_like_json(text.substr(scalar.at, scalar.length));
    if (!secret && !shapes && !nested && memory_.empty()) return;
    const Place place = [&] { return where() + place_of(path); };
    const std::string_view kind = on_path && scalar.mark != secret_mark ? "JSON path" : "JSON field";
    if (!scalar.string) return take_number(text, path, scalar, secret, kind, place, edits);
    const std::string_view raw = text.substr(scalar.at, scalar.length);
    const bool escaped = raw.find('\\') != nowhere;
    const std::string unescaped = escaped ? json_unescaped(raw) : std::string();
    const std::string_view value = escaped ? std::string_view(unescaped) : raw;
    const auto made = secret ? by_place(value, kind, place) : by_looks(value, place);
    if (made) edits.push_back({scalar.at, raw.size(), json_escaped(*made)});
    if (made) mark("json:" + pointer_of(path));
  }

  void take_number(std::string_view text, const std::vector<JsonStep>& path, const JsonScalar& scalar, bool secret,
                   std::string_view kind, const Place& place, std::vector<Edit>& edits) {
    const std::string_view number = text.substr(scalar.at, scalar.length);
    const bool simple = number.find_first_of(".eE") == nowhere;
    std::optional<std::string> made;
    if (secret && !simple && !known_only_) {
      note(kind, place);
      made = memory_.mask_number(number);
    } else if (simple) {
      made = secret ? by_place(number, kind, place) : by_looks(number, place);
    }
    if (made) edits.push_back({scalar.at, scalar.length, *made});
    if (made) mark("json:" + pointer_of(path));
  }

  // --- other text ---

  std::optional<std::string> loose_text(std::string_view text, const Place& place) {
    std::vector<Edit> edits;
    if (looks_like_markup(text)) take_markup(text, edits);
    take_loose(text, 0, place, edits);
    return changed(text, std::move(edits));
  }

  // Text of which no grammar is known, also JSON that was cut: names in quotes with a colon behind, shapes, known secrets.
  void take_loose(std::string_view text, std::size_t offset, const Place& place, std::vector<Edit>& edits) {
    std::vector<Edit> found;
    for (auto at = text.find(':'); at != nowhere && !known_only_; at = text.find(':', at + 1)) {
      const auto name = quoted_name_before(text, at, rules_.fields.longest() * 2);
      if (name && mark_of(*name) == secret_mark) take_behind_colon(text, at + 1, *name, found);
    }
    if (!known_only_ && may_hold_shapes(text)) take_shapes(text, place, found);
    take_known_words(text, place, found);
    for (Edit& edit : found) edits.push_back({edit.at + offset, edit.length, std::move(edit.with)});
  }

  void take_behind_colon(std::string_view text, std::size_t at, std::string_view name, std::vector<Edit>& edits) {
    while (at < text.size() && space(text[at])) ++at;
    const bool quoted = text.substr(at, 1) == "\"";
    std::size_t end = at += quoted ? 1 : 0;
    while (end < text.size() && (quoted ? text[end] != '"' : alphanumeric(text[end]) || text[end] == '-')) {
      end += text[end] == '\\' ? 2 : 1;
    }
    end = std::min(end, text.size());
    const std::string_view raw = text.substr(at, end - at);
    if (!quoted && (raw == "true" || raw == "false" || raw == "null")) return;
    const auto made = by_place(json_unescaped(raw), "JSON field", [&] { return side_ + " body " + std::string(name); });
    if (made) edits.push_back({at, raw.size(), json_escaped(*made)});
  }

  // Elements and attributes with the name of a secret, and <input name="password" value="...">.
  void take_markup(std::string_view text, std::vector<Edit>& edits) {
    for (auto at = text.find('<'); at != nowhere; at = text.find('<', at)) {
      std::size_t end = ++at;
      while (end < text.size() && (alphanumeric(text[end]) || std::strchr("-_.:", text[end]) != nullptr)) ++end;
      const std::string_view name = text.substr(at, end - at);
      const auto close = text.find('>', end);
      if (name.empty() || close == nowhere) continue;
      take_attributes(text, end, close, edits);
      at = close;
      const auto colon = name.rfind(':');
      const std::string_view local = colon == nowhere ? name : name.substr(colon + 1);
      if (rules_.kept.contains(local) || text[close - 1] == '/') continue;
      const auto next = std::min(text.find('<', close), text.size());
      if (rules_.fields.contains(local)) {
        take_markup_value(text, close + 1, next, local, edits);
      } else if (const auto* mask = memory_.sought(trim(text.substr(close + 1, next - close - 1)))) {
        note("secret known from elsewhere", body_place());
        const std::string_view value = trim(text.substr(close + 1, next - close - 1));
        edits.push_back({static_cast<std::size_t>(value.data() - text.data()), value.size(), *mask});
      }
    }
  }

  void take_markup_value(std::string_view text, std::size_t begin, std::size_t end, std::string_view name,
                         std::vector<Edit>& edits) {
    const std::string_view value = trim(text.substr(begin, end - begin));
    if (value.empty()) return;
    const auto made = by_place(value, "markup", [&] { return side_ + " body <" + std::string(name) + ">"; });
    if (made) edits.push_back({static_cast<std::size_t>(value.data() - text.data()), value.size(), *made});
  }

  void take_attributes(std::string_view text, std::size_t at, std::size_t close, std::vector<Edit>& edits) {
    std::string_view named;  // what the attribute `name` says
    std::array<std::size_t, 2> value{};
    for (auto equals = text.find('=', at); equals < close; equals = text.find('=', at)) {
      std::size_t begin = equals;
      while (begin > at && !space(text[begin - 1])) --begin;
      const std::string_view name = text.substr(begin, equals - begin);
      const char quote = equals + 1 < close ? text[equals + 1] : '\0';
      const std::size_t first = equals + (quote == '"' || quote == '\'' ? 2 : 1);
      const auto last =
          std::min(first > equals + 1 ? text.find(quote, first) : text.find_first_of(" \t\r\n>", first), close);
      at = last;
      if (equal_without_case(name, "name") || equal_without_case(name, "property"))
        named = text.substr(first, last - first);
      if (equal_without_case(name, "value") || equal_without_case(name, "content")) value = {first, last};
      if (rules_.fields.contains(name) && !rules_.kept.contains(name))
        take_markup_value(text, first, last, name, edits);
    }
    if (value[1] > value[0] && secret_parameter(named) && !kept(named))
      take_markup_value(text, value[0], value[1], named, edits);
  }

  const RedactionRules& rules_;
  SecretMemory& memory_;
  std::map<std::string, std::int64_t, std::less<>>& counts_;
  std::vector<Masked>* found_;
  std::vector<std::string>* masked_ = nullptr;  // of the exchange, while its request is looked at
  bool known_only_;
  bool learnt_ = false;
  int nested_ = 0;
  std::string side_;
};

}  // namespace

Redactor::Redactor(RedactionRules rules, RedactionKey key)
    : state_(std::make_unique<State>(std::move(rules), std::move(key))) {}
Redactor::~Redactor() = default;
Redactor::Redactor(Redactor&&) noexcept = default;
Redactor& Redactor::operator=(Redactor&&) noexcept = default;

void Redactor::apply(Exchange& exchange, std::vector<Masked>* found) {
  ++state_->exchanges;
  const auto pass = [&](bool known_only) {
    Pass way(state_->rules, state_->memory, state_->counts, found, known_only);
    way.exchange(exchange);
    return way.learnt();
  };
  if (pass(false)) pass(true);
}

const std::map<std::string, std::int64_t, std::less<>>& Redactor::counts() const { return state_->counts; }

std::string Redactor::fingerprint() const { return state_->memory.key().fingerprint(); }

void Redactor::certify(Certificate& certificate) const {
  std::int64_t sum = 0;
  for (const auto& [kind, count] : counts()) {
    certificate.remarks[std::string(masked_prefix) + kind] += count;
    sum += count;
  }
  const std::string key = fingerprint();
  certificate.remarks[std::string(key_prefix) + key] = state_->exchanges;
  certificate.notes.push_back(fmt::format("{} secrets are masked with the key {}", sum, key));
}

std::string redacted_with(const Certificate& certificate) {
  const auto found = certificate.remarks.lower_bound(std::string(key_prefix));
  if (found == certificate.remarks.end() || !found->first.starts_with(key_prefix)) return {};
  return found->first.substr(key_prefix.size());
}

void redact(Traffic& traffic, Redactor& redactor) {
  if (!redacted_with(traffic.certificate).empty()) return;
  for (Exchange& exchange : traffic.exchanges) redactor.apply(exchange);
  redactor.certify(traffic.certificate);
}

}  // namespace rehearse::replay
