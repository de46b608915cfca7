"""Calendars through the API on moto: settings, hours, buffers, capacity, availability and any-of bookings."""

from __future__ import annotations

import json
import random
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from appointments.calendars import MAX_DAY_ENTRIES
from appointments.memory import Memory
from reference import WEEKDAYS, ReferenceCalendar, steps
from support import with_memory

if TYPE_CHECKING:
    from world import World

NINE_TO_FIVE = {
    "timeZone": "America/New_York",
    "workingHours": {
        day: [{"start": "09:00", "end": "17:00"}] for day in ("monday", "tuesday", "wednesday", "thursday", "friday")
    },
}


def configure(world: World, calendar: str = "C", /, **settings: Any) -> Any:
    status, _, body = world.request("PUT", f"/calendars/{calendar}", settings)
    assert status == 200, body
    return body


def available(world: World, **query: str) -> list[str]:
    """The slots as `HH:MM` or whole times in UTC."""
    status, body = asked(world, **query)
    assert status == 200, body
    return [slot["startTime"] for slot in body["available"]]


def asked(world: World, **query: str) -> tuple[int, Any]:
    query = {name.rstrip("_"): value for name, value in query.items()}
    status, _, body = world.request("GET", "/availability", queryStringParameters=query)
    return status, body


def clocks(times: list[str]) -> list[str]:
    return [text[11:16] for text in times]


# --- settings ----------------------------------------------------------------------------------------


def test_settings_come_back_with_defaults_and_a_version(world: World) -> None:
    assert world.request("GET", "/calendars/C") == (
        200,
        {"Content-Type": "application/json", "Cache-Control": "no-store", "ETag": '"0"'},
        {
            "calendarId": "C",
            "timeZone": "UTC",
            "overrides": {},
            "bufferMinutes": {"before": 0, "after": 0},
            "capacity": 1,
            "minNoticeMinutes": 0,
            "version": 0,
        },
    )
    sent = NINE_TO_FIVE | {"bufferMinutes": {"after": 10}, "overrides": {"2030-12-25": []}, "reminders": ["2h"]}
    status, headers, body = world.request("PUT", "/calendars/C", sent)
    assert (status, headers["ETag"], body["version"]) == (200, '"1"', 1)
    assert body | sent == body | {"bufferMinutes": {"after": 10}}
    assert body["bufferMinutes"] == {"before": 0, "after": 10}
    assert world.request("GET", "/calendars/C")[2] == body
    assert world.request("PUT", "/calendars/C", body)[0] == 200  # what was read can be sent back


def test_settings_are_replaced_only_over_the_version_named(world: World) -> None:
    def put(header: str) -> int:
        return world.request("PUT", "/calendars/C", {"capacity": 2}, headers={"If-Match": header})[0]

    assert [put(header) for header in ('"1"', '"0"', '"0"', '"1"', '"x"', "*")] == [412, 200, 412, 200, 412, 200]
    assert world.request("GET", "/calendars/C")[2]["version"] == 3


def test_settings_are_replaced_over_any_of_the_versions_named(world: World) -> None:
    def put(*headers: str) -> tuple[int, int | None]:
        many = {"multiValueHeaders": {"If-Match": [*headers]}}
        status, _, body = world.request("PUT", "/calendars/C", {"capacity": 2}, **many)
        return status, body.get("version")

    assert put('"0", "1"') == (200, 1)
    assert put('"0", "1"') == (200, 2)
    assert put('"0", "1"') == (412, None)
    assert put('"0"', 'W/"3", "7","2"') == (200, 3)  # two lines are one list (RFC 9110, 5.3)
    for other in ('"03"', 'W/"3"', '"3,"', '"1,"3', "3", '"3', '"3 "', '"+3"', '"\u0663"'):
        assert put(other) == (412, None), other


