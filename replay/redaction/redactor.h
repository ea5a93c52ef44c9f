// Takes the secrets out of captured exchanges before anything of them is written: by the names of the places where they stand,
// by configured paths, and by their shape.
//
// The same secret becomes the same mask wherever it stands (header, cookie, path, query, form, JSON, text; percent-encoded,
// escaped or in base64), so that masked traffic still correlates and compares. A secret that was found by its place is looked
// for in every other place of the same exchange and of all later ones, as a whole token. Bytes that hold no secret stay as they
// are, also in a JSON document of which one value is masked. A body behind a content coding is decoded, masked and encoded
// again; one that cannot be decoded is replaced as a whole.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "replay/exchange.h"
#include "replay/redaction/key.h"
#include "replay/redaction/rules.h"

namespace rehearse::replay {

// One secret and where it stood; never the secret itself.
struct Masked {
  std::string place;      // "request header Authorization", "response body $.customer.email"
  std::string_view kind;  // "header", "cookie", "JSON field", "e-mail address", ...
  friend bool operator==(const Masked&, const Masked&) = default;
};

// Not for two threads at once.
class Redactor {
 public:
  Redactor(RedactionRules rules, RedactionKey key);
  ~Redactor();
  Redactor(Redactor&&) noexcept;
  Redactor& operator=(Redactor&&) noexcept;

  // Masks the exchange; appends what was masked to `found`. REQUIRES: the exchange is not masked yet; a mask would be masked.
  void apply(Exchange& exchange, std::vector<Masked>* found = nullptr);

  // How many values of each kind were masked so far.
  [[nodiscard]] const std::map<std::string, std::int64_t, std::less<>>& counts() const;
  // Of its key.
  [[nodiscard]] std::string fingerprint() const;
  // Writes into the certificate that its exchanges are masked: how many values of each kind, and under which key.
  void certify(Certificate& certificate) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The fingerprint of the key under which the traffic was masked; empty when it was not.
[[nodiscard]] std::string redacted_with(const Certificate& certificate);

// Masks all exchanges, unless the certificate says that they are.
void redact(Traffic& traffic, Redactor& redactor);

}  // namespace rehearse::replay
