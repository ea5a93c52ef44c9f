"""Progress of a real rehearsal on a pseudo terminal, and as plain lines where it is none.

    progress_terminal_test.py BUILD
"""
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
BUILD = None


def rehearse(*arguments, environment=None, columns=100):
    """What a rehearsal of the small capture prints to a terminal of that width as standard error."""
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    with tempfile.TemporaryDirectory(prefix="rehearse-progress.") as out:
        settings = {key: value for key, value in os.environ.items() if key not in ("CI", "NO_COLOR")}
        settings.update({"TERM": "xterm", **(environment or {})})
        process = subprocess.Popen(
            [f"{BUILD}/fixtures/orders-system", "--", f"{BUILD}/rehearse", "gate", "--config", "fixtures/orders/rehearse.yaml", "--traffic",
             "fixtures/captures/orders-small.pcap", "-o", out, *arguments], cwd=ROOT, env=settings, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=inner)
        os.close(inner)
        said = b""
        while True:
            try:
                chunk = os.read(outer, 65536)
            except OSError:  # the other end was closed by all
                break
            if not chunk:
                break
            said += chunk
        os.close(outer)
        return process.wait(), said.decode()


class Progress(unittest.TestCase):
    def test_a_terminal_shows_section_exchanges_rate_findings_and_time_left_in_one_line(self):
        _, said = rehearse("--stage", "shadow", columns=90)
        drawn = [line for line in said.split("\r\x1b[K") if line]
        self.assertNotIn("\n", "".join(drawn), "one line, drawn anew")
        self.assertTrue(all(len(line) < 90 for line in drawn))
        self.assertTrue(any(re.match(r"\d of 6  shadow  [\d,]+ of \d+ exchanges  [\d,]+/s  0 findings  about .* left$", line) for line in drawn), drawn)
        self.assertTrue(said.endswith("\r\x1b[K"), "and it is gone at the end")

    def test_a_terminal_of_a_build_gets_a_line_for_each_section(self):
        _, said = rehearse("--stage", "shadow", environment={"CI": "true"})
        lines = said.replace("\r\n", "\n").splitlines()
        self.assertEqual(len(lines), 6, said)
        self.assertNotIn("\x1b", said)
        self.assertRegex(lines[1], r"^rehearse: 2 of 6, shadow: [\d,]+ exchanges in .* s, 0 findings so far, about .* left$")

    def test_what_is_expected_of_a_whole_rehearsal_is_what_comes(self):
        status, said = rehearse(environment={"NO_COLOR": "1"})
        self.assertIn(status, (0, 2))
        numbers = [tuple(map(int, match)) for match in re.findall(r"^rehearse: (\d+) of (\d+), ", said.replace("\r\n", "\n"), re.M)]
        self.assertEqual([number for number, _ in numbers], list(range(1, len(numbers) + 1)))
        self.assertEqual({all_ for _, all_ in numbers}, {len(numbers)})


if __name__ == "__main__":
    BUILD = os.path.realpath(sys.argv.pop(1))
    unittest.main()
