"""Where an appointment that was refused would fit instead. No I/O."""

from __future__ import annotations

from datetime import UTC, datetime, time
from functools import reduce
from itertools import islice
from typing import TYPE_CHECKING

from appointments.calendars import intersect
from appointments.model import QUARTER_HOUR, Interval

if TYPE_CHECKING:
    from collections.abc import Collection

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
    midnight = datetime.combine(window.start.date(), time(), UTC)
    soonest = midnight - (midnight - soonest) // QUARTER_HOUR * QUARTER_HOUR
    within = Interval(max(window.start, soonest), window.end)
    if within.start >= within.end:
        return []
    found: list[Interval] = []
    for gap in reduce(intersect, (calendar.free(within, now) for calendar in calendars)):
        latest = gap.end - length
        if latest < gap.start:
            continue
        # The nearest fit in this gap, then its neighbours away from what was wanted, as far as needed.
        nearest = min(max(wanted.start, gap.start), latest)
        earlier, later = (nearest - gap.start) // length, (latest - nearest) // length
        for step in range(-min(earlier, MOST), min(later, MOST) + 1):
            start = nearest + step * length
            found.append(Interval(start, start + length))
    ordered = nearest_first(wanted, found)
    return list(islice((i for i in ordered if all(calendar.fits(i, now) for calendar in calendars)), MOST))


def nearest_first(wanted: Interval, found: Collection[Interval]) -> list[Interval]:
    """Each once: those that begin nearest to what was wanted first, the earlier one where two are equally near."""
    return sorted(set(found), key=lambda interval: (abs(interval.start - wanted.start), interval.start))
