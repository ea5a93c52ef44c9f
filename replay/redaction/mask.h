// What stands in the place of a secret: a value of the same shape that depends on the key and on the secret alone.
//
// Of the same shape means: the same length, a digit for a digit, an upper-case letter for an upper-case one, punctuation as it
// was; hex stays hex, a UUID keeps its version, a JWT its readable header, a card number stays valid under a prefix that is
// issued to nobody, an e-mail address lies below .test (RFC 2606) with as many labels. Two values of the same shape with less
// than 80 bits between them get different masks for certain, others but for chance; a mask of more cannot be turned back into
// the secret even with the key.
#pragma once

#include <string>
#include <string_view>

#include "replay/redaction/key.h"

namespace rehearse::replay {

[[nodiscard]] std::string masked(const RedactionKey& key, std::string_view secret);

// The number of a JSON document: digits of its mantissa are replaced, sign, point and exponent stay.
[[nodiscard]] std::string masked_number(const RedactionKey& key, std::string_view number);

}  // namespace rehearse::replay
