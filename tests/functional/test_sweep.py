"""The sweep on moto: what no timer did, it does; and it reads what is due, never more."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from appointments.firing import Backend, Firing
from appointments.reminders import ReminderState
from appointments.rules import Rules
from appointments.statuses import Status
from appointments.storage.appointment_items import REMINDER_SHARDS, appointment_to_item
from appointments.storage.reminders import ReminderClaimLostError, Reminders
from reminder_sender.sender import LEASE
from reminder_sweep.sweep import ARM_AHEAD, GRACE, Sweep, SweepIncompleteError
from world import KilledError

if TYPE_CHECKING:
    from collections.abc import Callable

    from appointments.model import Appointment
    from world import World

    LogLines = Callable[[], list[dict[str, Any]]]

DUE = datetime.fromisoformat("2030-01-15T08:00:00Z")  # of the 1h reminder of what `booked` books


@pytest.fixture
def booked(world: World) -> dict[str, Any]:
    """An appointment whose reminder is never fired by its rule."""
    _, body = world.book("9:00", "10:00", user="anna", reminders=["1h"])
    return body


def stored(world: World, body: dict[str, Any]) -> Appointment:
    appointment = world.storage.appointments.get(body["appointmentId"])
    assert appointment
    return appointment


def state(world: World, body: dict[str, Any], offset: str = "1h") -> str:
    reminder = stored(world, body).reminder(offset)
    assert reminder
    return reminder.state


def test_requests_that_wait_for_a_day_are_told(world: World, events_of: LogLines) -> None:
    def waiting() -> int:
        world.sweep()
        (line,) = [line for line in events_of() if line["message"] == "Sweep done"]
        return int(line["requests_waiting"])

    assert world.request("PUT", "/calendars/dr-lee", {"approval": True})[0] == 200
    first, second = (
        world.book(f"{hour}:00", f"{hour}:30", user=hour, resourceIds=["dr-lee"])[1] for hour in ("09", "10")
    )
    world.now += timedelta(hours=24) - timedelta(seconds=1)
    third = world.book("11:00", "11:30", user="11", resourceIds=["dr-lee"])[1]
    assert waiting() == 0
    world.now += timedelta(seconds=1)
    assert waiting() == 2
    for body, status in ((first, "scheduled"), (second, "declined")):
        world.request("PATCH", f"/appointments/{body['appointmentId']}", {"status": status})
    assert waiting() == 0
    world.now = datetime.fromisoformat(third["startTime"]) - timedelta(seconds=1)
    assert waiting() == 1
    world.now += timedelta(seconds=2)
    assert waiting() == 0  # nobody can answer it in time any more


def names(lines: list[dict[str, Any]]) -> list[str]:
    return [line["event_type"] for line in lines if "event_type" in line]


def rewrite(world: World, body: dict[str, Any], **changes: Any) -> None:
    """Change a stored appointment behind the API's back."""
    changed = replace(stored(world, body), **changes)
    world.dynamodb.put_item(TableName="AppointmentsTable", Item=appointment_to_item(changed, timedelta(days=1)))


# --- what is overdue ---------------------------------------------------------------------------------


def test_an_overdue_reminder_is_sent_once_and_its_rule_goes(
    world: World, booked: dict[str, Any], events_of: LogLines
) -> None:
    events_of()
    world.now = DUE + GRACE
    world.sweep()
    world.sweep()
    assert len(world.inbox()) == 1
    assert (state(world, booked), world.rules()) == ("sent", {})
    lines = events_of()
    assert names(lines) == ["REMINDER_SENT", "REMINDER_RECOVERED", "RULE_CLEANED"]
    assert lines[0]["lateness_ms"] == GRACE / timedelta(milliseconds=1)
    assert {line["appointment_id"] for line in lines if "event_type" in line} == {booked["appointmentId"]}


