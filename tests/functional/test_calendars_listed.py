"""`GET /calendars` on moto: each calendar that is configured, once, whatever else is in its table."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from calendars import configure

if TYPE_CHECKING:
    from world import World


def pages(world: World, limit: int) -> list[list[str]]:
    found: list[list[str]] = []
    query = {"limit": str(limit)}
    while True:
        status, _, page = world.request("GET", "/calendars", queryStringParameters=query)
        assert status == 200
        found.append([calendar["calendarId"] for calendar in page["calendars"]])
        if "nextCursor" not in page:
            return found
        query["cursor"] = page["nextCursor"]


def test_calendars_are_listed_once_they_are_configured(world: World) -> None:
    assert pages(world, 2) == [[]]
    assert world.book("9:00", "10:00", user="anna", resourceIds=["room-1"])[0] == 201
    assert pages(world, 2) == [[]]  # days of a calendar are no settings of it
    answered = configure(world, "room-2", capacity=3)
    assert world.request("GET", "/calendars") == (
        200,
        {"Content-Type": "application/json", "Cache-Control": "no-store"},
        {"calendars": [answered]},
    )


def test_pages_hold_each_calendar_once_the_longest_unchanged_first(world: World) -> None:
    for name in ("d", "b", "e", "a", "c"):
        configure(world, name)
        world.now += timedelta(minutes=1)
    assert pages(world, 2) == [["d", "b"], ["e", "a"], ["c"]]
    assert pages(world, 5) == [["d", "b", "e", "a", "c"]]
    configure(world, "b", capacity=2)
    assert pages(world, 50) == [["d", "e", "a", "c", "b"]]


def test_calendars_of_one_second_are_all_listed(world: World) -> None:
    names = [f"c{number}" for number in range(7)]
    for name in names:
        configure(world, name)
    assert sorted(name for page in pages(world, 2) for name in page) == names


def test_services_and_blocks_are_no_calendars(world: World) -> None:
    for service_id in ("settings", "other"):
        body = {"steps": [{"durationMinutes": 30}]}
        assert world.request("PUT", f"/services/{service_id}", body)[0] == 200
    block = {"startTime": "2030-01-15T09:00:00Z", "endTime": "2030-01-15T10:00:00Z"}
    assert world.request("POST", "/calendars/room-1/blocks", block)[0] == 201
    world.now += timedelta(minutes=1)
    for name in ("a", "b", "c"):
        configure(world, name)
        world.now += timedelta(minutes=1)
    assert pages(world, 1) == [["a"], ["b"], ["c"]]


def test_settings_of_an_earlier_release_are_listed(world: World) -> None:
    """They have no revision, and nobody has to write them again."""
    item: Any = {"calendarId": {"S": "old"}, "day": {"S": "settings"}, "settings": {"S": "{}"}, "version": {"N": "4"}}
    world.dynamodb.put_item(TableName="CalendarsTable", Item=item | {"updatedAt": {"S": "2029-01-01T00:00:00Z"}})
    assert pages(world, 2) == [["old"]]


def test_bad_parameters_of_the_list_are_named(world: World) -> None:
    configure(world)
    for cursor in ("x", "WyJhIl0", "WyJhIiwiYiJd", "WyIyMDI5LTEyLTAxVDEyOjAwOjAwWiIsImEgYiJd", "W10"):
        query = {"limit": "51", "cursor": cursor, "order": "id"}
        status, _, answer = world.request("GET", "/calendars", queryStringParameters=query)
        assert (status, {fault["field"] for fault in answer["errors"]}) == (422, {"limit", "cursor", "order"}), cursor
