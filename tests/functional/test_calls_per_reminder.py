"""What one reminder asks of AWS, put together as the deployed function is. docs/performance.md states it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from botocore.session import Session

from appointments.contacts import ChannelName, Contact
from appointments.firing import Firing
from appointments.storage.contacts import ContactItems
from reminder_sender.channels import channels_from, people_from
from support import ROOT
from world import REGION

if TYPE_CHECKING:
    from collections.abc import Callable

    from world import World

TO_THE_TOPIC = ["Publish", "UpdateItem"]
BY_EMAIL = ["GenerateMac", "SendEmail", "UpdateItem"]
BY_SMS_ALONE = ["GenerateMac", "Publish", "UpdateItem"]
BY_SMS_TOO = BY_SMS_ALONE[1:]
BEGIN, END, MARKS = ["GetItem", "UpdateItem"], ["RemoveTargets", "DeleteRule"], ["BatchGetItem"]
OFF = {"EMAIL_FROM": "", "SMS": "off"}
CONTACT = {"email": "anna@example.org", "phone": "+4915123456789"}


@pytest.fixture
def reminded(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """The calls of a second reminder of a process: its channels are made from settings, over clients of their own."""
    for name, value in {"AWS_DEFAULT_REGION": REGION, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}.items():
        monkeypatch.setenv(name, value)
    session = Session()
    monkeypatch.setattr("appointments.aws._session", cache(lambda: session))
    session.get_component("event_emitter").register("before-call", world.before_call)
    kms = world.clients["kms"]
    world.clients["sesv2"].create_email_identity(EmailIdentity="clinic@example.com")
    keys = [kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"] for _ in "ab"]
    env = {
        "CALENDARS_TABLE": "CalendarsTable",
        "CONTACT_KEY_ID": keys[0],
        "EMAIL_CONFIGURATION_SET": "",
        "EMAIL_FROM": "clinic@example.com",
        "EMAIL_NAME": "Clinic",
        "LINK_BASE": "https://a.example/prod",
        "LINK_KEY_ID": keys[1],
        "NOTIFICATION_TOPIC_ARN": world.topic_arn,
        "SMS": "on",
        "SMS_SENDER_ID": "",
    }

    def calls(contact: dict[str, Any] | None, **settings: str) -> list[str]:
        used = env | settings
        sender = replace(world.sender, channels=channels_from(used), people=people_from(used, lambda: world.now))
        for hour in (9, 11):  # what a process does once, it has done at the first
            more = {"contact": contact} if contact else {}
            _, body = world.book(f"{hour}:00", f"{hour}:30", user="anna", reminders=["1h"], **more)
            world.now = datetime(2030, 1, 15, hour - 1, tzinfo=UTC)
            world.calls.clear()
            sender.send(Firing(body["appointmentId"], "1h", world.now))
        return world.calls

    return calls


@pytest.mark.parametrize(
    ("settings", "contact", "expected"),
    [
        (OFF, CONTACT, BEGIN + TO_THE_TOPIC + END),
        ({}, CONTACT | {"channels": []}, BEGIN + TO_THE_TOPIC + END),
        ({"SMS": "off"}, CONTACT, BEGIN + MARKS + TO_THE_TOPIC + BY_EMAIL + END),
        ({"EMAIL_FROM": ""}, CONTACT, BEGIN + MARKS + TO_THE_TOPIC + BY_SMS_ALONE + END),
        ({}, CONTACT, BEGIN + MARKS + TO_THE_TOPIC + BY_EMAIL + BY_SMS_TOO + END),
        ({"LINK_BASE": ""}, CONTACT, BEGIN + MARKS + TO_THE_TOPIC + BY_EMAIL[1:] + BY_SMS_TOO + END),
        ({}, None, BEGIN + ["GetItem"] + MARKS + TO_THE_TOPIC + BY_EMAIL + BY_SMS_TOO + END),
    ],
)
def test_the_calls_of_one_reminder(
    world: World,
    reminded: Callable[..., list[str]],
    settings: dict[str, str],
    contact: dict[str, Any] | None,
    expected: list[str],
) -> None:
    if contact is None:
        both = (ChannelName.EMAIL, ChannelName.SMS)
        kept = Contact(email=CONTACT["email"], phone=CONTACT["phone"], channels=both)
        ContactItems(world.storage.database, "CalendarsTable").put("anna", kept, world.now, "desk")
    assert reminded(contact, **settings) == expected


def test_the_figures_are_those_of_the_document() -> None:
    text = (ROOT / "docs" / "performance.md").read_text()
    for name, calls in {
        "to the topic alone": BEGIN + TO_THE_TOPIC + END,
        "and by email": BEGIN + MARKS + TO_THE_TOPIC + BY_EMAIL + END,
        "and by email and SMS": BEGIN + MARKS + TO_THE_TOPIC + BY_EMAIL + BY_SMS_TOO + END,
    }.items():
        assert f"| {name} | {len(calls)} | {', '.join(calls)} |" in text
