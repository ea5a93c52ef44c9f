// The command line: parses, calls one command, and turns what it throws into an exit status.
#include <fmt/format.h>
#include <unistd.h>

#include <sys/resource.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>

#include <csignal>
#include <cstring>
#include <functional>
#include <iostream>
#include <sstream>
#include <system_error>
#include <thread>

#include "harness/commands/commands.h"
#include "harness/commands/manual.h"
#include "harness/commands/planning.h"
#include "replay/error.h"
#include "replay/traffic_file.h"
#include "reports/escape.h"

namespace rehearse::harness {

namespace {

void request_stop(int signal) {
  // A second Ctrl-C ends the program at once: whoever asks twice means it. A supervisor's SIGTERM beside the terminal's SIGINT
  // is the same request, in whichever order they come.
  static std::atomic<int> interrupts{0};
  if (signal == SIGINT && ++interrupts > 1) _exit(exit_interrupted);
  stop_requested = true;
}

// For the commands that only read files: nothing is half done but the file that is being written, and that goes.
void end_at_once(int) {
  if (*replay::unfinished_traffic_file() != '\0') unlink(replay::unfinished_traffic_file());
  constexpr std::string_view text = "rehearse: interrupted; nothing was written\n";
  static_cast<void>(write(STDERR_FILENO, text.data(), text.size()) < 0);
  _exit(exit_interrupted);
}

void end_at_once_when_interrupted() {
  std::signal(SIGINT, end_at_once);
  std::signal(SIGTERM, end_at_once);
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
bool print_while_somebody_reads(const std::function<int()>& command, int& status) {
  try {
    status = command();
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

// What somebody typed may be quoted in it. Not fmt: it throws when nobody reads, and the status is all that is left to say.
void print_error(std::string_view line) { std::fputs((reports::error_escape(line) + "\n").c_str(), stderr); }

int run(int argc, char** argv) {
  CLI::App app{
      "rehearse proves each stage of a service migration before anyone takes it.\n"
      "Exit status: 0 pass, 1 fail, 2 unknown, 3 usage, configuration or harness error, 130 interrupted."};
  app.set_version_flag("--version", std::string("rehearse ") + REHEARSE_VERSION);
  app.require_subcommand(1);
  int status = exit_pass;

  const auto add_output = [](CLI::App* command, Output& out) {
    command->add_option("-o,--out", out.directory, "directory of the report files")->capture_default_str();
    command->add_option("--html", out.html, "write the page to this file, too");
    command->add_option("--json-file", out.document, "write the report as JSON to this file, too");
    command->add_option("--junit", out.junit, "write JUnit XML to this file, too");
    command->add_option("--markdown", out.markdown, "write the summary for a pull request to this file, too");
    command->add_option("--prometheus", out.prometheus,
                        "write metrics in the Prometheus text format to this file, too");
    command->add_flag("--github", out.github,
                      "print annotations for a GitHub workflow, and add the summary to $GITHUB_STEP_SUMMARY");
    command->add_flag("--json", out.json, "print the report as JSON");
  };

  GateArguments gating;
  gating.repeat = quoted_command_line(argc, argv);
  auto* gate_command =
      app.add_subcommand("gate", "rehearse the stages and edges, and say whether the migration is safe");
  gate_command->add_option("-c,--config", gating.config, "the configuration")->capture_default_str();
  gate_command->add_option("--stage", gating.stages,
                           "only this stage (repeatable): off, read-only, shadow, live, completed");
  gate_command->add_option("--edge", gating.edges, "only this edge (repeatable): FROM:TO");
  gate_command->add_option("--traffic", gating.traffic, "play this capture instead of the configuration's");
  add_output(gate_command, gating.out);
  gate_command->add_option("--redaction-key", gating.redaction_key,
                           "a file with the key under which secrets are masked");
  gate_command->add_flag("--strict", gating.strict,
                         "unknown when a rule about answers is not needed, expired or too broad");
  gate_command->callback([&] { status = gate(gating); });

  ReportArguments reporting;
  auto* report_command =
      app.add_subcommand("report", "judge a history again, or render a report.json, without sending anything");
  report_command->add_option("file", reporting.file, "the history file of a rehearsal, or its report as JSON")
      ->required();
  report_command->add_option("--against", reporting.against,
                             "the history or the report of an earlier rehearsal: say what changed since");
  add_output(report_command, reporting.out);
  report_command->add_flag("--strict", reporting.strict,
                           "unknown when a rule about answers is not needed, expired or too broad");
  report_command->add_option("--rules", reporting.rules,
                             "a configuration whose answer_rules and budgets count instead of those of the rehearsal");
  report_command->add_flag("--suggest-rules", reporting.suggest_rules,
                           "print the smallest rules that settle what the legacy service itself changes");
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
  CompareArguments comparing;
  compare_command->add_option("-c,--config", comparing.config, "the configuration; its databases and mapping are read")
      ->capture_default_str();
  compare_command->add_option("--entity", comparing.entities, "only this entity (repeatable)");
  compare_command->add_option(
      "--repair-sql", comparing.repair,
      "write statements that would make the new database equal to this file; nothing is applied");
  compare_command->add_option("--connections", comparing.connections, "to each database at once")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  compare_command
      ->add_option("--max-differences", comparing.max_differences,
                   "rows of an entity that are told apart; of more, \"at least\" is said. a kilobyte of memory each")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  compare_command
      ->add_option("--snapshot-limit", comparing.snapshot_limit_seconds, "seconds for which a snapshot is held at most")
      ->check(CLI::Range(1.0, 86'400.0))
      ->capture_default_str();
  compare_command
      ->add_option("--live", comparing.live_seconds,
                   "the databases are being written: follow rows that differ until they settle, an entity so many "
                   "seconds at most")
      ->check(CLI::Range(0.1, 86'400.0));
  compare_command
      ->add_option("--window", comparing.window_seconds,
                   "with --live: the seconds in which a write surely reaches the other database")
      ->check(CLI::Range(0.01, 3'600.0))
      ->capture_default_str();
  compare_command
      ->add_option(
          "--strategy", comparing.strategy,
          "full: every row is read; hashes: the servers hash the rows, and only what differs is read, for slow "
          "links; auto: what is faster for the first rows of each entity")
      ->check(CLI::IsMember({"full", "hashes", "auto"}))
      ->capture_default_str();
  compare_command->add_option(
      "--history", comparing.history,
      "a history of `rehearse gate` or `play`: name the request that wrote each row that differs");
  compare_command->add_option("--seed", comparing.seed, "of the hashes and of the self-test");
  compare_command->add_flag("--cost", comparing.cost,
                            "measure the CPU time of the servers, where they run here, beside count(*)");
  compare_command->add_flag("--json", comparing.json, "print JSON");
  compare_command->callback([&] { status = compare_databases(comparing); });

  // What becomes of secrets is said the same way to every command that reads captures.
  RedactionArguments redaction;
  const auto add_redaction = [&](CLI::App* command) {
    command->add_option("-c,--config", redaction.config, "the file whose section redaction counts (./rehearse.yaml)");
    command->add_option("--redaction-key", redaction.key_file, "a file with the key under which secrets are masked");
    command->add_flag("--no-redaction", redaction.off, "leave secrets as they are");
  };

  ImportArguments importing;
  importing.options.threads = std::max(1u, std::thread::hardware_concurrency());
  const auto add_import_options = [&](CLI::App* command, ImportArguments& arguments) {
    command->add_option("-o,--output", arguments.output, "the traffic file")->capture_default_str();
    command->add_flag("--json", arguments.json, "print the certificate as JSON");
    command->add_option("--filter", arguments.options.filter, "a capture filter, see pcap-filter(7)");
    command->add_option("--keys", arguments.options.key_log, "TLS secrets, as SSLKEYLOGFILE writes them");
    command->add_option("--threads", arguments.options.threads, "how many threads read")
        ->check(CLI::Range(1, 64))
        ->capture_default_str();
    command->add_flag("--checksums", arguments.options.verify_checksums, "count segments with a wrong checksum");
    command->add_option("--max-loss", arguments.max_loss, "exit 1 when a larger share of the traffic is lost, 0 to 1")
        ->check(CLI::Range(0.0, 1.0));
    add_redaction(command);
  };
  auto* import_command = app.add_subcommand(
      "import",
      "turn captures (pcap, pcapng, HAR, GoReplay) into a traffic file, with a certificate of what is missing");
  import_command->add_option("captures", importing.files, "the files; - is standard input")->required();
  add_import_options(import_command, importing);
  import_command->callback([&] {
    end_at_once_when_interrupted();
    importing.redaction = redaction;
    status = import(importing);
  });

  CaptureArguments capturing;
  capturing.options.threads = importing.options.threads;
  auto* capture_command = app.add_subcommand("capture", "the same from a network interface, until Ctrl-C");
  capture_command->add_option("-i,--interface", capturing.interface, "for instance eth0, lo or any")->required();
  capture_command->add_option("--seconds", capturing.seconds, "stop by itself")->check(CLI::Range(0.001, 1e6));
  capture_command->add_option("--buffer", capturing.buffer_megabytes, "megabytes in the kernel")
      ->check(CLI::Range(1, 2047))
      ->capture_default_str();
  add_import_options(capture_command, capturing);
  capture_command->callback([&] {
    capturing.redaction = redaction;
    status = capture(capturing);
  });

  bool read_to_the_end = true;
  const auto printing = [&](const auto& command) {
    end_at_once_when_interrupted();
    read_to_the_end = print_while_somebody_reads(command, status);
  };
  std::string file;
  replay::ImportOptions showing;
  auto* show_command = app.add_subcommand("show", "show a capture, a traffic, plan or history file");
  show_command->add_option("file", file, "the file; - is a capture or a plan on standard input")->required();
  show_command->add_flag("--json", json, "one JSON object a line");
  show_command->add_option("--filter", showing.filter, "a capture filter, see pcap-filter(7)");
  show_command->add_option("--keys", showing.key_log, "TLS secrets, as SSLKEYLOGFILE writes them");
  bool secrets = false;
  show_command->add_flag("--secrets", secrets, "list where secrets stand in a capture, and never what they are");
  show_command->add_option("-c,--config", redaction.config, "the file whose section redaction counts for --secrets");
  show_command->callback([&] {
    printing([&] { return secrets ? show_secrets(file, showing, redaction, json) : show(file, showing, json); });
  });

  auto* traffic_command = app.add_subcommand("traffic", "list, look into, cut and merge captures and traffic files");
  traffic_command->require_subcommand(1);
  auto* list_command = traffic_command->add_subcommand("ls", "routes with their numbers, statuses and durations");
  list_command->add_option("file", file, "the file")->required();
  list_command->add_flag("--json", json, "one JSON object a line");
  list_command->callback([&] { printing([&] { return list_routes(file, json); }); });
  std::int64_t count = 10;
  auto* head_command = traffic_command->add_subcommand("head", "the first exchanges");
  head_command->add_option("file", file, "the file")->required();
  head_command->add_option("-n", count, "how many")->check(CLI::NonNegativeNumber)->capture_default_str();
  head_command->add_flag("--json", json, "one JSON object a line");
  head_command->callback([&] { printing([&] { return show_head(file, count, json); }); });
  const auto add_filter = [](CLI::App* command, WantedExchanges& wanted) {
    command->add_option("--from", wanted.from, "2026-11-22T10:00:00Z, or +90s from the first request");
    command->add_option("--to", wanted.to, "the same; the end is not included");
    command->add_option("--route", wanted.routes,
                        "\"GET /orders/{}\" as `traffic ls` names it, or a pattern of paths: /orders/*");
    command->add_option("--method", wanted.methods, "GET, POST, ...");
    command->add_option("--status", wanted.statuses, "404, 2xx, ...");
    command->add_option("--sample", wanted.sample, "share of the sessions, the same ones each time")
        ->check(CLI::Range(0.0, 1.0));
    command->add_option("--session-key", wanted.session_keys,
                        "a header that names a session, besides Cookie and Authorization");
    command->add_flag("--complete", wanted.complete, "leave out what is incomplete");
  };
  CutArguments cutting;
  auto* cut_command = traffic_command->add_subcommand("cut", "a part of the exchanges as a traffic file");
  cut_command->add_option("file", cutting.file, "the file")->required();
  cut_command->add_option("-o,--output", cutting.output, "the traffic file to write")->required();
  add_filter(cut_command, cutting.wanted);
  add_redaction(cut_command);
  cut_command->callback([&] {
    end_at_once_when_interrupted();
    cutting.redaction = redaction;
    status = cut(cutting);
  });
  std::vector<std::string> files;
  std::string output;
  auto* merge_command = traffic_command->add_subcommand("merge", "several files as one, in the order of time");
  merge_command->add_option("files", files, "the files")->required();
  merge_command->add_option("-o,--output", output, "the traffic file to write")->required();
  add_redaction(merge_command);
  merge_command->callback([&] {
    end_at_once_when_interrupted();
    status = merge(files, output, redaction);
  });

  PlayArguments playing;
  std::string writes = "refused";
  auto* play_command = app.add_subcommand("play", "play captures, traffic files or a plan against one service");
  play_command->add_option("files", playing.files, "the files; several captures are merged by time")->required();
  play_command->add_option("--target", playing.target, "http://host:port or https://host:port")->required();
  play_command->add_option("--speed", playing.speed, "0.1 to 100, 1 = as captured; max = as fast as the causes allow")
      ->capture_default_str();
  play_command->add_option("--rate", playing.rate, "requests a second at most: delays, and leaves nothing out")
      ->check(CLI::Range(0.001, 1e7));
  play_command->add_option("--max-gap", playing.max_gap_seconds, "cut pauses of the capture to so many seconds")
      ->check(CLI::Range(0.001, 1e9));
  play_command->add_option("--loop", playing.rounds, "how often it is played, with fresh values each time")
      ->check(CLI::Range(1, 1'000'000));
  play_command->add_option("--causes", playing.causes, "what a request waits for: all that the capture proves, or less")
      ->check(CLI::IsMember({"all", "connections"}))
      ->capture_default_str();
  add_filter(play_command, playing.wanted);
  play_command->add_option("--history", playing.history, "the history file to write")->capture_default_str();
  play_command->add_option("--writes", writes, "allowed sends writes too; else they are left out")
      ->check(CLI::IsMember({"allowed", "refused"}));
  add_redaction(play_command);
  play_command->add_flag("--send-masked", playing.send_masked,
                         "send what is left out because a credential in it is masked, or what it asks for");
  std::vector<std::string> headers;
  std::string http = "auto";
  const auto add_service = [&](CLI::App* command, TargetSettings& service) {
    command->add_option("--http", http, "the version of HTTP; auto: HTTP/2 where TLS agrees on it, else HTTP/1.1")
        ->check(CLI::IsMember({"auto", "1", "2"}))
        ->capture_default_str();
    command->add_option("--ca", service.tls.ca_file, "the authority to believe of an https target (PEM)");
    command->add_option("--certificate", service.tls.certificate_file, "the client's certificate (PEM)");
    command->add_option("--key", service.tls.key_file, "the key of that certificate (PEM)");
    command->add_option("--host", service.host, "the Host field; else that of the target");
    command
        ->add_option("--header", headers,
                     "\"Name: value\" for every request, ${NAME} from the environment; "
                     "\"Name:\" takes it out")
        ->allow_extra_args(false);
    command->add_option("--credentials", service.credentials,
                        "a command that prints the Authorization for the one in $REHEARSE_CREDENTIAL");
  };
  const auto finish_service = [&](TargetSettings& service) {
    service.http = http_version_named(http);
    for (const std::string& header : headers) service.headers.push_back(header_rule(header));
  };
  add_service(play_command, playing.service);
  play_command->add_option("--cue", playing.cues, "\"NAME=COMMAND\": what is run for a cue of a plan")
      ->allow_extra_args(false);
  play_command->add_option("--workers", playing.workers, "threads that send")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  play_command->add_option("--connections", playing.connections, "open at once at most; steps wait for a free one")
      ->check(CLI::Range(1, 1'000'000));
  play_command->add_option("--timeout", playing.timeout_seconds, "seconds for a whole answer")
      ->check(CLI::Range(0.001, 86'400.0))
      ->capture_default_str();
  play_command->add_option("--connect-timeout", playing.connect_timeout_seconds, "seconds for a connection, with TLS")
      ->check(CLI::Range(0.001, 86'400.0))
      ->capture_default_str();
  play_command->add_option("--first-byte-timeout", playing.first_byte_timeout_seconds, "seconds until an answer begins")
      ->check(CLI::Range(0.001, 86'400.0));
  play_command->add_flag("--dry-run", playing.dry_run, "print the plan and send nothing");
  play_command->callback([&] {
    playing.writes = writes == "allowed";
    playing.redaction = redaction;
    finish_service(playing.service);
    status = play_traffic(playing);
  });

  PairsArguments pairing;
  pairing.out.directory = "pairs";
  pairing.repeat = quoted_command_line(argc, argv);
  auto* pairs_command =
      app.add_subcommand("pairs", "send the reads to both services at work, back to back, and compare the answers");
  pairs_command->add_option("files", pairing.files, "captures and traffic files")->required();
  pairs_command->add_option("--legacy", pairing.legacy, "http://host:port or https://host:port")->required();
  pairs_command->add_option("--new", pairing.new_, "the new service")->required();
  pairs_command->add_option("--rate", pairing.rate, "pairs a second at most")
      ->check(CLI::Range(0.001, 10'000.0))
      ->capture_default_str();
  pairs_command->add_option("--pause", pairing.pause_seconds, "seconds until a difference is read again")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  pairs_command->add_option("--timeout", pairing.timeout_seconds, "seconds for a whole answer")
      ->check(CLI::Range(0.001, 86'400.0))
      ->capture_default_str();
  pairs_command->add_option("--seed", pairing.seed, "which service is asked first is drawn with it");
  add_output(pairs_command, pairing.out);
  pairs_command->add_flag("--strict", pairing.strict,
                          "unknown when a rule about answers is not needed, expired or too broad");
  pairs_command->add_flag("--send-masked", pairing.send_masked,
                          "send what is left out because a credential in it is masked, or what it asks for");
  add_filter(pairs_command, pairing.wanted);
  add_redaction(pairs_command);
  add_service(pairs_command, pairing.service);
  pairs_command->callback([&] {
    pairing.redaction = redaction;
    finish_service(pairing.service);
    status = compare_live(pairing);
  });

  BenchArguments benching;
  auto* bench_command = app.add_subcommand(
      "bench", "measure latency and throughput of each stage beside the legacy service alone; Google Benchmark's JSON");
  bench_command->add_option("--config", benching.config, "the configuration")->capture_default_str();
  bench_command->add_option("--stage", benching.stages, "only this stage; repeatable");
  bench_command->add_option("--traffic", benching.traffic, "a capture or traffic file instead of the configuration's");
  bench_command->add_option("-o,--out", benching.out, "the JSON file")->capture_default_str();
  bench_command->add_option("--csv", benching.csv, "a file that gets a row of medians, for trends");
  bench_command->add_option("--baseline", benching.baseline, "an earlier run; 1 when something became surely slower");
  bench_command
      ->add_option("--tolerance", benching.tolerance_percent, "percent that it may be slower than the baseline")
      ->check(CLI::Range(0.0, 1000.0))
      ->capture_default_str();
  bench_command->add_option("--repetitions", benching.repetitions, "of all stages")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  bench_command->add_option("--seconds", benching.seconds, "of each kind of requests in a stage and repetition")
      ->check(CLI::Range(0.5, 3600.0))
      ->capture_default_str();
  bench_command->callback([&] { status = bench(benching); });

  FuzzArguments fuzzing;
  fuzzing.repeat = quoted_command_line(argc, argv);
  auto* fuzz_command = app.add_subcommand(
      "fuzz", "play request sequences that nobody captured, with flips, lanes and faults; shrink what fails");
  fuzz_command->add_option("--config", fuzzing.config, "the configuration")->capture_default_str();
  fuzz_command->add_option("--traffic", fuzzing.traffic,
                           "where operations are mined from; the configuration's without it");
  fuzz_command->add_option("--openapi", fuzzing.openapi,
                           "an OpenAPI 3 document that describes the operations, too; the configuration's without it");
  fuzz_command->add_option("--plan", fuzzing.plan, "play this plan alone, and say how often it fails");
  fuzz_command->add_option("-o,--out", fuzzing.out, "directory of failing plans; those in it are played first")
      ->capture_default_str();
  fuzz_command->add_option("--seed", fuzzing.seed, "the same seed draws the same plans; drawn without it");
  fuzz_command->add_option("--seconds", fuzzing.seconds, "for new plans")
      ->check(CLI::Range(0.0, 604'800.0))
      ->capture_default_str();
  fuzz_command->add_option("--plans", fuzzing.plans, "new plans at most")->check(CLI::Range(1, 1'000'000'000));
  fuzz_command->add_option("--failures", fuzzing.failures, "end behind so many")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  fuzz_command->add_option("--shrink-seconds", fuzzing.shrink_seconds, "for each failure")
      ->check(CLI::Range(0.0, 86'400.0))
      ->capture_default_str();
  fuzz_command->add_option("--operations", fuzzing.operations, "about so many in a plan")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  fuzz_command->add_option("--lanes", fuzzing.lanes, "clients at the same time, at most; 1: one after the other")
      ->check(CLI::Range(1, 16))
      ->capture_default_str();
  fuzz_command->add_option("--beside", fuzzing.beside,
                           "play in another, equal system at the same time: a file of NAME=value lines, with which the "
                           "configuration is that "
                           "system's; repeatable");
  fuzz_command->add_option("--stage", fuzzing.stages, "in which plans begin; repeatable");
  fuzz_command->add_flag("--no-flips", fuzzing.no_flips, "the flag stays where a plan begins");
  fuzz_command->add_flag("--no-faults", fuzzing.no_faults, "nothing is broken");
  fuzz_command->add_flag("--no-odd-values", fuzzing.no_odd_values, "values as they were captured");
  fuzz_command->add_flag("--no-relations", fuzzing.no_relations,
                         "no plan that passed is played once more as a relation (M1 to M10) changes it");
  fuzz_command->add_flag("--captured", fuzzing.captured,
                         "play the captured traffic itself first, in each stage, and shrink what fails");
  fuzz_command->add_flag("--verbose", fuzzing.verbose, "name all that no plan met");
  fuzz_command->add_flag("--json", fuzzing.json, "print the result as JSON");
  fuzz_command->callback([&] { status = fuzz(fuzzing); });

  std::string shell;
  auto* completion_command = app.add_subcommand("completion", "print the completions for a shell");
  completion_command->add_option("shell", shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  completion_command->callback([&] { printing([&] { return fmt::print("{}", completion_script(app, shell)), 0; }); });
  auto* manual_command = app.add_subcommand("manual", "print the manual page: rehearse manual | man -l -");
  manual_command->callback([&] { printing([&] { return fmt::print("{}", manual_page(app, REHEARSE_VERSION)), 0; }); });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    std::ostringstream said;
    if (app.exit(problem, std::cout, said) != 0) {
      std::istringstream lines(said.str());
      for (std::string line; std::getline(lines, line);) print_error(line);
      return exit_error;
    }
  }
  if (read_to_the_end) expect_all_printed();
  return status;
}

}  // namespace
}  // namespace rehearse::harness

int main(int argc, char** argv) {
  // Each lane of a plan has a connection of its own.
  if (rlimit files{}; getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  std::signal(SIGINT, rehearse::harness::request_stop);
  std::signal(SIGTERM, rehearse::harness::request_stop);
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return rehearse::harness::run(argc, argv);
  } catch (const rehearse::harness::Interrupted&) {
    rehearse::harness::print_error("rehearse: interrupted before anything was sent");
    return rehearse::harness::exit_interrupted;
  } catch (const std::exception& problem) {
    rehearse::harness::print_error(std::string("rehearse: ") + problem.what());
    return rehearse::harness::exit_error;
  }
}
