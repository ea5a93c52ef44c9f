#include "harness/commands/manual.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>
#include <vector>

#include "replay/error.h"

namespace rehearse::harness {
namespace {

// A command with what its name is typed as: {"traffic", "cut"}.
struct Command {
  std::vector<std::string> path;
  const CLI::App* app = nullptr;
  [[nodiscard]] std::string name() const { return fmt::format("{}", fmt::join(path, " ")); }
};

void add_commands(const CLI::App& app, const std::vector<std::string>& path, std::vector<Command>& commands) {
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    auto deeper = path;
    deeper.push_back(command->get_name());
    commands.push_back({deeper, command});
    add_commands(*command, deeper, commands);
  }
}

std::vector<Command> commands_of(const CLI::App& app) {
  std::vector<Command> commands;
  add_commands(app, {}, commands);
  return commands;
}

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

// The names of an option as they are typed: "-o", "--out".
std::vector<std::string> names_of(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

std::vector<const CLI::Option*> named_options(const CLI::App& app) {
  std::vector<const CLI::Option*> options;
  for (const CLI::Option* option : app.get_options()) {
    if (option->nonpositional()) options.push_back(option);
  }
  return options;
}

std::vector<const CLI::Option*> positionals(const CLI::App& app) {
  std::vector<const CLI::Option*> options;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) options.push_back(option);
  }
  return options;
}

// What an option can be: what its check names in braces, and what the program reads by name.
std::vector<std::string> values_of(const CLI::Option& option) {
  const auto& names = option.get_lnames();
  const auto named = [&](const char* name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  if (named("stage")) return {"off", "read-only", "shadow", "live", "completed"};
  if (named("edge")) {
    return {"off:read-only",  "read-only:shadow", "shadow:live",      "live:completed",
            "completed:live", "live:shadow",      "shadow:read-only", "read-only:off"};
  }
  const std::string type = option.get_type_name();
  const auto from = type.find('{'), to = type.rfind('}');
  std::vector<std::string> values;
  if (from == std::string::npos || to == std::string::npos) return values;
  for (std::string_view rest = std::string_view(type).substr(from + 1, to - from - 1); !rest.empty();) {
    const auto comma = rest.find(',');
    values.emplace_back(rest.substr(0, comma));
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  }
  return values;
}

// -- the manual page -------------------------------------------------------------------------------------------------------

// Text of man(7): a line must not begin with a control character, a hyphen is one that can be copied.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '\n') {
      out += "\n";
    } else if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) {
      out += "\\&";
      out += c;
    } else {
      out += c;
    }
  }
  return out;
}

std::string type_of(const CLI::Option& option) {
  const auto values = values_of(option);
  if (!values.empty()) return fmt::format("{}", fmt::join(values, "|"));
  const std::string type = option.get_type_name();
  return type.substr(0, type.find_first_of(": {"));
}

std::string option_entry(const CLI::Option& option) {
  std::string names;
  for (const std::string& name : names_of(option))
    names += (names.empty() ? "" : ", ") + ("\\fB" + roff(name) + "\\fR");
  if (takes_value(option)) names += " \\fI" + roff(type_of(option)) + "\\fR";
  std::string text = option.get_description();
  if (!option.get_default_str().empty()) text += fmt::format(" (default: {})", option.get_default_str());
  return fmt::format(".TP\n{}\n{}\n", names, roff(text));
}

std::string synopsis_of(const Command& command) {
  std::string line = fmt::format("\\fBrehearse {}\\fR [\\fIOPTIONS\\fR]", roff(command.name()));
  for (const CLI::Option* option : positionals(*command.app)) {
    const std::string name = roff(option->get_name(true));
    line += option->get_required() ? fmt::format(" \\fI{}\\fR", name) : fmt::format(" [\\fI{}\\fR]", name);
    if (option->get_items_expected_max() > 1) line += "...";
  }
  return line;
}

std::string command_entry(const Command& command) {
  std::string out = fmt::format(".SS rehearse {}\n{}\n.PP\n{}.\n", roff(command.name()), synopsis_of(command),
                                roff(command.app->get_description()));
  for (const CLI::Option* option : positionals(*command.app))
    out += fmt::format(".TP\n\\fI{}\\fR\n{}\n", roff(option->get_name(true)), roff(option->get_description()));
  for (const CLI::Option* option : named_options(*command.app)) out += option_entry(*option);
  return out;
}

