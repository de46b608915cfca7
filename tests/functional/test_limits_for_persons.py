"""Until when a person may cancel or move what was booked as a service, and in whose name a service of yours acts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from conflict_detector.access import Access, Auth
from conflict_detector.api import Api

if TYPE_CHECKING:
    from world import World

START = datetime(2030, 1, 15, 9, tzinfo=UTC)
LIMITS = {"cancelUntilMinutes": 1440, "moveUntilMinutes": 120}
ANNA = {"X-Acting-For": "anna"}
CANCEL, MOVE = {"status": "cancelled"}, {"startTime": "2030-01-15T12:00:00Z"}


def book(world: World, limits: dict[str, Any] = LIMITS, **more: Any) -> str:
    service = {"steps": [{"durationMinutes": 30, "resourceIds": ["room-1"]}], **limits}
    assert world.request("PUT", "/services/S", service)[0] == 200
    body = {"userId": "anna", "serviceId": "S", "startTime": "2030-01-15T09:00:00Z"} | more
    status, _, booked = world.request("POST", "/appointments", body, headers=ANNA)
    assert status == 201
    return f"/appointments/{booked['appointmentId']}"


def ask(world: World, method: str, path: str, body: Any = None, headers: Any = ANNA) -> tuple[int, dict[str, Any]]:
    status, _, answer = world.request(method, path, body, headers=headers)
    return status, answer


def test_strict_steps_bind_persons_and_not_a_desk(world: World) -> None:
    path = book(world, {"strictSteps": True})
    between = {"startTime": "2030-01-15T12:10:00Z"}
    for method, to, body in (
        ("PATCH", path, between),
        ("POST", "/appointments", {"userId": "anna", "serviceId": "S", **between}),
    ):
        status, answer = ask(world, method, to, body)
        assert (status, [fault["field"] for fault in answer["errors"]]) == (422, ["startTime"])
        assert "the nearest are 2030-01-15T12:00:00Z and 2030-01-15T12:30:00Z" in answer["errors"][0]["message"]
    status, moved = ask(world, "PATCH", path, between, {})
    assert (status, moved["startTime"]) == (200, "2030-01-15T12:10:00Z")
    assert ask(world, "PATCH", path, {"startTime": "2030-01-15T12:00:00Z"})[0] == 200
    status, booked = ask(
        world, "POST", "/appointments", {"userId": "ben", "serviceId": "S", "startTime": at(13, 5)}, {}
    )
    assert (status, booked["startTime"]) == (201, at(13, 5))


def at(hour: int, minute: int) -> str:
    return f"2030-01-15T{hour}:{minute:02}:00Z"


@pytest.mark.parametrize(("method", "body"), [("DELETE", None), ("PATCH", CANCEL)])
def test_a_person_cancels_up_to_the_limit(world: World, method: str, body: Any) -> None:
    path = book(world)
    world.now = START - timedelta(minutes=1440) + timedelta(seconds=1)
    status, answer = ask(world, method, path, body)
    assert (status, answer["type"], answer["until"]) == (409, "/docs#too-late", "2030-01-14T09:00:00Z")
    assert world.request("GET", path)[2]["status"] == "scheduled"
    world.now -= timedelta(seconds=1)
    assert ask(world, method, path, body)[0] == 200
    world.now = START  # and again when repeated
    assert ask(world, "DELETE", path)[0] == 200


def test_a_person_moves_up_to_the_limit(world: World) -> None:
    path = book(world)
    world.now = START - timedelta(minutes=120) + timedelta(seconds=1)
    status, answer = ask(world, "PATCH", path, MOVE)
    assert (status, answer["type"], answer["until"]) == (409, "/docs#too-late", "2030-01-15T07:00:00Z")
    assert ask(world, "PATCH", path, {"details": {"note": "late"}})[0] == 200  # what does not move it is free
    world.now -= timedelta(seconds=1)
    assert ask(world, "PATCH", path, MOVE)[0] == 200


def test_a_desk_is_not_bound(world: World) -> None:
    path = book(world)
    world.now = START - timedelta(minutes=1)
    assert ask(world, "PATCH", path, MOVE, headers={})[0] == 200
    assert ask(world, "DELETE", path, headers={})[0] == 200


def test_an_appointment_keeps_the_limits_that_it_was_booked_with(world: World) -> None:
    path = book(world)
    book(world, {}, startTime="2030-01-15T15:00:00Z")
    world.now = START - timedelta(minutes=60)
    assert ask(world, "DELETE", path)[0] == 409


def test_a_limit_of_nothing_is_the_start(world: World) -> None:
    path = book(world, {"cancelUntilMinutes": 0})
    world.now = START + timedelta(seconds=1)
    assert ask(world, "DELETE", path)[0] == 409
    world.now = START
    assert ask(world, "DELETE", path)[0] == 200


@pytest.mark.parametrize("more", [{"hold": {"minutes": 10}}, {}])
def test_what_was_never_promised_can_be_given_up(world: World, more: dict[str, Any]) -> None:
    """A hold, and a request."""
    world.now = START - timedelta(minutes=30)
    path = book(world, LIMITS if more else LIMITS | {"approval": True}, **more)
    assert ask(world, "DELETE", path)[0] == 200


def test_who_acts_for_a_person_may_do_what_the_person_may(world: World) -> None:
    path = book(world)
    status, plain = world.book("13:00", "14:00", user="ben")
    assert status == 201
    world.api = Api(world.storage, world.timers, Access(Auth.IAM), clock=lambda: world.now)
    other = f"/appointments/{plain['appointmentId']}"
    assert [ask(world, "GET", one)[0] for one in (path, other)] == [200, 403]
    assert [ask(world, "GET", one, headers={})[0] for one in (path, other)] == [200, 200]
    assert ask(world, "PATCH", path, {"status": "arrived"})[0] == 403
    assert ask(world, "PUT", "/services/S", {"steps": [{"durationMinutes": 5}]})[0] == 403
    assert ask(world, "GET", "/calendars")[0] == 403


def test_the_header_names_one_person(world: World) -> None:
    for headers in ({"X-Acting-For": "a b"}, {"X-Acting-For": ""}):
        status, answer = ask(world, "GET", "/services", headers=headers)
        assert (status, answer["errors"][0]["field"]) == (422, "X-Acting-For")
    many = {"multiValueHeaders": {"X-Acting-For": ["anna", "ben"]}}
    assert world.request("GET", "/services", **many)[0] == 422
