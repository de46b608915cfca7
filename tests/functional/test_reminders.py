"""The sender on moto: one message per reminder, whatever is delivered twice, refused or overtaken."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from appointments.firing import LEAD, Backend, Firing
from appointments.reminders import ReminderState
from appointments.statuses import Status
from appointments.storage.appointment_items import appointment_from_item, appointment_to_item
from appointments.storage.reminders import ReminderClaimLostError, ReminderNotRecordedError
from reaching.refusals import NotSentError
from reminder_sender.sender import LEASE, SEND_PAUSES
from support import sample_event
from world import KilledError

if TYPE_CHECKING:
    from collections.abc import Callable

    from appointments.model import Appointment
    from appointments.reminders import Reminder
    from world import World

    LogLines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def booked(world: World) -> dict[str, Any]:
    """An appointment with its two rules, far enough ahead for both."""
    _, body = world.book("9:00", "10:00", user="anna", details={"title": "Check-up"})
    return body


def state(world: World, appointment: dict[str, Any], offset: str = "1h") -> str:
    _, _, body = world.request("GET", f"/appointments/{appointment['appointmentId']}")
    return str(next(reminder["state"] for reminder in body["reminders"] if reminder["offset"] == offset))


def names(lines: list[dict[str, Any]]) -> list[str]:
    return [line["event_type"] for line in lines if "event_type" in line]


def test_a_reminder_is_sent_recorded_and_its_rule_removed(
    world: World, booked: dict[str, Any], events_of: LogLines
) -> None:
    events_of()
    world.calls.clear()
    world.fire(booked, "24h")
    assert world.calls == ["GetItem", "UpdateItem", "Publish", "UpdateItem", "RemoveTargets", "DeleteRule"]
    (delivered,) = world.inbox()
    assert {name: value["Value"] for name, value in delivered["MessageAttributes"].items()} == {
        "userId": "anna",
        "appointmentId": booked["appointmentId"],
        "reminderType": "24h",
    }
    assert json.loads(delivered["Message"])["details"] == {"title": "Check-up"}
    assert list(world.rules()) == [f"appointment-reminder-1h-{booked['appointmentId']}"]
    assert (state(world, booked, "24h"), state(world, booked, "1h")) == ("sent", "pending")
    lines = events_of()
    assert names(lines) == ["REMINDER_SENT", "RULE_CLEANED"]
    assert lines[0]["lateness_ms"] == 0


def test_the_due_index_follows(world: World, booked: dict[str, Any]) -> None:
    world.fire(booked, "24h")
    assert world.items("AppointmentsTable")[0]["nextReminderAt"]["S"] == "2030-01-15T08:00:00Z"
    world.fire(booked, "1h")
    assert "nextReminderAt" not in world.items("AppointmentsTable")[0]


def test_the_same_rule_delivered_three_times_sends_one_message(
    world: World, booked: dict[str, Any], events_of: LogLines
) -> None:
    for _ in range(3):
        world.fire(booked)
    assert len(world.inbox()) == 1
    assert names(events_of()).count("REMINDER_SENT") == 1


def test_two_deliveries_at_once_send_one_message(world: World, booked: dict[str, Any]) -> None:
    """The second arrives while the first has claimed the reminder and not yet published."""
    original = world.sns.publish

    def deliver_again(**kwargs: Any) -> Any:
        world.sns.publish = original
        world.fire(booked)
        return original(**kwargs)

    world.sns.publish = deliver_again
    world.fire(booked)
    assert len(world.inbox()) == 1
    assert state(world, booked) == "sent"


def change(world: World, appointment: dict[str, Any], **changes: Any) -> None:
    """Change a stored appointment behind the API's back."""
    (item,) = (i for i in world.items("AppointmentsTable") if i["appointmentId"]["S"] == appointment["appointmentId"])
    changed = replace(appointment_from_item(item), **changes)
    world.dynamodb.put_item(TableName="AppointmentsTable", Item=appointment_to_item(changed, timedelta(days=1)))


def test_a_cancelled_appointment_sends_nothing_and_leaves_no_rule(world: World, booked: dict[str, Any]) -> None:
    change(world, booked, status=Status.CANCELLED)
    world.fire(booked, "24h")
    world.fire(booked, "1h")
    assert (world.inbox(), world.rules()) == ([], {})


