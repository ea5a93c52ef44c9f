// What the import promises of captures that are not whole: an exchange is the same or flagged, no pair is wrong, and no loss is
// silent; and of captures that are merely disturbed: the same exchanges.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include "replay/capture/import.h"
#include "replay/capture/limits.h"
#include "replay/capture/test_packets.h"

namespace rehearse::replay {
namespace {

using testing::capture_of;
using testing::Conversation;
using testing::Folder;
using testing::Wire;

std::size_t draw(std::size_t least, std::size_t most) { return *rc::gen::inRange<std::size_t>(least, most + 1); }
bool one_in(std::size_t n) { return draw(1, n) == 1; }

std::string chunked(const std::string& body) {
  std::string text;
  for (std::size_t at = 0; at < body.size(); at += 7) {
    const auto piece = body.substr(at, 7);
    text += fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
  }
  return text + "0\r\n\r\n";
}

// A request whose target names it, with or without a body.
std::string request_named(const std::string& name, std::size_t kind) {
  const std::string body(kind * 17, 'q');
  switch (kind) {
    case 0:
      return "GET /" + name + " HTTP/1.1\r\nHost: a\r\n\r\n";
    case 1:
      return "DELETE /" + name + " HTTP/1.1\r\n\r\n";
    case 2:
      return fmt::format("POST /{} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{}", name, body.size(), body);
    default:
      return "PUT /" + name + " HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(body);
  }
}

// The answer to it, which says so.
std::string answer_named(const std::string& name, std::size_t kind) {
  const std::string body = "answer to " + name + " " + std::string(kind * 23, 'r');
  if (kind % 3 == 1) return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(body);
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
}

// Sends bytes in segments of at most `size`; the other side acknowledges now and then.
void send(Conversation& c, bool by_client, const std::string& bytes, std::size_t size) {
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    by_client ? c.client(bytes.substr(at, size)) : c.server(bytes.substr(at, size));
    if (one_in(3)) by_client ? c.server("") : c.client("");
  }
}

// What was sent, and what came over the wire for it.
struct World {
  std::vector<Wire> wires;
  std::map<std::string, std::string> exchanges;  // by target: "GET /a body -> 200 body"
  // The target of the exchange to which the bytes of a packet belong.
  std::map<std::tuple<std::string, std::uint16_t, std::uint16_t, std::uint32_t>, std::string> owners;

