"""Bookings and changes on configured calendars: buffers, capacity, hours, notice and horizon on moto."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from appointments.calendars import MAX_DAY_ENTRIES
from calendars import NINE_TO_FIVE, available, clocks, configure

if TYPE_CHECKING:
    from world import World


@pytest.mark.parametrize("buffer", [{"before": 60, "after": 60}, {"before": 60}, {"after": 60}])
@pytest.mark.parametrize(
    ("start", "end", "status"),
    [("4:00", "5:00", 201), ("8:00", "9:00", 201), ("4:00", "5:30", 409), ("7:30", "8:00", 409)],
)
def test_a_buffer_lies_between_two_appointments(
    world: World, buffer: dict[str, int], start: str, end: str, status: int
) -> None:
    configure(world, bufferMinutes=buffer)
    assert world.book("6:00", "7:00")[0] == 201
    assert world.book(start, end)[0] == status


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("2030-01-15T22:30:00Z", "2030-01-15T23:30:00Z"), ("2030-01-16T00:15:00Z", "2030-01-16T01:00:00Z")),
        (("2030-01-16T00:15:00Z", "2030-01-16T01:00:00Z"), ("2030-01-15T22:30:00Z", "2030-01-15T23:30:00Z")),
    ],
)
def test_a_buffer_holds_across_midnight(world: World, first: tuple[str, str], second: tuple[str, str]) -> None:
    configure(world, bufferMinutes={"before": 60, "after": 60})
    assert world.book(*first)[0] == 201
    world.calls.clear()
    assert world.book(*second)[0] == 409
    assert world.calls.count("TransactWriteItems") == 1  # the day beyond midnight came back with the refusal
    dry = {"userId": "C", "startTime": second[0], "endTime": second[1]}
    assert world.request("POST", "/appointments", dry, queryStringParameters={"dryRun": "true"})[0] == 409


def test_a_buffered_booking_near_midnight_still_makes_one_call(world: World) -> None:
    configure(world, bufferMinutes={"before": 60, "after": 60})
    world.calls.clear()
    assert world.book("23:00", "23:30", reminders=[])[0] == 201
    assert world.calls == ["TransactWriteItems"]


def test_a_move_out_of_a_buffered_day_leaves_no_ghost(world: World) -> None:
    """The old day is one that only the buffer of the new interval reaches into."""
    configure(world, bufferMinutes={"before": 60, "after": 60})
    _, booked = world.book("23:00", "23:30")
    status, _, _ = world.request(
        "PATCH", f"/appointments/{booked['appointmentId']}", {"startTime": "2030-01-16T00:15:00Z"}
    )
    assert status == 200
    assert world.book("22:00", "22:50")[0] == 201


def test_the_peak_counts_and_not_the_neighbours(world: World) -> None:
    configure(world, capacity=3)
    for start, end in (("10:00", "11:00"), ("11:00", "12:00"), ("9:30", "11:00"), ("9:00", "12:00")):
        assert world.book(start, end)[0] == 201
    status, refusal = world.book("10:30", "11:30")
    assert (status, refusal["conflicts"]) == (
        409,
        [{"calendarId": "C", "startTime": "2030-01-15T10:00:00Z", "endTime": "2030-01-15T11:00:00Z"}],
    )


def test_three_at_once_and_no_fourth(world: World) -> None:
    configure(world, capacity=3)
    assert [world.book("9:00", "10:00")[0] for _ in range(4)] == [201, 201, 201, 409]


def test_a_lower_capacity_touches_nothing_that_is_booked(world: World) -> None:
    configure(world, capacity=3)
    booked = [world.book("9:00", "10:00")[1] for _ in range(3)]
    configure(world, capacity=1)
    assert [world.request("GET", f"/appointments/{b['appointmentId']}")[0] for b in booked] == [200] * 3
    world.request("DELETE", f"/appointments/{booked[0]['appointmentId']}")
    assert world.book("9:00", "10:00")[0] == 409
    assert world.book("10:00", "11:00")[0] == 201


def test_the_rules_of_every_calendar_are_named_together(world: World) -> None:
    configure(world, "C", maxDurationMinutes=30)
    configure(world, "room", **NINE_TO_FIVE)
    status, refusal = world.book("8:00", "9:00", resourceIds=["room", "free"])
    assert status == 422
    assert [(error["calendarId"], error["rule"], error["field"]) for error in refusal["errors"]] == [
        ("C", "maxDurationMinutes", "endTime"),
        ("room", "workingHours", "startTime"),
    ]
    assert [error["nearest"] for error in refusal["errors"]] == [
        {"startTime": "2030-01-15T08:00:00Z", "endTime": "2030-01-15T08:30:00Z"},
        {"startTime": "2030-01-15T14:00:00Z", "endTime": "2030-01-15T15:00:00Z"},
    ]
    assert refusal["errors"][1]["message"] == (
        "breaks workingHours of calendar room; the nearest time that its rules accept is "
        "2030-01-15T14:00:00Z to 2030-01-15T15:00:00Z"
    )
    assert world.items("AppointmentsTable") == []


def test_the_past_and_the_rules_are_named_together(world: World) -> None:
    configure(world, minNoticeMinutes=60, **NINE_TO_FIVE)
    status, refusal = world.book("2029-12-01T03:00:00Z", "2029-12-01T04:00:00Z")
    assert (status, [error.get("rule", error["field"]) for error in refusal["errors"]]) == (
        422,
        ["startTime", "minNoticeMinutes", "workingHours"],
    )


def test_what_breaks_a_rule_is_no_conflict(world: World) -> None:
    """One that the calendar never takes is a fault of the request, whoever else is there."""
    _, booked = world.book("10:00", "11:00")
    configure(world, **NINE_TO_FIVE)
    status, refusal = world.book("10:00", "11:00")
    assert (status, "conflicts" in refusal) == (422, False)
    assert booked["status"] == "scheduled"


def test_a_move_obeys_the_rules_too(world: World) -> None:
    configure(world, **NINE_TO_FIVE)
    _, booked = world.book("15:00", "16:00")
    status, _, refusal = world.request(
        "PATCH", f"/appointments/{booked['appointmentId']}", {"startTime": "2030-01-15T21:30:00Z"}
    )
    assert (status, refusal["errors"][0]["nearest"]) == (
        422,
        {"startTime": "2030-01-15T21:00:00Z", "endTime": "2030-01-15T22:00:00Z"},
    )


@pytest.mark.parametrize("rules", [{}, NINE_TO_FIVE])
def test_the_nearest_time_can_be_booked_a_moment_later(world: World, rules: dict[str, Any]) -> None:
    """Notice ends two hours from now, which is later when the answer is read."""
    world.now = datetime(2030, 1, 15, 13, 14, 37, tzinfo=UTC)
    configure(world, minNoticeMinutes=120, **rules)
    _, refusal = world.book("14:00", "14:30")
    (fault,) = refusal["errors"]
    assert fault["nearest"] == {"startTime": "2030-01-15T15:15:00Z", "endTime": "2030-01-15T15:45:00Z"}
    world.now += timedelta(seconds=2)
    assert world.book(fault["nearest"]["startTime"], fault["nearest"]["endTime"])[0] == 201


def test_the_nearest_time_is_exact_where_no_quarter_hour_is_left(world: World) -> None:
    """The last start of the only day is 21:50, and notice ends seconds before."""
    world.now = datetime(2030, 1, 15, 20, 49, 10, tzinfo=UTC)
    hours = {"overrides": {"2030-01-15": [{"start": "09:00", "end": "22:00"}]}, "workingHours": {}}
    configure(world, minNoticeMinutes=60, **hours)
    _, refusal = world.book("21:00", "21:10")
    assert refusal["errors"][0]["nearest"] == {"startTime": "2030-01-15T21:49:10Z", "endTime": "2030-01-15T21:59:10Z"}


def test_a_change_is_held_only_to_the_rules_that_it_touches(world: World) -> None:
    """Notice, hours and a capacity that came later have no say in what was booked before."""
    _, booked = world.book("2029-12-01T13:00:00Z", "2029-12-01T14:00:00Z", user="anna", resourceIds=["room"])
    configure(world, "anna", minNoticeMinutes=24 * 60, workingHours={})
    path = f"/appointments/{booked['appointmentId']}"

    def patch(**body: Any) -> int:
        return world.request("PATCH", path, body)[0]

    assert patch(details={"title": "Check-up"}) == 200
    assert patch(resourceIds=["hall"]) == 200
    assert patch(endTime="2029-12-01T13:45:00Z") == 200
    assert patch(endTime="2029-12-01T13:50:00Z") == 422  # longer again, on a calendar that is closed now
    assert patch(startTime="2029-12-01T13:05:00Z") == 422
    configure(world, "anna")
    world.now += timedelta(minutes=75)  # it runs
    assert patch(endTime="2029-12-01T14:00:00Z") == 200
    configure(world, "other", workingHours={})
    status, _, refusal = world.request("PATCH", path, {"resourceIds": ["hall", "other"]})
    assert (status, [error["calendarId"] for error in refusal["errors"]]) == (422, ["other"])


def test_a_change_within_its_own_time_takes_no_more_room(world: World) -> None:
    configure(world, capacity=2)
    first = world.book("9:00", "10:00")[1]
    world.book("9:00", "10:00")
    configure(world, capacity=1)
    path = f"/appointments/{first['appointmentId']}"
    assert world.request("PATCH", path, {"resourceIds": ["room"]})[0] == 200
    assert world.request("PATCH", path, {"endTime": "2030-01-15T09:30:00Z"})[0] == 200
    assert world.request("PATCH", path, {"endTime": "2030-01-15T09:40:00Z"})[0] == 409
    assert world.book("9:45", "10:00", user="D", resourceIds=["room"])[0] == 201
    assert world.request("PATCH", path, {"startTime": "2030-01-15T10:00:00Z"})[0] == 200


def test_a_day_takes_only_as_many_as_its_item_can_hold(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(world, capacity=1000)
    longest = {f"a#{uuid.uuid4()}": "1894698000-1894701600"}  # as an entry is named and written
    assert MAX_DAY_ENTRIES * sum(len(name) + len(value) for name, value in longest.items()) < 0.8 * 400 * 1024
    monkeypatch.setattr("appointments.calendars.MAX_DAY_ENTRIES", 3)
    for _ in range(3):
        assert world.book("9:00", "10:00")[0] == 201
    assert world.book("9:00", "10:00")[0] == 409  # from now on this process knows
    status, refusal = world.book("20:00", "21:00")
    assert (status, refusal["conflicts"]) == (
        409,
        [{"calendarId": "C", "startTime": "2030-01-15T00:00:00Z", "endTime": "2030-01-16T00:00:00Z"}],
    )
    assert available(
        world, calendarIds="C", durationMinutes="60", from_="2030-01-14T22:00:00Z", to="2030-01-16T02:00:00Z"
    ) == ["2030-01-14T22:00:00Z", "2030-01-14T23:00:00Z", "2030-01-16T00:00:00Z", "2030-01-16T01:00:00Z"]
    assert refusal["alternatives"][0] == {"startTime": "2030-01-16T00:00:00Z", "endTime": "2030-01-16T01:00:00Z"}
    (one, *_) = world.request("GET", "/appointments", queryStringParameters={"userId": "C"})[2]["appointments"]
    move = {"startTime": "2030-01-15T20:00:00Z"}
    assert world.request("PATCH", f"/appointments/{one['appointmentId']}", move)[0] == 200  # no more than before


def test_the_first_and_the_last_slot_lie_on_notice_and_horizon(world: World) -> None:
    configure(world, minNoticeMinutes=24 * 60, horizonDays=14)
    found = available(
        world, calendarIds="C", from_="2029-12-01T00:00:00Z", to="2029-12-31T00:00:00Z", durationMinutes="60"
    )
    assert (found[0], found[-1]) == ("2029-12-02T12:00:00Z", "2029-12-15T23:00:00Z")
    for start, status in (
        ("2029-12-02T12:00:00Z", 201),
        ("2029-12-02T11:59:59Z", 422),
        ("2029-12-15T23:59:59Z", 201),
        ("2029-12-16T00:00:00Z", 422),
    ):
        end = (datetime.fromisoformat(start) + timedelta(minutes=1)).isoformat()
        assert world.book(start, end)[0] == status


def test_reminders_by_default_are_those_of_the_persons_calendar(world: World) -> None:
    configure(world, "anna", reminders=["2h"])
    configure(world, "room", reminders=["3h"])
    _, booked = world.book("9:00", "10:00", user="anna", resourceIds=["room"])
    assert [reminder["offset"] for reminder in booked["reminders"]] == ["2h"]
    _, other = world.book("10:00", "11:00", user="anna", reminders=["15m"])
    assert [reminder["offset"] for reminder in other["reminders"]] == ["15m"]
    assert len(world.rules()) == 2


def test_hours_of_the_day_before_reach_into_an_override(world: World) -> None:
    """Hours belong to the date on which they begin: an override replaces those of its own date alone."""
    configure(
        world,
        workingHours={"monday": [{"start": "22:00", "end": "02:00"}], "tuesday": [{"start": "01:00", "end": "12:00"}]},
        overrides={"2030-01-15": []},  # a Tuesday
    )
    query = {"calendarIds": "C", "durationMinutes": "30"}
    found = available(world, from_="2030-01-15T00:30:00Z", to="2030-01-15T12:00:00Z", **query)
    assert clocks(found) == ["00:30", "01:00", "01:30"]
    assert world.book("2030-01-14T23:00:00Z", "2030-01-15T02:00:00Z")[0] == 201
    assert world.book("02:00", "03:00")[0] == 422
    assert world.book("2030-01-22T01:30:00Z", "2030-01-22T03:00:00Z")[0] == 201  # both at once, on another Tuesday


def test_hours_that_touch_at_midnight_are_one_opening(world: World) -> None:
    configure(
        world,
        workingHours={"monday": [{"start": "09:00", "end": "24:00"}], "tuesday": [{"start": "00:00", "end": "02:00"}]},
    )
    found = available(
        world,
        calendarIds="C",
        durationMinutes="90",
        stepMinutes="60",
        from_="2030-01-14T21:00:00Z",
        to="2030-01-15T09:00:00Z",
    )
    assert clocks(found) == ["21:00", "22:00", "23:00", "00:00"]
    assert world.book("2030-01-14T23:00:00Z", "2030-01-15T02:00:00Z")[0] == 201
