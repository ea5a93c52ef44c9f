#include "harness/commands/exchange_filter.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <iomanip>
#include <sstream>
#include <utility>

#include "replay/error.h"
#include "replay/plan.h"

namespace rehearse::harness {
namespace {

using replay::Exchange;

// "2026-11-22T10:00:00[.5]Z" or "+90s", "+1.5m", "+2h" from `first_ns`, in nanoseconds since the epoch.
std::int64_t time_of(const std::string& text, std::int64_t first_ns) {
  if (text.starts_with('+')) {
    double amount = 0;
    const auto [rest, error] = std::from_chars(text.data() + 1, text.data() + text.size(), amount);
    const std::string_view unit(rest, static_cast<std::size_t>(text.data() + text.size() - rest));
    const double seconds = unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : unit == "ms" ? 0.001 : 0;
    if (error == std::errc() && seconds > 0 && amount >= 0 && amount < 1e9)
      return first_ns + static_cast<std::int64_t>(amount * seconds * 1e9);
  } else {
    std::istringstream in(text);
    std::tm parts{};
    in >> std::get_time(&parts, "%Y-%m-%dT%H:%M:%S");
    double fraction = 0;
    if (in && in.peek() == '.') in >> fraction;
    if (in && in.get() == 'Z' && in.peek() == std::char_traits<char>::eof())
      return static_cast<std::int64_t>(timegm(&parts)) * 1'000'000'000 + static_cast<std::int64_t>(fraction * 1e9);
  }
  throw Error(
      fmt::format("`{}` is no time; write 2026-11-22T10:00:00Z, or +90s for that long after the first request", text));
}

bool matches_status(const std::string& pattern, int status) {
  const std::string text = std::to_string(status);
  return pattern.size() == 3 && text.size() == 3 &&
         std::equal(pattern.begin(), pattern.end(), text.begin(), [](char p, char c) { return p == 'x' || p == c; });
}

// FNV-1a.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash;
}

// A number from 0 to 1 for a hash, the same one on every machine; the last byte alone would decide the upper bits of an FNV hash.
double share_of(std::uint64_t hash) {
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdu;
  hash ^= hash >> 33;
  return static_cast<double>(hash >> 11) / static_cast<double>(1ull << 53);
}

}  // namespace

ExchangeFilter::ExchangeFilter(WantedExchanges wanted) : wanted_(std::move(wanted)), sessions_(wanted_.session_keys) {
  for (const std::string& status : wanted_.statuses) {
    const bool good = status.size() == 3 && status[0] >= '1' && status[0] <= '5' &&
                      status.find_first_not_of("0123456789x", 1) == std::string::npos;
    if (!good) throw Error(fmt::format("`{}` is no status; write 404, 40x or 4xx", status));
  }
}

// A session goes on under another name when an answer gives it one, and the login that begins it belongs to it.
double ExchangeFilter::share_of(const Exchange& exchange) {
  std::vector<std::uint64_t> names = sessions_.sessions_of(exchange, values_in(exchange.request));
  if (const auto begun = exchange.response ? session_begun_by(*exchange.response, wanted_.session_keys) : std::nullopt)
    names.push_back(*begun);
  if (names.empty())
    return harness::share_of(hash_of(fmt::format("{} {} {}", exchange.client, exchange.server, exchange.started_ns)));
  std::uint64_t first = names.front();
  for (const std::uint64_t name : names) {
    const auto known = first_names_.find(name);
    if (known == first_names_.end()) continue;
    first = known->second;
    break;
  }
  for (const std::uint64_t name : names) first_names_.try_emplace(name, first);
  return harness::share_of(first);
}

bool ExchangeFilter::accepts(const Exchange& exchange) {
  // All are looked at, whatever else they are: a session may begin before `from`.
  const bool sampled = wanted_.sample >= 1 || share_of(exchange) < wanted_.sample;
  if (std::exchange(first_, false)) {
    if (!wanted_.from.empty()) from_ns_ = time_of(wanted_.from, exchange.request_ns);
    if (!wanted_.to.empty()) to_ns_ = time_of(wanted_.to, exchange.request_ns);
  }
  if (!sampled) return false;
  if ((from_ns_ && exchange.request_ns < *from_ns_) || (to_ns_ && exchange.request_ns >= *to_ns_)) return false;
  const auto any = [](const std::vector<std::string>& list, auto matches) {
    return list.empty() || std::any_of(list.begin(), list.end(), matches);
  };
  const std::string route = replay::route_of(exchange.request.method, exchange.request.target);
  const std::string path(replay::path_of(exchange.request.target));
  return (!wanted_.complete || exchange.complete()) &&
         any(wanted_.methods, [&](const std::string& method) { return method == exchange.request.method; }) &&
         any(wanted_.statuses,
             [&](const std::string& status) {
               return exchange.response && matches_status(status, exchange.response->status);
             }) &&
         any(wanted_.routes, [&](const std::string& pattern) {
           return pattern == route || fnmatch(pattern.c_str(), path.c_str(), 0) == 0;
         });
}

}  // namespace rehearse::harness
