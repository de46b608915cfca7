"""Where an appointment that was refused would fit: what is read for that."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from appointments.alternatives import MAX_ALTERNATIVES, Wanted, find_alternatives
from appointments.calendars import assemble, zone_of
from appointments.errors import TooManyAppointmentsError
from appointments.model import DAY, DayKey, Interval
from appointments.storage.dynamodb import BATCH_GET_KEYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appointments.decision import Change, Reading
    from appointments.storage.store import Storage

# How far before and after a refused interval to look for alternatives.
ALTERNATIVES_REACH = timedelta(days=7)


def alternatives(candidates: Sequence[Change], reading: Reading, storage: Storage, now: datetime) -> list[Interval]:
    """Free intervals for what was refused: from the days already read, else with one further read."""
    wanted = candidates[0].after
    if wanted.steps:
        return []
    places = {claim.calendar_id: claim.places for change in candidates for claim in change.new_claims}
    calendar_ids = {calendar_id for change in candidates for calendar_id in change.after.calendar_ids}
    # Several candidates share their calendars, except that each has a different one of `anyOf`.
    assigned = [id_ for change in candidates if len(candidates) > 1 and (id_ := change.after.assigned_calendar_id)]
    # A day that is not read may decide about what lies near it: keep that far from the ends of the window.
    gap = max(reading.settings[calendar_id].settings.margin for calendar_id in calendar_ids)

    zone = zone_of(wanted, reading.settings)

    def find(first: date, last: date) -> list[Interval]:
        start, end = midnight_to_midnight(first, last)
        window = Interval(start + gap, end - gap)
        settings = {calendar_id: reading.settings[calendar_id].settings for calendar_id in calendar_ids}
        days = [day for day in reading.days.values() if day.key.calendar_id in calendar_ids]
        calendars = assemble(settings, days, now, ignore=wanted.appointment_id)
        calendars = {id_: replace(calendar, places=places[id_]) for id_, calendar in calendars.items()}
        any_of = [calendars.pop(id_) for id_ in assigned]
        return find_alternatives(Wanted(wanted.interval, zone), calendars.values(), window, now, any_of)

    partial = [key for key, day in reading.days.items() if day.seen is not None]
    try:
        reading.days.update(storage.read(partial, settings=False).days if partial else {})
    except TooManyAppointmentsError:
        return []
    days = list(wanted.interval.days())
    found = find(days[0], days[-1])
    around = min(ALTERNATIVES_REACH // DAY, BATCH_GET_KEYS // len(calendar_ids) // 2)
    if len(found) < MAX_ALTERNATIVES and around:
        days = [days[0] + n * DAY for n in range(-around, len(days) + around)]
        keys = {DayKey(calendar_id, day) for calendar_id in calendar_ids for day in days}
        with suppress(TooManyAppointmentsError):
            reading.days.update(storage.read(keys - reading.days.keys(), settings=False).days)
            found = find(days[0], days[-1])
    return found


def midnight_to_midnight(first: date, last: date) -> Interval:
    """The UTC days from `first` to `last`, both included."""
    return Interval(*(datetime.combine(day, datetime.min.time(), UTC) for day in (first, last + DAY)))
