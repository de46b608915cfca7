"""A calendar's settings as JSON, as `PUT /calendars/{id}` takes them and the table keeps them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from appointments.calendars import CalendarSettings, Hours
from appointments.json_text import to_json
from appointments.model import MAX_CAPACITY
from appointments.reader import MAX_TITLE, Reader
from appointments.times import load_zone

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
FIELDS = (
    "title",
    "timeZone",
    "workingHours",
    "overrides",
    "bufferMinutes",
    "capacity",
    "minNoticeMinutes",
    "horizonDays",
    "minDurationMinutes",
    "maxDurationMinutes",
    "reminders",
    "approval",
    "maxPerDay",
    "quietHours",
)
DAY_MINUTES = 24 * 60
MAX_BUFFER_MINUTES = DAY_MINUTES
MAX_PER_DAY = 5000
MAX_HOURS_PER_DAY = 24
MAX_OVERRIDES = 1000
# Every booking on the calendar reads its settings: these are up to 16 read units.
MAX_BYTES = 64 * 1024

_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def check_settings(body: Mapping[str, Any]) -> None:
    """Check settings that are sent, as a whole. Raises InvalidRequestError with every fault that they have."""
    _SettingsReader(body, FIELDS, kind="setting").settings()


def parse_settings(body: Mapping[str, Any]) -> CalendarSettings:
    """What settings mean that were checked when they were stored; the time-zone data may have lost their zone since."""
    # A newer version, which knows more settings, may have written them.
    return _SettingsReader(body, (*FIELDS, *body), kind="setting", stored=True).settings()


@dataclass(slots=True)
class _SettingsReader(Reader):
    stored: bool = False

    def settings(self) -> CalendarSettings:
        shortest = self.minutes("minDurationMinutes", 1, 31 * DAY_MINUTES)
        longest = self.minutes("maxDurationMinutes", 1, 31 * DAY_MINUTES)
        if shortest and longest and shortest > longest:
            self.fault("maxDurationMinutes", "must not be less than minDurationMinutes")
        self.short_text("title", MAX_TITLE)  # for people alone: nothing is decided by it
        zone = self.zone() if "timeZone" in self.body else load_zone("UTC")
        size = len(to_json(self.body).encode())
        if size > MAX_BYTES:
            self.fault("", f"must be at most {MAX_BYTES} bytes of JSON; these are {size}")
        settings = CalendarSettings(
            zone=zone or load_zone("UTC"),
            zone_set="timeZone" in self.body and zone is not None,
            zone_known=zone is not None,
            working_hours=self.working_hours(),
            overrides=self.overrides(),
            buffer=self.buffer(),
            capacity=self.whole("capacity", 1, MAX_CAPACITY) or 1,
            min_notice=self.minutes("minNoticeMinutes", 0, 366 * DAY_MINUTES) or timedelta(),
            horizon_days=self.whole("horizonDays", 1, 3650),
            min_duration=shortest,
            max_duration=longest,
            reminders=self.reminder_offsets(),
            approval=self.flag("approval"),
            max_per_day=self.whole("maxPerDay", 1, MAX_PER_DAY),
            quiet=self.quiet_hours(),
        )
        self.raise_faults()
        return settings

    def zone(self) -> ZoneInfo | None:
        """None if the time-zone data does not know it; of stored settings that is not a fault."""
        before = len(self.faults)
        zone = Reader.zone(self)
        if self.stored:
            del self.faults[before:]
        return zone

    def buffer(self) -> timedelta:
        """The larger of the two: it has to lie between any two appointments, whichever came first."""
        value = self.body.get("bufferMinutes", {})
        if not isinstance(value, dict) or value.keys() - {"before", "after"}:
            self.fault("bufferMinutes", 'must be an object such as {"before": 0, "after": 10}')
            return timedelta()
        parts = [self.whole_value(f"bufferMinutes.{side}", value[side], 0, MAX_BUFFER_MINUTES) or 0 for side in value]
        return timedelta(minutes=max(parts, default=0))

    def working_hours(self) -> tuple[tuple[Hours, ...], ...] | None:
        if "workingHours" not in self.body:
            return None
        value = self.body["workingHours"]
        if not isinstance(value, dict) or value.keys() - set(WEEKDAYS):
            self.fault("workingHours", f"must be an object with the keys {', '.join(WEEKDAYS)}")
            return None
        return tuple(self.hours(f"workingHours.{day}", value.get(day, [])) for day in WEEKDAYS)

    def overrides(self) -> dict[date, tuple[Hours, ...]]:
        value = self.body.get("overrides", {})
        if not isinstance(value, dict):
            self.fault("overrides", 'must be an object from dates to hours, such as {"2030-12-25": []}')
            return {}
        if len(value) > MAX_OVERRIDES:
            self.fault("overrides", f"must have at most {MAX_OVERRIDES} dates")
            return {}
        found = {}
        for text, hours in value.items():
            name = f"overrides.{text.encode('unicode_escape').decode()[:32]}"
            try:
                day = date.fromisoformat(text) if _DATE.fullmatch(text) else None
            except ValueError:
                day = None
            if day is None:
                self.fault(name, "is not a date; use e.g. 2030-12-25")
            else:
                found[day] = self.hours(name, hours)
        return found

    def hours(self, name: str, value: object) -> tuple[Hours, ...]:
        """A day's opening hours. An end at or before its start lies on the next day, and equal ones are 24 hours."""
        if not isinstance(value, list) or len(value) > MAX_HOURS_PER_DAY:
            self.fault(name, f"must be a list of at most {MAX_HOURS_PER_DAY} hours; an empty one is a closed day")
            return ()
        found = []
        for index, hours in enumerate(value):
            match hours:
                case {"start": str(start), "end": str(end)} if len(hours) == 2:
                    pass
                case _:
                    start = end = ""
            if not (_CLOCK.fullmatch(start) and _CLOCK.fullmatch(end)) or start == "24:00":
                self.fault(f"{name}[{index}]", 'must be like {"start": "09:00", "end": "17:30"}; the end may be 24:00')
                continue
            begin, finish = (int(text[:2]) * 60 + int(text[3:]) for text in (start, end))
            found.append(Hours(begin, finish if finish > begin else finish + DAY_MINUTES))
        found.sort()
        if any(after.start < before.end for before, after in pairwise(found)):
            self.fault(name, "must not overlap one another")
        return tuple(found)
