"""Services in the calendars table, under a partition key that no calendar has."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from appointments.memory import KnownService
from appointments.services import parse_service
from appointments.storage.calendar_settings import service_key

if TYPE_CHECKING:
    from appointments.memory import Memory
    from appointments.services import Service
    from appointments.storage.dynamodb import Database, Entry, Item

SMALL_CHARACTERS = 900


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ServiceItems:
    """Reads of services, and the condition on one."""

    database: Database
    table: str
    memory: Memory

    def known(self, service_id: str) -> KnownService:
        """Strongly consistent; the memory learns it."""
        item = self.database.get(self.table, service_key(service_id))
        return self.learn(item) if item else KnownService(service_id)

    def learn(self, item: Item) -> KnownService:
        """The service in an item that was just read."""
        text = item["settings"]["S"]
        known = KnownService(
            item["day"]["S"],
            _service_from_text(text),
            text,
            int(item["version"]["N"]),
            item["revision"]["S"],
            len(text) <= SMALL_CHARACTERS,
        )
        self.memory.learn_service(known)
        return known

    def checking(self, known: KnownService) -> Entry:
        """Check that a service is still the one that was read or remembered."""
        return {
            "ConditionCheck": {
                "TableName": self.table,
                "Key": service_key(known.service_id),
                "ConditionExpression": "#version = :version AND #revision = :revision",
                "ExpressionAttributeNames": {"#version": "version", "#revision": "revision"},
                "ExpressionAttributeValues": {
                    ":version": {"N": str(known.version)},
                    ":revision": {"S": known.revision or ""},
                },
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }


@lru_cache(maxsize=64)
def _service_from_text(text: str) -> Service:
    return parse_service(json.loads(text))
