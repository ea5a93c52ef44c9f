#include "properties/answers/multipart.h"

#include <algorithm>

#include "properties/answers/field_values.h"
#include "properties/answers/json_reader.h"
#include "properties/answers/limits.h"
#include "properties/answers/media.h"
#include "replay/base64.h"
#include "replay/http/message.h"

namespace rehearse::properties {
namespace {

using replay::equal_without_case;
using replay::lower;
using replay::trim;

// "boundary" of `multipart/form-data; boundary="a b"`.
std::string parameter(std::string_view field, std::string_view name) {
  while (true) {
    const auto semicolon = field.find(';');
    if (semicolon == std::string_view::npos) return {};
    field.remove_prefix(semicolon + 1);
    const auto equals = field.find('=');
    if (equals == std::string_view::npos) return {};
    const bool found = equal_without_case(trim(field.substr(0, equals)), name);
    field.remove_prefix(equals + 1);
    std::string value;
    if (field.starts_with('"')) {
      std::size_t i = 1;
      for (; i < field.size() && field[i] != '"'; ++i) {
        if (field[i] == '\\' && i + 1 < field.size()) ++i;
        value += field[i];
      }
      field.remove_prefix(std::min(i + 1, field.size()));
    } else {
      value = trim(field.substr(0, field.find(';')));
    }
    if (found) return value;
  }
}

bool white(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// Lines may end anywhere (RFC 2045, section 6.8).
std::optional<std::string> base64_decoded(std::string_view text) {
  std::string packed(text);
  std::erase_if(packed, white);
  const auto end = packed.find_last_not_of('=');
  const auto padding = packed.size() - (end == std::string::npos ? 0 : end + 1);
  if (packed.size() % 4 != 0 || padding > 2) return std::nullopt;
  packed.resize(packed.size() - padding);
  std::string decoded = replay::from_base64(packed);
  return decoded.size() == packed.size() * 3 / 4 ? std::optional(std::move(decoded)) : std::nullopt;
}

int hex(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                : -1;
}

// RFC 2045, section 6.7: =XX is a byte, = at the end of a line is nothing, and so is white space there.
std::optional<std::string> quoted_printable_decoded(std::string_view text) {
  std::string decoded;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    std::string_view line_end = end < text.size() ? text.substr(end, 1) : std::string_view();
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line_end.empty() && line.ends_with('\r')) {
      line.remove_suffix(1);
      line_end = "\r\n";
    }
    while (!line.empty() && white(line.back())) line.remove_suffix(1);
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] != '=') {
        decoded += line[i];
      } else if (i + 1 == line.size()) {
        line_end = {};
      } else if (i + 2 < line.size() && hex(line[i + 1]) >= 0 && hex(line[i + 2]) >= 0) {
        decoded += static_cast<char>(hex(line[i + 1]) * 16 + hex(line[i + 2]));
        i += 2;
      } else {
        return std::nullopt;
      }
    }
    decoded += line_end;
  }
  return decoded;
}

// What is read as JSON, put where the tree is built.
void graft(const Tree& json, std::uint32_t index, Tree& tree) {
  const Token& token = json.at(index);
  switch (token.kind) {
    case TokenKind::object:
    case TokenKind::array:
      tree.open(token.kind);
      for (std::uint32_t i = index + 1; i < token.next; i = json.at(i).next) graft(json, i, tree);
      tree.close();
      break;
    case TokenKind::name:
    case TokenKind::string:
      tree.add(token.kind, json.decoded(token));
      break;
    default:
      tree.add(token.kind, json.raw(token));
  }
}

void member(Tree& tree, std::string_view name, std::string_view value) {
  tree.add(TokenKind::name, name);
  tree.add(TokenKind::string, value);
}

struct PartHead {
  std::string_view disposition, type, encoding;
};

PartHead head_of(std::string_view text) {
  PartHead head;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto colon = std::min(line.find(':'), line.size());
    const auto name = line.substr(0, colon), value = trim(line.substr(std::min(colon + 1, line.size())));
    if (equal_without_case(name, "Content-Disposition")) head.disposition = value;
    if (equal_without_case(name, "Content-Type")) head.type = value;
    if (equal_without_case(name, "Content-Transfer-Encoding")) head.encoding = value;
  }
  return head;
}

void add_body(std::string_view type, std::string_view body, Tree& tree) {
  constexpr std::size_t around = 2;  // the array of parts and the part
  const replay::Headers headers{{"Content-Type", std::string(type)}};
  const Media media = type.empty() ? Media::text : media_of(headers, body);
  tree.add(TokenKind::name, "body");
  Tree json;
  if (media == Media::json && !read_json(body, json, around)) return graft(json, 0, tree);
  const bool readable = media != Media::opaque && media != Media::multipart;
  tree.add(TokenKind::string, readable ? std::string(body) : digest_text(body));
}

void add_part(std::string_view text, Tree& tree) {
  // A part without fields begins with the empty line.
  const bool headless = text.starts_with("\r\n");
  const auto blank = headless ? 0 : text.find("\r\n\r\n");
  const std::string_view sent =
      blank == std::string_view::npos ? std::string_view() : text.substr(blank + (headless ? 2 : 4));
  const PartHead head = head_of(text.substr(0, blank));
  std::string encoding = lower(head.encoding);
  if (encoding == "7bit" || encoding == "8bit" || encoding == "binary") encoding.clear();
  std::optional<std::string> decoded;
  if (encoding == "base64") decoded = base64_decoded(sent);
  if (encoding == "quoted-printable") decoded = quoted_printable_decoded(sent);
  tree.open(TokenKind::object);
  member(tree, "name", parameter(head.disposition, "name"));
  member(tree, "filename", parameter(head.disposition, "filename"));
  member(tree, "type", canonical_media_type(head.type));
  member(tree, "encoding", encoding);
  if (encoding.empty()) {
    add_body(head.type, sent, tree);
  } else if (decoded) {
    add_body(head.type, *decoded, tree);
  } else {
    member(tree, "body", digest_text(sent));
  }
  tree.close();
}

}  // namespace

// Delimiters stand at the beginning of a line; what stands before the first and behind the last is nothing.
std::optional<std::string> take_parts(std::string_view content_type, std::string_view body, Tree& tree) {
  const std::string boundary = parameter(content_type, "boundary");
  if (boundary.empty()) return "multipart without a boundary";
  const std::string delimiter = "--" + boundary;
  const auto at = body.starts_with(delimiter) ? 0 : body.find("\r\n" + delimiter);
  if (at == std::string_view::npos) return "multipart without its first boundary";
  body.remove_prefix(at + (body.starts_with(delimiter) ? 0 : 2));
  tree.open(TokenKind::array);
  for (std::size_t count = 0;; ++count) {
    body.remove_prefix(delimiter.size());
    if (body.starts_with("--")) break;
    if (count == answer_limits::parts) return "more parts than are taken apart (1000)";
    if (tree.tokens.size() > answer_limits::tokens) break;  // which the caller says
    const auto line = body.find("\r\n");
    const auto end = body.find("\r\n" + delimiter, line == std::string_view::npos ? 0 : line);
    if (line == std::string_view::npos || end == std::string_view::npos) return "multipart without its last boundary";
    add_part(end < line + 2 ? std::string_view() : body.substr(line + 2, end - line - 2), tree);
    body.remove_prefix(end + 2);
  }
  tree.close();
  return std::nullopt;
}

}  // namespace rehearse::properties
