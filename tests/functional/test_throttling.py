"""DynamoDB is busy with something else, takes no more calls, or answers late: nothing is lost, nobody gets a 500."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from appointments.decision import Reading
from appointments.errors import CalendarBusyError
from appointments.memory import Memory
from appointments.model import DayKey
from appointments.storage import dynamodb
from appointments.storage.dynamodb import PAUSES
from appointments.storage.reminders import Reminders
from appointments.storage.store import Storage
from world import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from world import World

    LogLines = Callable[[], list[dict[str, Any]]]

WITHOUT_LIMIT = 10**6


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What would have been waited."""
    waited: list[float] = []
    monkeypatch.setattr(dynamodb, "sleep", waited.append)
    return waited


@contextmanager
def answers_late(world: World) -> Iterator[list[str]]:
    """The next transaction is carried out, but its caller hears that it is still at work; then by its token."""
    written: list[str] = []
    tokens: list[str] = []

    def asked(params: dict[str, Any], **_: Any) -> Any:
        token = params["body"].decode() if isinstance(params["body"], bytes) else params["body"]
        token = token.partition('"ClientRequestToken"')[2].split('"')[1]
        tokens.append(token)
        # As DynamoDB does for ten minutes, and moto does not: what has been carried out is not carried out again.
        return (SimpleNamespace(status_code=200), {}) if token in written else None

    def done(**_: Any) -> None:
        if not written:
            written.append(tokens[-1])
            at_work = world.dynamodb.exceptions.TransactionInProgressException
            raise at_work({"Error": {"Code": "TransactionInProgressException"}}, "TransactWriteItems")

    events = world.dynamodb.meta.events
    events.register("before-call.dynamodb.TransactWriteItems", asked)
    events.register("after-call.dynamodb.TransactWriteItems", done)
    try:
        yield tokens
    finally:
        events.unregister("before-call.dynamodb.TransactWriteItems", asked)
        events.unregister("after-call.dynamodb.TransactWriteItems", done)


# --- an answer gets lost -----------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
def test_a_booking_whose_answer_comes_late_is_logged_and_reminded_of(
    world: World, events_of: LogLines, headers: dict[str, str]
) -> None:
    body = {"userId": "C", "startTime": "2030-01-15T09:00:00Z", "endTime": "2030-01-15T10:00:00Z"}
    with answers_late(world) as tokens:
        status, _, _ = world.request("POST", "/appointments", body, headers=headers)
    assert (status, len(tokens), len(set(tokens))) == (201, 2, 1)
    assert len(world.items("AppointmentsTable")) == 1
    assert [line["event_type"] for line in events_of()] == ["BOOKING_SUCCESS", *2 * ["REMINDER_SCHEDULED"]]
    assert len(world.rules()) == 2


def test_a_booking_that_hears_nothing_for_too_long_finds_itself(
    world: World, events_of: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks for what it wrote, before it would come with another token."""
    monkeypatch.setattr(dynamodb, "PAUSES", ())
    with answers_late(world) as tokens:
        status, _ = world.book("9:00", "10:00", reminders=["1h"])
    assert (status, len(set(tokens)), len(world.items("AppointmentsTable"))) == (201, 1, 1)
    assert [line["event_type"] for line in events_of()] == ["BOOKING_SUCCESS", "REMINDER_SCHEDULED"]


def test_a_move_whose_answer_comes_late_is_made_once(world: World, events_of: LogLines) -> None:
    _, booked = world.book("9:00", "10:00", reminders=["1h"])
    events_of()
    with answers_late(world):
        status, _, moved = world.request(
            "PATCH",
            f"/appointments/{booked['appointmentId']}",
            {"startTime": "2030-01-15T12:00:00Z"},
            headers={"If-Match": '"1"'},
        )
    assert (status, moved["version"]) == (200, 2)
    assert [line["event_type"] for line in events_of()] == ["APPOINTMENT_RESCHEDULED", "REMINDER_SCHEDULED"]
    assert list(world.rules().values()) == ["cron(0 11 15 1 ? 2030)"]


def test_a_cancellation_whose_answer_comes_late_is_made_once(world: World, events_of: LogLines) -> None:
    _, booked = world.book("9:00", "10:00", reminders=["1h"])
    events_of()
    with answers_late(world):
        status, _, cancelled = world.request(
            "DELETE", f"/appointments/{booked['appointmentId']}", headers={"If-Match": '"1"'}
        )
    assert (status, cancelled["version"], world.rules()) == (200, 2, {})
    assert [line["event_type"] for line in events_of()] == ["APPOINTMENT_CANCELLED", "RULE_CLEANED"]


# --- a transaction holds an item ---------------------------------------------------------------------


def test_a_plain_write_waits_for_a_transaction(world: World, waits: list[float]) -> None:
    _, booked = world.book("9:00", "10:00", reminders=["1h"])
    with world.failing("UpdateItem", times=2, code="TransactionConflictException"):
        assert world.request("PATCH", f"/appointments/{booked['appointmentId']}", {"details": {}})[0] == 200
    with world.failing("UpdateItem", times=2, code="TransactionConflictException"):
        assert world.request("PUT", "/calendars/C", {"capacity": 2})[0] == 200
    assert len(waits) == 4


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("PATCH", "/appointments/{}", {"details": {}}), ("PUT", "/calendars/C", {"capacity": 2})],
)
def test_a_plain_write_that_waits_too_long_answers_503(
    world: World, monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: dict[str, Any]
) -> None:
    _, booked = world.book("9:00", "10:00")
    monkeypatch.setattr("conflict_detector.settling.DECIDE_WITHIN", 0.001)
    with world.failing("UpdateItem", code="TransactionConflictException"):
        status, headers, _ = world.request(method, path.format(booked["appointmentId"]), body)
    assert (status, headers["Retry-After"]) == (503, "1")


def test_a_reminder_whose_record_waits_for_a_transaction_is_sent_once(world: World) -> None:
    _, booked = world.book("9:00", "10:00", reminders=["1h"])
    publish = world.clients["sns"].publish
    held = world.failing("UpdateItem", times=2, code="TransactionConflictException")

    def published(**request: Any) -> Any:
        answer = publish(**request)
        held.__enter__()  # from here on, and so at the record that it was sent
        return answer

    world.sns.publish = published
    try:
        world.fire(booked)
    finally:
        del world.sns.publish
        held.__exit__(None, None, None)
    assert len(world.inbox()) == 1
    assert world.request("GET", f"/appointments/{booked['appointmentId']}")[2]["reminders"][0]["state"] == "sent"


def test_a_reminder_is_recorded_though_the_table_takes_no_more_calls_for_a_while(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unrecorded, it would be sent a second time when its event is repeated."""
    monkeypatch.setattr("reminder_sender.sender.RECORD_PAUSES", (0, 0, 0))
    _, booked = world.book("9:00", "10:00", reminders=["1h"])
    record = Reminders._record_reminder
    refused = iter(range(3))

    def throttled(self: Reminders, *more: Any, **named: Any) -> Any:
        if next(refused, None) is not None:
            raise ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "UpdateItem")
        return record(self, *more, **named)

    monkeypatch.setattr(Reminders, "_record_reminder", throttled)
    world.fire(booked)
    assert len(world.inbox()) == 1
    assert world.request("GET", f"/appointments/{booked['appointmentId']}")[2]["reminders"][0]["state"] == "sent"