def test_a_reminder_that_is_just_due_is_left_to_its_timer(world: World, booked: dict[str, Any]) -> None:
    world.now = DUE + GRACE - timedelta(seconds=1)
    world.sweep()
    assert (world.inbox(), state(world, booked), len(world.rules())) == ([], "pending", 1)


@pytest.mark.parametrize("after", [timedelta(), GRACE - timedelta(seconds=1)])
def test_a_reminder_is_not_left_to_its_timer_where_the_next_sweep_would_come_too_late(
    world: World, after: timedelta
) -> None:
    _, body = world.book("9:00", "10:00", user="anna", reminders=["5m"])
    world.now = datetime.fromisoformat("2030-01-15T08:55:00Z") + after
    world.sweep()
    assert (len(world.inbox()), state(world, body, "5m")) == (1, "sent")
    world.fire(body, "5m")
    assert world.inbox() == []


def test_the_rule_that_fires_after_the_sweep_sends_nothing(world: World, booked: dict[str, Any]) -> None:
    world.now = DUE + GRACE
    world.sweep()
    world.fire(booked)
    assert len(world.inbox()) == 1


def test_refused_by_eventbridge_it_is_sent_all_the_same(world: World, events_of: LogLines) -> None:
    with world.failing("PutRule"):
        status, body = world.book("9:00", "10:00", reminders=["1h"])
    assert status == 201
    assert "REMINDER_SCHEDULE_ERROR" in names(events_of())
    world.now = DUE + GRACE
    world.sweep()
    assert len(world.inbox()) == 1
    assert state(world, body) == "sent"


def test_begun_is_missed_and_not_sent_late(world: World, booked: dict[str, Any], events_of: LogLines) -> None:
    world.now = DUE + timedelta(hours=1)
    world.sweep()
    assert (world.inbox(), state(world, booked)) == ([], "missed")
    assert "REMINDER_MISSED" in names(events_of())


@pytest.mark.parametrize("status", ["arrived", "completed", "no_show", "cancelled"])
@pytest.mark.parametrize("claimed", [False, True])
def test_what_nobody_sent_is_missed_whatever_became_of_the_appointment_since_it_began(
    world: World, booked: dict[str, Any], events_of: LogLines, status: str, *, claimed: bool
) -> None:
    if claimed:
        world.now = DUE
        world.dying("Publish", after=False)
        with pytest.raises(KilledError):
            world.fire(booked)
    world.now = DUE + timedelta(hours=1)
    assert world.request("PATCH", f"/appointments/{booked['appointmentId']}", {"status": status})[0] == 200
    world.fire(booked)  # an event that was delayed
    events_of()
    for _ in range(2):
        world.now += timedelta(minutes=5)
        world.sweep()
    assert (world.inbox(), state(world, booked)) == ([], "missed")
    assert "nextReminderAt" not in world.items("AppointmentsTable")[0]
    (line,) = [line for line in events_of() if line.get("event_type") == "REMINDER_MISSED"]
    assert line["lateness_ms"] == timedelta(hours=1, minutes=5) / timedelta(milliseconds=1)


@pytest.mark.parametrize("status", ["arrived", "cancelled"])
def test_what_was_given_up_before_the_appointment_began_is_not_missed(
    world: World, booked: dict[str, Any], status: str
) -> None:
    world.now = DUE
    world.dying("Publish", after=False)
    with pytest.raises(KilledError):
        world.fire(booked)
    world.now = DUE + timedelta(minutes=59)
    world.request("PATCH", f"/appointments/{booked['appointmentId']}", {"status": status})
    world.now += timedelta(minutes=5)
    world.sweep()
    assert (world.inbox(), state(world, booked)) == ([], "skipped")


def test_a_reminder_in_a_senders_hands_is_left_to_it(world: World, booked: dict[str, Any], events_of: LogLines) -> None:
    world.now = DUE + GRACE
    world.dying("Publish", after=True)
    with pytest.raises(KilledError):
        world.fire(booked)
    events_of()
    world.sweep()
    assert (len(world.inbox()), state(world, booked)) == (1, "sending")
    assert names(events_of()) == []
    world.now += LEASE
    world.sweep()
    assert (len(world.inbox()), state(world, booked)) == (1, "sent")
    assert "REMINDER_RECOVERED" in names(events_of())


