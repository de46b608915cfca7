"""Requests in: from the text of a body to checked values, naming every fault at once."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from appointments.calendar_settings import parse_offsets
from appointments.errors import BadRequestError, Fault, InvalidRequestError
from appointments.model import (
    DEFAULT_REMINDERS,
    MAX_DURATION,
    Appointment,
    Interval,
    Status,
    reminders_after_change,
    reminders_ahead,
)
from appointments.table import TRANSACTION_ACTIONS
from appointments.times import InvalidTimeError, has_offset, load_zone, parse_time, to_utc_text
from conflict_detector.cursors import decode_cursor

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from appointments.table import Position

MAX_RESOURCES = 20
MAX_DETAILS_BYTES = 16 * 1024
DEFAULT_PAGE = 50
MAX_PAGE = 100
MAX_SPAN = timedelta(days=62)
MAX_SLOTS = 10_000
# EventBridge's cron fields end with this year, and so do reminders.
LAST_YEAR = 2199

_ID = re.compile(r"[A-Za-z0-9._:@+=~-]{1,128}", re.ASCII)
_IDEMPOTENCY_KEY = re.compile(r"[\x20-\x7e]{1,255}")
_KEY_NAMESPACE = uuid.UUID("8f8a4a53-6c1b-4b55-9e0a-4d3c8e0f6a02")
_ID_RULE = "must be 1 to 128 characters out of letters, digits and . _ : @ + = ~ -"
_CHANGE_FIELDS = ("startTime", "endTime", "timeZone", "resourceIds", "details", "reminders")
_BOOKING_FIELDS = ("userId", *_CHANGE_FIELDS, "anyOf")
_REQUIRED_FIELDS = ("userId", "startTime", "endTime")


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """A body of `POST /appointments` that has no fault in itself; whether it fits is decided later.

    `past` is the fault of an interval that has begun. It is kept apart because the repetition of a request
    that was good in its time is answered as it was then.
    """

    user_id: str
    interval: Interval
    time_zone: str | None
    resource_ids: tuple[str, ...]
    details: Mapping[str, Any]
    offsets: tuple[str, ...] | None
    any_of: tuple[str, ...]
    fingerprint: str
    past: Fault | None

    def appointment(self, now: datetime, idempotency_key: str | None = None) -> Appointment:
        """The appointment to book, with those of its reminders that are still ahead.

        An idempotency key is folded into the id, together with the user whose key it is: a repetition
        has the same id, and the transaction itself notices it.
        """
        if idempotency_key is None:
            appointment_id = uuid.uuid4()
        else:
            appointment_id = uuid.uuid5(_KEY_NAMESPACE, json.dumps([self.user_id, idempotency_key]))
        offsets = DEFAULT_REMINDERS if self.offsets is None else self.offsets
        return Appointment(
            appointment_id=str(appointment_id),
            user_id=self.user_id,
            interval=self.interval,
            time_zone=self.time_zone,
            resource_ids=self.resource_ids,
            details=self.details,
            offsets=offsets,
            reminders=reminders_ahead(self.interval.start, offsets, now),
            created_at=now,
            updated_at=now,
            fingerprint=None if idempotency_key is None else self.fingerprint,
        )


class ListRequest(NamedTuple):
    """The query of `GET /appointments`."""

    user_id: str
    starts_from: datetime | None
    starts_before: datetime | None
    status: Status | None
    limit: int
    after: Position | None


def parse_object(body: str | None) -> dict[str, Any]:
    """Read a body. Raises BadRequestError where it is no JSON, InvalidRequestError where it is no object."""
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


def parse_booking(body: dict[str, Any], now: datetime) -> BookingRequest:
    """Check the body of `POST /appointments`. Raises InvalidRequestError with every fault that it has."""
    reader = _Reader(body, _BOOKING_FIELDS, required=_REQUIRED_FIELDS)
    user_id = reader.identifier("userId")
    zone = reader.zone()
    start, end = reader.time("startTime", zone), reader.time("endTime", zone)
    resource_ids = reader.identifiers("resourceIds")
    any_of = reader.identifiers("anyOf")
    if "anyOf" in body and not reader.faults:
        if not any_of:
            reader.fault("anyOf", "must name at least one calendar")
        if set(any_of) & {user_id, *resource_ids}:
            reader.fault("anyOf", "must not name calendars that the appointment takes anyway")
    details = reader.details()
    offsets = reader.offsets()
    past = _past(start, now)
    interval = reader.interval(start, end)
    if interval and user_id:
        # Each calendar adds the days that its buffers may reach into; of `anyOf`, one calendar is taken.
        calendars = len({user_id, *resource_ids}) + bool(any_of)
        reader.fits_one_transaction(calendars * (len(list(interval.days())) + 2))
    if reader.faults or interval is None or user_id is None:
        raise InvalidRequestError([*reader.faults, past] if past else reader.faults)
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    zone_name = zone.key if zone else None
    return BookingRequest(user_id, interval, zone_name, resource_ids, details, offsets, any_of, digest, past)


def revise(body: dict[str, Any], before: Appointment, now: datetime) -> Appointment:
    """What the body of `PATCH /appointments/{id}` makes of an appointment, one version later.

    `startTime` alone moves it and keeps its length. A local time without `timeZone` is read in the
    appointment's own zone. `details` replace the old ones as a whole.
    Raises InvalidRequestError with every fault that the body has.
    """
    reader = _Reader(body, _CHANGE_FIELDS)
    if not body:
        reader.fault("", f"must change something; it takes {', '.join(_CHANGE_FIELDS)}")
    zone = reader.zone() if "timeZone" in body else (load_zone(before.time_zone) if before.time_zone else None)
    start, end = before.interval
    if "startTime" in body:
        given = reader.time("startTime", zone)
        if past := _past(given, now):
            reader.faults.append(past)
        start, end = given or start, end + ((given or start) - start)
    if "endTime" in body:
        end = reader.time("endTime", zone) or end
    interval = None if reader.faults else reader.interval(start, end)
    offsets = reader.offsets()
    offsets = before.offsets if offsets is None else offsets
    after = replace(
        before,
        interval=interval or before.interval,
        time_zone=zone.key if zone else before.time_zone,
        resource_ids=reader.identifiers("resourceIds") if "resourceIds" in body else before.resource_ids,
        details=reader.details() if "details" in body else before.details,
        offsets=offsets,
        version=before.version + 1,
        updated_at=now,
    )
    reader.fits_one_transaction(len({*before.day_keys(), *after.day_keys()}) + 2 * len(after.calendar_ids))
    if reader.faults:
        raise InvalidRequestError(reader.faults)
    if after.interval.start != before.interval.start or offsets != before.offsets:
        after = replace(after, reminders=reminders_after_change(before, after.interval.start, offsets, now))
    return after


def parse_list(query: Mapping[str, str]) -> ListRequest:
    """Check the query of `GET /appointments`. Raises InvalidRequestError with every fault that it has."""
    # A "+" that was not encoded arrives as a space; in a time it can only have been the sign of an offset.
    body = {name: re.sub(r" (?=\d\d:\d\d$)", "+", value) for name, value in query.items()}
    reader = _Reader(body, tuple(body), required=("userId",))
    user_id = reader.identifier("userId")
    starts_from, starts_before = reader.time("from", None), reader.time("to", None)
    if starts_from and starts_before and starts_before <= starts_from:
        reader.fault("to", "must be after from")
    status = None
    if "status" in body:
        if body["status"] in set(Status):
            status = Status(body["status"])
        else:
            reader.fault("status", f"must be one of {', '.join(Status)}")
    limit = DEFAULT_PAGE
    if "limit" in body:
        if re.fullmatch(r"[1-9]\d{0,2}", body["limit"], re.ASCII) and int(body["limit"]) <= MAX_PAGE:
            limit = int(body["limit"])
        else:
            reader.fault("limit", f"must be a whole number from 1 to {MAX_PAGE}")
    after = reader.position("cursor", starts_from, starts_before)
    if reader.faults or user_id is None:
        raise InvalidRequestError(reader.faults)
    return ListRequest(user_id, starts_from, starts_before, status, limit, after)


class AvailabilityRequest(NamedTuple):
    """The query of `GET /availability`. `within` is in UTC; `zone` is for the answer, if one was given."""

    calendar_ids: tuple[str, ...]
    within: Interval
    duration: timedelta
    step: timedelta
    any_of: bool
    zone: ZoneInfo | None


def parse_availability(query: Mapping[str, str]) -> AvailabilityRequest:
    """Check the query of `GET /availability`. Raises InvalidRequestError with every fault that it has."""
    body: dict[str, Any] = {name: re.sub(r" (?=\d\d:\d\d$)", "+", value) for name, value in query.items()}
    reader = _Reader(body, tuple(body), required=("from", "to"))
    if not body.get("calendarIds"):
        reader.fault("calendarIds", "is required; separate several by commas")
    body["calendarIds"] = [text for text in body.get("calendarIds", "").split(",") if text]
    calendar_ids = reader.identifiers("calendarIds")
    zone = reader.zone()
    start, end = reader.time("from", zone), reader.time("to", zone)
    if start and end and not start < end <= start + MAX_SPAN:
        reader.fault("to", f"must be after from, by at most {MAX_SPAN.days} days")
    duration = reader.minutes("durationMinutes")
    if "durationMinutes" not in body:
        reader.fault("durationMinutes", "is required")
    step = reader.minutes("stepMinutes") or duration
    if start and end and step and (end - start) / step > MAX_SLOTS:
        reader.fault("stepMinutes", f"makes over {MAX_SLOTS} slots; ask for larger steps or fewer days")
    mode = body.get("mode", "all")
    if mode not in ("all", "any"):
        reader.fault("mode", "must be all or any")
    if reader.faults or start is None or end is None or duration is None or step is None:
        raise InvalidRequestError(reader.faults)
    return AvailabilityRequest(calendar_ids, Interval(start, end), duration, step, mode == "any", zone)


def parse_calendar_id(text: str) -> str:
    """A calendar's id in a path. Raises InvalidRequestError."""
    if not _ID.fullmatch(text):
        raise InvalidRequestError([Fault("calendarId", _ID_RULE)])
    return text


