"""Opening hours by the clock on the wall of a zone, and where something fits into them. No I/O."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from appointments.intervals import joined, merged
from appointments.model import DAY, Interval
from appointments.times import Length, change_of_offset

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from appointments.calendars import Hours

MINUTE = timedelta(minutes=1)


def pieces_of(day: date, hours: Hours, zone: ZoneInfo) -> list[Interval]:
    """All instants at which the clock on the wall of `zone` shows a time within `hours` of `day`.

    Where the clock goes forward, times that it skips do not happen; where it goes back, times that it repeats
    happen twice, so that hours which begin or end in the repeated hour fall into two pieces.
    """
    midnight = datetime.combine(day, time())
    start, end = midnight + hours.start * MINUTE, midnight + hours.end * MINUTE
    before, after = offset_of(start, 0, zone), offset_of(end, 1, zone)
    early = Interval(instant_of(start, before), instant_of(end, before))
    if before == after:
        return [early]
    # The offset changes at `change`; each piece is read with its own, on its own side of it.
    late = Interval(instant_of(start, after), instant_of(end, after))
    change = change_of_offset(min(early.start, late.start) - DAY, max(early.end, late.end) + DAY, zone)
    pieces = [Interval(early.start, min(early.end, change)), Interval(max(late.start, change), late.end)]
    return list(merged(piece for piece in pieces if piece.start < piece.end))


def offset_of(wall: datetime, fold: int, zone: ZoneInfo) -> timedelta:
    """The offset from UTC at a time of the wall clock; `fold` picks one where the clock changes."""
    return wall.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta()


def instant_of(wall: datetime, offset: timedelta) -> datetime:
    """When the wall clock shows a time at an offset, in UTC."""
    return (wall - offset).replace(tzinfo=UTC)


def nearest_start(
    opened: list[tuple[int, int]], wanted: datetime, length: Length, limits: tuple[datetime, datetime]
) -> datetime | None:
    """Where something of a length may start, as near to `wanted` as can be, the earlier one of two.

    It lies within hours that touch or overlap one another, and starts within the limits, both included. All in whole
    seconds: a calendar may have 20,000 openings in a year.
    """
    start, first, last = (int(moment.timestamp()) for moment in (wanted, *limits))

    def later(moment: int, times: int) -> int:
        if length.zone is None:
            return moment + times * int(length.span.total_seconds())
        return int(length.after(datetime.fromtimestamp(moment, UTC), times).timestamp())

    best: tuple[int, int] | None = None
    for since, until in joined(opened):
        begin = min(max(start, since), later(until, -1), last)
        nearer = best is None or (abs(begin - start), begin) < best
        if begin >= max(since, first) and nearer and later(begin, 1) <= until:
            best = abs(begin - start), begin
    return datetime.fromtimestamp(best[1], UTC) if best else None
