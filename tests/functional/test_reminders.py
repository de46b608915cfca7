"""The sender on moto: one message per reminder, whatever is delivered twice, refused or overtaken."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from appointments.model import ReminderState, Status
from appointments.table import ReminderClaimLostError, appointment_from_item, appointment_to_item
from reminder_sender.sender import LEASE, PUBLISH_PAUSES, Firing
from support import sample_event
from world import KilledError

if TYPE_CHECKING:
    from collections.abc import Callable

    from appointments.model import Appointment, Reminder
    from world import World

    LogLines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def booked(world: World) -> dict[str, Any]:
    """An appointment with its two rules, far enough ahead for both."""
    _, body = world.book("9:00", "10:00", user="anna", details={"title": "Check-up"})
    return body


def state(world: World, appointment: dict[str, Any], offset: str = "1h") -> str:
    _, _, body = world.request("GET", f"/appointments/{appointment['appointmentId']}")
    return next(reminder["state"] for reminder in body["reminders"] if reminder["offset"] == offset)


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
    original = world.table.client.get_item

    def cancel_after(**kwargs: Any) -> Any:
        answer = original(**kwargs)
        world.table.client.get_item = original
        change(world, booked, status=Status.CANCELLED)
        return answer

    world.table.client.get_item = cancel_after  # type: ignore[method-assign]
    world.fire(booked)
    assert world.inbox() == []


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
    with world.failing("Publish", times=2 * (1 + len(PUBLISH_PAUSES)), code="InternalError"):
        for _ in range(2):
            with pytest.raises(ClientError):
                world.fire(booked)
            assert state(world, booked) == "pending"
        world.fire(booked)
    assert len(world.inbox()) == 1
    assert state(world, booked) == "sent"


@pytest.mark.parametrize("error", [EndpointConnectionError, ConnectTimeoutError])
def test_sns_that_cannot_be_reached_has_sent_nothing(
    world: World, booked: dict[str, Any], events_of: LogLines, error: type[Exception]
) -> None:
    original = world.sns.publish

    def unreachable(**_: Any) -> Any:
        raise error(endpoint_url="sns")

    world.sns.publish = unreachable
    try:
        with pytest.raises(error):
            world.fire(booked)
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
    with world.failing("Publish", code="InternalError"), pytest.raises(ClientError):
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
    first = world.table.claim_reminder(booked["appointmentId"], reminder, claim="first", lease=LEASE, now=world.now)
    later = world.now + LEASE
    world.table.claim_reminder(booked["appointmentId"], reminder, claim="second", lease=LEASE, now=later)
    mine = first.reminder("1h")
    assert mine
    with pytest.raises(ReminderClaimLostError):
        world.table.settle_reminder(first, replace(mine, state=ReminderState.SENT))


def test_a_claim_that_was_written_and_got_no_answer_is_held_all_the_same(world: World, booked: dict[str, Any]) -> None:
    """The SDK repeats the write; the repetition finds the first one, which bears the same claim."""
    reminder = appointment_from_item(world.items("AppointmentsTable")[0]).reminder("1h")
    assert reminder
    for _ in range(2):
        held = world.table.claim_reminder(booked["appointmentId"], reminder, claim="mine", lease=LEASE, now=world.now)
        assert (mine := held.reminder("1h"))
        assert (mine.claim, mine.attempts) == ("mine", 1)
    with pytest.raises(ReminderClaimLostError):
        world.table.claim_reminder(booked["appointmentId"], reminder, claim="theirs", lease=LEASE, now=world.now)


def test_moved_while_its_message_was_on_its_way(world: World, booked: dict[str, Any], events_of: LogLines) -> None:
    """The message went out and is logged; the reminder of the new time, and its rule, are left as they are."""
    original = world.sns.publish

    def move_first(**kwargs: Any) -> Any:
        world.sns.publish = original
        path = f"/appointments/{booked['appointmentId']}"
        assert world.request("PATCH", path, {"startTime": "2030-01-20T09:00:00Z"})[0] == 200
        return original(**kwargs)

    world.sns.publish = move_first
    world.fire(booked, "1h")
    assert len(world.inbox()) == 1
    (line,) = [line for line in events_of() if line.get("event_type") == "REMINDER_SENT"]
    assert not line["recorded"]
    assert state(world, booked) == "pending"
    assert world.rules()[f"appointment-reminder-1h-{booked['appointmentId']}"] == "cron(0 8 20 1 ? 2030)"


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
    held = world.table.claim_reminder(
        appointment.appointment_id, reminder, claim=offset, lease=LEASE, now=reminder.due_at
    )
    mine = held.reminder(offset)
    assert mine
    return held, replace(mine, state=ReminderState.SENT)


@pytest.mark.usefixtures("booked")
@pytest.mark.parametrize("order", [("24h", "1h"), ("1h", "24h")])
def test_two_reminders_of_one_appointment_settle_in_any_order(world: World, order: tuple[str, str]) -> None:
    """Each writes the next due time; the second must not undo the first's."""
    held = {offset: held_by_a_sender(world, offset) for offset in ("24h", "1h")}
    for offset in order:
        world.table.settle_reminder(*held[offset])
    assert "nextReminderAt" not in world.items("AppointmentsTable")[0]


def test_a_reminder_added_while_another_is_sent_is_not_lost(world: World, booked: dict[str, Any]) -> None:
    """The new one is due later, so the next due time stays what the sender has read."""
    world.fire(booked, "24h")
    held = held_by_a_sender(world, "1h")
    world.request("PATCH", f"/appointments/{booked['appointmentId']}", {"reminders": ["24h", "1h", "15m"]})
    world.table.settle_reminder(*held)
    (item,) = world.items("AppointmentsTable")
    assert item["nextReminderAt"]["S"] == "2030-01-15T08:45:00Z"
    world.now = datetime(2030, 1, 15, 8, 50, tzinfo=UTC)
    world.inbox()
    world.sweep()
    assert [message["MessageAttributes"]["reminderType"]["Value"] for message in world.inbox()] == ["15m"]


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
