"""Reminder timers as one-time schedules of EventBridge Scheduler, which holds millions of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from appointments.firing import Backend
from appointments.rules import MAX_DELIVERY_ATTEMPTS, MAX_EVENT_AGE_SECONDS
from appointments.times import to_utc_text

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

    from appointments.firing import Timer


@dataclass(frozen=True, slots=True)
class Schedules:
    """One-time schedules of EventBridge Scheduler, in a group of the stack's own."""

    client: EventBridgeSchedulerClient
    sender_arn: str
    dead_letter_queue_arn: str
    group: str
    role_arn: str

    def put(self, timer: Timer) -> None:
        # The sender leaves the clearing up to the schedule itself, so it has to know who called.
        event = {**timer.event, "backend": Backend.SCHEDULER}
        schedule: dict[str, object] = {
            "Name": timer.name,
            "GroupName": self.group,
            "ScheduleExpression": at_expression(timer.minute),
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "Description": timer.description,
            "Target": {
                "Arn": self.sender_arn,
                "RoleArn": self.role_arn,
                "Input": json.dumps(event),
                "DeadLetterConfig": {"Arn": self.dead_letter_queue_arn},
                "RetryPolicy": {
                    "MaximumRetryAttempts": MAX_DELIVERY_ATTEMPTS,
                    "MaximumEventAgeInSeconds": MAX_EVENT_AGE_SECONDS,
                },
            },
        }
        try:
            self.client.create_schedule(**schedule)  # type: ignore[arg-type]  # one request for both calls
        except self.client.exceptions.ConflictException:
            self.client.update_schedule(**schedule)  # type: ignore[arg-type]

    def remove(self, name: str) -> bool:
        try:
            self.client.delete_schedule(Name=name, GroupName=self.group)
        except self.client.exceptions.ResourceNotFoundException:
            return False
        return True

    def minute(self, name: str) -> datetime | None:
        """When the schedule of this name fires; None where there is none."""
        try:
            found = self.client.get_schedule(Name=name, GroupName=self.group)
        except self.client.exceptions.ResourceNotFoundException:
            return None
        return parse_at(found["ScheduleExpression"])


def at_expression(minute: datetime) -> str:
    """The one minute, in UTC, as EventBridge Scheduler takes it."""
    return f"at({to_utc_text(minute).removesuffix('Z')})"


def parse_at(expression: str) -> datetime:
    """The inverse of `at_expression`."""
    return datetime.fromisoformat(f"{expression.removeprefix('at(').removesuffix(')')}Z")
