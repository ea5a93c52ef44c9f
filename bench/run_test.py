"""bench/run takes the rows of ours and of peers out of what the suites print, and leaves nothing out without saying so."""
import os
import subprocess
import tempfile
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))

PLAY = """2 x Xeon, 2026-11-23, load 0.5, 2 runs in turns
absent: wrk2

### As fast as 64 connections go

| | CPU s a million requests, median (least to most) | times wrk's | requests a second |
|---|---|---|---|
| rehearse, answers kept | 6.10 (6.00 to 6.20) | 1.3 | 90,000 |
| wrk | 4.70 (4.60 to 4.80) | 1 | 100,000 |

### At a rate: what it costs, and how far from their times requests came to the server

| requests a second | | came, of those due | CPU s a million requests | send error, median, µs | p99, µs |
|---|---|---|---|---|---|
| 500 | rehearse | 100 % | 55.0 (1 to 2) | 20.0 (19.0 to 21.0) | 90 |
| 500 | hey -q | 99 % | 110.0 (1 to 2) | 1,200.5 (1 to 2) | 900 |
| 5,000 | rehearse | 100 % | 50.0 (1 to 2) | 21.0 (19.0 to 21.0) | 90 |
"""

ANSWERS = """### 20,000 pairs of 2 kB

| | pairs that differ | CPU s a 100,000 pairs, median (least to most) | times ours |
|---|---|---|---|
| rehearse, a pair at a time | 1 of 1 | 0.500 (0.4 to 0.6) | 1.0 |
| jq -S and diff |  | 31.000 (30 to 32) | 62.0 |
| rehearse, a pair at a time | 1 of 1 | 0.250 (0.4 to 0.6) | 1.0 |
| jq -S and diff |  | 30.000 (30 to 32) | 120.0 |
"""

DATABASES = """2 x Xeon, 2026-11-23, load 0.5, 1 runs in turns, medians
absent: reladiff

### equal tables

| table | rows a side | differences | server CPU s a side | times count(*) |
|---|---|---|---|---|
| wide | 500,000 | 0 | 0.44 | 13.0 |

### beside count(*), equal tables

| table | | server CPU s a side |
|---|---|---|
| wide | rehearse compare | 0.440 |
| wide | count(*) | 0.034 |
"""


def gather(**suites):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in suites.items():
            with open(os.path.join(folder, name + ".md"), "w", encoding="utf-8") as kept:
                kept.write(text)
        ran = subprocess.run([os.path.join(HERE, "run"), "--gather", folder], capture_output=True, text=True, check=False)
        return ran.returncode, ran.stdout


class Gathering(unittest.TestCase):
    def test_each_of_ours_stands_beside_each_peer_of_its_table(self):
        status, text = gather(play=PLAY, answers=ANSWERS)
        self.assertEqual(status, 0)
        for row in ("| play | As fast as 64 connections go | CPU s a million requests | rehearse, answers kept | 6.1 | wrk | 4.7 | 0.77 |",
                    "| rehearse | 20 | hey -q | 1200.5 | 60.02 |",
                    "| answers | 20,000 pairs of 2 kB | CPU s a 100,000 pairs | rehearse, a pair at a time | 0.5 | jq -S and diff | 31 | 62.00 |",
                    "| rehearse, a pair at a time | 0.25 | jq -S and diff | 30 | 120.00 |"):
            self.assertIn(row, text)
        self.assertNotIn("5,000", text, "a rate without a peer")
        self.assertIn("absent, play: wrk2", text)

    def test_databases_stand_beside_a_count_whatever_peer_is_absent(self):
        status, text = gather(databases=DATABASES)
        self.assertEqual(status, 0)
        self.assertIn("| databases | beside count(*), equal tables, wide | server CPU s a side | rehearse compare | 0.44 | count(*) | 0.034 | 0.08 |", text)
        self.assertIn("absent, databases: reladiff", text)

    def test_without_a_row_it_fails(self):
        self.assertEqual(gather(play="nothing")[0], 1)
        self.assertEqual(gather()[0], 1)


if __name__ == "__main__":
    unittest.main()
