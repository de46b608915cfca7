"""Every version says who made it: the person of a token, the IAM principal, or the system."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from conflict_detector.access import Access, Auth
from conflict_detector.api import Api
from services import step
from support import api_event, encoded

if TYPE_CHECKING:
    from world import World

ANNA = "6f9b1f0e-3c1d-4a55-9f1e-0c2d7f8a9b10"
DESK = "5c5c5c5c-0000-4000-8000-000000000001"
ROLE = "arn:aws:sts::123456789012:assumed-role/desk/session"
CLIENT = "our-client"


def ask(world: World, method: str, path: str, body: object = None, *, by: str = "", **more: Any) -> dict[str, Any]:
    """One request: `by` is a person, who signs in, or an IAM principal, who signs it."""
    context = api_event(method, path)["requestContext"]
    auth = Auth.NONE
    if by.startswith("arn:"):
        auth, context = Auth.IAM, context | {"identity": {"userArn": by}}
    elif by:
        auth = Auth.COGNITO
        claims: dict[str, Any] = {"sub": by, "token_use": "id", "aud": CLIENT, "jti": "a-token"}
        groups = {"cognito:groups": "schedulers"} if by == DESK else {}
        context |= {"authorizer": {"claims": claims | groups}}
        token = encoded(claims | {name: [value] for name, value in groups.items()})
        more["headers"] = {"Authorization": f"Bearer {token}"} | more.get("headers", {})
    world.api = Api(world.storage, world.timers, Access(auth, CLIENT), clock=lambda: world.now)
    status, _, answer = world.request(method, path, body, requestContext=context, **more)
    assert status < 300, answer
    assert isinstance(answer, dict)
    return answer


def booked(world: World, by: str, hour: int = 9, **more: Any) -> dict[str, Any]:
    times = {"startTime": f"2030-01-15T{hour:02}:00:00Z", "endTime": f"2030-01-15T{hour:02}:30:00Z"}
    return ask(world, "POST", "/appointments", {"userId": ANNA} | times | more, by=by)


def maker(world: World, appointment: dict[str, Any]) -> str:
    """Who made the version that is stored."""
    stored = world.storage.appointments.get(appointment["appointmentId"])
    assert stored is not None
    return stored.by


@pytest.mark.parametrize(("by", "expected"), [(ANNA, ANNA), (DESK, DESK), (ROLE, ROLE), ("", "system")])
def test_a_booking_and_each_change_of_it_say_who_made_them(world: World, by: str, expected: str) -> None:
    mine = booked(world, by)
    path = f"/appointments/{mine['appointmentId']}"
    assert maker(world, mine) == expected
    ask(world, "PATCH", path, {"startTime": "2030-01-15T11:00:00Z"}, by=DESK)
    assert maker(world, mine) == DESK
    ask(world, "PATCH", path, {"details": {"title": "x"}}, by=by)  # which touches no calendar
    assert maker(world, mine) == expected
    ask(world, "PATCH", path, {"confirmed": False}, by=DESK)
    assert maker(world, mine) == expected  # nothing was changed
    ask(world, "DELETE", path, by=DESK)
    assert maker(world, mine) == DESK
    ask(world, "DELETE", path, by=by)
    assert maker(world, mine) == DESK


def test_whoever_acts_for_another_is_named(world: World) -> None:
    times = {"startTime": "2030-01-15T09:00:00Z", "endTime": "2030-01-15T09:30:00Z"}
    mine = ask(world, "POST", "/appointments", {"userId": ANNA} | times, by=ROLE, headers={"X-Acting-For": ANNA})
    assert maker(world, mine) == ROLE


def test_what_is_booked_as_a_service_and_who_joins_a_session_say_it(world: World) -> None:
    ask(world, "PUT", "/services/check-up", {"steps": [step(30, "dr-lee")]}, by=DESK)
    served = ask(
        world,
        "POST",
        "/appointments",
        {"userId": ANNA, "serviceId": "check-up", "startTime": "2030-01-15T09:00:00Z"},
        by=ANNA,
    )
    assert maker(world, served) == ANNA
    ask(world, "PATCH", f"/appointments/{served['appointmentId']}", {"startTime": "2030-01-15T10:00:00Z"}, by=DESK)
    assert maker(world, served) == DESK
    times = {"startTime": "2030-01-16T09:00:00Z", "endTime": "2030-01-16T09:30:00Z"}
    session = ask(world, "POST", "/appointments", {"userId": "coach", "session": {"seats": 3}} | times, by=DESK)
    joined = ask(world, "POST", "/appointments", {"userId": ANNA, "sessionId": session["appointmentId"]}, by=ANNA)
    assert (maker(world, session), maker(world, joined)) == (DESK, ANNA)
    ask(world, "DELETE", f"/appointments/{session['appointmentId']}", by=DESK)
    # Whoever does it, and when: it is the session that cancels them.
    assert (maker(world, session), maker(world, joined)) == (DESK, "system")


def test_what_expires_was_ended_by_the_system(world: World) -> None:
    held = booked(world, ANNA, hold={"minutes": 5})
    world.now += timedelta(minutes=6)
    world.sweep()
    assert maker(world, held) == "system"
    stored = world.storage.appointments.get(held["appointmentId"])
    assert stored is not None
    assert stored.status == "expired"


@pytest.mark.parametrize("path", ["/calendars/dr-lee", "/services/check-up"])
def test_what_is_configured_says_who_did(world: World, path: str) -> None:
    body = {"capacity": 2} if "calendars" in path else {"steps": [step(30, "dr-lee")]}
    ask(world, "PUT", path, body, by=DESK)
    assert [item["by"] for item in world.items("CalendarsTable")] == [{"S": DESK}]
    if "services" in path:
        ask(world, "DELETE", path, by=ROLE)
    else:
        ask(world, "PUT", path, body, by=ROLE)
    assert [item["by"] for item in world.items("CalendarsTable")] == [{"S": ROLE}]
    ask(world, "PUT", path, body)
    assert [item["by"] for item in world.items("CalendarsTable")] == [{"S": "system"}]
