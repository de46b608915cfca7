"""Where an appointment that was refused would fit instead. No I/O."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, time
from functools import reduce
from itertools import islice
from typing import TYPE_CHECKING

from appointments.intervals import intersect, start_of
from appointments.model import QUARTER_HOUR, Interval

if TYPE_CHECKING:
    from collections.abc import Collection

    from appointments.calendars import Calendar

MOST = 3


def find_alternatives(
    wanted: Interval,
    calendars: Collection[Calendar],
    window: Interval,
    now: datetime,
    any_of: Collection[Calendar] = (),
) -> list[Interval]:
    """Up to three intervals as long as `wanted` that fit on all `calendars`, the nearest first.

    Where `any_of` is given, they fit on one of those as well. They lie within `window`, which must be covered by the
    days that were read of each calendar, do not begin before `now`, and do not overlap one another unless they are for
    different ones of `any_of`.
    """
    within = _bookable(wanted, calendars, window, now)
    if within is None:
        return []
    common = reduce(intersect, (calendar.free(within, now) for calendar in calendars))
    if not any_of:
        return _nearest(wanted, common)
    found: list[Interval] = []
    for calendar in any_of:
        part = _bookable(wanted, [calendar], within, now)
        if part:
            found += _nearest(wanted, intersect(common, calendar.free(part, now)))
    return nearest_first(wanted, found)[:MOST]


def _bookable(wanted: Interval, calendars: Collection[Calendar], window: Interval, now: datetime) -> Interval | None:
    """The part of `window` in which notice, horizon and length allow an appointment as long as `wanted`, if any."""
    length = wanted.end - wanted.start
    if not all(calendar.allows_length(length) for calendar in calendars):
        return None
    limits = [calendar.bookable(now) for calendar in calendars]
    # Nobody wants to start at 09:07:31: what begins from now on, or as soon as notice allows, begins on a quarter hour.
    soonest = max([now, *(earliest for earliest, _ in limits)])
    midnight = datetime.combine(window.start.date(), time(), UTC)
    soonest = midnight - (midnight - soonest) // QUARTER_HOUR * QUARTER_HOUR
    ends = [latest + length for _, latest in limits if latest]
    within = Interval(max(window.start, soonest), min([window.end, *ends]))
    return within if within.start < within.end else None


def _nearest(wanted: Interval, free: list[Interval]) -> list[Interval]:
    """The three nearest fits in intervals that are in order and do not overlap one another."""
    length = wanted.end - wanted.start
    after = bisect_right(free, wanted.start, key=start_of)
    fits = (gap for gap in free[after:] if gap.end - gap.start >= length)
    fits_before = (gap for gap in reversed(free[:after]) if gap.end - gap.start >= length)
    found: list[Interval] = []
    # The last that begins before may hold what was wanted, and so fits on both sides of it.
    for gap in (*islice(fits_before, MOST), *islice(fits, MOST)):
        latest = gap.end - length
        # The nearest fit in this gap, then its neighbours away from what was wanted, as far as needed.
        nearest = min(max(wanted.start, gap.start), latest)
        earlier, later = (nearest - gap.start) // length, (latest - nearest) // length
        for step in range(-min(earlier, MOST), min(later, MOST) + 1):
            start = nearest + step * length
            found.append(Interval(start, start + length))
    return nearest_first(wanted, found)[:MOST]


def nearest_first(wanted: Interval, found: Collection[Interval]) -> list[Interval]:
    """Each once: those that begin nearest to what was wanted first, the earlier one where two are equally near."""
    return sorted(set(found), key=lambda interval: (abs(interval.start - wanted.start), interval.start))
