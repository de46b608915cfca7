"""Requests about appointments, from JSON and query to checked values."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from appointments.claims import carrying_days, claims_of
from appointments.errors import AppointmentNotFoundError, Fault, InvalidRequestError
from appointments.model import (
    DEFAULT_REMINDERS,
    MAX_DURATION,
    MAX_SPAN,
    Appointment,
    Interval,
    WallTimes,
    reminders_after_change,
    reminders_ahead,
)
from appointments.reader import LAST_YEAR, Reader
from appointments.statuses import Status
from appointments.storage.appointments import BEGIN_OF_TIME, END_OF_TIME, CalendarQuery, ListQuery
from appointments.storage.dynamodb import TRANSACTION_ACTIONS
from appointments.times import (
    Length,
    find_zone,
    has_offset,
    is_longer,
    to_utc_text,
    to_wall_text,
    wall_time,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from appointments.reader import Query
    from appointments.storage.appointments import Position
    from conflict_detector.request import Headers

MAX_DETAILS_BYTES = 16 * 1024
# Far below what the JSON library takes, so that whatever was stored can be read and answered again.
MAX_DETAILS_DEPTH = 32
# What the texts of reminders show. All other fields are the caller's own.
DETAILS_TEXTS = ("title", "location", "description", "contact")
DEFAULT_PAGE = 50
MAX_PAGE = 100

# Every id is one that this API made.
_APPOINTMENT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_IDEMPOTENCY_KEY = re.compile(r"[\x20-\x7e]{1,255}")
_KEY_NAMESPACE = uuid.UUID("8f8a4a53-6c1b-4b55-9e0a-4d3c8e0f6a02")
_CHANGE_FIELDS = ("startTime", "endTime", "timeZone", "resourceIds", "details", "reminders")
_BOOKING_FIELDS = ("userId", *_CHANGE_FIELDS, "anyOf")
_REQUIRED_FIELDS = ("userId", "startTime", "endTime")
_LIST_PARAMETERS = ("userId", "calendarId", "from", "to", "timeZone", "status", "limit", "cursor")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BookingRequest:
    """A request of `POST /appointments` that has no fault in itself; whether it fits is decided later.

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
    fingerprint: str | None
    past: Fault | None
    wall: WallTimes | None
    idempotency_key: str | None
    dry_run: bool

    def appointment(self, now: datetime) -> Appointment:
        """The appointment to book, with those of its reminders that are still ahead.

        An idempotency key is folded into the id, together with the user whose key it is: a repetition
        has the same id, and the transaction itself notices it.
        """
        if self.idempotency_key is None:
            appointment_id = uuid.uuid4()
        else:
            appointment_id = uuid.uuid5(_KEY_NAMESPACE, json.dumps([self.user_id, self.idempotency_key]))
        offsets = DEFAULT_REMINDERS if self.offsets is None else self.offsets
        return Appointment(
            appointment_id=str(appointment_id),
            user_id=self.user_id,
            interval=self.interval,
            time_zone=self.time_zone,
            wall=self.wall,
            resource_ids=self.resource_ids,
            details=self.details,
            offsets=offsets,
            reminders=reminders_ahead(self.interval.start, offsets, now, self.time_zone),
            created_at=now,
            updated_at=now,
            fingerprint=self.fingerprint,
        )


def parse_appointment_id(text: str) -> str:
    """An appointment's id in a path, in upper or lower case. Raises AppointmentNotFoundError if it cannot be one."""
    appointment_id = text.lower()
    if not _APPOINTMENT_ID.fullmatch(appointment_id):
        raise AppointmentNotFoundError
    return appointment_id


def parse_booking(body: dict[str, Any], now: datetime, query: Query, headers: Headers) -> BookingRequest:
    """Check a request of `POST /appointments`. Raises InvalidRequestError with every fault that it has."""
    parameters = Reader.of_query(query, ("dryRun",))
    dry_run = parameters.choice("dryRun", ("true", "false"))
    key = _idempotency_key(headers, parameters)
    reader = Reader(body, _BOOKING_FIELDS, _REQUIRED_FIELDS)
    user_id = reader.calendar_id("userId")
    zone = reader.zone()
    start, end = reader.time("startTime", zone), reader.time("endTime", zone, exact=False)
    resource_ids = reader.calendar_ids("resourceIds")
    any_of = _any_of(reader, {user_id, *resource_ids})
    details, offsets = _details(reader), reader.reminder_offsets()
    past = _past(start, now)
    interval = _interval(reader, start, end, zone)
    if interval and user_id:
        calendars = len({user_id, *resource_ids}) + bool(any_of)  # of `anyOf`, one is taken
        _fit_one_transaction(reader, calendars * len(list(interval.days())), calendars)
    faults = [*reader.faults, *parameters.faults]
    if faults or interval is None or user_id is None:
        raise InvalidRequestError([*faults, past] if past else faults)
    return BookingRequest(
        user_id=user_id,
        interval=interval,
        time_zone=zone.key if zone else None,
        resource_ids=resource_ids,
        details=details,
        offsets=offsets,
        any_of=any_of,
        fingerprint=hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest() if key else None,
        past=past,
        wall=None if has_offset(body["startTime"]) else _wall_times(interval, zone),
        idempotency_key=key,
        dry_run=dry_run == "true",
    )