def test_bad_settings_write_nothing(world: World) -> None:
    status, _, body = world.request("PUT", "/calendars/C", {"capacity": 0, "timeZone": "Mars/Olympus"})
    assert (status, {error["field"] for error in body["errors"]}) == (422, {"capacity", "timeZone"})
    assert world.items("CalendarsTable") == []
    assert world.request("PUT", "/calendars/a%20b", {})[0] == 422
    assert world.request("PUT", "/calendars/a%40b", {})[0] == 200
    assert world.request("DELETE", "/calendars/C")[0] == 405
    assert [world.request("PUT", "/calendars/C", text)[0] for text in ("", "{", "[]", "null")] == [400, 400, 422, 422]


def test_whatever_was_sent_comes_back(world: World) -> None:
    sent = {
        "timeZone": "Australia/Lord_Howe",
        "workingHours": {"saturday": [{"start": "22:00", "end": "02:00"}], "sunday": []},
        "overrides": {"2030-12-25": [], "2030-12-31": [{"start": "10:00", "end": "24:00"}]},
        "bufferMinutes": {"before": 5, "after": 10},
        "capacity": 12,
        "minNoticeMinutes": 90,
        "horizonDays": 365,
        "minDurationMinutes": 15,
        "maxDurationMinutes": 120,
        "reminders": ["2h", "15m"],
    }
    answered = configure(world, **sent)
    more = {"calendarId": "C", "version": 1, "updatedAt": "2029-12-01T12:00:00Z"}
    assert answered == world.request("GET", "/calendars/C")[2] == sent | more
    # A PUT replaces: what it leaves out is back at its default.
    assert configure(world)["capacity"] == 1
    assert "workingHours" not in world.request("GET", "/calendars/C")[2]


def test_the_largest_settings_are_stored_and_larger_ones_refused(world: World) -> None:
    days = [(date(2030, 1, 1) + timedelta(days=n)).isoformat() for n in range(1000)]
    hours = [{"start": "09:00", "end": "17:00"}]
    configure(world, overrides=dict.fromkeys(days, hours))
    assert world.book("2030-01-15T09:00:00Z", "2030-01-15T10:00:00Z")[0] == 201
    many = [{"start": f"{n:02}:00", "end": f"{n:02}:59"} for n in range(24)]
    status, _, body = world.request("PUT", "/calendars/C", {"overrides": dict.fromkeys(days, many)})
    assert (status, [error["field"] for error in body["errors"]]) == (422, [""])
    assert world.request("GET", "/calendars/C")[2]["version"] == 1


def test_a_calendar_whose_zone_is_not_known_any_more_is_named_and_the_request_not_blamed(world: World) -> None:
    configure(world)
    world.dynamodb.update_item(
        TableName="CalendarsTable",
        Key={"calendarId": {"S": "C"}, "day": {"S": "settings"}},
        UpdateExpression="SET settings = :lost",
        ExpressionAttributeValues={":lost": {"S": json.dumps(NINE_TO_FIVE | {"timeZone": "America/Atlantis"})}},
    )
    world.api = replace(world.api, storage=with_memory(world.storage, Memory()))
    status, _, stored = world.request("GET", "/calendars/C")
    assert (status, stored["timeZone"]) == (200, "America/Atlantis")

    local = {"startTime": "2030-01-15T10:00", "endTime": "2030-01-15T11:00", "timeZone": "America/New_York"}
    for query in ({}, {"dryRun": "true"}):
        body = {"userId": "anna", "resourceIds": ["C"]} | local
        status, _, refusal = world.request("POST", "/appointments", body, queryStringParameters=query)
        (fault,) = refusal["errors"]
        assert (status, fault["field"], fault["rule"], fault["calendarId"]) == (422, "startTime", "timeZone", "C")
        assert fault["message"] == (
            "breaks timeZone of calendar C, which is not known any more: that calendar has to be configured anew"
        )
        assert "nearest" not in fault
    span = {"from_": "2030-01-15T00:00:00Z", "to": "2030-01-16T00:00:00Z", "durationMinutes": "60"}
    assert available(world, calendarIds="C", **span) == []
    status, booked = world.book("10:00", "11:00", user="anna", anyOf=["C", "other"])
    assert (status, booked["assignedCalendarId"]) == (201, "other")

    def put(settings: object, header: str = "*") -> int:
        return world.request("PUT", "/calendars/C", settings, headers={"If-Match": header})[0]

    assert [put(stored), put(NINE_TO_FIVE, '"7"'), put(NINE_TO_FIVE, '"1"')] == [422, 412, 200]
    assert world.book("15:00", "16:00", user="anna", resourceIds=["C"])[0] == 201


