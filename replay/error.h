// How failures of our own world travel: one exception type, thrown where it happens, caught once in `main`.
// What the system under test does wrong is never an Error: it is data in a history.
#pragma once

#include <stdexcept>
#include <string>

namespace rehearse {

// Our world failed: a file, a database, a configuration. `what()` is one sentence that says what happened and what to do.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

[[noreturn]] void ensure_failed(const char* condition, const char* file, int line);

}  // namespace rehearse

// We are wrong: an invariant of this program does not hold. Always on; ends the program with the place.
#define ENSURE(condition)                                                        \
  do {                                                                           \
    if (!(condition)) ::rehearse::ensure_failed(#condition, __FILE__, __LINE__); \
  } while (false)
