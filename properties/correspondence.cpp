#include "properties/correspondence.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <optional>

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
  explicit Pairing(Correspondence& pairs) : pairs_(pairs) {}

  void answers(const Record& expected, const Record& observed) {
    step_ = expected.step;
    const auto left = field(expected.response.headers, "Location");
    const auto right = field(observed.response.headers, "Location");
    if (left && right) {
      const auto [collection, value] = end_of(replay::path_of(*left));
      add(collection, std::string(value), std::string(end_of(replay::path_of(*right)).second));
    }
    const auto expected_body = document_of(expected);
    const auto observed_body = document_of(observed);
    const auto collection = replay::collection_of(replay::path_of(expected.request.target));
    if (expected.response.status == 201 && observed.response.status == 201)
      created(left, right, expected_body, observed_body, collection);
    if (expected_body && observed_body) values(*expected_body, *observed_body, "", collection, 0);
  }

 private:
  // "/orders/41" ends in 41 of the orders.
  static std::pair<std::string_view, std::string_view> end_of(std::string_view path) {
    const auto slash = path.rfind('/');
    if (slash == std::string_view::npos) return {"", path};
    const auto before = path.substr(0, slash);
    return {before.substr(std::min(before.rfind('/') + 1, before.size())), path.substr(slash + 1)};
  }

  // What was created is named by Location, else by the id at the top of the answer.
  void created(const std::optional<std::string_view>& left, const std::optional<std::string_view>& right,
               const std::optional<json::value>& expected, const std::optional<json::value>& observed,
               std::string_view collection) {
    if (left && right) {
      const auto [of, value] = end_of(replay::path_of(*left));
      pairs_.add_created(
          {replay::entity_name(of), std::string(value), std::string(end_of(replay::path_of(*right)).second), step_});
    } else if (expected && observed && expected->is_object() && observed->is_object()) {
      const auto* a = expected->get_object().if_contains("id");
      const auto* b = observed->get_object().if_contains("id");
      if (a != nullptr && b != nullptr)
        pairs_.add_created({replay::entity_name(collection), text_of(*a), text_of(*b), step_});
    }
  }

  // `around` names what the object is one of that a member called "id" stands in.
  void values(const json::value& expected, const json::value& observed, std::string_view name, std::string_view around,
              int depth) {
    if (depth > max_depth || expected.kind() != observed.kind()) return;
    if (const auto* object = expected.if_object()) {
      const auto of = name.empty() ? around : name;
      for (const auto& [key, member] : *object) {
        if (const auto* other = observed.get_object().if_contains(key)) values(member, *other, key, of, depth + 1);
      }
    } else if (const auto* array = expected.if_array()) {
      const auto& others = observed.get_array();
      for (std::size_t i = 0; i < std::min(array->size(), others.size()); ++i)
        values((*array)[i], others[i], name, around, depth + 1);
    } else if (names_an_identifier(name) && (expected.is_string() || expected.is_int64() || expected.is_uint64())) {
      const std::string entity = replay::entity_name(name);
      add(entity.empty() ? around : name, text_of(expected), text_of(observed));
    }
  }

  static std::string text_of(const json::value& value) {
    return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
  }

  void add(std::string_view name, std::string expected, std::string observed) {
    if (expected.empty() || observed.empty()) return;
    pairs_.add_identifier({replay::entity_name(name), std::move(expected), std::move(observed), step_});
  }

  Correspondence& pairs_;
  replay::StepId step_ = 0;
};

bool acknowledged(const Record* record) {
  return record != nullptr && !record->read && record->outcome == replay::Outcome::answered &&
         record->response.status / 100 == 2;
}

}  // namespace

bool names_an_identifier(std::string_view name) {
  return replay::names_an_id(name) || replay::ends_in_word(name, "key");
}

