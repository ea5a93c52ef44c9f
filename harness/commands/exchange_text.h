// Exchanges and their certificate as people and scripts read them.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

#include "replay/exchange.h"

namespace rehearse::harness {

// What is said on standard error where a capture holds none; the exit status is then 2.
inline constexpr std::string_view no_http = "no HTTP was found; the certificate says what else the capture holds\n";

// One line: id, connection and index, status, method, target, and why it is incomplete.
[[nodiscard]] std::string line_of(const replay::Exchange& exchange);
// What stands above such lines.
[[nodiscard]] std::string headings();

// What `show --json` prints; the names are an interface that scripts use. Times are nanoseconds since the epoch, sizes are bytes
// after chunked decoding; bytes that are no UTF-8 are shown as U+FFFD.
[[nodiscard]] boost::json::object json_of(const replay::Exchange& exchange);
[[nodiscard]] boost::json::object json_of(const replay::Certificate& certificate);

// Prints the certificate for a person: what was captured, what is missing, what to do about it.
void print(const replay::Certificate& certificate);

}  // namespace rehearse::harness