def test_cancelled_between_the_read_and_the_claim(world: World, booked: dict[str, Any]) -> None:
    client: Any = world.storage.database.client
    original = client.get_item

    def cancel_after(**kwargs: Any) -> Any:
        answer = original(**kwargs)
        client.get_item = original
        change(world, booked, status=Status.CANCELLED)
        return answer

    client.get_item = cancel_after
    world.fire(booked)
    assert world.inbox() == []


def test_no_longer_asked_for_between_the_read_and_the_claim(
    world: World, booked: dict[str, Any], events_of: LogLines
) -> None:
    """Of a sender that died, whose reminder a change leaves alone."""
    world.dying("Publish", after=False)
    with pytest.raises(KilledError):
        world.fire(booked)
    world.now += LEASE
    client: Any = world.storage.database.client
    original = client.get_item

    def change_after(**kwargs: Any) -> Any:
        answer = original(**kwargs)
        client.get_item = original
        assert world.request("PATCH", f"/appointments/{booked['appointmentId']}", {"reminders": ["24h"]})[0] == 200
        return answer

    client.get_item = change_after
    events_of()
    world.fire(booked)
    assert (world.inbox(), state(world, booked)) == ([], "skipped")
    lines = events_of()
    assert names(lines) == ["REMINDER_SKIPPED", "RULE_CLEANED"]
    assert lines[-2]["reason"] == "no longer asked for"


def test_a_stale_firing_sends_nothing_and_leaves_the_new_rule_alone(
    world: World, booked: dict[str, Any], events_of: LogLines
) -> None:
    rules = world.rules()
    stale = world.now + timedelta(days=1)
    world.sender.send(Firing(booked["appointmentId"], "1h", stale))
    assert (world.inbox(), world.rules(), state(world, booked)) == ([], rules, "pending")
    assert names(events_of())[-1] == "REMINDER_SKIPPED"


def test_an_unknown_appointment_sends_nothing_and_its_rule_goes(world: World, booked: dict[str, Any]) -> None:
    world.dynamodb.delete_item(TableName="AppointmentsTable", Key={"appointmentId": {"S": booked["appointmentId"]}})
    world.fire(booked)
    assert world.inbox() == []
    assert f"appointment-reminder-1h-{booked['appointmentId']}" not in world.rules()


def test_begun_is_missed_and_not_sent_late(world: World, booked: dict[str, Any], events_of: LogLines) -> None:
    world.now += timedelta(days=60)
    world.fire(booked)
    assert (world.inbox(), state(world, booked)) == ([], "missed")
    assert "REMINDER_MISSED" in names(events_of())


def test_publish_fails_twice_then_works_sends_one_message(world: World, booked: dict[str, Any]) -> None:
    with world.failing("Publish", times=2, code="InternalError"):
        world.fire(booked)
    assert len(world.inbox()) == 1
    assert state(world, booked) == "sent"


def test_publish_fails_for_two_deliveries_then_works_sends_one_message(world: World, booked: dict[str, Any]) -> None:
    with world.failing("Publish", times=2 * (1 + len(SEND_PAUSES)), code="InternalError"):
        for _ in range(2):
            with pytest.raises(NotSentError):
                world.fire(booked)
            assert state(world, booked) == "pending"
        world.fire(booked)
    assert len(world.inbox()) == 1
    assert state(world, booked) == "sent"


@pytest.mark.parametrize("error", [EndpointConnectionError, ConnectTimeoutError])
def test_sns_that_cannot_be_reached_has_sent_nothing(
    world: World, booked: dict[str, Any], events_of: LogLines, error: type[BotoCoreError]
) -> None:
    original = world.sns.publish

    def unreachable(**_: Any) -> Any:
        raise error(endpoint_url="sns")

    world.sns.publish = unreachable
    try:
        with pytest.raises(NotSentError) as raised:
            world.fire(booked)
        assert isinstance(raised.value.__cause__, error)
    finally:
        world.sns.publish = original
    assert state(world, booked) == "pending"
    world.fire(booked)  # at once: there is no lease to wait for
    assert (len(world.inbox()), state(world, booked)) == (1, "sent")
    assert "REMINDER_RECOVERED" not in names(events_of())