def test_a_stale_version_of_a_calendar_is_named(world: World) -> None:
    configure(world)
    status, _, body = world.request("PUT", "/calendars/C", {}, headers={"If-Match": '"7"'})
    assert (status, body["detail"]) == (412, "The version is now 1. Read it again before you change it.")


# --- buffers, capacity, hours ------------------------------------------------------------------------


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
    assert (found[0], found[-1]) == ("2029-12-02T12:00:00Z", "2029-12-15T12:00:00Z")
    for start, status in (
        ("2029-12-02T12:00:00Z", 201),
        ("2029-12-02T11:59:59Z", 422),
        ("2029-12-15T12:00:00Z", 201),
        ("2029-12-15T12:00:01Z", 422),
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


# --- availability ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("busy", "slots"),
    [(("9:40", "18:00"), ["09:00"]), (("9:20", "18:00"), []), (("10:15", "18:00"), ["09:00", "09:30"])],
)
def test_30_minute_slots(world: World, busy: tuple[str, str], slots: list[str]) -> None:
    world.book("0:00", "9:00")
    world.book(*busy)
    query = {"calendarIds": "C", "durationMinutes": "30", "to": "2030-01-15T18:00:00Z"}
    assert clocks(available(world, from_="2030-01-15T00:00:00Z", **query)) == slots


def test_working_hours_in_summer_and_winter(world: World) -> None:
    configure(world, **NINE_TO_FIVE)
    query = {"calendarIds": "C", "durationMinutes": "60"}
    assert world.book("2030-11-04T13:30:00Z", "2030-11-04T14:30:00Z")[0] == 422
    for day, first, last in (("2030-11-04", "14:00", "21:00"), ("2030-11-01", "13:00", "20:00")):
        found = clocks(available(world, from_=f"{day}T00:00:00Z", to=f"{day}T23:59:00Z", **query))
        assert (found[0], found[-1], len(found)) == (first, last, 8)


def test_an_override_closes_a_date_or_opens_it(world: World) -> None:
    configure(world, **NINE_TO_FIVE, overrides={"2030-01-15": [], "2030-01-19": [{"start": "22:00", "end": "23:00"}]})
    query = {"calendarIds": "C", "durationMinutes": "30"}
    assert available(world, from_="2030-01-15T00:00:00Z", to="2030-01-16T05:00:00Z", **query) == []
    assert available(world, from_="2030-01-19T05:00:00Z", to="2030-01-20T05:00:00Z", **query) == [
        "2030-01-20T03:00:00Z",
        "2030-01-20T03:30:00Z",
    ]
    assert world.book("15:00", "16:00")[0] == 422
    assert world.book("2030-01-20T03:00:00Z", "2030-01-20T04:00:00Z")[0] == 201


def test_free_on_all_and_free_on_any(world: World) -> None:
    world.book("9:00", "10:00", user="a")
    world.book("10:00", "11:00", user="b")
    query = {
        "calendarIds": "a,b", "durationMinutes": "60", "from_": "2030-01-15T09:00:00Z", "to": "2030-01-15T12:00:00Z",
    }  # fmt: skip
    assert clocks(available(world, **query)) == ["11:00"]
    _, body = asked(world, **query, mode="any")
    assert [(slot["startTime"][11:16], slot["calendarIds"]) for slot in body["available"]] == [
        ("09:00", ["b"]),
        ("10:00", ["a"]),
        ("11:00", ["a", "b"]),
    ]


