"""Email and SMS on the deployed stack: what a person gets, seen in the mailbox, and what a bounce does to the next."""

from __future__ import annotations

import json
import time
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from local.mailbox import Mailbox, Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.system import System

BOUNCES = "bounce@simulator.amazonses.com"


class Reminded:
    """Books on the deployed stack, and lets reminders fall due."""

    def __init__(self, system: System, call: Any) -> None:
        self.system, self.call = system, call
        self.mailbox = Mailbox(system.engine.mail)
        self.dynamodb = system.engine.client("dynamodb")

    def book(self, contact: dict[str, Any]) -> dict[str, Any]:
        """An appointment with a contact, in its item."""
        start = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=50)
        person = f"person-{uuid.uuid4()}"
        times = {"startTime": start.isoformat(), "endTime": (start + timedelta(minutes=30)).isoformat()}
        asked = {"userId": person, **times, "timeZone": "Europe/Berlin", "reminders": ["45m"]}
        answer = self.call("POST", "/appointments", asked | {"details": {"title": "Check-up <1>"}})
        assert answer.status == 201, answer.body
        body: dict[str, Any] = answer.body
        self.change(body, "SET contact = :contact", {":contact": {"S": json.dumps(contact)}})
        return body

    def change(self, body: dict[str, Any], update: str, values: dict[str, Any], **more: Any) -> None:
        self.dynamodb.update_item(
            TableName=self.system.stack.appointments_table,
            Key={"appointmentId": {"S": body["appointmentId"]}},
            UpdateExpression=update,
            ExpressionAttributeValues=values,
            **more,
        )

    def remind(self, body: dict[str, Any]) -> None:
        """Invoke the sender, as the reminder's rule does at its time."""
        due = f"{datetime.now(UTC).replace(microsecond=0, tzinfo=None).isoformat()}Z"
        names = {"#r": "reminders", "#o": "45m"}
        self.change(body, "SET #r.#o.dueAt = :due", {":due": {"S": due}}, ExpressionAttributeNames=names)
        event = {"appointmentId": body["appointmentId"], "reminder": "45m", "dueAt": due}
        answer = self.system.engine.client("lambda").invoke(
            FunctionName=self.system.stack.reminder_sender, Qualifier="live", Payload=json.dumps(event).encode()
        )
        assert "FunctionError" not in answer, answer["Payload"].read()

    def deliveries(self, body: dict[str, Any]) -> dict[str, str]:
        """What is recorded, by channel: the reason of a refusal, else the state."""
        key = {"appointmentId": {"S": body["appointmentId"]}}
        item = self.dynamodb.get_item(TableName=self.system.stack.appointments_table, Key=key)["Item"]
        records = [one["M"] for one in item["reminders"]["M"]["45m"]["M"]["deliveries"]["L"]]
        return {one["channel"]["S"]: one["reason" if "refused" in one else "state"]["S"] for one in records}

    def got(self, to: str) -> list[Message]:
        return [message for message in self.mailbox.messages() if to in message.to]


@pytest.fixture(scope="module")
def reminded(deployed_system: System, call: Callable[..., Any]) -> Reminded:
    return Reminded(deployed_system, call)


def page(system: System, path: str) -> str:
    with urllib.request.urlopen(system.api_url + path, timeout=20) as answer:
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        text: str = answer.read().decode()
        return text


def test_a_reminder_reaches_the_person_by_email_and_sms_once(deployed_system: System, reminded: Reminded) -> None:
    name = uuid.uuid4().hex
    phone = f"+49151{uuid.uuid4().int % 10**8:08}"
    contact = {"name": "Anna Lee", "email": f"{name}@example.org", "phone": phone, "channels": ["email", "sms"]}
    body = reminded.book(contact)
    reminded.remind(body)
    assert reminded.deliveries(body) == {"topic": "sent", "email": "sent", "sms": "sent"}
    reminded.remind(body)
    (email,), (sms,) = reminded.got(name), reminded.got(phone)
    assert (email.to, email.sender) == (
        f"Anna Lee <{name}@example.org>",
        "Appointments <appointments@example.com>",
    )
    start = datetime.fromisoformat(body["startTime"])
    clock = f"{start.astimezone(ZoneInfo('Europe/Berlin')):%M}"
    assert clock in sms.subject
    assert sms.sender == "APPTS"
    assert email.mime
    assert {"Date", "Message-ID", "Auto-Submitted"} <= set(email.mime.keys())
    # As a person sees them, in the browser.
    listed = page(deployed_system, "/mailbox")
    assert listed.count(f"{name}@example.org") == listed.count(phone) == 1
    assert f"{name}@example.org" in page(deployed_system, f"/mailbox/{email.name}")
    assert phone in page(deployed_system, f"/mailbox/{sms.name}")
    assert "<" in page(deployed_system, f"/mailbox/{email.name}/html")


def test_an_address_that_bounced_is_refused_the_next_time(reminded: Reminded) -> None:
    contact = {"email": BOUNCES.replace("@", f"+{uuid.uuid4().hex}@"), "channels": ["email"]}
    first, before = reminded.book(contact), marks(reminded)
    reminded.remind(first)
    assert reminded.deliveries(first) == {"topic": "sent", "email": "sent"}
    deadline = time.monotonic() + 30
    while len(marks(reminded)) == len(before) and time.monotonic() < deadline:
        time.sleep(0.3)
    second = reminded.book(contact)
    reminded.remind(second)
    assert reminded.deliveries(second) == {"topic": "sent", "email": "bounced"}
    assert len(reminded.got(str(contact["email"]))) == 1


def marks(reminded: Reminded) -> list[Any]:
    """The marked addresses: an item each, with no address in it."""
    found = reminded.dynamodb.scan(
        TableName=reminded.system.stack.calendars_table,
        FilterExpression="begins_with(calendarId, :prefix)",
        ExpressionAttributeValues={":prefix": {"S": "undeliverable#"}},
    )["Items"]
    assert "simulator" not in json.dumps(found)
    return list(found)
