"""All that knows EventBridge: the timer of each reminder, made after a booking and removed after its message.

The ordinary timer is a rule on the default bus, which holds 300 of them. A reminder that finds the bus full
gets a one-time schedule of EventBridge Scheduler instead: it holds millions, and each deletes itself once it
has fired. Both bear the same name and send the same input to the same function. A reminder that is due before a new
timer would be live gets none: the function is invoked at once, with that input, and waits until it is due.
"""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol

from botocore.exceptions import ClientError

from appointments.errors import SchedulerError
from appointments.model import Appointment, Reminder, ReminderState, firing_minute
from appointments.times import to_utc_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

RULE_PREFIX = "appointment-reminder"
TARGET_ID = "reminder-sender"
# EventBridge needs a moment before a new rule is live. Whatever is due sooner is given to the sender at once.
LEAD = timedelta(seconds=15)
# How long a bus that was found full is taken to be full: rules go one by one, and asking costs a call.
FULL_FOR = timedelta(minutes=5)
# What EventBridge and Scheduler do with an event that the sender does not take.
MAX_DELIVERY_ATTEMPTS = 10
MAX_EVENT_AGE_SECONDS = 600
# Timers that are made or removed side by side, over all appointments: the sweep works on several.
WORKERS = 16

_RULE_NAME = re.compile(rf"{RULE_PREFIX}-([1-9]\d{{0,4}}[mhd])-([0-9a-f-]{{36}})", re.ASCII)
_CRON = re.compile(r"cron\((\d+) (\d+) (\d+) (\d+) \? (\d+)\)", re.ASCII)


class Backend(StrEnum):
    """What keeps the time of a reminder."""

    RULES = "rules"
    SCHEDULER = "scheduler"


# In the place of a backend: the sender itself, which keeps the time of what is due within LEAD.
DIRECT: Final = "direct"
Way = Backend | Literal["direct"]


def rule_name(appointment_id: str, offset: str) -> str:
    """The name of a timer. At most 64 characters, the limit of both services: 21 + 6 (offset) + 1 + 36 (UUID)."""
    return f"{RULE_PREFIX}-{offset}-{appointment_id}"


def parse_rule_name(name: str) -> tuple[str, str]:
    """The inverse of `rule_name`: appointment id and offset. Raises ValueError for the name of another rule."""
    match = _RULE_NAME.fullmatch(name)
    if not match:
        raise ValueError(f"{name} is not the name of a reminder's rule")
    return match[2], match[1]


def cron_expression(minute: datetime) -> str:
    """The one minute, in UTC, as a rule's schedule; `at(...)` is for EventBridge Scheduler only."""
    return f"cron({minute.minute} {minute.hour} {minute.day} {minute.month} ? {minute.year})"


def parse_cron(expression: str) -> datetime | None:
    """The inverse of `cron_expression`; None for a rule that does not fire at one minute."""
    match = _CRON.fullmatch(expression)
    if not match:
        return None
    minute, hour, day, month, year = map(int, match.groups())
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


def at_expression(minute: datetime) -> str:
    """The one minute, in UTC, as EventBridge Scheduler takes it."""
    return f"at({to_utc_text(minute).removesuffix('Z')})"


def parse_at(expression: str) -> datetime:
    """The inverse of `at_expression`."""
    return datetime.fromisoformat(f"{expression.removeprefix('at(').removesuffix(')')}Z")


class RuleRefusedError(SchedulerError):
    """EventBridge made the rule but took no target for it."""


class Timer(NamedTuple):
    """What fires the sender: at which minute, and what it tells it."""

    name: str
    minute: datetime
    event: Mapping[str, str]
    description: str


class Outcome(NamedTuple):
    """What became of one reminder's timer: `error` is None where it was made, or removed, as asked."""

    reminder: Reminder
    rule_name: str
    backend: Way
    error: BaseException | None
    # Whether there was anything to remove; of no meaning for a timer that was made.
    found: bool = True


class Job(NamedTuple):
    """A call for one reminder's timer."""

    reminder: Reminder
    way: Way
    run: Callable[[], object]


class Keeper(Protocol):
    """What keeps the time of a reminder."""

    def put(self, timer: Timer) -> object:
        """Make the timer, or change the one of the same name."""


@dataclass(frozen=True, slots=True)
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
        pages = self.client.get_paginator("list_rules").paginate(NamePrefix=f"{RULE_PREFIX}-")
        found = ((rule["Name"], parse_cron(rule.get("ScheduleExpression", ""))) for p in pages for rule in p["Rules"])
        return {name: minute for name, minute in found if minute}

    def minute(self, name: str) -> datetime | None:
        """When the rule of this name fires; None where there is none."""
        try:
            return parse_cron(self.client.describe_rule(Name=name).get("ScheduleExpression", ""))
        except self.client.exceptions.ResourceNotFoundException:
            return None

    def aimed(self) -> set[str]:
        """The rules that have the sender as their target: one that lost its way between two calls has none."""
        pages = self.client.get_paginator("list_rule_names_by_target").paginate(TargetArn=self.sender_arn)
        return {name for page in pages for name in page["RuleNames"]}


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


@dataclass(frozen=True, slots=True)
class Direct:
    """The sender, invoked now. Lambda repeats what fails and hands it to the dead-letter queue, as for a timer."""

    client: LambdaClient
    sender_arn: str

    def put(self, timer: Timer) -> None:
        self.client.invoke(
            FunctionName=self.sender_arn, InvocationType="Event", Payload=json.dumps(timer.event).encode()
        )


