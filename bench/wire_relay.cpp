// wire_relay LISTEN TO [--http]
//
// A wire without rules, for as long as its standard input is open: what it costs to stand in the middle. CONTRIBUTING.md has the line
// with pgbench.
#include <cstdio>
#include <exception>
#include <string>

#include "harness/wires/wire.h"

int main(int count, char** arguments) {
  if (count < 3) {
    std::fputs("wire_relay LISTEN TO [--http]\n", stderr);
    return 3;
  }
  try {
    const bool http = count > 3 && std::string(arguments[3]) == "--http";
    const rehearse::harness::Wire wire({http ? "legacy" : "new-database", arguments[1], arguments[2]});
    std::puts(wire.settings().listen.c_str());
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "wire_relay: %s\n", problem.what());
    return 3;
  }
}
