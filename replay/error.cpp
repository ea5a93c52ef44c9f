#include "replay/error.h"

#include <cstdio>
#include <cstdlib>

namespace rehearse {

void ensure_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "rehearse: a bug in rehearse: %s:%d: %s does not hold. Please report it with this line.\n", file,
               line, condition);
  std::abort();
}

}  // namespace rehearse
