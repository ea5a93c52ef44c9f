"""Everything that --help names stands in the manual page and is completed by bash, zsh and fish.

    manual_test.py REHEARSE
"""
import os
import re
import subprocess
import sys
import tempfile
import unittest

REHEARSE = None


def said(*arguments, **options):
    ran = subprocess.run(arguments, capture_output=True, text=True, check=False, **options)
    assert ran.returncode == 0, (arguments, ran.stdout, ran.stderr)
    return ran.stdout + ran.stderr


def helped(path):
    """(commands, options) that --help of a command names."""
    text = said(REHEARSE, *path, "--help")
    below = text.split("Subcommands:", 1)[1] if "Subcommands:" in text else ""
    options = re.findall(r"^  (?:-\w,)?(-{1,2}[a-z][\w-]*)", text.split("Subcommands:", 1)[0], re.M)
    return re.findall(r"^  ([a-z]+)\s", below, re.M), options


def all_commands(path=()):
    commands, options = helped(path)
    yield path, commands, options
    for command in commands:
        yield from all_commands((*path, command))


class Manual(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls._folder = tempfile.TemporaryDirectory(prefix="rehearse-manual.")
        cls.folder = cls._folder.name
        cls.commands = list(all_commands())
        cls.files = {}
        for shell in ("bash", "zsh", "fish"):
            cls.files[shell] = os.path.join(cls.folder, shell)
            with open(cls.files[shell], "w", encoding="utf-8") as file:
                file.write(said(REHEARSE, "completion", shell))

    @classmethod
    def tearDownClass(cls):
        cls._folder.cleanup()

    def test_help_was_understood(self):
        paths = [path for path, _, _ in self.commands]
        self.assertIn(("gate",), paths)
        self.assertIn(("traffic", "cut"), paths)
        self.assertGreater(sum(len(options) for _, _, options in self.commands), 120)
        self.assertIn("--against", dict((path, options) for path, _, options in self.commands)[("report",)])

    def test_the_manual_page_has_every_command_and_option_and_no_warning(self):
        page = os.path.join(self.folder, "rehearse.1")
        with open(page, "w", encoding="utf-8") as file:
            file.write(said(REHEARSE, "manual"))
        shown = said("man", "--warnings", "-E", "UTF-8", "-l", page, env={**os.environ, "MANWIDTH": "200", "MAN_KEEP_FORMATTING": "", "LC_ALL": "C.UTF-8"})
        self.assertNotIn("warning", shown)
        sections = re.split(r"^   rehearse ", shown.split("\nCOMMANDS\n")[1], flags=re.M)[1:]
        texts = {tuple(section.split("\n", 1)[0].split()): section for section in sections}
        for path, _, options in self.commands:
            if not path:
                continue
            for option in options:
                self.assertRegex(texts[path], rf"(^|\s){re.escape(option)}(,|\s|$)", path)
        for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"):
            self.assertRegex(shown, rf"(?m)^{heading}$")
        self.assertEqual(said(REHEARSE, "manual"), said(REHEARSE, "manual"))

    def bash(self, line):
        script = f"""source {self.files['bash']}
COMP_LINE={line!r}; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=($COMP_LINE); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _rehearse; printf '%s\\n' "${{COMPREPLY[@]}}" """
        return said("bash", "--norc", "-c", script).split()

    def test_bash_completes_every_command_and_option(self):
        for path, commands, options in self.commands:
            before = "rehearse " + "".join(word + " " for word in path)
            offered = self.bash(before + "-")
            self.assertLessEqual(set(options), set(offered), path)
            if commands:
                self.assertLessEqual(set(commands), set(self.bash(before)), path)

    def test_bash_completes_values(self):
        self.assertEqual(self.bash("rehearse gate --stage re"), ["read-only"])
        self.assertEqual(self.bash("rehearse gate --stage shadow --edge live:c"), ["completed"], "behind the colon, where readline is")
        self.assertEqual(self.bash("rehearse play x.pcap --causes co"), ["connections"])
        self.assertEqual(self.bash("rehearse completion f"), [], "files are the shell's")

    def test_fish_completes_every_command_and_option(self):
        def fish(line):
            # Descriptions stand behind a tab.
            out = said("fish", "--no-config", "-c", f"source {self.files['fish']}; complete -C {line!r}")
            return [each.split("\t")[0] for each in out.splitlines()]

        for path, commands, options in self.commands:
            if not path:
                self.assertLessEqual(set(commands), set(fish("rehearse ")))
                continue
            before = "rehearse " + " ".join(path)
            offered = set(fish(before + " --")) | set(fish(before + " -"))
            self.assertLessEqual(set(options) - {"-h", "--help"}, offered, path)
        self.assertEqual(fish("rehearse gate --stage re"), ["read-only"])

    def test_zsh_takes_the_completions_and_they_name_every_option(self):
        said("zsh", "-n", self.files["zsh"])
        shown = said("zsh", "-fc", f"autoload -Uz compinit; compinit -D -u; source {self.files['zsh']}; print $_comps[rehearse]")
        self.assertEqual(shown.strip(), "_rehearse")
        with open(self.files["zsh"], encoding="utf-8") as file:
            text = file.read()
        for path, _, options in self.commands:
            if not path:
                continue
            part = text.split(f"    '{' '.join(path)}')\n", 1)[1].split(";;", 1)[0]
            for option in options:
                self.assertIn(f"'*{option}[", part, path)


if __name__ == "__main__":
    REHEARSE = os.path.realpath(sys.argv.pop(1))
    unittest.main()
