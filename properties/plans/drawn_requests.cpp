#include "properties/plans/drawn_requests.h"

#include <fmt/format.h>

#include <algorithm>

#include "properties/plans/odd_values.h"
#include "replay/values.h"

namespace rehearse::properties {

using replay::Plan;
using replay::Request;
using replay::Step;
using replay::StepId;

namespace {

constexpr std::string_view key_header = "header:Idempotency-Key";
constexpr std::string_view conditional = "header:If-";
constexpr int lists_of_a_collection = 2;
// What a service remembers of a name must not be that of an earlier plan, which knew it as another thing. Names have room for five digits.
constexpr int mark_ranges = 900, marks_of_a_plan = 100;
constexpr std::string_view conditions[] = {"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since"};

bool in_path(const Slot& slot) { return slot.at.starts_with("path:"); }
bool in_path(const replay::Use& use) { return use.at.starts_with("path:"); }

// Whether requests of the operation name one thing of that sort in their path, and nothing else there.
bool names_one(const Operation& operation, const Sort& sort) {
  const auto& slots = operation.samples.front().slots;
  return std::count_if(slots.begin(), slots.end(), [](const Slot& slot) { return in_path(slot); }) == 1 &&
         std::any_of(slots.begin(), slots.end(), [&](const Slot& slot) { return in_path(slot) && slot.sort == sort; });
}

// "/shop/orders/7/lines" → "/shop", "/shop/orders".
std::set<std::string> collections_in(std::string_view target) {
  const std::string_view path = replay::path_of(target);
  std::set<std::string> paths;
  for (auto at = path.find('/'); at != std::string_view::npos;) {
    const auto end = std::min(path.find('/', at + 1), path.size());
    if (replay::identifies_in_path(path.substr(at + 1, end - at - 1))) break;
    paths.emplace(path.substr(0, end));
    at = end == path.size() ? std::string_view::npos : end;
  }
  return paths;
}

std::vector<const Operation*> those(const std::vector<const Operation*>& operations, bool make) {
  std::vector<const Operation*> found;
  for (const Operation* operation : operations)
    if (operation->makes.empty() != make) found.push_back(operation);
  return found;
}

}  // namespace

std::string mark_in(std::string_view text) {
  for (auto at = text.find('~'); at != std::string_view::npos; at = text.find('~', at + 1)) {
    const auto end = text.find_first_not_of("0123456789", at + 1);
    if (end != std::string_view::npos && end > at + 1 && text[end] == '~')
      return std::string(text.substr(at, end + 1 - at));
  }
  return {};
}

void without_conditions(Step& step) {
  Request request = *step.request;
  for (const std::string_view name : conditions) replay::erase_field(request.headers, name);
  step.request = std::move(request);
}

DrawnRequests::DrawnRequests(const Catalogue& catalogue, const DrawingOptions& options, const MetSoFar& met,
                             const Plan& plan, Dice& dice)
    : catalogue_(catalogue),
      options_(options),
      met_(met),
      plan_(plan),
      dice_(dice),
      marks_(static_cast<int>(dice.below(mark_ranges)) * marks_of_a_plan) {
  const std::size_t left_out = dice_.below(70);
  std::vector<const Operation*> writes, reads;
  for (const Operation& operation : catalogue_.operations) (operation.read ? reads : writes).push_back(&operation);
  const auto thin = [&](std::vector<const Operation*> all) {
    std::vector<const Operation*> kept;
    for (const Operation* operation : all)
      if (!dice_.percent(left_out)) kept.push_back(operation);
    return kept.empty() && !all.empty() ? std::vector{dice_.of(all)} : kept;
  };
  writes_ = thin(writes);
  reads_ = thin(reads);
  odd_percent_ = options_.odd_values && dice_.percent(70) ? dice_.between(15, 75) : 0;
}

std::vector<const Operation*> DrawnRequests::creating() const { return those(writes_, true); }
std::vector<const Operation*> DrawnRequests::changing() const { return those(writes_, false); }

std::vector<const Operation*> DrawnRequests::about_one(const Sort& sort, bool read) const {
  std::vector<const Operation*> found;
  for (const Operation* operation : read ? reads_ : writes_)
    if (names_one(*operation, sort)) found.push_back(operation);
  return found;
}

void DrawnRequests::lanes_ended() {
  for (auto& [sort, handles] : handles_)
    for (Handle& handle : handles) handle.lane = 0;
}

std::string DrawnRequests::new_mark() { return mark_of(++marks_); }

// One to three values of a sort, which the whole plan works on.
const std::vector<std::string>& DrawnRequests::hot(const Sort& sort) {
  auto [at, first] = hot_.try_emplace(sort);
  if (first) {
    const auto values = catalogue_.values.find(sort);
    if (values != catalogue_.values.end() && !values->second.seen.empty())
      for (std::size_t i = dice_.between(1, 3); i > 0; --i) at->second.push_back(dice_.of(values->second.seen));
  }
  return at->second;
}

// Creates first, then what works on what was created, and reads in between.
const Operation& DrawnRequests::choose(Stage stage) {
  const bool read =
      writes_.empty() || only_reads_ || (!reads_.empty() && dice_.percent(plan_.steps.size() < 3 ? 10 : 35));
  const auto& among = read ? reads_ : writes_;
  std::vector<double> weights;
  for (const Operation* operation : among) {
    const bool creates = !operation->makes.empty();
    bool usable = false;
    for (const auto& slot : operation->samples.front().slots) usable |= handles_.contains(slot.sort);
    weights.push_back((creates && handles_.empty() ? 3
                       : usable                    ? 2
                                                   : 1) *
                      (0.3 + met_.want(in_stage(operation->name, stage))));
  }
  return *among[dice_.weighted(weights)];
}

Step DrawnRequests::any(Stage stage, std::int64_t lane) {
  // A client that heard nothing sends the same once more, with the same key.
  if (!repeatable_.empty() && !only_reads_ && dice_.percent(6)) {
    const std::size_t again = dice_.below(repeatable_.size());
    if (repeatable_[again].second == 0 || repeatable_[again].second == lane) {
      Step copy = repeatable_[again].first;
      copy.after.clear();
      return copy;
    }
  }
  // A person sends the form twice: the same once more, as another request. What must be there once is there already.
  if (!submitted_.empty() && !only_reads_ && dice_.percent(5)) {
    const auto& [sent, of_lane] = submitted_[dice_.below(submitted_.size())];
    if (of_lane == 0 || of_lane == lane) return sent_again(sent);
  }
  // What was read is read again: it may have been written since.
  if (!readable_.empty() && dice_.percent(15)) {
    const auto& [read, of_lane] = readable_[dice_.below(readable_.size())];
    if (of_lane == 0 || of_lane == lane) {
      Step copy = read;
      copy.after.clear();
      return copy;
    }
  }
  return of(choose(stage), lane);
}

Step DrawnRequests::of(const Operation& operation, std::int64_t lane) {
  const auto* drawn = &dice_.of(operation.samples);
  // What was refused in the capture is refused again, mostly for the same reason.
  if (!drawn->accepted && dice_.percent(70)) drawn = &dice_.of(operation.samples);
  if (!drawn->accepted && dice_.percent(70)) drawn = &dice_.of(operation.samples);
  const auto& sample = *drawn;
  Request request = *sample.request;
  Step step;
  step.read = operation.read;
  // One odd value in a request shows what it does; of several, one is refused.
  odd_slot_ = sample.slots.empty() || !dice_.percent(odd_percent_) ? nullptr : &dice_.of(sample.slots);
  named_.clear();
  for (const Slot& slot : sample.slots) {
    if (!thing_ || !in_path(slot) || slot.sort != thing_->sort) {
      fill(slot, operation, request, step, lane);
      continue;
    }
    const auto old = replay::value_at(request, slot.at);
    if (!old) continue;
    replay::put(request, slot.at, *old, thing_->value);
    if (thing_->use) step.uses.push_back({slot.at, thing_->value, thing_->use->from, thing_->use->source});
  }
  const bool keyed = replay::field(request.headers, "Idempotency-Key").has_value();
  step.request = std::move(request);
  const bool of_one = std::any_of(sample.slots.begin(), sample.slots.end(), [](const Slot& s) { return in_path(s); });
  if (operation.read && of_one) readable_.emplace_back(step, lane);
  if (!operation.read) {
    if (keyed) repeatable_.emplace_back(step, lane);
    if (!operation.makes.empty()) submitted_.emplace_back(step, lane);
    const auto id = static_cast<StepId>(plan_.steps.size()) + 1;
    for (const auto& [source, sort] : operation.makes) handles_[sort].push_back({id, source, lane});
  }
  return step;
}

Step DrawnRequests::sent_again(const Step& sent) {
  Step again = sent;
  again.after.clear();
  Request request = *again.request;
  if (replay::field(request.headers, "Idempotency-Key"))
    replay::set_field(request.headers, "Idempotency-Key", "key" + new_mark());
  again.request = std::move(request);
  return again;
}

std::optional<DrawnRequests::Thing> DrawnRequests::thing_of(const Operation& operation, const Step& step) {
  for (const Slot& slot : operation.samples.front().slots) {
    if (!in_path(slot)) continue;
    const auto value = replay::value_at(*step.request.get(), slot.at);
    if (!value) continue;
    Thing thing{slot.sort, *value, std::nullopt};
    for (const replay::Use& use : step.uses)
      if (use.at == slot.at) thing.use = use;
    return thing;
  }
  return std::nullopt;
}

Step DrawnRequests::about(const Thing& thing, const Operation& operation, std::int64_t lane) {
  thing_ = thing;
  Step step = of(operation, lane);
  thing_.reset();
  return step;
}

void DrawnRequests::fill(const Slot& slot, const Operation& operation, Request& request, Step& step,
                         std::int64_t lane) {
  const auto old = replay::value_at(request, slot.at);
  if (!old) return;
  if (slot.at == key_header) {
    replay::put(request, slot.at, *old, fmt::format("key{}", mark_of(++marks_)));
    return;
  }
  if (slot.at.starts_with("cookie:") || slot.at.starts_with("credential:")) return;
  if (slot.at.starts_with("header:")) {
    // A condition that was true in the capture is hardly true here; without it the request does its work.
    if (slot.at.starts_with(conditional) && dice_.percent(60))
      replay::erase_field(request.headers, std::string_view(slot.at).substr(7));
    return;
  }
  const auto values = catalogue_.values.find(slot.sort);
  const bool reference = values != catalogue_.values.end() && values->second.reference;
  if (reference) return refer(slot, operation, *old, request, step, lane);
  if (!operation.read && slot.at.starts_with("json:") && shape_of(*old) == Shape::decimal && dice_.percent(30) &&
      echo(slot, *old, request, step))
    return;
  if (&slot == odd_slot_) {
    replay::put(request, slot.at, *old, dice_.of(dice_.of(odd_values(shape_of(*old)))));
    return;
  }
  if (values == catalogue_.values.end()) return;
  if (!values->second.enumeration() && !operation.read && slot.at.starts_with("json:") && dice_.percent(60)) {
    replay::put(request, slot.at, *old, fresh_like(*old, ++marks_));
    return;
  }
  if (dice_.percent(30)) replay::put(request, slot.at, *old, dice_.of(values->second.seen));
}

// The amount that the answer gave which made the thing: what is due is paid.
bool DrawnRequests::echo(const Slot& slot, const std::string& old, Request& request, Step& step) {
  for (const replay::Use& use : step.uses) {
    const auto maker =
        std::find_if(plan_.steps.begin(), plan_.steps.end(), [&](const Step& s) { return s.id == use.from; });
    if (maker == plan_.steps.end() || !maker->request) continue;
    const auto made = maker->request.get();
    const Operation* operation = catalogue_.named(replay::route_of(made->method, made->target));
    if (operation == nullptr || operation->amounts.empty()) continue;
    auto at = operation->amounts.begin();
    std::advance(at, dice_.below(operation->amounts.size()));
    const std::string stand_in = fmt::format("{}.01", 100'000 + ++marks_);
    replay::put(request, slot.at, old, stand_in);
    step.uses.push_back({slot.at, stand_in, use.from, *at});
    return true;
  }
  return false;
}

// Something that this plan made, one of the few that it works on, a new name, or any other.
void DrawnRequests::refer(const Slot& slot, const Operation& operation, const std::string& old, Request& request,
                          Step& step, std::int64_t lane) {
  if (const auto made = handles_.find(slot.sort); made != handles_.end() && dice_.percent(60)) {
    std::vector<Handle> visible;
    for (const Handle& handle : made->second)
      if (handle.lane == 0 || handle.lane == lane) visible.push_back(handle);
    if (!visible.empty()) {
      const Handle& handle = dice_.of(visible);
      // The lines of one request name different things.
      if (!named_.insert(fmt::format("{} of step {} {}", slot.sort, handle.step, handle.source)).second)
        return refer_to_other(slot, old, request);
      const auto& of_sort = hot(slot.sort);
      const std::string stand_in = of_sort.empty() ? old : of_sort.front();
      replay::put(request, slot.at, old, stand_in);
      step.uses.push_back({slot.at, stand_in, handle.step, handle.source});
      return;
    }
  }
  if (request.method == "PUT" && in_path(slot) && operation.makes.empty() && dice_.percent(40)) {
    const std::string fresh = fresh_like(old, ++marks_);
    replay::put(request, slot.at, old, fresh);
    hot_[slot.sort].push_back(fresh);
    return;
  }
  refer_to_other(slot, old, request);
}

void DrawnRequests::refer_to_other(const Slot& slot, const std::string& old, Request& request) {
  const auto& of_sort = hot(slot.sort);
  const auto values = catalogue_.values.find(slot.sort);
  const bool others = values != catalogue_.values.end() && !values->second.seen.empty();
  std::string chosen = !of_sort.empty() && dice_.percent(85) ? dice_.of(of_sort)
                       : others                              ? dice_.of(values->second.seen)
                                                             : old;
  for (int tried = 0; tried < 4 && others && !dice_.percent(4) && named_.contains(slot.sort + " " + chosen); ++tried)
    chosen = dice_.of(values->second.seen);
  named_.insert(slot.sort + " " + chosen);
  replay::put(request, slot.at, old, chosen);
}

std::vector<Step> DrawnRequests::read_back() {
  std::vector<Step> reads;
  std::set<std::string> asked;
  for (const Step& written : plan_.steps) {
    if (!written.request || written.read) continue;
    const auto request = written.request.get();
    const Operation* read = catalogue_.named(replay::route_of("GET", request->target));
    if (read == nullptr || !read->read) continue;
    Request get = *read->samples.front().request;
    get.target = std::string(replay::path_of(request->target));
    Step step;
    step.read = true;
    std::string name = get.target;
    for (const replay::Use& use : written.uses) {
      if (!in_path(use)) continue;
      step.uses.push_back(use);
      name += fmt::format(" {}{}", use.from, use.source);
    }
    if (!asked.insert(name).second) continue;
    step.request = std::move(get);
    without_conditions(step);
    reads.push_back(std::move(step));
  }
  for (const auto& [sort, handles] : handles_) read_made(sort, handles, reads);
  list_written(reads);
  return reads;
}

// What was written stands in lists, by whatever order and filter clients ask for.
void DrawnRequests::list_written(std::vector<Step>& reads) {
  std::set<std::string> collections;
  for (const Step& written : plan_.steps)
    if (written.request && !written.read) collections.merge(collections_in(written.request.get()->target));
  for (const std::string& collection : collections) {
    const Operation* list = catalogue_.named("GET " + collection);
    if (list == nullptr || !list->read) continue;
    for (int i = 0; i < lists_of_a_collection; ++i) {
      Step step;
      step.read = true;
      step.request = *dice_.of(list->samples).request;
      without_conditions(step);
      reads.push_back(std::move(step));
    }
  }
}

// What was created and never named again.
void DrawnRequests::read_made(const Sort& sort, const std::vector<Handle>& handles, std::vector<Step>& reads) const {
  const Operation* read = nullptr;
  for (const Operation& operation : catalogue_.operations)
    if (operation.read && operation.samples.front().slots.size() == 1 && names_one(operation, sort)) read = &operation;
  if (read == nullptr) return;
  for (const Handle& handle : handles) {
    const auto& sample = read->samples.front();
    Request get = *sample.request;
    const auto old = replay::value_at(get, sample.slots.front().at);
    if (!old) continue;
    Step step;
    step.read = true;
    step.uses.push_back({sample.slots.front().at, *old, handle.step, handle.source});
    step.request = std::move(get);
    reads.push_back(std::move(step));
  }
}

}  // namespace rehearse::properties
