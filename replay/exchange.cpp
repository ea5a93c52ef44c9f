#include "replay/exchange.h"

#include <algorithm>

namespace rehearse::replay {

bool Exchange::complete() const {
  return response.has_value() && std::all_of(flags.begin(), flags.end(), [](const std::string& name) {
           return name == flag::resynchronised || name == flag::time_backwards;
         });
}

void Exchange::add_flag(std::string_view name) {
  if (std::find(flags.begin(), flags.end(), name) == flags.end()) flags.emplace_back(name);
}

bool Certificate::conserves() const {
  const auto sum = [](const std::map<std::string, std::int64_t>& counts, std::initializer_list<std::string_view> but) {
    std::int64_t total = 0;
    for (const auto& [name, count] : counts) {
      if (std::find(but.begin(), but.end(), name) == but.end()) total += count;
    }
    return total;
  };
  const auto at = [](const std::map<std::string, std::int64_t>& counts, const char* name) {
    const auto found = counts.find(name);
    return found == counts.end() ? 0 : found->second;
  };
  return at(packets, "read") == sum(packets, {"read", "dropped by the capturing host"}) &&
         at(bytes, "captured") == sum(bytes, {"captured", "missing (gaps)"});
}

double Certificate::loss() const {
  const auto at = [](const std::map<std::string, std::int64_t>& counts, const char* name) {
    const auto found = counts.find(name);
    return found == counts.end() ? 0 : found->second;
  };
  const auto share = [](std::int64_t lost, std::int64_t kept) {
    return lost <= 0 ? 0.0 : static_cast<double>(lost) / static_cast<double>(lost + kept);
  };
  std::int64_t all = 0;
  for (const auto& [name, count] : exchanges) all += count;
  const std::int64_t whole = at(exchanges, "complete");
  return std::max(
      {share(all - whole, whole), share(at(bytes, "missing (gaps)"), at(bytes, "captured")),
       share(at(packets, "dropped by the capturing host"), at(packets, "read")),
       share(at(remarks, "bytes of capture files that could not be read"), at(remarks, "bytes of capture files"))});
}

}  // namespace rehearse::replay