def test_publish_never_works_is_logged_and_raised_so_that_the_queue_gets_it(
    world: World, booked: dict[str, Any], events_of: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reminder_sender import app

    class Context:
        function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "x"

    monkeypatch.setattr(app, "_sender", lambda: world.sender)
    event = sample_event("reminder-1h") | {"appointmentId": booked["appointmentId"], "dueAt": "2030-01-15T08:00:00Z"}
    with world.failing("Publish", code="InternalError"), pytest.raises(NotSentError):
        app.lambda_handler(event, Context())  # type: ignore[arg-type]
    lines = events_of()
    assert names(lines)[-1] == "REMINDER_ERROR"
    assert lines[-1]["correlation_id"] == event["correlationId"]
    assert (state(world, booked), len(world.rules())) == ("pending", 2)


def test_silence_after_publishing_is_sent_again_after_the_lease_and_logged_as_such(
    world: World, booked: dict[str, Any], events_of: LogLines
) -> None:
    original = world.sns.publish

    def published_but_no_answer(**kwargs: Any) -> Any:
        world.sns.publish = original
        original(**kwargs)
        raise ReadTimeoutError(endpoint_url="sns")

    world.sns.publish = published_but_no_answer
    with pytest.raises(ReadTimeoutError):
        world.fire(booked)
    assert state(world, booked) == "sending"
    world.fire(booked)  # within the lease: somebody may still be at it
    assert len(world.inbox()) == 1
    world.now += LEASE
    world.fire(booked)
    assert len(world.inbox()) == 1
    assert state(world, booked) == "sent"
    assert "REMINDER_RECOVERED" in names(events_of())


def test_the_record_of_a_sender_that_was_taken_over_is_refused(world: World, booked: dict[str, Any]) -> None:
    (item,) = world.items("AppointmentsTable")
    reminder = appointment_from_item(item).reminder("1h")
    assert reminder
    first = world.reminders.claim(booked["appointmentId"], reminder, claim="first", lease=LEASE, now=world.now)
    later = world.now + LEASE
    world.reminders.claim(booked["appointmentId"], reminder, claim="second", lease=LEASE, now=later)
    mine = first.reminder("1h")
    assert mine
    with pytest.raises(ReminderClaimLostError):
        world.reminders.settle(first, replace(mine, state=ReminderState.SENT))


def test_a_reminder_that_nobody_claimed_has_no_outcome(world: World, booked: dict[str, Any]) -> None:
    appointment = world.storage.appointments.get(booked["appointmentId"])
    assert appointment
    for sent in (replace(reminder, state=ReminderState.SENT) for reminder in appointment.reminders):
        with pytest.raises(ReminderClaimLostError):
            world.reminders.settle(appointment, sent)
    assert state(world, booked) == "pending"


def test_a_claim_that_was_written_and_got_no_answer_is_held_all_the_same(world: World, booked: dict[str, Any]) -> None:
    """The SDK repeats the write; the repetition finds the first one, which bears the same claim."""
    reminder = appointment_from_item(world.items("AppointmentsTable")[0]).reminder("1h")
    assert reminder
    for _ in range(2):
        held = world.reminders.claim(booked["appointmentId"], reminder, claim="mine", lease=LEASE, now=world.now)
        assert (mine := held.reminder("1h"))
        assert (mine.claim, mine.attempts) == ("mine", 1)
    with pytest.raises(ReminderClaimLostError):
        world.reminders.claim(booked["appointmentId"], reminder, claim="theirs", lease=LEASE, now=world.now)


def test_moved_while_its_message_was_on_its_way(world: World, booked: dict[str, Any], events_of: LogLines) -> None:
    """The message is recorded for a move back; the reminder of the new time, and its rule, are left as they are."""
    original = world.sns.publish
    path = f"/appointments/{booked['appointmentId']}"

    def move_first(**kwargs: Any) -> Any:
        world.sns.publish = original
        assert world.request("PATCH", path, {"startTime": "2030-01-20T09:00:00Z"})[0] == 200
        return original(**kwargs)

    world.sns.publish = move_first
    world.fire(booked, "1h")
    assert len(world.inbox()) == 1
    (line,) = [line for line in events_of() if line.get("event_type") == "REMINDER_SENT"]
    assert line["recorded"]
    assert state(world, booked) == "pending"
    assert world.rules()[f"appointment-reminder-1h-{booked['appointmentId']}"] == "cron(0 8 20 1 ? 2030)"
    assert world.request("PATCH", path, {"startTime": booked["startTime"]})[0] == 200
    assert state(world, booked) == "sent"


def test_nothing_is_kept_of_a_message_whose_time_is_long_past(world: World, booked: dict[str, Any]) -> None:
    """A move back cannot send it again, so the item need not grow."""
    world.fire(booked, "1h")
    world.now += timedelta(minutes=2)
    path = f"/appointments/{booked['appointmentId']}"
    assert world.request("PATCH", path, {"startTime": "2030-01-20T09:00:00Z"})[0] == 200
    item = world.dynamodb.get_item(TableName="AppointmentsTable", Key={"appointmentId": {"S": booked["appointmentId"]}})
    assert "earlier" not in item["Item"]["reminders"]["M"]["1h"]["M"]
    assert world.request("PATCH", path, {"startTime": booked["startTime"]})[0] == 200
    assert (state(world, booked), len(world.inbox())) == ("skipped", 1)


def test_what_no_sender_had_claimed_takes_no_place_among_what_is_kept(world: World, booked: dict[str, Any]) -> None:
    """Only so many are kept, and one that a sender had claimed has to be among them."""
    for hour in range(10, 17):
        assert world.request("PATCH", f"/appointments/{booked['appointmentId']}", _at(hour))[0] == 200
    stored = world.reminders.appointment(booked["appointmentId"])
    assert stored is not None
    assert [reminder.earlier for reminder in stored.reminders if reminder.is_open] == [()] * len(booked["reminders"])


def _at(hour: int) -> dict[str, str]:
    return {"startTime": f"2030-01-15T{hour}:00:00Z"}


def test_a_claim_that_took_longer_than_its_lease_sends_nothing(world: World, booked: dict[str, Any]) -> None:
    original = world.dynamodb.update_item

    def slow(**kwargs: Any) -> Any:
        answer = original(**kwargs)
        world.now += LEASE
        return answer

    world.dynamodb.update_item = slow
    try:
        with pytest.raises(ReminderClaimLostError):
            world.fire(booked)
    finally:
        world.dynamodb.update_item = original
    assert world.inbox() == []
    world.fire(booked)
    assert len(world.inbox()) == 1


def test_the_audit_trail_of_a_reminder(world: World, booked: dict[str, Any]) -> None:
    world.dying("Publish", after=False)
    with pytest.raises(KilledError):
        world.fire(booked)
    world.now += timedelta(minutes=1)
    world.fire(booked)
    (delivered,) = world.inbox()
    _, _, body = world.request("GET", f"/appointments/{booked['appointmentId']}")
    assert body["reminders"][1] == {
        "offset": "1h",
        "dueAt": "2030-01-15T08:00:00Z",
        "state": "sent",
        "sentAt": "2030-01-15T08:01:00Z",
        "attempts": 2,
        "messageId": delivered["MessageId"],
    }


def held_by_a_sender(world: World, offset: str) -> tuple[Appointment, Reminder]:
    """An appointment as its sender has it in hands, and that reminder after it was sent."""
    appointment = appointment_from_item(world.items("AppointmentsTable")[0])
    reminder = appointment.reminder(offset)
    assert reminder
    held = world.reminders.claim(appointment.appointment_id, reminder, claim=offset, lease=LEASE, now=reminder.due_at)
    mine = held.reminder(offset)
    assert mine
    return held, replace(mine, state=ReminderState.SENT)


@pytest.mark.usefixtures("booked")
@pytest.mark.parametrize("order", [("24h", "1h"), ("1h", "24h")])
def test_two_reminders_of_one_appointment_settle_in_any_order(world: World, order: tuple[str, str]) -> None:
    """Each writes the next due time; the second must not undo the first's."""
    held = {offset: held_by_a_sender(world, offset) for offset in ("24h", "1h")}
    for offset in order:
        world.reminders.settle(*held[offset])
    assert "nextReminderAt" not in world.items("AppointmentsTable")[0]


def test_a_reminder_added_while_another_is_sent_is_not_lost(world: World, booked: dict[str, Any]) -> None:
    """The new one is due later, so the next due time stays what the sender has read."""
    world.fire(booked, "24h")
    held = held_by_a_sender(world, "1h")
    world.request("PATCH", f"/appointments/{booked['appointmentId']}", {"reminders": ["24h", "1h", "15m"]})
    world.reminders.settle(*held)
    (item,) = world.items("AppointmentsTable")
    assert item["nextReminderAt"]["S"] == "2030-01-15T08:45:00Z"
    world.now = datetime(2030, 1, 15, 8, 50, tzinfo=UTC)
    world.inbox()
    world.sweep()
    assert [message["MessageAttributes"]["reminderType"]["Value"] for message in world.inbox()] == ["15m"]


# --- due at once ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", Backend)
def test_what_is_due_before_a_timer_would_be_live_is_given_to_the_sender_which_waits(
    world: World, events_of: LogLines, backend: Backend
) -> None:
    world.timers.backend = backend
    due = datetime(2030, 1, 15, 8, tzinfo=UTC)
    world.now = due - timedelta(seconds=2)
    _, body = world.book("9:00", "10:00", reminders=["1h", "30m"])
    assert (len(world.rules()), len(world.schedules())) == ((1, 0) if backend is Backend.RULES else (0, 1))
    scheduled = {line["reminder"]: line for line in events_of() if line.get("event_type") == "REMINDER_SCHEDULED"}
    assert (scheduled["1h"]["backend"], scheduled["30m"]["backend"]) == ("direct", backend)
    world.deliver()
    assert (world.now, len(world.inbox()), state(world, body)) == (due, 1, "sent")
    assert state(world, body, "30m") == "pending"


@pytest.mark.parametrize(("ahead", "direct"), [(LEAD - timedelta(seconds=1), True), (LEAD, False)])
def test_a_timer_is_made_where_it_will_be_live_in_time(world: World, ahead: timedelta, *, direct: bool) -> None:
    world.now = datetime(2030, 1, 15, 8, tzinfo=UTC) - ahead
    _, body = world.book("9:00", "10:00", reminders=["1h"])
    assert (len(world.invoked), len(world.rules())) == ((1, 0) if direct else (0, 1))
    assert [event["appointmentId"] for event in world.invoked] == [body["appointmentId"]] * direct


def test_a_reminder_cancelled_while_its_sender_waits_is_not_sent(world: World) -> None:
    world.now = datetime(2030, 1, 15, 7, 59, 58, tzinfo=UTC)
    _, body = world.book("9:00", "10:00", reminders=["1h"])

    def cancel(seconds: float) -> None:
        world.now += timedelta(seconds=seconds)
        world.request("DELETE", f"/appointments/{body['appointmentId']}")

    replace(world.sender, sleep=cancel).send(Firing.from_event(world.invoked.pop()))
    assert (world.inbox(), state(world, body)) == ([], "skipped")


def test_a_sender_that_cannot_be_invoked_is_logged_and_the_sweep_sends(world: World, events_of: LogLines) -> None:
    world.now = datetime(2030, 1, 15, 7, 59, 58, tzinfo=UTC)
    with world.failing("Invoke"):
        status, body = world.book("9:00", "10:00", reminders=["1h"])
    assert (status, names(events_of())) == (201, ["BOOKING_SUCCESS", "REMINDER_SCHEDULE_ERROR"])
    world.now += timedelta(minutes=3)
    world.sweep()
    assert (len(world.inbox()), state(world, body)) == (1, "sent")


def test_a_timer_that_fires_early_by_more_than_a_sender_can_wait_is_not_waited_for(world: World) -> None:
    """As a rule of an older version does, which fires in the minute that the reminder is due in."""
    _, body = world.book("2030-01-15T09:00:40Z", "2030-01-15T10:00:00Z", reminders=["1h"])
    world.now = datetime(2030, 1, 15, 8, 0, 10, tzinfo=UTC)
    world.sender.send(Firing(body["appointmentId"], "1h", datetime(2030, 1, 15, 8, 0, 40, tzinfo=UTC)))
    assert (len(world.inbox()), world.now.second) == (1, 10)


@pytest.fixture
def moved_twice_at_once(world: World, booked: dict[str, Any]) -> dict[str, Any]:
    """Moved to 9:10 and then to 9:30. The rule of the first is made between the two calls of the second."""
    path = f"/appointments/{booked['appointmentId']}"
    original = world.events.put_targets

    def move_again(**kwargs: Any) -> Any:
        world.events.put_targets = original
        first = world.events.describe_rule(Name=kwargs["Rule"])["ScheduleExpression"]
        assert world.request("PATCH", path, {"startTime": "2030-01-15T09:30:00Z"})[0] == 200
        targets = world.events.list_targets_by_rule(Rule=kwargs["Rule"])["Targets"]
        world.events.put_rule(Name=kwargs["Rule"], ScheduleExpression=first)
        answer = original(**kwargs)
        original(Rule=kwargs["Rule"], Targets=targets)
        return answer

    world.events.put_targets = move_again
    assert world.request("PATCH", path, {"startTime": "2030-01-15T09:10:00Z", "reminders": ["1h"]})[0] == 200
    return booked


def test_a_rule_with_the_minute_of_one_move_and_the_input_of_another_sends_nothing_early(
    world: World, moved_twice_at_once: dict[str, Any], events_of: LogLines
) -> None:
    (rule, expression), *_ = ((name, when) for name, when in world.rules().items() if "-1h-" in name)
    (target,) = world.events.list_targets_by_rule(Rule=rule)["Targets"]
    firing = Firing.from_event(json.loads(target["Input"]))
    assert (expression, firing.due_at.hour, firing.due_at.minute) == ("cron(10 8 15 1 ? 2030)", 8, 30)
    world.now = datetime(2030, 1, 15, 8, 10, tzinfo=UTC)
    events_of()
    world.sender.send(firing)
    assert (world.inbox(), state(world, moved_twice_at_once)) == ([], "pending")
    assert names(events_of()) == ["REMINDER_SKIPPED"]
    world.now += timedelta(minutes=12)
    world.sweep()
    (schedule,) = world.schedules()
    assert (schedule["Name"], schedule["ScheduleExpression"]) == (rule, "at(2030-01-15T08:30:00)")
    assert rule not in world.rules()
    world.sweep()
    world.now += timedelta(minutes=8)
    world.sender.send(Firing.from_event(json.loads(schedule["Target"]["Input"])))
    assert (len(world.inbox()), state(world, moved_twice_at_once)) == (1, "sent")


def test_the_event_of_such_a_rule_that_comes_late_sends_nothing_early_either(
    world: World, moved_twice_at_once: dict[str, Any], events_of: LogLines
) -> None:
    """EventBridge tries for ten minutes, and Lambda longer: the sweep may have made the timer anew by then.

    What comes then must not be taken for an event that somebody sends by hand while the timer waits.
    """
    rule = next(name for name in world.rules() if "-1h-" in name)
    (target,) = world.events.list_targets_by_rule(Rule=rule)["Targets"]
    firing = Firing.from_event(json.loads(target["Input"]))
    for minute in (14, 22):  # the first sweep finds it not due soon
        world.now = datetime(2030, 1, 15, 8, minute, tzinfo=UTC)
        world.sweep()
    events_of()
    world.now += timedelta(seconds=30)
    world.sender.send(firing)
    assert (world.inbox(), state(world, moved_twice_at_once)) == ([], "pending")
    assert names(events_of()) == ["REMINDER_SKIPPED"]
    world.now = datetime(2030, 1, 15, 8, 30, 1, tzinfo=UTC)
    (schedule,) = world.schedules()
    world.sender.send(Firing.from_event(json.loads(schedule["Target"]["Input"])))
    assert (len(world.inbox()), state(world, moved_twice_at_once)) == (1, "sent")


def test_a_sender_invoked_by_hand_before_the_reminder_is_due_sends_it(world: World, booked: dict[str, Any]) -> None:
    event = Firing(booked["appointmentId"], "1h", datetime(2030, 1, 15, 8, tzinfo=UTC)).event()
    world.sender.send(Firing.from_event(sample_event("reminder-1h") | event))
    assert (len(world.inbox()), state(world, booked)) == (1, "sent")


@pytest.mark.parametrize("backend", Backend)
def test_no_event_is_sent_early_that_does_not_ask_for_it(world: World, backend: Backend, events_of: LogLines) -> None:
    """Also one whose timer is gone: the rule had another minute, and the sweep has removed it since."""
    _, body = world.book("9:00", "10:00", reminders=["1h"])
    due = datetime(2030, 1, 15, 8, tzinfo=UTC)
    (rule,) = world.rules()
    world.timers.rules().remove(rule)
    world.now = due - timedelta(minutes=1, seconds=1)
    events_of()
    world.sender.send(Firing(body["appointmentId"], "1h", due, backend))
    assert (world.inbox(), state(world, body)) == ([], "pending")
    (line,) = events_of()
    assert (line["event_type"], line["reason"]) == ("REMINDER_SKIPPED", "fired at another time")
    world.now = due - timedelta(minutes=1)
    world.sender.send(Firing(body["appointmentId"], "1h", due, backend))
    assert (len(world.inbox()), state(world, body)) == (1, "sent")


@pytest.mark.parametrize("input_of", ["9:04", "15:00"])
@pytest.mark.parametrize("seconds", [-14, 0, 3])
def test_a_rule_with_the_right_minute_and_the_input_of_another_move_sends(
    world: World, input_of: str, seconds: int
) -> None:
    """The sweep would come too late for so short a reminder."""
    _, body = world.book("9:06", "9:30", reminders=["5m"])
    hour, minute = map(int, input_of.split(":"))
    other = datetime(2030, 1, 15, hour, minute, tzinfo=UTC) - timedelta(minutes=5)
    due = datetime(2030, 1, 15, 9, 1, tzinfo=UTC)
    world.now = due + timedelta(seconds=seconds)
    world.sender.send(Firing(body["appointmentId"], "5m", other))
    assert (len(world.inbox()), state(world, body, "5m"), world.rules()) == (1, "sent", {})
    assert world.now >= due


def test_a_rule_with_the_input_of_another_move_leaves_alone_what_is_due_later(world: World) -> None:
    _, body = world.book("9:06", "9:30", reminders=["5m"])
    rules = world.rules()
    world.now = datetime(2030, 1, 15, 9, 1, tzinfo=UTC) - LEAD - timedelta(seconds=1)
    world.sender.send(Firing(body["appointmentId"], "5m", datetime(2030, 1, 15, 8, 59, tzinfo=UTC), early=True))
    assert (world.inbox(), state(world, body, "5m"), world.rules()) == ([], "pending", rules)


def test_a_reminder_due_between_two_minutes_comes_after_it_is_due(world: World, events_of: LogLines) -> None:
    _, body = world.book("2030-01-15T09:00:09Z", "2030-01-15T10:00:00Z", reminders=["1h"])
    (expression,) = world.rules().values()
    assert expression == "cron(1 8 15 1 ? 2030)"
    world.now = datetime(2030, 1, 15, 8, 1, tzinfo=UTC)
    world.fire(body)
    (line,) = [line for line in events_of() if line.get("event_type") == "REMINDER_SENT"]
    assert line["lateness_ms"] == 51_000


# --- items of the next version -------------------------------------------------------------------------

NEXT = {"M": {"email#anna": {"M": {"state": {"S": "bounced"}, "tries": {"L": [{"N": "1"}, {"NULL": True}]}}}}}


def as_the_next_version_stores_it(world: World) -> None:
    """Give every stored item, and every reminder in one, an attribute that this version does not know.

    And let it write what this version leaves out: reminders that no model gives back as they were.
    """
    for item in world.items("AppointmentsTable"):
        for reminder in item["reminders"]["M"].values():
            reminder["M"] |= {"nextVersion": NEXT, "deliveries": {"L": []}, "earlier": {"L": []}}
        world.dynamodb.put_item(TableName="AppointmentsTable", Item=item | {"nextVersion": NEXT})
    for item in world.items("CalendarsTable"):
        if item["day"]["S"] == "settings":
            settings = json.loads(item["settings"]["S"]) | {"nextVersion": {"anything": [1]}}
            item["settings"] = {"S": json.dumps(settings)}
        world.dynamodb.put_item(TableName="CalendarsTable", Item=item | {"nextVersion": NEXT})


def assert_carried_through(world: World) -> None:
    items = [*world.items("AppointmentsTable"), *world.items("CalendarsTable")]
    reminders = [value["M"] for item in items for value in item.get("reminders", {"M": {}})["M"].values()]
    assert all(each["nextVersion"] == NEXT for each in (*items, *reminders))
    assert reminders


@pytest.fixture
def of_the_next_version(world: World) -> dict[str, Any]:
    world.request("PUT", "/calendars/anna", {"capacity": 2})
    _, body = world.book("9:00", "10:00", user="anna")
    as_the_next_version_stores_it(world)
    return body


def test_a_reminder_of_the_next_version_is_sent_once_and_recorded(
    world: World, of_the_next_version: dict[str, Any], events_of: LogLines
) -> None:
    for offset in ("24h", "1h"):
        world.fire(of_the_next_version, offset)
        assert_carried_through(world)
    assert [line["recorded"] for line in events_of() if line.get("event_type") == "REMINDER_SENT"] == [True, True]
    for _ in range(3):
        world.now += timedelta(minutes=5)
        world.sweep()
    assert len(world.inbox()) == 2
    assert "nextReminderAt" not in world.items("AppointmentsTable")[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"startTime": "2030-01-15T11:00:00Z"},
        {"startTime": "2030-01-15T09:30:00Z", "resourceIds": ["room"]},
        {"reminders": ["1h"]},
        {"reminders": ["24h", "1h", "15m"]},
        {"details": {"title": "New"}},
    ],
)
def test_an_appointment_of_the_next_version_can_be_changed(
    world: World, of_the_next_version: dict[str, Any], changes: dict[str, Any]
) -> None:
    world.calls.clear()
    assert world.request("PATCH", f"/appointments/{of_the_next_version['appointmentId']}", changes)[0] == 200
    assert world.calls.count("UpdateItem") + world.calls.count("TransactWriteItems") == 1
    (item,) = world.items("AppointmentsTable")
    stored = item["reminders"]["M"]
    assert item["nextVersion"] == NEXT
    assert all(stored[offset]["M"]["nextVersion"] == NEXT for offset in ("24h", "1h"))
    assert [day["nextVersion"] for day in world.items("CalendarsTable") if "nextVersion" in day] == [NEXT, NEXT]


