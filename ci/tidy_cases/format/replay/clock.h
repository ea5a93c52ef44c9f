// A clock.
#pragma once

inline int  now( ) { return 1; }
