"""No reminder is due in quiet hours: of a calendar, of a service, over midnight and over changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appointments.quiet_hours import QuietHours
from calendars import configure
from services import put_service, step

if TYPE_CHECKING:
    from world import World

BERLIN = {"timeZone": "Europe/Berlin", "quietHours": {"start": "21:00", "end": "08:00"}}
MOMENTS = st.integers(0, 420 * 24 * 60).map(
    lambda minutes: datetime(2029, 12, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
MINUTES = st.integers(0, 24 * 60 - 1)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])


def due(appointment: dict[str, Any]) -> list[str]:
    return [reminder["dueAt"] for reminder in appointment["reminders"]]


def book(world: World, start: str, *reminders: str, **more: Any) -> dict[str, Any]:
    status, body = world.book(start, f"{start[:2]}:55", user="anna", reminders=[*reminders], **more)
    assert status == 201, body
    return body


@pytest.mark.parametrize(
    ("start", "reminder", "sent"),
    [
        ("12:00", "1h", "2030-01-15T11:00:00Z"),
        ("12:00", "5h", "2030-01-15T07:00:00Z"),  # as they end: the end is not quiet
        ("12:00", "6h", "2030-01-15T07:00:00Z"),
        ("12:00", "16h", "2030-01-15T07:00:00Z"),  # their first minute
        ("12:00", "961m", "2030-01-14T19:59:00Z"),
        ("07:00", "1h", "2030-01-14T19:59:00Z"),  # it begins as they end
        ("05:00", "1h", "2030-01-14T19:59:00Z"),
        ("07:01", "1h", "2030-01-15T07:00:00Z"),
    ],
)
def test_a_reminder_is_sent_as_they_end_or_before_they_begin(
    world: World, start: str, reminder: str, sent: str
) -> None:
    configure(world, "anna", **BERLIN)
    assert due(book(world, start, reminder)) == [sent]


def test_the_timer_fires_when_the_reminder_is_sent(world: World) -> None:
    configure(world, "anna", **BERLIN)
    mine = book(world, "12:00", "6h")
    (fires,) = world.rules().values()
    assert fires == "cron(0 7 15 1 ? 2030)"
    # A move keeps the hours, also where the calendar has others by then.
    configure(world, "anna", timeZone="Europe/Berlin")
    change = {"startTime": "2030-01-15T05:00:00Z"}
    status, _, moved = world.request("PATCH", f"/appointments/{mine['appointmentId']}", change)
    assert (status, due(moved)) == (200, ["2030-01-14T19:59:00Z"])


def test_whose_hours_they_are(world: World) -> None:
    configure(world, "room", **BERLIN)
    configure(world, "lab", quietHours={"start": "00:00", "end": "03:00"})
    assert due(book(world, "10:00", "8h", resourceIds=["lab", "room"])) == ["2030-01-15T03:00:00Z"]
    assert due(book(world, "12:00", "6h", resourceIds=["room"])) == ["2030-01-15T07:00:00Z"]
    put_service(world, "visit", step(30, "room"), quietHours={"start": "05:00", "end": "06:30"})
    wanted = {"userId": "ben", "serviceId": "visit", "startTime": "2030-01-15T09:00:00Z", "reminders": ["5h", "4h"]}
    status, _, visit = world.request("POST", "/appointments", wanted)
    # 04:00 and 05:00 UTC are 05:00 and 06:00 on the clock of the room.
    assert (status, due(visit)) == (201, ["2030-01-15T05:30:00Z", "2030-01-15T05:30:00Z"])
    put_service(world, "call", step(30, "room"))
    status, _, call = world.request(
        "POST", "/appointments", wanted | {"serviceId": "call", "startTime": "2030-01-16T09:00:00Z"}
    )
    assert (status, due(call)) == (201, ["2030-01-16T07:00:00Z", "2030-01-16T07:00:00Z"])


def test_a_request_has_them_once_it_is_approved(world: World) -> None:
    configure(world, "room", **BERLIN, approval=True)
    asked = book(world, "12:00", "6h", resourceIds=["room"])
    path = f"/appointments/{asked['appointmentId']}"
    status, _, approved = world.request("PATCH", path, {"status": "scheduled"})
    assert (status, asked["reminders"], due(approved)) == (200, [], ["2030-01-15T07:00:00Z"])


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"start": "21:00"},
        {"start": "21:00", "end": "21:00"},
        {"start": "9:00", "end": "24:00"},
        {"start": 1, "end": 2},
    ]
    + [{"start": "21:00", "end": "08:00", "zone": "UTC"}],
)
def test_they_have_a_start_and_an_end(world: World, value: object) -> None:
    status, _, body = world.request("PUT", "/calendars/C", {"quietHours": value})
    message = 'must be like {"start": "21:00", "end": "08:00"}, and the two must differ'
    assert (status, body["errors"]) == (422, [{"field": "quietHours", "message": message}])


@given(start=MINUTES, end=MINUTES, zone=ZONES, due_at=MOMENTS, ahead=st.integers(1, 72 * 60))
def test_nothing_is_sent_in_them_nor_after_the_start(
    start: int, end: int, zone: str, due_at: datetime, ahead: int
) -> None:
    quiet = QuietHours(start, end, zone)
    if start == end:
        return
    begins = due_at + timedelta(minutes=ahead)
    sent = quiet.outside(due_at, begins)
    clock = sent.astimezone(ZoneInfo(zone))
    minute = clock.hour * 60 + clock.minute
    assert sent == due_at or sent < begins
    assert quiet.around(sent) is None or end - start in (1, 1 - 24 * 60)
    if sent == due_at:  # by the clock on the wall, without the module's own arithmetic
        assert not (start <= minute < end if start < end else minute >= start or minute < end) or _clock_changes(
            sent, zone
        )


def _clock_changes(moment: datetime, zone: str) -> bool:
    near = [(moment + timedelta(hours=hours)).astimezone(ZoneInfo(zone)).utcoffset() for hours in (-25, 25)]
    return near[0] != near[1]
