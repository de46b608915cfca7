"""The contacts that are kept for calendars, of persons and of resources: an item each among the calendar's days."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.contacts import contact_body, contact_from_body
from appointments.times import from_utc_text, to_utc_text

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from appointments.contacts import Contact
    from appointments.storage.dynamodb import Database, Item

# The sort key of a calendar's contact, among its days.
CONTACT = "contact"


class StoredContact(NamedTuple):
    """A contact, and when it was written."""

    contact: Contact
    changed_at: datetime


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ContactItems:
    """Reads and writes of contacts. Each write is whole, and the last one counts."""

    database: Database
    table: str

    def get(self, calendar_id: str) -> StoredContact | None:
        """Strongly consistent."""
        item = self.database.get(self.table, contact_key(calendar_id))
        return stored_contact(item) if item else None

    def of(self, calendar_ids: Collection[str]) -> dict[str, Contact]:
        """The contacts of those calendars that have one, strongly consistent; one call for up to a hundred."""
        keys = [(self.table, contact_key(calendar_id)) for calendar_id in dict.fromkeys(calendar_ids)]
        found = self.database.get_many(keys)
        return {item["calendarId"]["S"]: contact_from_body(json.loads(item["contact"]["S"])) for _, item in found}

    def put(self, calendar_id: str, contact: Contact, now: datetime, by: str) -> StoredContact:
        """Keep a contact in place of the one before."""
        text = json.dumps(contact_body(contact), ensure_ascii=False)
        self.database.update(
            TableName=self.table,
            Key=contact_key(calendar_id),
            # Not `updatedAt`: what has that is in the index of what is configured.
            UpdateExpression="SET contact = :contact, changedAt = :now, #by = :by",
            ExpressionAttributeNames={"#by": "by"},
            ExpressionAttributeValues={":contact": {"S": text}, ":now": {"S": to_utc_text(now)}, ":by": {"S": by}},
        )
        return StoredContact(contact, now)

    def delete(self, calendar_id: str) -> None:
        """Keep none."""
        self.database.delete(self.table, contact_key(calendar_id))


def contact_key(calendar_id: str) -> dict[str, Any]:
    """The key of a calendar's contact."""
    return {"calendarId": {"S": calendar_id}, "day": {"S": CONTACT}}


def stored_contact(item: Item) -> StoredContact:
    """The contact in an item."""
    return StoredContact(contact_from_body(json.loads(item["contact"]["S"])), from_utc_text(item["changedAt"]["S"]))