def test_the_reminder_of_a_dead_sender_is_skipped_where_the_appointment_was_cancelled(
    world: World, booked: dict[str, Any], events_of: LogLines
) -> None:
    world.now = DUE
    world.dying("Publish", after=False)
    with pytest.raises(KilledError):
        world.fire(booked)
    world.request("DELETE", f"/appointments/{booked['appointmentId']}")
    assert state(world, booked) == "sending"
    events_of()
    world.now += LEASE
    world.sweep()
    assert (world.inbox(), state(world, booked)) == ([], "skipped")
    assert "nextReminderAt" not in world.items("AppointmentsTable")[0]
    assert names(events_of()) == ["REMINDER_SKIPPED"]


@pytest.mark.parametrize("published", [False, True])
def test_the_reminder_of_a_dead_sender_is_skipped_where_it_is_no_longer_asked_for(
    world: World, booked: dict[str, Any], events_of: LogLines, *, published: bool
) -> None:
    world.now = DUE
    world.dying("Publish", after=published)
    with pytest.raises(KilledError):
        world.fire(booked)
    status, _, changed = world.request("PATCH", f"/appointments/{booked['appointmentId']}", {"reminders": []})
    assert (status, changed["reminders"][0]["state"]) == (200, "sending")
    world.now += LEASE
    world.fire(booked)  # Lambda repeats the event
    events_of()
    world.now = DUE + GRACE
    world.sweep()
    assert (len(world.inbox()), state(world, booked)) == (published, "skipped")
    assert "nextReminderAt" not in world.items("AppointmentsTable")[0]
    (line,) = [line for line in events_of() if line.get("event_type")]
    assert (line["event_type"], line["reason"]) == ("REMINDER_SKIPPED", "no longer asked for")


def test_a_reminder_that_is_asked_for_again_meanwhile_is_not_skipped(world: World, booked: dict[str, Any]) -> None:
    world.now = DUE
    world.dying("Publish", after=False)
    with pytest.raises(KilledError):
        world.fire(booked)
    path = f"/appointments/{booked['appointmentId']}"
    world.request("PATCH", path, {"reminders": []})
    seen = stored(world, booked)
    world.request("PATCH", path, {"reminders": ["1h"]})
    with pytest.raises(ReminderClaimLostError):
        world.reminders.close(seen, seen.reminders[0], ReminderState.SKIPPED)
    world.now = DUE + GRACE
    world.sweep()
    assert (len(world.inbox()), state(world, booked)) == (1, "sent")


def test_a_sender_that_came_and_died_since_the_sweep_read_may_have_sent_it(
    world: World, booked: dict[str, Any], events_of: LogLines
) -> None:
    """The sweep reads an appointment once, and its first reminder may take longer than a lease."""
    world.now = DUE + GRACE
    seen = stored(world, booked)
    world.dying("Publish", after=True)
    with pytest.raises(KilledError):
        world.fire(booked)
    events_of()
    world.now += LEASE
    world.dying("Publish", after=True)
    with pytest.raises(KilledError):
        world.sender.recover(Firing(booked["appointmentId"], "1h", DUE), seen)
    assert len(world.inbox()) == 2
    (line,) = [line for line in events_of() if line.get("event_type") == "REMINDER_RECOVERED"]
    assert "may arrive twice" in line["reason"]


def test_an_open_reminder_of_a_cancelled_appointment_is_skipped(world: World, booked: dict[str, Any]) -> None:
    rewrite(world, booked, status=Status.CANCELLED)
    world.now = DUE + GRACE
    world.sweep()
    assert (world.inbox(), state(world, booked)) == ([], "skipped")


