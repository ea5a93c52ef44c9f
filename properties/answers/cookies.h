// The cookies that an answer sets (RFC 6265, section 5.3).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "replay/http/message.h"

namespace rehearse::properties {

struct Cookie {
  std::string value;
  // By their names in small letters. A Path that is none and an empty Domain say nothing and are left out; what flags hold besides is
  // nothing; names of hosts and the values of SameSite have no case, everything else has.
  std::map<std::string, std::string> attributes;
};

// By name, then by Domain and Path: these three are which cookie it is, and the last one of an answer is the one that counts.
using Cookies = std::map<std::string, std::map<std::pair<std::string, std::string>, Cookie>>;

// A Domain that is the service's own host is each one's own.
[[nodiscard]] Cookies cookies_of(const replay::Headers& headers, std::string_view own_authority);

}  // namespace rehearse::properties
