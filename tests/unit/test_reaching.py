"""Email and SMS: what is handed to SES and SNS, and which refusals are for good."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesParser
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from appointments.contacts import ChannelName, Contact
from appointments.model import Appointment, Interval
from appointments.reminders import Reminder
from reaching.email import Letter, Mailer
from reaching.messenger import Messenger
from reaching.recipients import Person, Reached
from reaching.refusals import NotSentError, OptedOutError, RefusedError
from reaching.sms import Texter
from reminder_sender.channels.person import People, ToPerson
from texts.facts import Facts, Kind
from texts.invitation import Invitation
from texts.writing import Texts

LETTER = Letter("anna@example.org", "Änna Lee", "Termin: Kontrolle", "Hällo", "<p>Hällo</p>")
INVITED = LETTER._replace(invitation=Invitation("REQUEST", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"))


class Service:
    """A client whose one call is kept, and fails where it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.calls: list[dict[str, Any]] = []

    def send_email(self, **request: Any) -> dict[str, str]:
        self.calls.append(request)
        if self.error:
            raise self.error
        return {"MessageId": "id-1"}

    publish = send_email


def mailer(service: Service, **more: str) -> Mailer:
    client: Any = service
    return Mailer(lambda: client, "clinic@example.com", **more)


def texter(service: Service, sender_id: str = "") -> Texter:
    client: Any = service
    return Texter(lambda: client, sender_id)


def parsed(raw: bytes) -> EmailMessage:
    return BytesParser(EmailMessage, policy=policy.default).parsebytes(raw)


