"""What went wrong in other schedulers, by their public trackers: each case is tried here and has to come out right."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from calendars import asked, available, configure

if TYPE_CHECKING:
    from world import World

WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def every_day(start: str, end: str) -> dict[str, Any]:
    return {day: [{"start": start, "end": end}] for day in WEEK}


def local_slots(world: World, zone: str, start: str, end: str, **query: Any) -> list[str]:
    """The free slots of calendar C between two local times, on the clock of a zone. Each of them can be booked."""
    found = available(world, calendarIds="C", from_=start, to=end, timeZone=zone, **query)
    for slot in found:
        begin = datetime.fromisoformat(slot)
        finish = datetime.fromtimestamp(begin.timestamp() + int(query["durationMinutes"]) * 60, UTC)
        body = {"userId": "C", "startTime": slot, "endTime": finish.isoformat()}
        tried = world.request("POST", "/appointments", body, queryStringParameters={"dryRun": "true"})
        assert tried[0] == 200, tried
    return [datetime.fromisoformat(slot).astimezone(ZoneInfo(zone)).strftime("%m-%d %H:%M") for slot in found]


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        ("America/Toronto", ["2030-03-08", "2030-03-10", "2030-03-11", "2030-11-02", "2030-11-03", "2030-11-04"]),
        ("Europe/Berlin", ["2030-03-30", "2030-03-31", "2030-10-26", "2030-10-27", "2030-10-28"]),
        ("Australia/Sydney", ["2030-04-06", "2030-04-07", "2030-10-05", "2030-10-06"]),
    ],
)
def test_a_time_of_day_stays_across_changes_of_the_clock(world: World, zone: str, days: list[str]) -> None:
    """calcom/cal.diy 6217, 10517, 4753: 12:30 was offered as 11:30 or 13:30, and could not be booked."""
    configure(world, timeZone=zone, workingHours=every_day("12:30", "13:00"))
    for day in days:
        found = local_slots(world, zone, f"{day}T00:00", f"{day}T23:59", durationMinutes="30")
        assert found == [f"{day[5:]} 12:30"]


def test_hours_past_midnight_are_one_piece(world: World) -> None:
    """calcom/cal.diy 6323, 5587, 17347: of 22:30 to 02:00, the slots that cross or touch midnight were missing."""
    configure(world, timeZone="Asia/Dhaka", workingHours=every_day("22:30", "02:00"))
    query = {"start": "2030-01-15T12:00", "end": "2030-01-16T12:00", "durationMinutes": "60", "stepMinutes": "30"}
    clocks = [slot[6:] for slot in local_slots(world, "Asia/Dhaka", **query)]
    assert clocks == ["22:30", "23:00", "23:30", "00:00", "00:30", "01:00"]
    query["durationMinutes"] = "210"
    assert local_slots(world, "Asia/Dhaka", **query) == ["01-15 22:30"]


@pytest.mark.parametrize("end", ["24:00", "00:00"])
def test_a_day_that_ends_at_midnight_has_its_last_hour(world: World, end: str) -> None:
    """alextselegidis/easyappointments 1822: 00:00 to 00:00 had no slot at all, and 23:59 lost the last hour."""
    configure(world, timeZone="Europe/Athens", workingHours=every_day("00:00", end))
    for minutes, count, last in (("60", 24, "23:00"), ("180", 8, "21:00")):
        found = local_slots(world, "Europe/Athens", "2030-01-15T00:00", "2030-01-16T00:00", durationMinutes=minutes)
        assert (len(found), found[-1]) == (count, f"01-15 {last}")


def test_a_closed_day_stays_closed_after_one_until_midnight(world: World) -> None:
    """onehashai/Cal-ID 931: after an override until 23:59 the next day could not be closed."""
    overrides = {"2030-03-12": [{"start": "00:00", "end": "23:59"}], "2030-03-13": []}
    configure(world, timeZone="Asia/Kolkata", workingHours=every_day("09:00", "17:00"), overrides=overrides)
    slots = local_slots(world, "Asia/Kolkata", "2030-03-13T00:00", "2030-03-14T00:00", durationMinutes="15")
    assert slots == []


def test_who_looks_from_far_away_sees_the_same_slots(world: World) -> None:
    """calcom/cal.diy 3184, 362: slots of a Mexican calendar were missing or wrong when seen from elsewhere."""
    configure(world, timeZone="America/Chihuahua", workingHours=every_day("09:00", "17:00"))
    query = {"calendarIds": "C", "durationMinutes": "60"}
    there = available(world, from_="2030-01-13T00:00:00-06:00", to="2030-01-20T00:00:00-06:00", **query)
    seen = {
        slot
        for zone in ("Europe/Belgrade", "Pacific/Auckland", "Pacific/Pago_Pago")
        for slot in available(world, from_="2030-01-12T00:00", to="2030-01-22T00:00", timeZone=zone, **query)
        if slot in there
    }
    assert seen == set(there)
    assert len(there) == 7 * 8


def test_a_buffer_holds_before_what_was_booked_first(world: World) -> None:
    """SergeyMosin/Appointments 403, calcom/cal.diy 14868: times within the buffer of a booking could be booked."""
    configure(
        world, timeZone="UTC", workingHours=every_day("10:30", "18:00"), bufferMinutes={"before": 30, "after": 30}
    )
    assert world.book("16:00", "16:45")[0] == 201
    found = local_slots(world, "UTC", "2030-01-15T00:00", "2030-01-16T00:00", durationMinutes="30", stepMinutes="30")
    clocks = [slot[6:] for slot in found]
    assert "15:00" in clocks
    assert {"15:30", "16:00", "16:30", "17:00"}.isdisjoint(clocks)
    assert world.book("15:30", "16:00")[0] == 409
    assert world.book("17:00", "17:15")[0] == 409
    assert world.book("17:15", "17:30")[0] == 201


def test_a_buffer_is_part_of_the_usual_step(world: World) -> None:
    """calcom/cal.diy 24253: 20 minutes with a buffer of 5 were offered every 20 minutes."""
    configure(world, timeZone="UTC", workingHours=every_day("10:00", "12:00"), bufferMinutes={"after": 5})
    query = {"durationMinutes": "20", "stepMinutes": "25"}
    found = local_slots(world, "UTC", "2030-01-15T00:00", "2030-01-16T00:00", **query)
    assert [slot[6:] for slot in found] == ["10:00", "10:25", "10:50", "11:15", "11:40"]
    ends = ["10:20", "10:45", "11:10", "11:35", "12:00"]
    assert [world.book(slot[6:], end)[0] for slot, end in zip(found, ends, strict=True)] == [201] * 5


def test_what_runs_already_takes_its_time_until_it_ends(world: World) -> None:
    """SergeyMosin/Appointments 183: 105 minutes from 10:00 freed the slot of 11:00 once 10:00 was past."""
    configure(world, timeZone="UTC", workingHours=every_day("08:00", "18:00"), minNoticeMinutes=30)
    assert world.book("10:00", "11:45")[0] == 201
    world.now = datetime(2030, 1, 15, 10, 15, tzinfo=UTC)
    found = local_slots(world, "UTC", "2030-01-15T10:15", "2030-01-15T14:00", durationMinutes="45", stepMinutes="15")
    assert found[0] == "01-15 11:45"
    assert world.book("11:00", "11:45", user="C")[0] == 409


def test_the_last_slot_ends_with_the_hours(world: World) -> None:
    """calcom/cal.diy 7687, 2078: 90 minutes until 20:00 were offered up to 17:30, and with a buffer past the end."""
    configure(world, timeZone="Europe/Vienna", workingHours=every_day("09:30", "20:00"), bufferMinutes={"after": 15})
    query = {"durationMinutes": "90", "stepMinutes": "30"}
    found = local_slots(world, "Europe/Vienna", "2030-01-15T00:00", "2030-01-16T00:00", **query)
    assert (found[0][6:], found[-1][6:]) == ("09:30", "18:30")


def test_noon_is_noon(world: World) -> None:
    """meeting-room-booking-system/mrbs-code 280: what was booked for 12:00 to 13:00 was not shown."""
    status, noon = world.book("12:00", "13:00")
    assert status == 201
    query = {"userId": "C", "from": "2030-01-15T00:00:00Z", "to": "2030-01-16T00:00:00Z"}
    listed = world.request("GET", "/appointments", queryStringParameters=query)[2]["appointments"]
    assert [one["startTime"] for one in listed] == [noon["startTime"]] == ["2030-01-15T12:00:00Z"]
    assert world.book("12:00", "13:00")[0] == 409


def test_a_moved_appointment_reminds_of_its_new_time_only(world: World) -> None:
    """calcom/cal.diy 13238: who moved an appointment got the reminder of its old time."""
    _, visit = world.book("9:00", "10:00", reminders=["1h"])
    moved = {"startTime": "2030-01-16T09:00:00Z", "endTime": "2030-01-16T10:00:00Z"}
    assert world.request("PATCH", f"/appointments/{visit['appointmentId']}", moved)[0] == 200
    world.now = datetime(2030, 1, 15, 8, 30, tzinfo=UTC)
    world.sweep()
    assert world.inbox() == []
    world.now = datetime(2030, 1, 16, 8, 10, tzinfo=UTC)
    world.sweep()
    world.sweep()
    assert [json.loads(message["Message"])["startTime"] for message in world.inbox()] == ["2030-01-16T09:00:00Z"]


@pytest.mark.parametrize(
    ("start", "end"), [("2030-01-31", "2030-02-01"), ("2030-02-28", "2030-03-01"), ("2032-02-28", "2032-02-29")]
)
def test_the_last_day_of_a_month_is_there(world: World, start: str, end: str) -> None:
    configure(world, timeZone="America/Lima", workingHours=every_day("09:00", "11:00"), horizonDays=1000)
    counts = world.request(
        "GET",
        "/availability/days",
        queryStringParameters={
            "calendarIds": "C", "durationMinutes": "60", "timeZone": "America/Lima",
            "from": f"{start}T00:00", "to": f"{end}T23:59",
        },
    )  # fmt: skip
    assert [(day["date"], day["available"]) for day in counts[2]["days"]] == [(start, 2), (end, 2)]
    status, body = asked(world, calendarIds="C", durationMinutes="60", from_=f"{end}T00:00", to=f"{end}T23:59")
    assert status == 422, body  # a local time without a zone is named, not guessed
