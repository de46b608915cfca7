"""What the template tells the reminder sweep, read and checked once, when the function starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from appointments.firing import Backend

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Settings:
    """Names of what the function uses."""

    appointments_table: str
    reminder_sender_arn: str
    dead_letter_queue_arn: str
    reminder_backend: Backend
    schedule_group: str
    scheduler_role_arn: str

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Raises KeyError or ValueError at start, rather than failing in the middle of a sweep."""
        return cls(
            appointments_table=env["APPOINTMENTS_TABLE"],
            reminder_sender_arn=env["REMINDER_SENDER_ARN"],
            dead_letter_queue_arn=env["REMINDER_DEAD_LETTER_QUEUE_ARN"],
            reminder_backend=Backend(env["REMINDER_BACKEND"]),
            schedule_group=env["REMINDER_SCHEDULE_GROUP"],
            scheduler_role_arn=env["REMINDER_SCHEDULER_ROLE_ARN"],
        )
