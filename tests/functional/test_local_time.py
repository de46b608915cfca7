"""Time as people mean it, over the API on moto: local days, skipped and repeated hours, the clock on the wall."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from calendars import configure
from reminder_sender.message import sms_text

if TYPE_CHECKING:
    from world import World

NEW_YORK = "America/New_York"
SHORT_DAY, LONG_DAY = "2027-03-14", "2027-11-07"
OPEN_ALL_DAY = {
    day: [{"start": "00:00", "end": "00:00"}]
    for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
}


@pytest.fixture(autouse=True)
def _at_the_end_of_2026(world: World) -> None:
    world.now = datetime(2026, 12, 1, 12, tzinfo=UTC)


def free(world: World, **query: str) -> list[tuple[str, str]]:
    query = {"calendarIds": "C", **query}
    query["from"] = query.pop("from_")
    status, _, body = world.request("GET", "/availability", queryStringParameters=query)
    assert status == 200, body
    return [(slot["startTime"], slot["endTime"]) for slot in body["available"]]


def local_starts(world: World, zone: str, **query: str) -> list[str]:
    query = {"calendarIds": "C", "timeZone": zone, **query}
    query["from"] = query.pop("from_")
    _, _, body = world.request("GET", "/availability", queryStringParameters=query)
    return [slot["localStartTime"][11:16] for slot in body["available"]]


def next_day(day: str) -> str:
    return (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()


def whole_day(day: str, zone: str = NEW_YORK) -> dict[str, str]:
    return {"startTime": f"{day}T00:00", "endTime": f"{next_day(day)}T00:00", "timeZone": zone}


def book(world: World, **body: Any) -> tuple[int, dict[str, Any]]:
    status, _, answer = world.request("POST", "/appointments", {"userId": "C", "reminders": []} | body)
    return status, answer


def hours(appointment: dict[str, Any]) -> float:
    start, end = (datetime.fromisoformat(appointment[name]) for name in ("startTime", "endTime"))
    return (end - start) / timedelta(hours=1)


# --- times that a clock skips or repeats -------------------------------------------------------------


def test_an_end_that_is_skipped_is_the_instant_of_the_change(world: World) -> None:
    times = {"startTime": "2027-04-29T23:00", "endTime": "2027-04-30T00:00", "timeZone": "Africa/Cairo"}
    status, booked = book(world, **times)
    assert (status, booked["endTime"]) == (201, "2027-04-29T22:00:00Z")
    status, _, moved = world.request(
        "PATCH", f"/appointments/{booked['appointmentId']}", {"endTime": "2027-04-30T00:30"}
    )
    assert (status, moved["endTime"]) == (200, "2027-04-29T22:00:00Z")


@pytest.mark.parametrize(
    ("end", "length"), [("T00:00", 1), ("t00:30", 1.5), ("T01:00", 2), ("T01:30", 2.5), ("T01:00:00+03:00", 1)]
)
def test_a_move_keeps_the_length_to_an_end_that_is_skipped(world: World, end: str, length: float) -> None:
    """In Cairo, 00:00 to 01:00 is skipped on that day: an hour until 00:00 ends when the clock shows 01:00."""
    there = "2027-04-29T23:00"
    _, booked = book(world, startTime=there, endTime="2027-04-30" + end, timeZone="Africa/Cairo")
    path = f"/appointments/{booked['appointmentId']}"
    moves = ["2027-05-02T23:00", there, there, "2027-05-03T22:00"]
    first, back, again, last = [world.request("PATCH", path, {"startTime": start})[2] for start in moves]
    assert (hours(first), hours(last)) == (length, length)
    assert back["endTime"] == again["endTime"] == booked["endTime"]
    assert world.request("PATCH", path, {"startTime": there})[2]["endTime"] == booked["endTime"]
    # Another end that the clock skips.
    assert world.request("PATCH", path, {"startTime": there, "endTime": "2027-04-30T00:15"})[0] == 200
    assert hours(world.request("PATCH", path, {"startTime": "2027-05-04T23:00"})[2]) == 1.25


def test_an_end_that_is_repeated_is_the_first_pass(world: World) -> None:
    times = {"startTime": f"{LONG_DAY}T00:30", "endTime": f"{LONG_DAY}T01:30", "timeZone": NEW_YORK}
    status, booked = book(world, **times)
    assert (status, booked["endTime"]) == (201, f"{LONG_DAY}T05:30:00Z")


@pytest.mark.parametrize("start", [f"{SHORT_DAY}T02:30", f"{LONG_DAY}T01:30"])
def test_a_start_that_is_skipped_or_repeated_is_refused(world: World, start: str) -> None:
    status, refusal = book(world, startTime=start, endTime=f"{start[:10]}T05:00", timeZone=NEW_YORK)
    assert (status, [error["field"] for error in refusal["errors"]]) == (422, ["startTime"])


def test_a_day_whose_midnight_is_skipped_begins_at_the_change(world: World) -> None:
    query = {"from_": "2027-09-05T00:00", "to": "2027-09-05T03:00", "timeZone": "America/Santiago"}
    found = free(world, durationMinutes="60", **query)
    assert found == [
        ("2027-09-05T04:00:00Z", "2027-09-05T05:00:00Z"),
        ("2027-09-05T05:00:00Z", "2027-09-05T06:00:00Z"),
    ]
    query["from"] = query.pop("from_")
    status, _, body = world.request("GET", "/appointments", queryStringParameters=query | {"userId": "C"})
    assert (status, body["appointments"]) == (200, [])


# --- whole days --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("day", "length"), [(SHORT_DAY, 23), (LONG_DAY, 25), ("2027-06-01", 24)])
@pytest.mark.parametrize(
    "settings",
    [
        {"timeZone": NEW_YORK, "minDurationMinutes": 1440, "maxDurationMinutes": 1440},
        {"timeZone": NEW_YORK, "workingHours": OPEN_ALL_DAY, "maxDurationMinutes": 1440},
        {"timeZone": NEW_YORK, "overrides": {"2027-01-01": []}, "minDurationMinutes": 1440},
        {},
    ],
)
def test_a_whole_day_is_offered_and_booked_however_long(
    world: World, settings: dict[str, Any], day: str, length: int
) -> None:
    if settings:
        configure(world, **settings)
    end = f"{next_day(day)}T00:00"
    (found,) = free(world, from_=f"{day}T00:00", to=end, timeZone=NEW_YORK, durationMinutes="1440")
    status, booked = book(world, **whole_day(day))
    assert (status, booked["startTime"], booked["endTime"]) == (201, *found)
    assert hours(booked) == length


@pytest.mark.parametrize("given", ["local", "offset"])
def test_a_whole_day_that_is_moved_stays_a_whole_day(world: World, given: str) -> None:
    configure(world, timeZone=NEW_YORK, maxDurationMinutes=1440, minDurationMinutes=1440)
    first = {"startTime": "2027-01-05T05:00:00Z", "endTime": "2027-01-06T05:00:00Z", "timeZone": NEW_YORK}
    _, booked = book(world, **(whole_day("2027-01-05") if given == "local" else first))
    for day, instant, length in (
        (SHORT_DAY, "T05:00:00Z", 23),
        ("2027-06-01", "T04:00:00Z", 24),
        (LONG_DAY, "T04:00:00Z", 25),
        ("2027-12-01", "T05:00:00Z", 24),
    ):
        start = f"{day}T00:00" if given == "local" else f"{day}{instant}"
        status, _, moved = world.request("PATCH", f"/appointments/{booked['appointmentId']}", {"startTime": start})
        assert (status, hours(moved)) == (200, length), moved


def test_what_was_booked_in_local_time_keeps_its_length_on_the_wall(world: World) -> None:
    night = {"startTime": "2027-01-05T22:00", "endTime": "2027-01-06T06:00", "timeZone": NEW_YORK}
    _, local = book(world, **night)
    path = f"/appointments/{local['appointmentId']}"
    assert hours(world.request("PATCH", path, {"startTime": "2027-03-13T22:00"})[2]) == 7
    assert hours(world.request("PATCH", path, {"startTime": "2027-11-06T22:00"})[2]) == 9
    instants = {"startTime": "2027-01-06T03:00:00Z", "endTime": "2027-01-06T11:00:00Z", "timeZone": NEW_YORK}
    _, exact = book(world, **instants)
    path = f"/appointments/{exact['appointmentId']}"
    assert hours(world.request("PATCH", path, {"startTime": "2027-03-14T03:00:00Z"})[2]) == 8


def test_a_move_into_the_second_pass_of_an_hour_ends_after_its_start(world: World) -> None:
    times = {"startTime": "2027-01-05T09:00", "endTime": "2027-01-05T09:15", "timeZone": NEW_YORK}
    _, booked = book(world, **times)
    path = f"/appointments/{booked['appointmentId']}"
    status, _, moved = world.request("PATCH", path, {"startTime": f"{LONG_DAY}T01:30:00-05:00"})
    assert (status, moved["endTime"]) == (200, f"{LONG_DAY}T06:45:00Z")


def test_alternatives_of_a_whole_day_are_whole_days(world: World) -> None:
    configure(world, timeZone=NEW_YORK, minDurationMinutes=1440, maxDurationMinutes=1440)
    for day in ("2027-03-13", "2027-03-15"):
        assert book(world, **whole_day(day))[0] == 201
    status, refusal = book(world, **whole_day("2027-03-13"))
    assert status == 409
    first, *_ = refusal["alternatives"]
    assert first in (
        {"startTime": "2027-03-12T05:00:00Z", "endTime": "2027-03-13T05:00:00Z"},
        {"startTime": "2027-03-14T05:00:00Z", "endTime": "2027-03-15T04:00:00Z"},
    )
    assert {"startTime": "2027-03-14T05:00:00Z", "endTime": "2027-03-15T04:00:00Z"} in refusal["alternatives"]
    for alternative in refusal["alternatives"]:
        assert book(world, **alternative)[0] == 201


# --- limits of length --------------------------------------------------------------------------------


def test_a_month_on_the_wall_is_31_days(world: World) -> None:
    month = {"startTime": "2027-10-15T00:00", "endTime": "2027-11-15T00:00"}
    status, booked = book(world, **month, timeZone=NEW_YORK)
    assert (status, hours(booked)) == (201, 31 * 24 + 1)
    _, refusal = book(world, **month | {"endTime": "2027-11-15T00:01"}, userId="D", timeZone=NEW_YORK)
    assert [error["field"] for error in refusal["errors"]] == ["endTime"]
    # Spring: 31 days by the stopwatch are 31 days and an hour on the wall.
    spring = {"startTime": "2027-03-01T00:00", "endTime": "2027-04-01T01:00", "timeZone": NEW_YORK}
    assert book(world, **spring)[0] == 201


def test_62_days_of_availability_are_counted_on_the_wall_too(world: World) -> None:
    query = {"from_": "2027-10-01T00:00", "timeZone": NEW_YORK, "durationMinutes": "1440"}
    assert len(free(world, to="2027-12-02T00:00", **query)) == 62
    query["from"] = query.pop("from_")
    query |= {"calendarIds": "C", "to": "2027-12-02T00:01"}
    status, _, refusal = world.request("GET", "/availability", queryStringParameters=query)
    assert (status, refusal["errors"][0]["field"]) == (422, "to")


@pytest.mark.parametrize(("start", "end"), [("T00:00", "T03:30"), ("T01:30:00-05:00", "T04:00")])
def test_a_length_that_the_wall_or_the_stopwatch_allows_is_allowed(world: World, start: str, end: str) -> None:
    """On the day of 23 hours 00:00 to 03:30 is 150 minutes, and 01:30 to 04:00 is 90."""
    configure(world, timeZone=NEW_YORK, minDurationMinutes=150, maxDurationMinutes=150)
    times = {"startTime": SHORT_DAY + start, "endTime": SHORT_DAY + end, "timeZone": NEW_YORK}
    assert book(world, **times)[0] == 201


# --- the horizon -------------------------------------------------------------------------------------


def test_the_horizon_includes_the_whole_last_day(world: World) -> None:
    zone = "America/Los_Angeles"
    world.now = datetime(2026, 12, 1, 22, 32, tzinfo=UTC)  # 14:32 there
    configure(world, timeZone=zone, horizonDays=2)
    query = {"from_": "2026-12-02T22:00", "to": "2026-12-06T00:00", "timeZone": zone, "durationMinutes": "60"}
    found = free(world, **query)
    assert (len(found), found[-1][0]) == (26, "2026-12-04T07:00:00Z")
    times = {"startTime": "2026-12-03T23:59:59", "endTime": "2026-12-04T01:00", "timeZone": zone}
    assert book(world, **times)[0] == 201
    status, refusal = book(world, **times | {"startTime": "2026-12-04T00:00"})
    assert (status, refusal["errors"][0]["rule"]) == (422, "horizonDays")
    assert refusal["errors"][0]["nearest"]["startTime"] == "2026-12-04T07:45:00Z"


# --- reminders ---------------------------------------------------------------------------------------


def due(appointment: dict[str, Any]) -> dict[str, str]:
    return {reminder["offset"]: reminder["dueAt"] for reminder in appointment["reminders"]}


def test_a_day_before_is_the_same_local_time_and_24_hours_are_24_hours(world: World) -> None:
    times = {"startTime": f"{SHORT_DAY}T09:00", "endTime": f"{SHORT_DAY}T10:00", "timeZone": NEW_YORK}
    status, booked = book(world, **times, reminders=["1d", "24h", "1w"])
    assert status == 201
    assert due(booked) == {
        "1d": "2027-03-13T14:00:00Z",  # 09:00 on the 13th
        "24h": "2027-03-13T13:00:00Z",  # 08:00
        "1w": "2027-03-07T14:00:00Z",
    }
    assert [rule for rule in world.rules() if "-1w-" in rule]
    path = f"/appointments/{booked['appointmentId']}"
    _, _, moved = world.request("PATCH", path, {"startTime": f"{LONG_DAY}T09:00"})
    assert due(moved)["1d"] == "2027-11-06T13:00:00Z"
    _, _, elsewhere = world.request("PATCH", path, {"timeZone": "UTC"})
    assert due(elsewhere)["1d"] == "2027-11-06T14:00:00Z"


def test_a_day_before_that_is_skipped_there_is_the_change(world: World) -> None:
    times = {"startTime": "2027-03-15T02:30", "endTime": "2027-03-15T03:00", "timeZone": NEW_YORK}
    assert due(book(world, **times, reminders=["1d"])[1]) == {"1d": f"{SHORT_DAY}T07:00:00Z"}


def test_without_a_zone_a_day_is_one_of_utc(world: World) -> None:
    times = {"startTime": "2027-03-14T13:00:00Z", "endTime": "2027-03-14T14:00:00Z"}
    assert due(book(world, **times, reminders=["1d"])[1]) == {"1d": "2027-03-13T13:00:00Z"}


def test_offsets_that_mean_the_same_are_sent_once(world: World) -> None:
    times = {"startTime": "2027-06-01T13:00:00Z", "endTime": "2027-06-01T14:00:00Z"}
    for offsets in (["7d", "1w"], ["60m", "1h"]):
        status, refusal = book(world, **times, reminders=offsets)
        assert (status, refusal["errors"][0]["field"]) == (422, "reminders[1]")


# --- where slots begin -------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"overrides": {"2027-06-20": []}}, {"workingHours": OPEN_ALL_DAY}])
def test_slots_of_a_calendar_without_hours_begin_at_its_own_midnight(world: World, settings: dict[str, Any]) -> None:
    configure(world, timeZone="Asia/Kolkata", **settings)
    query = {"from_": "2027-06-01T08:45", "to": "2027-06-01T12:00", "durationMinutes": "60"}
    assert local_starts(world, "Asia/Kolkata", **query) == ["09:00", "10:00", "11:00"]


def test_hours_that_touch_are_one_opening(world: World) -> None:
    configure(
        world,
        timeZone=NEW_YORK,
        workingHours={
            "monday": [{"start": "09:00", "end": "24:00"}],
            "tuesday": [{"start": "00:00", "end": "02:00"}],
        },
    )
    query = {"from_": "2027-06-07T21:00", "to": "2027-06-08T12:00", "durationMinutes": "70"}
    assert local_starts(world, NEW_YORK, **query) == ["21:50", "23:00", "00:10"]
    query["from_"] = "2027-06-07T23:30"  # the same steps, whatever the time that is asked for
    assert local_starts(world, NEW_YORK, **query) == ["00:10"]


def test_equal_hours_are_24_hours(world: World) -> None:
    configure(world, workingHours={"monday": [{"start": "00:00", "end": "00:00"}]})
    monday = {"startTime": "2027-06-07T00:00:00Z", "endTime": "2027-06-08T00:00:00Z"}
    assert book(world, **monday)[0] == 201
    configure(world, "D", workingHours={"monday": [{"start": "22:00", "end": "22:00"}]})
    night = {"startTime": "2027-06-07T22:00:00Z", "endTime": "2027-06-08T22:00:00Z"}
    assert book(world, **night, userId="D")[0] == 201
    assert book(world, **night | {"endTime": "2027-06-08T22:01:00Z"}, userId="D")[0] == 422


# --- the zone in which people read a time ------------------------------------------------------------

OFFSETS = {"startTime": "2027-01-15T15:00:00Z", "endTime": "2027-01-15T15:30:00Z"}


def text_of(world: World, booked: dict[str, Any]) -> str:
    return sms_text(world.storage.appointments.get(booked["appointmentId"]) or pytest.fail("not stored"))


@pytest.mark.parametrize(
    ("configured", "sent", "zone"),
    [
        ({"C": NEW_YORK, "dr-lee": "Europe/Berlin"}, {}, "10:00 (America/New_York)"),
        ({"dr-lee": "Europe/Berlin", "room": NEW_YORK}, {}, "16:00 (Europe/Berlin)"),
        ({"room": NEW_YORK}, {}, "10:00 (America/New_York)"),
        ({"C": NEW_YORK}, {"timeZone": "Asia/Tokyo"}, "00:00 (Asia/Tokyo)"),
        ({}, {}, "15:00 (UTC)"),
    ],
)
def test_a_time_without_a_zone_is_read_in_that_of_the_calendars(
    world: World, configured: dict[str, str], sent: dict[str, str], zone: str
) -> None:
    for calendar, name in configured.items():
        configure(world, calendar, timeZone=name)
    _, booked = book(world, **OFFSETS, resourceIds=["dr-lee", "room"], **sent)
    assert zone in text_of(world, booked)
    assert "timeZone" in booked if sent else "timeZone" not in booked


def test_other_calendars_bring_another_zone(world: World) -> None:
    configure(world, "dr-lee", timeZone="Europe/Berlin")
    _, booked = book(world, **OFFSETS)
    path = f"/appointments/{booked['appointmentId']}"
    assert world.request("PATCH", path, {"resourceIds": ["dr-lee"]})[0] == 200
    assert "16:00 (Europe/Berlin)" in text_of(world, booked)
    assert world.request("PATCH", path, {"details": {"title": "x"}})[0] == 200
    assert "16:00 (Europe/Berlin)" in text_of(world, booked)
    assert world.request("PATCH", path, {"resourceIds": []})[0] == 200
    assert "15:00 (UTC)" in text_of(world, booked)
