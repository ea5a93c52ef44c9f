#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "harness/commands/commands.h"
#include "harness/databases/mapping_proposal.h"
#include "harness/databases/session.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

MappingProposal proposal_for(const InitAnswers& answers) {
  if (answers.legacy_dsn.empty() || answers.new_dsn.empty())
    return {"  # orders: {key: [id], legacy: \"SELECT id, ... FROM orders\", new: \"SELECT id, ... FROM orders\"}\n",
            "[]"};
  Session legacy(answers.legacy_dsn, "the legacy database"), new_(answers.new_dsn, "the new database");
  return proposed_mapping(catalogue_of(legacy), catalogue_of(new_));
}

// In double quotes, so that no character of it is YAML.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out + '"';
}

// The URL without a user and a password, which belong into no file; requests carry their own.
std::string without_userinfo(std::string url) {
  const auto scheme = url.find("://");
  const auto begin = scheme == std::string::npos ? 0 : scheme + 3;
  const auto at = url.substr(0, url.find('/', begin)).rfind('@');
  if (at != std::string::npos && at >= begin) url.erase(begin, at + 1 - begin);
  return url;
}

}  // namespace

std::string configuration_template(const InitAnswers& answers, const std::string& entities,
                                   const std::string& sequences) {
  const auto or_else = [](const std::string& text, const char* fallback) {
    return quoted(text.empty() ? std::string(fallback) : text);
  };
  return fmt::format(
      R"(# What rehearse needs to know. ${{NAME}} and ${{NAME:-default}} stand for environment variables, so that no password
# need stand here. `rehearse doctor` says what of this works and what is missing.
schema_version: 1
title: my migration

# A capture (pcap, pcapng) or a traffic file: what clients did.
traffic: {traffic}

# Secrets in the capture are masked before anything is written: credentials, cookies, well-known names, e-mail addresses, card
# numbers, tokens. `rehearse show CAPTURE --secrets` lists where.
redaction:
  headers: []                  # further ones: [X-Internal-Token]
  query: []                    # parameters of queries and forms: [invite]
  json: []                     # names at any depth, or paths: [phone, "$.customer.name", "$.items[*].serial"]
  keep: {{}}                     # what is no secret, each with its reason: {{sid: "a shop id", "shape:email": "invented data"}}
  # key_file: redaction.key    # else REHEARSE_REDACTION_KEY, else ~/.config/rehearse/redaction.key, made when it is missing
  # send_masked: the test services look at no credentials   # else requests with masked ones are left out
  # off: true                  # nothing is masked, and the report says so
  # reason: the capture is of invented data

services:
  legacy:
    url: {legacy_url}
    writes: refused            # allowed, only where nothing is lost by it: a rehearsal writes
    # start: systemctl start legacy     # both or neither: without them C3, S4 and V3 stay unknown
    # stop: systemctl stop legacy
    # kill: systemctl kill -s KILL legacy      # for generated plans, of both services: an end without a chance to finish,
    # pause: systemctl kill -s STOP legacy     # and standing still
    # resume: systemctl kill -s CONT legacy
    # requests: {{path: /metrics, metric: http_requests_total}}   # makes C1 see every call
    # How it is spoken to; the same keys for both services. Files stand beside this one.
    # ca: authority.pem          # of an https url; else the system's authorities
    # certificate: client.pem    # the client's own, with `key: client.key`
    # http: auto                 # or 1, 2; auto takes HTTP/2 where TLS agrees on it
    # host: shop.example         # the Host field
    # headers: {{X-Tenant: test, Authorization: "Bearer ${{SHOP_TOKEN:-none}}"}}   # in every request; no value takes a field out
    # credentials: ./mint-token  # prints the Authorization for the captured one, which is in $REHEARSE_CREDENTIAL
  new:
    url: {new_url}             # several instances: a list; all must serve the stage
    writes: refused            # allowed, ...

databases:
  legacy:
    dsn: {legacy_dsn}
    disposable: false          # true, only for a database that may be lost: a rehearsal drops and restores it
    restore: {{template: legacy_template}}   # or {{command: ./restore-legacy}}
  new:
    dsn: {new_dsn}
    disposable: false          # true, ...
    restore: {{template: new_template}}      # empty schema

# The flag. Exactly one of: file (flagd's JSON, which the services watch), ofrep (an address on which rehearse answers
# OFREP evaluations), command (a shell command; {{}} stands for the value).
flag:
  file: flags.json
  key: migration-stage
  propagation: 500ms           # how long after a flip an old stage may still be served
  rejected_metric: migration_flag_rejected_total   # on alerts.path: counts the values that the new service refuses
  # unreported: "they are logged alone"            # instead: why it does not count them
  # values: {{off: "off", read-only: "read-only", shadow: "shadow", live: "live", completed: "completed"}}

# How the services say which stage they serve: a header of every answer, or a field of one endpoint.
stage: {{path: /healthz, header: Migration-Stage}}
# stage: {{path: /status, json: /phase}}

# Shell commands that end with status 0 when all is copied.
copy:
  # forward: ./copy legacy new
  # backward: ./copy new legacy

# What clients get for a write in read-only, and from the legacy service in completed.
refusal: {{status: 503, headers: [Retry-After], content_type: application/problem+json}}
legacy_gone: {{status: 410}}

# The counter that the new service raises when it hides a failure, and the log that names keys (NDJSON), if there is one.
alerts: {{path: /metrics, metric: migration_alerts_total}}
#   log: new-service.log       # lines such as {{"event": "alert", "store": "new", "entity": "orders", "key": "41"}}
#   event: alert               # the value of the field `event` in the lines that count
#   fields: {{entity: table, key: id}}            # where the log uses other names
#   part_of: {{order_items: orders}}              # an alert that names the order names its items
#   not_named: {{audit: "written with the row"}}  # entities that alerts do not name, each with its reason

# Requests whose effect their method does not tell. {{}} stands for any one segment.
reads: []                      # ["POST /orders/search"]
writes: []                     # ["GET /counter/next"]
not_business: []               # paths that answer in every stage, besides stage.path and alerts.path

# SQL that changes what reads show: proves which database they come from (S2, V1). Everything is restored afterwards.
poison:
  # legacy: UPDATE orders SET note = 'altered by hand'
  # new: UPDATE orders SET comment = 'altered by hand'

# live: {{legacy_failure: fails the request}}     # or: hidden
# faults: {{steps: 300, latency: 2s}}             # how much is played while something is broken, and the longest answer then
# deadline: 10s                # of one request; quiet: 5s, until the databases rest; command_deadline: 120s, of a command above
# compared_headers: [Content-Type, Location, X-Total-Count]   # instead of the built-in list
# Places in answers that may differ, each with its reason; owner and expires (the last day) are optional. Paths are exact.
# `rehearse report HISTORY --suggest-rules` proposes some; --strict ends with 2 when one is not needed or covers too much.
# answer_rules:
#   - {{route: "GET /orders/{{}}", path: "$.debug", ignore: true, reason: for developers, owner: shop team, expires: 2026-12-31}}
#   - {{path: "$.items[*].price", tolerance: within 1%, reason: rounding}}   # or timestamp, uuid, duration, spelling, within 0.01
#   - {{path: "$.items", unordered: id, reason: "a set"}}                    # elements stand for each other by id; true: by all of it
#   - {{path: "$.name", rename: full_name, reason: "agreed with clients"}}
# What each stage may cost, judged by pairs of requests to both services; doc/budgets.md says how. Units are required.
# budgets:
#   time: 120s                 # of one measurement at most; what fails is measured once more
#   rate: 200/s                # pairs a second; also block: 2500ms, connections: 16, least: 100us
#   limits:
#     - {{stage: [shadow, live], route: all, overhead_p50: 10%, error_rate: 0.1%}}
#     - {{stage: live, route: "GET /orders/{{}}", overhead_p50: 10%, p99: 20ms, throughput: 200/s}}   # "GET /orders*" fits several
# waived: {{G9: "ids are UUIDs"}}                 # invariants that are not to be judged, each with its reason

# Edges that the new service itself refuses while their condition does not hold: no copy, an open alert, legacy not caught up.
# Each is tried; an edge that nobody guards is named under unguarded, with the reason, or stays unknown.
guards: []                     # ["read-only:shadow", "shadow:live", "live:completed", "completed:live", "live:shadow"]
unguarded: {{}}                  # {{"read-only:shadow": "the runbook checks the copy before the flip"}}

# What rows of both databases have in common: two tables, or SELECTs with the same columns in the same order. They may stand in a
# file of their own (mapping: FILE). `rehearse compare` needs this and `databases`, and nothing else of the file.
#   columns: {{full_name: display_name}}   of tables: legacy column: new column, where the names differ
#   exact: [price]                       columns whose scale, padding and spelling count; else 1.10 is 1.1
entities:
{entities}
# Which sequences number them. rule: "at least" (no number that is in use is given again), equal, or ignored.
sequences: {sequences}
#   - {{entity: orders, legacy: orders_id_seq, new: orders_id_seq, column: id, rule: at least}}

# What is not compared, each with its reason: tables, and columns as table.column. What nobody names here or reads makes the
# comparison unknown.
ignored_tables: {{legacy: {{}}, new: {{}}}}
ignored_columns: {{legacy: {{}}, new: {{}}}}   # {{legacy: {{"orders.search": "derived from the others"}}, new: {{}}}}
)",
      fmt::arg("traffic", or_else(answers.traffic, "capture.pcap")),
      fmt::arg("legacy_url", or_else(without_userinfo(answers.legacy_url), "http://127.0.0.1:8081")),
      fmt::arg("new_url", or_else(without_userinfo(answers.new_url), "http://127.0.0.1:8082")),
      fmt::arg("legacy_dsn", or_else(answers.legacy_dsn, "${LEGACY_DSN}")),
      fmt::arg("new_dsn", or_else(answers.new_dsn, "${NEW_DSN}")), fmt::arg("entities", entities),
      fmt::arg("sequences", sequences));
}

int init(const InitArguments& arguments) {
  if (std::filesystem::exists(arguments.output))
    throw Error(fmt::format("{} is there already; move it away or give --output", arguments.output));
  // A password belongs into the environment, not into a file that is committed.
  InitAnswers shown = arguments;
  const auto hide = [](std::string& dsn, const char* variable) {
    if (!dsn.empty()) dsn = fmt::format("${{{}}}", variable);
  };
  const MappingProposal mapping = proposal_for(arguments);
  hide(shown.legacy_dsn, "LEGACY_DSN");
  hide(shown.new_dsn, "NEW_DSN");
  std::ofstream file(arguments.output);
  file << configuration_template(shown, mapping.entities, mapping.sequences);
  file.close();
  if (!file) throw Error(fmt::format("cannot write {}", arguments.output));
  fmt::print(
      "written: {}\nFill in what is commented out, export LEGACY_DSN and NEW_DSN, then: rehearse doctor --config {}\n",
      arguments.output, arguments.output);
  return exit_pass;
}

}  // namespace rehearse::harness
