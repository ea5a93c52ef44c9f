#include "reports/identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "replay/plan.h"

namespace rehearse::reports {
namespace {

using properties::Finding;
using properties::Result;

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool hexadecimal(char c) { return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// FNV-1a, 64 bits: the same on every machine, and nobody gains by making two findings meet.
std::uint64_t hash_of(std::initializer_list<std::string_view> parts) {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&](char c) { hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3; };
  for (const std::string_view part : parts) {
    for (const char c : part) add(c);
    add('\0');
  }
  return hash;
}

std::string slug(std::string_view text) {
  std::string slug;
  for (const char c : text) {
    if (slug.size() >= 40) break;
    if (letter(c) || digit(c)) {
      slug += c;
    } else if (!slug.empty() && slug.back() != '-') {
      slug += '-';
    }
  }
  while (slug.ends_with('-')) slug.pop_back();
  return slug.empty() ? "x" : slug;
}

std::string named(std::string_view prefix, std::initializer_list<std::string_view> parts) {
  return fmt::format("{}-{:08x}", slug(prefix), hash_of(parts) >> 32);
}

// "POST /orders/{}" of a curl line; empty when it is none.
std::string route_of_curl(std::string_view curl) {
  const auto scheme = curl.find("://");
  if (scheme == std::string_view::npos) return "";
  const auto path = curl.find('/', scheme + 3);
  const auto end = std::min(curl.find('\'', scheme), curl.size());
  if (path == std::string_view::npos || path >= end) return "";
  std::string_view method = "GET";
  if (const auto given = curl.find("-X "); given != std::string_view::npos && given < scheme)
    method = curl.substr(given + 3, curl.find(' ', given + 3) - given - 3);
  return replay::route_of(std::string(method), curl.substr(path, end - path));
}

}  // namespace

std::string without_numbers(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    // A word of eight hexadecimal digits and more that holds a digit is an id, whatever its letters are.
    std::size_t end = i;
    const bool begins = i == 0 || !(letter(text[i - 1]) || digit(text[i - 1]));
    while (begins && end < text.size() && (hexadecimal(text[end]) || (end > i && text[end] == '-'))) ++end;
    const bool ends = end == text.size() || !letter(text[end]);
    const std::string_view word = text.substr(i, end - i);
    if (ends && word.size() >= 8 && std::any_of(word.begin(), word.end(), digit)) {
      out += '#';
      i = end;
    } else if (digit(text[i])) {
      // 12:00:01.204, 2026-03-01T08:00:00Z, 1,234 and 5.00 are one number each.
      const auto joins = [&](std::size_t at) {
        return at + 1 < text.size() && std::string_view(":.,-T").find(text[at]) != std::string_view::npos &&
               digit(text[at + 1]);
      };
      while (i < text.size() && (digit(text[i]) || joins(i))) ++i;
      if (i < text.size() && text[i] == 'Z') ++i;
      out += '#';
    } else {
      out += text[i++];
    }
  }
  return out;
}

std::string identity_of(const Result& result, const Finding& finding) {
  // What is said of other columns and of transactions behind the first fact depends on the run.
  std::string_view observed = finding.observed;
  observed = observed.substr(0, std::min(observed.find(" (and "), observed.find("; last written by")));
  return named(result.invariant + " " + result.scope,
               {"finding", result.invariant, result.scope, route_of_curl(finding.request), without_numbers(observed)});
}

std::string identity_of(const Result& result) {
  return named(result.invariant + " " + result.scope, {"result", result.invariant, result.scope});
}

std::string identity_of(const Difference& difference) {
  return named("answers " + difference.route, {"answers", difference.route, difference.path, difference.kind});
}

std::string identity_of(const DifferingRow& row) {
  std::string columns;
  for (const RowColumn& column : row.columns) columns += column.column + ",";
  return named("row " + row.entity,
               {"row", row.section, row.left, row.right, row.entity, without_numbers(row.key), row.only_in, columns});
}

std::string identity_of(const BudgetResult& budget) {
  return named("budget " + budget.section, {"budget", budget.section, budget.route, budget.metric});
}

std::string identity_of(const Section& section) { return named("section " + section.name, {"section", section.name}); }

}  // namespace rehearse::reports
