"""Notices on moto: from a change through the relay and its queue to what people are told, and what is on record."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_string
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends
from moto.sns.models import sns_backends

from appointments.contacts import ChannelName, Contact, contact_body
from appointments.errors import CalendarBusyError
from appointments.notices import PERSON, Change, NoticeKind
from appointments.services import NOTICES
from appointments.storage.appointments import Appointments
from appointments.storage.contacts import ContactItems
from appointments.storage.notices import Notices
from appointments.webhook_queue import DeliveryQueue
from event_relay.notices import NoticeQueue
from event_relay.relay import Relay
from notice_sender import app
from notice_sender.messenger import NoticeMessenger
from notice_sender.sender import LEASE, NoticeSender
from reaching.email import Mailer
from reaching.messenger import Messenger
from reaching.recipients import Recipients
from reaching.refusals import NotSentError, RefusedError
from reaching.sms import Texter
from relaying import Relaying
from services import put_service, step
from streams import fed
from texts.invitation import Party
from texts.writing import Texts
from world import REGION

if TYPE_CHECKING:
    from collections.abc import Callable

    from notice_sender.sender import Notice
    from world import World

    LogLines = Callable[[], list[dict[str, Any]]]

EMAIL, SMS = ChannelName.EMAIL, ChannelName.SMS
ANNA = Contact("Anna", "anna@example.com", "+4915123456789", "de", (EMAIL, SMS))
LEE = Contact("Dr Lee", "lee@example.com", channels=(EMAIL,))


class Got(NamedTuple):
    """One message: to whom, on which channel, what kind, and its times, as in `9:00`."""

    to: str
    channel: str
    kind: str
    start: str
    was: str | None = None


class Telling:
    """A relay, its queue and a notice sender over a world, and what the sender sent."""

    def __init__(self, world: World, kinds: tuple[str, ...] = tuple(NoticeKind)) -> None:
        self.world = world
        self.relaying = Relaying(world)
        self.queue_url = str(world.sqs.create_queue(QueueName="notices")["QueueUrl"])
        queue = NoticeQueue(DeliveryQueue(world.sqs, self.queue_url), kinds)
        self.relay = Relay(self.relaying.relay.history, [queue], self.relaying.failures)
        self.sent: list[Got] = []
        self.notices: list[Notice] = []
        self.errors: dict[str, list[Exception]] = {}
        database = world.storage.database
        self.records = Notices(database, "CalendarsTable")
        self.sender = NoticeSender(
            Appointments(database, "AppointmentsTable", timedelta()),
            ContactItems(database, "CalendarsTable"),
            self.records,
            self,
            (EMAIL, SMS),
            lambda: world.now,
        )
        self.relayed: set[str] = set()

    def send(self, contact: Contact, channel: ChannelName, notice: Notice) -> str:
        """As the messenger."""
        if errors := self.errors.get(channel):
            raise errors.pop()
        address = contact.address(channel)
        assert address
        was = f"{notice.was.start:%H:%M}" if notice.was else None
        self.sent.append(Got(address, channel.value, notice.kind.value, f"{notice.interval.start:%H:%M}", was))
        self.notices.append(notice)
        return f"message-{len(self.notices)}"

    def new_records(self) -> list[dict[str, Any]]:
        """The records of the streams since the last look."""
        new = [record for record in self.relaying.records() if record["eventID"] not in self.relayed]
        self.relayed |= {record["eventID"] for record in new}
        return new

    def changes(self) -> list[Change]:
        """What the relay put into the queue since the last look."""
        assert list(fed(self.relay.relay, self.new_records())) == []
        return [Change.from_message(json.dumps(one)) for one in self.relaying.messages(self.queue_url)]

    def run(self) -> list[Got]:
        """Tell of all changes since the last time, in any order; what was sent."""
        changes = self.changes()
        for change in reversed(changes):
            assert self.sender.tell(change)
        for change in changes:  # SQS may give each again
            assert self.sender.tell(change)
        sent, self.sent = self.sent, []
        return sent

    def keep(self, calendar_id: str, contact: Contact) -> None:
        item = {"calendarId": {"S": calendar_id}, "day": {"S": "contact"}}
        self.world.dynamodb.put_item(
            TableName="CalendarsTable", Item=item | {"contact": {"S": json.dumps(contact_body(contact))}}
        )


@pytest.fixture
def telling(world: World) -> Telling:
    telling = Telling(world)
    telling.keep("anna", ANNA)
    telling.keep("dr-lee", LEE)
    return telling


def booked(world: World, user: str = "anna", **more: Any) -> str:
    status, body = world.book("9:00", "9:30", user, **({"resourceIds": ["dr-lee"]} | more))
    assert status == 201, body
    return f"/appointments/{body['appointmentId']}"


def moved(world: World, path: str, hour: int) -> None:
    assert world.request("PATCH", path, {"startTime": f"2030-01-15T{hour:02}:00:00Z"})[0] == 200


def test_the_person_and_the_doctor_hear_of_each_change_once_on_each_channel(world: World, telling: Telling) -> None:
    path = booked(world)
    assert set(telling.run()) == {
        Got(ANNA.email or "", "email", "booked", "09:00"),
        Got(ANNA.phone or "", "sms", "booked", "09:00"),
        Got(LEE.email or "", "email", "booked", "09:00"),
    }
    assert {notice.recipient: notice.with_whom for notice in telling.notices} == {
        PERSON: ("Dr Lee",),
        "dr-lee": ("Anna",),
    }
    world.request("PATCH", path, {"details": {"title": "x"}})
    assert telling.run() == []
    moved(world, path, 11)
    assert {(one.kind, one.start, one.was) for one in telling.run()} == {("moved", "11:00", "09:00")}
    world.request("DELETE", path)
    assert [one.kind for one in telling.run()] == ["cancelled"] * 3


def test_what_comes_and_goes_before_anybody_heard_of_it_is_not_told(world: World, telling: Telling) -> None:
    path = booked(world)
    world.request("DELETE", path)
    assert telling.run() == []
    path = booked(world)
    moved(world, path, 10)
    assert {(one.kind, one.start) for one in telling.run()} == {("booked", "10:00")}
    moved(world, path, 12)
    moved(world, path, 14)
    assert {(one.kind, one.start, one.was) for one in telling.run()} == {("moved", "14:00", "10:00")}
    moved(world, path, 12)
    moved(world, path, 14)
    assert telling.run() == []
    moved(world, path, 16)
    world.request("DELETE", path)
    assert {(one.kind, one.start) for one in telling.run()} == {("cancelled", "14:00")}  # that is what they know


def test_the_appointments_own_contact_goes_before_what_is_kept(world: World, telling: Telling) -> None:
    path = booked(world)
    own = Contact("Ann", "ann@example.com", channels=(EMAIL,))
    world.dynamodb.update_item(
        TableName="AppointmentsTable",
        Key={"appointmentId": {"S": path.rpartition("/")[2]}},
        UpdateExpression="SET contact = :contact",
        ExpressionAttributeValues={":contact": {"S": json.dumps(contact_body(own))}},
    )
    assert {one.to for one in telling.run()} == {"ann@example.com", "lee@example.com"}
    assert {whom for notice in telling.notices for whom in notice.with_whom} == {"Ann", "Dr Lee"}


def test_who_is_left_out_hears_that_it_is_off_and_who_is_new_that_it_is_booked(world: World, telling: Telling) -> None:
    telling.keep("dr-kim", Contact(email="kim@example.com", channels=(EMAIL,)))
    path = booked(world)
    telling.run()
    change = {"resourceIds": ["dr-kim"], "startTime": "2030-01-15T10:00:00Z"}
    assert world.request("PATCH", path, change)[0] == 200
    told = {(one.to, one.kind, one.start) for one in telling.run() if one.channel == "email"}
    assert told == {
        ("anna@example.com", "moved", "10:00"),
        ("lee@example.com", "cancelled", "09:00"),
        ("kim@example.com", "booked", "10:00"),
    }
    world.request("PATCH", path, {"resourceIds": ["dr-lee"]})
    assert {(one.to, one.kind) for one in telling.run() if one.channel == "email"} == {
        ("anna@example.com", "moved"),  # it is with somebody else, at the same time
        ("lee@example.com", "booked"),
        ("kim@example.com", "cancelled"),
    }


def test_a_resource_hears_of_its_own_steps(world: World, telling: Telling) -> None:
    put_service(world, "check-up", step(30, "lab"), step(20, "dr-lee"))
    status, _, body = world.request(
        "POST", "/appointments", {"userId": "anna", "serviceId": "check-up", "startTime": "2030-01-15T09:00:00Z"}
    )
    assert status == 201, body
    assert {(one.to, one.start) for one in telling.run()} == {
        ("anna@example.com", "09:00"),
        ("+4915123456789", "09:00"),
        ("lee@example.com", "09:30"),
    }


@pytest.mark.parametrize(("answer", "kind"), [("scheduled", "approved"), ("declined", "declined")])
@pytest.mark.parametrize("quickly", [True, False], ids=["at once", "later"])
def test_who_asked_hears_what_became_of_it(
    world: World, telling: Telling, answer: str, kind: str, quickly: bool
) -> None:
    world.request("PUT", "/calendars/dr-lee", {"approval": True})
    path = booked(world)
    if not quickly:
        assert telling.run() == []
        assert len(telling.records.of(path.rpartition("/")[2])) == 3
    assert world.request("PATCH", path, {"status": answer})[0] == 200
    assert [one.kind for one in telling.run()] == [kind] * 3


def test_nobody_hears_of_a_hold_and_whoever_asked_hears_that_it_expired(world: World, telling: Telling) -> None:
    booked(world, hold={"minutes": 5})
    world.now += timedelta(minutes=6)
    world.sweep()
    assert telling.run() == []
    put_service(world, "visit", step(30, "dr-lee"), approval=True, holdMinutes=5)
    world.request("PUT", "/calendars/dr-lee", {"approval": True})
    path = booked(world)
    assert telling.run() == []
    moved_to_the_past = {"status": {"S": "expired"}, "version": {"N": "2"}}
    world.dynamodb.update_item(
        TableName="AppointmentsTable",
        Key={"appointmentId": {"S": path.rpartition("/")[2]}},
        UpdateExpression="SET #status = :status, version = :version",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={f":{name}": value for name, value in moved_to_the_past.items()},
    )
    assert [one.kind for one in telling.run()] == ["expired"] * 3


def test_a_confirmed_hold_is_a_booking(world: World, telling: Telling) -> None:
    path = booked(world, hold={"minutes": 5})
    assert telling.run() == []
    assert world.request("PATCH", path, {"status": "scheduled"})[0] == 200
    assert [one.kind for one in telling.run()] == ["booked"] * 3


def test_a_kind_that_is_not_told_is_known_all_the_same(world: World) -> None:
    telling = Telling(world, kinds=("cancelled",))
    telling.keep("anna", ANNA)
    path = booked(world)
    assert telling.run() == []
    moved(world, path, 11)
    assert telling.run() == []
    world.request("DELETE", path)
    assert {(one.kind, one.start) for one in telling.run()} == {("cancelled", "11:00")}


def test_a_service_says_of_which_changes_people_are_told(world: World, telling: Telling) -> None:
    assert set(NOTICES) == set(NoticeKind)
    put_service(world, "quiet", step(30, "dr-lee"), notices=["moved"])
    body = {"userId": "anna", "serviceId": "quiet", "startTime": "2030-01-15T09:00:00Z"}
    path = f"/appointments/{world.request('POST', '/appointments', body)[2]['appointmentId']}"
    assert telling.run() == []
    moved(world, path, 11)
    assert {one.kind for one in telling.run()} == {"moved"}
    world.request("DELETE", path)
    assert telling.run() == []


def test_what_was_booked_long_before_notices_is_known(world: World, telling: Telling) -> None:
    first, second = booked(world), booked(world, user="ben", resourceIds=[])
    telling.changes()  # nobody told
    telling.keep("ben", ANNA)
    world.now += timedelta(hours=2)
    moved(world, first, 11)
    assert {(one.to, one.kind, one.was) for one in telling.run()} == {
        ("anna@example.com", "moved", "09:00"),
        ("+4915123456789", "moved", "09:00"),
    }
    world.request("DELETE", second)
    assert [one.kind for one in telling.run()] == ["cancelled"] * 2
    world.request("DELETE", first)
    assert {(one.to, one.kind) for one in telling.run()} >= {("lee@example.com", "cancelled")}


def test_a_contact_that_comes_soon_after_is_told_of_the_booking(world: World, telling: Telling) -> None:
    path = booked(world, user="ben")
    telling.run()
    telling.keep("ben", ANNA)
    world.request("PATCH", path, {"details": {"title": "x"}})
    assert {one.kind for one in telling.run()} == {"booked"}


def test_of_what_is_past_nothing_is_told(world: World, telling: Telling) -> None:
    booked(world)
    (change,) = telling.changes()
    world.now = datetime.fromisoformat("2030-01-15T09:30:00Z")
    assert telling.sender.tell(change)
    assert telling.sent == []


def test_the_resources_of_a_session_do_not_hear_of_each_who_joins(world: World, telling: Telling) -> None:
    status, session = world.book("9:00", "10:00", "class", resourceIds=["dr-lee"], session={"seats": 5})
    assert status == 201
    assert [one.to for one in telling.run()] == ["lee@example.com"]
    body = {"userId": "anna", "sessionId": session["appointmentId"]}
    assert world.request("POST", "/appointments", body)[0] == 201
    assert {one.to for one in telling.run()} == {"anna@example.com", "+4915123456789"}


def test_a_channel_that_fails_repeats_no_other(world: World, telling: Telling, events_of: LogLines) -> None:
    booked(world, resourceIds=[])
    (change,) = telling.changes()
    telling.errors["email"] = [NotSentError("busy")]
    events_of()
    assert not telling.sender.tell(change)
    assert [one.channel for one in telling.sent] == ["sms"]
    assert telling.sender.tell(change)
    assert [one.channel for one in telling.sent] == ["sms", "email"]
    lines = events_of()
    assert [line["event_type"] for line in lines] == ["NOTICE_ERROR", "NOTICE_SENT", "NOTICE_SENT"]
    assert lines[1].items() >= {"kind": "booked", "channel": "sms", "recipient": "person", "version": 1}.items()
    assert not any(secret in json.dumps(lines) for secret in ("example.com", "+49", "Anna"))


def test_what_is_refused_for_good_is_told_again_with_the_next_version_only(
    world: World, telling: Telling, events_of: LogLines
) -> None:
    path = booked(world, resourceIds=[])
    (change,) = telling.changes()
    telling.errors["email"] = [RefusedError("opted out")]
    assert telling.sender.tell(change)
    assert telling.sender.tell(change)
    assert [one.channel for one in telling.sent] == ["sms"]
    record = telling.records.of(change.appointment_id)[PERSON, EMAIL]
    assert (record.refused, record.reason, record.told) == (1, "opted out", None)
    assert "MESSAGE_REFUSED" in [line["event_type"] for line in events_of()]
    telling.sent.clear()
    world.request("PATCH", path, {"details": {"title": "x"}})
    assert [(one.channel, one.kind) for one in telling.run()] == [("email", "booked")]


def test_where_nobody_knows_whether_it_was_sent_that_is_recorded_before_it_is_sent_again(
    world: World, telling: Telling, events_of: LogLines
) -> None:
    booked(world, resourceIds=[])
    (change,) = telling.changes()
    telling.errors["email"] = [TimeoutError()]
    assert not telling.sender.tell(change)
    assert not telling.sender.tell(change)  # as long as the claim holds
    assert [one.channel for one in telling.sent] == ["sms"]
    world.now += LEASE
    assert telling.sender.tell(change)
    assert [one.channel for one in telling.sent] == ["sms", "email"]
    record = telling.records.of(change.appointment_id)[PERSON, EMAIL]
    assert (record.repeated, record.message_id, record.perhaps) == (1, "message-2", ())
    assert [line["event_type"] for line in events_of()].count("NOTICE_RECOVERED") == 1


def test_a_notice_takes_as_few_calls_as_it_can(world: World, telling: Telling) -> None:
    path = booked(world, resourceIds=[])
    (change,) = telling.changes()
    world.calls.clear()
    telling.sender.tell(change)
    each = ["UpdateItem", "GetItem", "UpdateItem"]
    assert world.calls == ["GetItem", "Query", "BatchGetItem", *each, *each]
    world.request("PATCH", path, {"details": {"title": "x"}})
    (later,) = telling.changes()
    world.calls.clear()
    telling.sender.tell(change)
    assert world.calls == ["GetItem"]
    telling.sender.tell(later)
    assert world.calls == ["GetItem", "GetItem", "Query", "BatchGetItem"]


def test_records_name_no_address_and_go_after_the_appointment(world: World, telling: Telling) -> None:
    path = booked(world)
    telling.run()
    items = [item for item in world.items("CalendarsTable") if item["calendarId"]["S"].startswith("notices#")]
    assert {item["calendarId"]["S"] for item in items} == {f"notices#{path.rpartition('/')[2]}"}
    assert {item["day"]["S"] for item in items} == {"#person#email", "#person#sms", "dr-lee#email"}
    assert not any(secret in json.dumps(items) for secret in ("example.com", "+49", "Anna"))
    end = datetime.fromisoformat("2030-01-15T09:30:00Z")
    assert {item["expiresAt"]["N"] for item in items} == {str(int((end + timedelta(days=30)).timestamp()))}


class Context:
    """Lambda's, with so many milliseconds left at each look."""

    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = ""

    def __init__(self, *left: int) -> None:
        self.left = list(left)

    def get_remaining_time_in_millis(self) -> int:
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]


