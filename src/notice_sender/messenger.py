"""A notice as people get it: an email with an invitation, or an SMS."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from appointments.contacts import ChannelName
from appointments.notices import PERSON
from reaching.refusals import RefusedError
from reaching.telling import facts_of
from texts.facts import Kind
from texts.invitation import Parties, Party, invitation

if TYPE_CHECKING:
    from collections.abc import Callable

    from appointments.contacts import Contact
    from notice_sender.sender import Notice
    from reaching.messenger import Messenger
    from reaching.recipients import Recipients
    from texts.facts import Facts
    from texts.invitation import Invitation


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NoticeMessenger:
    """Sends notices through the channels that are on. Nothing goes to an address that is marked as undeliverable.

    `organizer` sends the invitations. `link_for` makes the link that lets a person act on an appointment, if any.
    """

    messenger: Messenger
    recipients: Recipients
    organizer: Party
    link_for: Callable[[str], str] | None = None

    def send(self, contact: Contact, channel: ChannelName, notice: Notice) -> str:
        """Send a notice once and return the message's id. Raises NotSentError, RefusedError."""
        address = contact.address(channel)
        if address is None:
            raise RefusedError("not reached on this channel")
        if reason := self.recipients.refusal(channel, address):
            raise RefusedError(reason)
        facts = self._facts(contact, notice)
        return self.messenger.send(contact, channel, facts, self._invitation(contact, channel, notice, facts))

    def _facts(self, contact: Contact, notice: Notice) -> Facts:
        appointment = notice.appointment
        kind = Kind(notice.kind.value)
        link = None
        if self.link_for and notice.recipient == PERSON and not kind.is_over:
            link = self.link_for(appointment.appointment_id)
        facts = facts_of(kind, appointment, contact, link)
        was_start, was_end = notice.was or (None, None)
        return replace(
            facts,
            start=notice.interval.start,
            end=notice.interval.end,
            was_start=was_start,
            was_end=was_end,
            with_whom=notice.with_whom,
            resource=notice.recipient != PERSON,
        )

    def _invitation(self, contact: Contact, channel: ChannelName, notice: Notice, facts: Facts) -> Invitation | None:
        if channel is not ChannelName.EMAIL or not contact.email:
            return None
        parties = Parties(self.organizer, Party(contact.email, contact.name))
        appointment = notice.appointment
        return invitation(facts, appointment.appointment_id, appointment.version, parties, self.recipients.clock())
