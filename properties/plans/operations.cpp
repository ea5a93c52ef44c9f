#include "properties/plans/operations.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "properties/plans/odd_values.h"
#include "replay/values.h"

namespace rehearse::properties {
namespace {

using replay::Request;
using replay::Step;

// Fields of the head that say nothing about the thing asked for, and would only make two samples differ.
constexpr std::string_view idempotency_key = "header:Idempotency-Key";

bool is_path(std::string_view place) { return place.starts_with("path:"); }

// "json:/items/0/sku" and "query:sku" are places of a "sku"; what names an id is of the sort of its entity.
Sort sort_of(const replay::Value& value) {
  if (value.place.starts_with("header:") || value.place.starts_with("cookie:") ||
      value.place.starts_with("credential:"))
    return value.place;
  const std::string entity = replay::entity_name(value.name);
  if (is_path(value.place) || replay::names_an_id(value.name)) return entity.empty() ? value.name : entity;
  return replay::lower(value.name);
}

// Numbers say nothing: order 5059 and customer 5059 are two things.
bool telling(std::string_view text) {
  return text.size() >= 5 && replay::identifies_in_path(text) && !replay::is_integer(text);
}

// Whether that part of a path is one of many, as `route_of` sees it: "SKU-1", "BULK-0", "blue 7"; not "v1".
bool names_one(std::string_view text) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  const bool version = text.size() > 1 && (text[0] == 'v' || text[0] == 'V') &&
                       text.find_first_not_of("0123456789.", 1) == std::string_view::npos;
  return !version && (std::any_of(text.begin(), text.end(), digit) || replay::identifies_in_path(text));
}

// Sorts that share values that identify something are one: the "sku" of a body is the "product" of a path.
class SortNames {
 public:
  void seen(const Sort& sort, const std::string& text) {
    if (!telling(text)) return;
    const auto [at, first] = by_text_.try_emplace(text, sort);
    if (!first && at->second != sort) ++shared_[std::minmax(find(at->second), find(sort))];
  }
  // One shared value may be an accident.
  void join() {
    for (const auto& [pair, count] : shared_) {
      if (count < 2) continue;
      const Sort a = find(pair.first), b = find(pair.second);
      if (a != b) parent_[b] = a;
    }
  }
  [[nodiscard]] Sort find(Sort sort) const {
    for (auto at = parent_.find(sort); at != parent_.end(); at = parent_.find(sort)) sort = at->second;
    return sort;
  }

 private:
  std::unordered_map<std::string, Sort> by_text_;
  std::map<std::pair<Sort, Sort>, int> shared_;
  std::map<Sort, Sort> parent_;
};

// Every sample must show something: another shape of body, another set of fields. The first few of each shape are kept.
std::string outline_of(const std::vector<Slot>& slots, int status) {
  std::string shape = status >= 400 ? "refused " : "accepted ";
  for (const Slot& slot : slots) shape += slot.at + " ";
  return shape;
}

constexpr std::size_t samples_of_a_shape = 4, max_amounts = 4;

void add_value(Values& values, const std::string& text) {
  ++values.times;
  if (values.seen.size() >= max_values) return;
  if (std::find(values.seen.begin(), values.seen.end(), text) == values.seen.end()) values.seen.push_back(text);
}

}  // namespace

bool Values::enumeration() const {
  return !reference && seen.size() <= 8 && times >= 4 * static_cast<std::int64_t>(seen.size());
}

const Operation* Catalogue::named(std::string_view name) const {
  const auto at = std::lower_bound(operations.begin(), operations.end(), name,
                                   [](const Operation& operation, std::string_view n) { return operation.name < n; });
  return at != operations.end() && at->name == name ? &*at : nullptr;
}

std::vector<const Operation*> Catalogue::makers(const Sort& sort) const {
  std::vector<const Operation*> found;
  for (const Operation& operation : operations) {
    const bool makes = std::any_of(operation.makes.begin(), operation.makes.end(),
                                   [&](const auto& made) { return made.second == sort; });
    if (makes) found.push_back(&operation);
  }
  return found;
}

