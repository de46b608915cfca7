"""Several channels: one record for each and its recipients, and what fails on one repeats no other."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from appointments.storage.appointment_items import appointment_from_item, appointment_to_item
from reaching.refusals import NotSentError
from reminder_sender.channels import CHANNELS, channels_from
from reminder_sender.channels.topic import Topic
from reminder_sender.sender import LEASE, SEND_PAUSES
from reminder_sweep.sweep import GRACE
from support import ROOT
from world import KilledError

if TYPE_CHECKING:
    from collections.abc import Callable

    from appointments.model import Appointment
    from appointments.reminders import Reminder
    from reaching.recipients import Person
    from world import World

    LogLines = Callable[[], list[dict[str, Any]]]

DUE = datetime.fromisoformat("2030-01-15T08:00:00Z")


@dataclass(frozen=True)
class FileChannel:
    """A second channel: a line per message and person. `errors` are raised first, one for each call."""

    path: Path
    name: str = "file"
    people: tuple[str, ...] = ("anna",)
    errors: list[BaseException] = field(default_factory=list)
    sends_before_it_fails: bool = False

    @classmethod
    def from_env(cls, env: dict[str, str]) -> list[FileChannel]:
        return [cls(Path(env["REMINDER_FILE"]))] if env.get("REMINDER_FILE") else []

    def recipients(self, _appointment: Appointment, _person: Person) -> tuple[str, ...]:
        return self.people

    def send(self, appointment: Appointment, reminder: Reminder, recipient: str, _person: Person) -> str:
        if self.errors and not self.sends_before_it_fails:
            raise self.errors.pop(0)
        with self.path.open("a") as file:
            file.write(json.dumps([appointment.appointment_id, reminder.offset, recipient]) + "\n")
        if self.errors:
            raise self.errors.pop(0)
        return f"line-{len(self.path.read_text().splitlines())}"


@pytest.fixture
def file(world: World, tmp_path: Path) -> FileChannel:
    """The second channel of this world's sender and sweep."""
    channel = FileChannel(tmp_path / "reminders.jsonl")
    use(world, channel)
    return channel


def use(world: World, *more: FileChannel) -> None:
    world.sender = replace(world.sender, channels=[world.topic, *more])
    world.sweeper = replace(world.sweeper, sender=world.sender)


@pytest.fixture
def booked(world: World) -> dict[str, Any]:
    return world.book("9:00", "10:00", user="anna", reminders=["1h"])[1]


def lines(channel: FileChannel) -> list[str]:
    """Whom the file's messages are for."""
    return [json.loads(line)[2] for line in channel.path.read_text().splitlines()] if channel.path.exists() else []


def stored(world: World) -> dict[str, Any]:
    """The one reminder as it lies in the table, without DynamoDB's types."""
    (item,) = world.items("AppointmentsTable")
    reminder: dict[str, Any] = plain(item["reminders"]["M"]["1h"])
    return reminder


def plain(value: dict[str, Any]) -> Any:
    ((kind, inner),) = value.items()
    if kind == "M":
        return {name: plain(each) for name, each in inner.items()}
    return [plain(each) for each in inner] if kind == "L" else inner


def records(world: World) -> dict[tuple[str, str], tuple[str, int]]:
    """State and attempts by channel and recipient."""
    return {
        (each["channel"], each["recipient"]): (each["state"], int(each["attempts"]))
        for each in stored(world).get("deliveries", ())
    }


TOPIC, FILE = ("topic", "subscribers"), ("file", "anna")


def test_each_channel_gets_one_message_and_a_record(
    world: World, file: FileChannel, booked: dict[str, Any], events_of: LogLines
) -> None:
    world.calls.clear()
    world.fire(booked)
    assert world.calls == [
        "GetItem",
        "UpdateItem",
        "Publish",
        "UpdateItem",
        "UpdateItem",
        "RemoveTargets",
        "DeleteRule",
    ]
    (delivered,) = world.inbox()
    assert lines(file) == ["anna"]
    assert stored(world)["deliveries"] == [
        {
            "channel": "topic",
            "recipient": "subscribers",
            "state": "sent",
            "at": "2030-01-15T08:00:00Z",
            "attempts": "1",
            "messageId": delivered["MessageId"],
        },
        {
            "channel": "file",
            "recipient": "anna",
            "state": "sent",
            "at": "2030-01-15T08:00:00Z",
            "attempts": "1",
            "messageId": "line-1",
        },
    ]
    reminder = world.request("GET", f"/appointments/{booked['appointmentId']}")[2]["reminders"][0]
    assert reminder == {
        "offset": "1h",
        "dueAt": "2030-01-15T08:00:00Z",
        "state": "sent",
        "sentAt": "2030-01-15T08:00:00Z",
        "attempts": 1,
        "messageId": delivered["MessageId"],
    }
    assert [line["channel"] for line in events_of() if line.get("event_type") == "REMINDER_SENT"] == ["topic", "file"]