def test_a_message_that_cannot_be_read_keeps_no_other(
    world: World, telling: Telling, events_of: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    booked(world)
    (change,) = telling.changes()
    monkeypatch.setattr(app, "_sender", lambda: telling.sender)
    records = [
        {"messageId": str(number), "body": body} for number, body in enumerate(["{", change.message, change.message])
    ]
    answer = app.lambda_handler({"Records": records}, Context(30_000, 30_000, 1_000))  # type: ignore[arg-type]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}, {"itemIdentifier": "2"}]}
    assert len(telling.sent) == 3
    assert [line["event_type"] for line in events_of()].count("NOTICE_ERROR") == 1


def test_the_relay_hands_on_each_version_and_says_what_the_queue_did_not_take(world: World, telling: Telling) -> None:
    world.request("PUT", "/calendars/dr-lee", {"capacity": 2})
    path = booked(world, reminders=["1h"])
    moved(world, path, 11)
    changes = telling.changes()
    assert [change.version for change in changes] == [1, 2]
    assert changes[0].was is None
    assert changes[1].was
    assert changes[1].was.interval.start == datetime.fromisoformat("2030-01-15T09:00:00Z")
    with world.failing("SendMessageBatch"):
        world.request("DELETE", path)
        (record, *_) = records = [one for one in telling.new_records() if "appointmentId" in one["dynamodb"]["Keys"]]
        assert telling.relay.relay(records) == record["dynamodb"]["SequenceNumber"]


def test_people_get_an_email_with_an_invitation_and_an_sms(world: World, telling: Telling) -> None:
    world.clients["sesv2"].create_email_identity(EmailIdentity="clinic@example.com")
    marked: dict[str, str] = {}
    undeliverable: Any = SimpleNamespace(
        reasons=lambda addresses, _: {channel: marked[a] for channel, a in addresses.items() if a in marked}
    )
    recipients = Recipients(world.storage.database, "CalendarsTable", undeliverable, (EMAIL, SMS), lambda: world.now)
    mailer = Mailer(lambda: world.clients["sesv2"], "clinic@example.com", "Clinic")
    messenger = Messenger(mailer, Texter(lambda: world.sns), Texts)
    real = NoticeMessenger(messenger, recipients, Party("clinic@example.com", "Clinic"), lambda id_: f"https://l/{id_}")
    telling.sender = replace(telling.sender, messenger=real)
    path = booked(world, details={"title": "Check-up"})
    telling.run()
    emails = ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages
    assert {one.destinations[0] for one in emails} == {"anna@example.com", "lee@example.com"}
    (mine,) = [message_from_string(one.raw_data) for one in emails if one.destinations[0] == "anna@example.com"]
    (invitation,) = [part for part in mine.walk() if part.get_content_type() == "text/calendar"]
    assert invitation.get_param("method") == "REQUEST"
    (text,) = sns_backends[DEFAULT_ACCOUNT_ID][REGION].sms_messages.values()
    assert text[0] == ANNA.phone
    assert f"https://l/{path.rpartition('/')[2]}" in text[1]
    marked[str(ANNA.email)] = "bounced"
    world.request("DELETE", path)
    telling.run()
    assert [one.destinations[0] for one in emails[2:]] == ["lee@example.com"]
    cancelled = message_from_string(emails[2].raw_data)
    (invitation,) = [part for part in cancelled.walk() if part.get_content_type() == "text/calendar"]
    assert invitation.get_param("method") == "CANCEL"
    record = telling.records.of(path.rpartition("/")[2])[PERSON, EMAIL]
    assert (record.reason, record.refused) == ("bounced", 2)


def test_where_no_address_can_be_looked_up_nothing_is_sent_and_all_comes_again(world: World, telling: Telling) -> None:
    def reasons(*_: Any) -> Any:
        raise CalendarBusyError

    undeliverable: Any = SimpleNamespace(reasons=reasons)
    recipients = Recipients(world.storage.database, "CalendarsTable", undeliverable, (EMAIL, SMS), lambda: world.now)
    real = NoticeMessenger(Messenger(None, None, Texts), recipients, Party("clinic@example.com"))
    telling.sender = replace(telling.sender, messenger=real)
    booked(world)
    (change,) = telling.changes()
    assert not telling.sender.tell(change)
    records = telling.records.of(change.appointment_id).values()
    assert [(record.sending, record.repeated) for record in records] == [(None, 0)] * 3
