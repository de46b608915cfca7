"""The event relay on moto: whatever fails, is repeated or dies, every version has one entry and every event arrives."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from appointments.storage.history import HISTORY, ROUNDED_TO
from event_relay.bus import Bus
from event_relay.records import read
from event_relay.relay import Relay
from relaying import BUS, Relaying
from services import step
from streams import fed
from world import KilledError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from appointments.events import Event
    from world import World


@pytest.fixture
def relaying(world: World) -> Relaying:
    return Relaying(world)


def story(world: World) -> dict[str, Any]:
    """Bookings with every kind of change, and settings; the appointment that changed most."""
    world.request("PUT", "/calendars/dr-lee", {"capacity": 2})
    world.request("PUT", "/services/check-up", {"steps": [step(30, "room-1")]})
    status, mine = world.book("9:00", "9:30", user="anna", details={"title": "SECRET"}, reminders=["1h"])
    assert status == 201
    path = f"/appointments/{mine['appointmentId']}"
    world.request("PATCH", path, {"startTime": "2030-01-15T11:00:00Z"})
    world.request("PATCH", path, {"confirmed": True})
    world.request("PATCH", path, {"details": {"title": "SECRET too"}})
    mine = dict(world.request("GET", path)[2])
    world.book("9:00", "9:30", user="ben", hold={"minutes": 5}, reminders=[])
    world.fire(mine)
    world.sweep()  # the hold expires
    world.request("PATCH", path, {"status": "arrived"})
    return mine


STORY = {
    "calendar.configured": 1,
    "service.configured": 1,
    "appointment.booked": 1,
    "appointment.moved": 1,
    "appointment.confirmed": 1,
    "appointment.changed": 1,
    "appointment.held": 1,
    "appointment.expired": 1,
    "appointment.arrived": 1,
    "reminder.sent": 1,
}


def counted(events: Sequence[dict[str, Any]]) -> dict[str, int]:
    """How many different events there are of each type; the same one always looks the same."""
    by_id: dict[str, dict[str, Any]] = {}
    for event in events:
        assert by_id.setdefault(event["eventId"], event) == event
    types = [event["type"] for event in by_id.values()]
    return {type_: types.count(type_) for type_ in types}


def test_every_change_is_told_and_every_version_is_on_record(relaying: Relaying) -> None:
    mine = story(relaying.world)
    assert relaying.run() == []
    heard = relaying.heard()
    assert counted(heard) == STORY
    assert len(heard) == sum(STORY.values())
    assert "SECRET" not in json.dumps(heard)
    assert relaying.entries().keys() == relaying.versions()
    entry = relaying.entries()[mine["appointmentId"], 2]
    assert json.loads(entry["changes"]["S"])["startTime"] == ["2030-01-15T09:00:00Z", "2030-01-15T11:00:00Z"]
    assert (entry["type"]["S"], entry["by"]["S"], entry["at"]["N"]) == ("moved", "system", "1890820800")
    assert not any("SECRET" in json.dumps(entry) for entry in relaying.entries().values())


def test_a_repetition_changes_nothing_however_it_is_cut(relaying: Relaying) -> None:
    story(relaying.world)
    records = relaying.records()
    relaying.relay.relay(records)
    entries, heard = relaying.entries(), relaying.heard()
    for cut in range(0, len(records), 3):
        assert relaying.relay.relay(records[cut:]) is None
        assert relaying.relay.relay(records[:cut]) is None
    assert relaying.entries() == entries
    assert counted([*heard, *relaying.heard()]) == STORY


def test_versions_that_come_again_later_stay_what_they_are(relaying: Relaying) -> None:
    """As `make redrive` gives them: one alone, after those that came later."""
    mine = story(relaying.world)
    relaying.run()
    before = relaying.entries()
    (first,) = [
        record
        for record in relaying.records()
        if record["eventName"] == "INSERT"
        and record["dynamodb"]["Keys"].get("appointmentId") == {"S": mine["appointmentId"]}
    ]
    assert relaying.relay.relay([first]) is None
    assert relaying.entries() == before


def test_what_is_no_change_of_an_appointment_is_passed(relaying: Relaying) -> None:
    world = relaying.world
    world.book("9:00", "9:30", user="anna", reminders=["1h"])
    (id_,) = [item["appointmentId"]["S"] for item in world.items("AppointmentsTable")]
    relaying.run()
    relaying.heard()
    seen = len(relaying.records())
    appointment = world.storage.appointments.get(id_)
    assert appointment is not None
    world.reminders.claim(id_, appointment.reminders[0], claim="c", lease=timedelta(seconds=40), now=world.now)
    world.dynamodb.delete_item(TableName="AppointmentsTable", Key={"appointmentId": {"S": id_}})
    records = relaying.records()[seen:]
    assert relaying.relay.relay(relaying.records()) is None
    assert {record["eventName"] for record in records} <= {"MODIFY", "REMOVE", "INSERT"}
    assert counted(relaying.heard()) == {"appointment.booked": 1}


class Refusing:
    """A client that refuses some entries of `put_events`, each once."""

    def __init__(self, client: Any, refuse: Callable[[dict[str, Any]], bool]) -> None:
        self.client, self.refuse, self.refused = client, refuse, set[str]()
        self.sizes: list[int] = []

    def put_events(self, **request: Any) -> Any:
        entries: list[dict[str, Any]] = request["Entries"]
        self.sizes.append(len(entries))
        results: list[dict[str, str]] = []
        for entry in entries:
            id_ = json.loads(entry["Detail"])["eventId"]
            if self.refuse(entry) and id_ not in self.refused:
                self.refused.add(id_)
                results.append({"ErrorCode": "InternalFailure", "ErrorMessage": "made to fail"})
            else:
                results.append({"EventId": id_})
                self.client.put_events(Entries=[entry])
        return {"FailedEntryCount": len(self.refused), "Entries": results}


@pytest.mark.parametrize("type_", [*STORY, "all"])
def test_an_entry_that_the_bus_refuses_comes_again(
    relaying: Relaying, type_: str, events_of: Callable[[], list[dict[str, Any]]]
) -> None:
    story(relaying.world)
    events_of()
    client = Refusing(relaying.world.events, lambda entry: type_ in (entry["DetailType"], "all"))
    relay = Relay(relaying.relay.history, [Bus(client, BUS)], relaying.failures)  # type: ignore[arg-type]
    repeated = list(fed(relay.relay, relaying.records()))
    assert len(repeated) == 1
    # Given again from the first one that was refused, not from the first of all.
    (first, *_) = [
        record["dynamodb"]["SequenceNumber"]
        for record in relaying.records()
        if any(event["type"] == type_ or type_ == "all" for event in told_by(record))
    ]
    assert repeated == [first]
    assert counted(relaying.heard()) == STORY
    assert relaying.entries().keys() == relaying.versions()
    assert max(client.sizes) <= 10
    lines = [line for line in events_of() if line.get("event_type") == "EVENT_RELAY_ERROR"]
    assert [line["message"] for line in lines] == ["Events not sent"]


def told_by(record: dict[str, Any]) -> list[dict[str, Any]]:
    return [event.detail for event in read(record).events]


def test_entries_that_dynamodb_leaves_out_are_put_again(relaying: Relaying, monkeypatch: pytest.MonkeyPatch) -> None:
    world = relaying.world
    for hour in range(8, 18):
        assert world.book(f"{hour}:00", f"{hour}:30")[0] == 201
    real, calls = world.dynamodb.batch_write_item, []

    def leaving_out(**request: Any) -> Any:
        """Take the first item of each call."""
        ((table, requests),) = request["RequestItems"].items()
        calls.append(len(requests))
        real(RequestItems={table: requests[:1]})
        return {"UnprocessedItems": {table: requests[1:]} if requests[1:] else {}}

    monkeypatch.setattr(world.dynamodb, "batch_write_item", leaving_out)
    monkeypatch.setattr("appointments.storage.dynamodb.sleep", lambda _: None)
    repeated = relaying.run()
    assert len(repeated) == 1  # of ten, seven were taken by the first batch and its six repetitions
    assert calls == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert relaying.entries().keys() == relaying.versions()


def test_a_history_that_cannot_be_written_keeps_no_event_back(relaying: Relaying) -> None:
    world = relaying.world
    world.book("9:00", "9:30")
    with world.failing("BatchWriteItem", code="ProvisionedThroughputExceededException"):
        assert relaying.relay.relay(relaying.records()) is not None
    assert counted(relaying.heard()) == {"appointment.booked": 1}
    assert relaying.run() == []
    assert relaying.entries().keys() == relaying.versions()


def test_a_record_that_cannot_be_read_is_noted_and_holds_up_no_other(
    relaying: Relaying, events_of: Callable[[], list[dict[str, Any]]]
) -> None:
    world = relaying.world
    world.book("9:00", "9:30")
    world.book("10:00", "10:30")
    events_of()
    records = relaying.records()
    poison = next(record for record in records if "appointmentId" in record["dynamodb"]["Keys"])
    poison["dynamodb"]["NewImage"] |= {"startTime": {"S": "SECRET, from another version"}}
    assert relaying.relay.relay(records) is None
    assert counted(relaying.heard()) == {"appointment.booked": 1}
    (message,) = relaying.messages(relaying.failures_url)
    number = poison["dynamodb"]["SequenceNumber"]
    assert message["DDBStreamBatchInfo"] == {
        "streamArn": poison["eventSourceARN"],
        "startSequenceNumber": number,
        "endSequenceNumber": number,
        "batchSize": 1,
    }
    assert "SECRET" not in json.dumps(message)
    (line,) = [line for line in events_of() if line.get("event_type") == "EVENT_RELAY_ERROR"]
    assert line["sequence_number"] == number


def test_a_record_that_cannot_be_read_is_noted_once_though_its_batch_comes_again(relaying: Relaying) -> None:
    world = relaying.world
    world.book("9:00", "9:30")
    world.book("10:00", "10:30")
    records = [record for record in relaying.records() if "appointmentId" in record["dynamodb"]["Keys"]]
    records[-1]["dynamodb"]["NewImage"].pop("userId")
    first = records[0]["dynamodb"]["SequenceNumber"]
    with world.failing("PutEvents"):
        for _ in range(3):
            assert relaying.relay.relay(records) == first
    assert relaying.relay.relay(records) is None
    assert len(relaying.messages(relaying.failures_url)) == 1


def test_a_record_that_can_be_neither_read_nor_noted_comes_again(relaying: Relaying) -> None:
    world = relaying.world
    world.book("9:00", "9:30")
    records = relaying.records()
    poison = next(record for record in records if "appointmentId" in record["dynamodb"]["Keys"])
    poison["dynamodb"]["NewImage"].pop("userId")
    with world.failing("SendMessage"):
        assert relaying.relay.relay(records) == poison["dynamodb"]["SequenceNumber"]
    assert relaying.relay.relay(records) is None
    assert len(relaying.messages(relaying.failures_url)) == 1


def crashes(relaying: Relaying, records: list[dict[str, Any]]) -> Iterator[tuple[str, bool, int]]:
    """Every call that a run makes, before and after it."""
    world = relaying.world
    start = len(world.calls)
    relaying.relay.relay(records)
    made = world.calls[start:]
    for operation in dict.fromkeys(made):
        for nth in range(1, made.count(operation) + 1):
            yield operation, False, nth
            yield operation, True, nth


def test_a_death_at_any_call_loses_nothing(relaying: Relaying) -> None:
    world = relaying.world
    mine = story(world)
    far = {"startTime": "2030-06-15T11:00:00Z", "status": "scheduled"}
    world.request("PATCH", f"/appointments/{mine['appointmentId']}", {"status": "scheduled"})
    assert world.request("PATCH", f"/appointments/{mine['appointmentId']}", {"startTime": far["startTime"]})[0] == 200
    records = relaying.records()
    points = list(crashes(relaying, records))
    assert {operation for operation, *_ in points} >= {"BatchWriteItem", "PutEvents", "Query", "UpdateItem"}
    complete = relaying.entries()
    expected = counted(relaying.heard())
    for operation, after, nth in points:
        for key in [item for item in world.items("CalendarsTable") if item["calendarId"]["S"].startswith(HISTORY)]:
            name = {part: key[part] for part in ("calendarId", "day")}
            world.dynamodb.delete_item(TableName="CalendarsTable", Key=name)
        world.dying(operation, after=after, nth=nth)
        with pytest.raises(KilledError):
            relaying.relay.relay(records)
        assert relaying.relay.relay(records) is None
        assert relaying.entries() == complete, (operation, after, nth)
        assert counted(relaying.heard()) == expected, (operation, after, nth)


def test_a_history_is_kept_as_long_as_its_appointment(relaying: Relaying) -> None:
    world = relaying.world
    _, mine = world.book("9:00", "9:30")
    relaying.run()
    path = f"/appointments/{mine['appointmentId']}"
    world.request("PATCH", path, {"startTime": "2031-01-15T09:00:00Z"})
    world.request("PATCH", path, {"startTime": "2030-01-15T09:00:00Z"})
    relaying.run()
    moved = next(
        record["dynamodb"]["NewImage"]
        for record in relaying.records()
        if record["dynamodb"].get("NewImage", {}).get("version") == {"N": "2"}
        and "appointmentId" in record["dynamodb"]["Keys"]
    )
    kept = {version: int(item["expiresAt"]["N"]) for (_, version), item in relaying.entries().items()}
    longest = int(moved["expiresAt"]["N"])
    assert kept[1] == kept[2]
    assert longest <= kept[2] < longest + ROUNDED_TO


def test_a_receiver_that_fails_keeps_no_other_from_hearing(relaying: Relaying) -> None:
    class Broken:
        def send(self, _: Sequence[Event]) -> set[str]:
            raise OSError

    relaying.world.book("9:00", "9:30")
    relay = Relay(relaying.relay.history, [Broken(), relaying.bus], relaying.failures)
    records = relaying.records()
    assert relay.relay(records) is not None
    assert counted(relaying.heard()) == {"appointment.booked": 1}


def test_calls_stay_within_the_limits_of_the_bus(relaying: Relaying) -> None:
    """A change of settings tells them three times; ten of them are too much for one call."""
    world = relaying.world
    dates = [f"20{30 + n // 336}-{1 + n % 336 // 28:02}-{1 + n % 28:02}" for n in range(1000)]
    overrides: dict[str, list[Any]] = {date: [] for date in dates}
    for number in range(12):
        assert world.request("PUT", f"/calendars/c-{number}", {"overrides": overrides})[0] == 200
    client = Refusing(world.events, lambda _: False)
    relay = Relay(relaying.relay.history, [Bus(client, BUS)], relaying.failures)  # type: ignore[arg-type]
    assert relay.relay(relaying.records()) is None
    assert sum(client.sizes) == 12
    assert max(client.sizes) < 10
