"""Requests in: from the text of a body to checked values, naming every fault at once."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from appointments.errors import BadRequestError, Fault, InvalidRequestError
from appointments.model import (
    DEFAULT_REMINDERS,
    MAX_DURATION,
    Appointment,
    Interval,
    reminders_ahead,
)
from appointments.table import TRANSACTION_ACTIONS
from appointments.times import InvalidTimeError, has_offset, load_zone, parse_offset, parse_time, to_utc_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from zoneinfo import ZoneInfo

MAX_RESOURCES = 20
MAX_REMINDERS = 5
MAX_DETAILS_BYTES = 16 * 1024
# EventBridge's cron fields end with this year, and so do reminders.
LAST_YEAR = 2199

_ID = re.compile(r"[A-Za-z0-9._:@+=~-]{1,128}", re.ASCII)
_ID_RULE = "must be 1 to 128 characters out of letters, digits and . _ : @ + = ~ -"
_BOOKING_FIELDS = ("userId", "startTime", "endTime", "timeZone", "resourceIds", "details", "reminders")


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """A body of `POST /appointments` that has no fault in itself; whether it fits is decided later."""

    user_id: str
    interval: Interval
    time_zone: str | None
    resource_ids: tuple[str, ...]
    details: Mapping[str, Any]
    offsets: tuple[str, ...]

    def appointment(self, appointment_id: str, now: datetime) -> Appointment:
        """The appointment to book, with those of its reminders that are still ahead."""
        return Appointment(
            appointment_id=appointment_id,
            user_id=self.user_id,
            interval=self.interval,
            time_zone=self.time_zone,
            resource_ids=self.resource_ids,
            details=self.details,
            offsets=self.offsets,
            reminders=reminders_ahead(self.interval.start, self.offsets, now),
            created_at=now,
            updated_at=now,
        )


def parse_booking(body: str | None, now: datetime) -> BookingRequest:
    """Read the body of `POST /appointments`.

    Raises BadRequestError where it is no JSON, InvalidRequestError with every fault that it has.
    """
    return _Reader(_parse_object(body)).booking(now)


def _parse_object(body: str | None) -> dict[str, Any]:
    try:
        value = json.loads(body or "", parse_constant=_refuse_constant)
        # A lone surrogate such as "\ud800" is legal JSON, but no text: nothing downstream could encode it.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as exc:  # UnicodeEncodeError is a ValueError
        raise BadRequestError("The body is not valid JSON.") from exc
    if not isinstance(value, dict):
        raise InvalidRequestError([Fault("", "must be a JSON object")])
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


@dataclass(slots=True)
class _Reader:
    """Reads one field at a time and collects faults; a field at fault reads as None."""

    body: dict[str, Any]
    faults: list[Fault] = field(default_factory=list)

    def booking(self, now: datetime) -> BookingRequest:
        for name in sorted(self.body.keys() - set(_BOOKING_FIELDS)):
            self.fault(_printable(name), f"is not a field of this request; it takes {', '.join(_BOOKING_FIELDS)}")
        user_id = self.identifier("userId")
        zone = self.zone()
        interval = self.interval(zone, now)
        resource_ids = self.resource_ids()
        details = self.details()
        offsets = self.offsets()
        if interval and user_id:
            calendars = len({user_id, *resource_ids})
            days = len(list(interval.days()))
            if calendars * days >= TRANSACTION_ACTIONS:
                self.fault(
                    "resourceIds",
                    f"make {calendars} calendars over {days} days; calendars times days may be at most "
                    f"{TRANSACTION_ACTIONS - 1}, which one transaction can hold",
                )
        if self.faults or interval is None or user_id is None:
            raise InvalidRequestError(self.faults)
        return BookingRequest(user_id, interval, zone.key if zone else None, resource_ids, details, offsets)

    def fault(self, name: str, message: str) -> None:
        self.faults.append(Fault(name, message))

    def text(self, name: str, *, required: bool = False) -> str | None:
        if name not in self.body:
            if required:
                self.fault(name, "is required")
            return None
        value = self.body[name]
        if isinstance(value, str):
            return value
        self.fault(name, "must be a string")
        return None

    def identifier(self, name: str) -> str | None:
        value = self.text(name, required=True)
        if value is not None and not _ID.fullmatch(value):
            self.fault(name, _ID_RULE)
            return None
        return value

    def zone(self) -> ZoneInfo | None:
        name = self.text("timeZone")
        if name is None:
            return None
        try:
            return load_zone(name)
        except InvalidTimeError as exc:
            self.fault("timeZone", str(exc))
            return None

    def interval(self, zone: ZoneInfo | None, now: datetime) -> Interval | None:
        start, end = self.time("startTime", zone), self.time("endTime", zone)
        if start and start < now.replace(microsecond=0):
            self.fault("startTime", f"lies in the past; it is now {to_utc_text(now)}")
        if end and end.year > LAST_YEAR:
            self.fault("endTime", f"must not lie after the year {LAST_YEAR}")
        if not start or not end:
            return None
        if end <= start:
            self.fault("endTime", "must be after startTime")
            return None
        if end - start > MAX_DURATION:
            self.fault("endTime", f"must be at most {MAX_DURATION.days} days after startTime")
            return None
        return Interval(start, end)

    def time(self, name: str, zone: ZoneInfo | None) -> datetime | None:
        text = self.text(name, required=True)
        if text is None:
            return None
        # Where `timeZone` itself is at fault, a local time can still be checked for its form, but not placed.
        unplaced = zone is None and "timeZone" in self.body and not has_offset(text)
        try:
            moment = parse_time(text, load_zone("UTC") if unplaced else zone)
        except InvalidTimeError as exc:
            self.fault(name, str(exc))
            return None
        return None if unplaced else moment

    def resource_ids(self) -> tuple[str, ...]:
        values = self.strings("resourceIds", MAX_RESOURCES)
        for index, value in enumerate(values):
            if not _ID.fullmatch(value):
                self.fault(f"resourceIds[{index}]", _ID_RULE)
        return tuple(dict.fromkeys(values))

    def strings(self, name: str, most: int) -> list[str]:
        values = self.body.get(name, [])
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            self.fault(name, "must be a list of strings")
            return []
        if len(values) > most:
            self.fault(name, f"must have at most {most} elements")
            return []
        return values

    def details(self) -> dict[str, Any]:
        details = self.body.get("details", {})
        if not isinstance(details, dict):
            self.fault("details", "must be a JSON object")
            return {}
        size = len(json.dumps(details, ensure_ascii=False, separators=(",", ":")).encode())
        if size > MAX_DETAILS_BYTES:
            self.fault("details", f"must be at most {MAX_DETAILS_BYTES} bytes of JSON; these are {size}")
        return details

    def offsets(self) -> tuple[str, ...]:
        if "reminders" not in self.body:
            return DEFAULT_REMINDERS
        offsets = self.strings("reminders", MAX_REMINDERS)
        seen: dict[object, str] = {}
        for index, offset in enumerate(offsets):
            try:
                span = parse_offset(offset)
            except InvalidTimeError as exc:
                self.fault(f"reminders[{index}]", str(exc))
                continue
            if span in seen:
                self.fault(f"reminders[{index}]", f"is the same span as {seen[span]}; send each once")
            seen[span] = offset
        return tuple(offsets)


def _printable(name: str) -> str:
    """A field's name as the caller sent it, made safe and short enough to hand back."""
    return name.encode("unicode_escape").decode()[:64]