constexpr std::string_view closing = R"(.SH EXIT STATUS
.TP
0
pass: what was rehearsed is safe
.TP
1
fail: an invariant is broken
.TP
2
unknown: something was not proved; this does not open a gate
.TP
3
usage, configuration or harness error
.TP
130
interrupted
.SH ENVIRONMENT
.TP
\fBREHEARSE_REDACTION_KEY\fR
the key under which secrets in captures are masked
.TP
\fBREHEARSE_REPEAT\fR
what reports name as the command that does it again
.TP
\fBNO_COLOR\fR, \fBCI\fR
progress in plain lines; \fBNO_COLOR\fR also turns colours off
.TP
\fBGITHUB_STEP_SUMMARY\fR
the file that \fB\-\-github\fR adds the summary to
.SH FILES
.TP
\fIrehearse.yaml\fR
the configuration; \fBrehearse init\fR writes one with every key explained
.TP
\fIrehearsal/\fR
report.html, report.json, junit.xml, summary.md, metrics.prom and history.sqlite of the last rehearsal
.SH EXAMPLES
.TP
Rehearse everything, and open the page:
rehearse gate; xdg\-open rehearsal/report.html
.TP
One stage and one edge:
rehearse gate \-\-stage shadow \-\-edge shadow:live
.TP
What changed since the rehearsal of last week:
rehearse report rehearsal/history.sqlite \-\-against last\-week/report.json
)";

// -- completions -------------------------------------------------------------------------------------------------------------

std::string words_of(const CLI::App& app) {
  std::string words;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    words += (words.empty() ? "" : " ") + command->get_name();
  for (const CLI::Option* option : named_options(app)) {
    for (const std::string& name : names_of(*option)) words += (words.empty() ? "" : " ") + name;
  }
  return words;
}

