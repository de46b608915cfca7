"""Reminders to the person: by email and SMS beside the topic, each once, whatever dies, fails or refuses."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends
from moto.sns.models import sns_backends

from appointments.contact_digests import ContactDigests
from appointments.contacts import ChannelName, Contact, contact_body
from appointments.firing import Firing
from appointments.storage.appointment_items import appointment_from_item, appointment_to_item
from appointments.storage.contacts import ContactItems
from appointments.storage.undeliverable import MARKED_FOR, Undeliverable
from reaching.email import Letter, Mailer
from reaching.recipients import Recipients
from reaching.refusals import NotSentError
from reaching.sms import Texter
from reminder_sender.channels.person import ToPerson
from reminder_sender.sender import LEASE
from reminder_sweep.sweep import GRACE
from world import REGION, KilledError

if TYPE_CHECKING:
    from collections.abc import Callable

    from appointments.model import Appointment
    from reminder_sender.channels.channel import Channel
    from world import World

    LogLines = Callable[[], list[dict[str, Any]]]

DUE = datetime.fromisoformat("2030-01-15T08:00:00Z")
EMAIL, SMS = ChannelName.EMAIL, ChannelName.SMS
ANNA = Contact("Anna", "anna@example.org", "+4915123456789", "de", (EMAIL, SMS))
CALLS = ["GetItem", "UpdateItem", "BatchGetItem"]
SENDS = ["Publish", "UpdateItem", "SendEmail", "UpdateItem", "Publish", "UpdateItem"]
CLEANING = ["RemoveTargets", "DeleteRule"]


class People:
    """The world's sender and sweep, with both channels to the person on."""

    def __init__(self, world: World) -> None:
        self.world = world
        kms = world.clients["kms"]
        key = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
        database = world.storage.database
        digests = ContactDigests(kms, key)
        digests.digest("")  # as a process that has sent before
        self.undeliverable = Undeliverable(database, "CalendarsTable", digests)
        recipients = Recipients(database, "CalendarsTable", self.undeliverable, (EMAIL, SMS), lambda: world.now)
        world.clients["sesv2"].create_email_identity(EmailIdentity="clinic@example.com")
        mailer = Mailer(lambda: world.clients["sesv2"], "clinic@example.com")
        texter = Texter(lambda: world.sns)

        def write(appointment: Appointment, contact: Contact) -> str:
            text = f"Your appointment at {appointment.interval.start:%H:%M}"
            return mailer.send(Letter(contact.email or "", contact.name, "Reminder", text, f"<p>{text}</p>"))

        def text(appointment: Appointment, contact: Contact) -> str:
            return texter.send(contact.phone or "", f"Your appointment at {appointment.interval.start:%H:%M}")

        channels: list[Channel] = [world.topic, ToPerson(EMAIL, write), ToPerson(SMS, text)]
        world.sender = replace(world.sender, channels=channels, people=recipients.of)
        world.sweeper = replace(world.sweeper, sender=world.sender)

    def got(self) -> tuple[int, list[str], list[str]]:
        """How many messages the topic delivered since the last look, and all that email and SMS went to."""
        emails = ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages
        texts = sns_backends[DEFAULT_ACCOUNT_ID][REGION].sms_messages
        return len(self.world.inbox()), [one.destinations[0] for one in emails], [to for to, *_ in texts.values()]


@pytest.fixture
def people(world: World) -> People:
    return People(world)


def booked(world: World, contact: Contact | None = ANNA) -> dict[str, Any]:
    """An appointment with a reminder, and a contact in its item."""
    _, body = world.book("9:00", "10:00", user="anna", reminders=["1h"])
    if contact:
        give(world, body, contact)
    world.calls.clear()
    return body


def give(world: World, body: dict[str, Any], contact: Contact | None) -> None:
    told: Any = {"ExpressionAttributeValues": {":contact": {"S": json.dumps(contact_body(contact))}}} if contact else {}
    world.dynamodb.update_item(
        TableName="AppointmentsTable",
        Key={"appointmentId": {"S": body["appointmentId"]}},
        UpdateExpression="SET contact = :contact" if contact else "REMOVE contact",
        **told,
    )


def keep(world: World, contact: Contact) -> None:
    """The contact of a calendar."""
    ContactItems(world.storage.database, "CalendarsTable").put("anna", contact, world.now, "desk")