@dataclass(slots=True)
class ReminderTimers:
    """Makes and removes the timers of an appointment's reminders.

    `rules`, `schedules` and `direct` make their clients when first called: hardly ever is more than one needed.
    """

    rules: Callable[[], Rules]
    schedules: Callable[[], Schedules]
    direct: Callable[[], Direct]
    backend: Backend = Backend.RULES
    full_until: datetime | None = None
    # Its threads start with the first reminders and stay: a thread for each would cost more CPU than the booking.
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(WORKERS))

    def get_ready(self) -> None:
        """Make the client that the first reminder will ask for."""
        (self.rules if self.backend is Backend.RULES else self.schedules)()

    def arm(
        self,
        appointment: Appointment,
        now: datetime,
        *,
        reminders: Iterable[Reminder] | None = None,
        deadline: float = 3.0,
        correlation_id: str | None = None,
    ) -> list[Outcome]:
        """Make timers for the pending reminders, or for those given, side by side and within `deadline` seconds.

        A person is waiting for the booking, so this never raises: what failed or is not done in time is
        reported in the answer, for the log.
        """
        asked = appointment.reminders if reminders is None else reminders
        give_up_at = time.monotonic() + deadline
        if self.full_until and now >= self.full_until:
            self.full_until = None
        # A rule that is moved has its place on the bus already, full or not, and would keep it for the old time.
        full = self.full_until is not None and appointment.version == 1
        backend = Backend.SCHEDULER if full else self.backend

        def put(reminder: Reminder, way: Way) -> Job:
            keeper: Keeper = self._service(way) if isinstance(way, Backend) else self.direct()
            return Job(reminder, way, partial(keeper.put, _timer(appointment, reminder, correlation_id)))

        jobs = [
            put(reminder, DIRECT if reminder.due_at < now + LEAD else backend)
            for reminder in asked
            if reminder.state is ReminderState.PENDING
        ]
        outcomes = self._side_by_side(appointment, jobs, give_up_at)
        refused = [outcome for outcome in outcomes if _found_the_bus_full(outcome)]
        if not refused:
            return outcomes
        self.full_until = now + FULL_FOR
        armed = [outcome for outcome in outcomes if outcome not in refused]
        jobs = [put(outcome.reminder, Backend.SCHEDULER) for outcome in refused]
        return armed + self._side_by_side(appointment, jobs, give_up_at)

    def disarm(
        self, appointment: Appointment, reminders: Iterable[Reminder], *, deadline: float = 3.0
    ) -> list[Outcome]:
        """Remove the timers of reminders that are not wanted any more; as `arm`, it never raises.

        The answer tells of timers that were removed or could not be. Nothing tells which of the services keeps one.
        A rule is looked for in any case, since it would take one of the bus's places until its time comes.
        """
        give_up_at = time.monotonic() + deadline

        def removed(wanted: Iterable[Reminder], backend: Backend) -> list[Outcome]:
            name, remove = partial(rule_name, appointment.appointment_id), self._service(backend).remove
            jobs = [Job(reminder, backend, partial(remove, name(reminder.offset))) for reminder in wanted]
            return self._side_by_side(appointment, jobs, give_up_at)

        rules = removed(reminders, Backend.RULES)
        left = [rule.reminder for rule in rules if not rule.found or self.backend is Backend.SCHEDULER]
        schedules = removed(left, Backend.SCHEDULER) if left else []
        return [outcome for outcome in (*rules, *schedules) if outcome.found]

    def _service(self, backend: Backend) -> Rules | Schedules:
        return self.rules() if backend is Backend.RULES else self.schedules()

    def _side_by_side(self, appointment: Appointment, jobs: list[Job], give_up_at: float) -> list[Outcome]:
        futures = [self.pool.submit(job.run) for job in jobs]
        done, late = wait(futures, timeout=max(0.0, give_up_at - time.monotonic()))
        for future in late:
            future.cancel()
        outcomes = []
        for job, future in zip(jobs, futures, strict=True):
            name = rule_name(appointment.appointment_id, job.reminder.offset)
            outcome = Outcome(job.reminder, name, job.way, None)
            if future not in done:
                outcome = outcome._replace(error=TimeoutError("not done in time"))
            elif error := future.exception():
                outcome = outcome._replace(error=error)
            else:
                outcome = outcome._replace(found=future.result() is not False)
            outcomes.append(outcome)
        return outcomes


def _found_the_bus_full(outcome: Outcome) -> bool:
    error = outcome.error
    return isinstance(error, ClientError) and error.response["Error"]["Code"] == "LimitExceededException"


def _timer(appointment: Appointment, reminder: Reminder, correlation_id: str | None) -> Timer:
    id_ = appointment.appointment_id
    # `dueAt` lets the sender tell a stale firing from a true one.
    event = {"appointmentId": id_, "reminder": reminder.offset, "dueAt": to_utc_text(reminder.due_at)}
    if correlation_id:
        event["correlationId"] = correlation_id
    return Timer(
        rule_name(id_, reminder.offset),
        firing_minute(reminder),
        event,
        f"Reminder {reminder.offset} before appointment {id_}",
    )


def remove_rule(client: EventBridgeClient, name: str) -> bool:
    """Remove a rule's target, then the rule. Returns False where there was none."""
    try:
        client.remove_targets(Rule=name, Ids=[TARGET_ID])
        client.delete_rule(Name=name)
    except client.exceptions.ResourceNotFoundException:
        return False
    return True
