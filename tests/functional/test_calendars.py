"""Calendars through the API on moto: settings, hours, buffers, capacity, availability and any-of bookings."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

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


def test_bad_settings_write_nothing(world: World) -> None:
    status, _, body = world.request("PUT", "/calendars/C", {"capacity": 0, "timeZone": "Mars/Olympus"})
    assert (status, {error["field"] for error in body["errors"]}) == (422, {"capacity", "timeZone"})
    assert world.items("CalendarsTable") == []
    assert world.request("PUT", "/calendars/a%20b", {})[0] == 422
    assert world.request("PUT", "/calendars/a%40b", {})[0] == 200
    assert world.request("DELETE", "/calendars/C")[0] == 405


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


def test_a_buffered_booking_near_midnight_still_makes_two_calls(world: World) -> None:
    configure(world, bufferMinutes={"before": 60, "after": 60})
    world.calls.clear()
    assert world.book("23:00", "23:30", reminders=[])[0] == 201
    assert world.calls == ["BatchGetItem", "TransactWriteItems"]


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
    assert [(error["calendarId"], error["rule"], error["field"], error["nearest"]) for error in refusal["errors"]] == [
        ("C", "maxDurationMinutes", "endTime", "2030-01-15T08:30:00Z"),
        ("room", "workingHours", "startTime", "2030-01-15T14:00:00Z"),
    ]
    assert world.items("AppointmentsTable") == []


def test_a_move_obeys_the_rules_too(world: World) -> None:
    configure(world, **NINE_TO_FIVE)
    _, booked = world.book("15:00", "16:00")
    status, _, refusal = world.request(
        "PATCH", f"/appointments/{booked['appointmentId']}", {"startTime": "2030-01-15T21:30:00Z"}
    )
    assert (status, refusal["errors"][0]["nearest"]) == (422, "2030-01-15T21:00:00Z")


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


@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago"])
def test_every_slot_offered_books_and_every_other_is_refused(world: World, zone: str) -> None:
    hours = [{"start": "08:00", "end": "12:00"}, {"start": "13:15", "end": "19:00"}]
    configure(
        world, timeZone=zone, workingHours={"monday": hours, "tuesday": hours}, capacity=2,
        bufferMinutes={"after": 10}, minNoticeMinutes=30,
    )  # fmt: skip
    for start, end in (("9:00", "10:00"), ("9:30", "11:00"), ("15:00", "16:00"), ("15:30", "17:00")):
        world.book(start, end)
    begin = datetime.fromisoformat("2030-01-14T12:00:00Z")
    query = {"calendarIds": "C", "durationMinutes": "45", "stepMinutes": "15", "from_": begin.isoformat()}
    offered = available(world, to=(begin + timedelta(days=1)).isoformat(), **query)
    assert offered
    for n in range(96):
        start = begin + timedelta(minutes=15 * n)
        body = {
            "userId": "C",
            "startTime": start.isoformat(),
            "endTime": (start + timedelta(minutes=45)).isoformat(),
        }
        status, _, _ = world.request("POST", "/appointments", body, queryStringParameters={"dryRun": "true"})
        inside = start + timedelta(minutes=45) <= begin + timedelta(days=1)
        if inside:
            assert (status == 200) == (start.isoformat().replace("+00:00", "Z") in offered), start


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
    ],
)  # fmt: skip
def test_bad_questions_name_every_fault(world: World, query: dict[str, str], fields: set[str]) -> None:
    status, body = asked(world, **query)
    assert (status, {error["field"] for error in body["errors"]}) == (422, fields)


# --- any of several ----------------------------------------------------------------------------------


def test_any_of_takes_the_least_booked_that_is_free(world: World) -> None:
    world.book("8:00", "9:00", user="dr-a")
    status, first = world.book("9:00", "10:00", user="anna", anyOf=["dr-a", "dr-b", "dr-c"])
    assert (status, first["resourceIds"]) == (201, ["dr-b"])
    _, second = world.book("9:00", "10:00", user="ben", anyOf=["dr-a", "dr-b", "dr-c"])
    assert second["resourceIds"] == ["dr-c"]
    _, third = world.book("9:00", "10:00", user="cem", resourceIds=["room"], anyOf=["dr-a", "dr-b", "dr-c"])
    assert third["resourceIds"] == ["room", "dr-a"]
    status, refusal = world.book("9:30", "10:30", user="dan", anyOf=["dr-a", "dr-b", "dr-c"])
    assert (status, {conflict["calendarId"] for conflict in refusal["conflicts"]}) == (409, {"dr-a", "dr-b", "dr-c"})
    assert refusal["alternatives"][0] == {"startTime": "2030-01-15T10:00:00Z", "endTime": "2030-01-15T11:00:00Z"}


def test_any_of_passes_over_those_that_are_closed(world: World) -> None:
    configure(world, "dr-a", **NINE_TO_FIVE)
    assert world.book("8:00", "9:00", anyOf=["dr-a", "dr-b"])[1]["resourceIds"] == ["dr-b"]
    assert world.book("8:00", "9:00", user="D", anyOf=["dr-a"])[0] == 422


def test_any_of_tries_the_next_when_it_loses_a_race(world: World) -> None:
    original = world.table.client.transact_write_items

    def slip_in(**kwargs: Any) -> Any:
        world.table.client.transact_write_items = original  # type: ignore[method-assign]
        assert world.book("9:00", "10:00", user="dr-a")[0] == 201
        return original(**kwargs)

    world.table.client.transact_write_items = slip_in  # type: ignore[method-assign]
    status, booked = world.book("9:00", "10:00", user="anna", anyOf=["dr-a", "dr-b"])
    assert (status, booked["resourceIds"]) == (201, ["dr-b"])


@pytest.mark.parametrize("any_of", [[], ["C"], ["room"], "dr-a", ["a b"]])
def test_any_of_names_other_calendars(world: World, any_of: object) -> None:
    status, refusal = world.book("9:00", "10:00", resourceIds=["room"], anyOf=any_of)
    assert status == 422
    assert refusal["errors"][0]["field"].startswith("anyOf")
