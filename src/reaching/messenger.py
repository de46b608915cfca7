"""One message to a contact, on one channel, in the contact's language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from appointments.contacts import ChannelName
from reaching.email import Letter
from reaching.refusals import RefusedError

if TYPE_CHECKING:
    from appointments.contacts import Contact
    from reaching.email import Invitation, Mailer
    from reaching.sms import Texter
    from texts import Facts


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Messenger:
    """Sends what happened in the words of `texts`; a channel without a sender is off."""

    mailer: Mailer | None
    texter: Texter | None
    default_locale: str

    @property
    def channels(self) -> tuple[ChannelName, ...]:
        """Those that are on."""
        return (
            *((ChannelName.EMAIL,) if self.mailer else ()),
            *((ChannelName.SMS,) if self.texter else ()),
        )

    def send(self, contact: Contact, channel: ChannelName, facts: Facts, invitation: Invitation | None = None) -> str:
        """Send one message, once, and return its id. Raises NotSentError or RefusedError where nothing was sent."""
        from texts import email, sms  # noqa: PLC0415 - few reminders go to people

        address, locale = contact.address(channel), contact.locale or self.default_locale
        if address and channel is ChannelName.EMAIL and self.mailer:
            said = email(facts, locale)
            return self.mailer.send(Letter(address, contact.name, said.subject, said.text, said.html, invitation))
        if address and channel is ChannelName.SMS and self.texter:
            return self.texter.send(address, sms(facts, locale))
        raise RefusedError("not reached on this channel")