def parse_version(headers: Mapping[str, str]) -> int | None:
    """The one version that `If-Match` names; None where it allows any, and -1 for what no version can be."""
    tag = headers.get("if-match", "*").strip()
    if tag == "*":
        return None
    match = re.fullmatch(r'"(\d{1,15})"', tag, re.ASCII)
    return int(match[1]) if match else -1


def parse_flag(query: Mapping[str, str], name: str) -> bool:
    """A query parameter that is `true` or `false`, and false where it is absent. Raises InvalidRequestError."""
    value = query.get(name, "false")
    if value not in ("true", "false"):
        raise InvalidRequestError([Fault(name, "must be true or false")])
    return value == "true"


def parse_idempotency_key(headers: Mapping[str, str]) -> str | None:
    """The `Idempotency-Key` header, if there is one. `headers` have lower-case names. Raises InvalidRequestError."""
    key = headers.get("idempotency-key")
    if key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
        raise InvalidRequestError([Fault("Idempotency-Key", "must be 1 to 255 printable ASCII characters")])
    return key


def matches_version(headers: Mapping[str, str], version: int) -> bool:
    """Whether `If-Match` allows a change of this version: by naming it, by `*`, or by not being there."""
    tags = headers.get("if-match", "*").split(",")
    return any(tag.strip() in ("*", f'"{version}"') for tag in tags)


