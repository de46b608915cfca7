"""The contacts that are kept for calendars, of persons and of resources."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from appointments.contacts import contact_from_body

if TYPE_CHECKING:
    from collections.abc import Collection

    from appointments.contacts import Contact
    from appointments.storage.dynamodb import Database

# The sort key of a contact, in the partition of its calendar.
CONTACT = "contact"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class KeptContacts:
    """Reads them, all that a notice needs in one call."""

    database: Database
    table: str

    def of(self, calendar_ids: Collection[str]) -> dict[str, Contact]:
        """The contacts of those calendars that have one, strongly consistent."""
        keys = [(self.table, {"calendarId": {"S": id_}, "day": {"S": CONTACT}}) for id_ in dict.fromkeys(calendar_ids)]
        found = self.database.get_many(keys)
        return {item["calendarId"]["S"]: contact_from_body(json.loads(item["contact"]["S"])) for _, item in found}