def fire(world: World, body: dict[str, Any]) -> None:
    world.sender.send(Firing(body["appointmentId"], "1h", DUE))


def reminder(world: World) -> dict[str, Any]:
    (item,) = world.items("AppointmentsTable")
    stored: dict[str, Any] = item["reminders"]["M"]["1h"]["M"]
    return stored


def records(world: World) -> dict[str, tuple[str, int, str]]:
    """State, attempts and reason by channel, as they are read back."""
    (item,) = world.items("AppointmentsTable")
    (found,) = appointment_from_item(item).reminders
    return {one.channel: (one.state.value, one.attempts, one.reason or "") for one in found.deliveries}


SENT = ("sent", 1, "")


def test_each_channel_gets_one_message_and_a_record(world: World, people: People, events_of: LogLines) -> None:
    body = booked(world)
    world.now = DUE
    fire(world, body)
    assert world.calls == CALLS + SENDS + CLEANING
    assert people.got() == (1, ["anna@example.org"], ["+4915123456789"])
    assert records(world) == {"topic": SENT, "email": SENT, "sms": SENT}
    lines = events_of()
    assert [line["channel"] for line in lines if line.get("event_type") == "REMINDER_SENT"] == ["topic", "email", "sms"]
    assert "anna@" not in json.dumps(lines)
    assert "+4915" not in json.dumps(lines)
    fire(world, body)
    assert people.got()[0] == 0


def test_nothing_is_read_more_for_who_has_a_contact_without_channels(world: World, people: People) -> None:
    """And not the one of the calendar: the person agreed to none for this appointment."""
    keep(world, ANNA)
    body = booked(world, replace(ANNA, channels=()))
    world.now = DUE
    fire(world, body)
    assert world.calls == ["GetItem", "UpdateItem", "Publish", "UpdateItem", *CLEANING]
    assert people.got() == (1, [], [])
    assert "deliveries" not in reminder(world)


@pytest.mark.parametrize("contact", [ANNA, None])
def test_without_a_contact_of_its_own_the_one_of_the_calendar_is_read(
    world: World, people: People, contact: Contact | None
) -> None:
    if contact:
        keep(world, contact)
    body = booked(world, None)
    world.now = DUE
    fire(world, body)
    assert world.calls[:3] == ["GetItem", "UpdateItem", "GetItem"]
    assert people.got() == (1, *([[ANNA.email], [ANNA.phone]] if contact else [[], []]))


def test_only_channels_that_are_on_are_looked_up(world: World, people: People) -> None:
    body = booked(world, replace(ANNA, channels=(SMS,)))
    people.undeliverable.mark(EMAIL, "anna@example.org", "bounced", world.now)
    world.now = DUE
    fire(world, body)
    assert people.got() == (1, [], [ANNA.phone])
    assert records(world).keys() == {"topic", "sms"}


def test_a_marked_address_gets_nothing_and_that_is_recorded(world: World, people: People, events_of: LogLines) -> None:
    body = booked(world)
    people.undeliverable.mark(EMAIL, "anna@example.org", "bounced", DUE - timedelta(days=1))
    world.now = DUE
    fire(world, body)
    assert people.got() == (1, [], ["+4915123456789"])
    assert records(world) == {"topic": SENT, "email": ("refused", 1, "bounced"), "sms": SENT}
    assert (reminder(world)["state"], world.rules()) == ({"S": "sent"}, {})
    (line,) = [line for line in events_of() if line.get("event_type") == "MESSAGE_REFUSED"]
    assert (line["channel"], line["reason"]) == ("email", "bounced")
    world.now += timedelta(minutes=5)
    world.sweep()
    assert people.got() == (0, [], ["+4915123456789"])


def test_a_mark_ends(world: World, people: People) -> None:
    body = booked(world)
    people.undeliverable.mark(EMAIL, "anna@example.org", "bounced", DUE - MARKED_FOR)
    people.undeliverable.mark(SMS, "+4915123456789", "opted out", DUE - MARKED_FOR + timedelta(seconds=1))
    world.now = DUE
    fire(world, body)
    assert people.got() == (1, ["anna@example.org"], [])
    assert records(world)["sms"] == ("refused", 1, "opted out")


