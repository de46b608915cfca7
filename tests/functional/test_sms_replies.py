"""Answers by SMS, in the shape in which AWS End User Messaging puts them on an SNS topic."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from appointments.contacts import ChannelName
from appointments.errors import CalendarBusyError
from appointments.reminders import Delivery, DeliveryState, Reminder, ReminderState, due_at
from appointments.storage.appointment_items import appointment_to_item
from appointments.storage.dynamodb import busy_where_crowded
from appointments.storage.lists import END_OF_TIME
from sms_replies.replies import CONFIRMING, STOPPING, Replies, reply_of
from support import sample_event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from appointments.model import Appointment, Interval
    from world import World

PHONE = "+4915112345678"


class Known:
    """Stands in for the index of contacts: whose phone is known, as they are when they are asked for."""

    def __init__(self, world: World, *appointment_ids: str) -> None:
        self.world = world
        self.ids = appointment_ids
        self.asked: list[tuple[str, Interval]] = []
        # What happens after the appointments were found and before one of them is confirmed.
        self.meanwhile: Callable[[], object] = lambda: None

    def reached_at(self, phone: str, within: Interval) -> Sequence[Appointment]:
        self.asked.append((phone, within))
        found = [self.world.storage.appointments.get(id_) for id_ in self.ids]
        self.meanwhile()
        return [one for one in found if one and within.start <= one.interval.start < within.end]


class Marks:
    """Stands in for the marks of addresses."""

    def __init__(self) -> None:
        self.marked: dict[str, tuple[ChannelName, str]] = {}

    def mark(self, channel: ChannelName, address: str, reason: str, at: datetime) -> None:
        assert at.tzinfo
        self.marked[address] = (channel, reason)

    def unmark(self, channel: ChannelName, address: str) -> None:
        assert channel is ChannelName.SMS
        self.marked.pop(address, None)


def sns(world: World, *texts: str, **more: Any) -> dict[str, Any]:
    """The event of a function that is subscribed to the topic of a two-way number: answers that come now."""
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "Sns": {
                    "Type": "Notification",
                    "MessageId": f"95df01b4-ee98-5cb9-9903-4c221d41eb{n:02}",
                    "Timestamp": f"{world.now:%Y-%m-%dT%H:%M:%S}.123Z",
                    "Message": json.dumps(
                        {
                            "originationNumber": PHONE,
                            "destinationNumber": "+4915199999999",
                            "messageKeyword": "KEYWORD_123456789012",
                            "messageBody": text,
                            "inboundMessageId": "cae173d2-66b9-564c-8309-21f858e9fb84",
                            "previousPublishedMessageId": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                        }
                        | more
                    ),
                },
            }
            for n, text in enumerate(texts)
        ]
    }


@pytest.fixture
def soon(world: World) -> str:
    """An appointment tomorrow."""
    world.now = datetime(2030, 1, 14, 12, tzinfo=UTC)
    status, body = world.book("9:00", "9:30", user="anna")
    assert status == 201
    return reminded(world, body)


def reminded(
    world: World, booked: dict[str, Any], state: DeliveryState = DeliveryState.SENT, channel: str = "sms"
) -> str:
    """Have a reminder of an appointment sent now, also to the topic. Returns its id."""
    one = world.storage.appointments.get(booked["appointmentId"])
    assert one
    start = one.interval.start
    offset = f"{(start - world.now) // timedelta(minutes=1)}m"
    made = tuple(
        Delivery(name, "person", state if name == channel else DeliveryState.SENT, world.now)
        for name in ("topic", channel)
    )
    sent = Reminder(
        offset, due_at(start, offset, one.time_zone), ReminderState.SENT, 1, sent_at=world.now, deliveries=made
    )
    item = appointment_to_item(replace(one, reminders=(sent, *one.reminders)), timedelta(days=30))
    world.dynamodb.put_item(TableName="AppointmentsTable", Item=item)
    return str(booked["appointmentId"])


def answering(world: World, *ids: str) -> tuple[Replies, Known]:
    known = Known(world, *ids)
    return Replies(known, Marks(), world.storage, lambda: world.now), known


def confirmed(world: World, appointment_id: str) -> str | None:
    found: str | None = world.request("GET", f"/appointments/{appointment_id}")[2].get("confirmedAt")
    return found


@pytest.mark.parametrize("text", ["C", "c", " C. ", "Confirm", "JA", "Sí!", "oui\r\n", "Tak"])
def test_a_yes_confirms_the_one_that_waits(
    world: World, soon: str, events_of: Callable[[], list[dict[str, Any]]], text: str
) -> None:
    replies, known = answering(world, soon)
    events_of()
    answer = sns(world, text)
    replies.take(answer)
    assert confirmed(world, soon) == "2030-01-14T12:00:00Z"
    assert known.asked == [(PHONE, (world.now, END_OF_TIME))]
    lines = events_of()
    assert [line.get("event_type") for line in lines] == ["APPOINTMENT_CONFIRMED"]
    stored = world.storage.appointments.get(soon)
    assert stored
    assert (stored.by, stored.version) == ("link", 2)
    # SNS brings it again.
    world.now += timedelta(minutes=2)
    replies.take(answer)
    assert world.storage.appointments.get(soon) == stored


@pytest.mark.parametrize("text", ["", "N", "C please call me", "no", "please stop", "c" * 2000])
def test_anything_else_changes_nothing(world: World, soon: str, text: str) -> None:
    replies, known = answering(world, soon)
    replies.take(sns(world, text))
    assert (confirmed(world, soon), known.asked) == (None, [])


@pytest.mark.parametrize("word", sorted(STOPPING))
def test_who_wants_no_more_gets_no_more(
    world: World, soon: str, events_of: Callable[[], list[dict[str, Any]]], word: str
) -> None:
    """AWS ends SMS to the number by itself, but SNS would go on to take them."""
    replies, known = answering(world, soon)
    events_of()
    replies.take(sns(world, f" {word.upper()}. "))
    assert isinstance(replies.marks, Marks)
    assert replies.marks.marked == {PHONE: (ChannelName.SMS, "opted out")}
    (line,) = events_of()
    assert (line["event_type"], line["channel"], line["reason"]) == ("ADDRESS_UNDELIVERABLE", "sms", "opted out")
    assert PHONE not in json.dumps(line)
    replies.take(sns(world, "start"))
    assert replies.marks.marked == {}
    assert (known.asked, world.request("GET", f"/appointments/{soon}")[2]["status"]) == ([], "scheduled")


def test_of_several_that_wait_none_is_confirmed(world: World, soon: str) -> None:
    other = reminded(world, world.book("11:00", "11:30", user="ben")[1])
    replies, _ = answering(world, soon, other)
    replies.take(sns(world, "C"))
    assert [confirmed(world, one) for one in (soon, other)] == [None, None]
    # Once one of them is confirmed, an answer is about the other.
    world.request("PATCH", f"/appointments/{soon}", {"confirmed": True})
    world.now += timedelta(minutes=1)
    replies.take(sns(world, "C"))
    assert confirmed(world, other) == "2030-01-14T12:01:00Z"


def test_an_answer_means_what_was_moved_far_away_since(world: World, soon: str) -> None:
    """Two waited when it was given, though only one of them is to be seen in the next two weeks now."""
    other = reminded(world, world.book("11:00", "11:30", user="ben")[1])
    answer = sns(world, "C")
    world.now += timedelta(minutes=1)
    assert world.request("PATCH", f"/appointments/{other}", {"startTime": "2030-03-01T11:00:00Z"})[0] == 200
    answering(world, soon, other)[0].take(answer)
    assert [confirmed(world, one) for one in (soon, other)] == [None, None]


@pytest.mark.parametrize("to", ["2030-03-01T09:00:00Z", "2030-01-20T09:00:00Z"])
def test_an_answer_to_a_reminder_of_another_time_confirms_nothing(
    world: World, soon: str, to: str, events_of: Callable[[], list[dict[str, Any]]]
) -> None:
    """Moved after the reminder, and before the answer. Nor does it mean another one, of which nobody was reminded."""
    other = world.book("2030-01-22T11:00:00Z", "2030-01-22T11:30:00Z", user="ben")[1]
    assert world.request("PATCH", f"/appointments/{soon}", {"startTime": to})[0] == 200
    world.now += timedelta(minutes=1)
    for ids in ((soon,), (soon, other["appointmentId"])):
        events_of()
        answering(world, *ids)[0].take(sns(world, "C"))
        assert [confirmed(world, one) for one in ids] == [None] * len(ids)
        assert [line["event_type"] for line in events_of() if "event_type" in line] == ["SMS_REPLY_SKIPPED"]
    # The reminder of the new time can be answered.
    current = world.storage.appointments.get(soon)
    assert current
    world.now = current.interval.start - timedelta(hours=1)
    answering(world, reminded(world, {"appointmentId": soon}))[0].take(sns(world, "C"))
    assert confirmed(world, soon)


@pytest.mark.parametrize(
    ("state", "channel", "counts"),
    [
        (DeliveryState.UNKNOWN, "sms", True),
        (DeliveryState.REFUSED, "sms", False),
        (DeliveryState.FAILED, "sms", False),
        (DeliveryState.SENT, "email", False),
    ],
)
def test_what_came_by_sms_or_may_have_can_be_answered(
    world: World, state: DeliveryState, channel: str, counts: bool
) -> None:
    world.now = datetime(2030, 1, 14, 12, tzinfo=UTC)
    booked = world.book("9:00", "9:30", user="anna")[1]
    early = sns(world, "C")
    world.now += timedelta(minutes=1)
    one = reminded(world, booked, state, channel)
    replies, _ = answering(world, one)
    replies.take(early)
    assert confirmed(world, one) is None
    replies.take(sns(world, "C"))
    assert (confirmed(world, one) is not None) is counts


@pytest.mark.parametrize("since", ["booked", "confirmed", "moved", "cancelled"])
def test_an_answer_that_comes_late_is_of_what_was_there_when_it_was_given(world: World, soon: str, since: str) -> None:
    """From the queue of failures, or because SNS repeats it."""
    answer = sns(world, "C")
    world.now += timedelta(minutes=1)
    path = f"/appointments/{soon}"
    more = [world.book("11:00", "11:30", user="ben")[1]["appointmentId"]] if since == "booked" else []
    if since == "cancelled":
        world.request("DELETE", path)
    else:
        changes: dict[str, Any] = {"confirmed": {"confirmed": True}, "moved": {"startTime": "2030-01-16T09:00:00Z"}}
        world.request("PATCH", path, changes.get(since, {"confirmed": True}))
    before = [world.storage.appointments.get(one) for one in (soon, *more)]
    answering(world, soon, *more)[0].take(answer)
    assert [world.storage.appointments.get(one) for one in (soon, *more)] == before


def test_what_could_have_been_meant_too_keeps_an_answer_from_the_other(world: World, soon: str) -> None:
    other = reminded(world, world.book("11:00", "11:30", user="ben")[1])
    answer = sns(world, "C")
    world.now += timedelta(minutes=1)
    world.request("PATCH", f"/appointments/{other}", {"confirmed": True})
    answering(world, soon, other)[0].take(answer)
    assert confirmed(world, soon) is None


def test_of_more_than_can_be_looked_at_none_is_confirmed(world: World, soon: str) -> None:
    many: Any = SimpleNamespace(reached_at=lambda *_: None)
    Replies(many, Marks(), world.storage, lambda: world.now).take(sns(world, "C"))
    assert confirmed(world, soon) is None


def test_what_does_not_wait_is_not_counted(world: World, soon: str) -> None:
    late = world.book("2030-03-01T09:00:00Z", "2030-03-01T09:30:00Z", user="anna")[1]["appointmentId"]
    gone = world.book("12:00", "12:30", user="anna")[1]["appointmentId"]
    held = world.book("13:00", "13:30", user="anna", hold={"minutes": 60})[1]["appointmentId"]
    world.request("DELETE", f"/appointments/{gone}")
    replies, _ = answering(world, late, gone, held, soon)
    replies.take(sns(world, "C"))
    assert [confirmed(world, one) for one in (late, gone, held)] == [None] * 3
    assert confirmed(world, soon)


def test_one_that_has_begun_is_not_confirmed(world: World, soon: str) -> None:
    replies, _ = answering(world, soon)
    world.now = datetime(2030, 1, 15, 9, tzinfo=UTC)
    replies.take(sns(world, "C"))
    assert confirmed(world, soon) is None


def test_one_that_has_begun_since_keeps_an_answer_from_the_next(world: World, soon: str) -> None:
    """Given a minute before the first of two, and brought after its start."""
    other = reminded(world, world.book("11:00", "11:30", user="ben")[1])
    world.now = datetime(2030, 1, 15, 8, 59, tzinfo=UTC)
    answer = sns(world, "C")
    world.now += timedelta(minutes=10)
    answering(world, soon, other)[0].take(answer)
    assert [confirmed(world, one) for one in (soon, other)] == [None, None]
    # What is answered then is of the other one.
    answering(world, soon, other)[0].take(sns(world, "C"))
    assert confirmed(world, other)


def test_what_is_moved_or_cancelled_meanwhile_is_not_confirmed(world: World, soon: str) -> None:
    replies, known = answering(world, soon)
    path = f"/appointments/{soon}"
    known.meanwhile = lambda: world.request("PATCH", path, {"startTime": "2030-01-15T15:00:00Z"})
    replies.take(sns(world, "C"))
    assert confirmed(world, soon) is None
    known.meanwhile = lambda: world.request("DELETE", path)
    replies.take(sns(world, "C"))
    assert world.request("GET", path)[2]["status"] == "cancelled"
    assert confirmed(world, soon) is None


def test_what_is_no_answer_is_passed_and_those_beside_it_count(world: World, soon: str) -> None:
    replies, _ = answering(world, soon)
    answer = sns(world, "C")["Records"][0]["Sns"]
    bad: list[Any] = [{"Sns": answer | {"Timestamp": text}} for text in ("", "now", "2030-01-14", None)]
    bad += [{}, {"Sns": None}, {"Sns": {"Message": "no JSON"}}, {"Sns": {"Message": "[]"}}]
    bad += sns(world, "C", originationNumber="4915112345678")["Records"]
    bad += sns(world, "C", originationNumber=None)["Records"]
    bad += sns(world, "C", messageBody=1)["Records"]
    for record in bad:
        replies.take({"Records": [record]})
    assert confirmed(world, soon) is None
    replies.take({"Records": [*bad, *sns(world, "C")["Records"]]})
    assert confirmed(world, soon)


def test_an_outage_is_told_so_that_lambda_repeats_the_answer(world: World, soon: str) -> None:
    replies, _ = answering(world, soon)
    with world.failing("UpdateItem"), world.failing("TransactWriteItems"), pytest.raises(CalendarBusyError):  # noqa: SIM117
        with busy_where_crowded():
            replies.take(sns(world, "C"))
    replies.take(sns(world, "C"))
    assert confirmed(world, soon)


def test_the_sample_event_is_an_answer() -> None:
    reply = reply_of(sample_event("sms-reply")["Records"][0])
    assert reply.word in CONFIRMING
    assert (reply.phone, reply.at) == ("+4915123456789", datetime(2030, 1, 14, 12, tzinfo=UTC))


def test_logs_hold_neither_number_nor_text(
    world: World, soon: str, events_of: Callable[[], list[dict[str, Any]]]
) -> None:
    replies, _ = answering(world, soon)
    replies.take(sns(world, "C", "my secret"))
    replies.take(sns(world, "C"))
    replies.take(sns(world, "C", originationNumber=PHONE[1:]))
    said = json.dumps(events_of())
    assert PHONE[1:] not in said
    assert "secret" not in said
