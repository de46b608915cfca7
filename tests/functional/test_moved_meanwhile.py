"""An appointment that is moved between two calendar days while somebody else decides is seen, wherever it lies."""

from __future__ import annotations

from typing import Any

import pytest

from support import inconsistencies
from world import World


def iso(day: int, clock: str) -> str:
    return f"2030-01-{day}T{clock}:00Z"


def move(world: World, appointment: dict[str, Any], start: str, end: str) -> tuple[int, Any]:
    body = {"startTime": start, "endTime": end}
    status, _, answer = world.request("PATCH", f"/appointments/{appointment['appointmentId']}", body)
    return status, answer


def before_the_next_transaction(world: World, act: Any) -> None:
    client = world.storage.database.client
    original = client.transact_write_items

    def slip_in(**kwargs: Any) -> Any:
        client.transact_write_items = original  # type: ignore[method-assign]
        act()
        return original(**kwargs)

    client.transact_write_items = slip_in  # type: ignore[method-assign]


@pytest.mark.parametrize("capacity", [1, 2])
@pytest.mark.parametrize("how", ["move", "book"])
def test_a_day_that_is_fresh_and_one_that_is_stale(world: World, how: str, capacity: int) -> None:
    """The failed transaction brings back the one day that changed; the other one is as it was read before."""
    world.request("PUT", "/calendars/c", {"capacity": capacity})
    _, x = world.book(iso(16, "10:00"), iso(16, "10:30"), user="c", reminders=[])
    if capacity == 2:
        assert world.book(iso(15, "23:00"), iso(15, "23:59"), user="c", reminders=[])[0] == 201
    _, w = world.book(iso(20, "09:00"), iso(20, "11:00"), user="c", reminders=[])
    moved: list[int] = []

    def move_x() -> None:
        moved.append(move(world, x, iso(15, "23:15"), iso(15, "23:45"))[0])

    before_the_next_transaction(world, move_x)
    if how == "move":
        status, _ = move(world, w, iso(15, "23:00"), iso(16, "01:00"))
    else:
        status, _ = world.book(iso(15, "23:00"), iso(16, "01:00"), user="c", reminders=[])
    assert (moved, status) == ([200], 409)
    if capacity == 1:
        assert inconsistencies(world.dynamodb, "AppointmentsTable", "CalendarsTable") == []


def reading_in_parts(world: World, monkeypatch: pytest.MonkeyPatch, first: Any, act: Any) -> None:
    """Let the next BatchGetItem read the items that are `first`, then `act` happens, then it reads the others."""
    client: Any = world.storage.database.client
    original = client.batch_get_item

    def item_by_item(**kwargs: Any) -> Any:
        monkeypatch.undo()
        asked = kwargs["RequestItems"]
        keys = asked["CalendarsTable"]["Keys"]
        early = [key for key in keys if first(key)]
        found: list[Any] = []
        if early:
            request = {"CalendarsTable": {"Keys": early, "ConsistentRead": True}}
            found = original(RequestItems=request)["Responses"]["CalendarsTable"]
        act()
        late = [key for key in keys if key not in early]
        answer = original(RequestItems=asked | {"CalendarsTable": {"Keys": late, "ConsistentRead": True}})
        answer["Responses"]["CalendarsTable"] = [*found, *answer["Responses"].get("CalendarsTable", [])]
        return answer

    monkeypatch.setattr(client, "batch_get_item", item_by_item)


@pytest.mark.parametrize("first", ["2030-01-15", "2030-01-16"])
def test_days_of_one_read_are_of_different_moments(world: World, monkeypatch: pytest.MonkeyPatch, first: str) -> None:
    """BatchGetItem is no snapshot: X is moved after one of the days was read and before the other was."""
    _, x = world.book(iso(16, "10:00"), iso(16, "10:30"), user="c", reminders=[])
    # Something lay there once, so the booking reads before it tries.
    _, gone = world.book(iso(15, "23:00"), iso(16, "01:00"), user="c", reminders=[])
    world.request("DELETE", f"/appointments/{gone['appointmentId']}")
    moved: list[int] = []
    reading_in_parts(
        world,
        monkeypatch,
        lambda key: key["day"]["S"] == first,
        lambda: moved.append(move(world, x, iso(15, "23:15"), iso(15, "23:45"))[0]),
    )
    status, body = world.book(iso(15, "23:00"), iso(16, "01:00"), user="c", reminders=[])
    assert (moved, status) == ([200], 409)
    assert body["conflicts"] == [{"calendarId": "c", "startTime": iso(15, "23:15"), "endTime": iso(15, "23:45")}]


