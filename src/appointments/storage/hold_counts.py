"""How many times a source address has asked for within an hour: an item per address and hour in the calendars table.

Its key is a digest of both, so that nobody reads an address there, nor sees that two hours were of the same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from appointments.errors import TooManyHoldsError
from appointments.storage.dynamodb import ConditionFailedError

if TYPE_CHECKING:
    from datetime import datetime

    from appointments.contact_digests import ContactDigests
    from appointments.storage.dynamodb import Database

# Before a digest. No calendar's id has a `#`.
_PREFIX = "holds#"
_SORT_KEY = "count"
HOUR = timedelta(hours=1)
# A home has at least so much of IPv6 to itself, and so 2^64 addresses.
_HOME = 64


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class HoldCounts:
    """Counts by one conditional write each, so that two requests at once are counted as two."""

    database: Database
    table: str
    digests: ContactDigests

    def count(self, source: str, most: int, now: datetime) -> None:
        """Count one more time of a source address. Raises TooManyHoldsError where it had `most` this hour already."""
        hour = now.replace(minute=0, second=0, microsecond=0)
        digest = self.digests.digest(f"{hour:%Y-%m-%dT%H} {home_of(source)}")
        try:
            self.database.update(
                TableName=self.table,
                Key={"calendarId": {"S": _PREFIX + digest}, "day": {"S": _SORT_KEY}},
                UpdateExpression="ADD #count :one SET expiresAt = :end",
                ConditionExpression="attribute_not_exists(#count) OR #count < :most",
                ExpressionAttributeNames={"#count": "count"},
                ExpressionAttributeValues={
                    ":one": {"N": "1"},
                    ":most": {"N": str(most)},
                    ":end": {"N": str(int((hour + 2 * HOUR).timestamp()))},
                },
            )
        except ConditionFailedError as exc:
            raise TooManyHoldsError(int((hour + HOUR - now).total_seconds()) + 1) from exc


def home_of(source: str) -> str:
    """What counts as one address: an address of IPv4, or a network that one home has in IPv6."""
    try:
        address = ip_address(source)
    except ValueError:
        return source
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((address, _HOME), strict=False))
    return str(getattr(address, "ipv4_mapped", None) or address)
