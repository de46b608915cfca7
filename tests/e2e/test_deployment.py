"""A second version over a running first, and the end of a stack: nothing lost, nothing left behind by accident."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from appointments.storage.history import HISTORY
from copies import copied
from local import LocalError
from local.deploy import Stack, deploy, stack_status
from local.queues import subscribe
from ops.restore import Restore
from support import ROOT, inconsistencies

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.engine import Engine


@pytest.fixture
def send() -> Callable[..., tuple[int, Any]]:
    import urllib.error
    import urllib.request

    def call(stack: Stack, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(stack.api_target + path, data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as answer:
            with answer:
                text = answer.read()
                return answer.code, json.loads(text) if text.startswith(b"{") else text

    return call


def body(start: datetime, user: str = "anna") -> dict[str, Any]:
    end = start + timedelta(minutes=30)
    return {"userId": user, "startTime": start.isoformat(), "endTime": end.isoformat(), "reminders": ["1h"]}


def no_entry(item: dict[str, Any]) -> bool:
    return not item.get("calendarId", {}).get("S", "").startswith(HISTORY)


def history(dynamodb: Any, stack: Stack) -> set[tuple[str, str]]:
    """The appointments and versions that the history of a small stack tells of."""
    items = dynamodb.scan(TableName=stack.calendars_table, ConsistentRead=True)["Items"]
    return {(item["calendarId"]["S"].removeprefix(HISTORY), item["day"]["S"]) for item in items if not no_entry(item)}


def live_version(engine: Engine, function: str) -> str:
    return str(engine.client("lambda").get_alias(FunctionName=function, Name="live")["FunctionVersion"])


def first_reminder(engine: Engine, inbox: str, until: datetime) -> str | None:
    """The appointment of the first message in a queue, and None where there is none in time."""
    sqs = engine.client("sqs")
    while datetime.now(UTC) < until:
        for message in sqs.receive_message(QueueUrl=inbox, WaitTimeSeconds=1).get("Messages", []):
            found: str | None = json.loads(json.loads(message["Body"])["Message"])["appointmentId"]
            return found
    return None


def test_a_second_version_over_a_running_first(engine: Engine, first_stack: Stack, send: Any) -> None:
    name = "appointments-upgrade"
    first = copied(engine, first_stack, name)
    inbox = subscribe(engine, first.topic_arn, "upgrade-inbox")
    before = live_version(engine, first.conflict_detector)
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=20)
    # Its rule is made by the first version, and fires under the second.
    due = (datetime.now(UTC) + timedelta(seconds=80)).replace(second=0, microsecond=0)
    status, reminded = send(first, "POST", "/appointments", body(due + timedelta(hours=1), "carl"))
    assert status == 201, reminded
    booked: list[dict[str, Any]] = []
    lost: list[Any] = []
    stop = Event()

    def keep_booking(user: str) -> None:
        """Books one hour after the other; an answer other than 201 is a booking that somebody would miss."""
        for number in range(2000):
            if stop.is_set():
                return
            status, answer = send(first, "POST", "/appointments", body(hour + number * timedelta(hours=1), user))
            (booked if status == 201 else lost).append(answer)
            time.sleep(0.1)

    with ThreadPoolExecutor(2) as pool:
        clients = [pool.submit(keep_booking, user) for user in ("anna", "ben")]
        try:
            second = deploy(engine, name, print, {"RetentionDays": "77", "ReminderBackend": "scheduler"})
            at_the_end = len(booked)
            time.sleep(1)
        finally:
            stop.set()
        for client in clients:
            client.result()
    assert lost == []
    assert len(booked) > at_the_end > 0  # in between, and after
    # What changed by parameter alone is a new version, and it is live.
    assert int(live_version(engine, second.conflict_detector)) == int(before) + 1
    settings = engine.client("lambda").get_function_configuration(
        FunctionName=second.conflict_detector, Qualifier="live"
    )["Environment"]["Variables"]
    assert (settings["RETENTION_DAYS"], settings["REMINDER_BACKEND"]) == ("77", "scheduler")
    status, later = send(second, "POST", "/appointments", body(hour, "dora"))
    assert status == 201
    timer = f"appointment-reminder-1h-{later['appointmentId']}"
    schedule = engine.client("scheduler").get_schedule(Name=timer, GroupName=settings["REMINDER_SCHEDULE_GROUP"])
    assert schedule["Target"]["Arn"].endswith(":appointments-upgrade-reminder-sender:live")
    assert engine.client("events").list_rules(NamePrefix=timer)["Rules"] == []
    # Both versions are there to go back to.
    kept = {
        v["Version"]
        for v in engine.client("lambda").list_versions_by_function(FunctionName=second.conflict_detector)["Versions"]
    }
    assert {before, str(int(before) + 1)} <= kept

    tables = (second.appointments_table, second.calendars_table)
    assert tables == (first.appointments_table, first.calendars_table)
    for appointment in booked:
        assert send(second, "GET", f"/appointments/{appointment['appointmentId']}", None) == (200, appointment)
    assert inconsistencies(engine.client("dynamodb"), *tables) == []

    assert first_reminder(engine, inbox, until=due + timedelta(seconds=45)) == reminded["appointmentId"]


def test_a_first_deployment_that_fails_leaves_nothing_and_can_be_repeated(engine: Engine, send: Any) -> None:
    """The engine knows no metric math, so monitoring makes the deployment fail after the tables were created."""
    name = "appointments-first"
    with pytest.raises(LocalError, match="Alarm: "):
        deploy(engine, name, print, {"Monitoring": "on"})
    assert stack_status(engine, name) == "ROLLBACK_COMPLETE"
    assert not [table for table in engine.client("dynamodb").list_tables()["TableNames"] if name in table]
    stack = deploy(engine, name, print)  # which deletes what was left, as `sam delete` does
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    assert send(stack, "POST", "/appointments", body(start))[0] == 201


def test_a_deleted_stack_leaves_its_data_and_nothing_else(engine: Engine, first_stack: Stack, send: Any) -> None:
    doomed, other = "appointments-doomed", "appointments-other"
    stacks = {name: copied(engine, first_stack, name) for name in (doomed, other)}
    start = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) + timedelta(days=30)
    booked: dict[Any, Any] = {}
    for name, stack in stacks.items():
        for user in ("anna", "ben"):
            status, answer = send(stack, "POST", "/appointments", body(start, user))
            assert status == 201
            booked.setdefault(name, set()).add(f"appointment-reminder-1h-{answer['appointmentId']}")

    def delete(name: str, *more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ops.delete", name, "--yes", *more]
        environment = engine.environment() | {"PYTHONPATH": "src"}
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    def rules() -> set[str]:
        pages = engine.client("events").get_paginator("list_rules").paginate(NamePrefix="appointment-reminder-")
        return {rule["Name"] for page in pages for rule in page["Rules"]}

    def left(name: str) -> set[str]:
        """Whatever still bears the stack's name, in the services that it uses."""
        found = {table for table in engine.client("dynamodb").list_tables()["TableNames"] if name in table}
        found |= {f["FunctionName"] for f in engine.client("lambda").list_functions()["Functions"] if name in str(f)}
        found |= {g["logGroupName"] for g in engine.client("logs").describe_log_groups()["logGroups"] if name in str(g)}
        found |= {url for url in engine.client("sqs").list_queues().get("QueueUrls", []) if name in url}
        found |= {t["TopicArn"] for t in engine.client("sns").list_topics()["Topics"] if name in str(t)}
        found |= {r["RoleName"] for r in engine.client("iam").list_roles()["Roles"] if name in r["RoleName"]}
        found |= {r["Name"] for r in engine.client("events").list_rules()["Rules"] if name in r["Name"]}
        return found

    assert booked[doomed] | booked[other] <= rules()
    done = delete(doomed)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 reminder rules removed" in done.stdout
    assert not booked[doomed] & rules()
    assert booked[other] <= rules()
    tables = {stacks[doomed].appointments_table, stacks[doomed].calendars_table}
    assert left(doomed) == tables
    assert all(f"kept: AWS::DynamoDB::Table {table}" in done.stdout for table in tables)
    dynamodb, events = engine.client("dynamodb"), engine.client("events")
    assert len(dynamodb.scan(TableName=stacks[doomed].appointments_table)["Items"]) == 2
    # Run again when it is gone, it finds a rule that came too late, and the data that now is to go.
    late = "appointment-reminder-1h-late"
    events.put_rule(Name=late, ScheduleExpression="cron(0 8 15 1 ? 2030)")
    sender = f"arn:aws:lambda:us-east-1:000000000000:function:{stacks[doomed].reminder_sender}:live"
    assert not events.put_targets(Rule=late, Targets=[{"Id": "reminder-sender", "Arn": sender}])["FailedEntryCount"]
    done = delete(doomed, "--data", "delete")
    assert (done.returncode, left(doomed)) == (0, set()), done.stdout + done.stderr
    assert late not in rules()
    # What is protected is refused before anything changes.
    protected = stacks[other].calendars_table
    dynamodb.update_table(TableName=protected, DeletionProtectionEnabled=True)
    done = delete(other, "--data", "delete")
    assert done.returncode == 1
    assert f"--table-name {protected} --no-deletion-protection-enabled" in done.stderr
    assert booked[other] <= rules()
    dynamodb.update_table(TableName=protected, DeletionProtectionEnabled=False)
    # Its neighbour goes on, until it goes too, with its data.
    assert send(stacks[other], "POST", "/appointments", body(start, "carl"))[0] == 201
    done = delete(other, "--data", "delete")
    assert (done.returncode, left(other)) == (0, set()), done.stdout + done.stderr
    assert not booked[other] & rules()