def test_a_refusal_that_was_never_true_is_not_given(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """X moves from doctor A to doctor B while both are read: at every moment one of the two is free."""
    _, x = world.book("9:00", "10:00", user="p", resourceIds=["a"], reminders=[])
    path = f"/appointments/{x['appointmentId']}"
    moved: list[int] = []
    reading_in_parts(
        world,
        monkeypatch,
        lambda key: key["calendarId"]["S"] == "a",
        lambda: moved.append(world.request("PATCH", path, {"resourceIds": ["b"]})[0]),
    )
    status, body = world.book("9:00", "10:00", user="q", anyOf=["a", "b"], reminders=[])
    assert (moved, status, body["assignedCalendarId"]) == ([200], 201, "a")


def test_one_that_goes_to_another_calendar_while_its_days_are_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A moves X in time; before the days are read, B moves it to another calendar, whose days decide now."""
    _, x = world.book("9:00", "10:00", user="p", resourceIds=["c"], reminders=[])
    path = f"/appointments/{x['appointmentId']}"
    moved: list[int] = []
    reading_in_parts(
        world,
        monkeypatch,
        lambda _: False,
        lambda: moved.append(world.request("PATCH", path, {"resourceIds": ["d"]})[0]),
    )
    status, _, body = world.request("PATCH", path, {"startTime": iso(15, "12:00")})
    assert (moved, status, body["resourceIds"], body["startTime"]) == ([200], 200, ["d"], iso(15, "12:00"))


# --- settings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(
    ("since", "start"), [({"capacity": 1}, "9:00"), ({"capacity": 2, "bufferMinutes": {"before": 60}}, "10:00")]
)
def test_a_booking_that_lost_obeys_the_settings_in_force(
    world: World, since: dict[str, Any], start: str, large: bool
) -> None:
    """W has read the settings; then they change, and V is booked by the new ones. W must not commit by the old."""
    more: dict[str, Any] = {"overrides": {f"2031-01-{day:02}": [] for day in range(1, 31)} if large else {}}
    world.request("PUT", "/calendars/c", {"capacity": 2, **more})
    _, before = world.book("8:00", "13:00", user="c", reminders=[])
    outcomes: list[int] = []

    def meanwhile() -> None:
        path = f"/appointments/{before['appointmentId']}"
        outcomes.append(world.request("DELETE", path)[0])
        outcomes.append(world.request("PUT", "/calendars/c", since | more)[0])
        outcomes.append(world.book("9:00", "10:00", user="c", reminders=[])[0])
        if "bufferMinutes" in since:
            outcomes.append(world.book("9:00", "10:00", user="c", reminders=[])[0])

    before_the_next_transaction(world, meanwhile)
    end = f"{int(start.partition(':')[0]) + 1}:00"
    status, _ = world.book(start, end, user="c", reminders=[])
    assert (set(outcomes), status) == ({200, 201}, 409)


def test_settings_of_a_restored_table_are_not_taken_for_others_of_the_same_version(world: World) -> None:
    """A warm process knows version 2; the table is put back to version 1, and configured anew as version 2."""
    world.request("PUT", "/calendars/c", {"capacity": 1})
    saved = next(item for item in world.items("CalendarsTable") if item["day"]["S"] == "settings")
    world.request("PUT", "/calendars/c", {"capacity": 2})
    assert world.book("9:00", "10:00", user="c", reminders=[])[0] == 201
    warm = world.storage.memory.settings["c"]
    world.dynamodb.put_item(TableName="CalendarsTable", Item=saved)
    world.request("PUT", "/calendars/c", {"capacity": 1})
    world.storage.memory.settings["c"] = warm
    world.storage.memory.touched.clear()
    assert world.book("9:30", "10:30", user="c", reminders=[])[0] == 409


def test_settings_written_before_there_were_revisions_are_a_condition_too(world: World) -> None:
    old = {
        "calendarId": {"S": "c"},
        "day": {"S": "settings"},
        "version": {"N": "7"},
        "settings": {"S": '{"capacity":2}'},
        "updatedAt": {"S": "2029-01-01T00:00:00Z"},
    }
    world.dynamodb.put_item(TableName="CalendarsTable", Item=old)
    assert world.book("9:00", "10:00", user="c", reminders=[])[0] == 201
    assert world.book("9:00", "10:00", user="c", reminders=[])[0] == 201

    def configure() -> None:
        assert world.request("PUT", "/calendars/c", {"capacity": 1})[0] == 200

    world.storage.memory.touched.clear()
    before_the_next_transaction(world, configure)
    assert world.book("12:00", "13:00", user="c", reminders=[])[0] == 201
    assert world.book("12:00", "13:00", user="c", reminders=[])[0] == 409


def test_settings_that_release_0_1_0_wrote_are_noticed(world: World) -> None:
    """It increments the version and leaves the revision unchanged. The process that books remembers both."""
    world.request("PUT", "/calendars/c", {"capacity": 2})
    assert world.book("9:00", "10:00", user="c", reminders=[])[0] == 201
    world.dynamodb.update_item(
        TableName="CalendarsTable",
        Key={"calendarId": {"S": "c"}, "day": {"S": "settings"}},
        UpdateExpression="SET settings = :settings, updatedAt = :now ADD #version :one",
        ExpressionAttributeNames={"#version": "version"},
        ExpressionAttributeValues={
            ":settings": {"S": '{"capacity":1}'},
            ":now": {"S": "2029-01-01T00:00:00Z"},
            ":one": {"N": "1"},
        },
    )
    world.storage.memory.touched.clear()
    assert world.book("9:30", "10:30", user="c", reminders=[])[0] == 409


def test_settings_whose_answer_got_lost_are_written_once(world: World) -> None:
    """The SDK repeats the write, and the repetition finds the first one in the place of what `If-Match` names."""
    client = world.storage.database.client
    original = client.update_item

    def repeated(**kwargs: Any) -> Any:
        client.update_item = original  # type: ignore[method-assign]
        original(**kwargs)
        return original(**kwargs)

    client.update_item = repeated  # type: ignore[method-assign]
    status, _, stored = world.request("PUT", "/calendars/c", {"capacity": 2}, headers={"If-Match": '"0"'})
    assert (status, stored["version"], stored["capacity"]) == (200, 1, 2)
