"""Explore scenarios by name, or replay one run: `python -m exploration NAME [SCHEDULE]`."""

from __future__ import annotations

import sys

from exploration.examine import Examination
from exploration.scenarios import SCENARIOS
from exploration.wiring import determinism


def main() -> int:
    name, *schedule = sys.argv[1:]
    failed = False
    for scenario in SCENARIOS:
        if (schedule and scenario.name != name) or name not in scenario.name:
            continue
        with determinism() as made:
            examination = Examination(scenario, made)
            if schedule:
                failed |= examination.replay(schedule[0].split()) is not None
                continue
            report = examination.examine()
            print(report)
            if report.failure:
                print(report.failure)
                failed = True
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
