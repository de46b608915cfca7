"""Reminders on the deployed stack: real rules, real roles, and everything that shall not go wrong made to go wrong.

One due minute serves all tests: what is due then is booked beforehand, and waited for once.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest

from local.engine import Engine
from local.queues import subscribe
from local.system import System, serving
from support import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR = timedelta(hours=1)
# A rule created less than 10 s before its minute never fires on the engine; and all has to be booked.
TO_BOOK = timedelta(seconds=25)
# The engine looks at its rules every 10 s, and the sender takes a moment.
TO_FIRE = timedelta(seconds=25)


class Deployed:
    """One deployed stack, and a queue of this module's own for its reminders."""

    def __init__(self, system: System, call: Any) -> None:
        self.engine, self.system, self.call = system.engine, system, call
        self.inbox = subscribe(system.engine, system.stack.topic_arn, f"reminders-{uuid.uuid4().hex}")
        self.messages: list[dict[str, Any]] = []
        pages = self.engine.client("cloudformation").get_paginator("list_stack_resources")
        found = pages.paginate(StackName=system.stack.name).search("StackResourceSummaries[]")
        self.resources = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}

    def book(self, due: datetime, *, offset: str = "1h", ahead: timedelta = HOUR) -> dict[str, Any]:
        """An appointment of a person of its own, with one reminder, due then."""
        start = due + ahead
        body = {
            "userId": f"person-{uuid.uuid4()}",
            "startTime": start.isoformat(),
            "endTime": (start + HOUR).isoformat(),
            "reminders": [offset],
        }
        answer = self.call("POST", "/appointments", body)
        assert answer.status == 201, answer.body
        found: dict[str, Any] = answer.body
        return found

    def reminder(self, body: dict[str, Any]) -> dict[str, Any]:
        reminder: dict[str, Any]
        (reminder,) = self.call("GET", f"/appointments/{body['appointmentId']}").body["reminders"]
        return reminder

    def rule(self, body: dict[str, Any], offset: str = "1h") -> dict[str, Any] | None:
        name = f"appointment-reminder-{offset}-{body['appointmentId']}"
        found = self.engine.client("events").list_rules(NamePrefix=name)["Rules"]
        return found[0] if found else None

    def event(self, body: dict[str, Any]) -> dict[str, str]:
        """What the rule of the one reminder sends."""
        (reminder,) = body["reminders"]
        return {
            "appointmentId": body["appointmentId"],
            "reminder": reminder["offset"],
            "dueAt": reminder["dueAt"],
        }

    def fire(
        self, event: dict[str, str], how: str = "RequestResponse", function: str = "ReminderSenderFunction"
    ) -> None:
        answer = self.engine.client("lambda").invoke(
            FunctionName=self.resources[function],
            Qualifier="live",
            InvocationType=how,
            Payload=json.dumps(event).encode(),
        )
        assert "FunctionError" not in answer, answer["Payload"].read()

    def sweep(self) -> None:
        self.fire({}, function="ReminderSweepFunction")

    def age(self, body: dict[str, Any], due: datetime) -> dict[str, str]:
        """Let the reminder have been due then, rather than wait for it. Returns the event for that."""
        text = f"{due.replace(microsecond=0, tzinfo=None).isoformat()}Z"
        event = self.event(body)
        self.engine.client("dynamodb").update_item(
            TableName=self.system.stack.appointments_table,
            Key={"appointmentId": {"S": body["appointmentId"]}},
            UpdateExpression="SET nextReminderAt = :due, #r.#o.dueAt = :due",
            ExpressionAttributeNames={"#r": "reminders", "#o": event["reminder"]},
            ExpressionAttributeValues={":due": {"S": text}},
        )
        return event | {"dueAt": text}

    def received(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """Every message about an appointment, up to now."""
        sqs = self.engine.client("sqs")
        while found := sqs.receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                sqs.delete_message(QueueUrl=self.inbox, ReceiptHandle=message["ReceiptHandle"])
                self.messages.append(json.loads(json.loads(message["Body"])["Message"]))
        return [message for message in self.messages if message["appointmentId"] == body["appointmentId"]]

    def until_received(self, body: dict[str, Any], seconds: float = 20) -> list[dict[str, Any]]:
        deadline = time.monotonic() + seconds
        while not self.received(body) and time.monotonic() < deadline:
            time.sleep(0.3)
        return self.received(body)

    @contextmanager
    def denied(self, role: str, action: str) -> Iterator[None]:
        """Take an action away from one of the stack's roles for a while."""
        iam, name = self.engine.client("iam"), self.resources[role]
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": action, "Resource": "*"}]}
        iam.put_role_policy(RoleName=name, PolicyName="denied", PolicyDocument=json.dumps(policy))
        try:
            yield
        finally:
            iam.delete_role_policy(RoleName=name, PolicyName="denied")


class Minute:
    """What is due in one and the same minute, by what it is for."""

    def __init__(self, due: datetime) -> None:
        self.due = due
        self.booked: dict[str, dict[str, Any]] = {}

    def wait(self, moment: timedelta = TO_FIRE) -> None:
        time.sleep(max(0.0, (self.due + moment - datetime.now(UTC)).total_seconds()))


@pytest.fixture(scope="module")
def stack(deployed_system: System, call: Any) -> Deployed:
    return Deployed(deployed_system, call)


def book_all(stack: Deployed, minute: Minute) -> None:
    """Book everything that is due in the minute on the stack that stays up."""
    for name in ("reminded", "cancelled", "moved away", "repeated"):
        minute.booked[name] = stack.book(minute.due)
    minute.booked["moved here"] = stack.book(minute.due + timedelta(days=2))
    with stack.denied("ConflictDetectorRole", "events:PutRule"):
        minute.booked["refused"] = stack.book(minute.due)
    minute.booked["moved away, before"] = minute.booked["moved away"]
    stack.call("DELETE", f"/appointments/{minute.booked['cancelled']['appointmentId']}")
    for name, start in (("moved away", minute.due + timedelta(days=1)), ("moved here", minute.due + HOUR)):
        path = f"/appointments/{minute.booked[name]['appointmentId']}"
        moved = stack.call("PATCH", path, {"startTime": start.isoformat()})
        assert moved.status == 200, moved.body
        minute.booked[name] = moved.body


@pytest.fixture(scope="module")
def booked_in_time(
    stack: Deployed, tmp_path_factory: pytest.TempPathFactory, call_to: Any
) -> Iterator[tuple[Minute, Deployed, Minute]]:
    """One minute for all tests, in whatever order they come, and a second stack, whose engine is down from now on."""
    home: Path = tmp_path_factory.mktemp("interrupted")
    with ExitStack() as ends:
        engine = ends.enter_context(Engine(state=home / "state"))
        system = ends.enter_context(serving(engine, lambda _: None, stack_name="appointments-interrupted"))
        other = Deployed(system, call_to(system.api_url))
        for _ in range(4):  # on a busy machine the bookings may take longer than there is time: then a later minute
            due = (datetime.now(UTC) + TO_BOOK + timedelta(minutes=1)).replace(second=0, microsecond=0)
            here, there = Minute(due), Minute(due)
            book_all(stack, here)
            there.booked["ahead"] = other.book(due)
            there.booked["begun"] = other.book(due, offset="1m", ahead=timedelta(minutes=1))
            if datetime.now(UTC) < due - timedelta(seconds=10):
                break
        else:
            pytest.fail("this machine is too slow to book in time")
        engine.stop()
        yield here, other, there


@pytest.fixture(scope="module")
def minute(booked_in_time: tuple[Minute, Deployed, Minute]) -> Minute:
    return booked_in_time[0]


@pytest.fixture(scope="module")
def interrupted(booked_in_time: tuple[Minute, Deployed, Minute]) -> tuple[Deployed, Minute]:
    """The stack whose engine is down until a test starts it again, and what was due there."""
    return booked_in_time[1:]


def test_it_is_sent_once_at_its_minute_and_its_rule_goes(stack: Deployed, minute: Minute) -> None:
    body = minute.booked["reminded"]
    rule = stack.rule(body)
    if datetime.now(UTC) < minute.due:
        assert rule
        assert rule["ScheduleExpression"] == f"cron({minute.due:%-M %-H %-d %-m} ? {minute.due:%Y})"
    minute.wait()
    (message,) = stack.received(body)
    assert message["dueAt"] == body["reminders"][0]["dueAt"]
    reminder = stack.reminder(body)
    assert (reminder["state"], reminder["attempts"]) == ("sent", 1)
    assert datetime.fromisoformat(reminder["sentAt"]) >= minute.due
    assert stack.rule(body) is None


def test_what_is_due_before_a_rule_would_be_live_is_sent_without_one(stack: Deployed) -> None:
    body = stack.book(datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=6))
    assert stack.rule(body) is None
    (message,) = stack.until_received(body, 30)
    reminder = stack.reminder(body)
    assert (message["dueAt"], reminder["state"]) == (reminder["dueAt"], "sent")
    assert reminder["sentAt"] >= reminder["dueAt"]