# --- the tables take no more calls -------------------------------------------------------------------

CALLS: list[tuple[str, str, str, dict[str, str]]] = [
    (
        "BatchGetItem",
        "GET",
        "/availability",
        {"calendarIds": "C", "from": "2030-01-15T00:00:00Z", "to": "2030-01-16T00:00:00Z", "durationMinutes": "30"},
    ),
    ("GetItem", "GET", "/appointments/00000000-0000-4000-8000-000000000000", {}),
    ("GetItem", "GET", "/calendars/C", {}),
    ("Query", "GET", "/appointments", {"userId": "C"}),
    ("UpdateItem", "PUT", "/calendars/C", {}),
    ("TransactWriteItems", "POST", "/appointments", {}),
]
BODIES = {
    "PUT": {"capacity": 2},
    "POST": {"userId": "C", "startTime": "2030-01-15T09:00:00Z", "endTime": "2030-01-15T10:00:00Z"},
}


@pytest.mark.parametrize("code", dynamodb.THROTTLES)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call[0]} {call[2]}")
def test_a_throttled_call_answers_503(world: World, call: tuple[str, str, str, dict[str, str]], code: str) -> None:
    operation, method, path, query = call
    many = {name: [value] for name, value in query.items()}
    with world.failing(operation, code=code):
        status, headers, body = world.request(
            method, path, BODIES.get(method), queryStringParameters=query, multiValueQueryStringParameters=many
        )
    assert (status, headers["Retry-After"], body["type"]) == (503, "1", "/docs#calendar-busy")


class HandsBack:
    """A client that reads one key of a batch and hands the others back, so many times; then it reads none at all."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.asked: list[int] = []

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 - botocore's name
        ((name, request),) = RequestItems.items()
        keys = request["Keys"]
        self.asked.append(len(keys))
        read, left = (keys, []) if self.left == 0 else (keys[:1], keys[1:])
        self.left -= 1
        return {
            "Responses": {name: [key | {"q1": {"N": "1"}} for key in read]},
            "UnprocessedKeys": {name: {"Keys": left}} if left else {},
        }


def reading_from(client: HandsBack) -> Reading:
    scheduler = Storage.of(client, "A", "C", memory=Memory())  # type: ignore[arg-type]  # stands in for one
    return scheduler.read([DayKey(f"c{n}", NOW.date()) for n in range(10)], settings=False)


def test_what_is_handed_back_unread_is_asked_for_again_after_a_pause(waits: list[float]) -> None:
    client = HandsBack(3)
    reading = reading_from(client)
    assert client.asked == [10, 9, 8, 7]
    assert len(waits) == 3
    assert all(day.counters for day in reading.days.values())


def test_what_is_handed_back_for_ever_is_given_up(waits: list[float]) -> None:
    client = HandsBack(WITHOUT_LIMIT)
    with pytest.raises(CalendarBusyError):
        reading_from(client)
    assert len(client.asked) == len(PAUSES) + 1
    assert 0 < sum(waits) < sum(PAUSES)