std::vector<Slot> slots_of(const Request& request) {
  std::vector<Slot> slots;
  for (const replay::Value& value : replay::values_in(request)) {
    if (is_path(value.place) && !names_one(value.text)) continue;  // part of the route
    slots.push_back({value.place, sort_of(value)});
  }
  return slots;
}

std::map<std::string, Sort> sorts_of_entities(const Catalogue& catalogue) {
  std::map<std::string, Sort> sorts;
  for (const Operation& operation : catalogue.operations)
    for (const Operation::Sample& sample : operation.samples)
      for (const replay::Value& value : replay::values_in(*sample.request))
        for (const Slot& slot : sample.slots)
          if (is_path(slot.at) && slot.at == value.place) sorts.try_emplace(replay::entity_name(value.name), slot.sort);
  return sorts;
}

void learn_amounts(Catalogue& catalogue, const replay::History& played) {
  for (const replay::Record& record : played.records) {
    if (record.read || record.outcome != replay::Outcome::answered || record.response.status >= 300) continue;
    const auto name = replay::route_of(record.request.method, record.request.target);
    const auto operation = std::find_if(catalogue.operations.begin(), catalogue.operations.end(),
                                        [&](const auto& o) { return o.name == name; });
    if (operation == catalogue.operations.end() || operation->makes.empty() || operation->amounts.size() >= max_amounts)
      continue;
    replay::visit_values(record.response, [&](const replay::ValueView& value) {
      if (value.place.starts_with("json:") && !value.in_array && shape_of(value.text) == Shape::decimal &&
          operation->amounts.size() < max_amounts)
        operation->amounts.emplace(value.place);
    });
  }
}

Catalogue operations_in(const replay::Plan& plan, const std::function<bool(const Step&)>& wanted) {
  struct Seen {
    Operation operation;
    std::map<std::string, std::size_t> shapes;
  };
  std::map<std::string, Seen> seen;
  std::map<Sort, Values> values;
  SortNames names;
  std::unordered_map<replay::StepId, std::string> operation_of;
  const auto played = [&](const Step& step) { return step.request.has_value() && wanted(step); };

  for (const Step& step : plan.steps) {
    if (!played(step)) continue;
    const auto request = step.request.get();
    for (const replay::Value& value : replay::values_in(*request)) {
      if (!is_path(value.place) || names_one(value.text)) names.seen(sort_of(value), value.text);
    }
  }
  names.join();

  for (const Step& step : plan.steps) {
    if (!played(step)) continue;
    const auto request = step.request.get();
    const std::string name = replay::route_of(request->method, request->target);
    operation_of[step.id] = name;
    Seen& known = seen[name];
    known.operation.name = name;
    known.operation.read = step.read;
    known.operation.accepted |= step.captured_status > 0 && step.captured_status < 400;
    std::vector<Slot> slots = slots_of(*request);
    for (Slot& slot : slots) slot.sort = names.find(slot.sort);
    for (const Slot& slot : slots) {
      if (slot.at == idempotency_key) continue;
      Values& of_sort = values[slot.sort];
      if (const auto text = replay::value_at(*request, slot.at)) add_value(of_sort, *text);
      of_sort.reference |= is_path(slot.at);
    }
    for (const replay::Use& use : step.uses) {
      const auto maker = operation_of.find(use.from);
      if (maker == operation_of.end()) continue;
      const auto slot = std::find_if(slots.begin(), slots.end(), [&](const Slot& s) { return s.at == use.at; });
      if (slot == slots.end()) continue;
      seen[maker->second].operation.makes[use.source] = slot->sort;
      values[slot->sort].reference = true;
    }
    std::size_t& of_this_shape = known.shapes[outline_of(slots, step.captured_status)];
    if (of_this_shape >= samples_of_a_shape || known.operation.samples.size() >= max_samples) continue;
    ++of_this_shape;
    known.operation.samples.push_back(
        {request, std::move(slots), step.captured_status == 0 || step.captured_status < 400});
  }

  Catalogue catalogue;
  for (auto& [name, known] : seen) catalogue.operations.push_back(std::move(known.operation));
  catalogue.values = std::move(values);
  return catalogue;
}

}  // namespace rehearse::properties
