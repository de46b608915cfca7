"""What happened to an appointment: the one function that names a change. No I/O."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from appointments.statuses import Status

if TYPE_CHECKING:
    from appointments.model import Appointment


class Happened(StrEnum):
    """What a change did."""

    HELD = "held"
    REQUESTED = "requested"
    BOOKED = "booked"
    APPROVED = "approved"
    DECLINED = "declined"
    EXPIRED = "expired"
    ARRIVED = "arrived"
    COMPLETED = "completed"
    NO_SHOW = "no_show"
    CANCELLED = "cancelled"
    MOVED = "moved"
    CONFIRMED = "confirmed"
    CHANGED = "changed"


def happened(before: Appointment | None, after: Appointment) -> Happened:
    """Name a change. `before` is None where the appointment is new."""
    was = before.status if before else None
    if was is not after.status and (after.status is not Status.SCHEDULED or was in _TO_SCHEDULED):
        return _TO_SCHEDULED[was] if after.status is Status.SCHEDULED else Happened(after.status.value)
    # The same calendars in another order are no others.
    if before is None or before.interval != after.interval or {*before.calendar_ids} != {*after.calendar_ids}:
        return Happened.MOVED
    if after.confirmed_at and not before.confirmed_at:
        return Happened.CONFIRMED
    return Happened.CHANGED


# By what it was. From any other status the way back is a correction.
_TO_SCHEDULED = {None: Happened.BOOKED, Status.HELD: Happened.BOOKED, Status.REQUESTED: Happened.APPROVED}
