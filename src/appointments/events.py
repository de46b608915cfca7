"""What is told to others: an event per change of an appointment, per reminder and per change of settings. No I/O.

An event is made of what an item was and what it became, and of nothing else. So it is the same, byte by byte, however
often the change is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.bodies import appointment_body, reminder_body
from appointments.happened import Happened, happened
from appointments.model import SYSTEM
from appointments.reminders import ReminderState
from appointments.times import to_utc_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from appointments.model import Appointment
    from appointments.reminders import Reminder

# Every type that an event of a change can have, with those that `happened` names.
EVENT_TYPES = (
    *(f"appointment.{name.value}" for name in Happened),
    "reminder.sent",
    "reminder.missed",
    "reminder.failed",
    "calendar.configured",
    "service.configured",
)
# Of these, events tell neither what they were nor what they are.
PERSONAL = ("details", "contact")
# What says which version something is, and so differs in every change.
_VERSION = ("version", "createdAt", "updatedAt")


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `event_id` is the same on every repetition, `type` is such as `appointment.booked`.

    `detail` is JSON: what is told, with the id, the type and the time in it. It holds no `details` and no contact.
    """

    event_id: str
    type: str
    time: datetime
    detail: dict[str, Any]


class Configured(NamedTuple):
    """A calendar or a service, `kind`, as it was configured: its id, its version, and the body that the API answers."""

    kind: str
    id: str
    version: int
    updated_at: datetime
    by: str
    body: dict[str, Any]


def of_appointment(before: Appointment | None, after: Appointment, at: datetime) -> list[Event]:
    """What happened to an appointment, and to its reminders. `before` is None where the item is new.

    `at` is when the item was written; reminders that were not sent have no other time. Nothing is told of a write that
    makes no new version and settles no reminder, such as a sender's claim, nor of a version that is put back.
    """
    if before is None:
        return [_changed(None, after)] if after.version == 1 else []
    if after.version < before.version:
        return []
    events = [_changed(before, after)] if after.version > before.version else []
    return events + [_settled(after, *change, at) for change in _settlements(before, after)]


def of_configured(before: Configured | None, after: Configured) -> list[Event]:
    """What was configured. `before` is None where it never was."""
    if after.version <= (before.version if before else 0):
        return []
    event_id = _version_id(f"{after.kind}.{after.id}", after)
    about = {
        f"{after.kind}Id": after.id,
        "version": after.version,
        "by": after.by,
        "changes": _changes(before.body if before else {}, after.body, leave_out=(f"{after.kind}Id", *_VERSION)),
        after.kind: _public(after.body),
    }
    return [_event(event_id, f"{after.kind}.configured", after.updated_at, about)]


def _changed(before: Appointment | None, after: Appointment) -> Event:
    """The event of a new version."""
    about = {
        "appointmentId": after.appointment_id,
        "version": after.version,
        "by": after.by,
        "changes": _changes(_told(before) if before else {}, _told(after), leave_out=("appointmentId", *_VERSION)),
        "appointment": _public(appointment_body(after)),
    }
    type_ = f"appointment.{happened(before, after).value}"
    return _event(_version_id(after.appointment_id, after), type_, after.updated_at, about)


def _version_id(of: str, after: Appointment | Configured) -> str:
    """The id of the event of a version. After a restore the number comes again, and not the second of its change."""
    return f"{of}.{after.version}.{int(after.updated_at.timestamp())}"


def _told(appointment: Appointment) -> dict[str, Any]:
    """The fields of an appointment whose changes are told: of the reminders, which ones are asked for."""
    return {**appointment_body(appointment), "reminders": list(appointment.offsets)}


def _settled(appointment: Appointment, was: ReminderState, reminder: Reminder, at: datetime) -> Event:
    """The event of a reminder that was sent, missed, or failed to be sent.

    One that failed is tried again, so that each try has an event of its own.
    """
    due_at = to_utc_text(reminder.due_at)
    state = _SETTLED[was, reminder.state]
    event_id = f"{appointment.appointment_id}.{reminder.offset}.{due_at}.{state}"
    if state == "failed":
        event_id += f".{reminder.attempts}"
    about = {
        "appointmentId": appointment.appointment_id,
        "version": appointment.version,
        "by": SYSTEM,
        "changes": {"state": {"from": was.value, "to": reminder.state.value}},
        "reminder": reminder_body(reminder),
        "appointment": _public(appointment_body(appointment)),
    }
    return _event(event_id, f"reminder.{state}", reminder.sent_at or at, about)


# What a reminder's change of state says to others. One that a sender gives back was certainly not sent.
_SETTLED = {(was, now): now.value for was in ReminderState for now in (ReminderState.SENT, ReminderState.MISSED)}
_SETTLED[ReminderState.SENDING, ReminderState.PENDING] = "failed"


def _settlements(before: Appointment, after: Appointment) -> Iterator[tuple[ReminderState, Reminder]]:
    """The reminders of which a change is told, each with its state before.

    A reminder is one offset and one due time, also where the appointment was moved away from it. So one that a move
    back brings to light again is not told again.
    """
    if before.reminders == after.reminders:
        return
    was = {(one.offset, one.due_at): one.state for one in _all_reminders(before)}
    for one in _all_reminders(after):
        state = was.get((one.offset, one.due_at))
        if state is not None and state is not one.state and (state, one.state) in _SETTLED:
            yield state, one


def _all_reminders(appointment: Appointment) -> Iterator[Reminder]:
    for reminder in appointment.reminders:
        yield reminder
        yield from reminder.earlier


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], leave_out: tuple[str, ...]) -> dict[str, Any]:
    """Each field that differs, with what it was and what it is; None where it was not, or is not, there."""
    changes: dict[str, Any] = {}
    for name in dict.fromkeys((*after, *before)):
        was, now = before.get(name), after.get(name)
        if name in leave_out or was == now:
            continue
        if name in PERSONAL:
            if was or now:  # none and an empty one are the same
                changes[name] = {}
        else:
            changes[name] = {"from": was, "to": now}
    return changes


def _public(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in PERSONAL}


def _event(event_id: str, type_: str, time: datetime, about: Mapping[str, Any]) -> Event:
    return Event(event_id, type_, time, {"eventId": event_id, "type": type_, "time": to_utc_text(time), **about})
