"""What is told to others: an event per change of an appointment, per reminder and per change of settings. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `event_id` is the same on every repetition, `type` is such as `appointment.booked`.

    `detail` is JSON: what is told, with the id, the type and the time in it. It holds no `details` and no contact.
    """

    event_id: str
    type: str
    time: datetime
    detail: dict[str, Any]