def test_an_appointment_of_the_next_version_can_be_cancelled(world: World, of_the_next_version: dict[str, Any]) -> None:
    assert world.request("DELETE", f"/appointments/{of_the_next_version['appointmentId']}")[0] == 200
    assert_carried_through(world)


def test_settings_of_the_next_version_are_obeyed_and_can_be_replaced(
    world: World, of_the_next_version: dict[str, Any]
) -> None:
    assert world.book("9:00", "10:00", user="anna")[0] == 201
    assert world.book("9:00", "10:00", user="anna")[0] == 409
    assert world.request("PUT", "/calendars/anna", {"capacity": 3})[0] == 200
    (settings,) = [item for item in world.items("CalendarsTable") if item["day"]["S"] == "settings"]
    assert settings["nextVersion"] == NEXT
    assert world.book("9:00", "10:00", user="anna")[0] == 201


def test_what_the_next_version_notes_while_a_reminder_is_sent_is_no_reason_to_give_up_its_record(
    world: World, booked: dict[str, Any]
) -> None:
    """Also where it makes no difference that this version knows."""
    original = world.sns.publish

    def note(**kwargs: Any) -> Any:
        world.sns.publish = original
        (item,) = world.items("AppointmentsTable")
        item["reminders"]["M"]["1h"]["M"]["deliveries"] = {"L": []}
        world.dynamodb.put_item(TableName="AppointmentsTable", Item=item)
        return original(**kwargs)

    world.sns.publish = note
    world.fire(booked)
    assert (len(world.inbox()), state(world, booked)) == (1, "sent")


