// A flag source that services ask over OFREP: POST /ofrep/v1/evaluate/flags/{key}, answered with the value that was set last.
// https://openfeature.dev/specification/appendix-c (OpenFeature Remote Evaluation Protocol)
#pragma once

#include <memory>
#include <string>

namespace rehearse::harness {

class OfrepServer {
 public:
  // Listens on "host:port". Throws Error when the address is taken or no address.
  OfrepServer(const std::string& listen, std::string key);
  ~OfrepServer();
  OfrepServer(const OfrepServer&) = delete;
  OfrepServer& operator=(const OfrepServer&) = delete;

  // Answers every evaluation with `value` from now on. Until the first call the flag is not found.
  void serve(const std::string& value);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rehearse::harness
