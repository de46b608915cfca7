"""Reminder timers as rules on the default bus of EventBridge, which holds 300 of them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from appointments.errors import ProductError
from appointments.firing import TIMER_PREFIX

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

    from appointments.firing import Timer

TARGET_ID = "reminder-sender"
# What EventBridge does with an event that the sender does not take; schedules have the same.
MAX_DELIVERY_ATTEMPTS = 10
MAX_EVENT_AGE_SECONDS = 600

# Compiled at its first use: a start waits for none that few requests need.
_CRON = r"cron\(([0-9]+) ([0-9]+) ([0-9]+) ([0-9]+) \? ([0-9]+)\)"


class RuleRefusedError(ProductError):
    """EventBridge made the rule but took no target for it."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Rules:
    """Rules on the default bus. They call the function by its own permission, so no role is passed."""

    client: EventBridgeClient
    sender_arn: str
    dead_letter_queue_arn: str

    def put(self, timer: Timer) -> None:
        """Raises LimitExceededException where the bus is full."""
        self.client.put_rule(
            Name=timer.name,
            ScheduleExpression=cron_expression(timer.minute),
            State="ENABLED",
            Description=timer.description,
        )
        answer = self.client.put_targets(
            Rule=timer.name,
            Targets=[
                {
                    "Id": TARGET_ID,
                    "Arn": self.sender_arn,
                    "Input": json.dumps(timer.event),
                    "DeadLetterConfig": {"Arn": self.dead_letter_queue_arn},
                    "RetryPolicy": {
                        "MaximumRetryAttempts": MAX_DELIVERY_ATTEMPTS,
                        "MaximumEventAgeInSeconds": MAX_EVENT_AGE_SECONDS,
                    },
                }
            ],
        )
        if answer["FailedEntryCount"]:
            raise RuleRefusedError(f"{timer.name}: {answer['FailedEntries']}")

    def remove(self, name: str) -> bool:
        return remove_rule(self.client, name)

    def minutes(self) -> dict[str, datetime]:
        """When each reminder's rule fires, by its name. Three calls for a full bus."""
        pages = self.client.get_paginator("list_rules").paginate(NamePrefix=f"{TIMER_PREFIX}-")
        found = ((rule["Name"], parse_cron(rule.get("ScheduleExpression", ""))) for p in pages for rule in p["Rules"])
        return {name: minute for name, minute in found if minute}

    def minute(self, name: str) -> datetime | None:
        return rule_minute(self.client, name)

    def aimed(self) -> set[str]:
        """The rules that have the sender as their target: one that lost its way between two calls has none."""
        pages = self.client.get_paginator("list_rule_names_by_target").paginate(TargetArn=self.sender_arn)
        return {name for page in pages for name in page["RuleNames"]}


def rule_minute(client: EventBridgeClient, name: str) -> datetime | None:
    """When the rule of this name fires; None where there is none."""
    try:
        return parse_cron(client.describe_rule(Name=name).get("ScheduleExpression", ""))
    except client.exceptions.ResourceNotFoundException:
        return None


def remove_rule(client: EventBridgeClient, name: str) -> bool:
    """Remove a rule's target, then the rule. Returns False where there was none."""
    try:
        client.remove_targets(Rule=name, Ids=[TARGET_ID])
        client.delete_rule(Name=name)
    except client.exceptions.ResourceNotFoundException:
        return False
    return True


def cron_expression(minute: datetime) -> str:
    """The one minute, in UTC, as a rule's schedule; `at(...)` is for EventBridge Scheduler only."""
    return f"cron({minute.minute} {minute.hour} {minute.day} {minute.month} ? {minute.year})"


def parse_cron(expression: str) -> datetime | None:
    """The inverse of `cron_expression`; None for a rule that does not fire at one minute."""
    match = re.fullmatch(_CRON, expression)
    if not match:
        return None
    minute, hour, day, month, year = map(int, match.groups())
    return datetime(year, month, day, hour, minute, tzinfo=UTC)