def test_steps_count_from_each_opening(world: World) -> None:
    hours = [{"start": "09:10", "end": "10:00"}, {"start": "10:25", "end": "11:00"}]
    configure(world, workingHours={"tuesday": hours})
    query = {"calendarIds": "C", "durationMinutes": "15", "stepMinutes": "20"}
    found = available(world, from_="2030-01-15T09:15:00Z", to="2030-01-16T00:00:00Z", **query)
    assert clocks(found) == ["09:30", "10:25", "10:45"]
    configure(world, workingHours={"tuesday": [{"start": "09:00", "end": "09:30"}, {"start": "09:30", "end": "10:00"}]})
    found = available(world, from_="2030-01-15T00:00:00Z", to="2030-01-16T00:00:00Z", **query)
    assert clocks(found) == ["09:00", "09:20", "09:30"]  # where two touch there is no break, and a new count


def test_where_a_question_begins_makes_no_difference_to_the_steps(world: World) -> None:
    """Tuesday's short opening lies within Monday's long one, and is over when the second question begins."""
    configure(
        world,
        workingHours={
            "monday": [{"start": "09:00", "end": "08:00"}],
            "tuesday": [{"start": "01:10", "end": "02:00"}],
        },
    )
    query = {"calendarIds": "C", "durationMinutes": "60", "to": "2030-01-15T06:00:00Z"}
    found = available(world, from_="2030-01-14T23:00:00Z", **query)
    assert clocks(found) == ["23:00", "00:00", "01:00", "01:10", "02:10", "03:10", "04:10"]
    assert available(world, from_="2030-01-15T03:00:00Z", **query) == found[-2:]


def test_answers_in_the_zone_asked_for(world: World) -> None:
    query = {"calendarIds": "C", "durationMinutes": "60", "timeZone": "Asia/Kathmandu"}
    _, body = asked(world, from_="2030-01-15T09:00", to="2030-01-15T11:00", **query)
    assert body["timeZone"] == "Asia/Kathmandu"
    assert body["available"][0] == {
        "startTime": "2030-01-15T04:00:00Z",
        "endTime": "2030-01-15T05:00:00Z",
        "calendarIds": ["C"],
        "localStartTime": "2030-01-15T09:45:00+05:45",
        "localEndTime": "2030-01-15T10:45:00+05:45",
    }


def test_one_query_per_calendar_whatever_the_span(world: World) -> None:
    world.calls.clear()
    available(world, calendarIds="a,b,c", durationMinutes="60", from_="2030-01-01T00:00:00Z", to="2030-03-04T00:00:00Z")
    assert world.calls == ["BatchGetItem", "Query", "Query", "Query"]


def test_nothing_that_has_begun_is_offered(world: World) -> None:
    found = available(
        world, calendarIds="C", durationMinutes="30", from_="2029-12-01T11:00:00Z", to="2029-12-01T13:00:00Z"
    )
    assert clocks(found) == ["12:00", "12:30"]


# A change of the clock each, in both directions, on both hemispheres, by an hour and by half of one.
CHANGES = [
    ("America/New_York", "2030-03-10"),
    ("America/St_Johns", "2030-11-03"),
    ("Europe/London", "2030-10-27"),
    ("Australia/Lord_Howe", "2030-04-07"),
    ("Australia/Lord_Howe", "2030-10-06"),
    ("America/Santiago", "2030-09-08"),
    ("Pacific/Auckland", "2030-09-29"),
    ("Pacific/Chatham", "2030-04-07"),
    ("Africa/Casablanca", "2030-02-10"),
    ("Asia/Kolkata", "2030-06-01"),
    ("Pacific/Apia", "2030-04-07"),
]


