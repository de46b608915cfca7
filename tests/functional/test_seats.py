"""Several places of capacity for one appointment, on moto."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from calendars import asked, available, clocks, configure

if TYPE_CHECKING:
    from world import World

SPAN = {"from": "2030-01-15T08:00:00Z", "to": "2030-01-15T11:00:00Z", "durationMinutes": "60"}


def take(world: World, start: str, end: str, seats: int, user: str, **more: Any) -> tuple[int, dict[str, Any]]:
    return world.book(start, end, user, resourceIds=["class"], seats=seats, **more)


def change(world: World, appointment: dict[str, Any], **body: Any) -> tuple[int, dict[str, Any]]:
    status, _, answer = world.request("PATCH", f"/appointments/{appointment['appointmentId']}", body)
    return status, answer


def test_an_appointment_takes_so_many_places_and_the_persons_calendar_once(world: World) -> None:
    configure(world, "class", capacity=5)
    status, body = take(world, "9:00", "10:00", 3, "anna")
    assert (status, body["seats"]) == (201, 3)
    assert take(world, "9:30", "10:30", 3, "ben")[0] == 409
    assert take(world, "9:30", "10:30", 2, "ben")[0] == 201
    assert take(world, "9:45", "10:00", 1, "cleo")[0] == 409
    # All three again, and a fourth calendar of theirs would not have room for three.
    world.request("DELETE", f"/appointments/{body['appointmentId']}")
    assert take(world, "9:30", "10:00", 3, "cleo")[0] == 201


def test_more_than_there_are_is_a_conflict_without_alternatives(world: World) -> None:
    configure(world, "class", capacity=2)
    status, body = take(world, "9:00", "10:00", 3, "anna")
    assert (status, body["alternatives"]) == (409, [])
    assert body["conflicts"] == [
        {"calendarId": "class", "startTime": "2030-01-15T09:00:00Z", "endTime": "2030-01-15T10:00:00Z"}
    ]


def test_alternatives_have_room_for_all_of_them(world: World) -> None:
    configure(world, "class", capacity=4)
    take(world, "9:00", "10:00", 2, "anna")
    take(world, "10:00", "11:00", 1, "ben")
    status, body = take(world, "9:00", "10:00", 3, "cleo")
    assert status == 409
    assert clocks([free["startTime"] for free in body["alternatives"]]) == ["08:00", "10:00", "07:00"]
    for free in body["alternatives"]:
        assert take(world, free["startTime"], free["endTime"], 3, "cleo")[0] == 201


@pytest.mark.parametrize(("seats", "free"), [("1", ["08:00", "09:00", "10:00"]), ("3", ["08:00", "10:00"]), ("5", [])])
def test_what_is_free_for_so_many_is_what_books(world: World, seats: str, free: list[str]) -> None:
    configure(world, "class", capacity=4)
    take(world, "9:00", "10:00", 2, "anna")
    assert clocks(available(world, calendarIds="class", seats=seats, **SPAN)) == free
    _, _, counted = world.request(
        "GET", "/availability/days", queryStringParameters={"calendarIds": "class", "seats": seats, **SPAN}
    )
    assert counted["days"] == [{"date": "2030-01-15", "available": len(free)}]


def test_seats_can_be_changed_while_there_is_room(world: World) -> None:
    configure(world, "class", capacity=4)
    _, mine = take(world, "9:00", "10:00", 2, "anna")
    take(world, "9:00", "10:00", 1, "ben")
    assert change(world, mine, seats=4)[0] == 409
    status, body = change(world, mine, seats=3)
    assert (status, body["seats"], body["version"]) == (200, 3, 2)
    assert take(world, "9:00", "10:00", 1, "cleo")[0] == 409
    assert "seats" not in change(world, mine, seats=1)[1]
    assert take(world, "9:00", "10:00", 2, "cleo")[0] == 201


@pytest.mark.parametrize(
    ("seats", "message"),
    [
        (0, "must be a whole number from 1 to 1000"),
        (1001, "must be a whole number from 1 to 1000"),
        ("2", "must be a whole number from 1 to 1000"),
        (2, "are places of the calendars in resourceIds or anyOf, and there are none"),
    ],
)
def test_seats_that_make_no_sense_are_refused(world: World, seats: Any, message: str) -> None:
    status, body = world.book("9:00", "10:00", "anna", resourceIds=["anna"], seats=seats)
    assert (status, body["errors"]) == (422, [{"field": "seats", "message": message}])


def test_free_for_no_seats_is_refused(world: World) -> None:
    status, body = asked(world, calendarIds="class", seats="0", **SPAN)
    assert (status, [fault["field"] for fault in body["errors"]]) == (422, ["seats"])


def test_any_of_several_takes_the_one_with_enough_places(world: World) -> None:
    configure(world, "small", capacity=2)
    configure(world, "large", capacity=8)
    for user in ("anna", "ben"):
        status, body = world.book("9:00", "10:00", user, anyOf=["small", "large"], seats=3)
        assert (status, body["assignedCalendarId"]) == (201, "large")
