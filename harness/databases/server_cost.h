// What a server's process has cost so far, where it runs on this machine.
#pragma once

#include <optional>

namespace rehearse::harness {

// CPU seconds of the process with that id, when it is one of PostgreSQL's; nothing when the server runs elsewhere.
[[nodiscard]] std::optional<double> cpu_seconds_of_backend(int process_id);

}  // namespace rehearse::harness
