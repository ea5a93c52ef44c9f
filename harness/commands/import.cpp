#include <fmt/format.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "harness/commands/commands.h"
#include "harness/commands/exchange_text.h"
#include "harness/redaction.h"
#include "replay/capture/import.h"
#include "replay/capture/live.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

// Writes what `run` finds and prints its certificate; 1 when more was lost than `arguments` allow, 2 when there is nothing.
template <typename Run>
int imported(const ImportArguments& arguments, Run run) {
  MaskedWriter writer(arguments.output, load_redaction(arguments.redaction));
  std::int64_t exchanges = 0;
  replay::Certificate certificate = run([&](replay::Exchange&& exchange) {
    ++exchanges;
    writer.mask(exchange);
    writer.add(exchange);
  });
  writer.finish(certificate);
  if (arguments.json) {
    fmt::print("{}\n", boost::json::serialize(json_of(certificate)));
  } else {
    print(certificate);
    fmt::print("written: {} ({} exchanges)\n", arguments.output, exchanges);
  }
  if (exchanges == 0) {
    fmt::print(stderr, "{}", no_http);
    return exit_unknown;
  }
  if (certificate.loss() <= arguments.max_loss) return exit_pass;
  fmt::print(stderr,
             "{:.3g} of the traffic is lost, more than the allowed {:.3g}: capture again, nearer to the service "
             "or with a larger buffer, or allow more with --max-loss\n",
             certificate.loss(), arguments.max_loss);
  return exit_fail;
}

}  // namespace

int import(const ImportArguments& arguments) {
  return imported(arguments,
                  [&](const auto& take) { return replay::import_captures(arguments.files, arguments.options, take); });
}

int capture(const CaptureArguments& arguments) {
  replay::LiveOptions live;
  live.interface = arguments.interface;
  live.filter = arguments.options.filter;
  live.buffer_bytes = static_cast<std::size_t>(arguments.buffer_megabytes) << 20;
  live.duration_ns = static_cast<std::int64_t>(arguments.seconds * 1e9);
  live.stop = &stop_requested;
  replay::ImportOptions options = arguments.options;
  options.filter.clear();  // the kernel applies it
  auto source = replay::open_interface(live);
  fmt::print(stderr, "capturing on {}; {}\n", arguments.interface,
             arguments.seconds > 0 ? fmt::format("for {} s", arguments.seconds) : "Ctrl-C ends it and writes the file");
  // An interruption is how a capture ends.
  return imported(arguments, [&](const auto& take) { return import_packets(std::move(source), options, take); });
}

}  // namespace rehearse::harness