def at_random(chance: random.Random, zone: str, day: date) -> dict[str, Any]:
    """Settings of a calendar; everything lies on quarter hours."""

    def hours() -> list[dict[str, str]]:
        marks = sorted(chance.sample(range(96), chance.choice([0, 2, 4, 4])))
        clock = [f"{mark // 4:02}:{mark % 4 * 15:02}" for mark in marks]
        found = [{"start": a, "end": b} for a, b in zip(clock[::2], clock[1::2], strict=True)]
        if found and chance.random() < 0.4:
            found[-1]["end"] = chance.choice(["24:00", found[0]["start"] if len(found) > 1 else "00:00"])
        return found

    settings: dict[str, Any] = {"timeZone": zone, "capacity": chance.choice([1, 1, 2, 3])}
    settings["bufferMinutes"] = {"before": chance.choice([0, 15]), "after": chance.choice([0, 0, 30])}
    if chance.random() < 0.7:
        settings["workingHours"] = {name: hours() for name in WEEKDAYS}
    if chance.random() < 0.5:
        settings["overrides"] = {day.isoformat(): hours()}
    for name, values in (("minNoticeMinutes", [0, 8 * 60]), ("horizonDays", [1, 2]), ("minDurationMinutes", [30, 60])):
        if chance.random() < 0.3:
            settings[name] = chance.choice(values)
    return settings


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("zone", "day"), CHANGES)
def test_every_slot_offered_books_and_every_other_is_refused(world: World, zone: str, day: str, seed: int) -> None:
    chance = random.Random(f"{zone} {day} {seed}")
    midnight = datetime.combine(date.fromisoformat(day), datetime.min.time(), ZoneInfo(zone)).astimezone(UTC)
    world.now = midnight - timedelta(hours=chance.choice([30, 18, 0]))
    names = ["a", "b"][: chance.choice([1, 2])]
    settings = {name: at_random(chance, zone, midnight.astimezone(ZoneInfo(zone)).date()) for name in names}
    booked: dict[str, list[tuple[datetime, datetime]]] = {name: [] for name in names}
    for _ in range(12):
        start = max(midnight + timedelta(minutes=15 * chance.randrange(-24, 96)), world.now)
        end = start + timedelta(minutes=chance.choice([15, 45, 120]))
        name = chance.choice(names)
        if world.book(start.isoformat(), end.isoformat(), user=name, reminders=[])[0] == 201:
            booked[name].append((start, end))
    for name in names:  # what was booked before them stays, however little the new settings would allow it
        configure(world, name, **settings[name])
    references = [ReferenceCalendar(settings[name], booked[name]) for name in names]

    duration, step = (timedelta(minutes=chance.choice(minutes)) for minutes in ([15, 30, 60], [15, 30]))
    window = midnight - timedelta(hours=3), midnight + timedelta(hours=25)
    status, body = asked(
        world,
        calendarIds=",".join(names),
        from_=window[0].isoformat(),
        to=window[1].isoformat(),
        durationMinutes=f"{duration / timedelta(minutes=1):.0f}",
        stepMinutes=f"{step / timedelta(minutes=1):.0f}",
    )
    assert status == 200
    offered = {datetime.fromisoformat(slot["startTime"]) for slot in body["available"]}

    def book(start: datetime, *, dry_run: bool) -> int:
        body = {
            "userId": names[0],
            "resourceIds": names[1:],
            "startTime": start.isoformat(),
            "endTime": (start + duration).isoformat(),
            "reminders": [],
        }
        query = {"dryRun": "true"} if dry_run else None
        return world.request("POST", "/appointments", body, queryStringParameters=query)[0]

    on_step = [start for start in steps(references, *window, step) if start + duration <= window[1]]
    assert offered <= set(on_step)
    for start in on_step:
        assert book(start, dry_run=True) in ({200} if start in offered else {409, 422}), start
        takes = (one.takes(start, start + duration, world.now, timedelta(minutes=5)) for one in references)
        assert (start in offered) == all(takes), start
    for start in sorted(offered)[:1]:
        assert book(start, dry_run=False) == 201


def test_buffers_and_long_appointments_reach_into_the_span(world: World) -> None:
    configure(world, bufferMinutes={"after": 90})
    world.book("2030-01-13T00:00:00Z", "2030-01-14T23:30:00Z")
    world.book("2030-01-16T00:30:00Z", "2030-01-16T01:00:00Z")
    query = {"calendarIds": "C", "durationMinutes": "30"}
    found = clocks(available(world, from_="2030-01-15T00:00:00Z", to="2030-01-16T00:00:00Z", **query))
    assert (found[0], found[-1], len(found)) == ("01:00", "22:30", 44)


