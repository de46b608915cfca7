"""The webhook sender on moto: at least once to each receiver, and a record of it that is right."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from appointments.events import Event
from appointments.storage.webhooks import Breaker
from appointments.targets import Targets
from appointments.webhooks import Delivery
from receivers import receiver, silent
from webhook_sender import app
from webhook_sender.app import lambda_handler, letter_of
from webhook_sender.guard import Guard, UnansweredError
from webhook_sender.sender import (
    FIRST_PAUSE,
    GIVEN_UP_AFTER,
    LONGEST_OF_ONE,
    LONGEST_PAUSE,
    PROBE,
    SECONDS_PER_RECEIVER,
    WebhookSender,
)
from world import KilledError

if TYPE_CHECKING:
    from world import World

Lines = Callable[[], list[dict[str, Any]]]


class Line:
    """The sender behind its queue: what is in it, as SQS would show it at the world's time."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.answers: dict[str, int | str] = {}
        self.posted: list[tuple[str, dict[str, str], bytes]] = []
        self.seconds = 0.0
        self.duration = 0.0
        self.sender = WebhookSender(
            world.webhooks.items,
            world.webhooks.deliveries,
            world.webhooks.secrets,
            self,  # type: ignore[arg-type]  # of the queue, the sender puts back and gives up
            self.post,
            lambda: world.now,
            lambda: self.seconds,
        )
        self.messages: list[dict[str, Any]] = []
        self.given_up: list[tuple[str, str]] = []

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        self.posted.append((url, dict(headers), body))
        self.seconds += self.duration
        answer = self.answers.get(url, 200)
        if isinstance(answer, str):
            raise UnansweredError(answer)
        return answer

    def put_back(self, seconds: Mapping[str, int]) -> None:
        for message in self.messages:
            if message.get("receiptHandle") in seconds:
                message["visible"] = self.world.now + timedelta(seconds=seconds[message["receiptHandle"]])

    def give_up(self, text: str, reason: str) -> None:
        self.given_up.append((text, reason))

    def put(self, webhook_id: str, event_id: str = "a.1", made: int = 1) -> None:
        detail = {"eventId": event_id}
        delivery = Delivery(webhook_id, event_id, "appointment.booked", self.world.now, detail, made)
        self.messages.append(
            {"body": delivery.message, "sent": self.world.now, "visible": self.world.now, "received": 0, "id": event_id}
        )

    def batch(self, most: int = 10) -> list[dict[str, Any]]:
        """What Lambda gives the function: up to ten messages that are visible."""
        taken = [message for message in self.messages if message["visible"] <= self.world.now][:most]
        for message in taken:
            message["received"] += 1
            message["receiptHandle"] = f"{id(message)}-{message['received']}"
            message["visible"] = self.world.now + timedelta(seconds=60)
        return [
            {
                "messageId": str(id(message)),
                "receiptHandle": message["receiptHandle"],
                "body": message["body"],
                "attributes": {
                    "SentTimestamp": str(int(message["sent"].timestamp() * 1000)),
                    "ApproximateReceiveCount": str(message["received"]),
                },
            }
            for message in taken
        ]

    def run(self, most: int = 10) -> int:
        """One invocation; how many messages it got."""
        records = self.batch(most)
        stay = self.sender.send([letter_of(record) for record in records])
        done = {record["receiptHandle"] for record in records} - stay
        self.messages = [message for message in self.messages if message.get("receiptHandle") not in done]
        return len(records)

    def run_until_empty(self, most: timedelta) -> None:
        """Invocations, with the time that passes until the next message is visible."""
        end = self.world.now + most
        while self.messages and self.world.now < end:
            if not self.run():
                self.world.now = min(message["visible"] for message in self.messages)

    def tries(self, url: str) -> int:
        return len([one for one in self.posted if one[0] == url])

    def record(self, webhook_id: str = "a", event_id: str = "a.1") -> Any:
        records, _ = self.world.webhooks.deliveries.page(webhook_id, self.world.now, 50)
        (found,) = [record for record in records if record.event_id == event_id]
        return found

    def breaker(self, webhook_id: str = "a") -> Breaker | None:
        stored = self.world.webhooks.items.get(webhook_id)
        assert stored is not None
        return stored.breaker


