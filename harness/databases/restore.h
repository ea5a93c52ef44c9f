// Puts a disposable database back to a known state, and keeps states for later.
#pragma once

#include <chrono>
#include <string>

#include "harness/configuration.h"

namespace rehearse::harness {

// Restores the database from its template or by its command. Throws Error when it is not disposable or cannot be restored
// within `deadline`.
void restore(const DatabaseSettings& database, const std::string& what, std::chrono::milliseconds deadline);

// Copies the database as it is now to another one of the same server, replacing what stands there; and the way back. Throws Error
// when that takes longer than `deadline`.
void keep_as(const DatabaseSettings& database, const std::string& what, const std::string& name,
             std::chrono::milliseconds deadline);
void restore_from(const DatabaseSettings& database, const std::string& what, const std::string& name,
                  std::chrono::milliseconds deadline);
void drop(const DatabaseSettings& database, const std::string& what, const std::string& name);

}  // namespace rehearse::harness
