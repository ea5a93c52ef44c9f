// The main function of the test executables: one seed decides every property. REHEARSE_SEED chooses another one; what RapidCheck
// prints on a failure (RC_PARAMS) repeats exactly that case.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const char* seed = std::getenv("REHEARSE_SEED");
  setenv("RC_PARAMS", (std::string("seed=") + (seed != nullptr ? seed : "20231114")).c_str(), 0);
  return RUN_ALL_TESTS();
}
