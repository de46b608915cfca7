"""The event relay over the in-memory DynamoDB: batches cut anywhere, and at each call a refusal or a death.

Lambda gives a batch again from the record that the relay names, and as a whole where the function died. At the end
every version has one entry, and each event was heard, always the same, and nothing that was not committed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import combinations, product
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError

from appointments.storage.dynamodb import Database as Calls
from appointments.storage.history import HISTORY, History
from event_relay.bus import Bus
from event_relay.failures import Failures
from event_relay.records import read
from event_relay.relay import Relay
from exploration.dynamo import Call, Database, apply
from exploration.wiring import TABLES, Process, Request, determinism, play

NOW = datetime(2029, 12, 1, 12, tzinfo=UTC)
APPOINTMENTS, CALENDARS = TABLES


class KilledError(BaseException):
    """The function is gone: no `except Exception` sees this."""


class Fault(NamedTuple):
    """What goes wrong at the nth call of the relay."""

    nth: int
    kind: str


KINDS = ("refused", "died before", "died after", "answer lost", "refused in part")
Record = dict[str, Any]


# --- the stream ----------------------------------------------------------------------------------------------


class Writer:
    """A DynamoDB that keeps a record of every item that a call changes, as the streams do."""

    def __init__(self) -> None:
        self.database = Database()
        self.records: list[Record] = []

    def __call__(self, operation: str, parameters: Mapping[str, Any]) -> Any:
        effect = apply(self.database, Call(operation, parameters))
        for key in sorted(effect.changed):
            if key.space not in TABLES or key.sort == "*":
                continue
            was, now = self.database.get(key), effect.database.get(key)
            if was is now or now is None:
                continue
            names = ("appointmentId",) if key.space == APPOINTMENTS else ("calendarId", "day")
            change = {
                "SequenceNumber": str(len(self.records) + 1),
                "ApproximateCreationDateTime": 1_890_000_000,
                "Keys": {name: now.attributes[name] for name in names},
                "NewImage": now.attributes,
            }
            if was:
                change["OldImage"] = was.attributes
            self.records.append({"eventSourceARN": key.space, "dynamodb": change})
        self.database = effect.database
        return effect.answer.give()


def committed() -> list[Record]:
    """The records of some requests, without those that no event tells of, except a sender's claim."""
    writer, process = Writer(), Process()

    def send(method: str, path: str, body: Mapping[str, Any] | None = None, now: datetime = NOW) -> Any:
        answer = play(Request("http", now, method, path, body), process, writer)
        assert answer["status"] < 300, answer
        return answer["body"]

    send("PUT", "/calendars/dr-lee", {"capacity": 2})
    times = {"startTime": "2030-01-15T09:00:00Z", "endTime": "2030-01-15T09:30:00Z"}
    asked = {"userId": "anna", "resourceIds": ["dr-lee"], "reminders": ["1h"], "details": {"title": "x"}}
    path = f"/appointments/{send('POST', '/appointments', asked | times)['appointmentId']}"
    send("PATCH", path, {"startTime": "2030-06-15T09:00:00Z"})  # it is kept longer, and so is its first version
    due = datetime(2030, 6, 15, 8, tzinfo=UTC)
    firing = {"appointmentId": path.rpartition("/")[2], "reminder": "1h", "dueAt": "2030-06-15T08:00:00Z"}
    assert play(Request("sender", due, body=firing), process, writer) == {"done": True}
    send("DELETE", path, now=due + timedelta(minutes=1))
    return [r for r in writer.records if read(r).events or "appointmentId" in r["dynamodb"]["Keys"]]


# --- the relay -------------------------------------------------------------------------------------------------


