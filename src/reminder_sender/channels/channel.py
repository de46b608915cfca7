"""What a channel is to the sender."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from appointments.model import Appointment
    from appointments.reminders import Reminder
    from reaching.recipients import Person


class Channel(Protocol):
    """One way to reach people or programs."""

    @property
    def name(self) -> str:
        """What the records of its deliveries call it. It never changes: a record of another name is not found."""

    def recipients(self, appointment: Appointment, person: Person, /) -> Sequence[str]:
        """Whom a reminder of the appointment goes to on this channel, as its records name them.

        Raises NotSentError where that cannot be known for now.
        """

    def send(self, appointment: Appointment, reminder: Reminder, recipient: str, person: Person, /) -> str:
        """Send one message, once, and return its id.

        Raises NotSentError where certainly nothing was sent, RefusedError where this message never will be.
        """


class ChannelKind(Protocol):
    """A class of channels."""

    def from_env(self, env: Mapping[str, str], /) -> Sequence[Channel]:
        """The channels that a function's environment configures; none where they are off."""
