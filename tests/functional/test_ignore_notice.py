"""`ignoreNotice`: who acts for everyone books and moves within a notice period, and nothing else is waived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from calendars import configure
from services import put_service, step

if TYPE_CHECKING:
    from world import World

# It is noon on 1 December 2029, a Saturday, and everything wants a day's notice.
DAY = 24 * 60
OPEN = {
    "workingHours": {"saturday": [{"start": "08:00", "end": "18:00"}], "tuesday": [{"start": "08:00", "end": "18:00"}]}
}
SOON, LATER = "2029-12-01T13:00:00Z", "2029-12-04T13:00:00Z"
VISIT, SERVED = "visit", "served"


def booking(kind: str, start: str, **more: Any) -> dict[str, Any]:
    """A request of one hour: on a calendar, or of a service that takes it."""
    what = (
        {"serviceId": "visit"}
        if kind == SERVED
        else {"endTime": start.replace(":00:00", ":30:00"), "resourceIds": ["room"]}
    )
    return {"userId": "anna", "startTime": start, **what, **more}


@pytest.fixture
def open_world(world: World) -> World:
    configure(world, "room", minNoticeMinutes=DAY, **OPEN)
    put_service(world, "visit", step(30, "room"), minNoticeMinutes=DAY)
    return world


def ask(world: World, body: dict[str, Any], **more: Any) -> tuple[int, Any]:
    status, _, answer = world.request("POST", "/appointments", body, **more)
    return status, answer


def rules(problem: dict[str, Any]) -> list[str]:
    return [
        error.get("rule") or error["message"].split(" of ")[0].removeprefix("breaks ") for error in problem["errors"]
    ]


@pytest.mark.parametrize("kind", [VISIT, SERVED])
def test_a_booking_waives_notice_and_is_like_any_other(open_world: World, kind: str) -> None:
    for refused in ({}, {"ignoreNotice": False}):
        status, problem = ask(open_world, booking(kind, SOON, **refused))
        assert (status, rules(problem)) == (422, ["minNoticeMinutes"])
    dry = {"queryStringParameters": {"dryRun": "true"}}
    assert ask(open_world, booking(kind, SOON, ignoreNotice=True), **dry)[0] == 200
    assert open_world.items("AppointmentsTable") == []
    status, booked = ask(open_world, booking(kind, SOON, ignoreNotice=True))
    assert (status, booked["status"], "ignoreNotice" in booked) == (201, "scheduled", False)
    assert "gnoreNotice" not in repr(open_world.items("AppointmentsTable"))


@pytest.mark.parametrize("kind", [VISIT, SERVED])
def test_neither_the_past_nor_hours_nor_conflicts_are_waived(open_world: World, kind: str) -> None:
    status, problem = ask(open_world, booking(kind, "2029-12-01T11:00:00Z", ignoreNotice=True))
    assert (status, problem["errors"][0]["message"]) == (422, "lies in the past; it is now 2029-12-01T12:00:00Z")
    status, problem = ask(open_world, booking(kind, "2029-12-01T19:00:00Z", ignoreNotice=True))
    assert (status, rules(problem)) == (422, ["workingHours"])
    assert ask(open_world, booking(kind, SOON, ignoreNotice=True))[0] == 201
    status, problem = ask(open_world, booking(kind, SOON, ignoreNotice=True) | {"userId": "ben"})
    # What is offered instead can be had by the same request.
    assert (status, problem["alternatives"][0]["startTime"]) == (409, "2029-12-01T12:30:00Z")
    again = booking(kind, "2029-12-01T12:30:00Z") | {"userId": "ben"}
    if kind == VISIT:
        again["endTime"] = "2029-12-01T13:00:00Z"
    assert ask(open_world, again)[0] == 422
    assert ask(open_world, again | {"ignoreNotice": True})[0] == 201


def test_any_of_several_calendars_is_booked_without_notice(open_world: World) -> None:
    configure(open_world, "other", minNoticeMinutes=DAY)
    body = booking(VISIT, SOON) | {"resourceIds": [], "anyOf": ["room", "other"]}
    assert ask(open_world, body)[0] == 422
    taken = {ask(open_world, body | {"ignoreNotice": True, "userId": who})[1]["assignedCalendarId"] for who in "ab"}
    assert taken == {"room", "other"}


@pytest.mark.parametrize("kind", [VISIT, SERVED])
def test_a_move_waives_notice_too(open_world: World, kind: str) -> None:
    _, booked = ask(open_world, booking(kind, LATER))
    path = f"/appointments/{booked['appointmentId']}"
    status, _, problem = open_world.request("PATCH", path, {"startTime": SOON})
    assert (status, rules(problem)) == (422, ["minNoticeMinutes"])
    early = {"startTime": "2029-12-01T11:00:00Z", "ignoreNotice": True}
    assert open_world.request("PATCH", path, early)[0] == 422
    assert open_world.request("PATCH", path, {"startTime": "2029-12-01T19:00:00Z", "ignoreNotice": True})[0] == 422
    status, _, moved = open_world.request("PATCH", path, {"startTime": SOON, "ignoreNotice": True})
    assert (status, moved["startTime"], moved["endTime"]) == (200, SOON, "2029-12-01T13:30:00Z")
    # What it has by now is not decided again.
    assert open_world.request("PATCH", path, {"details": {"title": "Walk-in"}})[0] == 200


def test_a_move_that_meets_another_offers_what_the_same_request_can_have(open_world: World) -> None:
    assert ask(open_world, booking(VISIT, SOON, ignoreNotice=True))[0] == 201
    _, booked = ask(open_world, booking(VISIT, LATER) | {"userId": "ben"})
    move = {"startTime": SOON, "ignoreNotice": True}
    status, _, problem = open_world.request("PATCH", f"/appointments/{booked['appointmentId']}", move)
    assert (status, problem["alternatives"][0]["startTime"]) == (409, "2029-12-01T12:30:00Z")


def test_a_key_stands_for_one_of_the_two(open_world: World) -> None:
    key = {"headers": {"Idempotency-Key": "walk-in"}}
    status, first = ask(open_world, booking(VISIT, SOON, ignoreNotice=True), **key)
    assert status == 201
    assert ask(open_world, booking(VISIT, SOON, ignoreNotice=True), **key) == (201, first)
    status, problem = ask(open_world, booking(VISIT, SOON), **key)
    assert (status, problem["type"]) == (422, "/docs#idempotency-key-reused")


def test_it_is_true_or_false_and_changes_nothing_by_itself(open_world: World) -> None:
    fault = {"field": "ignoreNotice", "message": "must be true or false"}
    for kind in (VISIT, SERVED):
        status, problem = ask(open_world, booking(kind, SOON, ignoreNotice="yes"))
        assert (status, fault in problem["errors"]) == (422, True)
    _, booked = ask(open_world, booking(VISIT, LATER))
    path = f"/appointments/{booked['appointmentId']}"
    status, _, problem = open_world.request("PATCH", path, {"ignoreNotice": True})
    assert (status, problem["errors"][0]["message"][:21]) == (422, "must change something")
    status, _, problem = open_world.request("PATCH", path, {"startTime": SOON, "ignoreNotice": 1})
    assert (status, fault in problem["errors"]) == (422, True)
    # A status that it has already still changes nothing.
    status, _, same = open_world.request("PATCH", path, {"status": "scheduled", "ignoreNotice": True})
    assert (status, same["version"]) == (200, 1)


def test_who_joins_a_session_sends_it_not(open_world: World) -> None:
    _, session = ask(open_world, booking(VISIT, LATER, session={"seats": 3}))
    body = {"userId": "ben", "sessionId": session["appointmentId"], "ignoreNotice": True}
    status, problem = ask(open_world, body)
    assert (status, [error["field"] for error in problem["errors"]]) == (422, ["ignoreNotice"])


def test_who_acts_in_a_persons_name_cannot_send_it(open_world: World) -> None:
    acting = {"headers": {"X-Acting-For": "anna"}}
    for kind in (VISIT, SERVED):
        for dry in ({}, {"queryStringParameters": {"dryRun": "true"}}):
            status, problem = ask(open_world, booking(kind, SOON, ignoreNotice=True), **acting, **dry)
            assert (status, problem["type"]) == (403, "/docs#forbidden")
    assert open_world.items("AppointmentsTable") == []
