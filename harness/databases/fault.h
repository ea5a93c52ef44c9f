// Breaks a database on purpose, by SQL, and mends it again however the scope is left.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "harness/configuration.h"
#include "harness/databases/session.h"

namespace rehearse::harness {

class BrokenDatabase {
 public:
  enum class How {
    stopped,    // refuses every connection; those that were open are ended
    read_only,  // every write fails (SQLSTATE 25006)
    hung,       // every table is locked: statements wait
  };
  // Throws Error when the database is not disposable or the right is missing. The sessions of `spared` processes stay.
  BrokenDatabase(const DatabaseSettings& database, const std::string& what, How how, std::vector<int> spared = {});
  ~BrokenDatabase();
  BrokenDatabase(const BrokenDatabase&) = delete;
  BrokenDatabase& operator=(const BrokenDatabase&) = delete;

  // Mends it; throws what goes wrong. The destructor mends too, and stays silent.
  void mend();

 private:
  void break_it(const DatabaseSettings& database, const std::string& what);

  std::string name_;
  How how_;
  bool broken_ = true;
  std::vector<int> spared_;
  Session maintenance_;
  std::unique_ptr<Session> locker_;
};

}  // namespace rehearse::harness
