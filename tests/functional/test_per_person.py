"""At most so many appointments of a service per person and local day, on moto."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from calendars import configure
from services import put_service, step

if TYPE_CHECKING:
    from world import World

# In Kolkata the 15th lasts from 18:30 UTC on the 14th until 18:30 UTC on the 15th.
KOLKATA = {"timeZone": "Asia/Kolkata", "capacity": 20}


def offer(world: World, most: int | None = 1, service: str = "visit", **more: Any) -> None:
    limit = {"maxPerPersonPerDay": most} if most else {}
    configure(world, "room", **KOLKATA)
    put_service(world, service, step(30, pools=[["hall", "room"]]), stepMinutes=30, **limit, **more)


def serve(world: World, start: str, user: str = "anna", service: str = "visit", **more: Any) -> tuple[int, Any]:
    """`15T09:00` is UTC in January 2030."""
    sent = {"userId": user, "serviceId": service, "startTime": f"2030-01-{start}:00Z", "reminders": [], **more}
    status, _, body = world.request("POST", "/appointments", sent)
    return status, body


def patch(world: World, appointment: dict[str, Any], **body: Any) -> tuple[int, Any]:
    status, _, answer = world.request("PATCH", f"/appointments/{appointment['appointmentId']}", body)
    return status, answer


def move(world: World, appointment: dict[str, Any], start: str) -> int:
    return patch(world, appointment, startTime=f"2030-01-{start}:00Z")[0]


def cancel(world: World, appointment: dict[str, Any]) -> None:
    assert world.request("DELETE", f"/appointments/{appointment['appointmentId']}")[0] == 200


def entries(world: World, person: str = "anna") -> set[str]:
    """What stands in the days of a person's calendar."""
    items = [item for item in world.items("CalendarsTable") if item["calendarId"]["S"] == person]
    return {value["S"] for item in items for name, value in item.items() if name.startswith("a#")}


@pytest.mark.parametrize("first", ["14T18:30", "14T22:00", "15T18:00"])
@pytest.mark.parametrize(
    ("second", "status"),
    [("14T18:00", 201), ("14T19:00", 422), ("15T06:00", 422), ("15T17:30", 422), ("15T18:30", 201)],
)
def test_a_local_day_of_a_person_takes_so_many_and_no_more(world: World, first: str, second: str, status: int) -> None:
    offer(world)
    assert serve(world, first)[0] == 201
    booked, body = serve(world, second)
    assert booked == status
    if status == 422:
        (fault,) = body["errors"]
        assert (fault["field"], fault["rule"], fault["calendarId"]) == ("startTime", "maxPerPersonPerDay", "anna")
        assert "anna has 1 on 2030-01-15 already" in fault["message"]
    assert serve(world, second, "ben")[0] == 201


def test_only_appointments_of_that_service_count(world: World) -> None:
    offer(world, 2)
    offer(world, 1, "other")
    offer(world, None, "free")
    assert serve(world, "15T06:00", service="other")[0] == 201
    assert serve(world, "15T07:00", service="free")[0] == 201
    assert world.book("08:00", "08:30", user="anna")[0] == 201
    assert [serve(world, f"15T{hour}:00")[0] for hour in ("09", "10", "11")] == [201, 201, 422]
    assert serve(world, "15T12:00", service="other")[0] == 422
    assert [serve(world, f"15T{hour}:00", service="free")[0] for hour in ("13", "14")] == [201, 201]


def test_what_is_cancelled_or_ran_out_makes_room_and_a_hold_does_not(world: World) -> None:
    offer(world)
    _, booked = serve(world, "15T06:00")
    cancel(world, booked)
    assert serve(world, "15T08:00", hold={"minutes": 1})[0] == 201
    assert serve(world, "15T10:00")[0] == 422
    world.now += timedelta(minutes=2)
    assert serve(world, "15T10:00")[0] == 201


def test_a_request_counts_until_it_is_declined(world: World) -> None:
    offer(world, approval=True)
    _, asked = serve(world, "15T06:00")
    assert asked["status"] == "requested"
    assert serve(world, "15T08:00")[0] == 422
    assert patch(world, asked, status="declined")[0] == 200
    assert serve(world, "15T08:00")[0] == 201


def test_a_hold_counts_once_when_it_is_confirmed(world: World) -> None:
    offer(world)
    _, held = serve(world, "15T08:00", hold={"minutes": 5})
    assert patch(world, held, status="scheduled")[0] == 200
    assert serve(world, "15T10:00")[0] == 422


