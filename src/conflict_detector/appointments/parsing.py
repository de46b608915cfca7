"""Requests about appointments, from JSON and query to checked values."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from appointments.errors import AppointmentNotFoundError, Fault, InvalidRequestError
from appointments.model import SYSTEM, Appointment, Interval, WallTimes
from appointments.reader import Reader
from appointments.reminders import DEFAULT_REMINDERS, reminders_ahead
from appointments.statuses import Status
from appointments.times import (
    has_offset,
)
from conflict_detector.appointments.fields import (
    fit_one_transaction,
    past_fault,
    read_contact_if_sent,
    read_details,
    read_hold,
    read_interval,
    read_seats,
    read_session,
    wall_times_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from appointments.contacts import Contact
    from appointments.reader import Query
    from conflict_detector.request import Headers

# Every id is one that this API made.
# Compiled at their first use: a start waits for none that few requests need.
_APPOINTMENT_ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_IDEMPOTENCY_KEY = r"[\x20-\x7e]{1,255}"
_KEY_NAMESPACE = uuid.UUID("8f8a4a53-6c1b-4b55-9e0a-4d3c8e0f6a02")
BOOKING_FIELDS = (
    "userId",
    "startTime",
    "endTime",
    "timeZone",
    "resourceIds",
    "details",
    "reminders",
    "anyOf",
    "hold",
    "seats",
    "session",
    "sessionId",
    "serviceId",
    "contact",
    "ignoreNotice",
)
_REQUIRED_FIELDS = ("userId", "startTime", "endTime")


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
    hold: timedelta | None = None
    seats: int = 1
    session_seats: int | None = None
    contact: Contact | None = None
    ignore_notice: bool = False

    def appointment(self, now: datetime, by: str = SYSTEM) -> Appointment:
        """The appointment that somebody books, with those of its reminders that are still ahead.

        An idempotency key is folded into the id, together with the user whose key it is: a repetition
        has the same id, and the transaction itself notices it.
        """
        offsets = DEFAULT_REMINDERS if self.offsets is None else self.offsets
        status = Status.SCHEDULED if self.hold is None else Status.HELD
        return Appointment(
            appointment_id=new_id(self.idempotency_key, self.user_id),
            user_id=self.user_id,
            interval=self.interval,
            time_zone=self.time_zone,
            wall=self.wall,
            resource_ids=self.resource_ids,
            details=self.details,
            offsets=offsets,
            reminders=reminders_ahead(self.interval.start, offsets, now, self.time_zone) if status.reminds else (),
            status=status,
            expires_at=now.replace(microsecond=0) + self.hold if self.hold else None,
            created_at=now,
            updated_at=now,
            fingerprint=self.fingerprint,
            places=self.seats,
            session_seats=self.session_seats,
            contact=self.contact,
            by=by,
        )


def parse_appointment_id(text: str) -> str:
    """An appointment's id in a path, in upper or lower case. Raises AppointmentNotFoundError if it cannot be one."""
    appointment_id = text.lower()
    if not re.fullmatch(_APPOINTMENT_ID, appointment_id):
        raise AppointmentNotFoundError
    return appointment_id


def is_appointment_id(text: str) -> bool:
    """Whether a text can be the id of an appointment."""
    return re.fullmatch(_APPOINTMENT_ID, text) is not None


def parse_booking(body: dict[str, Any], now: datetime, query: Query, headers: Headers) -> BookingRequest:
    """Check a request of `POST /appointments`. Raises InvalidRequestError with every fault that it has."""
    parameters = Reader.of_query(query, ("dryRun",))
    dry_run = parameters.choice("dryRun", ("true", "false"))
    key = read_idempotency_key(headers, parameters)
    reader = Reader(body, BOOKING_FIELDS, _REQUIRED_FIELDS)
    user_id = reader.calendar_id("userId")
    zone = reader.zone()
    start, end = reader.time("startTime", zone), reader.time("endTime", zone, exact=False)
    resource_ids = reader.calendar_ids("resourceIds")
    any_of = _any_of(reader, {user_id, *resource_ids})
    details, offsets, hold = read_details(reader), reader.reminder_offsets(), read_hold(reader)
    seats = read_seats(reader, {*resource_ids, *any_of} - {user_id})
    session_seats, contact = read_session(reader), read_contact_if_sent(reader)
    ignore_notice = reader.flag("ignoreNotice")
    past = past_fault(start, now)
    interval = read_interval(reader, start, end, zone)
    if interval and user_id:
        calendars = len({user_id, *resource_ids}) + bool(any_of)  # of `anyOf`, one is taken
        fit_one_transaction(reader, calendars * len(list(interval.days())), calendars)
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
        fingerprint=fingerprint_of(body, key),
        past=past,
        wall=None if has_offset(body["startTime"]) else wall_times_of(interval, zone, body["endTime"]),
        idempotency_key=key,
        dry_run=dry_run == "true",
        hold=hold,
        seats=seats,
        session_seats=session_seats,
        contact=contact,
        ignore_notice=ignore_notice,
    )


def new_id(key: str | None, *owner: str) -> str:
    """The id of something new: of an idempotency key and whose it is, so that a repetition has the same one."""
    return str(uuid.uuid5(_KEY_NAMESPACE, json.dumps([*owner, key])) if key else uuid.uuid4())


def fingerprint_of(body: dict[str, Any], key: str | None) -> str | None:
    """What tells requests under one idempotency key apart; None without a key."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest() if key else None


def read_idempotency_key(headers: Headers, reader: Reader) -> str | None:
    """The header of this name."""
    keys = headers.get("idempotency-key", ())
    if len(keys) > 1:
        reader.fault("Idempotency-Key", "is sent more than once")
    elif keys and not re.fullmatch(_IDEMPOTENCY_KEY, keys[0]):
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
