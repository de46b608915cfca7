"""The use case: what is free. Every slot is judged by the very predicate that decides bookings."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import UTC, datetime
from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from appointments.calendars import Calendar, assemble
from appointments.errors import Fault, InvalidRequestError, TooManyAppointmentsError
from appointments.intervals import intersect
from appointments.model import DAY, Interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from appointments.storage.store import Storage
    from conflict_detector.availability.parsing import AvailabilityRequest

# A function's answer is limited to 6 MB. A slot is some 170 bytes beside its calendars, with local times.
MAX_ANSWER_BYTES = 5 * 2**20
SLOT_BYTES = 190
# Appointments on all the days that are read. Each takes some 10 us of CPU.
MAX_ENTRIES = 150_000


class Slot(NamedTuple):
    """An interval that can be booked, and the calendars that are free in it."""

    interval: Interval
    calendar_ids: tuple[str, ...]


def available(asked: AvailabilityRequest, storage: Storage, now: datetime) -> list[Slot]:
    """The slots within the span that are free on all calendars, or on at least one of them.

    Reads the settings in one call, and each calendar's days in one query. Raises InvalidRequestError where the
    answer would be too large, TooManyAppointmentsError where the calendars are too full to be read.
    """
    settings = storage.settings.get_many(asked.calendar_ids)
    calendars = []
    entries = 0
    for calendar_id in asked.calendar_ids:
        gap = settings[calendar_id].buffer
        first, last = (asked.within.start - gap).date(), (asked.within.end + gap).date()
        days = []
        for day in storage.days.span(calendar_id, first, last):
            entries += len(day.entries)
            if entries > MAX_ENTRIES:
                raise TooManyAppointmentsError(MAX_ENTRIES)
            days.append(day)
        calendars.append(assemble({calendar_id: settings[calendar_id]}, days)[calendar_id])
    found: list[Slot] = []
    size = 0
    for slot in slots(calendars, asked, now):
        size += SLOT_BYTES + sum(len(calendar_id) + 4 for calendar_id in slot.calendar_ids)
        if size > MAX_ANSWER_BYTES:
            most = f"makes an answer of over {MAX_ANSWER_BYTES // 2**20} MB; ask for fewer days or larger steps"
            raise InvalidRequestError([Fault("to", most)])
        found.append(slot)
    return found


def slots(calendars: Sequence[Calendar], asked: AvailabilityRequest, now: datetime) -> Iterator[Slot]:
    """The slots in order of their start; with `any_of` each calendar offers those on its own steps."""
    if not asked.any_of:
        for start in _free_starts(calendars, asked, now):
            yield Slot(Interval(start, start + asked.duration), asked.calendar_ids)
        return
    free: dict[datetime, list[str]] = {}
    for calendar in calendars:
        for start in _free_starts([calendar], asked, now):
            free.setdefault(start, []).append(calendar.calendar_id)
    for start, calendar_ids in sorted(free.items()):
        yield Slot(Interval(start, start + asked.duration), tuple(calendar_ids))


def _free_starts(calendars: Sequence[Calendar], asked: AvailabilityRequest, now: datetime) -> Iterator[datetime]:
    """The steps on which a slot is free on all the calendars: what `Calendar.fits` says, for a whole span at once."""
    if not all(calendar.allows_length(asked.duration) for calendar in calendars):
        return
    latest = min((last for calendar in calendars if (last := calendar.bookable(now)[1])), default=asked.within.end)
    steps = list(_steps(calendars, asked))
    for gap in reduce(intersect, (calendar.free(asked.within, now) for calendar in calendars)):
        last = min(gap.end - asked.duration, latest)
        yield from steps[bisect_left(steps, gap.start) : bisect_right(steps, last)]


def _steps(calendars: Sequence[Calendar], asked: AvailabilityRequest) -> Iterator[datetime]:
    """Where slots may begin: on the step, counted from each opening, or from midnight UTC without hours.

    With several calendars that have hours, an opening of any of them begins the count anew. Hours that are given
    as two that touch, as at midnight, are open without a break, and yet begin the count twice.
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