def test_a_mark_names_no_address(world: World, people: People) -> None:
    people.undeliverable.mark(EMAIL, "anna@example.org", "bounced", DUE)
    (item,) = world.items("CalendarsTable")
    assert "anna" not in json.dumps(item)
    assert (item["day"], item["calendarId"]["S"][:14]) == ({"S": "email"}, "undeliverable#")
    assert "updatedAt" not in item, "the index of configured calendars does not have it"


@pytest.mark.parametrize("refusing", ["SendEmail", "Publish"])
def test_what_a_service_refuses_for_good_is_not_tried_again(
    world: World, people: People, refusing: str, events_of: LogLines
) -> None:
    body = booked(world)
    world.now = DUE
    original = world.sns.publish

    def not_to_phones(**request: Any) -> Any:
        if "PhoneNumber" in request:
            error = {"Code": "InvalidParameter", "Message": f"PhoneNumber {request['PhoneNumber']} is opted out"}
            raise world.sns.exceptions.InvalidParameterException({"Error": error}, "Publish")
        return original(**request)

    if refusing == "Publish":
        world.sns.publish = not_to_phones
        try:
            fire(world, body)
        finally:
            world.sns.publish = original
        assert records(world) == {"topic": SENT, "email": SENT, "sms": ("refused", 1, "opted out")}
    else:
        with world.failing("SendEmail", code="MessageRejected"):
            fire(world, body)
        assert records(world) == {"topic": SENT, "email": ("refused", 1, "MessageRejected"), "sms": SENT}
    assert reminder(world)["state"] == {"S": "sent"}
    world.calls.clear()
    fire(world, body)
    world.sweep()
    assert {"SendEmail", "Publish"}.isdisjoint(world.calls)
    assert "+49" not in json.dumps(events_of())


def test_a_mark_ends_when_it_is_taken_away(world: World, people: People) -> None:
    body = booked(world)
    people.undeliverable.mark(SMS, "+4915123456789", "opted out", DUE)
    people.undeliverable.unmark(SMS, "+4915123456789")
    people.undeliverable.unmark(EMAIL, "anna@example.org")
    world.now = DUE
    fire(world, body)
    assert people.got() == (1, ["anna@example.org"], ["+4915123456789"])


def test_a_reminder_that_everybody_refuses_is_skipped(world: World, people: People, events_of: LogLines) -> None:
    world.sender = replace(world.sender, channels=world.sender.channels[1:])
    body = booked(world)
    people.undeliverable.mark(EMAIL, "anna@example.org", "bounced", DUE)
    people.undeliverable.mark(SMS, "+4915123456789", "opted out", DUE)
    world.now = DUE
    fire(world, body)
    assert people.got() == (0, [], [])
    assert (reminder(world)["state"], world.rules()) == ({"S": "skipped"}, {})
    (line,) = [line for line in events_of() if line.get("event_type") == "REMINDER_SKIPPED"]
    assert line["reason"] == "refused everywhere"
    assert "nextReminderAt" not in world.items("AppointmentsTable")[0]


def test_email_that_is_throttled_is_tried_again_alone(world: World, people: People) -> None:
    body = booked(world)
    world.now = DUE
    with world.failing("SendEmail", code="TooManyRequestsException"), pytest.raises(NotSentError):
        fire(world, body)
    assert people.got() == (1, [], ["+4915123456789"])
    assert (records(world)["email"], reminder(world)["state"]) == (
        ("failed", 1, "TooManyRequestsException"),
        {"S": "pending"},
    )
    fire(world, body)
    assert people.got() == (0, ["anna@example.org"], ["+4915123456789"])
    assert reminder(world)["state"] == {"S": "sent"}


def test_contacts_that_cannot_be_read_keep_the_topic_from_nothing(world: World, people: People) -> None:
    body = booked(world)
    world.now = DUE
    with (
        world.failing("BatchGetItem", code="InternalServerError"),
        pytest.raises(NotSentError, match="no contact was read: InternalServerError"),
    ):
        fire(world, body)
    assert world.calls.count("BatchGetItem") == 1
    assert people.got() == (1, [], [])
    assert (records(world), reminder(world)["state"]) == ({"topic": SENT}, {"S": "pending"})
    world.now = DUE + GRACE
    world.sweep()
    assert people.got() == (0, ["anna@example.org"], ["+4915123456789"])
    assert (len(records(world)), reminder(world)["state"]) == (3, {"S": "sent"})


