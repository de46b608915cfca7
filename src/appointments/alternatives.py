"""Where an appointment that was refused would fit instead. No I/O."""

from __future__ import annotations

from datetime import UTC, datetime, time
from itertools import chain
from typing import TYPE_CHECKING

from appointments.model import DAY, QUARTER_HOUR, CalendarDay, Interval, busy_by_calendar, full_intervals

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MOST = 3


def find_alternatives(
    wanted: Interval, days: Collection[CalendarDay], earliest: datetime, *, ignore: str | None = None
) -> list[Interval]:
    """Up to three intervals as long as `wanted`, free on all calendars of `days`, the nearest first.

    They lie on the days given, which must be the same row of days for every calendar, start at `earliest` at
    the soonest, and do not overlap one another. `ignore` is the id of an appointment that does not count.
    """
    length = wanted.end - wanted.start
    found: list[Interval] = []
    for gap in _gaps(days, _window(days, earliest), ignore):
        # The nearest fit in this gap, then its neighbours away from what was wanted, as far as needed.
        nearest = min(max(wanted.start, gap.start), gap.end - length)
        if nearest < gap.start:
            continue
        for step in range(-MOST, MOST + 1):
            start = nearest + step * length
            if gap.start <= start <= gap.end - length:
                found.append(Interval(start, start + length))
    found.sort(key=lambda interval: (abs(interval.start - wanted.start), interval.start))
    return found[:MOST]


def _window(days: Collection[CalendarDay], earliest: datetime) -> Interval:
    first, last = (pick(day.key.day for day in days) for pick in (min, max))
    start = datetime.combine(first, time(), UTC)
    # Nobody wants to start at 09:07:31: what begins from now on begins on a quarter hour.
    soonest = start - (start - earliest) // QUARTER_HOUR * QUARTER_HOUR
    return Interval(max(start, soonest), datetime.combine(last, time(), UTC) + DAY)


def _gaps(days: Collection[CalendarDay], window: Interval, ignore: str | None) -> Iterator[Interval]:
    """What no calendar's full intervals cover, within the window."""
    full = chain.from_iterable(full_intervals(busy) for busy in busy_by_calendar(days, ignore).values())
    free_from = window.start
    for interval in sorted(full):
        if interval.start > free_from:
            yield Interval(free_from, min(interval.start, window.end))
        free_from = max(free_from, interval.end)
    if free_from < window.end:
        yield Interval(free_from, window.end)
