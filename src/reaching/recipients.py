"""Who is reached about an appointment, and where nothing is sent any more."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from appointments.errors import CalendarBusyError
from appointments.storage.contacts import ContactItems
from reaching.refusals import NotSentError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from appointments.contacts import ChannelName, Contact
    from appointments.model import Appointment
    from appointments.storage.dynamodb import Database
    from appointments.storage.undeliverable import Undeliverable


class Reached(NamedTuple):
    """A person's contact, None where there is none, and by channel why nothing is sent to it any more."""

    contact: Contact | None = None
    undeliverable: Mapping[ChannelName, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Recipients:
    """Looks up contacts, on the channels that are on."""

    database: Database
    calendars_table: str
    undeliverable: Undeliverable
    channels: tuple[ChannelName, ...]
    clock: Callable[[], datetime]

    def of(self, appointment: Appointment) -> Reached:
        """Whom an appointment's person is reached as: by its own contact, else by that of the person's calendar."""
        return self.reached(appointment.contact or self.of_calendar(appointment.user_id))

    def of_calendar(self, calendar_id: str) -> Contact | None:
        """The contact that is kept for a person or a resource."""
        kept = ContactItems(self.database, self.calendars_table).get(calendar_id)
        return kept.contact if kept else None

    def reached(self, contact: Contact | None) -> Reached:
        """A contact with what is known of its addresses."""
        if contact is None:
            return Reached()
        addresses = {channel: address for channel in self.channels if (address := contact.address(channel))}
        return Reached(contact, self.undeliverable.reasons(addresses, self.clock()))

    def refusal(self, channel: ChannelName, address: str) -> str | None:
        """Why nothing is sent to an address any more. Raises NotSentError where that cannot be looked up for now."""
        try:
            return self.undeliverable.reasons({channel: address}, self.clock()).get(channel)
        except (ClientError, BotoCoreError, CalendarBusyError) as exc:
            raise NotSentError(f"no address was looked up: {type(exc).__name__}") from exc


@dataclass(slots=True, eq=False, repr=False)
class Person:
    """The person of one appointment, looked up when a channel first asks, and anew when the contact was changed."""

    look: Callable[[Appointment], Reached]
    _seen: tuple[Contact | None, Reached | NotSentError] | None = field(default=None, init=False)

    def reached(self, appointment: Appointment) -> Reached:
        """Raises NotSentError, the same for each channel, where the person cannot be looked up for now."""
        if self._seen is None or self._seen[0] != appointment.contact:
            self._seen = (appointment.contact, self._looked(appointment))
        found = self._seen[1]
        if isinstance(found, NotSentError):
            raise found
        return found

    def _looked(self, appointment: Appointment) -> Reached | NotSentError:
        try:
            return self.look(appointment)
        except (ClientError, BotoCoreError, CalendarBusyError) as exc:
            return NotSentError(f"no contact was read: {type(exc).__name__}")
