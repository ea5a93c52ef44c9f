// How a service is spoken to: TLS, the version of HTTP, header fields of its own, and credentials in the place of captured ones.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "replay/player.h"

namespace rehearse::harness {

struct TargetSettings {
  replay::TlsOptions tls;
  replay::HttpVersion http = replay::HttpVersion::automatic;
  std::string host;         // for the Host field; the URL's when it is empty
  replay::Headers headers;  // set in every request; one without a value is taken out
  // A shell command that prints what stands in the Authorization field in the place of a captured value, which it finds in the
  // environment variable REHEARSE_CREDENTIAL. It is run once for each captured value, before anything is sent.
  std::string credentials;
};

// "auto", "1" or "2". Throws Error.
[[nodiscard]] replay::HttpVersion http_version_named(const std::string& name);
// "Name: value", "Name:" to take it out; ${NAME} is the environment's. Throws Error.
[[nodiscard]] replay::Header header_rule(const std::string& text);
// Names of the fields in which the target gets credentials of its own: `replay::MaskOptions::minted`.
[[nodiscard]] std::vector<std::string> minted_by(const TargetSettings& settings);

// The settings of one target in the form that plays take. What was refused for its credentials in the capture keeps them
// (replay::Step::keep_credentials), and a value that the play itself has got from the target stays.
class Target {
 public:
  // Runs the credentials command for what the plan holds. Throws Error when it fails. When `stop` becomes true it is ended, and the
  // target is not to be used.
  Target(const TargetSettings& settings, const replay::Plan& plan, const std::atomic<bool>* stop = nullptr);

  // The options of a play; the target must outlive it.
  void apply(replay::PlayOptions& options) const;

 private:
  void adapt(const replay::Step& step, replay::Request& request) const;

  TargetSettings settings_;
  std::map<std::string, std::string, std::less<>> credentials_;  // captured → minted
};

// Environment variables by their names.
using Variables = std::map<std::string, std::string>;

// `text` with ${NAME} and ${NAME:-default} replaced from `variables`, else from the environment. Throws Error, naming `where`.
[[nodiscard]] std::string expanded(const std::string& text, const std::string& where, const Variables& variables = {});

}  // namespace rehearse::harness
