"""What a calendar's settings mean, minute by minute: slow, obviously right, and none of the product's own code."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

Span = tuple[datetime, datetime]


class ReferenceCalendar:
    """One calendar: its settings as sent over HTTP, and what lies on it."""

    def __init__(self, body: dict[str, Any], busy: list[Span]) -> None:
        self.body, self.busy = body, busy
        self.zone = ZoneInfo(body.get("timeZone", "UTC"))
        self.gap = max(body.get("bufferMinutes", {}).values(), default=0) * MINUTE
        self.has_hours = "workingHours" in body or bool(body.get("overrides"))

    def hours_on(self, day: date) -> list[dict[str, str]]:
        always = {weekday: [{"start": "00:00", "end": "24:00"}] for weekday in WEEKDAYS}
        weekly: dict[str, list[dict[str, str]]] = self.body.get("workingHours", always)
        overrides: dict[str, list[dict[str, str]]] = self.body.get("overrides", {})
        return overrides.get(day.isoformat(), weekly.get(WEEKDAYS[day.weekday()], []))

    def opened_by(self, moment: datetime) -> set[tuple[date, int]]:
        """Which hours of which date the clock on the wall is in; those of the day before may have passed midnight."""
        wall = moment.astimezone(self.zone).replace(tzinfo=None)
        found = set()
        for day in (wall.date(), wall.date() - DAY):
            minute = (wall - datetime.combine(day, datetime.min.time())) / MINUTE
            for index, one in enumerate(self.hours_on(day)):
                start, end = (int(one[side][:2]) * 60 + int(one[side][3:]) for side in ("start", "end"))
                if start <= minute < (end if end > start else end + 1440):
                    found.add((day, index))
        return found

    def is_full(self, moment: datetime) -> bool:
        """An appointment holds its place until its end, and the buffer after that."""
        here = sum(start <= moment < end + self.gap for start, end in self.busy)
        return bool(here >= self.body.get("capacity", 1))

    def takes(self, start: datetime, end: datetime, now: datetime, cell: timedelta = MINUTE) -> bool:
        """Whether `[start, end)` can be booked, looked at once per `cell`."""
        body, length = self.body, (end - start) / MINUTE
        if start < now or start < now + body.get("minNoticeMinutes", 0) * MINUTE:
            return False
        if "horizonDays" in body and start > now + body["horizonDays"] * DAY:
            return False
        if not body.get("minDurationMinutes", 0) <= length <= body.get("maxDurationMinutes", 10**6):
            return False
        moment = start
        while moment < end + self.gap:
            if self.is_full(moment) or (moment < end and not self.opened_by(moment)):
                return False
            moment += cell
        return True


def steps(calendars: list[ReferenceCalendar], start: datetime, end: datetime, step: timedelta) -> list[datetime]:
    """The steps within a span, counted from each opening; on calendars without hours, from midnight UTC.

    Everything lies on whole five minutes, and so does this.
    """
    with_hours = [calendar for calendar in calendars if calendar.has_hours]
    moment = (start - 2 * DAY).replace(hour=0, minute=0)
    before = [calendar.opened_by(moment - 5 * MINUTE) for calendar in with_hours]
    origin, found = moment, []
    while moment < end:
        after = [calendar.opened_by(moment) for calendar in with_hours]
        begins = any(new - old for new, old in zip(after, before, strict=True))
        if begins or (not with_hours and moment.astimezone(UTC).hour == moment.minute == 0):
            origin = moment
        if moment >= start and (moment - origin) % step == timedelta():
            found.append(moment)
        before = after
        moment += 5 * MINUTE
    return found