def test_a_stack_goes_back_to_what_was_restored(engine: Engine, first_stack: Stack, send: Any) -> None:
    stack = copied(engine, first_stack, "appointments-restored")
    dynamodb = engine.client("dynamodb")
    tables = (stack.appointments_table, stack.calendars_table)
    start = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) + timedelta(days=30)
    _, kept = send(stack, "POST", "/appointments", body(start))
    # The engine restores what there is now, so this is what is to be restored: `at` comes after it.
    at = datetime.now(UTC).replace(microsecond=0)
    restore = Restore(dynamodb)
    copies = {table: restore.beside(table, at) for table in tables}
    # Then, in a later second, somebody cancels it, and books two others. The history tells it all before the halt.
    time.sleep(1)
    assert send(stack, "DELETE", f"/appointments/{kept['appointmentId']}")[0] == 200
    others = [
        send(stack, "POST", "/appointments", body(start + timedelta(days=days), user))[1]["appointmentId"]
        for days, user in ((0, "anna"), (3, "ben"))
    ]
    first, cancelled = (kept["appointmentId"], "000001"), (kept["appointmentId"], "000002")
    told = {first, cancelled, *((other, "000001") for other in others)}
    patience = datetime.now(UTC) + timedelta(seconds=60)
    while history(dynamodb, stack) != told:
        assert datetime.now(UTC) < patience, "not all was told within a minute"
        time.sleep(0.5)

    command = [sys.executable, "-m", "ops.restore", stack.name, at.isoformat(), "--yes", "--wait", "0"]
    environment = engine.environment() | {"PYTHONPATH": "src"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for table, copy in copies.items():
        assert copy in done.stdout
        live, restored = (dynamodb.scan(TableName=name)["Items"] for name in (table, copy))
        assert sorted(map(repr, filter(no_entry, live))) == sorted(map(repr, filter(no_entry, restored)))
    assert history(dynamodb, stack) == {first}
    assert inconsistencies(dynamodb, *tables) == []
    # It goes on, with the appointment of then: its hour is taken, the other one's is free.
    assert send(stack, "GET", f"/appointments/{kept['appointmentId']}", None) == (200, kept)
    assert send(stack, "POST", "/appointments", body(start))[0] == 409
    assert send(stack, "POST", "/appointments", body(start + timedelta(days=3), "ben"))[0] == 201