def test_37_cancelled_sends_nothing_and_leaves_no_rule(stack: Deployed, minute: Minute) -> None:
    body = minute.booked["cancelled"]
    assert stack.rule(body) is None
    minute.wait()
    stack.fire(stack.event(body))
    assert stack.received(body) == []
    assert stack.reminder(body)["state"] == "skipped"


def test_38_moved_only_the_reminder_of_the_new_time_is_sent(stack: Deployed, minute: Minute) -> None:
    away, here = minute.booked["moved away"], minute.booked["moved here"]
    stack.fire(stack.event(minute.booked["moved away, before"]))  # the old rule fires all the same
    minute.wait()
    assert stack.received(away) == []
    assert stack.reminder(away)["state"] == "pending"
    rule = stack.rule(away)
    assert rule
    due = datetime.fromisoformat(stack.reminder(away)["dueAt"])
    assert rule["ScheduleExpression"] == f"cron({due:%-M %-H %-d %-m} ? {due:%Y})"
    (message,) = stack.received(here)
    assert message["startTime"] == here["startTime"]


def test_39_the_same_rule_three_times_is_one_message(stack: Deployed, minute: Minute) -> None:
    body = minute.booked["repeated"]
    minute.wait()
    for _ in range(2):
        stack.fire(stack.event(body))
    assert len(stack.received(body)) == 1


