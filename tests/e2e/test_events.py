"""Events and the history on the deployed stack: the function behind the streams, its permissions, the bus."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from support import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.deploy import Stack
    from local.engine import Engine

# The relay is invoked within a second or two.
WITHIN = 30.0


@pytest.fixture
def heard(engine: Engine, deployed_stack: Stack) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """The events that came to a queue of our own by a rule on the bus, as docs/events.md has it, so far."""
    sqs, events = engine.client("sqs"), engine.client("events")
    url = sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus = f"appointments-{deployed_stack.name}"
    events.put_rule(Name="heard", EventBusName=bus, EventPattern=json.dumps({"source": ["appointments"]}))
    events.put_targets(Rule="heard", EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    found: list[dict[str, Any]] = []

    def so_far() -> list[dict[str, Any]]:
        while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in batch:
                found.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    yield so_far
    events.remove_targets(Rule="heard", EventBusName=bus, Ids=["queue"])
    events.delete_rule(Name="heard", EventBusName=bus)
    sqs.delete_queue(QueueUrl=url)


def until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.2)


def test_a_history_is_complete_within_seconds_and_events_reach_a_queue(
    call: Callable[..., Any], heard: Callable[[], list[dict[str, Any]]]
) -> None:
    start = (datetime.now(UTC) + timedelta(days=40)).replace(minute=0, second=0, microsecond=0)
    times = [(start + timedelta(hours=n)).isoformat() for n in range(3)]
    assert call("PUT", "/calendars/told-room", {"capacity": 2}).status == 200
    body = {"userId": "told", "startTime": times[0], "endTime": times[1], "resourceIds": ["told-room"]}
    mine = call("POST", "/appointments", body | {"details": {"title": "SECRET"}}).body
    path = f"/appointments/{mine['appointmentId']}"
    assert call("PATCH", path, {"startTime": times[1]}).status == 200
    assert call("PATCH", path, {"confirmed": True}).status == 200
    assert call("DELETE", path).status == 200

    until(lambda: len(call("GET", f"{path}/history").body["history"]) == 4)
    history = call("GET", f"{path}/history").body["history"]
    assert [(one["version"], one["type"], one["by"]) for one in history] == [
        (1, "appointment.booked", "system"),
        (2, "appointment.moved", "system"),
        (3, "appointment.confirmed", "system"),
        (4, "appointment.cancelled", "system"),
    ]

    def ours() -> dict[str, dict[str, Any]]:
        details = [event["detail"] for event in heard()]
        mine_or_room = (mine["appointmentId"], "told-room")
        return {
            one["eventId"]: one for one in details if one.get("appointmentId", one.get("calendarId")) in mine_or_room
        }

    until(lambda: len(ours()) == 5)
    assert sorted(one["type"] for one in ours().values()) == sorted(
        ["calendar.configured", *(entry["type"] for entry in history)]
    )
    told = {one["version"]: one["changes"] for one in ours().values() if "appointmentId" in one}
    assert told == {entry["version"]: entry["changes"] for entry in history}
    assert "SECRET" not in json.dumps(heard())
    assert {event["detail-type"] for event in heard()} >= {entry["type"] for entry in history}


def test_what_was_not_relayed_is_relayed_by_redrive(
    call: Callable[..., Any], engine: Engine, deployed_stack: Stack
) -> None:
    start = (datetime.now(UTC) + timedelta(days=41)).replace(minute=0, second=0, microsecond=0)
    times = {"startTime": start.isoformat(), "endTime": (start + timedelta(hours=1)).isoformat()}
    mine = call("POST", "/appointments", {"userId": "told-later"} | times).body
    history = f"/appointments/{mine['appointmentId']}/history"
    until(lambda: len(call("GET", history).body["history"]) == 1)

    # As if the relay had given up on it, and Lambda had named it in the queue.
    streams, dynamodb = engine.client("dynamodbstreams"), engine.client("dynamodb")
    (stream,) = streams.list_streams(TableName=deployed_stack.appointments_table)["Streams"]
    (shard,) = streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]["Shards"]
    about: dict[str, Any] = {"StreamArn": stream["StreamArn"], "ShardId": shard["ShardId"]}
    iterator = streams.get_shard_iterator(**about, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    numbers: list[str] = []
    while not numbers:
        answer = streams.get_records(ShardIterator=iterator)
        numbers = [
            record["dynamodb"]["SequenceNumber"]
            for record in answer["Records"]
            if record["dynamodb"]["Keys"]["appointmentId"]["S"] == mine["appointmentId"]
        ]
        iterator = answer["NextShardIterator"]
    entry = {"calendarId": {"S": f"history#{mine['appointmentId']}"}, "day": {"S": "000001"}}
    dynamodb.delete_item(TableName=deployed_stack.calendars_table, Key=entry)
    assert call("GET", history).body == {"history": []}
    resources = engine.client("cloudformation").describe_stack_resources(StackName=deployed_stack.name)
    (queue,) = [
        resource["PhysicalResourceId"]
        for resource in resources["StackResources"]
        if resource["LogicalResourceId"] == "RelayFailures"
    ]
    info = {"streamArn": stream["StreamArn"], "startSequenceNumber": numbers[0], "endSequenceNumber": numbers[-1]}
    engine.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps({"DDBStreamBatchInfo": info}))

    run = subprocess.run(
        [sys.executable, "-m", "ops.redrive", deployed_stack.name],
        cwd=ROOT,
        env=engine.environment() | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "RelayFailures: 1 sent again" in run.stdout, run.stderr
    assert [one["type"] for one in call("GET", history).body["history"]] == ["appointment.booked"]
