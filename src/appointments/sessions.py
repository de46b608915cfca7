"""Sessions: appointments that others join, each with a seat. No I/O.

Who joins has an entry on a calendar of the session's own, of which no caller knows. Its capacity is the session's
seats, so that what decides about every other calendar decides about seats too. It has no settings: the session's own
item says what it allows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from appointments.calendars import CalendarSettings
from appointments.claims import is_session_calendar, session_calendar
from appointments.errors import (
    AppointmentCancelledError,
    ConflictError,
    Fault,
    InvalidRequestError,
    SessionClosedError,
    SessionFullError,
)
from appointments.memory import KnownSettings
from appointments.model import DayKey
from appointments.statuses import Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from appointments.decision import Reading
    from appointments.errors import RefusalError
    from appointments.model import Appointment, Conflict


def settings_of(session: Appointment | None) -> KnownSettings:
    """What a session allows on its calendar, as settings; nothing unless it can be joined."""
    seats = session.session_seats if session and session.status is Status.SCHEDULED else None
    return KnownSettings(CalendarSettings(capacity=seats or 0), session.version if session else 0)


def refuse_unless_session(appointment: Appointment | None) -> Appointment:
    """The appointment, if it is a session. Raises InvalidRequestError."""
    if appointment is None or appointment.session_seats is None:
        raise InvalidRequestError([Fault("sessionId", "is not the id of a session")])
    return appointment


def refuse_unless_open(session: Appointment | None, now: datetime) -> Appointment:
    """The session, if it can be joined. Raises InvalidRequestError, SessionClosedError."""
    session = refuse_unless_session(session)
    if session.status is not Status.SCHEDULED:
        raise SessionClosedError(session.status)
    if session.interval.start < now.replace(microsecond=0):
        raise InvalidRequestError([Fault("sessionId", "is a session that has begun")])
    return session


def seats_left(joining: Appointment, reading: Reading, now: datetime) -> int:
    """How many seats of its session were left for an appointment to take, by what was read."""
    calendar_id = session_calendar(joining.session_id or "")
    day = reading.days.get(DayKey(calendar_id, joining.interval.start.date()))
    entries = {id_: entry for id_, entry in day.entries.items() if id_ != joining.appointment_id} if day else {}
    taken = sum(one.places for entry in entries.values() for one in entry[:1] if not one.has_run_out(now))
    return max(reading.settings[calendar_id].settings.capacity - taken, 0)


def refusal(conflicts: Sequence[Conflict], joining: Appointment, reading: Reading, now: datetime) -> RefusalError:
    """Why an appointment cannot have its seats: the person is busy, or the session full. Others' times do not help.

    In a session that has ended, who joined is about to be cancelled, and is answered as if that were done.
    """
    session = reading.session
    if session is None or not session.status.occupies:
        return AppointmentCancelledError()
    if session.status is not Status.SCHEDULED:
        return SessionClosedError(session.status)
    own = [conflict for conflict in conflicts if not is_session_calendar(conflict.calendar_id)]
    return ConflictError(own) if own else SessionFullError(seats_left(joining, reading, now))
