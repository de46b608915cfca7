"""Bookings by service on moto: what is assigned, what is refused, and what a move and a cancellation do."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from calendars import configure
from services import put_service, step

if TYPE_CHECKING:
    from world import World

DAY = "2030-01-15"


def at(clock: str) -> str:
    return f"{DAY}T{clock}:00Z"


def serve(world: World, clock: str, service: str = "visit", user: str = "anna", **more: Any) -> tuple[int, Any]:
    sent = {"userId": user, "serviceId": service, "startTime": at(clock), "reminders": [], **more}
    status, _, body = world.request("POST", "/appointments", sent)
    return status, body


def patch(world: World, appointment: dict[str, Any], **body: Any) -> tuple[int, Any]:
    status, _, answer = world.request("PATCH", f"/appointments/{appointment['appointmentId']}", body)
    return status, answer


def steps_of(appointment: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(s["startTime"][11:16], s["endTime"][11:16], " ".join(s["resourceIds"])) for s in appointment["steps"]]


def named(problem: dict[str, Any]) -> set[str]:
    return {fault["field"] for fault in problem["errors"]}


# --- what is booked ----------------------------------------------------------------------------------


def test_a_service_books_one_of_these_doctors_and_one_of_those_rooms(world: World) -> None:
    put_service(world, "visit", step(30, "desk", pools=[["dr-a", "dr-b"], ["room-1", "room-2"]]))
    world.book("9:00", "9:10", user="dr-a")
    world.book("9:20", "9:40", user="room-1")
    status, body = serve(world, "09:00")
    assert status == 201, body
    assert body["serviceId"] == "visit"
    assert (body["startTime"], body["endTime"]) == (at("09:00"), at("09:30"))
    assert steps_of(body) == [("09:00", "09:30", "desk dr-b room-2")]
    assert body["resourceIds"] == ["desk", "dr-b", "room-2"]
    assert world.request("GET", f"/appointments/{body['appointmentId']}")[2] == body
    assert world.book("9:15", "9:20", user="dr-b")[0] == 409
    assert world.book("9:15", "9:20", user="anna")[0] == 409
    assert world.book("9:15", "9:20", user="dr-a")[0] == 201


def test_steps_leave_their_calendars_to_others_in_between(world: World) -> None:
    put_service(world, "visit", step(10, "lab", gap={"min": 10, "max": 60}), step(20, "doctor"))
    world.book("9:00", "9:40", user="doctor")
    _, body = serve(world, "09:00")
    assert steps_of(body) == [("09:00", "09:10", "lab"), ("09:40", "10:00", "doctor")]
    assert body["endTime"] == at("10:00")
    assert world.book("9:10", "9:40", user="lab")[0] == 201
    assert world.book("9:20", "9:30", user="anna")[0] == 409  # the person's own time is one
    assert world.book("9:40", "9:50", user="doctor")[0] == 409


def test_pools_that_share_calendars_get_different_ones(world: World) -> None:
    put_service(world, "visit", step(30, pools=[["a", "b"], ["a"]]))
    assert steps_of(serve(world, "09:00")[1]) == [("09:00", "09:30", "b a")]
    status, refusal = serve(world, "09:10", user="ben")
    assert (status, {conflict["calendarId"] for conflict in refusal["conflicts"]}) == (409, {"a", "b"})


def test_buffers_are_kept_free_around_each_step_and_not_on_the_person(world: World) -> None:
    put_service(world, "visit", step(30, "room"), bufferMinutes={"before": 5, "after": 10})
    configure(world, "room", overrides={DAY: [{"start": "09:00", "end": "09:30"}, {"start": "10:00", "end": "11:00"}]})
    status, body = serve(world, "09:00")  # what is kept free may lie where the room is closed
    assert (status, body["endTime"]) == (201, at("09:30"))
    assert world.book("9:30", "10:00", user="anna")[0] == 201
    configure(world, "room")
    assert world.book("9:30", "9:40", user="room")[0] == 409
    assert world.book("8:55", "9:00", user="room")[0] == 409
    assert world.book("9:40", "9:50", user="room")[0] == 201
    assert world.request("DELETE", f"/appointments/{body['appointmentId']}")[0] == 200
    assert world.book("8:30", "9:40", user="room")[0] == 201


def test_fair_takes_the_least_booked_of_the_local_day(world: World) -> None:
    put_service(world, "visit", step(30, pools=[{"anyOf": ["dr-a", "dr-b"]}]))
    for doctor in ("dr-a", "dr-b"):
        configure(world, doctor, timeZone="Asia/Tokyo")
    world.book("10:00", "11:00", user="dr-a")
    world.book("16:00", "17:00", user="dr-b")  # the next day in Tokyo
    world.book("18:00", "19:00", user="dr-b")
    assert steps_of(serve(world, "09:00")[1])[0][2] == "dr-b"


def test_a_process_that_remembers_the_service_books_in_one_call(world: World) -> None:
    """Where there is nothing to choose and nobody is met. With a choice, a read comes first."""
    put_service(world, "visit", step(30, "desk"), step(10, "till"))
    put_service(world, "choice", step(30, pools=[["dr-a", "dr-b"]]))
    serve(world, "09:00")
    world.calls.clear()
    assert serve(world, "11:00")[0] == 201
    assert world.calls == ["TransactWriteItems"]
    serve(world, "13:00", "choice")
    world.calls.clear()
    assert serve(world, "15:00", "choice")[0] == 201
    assert world.calls == ["BatchGetItem", "TransactWriteItems"]


def test_what_is_remembered_of_a_service_is_proved(world: World) -> None:
    put_service(world, "visit", step(30, "desk"))
    serve(world, "09:00")
    put_service(world, "visit", step(20, pools=[["till", "desk"]]), version=2)
    assert steps_of(serve(world, "11:00")[1]) == [("11:00", "11:20", "till")]
    world.dynamodb.delete_item(
        TableName="CalendarsTable", Key={"calendarId": {"S": "services#"}, "day": {"S": "visit"}}
    )
    status, problem = serve(world, "13:00")
    assert (status, named(problem)) == (422, {"serviceId"})


# --- what is refused ---------------------------------------------------------------------------------


def test_every_fault_of_a_request_is_named(world: World) -> None:
    sent = {
        "serviceId": "not good!",
        "startTime": "2030-01-15",
        "endTime": at("10:00"),
        "resourceIds": [],
        "anyOf": ["a"],
        "hold": {"minutes": 0},
        "more": 1,
    }
    status, _, problem = world.request("POST", "/appointments", sent)
    assert status == 422
    assert named(problem) == {*sent, "userId"} - {"hold"} | {"hold.minutes"}
    status, problem = serve(world, "09:00", "unknown")
    assert (status, named(problem)) == (422, {"serviceId"})


@pytest.mark.parametrize("busy", ["dr", "desk"])
def test_a_refusal_names_what_is_in_the_way_and_the_nearest_starts_that_book(world: World, busy: str) -> None:
    put_service(world, "visit", step(30, "desk", pools=[["dr-a", "dr-b"]]), stepMinutes=15)
    if busy == "dr":
        for doctor in ("dr-a", "dr-b"):
            world.book("9:00", "10:00", user=doctor)
    else:
        world.book("9:00", "10:00", user="desk")
        world.book("9:00", "10:00", user="dr-a")
    status, refusal = serve(world, "09:15")
    assert status == 409
    assert {conflict["calendarId"] for conflict in refusal["conflicts"]} == (
        {"dr-a", "dr-b"} if busy == "dr" else {"desk"}
    )
    starts = [one["startTime"][11:16] for one in refusal["alternatives"]]
    assert starts == ["08:30", "10:00", "08:15"]
    assert [serve(world, start, user=start.replace(":", "."))[0] for start in (*starts[1:], starts[0])] == [
        201,
        201,
        409,
    ]


def test_a_refusal_by_the_persons_own_calendar_names_that_alone(world: World) -> None:
    put_service(world, "visit", step(30, pools=[["dr-a", "dr-b"]]))
    world.book("9:00", "10:00", user="dr-a")
    world.book("9:10", "9:20", user="anna")
    status, refusal = serve(world, "09:00")
    assert (status, {conflict["calendarId"] for conflict in refusal["conflicts"]}) == (409, {"anna"})


def test_rules_of_the_service_and_of_its_calendars(world: World) -> None:
    world.book("9:00", "9:30", user="desk")
    put_service(world, "visit", step(30, "desk"), minNoticeMinutes=60 * 24 * 60, strictSteps=True)
    asked = {"userId": "anna", "serviceId": "visit", "startTime": at("09:10")}
    status, _, problem = world.request("POST", "/appointments", asked, headers={"X-Acting-For": "anna"})
    assert (status, named(problem)) == (422, {"startTime"})
    messages = [fault["message"] for fault in problem["errors"]]
    assert "minNoticeMinutes" in messages[0]
    assert "the nearest are 2030-01-15T09:00:00Z and 2030-01-15T09:30:00Z" in messages[1]
    put_service(world, "visit", step(30, "desk"), horizonDays=30, version=2)
    assert "horizonDays" in serve(world, "09:10")[1]["errors"][0]["message"]
    put_service(world, "visit", step(30, "desk"), version=3)
    configure(world, "desk", overrides={DAY: []})
    status, problem = serve(world, "11:00")
    assert (status, problem["errors"][0]["rule"], problem["errors"][0]["calendarId"]) == (422, "workingHours", "desk")


def test_holds_requests_and_reminders_are_as_the_service_says(world: World) -> None:
    put_service(world, "visit", step(30, "desk"), holdMinutes=5, reminders=["3h"])
    status, held = serve(world, "09:00", hold={})
    assert (status, held["status"], held["expiresAt"]) == (201, "held", "2029-12-01T12:05:00Z")
    assert serve(world, "10:00", hold={"minutes": 7})[1]["expiresAt"] == "2029-12-01T12:07:00Z"
    sent = {"userId": "ben", "serviceId": "visit", "startTime": at("11:00")}
    _, _, booked = world.request("POST", "/appointments", sent)
    assert [reminder["offset"] for reminder in booked["reminders"]] == ["3h"]
    assert patch(world, held, status="scheduled")[1]["status"] == "scheduled"
    put_service(world, "ask", step(30, "till"), approval=True)
    status, problem = serve(world, "09:00", "ask", user="cem", hold={})
    assert (status, named(problem)) == (422, {"hold", "hold.minutes"})
    assert serve(world, "09:00", "ask", user="cem")[1]["status"] == "requested"


def test_what_has_expired_is_booked_anew_by_its_service(world: World) -> None:
    """Like any other booking of it: another doctor will do, what is refused has alternatives, and notice is kept."""
    service: dict[str, Any] = {"holdMinutes": 5, "stepMinutes": 45, "strictSteps": True}
    put_service(world, "visit", step(30, pools=[["dr-a", "dr-b"]]), **service)
    held = [serve(world, "09:00", user=user, hold={})[1] for user in ("anna", "ben")]
    world.now += timedelta(minutes=6)
    world.book("09:00", "10:00", user="dr-a")
    assert patch(world, held[0], details={"title": "x"})[1]["status"] == "held"
    status, booked = patch(world, held[0], status="scheduled")
    assert (status, steps_of(booked)) == (200, [("09:00", "09:30", "dr-b")])

    status, refusal = patch(world, held[1], status="scheduled")
    assert (status, {conflict["calendarId"] for conflict in refusal["conflicts"]}) == (409, {"dr-a", "dr-b"})
    nearest = [one["startTime"] for one in refusal["alternatives"]]
    assert nearest == [at("08:15"), at("09:45"), at("07:30")]
    put_service(world, "visit", step(30, "dr-c"), **service, minNoticeMinutes=60, version=2)
    _, late = serve(world, "12:00", user="cem", hold={})
    world.now = datetime.fromisoformat(at("11:30"))
    status, problem = patch(world, late, status="scheduled")
    assert (status, named(problem)) == (422, {"startTime"})


def test_a_dry_run_and_a_key(world: World) -> None:
    put_service(world, "visit", step(30, pools=[["dr-a", "dr-b"]]))
    sent = {"userId": "anna", "serviceId": "visit", "startTime": at("09:00"), "reminders": []}
    status, _, tried = world.request(
        "POST", "/appointments", sent, queryStringParameters={"dryRun": "true"}, multiValueQueryStringParameters=None
    )
    assert (status, steps_of(tried)) == (200, [("09:00", "09:30", "dr-a")])
    assert world.items("AppointmentsTable") == []
    key = {"Idempotency-Key": "one"}
    answers = [world.request("POST", "/appointments", sent, headers=key) for _ in range(2)]
    assert [answer[0] for answer in answers] == [201, 201]
    assert answers[0][2] == answers[1][2]
    assert world.request("POST", "/appointments", {**sent, "startTime": at("10:00")}, headers=key)[0] == 422
    assert world.request("DELETE", "/services/visit")[0] == 200
    assert world.request("POST", "/appointments", sent, headers=key)[2] == answers[0][2]
    assert world.request("POST", "/appointments", sent)[0] == 422


# --- moves and cancellations -------------------------------------------------------------------------


def test_a_move_takes_no_calendar_of_a_pool_that_nobody_approved(world: World) -> None:
    configure(world, "dr-b", approval=True)
    put_service(world, "visit", step(30, pools=[["dr-a", "dr-b"]]))
    booked = serve(world, "09:00")[1]
    world.book("11:00", "11:30", user="dr-a")
    status, problem = patch(world, booked, startTime=at("11:00"))
    (fault,) = problem["errors"]
    assert (status, fault["field"], fault["rule"], fault["calendarId"]) == (422, "startTime", "approval", "dr-b")
    configure(world, "dr-a", approval=True)  # one approval is for the whole pool
    status, moved = patch(world, booked, startTime=at("11:00"))
    assert (status, moved["status"], steps_of(moved)) == (200, "scheduled", [("11:00", "11:30", "dr-b")])


def test_a_move_is_bound_by_the_horizon_in_the_zone_of_the_service_whichever_calendar_it_has(world: World) -> None:
    world.now = datetime.fromisoformat("2030-01-14T12:00:00Z")
    configure(world, "dr-a", timeZone="Asia/Kolkata")
    put_service(world, "visit", step(30, pools=[["dr-a", "dr-b"]]), horizonDays=1)
    assert world.book("13:00", "13:30", user="dr-a")[0] == 201
    status, booked = serve(world, "13:00")
    assert (status, booked["resourceIds"]) == (201, ["dr-b"])
    # In Kolkata, the next day has begun by then.
    assert serve(world, "20:00", user="bob")[0] == 422
    assert patch(world, booked, startTime=at("20:00"))[0] == 422


def test_a_move_keeps_what_was_assigned_where_it_fits(world: World) -> None:
    put_service(world, "visit", step(30, pools=[["dr-a", "dr-b"], ["room-1", "room-2"]]))
    world.book("9:00", "9:30", user="dr-a")
    _, body = serve(world, "09:00")
    assert steps_of(body)[0][2] == "dr-b room-1"
    _, moved = patch(world, body, startTime=at("11:00"))
    assert steps_of(moved) == [("11:00", "11:30", "dr-b room-1")]
    world.book("13:00", "14:00", user="dr-b")
    status, moved = patch(world, moved, startTime=at("13:00"))
    assert (status, steps_of(moved)) == (200, [("13:00", "13:30", "dr-a room-1")])
    assert (moved["resourceIds"], moved["endTime"]) == (["dr-a", "room-1"], at("13:30"))
    assert world.book("11:00", "11:30", user="dr-b")[0] == 201
    world.book("15:00", "16:00", user="room-1")
    world.book("15:00", "16:00", user="room-2")
    status, refusal = patch(world, moved, startTime=at("15:00"))
    assert (status, {conflict["calendarId"] for conflict in refusal["conflicts"]}) == (409, {"room-1", "room-2"})
    assert refusal["alternatives"]


def test_an_appointment_keeps_what_it_was_booked_with(world: World) -> None:
    put_service(world, "visit", step(30, pools=[["dr-a", "dr-b"]]), bufferMinutes=10)
    _, body = serve(world, "09:00")
    put_service(world, "visit", step(60, "desk"), version=2)
    world.book("11:00", "12:00", user="dr-a")
    _, moved = patch(world, body, startTime=at("11:00"))
    assert steps_of(moved) == [("11:00", "11:30", "dr-b")]
    assert world.book("11:35", "11:50", user="dr-b")[0] == 409  # its buffer
    for field, value in (("endTime", at("13:00")), ("resourceIds", ["desk"])):
        status, problem = patch(world, body, **{field: value})
        assert (status, named(problem)) == (422, {field})
    assert patch(world, body, details={"title": "x"})[0] == 200


def test_what_is_moved_and_cancelled_at_once_takes_nothing(world: World) -> None:
    put_service(world, "visit", step(10, "lab", gap={"min": 30}), step(20, "doctor"))
    _, body = serve(world, "09:00")
    world.book("13:00", "14:00", user="doctor")
    status, cancelled = patch(world, body, startTime=at("13:00"), status="cancelled")
    assert (status, cancelled["endTime"]) == (200, at("14:00"))
    assert steps_of(cancelled) == [("13:00", "13:10", "lab"), ("13:40", "14:00", "doctor")]
    assert world.book("13:00", "13:10", user="lab")[0] == 201


def test_cancelling_frees_every_step(world: World) -> None:
    put_service(world, "visit", step(10, "lab", gap={"min": 30}), step(20, "doctor"))
    _, body = serve(world, "23:30")
    assert steps_of(body)[1][:2] == ("00:10", "00:30")
    assert world.request("DELETE", f"/appointments/{body['appointmentId']}")[0] == 200
    entries = [name for item in world.items("CalendarsTable") for name in item if name.startswith("a#")]
    assert entries == []
    assert serve(world, "23:30", user="ben")[0] == 201
