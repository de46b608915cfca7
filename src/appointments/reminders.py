"""All that knows EventBridge: the rule of a reminder, made after a booking and removed after its message."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from appointments.errors import SchedulerError
from appointments.model import Appointment, Reminder, ReminderState, firing_minute
from appointments.times import to_utc_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mypy_boto3_events import EventBridgeClient

RULE_PREFIX = "appointment-reminder"
TARGET_ID = "reminder-sender"
# EventBridge needs a moment before a new rule is live; one for a minute nearer than this would not fire.
LEAD = timedelta(seconds=15)


def rule_name(appointment_id: str, offset: str) -> str:
    """At most 64 characters, EventBridge's limit: 21 + 6 (offset) + 1 + 36 (UUID)."""
    return f"{RULE_PREFIX}-{offset}-{appointment_id}"


def cron_expression(minute: datetime) -> str:
    """The one minute, in UTC, as a rule's schedule; `at(...)` is for EventBridge Scheduler only."""
    return f"cron({minute.minute} {minute.hour} {minute.day} {minute.month} ? {minute.year})"


def target_input(appointment_id: str, reminder: Reminder, correlation_id: str | None) -> str:
    """What the reminder sender receives. `dueAt` lets it tell a stale firing from a true one."""
    event = {"appointmentId": appointment_id, "reminder": reminder.offset, "dueAt": to_utc_text(reminder.due_at)}
    if correlation_id:
        event["correlationId"] = correlation_id
    return json.dumps(event)


class RuleRefusedError(SchedulerError):
    """EventBridge made the rule but took no target for it."""


class Outcome(NamedTuple):
    """What became of one reminder's rule: `error` is None where it was made, or removed, as asked."""

    reminder: Reminder
    rule_name: str
    error: BaseException | None


@dataclass(frozen=True, slots=True)
class ReminderRules:
    """The rules on the default bus that fire the reminder sender."""

    client: EventBridgeClient
    sender_arn: str
    dead_letter_queue_arn: str

    def arm(
        self, appointment: Appointment, now: datetime, *, deadline: float = 3.0, correlation_id: str | None = None
    ) -> list[Outcome]:
        """Create the rules of the appointment's open reminders side by side, within `deadline` seconds.

        A person is waiting for the booking, so this never raises: what failed or is not done in time is
        reported in the answer, for the log.
        """
        return self._side_by_side(
            appointment,
            [reminder for reminder in appointment.reminders if reminder.state is ReminderState.PENDING],
            lambda reminder: self._put(appointment, reminder, now, correlation_id),
            deadline,
        )

    def disarm(
        self, appointment: Appointment, reminders: Iterable[Reminder], *, deadline: float = 3.0
    ) -> list[Outcome]:
        """Remove the rules of reminders that are not wanted any more; as `arm`, it never raises."""
        return self._side_by_side(
            appointment,
            list(reminders),
            lambda reminder: remove_rule(self.client, rule_name(appointment.appointment_id, reminder.offset)),
            deadline,
        )

    def _side_by_side(
        self, appointment: Appointment, reminders: list[Reminder], act: Callable[[Reminder], object], deadline: float
    ) -> list[Outcome]:
        if not reminders:
            return []
        pool = ThreadPoolExecutor(len(reminders))
        futures = [pool.submit(act, reminder) for reminder in reminders]
        done, _ = wait(futures, timeout=deadline)
        pool.shutdown(wait=False, cancel_futures=True)
        late = TimeoutError(f"not done within {deadline} s")
        return [
            Outcome(
                reminder,
                rule_name(appointment.appointment_id, reminder.offset),
                future.exception() if future in done else late,
            )
            for reminder, future in zip(reminders, futures, strict=True)
        ]

    def _put(self, appointment: Appointment, reminder: Reminder, now: datetime, correlation_id: str | None) -> None:
        name = rule_name(appointment.appointment_id, reminder.offset)
        self.client.put_rule(
            Name=name,
            ScheduleExpression=cron_expression(firing_minute(reminder, now, LEAD)),
            State="ENABLED",
            Description=f"Reminder {reminder.offset} before appointment {appointment.appointment_id}",
        )
        answer = self.client.put_targets(
            Rule=name,
            Targets=[
                {
                    "Id": TARGET_ID,
                    "Arn": self.sender_arn,
                    "Input": target_input(appointment.appointment_id, reminder, correlation_id),
                    "DeadLetterConfig": {"Arn": self.dead_letter_queue_arn},
                    "RetryPolicy": {"MaximumRetryAttempts": 10, "MaximumEventAgeInSeconds": 600},
                }
            ],
        )
        if answer["FailedEntryCount"]:
            raise RuleRefusedError(f"{name}: {answer['FailedEntries']}")


def remove_rule(client: EventBridgeClient, name: str) -> bool:
    """Remove a rule's target, then the rule. Returns False where there was none."""
    try:
        client.remove_targets(Rule=name, Ids=[TARGET_ID])
        client.delete_rule(Name=name)
    except client.exceptions.ResourceNotFoundException:
        return False
    return True
