#define XXH_INLINE_ALL
#include "properties/answers/media.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

#include "properties/answers/json_reader.h"
#include "properties/answers/limits.h"
#include "properties/answers/multipart.h"
#include "properties/answers/xml_text.h"

namespace rehearse::properties {
namespace {

using Problem = std::optional<std::string>;

// Calls `line` with each line without its end; what stands behind the last end is a line only when there is something.
template <class Line>
void each_line(std::string_view text, Line line) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view one = text.substr(0, end);
    if (one.ends_with('\r')) one.remove_suffix(1);
    line(one);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::string problem_at(const JsonProblem& problem) { return fmt::format("{} at byte {}", problem.what, problem.at); }

Problem json_lines(std::string_view body, Tree& tree) {
  tree.clear();
  tree.text = body;
  if (body.size() > answer_limits::body_bytes) return "longer than is taken apart (256 MiB)";
  tree.tokens.push_back({0, static_cast<std::uint32_t>(body.size()), 0, TokenKind::array, false});
  Problem problem;
  std::size_t number = 0;
  Tree line_tree;
  each_line(body, [&](std::string_view line) {
    ++number;
    if (problem || replay::trim(line).empty()) return;
    if (const auto wrong = read_json(line, line_tree)) {
      problem = fmt::format("line {}: {}", number, problem_at(*wrong));
      return;
    }
    if (tree.tokens.size() + line_tree.tokens.size() > answer_limits::tokens) {
      problem = "more values than are taken apart (16777216)";
      return;
    }
    const auto shift = static_cast<std::uint32_t>(line.data() - body.data());
    const auto base = static_cast<std::uint32_t>(tree.tokens.size());
    for (Token token : line_tree.tokens) {
      token.begin += shift;
      token.end += shift;
      token.next += base;
      tree.tokens.push_back(token);
    }
  });
  tree.tokens.front().next = static_cast<std::uint32_t>(tree.tokens.size());
  return problem;
}

// Building stops there, and what was built is not used.
bool overfull(const Tree& tree) { return tree.tokens.size() > answer_limits::tokens; }

std::string form_decoded(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return replay::percent_decoded(spaced);
}

void form(std::string_view body, Tree& tree) {
  tree.open(TokenKind::object);
  while (!body.empty() && !overfull(tree)) {
    const auto end = std::min(body.find('&'), body.size());
    const std::string_view field = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    if (field.empty()) continue;
    const auto equals = std::min(field.find('='), field.size());
    tree.add(TokenKind::name, form_decoded(field.substr(0, equals)));
    tree.add(TokenKind::string, form_decoded(field.substr(std::min(equals + 1, field.size()))), equals == field.size());
  }
  tree.close();
}

Problem csv(std::string_view body, Tree& tree) {
  tree.open(TokenKind::array);
  while (!body.empty() && !overfull(tree)) {
    tree.open(TokenKind::array);
    bool row_ends = false;
    while (!row_ends && !overfull(tree)) {
      std::string cell;
      if (body.starts_with('"')) {
        body.remove_prefix(1);
        while (true) {
          const auto quote = body.find('"');
          if (quote == std::string_view::npos) return "a quoted cell without its end";
          cell += body.substr(0, quote);
          body.remove_prefix(quote + 1);
          if (!body.starts_with('"')) break;
          cell += '"';
          body.remove_prefix(1);
        }
      }
      const auto end = std::min(body.find_first_of(",\n"), body.size());
      std::string_view plain = body.substr(0, end);
      row_ends = end == body.size() || body[end] == '\n';
      if (row_ends && plain.ends_with('\r')) plain.remove_suffix(1);
      cell += plain;
      body.remove_prefix(std::min(end + 1, body.size()));
      tree.add(TokenKind::string, cell);
    }
    tree.close();
  }
  tree.close();
  return std::nullopt;
}

void lines(std::string_view body, Tree& tree) {
  tree.open(TokenKind::array);
  each_line(body, [&](std::string_view line) {
    if (!overfull(tree)) tree.add(TokenKind::string, line);
  });
  tree.close();
}

Problem xml(std::string_view body, Tree& tree) {
  const auto canonical = canonical_xml(body);
  if (!canonical) return "not well-formed, or beyond what is taken apart";
  tree.open(TokenKind::array);
  for (const std::string& line : *canonical) tree.add(TokenKind::string, line);
  tree.close();
  return std::nullopt;
}

}  // namespace

Media media_of(const replay::Headers& headers, std::string_view body) {
  const auto field = replay::field(headers, "Content-Type");
  if (!field) {
    const auto begin = body.find_first_not_of(" \t\r\n");
    return begin != std::string_view::npos && (body[begin] == '{' || body[begin] == '[') ? Media::json : Media::opaque;
  }
  const std::string type = replay::lower(replay::trim(field->substr(0, field->find(';'))));
  if (type == "application/json" || type.ends_with("+json")) return Media::json;
  if (type == "application/x-ndjson" || type == "application/ndjson" || type == "application/jsonl" ||
      type == "application/x-jsonlines")
    return Media::json_lines;
  if (type == "application/x-www-form-urlencoded") return Media::form;
  if (type == "text/csv") return Media::csv;
  if (is_xml(headers)) return has_document_type(body) ? Media::text : Media::xml;
  if (type.starts_with("multipart/")) return Media::multipart;
  return type.starts_with("text/") ? Media::text : Media::opaque;
}

bool is_xml(const replay::Headers& headers) {
  const auto field = replay::field(headers, "Content-Type").value_or("");
  const std::string type = replay::lower(replay::trim(field.substr(0, field.find(';'))));
  return type == "application/xml" || type == "text/xml" || type.ends_with("+xml");
}

std::string_view root_of(Media media) {
  switch (media) {
    case Media::json:
      return "$";
    case Media::json_lines:
      return "lines";
    case Media::form:
      return "form";
    case Media::csv:
      return "csv";
    case Media::xml:
      return "xml";
    case Media::text:
      return "text";
    case Media::multipart:
      return "multipart";
    case Media::opaque:
      break;
  }
  return "body";
}

Problem take_apart(Media media, const replay::Headers& headers, std::string_view body, Tree& tree) {
  tree.clear();
  if (media == Media::json) {
    const auto problem = read_json(body, tree);
    return problem ? std::optional(problem_at(*problem)) : std::nullopt;
  }
  if (media == Media::json_lines) return json_lines(body, tree);
  // What is built has a text of its own, which may be twice as long: that of XML, where characters become references.
  if (body.size() > answer_limits::body_bytes && media != Media::opaque) return "longer than is taken apart (256 MiB)";
  Problem problem;
  if (media == Media::form) form(body, tree);
  if (media == Media::csv) problem = csv(body, tree);
  if (media == Media::xml) problem = xml(body, tree);
  if (media == Media::text) lines(body, tree);
  if (media == Media::multipart) problem = take_parts(replay::field(headers, "Content-Type").value_or(""), body, tree);
  if (media == Media::opaque) tree.add(TokenKind::string, digest_text(body));
  tree.finish();
  if (!problem && overfull(tree)) problem = "more lines than are taken apart (16777216)";
  return problem;
}

std::string digest_text(std::string_view bytes) {
  return fmt::format("{} bytes, XXH3 {:016x}", bytes.size(), XXH3_64bits(bytes.data(), bytes.size()));
}

}  // namespace rehearse::properties