class World:
    """Where the relay writes, and the faults that its calls meet."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.database = Database()
        self.heard: list[str] = []
        self.faults = {fault.nth: fault.kind for fault in faults}
        self.calls = 0

    def __getattr__(self, operation: str) -> Any:
        return lambda **parameters: self.call(operation, parameters)

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Any:
        fault = self.faults.get(self.calls)
        self.calls += 1
        if fault == "died before":
            raise KilledError
        if fault == "refused":
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "made to fail"}}, operation)
        answer = self.carried_out(operation, parameters, in_part=fault == "refused in part")
        if fault == "died after":
            raise KilledError
        if fault == "answer lost":
            raise ClientError({"Error": {"Code": "RequestTimeout", "Message": "made to fail"}}, operation)
        return answer

    def carried_out(self, operation: str, parameters: Mapping[str, Any], *, in_part: bool) -> Any:
        match operation:
            case "batch_write_item":
                ((table, requests),) = parameters["RequestItems"].items()
                taken = requests[::2] if in_part else requests
                for request in taken:
                    self.apply("put_item", {"TableName": table, "Item": request["PutRequest"]["Item"]})
                left = [request for request in requests if request not in taken]
                return {"UnprocessedItems": {table: left} if left else {}}
            case "put_events":
                results: list[dict[str, str]] = []
                for number, entry in enumerate(parameters["Entries"]):
                    if in_part and number % 2 == 0:
                        results.append({"ErrorCode": "ThrottlingException"})
                    else:
                        self.heard.append(entry["Detail"])
                        results.append({"EventId": str(number)})
                return {"Entries": results}
        return self.apply(operation, parameters)

    def apply(self, operation: str, parameters: Mapping[str, Any]) -> Any:
        effect = apply(self.database, Call(operation, parameters))
        self.database = effect.database
        return effect.answer.give()

    def entries(self) -> dict[tuple[str, str], Any]:
        found = (attributes for _, attributes in self.database.within(CALENDARS))
        return {
            (one["calendarId"]["S"], one["day"]["S"]): one
            for one in found
            if one["calendarId"]["S"].startswith(HISTORY)
        }


def relayed(
    records: list[Record], size: int, faults: tuple[Fault, ...] = (), late: list[Record] | None = None
) -> World:
    """Let Lambda give the records in batches of a size until all are done, and then a redrive those that are late."""
    world: Any = World(faults)
    relay = Relay(History(Calls(world), CALENDARS), [Bus(world, "bus")], Failures(world, "queue"))
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    position = tries = 0
    while position < len(records):
        tries += 1
        assert tries < 40, "it never ends"
        try:
            failed = relay.relay(records[position : position + size])
        except KilledError:
            continue
        position = numbers.index(failed) if failed else position + size
    assert relay.relay(late or [], late=True) is None
    found: World = world
    return found


@pytest.fixture(scope="module")
def records() -> Iterator[list[Record]]:
    with determinism():
        yield committed()


def expected(records: list[Record]) -> set[str]:
    """What has to be heard: each event, in the one form that it always has."""
    events = (event for record in records for event in read(record).events)
    return {json.dumps(event.detail, ensure_ascii=False, separators=(",", ":")) for event in events}


def check(records: list[Record], size: int, faults: tuple[Fault, ...], complete: Mapping[Any, Any]) -> None:
    world = relayed(records, size, faults)
    assert world.entries() == complete, (size, faults)
    assert set(world.heard) == expected(records), (size, faults)


def every_fault(records: list[Record], size: int, at_once: int) -> Iterator[tuple[Fault, ...]]:
    """So many faults at any calls. A fault makes calls come again, so those behind it can be met as well."""
    calls = relayed(records, size).calls + at_once
    for places in combinations(range(calls), at_once):
        for kinds in product(KINDS, repeat=at_once):
            yield tuple(map(Fault, places, kinds))


def test_the_story_has_what_it_is_about(records: list[Record]) -> None:
    types = [event.type for record in records for event in read(record).events]
    assert sorted(types) == sorted(
        ["calendar.configured", "appointment.booked", "appointment.moved", "reminder.sent", "appointment.cancelled"]
    )
    assert len(records) == 6  # and the claim of the sender
    world = relayed(records, 3)
    assert len(world.entries()) == 3
    assert len({one["expiresAt"]["N"] for one in world.entries().values()}) == 1
    assert len(world.heard) == len(types)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 6])
def test_whatever_one_call_meets(records: list[Record], size: int) -> None:
    complete = relayed(records, 100).entries()
    for faults in every_fault(records, size, 1):
        check(records, size, faults, complete)


@pytest.mark.parametrize("size", [2, 6])
def test_whatever_two_calls_meet(records: list[Record], size: int) -> None:
    complete = relayed(records, 100).entries()
    for faults in every_fault(records, size, 2):
        check(records, size, faults, complete)


@pytest.mark.parametrize("first", range(6))
@pytest.mark.parametrize("last", range(1, 7))
def test_whatever_comes_again_later(records: list[Record], first: int, last: int) -> None:
    """As `make redrive` gives records: some of them, which came before or did not, when all others are done."""
    complete = relayed(records, 100).entries()
    for before in (records, [*records[:first], *records[last:]]):
        world = relayed(before, 3, late=records[first:last])
        assert world.entries() == complete
        assert set(world.heard) == expected(records)


# --- mutants: each has to be noticed ---------------------------------------------------------------------------


def noticed(records: list[Record]) -> bool:
    complete = relayed(records, 100).entries()
    try:
        for size in (2, 6):
            for faults in every_fault(records, size, 1):
                check(records, size, faults, complete)
    except AssertionError:
        return True
    return False


def test_what_is_not_told_is_noticed(records: list[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    send, write = Bus.send, History.write
    complete = relayed(records, 100).entries()
    assert not noticed(records)
    with monkeypatch.context() as patch:
        patch.setattr(Bus, "send", lambda self, events: (send(self, events), set[str]())[1])
        assert noticed(records)  # entries that the bus did not take
    with monkeypatch.context() as patch:
        nothing = set[tuple[str, int]]()
        patch.setattr(History, "write", lambda self, entries, **how: (write(self, entries, **how), nothing)[1])
        patch.setattr("appointments.storage.dynamodb.PAUSES", ())
        assert noticed(records)  # entries that DynamoDB left out
    with monkeypatch.context() as patch:
        patch.setattr(History, "_prolong", lambda *_: None)
        assert len({one["expiresAt"]["N"] for one in relayed(records, 3).entries().values()}) == 2
    with monkeypatch.context() as patch:
        patch.setattr(History, "_catch_up", lambda *_: None)
        assert relayed(records[2:], 3, late=records[:2]).entries() != complete
    with monkeypatch.context() as patch:
        relay = Relay.relay
        patch.setattr(Relay, "relay", lambda self, batch, **how: relay(self, batch, **how) and _number(batch[-1]))
        assert noticed(records)  # given again from the last record of the batch


def _number(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])
