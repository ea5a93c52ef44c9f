// Whether a request still asks what it asked before its secrets were masked.
//
// A mask stands for one secret wherever that stood, and nobody but us knows it. So a server understands a masked value when it
// made the value itself during the play (a use puts that one in its place), or when an earlier request of the play gave it the
// mask to keep: who signs up with a masked password can log in with it. Where it does not:
//
// - what proves who asks is refused: a credential, the cookie of a session, a password, a token. The answer would say nothing about
//   the service, and a play of nothing but refusals would look like one in which everything agrees. Such a request is left out.
//   Unless it was refused in the capture, too (401, 403): then it still is.
// - what is asked for is not found: a masked value in the path or the query. Left out as well, unless nothing was found in the
//   capture, either (404, 410).
// - what is data is kept and given back as it came: addresses, card numbers and names in bodies. The request is sent, and its step
//   says what in it is masked, for a service that looks closer than that.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "replay/exchange.h"
#include "replay/plan.h"
#include "replay/values.h"

namespace rehearse::replay {

struct MaskOptions {
  // Headers that the player fills with credentials of its own: "Authorization", "X-Api-Key", "Cookie" for all cookies.
  std::vector<std::string> minted;
  bool send = false;                      // what would be left out is sent: for a service that looks at no credentials
  std::vector<std::string> session_keys;  // see SessionFinder
};

class Masks {
 public:
  explicit Masks(MaskOptions options);

  // Why the request, which holds `values` and whose step has `uses`, cannot be played; empty when it can.
  [[nodiscard]] std::string reason_to_leave_out(const Exchange& exchange, const std::vector<Value>& values,
                                                const std::vector<Use>& uses) const;
  // The masked values that a write gives to the server to keep, as digests: for `kept` when its answer has ended.
  [[nodiscard]] static std::vector<std::uint64_t> given_in(const Exchange& exchange, const std::vector<Value>& values);
  void kept(const std::vector<std::uint64_t>& given) { kept_.insert(given.begin(), given.end()); }

 private:
  [[nodiscard]] bool minted(std::string_view kind, std::string_view name) const;
  MaskOptions options_;
  std::unordered_set<std::uint64_t> kept_;
};

// True for a place whose value proves who asks, by its kind and name, whatever stands there.
[[nodiscard]] bool is_credential_place(std::string_view place);

}  // namespace rehearse::replay