def test_one_delivery_has_its_record_in_the_reminder_itself(world: World, booked: dict[str, Any]) -> None:
    """So that version 0.1, which takes a reminder with more attributes for changed, can go on with it."""
    world.fire(booked)
    assert stored(world).keys() == {"dueAt", "state", "attempts", "claim", "leaseUntil", "sentAt", "messageId"}


def test_several_recipients_of_one_channel(world: World, tmp_path: Path, booked: dict[str, Any]) -> None:
    channel = FileChannel(tmp_path / "many", people=("anna", "dr-lee"))
    use(world, channel)
    world.fire(booked)
    assert lines(channel) == ["anna", "dr-lee"]
    assert records(world) == {TOPIC: ("sent", 1), FILE: ("sent", 1), ("file", "dr-lee"): ("sent", 1)}


def test_a_channel_that_refuses_is_tried_again_alone(world: World, file: FileChannel, booked: dict[str, Any]) -> None:
    file.errors.extend(NotSentError("disk full") for _ in (*SEND_PAUSES, None))
    with pytest.raises(NotSentError):
        world.fire(booked)
    assert (len(world.inbox()), lines(file), stored(world)["state"]) == (1, [], "pending")
    assert records(world) == {TOPIC: ("sent", 1), FILE: ("failed", 1)}
    assert stored(world)["deliveries"][1]["reason"] == "disk full"
    world.fire(booked)
    assert (len(world.inbox()), lines(file), stored(world)["state"]) == (0, ["anna"], "sent")
    assert records(world) == {TOPIC: ("sent", 1), FILE: ("sent", 2)}
    assert "reason" not in stored(world)["deliveries"][1]


def test_the_first_channel_that_refuses_keeps_the_second_from_nothing(
    world: World, file: FileChannel, booked: dict[str, Any]
) -> None:
    with world.failing("Publish", code="InternalError"), pytest.raises(NotSentError):
        world.fire(booked)
    assert (len(world.inbox()), lines(file), stored(world)["state"]) == (0, ["anna"], "pending")
    world.now = DUE + GRACE
    world.sweep()
    assert (len(world.inbox()), lines(file), stored(world)["state"]) == (1, ["anna"], "sent")


def test_two_channels_that_refuse_are_both_told_of(world: World, file: FileChannel, booked: dict[str, Any]) -> None:
    file.errors.extend(NotSentError("disk full") for _ in (*SEND_PAUSES, None))
    with world.failing("Publish", code="InternalError"), pytest.raises(ExceptionGroup) as raised:
        world.fire(booked)
    assert len(raised.value.exceptions) == 2
    assert stored(world)["state"] == "pending"


@pytest.mark.parametrize("sends_before_it_fails", [False, True])
def test_silence_of_one_channel_is_repeated_there_alone_after_the_lease(
    world: World, tmp_path: Path, booked: dict[str, Any], events_of: LogLines, *, sends_before_it_fails: bool
) -> None:
    quiet = FileChannel(tmp_path / "quiet", errors=[OSError("silence")], sends_before_it_fails=sends_before_it_fails)
    loud = replace(quiet, path=tmp_path / "loud", errors=[], people=("dr-lee",))
    use(world, quiet, loud)
    with pytest.raises(OSError, match="silence"):
        world.fire(booked)
    assert (len(world.inbox()), len(lines(quiet)), lines(loud)) == (1, sends_before_it_fails, ["dr-lee"])
    assert stored(world)["state"] == "sending"
    world.fire(booked)  # within the lease: a message may be on its way
    assert len(lines(quiet)) == sends_before_it_fails
    world.now += LEASE
    world.fire(booked)
    assert (len(world.inbox()), len(lines(quiet)), lines(loud)) == (0, 1 + sends_before_it_fails, ["dr-lee"])
    assert stored(world)["state"] == "sent"
    assert "REMINDER_RECOVERED" in [line.get("event_type") for line in events_of()]


def test_death_in_one_channel_repeats_no_other(world: World, file: FileChannel, booked: dict[str, Any]) -> None:
    file.errors.append(KilledError())
    with pytest.raises(KilledError):
        world.fire(booked)
    assert (len(world.inbox()), records(world)) == (1, {TOPIC: ("sent", 1)})
    world.now += LEASE
    world.fire(booked)
    assert (len(world.inbox()), lines(file), stored(world)["state"]) == (0, ["anna"], "sent")


