#include "harness/target.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "harness/process.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

constexpr std::chrono::seconds credentials_deadline{30};

bool is_credential(std::string_view name) {
  return replay::equal_without_case(name, "Authorization") || replay::equal_without_case(name, "Cookie") ||
         replay::equal_without_case(name, "X-Api-Key") || replay::equal_without_case(name, "Proxy-Authorization");
}

bool binds_authorization(const replay::Step& step) {
  return std::any_of(step.uses.begin(), step.uses.end(), [](const replay::Use& use) {
    const auto colon = use.at.find(':');
    const std::string_view kind = std::string_view(use.at).substr(0, colon);
    return (kind == "credential" || kind == "header") &&
           replay::equal_without_case(std::string_view(use.at).substr(colon + 1), "Authorization");
  });
}

bool printable(std::string_view value) {
  return std::none_of(value.begin(), value.end(), [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == 0x7f; });
}

std::string minted(const std::string& command, const std::string& captured, const std::atomic<bool>* stop) {
  // In the environment and not among the words of the command, which everybody on the machine can read.
  setenv("REHEARSE_CREDENTIAL", captured.c_str(), 1);
  const CommandResult result = run(fmt::format("(\n{}\n) 2>/dev/null", command), credentials_deadline, stop);
  unsetenv("REHEARSE_CREDENTIAL");
  if (stop != nullptr && *stop) return {};
  std::string value = result.output.substr(0, result.output.find('\n'));
  while (!value.empty() && (value.back() == '\r' || value.back() == ' ')) value.pop_back();
  // What it printed may be half a secret: it is not repeated here.
  if (result.status == -1)
    throw Error(fmt::format("the credentials command did not end within {} s", credentials_deadline.count()));
  if (result.output.size() >= max_output_bytes)
    throw Error("the credentials command printed more than 16 KiB; let it print one line");
  if (result.status != 0)
    throw Error(fmt::format("the credentials command ended with {}; run it by hand with REHEARSE_CREDENTIAL set",
                            result.status));
  if (!printable(value))
    throw Error("the credentials command printed control characters; let it print one line of text");
  if (value.empty())
    throw Error("the credentials command printed nothing; let it print the Authorization field's value");
  return value;
}

}  // namespace

std::string expanded(const std::string& text, const std::string& where, const Variables& variables) {
  std::string out;
  std::size_t at = 0;
  while (true) {
    const auto open = text.find("${", at);
    const auto close = open == std::string::npos ? open : text.find('}', open);
    if (close == std::string::npos) return out + text.substr(at);
    out += text.substr(at, open - at);
    const std::string name = text.substr(open + 2, close - open - 2);
    const auto fallback = name.find(":-");
    const auto given = variables.find(name.substr(0, fallback));
    const char* value =
        given != variables.end() ? given->second.c_str() : std::getenv(name.substr(0, fallback).c_str());
    if (value != nullptr) {
      out += value;
    } else if (fallback != std::string::npos) {
      out += name.substr(fallback + 2);
    } else {
      throw Error(fmt::format("{}: the environment variable {} is not set; set it or write ${{{}:-default}}", where,
                              name, name));
    }
    at = close + 1;
  }
}

replay::HttpVersion http_version_named(const std::string& name) {
  if (name == "auto") return replay::HttpVersion::automatic;
  if (name == "1") return replay::HttpVersion::http1;
  if (name == "2") return replay::HttpVersion::http2;
  throw Error(fmt::format("there is no HTTP version {:?} here; give auto, 1 or 2", name));
}

replay::Header header_rule(const std::string& text) {
  const auto colon = text.find(':');
  replay::Header rule;
  if (colon != std::string::npos)
    rule = {text.substr(0, colon), expanded(std::string(replay::trim(text.substr(colon + 1))), text.substr(0, colon))};
  replay::Request probe{"GET", "/", {rule}, ""};
  if (colon == std::string::npos || !replay::unsendable(probe).empty() || !printable(rule.value))
    throw Error("a header needs the form \"Name: value\" on one line of text; what was given has another one");
  if (replay::hop_by_hop(rule.name) || replay::equal_without_case(rule.name, "Content-Length") ||
      replay::equal_without_case(rule.name, "Host"))
    throw Error(fmt::format("{} is the connection's own field and cannot be set{}", rule.name,
                            replay::equal_without_case(rule.name, "Host") ? "; give the host instead" : ""));
  return rule;
}

std::vector<std::string> minted_by(const TargetSettings& settings) {
  std::vector<std::string> names;
  for (const replay::Header& rule : settings.headers) names.push_back(rule.name);
  if (!settings.credentials.empty()) names.emplace_back("Authorization");
  return names;
}

Target::Target(const TargetSettings& settings, const replay::Plan& plan, const std::atomic<bool>* stop)
    : settings_(settings) {
  if (settings.credentials.empty()) return;
  for (const replay::Step& step : plan.steps) {
    if (!step.request || step.keep_credentials || binds_authorization(step)) continue;
    const auto request = step.request.get();
    const auto captured = replay::field(request->headers, "Authorization");
    if (!captured || credentials_.contains(*captured)) continue;
    std::string value = minted(settings.credentials, std::string(*captured), stop);
    if (stop != nullptr && *stop) return;
    const replay::Request probe{"GET", "/", {{"Authorization", value}}, ""};
    if (!replay::unsendable(probe).empty()) throw Error("the credentials command printed what no header can hold");
    credentials_.emplace(*captured, std::move(value));
  }
}

void Target::apply(replay::PlayOptions& options) const {
  options.tls = settings_.tls;
  options.http = settings_.http;
  options.host = settings_.host;
  if (settings_.headers.empty() && credentials_.empty()) return;
  options.adapt = [this](const replay::Step& step, replay::Request& request) { adapt(step, request); };
}

void Target::adapt(const replay::Step& step, replay::Request& request) const {
  if (!credentials_.empty() && !step.keep_credentials && !binds_authorization(step)) {
    if (const auto captured = replay::field(request.headers, "Authorization")) {
      const auto found = credentials_.find(*captured);
      if (found != credentials_.end()) replay::set_field(request.headers, "Authorization", found->second);
    }
  }
  for (const replay::Header& rule : settings_.headers) {
    if (is_credential(rule.name) && (step.keep_credentials || (replay::equal_without_case(rule.name, "Authorization") &&
                                                               binds_authorization(step))))
      continue;
    if (rule.value.empty())
      replay::erase_field(request.headers, rule.name);
    else
      replay::set_field(request.headers, rule.name, rule.value);
  }
}

}  // namespace rehearse::harness
