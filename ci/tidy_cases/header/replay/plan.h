// Forgets what it needs.
#pragma once

inline std::string name() { return "plan"; }
