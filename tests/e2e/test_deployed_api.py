"""The deployed stack as a user meets it: real gateway, real roles, real rules, on the embedded engine."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

SOON = timedelta(minutes=1)
# A rule created less than 10 s before its minute never fires on the engine.
ENGINE_NEEDS = timedelta(seconds=20)


def booking(user_id: str, start: datetime, **more: object) -> dict[str, object]:
    end = start + timedelta(minutes=30)
    return {"userId": user_id, "startTime": start.isoformat(), "endTime": end.isoformat()} | more


def in_days(days: int) -> datetime:
    return (datetime.now(UTC) + timedelta(days=days)).replace(hour=10, minute=0, second=0, microsecond=0)


def test_books_refuses_and_reads_back(call, calendar_id):
    booked = call("POST", "/appointments", booking(calendar_id, in_days(10)))
    assert booked.status == 201, booked.body
    refused = call("POST", "/appointments", booking(calendar_id, in_days(10) + timedelta(minutes=10)))
    assert refused.status == 409
    assert [conflict["calendarId"] for conflict in refused.body["conflicts"]] == [calendar_id]
    read = call("GET", booked.headers["Location"])
    assert (read.status, read.body) == (200, booked.body)


def test_reminds_once_at_its_minute_and_removes_the_rule(call, calendar_id, engine, deployed_system):
    due = (datetime.now(UTC) + SOON + ENGINE_NEEDS).replace(second=0, microsecond=0)
    booked = call("POST", "/appointments", booking(calendar_id, due + timedelta(hours=1), reminders=["1h"]))
    assert booked.status == 201, booked.body
    rule = f"appointment-reminder-1h-{booked.body['appointmentId']}"
    events = engine.client("events")
    assert events.describe_rule(Name=rule)["ScheduleExpression"] == f"cron({due:%-M %-H %-d %-m} ? {due:%Y})"

    sqs, inbox = engine.client("sqs"), deployed_system.inbox_queue_url
    reminders: list[dict[str, object]] = []
    deadline = time.monotonic() + (due - datetime.now(UTC)).total_seconds() + 40
    while time.monotonic() < deadline and not reminders:
        for message in sqs.receive_message(QueueUrl=inbox, WaitTimeSeconds=1).get("Messages", []):
            sqs.delete_message(QueueUrl=inbox, ReceiptHandle=message["ReceiptHandle"])
            reminder = json.loads(json.loads(message["Body"])["Message"])
            reminders += [reminder] if reminder["userId"] == calendar_id else []
    assert [reminder["appointmentId"] for reminder in reminders] == [booked.body["appointmentId"]]
    assert datetime.now(UTC) >= due

    while rule in [found["Name"] for found in events.list_rules(NamePrefix=rule)["Rules"]]:
        assert time.monotonic() < deadline, "the rule is still there"
        time.sleep(0.5)
    (state,) = call("GET", booked.headers["Location"]).body["reminders"]
    assert state["state"] == "sent"
