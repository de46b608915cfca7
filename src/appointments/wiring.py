"""How the functions are put together from their settings: storage and timers over AWS clients. The one place."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.aws import client
from appointments.firing import Backend
from appointments.storage.dynamodb import Database
from appointments.storage.reminders import Reminders

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from appointments.direct import Direct
    from appointments.rules import Rules
    from appointments.schedules import Schedules
    from appointments.storage.store import Storage
    from appointments.timers import ReminderTimers

# What one function needs and another does not is imported where it is made: a start waits for every import.


class TimerSettings(NamedTuple):
    """What the template tells the functions that make timers."""

    backend: Backend
    sender_arn: str
    dead_letter_queue_arn: str
    schedule_group: str
    scheduler_role_arn: str

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> TimerSettings:
        """Raises KeyError or ValueError."""
        return cls(
            backend=Backend(env["REMINDER_BACKEND"]),
            sender_arn=env["REMINDER_SENDER_ARN"],
            dead_letter_queue_arn=env["REMINDER_DEAD_LETTER_QUEUE_ARN"],
            schedule_group=env["REMINDER_SCHEDULE_GROUP"],
            scheduler_role_arn=env["REMINDER_SCHEDULER_ROLE_ARN"],
        )


def storage_of(appointments_table: str, calendars_table: str, retention: timedelta) -> Storage:
    """Both tables, for whoever decides."""
    from appointments.storage.store import Storage  # noqa: PLC0415

    return Storage.of(client("dynamodb"), appointments_table, calendars_table, retention)


def reminders_of(appointments_table: str) -> Reminders:
    """The reminders alone, for whoever sends them."""
    return Reminders(Database(client("dynamodb")), appointments_table)


def timers_of(settings: TimerSettings, **patience: Any) -> ReminderTimers:
    """Timers over clients of their own, each made when it is first needed; `patience` is that of the clients."""
    from appointments.timers import ReminderTimers  # noqa: PLC0415

    backend, sender_arn, queue_arn, group, role_arn = settings

    def rules() -> Rules:
        from appointments.rules import Rules  # noqa: PLC0415

        return Rules(client("events", **patience), sender_arn, queue_arn)

    def schedules() -> Schedules:
        from appointments.schedules import Schedules  # noqa: PLC0415 - only a full bus, or its own backend, needs it

        return Schedules(client("scheduler", **patience), sender_arn, queue_arn, group, role_arn)

    def direct() -> Direct:
        from appointments.direct import Direct  # noqa: PLC0415 - few bookings need it

        return Direct(client("lambda", **patience), sender_arn)

    return ReminderTimers(cache(rules), cache(schedules), cache(direct), backend)
