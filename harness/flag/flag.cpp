#include "harness/flag/flag.h"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "harness/flag/ofrep_server.h"
#include "harness/process.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

namespace json = boost::json;

class FlagdFile : public Flag {
 public:
  explicit FlagdFile(const FlagSettings& settings) : settings_(settings) {}

  void set(const std::string& value) override {
    std::ifstream old(settings_.path, std::ios::binary);
    const std::string before{std::istreambuf_iterator<char>(old), {}};
    const std::string after = flagd_document(before, settings_.key, value, settings_.values);
    // Readers must never see half a file: written beside it and renamed over it.
    const std::string temporary = settings_.path + ".tmp";
    std::ofstream file(temporary, std::ios::binary);
    file << after;
    file.close();
    if (!file || std::rename(temporary.c_str(), settings_.path.c_str()) != 0) {
      throw Error(fmt::format("cannot write the flag file {}: {}", settings_.path, std::strerror(errno)));
    }
  }

 private:
  FlagSettings settings_;
};

class FlagCommand : public Flag {
 public:
  FlagCommand(const FlagSettings& settings, std::chrono::milliseconds deadline)
      : set_(settings.set), deadline_(deadline) {}

  void set(const std::string& value) override {
    std::string command = set_;
    const auto at = command.find("{}");
    command = at == std::string::npos ? command + " '" + value + "'" : command.replace(at, 2, value);
    run_or_throw(command, deadline_, "setting the flag");
  }

 private:
  std::string set_;
  std::chrono::milliseconds deadline_;
};

class FlagOverOfrep : public Flag {
 public:
  explicit FlagOverOfrep(const FlagSettings& settings) : server_(settings.listen, settings.key) {}
  void set(const std::string& value) override { server_.serve(value); }

 private:
  OfrepServer server_;
};

}  // namespace

std::string flagd_document(const std::string& document, const std::string& key, const std::string& value,
                           const std::map<properties::Stage, std::string>& values) {
  json::object root;
  if (!document.empty()) {
    boost::system::error_code error;
    auto parsed = json::parse(document, error);
    if (!error && parsed.is_object()) root = std::move(parsed.get_object());
  }
  if (!root["flags"].is_object()) root["flags"] = json::object();
  json::object& flags = root["flags"].get_object();
  if (!flags[key].is_object()) flags[key] = json::object();
  json::object& flag = flags[key].get_object();
  flag["state"] = "ENABLED";
  if (!flag["variants"].is_object()) flag["variants"] = json::object();
  json::object& variants = flag["variants"].get_object();
  for (const auto& [stage, name] : values) {
    if (!variants.contains(name)) variants[name] = name;
  }
  variants[value] = value;
  flag["defaultVariant"] = value;
  return json::serialize(root) + "\n";
}

std::unique_ptr<Flag> make_flag(const FlagSettings& settings, std::chrono::milliseconds command_deadline) {
  switch (settings.kind) {
    case FlagSettings::Kind::flagd_file:
      return std::make_unique<FlagdFile>(settings);
    case FlagSettings::Kind::ofrep:
      return std::make_unique<FlagOverOfrep>(settings);
    case FlagSettings::Kind::command:
      return std::make_unique<FlagCommand>(settings, command_deadline);
  }
  return nullptr;
}

}  // namespace rehearse::harness
