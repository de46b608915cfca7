"""The use case: what is free. Every slot is judged by the very predicate that decides bookings."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from appointments.calendars import Calendar, assemble
from appointments.model import DAY, Interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from appointments.table import SchedulerTable
    from conflict_detector.requests import AvailabilityRequest


class Slot(NamedTuple):
    """An interval that can be booked, and the calendars that are free in it."""

    interval: Interval
    calendar_ids: tuple[str, ...]


def available(asked: AvailabilityRequest, table: SchedulerTable, now: datetime) -> list[Slot]:
    """The slots within the span that are free on all calendars, or on at least one of them.

    Reads the settings in one call, and each calendar's days in one query.
    """
    settings = table.read_calendar_settings(asked.calendar_ids)
    calendars = []
    for calendar_id in asked.calendar_ids:
        gap = settings[calendar_id].buffer
        first, last = (asked.within.start - gap).date(), (asked.within.end + gap).date()
        days = table.read_span(calendar_id, first, last)
        calendars.append(assemble({calendar_id: settings[calendar_id]}, days)[calendar_id])
    return list(slots(calendars, asked, now))


def slots(calendars: Sequence[Calendar], asked: AvailabilityRequest, now: datetime) -> Iterator[Slot]:
    """Walk the steps of the span and ask each calendar."""
    wide = Interval(asked.within.start - DAY, asked.within.end + DAY)
    for calendar in calendars:
        calendar.look(wide)
    earliest = now.replace(microsecond=0)
    together = [[calendar] for calendar in calendars] if asked.any_of else [calendars]
    for start in sorted({start for group in together for start in _starts(group, asked)}):
        wanted = Interval(start, start + asked.duration)
        if start < earliest:
            continue
        if asked.any_of:
            free = tuple(calendar.calendar_id for calendar in calendars if calendar.fits(wanted, now))
            if free:
                yield Slot(wanted, free)
        elif all(calendar.fits(wanted, now) for calendar in calendars):
            yield Slot(wanted, asked.calendar_ids)


def _starts(calendars: Sequence[Calendar], asked: AvailabilityRequest) -> Iterator[datetime]:
    """Where slots may begin: on the step, counted from each opening, or from midnight UTC without hours.

    With several calendars that have hours, an opening of any of them begins the count anew.
    """
    span = asked.within
    around = Interval(span.start - 2 * DAY, span.end)
    with_hours = [calendar for calendar in calendars if calendar.settings.has_hours]
    if with_hours:
        openings = {opened.start for calendar in with_hours for opened in calendar.settings.openings(around)}
    else:
        midnight = span.start.replace(hour=0, minute=0, second=0)
        openings = {midnight + n * DAY for n in range((span.end - midnight).days + 1)}
    ordered = [*sorted(openings), datetime.max.replace(tzinfo=UTC)]
    for opening, following in pairwise(ordered):
        start = opening + max(-((opening - span.start) // asked.step), 0) * asked.step
        while start < following and start + asked.duration <= span.end:
            yield start
            start += asked.step
