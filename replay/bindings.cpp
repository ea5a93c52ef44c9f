#include "replay/bindings.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "replay/sessions.h"

namespace rehearse::replay {
namespace {

std::uint64_t digest(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

// "application/json": a letter first, one slash, no digit before it.
bool is_media_type(std::string_view text) {
  const auto slash = text.find('/');
  return slash != std::string_view::npos && slash > 0 && text.find('/', slash + 1) == std::string_view::npos &&
         std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(slash),
                     [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; });
}

std::size_t digits_in(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }));
}

// "2026-11-22", "2026-11-22T10:00:00Z": what a client can name, too.
bool is_time(std::string_view text) {
  const auto digit = [&](std::size_t i) { return text[i] >= '0' && text[i] <= '9'; };
  return text.size() >= 10 && digit(0) && digit(1) && digit(2) && digit(3) && text[4] == '-' && digit(5) && digit(6) &&
         text[7] == '-' && digit(8) && digit(9) && (text.size() == 10 || text[10] == 'T' || text[10] == ' ');
}

// "1999.9900", "1.10.2-rc1".
bool is_decimal_or_version(std::string_view text) {
  const auto dot = text.find_first_not_of("0123456789");
  return dot != std::string_view::npos && dot > 0 && text[dot] == '.' && dot + 1 < text.size() &&
         text[dot + 1] >= '0' && text[dot + 1] <= '9';
}

// Whether a text that a field of a document holds is one that nobody would have chosen. Names like "eu-west-1" hold few digits.
bool looks_made(std::string_view text) {
  return digits_in(text) * 5 >= text.size() && !is_time(text) && !is_decimal_or_version(text) &&
         !text.starts_with('/') && text.find("://") == std::string_view::npos && !is_media_type(text);
}

bool worth_binding(std::string_view value) {
  if (!is_integer(value)) return value.size() >= min_bound_string_bytes;
  std::int64_t number = 0;
  std::from_chars(value.data(), value.data() + value.size(), number);
  return number >= min_bound_integer;
}

std::string_view kind_of(std::string_view place) { return place.substr(0, place.find(':')); }

bool made(const ValueView& value, bool wrote) {
  const std::string_view kind = kind_of(value.place);
  if (kind == "set-cookie" || kind == "location-query") return true;
  if (kind == "header")
    return equal_without_case(value.name, "ETag") || names_a_token(value.name) || (wrote && names_an_id(value.name));
  if (kind == "location") return wrote && digits_in(value.text) > 0;
  if (is_integer(value.text)) return wrote && names_an_id(value.name);
  return (wrote && looks_made(value.text)) || (!value.in_array && names_a_token(value.name));
}

// Numbers are believed where only identifiers stand, or under the name of one.
bool may_use(const Value& value) {
  return !is_integer(value.text) || kind_of(value.place) == "path" || names_an_id(value.name);
}

// What an integer of that place is a number of: an order for "order_id" and for /orders/41; "" when the name does not say.
template <typename AnyValue>
std::string entity_of(const AnyValue& value) {
  return is_integer(value.text) ? entity_name(value.name) : std::string();
}

std::uint64_t key_of(const std::string& entity, std::string_view text) {
  return XXH3_64bits_withSeed(text.data(), text.size(), entity.empty() ? 0 : digest(entity));
}

}  // namespace

std::optional<MadeValue> made_value(const Request& request, bool wrote, const ValueView& value) {
  if (!made(value, wrote) || !worth_binding(value.text)) return std::nullopt;
  if (!is_integer(value.text)) {
    const bool doubtful = kind_of(value.place) == "json" && !names_an_id(value.name) && !names_a_token(value.name) &&
                          !ends_in_word(value.name, "key") && !ends_in_word(value.name, "code");
    return MadeValue{key_of("", value.text), 0, Place(value.place), doubtful};
  }
  std::string entity = entity_of(value);
  if (entity.empty()) entity = entity_name(collection_of(path_of(request.target)));
  return MadeValue{key_of(entity, value.text), digest(value.text), Place(value.place), false};
}

const BindingFinder::Source* BindingFinder::source_of(const Value& value) const {
  const std::string entity = entity_of(value);
  if (const auto found = sources_.find(key_of(entity, value.text)); found != sources_.end()) return &found->second;
  // "parent_id" may be the number of an order; "customer_id" is not, where there are customers.
  if (entity.empty() || collections_.contains(digest(entity))) return nullptr;
  const auto found = integers_.find(digest(value.text));
  return found == integers_.end() ? nullptr : &found->second;
}

std::vector<Use> BindingFinder::uses_in(const std::vector<Value>& request) {
  std::vector<Use> uses;
  for (const Value& value : request) {
    if (kind_of(value.place) == "path" && !value.name.empty()) collections_.insert(digest(entity_name(value.name)));
  }
  for (const Value& value : request) {
    if (!may_use(value)) continue;
    if (const Source* source = source_of(value))
      uses.push_back({value.place, value.text, source->step, places_[source->place]});
    else
      chosen_by_clients_.insert(key_of(entity_of(value), value.text));
  }
  return uses;
}

std::uint32_t BindingFinder::index_of(const Place& place) {
  const auto [index, fresh] = place_indices_.try_emplace(place, static_cast<std::uint32_t>(places_.size()));
  if (fresh) places_.push_back(place);
  return index->second;
}

bool BindingFinder::disproved(const Use& use) const {
  return !is_integer(use.value) && constants_.contains(key_of("", use.value));
}

void BindingFinder::answered(StepId step, const std::vector<MadeValue>& made, const About& about) {
  const auto of_the_same = [&](const About& other) {
    return other.client == about.client ||
           std::any_of(about.entities.begin(), about.entities.end(), [&](std::uint64_t entity) {
             return std::find(other.entities.begin(), other.entities.end(), entity) != other.entities.end();
           });
  };
  for (const MadeValue& value : made) {
    if (value.doubtful) {
      const auto [first, fresh] = doubtful_.try_emplace(value.key, First{step, about});
      if (!fresh && first->second.step != step && !of_the_same(first->second.about)) constants_.insert(value.key);
    }
    if (constants_.contains(value.key)) {
      sources_.erase(value.key);
      continue;
    }
    if (chosen_by_clients_.contains(value.key)) continue;
    const Source source{static_cast<std::uint32_t>(step), index_of(value.place)};
    if (value.integer != 0) integers_.try_emplace(value.integer, source);
    sources_.try_emplace(value.key, source);
  }
}

}  // namespace rehearse::replay
