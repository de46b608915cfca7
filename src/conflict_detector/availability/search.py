"""The use case: what is free. Every slot is judged by the very predicate that decides bookings."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import reduce
from itertools import islice, pairwise
from typing import TYPE_CHECKING, NamedTuple

from appointments.calendars import Calendar, assemble
from appointments.errors import Fault, InvalidRequestError, TooManyAppointmentsError
from appointments.intervals import intersect, merged
from appointments.model import DAY, Interval
from appointments.times import Length, first_instant, has_change, load_zone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from zoneinfo import ZoneInfo

    from appointments.storage.store import Storage
    from conflict_detector.availability.parsing import AvailabilityRequest

UTC_ZONE = load_zone("UTC")
# A function's answer is limited to 6 MB. A slot is some 170 bytes beside its calendars, with local times.
MAX_ANSWER_BYTES = 5 * 2**20
SLOT_BYTES = 190
# Appointments on all the days that are read. Each takes some 10 us of CPU.
MAX_ENTRIES = 150_000


class Slot(NamedTuple):
    """An interval that can be booked, and the calendars that are free in it."""

    interval: Interval
    calendar_ids: tuple[str, ...]


class Day(NamedTuple):
    """A local date, and how many slots begin on it."""

    day: date
    slots: int


def available(asked: AvailabilityRequest, storage: Storage, now: datetime) -> list[Slot]:
    """The slots within the span that are free on all calendars, or on at least one of them; at most `limit` of them.

    Raises InvalidRequestError where the answer would be too large, TooManyAppointmentsError where the calendars are too
    full to be read.
    """
    found = islice(slots(_read(asked, storage, now), asked, now), asked.limit)
    return answerable(found, "fewer days or larger steps")


def answerable(found: Iterable[Slot], smaller: str) -> list[Slot]:
    """What was found, as a list. Raises InvalidRequestError where the answer would be too large: ask for `smaller`."""
    kept: list[Slot] = []
    size = 0
    for slot in found:
        size += SLOT_BYTES + sum(len(calendar_id) + 4 for calendar_id in slot.calendar_ids)
        if size > MAX_ANSWER_BYTES:
            most = f"makes an answer of over {MAX_ANSWER_BYTES // 2**20} MB; ask for {smaller}"
            raise InvalidRequestError([Fault("to", most)])
        kept.append(slot)
    return kept


def available_days(asked: AvailabilityRequest, storage: Storage, now: datetime) -> tuple[list[Day], ZoneInfo]:
    """How many slots begin on each local date of the span, and the zone of the dates.

    This is the zone that was asked for, else that of the first calendar that has one, else UTC. Raises
    TooManyAppointmentsError where the calendars are too full to be read.
    """
    calendars = _read(asked, storage, now)
    own = next((calendar.settings.zone for calendar in calendars if calendar.settings.zone_set), UTC_ZONE)
    zone = asked.zone or own
    return by_day((slot.interval for slot in slots(calendars, asked, now)), asked.within, zone), zone


def by_day(intervals: Iterable[Interval], within: Interval, zone: ZoneInfo) -> list[Day]:
    """How many intervals begin on each local date of a span."""
    counted = Counter(interval.start.astimezone(zone).date() for interval in intervals)
    first = within.start.astimezone(zone).date()
    last = (within.end - timedelta(seconds=1)).astimezone(zone).date()
    days = (first + n * DAY for n in range((last - first).days + 1))
    return [Day(day, counted[day]) for day in days]


def _read(asked: AvailabilityRequest, storage: Storage, now: datetime) -> list[Calendar]:
    calendars = read_calendars(asked.calendar_ids, asked.within, storage, now)
    return calendars if asked.seats == 1 else [replace(calendar, places=asked.seats) for calendar in calendars]


def read_calendars(
    calendar_ids: Sequence[str], within: Interval, storage: Storage, now: datetime, ignore: str | None = None
) -> list[Calendar]:
    """The calendars on the days that matter: their settings in one call, the days of each in one query.

    `ignore` is the id of an appointment that does not count. Raises TooManyAppointmentsError.
    """
    settings = storage.settings.get_many(calendar_ids)
    calendars = []
    entries = 0
    for calendar_id in calendar_ids:
        margin = settings[calendar_id].margin
        first, last = (within.start - margin).date(), (within.end + margin).date()
        days = []
        for day in storage.days.span(calendar_id, first, last):
            entries += len(day.entries)
            if entries > MAX_ENTRIES:
                raise TooManyAppointmentsError(MAX_ENTRIES)
            days.append(day)
        calendars.append(assemble({calendar_id: settings[calendar_id]}, days, now, ignore)[calendar_id])
    return calendars


def slots(calendars: Sequence[Calendar], asked: AvailabilityRequest, now: datetime) -> Iterator[Slot]:
    """The slots in order of their start; with `any_of` each calendar offers those on its own steps."""
    if not asked.any_of:
        for interval in _free_slots(calendars, asked, now):
            yield Slot(interval, asked.calendar_ids)
        return
    free: dict[Interval, list[str]] = {}
    for calendar in calendars:
        for interval in _free_slots([calendar], asked, now):
            free.setdefault(interval, []).append(calendar.calendar_id)
    for interval, calendar_ids in sorted(free.items()):
        yield Slot(interval, tuple(calendar_ids))


def _free_slots(calendars: Sequence[Calendar], asked: AvailabilityRequest, now: datetime) -> Iterator[Interval]:
    """The slots that are free on all the calendars: what `Calendar.fits` says, for a whole span at once."""
    # Whole days are those of the first calendar that has a zone, or else of the zone of the request.
    own = next((calendar.settings.zone for calendar in calendars if calendar.settings.zone_set), None)
    zone = own or asked.zone
    length, step = Length.of(asked.duration, zone), Length.of(asked.step, zone)
    # As long as that by the stopwatch. By the clock on the wall it can differ from one day to the next.
    allowed = all(calendar.allows_length(asked.duration) for calendar in calendars)
    zones = {calendar.settings.zone for calendar in calendars} | ({length.zone} if length.zone else set())
    if not allowed and not any(has_change(*asked.within, each) for each in zones):
        return
    limits = [limit for calendar in calendars if (limit := calendar.bookable(now)[1])]
    latest = min(limits, default=asked.within.end)
    starts = list(_steps(_origins(calendars, asked.within, own or step.zone or UTC_ZONE), asked.within, step))
    for day in merged(day for calendar in calendars for day in calendar.full_days):
        del starts[bisect_left(starts, day.start) : bisect_left(starts, day.end)]
    for gap in reduce(intersect, (calendar.free(asked.within, now) for calendar in calendars)):
        for start in starts[bisect_left(starts, gap.start) : bisect_right(starts, min(gap.end, latest))]:
            slot = Interval(start, length.after(start))
            if slot.end <= gap.end and (
                (allowed and length.zone is None) or all(calendar.allows_length_of(slot) for calendar in calendars)
            ):
                yield slot


def _origins(calendars: Sequence[Calendar], span: Interval, zone: ZoneInfo) -> list[datetime]:
    """The moments from which steps are counted, up to the end of a span, in order.

    These are the beginning of each time at which all the calendars are open, and the midnight of each day on which they
    are open throughout. One of them lies on the day of a step or on the day before, so nothing earlier matters.
    """
    around = Interval(span.start - 3 * DAY, span.end + 2 * DAY)
    with_hours = (calendar.look(around) for calendar in calendars if calendar.settings.has_hours)
    opened = reduce(intersect, with_hours, [around])
    first, last = (moment.astimezone(zone).date() for moment in around)
    days = [first + n * DAY for n in range((last - first).days + 1)]
    midnights = [first_instant(datetime.combine(day, time()), zone) for day in days]
    ends = [interval.end for interval in opened]
    whole = []
    for midnight, following in pairwise(midnights):
        index = bisect_left(ends, following)
        if index < len(opened) and opened[index].start <= midnight:
            whole.append(midnight)
    return sorted({*whole, *(interval.start for interval in opened)})


def _steps(origins: Sequence[datetime], span: Interval, step: Length) -> Iterator[datetime]:
    """The steps within a span, counted from each origin until the next."""
    for origin, following in pairwise([*origins, span.end]):
        number = max((span.start - origin) // step.span - 1, 0)
        while (start := step.after(origin, number)) < min(following, span.end):
            if start >= span.start:
                yield start
            number += 1