std::string bash_script(const CLI::App& app) {
  std::string words = fmt::format("    '') words='{}' ;;\n", words_of(app)), values, valued, deeper;
  for (const Command& command : commands_of(app)) {
    words += fmt::format("    '{}') words='{}' ;;\n", command.name(), words_of(*command.app));
    deeper += fmt::format("{}'{}'", deeper.empty() ? "" : "|", command.name());
    for (const CLI::Option* option : named_options(*command.app)) {
      if (!takes_value(*option)) continue;
      for (const std::string& name : names_of(*option)) {
        valued += fmt::format("{}'{} {}'", valued.empty() ? "" : "|", command.name(), name);
        if (const auto known = values_of(*option); !known.empty())
          values += fmt::format("    '{} {}') words='{}' ;;\n", command.name(), name, fmt::join(known, " "));
      }
    }
  }
  return fmt::format(R"(# bash completion of rehearse: rehearse completion bash > /etc/bash_completion.d/rehearse
_rehearse() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} command='' before='' words='' i word
  COMPREPLY=()
  # A colon separates words for readline; live:completed is one to us.
  local line=${{COMP_LINE:0:COMP_POINT}}
  local -a typed
  read -ra typed <<<"$line"
  [[ $line == *[[:space:]] ]] && typed+=('')
  current=${{typed[${{#typed[@]}}-1]}}
  for ((i = 1; i + 1 < ${{#typed[@]}}; i++)); do
    word=${{typed[i]}}
    case "$command${{command:+ }}$word" in
    {deeper}) command="$command${{command:+ }}$word" ;;
    esac
  done
  ((${{#typed[@]}} > 2)) && before=${{typed[${{#typed[@]}}-2]}}
  case "$command $before" in
{values}    {valued}) compopt -o default 2>/dev/null; return ;;
  esac
  if [ -z "$words" ]; then
    case "$command" in
{words}    esac
    [[ $current == -* || $command == '' || $command == traffic ]] || {{ compopt -o default 2>/dev/null; return; }}
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
    COMPREPLY=("${{COMPREPLY[@]#"${{current%"${{current##*:}}"}}"}}")
  fi
}}
complete -F _rehearse rehearse
)",
                     fmt::arg("deeper", deeper), fmt::arg("values", values), fmt::arg("valued", valued),
                     fmt::arg("words", words));
}

// Within single quotes of a shell.
std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// What zsh's _arguments takes for syntax.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_arguments(const CLI::App& app) {
  std::string out;
  for (const CLI::Option* option : named_options(app)) {
    for (const std::string& name : names_of(*option)) {
      std::string spec = fmt::format("*{}[{}]", name, zsh_text(option->get_description()));
      if (takes_value(*option)) {
        const auto values = values_of(*option);
        std::string list;
        for (const std::string& value : values) list += (list.empty() ? "" : " ") + zsh_text(value);
        spec += values.empty() ? ":value:_files" : fmt::format(":value:({})", list);
      }
      out += " \\\n        " + shell_quoted(spec);
    }
  }
  return out;
}

std::string zsh_script(const CLI::App& app) {
  std::string cases, described;
  for (const Command& command : commands_of(app)) {
    cases += fmt::format("    {})\n      _arguments{} \\\n        '*:file:_files' ;;\n", shell_quoted(command.name()),
                         zsh_arguments(*command.app));
    if (command.path.size() == 1)
      described +=
          fmt::format("    {}\n", shell_quoted(command.name() + ":" + zsh_text(command.app->get_description())));
  }
  std::string nested;
  for (const Command& command : commands_of(app)) {
    if (command.path.size() != 2) continue;
    nested += fmt::format("{}{}", nested.empty() ? "" : "|", shell_quoted(command.name()));
  }
  return fmt::format(R"(#compdef rehearse
# zsh completion of rehearse: rehearse completion zsh > a directory of $fpath, as _rehearse
_rehearse() {{
  local command=$words[2]
  local -a commands
  commands=(
{described}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  if (( CURRENT > 3 )); then
    case "$words[2] $words[3]" in
    {nested}) command="$words[2] $words[3]" ;;
    esac
  fi
  if [[ $command == traffic ]]; then
    compadd ls head cut merge
    return
  fi
  case $command in
{cases}  esac
}}
if [[ $funcstack[1] == _rehearse ]]; then _rehearse "$@"; else compdef _rehearse rehearse; fi
)",
                     fmt::arg("described", described), fmt::arg("nested", nested.empty() ? "''" : nested),
                     fmt::arg("cases", cases));
}

// Within single quotes of fish, which knows \' and \\ there.
std::string fish_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string fish_script(const CLI::App& app) {
  std::string out =
      "# fish completion of rehearse: rehearse completion fish > ~/.config/fish/completions/rehearse.fish\n"
      "complete -c rehearse -n __fish_use_subcommand -f\n";
  for (const Command& command : commands_of(app)) {
    const bool top = command.path.size() == 1;
    const std::string parent =
        top ? "__fish_use_subcommand" : fmt::format("'__fish_seen_subcommand_from {}'", command.path[0]);
    out += fmt::format("complete -c rehearse -n {} -f -a {} -d {}\n", parent, command.path.back(),
                       fish_quoted(command.app->get_description()));
    std::string seen;
    for (const std::string& word : command.path)
      seen += fmt::format("{}__fish_seen_subcommand_from {}", seen.empty() ? "" : "; and ", word);
    for (const CLI::Option* option : named_options(*command.app)) {
      out += fmt::format("complete -c rehearse -n {}", fish_quoted(seen));
      for (const std::string& name : option->get_snames()) out += " -s " + name;
      for (const std::string& name : option->get_lnames()) out += " -l " + name;
      if (takes_value(*option)) {
        const auto values = values_of(*option);
        out +=
            values.empty() ? " -r" : fmt::format(" -x -a {}", fish_quoted(fmt::format("{}", fmt::join(values, " "))));
      }
      out += fmt::format(" -d {}\n", fish_quoted(option->get_description()));
    }
  }
  return out;
}

}  // namespace

std::string manual_page(const CLI::App& app, std::string_view version) {
  std::string out = fmt::format(
      ".TH REHEARSE 1 \"\" \"rehearse {}\" \"User Commands\"\n.SH NAME\nrehearse \\- proves each stage of a service "
      "migration before anyone takes it\n.SH SYNOPSIS\n",
      version);
  const auto commands = commands_of(app);
  for (const Command& command : commands) {
    if (command.path.size() == 1) out += synopsis_of(command) + "\n.br\n";
  }
  out += ".SH DESCRIPTION\n" + roff(app.get_description()) + "\n";
  for (const CLI::Option* option : named_options(app)) out += option_entry(*option);
  out += ".SH COMMANDS\n";
  for (const Command& command : commands) out += command_entry(command);
  return out + std::string(closing);
}

std::string completion_script(const CLI::App& app, std::string_view shell) {
  if (shell == "bash") return bash_script(app);
  if (shell == "zsh") return zsh_script(app);
  if (shell == "fish") return fish_script(app);
  throw Error(fmt::format("{} has no completions here; give bash, zsh or fish", shell));
}

}  // namespace rehearse::harness
