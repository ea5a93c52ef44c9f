#include "harness/databases/throw_away_postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <stdexcept>

namespace rehearse::harness {
namespace {

// Ends when its standard input closes: with this process, however it ends.
class ThrowAwayPostgres {
 public:
  ThrowAwayPostgres() {
    std::array<int, 2> input{}, output{};
    if (pipe2(input.data(), O_CLOEXEC) != 0 || pipe2(output.data(), O_CLOEXEC) != 0)
      throw std::runtime_error("no pipe");
    const std::string program = std::string(REHEARSE_BINARY_DIR) + "/fixtures/orders-postgres";
    if (fork() == 0) {
      dup2(input[0], STDIN_FILENO);
      dup2(output[1], STDOUT_FILENO);
      execl(program.c_str(), program.c_str(), static_cast<char*>(nullptr));
      _exit(127);
    }
    close(input[0]);
    close(output[1]);
    owner_ = input[1];
    std::string line;
    for (char c = 0; read(output[0], &c, 1) == 1 && c != '\n';) line += c;
    close(output[0]);
    if (line.empty()) throw std::runtime_error(program + " did not start; build the target orders-postgres");
    const auto said = boost::json::parse(line);
    dsn_ = "host=" + std::string(said.at("host").as_string()) + " port=" + std::to_string(said.at("port").as_int64()) +
           " user=" + std::string(said.at("user").as_string());
  }
  ~ThrowAwayPostgres() { close(owner_); }
  ThrowAwayPostgres(const ThrowAwayPostgres&) = delete;
  ThrowAwayPostgres& operator=(const ThrowAwayPostgres&) = delete;

  [[nodiscard]] std::string dsn(const std::string& database) const { return dsn_ + " dbname=" + database; }

 private:
  int owner_ = -1;
  std::string dsn_;
};

}  // namespace

std::string dsn_of(const std::string& database) {
  static const ThrowAwayPostgres postgres;
  return postgres.dsn(database);
}

Rows sql(const std::string& database, const std::string& statements) {
  return Session(dsn_of(database), "the test's database").run(statements);
}

void TwoDatabases::SetUp() {
  Session maintenance(dsn_of("postgres"), "the test's server");
  for (const Row& row :
       maintenance.run("SELECT datname FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')")
           .rows) {
    maintenance.run("DROP DATABASE \"" + *row[0] + "\" WITH (FORCE)");
  }
  for (const char* name : {"l", "n"}) maintenance.run(std::string("CREATE DATABASE ") + name + " STRATEGY FILE_COPY");
}

DatabaseSettings TwoDatabases::disposable(const std::string& database) {
  DatabaseSettings settings;
  settings.dsn = dsn_of(database);
  settings.disposable = true;
  return settings;
}

}  // namespace rehearse::harness