@pytest.mark.parametrize("contact", [replace(ANNA, phone="+4915199999999"), replace(ANNA, channels=(EMAIL,)), None])
def test_a_contact_that_changes_between_two_channels_counts(
    world: World, people: People, contact: Contact | None
) -> None:
    """Nobody is sent an SMS that they have just refused, and none goes to a number that is theirs no more."""
    body = booked(world)
    world.now = DUE
    _, email, _ = world.sender.channels

    def change_after(appointment: Appointment, to: Contact) -> str:
        sent: str = email.tell(appointment, to)  # type: ignore[attr-defined]
        give(world, body, contact)
        return sent

    channels = [world.sender.channels[0], ToPerson(EMAIL, change_after), world.sender.channels[2]]
    world.sender = replace(world.sender, channels=channels)
    fire(world, body)
    phone = contact.address(SMS) if contact else None
    assert people.got() == (1, ["anna@example.org"], [phone] if phone else [])
    assert records(world)["sms"] == (SENT if phone else ("refused", 1, "the contact was removed meanwhile"))


def test_an_older_version_can_read_a_refusal(world: World, people: People) -> None:
    """It knows three states of a delivery; this one is kept beside them, and comes back as it was."""
    body = booked(world)
    people.undeliverable.mark(EMAIL, "anna@example.org", "bounced", DUE)
    world.now = DUE
    fire(world, body)
    states = {one["M"]["channel"]["S"]: one["M"]["state"]["S"] for one in reminder(world)["deliveries"]["L"]}
    assert states == {"topic": "sent", "email": "failed", "sms": "sent"}
    (item,) = world.items("AppointmentsTable")
    assert appointment_to_item(appointment_from_item(item), timedelta())["reminders"] == item["reminders"]


# --- death at every call ------------------------------------------------------------------------------

ALL_CALLS = CALLS + SENDS + CLEANING
DEATHS = [(position, after) for position in range(len(ALL_CALLS)) for after in (False, True)]


@pytest.mark.parametrize("by_sweep", [False, True])
@pytest.mark.parametrize(("position", "after"), DEATHS)
def test_whatever_call_the_sender_dies_at_each_channel_gets_its_message(
    world: World, people: People, position: int, *, after: bool, by_sweep: bool
) -> None:
    """Twice only on the channel at which it died between sending and recording, and on no other."""
    body = booked(world)
    world.now = DUE
    operation = ALL_CALLS[position]
    nth = ALL_CALLS[: position + 1].count(operation)
    world.dying(operation, after=after, nth=nth)
    with pytest.raises(KilledError):
        fire(world, body)
    world.now = DUE + GRACE
    if by_sweep:
        for _ in range(2):  # of a rule that is left behind only the second one knows that it is dead
            world.sweep()
            world.now += timedelta(minutes=5)
    else:
        fire(world, body)
    ambiguous = {
        channel: (send, True) <= (position, after) < (send + 1, True)
        for channel, send in (("topic", 3), ("email", 5), ("sms", 7))
    }
    topic, emails, texts = people.got()
    assert (topic, len(emails), len(texts)) == tuple(1 + twice for twice in ambiguous.values())
    assert reminder(world)["state"] == {"S": "sent"}
    assert {channel: state for channel, (state, *_) in records(world).items()} == dict.fromkeys(ambiguous, "sent")
    assert world.rules() == {}


@pytest.mark.parametrize(("position", "after"), DEATHS[:-4])
def test_a_death_repeats_no_refusal_and_hides_none(world: World, people: People, position: int, *, after: bool) -> None:
    """The email is refused; whoever dies at what follows or precedes, it is recorded so, and the others are sent."""
    body = booked(world)
    people.undeliverable.mark(EMAIL, "anna@example.org", "bounced", DUE)
    world.calls.clear()
    world.now = DUE
    calls = [call for call in ALL_CALLS if call != "SendEmail"]
    operation = calls[min(position, len(calls) - 1)]
    world.dying(operation, after=after, nth=calls[: position + 1].count(operation))
    with suppress(KilledError):
        fire(world, body)
    for pause in (LEASE, timedelta(minutes=5)):
        world.now += pause
        world.sweep()
    assert records(world)["email"][::2] == ("refused", "bounced")
    assert people.got()[1] == []
    assert reminder(world)["state"] == {"S": "sent"}
