"""The most expensive requests: bounded work, a bounded answer, and never a 500.

Work is counted and not timed: how many functions are called, Python's own and those of C, from the event to the answer.
`make bench ARGS=worst` says how long it takes: 2 seconds of CPU are some 15 million calls.
"""

from __future__ import annotations

import cProfile
import json
from typing import TYPE_CHECKING, Any

import pytest

import contract
from appointments import calendars
from appointments import intervals as intervals_of
from appointments.storage.calendar_days import MAX_ENTRIES_READ
from conflict_detector.availability import search
from worst import WORST, Worst, worst_api

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_CALLS = 8_000_000
MOST_BYTES = 1_000_000


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting calls makes them many times slower; what counts here is their number."""
    monkeypatch.setattr("conflict_detector.settling.DECIDE_WITHIN", 600.0)


def counted(work: Callable[[], Any]) -> tuple[Any, int]:
    """What a piece of work answers, and how many functions it calls."""
    profile = cProfile.Profile()
    answer = profile.runcall(work)
    return answer, sum(entry.callcount for entry in profile.getstats())


@pytest.mark.parametrize("worst", WORST.values(), ids=list(WORST))
def test_the_worst_of_each_kind_is_bounded(worst: Worst) -> None:
    tables, event = worst.tables(), worst.event()
    api = worst_api(tables)
    response, calls = counted(lambda: api.handle(event))
    assert response["statusCode"] == worst.status, response["body"][:500]
    contract.check(worst.method, worst.path, response)
    assert calls < MOST_CALLS
    free = worst.path == "/availability" and worst.status == 200
    assert len(response["body"].encode()) < (search.MAX_ANSWER_BYTES if free else MOST_BYTES)
    # What is read first may be in vain; whatever is read beyond the bound is what one page or batch held more.
    assert tables.handed_out <= 4 * MAX_ENTRIES_READ + search.MAX_ENTRIES


def test_a_nearest_time_is_worked_out_once_for_each_calendar(monkeypatch: pytest.MonkeyPatch) -> None:
    worked_out: list[str] = []
    nearest = calendars.Calendar._nearest

    def counting(self: calendars.Calendar, *more: Any) -> Any:
        worked_out.append(self.calendar_id)
        return nearest(self, *more)

    monkeypatch.setattr(calendars.Calendar, "_nearest", counting)
    worst = WORST["41 calendars, none of which opens for long enough"]
    assert worst_api(worst.tables()).handle(worst.event())["statusCode"] == 422
    assert len(worked_out) == len(set(worked_out)) == 41


def test_a_calendar_is_put_together_once_for_each_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many variants of the booking share it."""
    intervals = 0
    full = intervals_of.full_intervals

    def counting(entries: Any, capacity: int = 1) -> Any:
        nonlocal intervals
        entries = list(entries)
        intervals += len(entries)
        return full(entries, capacity)

    monkeypatch.setattr(calendars, "full_intervals", counting)
    worst = WORST["41 calendars of 600 appointments a day"]
    tables = worst.tables()
    assert worst_api(tables).handle(worst.event())["statusCode"] == 409
    # For the decision, for alternatives on the same days, and for those on the days around them.
    assert 2 * 24_600 <= intervals <= 2 * 24_600 + tables.handed_out


def test_faults_and_conflicts_beyond_the_bound_are_counted() -> None:
    worst = WORST["4,096 unknown fields"]
    body = json.loads(worst_api(worst.tables()).handle(worst.event())["body"])
    assert (len(body["errors"]), body["errorsOmitted"]) == (50, 4096 + 3 - 50)  # three fields are missing as well
    worst = WORST["3 calendars for a month"]
    body = json.loads(worst_api(worst.tables()).handle(worst.event())["body"])
    # 30 days and an hour of each calendar; in an hour lie 20 or 21 appointments of 500 a day.
    assert len(body["conflicts"]) == 100
    assert 3 * 15_020 <= body["conflictsOmitted"] + 100 <= 3 * 15_022
    few = json.loads(worst_api(worst.tables()).handle(WORST["41 calendars of 600 appointments a day"].event())["body"])
    assert "errorsOmitted" not in few


def test_availability_stops_reading_at_the_bound() -> None:
    worst = WORST["availability of 20 full calendars"]
    tables = worst.tables()
    body = json.loads(worst_api(tables).handle(worst.event())["body"])
    assert body["errors"] == [
        {
            "field": "",
            "message": "is about days with more than 150000 appointments; ask for fewer days or fewer calendars",
        }
    ]
    assert search.MAX_ENTRIES < tables.handed_out < search.MAX_ENTRIES + 20_000
