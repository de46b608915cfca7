"""What a calendar's settings mean, minute by minute: slow, obviously right, and none of the product's own code."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
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

    def wall(self, moment: datetime) -> datetime:
        return moment.astimezone(self.zone).replace(tzinfo=None)

    def takes(self, start: datetime, end: datetime, now: datetime, cell: timedelta = MINUTE) -> bool:
        """Whether `[start, end)` can be booked, looked at once per `cell`."""
        body = self.body
        if start < now or start < now + body.get("minNoticeMinutes", 0) * MINUTE:
            return False
        begin = [self.wall(other).date() == self.wall(start).date() for other, _ in self.busy]
        if sum(begin) >= body.get("maxPerDay", 10**6):
            return False
        if "horizonDays" in body and (self.wall(start).date() - self.wall(now).date()).days > body["horizonDays"]:
            return False
        lengths = [(end - start) / MINUTE, (self.wall(end) - self.wall(start)) / MINUTE]
        if max(lengths) < body.get("minDurationMinutes", 0) or min(lengths) > body.get("maxDurationMinutes", 10**6):
            return False
        moment = start
        while moment < end + self.gap:
            if self.is_full(moment) or (moment < end and not self.opened_by(moment)):
                return False
            moment += cell
        return True


def later(start: datetime, minutes: int, zone: ZoneInfo | None) -> datetime:
    """So many minutes later; with a zone, whole days are those of its clock, and times that it skips come at once."""
    if zone is None or minutes % 1440:
        return start + minutes * MINUTE
    wanted = start.astimezone(zone).replace(tzinfo=None, fold=0) + minutes * MINUTE
    moment = start + minutes * MINUTE - 4 * 60 * MINUTE
    while moment.astimezone(zone).replace(tzinfo=None, fold=0) < wanted:
        moment += 5 * MINUTE
    return moment


def zone_of_days(calendars: list[ReferenceCalendar]) -> ZoneInfo | None:
    """The zone of the first calendar that has one."""
    return next((calendar.zone for calendar in calendars if "timeZone" in calendar.body), None)


def steps(calendars: list[ReferenceCalendar], start: datetime, end: datetime, minutes: int) -> list[datetime]:
    """The steps within a span, counted from each moment at which all the calendars open.

    A day on which they are open throughout begins the count anew. Hours begin and end on quarter hours, as this looks.
    """
    with_hours = [calendar for calendar in calendars if calendar.has_hours]
    zone = zone_of_days(calendars)
    days_zone = zone or ZoneInfo("UTC")
    cells = [start - 4 * DAY + n * 15 * MINUTE for n in range(int((end - start + 7 * DAY) / (15 * MINUTE)))]
    is_open = [all(calendar.opened_by(moment) for calendar in with_hours) for moment in cells]
    dates = [moment.astimezone(days_zone).date() for moment in cells]
    closed = {day for day, opened in zip(dates, is_open, strict=True) if not opened}
    origins = [
        cells[n]
        for n in range(1, len(cells))
        if is_open[n] and (not is_open[n - 1] or (dates[n] != dates[n - 1] and dates[n] not in closed))
    ]
    found = []
    for origin, following in pairwise([*(moment for moment in origins if moment < end), end]):
        moment, n = origin, 0
        while moment < following:
            found += [moment] if moment >= start else []
            n += 1
            moment = later(origin, n * minutes, None if minutes % 1440 else zone)
    return found