def test_a_reminder_added_meanwhile_does_not_lose_the_record_of_the_first_channel(
    world: World, file: FileChannel, booked: dict[str, Any]
) -> None:
    original = world.sns.publish

    def change_first(**kwargs: Any) -> Any:
        world.sns.publish = original
        path = f"/appointments/{booked['appointmentId']}"
        assert world.request("PATCH", path, {"reminders": ["1h", "15m"]})[0] == 200
        return original(**kwargs)

    world.sns.publish = change_first
    file.errors.append(KilledError())
    with pytest.raises(KilledError):
        world.fire(booked)
    assert records(world) == {TOPIC: ("sent", 1)}


def test_moved_after_the_first_channel_the_second_sends_nothing_of_the_old_time(
    world: World, file: FileChannel, booked: dict[str, Any]
) -> None:
    original = world.sns.publish

    def move_first(**kwargs: Any) -> Any:
        world.sns.publish = original
        path = f"/appointments/{booked['appointmentId']}"
        assert world.request("PATCH", path, {"startTime": "2030-01-20T09:00:00Z"})[0] == 200
        return original(**kwargs)

    world.sns.publish = move_first
    world.fire(booked)
    assert (lines(file), stored(world)["state"], records(world)) == ([], "pending", {})


def cancel(world: World, booked: dict[str, Any]) -> None:
    assert world.request("DELETE", f"/appointments/{booked['appointmentId']}")[0] == 200


def ask_for_none(world: World, booked: dict[str, Any]) -> None:
    assert world.request("PATCH", f"/appointments/{booked['appointmentId']}", {"reminders": []})[0] == 200


@pytest.mark.parametrize("end_it", [cancel, ask_for_none])
def test_given_up_after_the_first_channel_nothing_more_is_sent(
    world: World,
    file: FileChannel,
    booked: dict[str, Any],
    events_of: LogLines,
    end_it: Callable[[World, dict[str, Any]], None],
) -> None:
    """The record of the first channel has told the sender."""
    original = world.sns.publish

    def end_first(**kwargs: Any) -> Any:
        world.sns.publish = original
        end_it(world, booked)
        return original(**kwargs)

    world.sns.publish = end_first
    world.fire(booked)
    assert (len(world.inbox()), lines(file), records(world)) == (1, [], {TOPIC: ("sent", 1)})
    assert (stored(world)["state"], world.rules()) == ("sent", {})
    assert "nextReminderAt" not in world.items("AppointmentsTable")[0]
    assert "REMINDER_SKIPPED" not in [line.get("event_type") for line in events_of()]  # it counts once, as sent


def test_a_lease_that_runs_out_between_two_channels_ends_the_sending(
    world: World, file: FileChannel, booked: dict[str, Any]
) -> None:
    original = world.sns.publish

    def slow(**kwargs: Any) -> Any:
        world.sns.publish = original
        world.now += LEASE
        return original(**kwargs)

    world.sns.publish = slow
    with pytest.raises(Exception, match="lease ran out"):
        world.fire(booked)
    assert (len(world.inbox()), lines(file)) == (1, [])
    world.fire(booked)
    assert (len(world.inbox()), lines(file), stored(world)["state"]) == (0, ["anna"], "sent")


def test_a_channel_that_is_gone_leaves_nothing_open(world: World, tmp_path: Path, booked: dict[str, Any]) -> None:
    """What was sent last says when the reminder was sent."""
    loud = FileChannel(tmp_path / "loud")

    def slowly(*what: Any) -> str:
        world.now += timedelta(seconds=3)
        return loud.send(*what)

    slow: Any = SimpleNamespace(name="slow", recipients=loud.recipients, send=slowly)
    use(world, slow, FileChannel(tmp_path / "deadly", name="deadly", errors=[KilledError()]))
    with pytest.raises(KilledError):
        world.fire(booked)
    use(world)
    world.now = DUE + GRACE
    world.sweep()
    assert (len(world.inbox()), lines(loud)) == (1, ["anna"])
    assert (stored(world)["state"], stored(world)["sentAt"]) == ("sent", "2030-01-15T08:00:03Z")


def test_a_record_follows_when_its_channel_is_the_only_one_left(
    world: World, file: FileChannel, booked: dict[str, Any]
) -> None:
    with world.failing("Publish", code="InternalError"), pytest.raises(NotSentError):
        world.fire(booked)
    use(world)
    world.fire(booked)
    assert (len(world.inbox()), lines(file), stored(world)["state"]) == (1, ["anna"], "sent")
    assert records(world) == {TOPIC: ("sent", 2), FILE: ("sent", 1)}