def refused(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Send")


def test_an_email_is_sent_to_its_address_under_the_configuration_set() -> None:
    service = Service()
    assert mailer(service, sender_name="Clinic", configuration_set="set").send(LETTER) == "id-1"
    (call,) = service.calls
    raw = call.pop("Content")["Raw"]["Data"]
    assert call == {
        "FromEmailAddress": "clinic@example.com",
        "Destination": {"ToAddresses": ["anna@example.org"]},
        "ConfigurationSetName": "set",
    }
    message = parsed(raw)
    assert (message["From"], message["To"]) == ("Clinic <clinic@example.com>", "Änna Lee <anna@example.org>")
    assert (message["Subject"], message["Auto-Submitted"]) == ("Termin: Kontrolle", "auto-generated")
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert [part.get_content().strip() for part in message.iter_parts()] == ["Hällo", "<p>Hällo</p>"]
    assert max(raw) < 128, "seven bits pass every relay"


def test_an_invitation_is_an_alternative_and_a_file() -> None:
    message = parsed(mailer(Service()).written(INVITED))
    types = [part.get_content_type() for part in message.walk() if not part.is_multipart()]
    assert types == ["text/plain", "text/html", "text/calendar", "application/ics"]
    calendar, file = list(message.walk())[-2:]
    assert calendar["Content-Type"].params["method"] == "REQUEST"
    assert file.get_filename() == "invite.ics"
    assert calendar.get_payload(decode=True) == file.get_payload(decode=True) == INVITED.invitation[1].encode()  # type: ignore[index]


def test_a_text_of_two_lines_makes_no_second_header() -> None:
    told = "Anna\r\nBcc: eve@example.net"
    message = parsed(mailer(Service()).written(LETTER._replace(name=told, subject=told)))
    assert message["Bcc"] is None
    assert "Bcc: eve" in message["To"]
    assert "Bcc: eve" in message["Subject"]


@pytest.mark.parametrize(
    "told",
    [
        "=?utf-8?q?=0d=0aBcc:_eve@example.net?=",
        "=?utf-8?q?=0d=0a=0d=0aPay_here?= \u00fc",
        "=?utf-8?b?DQpCY2M6IGV2ZUBleGFtcGxlLm5ldA==?=",
        'Anna <eve@example.net>, "=?utf-8?q?=0aBcc:_eve@example.net?=' + "\u00fc" * 60,
        "\u6f22" * 80 + ", eve@example.net, (",
        "Lee, Anna; <eve@example.net>\x00",
        "\ud800 Anna",
    ],
)
def test_a_text_that_looks_like_an_encoded_word_stays_what_it_is(told: str) -> None:
    """Visitors choose their names: what stands in one must become neither a header, nor a body, nor an address."""
    raw = mailer(Service(), sender_name=told).written(LETTER._replace(name=told, subject=told))
    head = raw.partition(b"\r\n\r\n")[0]
    assert [line.partition(b":")[0] for line in head.split(b"\r\n") if line[:1] != b" "] == [
        b"From", b"To", b"Subject", b"Auto-Submitted", b"MIME-Version", b"Content-Type",
    ]  # fmt: skip
    assert b"\n" not in head.replace(b"\r\n", b"")
    assert all(len(line) <= 78 and line.isascii() for line in head.split(b"\r\n"))
    message = parsed(raw)
    assert [one.addr_spec for one in message["To"].addresses] == [LETTER.to]
    assert [one.addr_spec for one in message["From"].addresses] == ["clinic@example.com"]
    expected = " ".join(re.sub("[\x00\ud800]", " ", told).split())
    assert str(make_header(decode_header(BytesParser(policy=policy.compat32).parsebytes(raw)["Subject"]))) == expected


@pytest.mark.parametrize("address", ["a b@x.org", "a@b@c", "x@", "", "a\nb@x.org"])
def test_an_address_that_no_header_can_hold_is_refused_and_nothing_is_called(address: str) -> None:
    service = Service()
    with pytest.raises(RefusedError, match="no valid address"):
        mailer(service).send(LETTER._replace(to=address))
    assert service.calls == []


NOT_VERIFIED = "Email address is not verified. The following identities failed the check in region EU-WEST-1: "


@pytest.mark.parametrize(
    ("error", "raised", "reason"),
    [
        (refused("MessageRejected", NOT_VERIFIED + "anna@example.org"), RefusedError, "not verified"),
        (refused("MessageRejected", NOT_VERIFIED + "clinic@example.com"), NotSentError, "MessageRejected"),
        (refused("MessageRejected", NOT_VERIFIED + "Clinic <x@example.com>"), NotSentError, "MessageRejected"),
        (refused("MessageRejected", "a virus"), RefusedError, "MessageRejected"),
        (refused("BadRequestException", "Illegal address"), RefusedError, "BadRequestException"),
        (refused("TooManyRequestsException"), NotSentError, "TooManyRequestsException"),
        (refused("MailFromDomainNotVerifiedException"), NotSentError, "MailFromDomainNotVerifiedException"),
        (refused("AccountSuspendedException"), NotSentError, "AccountSuspendedException"),
        (ConnectTimeoutError(endpoint_url="x"), NotSentError, "ConnectTimeoutError"),
    ],
)
def test_what_ses_refuses_for_good(error: Exception, raised: type[Exception], reason: str) -> None:
    """What is wrong with our own address or account is repaired, and until then nothing is lost."""
    with pytest.raises(raised) as told:
        mailer(Service(error)).send(LETTER)
    assert type(told.value) is raised
    assert str(told.value) == reason


@pytest.mark.parametrize("call", [lambda s: mailer(s).send(LETTER), lambda s: texter(s).send("+4915123456789", "Hi")])
def test_silence_says_nothing_about_what_was_sent(call: Any) -> None:
    with pytest.raises(ReadTimeoutError):
        call(Service(ReadTimeoutError(endpoint_url="x")))


@pytest.mark.parametrize(
    ("sender_id", "attribute"),
    [("", None), ("CLINIC", "AWS.SNS.SMS.SenderID"), ("+4915112345678", "AWS.MM.SMS.OriginationNumber")],
)
def test_an_sms_is_transactional_and_names_its_sender(sender_id: str, attribute: str | None) -> None:
    service = Service()
    assert texter(service, sender_id).send("+4915123456789", "Hi") == "id-1"
    (call,) = service.calls
    attributes = {name: value["StringValue"] for name, value in call.pop("MessageAttributes").items()}
    assert call == {"PhoneNumber": "+4915123456789", "Message": "Hi"}
    assert attributes == {"AWS.SNS.SMS.SMSType": "Transactional"} | ({attribute: sender_id} if attribute else {})


@pytest.mark.parametrize(
    ("error", "raised", "reason"),
    [
        (
            refused("InvalidParameter", "Invalid parameter: PhoneNumber Reason: +49 is opted out"),
            OptedOutError,
            "opted",
        ),
        (refused("OptedOut", "x"), OptedOutError, "opted out"),
        (
            refused("InvalidParameter", "Invalid parameter: PhoneNumber Reason: no E164"),
            RefusedError,
            "no valid number",
        ),
        (refused("InvalidParameterValue", "SenderID is not valid"), NotSentError, "InvalidParameterValue"),
        (refused("Throttling", "PhoneNumber"), NotSentError, "Throttling"),
        (refused("AuthorizationError"), NotSentError, "AuthorizationError"),
        (ConnectTimeoutError(endpoint_url="x"), NotSentError, "ConnectTimeoutError"),
    ],
)
def test_what_sns_refuses_for_good(error: Exception, raised: type[Exception], reason: str) -> None:
    with pytest.raises(raised, match=reason) as told:
        texter(Service(error)).send("+4915123456789", "Hi")
    assert type(told.value) is raised
    assert "+49" not in str(told.value)


# --- put together from a function's environment ------------------------------------------------------------

ENV = {
    "EMAIL_FROM": "clinic@example.com",
    "EMAIL_NAME": "Clinic",
    "EMAIL_CONFIGURATION_SET": "set",
    "SMS": "on",
    "SMS_SENDER_ID": "CLINIC",
    "DEFAULT_LOCALE": "en",
    "TEXTS": "",
    "LINK_BASE": "https://a.example/prod",
    "LINK_KEY_ID": "key",
}
START = datetime(2030, 1, 15, 9, tzinfo=UTC)
APPOINTMENT = Appointment(
    "c69dd71d-9565-4b27-8ae7-9c2acfa4c2fe",
    "anna",
    Interval(START, START + timedelta(minutes=30)),
    START,
    START,
    time_zone="Europe/Berlin",
    details={"title": "Kontrolle"},
)
ANNA = Contact("Anna", "anna@example.org", "+4915123456789", "de", (ChannelName.EMAIL, ChannelName.SMS))
PERSON = Person(lambda _: Reached(ANNA))
REMINDER = Reminder("1h", START - timedelta(hours=1))


class Kms:
    error: Exception | None = None
    calls = 0

    def generate_mac(self, **_: Any) -> dict[str, bytes]:
        self.calls += 1
        if self.error:
            raise self.error
        return {"Mac": bytes(32)}


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    made: dict[str, Any] = {"sesv2": Service(), "sns": Service(), "kms": Kms()}
    for module in ("reaching.parts", "appointments.wiring"):
        monkeypatch.setattr(f"{module}.client", lambda name, **_: made[name])
    return made


def by_name(env: dict[str, str]) -> dict[str, ToPerson]:
    return {channel.name: channel for channel in People.from_env(env)}


def test_a_reminder_says_when_in_the_persons_language_and_has_a_link(services: dict[str, Any]) -> None:
    for channel in People.from_env(ENV):
        assert channel.recipients(APPOINTMENT, PERSON) == ("person",)
        assert channel.send(APPOINTMENT, REMINDER, "person", PERSON) == "id-1"
    message = parsed(services["sesv2"].calls[0]["Content"]["Raw"]["Data"])
    plain = message.get_body(("plain",))
    assert plain
    link = "https://a.example/prod/l/"
    for text in (plain.get_content(), services["sns"].calls[0]["Message"]):
        assert "10:00" in text
        assert "Kontrolle" in text
        assert link in text
        assert "Clinic" in text
    assert "Termin" in message["Subject"]


def told_in(services: dict[str, Any], zone: str | None) -> tuple[str, str]:
    """The email's subject with its plain text, and the SMS, to somebody in a zone."""
    abroad = Person(lambda _: Reached(replace(ANNA, locale="en-GB", time_zone=zone)))
    for channel in People.from_env(ENV):
        channel.send(APPOINTMENT, REMINDER, "person", abroad)
    message = parsed(services["sesv2"].calls[-1]["Content"]["Raw"]["Data"])
    plain = message.get_body(("plain",))
    assert plain
    return message["Subject"] + plain.get_content(), services["sns"].calls[-1]["Message"]


def test_who_is_in_another_zone_is_told_their_own_time_too(services: dict[str, Any]) -> None:
    """The appointment is at 10:00 in Berlin."""
    email, sms = told_in(services, "America/New_York")
    assert "10:00" in email
    assert "04:00" in email
    assert "10:00 (GMT+1)" in sms


@pytest.mark.parametrize("zone", [None, "Europe/Paris", "Abolished/Zone"])
def test_nobody_is_told_of_zones_who_needs_not_to(services: dict[str, Any], zone: str | None) -> None:
    said = "".join(told_in(services, zone))
    assert "10:00" in said
    assert "GMT" not in said


def test_without_a_base_there_is_no_link_and_no_key_is_used(services: dict[str, Any]) -> None:
    services["kms"].error = AssertionError("not asked")
    by_name(ENV | {"LINK_BASE": ""})["sms"].send(APPOINTMENT, REMINDER, "person", PERSON)
    assert "http" not in services["sns"].calls[0]["Message"]


def test_a_link_that_cannot_be_made_now_is_made_later(services: dict[str, Any]) -> None:
    services["kms"].error = refused("ThrottlingException")
    channel = by_name(ENV)["email"]
    with pytest.raises(NotSentError, match="no link was made"):
        channel.send(APPOINTMENT, REMINDER, "person", PERSON)
    assert services["sesv2"].calls == []
    services["kms"].error = None
    channel.send(APPOINTMENT, REMINDER, "person", PERSON)
    assert len(services["sesv2"].calls) == 1


def test_both_channels_of_a_reminder_share_its_link_and_their_texts(services: dict[str, Any]) -> None:
    channels = by_name(ENV)
    for one in (APPOINTMENT, replace(APPOINTMENT, appointment_id=str(uuid.UUID(int=2)))):
        for channel in channels.values():
            channel.send(one, REMINDER, "person", PERSON)
    assert services["kms"].calls == 2, "one for each appointment"
    links = [re.findall(r"https://\S+", call["Message"])[0] for call in services["sns"].calls]
    assert len(set(links)) == 2


def messenger(marked: Any, error: Exception) -> Messenger:
    texts: Any = SimpleNamespace(sms=lambda *_: "At 10:00", email=lambda *_: ("At 10:00", "At 10:00", "At 10:00"))
    return Messenger(mailer(Service(error)), texter(Service(error)), lambda: texts, "Clinic", marked)


FACTS = Facts(Kind.REMINDER, START, START + timedelta(minutes=30), ZoneInfo("UTC"))
OPTED_OUT = refused("InvalidParameter", "PhoneNumber Reason: +4915123456789 is opted out")


def test_the_name_beside_an_address_does_not_turn_it() -> None:
    service, texts = Service(), Texts()
    anna = replace(ANNA, name="An\u061cna \u202eeve")
    Messenger(mailer(service), None, lambda: texts).send(anna, ChannelName.EMAIL, FACTS)
    assert b"To: Anna eve <anna@example.org>" in service.calls[0]["Content"]["Raw"]["Data"]


@pytest.mark.parametrize("code", ["OptedOut", "OptedOutException"])
def test_a_phone_that_opted_out_is_marked(code: str) -> None:
    for error in (refused(code), OPTED_OUT):
        marked: list[Any] = []
        with pytest.raises(RefusedError, match=r"^opted out$"):
            messenger(lambda *mark, to=marked: to.append(mark), error).send(ANNA, ChannelName.SMS, FACTS)
        assert marked == [(ChannelName.SMS, "+4915123456789", "opted out")]


@pytest.mark.parametrize(
    ("channel", "error"),
    [
        (ChannelName.SMS, refused("InvalidParameter", "PhoneNumber is not valid to publish to")),
        (ChannelName.SMS, refused("Throttled")),
        (ChannelName.EMAIL, refused("MessageRejected", "opted out")),
    ],
)
def test_nothing_else_is_marked(channel: ChannelName, error: Exception) -> None:
    marked: list[Any] = []
    with pytest.raises((RefusedError, NotSentError)):
        messenger(lambda *mark: marked.append(mark), error).send(ANNA, channel, FACTS)
    assert marked == []


def test_a_mark_that_cannot_be_made_changes_nothing_of_the_refusal() -> None:
    def broken(*_: Any) -> None:
        raise refused("ProvisionedThroughputExceededException")

    for mark in (broken, None):
        with pytest.raises(RefusedError, match=r"^opted out$"):
            messenger(mark, OPTED_OUT).send(ANNA, ChannelName.SMS, FACTS)


@pytest.mark.parametrize(
    ("off", "left"),
    [
        ({}, ["email", "sms"]),
        ({"EMAIL_FROM": ""}, ["sms"]),
        ({"SMS": "off"}, ["email"]),
        ({"EMAIL_FROM": "", "SMS": "off"}, []),
    ],
)
def test_a_channel_that_is_off_is_not_there(services: dict[str, Any], off: dict[str, str], left: list[str]) -> None:
    assert list(by_name(ENV | off)) == left
    assert services["kms"].calls == 0


def test_without_settings_there_is_none() -> None:
    assert People.from_env({}) == []
