// What a user says about secrets in captures, and what is done with them before anything is written.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "replay/exchange.h"
#include "replay/redaction/redactor.h"
#include "replay/traffic_file.h"

namespace rehearse::harness {

// The section `redaction` of the configuration.
struct RedactionSettings {
  std::vector<std::string> headers;  // besides the built-in ones
  std::vector<std::string> query;    // parameters of queries and forms
  std::vector<std::string> json;     // names of members at any depth, or paths that begin with $
  std::vector<std::string> keep;     // names, paths or shape:NAME; the configuration gives each a reason
  std::string key_file;              // empty: the environment, or the user's own file
  std::string off;                   // the reason why nothing is masked; empty when secrets are masked
  std::string send_masked;  // the reason why requests with masked credentials are sent; empty when they are left out
};

// Throws Error for a path or a shape that is none.
[[nodiscard]] replay::RedactionRules rules_of(const RedactionSettings& settings);

// What a command line says about it.
struct RedactionArguments {
  std::string config;    // the file whose section counts; empty: ./rehearse.yaml where that is
  std::string key_file;  // goes before the configuration's
  bool off = false;
};

// The section of the configuration alone, whatever else the file holds or lacks. What was configured for the gate holds for
// `import` beside it, too. Throws Error as load_configuration() does.
[[nodiscard]] RedactionSettings load_redaction(const RedactionArguments& arguments);

// With the user's key; says on standard error when that had to be made.
[[nodiscard]] replay::Redactor redactor_of(const RedactionSettings& settings);

// Masks the traffic unless it is masked or the settings say off. Returns what is to be said about it: "masked with the key
// 1a2b3c4d" or "redaction off: REASON".
std::string redact(replay::Traffic& traffic, const RedactionSettings& settings);

// Writes a traffic file in which nothing stands that had to be masked, one exchange after the other.
class MaskedWriter {
 public:
  // `masked_with` is the fingerprint of the key under which the exchanges that come are masked already; empty when they are not.
  MaskedWriter(const std::string& path, const RedactionSettings& settings, const std::string& masked_with = "");
  void mask(replay::Exchange& exchange);
  // REQUIRES: the exchange went through `mask`.
  void add(const replay::Exchange& exchange) { writer_.add(exchange); }
  void finish(replay::Certificate& certificate);

 private:
  std::optional<replay::Redactor> redactor_;
  std::string off_;
  replay::TrafficWriter writer_;
};

}  // namespace rehearse::harness
