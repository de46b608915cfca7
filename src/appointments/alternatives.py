"""Where an appointment that was refused would fit instead. No I/O."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from appointments.calendars import intersect
from appointments.model import QUARTER_HOUR, Interval

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from appointments.calendars import Calendar

MOST = 3


def find_alternatives(
    wanted: Interval, calendars: Collection[Calendar], window: Interval, now: datetime
) -> list[Interval]:
    """Up to three intervals as long as `wanted` that fit on all calendars, the nearest first.

    They lie within `window`, which must be covered by the days that were read of each calendar, do not begin
    before `now`, and do not overlap one another.
    """
    length = wanted.end - wanted.start
    # Nobody wants to start at 09:07:31: what begins from now on, or as soon as notice allows, begins on a quarter hour.
    soonest = max([now, *(calendar.bookable(now)[0] for calendar in calendars)])
    soonest = window.start - (window.start - soonest) // QUARTER_HOUR * QUARTER_HOUR
    within = Interval(max(window.start, soonest), window.end)
    if within.start >= within.end:
        return []
    found: list[Interval] = []
    for gap in reduce(intersect, (calendar.free(within, now) for calendar in calendars)):
        # The nearest fit in this gap, then its neighbours away from what was wanted, as far as needed.
        nearest = min(max(wanted.start, gap.start), gap.end - length)
        for step in range(-MOST, MOST + 1):
            start = nearest + step * length
            if gap.start <= start <= gap.end - length:
                found.append(Interval(start, start + length))
    return nearest_first(wanted, [i for i in found if all(calendar.fits(i, now) for calendar in calendars)])


def nearest_first(wanted: Interval, found: Collection[Interval]) -> list[Interval]:
    """The three that begin nearest to what was wanted, the earlier one first where two are equally near."""
    return sorted(set(found), key=lambda interval: (abs(interval.start - wanted.start), interval.start))[:MOST]
