// The command line as a manual page and as completions for shells: made of the options themselves, so that neither can be behind.
#pragma once

#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace rehearse::harness {

// A page for man(1), section 1, in the macros of man(7). The same program gives the same page.
[[nodiscard]] std::string manual_page(const CLI::App& app, std::string_view version);

// A completion script for "bash", "zsh" or "fish". Throws Error for any other shell.
[[nodiscard]] std::string completion_script(const CLI::App& app, std::string_view shell);

}  // namespace rehearse::harness
