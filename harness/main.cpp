// The command line: parses, calls one command, and turns what it throws into an exit status.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>
#include <system_error>

#include "harness/commands/commands.h"
#include "replay/error.h"

namespace rehearse::harness {

std::atomic<bool> stop_requested{false};

namespace {

void request_stop(int signal) {
  // A second Ctrl-C ends the program at once: whoever asks twice means it. A supervisor's SIGTERM beside the terminal's SIGINT
  // is the same request, in whichever order they come.
  static std::atomic<int> interrupts{0};
  if (signal == SIGINT && ++interrupts > 1) _exit(exit_interrupted);
  stop_requested = true;
}

std::string quoted_command_line(int argc, char** argv) {
  std::string line;
  // A script around us knows better what a person has to type.
  if (const char* repeat = std::getenv("REHEARSE_REPEAT")) return repeat;
  const auto quoted = [](const std::string& word) {
    const bool plain = !word.empty() && word.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,+") ==
                                            std::string::npos;
    return plain ? word : "'" + word + "'";
  };
  for (int i = 0; i < argc; ++i) line += (i > 0 ? " " : "") + quoted(argv[i]);
  return line;
}

// `rehearse show FILE | head`: who reads takes as much as it wants, and that is no error. True when somebody read it all.
bool show_while_somebody_reads(const std::function<int()>& show_it, int& status) {
  try {
    status = show_it();
    return std::fflush(stdout) == 0 || errno != EPIPE;
  } catch (const std::system_error& problem) {
    if (problem.code() != std::errc::broken_pipe) throw;
    return false;
  }
}

// What was printed is part of what a command does: a full disk behind standard output is an error.
void expect_all_printed() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  throw Error(fmt::format("standard output could not be written ({}); see where it goes", std::strerror(errno)));
}

int run(int argc, char** argv) {
  CLI::App app{
      "rehearse proves each stage of a service migration before anyone takes it.\n"
      "Exit status: 0 pass, 1 fail, 2 unknown, 3 usage, configuration or harness error, 130 interrupted."};
  app.set_version_flag("--version", std::string("rehearse ") + REHEARSE_VERSION);
  app.require_subcommand(1);
  int status = exit_pass;

  GateArguments gating;
  gating.repeat = quoted_command_line(argc, argv);
  auto* gate_command =
      app.add_subcommand("gate", "rehearse the stages and edges, and say whether the migration is safe");
  gate_command->add_option("-c,--config", gating.config, "the configuration")->capture_default_str();
  gate_command->add_option("--stage", gating.stages,
                           "only this stage (repeatable): off, read-only, shadow, live, completed");
  gate_command->add_option("--edge", gating.edges, "only this edge (repeatable): FROM:TO");
  gate_command->add_option("--traffic", gating.traffic, "play this capture instead of the configuration's");
  gate_command->add_option("-o,--out", gating.out, "directory of the report files")->capture_default_str();
  gate_command->add_option("--redaction-key", gating.redaction_key,
                           "a file with the key under which secrets are masked");
  gate_command->add_flag("--json", gating.json, "print the report as JSON");
  gate_command->callback([&] { status = gate(gating); });

  ReportArguments reporting;
  auto* report_command = app.add_subcommand("report", "judge a history again and render it, without sending anything");
  report_command->add_option("history", reporting.history, "the history file of a rehearsal")->required();
  report_command->add_option("-o,--out", reporting.out, "directory of the report files")->capture_default_str();
  report_command->add_flag("--json", reporting.json, "print the report as JSON");
  report_command->callback([&] { status = report(reporting); });

  InitArguments initial;
  auto* init_command = app.add_subcommand("init", "write a commented configuration");
  init_command->add_option("--legacy", initial.legacy_url, "URL of the legacy service");
  init_command->add_option("--new", initial.new_url, "URL of the new service");
  init_command->add_option("--legacy-dsn", initial.legacy_dsn,
                           "the legacy database, to propose the mapping; not written to the file");
  init_command->add_option("--new-dsn", initial.new_dsn, "the new database");
  init_command->add_option("--traffic", initial.traffic, "the capture");
  init_command->add_option("-o,--output", initial.output, "the file to write")->capture_default_str();
  init_command->callback([&] { status = init(initial); });

  std::string config = "rehearse.yaml";
  bool json = false;
  auto* doctor_command = app.add_subcommand("doctor", "say what works, what is missing and what to type");
  doctor_command->add_option("-c,--config", config, "the configuration")->capture_default_str();
  doctor_command->callback([&] { status = doctor(config); });

  auto* compare_command = app.add_subcommand("compare", "compare the two databases row by row");
  compare_command->add_option("-c,--config", config, "the configuration")->capture_default_str();
  compare_command->add_flag("--json", json, "print JSON");
  compare_command->callback([&] { status = compare_databases(config, json); });

  // What becomes of secrets is said the same way to every command that reads captures.
  RedactionArguments redaction;
  const auto add_redaction = [&](CLI::App* command) {
    command->add_option("-c,--config", redaction.config, "the file whose section redaction counts (./rehearse.yaml)");
    command->add_option("--redaction-key", redaction.key_file, "a file with the key under which secrets are masked");
    command->add_flag("--no-redaction", redaction.off, "leave secrets as they are");
  };

  std::vector<std::string> captures;
  std::string output = "capture.traffic";
  auto* import_command = app.add_subcommand(
      "import", "turn captures (pcap, pcapng) into a traffic file, with a certificate of what is missing");
  import_command->add_option("captures", captures, "the files")->required();
  import_command->add_option("-o,--output", output, "the traffic file")->capture_default_str();
  import_command->add_flag("--json", json, "print the certificate as JSON");
  import_command->callback([&] { status = import(captures, output, redaction, json); });

  add_redaction(import_command);

  std::string file;
  auto* show_command = app.add_subcommand("show", "show a capture, a traffic, plan or history file");
  show_command->add_option("file", file, "the file")->required();
  show_command->add_flag("--json", json, "one JSON object a line");
  bool secrets = false;
  show_command->add_flag("--secrets", secrets, "list where secrets stand in a capture, and never what they are");
  show_command->add_option("-c,--config", redaction.config, "the file whose section redaction counts for --secrets");
  bool read_to_the_end = true;
  show_command->callback([&] {
    const auto show_it = [&] { return secrets ? show_secrets(file, redaction, json) : show(file, json); };
    read_to_the_end = show_while_somebody_reads(show_it, status);
  });

  PlayArguments playing;
  std::string writes = "refused";
  auto* play_command = app.add_subcommand("play", "play a capture, a traffic file or a plan against one service");
  play_command->add_option("traffic", playing.traffic, "the file")->required();
  play_command->add_option("--target", playing.target, "http://host:port")->required();
  play_command
      ->add_option("--speed", playing.speed, "1 = as captured, 2 = twice as fast, 0 = as fast as the causes allow")
      ->capture_default_str();
  play_command->add_option("--history", playing.history, "the history file to write")->capture_default_str();
  play_command->add_option("--writes", writes, "allowed sends writes too; else they are left out")
      ->check(CLI::IsMember({"allowed", "refused"}));
  add_redaction(play_command);
  play_command->add_flag("--dry-run", playing.dry_run, "print the plan and send nothing");
  play_command->callback([&] {
    playing.writes = writes == "allowed";
    playing.redaction = redaction;
    status = play_traffic(playing);
  });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    if (app.exit(problem) != 0) return exit_error;
  }
  if (read_to_the_end) expect_all_printed();
  return status;
}

}  // namespace
}  // namespace rehearse::harness

int main(int argc, char** argv) {
  std::signal(SIGINT, rehearse::harness::request_stop);
  std::signal(SIGTERM, rehearse::harness::request_stop);
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return rehearse::harness::run(argc, argv);
  } catch (const std::exception& problem) {
    // Not fmt: it throws when nobody reads, and the status is all that is left to say.
    std::fputs((std::string("rehearse: ") + problem.what() + "\n").c_str(), stderr);
    return rehearse::harness::exit_error;
  }
}
