"""Addresses that nothing is sent to any more, in the calendars table: an item per address and channel, by digest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from appointments.contacts import ChannelName
from appointments.times import to_utc_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from appointments.contact_digests import ContactDigests
    from appointments.contacts import Contact
    from appointments.storage.dynamodb import Database, Item

# Before an address's digest. No calendar's id has a `#`.
_PREFIX = "undeliverable#"
# A mailbox may exist again. Should it not, the next message to it marks it anew.
MARKED_FOR = timedelta(days=90)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Undeliverable:
    """Marks addresses, and tells which are marked."""

    database: Database
    table: str
    digests: ContactDigests

    def mark(self, channel: ChannelName, address: str, reason: str, at: datetime) -> None:
        """Have nothing sent to an address for MARKED_FOR. Of several marks the last one counts."""
        self.database.update(
            TableName=self.table,
            Key=self._keys(channel, address)[0],
            UpdateExpression="SET #reason = :reason, markedAt = :at, expiresAt = :until",
            ExpressionAttributeNames={"#reason": "reason"},
            ExpressionAttributeValues={
                ":reason": {"S": reason},
                ":at": {"S": to_utc_text(at)},
                ":until": {"N": str(int((at + MARKED_FOR).timestamp()))},
            },
        )

    def unmark(self, channel: ChannelName, address: str) -> None:
        """Have messages sent to an address again; also to one that is not marked."""
        for key in self._keys(channel, address):
            self.database.delete(self.table, key)

    def reasons(self, addresses: Mapping[ChannelName, str], now: datetime) -> dict[ChannelName, str]:
        """Why nothing is sent to those of the addresses that are marked. One call, none for no address."""
        keys = [(self.table, key) for channel, address in addresses.items() for key in self._keys(channel, address)]
        # TTL removes what has run out within days, not at once.
        return {
            ChannelName(item["day"]["S"]): item["reason"]["S"]
            for _, item in self.database.get_many(keys)
            if int(item["expiresAt"]["N"]) > now.timestamp()
        }

    def of(self, contact: Contact, now: datetime) -> dict[ChannelName, str]:
        """The same for both addresses of a contact, whatever the person agreed to."""
        both = {ChannelName.EMAIL: contact.email, ChannelName.SMS: contact.phone}
        return self.reasons({channel: address for channel, address in both.items() if address}, now)

    def _keys(self, channel: ChannelName, address: str) -> list[Item]:
        """Under what an address is marked, and then under what it was while its case counted, if that is another.

        No provider of email that people use tells two mailboxes apart by case, and who bounces may be named in any.
        """
        spellings = dict.fromkeys((address.lower(), address))
        return [{"calendarId": {"S": _PREFIX + self.digests.digest(one)}, "day": {"S": channel}} for one in spellings]
