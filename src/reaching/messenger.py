"""One message to a contact, on one channel, in the contact's language."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from appointments.contacts import ChannelName
from appointments.telemetry import logger
from reaching.email import Letter
from reaching.refusals import OptedOutError, RefusedError
from texts.clean import readable

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
    """Sends what happened in the words of `texts`; a channel without a sender is off.

    `mark` has nothing more sent to an address, and is told the channel, the address and the reason.
    """

    mailer: Mailer | None
    texter: Texter | None
    texts: Callable[[], Texts]
    # Who writes, as people know them.
    sender: str = ""
    mark: Callable[[ChannelName, str, str], None] | None = None

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
            return self.mailer.send(Letter(address, readable(contact.name), subject, text, html, invitation))
        if address and channel is ChannelName.SMS and self.texter:
            text = self.texts().sms(facts, contact.locale)
            try:
                return self.texter.send(address, text)
            except OptedOutError as exc:
                self._mark(channel, address, str(exc))
                raise
        raise RefusedError("not reached on this channel")

    def _mark(self, channel: ChannelName, address: str, reason: str) -> None:
        """Whether it succeeds or not, the message is refused; without the mark the next one will be, too."""
        if self.mark is None:
            return
        try:
            self.mark(channel, address, reason)
        except Exception:  # noqa: BLE001 - as above
            logger.warning("Address not marked", channel=channel, reason=reason, exc_info=True)
