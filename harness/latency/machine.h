// What the machine says of itself while something is measured: how busy it is, and what a hypervisor took away.
#pragma once

#include <string>

namespace rehearse::harness {

// "2 × Intel(R) Xeon(R) CPU @ 2.20GHz, Linux 6.1.0".
[[nodiscard]] std::string machine_name();

// The run queue, average of the last minute; 0 where the kernel does not say.
[[nodiscard]] double machine_load();

// Share of the processors' time that a hypervisor took since this was made, in percent.
class StealWatch {
 public:
  StealWatch();
  [[nodiscard]] double percent() const;

 private:
  struct Ticks {
    double stolen = 0, all = 0;
  };
  static Ticks now();
  Ticks began_;
};

}  // namespace rehearse::harness
