"""The overlap matrix: pairs of intervals on one calendar, and whether both can be booked.

Unit tests run it on the decision, functional tests on the handler, and end-to-end tests on the deployed API.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import pytest

from appointments.model import Interval

DAY = "2030-01-15"


class Overlap(NamedTuple):
    """An interval that is busy, another one that is wanted, and whether the second fits beside the first."""

    busy: tuple[str, str]
    wanted: tuple[str, str]
    fits: bool


def at(text: str) -> str:
    """`9:30` is a time in UTC on one day; a longer text is a whole time."""
    return f"{DAY}T{text:0>5}:00Z" if len(text) <= 5 else text


def interval_of(times: tuple[str, str]) -> Interval:
    start, end = map(datetime.fromisoformat, times)
    return Interval(start, end)


def _case(name: str, busy: tuple[str, str], wanted: tuple[str, str], *, fits: bool) -> object:
    return pytest.param(Overlap((at(busy[0]), at(busy[1])), (at(wanted[0]), at(wanted[1])), fits), id=name)


NIGHT = ("2030-01-15T22:00:00Z", "2030-01-16T02:00:00Z")
TWO_DAYS = ("2030-01-01T12:00:00Z", "2030-01-03T00:00:00Z")
OVERLAPS = [
    _case("begins-at-its-end", ("8:00", "9:00"), ("9:00", "12:00"), fits=True),
    _case("ends-at-its-start", ("9:00", "12:00"), ("8:00", "9:00"), fits=True),
    _case("identical", ("9:00", "10:00"), ("9:00", "10:00"), fits=False),
    _case("same-start-and-shorter", ("9:00", "10:00"), ("9:00", "9:30"), fits=False),
    _case("encloses", ("17:40", "17:50"), ("17:30", "18:00"), fits=False),
    _case("is-enclosed", ("17:30", "18:00"), ("17:40", "17:50"), fits=False),
    _case("over-its-start", ("9:30", "10:30"), ("9:15", "10:00"), fits=False),
    _case("over-its-end", ("9:30", "10:30"), ("10:00", "11:00"), fits=False),
    _case("over-midnight", NIGHT, ("2030-01-16T01:00:00Z", "2030-01-16T05:00:00Z"), fits=False),
    _case("first-of-two-days", TWO_DAYS, ("2030-01-01T12:00:00Z", "2030-01-01T13:00:00Z"), fits=False),
    _case("last-hour-of-two-days", TWO_DAYS, ("2030-01-02T23:00:00Z", "2030-01-03T01:00:00Z"), fits=False),
    _case("last-second-of-two-days", TWO_DAYS, ("2030-01-02T23:59:59Z", "2030-01-03T01:00:00Z"), fits=False),
    _case("day-after-two-days", TWO_DAYS, ("2030-01-03T00:00:00Z", "2030-01-03T01:00:00Z"), fits=True),
]
