"""What lies on a calendar: `GET /appointments?calendarId=`, by overlap and strongly consistent, on moto."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from world import World

DAY = {"from": "2030-01-15T00:00:00Z", "to": "2030-01-16T00:00:00Z"}


def listed(world: World, **query: str) -> tuple[int, Any]:
    status, _, body = world.request(
        "GET", "/appointments", queryStringParameters={"calendarId": "room", **DAY, **query}
    )
    return status, body


def ids(body: dict[str, Any]) -> list[str]:
    return [appointment["appointmentId"] for appointment in body["appointments"]]


def all_pages(world: World, **query: str) -> list[str]:
    found: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(20):
        status, body = listed(world, **query, **cursor)
        assert status == 200
        found += ids(body)
        if "nextCursor" not in body:
            return found
        cursor = {"cursor": body["nextCursor"]}
    raise AssertionError("the pages do not end")


def booked(world: World, start: str, end: str, user: str = "anna") -> str:
    status, body = world.book(start, end, user=user, resourceIds=["room"], reminders=[])
    assert status == 201
    return str(body["appointmentId"])


@pytest.fixture
def day(world: World) -> list[str]:
    """What meets the 15th on a room, by start; and what touches it, is elsewhere, or is cancelled."""
    found = [
        booked(world, "2030-01-12T10:00:00Z", "2030-01-15T00:30:00Z"),
        booked(world, "11:00", "12:00", "ben"),
        booked(world, "13:00", "14:00"),
        booked(world, "2030-01-15T23:30:00Z", "2030-01-17T08:00:00Z"),
    ]
    booked(world, "2030-01-12T09:00:00Z", "2030-01-12T10:00:00Z")
    booked(world, "2030-01-17T08:00:00Z", "2030-01-17T09:00:00Z")
    world.book("9:00", "10:00", user="anna", reminders=[])
    world.request("DELETE", f"/appointments/{booked(world, '15:00', '16:00')}")
    return found


def test_what_meets_the_interval_is_listed_by_start(world: World, day: list[str]) -> None:
    status, body = listed(world)
    assert (status, ids(body), "nextCursor" in body) == (200, day, False)
    for appointment in body["appointments"]:
        assert appointment == world.request("GET", f"/appointments/{appointment['appointmentId']}")[2]


def test_intervals_are_half_open(world: World, day: list[str]) -> None:
    _, body = listed(world, **{"from": "2030-01-15T00:30:00Z", "to": "2030-01-15T23:30:00Z"})
    assert ids(body) == day[1:3]
    _, body = listed(world, **{"from": "2030-01-15T00:29:59Z", "to": "2030-01-15T11:00:01Z"})
    assert ids(body) == day[:2]


def test_a_persons_calendar_has_what_they_are_booked_for_by_others(world: World) -> None:
    _, visit = world.book("9:00", "10:00", user="anna", resourceIds=["dr-lee"], reminders=[])
    for calendar_id in ("anna", "dr-lee"):
        assert ids(listed(world, calendarId=calendar_id)[1]) == [visit["appointmentId"]]


@pytest.mark.parametrize("limit", ["1", "2", "3", "4", "100"])
def test_pages_miss_and_repeat_none(world: World, day: list[str], limit: str) -> None:
    assert all_pages(world, limit=limit) == day
    assert all_pages(world, limit=limit, **{"from": "2030-01-10T00:00:00Z"})[-4:] == day


def test_equal_starts_are_paged_by_id(world: World) -> None:
    world.request("PUT", "/calendars/room", {"capacity": 5})
    same = sorted(booked(world, "11:00", "12:00", f"user-{n}") for n in range(5))
    assert all_pages(world, limit="2") == same


def test_by_status(world: World, day: list[str]) -> None:
    assert ids(listed(world, status="scheduled")[1]) == day
    assert ids(listed(world, status="cancelled")[1]) == []


def test_a_day_is_one_query_and_one_read_of_its_appointments(world: World, day: list[str]) -> None:
    world.calls.clear()
    listed(world)
    assert world.calls == ["Query", "BatchGetItem"]
    world.calls.clear()
    assert listed(world, calendarId="nobody") == (200, {"appointments": []})
    assert world.calls == ["Query"]


def test_every_read_is_strongly_consistent(world: World, day: list[str]) -> None:
    asked: list[dict[str, Any]] = []

    def seen(params: dict[str, Any], **_: Any) -> None:
        asked.append(json.loads(params["body"]))

    events = world.dynamodb.meta.events
    events.register("before-call.dynamodb", seen)
    listed(world)
    events.unregister("before-call.dynamodb", seen)
    query, batch = asked
    assert query["ConsistentRead"]
    assert all(table["ConsistentRead"] for table in batch["RequestItems"].values())


@pytest.mark.parametrize("change", ["cancel", "move away", "move within"])
def test_what_changes_between_the_two_reads_is_as_it_is_now(world: World, day: list[str], change: str) -> None:
    database, original = world.storage.database.client, world.storage.database.client.batch_get_item

    def slip_in(**kwargs: Any) -> Any:
        database.batch_get_item = original  # type: ignore[method-assign]
        path = f"/appointments/{day[1]}"
        if change == "cancel":
            world.request("DELETE", path)
        else:
            at = "2030-01-25T11:00:00Z" if change == "move away" else "2030-01-15T18:00:00Z"
            assert world.request("PATCH", path, {"startTime": at})[0] == 200
        return original(**kwargs)

    database.batch_get_item = slip_in  # type: ignore[method-assign]
    _, body = listed(world)
    assert ids(body) == (day if change == "move within" else [day[0], *day[2:]])
    current = world.request("GET", f"/appointments/{day[1]}")[2]
    assert change != "move within" or current in body["appointments"]


def test_a_local_day_is_that_of_the_zone(world: World) -> None:
    first, second = booked(world, "04:30", "05:00"), booked(world, "05:00", "06:00")
    query = {"from": "2030-01-15T00:00", "to": "2030-01-16T00:00", "timeZone": "America/New_York"}
    assert ids(listed(world, **query)[1]) == [second]
    assert ids(listed(world)[1]) == [first, second]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"calendarId": "room"}, {"from", "to"}),
        ({"calendarId": "room", "userId": "anna"} | DAY, {"userId"}),
        ({"calendarId": "a b"} | DAY, {"calendarId"}),
        ({"calendarId": "room"} | DAY | {"to": "2030-03-18T00:00:01Z"}, {"to"}),
        ({"calendarId": "room"} | DAY | {"to": DAY["from"]}, {"to"}),
        ({"calendarId": "room", "cursor": "x", "limit": "0"} | DAY, {"cursor", "limit"}),
    ],
)
def test_bad_queries_name_every_fault(world: World, query: dict[str, str], fields: set[str]) -> None:
    status, _, body = world.request("GET", "/appointments", queryStringParameters=query)
    assert (status, {error["field"] for error in body["errors"]}) == (422, fields)


def test_62_days_may_be_asked_for(world: World, day: list[str]) -> None:
    assert ids(listed(world, to="2030-03-18T00:00:00Z")[1])[:4] == day
