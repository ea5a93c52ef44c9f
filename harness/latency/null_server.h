// An endpoint that does nothing: what a request takes there is what the machine and our own stack cost.
#pragma once

#include <memory>
#include <string>

namespace rehearse::harness {

class NullServer {
 public:
  // Listens on a free port of 127.0.0.1, on a thread of its own, and answers every request with 204 at once. Throws Error when it cannot.
  NullServer();
  ~NullServer();
  NullServer(const NullServer&) = delete;
  NullServer& operator=(const NullServer&) = delete;

  [[nodiscard]] const std::string& url() const { return url_; }

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::string url_;
};

}  // namespace rehearse::harness
