// The same plan at other times, and for another round.
#pragma once

#include <cstdint>

#include "replay/plan.h"

namespace rehearse::replay {

struct Pace {
  double speed = 1;             // 2 = twice as fast as captured
  double rate = 0;              // requests a second at most: later ones are delayed, none is left out; 0: no limit
  std::int64_t max_gap_ns = 0;  // pauses in which nothing is due are cut to that; 0 leaves them
};

// The plan with the due times that follow; it begins at 0 and is to be played at speed 1. Pauses are cut first, then the speed
// applies, then the rate, which is one of the clock on the wall. REQUIRES: speed > 0.
[[nodiscard]] Plan paced(Plan plan, const Pace& pace);

// Makes of a request that of another round, the second or a later one: a key that a client chose to be sent once (Idempotency-Key)
// becomes another one (a UUID another UUID, "key" is "key-2"), the same one in each play. What the server made is followed anew by
// itself.
void renew(Request& request, int round);

}  // namespace rehearse::replay
