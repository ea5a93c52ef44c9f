// Fields of two answers held against each other, each by what its values mean (RFC 9110).
//
// Names have no case. Fields that hop-by-hop connections use are never compared. Where the order of a list means nothing (Vary, Allow,
// Accept-Ranges, Cache-Control, Link) it does not count; Set-Cookie is compared cookie by cookie, and so are its attributes; the
// parameters of Content-Type have no case but for a boundary, which the server draws; Location names places, so identifiers in it
// may stand for each other, and the address of the service itself is each one's own.
#pragma once

#include <string>
#include <vector>

#include "properties/answers/tree_compare.h"
#include "replay/http/message.h"

namespace rehearse::properties {

struct ComparedHeaders {
  const std::vector<std::string>& names;
  const TreeComparison& how;                 // its `same` says which values stand for each other
  std::string expected_host, observed_host;  // what the requests named: authorities that Location may begin with
};

void compare_headers(const replay::Headers& expected, const replay::Headers& observed, const ComparedHeaders& what,
                     Differences& out);

}  // namespace rehearse::properties
