"""The scripts of ci/templates/ run: their steps are taken out of the files and executed, on the reference system and on stored reports.

    templates_test.py BUILD

What only a CI server can do (actions, artefacts, Groovy) is looked at: paths that are kept must exist, YAML must be YAML.
"""
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
TEMPLATES = os.path.join(ROOT, "ci", "templates")
BUILD = None


def text_of(name):
    with open(os.path.join(TEMPLATES, name), encoding="utf-8") as file:
        return file.read()


class Template:
    """One template as its server reads it: the variables, the scripts in order, the files that it keeps."""

    def __init__(self, name, shell, variables, scripts, kept, unknowns):
        self.name, self.shell, self.variables, self.scripts, self.kept, self.unknowns = name, shell, variables, scripts, kept, unknowns


def github():
    read = yaml.safe_load(text_of("github.yml"))
    steps = read["jobs"]["rehearse"]["steps"]
    scripts = [step["run"] for step in steps if "run" in step and "apt-get" not in step["run"]]
    kept = next(step for step in steps if "upload-artifact" in step.get("uses", ""))["with"]["path"].split()
    # What the runner executes for `shell: bash`.
    return Template("github.yml", ["bash", "--noprofile", "--norc", "-eo", "pipefail"], read["env"], scripts, kept, {"fail": 2, "pass": 0})


def gitlab():
    job = yaml.safe_load(text_of("gitlab.yml"))["rehearse"]
    scripts = [line for line in [*job["before_script"], *job["script"]] if "apt-get" not in line]
    kept = [*job["artifacts"]["paths"], job["artifacts"]["reports"]["junit"]]
    return Template("gitlab.yml", ["sh", "-e"], job["variables"], ["\n".join(scripts)], kept, {"fail": 1, "warn": 2, "pass": 0})


def jenkins():
    text = text_of("Jenkinsfile")
    variables = dict(re.findall(r"^    (REHEARSE_\w+) = '([^']*)'", text, re.M))
    scripts = re.findall(r"sh '([^']+)'", text) + re.findall(r"script: '''(.*?)'''", text, re.S)
    kept = re.search(r"artifacts: '([^']+)'", text)[1].split(", ") + re.findall(r"testResults: '([^']+)'", text)
    return Template("Jenkinsfile", ["sh", "-xe"], variables, scripts, kept, {"fail": 1, "unstable": 2, "pass": 0})


