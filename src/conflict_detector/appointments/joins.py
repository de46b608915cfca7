"""Requests to join a session, from JSON to the appointment that they ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.claims import session_calendar
from appointments.errors import InvalidRequestError
from appointments.model import Appointment, Interval
from appointments.reader import Reader
from appointments.reminders import DEFAULT_REMINDERS
from appointments.statuses import Status
from appointments.storage.lists import BEGIN_OF_TIME, END_OF_TIME, CalendarQuery
from conflict_detector.appointments.fields import read_contact_if_sent, read_details, read_seats
from conflict_detector.appointments.listing import DEFAULT_PAGE, MAX_PAGE, read_position
from conflict_detector.appointments.parsing import (
    BOOKING_FIELDS,
    fingerprint_of,
    is_appointment_id,
    new_id,
    read_idempotency_key,
)

if TYPE_CHECKING:
    from datetime import datetime

    from appointments.reader import Query
    from conflict_detector.request import Headers

_LIST_PARAMETERS = ("sessionId", "status", "limit", "cursor")
_FIELDS = ("userId", "sessionId", "seats", "details", "reminders", "contact")


class JoinRequest(NamedTuple):
    """What is asked for: an appointment that has no times yet, and how to book it."""

    wanted: Appointment
    own_reminders: bool
    dry_run: bool


def parse_join(body: dict[str, Any], now: datetime, query: Query, headers: Headers) -> JoinRequest:
    """Check a request of `POST /appointments` with `sessionId`. Raises InvalidRequestError with every fault."""
    parameters = Reader.of_query(query, ("dryRun",))
    dry_run = parameters.choice("dryRun", ("true", "false")) == "true"
    key = read_idempotency_key(headers, parameters)
    reader = Reader(body, BOOKING_FIELDS, ("userId", "sessionId"))
    user_id, session_id = reader.calendar_id("userId"), (reader.text("sessionId") or "").lower()
    if not is_appointment_id(session_id):
        reader.fault("sessionId", "is not the id of a session")
    for name in body.keys() & set(BOOKING_FIELDS).difference(_FIELDS):
        reader.fault(name, "is not sent with sessionId; an appointment lies where its session lies")
    details, offsets, seats = read_details(reader), reader.reminder_offsets(), read_seats(reader, [session_id])
    contact = read_contact_if_sent(reader)
    faults = [*reader.faults, *parameters.faults]
    if faults or user_id is None:
        raise InvalidRequestError(faults)
    wanted = Appointment(
        appointment_id=new_id(key, user_id),
        user_id=user_id,
        interval=Interval(now, now),
        created_at=now,
        updated_at=now,
        details=details,
        offsets=DEFAULT_REMINDERS if offsets is None else offsets,
        fingerprint=fingerprint_of(body, key),
        places=seats,
        session_id=session_id,
        contact=contact,
    )
    return JoinRequest(wanted, offsets is not None, dry_run)


def parse_joined(query: Query) -> CalendarQuery:
    """Check the query of `GET /appointments?sessionId=`. Raises InvalidRequestError with every fault that it has.

    The calendar is that of the session; when it takes place is not known yet.
    """
    reader = Reader.of_query(query, _LIST_PARAMETERS, required=("sessionId",))
    session_id = (reader.text("sessionId") or "").lower()
    if not is_appointment_id(session_id):
        reader.fault("sessionId", "is not the id of a session")
    status = reader.choice("status", tuple(Status))
    limit = reader.whole("limit", 1, MAX_PAGE) or DEFAULT_PAGE
    always = Interval(BEGIN_OF_TIME, END_OF_TIME)
    after = read_position(reader, *always)
    reader.raise_faults()
    return CalendarQuery(session_calendar(session_id), always, Status(status) if status else None, limit, after)
