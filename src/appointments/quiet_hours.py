"""Hours in which people are not to be disturbed by reminders. No I/O."""

from __future__ import annotations

from datetime import time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from appointments.times import find_zone, first_instant, wall_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from appointments.memory import KnownSettings
    from appointments.model import Appointment


class QuietHours(NamedTuple):
    """From `start` to `end`, minutes after midnight by the clock of a zone. They pass midnight if `end` is earlier."""

    start: int
    end: int
    zone: str

    def around(self, moment: datetime) -> tuple[datetime, datetime] | None:
        """The quiet interval, in UTC, that holds a moment. None if it is not quiet then, or the zone is unknown."""
        zone = find_zone(self.zone)
        if zone is None:
            return None
        length = timedelta(minutes=(self.end - self.start) % (24 * 60))
        start = time(*divmod(self.start, 60))
        today = wall_time(moment, zone).date()
        for day in (today, today - timedelta(days=1)):
            begins = wall_time(moment, zone).combine(day, start)
            interval = first_instant(begins, zone), first_instant(begins + length, zone)
            if interval[0] <= moment < interval[1]:
                return interval
        return None

    def outside(self, due_at: datetime, start: datetime) -> datetime:
        """When to send what is due at `due_at`, for an appointment at `start`.

        In quiet hours that is as they end, or the minute before they begin if the appointment begins before they end.
        """
        quiet = self.around(due_at)
        if quiet is None:
            return due_at
        begins, ends = quiet
        return ends if ends < start else begins - timedelta(minutes=1)


def quiet_hours_of(appointment: Appointment, settings: Mapping[str, KnownSettings]) -> QuietHours | None:
    """The quiet hours of the first of its calendars that has some."""
    for calendar_id in appointment.calendar_ids:
        known = settings.get(calendar_id)
        if known and known.settings.quiet:
            return QuietHours(*known.settings.quiet, known.settings.zone.key)
    return None
