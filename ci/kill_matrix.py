#!/usr/bin/python3
"""The kill matrix of generated plans, as Markdown: each seeded bug against each way to look for it.

By default each bug is looked for once, with all that plans can hold, as who runs `rehearse fuzz` does. With --each-way one way has more
in it than the one before: sequences as they were captured, odd data, flips, faults, lanes, gates; a bug is looked for from the weakest
way on until one finds it within the time; `+` stands where it was found, `-` where it was not, and nothing where a weaker way had
found it already. Ends with 1 when fewer than 95 of 100 bugs are found, or the right invariant is named for fewer than 90.
"""
import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys

WAYS = [
    ("sequences", ["--no-flips", "--no-faults", "--no-odd-values", "--lanes", "1"]),
    ("+ data", ["--no-flips", "--no-faults", "--lanes", "1"]),
    ("+ flips", ["--no-faults", "--lanes", "1"]),
    ("+ faults", ["--lanes", "1"]),
    ("+ lanes", []),
    ("+ gates", ["wires"]),
]
ALL = [("all", ["wires"])]


def seeded_bugs(binary):
    """Bug -> the invariants of which one must be named, and what its system needs besides."""
    done = subprocess.run([f"{binary}/fixtures/orders-new", "--list-bugs=tsv"], capture_output=True, text=True, check=True)
    table = {}
    for line in done.stdout.splitlines():
        columns = line.split("\t")
        if len(columns) >= 3 and columns[0].startswith("B"):
            table[columns[0]] = (set(columns[2].replace(",", " ").split()), columns[3])
    return table


def witness_length(bug):
    try:
        with open(f"fixtures/orders/witnesses/{bug}.json", encoding="utf-8") as file:
            return sum(1 for step in json.load(file)["steps"] if not step.get("cue", "").startswith("world"))
    except OSError:
        return None


def look(arguments, bug, needs, flags, directory):
    system = ["--wires"] if "wires" in flags else []
    flags = [flag for flag in flags if flag != "wires"]
    if needs == "instances":
        system += ["--instances", "2"]
    environment = dict(os.environ, REHEARSE_BUILD=os.path.abspath(arguments.binary))
    command = [os.path.join(os.path.dirname(__file__), "systems"), str(arguments.systems), "--small", "--oracle", *system, "--bug", bug, "--",
               f"{arguments.binary}/rehearse", "fuzz", "--config", arguments.config, "-o", directory, "--json",
               "--seed", str(arguments.seed), "--seconds", str(arguments.seconds), "--shrink-seconds", str(arguments.shrink_seconds), *flags]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment,
                              timeout=arguments.seconds + 300)
    except subprocess.TimeoutExpired:
        print(f"{bug}: it did not end in time", file=sys.stderr)
        return None
    try:
        document = json.loads(done.stdout)
    except ValueError:
        print(f"{bug}: {done.stderr.strip()}", file=sys.stderr)
        return None
    return document["failures"][0] if document["failures"] else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--config", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shrink-seconds", type=int, default=30)
    parser.add_argument("--systems", type=int, default=1, help="so many reference systems are played in at the same time")
    parser.add_argument("--each-way", action="store_true")
    parser.add_argument("bugs", nargs="*")
    arguments = parser.parse_args()
    bugs = seeded_bugs(arguments.binary)
    arguments.bugs = arguments.bugs or list(bugs)
    unknown = [bug for bug in arguments.bugs if bug not in bugs]
    if unknown:
        parser.error(f"{', '.join(unknown)}: no such bug; orders-new --list-bugs prints them")
    ways = WAYS if arguments.each_way else ALL
    print("| bug | " + " | ".join(name for name, _ in ways) + " | plans | seconds | invariants | right one named | steps | witness | reproduced |")
    print("|" + "---|" * (len(ways) + 8))
    found, right, ratios, seconds = 0, 0, [], []
    for bug in arguments.bugs:
        cells, failure = [], None
        for name, flags in ways:
            if failure:
                cells.append("")
                continue
            failure = look(arguments, bug, bugs[bug][1], flags, os.path.join(arguments.out, f"{bug}-{len(cells)}"))
            cells.append("+" if failure else "-")
        if not failure:
            print(f"| {bug} | " + " | ".join(cells) + " | | | not found | | | | |", flush=True)
            continue
        found += 1
        seconds.append(failure["seconds"])
        named = bool(bugs[bug][0] & set(failure["invariants"]))
        right += named
        witness = witness_length(bug)
        if witness:
            ratios.append(failure["steps"] / witness)
        print(f"| {bug} | " + " | ".join(cells) + f" | {failure['plan']} | {failure['seconds']:.1f} | "
              f"{' '.join(failure['invariants'])} | {'yes' if named else '**no**'} | {failure['steps']} | {witness or ''} | "
              f"{failure['failed']} of {failure['played']} |", flush=True)
    print(f"\n{found} of {len(arguments.bugs)} found within {arguments.seconds} s a way in {arguments.systems} system{'' if arguments.systems == 1 else 's'} at a time; the right invariant named for {right}", end="")
    print(f"; seconds until found, median {statistics.median(seconds):.1f}" if seconds else "", end="")
    print(f"; steps beside the witness, median {statistics.median(ratios):.2f}" if ratios else "", end="")
    print(f". {datetime.date.today()}, {os.cpu_count()} processors, {platform.processor() or platform.machine()}.")
    return 0 if found >= 0.95 * len(arguments.bugs) and right >= 0.9 * len(arguments.bugs) else 1


if __name__ == "__main__":
    sys.exit(main())
