#include "replay/capture/goreplay.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <vector>

#include "replay/capture/conversation.h"
#include "replay/capture/limits.h"

namespace rehearse::replay {
namespace {

constexpr std::string_view divider = "\n\xf0\x9f\x90\xb5\xf0\x9f\x99\x88\xf0\x9f\x99\x89\n";

struct Payload {
  char kind = 0;
  std::string id;
  std::int64_t time_ns = 0;
  std::string_view bytes;
};

std::optional<Payload> payload_of(std::string_view text) {
  const auto eol = text.find('\n');
  if (eol == std::string_view::npos || text.size() < 3 || text[1] != ' ') return std::nullopt;
  Payload payload;
  payload.kind = text[0];
  const auto head = text.substr(2, eol - 2);
  const auto space = head.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  payload.id = head.substr(0, space);
  const auto time = head.substr(space + 1);
  const auto [rest, error] = std::from_chars(time.data(), time.data() + time.size(), payload.time_ns);
  if (error != std::errc()) return std::nullopt;
  payload.bytes = text.substr(eol + 1);
  return payload;
}

// A request and its answer as the reader of captures reads them: the same framing rules, the same flags.
Exchange exchange_of(std::string_view request, std::int64_t request_ns, std::string_view response,
                     std::int64_t response_ns, Findings& findings) {
  Origin origin;
  origin.a = "goreplay";
  origin.b = "goreplay";
  origin.connection = std::make_shared<Identity>();
  origin.started_ns = request_ns;
  origin.from_start = true;
  origin.findings = &findings;
  const Side client = Side::a;
  const auto reader = http1_reader(origin, &client, {});
  if (!request.empty()) reader->take({Side::a, 0, request, request_ns, unknown_offset, true, false});
  if (!response.empty()) reader->take({Side::b, 0, response, response_ns, unknown_offset, true, false});
  reader->end(Side::a, End::finished, request_ns);
  reader->end(Side::b, End::finished, response_ns);
  Exchange exchange;
  if (!findings.exchanges.empty()) exchange = std::move(findings.exchanges.front()->exchange);
  findings.exchanges.clear();
  return exchange;
}

}  // namespace

bool looks_like_goreplay(std::string_view beginning) {
  return beginning.size() >= 4 && beginning[0] >= '1' && beginning[0] <= '3' && beginning[1] == ' ' &&
         beginning.find_first_not_of("0123456789abcdef ", 2) == std::string_view::npos;
}

Traffic read_goreplay(ByteSource& source, std::string_view name) {
  Traffic traffic;
  Certificate& certificate = traffic.certificate;
  struct Waiting {
    std::string bytes;
    std::int64_t time_ns = 0;
  };
  std::map<std::string, Waiting> requests;
  Findings findings;
  const auto finish = [&](const std::string& request, std::int64_t request_ns, std::string_view response,
                          std::int64_t response_ns) {
    Exchange exchange = exchange_of(request, request_ns, response, response_ns, findings);
    if (exchange.request.method.empty() && !exchange.response) {
      ++certificate.remarks["GoReplay payloads that are no HTTP"];
      return;
    }
    exchange.connection = ++certificate.connections;
    traffic.exchanges.push_back(std::move(exchange));
  };
  const auto take = [&](std::string_view text) {
    const auto payload = payload_of(text);
    if (!payload || payload->kind < '1' || payload->kind > '3') {
      ++certificate.remarks["GoReplay payloads without a head line"];
    } else if (payload->kind == '1') {
      if (requests.size() >= limits::connections) {
        const auto first = requests.begin();
        finish(first->second.bytes, first->second.time_ns, "", first->second.time_ns);
        requests.erase(first);
      }
      auto& request = requests[payload->id];
      if (!request.bytes.empty()) finish(request.bytes, request.time_ns, "", request.time_ns);  // its answer never came
      request = {std::string(payload->bytes), payload->time_ns};
    } else if (payload->kind == '3') {
      ++certificate.remarks["GoReplay answers of a replay, left out"];
    } else if (const auto request = requests.find(payload->id); request != requests.end()) {
      finish(request->second.bytes, request->second.time_ns, payload->bytes, payload->time_ns);
      requests.erase(request);
    } else {
      finish("", payload->time_ns, payload->bytes, payload->time_ns);
    }
  };

  std::string pending;
  std::vector<unsigned char> chunk(256u << 10);
  std::size_t searched = 0;
  while (const std::size_t got = source.read(chunk)) {
    pending.append(reinterpret_cast<const char*>(chunk.data()), got);
    std::size_t begin = 0;
    std::size_t end = pending.find(divider, searched);
    for (; end != std::string::npos; end = pending.find(divider, begin)) {
      take(std::string_view(pending).substr(begin, end - begin));
      begin = end + divider.size();
    }
    pending.erase(0, begin);
    searched = pending.size() > divider.size() ? pending.size() - divider.size() : 0;
    if (pending.size() > 2 * limits::body_bytes) {
      certificate.notes.push_back(
          fmt::format("{}: a payload is longer than {} bytes: the file is not read on", name, 2 * limits::body_bytes));
      pending.clear();
      break;
    }
  }
  if (pending.find_first_not_of("\r\n") != std::string::npos)
    certificate.notes.push_back(fmt::format("{}: the last payload is truncated; what came before it was kept", name));
  if (const auto problem = source.problem()) certificate.notes.push_back(fmt::format("{}: {}", name, *problem));
  for (const auto& [id, request] : requests) finish(request.bytes, request.time_ns, "", request.time_ns);
  std::stable_sort(traffic.exchanges.begin(), traffic.exchanges.end(),
                   [](const Exchange& a, const Exchange& b) { return a.request_ns < b.request_ns; });
  return traffic;
}

}  // namespace rehearse::replay
