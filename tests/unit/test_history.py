"""The checker of histories itself: it must not say yes to everything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from appointments.model import Interval
from history import Operation, is_serial

NOON = datetime(2030, 1, 15, 12, tzinfo=UTC)


def hours(start: int, end: int) -> Interval:
    return Interval(NOON + timedelta(hours=start), NOON + timedelta(hours=end))


@pytest.mark.parametrize(
    ("history", "explained"),
    [
        ([], True),
        ([Operation(0, 1, "a", hours(0, 1), True), Operation(2, 3, "b", hours(0, 1), False)], True),
        ([Operation(0, 1, "a", hours(0, 1), True), Operation(2, 3, "b", hours(0, 1), True)], False),
        ([Operation(0, 1, "a", hours(0, 1), False)], False),  # refused on an empty calendar
        ([Operation(2, 3, "a", hours(0, 1), True), Operation(0, 1, "b", hours(0, 1), False)], False),  # too early
        ([Operation(0, 3, "a", hours(0, 1), True), Operation(0, 1, "b", hours(0, 1), False)], True),  # at once
        (
            [
                Operation(0, 1, "a", hours(0, 1), True),
                Operation(2, 3, "a", None, True),
                Operation(4, 5, "b", hours(0, 1), True),
            ],
            True,
        ),
        (
            [
                Operation(0, 1, "a", hours(0, 1), True),
                Operation(2, 3, "a", hours(1, 2), True),  # moved
                Operation(4, 5, "b", hours(1, 2), True),
            ],
            False,
        ),
    ],
)
def test_histories(history: list[Operation], explained: bool) -> None:
    assert is_serial(history) == explained
