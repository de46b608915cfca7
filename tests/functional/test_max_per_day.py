"""At most so many appointments on a local day, on moto."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from calendars import available, configure

if TYPE_CHECKING:
    from world import World

# In Kolkata the 15th lasts from 18:30 UTC on the 14th until 18:30 UTC on the 15th.
KOLKATA = {"timeZone": "Asia/Kolkata"}
THE_15TH = {"calendarId": "C", "startTime": "2030-01-14T18:30:00Z", "endTime": "2030-01-15T18:30:00Z"}


def span(start: str, minutes: int = 30) -> tuple[str, str]:
    """`15T09:00`, UTC in January 2030, and so many minutes later."""
    begin = datetime.fromisoformat(f"2030-01-{start}:00+00:00")
    return begin.isoformat(), (begin + timedelta(minutes=minutes)).isoformat()


def move(world: World, appointment: dict[str, Any], start: str, minutes: int = 30) -> tuple[int, Any]:
    times = dict(zip(("startTime", "endTime"), span(start, minutes), strict=True))
    status, _, body = world.request("PATCH", f"/appointments/{appointment['appointmentId']}", times)
    return status, body


@pytest.mark.parametrize("first", ["14T18:30", "14T22:00", "15T18:15"])
@pytest.mark.parametrize(
    ("second", "status"),
    [("14T18:00", 201), ("14T18:45", 409), ("15T06:00", 409), ("15T17:45", 409), ("15T18:30", 201)],
)
def test_a_local_day_takes_so_many_and_no_more(world: World, first: str, second: str, status: int) -> None:
    configure(world, **KOLKATA, maxPerDay=1, capacity=2)
    assert world.book(*span(first))[0] == 201
    booked, body = world.book(*span(second))
    assert booked == status
    if status == 409:
        assert (body["conflicts"], body["detail"]) == ([THE_15TH], "The time is occupied on C.")
        assert world.request("POST", "/appointments", {"userId": "C", **body["alternatives"][0]})[0] == 201


def test_alternatives_lie_on_other_days_and_can_be_booked(world: World) -> None:
    configure(world, **KOLKATA, maxPerDay=1)
    world.book(*span("15T06:00"))
    _, body = world.book(*span("15T09:00"))
    assert [free["startTime"] for free in body["alternatives"]] == [
        "2030-01-15T18:30:00Z",
        "2030-01-15T19:00:00Z",
        "2030-01-15T19:30:00Z",
    ]
    _, body = world.book(*span("14T19:00"))
    assert [free["startTime"] for free in body["alternatives"]] == [
        "2030-01-14T18:15:00Z",
        "2030-01-14T17:45:00Z",
        "2030-01-14T17:15:00Z",
    ]
    for alternative in body["alternatives"]:
        answer = world.request(
            "POST", "/appointments", {"userId": "C", **alternative}, queryStringParameters={"dryRun": "true"}
        )
        assert answer[0] == 200


def test_nothing_is_offered_on_a_full_day(world: World) -> None:
    configure(world, **KOLKATA, maxPerDay=2)
    for start in ("15T06:00", "15T18:00"):
        world.book(*span(start, 45))
    query = {"from_": "2030-01-14T17:30:00Z", "to": "2030-01-15T19:30:00Z", "durationMinutes": "30"}
    assert available(world, calendarIds="C", **query) == [
        "2030-01-14T17:30:00Z",
        "2030-01-14T18:00:00Z",  # it begins on the day before
        "2030-01-15T19:00:00Z",
    ]
    assert len(available(world, calendarIds="C,D", mode="any", **query)) == 52


def test_what_has_its_place_on_a_day_keeps_it(world: World) -> None:
    configure(world, **KOLKATA, maxPerDay=2)
    (_, first), _, (_, other) = [world.book(*span(start)) for start in ("15T06:00", "15T08:00", "16T06:00")]
    assert move(world, first, "15T07:00")[0] == 200
    assert move(world, first, "15T08:00")[0] == 409  # the time itself is taken
    assert move(world, other, "15T10:00")[1]["conflicts"] == [THE_15TH]
    configure(world, **KOLKATA, maxPerDay=1)  # with two on it
    assert move(world, first, "15T10:00")[0] == 200
    assert move(world, first, "16T10:00")[0] == 409
    assert move(world, first, "17T10:00")[0] == 200
    assert move(world, first, "15T10:00")[0] == 409


def test_what_becomes_shorter_over_midnight_may_come_onto_a_full_day(world: World) -> None:
    """No time is added, and yet it begins on another day."""
    configure(world, **KOLKATA, maxPerDay=1)
    _, long = world.book(*span("14T18:00", 60))
    assert world.book(*span("15T06:00"))[0] == 201
    status, body = move(world, long, "14T18:45", 15)
    assert (status, body["conflicts"]) == (409, [THE_15TH])
    assert move(world, long, "14T18:15", 30)[0] == 200


def test_a_cancelled_appointment_and_a_hold_that_ran_out_make_room(world: World) -> None:
    configure(world, **KOLKATA, maxPerDay=1)
    _, booked = world.book(*span("15T06:00"))
    world.request("DELETE", f"/appointments/{booked['appointmentId']}")
    assert world.book(*span("15T08:00"), hold={"minutes": 1})[0] == 201
    assert world.book(*span("15T10:00"))[0] == 409
    world.now += timedelta(minutes=2)
    assert world.book(*span("15T10:00"))[0] == 201


def test_a_hold_counts_once_when_it_is_confirmed(world: World) -> None:
    configure(world, **KOLKATA, maxPerDay=1)
    _, held = world.book(*span("15T08:00"), hold={"minutes": 5})
    assert world.request("PATCH", f"/appointments/{held['appointmentId']}", {"status": "scheduled"})[0] == 200


def test_any_of_passes_over_a_full_day(world: World) -> None:
    for calendar in ("d", "e"):
        configure(world, calendar, **KOLKATA, maxPerDay=1)
    found = [world.book(*span(f"15T{hour:02}:00"), user=f"u{hour}", anyOf=["d", "e"]) for hour in (6, 8, 10)]
    assert [status for status, _ in found] == [201, 201, 409]
    assert {body["assignedCalendarId"] for _, body in found[:2]} == {"d", "e"}
    assert {conflict["calendarId"] for conflict in found[2][1]["conflicts"]} == {"d", "e"}


def test_a_first_booking_of_a_day_makes_one_call(world: World) -> None:
    configure(world, **KOLKATA, maxPerDay=1)
    world.calls.clear()
    assert world.book(*span("15T06:00"), reminders=[])[0] == 201
    assert world.calls == ["TransactWriteItems"]


def test_a_crowded_day_is_counted_whole(world: World) -> None:
    configure(world, **KOLKATA, capacity=100, maxPerDay=90)
    for n in range(90):
        start = f"{14 + (n + 74) // 96}T{(n + 74) % 96 // 4:02}:{(n + 74) % 4 * 15:02}"
        assert world.book(*span(start, 10), user=f"u{n}", resourceIds=["C"], reminders=[])[0] == 201
    assert world.book(*span("15T18:15", 10))[1]["conflicts"] == [THE_15TH]
    assert world.book(*span("15T18:30", 10))[0] == 201


@pytest.mark.parametrize("value", [0, 5001, 1.5, "3", None])
def test_a_limit_is_a_whole_number(world: World, value: object) -> None:
    status, _, body = world.request("PUT", "/calendars/C", {"maxPerDay": value})
    assert status == 422
    assert body["errors"] == [{"field": "maxPerDay", "message": "must be a whole number from 1 to 5000"}]
