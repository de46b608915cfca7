"""Alternatives against a brute-force search."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from appointments.alternatives import Wanted, find_alternatives
from appointments.calendars import Calendar, CalendarSettings
from appointments.model import Interval, Taken

MIDNIGHT = datetime(2030, 1, 15, tzinfo=UTC)


def minutes(start: int, end: int) -> Interval:
    return Interval(MIDNIGHT + timedelta(minutes=start), MIDNIGHT + timedelta(minutes=end))


spans = st.tuples(st.integers(0, 95), st.integers(1, 12)).map(lambda t: minutes(t[0] * 15, (t[0] + t[1]) * 15))
calendars = st.lists(st.lists(spans, max_size=5), min_size=1, max_size=3)


WHOLE_DAY = minutes(0, 24 * 60)


def calendar(number: int, busy: list[Interval]) -> Calendar:
    return Calendar(f"c{number}", CalendarSettings(), tuple(map(Taken, busy)))


@given(calendars, spans, st.integers(0, 95))
def test_alternatives_are_free_in_time_distinct_and_as_near_as_can_be(
    calendars: list[list[Interval]], wanted: Interval, now: int
) -> None:
    earliest = MIDNIGHT + timedelta(minutes=now * 15)
    length = wanted.end - wanted.start
    found = find_alternatives(
        Wanted(wanted), [calendar(n, busy) for n, busy in enumerate(calendars)], WHOLE_DAY, earliest
    )
    end_of_day = MIDNIGHT + timedelta(days=1)

    def is_free(interval: Interval) -> bool:
        inside = earliest <= interval.start and interval.end <= end_of_day
        return inside and not any(interval.overlaps(busy) for busies in calendars for busy in busies)

    starts = [MIDNIGHT + timedelta(minutes=15 * n) for n in range(96)]
    distances = sorted(abs(start - wanted.start) for start in starts if is_free(Interval(start, start + length)))
    assert all(is_free(interval) and interval.end - interval.start == length for interval in found)
    assert not any(a.overlaps(b) for a in found for b in found if a != b)
    assert len(found) <= 3
    assert bool(found) == bool(distances)
    if found:
        assert [abs(interval.start - wanted.start) for interval in found] == sorted(
            abs(interval.start - wanted.start) for interval in found
        )
        assert abs(found[0].start - wanted.start) == distances[0]


def test_now_is_rounded_up_to_a_quarter_hour() -> None:
    (first, *_) = find_alternatives(
        Wanted(minutes(0, 30)), [calendar(0, [minutes(0, 60)])], WHOLE_DAY, MIDNIGHT + timedelta(minutes=67, seconds=31)
    )
    assert first == minutes(75, 105)
