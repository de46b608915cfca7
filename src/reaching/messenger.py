"""One message to a contact, on one channel, in the contact's language."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from appointments.contacts import ChannelName
from reaching.email import Letter
from reaching.refusals import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from appointments.contacts import Contact
    from reaching.email import Mailer
    from reaching.sms import Texter
    from texts.facts import Facts
    from texts.invitation import Invitation
    from texts.writing import Texts


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Messenger:
    """Sends what happened in the words of `texts`; a channel without a sender is off."""

    mailer: Mailer | None
    texter: Texter | None
    texts: Callable[[], Texts]
    # Who writes, as people know them.
    sender: str = ""

    @property
    def channels(self) -> tuple[ChannelName, ...]:
        """Those that are on."""
        return (
            *((ChannelName.EMAIL,) if self.mailer else ()),
            *((ChannelName.SMS,) if self.texter else ()),
        )

    def send(self, contact: Contact, channel: ChannelName, facts: Facts, invitation: Invitation | None = None) -> str:
        """Send one message, once, and return its id. Raises NotSentError or RefusedError where nothing was sent."""
        address = contact.address(channel)
        facts = replace(facts, sender=facts.sender or self.sender or None)
        if address and channel is ChannelName.EMAIL and self.mailer:
            subject, text, html = self.texts().email(facts, contact.locale)
            return self.mailer.send(Letter(address, contact.name, subject, text, html, invitation))
        if address and channel is ChannelName.SMS and self.texter:
            return self.texter.send(address, self.texts().sms(facts, contact.locale))
        raise RefusedError("not reached on this channel")