def test_a_sender_that_finishes_after_all_is_not_overwritten(world: World, booked: dict[str, Any]) -> None:
    """It was taken for dead, the appointment is cancelled, and its record comes a moment before the sweep's."""
    reminder = stored(world, booked).reminder("1h")
    assert reminder
    held = world.reminders.claim(booked["appointmentId"], reminder, claim="slow", lease=LEASE, now=DUE)
    world.request("DELETE", f"/appointments/{booked['appointmentId']}")
    seen = stored(world, booked)
    mine = held.reminder("1h")
    assert mine
    world.reminders.settle(held, replace(mine, state=ReminderState.SENT))
    with pytest.raises(ReminderClaimLostError):
        world.reminders.close(seen, seen.reminders[0], ReminderState.SKIPPED)
    assert state(world, booked) == "sent"


# --- what fails --------------------------------------------------------------------------------------


def test_one_poisonous_appointment_starves_nobody(world: World, events_of: LogLines) -> None:
    bodies = [world.book("9:00", "10:00", user=f"u{n}", reminders=["1h"])[1] for n in range(3 * REMINDER_SHARDS)]
    poisoned = bodies[0]["appointmentId"]
    world.dynamodb.update_item(
        TableName="AppointmentsTable",
        Key={"appointmentId": {"S": poisoned}},
        UpdateExpression="REMOVE details SET nextReminderAt = :first",
        ExpressionAttributeValues={":first": {"S": "2030-01-01T00:00:00Z"}},
    )
    world.now = DUE + GRACE
    events_of()
    with pytest.raises(SweepIncompleteError, match="1 failures"):
        world.sweep()
    assert len(world.inbox()) == len(bodies) - 1
    (error,) = [line for line in events_of() if line.get("event_type") == "REMINDER_ERROR"]
    assert error["appointment_id"] == poisoned


def test_an_unreadable_shard_fails_the_sweep_and_nothing_else(world: World, booked: dict[str, Any]) -> None:
    with world.failing("Query", times=REMINDER_SHARDS - 1), pytest.raises(SweepIncompleteError):
        world.sweep()
    with world.failing("ListRules", times=1):
        world.now = DUE + GRACE
        with pytest.raises(SweepIncompleteError):
            world.sweep()
    assert state(world, booked) == "sent"


def test_it_stops_in_time_and_goes_on_next_time(world: World, events_of: LogLines) -> None:
    """After an outage of hours there is more than one sweep can do."""
    bodies = [world.book("9:00", "10:00", user=f"u{n}", reminders=["1h"])[1] for n in range(12)]
    world.now = DUE + GRACE
    one_at_a_time = replace(world.sweeper, workers=1)
    for sweep in range(1, 4):
        left = iter([270.0] * 4 + [59.0] * 1000)
        one_at_a_time.run(partial(next, left))
        assert len([body for body in bodies if state(world, body) == "sent"]) == 4 * sweep
    assert len(world.inbox()) == 12
    assert any(line.get("unfinished") for line in events_of())