def test_an_appointment_does_not_count_against_itself(world: World) -> None:
    offer(world)
    _, first = serve(world, "15T06:00")
    _, other = serve(world, "16T06:00")
    assert move(world, first, "14T19:00") == 200
    assert move(world, first, "15T18:00") == 200
    assert move(world, first, "15T18:30") == 422
    assert move(world, other, "15T18:00") == 422
    assert patch(world, first, details={"note": "x"})[0] == 200
    assert move(world, first, "17T06:00") == 200
    assert move(world, other, "15T18:00") == 200


def test_a_move_within_the_day_is_free_although_the_service_allows_more_by_now(world: World) -> None:
    offer(world)
    _, first = serve(world, "15T06:00")
    offer(world, 2, version=2)
    assert serve(world, "15T08:00")[0] == 201
    assert move(world, first, "15T10:00") == 200
    assert move(world, first, "16T10:00") == 200
    assert move(world, first, "15T10:00") == 422  # by the terms that it was booked with


def test_what_is_offered_to_a_person_is_what_that_person_can_book(world: World) -> None:
    offer(world)
    query = {"serviceId": "visit", "from": "2030-01-15T17:00:00Z", "to": "2030-01-15T20:00:00Z"}

    def offered(**more: str) -> list[str]:
        status, _, body = world.request("GET", "/availability", queryStringParameters={**query, **more})
        assert status == 200
        return [one["startTime"][11:16] for one in body["available"]]

    _, booked = serve(world, "14T19:00")  # far from what is asked for, and on the same local day
    assert offered(userId="anna") == ["18:30", "19:00", "19:30"]
    everything = ["17:00", "17:30", "18:00", "18:30", "19:00", "19:30"]
    assert offered() == offered(userId="ben") == everything
    for start in everything:
        status, _, _ = world.request(
            "POST",
            "/appointments",
            {"userId": "anna", "serviceId": "visit", "startTime": f"2030-01-15T{start}:00Z"},
            queryStringParameters={"dryRun": "true"},
        )
        assert (status == 200) == (start in offered(userId="anna"))
    cancel(world, booked)
    assert offered(userId="anna") == everything


def test_alternatives_do_not_lie_on_a_full_day(world: World) -> None:
    offer(world)
    serve(world, "15T06:00")
    world.book("21:00", "21:30", user="anna")
    status, body = serve(world, "15T21:00")
    assert (status, [one["startTime"][11:16] for one in body["alternatives"]]) == (409, ["20:30", "21:30", "20:00"])
    world.book("18:30", "19:00", user="anna")
    status, body = serve(world, "15T18:30")
    starts = [one["startTime"][11:16] for one in body["alternatives"]]
    assert (status, starts) == (409, ["19:00", "19:30", "20:00"])


def test_only_a_limit_is_stored_and_asks_for_more_than_the_time_itself(world: World) -> None:
    """A service without one costs what it did: no option in the entry, no further condition."""
    offer(world, None, "free")
    offer(world, 2)
    _, free = serve(world, "15T06:00", service="free")
    assert not any("service" in text for text in entries(world))
    _, counted = serve(world, "15T07:00")
    assert sum(text.endswith(";service=visit") for text in entries(world)) == 1
    stored = {item["appointmentId"]["S"]: item for item in world.items("AppointmentsTable")}
    assert "servicePerDay" not in stored[free["appointmentId"]]
    assert stored[counted["appointmentId"]]["servicePerDay"]["S"] == "2 Asia/Kolkata"


def test_a_first_booking_of_a_day_makes_one_call_where_the_service_leaves_no_choice(world: World) -> None:
    configure(world, "room", **KOLKATA)
    put_service(world, "visit", step(30, "room"), maxPerPersonPerDay=1)
    assert serve(world, "15T06:00")[0] == 201
    world.calls.clear()
    assert serve(world, "15T06:30", "ben")[0] == 201
    assert world.calls == ["TransactWriteItems"]
    assert serve(world, "15T09:00", "ben")[0] == 422


def test_a_crowded_day_of_a_person_is_counted_whole(world: World) -> None:
    offer(world, 70)
    for calendar in ("anna", "room"):
        configure(world, calendar, timeZone="Asia/Kolkata", capacity=100)
    assert {serve(world, f"15T{n // 60:02}:{n % 60:02}")[0] for n in range(70)} == {201}
    assert any(item["day"]["S"].startswith("overflow#") for item in world.items("CalendarsTable"))
    assert serve(world, "15T12:00")[0] == 422
    assert serve(world, "15T18:30")[0] == 201
