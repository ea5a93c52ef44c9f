// A PostgreSQL of their own for tests: started once a process, gone with it.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "harness/configuration.h"
#include "harness/databases/session.h"

namespace rehearse::harness {

// The connection string of a database of the server, which starts when this is called first.
[[nodiscard]] std::string dsn_of(const std::string& database);

// Runs SQL in a session of its own.
Rows sql(const std::string& database, const std::string& statements);

// Two databases, "l" and "n", that are empty at the beginning of each test.
class TwoDatabases : public testing::Test {
 protected:
  void SetUp() override;

  [[nodiscard]] static DatabaseSettings disposable(const std::string& database);
};

}  // namespace rehearse::harness