def test_a_change_of_an_item_of_the_next_version_whose_answer_was_lost_is_no_conflict_with_itself(
    world: World, of_the_next_version: dict[str, Any]
) -> None:
    before = world.storage.appointments.get(of_the_next_version["appointmentId"])
    assert before
    after = replace(before, details={"title": "New"}, version=before.version + 1)
    client: Any = world.storage.database.client
    original = client.update_item

    def repeated(**kwargs: Any) -> Any:
        """As the SDK does where an answer got lost."""
        client.update_item = original
        original(**kwargs)
        return original(**kwargs)

    client.update_item = repeated
    world.storage.appointments.change(before, after)


def test_a_record_without_reason_to_be_refused_is_an_error_and_not_a_reminder_moved(
    world: World, booked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim that is held and a record that is refused: to go on as if it were recorded would send it for ever."""
    monkeypatch.setattr("appointments.storage.reminders.reminders_as_read", lambda _: {"M": {}})
    with pytest.raises(ReminderNotRecordedError):
        world.fire(booked)
    assert state(world, booked) == "sending"


def test_what_another_version_notes_while_a_reminder_is_sent_is_kept(world: World, booked: dict[str, Any]) -> None:
    original = world.sns.publish

    def note(**kwargs: Any) -> Any:
        world.sns.publish = original
        as_the_next_version_stores_it(world)
        return original(**kwargs)

    world.sns.publish = note
    world.fire(booked)
    assert state(world, booked) == "sent"
    assert_carried_through(world)


def test_cleaning_up_is_repeated_when_it_failed(world: World, booked: dict[str, Any]) -> None:
    with world.failing("DeleteRule", code="InternalException"), pytest.raises(ClientError):
        world.fire(booked)
    world.fire(booked)
    assert len(world.inbox()) == 1
    assert f"appointment-reminder-1h-{booked['appointmentId']}" not in world.rules()


@pytest.mark.parametrize("event", [{}, {"appointmentId": "x"}, {"appointmentId": "x", "reminder": "1h", "dueAt": "?"}])
def test_an_event_that_no_rule_sends_is_an_error_and_not_silence(event: dict[str, Any], events_of: LogLines) -> None:
    from reminder_sender import app

    class Context:
        function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "x"

    with pytest.raises((KeyError, ValueError)):
        app.lambda_handler(event, Context())  # type: ignore[arg-type]
    assert names(events_of()) == ["REMINDER_ERROR"]