def _idempotency_key(headers: Headers, reader: Reader) -> str | None:
    keys = headers.get("idempotency-key", ())
    if len(keys) > 1:
        reader.fault("Idempotency-Key", "is sent more than once")
    elif keys and not _IDEMPOTENCY_KEY.fullmatch(keys[0]):
        reader.fault("Idempotency-Key", "must be 1 to 255 printable ASCII characters")
    return keys[0] if keys else None


def _any_of(reader: Reader, taken: set[str | None]) -> tuple[str, ...]:
    faults_before = len(reader.faults)
    any_of = reader.calendar_ids("anyOf")
    if "anyOf" in reader.body and len(reader.faults) == faults_before:
        if not any_of:
            reader.fault("anyOf", "must name at least one calendar")
        if taken & set(any_of):
            reader.fault("anyOf", "must not name calendars that the appointment takes anyway")
    return any_of


def parse_change(body: dict[str, Any], before: Appointment, now: datetime, beside: Sequence[Fault] = ()) -> Appointment:
    """Check a request of `PATCH /appointments/{id}`, and return the appointment as it asks for it, one version later.

    `startTime` alone moves it and keeps its length. A local time without `timeZone` is read in the
    appointment's own zone, which the time-zone data may have lost since. `details` replace the old ones as a whole.
    Raises InvalidRequestError with every fault that the body has, and those that were found `beside` it.
    """
    reader = Reader(body, _CHANGE_FIELDS, faults=[*beside], kept_zone=before.time_zone)
    if not body:
        reader.fault("", f"must change something; it takes {', '.join(_CHANGE_FIELDS)}")
    zone = reader.zone()
    start = reader.time("startTime", zone) if "startTime" in body else before.interval.start
    # A start that stays where it was may have passed: what has begun can still get another end.
    if start != before.interval.start and (past := _past(start, now)):
        reader.faults.append(past)
    end = start and _moved(before, start, zone).end
    if "endTime" in body:
        end = reader.time("endTime", zone, exact=False)
    interval = _interval(reader, start, end, zone)
    offsets = reader.reminder_offsets()
    offsets = before.offsets if offsets is None else offsets
    resource_ids = reader.calendar_ids("resourceIds") if "resourceIds" in body else before.resource_ids
    after = replace(
        before,
        interval=interval or before.interval,
        time_zone=zone.key if zone else before.time_zone,
        resource_ids=resource_ids,
        assigned_calendar_id=before.assigned_calendar_id if before.assigned_calendar_id in resource_ids else None,
        details=_details(reader) if "details" in body else before.details,
        offsets=offsets,
        version=before.version + 1,
        updated_at=now,
    )
    moved = (after.interval, after.time_zone) != (before.interval, before.time_zone)
    if "startTime" in body:
        after = replace(after, wall=None if has_offset(str(body["startTime"])) else _wall_times(after.interval, zone))
    elif before.wall and moved:  # without a zone, what the clock on the wall shows cannot be told any more
        after = replace(after, wall=_wall_times(after.interval, zone))
    _fit_one_transaction(reader, len(carrying_days((*claims_of(before), *claims_of(after)))), len(after.calendar_ids))
    if reader.faults:
        raise InvalidRequestError(reader.faults)
    what_reminders_follow = [(it.interval.start, it.offsets, it.time_zone) for it in (before, after)]
    if what_reminders_follow[0] != what_reminders_follow[1]:
        after = replace(after, reminders=reminders_after_change(before, after, now))
    return after


def _moved(before: Appointment, start: datetime, zone: ZoneInfo | None) -> Interval:
    """Where an appointment lies that is moved and keeps its length; `zone` is the one that it will have.

    It keeps its length on the wall if it was given in local time, or if it is whole days of its zone.
    """
    was, own = before.interval, find_zone(before.time_zone)
    if start == was.start:
        return was
    elapsed = was.end - was.start
    length = Length.between(*was, own)
    if before.wall and own:
        length = Length(wall_time(was.end, own) - wall_time(was.start, own), own)
    if length.zone:
        length = length._replace(zone=zone or own)
    end = length.after(start)
    # The first pass of an end that comes twice may lie before the start.
    return Interval(start, end if end > start else start + elapsed)


def _wall_times(interval: Interval, zone: ZoneInfo | None) -> WallTimes | None:
    return WallTimes(*(to_wall_text(moment, zone) for moment in interval)) if zone else None


