"""To which times an appointment can be moved, a week at a time: found as `GET /availability` finds them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from appointments.claims import claims_of
from appointments.model import DAY, Interval
from appointments.times import first_instant
from conflict_detector.availability.parsing import AvailabilityRequest
from conflict_detector.availability.search import read_calendars, slots

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from appointments.model import Appointment
    from appointments.storage.store import Storage

WEEK = 7
# So far ahead a page can be turned.
WEEKS = 26
# A page is for people. More times than these help nobody, whatever the steps are.
TIMES_A_DAY = 60
HOUR = timedelta(hours=1)


class Week(NamedTuple):
    """Seven local dates from `first` on, and the starts that are free on each, in order."""

    first: date
    number: int
    starts: dict[date, list[datetime]]

    def pick(self, asked: date) -> date:
        """The date to show: the one that was asked for or, where nothing is free on it, the next that has a time."""
        free = [day for day, starts in self.starts.items() if starts]
        return asked if asked in free else next((day for day in free if day > asked), free[0] if free else asked)


def week_around(asked: date, today: date) -> tuple[date, int]:
    """The first date of the week with a date, and its number. Weeks are counted from today."""
    number = min(max((asked - today).days // WEEK, 0), WEEKS - 1)
    return today + number * WEEK * DAY, number


def free_week(appointment: Appointment, asked: date, zone: ZoneInfo, storage: Storage, now: datetime) -> Week:
    """The week around a date with the starts at which the appointment would fit, without its own.

    Reads the settings once, and the days of each calendar that it may take with one query.
    """
    first, number = week_around(asked, now.astimezone(zone).date())
    dates = [first + n * DAY for n in range(WEEK + 1)]
    begins, ends = (first_instant(datetime.combine(day, time()), zone) for day in (dates[0], dates[-1]))
    found: dict[date, list[datetime]] = {day: [] for day in dates[:-1]}
    # An appointment may last beyond the week in which it starts.
    within = Interval(
        max(begins, now.replace(microsecond=0)), ends + (appointment.interval.end - appointment.interval.start)
    )
    for free in _offered(appointment, within, zone, storage, now):
        of_day = found.get(free.start.astimezone(zone).date())
        if of_day is not None and len(of_day) < TIMES_A_DAY and now < free.start != appointment.interval.start:
            of_day.append(free.start)
    return Week(first, number, found)


def _offered(
    appointment: Appointment, within: Interval, zone: ZoneInfo, storage: Storage, now: datetime
) -> Iterator[Interval]:
    if appointment.service:
        from conflict_detector.availability.serving import search_to_move  # noqa: PLC0415 - few are of services

        return search_to_move(appointment, within, storage, now).offered(within)
    ids = appointment.calendar_ids
    places = {claim.calendar_id: claim.places for claim in claims_of(appointment)}
    found = read_calendars(ids, within, storage, now, ignore=appointment.appointment_id)
    calendars = [replace(calendar, places=places[calendar.calendar_id]) for calendar in found]
    length = appointment.interval.end - appointment.interval.start
    asked = AvailabilityRequest(ids, within, length, _step(length), any_of=False, zone=zone)
    return (slot.interval for slot in slots(calendars, asked, now))


def _step(length: timedelta) -> timedelta:
    """People look for full and half hours; what is shorter than that is offered by the quarter of an hour."""
    return DAY if length >= DAY else HOUR / 2 if length >= HOUR / 2 else HOUR / 4
