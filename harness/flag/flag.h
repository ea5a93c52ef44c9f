// The migration flag as the harness sets it; the services evaluate it by themselves.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "harness/configuration.h"

namespace rehearse::harness {

class Flag {
 public:
  virtual ~Flag() = default;
  // Sets the flag to a value, legal or not. Returns when the source serves it. Throws Error when it cannot be set.
  virtual void set(const std::string& value) = 0;
};

// The provider that the configuration names. OFREP is answered from the moment this returns until the flag is destroyed.
[[nodiscard]] std::unique_ptr<Flag> make_flag(const FlagSettings& settings, std::chrono::milliseconds command_deadline);

// flagd's JSON with `value` as the default variant of `key`, everything else in `document` kept. An empty document becomes one
// with the five variants. https://flagd.dev/reference/flag-definitions/
[[nodiscard]] std::string flagd_document(const std::string& document, const std::string& key, const std::string& value,
                                         const std::map<properties::Stage, std::string>& values);

}  // namespace rehearse::harness
