"""A bus that holds 300 rules, and more reminders than that: what it refuses goes to EventBridge Scheduler."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from appointments.firing import Backend
from appointments.timers import FULL_FOR
from log_filters import values
from support import api_event, resources

if TYPE_CHECKING:
    from collections.abc import Callable

    from world import World

    LogLines = Callable[[], list[dict[str, Any]]]


def names(lines: list[dict[str, Any]]) -> list[str]:
    return [line["event_type"] for line in lines if "event_type" in line]


def counted(metric_filter: str, lines: list[dict[str, Any]]) -> list[float]:
    """What CloudWatch would make of these lines."""
    return values(resources("AWS::Logs::MetricFilter")[metric_filter], map(json.dumps, lines))


def book(world: World, number: int, **more: Any) -> dict[str, Any]:
    status, body = world.book("9:00", "10:00", user=f"user-{number}", reminders=["1h"], **more)
    assert status == 201
    return body


def fill(world: World, leave: int = 0) -> None:
    """Take all of the bus but `leave` places."""
    world.bus_holds = 10
    for number in range(10 - leave):
        world.events.put_rule(Name=f"other-{number}", ScheduleExpression="rate(1 day)")


def test_of_the_last_30_places_50_reminders_get_30_and_the_others_schedules(world: World, events_of: LogLines) -> None:
    for number in range(270):
        world.events.put_rule(Name=f"other-{number}", ScheduleExpression="rate(1 day)")
    world.calls.clear()
    events_of()
    bodies = [book(world, number) for number in range(50)]
    ids = {body["appointmentId"] for body in bodies}
    reminding = {name for name in world.rules() if not name.startswith("other-")}
    on_bus = {name.removeprefix("appointment-reminder-1h-") for name in reminding}
    outside = {schedule["Name"].removeprefix("appointment-reminder-1h-") for schedule in world.schedules()}
    assert (len(on_bus), len(outside), on_bus | outside) == (30, 20, ids)
    written = events_of()
    assert sum(counted("ReminderOverflowMetric", written)) == 20
    lines = names(written)
    assert (lines.count("REMINDER_SCHEDULED"), lines.count("REMINDER_OVERFLOW")) == (30, 20)
    # The first refusal was enough for the next ones to go there directly.
    assert world.calls.count("PutRule") == 31


def test_a_schedule_fires_once_at_its_minute_and_deletes_itself(world: World) -> None:
    fill(world)
    body = book(world, 0)
    (schedule,) = world.schedules()
    assert schedule["ScheduleExpression"] == "at(2030-01-15T08:00:00)"
    assert schedule["ActionAfterCompletion"] == "DELETE"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert json.loads(schedule["Target"]["Input"]) == {
        "appointmentId": body["appointmentId"],
        "reminder": "1h",
        "dueAt": "2030-01-15T08:00:00Z",
        "correlationId": api_event("POST", "/appointments")["requestContext"]["requestId"],
        "backend": "scheduler",
    }


def test_after_a_while_the_bus_is_asked_again(world: World) -> None:
    fill(world)
    book(world, 0)
    world.bus_holds = 300
    book(world, 1)
    assert len(world.schedules()) == 2
    world.now += FULL_FOR
    book(world, 2)
    assert (len(world.schedules()), len([name for name in world.rules() if "reminder" in name])) == (2, 1)


def test_cancelling_removes_a_schedule(world: World) -> None:
    fill(world)
    body = book(world, 0)
    assert len(world.schedules()) == 1
    world.bus_holds = 300
    world.request("DELETE", f"/appointments/{body['appointmentId']}")
    assert world.schedules() == []


def test_moving_while_the_bus_is_full_moves_the_schedule(world: World) -> None:
    fill(world)
    body = book(world, 0)
    world.request("PATCH", f"/appointments/{body['appointmentId']}", {"startTime": "2030-01-16T09:00:00Z"})
    assert [schedule["ScheduleExpression"] for schedule in world.schedules()] == ["at(2030-01-16T08:00:00)"]


def test_moving_while_the_bus_is_full_moves_the_rule_that_has_its_place(world: World) -> None:
    fill(world, leave=1)
    body = book(world, 0)
    book(world, 1)  # finds the bus full, so that the next ones do not ask
    world.request("PATCH", f"/appointments/{body['appointmentId']}", {"startTime": "2030-01-16T09:00:00Z"})
    name = f"appointment-reminder-1h-{body['appointmentId']}"
    assert world.rules()[name] == "cron(0 8 16 1 ? 2030)"
    assert name not in {schedule["Name"] for schedule in world.schedules()}


def test_the_sweep_arms_outside_the_bus_too(world: World, events_of: LogLines) -> None:
    with world.failing("PutRule"):
        body = book(world, 0)
    fill(world)
    events_of()
    world.now = datetime.fromisoformat(body["reminders"][0]["dueAt"]) - timedelta(minutes=5)
    world.sweep()
    assert len(world.schedules()) == 1
    written = events_of()
    assert names(written) == ["REMINDER_OVERFLOW"]
    assert counted("ReminderOverflowInSweepMetric", written) == [1.0]


def test_scheduler_alone_asks_no_bus(world: World) -> None:
    world.timers.backend = Backend.SCHEDULER
    world.calls.clear()
    body = book(world, 0)
    world.request("PATCH", f"/appointments/{body['appointmentId']}", {"startTime": "2030-01-16T09:00:00Z"})
    assert [schedule["ScheduleExpression"] for schedule in world.schedules()] == ["at(2030-01-16T08:00:00)"]
    assert not [call for call in world.calls if "Rule" in call or "Targets" in call]
    world.request("DELETE", f"/appointments/{body['appointmentId']}")
    assert world.schedules() == []
    # Whether a rule is left of the time before the stack was told to use Scheduler, only the bus can tell.
    assert [call for call in world.calls if "Rule" in call or "Targets" in call] == ["RemoveTargets"]


def test_a_rule_beside_a_schedule_of_the_same_reminder_goes_with_it(world: World, events_of: LogLines) -> None:
    body = book(world, 0)
    world.timers.backend = Backend.SCHEDULER
    world.request("PATCH", f"/appointments/{body['appointmentId']}", {"startTime": "2030-01-16T09:00:00Z"})
    assert (len(world.rules()), len(world.schedules())) == (1, 1)
    events_of()
    world.request("DELETE", f"/appointments/{body['appointmentId']}")
    assert (world.rules(), world.schedules()) == ({}, [])
    removed = [line["backend"] for line in events_of() if line.get("event_type") == "RULE_CLEANED"]
    assert removed == ["rules", "scheduler"]


@pytest.mark.parametrize("backend", Backend)
def test_what_was_not_there_is_not_reported_as_removed(world: World, events_of: LogLines, backend: Backend) -> None:
    world.timers.backend = backend
    with world.failing("PutRule"), world.failing("CreateSchedule"):
        body = book(world, 0)
    world.request("DELETE", f"/appointments/{body['appointmentId']}")
    assert "RULE_CLEANED" not in names(events_of())