def test_many_pages_of_one_shard(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appointments.storage.reminders.DUE_PAGE", 2)
    monkeypatch.setattr("appointments.storage.appointment_items.reminder_shard", lambda _: 3)
    for n in range(7):
        world.book("9:00", "10:00", user=f"u{n}", reminders=["1h"])
    world.now = DUE + GRACE
    world.sweep()
    assert len(world.inbox()) == 7


# --- what it costs -----------------------------------------------------------------------------------


def test_future_reminders_cost_nothing(world: World) -> None:
    """With none due, the reading is that of empty queries, however many are still to come."""
    units: list[float] = []
    original = world.dynamodb.query

    def measured(**kwargs: Any) -> Any:
        answer = original(**kwargs, ReturnConsumedCapacity="TOTAL")
        units.append(answer["ConsumedCapacity"]["CapacityUnits"])
        assert answer["ScannedCount"] == 0
        return answer

    world.dynamodb.query = measured
    try:
        world.calls.clear()
        world.sweep()
        calls_when_empty, units_when_empty = sorted(world.calls), sorted(units)
        # Without their rules, whose listing grows by one call per 100 and ends at 300.
        with world.failing("PutRule"):
            for n in range(40):
                world.book("9:00", "10:00", user=f"u{n}", reminders=["1h"])
        world.calls.clear()
        units.clear()
        world.sweep()
    finally:
        world.dynamodb.query = original
    # A query per shard, one for requests, and one for persons who are to be forgotten.
    assert sorted(world.calls) == calls_when_empty == ["ListRules"] + ["Query"] * (REMINDER_SHARDS + 2)
    assert sorted(units) == units_when_empty


# --- what is due soon --------------------------------------------------------------------------------


def test_due_soon_without_a_rule_gets_one(world: World, events_of: LogLines) -> None:
    with world.failing("PutRule"):
        _, body = world.book("9:00", "10:00", reminders=["1h"])
    events_of()
    world.now = DUE - ARM_AHEAD - timedelta(seconds=1)
    world.sweep()
    assert world.rules() == {}
    world.now = DUE - ARM_AHEAD
    world.sweep()
    assert world.rules() == {f"appointment-reminder-1h-{body['appointmentId']}": "cron(0 8 15 1 ? 2030)"}
    assert names(events_of()) == ["REMINDER_SCHEDULED"]
    world.fire(body)
    assert len(world.inbox()) == 1


def test_due_soon_with_its_timer_is_left_alone(world: World, booked: dict[str, Any]) -> None:
    world.now = DUE - timedelta(minutes=5)
    world.calls.clear()
    world.sweep()
    assert sorted({*world.calls}) == ["GetItem", "ListRuleNamesByTarget", "ListRules", "Query"]


@pytest.mark.parametrize("operation", ["PutTargets", "PutRule"])
def test_a_rule_that_was_half_made_or_half_moved_is_made_anew(world: World, operation: str) -> None:
    _, body = world.book("11:00", "12:00", reminders=["1h"])
    with world.failing(operation):
        path = f"/appointments/{body['appointmentId']}"
        changed = {"startTime": "2030-01-15T09:00:00Z", "endTime": "2030-01-15T10:00:00Z"}
        status, _, moved = world.request("PATCH", path, changed)
        assert status == 200
        if operation == "PutTargets":  # as after a booking, where the rule had no target before
            world.events.remove_targets(
                Rule=f"appointment-reminder-1h-{body['appointmentId']}", Ids=["reminder-sender"]
            )
    world.now = DUE - timedelta(minutes=5)
    world.sweep()
    assert set(world.rules().values()) == {"cron(0 8 15 1 ? 2030)"}
    world.fire(moved)
    assert len(world.inbox()) == 1


def test_moved_while_the_rule_of_the_old_time_is_being_removed(world: World, booked: dict[str, Any]) -> None:
    """Rules know no condition: the sender of the old time removes the rule that was just armed for the new one."""
    original = world.events.remove_targets

    def move_first(**kwargs: Any) -> Any:
        world.events.remove_targets = original
        path = f"/appointments/{booked['appointmentId']}"
        assert world.request("PATCH", path, {"startTime": "2030-01-15T11:00:00Z"})[0] == 200
        assert set(world.rules().values()) == {"cron(0 10 15 1 ? 2030)"}
        return original(**kwargs)

    world.events.remove_targets = move_first
    world.fire(booked)
    assert world.rules() == {}
    world.now = DUE + timedelta(hours=2) - ARM_AHEAD
    world.sweep()
    assert set(world.rules().values()) == {"cron(0 10 15 1 ? 2030)"}
    _, _, moved = world.request("GET", f"/appointments/{booked['appointmentId']}")
    world.fire(moved)
    assert len(world.inbox()) == 2  # one for each time, as it was when each was due
    assert state(world, booked) == "sent"


def test_failing_to_arm_is_reported_and_the_reminder_is_sent_later(world: World, events_of: LogLines) -> None:
    with world.failing("PutRule"):
        _, body = world.book("9:00", "10:00", reminders=["1h"])
        events_of()
        world.now = DUE - timedelta(minutes=5)
        with pytest.raises(SweepIncompleteError):
            world.sweep()
    assert names(events_of()) == ["REMINDER_SCHEDULE_ERROR"]
    world.now = DUE + GRACE
    world.sweep()
    assert (len(world.inbox()), state(world, body)) == (1, "sent")


@pytest.mark.parametrize("backend", Backend)
def test_a_schedule_is_a_timer_too(world: World, backend: Backend) -> None:
    world.timers.backend = Backend.SCHEDULER
    world.book("9:00", "10:00", reminders=["1h"])
    world.timers.backend = backend
    world.now = DUE - timedelta(minutes=5)
    world.calls.clear()
    world.sweep()
    assert "GetSchedule" in world.calls
    assert not {"PutRule", "CreateSchedule", "UpdateSchedule"} & {*world.calls}


@pytest.mark.parametrize(
    "changes",
    [{"startTime": "2030-01-15T08:57:00Z"}, {"startTime": "2030-01-16T09:00:00Z"}, {"reminders": []}, None],
    ids=["moved", "moved far", "given up", "cancelled"],
)
def test_what_is_changed_while_the_sweep_looks_at_the_timers_keeps_those_of_the_change(
    world: World, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any] | None
) -> None:
    with world.failing("PutRule"):
        _, body = world.book("9:00", "10:00", reminders=["1h"])
    world.now = DUE - ARM_AHEAD
    listed = Rules.minutes

    def changed_first(rules: Rules) -> dict[str, datetime]:
        path = f"/appointments/{body['appointmentId']}"
        assert world.request("PATCH" if changes else "DELETE", path, changes)[0] == 200
        monkeypatch.undo()
        kept.update(world.rules())
        return listed(rules)

    kept: dict[str, str] = {}
    monkeypatch.setattr(Rules, "minutes", changed_first)
    world.sweep()
    assert world.rules() == kept
    assert bool(kept) == ("startTime" in (changes or {}))


