"""What the holder of a link can do, and what becomes of the appointment. No I/O."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.errors import Fault, InvalidRequestError, LinkEndedError, PreconditionFailedError
from appointments.model import GUEST, LINK
from appointments.statuses import Status
from appointments.times import find_zone, wall_time
from conflict_detector.access import Caller
from conflict_detector.appointments.changes import parse_change

if TYPE_CHECKING:
    from collections.abc import Callable

    from appointments.model import Appointment


# Each move is told, and nobody has checked to whom a visitor has it told. Who changed a booking often asks the desk.
MOST_VERSIONS = 20


class Action(StrEnum):
    """What a form asks for, in its field `action`."""

    CONFIRM = "confirm"
    CANCEL = "cancel"
    MOVE = "move"


class Asked(NamedTuple):
    """A form, checked. With a `version`, only the appointment that the page showed is changed."""

    action: Action
    start: datetime | None = None
    version: int | None = None


def refuse_ended(appointment: Appointment, now: datetime) -> None:
    """Raises LinkEndedError where a link does nothing: the appointment has begun, or has a final status.

    Nor does it yet where a visitor holds a time: that is booked with a name, on the page of visitors.
    """
    unnamed = appointment.status is Status.HELD and appointment.user_id.startswith(GUEST) and not appointment.contact
    if appointment.interval.start <= now or not appointment.status.occupies or appointment.has_expired(now) or unnamed:
        raise LinkEndedError(appointment)


def may_confirm(appointment: Appointment) -> bool:
    """Whether there is something to say yes to: a time that was booked, or is held."""
    return appointment.status is Status.HELD or (
        appointment.status is Status.SCHEDULED and appointment.confirmed_at is None
    )


def may_move(appointment: Appointment) -> bool:
    """Whether it has a time of its own, which is still to come: a session, and who joined it, keep the session's."""
    waiting = appointment.status in (Status.HELD, Status.REQUESTED, Status.SCHEDULED)
    if appointment.user_id.startswith(GUEST) and appointment.version >= MOST_VERSIONS:
        return False
    return waiting and appointment.session_seats is None and appointment.session_id is None


def may_cancel(appointment: Appointment) -> bool:
    """Whether it is still to come. Who has arrived is there."""
    return appointment.status in (Status.HELD, Status.REQUESTED, Status.SCHEDULED)


def change_of(asked: Asked, now: datetime) -> Callable[[Appointment], Appointment]:
    """What to make of an appointment, to confirm or to move it."""
    return lambda before: _updated(before, asked, now) if is_to_do(before, asked, now) else before


def _updated(before: Appointment, asked: Asked, now: datetime) -> Appointment:
    caller = Caller(before.user_id, LINK)
    after = parse_change(_body(before, asked), before, now)
    caller.turn(before.status, after.status)
    if after.interval != before.interval:
        caller.keep_limits(before, now, cancels=False)
    return replace(after, by=LINK)


def is_to_do(before: Appointment, asked: Asked, now: datetime) -> bool:
    """Whether there is something to do. The version counts only then, so that a form can be sent twice."""
    if before.interval.start <= now:
        raise LinkEndedError(before)
    if _is_done(before, asked):
        return False
    refuse_ended(before, now)
    if asked.version not in (None, before.version):
        raise PreconditionFailedError(before.version)
    offered = {Action.CONFIRM: may_confirm, Action.CANCEL: may_cancel, Action.MOVE: may_move}[asked.action]
    if not offered(before):
        raise InvalidRequestError([Fault("action", "is not possible for this appointment")])
    return True


def _is_done(before: Appointment, asked: Asked) -> bool:
    """Whether the appointment is as it was asked for: by this form, sent before, or by somebody else."""
    if asked.action is Action.CANCEL:
        return before.status is Status.CANCELLED
    if not before.status.occupies:
        return False
    if asked.action is Action.MOVE:
        return before.interval.start == asked.start
    return before.status is not Status.HELD and before.confirmed_at is not None


def _body(before: Appointment, asked: Asked) -> dict[str, Any]:
    """The same change as a body of `PATCH /appointments/{id}`."""
    if asked.action is Action.CONFIRM:
        return {"confirmed": True} | ({"status": "scheduled"} if before.status is Status.HELD else {})
    assert asked.start is not None  # noqa: S101 - a move has been parsed with its start
    zone = find_zone(before.time_zone)
    if before.wall and zone:
        # What was agreed on by the clock on the wall stays so, unless that clock shows the time twice.
        local = wall_time(asked.start, zone)
        if len({local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)}) == 1:
            return {"startTime": local.isoformat(timespec="seconds")}
    return {"startTime": asked.start.astimezone(UTC).isoformat()}
