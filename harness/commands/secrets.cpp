#include <fmt/format.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <map>
#include <utility>

#include "harness/commands/commands.h"
#include "harness/redaction.h"
#include "replay/capture/import.h"
#include "replay/error.h"
#include "replay/traffic_file.h"
#include "reports/escape.h"

namespace rehearse::harness {
namespace {

namespace json = boost::json;

struct Seen {
  std::int64_t count = 0, example = 0;
};
// By place and kind.
using Places = std::map<std::pair<std::string, std::string>, Seen>;

void print(const Places& places, bool as_json) {
  if (!as_json) fmt::print("{:>8} {:>8}  {:<28} {}\n", "count", "example", "kind", "place");
  for (const auto& [place, seen] : places) {
    if (as_json) {
      fmt::print(
          "{}\n",
          json::serialize(json::object{
              {"place", place.first}, {"kind", place.second}, {"count", seen.count}, {"example", seen.example}}));
    } else {
      fmt::print("{:>8} {:>8}  {:<28} {}\n", seen.count, seen.example, place.second,
                 reports::terminal_escape(place.first));
    }
  }
}

}  // namespace

int show_secrets(const std::string& file, const replay::ImportOptions& options, const RedactionArguments& redaction,
                 bool as_json) {
  // A key for this once: nothing that it makes is kept.
  replay::Redactor redactor(rules_of(load_redaction(redaction)), replay::passing_key());
  Places places;
  const auto take = [&](replay::Exchange&& exchange) {
    std::vector<replay::Masked> found;
    redactor.apply(exchange, &found);
    for (const replay::Masked& masked : found) {
      Seen& seen = places[{masked.place, std::string(masked.kind)}];
      if (seen.count++ == 0) seen.example = exchange.id;
    }
  };
  const bool saved = file != "-" && replay::is_sqlite(file);
  const replay::Certificate certificate =
      saved ? replay::load_traffic(file, take) : replay::import_captures({file}, options, take);
  if (const std::string key = redacted_with(certificate); !key.empty() && !as_json) {
    fmt::print("{} is masked already, with the key {}; these are the places of its masks\n", file, key);
  }
  print(places, as_json);
  if (!as_json && places.empty()) fmt::print("nothing in it looks like a secret\n");
  return exit_pass;
}

}  // namespace rehearse::harness