// Identical pairs are kept too: they are what a later, different pair contradicts.
void Correspondence::add_identifier(Pair pair) {
  Numbering& numbering = numberings_[pair.entity];
  const Pair& forth = numbering.by_observed.try_emplace(pair.observed, pair).first->second;
  const Pair& back = numbering.by_expected.try_emplace(pair.expected, pair).first->second;
  const bool two_expected = forth.expected != pair.expected;
  const bool two_observed = back.observed != pair.observed;
  if (!two_expected && !two_observed) return;
  if (two_expected) numbering.ambiguous.insert(pair.observed);
  if (two_observed) numbering.ambiguous.insert({pair.observed, back.observed});
  if (numbering.violating.emplace(pair.expected, pair.observed).second)
    violations_.push_back({two_observed ? back : forth, std::move(pair)});
}

void Correspondence::add_created(Pair pair) {
  Created& created = created_[pair.entity];
  // A request that was sent again is answered with what is there already.
  if (created.expected.insert(pair.expected).second) created.pairs.push_back(std::move(pair));
}

std::vector<Correspondence::Violation> Correspondence::out_of_order() const {
  const auto number = [](const std::string& text) -> std::optional<std::int64_t> {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
  };
  std::vector<Violation> found;
  for (const auto& [entity, all] : created_) {
    const auto& created = all.pairs;
    std::optional<Violation> first;
    bool ascending = true;
    for (std::size_t i = 1; i < created.size(); ++i) {
      const auto a = number(created[i - 1].expected), b = number(created[i].expected);
      const auto c = number(created[i - 1].observed), d = number(created[i].observed);
      ascending = ascending && a && b && *a < *b;
      if (!first && c && d && *c > *d) first = Violation{created[i - 1], created[i]};
    }
    if (ascending && first) found.push_back(*first);
  }
  return found;
}

void Correspondence::add_rebound(const std::string& expected, const std::string& observed) {
  if (expected != observed) rebound_.emplace(expected, observed);
}

const std::string* Correspondence::expected_in(const Numbering& numbering, const std::string& observed) {
  const auto pair = numbering.by_observed.find(observed);
  return pair == numbering.by_observed.end() || numbering.ambiguous.contains(observed) ? nullptr
                                                                                       : &pair->second.expected;
}

bool Correspondence::same(const std::string& expected, const std::string& observed) const {
  if (expected == observed || rebound_.contains({expected, observed})) return true;
  return std::any_of(numberings_.begin(), numberings_.end(), [&](const auto& numbering) {
    const std::string* other = expected_in(numbering.second, observed);
    return other != nullptr && *other == expected;
  });
}

const std::string* Correspondence::identifier_for(const std::string& entity, const std::string& observed) const {
  if (const auto own = numberings_.find(entity); own != numberings_.end()) {
    if (own->second.ambiguous.contains(observed)) return nullptr;
    if (const std::string* expected = expected_in(own->second, observed)) return expected;
  }
  const std::string* found = nullptr;
  for (const auto& [name, numbering] : numberings_) {
    const std::string* expected = expected_in(numbering, observed);
    if (expected == nullptr) continue;
    if (found != nullptr && *found != *expected) return nullptr;
    found = expected;
  }
  return found;
}

bool Correspondence::empty() const {
  return rebound_.empty() && std::all_of(numberings_.begin(), numberings_.end(), [](const auto& numbering) {
           return std::all_of(
               numbering.second.by_observed.begin(), numbering.second.by_observed.end(), [&](const auto& pair) {
                 return pair.first == pair.second.expected || numbering.second.ambiguous.contains(pair.first);
               });
         });
}

Correspondence correspondence(const replay::History& expected, const std::vector<const replay::History*>& observed) {
  Correspondence pairs;
  Pairing pairing(pairs);
  std::map<std::pair<replay::StepId, replay::Place>, std::string> made;
  for (const auto& binding : expected.bindings) made[{binding.step, binding.source}] = binding.value;
  for (const replay::History* history : observed) {
    for (const Record& record : history->records) {
      const Record* other = replay::record_of(expected, record.step);
      if (acknowledged(&record) && acknowledged(other)) pairing.answers(*other, record);
    }
    for (const auto& binding : history->bindings) {
      if (const auto same = made.find({binding.step, binding.source}); same != made.end())
        pairs.add_rebound(same->second, binding.value);
    }
  }
  return pairs;
}

}  // namespace rehearse::properties