def parse_list(query: Query) -> ListQuery | CalendarQuery:
    """Check the query of `GET /appointments`. Raises InvalidRequestError with every fault that it has."""
    of_calendar = "calendarId" in query
    required = ("calendarId", "from", "to") if of_calendar else ()
    reader = Reader.of_query(query, _LIST_PARAMETERS, required=required)
    owner = reader.calendar_id("calendarId" if of_calendar else "userId")
    if of_calendar == ("userId" in query):
        reader.fault("userId", "is required, or else calendarId" if not of_calendar else "is sent beside calendarId")
    zone = reader.zone()
    start, end = (reader.time(name, zone, exact=False) for name in ("from", "to"))
    if start and end and end <= start:
        reader.fault("to", "must be after from")
    elif of_calendar and start and end and is_longer(start, end, MAX_SPAN, zone):
        reader.fault("to", f"must be after from, by at most {MAX_SPAN.days} days")
    status = reader.choice("status", tuple(Status))
    status_asked = Status(status) if status else None
    limit = reader.whole("limit", 1, MAX_PAGE) or DEFAULT_PAGE
    # On a calendar a list begins with what started before and lasts until then.
    after = _position(reader, BEGIN_OF_TIME if of_calendar or not start else start, end or END_OF_TIME)
    if reader.faults or owner is None:
        raise InvalidRequestError(reader.faults)
    if of_calendar and start and end:
        return CalendarQuery(owner, Interval(start, end), status_asked, limit, after)
    return ListQuery(owner, start or BEGIN_OF_TIME, end or END_OF_TIME, status_asked, limit, after)


def _past(start: datetime | None, now: datetime) -> Fault | None:
    if start is None or start >= now.replace(microsecond=0):
        return None
    return Fault("startTime", f"lies in the past; it is now {to_utc_text(now)}")


def _interval(reader: Reader, start: datetime | None, end: datetime | None, zone: ZoneInfo | None) -> Interval | None:
    if not start or not end:
        return None
    if end <= start:
        reader.fault("endTime", "must be after startTime")
        return None
    if is_longer(start, end, MAX_DURATION, zone):
        reader.fault("endTime", f"must be at most {MAX_DURATION.days} days after startTime")
        return None
    if end.year > LAST_YEAR:  # a move that keeps the length
        reader.fault("startTime", f"makes it end after the year {LAST_YEAR}")
        return None
    return Interval(start, end)


def _fit_one_transaction(reader: Reader, days: int, calendars: int) -> None:
    """Add a fault if a change of so many calendar days does not fit into one transaction with the appointment itself.

    Each of the calendars may add the UTC day before and the one after: its buffers, which nobody has read yet,
    reach that far and no further.
    """
    calendar_days = days + 2 * calendars
    if calendar_days >= TRANSACTION_ACTIONS:
        reader.fault(
            "resourceIds",
            f"and the days make {calendar_days} calendar days, with one before and one after on each calendar for "
            f"its buffers; at most {TRANSACTION_ACTIONS - 1} fit into one transaction, so take fewer calendars or "
            f"days",
        )


def _position(reader: Reader, starts_from: datetime, starts_before: datetime) -> Position | None:
    """Where a cursor points, if that lies in the range asked for."""
    from conflict_detector.appointments.cursors import decode_cursor  # noqa: PLC0415 - only lists have cursors

    text = reader.text("cursor")
    if text is None:
        return None
    try:
        position = decode_cursor(text)
    except ValueError:
        position = None
    if (
        position
        and starts_from <= position.start < starts_before
        and _APPOINTMENT_ID.fullmatch(position.appointment_id)
    ):
        return position
    reader.fault("cursor", "is not a nextCursor of this list")
    return None


def _details(reader: Reader) -> dict[str, Any]:
    details = reader.body.get("details", {})
    if not isinstance(details, dict):
        reader.fault("details", "must be a JSON object")
        return {}
    if _depth(details) > MAX_DETAILS_DEPTH:
        reader.fault("details", f"must be nested at most {MAX_DETAILS_DEPTH} levels deep")
        return {}
    for name in DETAILS_TEXTS:
        if not isinstance(details.get(name, ""), str):
            reader.fault(f"details.{name}", "must be a string")
    size = len(json.dumps(details, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MAX_DETAILS_BYTES:
        reader.fault("details", f"must be at most {MAX_DETAILS_BYTES} bytes of JSON; these are {size}")
    return details


def _depth(value: dict[str, Any]) -> int:
    """How many objects and lists lie within one another."""
    depth = 0
    level: list[dict[str, Any] | list[Any]] = [value]
    while level:
        depth += 1
        inside = (inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer))
        level = [inner for inner in inside if isinstance(inner, dict | list)]
    return depth
