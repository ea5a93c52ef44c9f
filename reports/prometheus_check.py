#!/usr/bin/python3
"""Exit 0 when a file is Prometheus text as the parser of Prometheus' own client library reads it, and no series stands twice.

    prometheus_check.py FILE
"""
import sys

from prometheus_client.parser import text_string_to_metric_families


def main(path):
    with open(path, encoding="utf-8", newline="") as file:
        text = file.read()
    seen = set()
    for family in text_string_to_metric_families(text):
        if not family.documentation or family.type != "gauge":
            sys.exit(f"{family.name} has no HELP or no TYPE")
        for sample in family.samples:
            series = (sample.name, tuple(sorted(sample.labels.items())))
            if series in seen:
                sys.exit(f"{series} stands twice")
            seen.add(series)
    if not seen:
        sys.exit("no series")


try:
    main(sys.argv[1])
except ValueError as problem:
    sys.exit(str(problem))
