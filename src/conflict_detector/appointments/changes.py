"""Requests to change an appointment, from JSON to the appointment that they ask for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from appointments.claims import carrying_days, claims_of
from appointments.errors import (
    AppointmentCancelledError,
    AppointmentEndedError,
    InvalidRequestError,
    InvalidTransitionError,
)
from appointments.model import Appointment, expiry_under, with_clearing
from appointments.reader import Reader
from appointments.reminders import reminders_after_change
from appointments.statuses import ONCE_BEGUN, Status
from appointments.times import Length, find_zone, has_offset, wall_time
from conflict_detector.appointments.fields import (
    fit_one_transaction,
    past_fault,
    read_contact_if_sent,
    read_details,
    read_interval,
    read_seats,
    read_session,
    wall_times_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from appointments.contacts import Contact
    from appointments.errors import Fault

CHANGE_FIELDS = (
    "startTime",
    "endTime",
    "timeZone",
    "resourceIds",
    "details",
    "reminders",
    "status",
    "confirmed",
    "seats",
    "session",
    "contact",
    "ignoreNotice",
)
# What is the session's, for those who joined it.
_FIXED = {"startTime", "endTime", "timeZone", "resourceIds", "session"}


def parse_change(body: dict[str, Any], before: Appointment, now: datetime, beside: Sequence[Fault] = ()) -> Appointment:
    """Check a request of `PATCH /appointments/{id}`, and return the appointment as it asks for it, one version later.

    `startTime` alone moves it and keeps its length. A local time without `timeZone` is read in the
    appointment's own zone, which the time-zone data may have lost since. `details` and `contact` replace the old ones
    as a whole. A status or a confirmation that it has already changes nothing; where nothing else is asked for, the
    appointment is returned as it is. Raises InvalidRequestError with every fault that the body has and those that were
    found `beside` it, InvalidTransitionError, AppointmentCancelledError, AppointmentEndedError.
    """
    reader = Reader(body, CHANGE_FIELDS, faults=[*beside], kept_zone=before.time_zone)
    reader.flag("ignoreNotice")  # it says how to decide, and changes nothing by itself
    asked = body.keys() - {"ignoreNotice"}
    if not asked:
        reader.fault("", f"must change something; it takes {', '.join(CHANGE_FIELDS)}")
    status = _status(reader, before)
    confirmed = reader.flag("confirmed") if "confirmed" in body else None
    if status is before.status:
        # Personal data can be removed at any time; everything else of what has ended is final.
        _refuse_ended(body, before, now)
    after = _with_fields(reader, before, now)
    if status in ONCE_BEGUN:
        _keep_as_it_was(reader, before, after, status)
    if status is Status.SCHEDULED and before.has_expired(now) and after.interval.start == before.interval.start:
        # It is booked anew, and nothing is booked in the past.
        reader.faults += filter(None, [past_fault(after.interval.start, now)])
    if reader.faults:
        raise InvalidRequestError(reader.faults)
    if status is not before.status and status not in before.may_become(now):
        raise InvalidTransitionError(before.status, before.may_become(now))
    confirmed_at = before.confirmed_at if after.interval.start == before.interval.start else None
    if confirmed is not None:
        confirmed_at = (confirmed_at or now.replace(microsecond=0)) if confirmed else None
    if asked <= {"status", "confirmed"} and (status, confirmed_at) == (before.status, before.confirmed_at):
        return before
    after = replace(after, status=status, expires_at=expiry_under(status, before), confirmed_at=confirmed_at)
    after = with_clearing(before, after) if before.joins else after
    rest_on = [(it.interval.start, it.offsets, it.time_zone, it.status.reminds) for it in (before, after)]
    return after if rest_on[0] == rest_on[1] else replace(after, reminders=reminders_after_change(before, after, now))


def _keep_as_it_was(reader: Reader, before: Appointment, after: Appointment, status: Status) -> None:
    """Add a fault for a time or calendars that would change under a status which tells of what has been."""
    changed = {
        "startTime": after.interval.start != before.interval.start,
        "endTime": after.interval.end != before.interval.end and "endTime" in reader.body,
        "resourceIds": after.calendar_ids != before.calendar_ids,
    }
    for name in (name for name, differs in changed.items() if differs):
        reader.fault(name, f"cannot be changed where the status is {status}")


def _status(reader: Reader, before: Appointment) -> Status:
    text = reader.choice("status", tuple(Status))
    return Status(text) if text else before.status


def _seats(reader: Reader, before: Appointment, resource_ids: Sequence[str]) -> int:
    if before.session_seats and "seats" in reader.body:
        reader.fault("seats", "is not for a session; session.seats says how many may join it")
    taken = [before.session_id] if before.session_id else {*resource_ids} - {before.user_id}
    return read_seats(reader, taken, before.places)


def _contact(reader: Reader, before: Appointment) -> Contact | None:
    """The contact as it is asked for; null removes it."""
    if "contact" not in reader.body:
        return before.contact
    return None if reader.body["contact"] is None else read_contact_if_sent(reader)


def _session_seats(reader: Reader, before: Appointment) -> int | None:
    """How many may join. Who joined keeps the times of the session, and no appointment turns into one."""
    if before.session_id:
        for name in _FIXED & reader.body.keys():
            reader.fault(name, "is that of the session; to join another one, cancel this and join that")
    elif "session" in reader.body and before.session_seats is None:
        reader.fault("session", "cannot be added to an appointment; book a session")
    return before.session_seats if before.session_seats is None else read_session(reader, before.session_seats)


def _refuse_ended(body: dict[str, Any], before: Appointment, now: datetime) -> None:
    """Raise if the appointment has ended and more than its details and contact is to be changed."""
    if body and body.keys() <= {"details", "contact", "status"}:
        return
    if before.status is Status.CANCELLED:
        raise AppointmentCancelledError
    if not before.status.becomes or before.has_expired(now):
        raise AppointmentEndedError(Status.EXPIRED if before.status.becomes else before.status)


def _with_fields(reader: Reader, before: Appointment, now: datetime) -> Appointment:
    """The appointment a version later, with its times, calendars, details and reminders as they are asked for."""
    body = reader.body
    zone = reader.zone()
    start = reader.time("startTime", zone) if "startTime" in body else before.interval.start
    # A start that stays where it was may have passed: what has begun can still get another end.
    if start != before.interval.start and (past := past_fault(start, now)):
        reader.faults.append(past)
    end, asked_end = _moved(before, start, zone) if start else (None, None)
    for name in ("endTime", "resourceIds"):
        if before.service and name in body:
            reader.fault(name, f"is decided by the service {before.service.service_id}; startTime alone moves it")
    if "endTime" in body:
        end, asked_end = reader.time("endTime", zone, exact=False), body["endTime"]
    interval = read_interval(reader, start, end, zone)
    offsets = reader.reminder_offsets()
    offsets = before.offsets if offsets is None else offsets
    resource_ids = reader.calendar_ids("resourceIds") if "resourceIds" in body else before.resource_ids
    after = replace(
        before,
        interval=interval or before.interval,
        time_zone=zone.key if zone else before.time_zone,
        resource_ids=resource_ids,
        assigned_calendar_id=before.assigned_calendar_id if before.assigned_calendar_id in resource_ids else None,
        details=read_details(reader) if "details" in body else before.details,
        contact=_contact(reader, before),
        offsets=offsets,
        places=_seats(reader, before, resource_ids),
        session_seats=_session_seats(reader, before),
        version=before.version + 1,
        updated_at=now,
    )
    moved = (after.interval, after.time_zone) != (before.interval, before.time_zone)
    if interval and ("startTime" in body or (before.wall and moved)):
        exact = "startTime" in body and has_offset(body["startTime"])
        # Without a zone, what the clock on the wall shows cannot be told any more.
        after = replace(after, wall=None if exact else wall_times_of(interval, zone, asked_end))
    if before.service:  # its service fits into one transaction
        return after
    fit_one_transaction(reader, len(carrying_days((*claims_of(before), *claims_of(after)))), len(after.calendar_ids))
    return after


def _moved(before: Appointment, start: datetime, zone: ZoneInfo | None) -> tuple[datetime, str | None]:
    """The end of an appointment that is moved and keeps its length, and its local time if the length is on the wall.

    `zone` is the one that it will have. It keeps its length on the wall if it was given in local time, or if it is
    whole days of its zone. The clock may skip the local time of the end.
    """
    was, own = before.interval, find_zone(before.time_zone)
    if start == was.start:
        return was.end, before.wall and before.wall.end
    elapsed = was.end - was.start
    length = Length.between(*was, own)
    if before.wall and own:
        first, last = map(datetime.fromisoformat, before.wall)
        length = Length(last - first, own)
    zone = length.zone and (zone or own)
    end = length._replace(zone=zone).after(start)
    if end <= start:  # the first pass of an end that comes twice
        return start + elapsed, None
    return end, (wall_time(start, zone) + length.span).isoformat(timespec="seconds") if zone else None
