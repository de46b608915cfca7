"""Holds, requests, attendance and confirmations on moto: what the table of statuses promises, over HTTP."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from appointments.statuses import ONCE_BEGUN, Status
from support import api_event, inconsistencies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from world import World

    LogLines = Callable[[], list[dict[str, Any]]]

SLOT = ("11:30", "12:30")


@pytest.fixture(autouse=True)
def _consistent(world: World) -> Iterator[None]:
    """Whatever a test does, both tables agree afterwards."""
    yield
    assert inconsistencies(world.dynamodb, "AppointmentsTable", "CalendarsTable") == []


def hold(world: World, minutes: int = 10, **more: Any) -> dict[str, Any]:
    status, body = world.book(*SLOT, user="anna", resourceIds=["dr-lee"], hold={"minutes": minutes}, **more)
    assert status == 201
    return body


def ask(world: World, appointment: dict[str, Any], **change: Any) -> tuple[int, Any]:
    status, _, body = world.request("PATCH", f"/appointments/{appointment['appointmentId']}", change)
    return status, body


def names(lines: list[dict[str, Any]]) -> list[str]:
    return [line["event_type"] for line in lines if "event_type" in line]


def entries(world: World, calendar: str = "dr-lee") -> list[str]:
    days = [item for item in world.items("CalendarsTable") if item["calendarId"]["S"] == calendar]
    return sorted(name for item in days for name in item if name.startswith("a#"))


# --- holds -------------------------------------------------------------------------------------------


def test_a_hold_takes_its_time_until_it_expires(world: World, events_of: LogLines) -> None:
    held = hold(world)
    assert (held["status"], held["expiresAt"], held["reminders"]) == ("held", "2029-12-01T12:10:00Z", [])
    assert world.calls == ["TransactWriteItems"]
    assert world.book(*SLOT, user="ben", resourceIds=["dr-lee"])[0] == 409
    world.now += timedelta(minutes=10, seconds=4)
    assert world.book(*SLOT, user="ben", resourceIds=["dr-lee"])[0] == 409
    world.now += timedelta(seconds=1)
    assert world.book(*SLOT, user="ben", resourceIds=["dr-lee"])[0] == 201
    assert len(entries(world)) == 1  # the write removed the entry whose time was over
    assert names(events_of())[:2] == ["APPOINTMENT_HELD", "BOOKING_CONFLICT"]


def test_a_hold_that_is_confirmed_is_booked_and_reminds(world: World, events_of: LogLines) -> None:
    held = hold(world)
    status, booked = ask(world, held, status="scheduled", details={"title": "Check-up"})
    assert (status, booked["status"], booked["version"]) == (200, "scheduled", 2)
    assert "expiresAt" not in booked
    assert [reminder["offset"] for reminder in booked["reminders"]] == ["24h", "1h"]
    assert booked["details"] == {"title": "Check-up"}
    assert names(events_of()) == ["APPOINTMENT_HELD", "BOOKING_SUCCESS", *2 * ["REMINDER_SCHEDULED"]]
    world.now += timedelta(minutes=11)
    assert world.book(*SLOT, user="ben", resourceIds=["dr-lee"])[0] == 409
    assert ask(world, held, status="scheduled") == (200, booked)


@pytest.mark.parametrize(("minutes", "code"), [(9, 200), (10, 422), (24 * 60, 422)])
def test_a_hold_that_has_expired_is_not_booked_in_the_past(world: World, minutes: int, code: int) -> None:
    world.now = datetime.fromisoformat("2030-01-15T11:29:00Z")
    held = hold(world)
    world.now += timedelta(minutes=minutes)
    status, answer = ask(world, held, status="scheduled")
    assert status == code
    if code == 422:
        assert [fault["field"] for fault in answer["errors"]] == ["startTime"]
        assert ask(world, held, status="cancelled")[0] == 200


def test_a_hold_that_is_confirmed_late_is_decided_anew(world: World) -> None:
    held = hold(world)
    world.now += timedelta(minutes=30)
    assert ask(world, held, status="scheduled")[0] == 200
    held = world.book("13:00", "14:00", user="anna", resourceIds=["dr-lee"], hold={"minutes": 1})[1]
    world.now += timedelta(minutes=2)
    assert world.book("13:30", "14:30", user="ben", resourceIds=["dr-lee"])[0] == 201
    status, refusal = ask(world, held, status="scheduled")
    assert (status, refusal["type"]) == (409, "/docs#conflict")
    assert [conflict["calendarId"] for conflict in refusal["conflicts"]] == ["dr-lee"]
    assert refusal["alternatives"]


def test_a_late_confirmation_breaks_no_rule_that_was_made_meanwhile(world: World) -> None:
    held = hold(world)
    world.request("PUT", "/calendars/dr-lee", {"workingHours": {}})
    assert ask(world, held, status="scheduled")[0] == 200  # in time: what it has is not judged again
    held = world.book("13:00", "14:00", user="anna", hold={"minutes": 1})[1]
    world.request("PUT", "/calendars/anna", {"workingHours": {}})
    world.now += timedelta(minutes=2)
    status, refusal = ask(world, held, status="scheduled")
    assert (status, refusal["errors"][0]["rule"]) == (422, "workingHours")


def test_the_sweep_says_that_a_hold_has_expired(world: World, events_of: LogLines) -> None:
    held = hold(world)
    world.now += timedelta(minutes=10, seconds=4)
    world.sweep()
    assert world.request("GET", f"/appointments/{held['appointmentId']}")[2]["status"] == "held"
    world.now += timedelta(seconds=1)
    world.sweep()
    expired = world.request("GET", f"/appointments/{held['appointmentId']}")[2]
    assert (expired["status"], expired["expiresAt"], expired["version"]) == ("expired", held["expiresAt"], 2)
    assert "APPOINTMENT_EXPIRED" in names(events_of())
    world.sweep()
    assert world.items("AppointmentsTable")[0]["version"] == {"N": "2"}
    assert "nextReminderAt" not in world.items("AppointmentsTable")[0]
    for change in ({"status": "scheduled"}, {"status": "cancelled"}):
        assert ask(world, held, **change)[1]["allowed"] == []
    status, refusal = ask(world, held, startTime="2030-01-15T13:00:00Z")
    assert (status, refusal["type"]) == (409, "/docs#appointment-ended")
    status, emptied = ask(world, held, details={})
    assert (status, emptied["status"], emptied["expiresAt"]) == (200, "expired", held["expiresAt"])


def test_an_expired_hold_can_only_be_confirmed_or_cancelled(world: World) -> None:
    held = hold(world)
    world.now += timedelta(minutes=10)
    assert ask(world, held, startTime="2030-01-15T13:00:00Z")[0] == 409
    assert ask(world, held, status="cancelled")[0] == 200


def test_a_hold_that_is_moved_keeps_its_expiry(world: World) -> None:
    held = hold(world)
    status, moved = ask(world, held, startTime="2030-01-15T13:00:00Z")
    assert (status, moved["status"], moved["expiresAt"], moved["reminders"]) == (200, "held", held["expiresAt"], [])
    assert world.book(*SLOT, user="ben", resourceIds=["dr-lee"])[0] == 201


def test_a_hold_that_is_cancelled_is_free_at_once(world: World, events_of: LogLines) -> None:
    held = hold(world)
    assert world.request("DELETE", f"/appointments/{held['appointmentId']}")[0] == 200
    assert world.book(*SLOT, user="ben", resourceIds=["dr-lee"])[0] == 201
    assert names(events_of())[:2] == ["APPOINTMENT_HELD", "APPOINTMENT_CANCELLED"]


def test_a_hold_is_idempotent_by_its_key(world: World) -> None:
    first, second = (
        world.request(
            "POST",
            "/appointments",
            {"userId": "a", "startTime": "2030-01-15T09:00Z", "endTime": "2030-01-15T10:00Z", "hold": {"minutes": 5}},
            headers={"Idempotency-Key": "one"},
        )
        for _ in range(2)
    )
    assert first == second
    assert len(world.items("AppointmentsTable")) == 1


def test_a_dry_run_of_a_hold_writes_nothing(world: World) -> None:
    body = {"userId": "a", "startTime": "2030-01-15T09:00Z", "endTime": "2030-01-15T10:00Z", "hold": {"minutes": 5}}
    status, _, held = world.request("POST", "/appointments", body, queryStringParameters={"dryRun": "true"})
    assert (status, held["status"], world.items("AppointmentsTable")) == (200, "held", [])


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"minutes": 0}, "hold.minutes"),
        ({"minutes": 61}, "hold.minutes"),
        ({"minutes": "5"}, "hold.minutes"),
        ({"minutes": 5, "x": 1}, "hold"),
        ({}, "hold"),
        (5, "hold"),
        (None, "hold"),
    ],
)
def test_a_faulty_hold_is_named(world: World, value: object, field: str) -> None:
    status, refusal = world.book(*SLOT, hold=value)
    assert (status, [fault["field"] for fault in refusal["errors"]]) == (422, [field])
    assert world.calls == []


def test_expired_entries_leave_the_day_ten_at_a_time(world: World) -> None:
    world.request("PUT", "/calendars/dr-lee", {"capacity": 20})
    for number in range(12):
        assert world.book(*SLOT, user=f"p{number}", resourceIds=["dr-lee"], hold={"minutes": 1})[0] == 201
    world.now += timedelta(minutes=2)
    left = []
    for number in range(3):
        assert world.book(f"11:{30 + 5 * number}", f"11:{35 + 5 * number}", resourceIds=["dr-lee"])[0] == 201
        left.append(len(entries(world)))
    assert left == [12 + 1 - 10, 2, 3]


def test_a_list_of_the_calendar_leaves_out_what_has_run_out(world: World) -> None:
    hold(world)
    query = {"calendarId": "dr-lee", "from": "2030-01-15T00:00Z", "to": "2030-01-16T00:00Z"}
    assert [
        one["status"] for one in world.request("GET", "/appointments", queryStringParameters=query)[2]["appointments"]
    ] == ["held"]
    world.now += timedelta(minutes=11)
    assert world.request("GET", "/appointments", queryStringParameters=query)[2]["appointments"] == []


def test_availability_offers_what_has_run_out(world: World) -> None:
    hold(world)
    query = {
        "calendarIds": "dr-lee",
        "from": "2030-01-15T11:30Z",
        "to": "2030-01-15T12:30Z",
        "durationMinutes": "60",
        "stepMinutes": "30",
    }
    assert world.request("GET", "/availability", queryStringParameters=query)[2]["available"] == []
    world.now += timedelta(minutes=11)
    assert len(world.request("GET", "/availability", queryStringParameters=query)[2]["available"]) == 1


# --- requests ----------------------------------------------------------------------------------------


@pytest.fixture
def requested(world: World) -> dict[str, Any]:
    world.request("PUT", "/calendars/dr-lee", {"approval": True})
    status, body = world.book(*SLOT, user="anna", resourceIds=["dr-lee"])
    assert status == 201
    return body


def test_a_request_takes_its_time_and_does_not_remind(world: World, requested: dict[str, Any]) -> None:
    assert (requested["status"], requested["reminders"]) == ("requested", [])
    assert world.book(*SLOT, user="ben", resourceIds=["dr-lee"])[0] == 409


def test_a_request_that_is_approved_reminds(world: World, requested: dict[str, Any], events_of: LogLines) -> None:
    status, approved = ask(world, requested, status="scheduled")
    assert (status, approved["status"]) == (200, "scheduled")
    assert [reminder["state"] for reminder in approved["reminders"]] == ["pending", "pending"]
    assert names(events_of()) == ["APPOINTMENT_APPROVED", *2 * ["REMINDER_SCHEDULED"]]


def test_a_request_that_is_declined_is_free(world: World, requested: dict[str, Any], events_of: LogLines) -> None:
    assert ask(world, requested, status="declined")[1]["status"] == "declined"
    assert world.book(*SLOT, user="ben", resourceIds=["dr-lee"])[0] == 201
    assert ask(world, requested, status="scheduled")[1]["allowed"] == []
    assert names(events_of())[0] == "APPOINTMENT_DECLINED"


@pytest.mark.parametrize("status", ["completed", "no_show"])
def test_what_has_been_keeps_its_time_and_calendars(world: World, status: str) -> None:
    booked = world.book(*SLOT, user="anna", resourceIds=["dr-lee"])[1]
    world.now = datetime.fromisoformat("2030-01-15T11:45:00Z")
    later = {"startTime": "2030-01-16T11:30:00Z", "endTime": "2030-01-16T12:30:00Z"}
    changes: list[dict[str, Any]] = [
        {"startTime": later["startTime"]},
        later,
        {"endTime": later["endTime"]},
        {"resourceIds": ["dr-kim"]},
    ]
    for more in ({"status": status}, {}):
        for change in changes:
            code, refusal = ask(world, booked, **change, **more)
            assert (code, {fault["field"] for fault in refusal["errors"]}) == (422, set(change)), change
        code, same = ask(world, booked, endTime=booked["endTime"], resourceIds=["dr-lee"], status=status)
        assert (code, same["status"]) == (200, status)
    assert ask(world, booked, status="scheduled", **later)[1]["startTime"] == later["startTime"]


def test_any_of_asks_for_approval_only_where_the_calendar_does(world: World) -> None:
    world.request("PUT", "/calendars/a", {"approval": True})
    chosen = {
        body["assignedCalendarId"]: body["status"]
        for number in range(2)
        if (body := world.book(*SLOT, user=f"u{number}", anyOf=["a", "b"])[1])
    }
    assert chosen == {"a": "requested", "b": "scheduled"}


def test_a_calendar_that_asks_for_approval_accepts_no_hold(world: World) -> None:
    world.request("PUT", "/calendars/dr-lee", {"approval": True})
    status, refusal = world.book(*SLOT, resourceIds=["dr-lee"], hold={"minutes": 5})
    (fault,) = refusal["errors"]
    assert (status, fault["field"], fault["rule"], fault["calendarId"]) == (422, "hold", "approval", "dr-lee")
    assert world.items("AppointmentsTable") == []


@pytest.mark.parametrize("status", ["scheduled", "arrived"])
def test_what_is_booked_gets_no_calendar_that_asks_for_approval(world: World, status: str) -> None:
    world.request("PUT", "/calendars/dr-lee", {"approval": True})
    booked = world.book(*SLOT, user="anna", resourceIds=["room-1"])[1]
    for more in ({"status": status}, {}):
        code, refusal = ask(world, booked, resourceIds=["room-1", "dr-lee"], **more)
        (fault,) = refusal["errors"]
        assert (code, fault["field"], fault["rule"], fault["calendarId"]) == (422, "resourceIds", "approval", "dr-lee")
        ask(world, booked, status=status)
    assert entries(world) == []
    assert ask(world, booked, resourceIds=["room-2"])[1]["status"] == status


def test_what_was_approved_is_moved_on_the_calendars_that_it_has(world: World, requested: dict[str, Any]) -> None:
    ask(world, requested, status="scheduled")
    start = {"startTime": "2030-01-15T13:30:00Z"}
    assert ask(world, requested, **start, resourceIds=["dr-lee", "room-1"])[1]["status"] == "scheduled"
    assert ask(world, requested, status="cancelled", resourceIds=["room-1"])[1]["status"] == "cancelled"


@pytest.mark.parametrize("more", [{}, {"status": "scheduled"}])
def test_a_hold_gets_no_calendar_that_asks_for_approval(world: World, more: dict[str, Any]) -> None:
    world.request("PUT", "/calendars/room-1", {"approval": True})
    held = hold(world)
    status, refusal = ask(world, held, resourceIds=["dr-lee", "room-1"], **more)
    (fault,) = refusal["errors"]
    assert (status, fault["field"], fault["rule"], fault["calendarId"]) == (422, "resourceIds", "approval", "room-1")
    assert entries(world, "room-1") == []
    assert ask(world, held, resourceIds=["room-1"], status="cancelled")[1]["status"] == "cancelled"


def test_a_request_gets_a_calendar_that_asks_and_waits_on(world: World, requested: dict[str, Any]) -> None:
    world.request("PUT", "/calendars/room-1", {"approval": True})
    assert ask(world, requested, resourceIds=["dr-lee", "room-1"])[1]["status"] == "requested"
    assert ask(world, requested, status="scheduled")[1]["status"] == "scheduled"


def test_any_of_holds_a_calendar_that_takes_holds(world: World) -> None:
    world.request("PUT", "/calendars/dr-lee", {"approval": True})
    asked: dict[str, Any] = {"anyOf": ["dr-lee", "dr-kim"], "hold": {"minutes": 5}}
    status, held = world.book(*SLOT, user="anna", **asked)
    assert (status, held.get("status"), held.get("assignedCalendarId")) == (201, "held", "dr-kim")
    status, refusal = world.book(*SLOT, user="ben", **asked)
    assert status == 409
    assert [conflict["calendarId"] for conflict in refusal["conflicts"]] == ["dr-kim"]
    assert [(fault["field"], fault["rule"], fault["calendarId"]) for fault in refusal["errors"]] == [
        ("hold", "approval", "dr-lee")
    ]
    world.request("PUT", "/calendars/cem", {"approval": True})
    status, refusal = world.book(*SLOT, user="cem", **asked)
    assert (status, [fault["calendarId"] for fault in refusal["errors"]]) == (422, ["cem", "dr-lee"])


@pytest.mark.parametrize("value", [1, "true", None])
def test_approval_is_true_or_false(world: World, value: object) -> None:
    status, _, refusal = world.request("PUT", "/calendars/dr-lee", {"approval": value})
    assert (status, refusal["errors"][0]["field"]) == (422, "approval")


# --- attendance --------------------------------------------------------------------------------------


@pytest.fixture
def booked(world: World) -> dict[str, Any]:
    status, body = world.book(*SLOT, user="anna", resourceIds=["dr-lee"])
    assert status == 201
    return body


def test_a_day_at_the_desk(world: World, booked: dict[str, Any], events_of: LogLines) -> None:
    world.now += timedelta(days=44, hours=23, minutes=15)  # 2030-01-15T11:15
    status, arrived = ask(world, booked, status="arrived")
    assert (status, arrived["status"]) == (200, "arrived")
    status, refusal = ask(world, booked, status="no_show")
    assert (status, refusal["type"], refusal["allowed"]) == (
        409,
        "/docs#invalid-transition",
        ["scheduled", "cancelled"],
    )
    world.now += timedelta(minutes=20)
    assert ask(world, booked, status="completed")[1]["status"] == "completed"
    assert ask(world, booked, status="cancelled")[1]["allowed"] == ["arrived", "scheduled"]
    assert world.request("DELETE", f"/appointments/{booked['appointmentId']}")[0] == 409
    assert world.book(*SLOT, user="ben", resourceIds=["dr-lee"])[0] == 422  # it is past
    assert [name for name in names(events_of()) if name.startswith("APPOINTMENT")] == [
        "APPOINTMENT_ARRIVED",
        "APPOINTMENT_COMPLETED",
    ]


def test_reminders_stop_when_the_person_arrives_and_go_on_after_a_slip(world: World, booked: dict[str, Any]) -> None:
    arrived = ask(world, booked, status="arrived")[1]
    assert [reminder["state"] for reminder in arrived["reminders"]] == ["skipped", "skipped"]
    assert len(world.rules()) == 0
    again = ask(world, booked, status="scheduled")[1]
    assert [reminder["state"] for reminder in again["reminders"]] == ["pending", "pending"]
    assert len(world.rules()) == 2


@pytest.mark.parametrize("wanted", [status for status in Status if status is not Status.SCHEDULED])
def test_every_transition_is_in_the_table_or_refused(world: World, booked: dict[str, Any], wanted: Status) -> None:
    status, body = ask(world, booked, status=wanted.value)
    if Status.SCHEDULED.may_become(wanted) and wanted not in ONCE_BEGUN:
        assert (status, body["status"]) == (200, wanted)
    else:
        assert (status, body["allowed"]) == (409, ["arrived", "cancelled"])


def test_the_status_that_it_has_changes_nothing(world: World, booked: dict[str, Any]) -> None:
    world.calls.clear()
    assert ask(world, booked, status="scheduled") == (200, booked)
    assert world.calls == ["GetItem"]
    assert ask(world, booked, status="scheduled", details={"a": 1})[1]["version"] == 2


def test_an_unknown_status_is_a_fault(world: World, booked: dict[str, Any]) -> None:
    status, refusal = ask(world, booked, status="gone", confirmed="yes")
    assert (status, [fault["field"] for fault in refusal["errors"]]) == (422, ["status", "confirmed"])


def test_an_appointment_with_a_status_of_another_version_is_read_and_left_alone(
    world: World, booked: dict[str, Any]
) -> None:
    def set_status(name: str) -> None:
        (item,) = world.items("AppointmentsTable")
        world.dynamodb.put_item(TableName="AppointmentsTable", Item=item | {"status": {"S": name}})

    def shown(method: str, path: str, body: object = None, **more: Any) -> tuple[int, Any]:
        """Without the contract, which lists the statuses of this version."""
        answer = world.api.handle(api_event(method, path, body, **more))
        return answer["statusCode"], json.loads(answer["body"])

    path = f"/appointments/{booked['appointmentId']}"
    set_status("offered")
    (before,) = world.items("AppointmentsTable")
    assert shown("GET", path) == (200, booked | {"status": "offered"})
    (listed,) = shown("GET", "/appointments", queryStringParameters={"userId": "anna"})[1]["appointments"]
    assert listed["status"] == "offered"
    assert world.book(*SLOT, user="ben", resourceIds=["dr-lee"])[0] == 409
    assert world.request("DELETE", path)[0] == 409
    assert (ask(world, booked, status="scheduled")[0], ask(world, booked, startTime="2030-01-15T15:00:00Z")[0]) == (
        409,
        409,
    )
    world.fire(booked)
    for _ in range(3):
        world.now += timedelta(minutes=5)
        world.sweep()
    assert (world.inbox(), world.items("AppointmentsTable")) == ([], [before])
    status, changed = shown("PATCH", path, {"details": {"title": "New"}})
    assert (status, changed["status"], changed["details"]) == (200, "offered", {"title": "New"})
    set_status("scheduled")
    world.sweep()
    assert len(world.inbox()) == 2


# --- confirmations -----------------------------------------------------------------------------------


def test_a_person_confirms_and_a_move_withdraws_it(world: World, booked: dict[str, Any], events_of: LogLines) -> None:
    confirmed = ask(world, booked, confirmed=True)[1]
    assert (confirmed["confirmedAt"], confirmed["version"]) == ("2029-12-01T12:00:00Z", 2)
    world.now += timedelta(minutes=1)
    assert ask(world, booked, confirmed=True) == (200, confirmed)
    assert ask(world, booked, details={})[1]["confirmedAt"] == "2029-12-01T12:00:00Z"
    assert "confirmedAt" not in ask(world, booked, startTime="2030-01-15T13:00:00Z")[1]
    assert "confirmedAt" in ask(world, booked, confirmed=True)[1]
    assert "confirmedAt" not in ask(world, booked, confirmed=False)[1]
    assert names(events_of()).count("APPOINTMENT_CONFIRMED") == 2


def test_what_was_cancelled_cannot_be_confirmed(world: World, booked: dict[str, Any]) -> None:
    ask(world, booked, status="cancelled")
    status, refusal = ask(world, booked, confirmed=True)
    assert (status, refusal["type"]) == (409, "/docs#appointment-cancelled")
