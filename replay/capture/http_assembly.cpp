#include "replay/capture/http_assembly.h"

#include <algorithm>
#include <string_view>

#include "replay/http/parser.h"

namespace rehearse::replay {
namespace {

std::string_view first_bytes(const Stream& stream) {
  return stream.runs.empty() ? std::string_view() : std::string_view(stream.runs[0].bytes);
}

std::int64_t size_of(const Stream& stream) {
  std::int64_t size = 0;
  for (const Run& run : stream.runs) size += static_cast<std::int64_t>(run.bytes.size());
  return size;
}

const char* class_of(ParseStatus status) {
  switch (status) {
    case ParseStatus::complete:
      return "in exchanges";
    case ParseStatus::truncated:
      return "unfinished message";
    case ParseStatus::malformed:
      return "malformed";
    case ParseStatus::ambiguous:
      return "ambiguous framing";
  }
  return "malformed";
}

// Counts what a parser did not reach: the rest of the run it stopped in, and everything behind a hole.
void count_rest(const Stream& stream, std::size_t used, const char* reason, Certificate& certificate) {
  if (stream.runs.empty()) return;
  const Run& first = stream.runs[0];
  if (used < first.bytes.size()) certificate.bytes[reason] += static_cast<std::int64_t>(first.bytes.size() - used);
  std::int64_t end = first.offset + static_cast<std::int64_t>(first.bytes.size());
  for (std::size_t i = 1; i < stream.runs.size(); ++i) {
    certificate.bytes["missing (gap)"] += stream.runs[i].offset - end;
    certificate.bytes["behind a gap"] += static_cast<std::int64_t>(stream.runs[i].bytes.size());
    end = stream.runs[i].offset + static_cast<std::int64_t>(stream.runs[i].bytes.size());
  }
}

std::vector<Exchange> requests_of(const Connection& connection, Certificate& certificate) {
  std::vector<Exchange> exchanges;
  const std::string_view bytes = first_bytes(connection.to_server);
  std::size_t at = 0;
  ParseStatus status = ParseStatus::complete;
  while (at < bytes.size()) {
    auto parsed = parse_request(bytes.substr(at));
    status = parsed.status;
    if (status != ParseStatus::complete) break;
    Exchange exchange;
    exchange.index = static_cast<std::int64_t>(exchanges.size());
    exchange.client = connection.client;
    exchange.server = connection.server;
    exchange.request_ns = connection.to_server.runs[0].first_time(at);
    exchange.request_end_ns = connection.to_server.runs[0].last_time(at, at + parsed.end);
    exchange.request = std::move(parsed.message);
    if (connection.to_server.conflicting) exchange.flags.push_back("conflicting retransmission");
    exchanges.push_back(std::move(exchange));
    certificate.bytes["in exchanges"] += static_cast<std::int64_t>(parsed.end);
    at += parsed.end;
  }
  if (status != ParseStatus::complete) certificate.exchanges[std::string("request: ") + class_of(status)] += 1;
  if (connection.to_server.runs.size() > 1) certificate.exchanges["request: behind a gap"] += 1;
  count_rest(connection.to_server, at, status == ParseStatus::complete ? "behind a gap" : class_of(status),
             certificate);
  return exchanges;
}

// Why the exchange at which reading the answers stopped, and the ones behind it, have no answer.
std::string flag_of(ParseStatus status, bool hole, bool first) {
  switch (status) {
    case ParseStatus::complete:
      return hole ? "gap" : "no response";
    case ParseStatus::truncated:
      return hole ? "gap" : first ? "truncated" : "no response";
    case ParseStatus::malformed:
      return first ? "malformed" : "behind an unreadable answer";
    case ParseStatus::ambiguous:
      return first ? "ambiguous framing" : "behind an unreadable answer";
  }
  return "no response";
}

void attach_answers(const Connection& connection, std::vector<Exchange>& exchanges, Certificate& certificate) {
  const Stream& stream = connection.to_client;
  const std::string_view bytes = first_bytes(stream);
  const bool joined_late = !stream.begins && !connection.to_server.begins;
  std::size_t at = 0;
  std::size_t next = 0;
  std::int64_t interim_begin = -1;
  ParseStatus status = ParseStatus::complete;
  while (at < bytes.size() && next < exchanges.size()) {
    Exchange& exchange = exchanges[next];
    auto parsed = parse_response(bytes.substr(at), exchange.request.method, stream.ends);
    status = parsed.status;
    if (status != ParseStatus::complete) break;
    const std::int64_t begin = stream.runs[0].first_time(at);
    const std::int64_t end = stream.runs[0].last_time(at, at + parsed.end);
    if (joined_late && end < exchange.request_ns) {  // it answers a request that was sent before the capture began
      certificate.bytes["answer without a request"] += static_cast<std::int64_t>(parsed.end);
      at += parsed.end;
      continue;
    }
    certificate.bytes["in exchanges"] += static_cast<std::int64_t>(parsed.end);
    at += parsed.end;
    if (parsed.message.status < 200 && parsed.message.status != 101) {  // interim: 100, 103
      interim_begin = begin;
      certificate.exchanges["interim answers"] += 1;
      continue;
    }
    exchange.response_ns = interim_begin >= 0 ? interim_begin : begin;
    exchange.response_end_ns = end;
    exchange.response = std::move(parsed.message);
    if (stream.conflicting && exchange.flags.empty()) exchange.flags.push_back("conflicting retransmission");
    interim_begin = -1;
    ++next;
  }
  count_rest(stream, at, status == ParseStatus::complete ? "answer without a request" : class_of(status), certificate);
  for (std::size_t i = next; i < exchanges.size(); ++i)
    exchanges[i].flags.push_back(flag_of(status, stream.runs.size() > 1, i == next));
}

using LooksLike = bool (*)(std::string_view);

bool any_run(const Stream& stream, LooksLike looks) {
  return std::any_of(stream.runs.begin(), stream.runs.end(), [&](const Run& run) { return looks(run.bytes); });
}

}  // namespace

std::vector<Exchange> exchanges_of(Connection connection, Certificate& certificate) {
  // Without a SYN the side that spoke first need not be the client: HTTP itself tells.
  if (!any_run(connection.to_server, looks_like_request) &&
      (any_run(connection.to_client, looks_like_request) || any_run(connection.to_server, looks_like_response))) {
    std::swap(connection.to_server, connection.to_client);
    std::swap(connection.client, connection.server);
  }
  if (!any_run(connection.to_server, looks_like_request) && !any_run(connection.to_client, looks_like_response)) {
    const std::int64_t size = size_of(connection.to_server) + size_of(connection.to_client);
    if (size > 0) certificate.bytes["not http"] += size;
    return {};
  }
  auto exchanges = requests_of(connection, certificate);
  attach_answers(connection, exchanges, certificate);
  return exchanges;
}

}  // namespace rehearse::replay