def test_40_refused_by_eventbridge_the_sweep_sends_it(stack: Deployed) -> None:
    with stack.denied("ConflictDetectorRole", "events:PutRule"):
        body = stack.book(datetime.now(UTC) + timedelta(days=3))
    assert stack.rule(body) is None
    stack.age(body, datetime.now(UTC) - timedelta(minutes=3))
    stack.sweep()
    stack.sweep()
    assert len(stack.until_received(body)) == 1
    assert stack.reminder(body)["state"] == "sent"


def test_40_refused_by_eventbridge_and_due_soon_the_sweep_arms_it(stack: Deployed, minute: Minute) -> None:
    body = minute.booked["refused"]
    if datetime.now(UTC) < minute.due - timedelta(seconds=20):
        stack.sweep()
        assert stack.rule(body)
    else:  # its turn came later: then it has no rule, and what sends it is the sweep
        stack.age(body, datetime.now(UTC) - timedelta(minutes=3))
        stack.sweep()
    minute.wait()
    assert len(stack.until_received(body)) == 1


def test_41_publish_fails_twice_then_works_is_one_message(stack: Deployed) -> None:
    body = stack.book(datetime.now(UTC) + timedelta(days=3))
    event = stack.age(body, datetime.now(UTC) - timedelta(seconds=30))
    with stack.denied("ReminderSenderRole", "sns:Publish"):
        stack.fire(event, "Event")
        deadline = time.monotonic() + 30
        while (reminder := stack.reminder(body))["attempts"] < 2 or reminder["state"] == "sending":
            assert time.monotonic() < deadline, reminder
            time.sleep(0.05)
    assert len(stack.until_received(body)) == 1
    reminder = stack.reminder(body)
    assert (reminder["state"], reminder["attempts"]) == ("sent", 3)