def url(webhook_id: str) -> str:
    return f"https://{webhook_id}.example.com/in"


@pytest.fixture
def line(world: World) -> Line:
    for webhook_id in ("a", "b", "c"):
        assert world.request("PUT", f"/webhooks/{webhook_id}", {"url": url(webhook_id)})[0] == 200
    return Line(world)


def test_a_delivery_is_signed_recorded_and_logged(world: World, line: Line, events_of: Lines) -> None:
    secret = world.request("POST", "/webhooks/a/secret")[2]["secret"]
    world.now = datetime.now(UTC).replace(microsecond=0)  # the verifier has a clock of its own
    line.put("a")
    world.now += timedelta(seconds=2)
    assert line.run() == 1
    assert line.messages == []
    ((sent_to, headers, body),) = line.posted
    assert sent_to == url("a")
    assert Verifier(secret).verify(body, headers) == {
        "type": "appointment.booked",
        "timestamp": (world.now - timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "data": {"eventId": "a.1"},
    }
    assert headers["webhook-id"] == "a.1"
    assert headers["Content-Type"] == "application/json"
    record = line.record()
    assert (record.state, record.attempts, record.outcome, record.last_at) == ("delivered", 1, "200", world.now)
    (told,) = [one for one in events_of() if one.get("event_type") == "WEBHOOK_DELIVERED"]
    assert (told["webhook_id"], told["event_id"], told["attempts"], told["lateness_ms"]) == ("a", "a.1", 1, 2000)
    assert "example.com" not in repr(told)
    assert line.breaker() is None


def test_both_secrets_sign_while_one_is_replaced(world: World, line: Line) -> None:
    world.request("POST", "/webhooks/a/secret")
    line.put("a")
    line.run()
    world.now += timedelta(hours=24)
    line.put("a", "a.2")
    line.run()
    assert [len(headers["webhook-signature"].split()) for _, headers, _ in line.posted] == [2, 1]


@pytest.mark.parametrize("answer", [500, 404, 302, 100, 199, 300, "timeout", "not-public"])
def test_what_fails_is_tried_again_after_growing_pauses(line: Line, answer: int | str, events_of: Lines) -> None:
    line.answers[url("a")] = answer
    line.put("a")
    began = line.world.now
    tried: list[float] = []
    while len(tried) < 8:
        if line.run():
            tried.append((line.world.now - began).total_seconds())
        line.world.now = line.messages[0]["visible"]
    pauses = [later - earlier for earlier, later in pairwise(tried)]
    # The breaker's pause and that of the message grow alike; each may be up to a tenth or ten seconds longer.
    for pause, least in zip(pauses, (5, 10, 20, 40, 80, 160, 320), strict=True):
        assert least <= pause <= least * 1.1 + 12
    told = [one for one in events_of() if one.get("event_type") == "WEBHOOK_FAILED"]
    assert [one["attempts"] for one in told] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert {one["outcome"] for one in told} == {str(answer)}
    record = line.record()
    assert (record.state, record.attempts, record.outcome) == ("retrying", 8, str(answer))
    breaker = line.breaker()
    assert breaker is not None
    assert breaker.pause == LONGEST_PAUSE
    line.answers.clear()
    line.run_until_empty(LONGEST_OF_ONE + timedelta(minutes=3))
    assert (line.record().state, line.record().attempts, line.breaker()) == ("delivered", 9, None)


def test_while_a_receiver_fails_its_other_messages_wait_without_a_try(line: Line) -> None:
    line.answers[url("a")] = 500
    for number in range(8):
        line.put("a", f"a.{number}")
    line.put("b", "b.1")
    line.run()
    assert (line.tries(url("a")), line.tries(url("b"))) == (1, 1)
    assert line.run() == 0  # they are hidden for as long as the pause
    line.world.now += FIRST_PAUSE + timedelta(seconds=7)
    line.run()
    assert line.tries(url("a")) == 2
    # Once it answers, one try is enough for all of them.
    line.answers.clear()
    line.run_until_empty(timedelta(minutes=1))
    assert line.messages == []
    assert {event_id for _, headers, _ in line.posted if (event_id := headers["webhook-id"])} == {
        *(f"a.{number}" for number in range(8)),
        "b.1",
    }


def test_what_waits_for_a_receiver_does_not_come_back_all_at_once(line: Line) -> None:
    line.answers[url("a")] = 500
    line.put("a", "first")
    while not (breaker := line.breaker()) or breaker.pause < LONGEST_PAUSE:
        line.world.now = min(message["visible"] for message in line.messages)
        line.run()
    tries = line.tries(url("a"))
    for group in range(29):
        line.world.now += timedelta(seconds=10)
        for number in range(10):
            line.put("a", f"{group}.{number}")
        line.run()
    assert line.tries(url("a")) == tries
    ends = [(message["visible"] - breaker.until).total_seconds() for message in line.messages]
    assert min(ends) >= 0
    assert sum(end < 30 for end in ends) < 200  # of 291; all would keep the senders from other receivers
    # Were it accepted now, everything would follow in time.
    assert max(message["visible"] for message in line.messages) <= line.world.now + LONGEST_PAUSE + timedelta(
        seconds=11
    )


def test_one_event_that_is_refused_again_and_again_does_not_keep_the_others(line: Line) -> None:
    refused = "a.0"
    post = line.post

    def choosy(url: str, headers: Mapping[str, str], body: bytes) -> int:
        return 422 if post(url, headers, body) and headers["webhook-id"] == refused else 200

    line.sender = WebhookSender(
        **{name: getattr(line.sender, name) for name in ("items", "deliveries", "secrets", "queue", "clock")},
        post=choosy,
    )
    line.put("a", refused)
    for number in range(1, 40):
        line.put("a", f"a.{number}")
        line.run()
        line.world.now += timedelta(seconds=60)
    for _ in range(3):
        line.world.now += timedelta(seconds=30)
        line.run()
    left = [message["id"] for message in line.messages]
    assert left == [refused]
    assert line.record("a", refused).attempts < 15


def test_of_two_senders_one_alone_tries_a_receiver_whose_pause_is_over(line: Line) -> None:
    line.answers[url("a")] = 500
    for number in range(4):
        line.put("a", f"a.{number}")
    line.run(1)
    line.world.now += FIRST_PAUSE + timedelta(seconds=2)
    post = line.post
    others: list[int] = []

    def meanwhile(url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Another invocation, in the middle of this try."""
        if not others:
            others.append(line.run(2))
        return post(url, headers, body)

    first = line.sender
    line.sender = WebhookSender(
        **{name: getattr(first, name) for name in ("items", "deliveries", "secrets", "queue", "clock")}, post=meanwhile
    )
    before = line.tries(url("a"))
    line.run(1)
    assert others == [2]
    assert line.tries(url("a")) == before + 1


def test_a_sender_that_died_with_the_probe_keeps_nobody_out(line: Line) -> None:
    stored = line.world.webhooks.items.get("a")
    assert stored is not None
    assert line.world.webhooks.items.turn(stored, Breaker.of(line.world.now + PROBE, FIRST_PAUSE))
    line.put("a")
    line.run_until_empty(PROBE + timedelta(seconds=5))
    assert line.messages == []
    assert line.breaker() is None


def test_a_receiver_that_is_gone_is_switched_off(line: Line, events_of: Lines) -> None:
    line.answers[url("a")] = 410
    for number in range(3):
        line.put("a", f"a.{number}")
    line.run()
    assert (line.messages, line.tries(url("a"))) == ([], 1)
    assert [one["event_type"] for one in events_of() if "event_type" in one] == ["WEBHOOK_GONE"]
    told = line.world.request("GET", "/webhooks/a")[2]
    assert (told["active"], told["switchedOffAt"]) == (False, "2029-12-01T12:00:00Z")
    records = [line.record("a", f"a.{number}") for number in range(3)]
    assert [(one.state, one.outcome, one.attempts) for one in records] == [
        ("dropped", "410", 1),
        ("dropped", "switched-off", 0),
        ("dropped", "switched-off", 0),
    ]
    # Put again, what was dropped can be sent by hand.
    line.answers.clear()
    line.world.request("PUT", "/webhooks/a", {"url": url("a")})
    assert line.world.request("POST", "/webhooks/a/deliveries/a.2")[0] == 202


def test_a_webhook_that_was_put_anew_is_not_switched_off_by_its_old_receiver(line: Line) -> None:
    post = line.post

    def moved(to: str, headers: Mapping[str, str], body: bytes) -> int:
        if to == url("a"):
            line.world.request("PUT", "/webhooks/a", {"url": url("new")})
        return post(to, headers, body)

    line.sender = WebhookSender(
        **{name: getattr(line.sender, name) for name in ("items", "deliveries", "secrets", "queue", "clock")},
        post=moved,
    )
    line.answers[url("a")] = 410
    line.put("a")
    line.run_until_empty(timedelta(seconds=5))
    assert [to for to, _, _ in line.posted] == [url("a"), url("new")]
    assert line.record().state == "delivered"


def test_what_goes_to_no_webhook_is_dropped(line: Line) -> None:
    line.world.request("DELETE", "/webhooks/a")
    line.world.request("PUT", "/webhooks/b", {"url": url("b"), "active": False})
    for webhook_id in ("a", "b", "never"):
        line.put(webhook_id)
    line.run()
    assert (line.messages, line.posted, line.given_up) == ([], [], [])
    assert [line.record(name).outcome for name in ("a", "b")] == ["deleted", "switched-off"]


def test_what_was_for_a_webhook_that_was_deleted_does_not_go_to_another_under_its_id(line: Line) -> None:
    line.answers[url("a")] = 500
    line.put("a")
    line.run()
    line.world.request("DELETE", "/webhooks/a")
    other = {"url": url("other")}
    assert line.world.request("PUT", "/webhooks/a", other)[2]["version"] == 3
    line.run_until_empty(timedelta(minutes=5))
    assert (line.messages, line.tries(url("other"))) == ([], 0)
    # Nor does whoever has it now read of them, or get one by asking.
    assert line.world.request("GET", "/webhooks/a/deliveries")[2] == {"deliveries": []}
    assert line.world.request("POST", "/webhooks/a/deliveries/a.1")[0] == 404
    # What happens from now on does.
    line.put("a", "a.2", made=3)
    line.run()
    assert line.tries(url("other")) == 1
    (told,) = line.world.request("GET", "/webhooks/a/deliveries")[2]["deliveries"]
    assert told["eventId"] == "a.2"
    assert line.world.request("POST", "/webhooks/a/deliveries/a.2")[0] == 202


def test_after_a_day_a_message_is_a_dead_letter(line: Line, events_of: Lines) -> None:
    line.answers[url("a")] = 503
    line.put("a")
    began = line.world.now
    line.run_until_empty(timedelta(hours=30))
    assert line.messages == []
    ((text, reason),) = line.given_up
    assert Delivery.from_message(text).event_id == "a.1"
    assert "day" in reason
    assert GIVEN_UP_AFTER <= line.world.now - began <= GIVEN_UP_AFTER + LONGEST_OF_ONE + timedelta(minutes=2)
    record = line.record()
    assert (record.state, record.outcome) == ("failed", "503")
    assert 90 < record.attempts == line.tries(url("a"))
    assert [one["event_id"] for one in events_of() if one.get("event_type") == "WEBHOOK_GIVEN_UP"] == ["a.1"]


def test_one_that_is_younger_is_none(line: Line) -> None:
    line.put("a")
    line.world.now += GIVEN_UP_AFTER - timedelta(seconds=1)
    line.run()
    assert (line.given_up, line.record().state) == ([], "delivered")


def test_a_slow_receiver_ends_the_batch_in_time(line: Line) -> None:
    line.duration = SECONDS_PER_RECEIVER - 0.1
    for number in range(9):
        line.put("a", f"a.{number}")
    line.run()
    assert line.tries(url("a")) == 2
    assert len(line.messages) == 7
    waits = [(message["visible"] - line.world.now).total_seconds() for message in line.messages]
    assert all(5 <= wait <= 7 for wait in waits)
    line.run_until_empty(timedelta(minutes=5))
    assert line.messages == []


def test_one_sender_at_a_time_waits_for_a_receiver_that_accepts_slowly(line: Line) -> None:
    line.duration = 4.9
    for number in range(4):
        line.put("a", f"a.{number}")
    line.run(1)
    assert (line.tries(url("a")), line.record(event_id="a.0").state) == (1, "delivered")
    slow, own = line.breaker(), line.sender.post

    def meanwhile(to: str, headers: Mapping[str, str], body: bytes) -> int:
        before = len(line.posted)
        line.sender.send([letter_of(record) for record in line.batch(1)])
        assert len(line.posted) == before
        return own(to, headers, body)

    assert slow is not None
    assert slow.until <= line.world.now  # without a pause
    object.__setattr__(line.sender, "post", meanwhile)
    line.run(1)
    assert line.tries(url("a")) == 2
    # As soon as it is quick again, all may send to it.
    object.__setattr__(line.sender, "post", own)
    line.duration = 0.1
    line.run_until_empty(timedelta(minutes=5))
    assert (line.messages, line.tries(url("a")), line.breaker()) == ([], 4, None)
    # A failure after it pauses as ever.
    line.duration = 4.9
    line.put("a", "b.1")
    line.run()
    line.answers[url("a")] = 500
    line.put("a", "b.2")
    line.run()
    assert line.breaker().pause == FIRST_PAUSE  # type: ignore[union-attr]


def test_what_waits_for_a_receiver_that_fails_now_and_then_comes_ever_more_rarely(line: Line) -> None:
    line.put("a")
    (message,) = line.messages
    while message["visible"] < line.world.now + GIVEN_UP_AFTER and line.world.now < message["sent"] + GIVEN_UP_AFTER:
        stored = line.world.webhooks.items.get("a")
        assert stored is not None
        now = line.world.now = max(message["visible"], line.world.now)
        line.world.webhooks.items.turn(stored, Breaker.of(now + FIRST_PAUSE, FIRST_PAUSE))  # another failed
        if not line.run():
            break
    assert line.posted == []
    # SQS makes a dead letter of what was received 1,000 times.
    assert 280 < message["received"] < 400


# --- receivers that behave badly, over sockets -------------------------------------------------------------


def test_one_that_hangs_one_that_fails_and_one_that_is_gone_keep_the_others_waiting_for_nothing(world: World) -> None:
    delivered_at: dict[str, float] = {}
    with (
        receiver(silent) as hangs,
        receiver(b"HTTP/1.1 500 No\r\n\r\n") as fails,
        receiver(b"HTTP/1.1 410 Gone\r\n\r\n") as gone,
        receiver() as one,
        receiver() as two,
    ):
        ports = {"hangs": hangs.port, "fails": fails.port, "gone": gone.port, "one": one.port, "two": two.port}
        world.webhooks = world.webhooks._replace(targets=Targets.LOOPBACK)
        for name, port in ports.items():
            assert world.request("PUT", f"/webhooks/{name}", {"url": f"http://127.0.0.1:{port}/"})[0] == 200
        line = Line(world)
        guard = Guard(Targets.LOOPBACK, seconds=1.0)
        began = time.monotonic()

        def post(to: str, headers: Mapping[str, str], body: bytes) -> int:
            status = guard.post(to, headers, body)
            delivered_at[to] = time.monotonic() - began
            return status

        line.sender = WebhookSender(
            **{name: getattr(line.sender, name) for name in ("items", "deliveries", "secrets", "queue", "clock")},
            post=post,
        )
        for name in ports:
            line.put(name, f"{name}.1")
            line.put(name, f"{name}.2")
        line.run()
        assert 1.0 <= time.monotonic() - began < 3
        assert (len(one.requests), len(two.requests), hangs.connections, fails.connections) == (2, 2, 1, 1)
        assert all(delivered_at[f"http://127.0.0.1:{there.port}/"] < 0.9 for there in (one, two))
        assert sorted(message["id"] for message in line.messages) == ["fails.1", "fails.2", "hangs.1", "hangs.2"]
        assert [line.record(name, f"{name}.1").outcome for name in ("hangs", "fails", "gone")] == [
            "timeout",
            "500",
            "410",
        ]


# --- repetitions, crashes, refusals ------------------------------------------------------------------------


def test_a_batch_that_arrives_twice_is_sent_twice_under_one_id_and_recorded_as_delivered(line: Line) -> None:
    line.put("a")
    records = line.batch()
    for _ in range(2):
        assert line.sender.send([letter_of(record) for record in records]) == set()
    assert [headers["webhook-id"] for _, headers, _ in line.posted] == ["a.1", "a.1"]
    line.answers[url("a")] = 500  # and a repetition that fails is nothing to try again
    assert line.sender.send([letter_of(record) for record in records]) == set()
    assert line.record().state == "delivered"


CALLS = ("GetItem", "UpdateItem", "GenerateMac")


@pytest.mark.parametrize("answer", [200, 500, 410])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("operation", "nth"), [*(("UpdateItem", nth) for nth in range(1, 5)), *((name, 1) for name in CALLS)]
)
def test_a_death_at_any_call_loses_nothing(line: Line, operation: str, nth: int, *, after: bool, answer: int) -> None:
    line.answers[url("a")] = answer
    for number in (1, 2):
        line.put("a", f"a.{number}")
    line.world.webhooks.secrets._known.clear()
    line.world.dying(operation, after=after, nth=nth)
    try:
        line.run()
    except KilledError:
        pass
    else:
        line.world._deadly = None
    line.answers[url("a")] = 410 if answer == 410 else 200
    line.run_until_empty(timedelta(minutes=3))
    assert line.messages == []
    states = {number: line.record("a", f"a.{number}").state for number in (1, 2)}
    if answer == 410:
        assert set(states.values()) == {"dropped"}
        assert not line.world.request("GET", "/webhooks/a")[2]["active"]
    else:
        assert set(states.values()) == {"delivered"}
        assert {headers["webhook-id"] for _, headers, _ in line.posted} == {"a.1", "a.2"}
        assert line.breaker() is None


@pytest.mark.parametrize("operation", CALLS)
def test_calls_that_are_refused_are_made_again_and_told(line: Line, operation: str, events_of: Lines) -> None:
    line.put("a")
    line.put("b")
    line.world.webhooks.secrets._known.clear()
    with line.world.failing(operation):
        line.run()
    assert len(line.messages) == 2
    told = [one for one in events_of() if one.get("event_type") == "WEBHOOK_ERROR"]
    assert {one["webhook_id"] for one in told} == {"a", "b"}
    line.world.now += timedelta(seconds=60)
    line.run()
    assert line.messages == []
    assert {line.record(name).state for name in "ab"} == {"delivered"}


# --- the function ------------------------------------------------------------------------------------------


@pytest.fixture
def deployed(line: Line, monkeypatch: pytest.MonkeyPatch) -> Line:
    """The handler over the world's own queues."""
    parts = line.world.webhooks
    sender = WebhookSender(parts.items, parts.deliveries, parts.secrets, parts.queue, line.post, lambda: line.world.now)
    monkeypatch.setattr(app, "_sender", lambda: sender)
    return line


class Context:
    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "x"


def invoke(line: Line) -> tuple[int, list[str]]:
    """What Lambda does: how many messages there were, and the ids of those that stay."""
    sqs, queue = line.world.sqs, line.world.deliveries_url
    received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, AttributeNames=["All"]).get("Messages", [])
    records = [
        {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
        }
        for message in received
    ]
    answer = lambda_handler({"Records": records}, Context())  # type: ignore[arg-type]
    stay = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
    for message in received:
        if message["MessageId"] not in stay:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return len(records), stay


def failures(world: World) -> list[tuple[str, str]]:
    found = world.sqs.receive_message(
        QueueUrl=world.failures_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    ).get("Messages", [])
    return [(message["Body"], message["MessageAttributes"]["Reason"]["StringValue"]) for message in found]


def test_a_test_event_takes_the_whole_way(deployed: Line) -> None:
    world = deployed.world
    world.now = datetime.now(UTC)
    status, _, queued = world.request("POST", "/webhooks/a/test")
    assert status == 202
    assert invoke(deployed) == (1, [])
    (delivery,) = world.request("GET", "/webhooks/a/deliveries")[2]["deliveries"]
    assert (delivery["eventId"], delivery["state"], delivery["type"]) == (
        queued["eventId"],
        "delivered",
        "webhook.test",
    )
    assert json.loads(deployed.posted[0][2])["data"]["webhookId"] == "a"


def test_what_fails_stays_in_the_queue_hidden(deployed: Line) -> None:
    world = deployed.world
    world.now = datetime.now(UTC)
    deployed.answers[url("a")] = 500
    world.webhooks.queue.send(Delivery.of("a", 1, Event("e.1", "appointment.booked", world.now, {})))
    count, stay = invoke(deployed)
    assert (count, len(stay)) == (1, 1)
    assert invoke(deployed) == (0, [])
    names: list[Any] = ["ApproximateNumberOfMessagesNotVisible"]
    attributes = world.sqs.get_queue_attributes(QueueUrl=world.deliveries_url, AttributeNames=names)["Attributes"]
    assert attributes == {names[0]: "1"}


def test_a_message_that_nobody_can_read_is_a_dead_letter_and_the_others_are_sent(
    deployed: Line, events_of: Lines
) -> None:
    world = deployed.world
    world.now = datetime.now(UTC)
    for text in ("not JSON", "{}", '{"webhookId": "a", "event": {"id": 1}}'):
        world.sqs.send_message(QueueUrl=world.deliveries_url, MessageBody=text)
    world.webhooks.queue.send(Delivery.of("a", 1, Event("e.1", "appointment.booked", world.now, {})))
    with world.failing("SendMessage", times=1, code="ServiceUnavailable"):
        count, stay = invoke(deployed)
    assert (count, len(stay)) == (4, 1)
    assert deployed.record("a", "e.1").state == "delivered"
    assert len(failures(world)) == 2
    types = [one["event_type"] for one in events_of() if "event_type" in one]
    assert sorted(types) == ["WEBHOOK_DELIVERED", "WEBHOOK_ERROR", "WEBHOOK_GIVEN_UP", "WEBHOOK_GIVEN_UP"]


def test_a_dead_letter_says_why(deployed: Line) -> None:
    world = deployed.world
    delivery = Delivery.of("a", 1, Event("e.1", "appointment.booked", world.now, {}))
    world.webhooks.queue.send(delivery)
    world.now = datetime.now(UTC) + timedelta(hours=25)
    assert invoke(deployed) == (1, [])
    assert failures(world) == [(delivery.message, "not delivered within a day")]


def test_messages_that_cannot_be_put_back_stay_all_the_same(deployed: Line) -> None:
    world = deployed.world
    world.now = datetime.now(UTC)
    deployed.answers[url("a")] = 500
    world.webhooks.queue.send(Delivery.of("a", 1, Event("e.1", "appointment.booked", world.now, {})))
    with world.failing("ChangeMessageVisibilityBatch", code="ServiceUnavailable"):
        count, stay = invoke(deployed)
    assert (count, len(stay)) == (1, 1)
