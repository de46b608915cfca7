"""The person whose appointment it is, by email and by SMS."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from reaching.refusals import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from appointments.contacts import ChannelName, Contact
    from appointments.model import Appointment
    from appointments.reminders import Reminder
    from reaching.messenger import Messenger
    from reaching.recipients import Person

# What records call the person: their address is nobody's business, and may change.
RECIPIENT = "person"


@dataclass(frozen=True, slots=True)
class ToPerson:
    """One way to reach the person. `tell` sends one message to a contact that has an address on it."""

    channel: ChannelName
    tell: Callable[[Appointment, Contact], str]

    @property
    def name(self) -> str:
        return self.channel.value

    def recipients(self, appointment: Appointment, person: Person) -> tuple[str, ...]:
        """The person, where they have agreed to be reached so."""
        contact = person.reached(appointment).contact
        return (RECIPIENT,) if contact and contact.address(self.channel) else ()

    def send(self, appointment: Appointment, _reminder: Reminder, _recipient: str, person: Person) -> str:
        contact, undeliverable = person.reached(appointment)
        if contact is None or not contact.address(self.channel):
            raise RefusedError("the contact was removed meanwhile")
        if reason := undeliverable.get(self.channel):
            raise RefusedError(reason)
        return self.tell(appointment, contact)


class People:
    """The person's email and phone: those that are on. They share their texts and the link of an appointment."""

    @staticmethod
    def from_env(env: Mapping[str, str]) -> list[ToPerson]:
        if not (env.get("EMAIL_FROM") or env.get("SMS") == "on"):
            return []
        from reaching.parts import links_from, messenger_from  # noqa: PLC0415 - only where people are reached

        return People.over(messenger_from(env), links_from(env))

    @staticmethod
    def over(messenger: Messenger, link_for: Callable[[str], str] | None) -> list[ToPerson]:
        """A channel for each that the messenger has."""
        return [ToPerson(channel, partial(_tell, messenger, link_for, channel)) for channel in messenger.channels]


def _tell(
    messenger: Messenger,
    link_for: Callable[[str], str] | None,
    channel: ChannelName,
    appointment: Appointment,
    contact: Contact,
) -> str:
    from reaching.telling import facts_of  # noqa: PLC0415 - few reminders go to people
    from texts.facts import Kind  # noqa: PLC0415

    link = link_for(appointment.appointment_id) if link_for else None
    return messenger.send(contact, channel, facts_of(Kind.REMINDER, appointment, contact, link))
