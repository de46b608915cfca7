"""Services in the calendars table, under a partition key that no calendar has."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.memory import KnownService
from appointments.model import SYSTEM
from appointments.services import parse_service
from appointments.storage.calendar_settings import SERVICES, SMALL_CHARACTERS, checking_version, service_key
from appointments.storage.versioned import Versioned, version_of
from appointments.times import from_utc_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from appointments.memory import Memory
    from appointments.services import Service
    from appointments.storage.dynamodb import Database, Entry, Item


class StoredService(NamedTuple):
    """A service as it was sent, with its version. A deleted one has `deleted_at`."""

    service_id: str
    body: dict[str, Any]
    version: int
    updated_at: datetime
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ServiceItems:
    """Reads and writes of services, and the condition on one."""

    database: Database
    table: str
    memory: Memory

    def get(self, service_id: str) -> StoredService | None:
        """Strongly consistent; also one that was deleted."""
        item = self.database.get(self.table, service_key(service_id))
        return _stored_from_item(item) if item else None

    def known(self, service_id: str) -> KnownService:
        """Strongly consistent; the memory learns it."""
        item = self.database.get(self.table, service_key(service_id))
        return self.learn(item) if item else KnownService(service_id)

    def page(self, limit: int, after: str | None = None) -> tuple[list[StoredService], str | None]:
        """Services by id, strongly consistent, without those that were deleted, and the id to go on from."""
        request: dict[str, Any] = {
            "TableName": self.table,
            "ConsistentRead": True,
            "KeyConditionExpression": "calendarId = :services",
            "FilterExpression": "attribute_not_exists(deletedAt)",
            "ExpressionAttributeValues": {":services": {"S": SERVICES}},
            "Limit": limit + 1,
        }
        if after is not None:
            request["ExclusiveStartKey"] = service_key(after)
        found = [_stored_from_item(item) for item in islice(self.database.query(**request), limit + 1)]
        return found[:limit], found[limit - 1].service_id if len(found) > limit else None

    def put(
        self, service_id: str, body: Mapping[str, Any], now: datetime, version: int | None = None, by: str = SYSTEM
    ) -> StoredService:
        """Replace a service, only over `version` where one is given. Raises SettingsChangedError, ContentionError."""
        item = self._item(service_id).put(body, now, version, by)
        self.learn(item)
        return _stored_from_item(item)

    def delete(
        self, service_id: str, now: datetime, version: int | None = None, by: str = SYSTEM
    ) -> StoredService | None:
        """Delete a service, only over `version` where one is given. None if there never was one.

        One that was deleted before is returned as it is. Raises SettingsChangedError, ContentionError.
        """
        item = self._item(service_id).delete(now, version, by)
        if item is None:
            return None
        self.learn(item)
        return _stored_from_item(item)

    def learn(self, item: Item) -> KnownService:
        """The service in an item that was just read. One that was deleted is none, with a version."""
        text = item["settings"]["S"]
        there = "deletedAt" not in item
        known = KnownService(
            item["day"]["S"],
            _service_from_text(text) if there else None,
            text if there else "",
            version_of(item),
            item["revision"]["S"],
            len(text) <= SMALL_CHARACTERS,
        )
        self.memory.learn_service(known)
        return known

    def checking(self, known: KnownService) -> Entry:
        """Check that a service is still the one that was read or remembered."""
        return checking_version(self.table, service_key(known.service_id), known.version, known.revision)

    def _item(self, service_id: str) -> Versioned:
        return Versioned(self.database, self.table, service_key(service_id))


def _stored_from_item(item: Item) -> StoredService:
    deleted = from_utc_text(item["deletedAt"]["S"]) if "deletedAt" in item else None
    body: dict[str, Any] = json.loads(item["settings"]["S"])
    return StoredService(item["day"]["S"], body, version_of(item), from_utc_text(item["updatedAt"]["S"]), deleted)


@lru_cache(maxsize=64)
def _service_from_text(text: str) -> Service:
    return parse_service(json.loads(text))