def test_durations_that_a_calendar_refuses_are_not_offered(world: World) -> None:
    configure(world, minDurationMinutes=30, maxDurationMinutes=60)
    query = {"calendarIds": "C", "from_": "2030-01-15T00:00:00Z", "to": "2030-01-16T00:00:00Z"}
    assert [len(available(world, durationMinutes=minutes, **query)) for minutes in ("29", "30", "60", "61")] == [
        0,
        48,
        24,
        0,
    ]


def test_with_overrides_alone_steps_count_from_local_midnight(world: World) -> None:
    configure(world, timeZone="Asia/Kolkata", overrides={"2030-01-16": []})
    query = {"calendarIds": "C", "durationMinutes": "60", "timeZone": "Asia/Kolkata"}
    _, body = asked(world, from_="2030-01-15T21:00", to="2030-01-17T03:00", **query)
    assert [slot["localStartTime"] for slot in body["available"]] == [
        f"2030-01-{text}:00:00+05:30" for text in ("15T21", "15T22", "15T23", "17T00", "17T01", "17T02")
    ]


def test_days_of_more_than_a_megabyte_are_read_in_pages(world: World) -> None:
    begin = int(datetime(2030, 1, 1, tzinfo=UTC).timestamp())
    for day in range(4):
        entries = {}
        for n in range(5):  # few, and long ones: many would take moto half a minute
            start = begin + (day * 24 + n * 4) * 3600
            entries[f"a#{day}-{n}-{'x' * 60_000}"] = {"S": f"{start}-{start + 4 * 3600}"}
        item = {"calendarId": {"S": "C"}, "day": {"S": f"2030-01-0{day + 1}"}} | entries
        world.dynamodb.put_item(TableName="CalendarsTable", Item=item)
    world.calls.clear()
    found = available(
        world, calendarIds="C", durationMinutes="120", from_="2030-01-01T00:00:00Z", to="2030-01-05T00:00:00Z"
    )
    assert found == [f"2030-01-0{day}T{hour}:00:00Z" for day in range(1, 5) for hour in (20, 22)]
    assert world.calls == ["BatchGetItem", "Query", "Query"]


def test_an_answer_that_no_function_could_give_is_refused(world: World) -> None:
    ids = [f"{n:0>128}" for n in range(20)]
    query = {
        "calendarIds": ",".join(ids), "from_": "2030-01-01T00:00:00Z", "to": "2030-02-01T00:00:00Z", "mode": "any",
        "timeZone": "UTC",
    }  # fmt: skip
    status, body = asked(world, durationMinutes="15", **query)
    assert (status, [error["field"] for error in body["errors"]]) == (422, ["to"])
    status, body = asked(world, durationMinutes="30", **query)
    assert status == 200
    assert 0.5 < len(json.dumps(body)) / (5 * 2**20) < 1


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({}, {"calendarIds", "from", "to", "durationMinutes"}),
        ({"calendarIds": "a b"}, {"calendarIds[0]", "from", "to", "durationMinutes"}),
        (
            {"calendarIds": "C", "from_": "2030-01-01T00:00:00Z", "to": "2030-03-05T00:00:00Z", "durationMinutes": "0"},
            {"to", "durationMinutes"},
        ),
        (
            {
                "calendarIds": "C", "from_": "2030-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z",
                "durationMinutes": "x", "stepMinutes": "-1", "mode": "some", "timeZone": "Mars/Olympus",
            },
            {"to", "durationMinutes", "stepMinutes", "mode", "timeZone"},
        ),
        (
            {
                "calendarIds": "C", "from_": "2030-01-01T00:00:00Z", "to": "2030-03-01T00:00:00Z",
                "durationMinutes": "30", "stepMinutes": "1",
            },
            {"stepMinutes"},
        ),
        (
            {
                "calendarIds": ",", "from_": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59Z",
                "durationMinutes": "44641", "stepMinuts": "5",
            },
            {"calendarIds[0]", "calendarIds[1]", "from", "to", "durationMinutes", "stepMinuts"},
        ),
        (
            {
                "calendarIds": ",".join(map(str, range(21))), "from_": "2199-12-31T00:00:00Z",
                "to": "1970-01-01T00:00:00Z", "durationMinutes": "5",
            },
            {"calendarIds", "to"},
        ),
    ],
)  # fmt: skip
def test_bad_questions_name_every_fault(world: World, query: dict[str, str], fields: set[str]) -> None:
    status, body = asked(world, **query)
    assert (status, {error["field"] for error in body["errors"]}) == (422, fields)


