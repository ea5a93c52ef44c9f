#include "properties/correspondence.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <optional>
#include <set>

#include "replay/values.h"

namespace rehearse::properties {
namespace {

namespace json = boost::json;
using replay::field;
using replay::Record;

constexpr int max_depth = 32;

std::optional<json::value> document_of(const Record& record) {
  if (!replay::is_json(record.response.headers)) return std::nullopt;
  const auto body = replay::decoded_body(record.response.headers, record.response.body);
  if (!body) return std::nullopt;
  boost::system::error_code error;
  json::value value = json::parse(*body, error);
  if (error) return std::nullopt;
  return value;
}

class Pairing {
 public:
  void answers(const Record& expected, const Record& observed) {
    const auto left = field(expected.response.headers, "Location");
    const auto right = field(observed.response.headers, "Location");
    if (left && right)
      add(std::string(left->substr(left->rfind('/') + 1)), std::string(right->substr(right->rfind('/') + 1)));
    const auto expected_body = document_of(expected);
    const auto observed_body = document_of(observed);
    if (expected_body && observed_body) values(*expected_body, *observed_body, "", 0);
  }

  [[nodiscard]] Correspondence take() && {
    Correspondence pairs;
    for (const auto& [observed, expected] : forth_) {
      if (observed != expected && !ambiguous_.contains(observed)) pairs.emplace(observed, expected);
    }
    return pairs;
  }

 private:
  void values(const json::value& expected, const json::value& observed, std::string_view name, int depth) {
    if (depth > max_depth || expected.kind() != observed.kind()) return;
    if (const auto* object = expected.if_object()) {
      for (const auto& [key, member] : *object) {
        if (const auto* other = observed.get_object().if_contains(key)) values(member, *other, key, depth + 1);
      }
    } else if (const auto* array = expected.if_array()) {
      const auto& others = observed.get_array();
      for (std::size_t i = 0; i < std::min(array->size(), others.size()); ++i)
        values((*array)[i], others[i], name, depth + 1);
    } else if (names_an_identifier(name) && (expected.is_string() || expected.is_int64() || expected.is_uint64())) {
      add(text_of(expected), text_of(observed));
    }
  }

  static std::string text_of(const json::value& value) {
    return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
  }

  // Identical pairs are kept too: they are what a later, different pair contradicts.
  void add(const std::string& expected, const std::string& observed) {
    if (expected.empty() || observed.empty()) return;
    const auto [forth, fresh] = forth_.emplace(observed, expected);
    const auto [back, fresh_back] = back_.emplace(expected, observed);
    if (forth->second != expected) ambiguous_.insert(observed);
    if (back->second != observed) ambiguous_.insert({observed, back->second});
  }

  std::unordered_map<std::string, std::string> forth_, back_;
  std::set<std::string> ambiguous_;
};

bool acknowledged(const Record* record) {
  return record != nullptr && !record->read && record->outcome == replay::Outcome::answered &&
         record->response.status / 100 == 2;
}

}  // namespace

bool names_an_identifier(std::string_view name) {
  return replay::names_an_id(name) || replay::ends_in_word(name, "key");
}

Correspondence correspondence(const replay::History& expected, const std::vector<const replay::History*>& observed) {
  Pairing pairing;
  for (const replay::History* history : observed) {
    for (const Record& record : history->records) {
      const Record* other = replay::record_of(expected, record.step);
      if (acknowledged(&record) && acknowledged(other)) pairing.answers(*other, record);
    }
  }
  return std::move(pairing).take();
}

}  // namespace rehearse::properties
