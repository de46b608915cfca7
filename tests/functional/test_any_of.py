"""Bookings by `anyOf` on moto: which calendar is chosen, and what a refusal names."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from calendars import NINE_TO_FIVE, configure

# Twelve days, by the ids that their keys make.
ASSIGNED = {"dr-a": 6, "dr-b": 6}

if TYPE_CHECKING:
    from world import World


def test_any_of_takes_the_least_booked_that_is_free(world: World) -> None:
    world.book("8:00", "9:00", user="dr-a")
    status, first = world.book("9:00", "10:00", user="anna", anyOf=["dr-a", "dr-b", "dr-c"])
    assert status == 201
    _, second = world.book("9:00", "10:00", user="ben", anyOf=["dr-a", "dr-b", "dr-c"])
    assert sorted([*first["resourceIds"], *second["resourceIds"]]) == ["dr-b", "dr-c"]
    _, third = world.book("9:00", "10:00", user="cem", resourceIds=["room"], anyOf=["dr-a", "dr-b", "dr-c"])
    assert (third["resourceIds"], third["assignedCalendarId"]) == (["room", "dr-a"], "dr-a")
    assert world.request("GET", f"/appointments/{third['appointmentId']}")[2] == third
    world.calls.clear()
    status, refusal = world.book("9:30", "10:30", user="dan", anyOf=["dr-a", "dr-b", "dr-c"])
    assert (status, {conflict["calendarId"] for conflict in refusal["conflicts"]}) == (409, {"dr-a", "dr-b", "dr-c"})
    assert refusal["alternatives"][0] == {"startTime": "2030-01-15T10:00:00Z", "endTime": "2030-01-15T11:00:00Z"}
    assert world.calls == 2 * ["BatchGetItem"]  # that all three were full at one moment takes two equal readings


@pytest.mark.parametrize("order", [["dr-a", "dr-b"], ["dr-b", "dr-a"]])
def test_equals_take_turns_whatever_their_order_in_the_request(world: World, order: list[str]) -> None:
    assigned: Counter[str] = Counter()
    for day in range(10, 22):
        # A key fixes the id, and so the outcome of this test.
        body = {"userId": "anna", "startTime": f"2030-01-{day}T09:00:00Z", "endTime": f"2030-01-{day}T10:00:00Z"}
        key = {"Idempotency-Key": f"day {day}"}
        status, _, booked = world.request("POST", "/appointments", body | {"anyOf": order}, headers=key)
        assert status == 201
        assigned[booked["assignedCalendarId"]] += 1
    assert assigned == ASSIGNED


def test_that_day_is_one_of_the_calendars_own_zone(world: World) -> None:
    """18:30 in New York is 23:30 UTC; what comes after 19:00 lies on the next UTC day, and yet on the same day."""
    for doctor in ("dr-a", "dr-b"):
        configure(world, doctor, timeZone="America/New_York")
    for start, end in (
        ("2030-01-16T00:00:00Z", "2030-01-16T01:00:00Z"),
        ("2030-01-16T01:00:00Z", "2030-01-16T02:00:00Z"),
    ):
        world.book(start, end, user="dr-a")
    world.book("2030-01-15T02:00:00Z", "2030-01-15T03:00:00Z", user="dr-b")  # the day before, in New York
    world.book("2030-01-15T15:00:00Z", "2030-01-15T16:00:00Z", user="dr-b")
    _, booked = world.book("23:30", "23:45", user="anna", anyOf=["dr-a", "dr-b"])
    assert booked["assignedCalendarId"] == "dr-b"
    world.book("2030-01-16T20:00:00Z", "2030-01-16T21:00:00Z", user="dr-a")
    _, booked = world.book("2030-01-16T05:00:00Z", "2030-01-16T06:00:00Z", user="anna", anyOf=["dr-a", "dr-b"])
    assert booked["assignedCalendarId"] == "dr-b"  # a new day in New York, on which only the other has one
    world.book("17:00", "18:00", user="dr-a")
    for hour in (15, 16):
        world.book(f"2030-01-16T{hour}:00:00Z", f"2030-01-16T{hour}:30:00Z", user="dr-b")
    _, booked = world.book("2030-01-16T02:30:00Z", "2030-01-16T02:45:00Z", user="anna", anyOf=["dr-a", "dr-b"])
    assert booked["assignedCalendarId"] == "dr-b"  # still the 15th there, on which it has 2 and the other 3


def test_any_of_names_all_that_stands_in_the_way(world: World) -> None:
    configure(world, "dr-a", **NINE_TO_FIVE)
    world.book("9:00", "10:00", user="dr-b")
    status, refusal = world.book("9:00", "10:00", user="anna", anyOf=["dr-a", "dr-b"])
    assert (status, [conflict["calendarId"] for conflict in refusal["conflicts"]]) == (409, ["dr-b"])
    assert [(error["calendarId"], error["rule"]) for error in refusal["errors"]] == [("dr-a", "workingHours")]
    assert refusal["alternatives"]


def test_alternatives_that_wait_for_a_calendars_notice_begin_on_a_quarter_hour(world: World) -> None:
    world.now = datetime(2029, 12, 1, 12, 7, 31, tzinfo=UTC)
    configure(world, "dr-b", minNoticeMinutes=60)
    world.book("2029-12-01T12:30:00Z", "2029-12-01T18:00:00Z", user="dr-a")
    status, refusal = world.book("2029-12-01T12:45:00Z", "2029-12-01T13:15:00Z", anyOf=["dr-a", "dr-b"])
    assert (status, refusal["alternatives"][0]["startTime"]) == (409, "2029-12-01T13:15:00Z")


def test_any_of_can_be_tried_and_repeated(world: World) -> None:
    body = {
        "userId": "anna", "startTime": "2030-01-15T09:00:00Z", "endTime": "2030-01-15T10:00:00Z",
        "anyOf": ["dr-a", "dr-b"],
    }  # fmt: skip
    status, _, tried = world.request("POST", "/appointments", body, queryStringParameters={"dryRun": "true"})
    assert (status, tried["assignedCalendarId"] in body["anyOf"]) == (200, True)
    assert world.items("CalendarsTable") == world.items("AppointmentsTable") == []
    key = {"Idempotency-Key": "one"}
    status, _, first = world.request("POST", "/appointments", body, headers=key)
    assert status == 201
    for _ in range(2):
        assert world.request("POST", "/appointments", body, headers=key)[2] == first
    status, _, _ = world.request("POST", "/appointments", body | {"anyOf": ["dr-b"]}, headers=key)
    assert status == 422
    assert len(world.items("AppointmentsTable")) == 1


def test_a_change_takes_calendars_by_name_only(world: World) -> None:
    world.book("20:00", "21:00", user="dr-b")
    _, booked = world.book("9:00", "10:00", user="anna", anyOf=["dr-a", "dr-b"])
    path = f"/appointments/{booked['appointmentId']}"
    status, _, refusal = world.request("PATCH", path, {"anyOf": ["dr-b"]})
    assert (status, [error["field"] for error in refusal["errors"]]) == (422, ["anyOf"])
    _, _, moved = world.request("PATCH", path, {"startTime": "2030-01-15T10:00:00Z"})
    assert moved["assignedCalendarId"] == "dr-a"
    _, _, given = world.request("PATCH", path, {"resourceIds": ["dr-b"]})
    assert "assignedCalendarId" not in given
    assert world.request("GET", path)[2] == given
    assert world.book("10:00", "11:00", user="dr-a")[0] == 201


def test_any_of_passes_over_those_that_are_closed(world: World) -> None:
    configure(world, "dr-a", **NINE_TO_FIVE)
    assert world.book("8:00", "9:00", anyOf=["dr-a", "dr-b"])[1]["resourceIds"] == ["dr-b"]
    assert world.book("8:00", "9:00", user="D", anyOf=["dr-a"])[0] == 422


def test_any_of_tries_the_next_when_it_loses_a_race(world: World) -> None:
    world.book("20:00", "21:00", user="dr-b")  # so that the other one is tried first
    original = world.storage.database.client.transact_write_items

    def slip_in(**kwargs: Any) -> Any:
        world.storage.database.client.transact_write_items = original  # type: ignore[method-assign]
        assert world.book("9:00", "10:00", user="dr-a")[0] == 201
        return original(**kwargs)

    world.storage.database.client.transact_write_items = slip_in  # type: ignore[method-assign]
    status, booked = world.book("9:00", "10:00", user="anna", anyOf=["dr-a", "dr-b"])
    assert (status, booked["resourceIds"]) == (201, ["dr-b"])


@pytest.mark.parametrize("any_of", [[], ["C"], ["room"], "dr-a", ["a b"]])
def test_any_of_names_other_calendars(world: World, any_of: object) -> None:
    status, refusal = world.book("9:00", "10:00", resourceIds=["room"], anyOf=any_of)
    assert status == 422
    assert refusal["errors"][0]["field"].startswith("anyOf")
