// Brings what it needs.
#pragma once

#include <string>

inline std::string name() { return "step"; }