def _past(start: datetime | None, now: datetime) -> Fault | None:
    if start is None or start >= now.replace(microsecond=0):
        return None
    return Fault("startTime", f"lies in the past; it is now {to_utc_text(now)}")


@dataclass(slots=True)
class _Reader:
    """Reads one field at a time and collects faults; a field that is absent or at fault reads as None."""

    body: Mapping[str, Any]
    fields: tuple[str, ...]
    required: tuple[str, ...] = ()
    faults: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in sorted(self.body.keys() - set(self.fields)):
            self.fault(_printable(name), f"is not a field of this request; it takes {', '.join(self.fields)}")

    def fault(self, name: str, message: str) -> None:
        self.faults.append(Fault(name, message))

    def text(self, name: str) -> str | None:
        if name not in self.body:
            if name in self.required:
                self.fault(name, "is required")
            return None
        value = self.body[name]
        if isinstance(value, str):
            return value
        self.fault(name, "must be a string")
        return None

    def identifier(self, name: str) -> str | None:
        value = self.text(name)
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

    def interval(self, start: datetime | None, end: datetime | None) -> Interval | None:
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

    def fits_one_transaction(self, calendar_days: int) -> None:
        if calendar_days >= TRANSACTION_ACTIONS:
            self.fault(
                "resourceIds",
                f"and the days make {calendar_days} calendar days to write; at most {TRANSACTION_ACTIONS - 1} "
                f"fit into one transaction, so take fewer calendars or days",
            )

    def position(self, name: str, starts_from: datetime | None, starts_before: datetime | None) -> Position | None:
        """Where a cursor points, if that lies in the range asked for."""
        text = self.text(name)
        if text is None:
            return None
        try:
            position = decode_cursor(text)
        except ValueError:
            position = None
        if (
            position
            and (starts_from or position.start) <= position.start
            and (starts_before is None or position.start < starts_before)
        ):
            return position
        self.fault(name, "is not a nextCursor of this list")
        return None

    def time(self, name: str, zone: ZoneInfo | None) -> datetime | None:
        text = self.text(name)
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

    def identifiers(self, name: str) -> tuple[str, ...]:
        values = self.strings(name, MAX_RESOURCES)
        for index, value in enumerate(values):
            if not _ID.fullmatch(value):
                self.fault(f"{name}[{index}]", _ID_RULE)
        return tuple(dict.fromkeys(values))

    def minutes(self, name: str) -> timedelta | None:
        """A whole number of minutes in a query, up to the longest appointment."""
        text = self.text(name)
        if text is None:
            return None
        most = int(MAX_DURATION / timedelta(minutes=1))
        if re.fullmatch(r"[1-9]\d{0,5}", text, re.ASCII) and int(text) <= most:
            return timedelta(minutes=int(text))
        self.fault(name, f"must be a whole number from 1 to {most}")
        return None

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

    def offsets(self) -> tuple[str, ...] | None:
        """The reminders asked for; None where the calendar's own default holds."""
        return parse_offsets(self.body["reminders"], "reminders", self.faults) if "reminders" in self.body else None


def _printable(name: str) -> str:
    """A field's name as the caller sent it, made safe and short enough to hand back."""
    return name.encode("unicode_escape").decode()[:64]
