"""What a timer is called and what it tells the reminder sender, whichever service keeps it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from appointments.times import floor_to_minute, from_utc_text, to_utc_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from appointments.reminders import Reminder

TIMER_PREFIX = "appointment-reminder"
# EventBridge needs a moment before a new timer is live. Whatever is due sooner is given to the sender at once.
LEAD = timedelta(seconds=15)

# Compiled at its first use: a start waits for none that few requests need.
_TIMER_NAME = rf"{TIMER_PREFIX}-([1-9][0-9]{{0,4}}[mhdw])-([0-9a-f-]{{36}})"


class Backend(StrEnum):
    """What keeps the time of a reminder: rules of EventBridge, or EventBridge Scheduler."""

    RULES = "rules"
    SCHEDULER = "scheduler"


# In the place of a backend: the sender itself, which keeps the time of what is due within LEAD.
DIRECT: Final = "direct"
Way = Backend | Literal["direct"]


def timer_name(appointment_id: str, offset: str) -> str:
    """The name of a timer. At most 64 characters, the limit of both services: 21 + 6 (offset) + 1 + 36 (UUID)."""
    return f"{TIMER_PREFIX}-{offset}-{appointment_id}"


def parse_timer_name(name: str) -> tuple[str, str]:
    """The inverse of `timer_name`: appointment id and offset. Raises ValueError for any other name."""
    match = re.fullmatch(_TIMER_NAME, name)
    if not match:
        raise ValueError(f"{name} is not the name of a reminder's timer")
    return match[2], match[1]


class Timer(NamedTuple):
    """What fires the sender: at which minute, and what it tells it."""

    name: str
    minute: datetime
    event: Mapping[str, str]
    description: str


class Firing(NamedTuple):
    """The event of a timer: which reminder, and when it was due as the timer knew it.

    `early` is of no timer: it has a reminder sent long before it is due, whether its timer still waits or is gone.
    """

    appointment_id: str
    offset: str
    due_at: datetime
    backend: Backend = Backend.RULES
    early: bool = False

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Firing:
        """Raises KeyError or ValueError for what no timer of ours sends."""
        return cls(
            event["appointmentId"],
            event["reminder"],
            from_utc_text(event["dueAt"]),
            Backend(event.get("backend", Backend.RULES)),
            event.get("early") is True,
        )

    def event(self, correlation_id: str | None = None) -> dict[str, str]:
        """What a timer is given to send. The due time lets the sender recognize an event of an old time."""
        event = {"appointmentId": self.appointment_id, "reminder": self.offset, "dueAt": to_utc_text(self.due_at)}
        if correlation_id:
            event["correlationId"] = correlation_id
        return event

    @property
    def timer_name(self) -> str:
        return timer_name(self.appointment_id, self.offset)


def firing_minute(reminder: Reminder) -> datetime:
    """The minute at which the timer of a reminder should fire: the first that begins when it is due, or after.

    Timers know whole minutes only. A reminder that is due between two of them comes up to a minute late rather than
    early.
    """
    minute = floor_to_minute(reminder.due_at)
    return minute if minute == reminder.due_at else minute + timedelta(minutes=1)
