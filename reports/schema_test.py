"""Real reports are valid under reports/report.schema.json, and the schema can tell a report from what is none.

The goldens are what to_json wrote: reports_test fails when they are not.
"""
import copy
import glob
import json
import os
import unittest

import jsonschema

HERE = os.path.dirname(os.path.realpath(__file__))


def load(path):
    with open(path, encoding="utf-8") as opened:
        return json.load(opened)


class Schema(unittest.TestCase):
    def setUp(self):
        self.schema = load(os.path.join(HERE, "report.schema.json"))
        self.validator = jsonschema.Draft202012Validator(self.schema)
        self.reports = [load(path) for path in sorted(glob.glob(os.path.join(HERE, "golden", "*.json")))]

    def test_the_schema_is_a_schema(self):
        jsonschema.Draft202012Validator.check_schema(self.schema)

    def test_real_reports_are_valid(self):
        self.assertGreaterEqual(len(self.reports), 2)
        for report in self.reports:
            self.validator.validate(report)

    def test_a_missing_or_unknown_member_is_noticed_at_every_level(self):
        report = next(r for r in self.reports if r["verdict"] == "fail")
        broken = next(i for i, result in enumerate(report["results"]) if result["findings"])
        for path in ((), ("sections", 0), ("results", broken), ("results", broken, "findings", 0), ("volatiles", 0),
                     ("differences", 0), ("differences", 0, "first"), ("differences", 0, "first", "bodies", 0), ("rules", 0),
                     ("conservation", 0), ("latencies", 0), ("latencies", 0, "spectrum", 0), ("budgets", 0),
                     ("budgets", 0, "blocks", 0), ("environment",)):
            for change in (lambda o: o.update(surprise=1), lambda o: o.pop(sorted(o)[0])):
                changed = copy.deepcopy(report)
                place = changed
                for step in path:
                    place = place[step]
                change(place)
                self.assertFalse(self.validator.is_valid(changed), path)

    def test_values_outside_their_range_are_noticed(self):
        for change in ({"schema_version": 1}, {"verdict": "fine"}, {"seed": -1}, {"seconds": "long"}):
            self.assertFalse(self.validator.is_valid({**self.reports[0], **change}), change)


if __name__ == "__main__":
    unittest.main()