  void own(const Conversation& c, std::size_t from, const std::string& target) {
    for (; from < c.wires.size(); ++from) {
      const Wire& wire = c.wires[from];
      if (!wire.payload.empty()) owners[{wire.source, wire.source_port, wire.destination_port, wire.sequence}] = target;
    }
  }
};

std::string in_a_line(const std::string& method, const std::string& target, const std::string& body, int status,
                      const std::string& answer) {
  return fmt::format("{} {} {} -> {} {}", method, target, body, status, answer);
}

// Several connections at the same time, each of which pipelines always or never.
World world() {
  World made;
  std::vector<Wire>& wires = made.wires;
  const std::size_t connections = draw(1, 3);
  for (std::size_t i = 0; i < connections; ++i) {
    Conversation c(static_cast<std::uint16_t>(40'000 + i), one_in(3) ? 4'294'967'000u : 1000,
                   one_in(3) ? 4'294'967'000u : 5000);
    c.now_ns += static_cast<std::int64_t>(i) * 300'000;
    if (!one_in(4)) c.open();
    const bool pipelines = one_in(3);
    const std::size_t segment = draw(20, 120);
    const std::size_t exchanges = draw(1, 8);
    std::size_t asked = 0;
    std::size_t answered = 0;
    while (answered < exchanges) {
      const std::size_t ahead = pipelines ? draw(1, 3) : 1;
      for (; asked < std::min(exchanges, answered + ahead); ++asked) {
        const std::string name = fmt::format("c{}n{}", i, asked);
        const std::size_t kind = draw(0, 3);
        constexpr std::array methods{"GET", "DELETE", "POST", "PUT"};
        made.exchanges["/" + name] =
            in_a_line(methods[kind], "/" + name, kind < 2 ? "" : std::string(kind * 17, 'q'), 200, "");
        const std::size_t before = c.wires.size();
        send(c, true, request_named(name, kind), segment);
        made.own(c, before, "/" + name);
      }
      const std::string name = fmt::format("c{}n{}", i, answered);
      const std::size_t kind = draw(0, 8);
      made.exchanges["/" + name] += "answer to " + name + " " + std::string(kind * 23, 'r');
      const std::size_t before = c.wires.size();
      send(c, false, answer_named(name, kind), segment);
      made.own(c, before, "/" + name);
      ++answered;
    }
    if (!one_in(3)) c.close();
    wires.insert(wires.end(), c.wires.begin(), c.wires.end());
  }
  std::stable_sort(wires.begin(), wires.end(), [](const Wire& a, const Wire& b) { return a.time_ns < b.time_ns; });
  return made;
}

Traffic imported(const std::vector<Wire>& wires, const ImportOptions& options = {}) {
  const Folder folder;
  return import_captures({folder.write("capture.pcap", capture_of(wires))}, options);
}

std::string in_a_line(const Exchange& exchange) {
  return in_a_line(exchange.request.method, exchange.request.target, exchange.request.body,
                   exchange.response ? exchange.response->status : 0, exchange.response ? exchange.response->body : "");
}

// Everything that a reader can see, with its times.
std::string everything(const Traffic& traffic) {
  std::string text;
  for (const Exchange& exchange : traffic.exchanges) {
    text += fmt::format("{} {} {} {} {} {} {} {} {}", exchange.id, exchange.connection, exchange.index, exchange.client,
                        exchange.request_ns, exchange.request_end_ns, exchange.response_ns, exchange.response_end_ns,
                        in_a_line(exchange));
    for (const std::string& flag : exchange.flags) text += " [" + flag + "]";
    text += "\n";
  }
  for (const auto& counts : {traffic.certificate.packets, traffic.certificate.bytes, traffic.certificate.exchanges,
                             traffic.certificate.remarks}) {
    for (const auto& [name, count] : counts) text += fmt::format("{} {}\n", name, count);
  }
  return text;
}

// Every complete exchange is one that was sent. Returns how many are complete.
std::size_t expect_no_lie(const World& sent, const Traffic& traffic) {
  RC_LOG() << everything(traffic);
  RC_ASSERT(traffic.certificate.conserves());
  std::size_t complete = 0;
  for (const Exchange& exchange : traffic.exchanges) {
    if (!exchange.complete()) continue;
    ++complete;
    RC_ASSERT(sent.exchanges.contains(exchange.request.target));
    RC_ASSERT(in_a_line(exchange) == sent.exchanges.at(exchange.request.target));
  }
  return complete;
}

// Whether a packet with bytes of an exchange that is not complete was captured. Without one nobody can know of it.
bool trace_of_the_rest(const World& sent, const Traffic& traffic, const std::vector<Wire>& packets) {
  std::set<std::string> complete;
  for (const Exchange& exchange : traffic.exchanges) {
    if (exchange.complete()) complete.insert(exchange.request.target);
  }
  return std::any_of(packets.begin(), packets.end(), [&](const Wire& wire) {
    const auto owner = sent.owners.find({wire.source, wire.source_port, wire.destination_port, wire.sequence});
    return !wire.payload.empty() && owner != sent.owners.end() && !complete.contains(owner->second);
  });
}

// ... and what is not complete was said.
void expect_honest(const World& sent, const Traffic& traffic, const std::vector<Wire>& packets) {
  if (expect_no_lie(sent, traffic) == sent.exchanges.size()) return;
  const bool flagged = std::any_of(traffic.exchanges.begin(), traffic.exchanges.end(),
                                   [](const Exchange& exchange) { return !exchange.complete(); });
  const auto& certificate = traffic.certificate;
  std::int64_t named = certificate.packets.contains("truncated") ? certificate.packets.at("truncated") : 0;
  for (const auto& [name, count] : certificate.bytes) {
    if (name != "captured" && name != "in exchanges" && name != "duplicate" && name != "read from files")
      named += count;
  }
  RC_ASSERT(flagged || named > 0 || !trace_of_the_rest(sent, traffic, packets));
}

RC_GTEST_PROP(Loss, WithNothingMissingEveryExchangeIsThere, ()) {
  const World sent = world();
  const Traffic traffic = imported(sent.wires);
  expect_honest(sent, traffic, sent.wires);
  RC_ASSERT(traffic.exchanges.size() == sent.exchanges.size());
}

RC_GTEST_PROP(Loss, WithAnyPacketsMissingAnExchangeIsTheSameOrFlagged, ()) {
  const World sent = world();
  auto rest = sent.wires;
  for (std::size_t k = draw(1, 6); k > 0 && rest.size() > 1; --k)
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(draw(0, rest.size() - 1)));
  expect_honest(sent, imported(rest), rest);
}

RC_GTEST_PROP(Loss, WithABurstMissingAnExchangeIsTheSameOrFlagged, ()) {
  const World sent = world();
  auto rest = sent.wires;
  const auto begin = draw(0, rest.size() - 1);
  const auto length = std::min(draw(1, 30), rest.size() - begin);
  rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(begin),
             rest.begin() + static_cast<std::ptrdiff_t>(begin + length));
  if (rest.empty()) return;
  expect_honest(sent, imported(rest), rest);
}

RC_GTEST_PROP(Loss, WithPacketsCutByTheSnapLengthAnExchangeIsTheSameOrFlagged, ()) {
  const World sent = world();
  auto wires = sent.wires;
  for (Wire& wire : wires) {
    if (one_in(6)) wire.snap_length = 14 + 20 + 20 + draw(0, 60);
  }
  expect_honest(sent, imported(wires), wires);
}

RC_GTEST_PROP(Loss, ACaptureThatBeginsAndEndsAnywhereInventsNothing, ()) {
  const World sent = world();
  const auto& wires = sent.wires;
  const auto begin = draw(0, wires.size() - 1);
  const auto end = draw(begin + 1, wires.size());
  expect_no_lie(sent, imported({wires.begin() + static_cast<std::ptrdiff_t>(begin),
                                wires.begin() + static_cast<std::ptrdiff_t>(end)}));
}

RC_GTEST_PROP(Determinism, AnyNumberOfThreadsGivesTheSame, ()) {
  auto wires = world().wires;
  for (std::size_t k = draw(0, 3); k > 0 && wires.size() > 1; --k)
    wires.erase(wires.begin() + static_cast<std::ptrdiff_t>(draw(0, wires.size() - 1)));
  ImportOptions options;
  const std::string alone = everything(imported(wires, options));
  for (options.threads = 2; options.threads <= 4; ++options.threads)
    RC_ASSERT(everything(imported(wires, options)) == alone);
}

TEST(Determinism, TheSampleIsTheSameAHundredTimes) {
  const std::string path = REHEARSE_SOURCE_DIR "/fixtures/captures/orders.pcap";
  ImportOptions options;
  const std::string first = everything(import_captures({path}, options));
  for (unsigned i = 0; i < 100; ++i) {
    options.threads = 1 + i % 3;
    ASSERT_EQ(everything(import_captures({path}, options)), first) << "run " << i;
  }
}

}  // namespace
}  // namespace rehearse::replay
