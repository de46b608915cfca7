"""Sessions and those who join them, on moto."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from calendars import configure
from world import KilledError

if TYPE_CHECKING:
    from collections.abc import Callable

    from world import World

    LogLines = Callable[[], list[dict[str, Any]]]


def session(world: World, seats: int = 2, start: str = "9:00", end: str = "10:00", **more: Any) -> dict[str, Any]:
    status, body = world.book(start, end, "dr-lee", resourceIds=["room"], session={"seats": seats}, **more)
    assert status == 201, body
    return body


def join(world: World, to: dict[str, Any], user: str, key: str = "", **more: Any) -> tuple[int, dict[str, Any]]:
    headers = {"Idempotency-Key": key} if key else {}
    body = {"userId": user, "sessionId": to["appointmentId"], **more}
    status, _, answer = world.request("POST", "/appointments", body, headers=headers)
    return status, answer


def request(world: World, method: str, about: dict[str, Any], body: Any = None) -> tuple[int, dict[str, Any]]:
    status, _, answer = world.request(method, f"/appointments/{about['appointmentId']}", body)
    return status, answer


def left(world: World, of: dict[str, Any]) -> int:
    number: int = request(world, "GET", of)[1]["seatsLeft"]
    return number


def entries(world: World) -> dict[str, int]:
    """How many entries lie on each calendar."""
    found: dict[str, int] = {}
    for item in world.items("CalendarsTable"):
        number = sum(name.startswith("a#") for name in item)
        if number:
            name = item["calendarId"]["S"].partition("#")[0]
            found[name] = found.get(name, 0) + number
    return found


def test_a_session_takes_its_doctor_and_room_once_and_each_who_joins_a_seat(world: World) -> None:
    class_ = session(world)
    assert (class_["session"], class_["seatsLeft"]) == ({"seats": 2}, 2)
    status, anna = join(world, class_, "anna", details={"title": "Yoga"}, reminders=["2h"])
    assert (status, anna["seatsLeft"], anna["seats"]) == (201, 1, 1)
    assert anna["sessionId"] == class_["appointmentId"]
    assert (anna["startTime"], anna["endTime"]) == (class_["startTime"], class_["endTime"])
    assert [reminder["offset"] for reminder in anna["reminders"]] == ["2h"]
    assert left(world, class_) == 1
    assert join(world, class_, "ben")[1]["seatsLeft"] == 0
    status, refusal = join(world, class_, "cleo")
    assert (status, refusal["type"].partition("#")[2], refusal["seatsLeft"]) == (409, "session-full", 0)
    assert "#" not in str(refusal["detail"])
    assert entries(world) == {"dr-lee": 1, "room": 1, "session": 2, "anna": 1, "ben": 1}


def test_a_seat_that_is_given_back_can_be_taken(world: World) -> None:
    class_ = session(world, 3)
    _, anna = join(world, class_, "anna", seats=3)
    assert (anna["seats"], anna["seatsLeft"]) == (3, 0)
    status, body = request(world, "PATCH", anna, {"seats": 1})
    assert (status, body["seats"]) == (200, 1)
    status, refusal = join(world, class_, "ben", seats=3)
    assert (status, refusal["seatsLeft"], refusal["detail"]) == (409, 2, "Only 2 seats are left.")
    assert request(world, "DELETE", anna)[1]["status"] == "cancelled"
    assert join(world, class_, "ben", seats=3)[0] == 201
    assert request(world, "PATCH", class_, {"session": {"seats": 4}})[1]["seatsLeft"] == 1
    assert join(world, class_, "cleo")[0] == 201


def test_more_seats_than_are_left_are_refused_where_somebody_wants_more(world: World) -> None:
    class_ = session(world, 3)
    _, anna = join(world, class_, "anna")
    join(world, class_, "ben")
    assert request(world, "PATCH", anna, {"seats": 2})[0] == 200
    status, refusal = request(world, "PATCH", anna, {"seats": 3})
    assert (status, refusal["seatsLeft"]) == (409, 2)  # beside what ben has


def test_who_is_busy_cannot_join_and_hears_of_their_own_time_alone(world: World) -> None:
    class_ = session(world, 1)
    world.book("9:30", "9:45", "anna")
    join(world, class_, "ben")
    status, refusal = join(world, class_, "anna")
    assert (status, refusal["alternatives"]) == (409, [])
    assert [conflict["calendarId"] for conflict in refusal["conflicts"]] == ["anna"]


def test_the_persons_own_calendar_says_how_they_are_reminded_and_whether_to_ask(world: World) -> None:
    configure(world, "anna", approval=True, reminders=["3h"])
    class_ = session(world, 1)
    _, anna = join(world, class_, "anna")
    assert (anna["status"], anna["reminders"]) == ("requested", [])
    assert join(world, class_, "ben")[0] == 409
    status, body = request(world, "PATCH", anna, {"status": "scheduled"})
    assert (status, [one["offset"] for one in body["reminders"]]) == (200, ["3h"])


def test_cancelling_a_session_cancels_who_joined_and_their_reminders(world: World, events_of: LogLines) -> None:
    class_ = session(world)
    _, anna = join(world, class_, "anna")
    _, ben = join(world, class_, "ben", seats=1)
    assert world.rules()
    events_of()
    status, body = request(world, "DELETE", class_)
    assert (status, body["status"], "seatsLeft" in body) == (200, "cancelled", False)
    for joiner in (anna, ben):
        _, body = request(world, "GET", joiner)
        assert body["status"] == "cancelled"
        assert {reminder["state"] for reminder in body["reminders"]} == {"skipped"}
    assert entries(world) == {}
    assert world.rules() == {}
    told = [line for line in events_of() if line.get("event_type") == "APPOINTMENT_CANCELLED"]
    assert len({line["appointment_id"] for line in told}) == len(told) == 3
    status, refusal = join(world, class_, "cleo")
    assert (status, refusal["type"].partition("#")[2]) == (409, "session-closed")
    assert all("nextReminderAt" not in item for item in world.items("AppointmentsTable"))


def test_a_status_that_cancels_does_as_well(world: World) -> None:
    class_ = session(world)
    _, anna = join(world, class_, "anna")
    assert request(world, "PATCH", class_, {"status": "cancelled"})[0] == 200
    assert request(world, "GET", anna)[1]["status"] == "cancelled"


@pytest.mark.parametrize("call", range(1, 5))
def test_what_a_crash_leaves_the_sweep_cancels(world: World, call: int) -> None:
    """The first transaction cancels the session; each of the next three one of those who joined."""
    class_ = session(world, 3)
    joiners = [join(world, class_, user)[1] for user in ("anna", "ben", "cleo")]
    world.dying("TransactWriteItems", after=True, nth=call)
    with pytest.raises(KilledError):
        request(world, "DELETE", class_)
    world.sweep()
    assert {request(world, "GET", joiner)[1]["status"] for joiner in joiners} == {"cancelled"}
    assert entries(world) == {}
    assert all("nextReminderAt" not in item for item in world.items("AppointmentsTable"))


def test_a_session_of_many_is_cancelled_by_the_sweep_to_the_last(world: World) -> None:
    class_ = session(world, 30)
    for number in range(27):
        assert join(world, class_, f"u{number}")[0] == 201
    request(world, "DELETE", class_)
    assert entries(world) == {"session": 2, **{name: 1 for name in entries(world) if name != "session"}}
    world.now += timedelta(minutes=5)
    world.sweep()
    assert entries(world) == {}


def test_an_answer_does_not_fail_where_who_joined_cannot_be_cancelled_yet(world: World) -> None:
    class_ = session(world)
    _, anna = join(world, class_, "anna")
    with world.failing("Query", code="InternalServerError"):
        assert request(world, "DELETE", class_)[0] == 200
    assert request(world, "GET", anna)[1]["status"] == "scheduled"
    assert request(world, "DELETE", class_)[0] == 200  # whoever repeats it goes on
    assert request(world, "GET", anna)[1]["status"] == "cancelled"


@pytest.mark.parametrize(
    "change", [{"startTime": "2030-01-15T11:00:00Z"}, {"endTime": "2030-01-15T10:30:00Z"}, {"session": {"seats": 1}}]
)
def test_a_session_is_not_moved_nor_made_smaller_while_others_are_in_it(world: World, change: Any) -> None:
    class_ = session(world, 4)
    _, anna = join(world, class_, "anna", seats=2)
    status, refusal = request(world, "PATCH", class_, change)
    assert (status, refusal["type"].partition("#")[2]) == (409, "session-joined")
    assert refusal["detail"].startswith("2 seats are taken, so the session cannot be ")
    assert request(world, "PATCH", class_, {"details": {"title": "Yoga"}, "resourceIds": ["room-2"]})[0] == 200
    assert request(world, "PATCH", class_, {"session": {"seats": 2}})[1]["seatsLeft"] == 0
    request(world, "DELETE", anna)
    assert request(world, "PATCH", class_, change)[0] == 200
    assert join(world, class_, "ben")[0] == 201


@pytest.mark.parametrize("field", ["startTime", "endTime", "timeZone", "resourceIds", "session"])
def test_who_joined_keeps_the_times_of_the_session(world: World, field: str) -> None:
    values = {"timeZone": "Europe/Berlin", "resourceIds": ["room"], "session": {"seats": 2}}
    _, anna = join(world, session(world), "anna")
    status, refusal = request(world, "PATCH", anna, {field: values.get(field, "2030-01-15T11:00:00Z")})
    assert (status, [fault["field"] for fault in refusal["errors"]]) == (422, [field])
    status, body = request(world, "PATCH", anna, {"status": "arrived", "details": {"note": "n"}})
    assert (status, body["status"], body["details"]) == (200, "arrived", {"note": "n"})


def test_a_session_that_cannot_be_joined_says_why(world: World) -> None:
    plain = world.book("9:00", "10:00", "dr-kim")[1]
    for to in (plain, {"appointmentId": "0b9a6c1e-7f0d-5c2a-9b55-2f6d1f0a7c3e"}, {"appointmentId": "class"}):
        status, refusal = join(world, to, "anna")
        assert (status, refusal["errors"]) == (422, [{"field": "sessionId", "message": "is not the id of a session"}])
    configure(world, "room", approval=True)
    asked = session(world)
    assert (asked["status"], join(world, asked, "anna")[1]["detail"]) == (
        "requested",
        "The session is requested. Only a scheduled session can be joined.",
    )
    request(world, "PATCH", asked, {"status": "scheduled"})
    assert join(world, asked, "anna")[0] == 201
    world.now += timedelta(days=60)
    status, refusal = join(world, asked, "ben")
    assert (status, refusal["errors"][0]["message"]) == (422, "is a session that has begun")


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        ({"startTime": "2030-01-15T09:00:00Z", "anyOf": ["a"], "hold": {"minutes": 1}}, {"startTime", "anyOf", "hold"}),
        ({"session": {"seats": 2}}, {"session"}),
        ({"seats": 0}, {"seats"}),
        ({"colour": "red"}, {"colour"}),
    ],
)
def test_joining_takes_no_times_of_its_own(world: World, more: Any, fields: set[str]) -> None:
    status, refusal = join(world, session(world), "anna", **more)
    assert (status, {fault["field"] for fault in refusal["errors"]}) == (422, fields)


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        ({"session": {}}, {"session"}),
        ({"session": {"seats": 0}}, {"session.seats"}),
        ({"session": {"seats": 1001}}, {"session.seats"}),
        ({"session": {"seats": 2}, "seats": 2, "hold": {"minutes": 5}}, {"seats", "hold"}),
    ],
)
def test_a_session_that_makes_no_sense_is_refused(world: World, more: Any, fields: set[str]) -> None:
    status, refusal = world.book("9:00", "10:00", "dr-lee", resourceIds=["room"], **more)
    assert (status, {fault["field"] for fault in refusal["errors"]}) == (422, fields)


def test_no_appointment_turns_into_a_session_nor_takes_seats_for_itself(world: World) -> None:
    plain = world.book("7:00", "8:00", "dr-lee")[1]
    status, refusal = request(world, "PATCH", plain, {"session": {"seats": 2}})
    assert (status, [fault["field"] for fault in refusal["errors"]]) == (422, ["session"])
    status, refusal = request(world, "PATCH", session(world), {"seats": 2})
    assert (status, [fault["field"] for fault in refusal["errors"]]) == (422, ["seats"])


def test_the_same_key_joins_once_also_after_the_session_was_cancelled(world: World) -> None:
    class_ = session(world)
    status, anna = join(world, class_, "anna", key="k")
    assert join(world, class_, "anna", key="k") == (status, anna)
    assert left(world, class_) == 1
    assert join(world, class_, "anna", key="k", details={"a": 1})[0] == 422
    request(world, "DELETE", class_)
    status, again = join(world, class_, "anna", key="k")
    assert (status, again["appointmentId"], again["status"]) == (201, anna["appointmentId"], "cancelled")


def test_a_dry_run_takes_no_seat(world: World) -> None:
    class_ = session(world, 1)
    body = {"userId": "anna", "sessionId": class_["appointmentId"].upper()}
    for _ in range(2):
        status, _, answer = world.request("POST", "/appointments", body, queryStringParameters={"dryRun": "true"})
        assert (status, answer["seatsLeft"]) == (200, 0)
    assert left(world, class_) == 1


def test_over_midnight_and_in_the_zone_of_the_session(world: World) -> None:
    class_ = session(
        world, 2, "2030-01-15T20:00:00", "2030-01-15T22:30:00", timeZone="America/New_York", reminders=["1d"]
    )
    _, anna = join(world, class_, "anna", reminders=["1d"])
    assert anna["timeZone"] == "America/New_York"
    assert [one["dueAt"] for one in anna["reminders"]] == [one["dueAt"] for one in class_["reminders"]]
    assert left(world, class_) == 1
    request(world, "DELETE", class_)
    assert entries(world) == {}


def test_a_session_that_was_joined_stays_where_it_is_when_a_zone_changes(world: World) -> None:
    sessions = [
        session(world, 2, f"2030-01-{day}T09:00:00", f"2030-01-{day}T10:00:00", timeZone="America/New_York")
        for day in (15, 16)
    ]
    join(world, sessions[0], "anna")
    found = world.storage.appointments.given_in_local_time(["America/New_York"], world.now)
    assert [one.appointment_id for one in found] == [sessions[1]["appointmentId"]]


def test_who_joined_is_listed_page_by_page(world: World) -> None:
    class_ = session(world, 5)
    for user in ("anna", "ben", "cleo"):
        join(world, class_, user)
    request(world, "PATCH", join(world, class_, "dora")[1], {"status": "arrived"})

    def listed(**query: str) -> tuple[int, Any]:
        query = {"sessionId": class_["appointmentId"], **query}
        status, _, body = world.request("GET", "/appointments", queryStringParameters=query)
        return status, body

    _, first = listed(limit="3")
    _, second = listed(limit="3", cursor=first["nextCursor"])
    assert "nextCursor" not in second
    found = [one["userId"] for page in (first, second) for one in page["appointments"]]
    assert sorted(found) == ["anna", "ben", "cleo", "dora"]
    assert [one["userId"] for one in listed(status="arrived")[1]["appointments"]] == ["dora"]
    for bad in ({"sessionId": "x"}, {"userId": "anna"}, {"from": "2030-01-15T00:00:00Z"}, {"limit": "0"}):
        assert listed(**bad)[0] == 422
    plain = world.book("7:00", "8:00", "dr-kim")[1]
    assert listed(sessionId=plain["appointmentId"])[0] == 422


def test_nobody_names_the_calendar_of_a_session(world: World) -> None:
    name = f"session#{session(world)['appointmentId']}"
    assert world.book("9:00", "10:00", name)[0] == 422
    assert world.book("9:00", "10:00", "anna", resourceIds=[name])[0] == 422
    status, _, _ = world.request("PUT", f"/calendars/{name.replace('#', '%23')}", {"capacity": 1000})
    assert status == 422
