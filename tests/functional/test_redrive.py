"""Dead letters sent again: both ways in which they are written, twice over, and what is no event at all."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime, timedelta
from itertools import repeat
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from appointments.firing import Firing
from appointments.notices import Change
from appointments.webhooks import Delivery
from ops.emptying import Redriven
from ops.redrive import NoticeRedrive, Redrive, ReplyRedrive, WebhookRedrive

if TYPE_CHECKING:
    from collections.abc import Iterable

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


def visible_in(world: World, queue: str) -> int:
    name = "ApproximateNumberOfMessages"
    return int(world.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name])


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


ID = "c69dd71d-9565-5b27-8ae7-9c2acfa4c2fe"
EVENT = {"appointmentId": ID, "reminder": "1h", "dueAt": "2030-01-15T08:00:00Z"}
JUNK = {
    "no JSON": "no JSON",
    "nested too deeply": "[" * 100_000,
    "nothing": "{}",
    "a list": "[1]",
    "half an event": '{"appointmentId": "x"}',
    "another's rule": '{"resources": ["arn:rule/nightly"]}',
    "an envelope around nothing": '{"requestPayload": null}',
    "an envelope around text": '{"requestPayload": "appointmentId"}',
    **{
        f"{name}: {value}": json.dumps(EVENT | {name: value})
        for name, value in [
            ("appointmentId", "x"),
            ("appointmentId", 7),
            ("appointmentId", None),
            ("reminder", "soon"),
            ("reminder", ["1h"]),
            ("reminder", ""),
            ("dueAt", "2030-01-15"),
            ("dueAt", "2030-01-15T08:00:00"),
            ("dueAt", "2030-01-15T09:00:00+01:00"),
            ("dueAt", 1),
            ("backend", "cron"),
        ]
    },
}


@pytest.mark.parametrize("kind", JUNK)
def test_what_is_no_event_stays_and_is_told(
    world: World, queue: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    world.sqs.send_message(QueueUrl=queue, MessageBody=JUNK[kind])
    assert redrive(world, queue) == (Redriven(left=1), [])
    assert visible_in(world, queue) == 1
    assert "not an event of a reminder" in capsys.readouterr().err
    assert redrive(world, queue) == (Redriven(left=1), [])  # at once, and not when it would come back by itself


def test_what_it_did_not_come_to_is_back_at_once(world: World, booked: dict[str, Any], queue: str) -> None:
    for _ in range(5):
        world.sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(event_of(booked)))
    functions = Functions(world)

    def broken_off(**_: Any) -> None:
        if functions.events:
            raise KeyboardInterrupt
        functions.events.append({})

    functions.invoke = broken_off  # type: ignore[method-assign]
    done = Redriven()
    with pytest.raises(KeyboardInterrupt):
        Redrive(world.sqs, functions, world.storage, "sender", wait_seconds=0).queue(queue, world.now, done)
    assert done == Redriven(sent=1, more=4)
    assert visible_in(world, queue) == 4
    assert redrive(world, queue)[0] == Redriven(sent=4)
    assert left_in(world, queue) == 0


def test_what_another_one_holds_is_told(world: World, booked: dict[str, Any], queue: str) -> None:
    for _ in range(2):
        world.sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(event_of(booked)))
    world.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=1)  # and dies
    done, _ = redrive(world, queue)
    assert done == Redriven(sent=1, more=1)
    told = "1 sent again, 0 no longer wanted, 0 left, 1 more are new or held elsewhere: run this again in 120 s"
    assert str(done) == told


class Queue:
    """SQS as far as a redrive needs it, with these answers to `receive_message`; how many it counts is up to a test."""

    def __init__(self, answers: Iterable[list[str]], counted: Iterable[int] = (0,)) -> None:
        self.answers, self.counted = iter(answers), iter(counted)
        self.asked = 0
        self.gone: list[str] = []

    def receive_message(self, **_: Any) -> dict[str, Any]:
        self.asked += 1
        bodies = next(self.answers)
        return {"Messages": [{"MessageId": text, "ReceiptHandle": text, "Body": text} for text in bodies]}

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        return {"Attributes": defaultdict(int, ApproximateNumberOfMessagesNotVisible=next(self.counted))}

    def delete_message(self, *, ReceiptHandle: str, **_: Any) -> None:  # noqa: N803 - boto3's name
        self.gone.append(ReceiptHandle)

    def change_message_visibility(self, **_: Any) -> None:
        raise ClientError({"Error": {"Code": "MessageNotInflight"}}, "ChangeMessageVisibility")


def played(world: World, queue: Queue) -> Redriven:
    return Redrive(queue, Functions(world), world.storage, "sender", wait_seconds=0).queue("queue", world.now)


def test_what_comes_back_meanwhile_hides_nothing_else(world: World, booked: dict[str, Any]) -> None:
    good = json.dumps(event_of(booked))
    queue = Queue([["a", "b"], ["b", "a"], [good], ["a"], []], counted=[2])
    assert played(world, queue) == Redriven(sent=1, left=2)
    assert queue.gone == [good]


def test_what_comes_back_for_ever_is_an_end_too(world: World) -> None:
    queue = Queue(repeat(["a", "b"]), counted=[2])
    assert played(world, queue) == Redriven(left=2)
    assert queue.asked <= 4


def test_the_queue_is_counted_at_the_end_and_until_it_has_settled(world: World) -> None:
    assert played(world, Queue([["a"], []], counted=[5, 4, 1])) == Redriven(left=1)
    assert played(world, Queue([[]], counted=repeat(3))) == Redriven(more=3)


def test_more_than_one_answer_of_the_queue_holds(world: World, queue: str) -> None:
    bodies = [world.book("9:00", "10:00", user=f"user-{n}", reminders=["1h"])[1] for n in range(25)]
    world.now = DUE + timedelta(minutes=20)
    for body in bodies:
        world.sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(event_of(body)))
    assert redrive(world, queue)[0] == Redriven(sent=25)
    assert len(world.inbox()) == 25


# --- deliveries to webhooks --------------------------------------------------------------------------------


def test_a_delivery_that_was_given_up_is_delivered_anew(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    delivery = Delivery("crm", "a.1", "appointment.booked", world.now, {"eventId": "a.1"})
    world.webhooks.queue.give_up(delivery.message, "not delivered within a day")
    world.webhooks.queue.give_up("not JSON", "not a delivery")
    done = WebhookRedrive(world.sqs, world.deliveries_url, 0).queue(world.failures_url, world.now)
    assert (done.sent, done.over, done.left) == (1, 0, 1)
    assert "not a delivery to a webhook" in capsys.readouterr().err
    (message,) = world.sqs.receive_message(QueueUrl=world.deliveries_url)["Messages"]
    assert message["Body"] == delivery.message
    assert left_in(world, world.failures_url) == 1


def test_a_change_of_which_people_were_not_told_goes_back_into_its_queue(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    change = Change("a", 1, "a.1")
    for body in (change.message, "{}"):
        world.sqs.send_message(QueueUrl=world.failures_url, MessageBody=body)
    done = NoticeRedrive(world.sqs, world.deliveries_url, 0).queue(world.failures_url, world.now)
    assert (done.sent, done.over, done.left) == (1, 0, 1)
    assert "not a change of an appointment" in capsys.readouterr().err
    (message,) = world.sqs.receive_message(QueueUrl=world.deliveries_url)["Messages"]
    assert Change.from_message(message["Body"]) == change


def test_an_answer_by_sms_goes_to_its_function_again(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    event = {"Records": [{"Sns": {"Message": "{}", "Timestamp": "2030-01-15T08:00:00.000Z"}}]}
    invoked: list[dict[str, Any]] = []
    functions = SimpleNamespace(invoke=lambda **request: invoked.append(request))
    bodies: list[dict[str, Any]] = [{"requestPayload": event}, {"requestPayload": {"Records": [{}]}}, {}]
    for body in bodies:
        world.sqs.send_message(QueueUrl=world.failures_url, MessageBody=json.dumps(body))
    done = ReplyRedrive(world.sqs, functions, "sms-replies:live", 0).queue(world.failures_url, world.now)
    assert (done.sent, done.over, done.left) == (1, 0, 2)
    assert "not an answer by SMS" in capsys.readouterr().err
    (request,) = invoked
    assert (request["FunctionName"], request["InvocationType"]) == ("sms-replies:live", "Event")
    assert json.loads(request["Payload"]) == event