def test_nobody_to_send_to_is_skipped(world: World, booked: dict[str, Any], events_of: LogLines) -> None:
    world.sender = replace(world.sender, channels=[])
    world.fire(booked)
    assert stored(world)["state"] == "skipped"
    assert world.rules() == {}
    (line,) = [line for line in events_of() if line.get("event_type") == "REMINDER_SKIPPED"]
    assert line["reason"] == "nobody to send it to"


def test_a_lost_answer_of_a_record_between_two_channels_is_no_loss(
    world: World, file: FileChannel, booked: dict[str, Any]
) -> None:
    """As the SDK repeats it: the second write finds the first."""
    original = world.dynamodb.update_item

    def twice(**kwargs: Any) -> Any:
        if ":reminder" in kwargs["ExpressionAttributeValues"]:
            original(**kwargs)
        return original(**kwargs)

    world.dynamodb.update_item = twice
    try:
        world.fire(booked)
    finally:
        world.dynamodb.update_item = original
    assert (len(world.inbox()), lines(file), stored(world)["state"]) == (1, ["anna"], "sent")


def test_a_lost_answer_of_the_last_record_is_no_loss(
    world: World, file: FileChannel, booked: dict[str, Any], events_of: LogLines
) -> None:
    """On a clock that knows parts of a second, which the table does not keep."""
    world.now = DUE + timedelta(microseconds=123_456)
    original = world.dynamodb.update_item

    def twice(**kwargs: Any) -> Any:
        if ":reminder" in kwargs["ExpressionAttributeValues"]:
            original(**kwargs)
        return original(**kwargs)

    world.dynamodb.update_item = twice
    try:
        world.fire(booked)
    finally:
        world.dynamodb.update_item = original
    sent = [line["recorded"] for line in events_of() if line.get("event_type") == "REMINDER_SENT"]
    assert (sent, stored(world)["state"], world.rules()) == ([True, True], "sent", {})


def test_records_come_back_as_they_were_stored(world: World, file: FileChannel, booked: dict[str, Any]) -> None:
    world.fire(booked)
    (item,) = world.items("AppointmentsTable")
    for delivery in item["reminders"]["M"]["1h"]["M"]["deliveries"]["L"]:
        delivery["M"]["nextVersion"] = {"NULL": True}
    read = appointment_from_item(item)
    assert appointment_to_item(read, timedelta())["reminders"] == item["reminders"]


@pytest.mark.parametrize(("at", "records"), [("anna", 1), ("dr-lee", 2)])
def test_what_another_version_stores_between_two_records_is_kept(
    world: World, tmp_path: Path, booked: dict[str, Any], at: str, records: int
) -> None:
    def store() -> None:
        (item,) = world.items("AppointmentsTable")
        reminder = item["reminders"]["M"]["1h"]["M"]
        reminder["nextVersion"] = {"S": "x"}
        for delivery in reminder["deliveries"]["L"]:
            delivery["M"]["nextVersion"] = {"S": "x"}
        world.dynamodb.put_item(TableName="AppointmentsTable", Item=item)

    @dataclass(frozen=True)
    class Watched(FileChannel):
        def send(self, appointment: Appointment, reminder: Reminder, recipient: str, person: Person) -> str:
            sent = super().send(appointment, reminder, recipient, person)
            if recipient == at:
                store()
            return sent

    use(world, Watched(tmp_path / "reminders.jsonl", people=("anna", "dr-lee", "dr-kim")))
    world.fire(booked)
    kept = [each.get("nextVersion") for each in stored(world)["deliveries"]]
    assert (stored(world)["state"], stored(world)["nextVersion"]) == ("sent", "x")
    assert kept == ["x"] * records + [None] * (4 - records)


def test_a_channel_is_a_class_and_an_entry_in_the_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr("reminder_sender.channels.CHANNELS", (*CHANNELS, FileChannel))
    env = {"NOTIFICATION_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:reminders"}
    assert [type(channel) for channel in channels_from(env)] == [Topic]
    env["REMINDER_FILE"] = str(tmp_path / "file")
    assert [type(channel) for channel in channels_from(env)] == [Topic, FileChannel]
    with pytest.raises(KeyError):
        channels_from({})


def test_every_channel_is_in_the_list() -> None:
    folder = ROOT / "src" / "reminder_sender" / "channels"
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "channel"}
    assert {kind.__module__.rpartition(".")[2] for kind in CHANNELS} == modules