def test_41_publish_never_works_is_a_dead_letter_and_redrive_sends_it(stack: Deployed) -> None:
    body = stack.book(datetime.now(UTC) + timedelta(days=3))
    event = stack.age(body, datetime.now(UTC) - timedelta(seconds=30))
    sqs, queue = stack.engine.client("sqs"), stack.resources["ReminderExecutionDeadLetterQueue"]
    with stack.denied("ReminderSenderRole", "sns:Publish"):
        stack.fire(event, "Event")
        deadline = time.monotonic() + 100  # three tries with pauses, on a machine that may be busy
        letters: list[dict[str, Any]] = []
        while not letters and time.monotonic() < deadline:
            found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0, WaitTimeSeconds=1)
            payloads = [json.loads(message["Body"])["requestPayload"] for message in found.get("Messages", [])]
            letters = [payload for payload in payloads if payload["appointmentId"] == body["appointmentId"]]
    group = f"/aws/lambda/{stack.resources['ReminderSenderFunction']}"
    lines = [e["message"] for e in stack.engine.client("logs").filter_log_events(logGroupName=group)["events"]]
    told = [line for line in lines if body["appointmentId"] in line]
    assert letters == [event], told
    reminder = stack.reminder(body)
    assert (reminder["state"], reminder["attempts"], stack.received(body)) == ("pending", 3, [])
    assert any("REMINDER_ERROR" in line for line in told)

    assert "1 sent again" in command(stack, "ops.redrive")
    assert len(stack.until_received(body)) == 1
    assert "1 sent again" not in command(stack, "ops.redrive")
    assert len(stack.received(body)) == 1


def test_43_half_an_hour_ahead_there_is_nothing_left_to_remind_of(call: Any, stack: Deployed, calendar_id: str) -> None:
    start = datetime.now(UTC) + timedelta(minutes=30)
    body = {"userId": calendar_id, "startTime": start.isoformat(), "endTime": (start + HOUR).isoformat()}
    booked = call("POST", "/appointments", body)
    assert (booked.status, booked.body["reminders"]) == (201, [])
    assert stack.rule(booked.body) is stack.rule(booked.body, "24h") is None


def test_42_the_engine_is_down_at_the_due_minute(interrupted: tuple[Deployed, Minute]) -> None:
    stack, minute = interrupted
    ahead, begun = minute.booked["ahead"], minute.booked["begun"]
    minute.wait(timedelta(seconds=61))
    stack.engine.start()
    for body in (ahead, begun):  # two minutes later, when the sweep knows that no timer will come
        stack.age(body, minute.due - timedelta(minutes=2))
    stack.sweep()
    stack.sweep()
    assert len(stack.until_received(ahead)) == 1
    assert stack.received(begun) == []
    assert (stack.reminder(ahead)["state"], stack.reminder(begun)["state"]) == ("sent", "missed")


def test_retime_moves_what_a_zones_new_rules_displace(
    stack: Deployed, calendar_id: str, call: Any, tmp_path: Path
) -> None:
    """The command itself, under time-zone data in which Troll keeps the time of Etc/GMT+4."""
    (tmp_path / "Antarctica").mkdir()
    rules = resources.files("tzdata").joinpath("zoneinfo", "Etc", "GMT+4").read_bytes()
    (tmp_path / "Antarctica" / "Troll").write_bytes(rules)
    body = {"userId": calendar_id, "timeZone": "Antarctica/Troll", "reminders": ["1h"]}
    body |= {"startTime": "2031-01-15T09:00", "endTime": "2031-01-15T10:00"}
    booked = call("POST", "/appointments", body)
    assert (booked.status, booked.body["startTime"]) == (201, "2031-01-15T09:00:00Z")
    said = command(stack, "ops.retime", "Antarctica/Troll", PYTHONTZPATH=str(tmp_path))
    assert said.endswith("\n1 moved, 0 not moved, 0 lie right already\n")
    assert call("GET", booked.headers["Location"]).body["startTime"] == "2031-01-15T13:00:00Z"
    rule = stack.rule(booked.body)
    assert rule
    assert rule["ScheduleExpression"] == "cron(0 12 15 1 ? 2031)"


def command(stack: Deployed, module: str, *arguments: str, **environment: str) -> str:
    """What a command for operators prints about this stack."""
    run = subprocess.run(
        [sys.executable, "-m", module, *arguments, stack.system.stack.name],
        cwd=ROOT,
        env=stack.engine.environment() | {"PYTHONPATH": str(ROOT / "src")} | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return run.stdout