def test_what_is_sent_early_while_the_sweep_looks_at_the_timers_gets_none(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world.failing("PutRule"):
        _, body = world.book("9:00", "10:00", reminders=["1h"])
    world.now = DUE - ARM_AHEAD
    listed = Rules.minutes

    def sent_first(rules: Rules) -> dict[str, datetime]:
        world.sender.send(Firing(body["appointmentId"], "1h", DUE, early=True))
        return listed(rules)

    monkeypatch.setattr(Rules, "minutes", sent_first)
    world.sweep()
    assert (len(world.inbox()), world.rules()) == (1, {})


def test_what_cannot_be_read_again_is_not_armed_and_the_sweep_goes_on(
    world: World, events_of: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world.failing("PutRule"):
        _, body = world.book("9:00", "10:00", reminders=["1h"])
    world.now = DUE - ARM_AHEAD
    world.events.put_rule(Name="appointment-reminder-1h-of-the-past", ScheduleExpression="cron(0 8 1 1 ? 2020)")
    read, reads = Reminders.appointment, iter([True, False])
    events_of()
    monkeypatch.setattr(Reminders, "appointment", lambda *of: read(*of) if next(reads) else 1 / 0)
    with pytest.raises(SweepIncompleteError):
        world.sweep()
    monkeypatch.undo()
    assert world.rules() == {}
    assert sorted(names(events_of())) == ["REMINDER_ERROR", "RULE_CLEANED"]
    world.sweep()
    assert list(world.rules()) == [f"appointment-reminder-1h-{body['appointmentId']}"]


# --- dead rules --------------------------------------------------------------------------------------


def test_a_rule_whose_minute_has_passed_is_removed(world: World, booked: dict[str, Any], events_of: LogLines) -> None:
    with world.failing("RemoveTargets"), pytest.raises(Exception, match="made to fail"):
        world.fire(booked)
    assert len(world.rules()) == 1
    events_of()
    world.now = DUE + timedelta(minutes=5)
    world.sweep()
    assert len(world.rules()) == 1  # EventBridge may still be at it
    world.now += timedelta(minutes=1)
    world.sweep()
    assert world.rules() == {}
    assert names(events_of()) == ["RULE_CLEANED"]


def test_other_peoples_rules_stay(world: World) -> None:
    for name, expression in (("nightly", "cron(0 1 1 1 ? 2020)"), ("appointment-reminder-sweep", "rate(5 minutes)")):
        world.events.put_rule(Name=name, ScheduleExpression=expression)
    world.sweep()
    assert set(world.rules()) == {"nightly", "appointment-reminder-sweep"}


def test_a_rule_that_is_armed_anew_while_the_sweep_looks_stays(world: World, booked: dict[str, Any]) -> None:
    """Its appointment was moved from the past into the future between the listing and the removal."""
    (name,) = world.rules()
    world.fire(booked)
    world.events.put_rule(Name=name, ScheduleExpression="cron(0 8 15 1 ? 2030)")
    world.now = DUE + timedelta(minutes=6)
    original = world.events.describe_rule

    def rearmed(**kwargs: Any) -> Any:
        world.events.put_rule(Name=name, ScheduleExpression="cron(0 8 16 1 ? 2030)")
        return original(**kwargs)

    world.events.describe_rule = rearmed
    try:
        world.sweep()
    finally:
        world.events.describe_rule = original
    assert world.rules() == {name: "cron(0 8 16 1 ? 2030)"}


# --- the function ------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", [False, True])
def test_the_handler_fails_where_the_sweep_failed(
    world: World, booked: dict[str, Any], events_of: LogLines, monkeypatch: pytest.MonkeyPatch, *, broken: bool
) -> None:
    from reminder_sweep import app

    class Context:
        function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "x"

        @staticmethod
        def get_remaining_time_in_millis() -> int:
            return 270_000

    monkeypatch.setattr(app, "_sweep", lambda: None if broken else world.sweeper)
    world.now = DUE + GRACE
    events_of()
    with world.failing("Publish"), pytest.raises(AttributeError if broken else SweepIncompleteError):
        app.lambda_handler({}, Context())  # type: ignore[arg-type]
    assert names(events_of()) == ["REMINDER_ERROR"]


def test_the_sweep_is_made_from_the_templates_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    from reminder_sweep import app
    from support import resources, template

    variables = set(template()["Globals"]["Function"]["Environment"]["Variables"])
    variables |= set(
        resources("AWS::Serverless::Function")["ReminderSweepFunction"]["Properties"]["Environment"]["Variables"]
    )
    values = {"REMINDER_BACKEND": "rules", "RETENTION_DAYS": "400"}
    for name in variables:
        monkeypatch.setenv(name, values.get(name, "x"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    app._sweep.cache_clear()
    made = app._sweep()
    assert isinstance(made, Sweep)
    assert (made.storage().days.table, made.storage().days.retention) == ("x", timedelta(days=400))
    app._sweep.cache_clear()


def test_a_sweep_that_takes_long_arms_by_the_time_that_it_has_become(world: World) -> None:
    """Or the rule is for a minute that has begun, and never fires."""
    with world.failing("PutRule"):
        world.book("9:00", "10:00", user="late", reminders=["1h"])
        world.book("9:04", "10:00", user="soon", reminders=["1h"])
    world.now = DUE + timedelta(minutes=3)
    publish = world.sns.publish

    def slowly(**request: Any) -> Any:
        world.now += timedelta(minutes=3)
        return publish(**request)

    world.sns.publish = slowly
    try:
        world.sweep()
    finally:
        world.sns.publish = publish
    assert world.rules() == {}
    world.deliver()
    assert len(world.inbox()) == 2
