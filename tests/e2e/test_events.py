"""Events and the history on the deployed stack: the function behind the streams, its permissions, the bus."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

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