class Templates(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory(prefix="rehearse-templates.")
        self.addCleanup(self._folder.cleanup)
        self.work = os.path.join(self._folder.name, "work")
        self.bin = os.path.join(self._folder.name, "bin")
        os.mkdir(self.bin)

    def put(self, name, text):
        path = os.path.join(self.bin, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)

    def stored(self, report):
        """A `rehearse` whose gate gives a stored report, rendered by the real one; everything else is the real one."""
        self.put("rehearse", f"""#!/bin/bash
if [ "$1" = gate ]; then
  [ "$2" = --config ] && [ "$4" = --out ] || exit 3
  [ "$3" != missing.yaml ] || exec {BUILD}/rehearse "$@"
  exec {BUILD}/rehearse report {ROOT}/reports/golden/{report}.json --out "$5" ${{6+"${{@:6}}"}}
fi
exec {BUILD}/rehearse "$@"
""")

    def run_scripts(self, template, below=(), **variables):
        """Runs the scripts one after the other until one fails, in a directory of their own. (status, what was said)"""
        if not os.path.isdir(self.work):
            os.mkdir(self.work)
        settings = {key: value for key, value in os.environ.items() if not key.startswith(("REHEARSE_", "GITHUB_"))}
        settings.update({key: str(value) for key, value in template.variables.items()})
        settings.update({"PATH": f"{self.bin}:{BUILD}:{os.environ['PATH']}", "REHEARSE_UP": "true", "CI": "true", **variables})
        said = ""
        for script in template.scripts:
            path = os.path.join(self._folder.name, "script")
            with open(path, "w", encoding="utf-8") as file:
                file.write(script)
            ran = subprocess.run([*below, *template.shell, path], cwd=self.work, env=settings, capture_output=True, text=True, check=False)
            said += ran.stdout + ran.stderr
            if ran.returncode != 0:
                return ran.returncode, said
        return 0, said

    def everywhere(self):
        for template in (github(), gitlab(), jenkins()):
            shutil.rmtree(self.work, ignore_errors=True)
            with self.subTest(template=template.name):
                yield template

    def test_a_clean_migration_passes_on_the_reference_system_and_all_that_is_kept_is_there(self):
        for template in self.everywhere():
            self.assertGreaterEqual(len(template.scripts), 1)
            os.mkdir(self.work)
            # The configuration names the capture beside itself.
            status, said = self.run_scripts(template, below=(f"{BUILD}/fixtures/orders-system", "--"), REHEARSE_CONFIG=f"{ROOT}/fixtures/orders/rehearse.yaml",
                                            REHEARSE_ARGUMENTS=f"--stage off --traffic {ROOT}/fixtures/captures/orders-small.pcap")
            self.assertEqual(status, 0, said)
            self.assertIn("rehearse: pass", said)
            for path in template.kept:
                self.assertTrue(os.path.getsize(os.path.join(self.work, path)) > 0, path)
            self.assertTrue(os.path.exists(os.path.join(self.work, "last/report.json")), "it is remembered for next time")

    def test_a_broken_one_fails_and_its_report_is_kept(self):
        self.stored("failing")
        for template in self.everywhere():
            status, said = self.run_scripts(template)
            self.assertEqual(status, 1, said)
            self.assertIn("do not cut over", said)
            for path in template.kept:
                self.assertTrue(os.path.exists(os.path.join(self.work, path)), path)
            self.assertFalse(os.path.exists(os.path.join(self.work, "last/report.json")), "what failed is nothing to compare with")

    def test_unknown_is_what_the_variable_says(self):
        self.stored("unknown")
        for template in self.everywhere():
            self.assertEqual(template.variables["REHEARSE_UNKNOWN"], "fail")
            for meaning, expected in template.unknowns.items():
                status, said = self.run_scripts(template, REHEARSE_UNKNOWN=meaning)
                self.assertEqual(status, expected, (meaning, said))
                self.assertIn("nothing proves it", said)

    def test_what_could_not_be_rehearsed_is_no_pass_whatever_unknown_means(self):
        self.stored("passing")
        for template in self.everywhere():
            for meaning in template.unknowns:
                status, said = self.run_scripts(template, REHEARSE_CONFIG="missing.yaml", REHEARSE_UNKNOWN=meaning)
                self.assertEqual(status, 3, said)
                self.assertIn("could not be rehearsed", said)

    def test_the_second_time_says_what_changed_since_the_first(self):
        for template in self.everywhere():
            self.stored("passing")
            self.assertEqual(self.run_scripts(template)[0], 0)
            self.stored("failing")
            self.assertEqual(self.run_scripts(template)[0], 1)
            with open(os.path.join(self.work, "rehearsal/report.html"), encoding="utf-8") as file:
                self.assertIn("Since the rehearsal of 2026-03-01T08:00:00Z", file.read())

    def test_github_gets_annotations_and_the_summary_of_the_step(self):
        self.stored("failing")
        summary = os.path.join(self._folder.name, "summary")
        status, said = self.run_scripts(github(), GITHUB_STEP_SUMMARY=summary)
        self.assertEqual(status, 1)
        self.assertRegex(said, r"(?m)^::error title=G1 in live → completed::")
        with open(summary, encoding="utf-8") as file:
            self.assertIn("FAIL: do not cut over", file.read())

    def test_the_summary_of_the_second_time_says_what_changed_and_an_unreadable_first_time_costs_only_that(self):
        summary = os.path.join(self._folder.name, "summary")
        self.stored("passing")
        self.assertEqual(self.run_scripts(github(), GITHUB_STEP_SUMMARY=summary)[0], 0)
        os.remove(summary)
        self.stored("failing")
        status, said = self.run_scripts(github(), GITHUB_STEP_SUMMARY=summary)
        self.assertEqual(status, 1, said)
        with open(summary, encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(text.count("FAIL: do not cut over"), 1)
        self.assertIn("### Since the rehearsal of 2026-03-01T08:00:00Z", text)
        os.remove(summary)
        with open(os.path.join(self.work, "last/report.json"), "w", encoding="utf-8") as file:
            file.write("{}")
        status, said = self.run_scripts(github(), GITHUB_STEP_SUMMARY=summary)
        self.assertEqual(status, 1, said)
        with open(summary, encoding="utf-8") as file:
            self.assertIn("FAIL: do not cut over", file.read())

    def test_services_that_do_not_come_up_stop_it(self):
        self.stored("passing")
        for template in self.everywhere():
            status, _ = self.run_scripts(template, REHEARSE_UP="false")
            self.assertNotEqual(status, 0)
            self.assertFalse(os.path.exists(os.path.join(self.work, "rehearsal")))

    def test_a_status_of_two_before_the_rehearsal_is_not_let_through_as_unknown(self):
        self.stored("passing")
        up = os.path.join(self.bin, "up-with-two")
        with open(up, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\nexit 2\n")
        os.chmod(up, 0o755)
        for unknown in ("fail", "warn", "pass"):
            status, _ = self.run_scripts(gitlab(), REHEARSE_UP="up-with-two", REHEARSE_UNKNOWN=unknown)
            self.assertEqual(status, 1)


if __name__ == "__main__":
    BUILD = os.path.realpath(sys.argv.pop(1))
    unittest.main()
