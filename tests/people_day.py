"""A day on which reminders go to people too: by email through SES and by SMS through SNS, beside the topic.

Each channel is the product's own, over the engine, and SES and SNS are as bad as the day is. Some people agreed to one
channel only, some to none. Some addresses bounced before, and some phones opted out.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from appointments.contact_digests import ContactDigests
from appointments.contacts import ChannelName
from appointments.link_keys import LinkKeys
from appointments.storage.undeliverable import Undeliverable
from appointments.times import to_utc_text
from day import Day, Plan
from reaching.email import Mailer
from reaching.messenger import Messenger
from reaching.recipients import Recipients
from reaching.sms import Texter
from reminder_sender.channels.person import People
from texts.writing import Texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from appointments.model import Appointment
    from appointments.reminders import Reminder
    from local.engine import Engine
    from network import Network
    from reaching.recipients import Person
    from reminder_sender.channels.person import ToPerson

SENDER = "clinic@example.com"
# Of so many people one has an address that bounced, and another one a phone that opted out.
ODD_ONES = 15


@dataclass(frozen=True)
class Watched:
    """A channel that tells the network of which reminder a message is."""

    channel: ToPerson
    network: Network

    @property
    def name(self) -> str:
        return self.channel.name

    def recipients(self, appointment: Appointment, person: Person) -> tuple[str, ...]:
        self.network.about.which = (appointment.appointment_id, "", "")
        return self.channel.recipients(appointment, person)

    def send(self, appointment: Appointment, reminder: Reminder, recipient: str, person: Person) -> str:
        self.network.about.which = (appointment.appointment_id, reminder.offset, to_utc_text(reminder.due_at))
        return self.channel.send(appointment, reminder, recipient, person)


class PeopleDay(Day):
    """One plan, with contacts."""

    def __init__(self, engine: Engine, plan: Plan, publish_attempts: int = 1) -> None:
        super().__init__(engine, plan, publish_attempts)
        once: Any = {"mode": "standard", "total_max_attempts": publish_attempts}
        ses, kms = engine.client("sesv2", retries=once), engine.client("kms")
        ses.create_email_identity(EmailIdentity=SENDER)
        keys = [
            kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"] for _ in "ab"
        ]
        world, database = self.world, self.world.storage.database
        self.marks = Undeliverable(database, "CalendarsTable", ContactDigests(kms, keys[0]))
        for number in range(0, plan.appointments, ODD_ONES):
            self.marks.mark(ChannelName.EMAIL, email_of(number), "bounced", world.now)
        self.network.opted_out = frozenset(phone_of(number) for number in range(1, plan.appointments, ODD_ONES))
        for client in (ses, kms):
            self.network.attach(client)

        def mark(channel: ChannelName, address: str, reason: str) -> None:
            self.marks.mark(channel, address, reason, world.now)

        messenger = Messenger(Mailer(lambda: ses, SENDER), Texter(lambda: world.sns), Texts, "Clinic", mark)
        links = LinkKeys(kms, keys[1], "https://api.example.org/prod")
        channels = [Watched(channel, self.network) for channel in People.over(messenger, links.link_for)]
        people = Recipients(database, "CalendarsTable", self.marks, messenger.channels, lambda: world.now)
        world.sender = replace(world.sender, channels=[world.topic, *channels], people=people.of)
        world.sweeper = replace(world.sweeper, sender=world.sender)

    def _booking(self, number: int) -> dict[str, Any]:
        agreed = self.chance.choice([["email", "sms"], ["email", "sms"], ["email"], ["sms"], []])
        contact = {"email": email_of(number), "phone": phone_of(number), "channels": agreed}
        return super()._booking(number) | {"contact": contact}

    def problems(self) -> list[str]:
        """The same of each channel as of the topic."""
        found = super().problems()
        copies = Counter((p.appointment_id, p.offset, p.due_at, p.channel) for p in self.network.published)
        for item in self.world.items("AppointmentsTable"):
            for offset, value in item["reminders"]["M"].items():
                id_ = item["appointmentId"]["S"]
                found += [
                    f"{id_} {offset}: {wrong}" for wrong in self._wrong_by_channel(item, offset, value["M"], copies)
                ]
        return found

    def _wrong_by_channel(
        self, item: dict[str, Any], offset: str, reminder: dict[str, Any], copies: Counter[tuple[str, str, str, str]]
    ) -> Iterator[str]:
        id_, due = item["appointmentId"]["S"], reminder["dueAt"]["S"]
        records = {one["M"]["channel"]["S"]: one["M"] for one in reminder.get("deliveries", {"L": []})["L"]}
        contact = json.loads(item["contact"]["S"])
        several = 0
        for channel in ("topic", *contact["channels"]):
            sent = copies[id_, offset, due, channel]
            several += max(sent - 1, 0)
            refused = "refused" in records.get(channel, {})
            if channel == "email" and self._bounced(contact["email"]):
                refused = not sent  # whether anything was recorded of a reminder that was given up
            if reminder["state"]["S"] == "sent" and not sent and not refused:
                yield f"sent, and nothing by {channel}"
            if sent and refused:
                yield f"refused, and sent by {channel}"
            if sent and channel == "sms" and contact["phone"] in self.network.opted_out:
                yield "an SMS to a phone that opted out"
        for channel in {"email", "sms"} - {*contact["channels"]}:
            if copies[id_, offset, due, channel]:
                yield f"sent by {channel}, and not agreed to"
        # A death doubles a message on one channel at the most.
        if several > self._recorded_as_ambiguous(id_, offset):
            yield f"{several} messages too many, and less on record"

    def _bounced(self, email: str) -> bool:
        return email in {email_of(number) for number in range(0, self.plan.appointments, ODD_ONES)}

    def figures(self) -> dict[str, Any]:
        by_channel = Counter(message.channel for message in self.network.published)
        records = Counter(
            (one["M"]["channel"]["S"], one["M"].get("reason", one["M"]["state"])["S"])
            for item in self.world.items("AppointmentsTable")
            for reminder in item["reminders"]["M"].values()
            for one in reminder["M"].get("deliveries", {"L": []})["L"]
        )
        faults = Counter({f"{op}: {fault}": n for (fault, op), n in self.network.faults.items() if op in REACHING})
        told = {" ".join(which): count for which, count in sorted(records.items())}
        return super().figures() | {"by channel": dict(by_channel), "records": told, "faults of channels": dict(faults)}


# What reaching people calls, beside DynamoDB.
REACHING = ("SendEmail", "PublishSms", "GenerateMac")


def email_of(number: int) -> str:
    return f"person-{number}@example.org"


def phone_of(number: int) -> str:
    return f"+49151{20000000 + number}"
