"""A government changes the rules of a zone: what was given in local time keeps its time on the wall."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta
from importlib import resources
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from appointments.telemetry import logger
from appointments.times import InvalidTimeError, load_zone
from ops import retime as tool
from ops.retime import Report, retime, same_zone
from support import inconsistencies
from world import KilledError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from world import World

    NewRules = Callable[..., None]

ZONE = "America/New_York"


@pytest.fixture
def new_rules(tmp_path: Path) -> Iterator[NewRules]:
    """Give New York, or the zones of these names, the rules of another zone from now on."""

    def decree(model: str, *names: str) -> None:
        rules = resources.files("tzdata").joinpath("zoneinfo", *model.split("/")).read_bytes()
        for name in names or (ZONE,):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(rules)
        zoneinfo.reset_tzpath(to=[str(tmp_path)])
        forget()

    def forget() -> None:
        zoneinfo.ZoneInfo.clear_cache()
        load_zone.cache_clear()

    yield decree
    zoneinfo.reset_tzpath()
    forget()


def local(world: World, start: str, end: str, user: str = "anna", **more: Any) -> dict[str, Any]:
    """Book by the clock on the wall in New York, `HH:MM` on 2030-01-15 or a whole local time."""
    times = [f"2030-01-15T{text}:00" if len(text) == 5 else text for text in (start, end)]
    status, body = world.book(times[0], times[1], user=user, **({"timeZone": ZONE} | more))
    assert status == 201, body
    return body


def start_of(world: World, body: dict[str, Any]) -> str:
    return str(world.request("GET", f"/appointments/{body['appointmentId']}")[2]["startTime"])


def item_of(world: World, body: dict[str, Any]) -> dict[str, Any]:
    (item,) = (i for i in world.items("AppointmentsTable") if i["appointmentId"]["S"] == body["appointmentId"])
    return item


def wall_of(world: World, body: dict[str, Any]) -> tuple[str, str] | None:
    item = item_of(world, body)
    return (item["wallStart"]["S"], item["wallEnd"]["S"]) if "wallStart" in item else None


def patch(world: World, body: dict[str, Any], change: dict[str, Any]) -> None:
    status, _, answer = world.request("PATCH", f"/appointments/{body['appointmentId']}", change)
    assert status == 200, answer


def test_local_times_keep_their_place_on_the_wall(world: World, new_rules: NewRules) -> None:
    morning = local(world, "09:00", "10:30")
    given_by_offset = local(world, "2030-01-15T15:00:00-05:00", "2030-01-15T16:00:00-05:00")
    elsewhere = local(world, "18:00", "19:00", timeZone="America/Chicago")
    summer = local(world, "2030-07-15T09:00:00", "2030-07-15T10:00:00")
    new_rules("Etc/GMT+4")  # summer time all year
    report = retime(world.api, ZONE)
    assert ([move.appointment.appointment_id for move in report.moved], report.refused, report.unchanged) == (
        [morning["appointmentId"]],
        [],
        1,
    )
    assert start_of(world, morning) == "2030-01-15T13:00:00Z"
    assert [start_of(world, body) for body in (given_by_offset, elsewhere, summer)] == [
        body["startTime"] for body in (given_by_offset, elsewhere, summer)
    ]
    id_ = morning["appointmentId"]
    assert world.rules()[f"appointment-reminder-1h-{id_}"] == "cron(0 12 15 1 ? 2030)"
    assert item_of(world, morning)["version"]["N"] == "2"
    assert wall_of(world, morning) == ("2030-01-15T09:00:00", "2030-01-15T10:30:00")
    assert inconsistencies(world.dynamodb, "AppointmentsTable", "CalendarsTable") == []


def dues(world: World, body: dict[str, Any]) -> dict[str, str]:
    found = world.request("GET", f"/appointments/{body['appointmentId']}")[2]["reminders"]
    return {one["offset"]: one["dueAt"] for one in found}


def test_a_reminder_of_the_day_before_follows_its_own_days_rules(
    world: World, new_rules: NewRules, capsys: pytest.CaptureFixture[str]
) -> None:
    # Monday after the clock went forward: the appointment is in summer time, and two days before was not.
    body = local(world, "2030-03-11T09:00:00", "2030-03-11T10:00:00", reminders=["2d", "1d", "1h"])
    assert dues(world, body) == {
        "2d": "2030-03-09T14:00:00Z",
        "1d": "2030-03-10T13:00:00Z",
        "1h": "2030-03-11T12:00:00Z",
    }
    new_rules("Etc/GMT+4")  # summer time all year: the appointment lies right, and the 9th has another offset
    report = retime(world.api, ZONE)
    assert (report.moved, report.refused, report.unchanged, report.replanned) == ([], [], 0, 1)
    assert dues(world, body) == {
        "2d": "2030-03-09T13:00:00Z",
        "1d": "2030-03-10T13:00:00Z",
        "1h": "2030-03-11T12:00:00Z",
    }
    id_ = body["appointmentId"]
    assert world.rules()[f"appointment-reminder-2d-{id_}"] == "cron(0 13 9 3 ? 2030)"
    item = item_of(world, body)
    assert (item["version"]["N"], start_of(world, body)) == ("2", body["startTime"])
    assert str(report) == "0 moved, 0 not moved, 0 lie right already, 1 with other times of reminders"
    assert f"reminders  {id_}: 2d 2030-03-09T14:00:00Z" in capsys.readouterr().out
    again = retime(world.api, ZONE)
    assert (again.unchanged, again.replanned) == (1, 0)
    assert item_of(world, body) == item


@pytest.mark.parametrize("gone", [False, True])
def test_what_others_change_meanwhile_is_left_to_the_next_run(world: World, new_rules: NewRules, gone: bool) -> None:
    body = local(world, "2030-03-11T09:00:00", "2030-03-11T10:00:00", reminders=["2d"])
    new_rules("Etc/GMT+4")
    (found,) = world.api.storage.appointments.given_in_local_time([ZONE], world.now)
    patch(world, body, {"details": {"title": "x"}})
    if gone:
        key = {"appointmentId": {"S": body["appointmentId"]}}
        world.dynamodb.delete_item(TableName="AppointmentsTable", Key=key)
    report = Report()
    assert tool._with_reminders_placed(world.api, found, report) is None
    assert (len(report.refused), report.replanned) == (1, 0)
    assert retime(world.api, ZONE).replanned == (0 if gone else 1)


def test_an_end_alone_is_placed_too(world: World, new_rules: NewRules) -> None:
    """The clock would have gone back in the night: the start lies right, and the end is an hour too late."""
    body = local(world, "2030-11-02T20:00:00", "2030-11-03T06:00:00")
    assert body["endTime"] == "2030-11-03T11:00:00Z"
    new_rules("Etc/GMT+4")
    report = retime(world.api, ZONE)
    assert (len(report.moved), report.refused, report.unchanged) == (1, [], 0)
    assert world.request("GET", f"/appointments/{body['appointmentId']}")[2]["endTime"] == "2030-11-03T10:00:00Z"


@pytest.mark.parametrize("at", ["2030-03-09T13:30:00", "2030-03-09T14:00:00"])
def test_a_reminder_that_is_due_by_either_rules_is_left_to_its_timer(
    world: World, new_rules: NewRules, at: str
) -> None:
    body = local(world, "2030-03-11T09:00:00", "2030-03-11T10:00:00", reminders=["2d", "1h"])
    new_rules("Etc/GMT+4")
    world.now = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert (retime(world.api, ZONE).unchanged, dues(world, body)["2d"]) == (1, "2030-03-09T14:00:00Z")


@pytest.mark.parametrize("asked", [ZONE, "US/Eastern"])
def test_every_name_of_the_zone_is_meant(
    world: World, new_rules: NewRules, asked: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names = (ZONE, "US/Eastern")
    bodies = [local(world, "09:00", "10:00", user=f"user-{n}", timeZone=name) for n, name in enumerate(names)]
    other = local(world, "09:00", "10:00", user="elsewhere", timeZone="America/Toronto")
    new_rules("Etc/GMT+4", *names)
    report = retime(world.api, asked)
    assert {move.appointment.appointment_id for move in report.moved} == {body["appointmentId"] for body in bodies}
    assert [start_of(world, body) for body in bodies] == ["2030-01-15T13:00:00Z"] * 2
    assert start_of(world, other) == other["startTime"]
    told = capsys.readouterr().out
    assert all(f"moved      {body['appointmentId']}" in told for body in bodies)


def test_the_names_of_a_zone() -> None:
    assert {ZONE, "US/Eastern"} <= set(same_zone("US/Eastern")) == set(same_zone(ZONE))
    assert "America/Chicago" not in same_zone(ZONE)
    assert {"UTC", "Etc/UTC", "Zulu"} <= set(same_zone("UTC"))
    assert same_zone("Asia/Tokyo") == ["Asia/Tokyo", "Japan"]
    with pytest.raises(InvalidTimeError):
        same_zone("Mars/Olympus")


def test_what_is_broken_off_tells_what_it_has_moved(world: World, new_rules: NewRules) -> None:
    for hour in (9, 10, 11):
        local(world, f"{hour:02}:00", f"{hour + 1:02}:00", user=f"user-{hour}")
    new_rules("Etc/GMT+4")
    world.dying("TransactWriteItems", after=False, nth=3)
    report = Report()
    with pytest.raises(KilledError):
        retime(world.api, ZONE, report)
    assert len(report.moved) == 2


def test_twice_moves_nothing_twice(world: World, new_rules: NewRules) -> None:
    local(world, "09:00", "10:00")
    new_rules("Etc/GMT+4")
    assert len(retime(world.api, ZONE).moved) == 1
    again = retime(world.api, ZONE)
    assert (again.moved, again.refused, again.unchanged) == ([], [], 1)


@pytest.mark.parametrize("model", ["Etc/GMT+4", "Etc/GMT+6"])
def test_neighbours_move_together(world: World, new_rules: NewRules, model: str) -> None:
    for hour in range(9, 15):
        local(world, f"{hour:02}:00", f"{hour + 1:02}:00", resourceIds=["room"])
    new_rules(model)
    report = retime(world.api, ZONE)
    assert (len(report.moved), report.refused) == (6, [])
    assert inconsistencies(world.dynamodb, "AppointmentsTable", "CalendarsTable") == []


def test_a_new_conflict_is_reported_and_stays_where_it_was(
    world: World, new_rules: NewRules, capsys: pytest.CaptureFixture[str]
) -> None:
    here = local(world, "09:00", "10:00", user="anna", resourceIds=["room"])
    there = local(world, "2030-01-15T13:30:00Z", "2030-01-15T14:00:00Z", user="ben", resourceIds=["room"])
    new_rules("Etc/GMT+4")
    report = retime(world.api, ZONE)
    (line,) = report.refused
    assert here["appointmentId"] in line
    assert "room is taken from 2030-01-15T13:30:00Z" in line
    assert there["appointmentId"] not in line
    assert start_of(world, here) == "2030-01-15T14:00:00Z"
    assert str(report) == "0 moved, 1 not moved, 0 lie right already"
    assert capsys.readouterr().out == f"not moved  {line}\n"
    patch(world, there, {"startTime": "2030-01-15T20:00:00Z"})
    assert len(retime(world.api, ZONE).moved) == 1


def test_a_time_that_the_clock_now_skips_is_reported(world: World, new_rules: NewRules) -> None:
    body = local(world, "2030-03-10T03:30:00", "2030-03-10T04:00:00")
    # Lisbon's clock goes forward at 1:00, on 2030-03-31; New York's own did at 2:00 on the 10th.
    at_one = local(world, "2030-03-31T01:30:00", "2030-03-31T02:00:00")
    new_rules("Europe/Lisbon")
    report = retime(world.api, ZONE)
    assert [move.appointment.appointment_id for move in report.moved] == [body["appointmentId"]]
    (line,) = report.refused
    assert line.startswith(f"{at_one['appointmentId']}: does not exist in {ZONE}")


def test_what_a_calendars_own_rules_refuse_is_reported(world: World, new_rules: NewRules) -> None:
    local(world, "09:00", "10:00", user="anna")
    world.request(
        "PUT", "/calendars/anna", {"timeZone": "UTC", "workingHours": {"tuesday": [{"start": "13:30", "end": "17:00"}]}}
    )
    new_rules("Etc/GMT+4")
    report = retime(world.api, ZONE)
    assert report.moved == []
    assert len(report.refused) == 1


def test_cancelled_and_past_ones_are_left_alone(world: World, new_rules: NewRules) -> None:
    gone = local(world, "09:00", "10:00")
    world.request("DELETE", f"/appointments/{gone['appointmentId']}")
    local(world, "2029-12-02T09:00:00", "2029-12-02T10:00:00")
    world.now = world.now.replace(month=12, day=3)
    new_rules("Etc/GMT+4")
    assert retime(world.api, ZONE) == Report()


@pytest.mark.parametrize("status", ["held", "requested", "arrived"])
def test_whatever_takes_time_is_placed_anew(world: World, new_rules: NewRules, status: str) -> None:
    world.request("PUT", "/calendars/anna", {"approval": status == "requested"})
    more: dict[str, Any] = {"hold": {"minutes": 30}} if status == "held" else {}
    body = local(world, "09:00", "10:00", **more)
    if status == "arrived":
        patch(world, body, {"status": "arrived"})
    new_rules("Etc/GMT+4")
    report = retime(world.api, ZONE)
    assert (len(report.moved), report.refused) == (1, [])
    after = world.request("GET", f"/appointments/{body['appointmentId']}")[2]
    assert (after["startTime"], after["status"]) == ("2030-01-15T13:00:00Z", status)
    assert inconsistencies(world.dynamodb, "AppointmentsTable", "CalendarsTable") == []


def test_a_hold_that_has_run_out_is_left_alone(world: World, new_rules: NewRules) -> None:
    local(world, "09:00", "10:00", hold={"minutes": 30})
    world.now += timedelta(minutes=31)
    new_rules("Etc/GMT+4")
    assert retime(world.api, ZONE) == Report()


def test_blocks_are_listed_for_people_to_decide(
    world: World, new_rules: NewRules, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def block(day: int, zone: str = ZONE) -> str:
        times = {"startTime": f"2030-01-{day}T09:00:00", "endTime": f"2030-01-{day}T10:00:00", "timeZone": zone}
        return str(world.request("POST", "/calendars/anna/blocks", times)[2]["blockId"])

    here, removed, _ = block(15), block(16), block(17, "America/Chicago")
    world.request("DELETE", f"/calendars/anna/blocks/{removed}")
    local(world, "12:00", "13:00")
    new_rules("Etc/GMT+4")
    monkeypatch.setattr("ops.retime.Stack.find", lambda _: SimpleNamespace(environment=lambda _: {}))
    monkeypatch.setattr("ops.retime.Settings.from_env", lambda _: None)
    monkeypatch.setattr(tool, "api_of", lambda _: world.api)
    monkeypatch.setattr(logger, "setLevel", lambda _: None)  # the tests that follow read the log
    monkeypatch.setattr(tool, "datetime", SimpleNamespace(now=lambda _: world.now))
    assert tool.main([ZONE, "appointments-test"]) == 1
    told = capsys.readouterr().out
    utc = "2030-01-15T14:00:00Z to 2030-01-15T15:00:00Z"
    assert [line for line in told.splitlines() if line.startswith("block ")] == [
        f"block      {here} of anna: {utc}, on the wall 2030-01-15T10:00:00 to 2030-01-15T11:00:00"
    ]
    assert "1 moved, 0 not moved, 0 lie right already\nBlocks of this zone, which stay where they are: 1." in told
    world.request("DELETE", f"/calendars/anna/blocks/{here}")
    assert tool.main([ZONE, "appointments-test"]) == 0


# --- what is remembered for it ---------------------------------------------------------------------------


def test_the_wall_follows_what_people_change(world: World) -> None:
    body = local(world, "09:00", "10:00")
    assert wall_of(world, body) == ("2030-01-15T09:00:00", "2030-01-15T10:00:00")
    patch(world, body, {"details": {"title": "x"}})
    assert wall_of(world, body) == ("2030-01-15T09:00:00", "2030-01-15T10:00:00")
    patch(world, body, {"startTime": "2030-07-15T11:00:00"})
    assert wall_of(world, body) == ("2030-07-15T11:00:00", "2030-07-15T12:00:00")
    patch(world, body, {"endTime": "2030-07-15T16:30:00Z"})
    assert wall_of(world, body) == ("2030-07-15T11:00:00", "2030-07-15T12:30:00")
    patch(world, body, {"timeZone": "America/Chicago"})
    assert wall_of(world, body) == ("2030-07-15T10:00:00", "2030-07-15T11:30:00")
    patch(world, body, {"startTime": "2030-07-15T14:00:00Z"})
    assert wall_of(world, body) is None
    patch(world, body, {"endTime": "2030-07-15T18:00:00"})
    assert wall_of(world, body) is None


def test_the_wall_is_kept_while_new_rules_wait_for_the_command(world: World, new_rules: NewRules) -> None:
    body = local(world, "09:00", "10:00")
    new_rules("Etc/GMT+4")
    patch(world, body, {"details": {"title": "x"}})
    assert wall_of(world, body) == ("2030-01-15T09:00:00", "2030-01-15T10:00:00")
    assert start_of(world, body) == "2030-01-15T14:00:00Z"
