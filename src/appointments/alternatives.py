"""Where an appointment that was refused would fit instead. No I/O."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, time
from functools import reduce
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from appointments.intervals import intersect, merged, subtract
from appointments.model import QUARTER_HOUR, Interval
from appointments.times import Length

if TYPE_CHECKING:
    from collections.abc import Collection
    from zoneinfo import ZoneInfo

    from appointments.calendars import Calendar

MAX_ALTERNATIVES = 3


class Wanted(NamedTuple):
    """The interval that was refused, and the zone in which its whole days are counted."""

    interval: Interval
    zone: ZoneInfo | None = None


def find_alternatives(
    refused: Wanted,
    calendars: Collection[Calendar],
    window: Interval,
    now: datetime,
    any_of: Collection[Calendar] = (),
) -> list[Interval]:
    """Up to three intervals as long as what was refused that fit on all `calendars`, the nearest first.

    Where `any_of` is given, they fit on one of those as well. They lie within `window`, which must be covered by the
    days that were read of each calendar, do not begin before `now`, and do not overlap one another unless they are for
    different ones of `any_of`.
    """
    wanted = refused.interval
    length = Length.between(*wanted, refused.zone)
    within = _bookable(length, calendars, window, now)
    if within is None:
        return []
    common = reduce(intersect, (calendar.free(within, now) for calendar in calendars))
    if not any_of:
        return _nearest(wanted, length, common, calendars)
    found: list[Interval] = []
    for calendar in any_of:
        part = _bookable(length, [calendar], within, now)
        if part:
            found += _nearest(wanted, length, intersect(common, calendar.free(part, now)), [*calendars, calendar])
    return nearest_first(wanted, found)[:MAX_ALTERNATIVES]


def _bookable(length: Length, calendars: Collection[Calendar], window: Interval, now: datetime) -> Interval | None:
    """The part of `window` in which notice, horizon and length allow an appointment of that length, if any."""
    if not all(calendar.allows_length(length.span) for calendar in calendars):
        return None
    limits = [calendar.bookable(now) for calendar in calendars]
    # Nobody wants to start at 09:07:31: what begins from now on, or as soon as notice allows, begins on a quarter hour.
    soonest = max([now, *(earliest for earliest, _ in limits)])
    midnight = datetime.combine(window.start.date(), time(), UTC)
    soonest = midnight - (midnight - soonest) // QUARTER_HOUR * QUARTER_HOUR
    ends = [length.after(latest) for _, latest in limits if latest]
    within = Interval(max(window.start, soonest), min([window.end, *ends]))
    return within if within.start < within.end else None


def _nearest(wanted: Interval, length: Length, free: list[Interval], calendars: Collection[Calendar]) -> list[Interval]:
    """The three nearest fits in intervals that are in order and do not overlap one another."""
    # Each part of a gap in which something may begin, with the end of that gap.
    full_days = list(merged(day for calendar in calendars for day in calendar.full_days))
    parts = [(part, gap.end) for gap in free for part in subtract([gap], full_days)]
    after = bisect_right(parts, wanted.start, key=lambda one: one[0].start)
    fits = (one for one in parts[after:] if length.after(one[0].start) <= one[1])
    fits_before = (one for one in reversed(parts[:after]) if length.after(one[0].start) <= one[1])
    found: list[Interval] = []
    # The last that begins before may hold what was wanted, and so fits on both sides of it.
    for part, end in (*islice(fits_before, MAX_ALTERNATIVES), *islice(fits, MAX_ALTERNATIVES)):
        latest = length.after(end, -1)
        if part.end < end:  # it may begin before midnight; nobody wants to a second before
            latest = min(latest, max(part.end - QUARTER_HOUR, part.start))
        # The nearest fit in this part, then its neighbours away from what was wanted, as far as needed.
        nearest = min(max(wanted.start, part.start), latest)
        # Rounded up: a whole day may be shorter than 24 hours.
        earlier, later = -((part.start - nearest) // length.span), -((nearest - latest) // length.span)
        for step in range(-min(earlier, MAX_ALTERNATIVES), min(later, MAX_ALTERNATIVES) + 1):
            start = length.after(nearest, step)
            fit = Interval(start, length.after(start))
            by_the_wall = length.zone is not None
            inside = part.start <= fit.start <= latest and fit.end <= end
            if inside and not (by_the_wall and _is_refused(fit, calendars)):
                found.append(fit)
    return nearest_first(wanted, found)[:MAX_ALTERNATIVES]


def _is_refused(fit: Interval, calendars: Collection[Calendar]) -> bool:
    """Whether a calendar, whose zone may be another, takes this day for too long or too short."""
    return not all(calendar.allows_length_of(fit) for calendar in calendars)


def nearest_first(wanted: Interval, found: Collection[Interval]) -> list[Interval]:
    """Each once: those that begin nearest to what was wanted first, the earlier one where two are equally near."""
    return sorted(set(found), key=lambda interval: (abs(interval.start - wanted.start), interval.start))
