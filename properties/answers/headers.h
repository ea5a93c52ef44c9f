// Fields of two answers held against each other, each by what its values mean (field_values.h).
//
// Names have no case. Identifiers within a value may stand for each other.
// Moments that are set off from now, Expires and the like, are compared by how far they lie behind the Date of their answers.
// Set-Cookie is compared cookie by cookie, each in its places: `header Set-Cookie.sid` is the whole, which may be missing,
// `.value` its value, which is a secret and shown as a digest, `.httponly`, `.path` and so on its attributes. Where an answer sets several of
// one name, `#2` and so on are the next ones in the order of their domains and paths.
#pragma once

#include <string>
#include <vector>

#include "properties/answers/field_values.h"
#include "properties/answers/tree_compare.h"
#include "replay/http/message.h"

namespace rehearse::properties {

struct ComparedHeaders {
  const std::vector<std::string>& names;  // none that is hop-by-hop
  const TreeComparison& how;              // its `same` says which values stand for each other
  const Origin& expected_own;             // where the services were spoken to
  const Origin& observed_own;
};

void compare_headers(const replay::Headers& expected, const replay::Headers& observed, const ComparedHeaders& what,
                     Differences& out);

}  // namespace rehearse::properties
