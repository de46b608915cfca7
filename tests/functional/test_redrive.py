"""Dead letters sent again: both ways in which they are written, twice over, and what is no event at all."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ops.redrive import Redrive, Redriven
from reminder_sender.sender import Firing

if TYPE_CHECKING:
    from world import World

DUE = datetime.fromisoformat("2030-01-15T08:00:00Z")


class Functions:
    """Lambda, as far as a redrive needs it: it takes an event, and the sender gets it at once."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.events: list[dict[str, Any]] = []

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> None:  # noqa: N803 - boto3's names
        assert (FunctionName, InvocationType) == ("sender", "Event")
        self.events.append(json.loads(Payload))
        self.world.sender.send(Firing.from_event(self.events[-1]))


@pytest.fixture
def booked(world: World) -> dict[str, Any]:
    _, body = world.book("9:00", "10:00", user="anna", reminders=["1h"])
    world.now = DUE + timedelta(minutes=20)
    return body


@pytest.fixture
def queue(world: World) -> str:
    return str(world.sqs.create_queue(QueueName="dead-letters")["QueueUrl"])


def redrive(world: World, queue: str) -> tuple[Redriven, list[dict[str, Any]]]:
    functions = Functions(world)
    done = Redrive(world.sqs, functions, world.storage, "sender", wait_seconds=0).queue(queue, world.now)
    return done, functions.events


def left_in(world: World, queue: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = world.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return sum(int(number) for number in attributes.values())


def event_of(body: dict[str, Any]) -> dict[str, str]:
    return {"appointmentId": body["appointmentId"], "reminder": "1h", "dueAt": "2030-01-15T08:00:00Z"}


def letters(body: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """How one reminder's event lies in a dead-letter queue, by who left it there."""
    rule = f"arn:aws:events:us-east-1:123456789012:rule/appointment-reminder-1h-{body['appointmentId']}"
    attributes = {"RULE_ARN": {"DataType": "String", "StringValue": rule}}
    envelope = {
        "version": "1.0",
        "timestamp": "2030-01-15T08:03:00.000Z",
        "requestContext": {"condition": "RetriesExhausted", "approximateInvokeCount": 3},
        "requestPayload": event_of(body),
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
        "responsePayload": {"errorType": "ClientError"},
    }
    scheduled = {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "resources": [rule],
        "detail": {},
    }
    return {
        "EventBridge, the target's input": (json.dumps(event_of(body)), attributes),
        "EventBridge, the rule's own event": (json.dumps(scheduled), attributes),
        "EventBridge, without attributes": (json.dumps(scheduled), {}),
        "Scheduler": (json.dumps(event_of(body) | {"backend": "scheduler"}), {}),
        "Lambda": (json.dumps(envelope), {}),
    }


WRITERS = list(letters({"appointmentId": "x"}))


@pytest.mark.parametrize("writer", WRITERS)
def test_each_is_sent_and_gone_from_the_queue(world: World, booked: dict[str, Any], queue: str, writer: str) -> None:
    text, attributes = letters(booked)[writer]
    world.sqs.send_message(QueueUrl=queue, MessageBody=text, MessageAttributes=attributes)
    done, events = redrive(world, queue)
    assert (done, len(world.inbox()), left_in(world, queue)) == (Redriven(sent=1), 1, 0)
    assert {name: events[0][name] for name in event_of(booked)} == event_of(booked)


def test_the_same_reminder_in_every_way_is_one_message(world: World, booked: dict[str, Any], queue: str) -> None:
    for text, attributes in letters(booked).values():
        world.sqs.send_message(QueueUrl=queue, MessageBody=text, MessageAttributes=attributes)
    assert redrive(world, queue)[0] == Redriven(sent=len(WRITERS))
    assert redrive(world, queue)[0] == Redriven()
    assert len(world.inbox()) == 1


def test_dying_between_sending_and_removing_does_no_harm(world: World, booked: dict[str, Any], queue: str) -> None:
    world.sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(event_of(booked)))
    with world.failing("DeleteMessage"), pytest.raises(Exception, match="made to fail"):
        redrive(world, queue)
    world.sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(event_of(booked)))  # as when it is visible again
    redrive(world, queue)
    assert len(world.inbox()) == 1


def test_what_was_moved_into_the_future_is_left_to_its_timer(world: World, booked: dict[str, Any], queue: str) -> None:
    path = f"/appointments/{booked['appointmentId']}"
    assert world.request("PATCH", path, {"startTime": "2030-02-15T09:00:00Z"})[0] == 200
    for text, attributes in letters(booked).values():
        world.sqs.send_message(QueueUrl=queue, MessageBody=text, MessageAttributes=attributes)
    done, _ = redrive(world, queue)
    assert done.over == 2  # those that do not say when they were due
    assert world.inbox() == []
    assert list(world.rules().values()) == ["cron(0 8 15 2 ? 2030)"]


@pytest.mark.parametrize(
    "text", ["no JSON", "{}", '{"appointmentId": "x"}', '{"resources": ["arn:rule/nightly"]}', "[1]"]
)
def test_what_is_no_event_stays_and_is_told(
    world: World, queue: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    world.sqs.send_message(QueueUrl=queue, MessageBody=text)
    assert redrive(world, queue)[0] == Redriven(left=1)
    assert left_in(world, queue) == 1
    assert "not an event of a reminder" in capsys.readouterr().err


def test_more_than_one_answer_of_the_queue_holds(world: World, queue: str) -> None:
    bodies = [world.book("9:00", "10:00", user=f"user-{n}", reminders=["1h"])[1] for n in range(25)]
    world.now = DUE + timedelta(minutes=20)
    for body in bodies:
        world.sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(event_of(body)))
    assert redrive(world, queue)[0] == Redriven(sent=25)
    assert len(world.inbox()) == 25