@pytest.mark.parametrize(("start", "end"), [("1970-01-01", "1970-01-02"), ("2199-12-30", "2199-12-31")])
def test_the_ends_of_time_are_answered(world: World, start: str, end: str) -> None:
    configure(world, **NINE_TO_FIVE, bufferMinutes={"before": 1440}, horizonDays=3650)
    query = {"calendarIds": "C,D", "durationMinutes": "60", "from_": f"{start}T00:00:00Z", "to": f"{end}T00:00:00Z"}
    assert available(world, **query) == []


# --- any of several ----------------------------------------------------------------------------------


def test_any_of_takes_the_least_booked_that_is_free(world: World) -> None:
    world.book("8:00", "9:00", user="dr-a")
    status, first = world.book("9:00", "10:00", user="anna", anyOf=["dr-a", "dr-b", "dr-c"])
    assert (status, first["resourceIds"]) == (201, ["dr-b"])
    _, second = world.book("9:00", "10:00", user="ben", anyOf=["dr-a", "dr-b", "dr-c"])
    assert second["resourceIds"] == ["dr-c"]
    _, third = world.book("9:00", "10:00", user="cem", resourceIds=["room"], anyOf=["dr-a", "dr-b", "dr-c"])
    assert (third["resourceIds"], third["assignedCalendarId"]) == (["room", "dr-a"], "dr-a")
    assert world.request("GET", f"/appointments/{third['appointmentId']}")[2] == third
    world.calls.clear()
    status, refusal = world.book("9:30", "10:30", user="dan", anyOf=["dr-a", "dr-b", "dr-c"])
    assert (status, {conflict["calendarId"] for conflict in refusal["conflicts"]}) == (409, {"dr-a", "dr-b", "dr-c"})
    assert refusal["alternatives"][0] == {"startTime": "2030-01-15T10:00:00Z", "endTime": "2030-01-15T11:00:00Z"}
    assert world.calls == 2 * ["BatchGetItem"]  # that all three were full at one moment takes two equal readings


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
    _, booked = world.book("2030-01-16T05:00:00Z", "2030-01-16T06:00:00Z", user="anna", anyOf=["dr-b", "dr-a"])
    assert booked["assignedCalendarId"] == "dr-b"  # a new day in New York, and neither has any
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
    assert (status, tried["assignedCalendarId"]) == (200, "dr-a")
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


def test_calendars_are_named_in_one_parameter_or_in_several(world: World) -> None:
    """Generated clients send a list in one way or in the other."""
    world.book("9:00", "10:00", user="a")
    span = {"from": ["2030-01-15T08:00:00Z"], "to": ["2030-01-15T12:00:00Z"], "durationMinutes": ["60"]}

    def ask(*values: str) -> Any:
        many = {"multiValueQueryStringParameters": span | {"calendarIds": [*values]}}
        return world.request("GET", "/availability", **many)

    status, _, both = ask("a,b")
    assert (status, len(both["available"])) == (200, 3)
    assert ask("a", "b")[2] == ask("a", "b,a")[2] == both
    for wrong in (("a", ""), ("a", "b c"), tuple(f"c{n}" for n in range(21))):
        status, _, refusal = ask(*wrong)
        assert (status, refusal["errors"][0]["field"].partition("[")[0]) == (422, "calendarIds")
