"""Blocks in the calendars table: an item per block, among the days of its calendar, in which it has its entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from appointments.blocks import Block
from appointments.model import Interval
from appointments.statuses import Status
from appointments.times import from_utc_text, to_utc_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime, timedelta

    from appointments.storage.dynamodb import Database, Entry, Item

_PREFIX = "block#"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Blocks:
    """Reads of blocks, and the actions of a transaction on one. `retention` is how long an item outlives its block."""

    database: Database
    table: str
    retention: timedelta

    def get(self, calendar_id: str, block_id: str) -> Block | None:
        """Strongly consistent; also one that was removed."""
        item = self.database.get(*self.key(calendar_id, block_id))
        return self.from_item(item) if item else None

    def given_with_zone(self, time_zones: Collection[str], now: datetime) -> Iterator[Block]:
        """Every block that is not over and has one of these zones. Reads the whole table: for an operator."""
        zones = {f":zone{number}": {"S": name} for number, name in enumerate(time_zones)}
        pages = self.database.client.get_paginator("scan").paginate(
            TableName=self.table,
            FilterExpression=f"begins_with(#day, :prefix) AND #timeZone IN ({', '.join(zones)}) "
            "AND endTime > :now AND attribute_not_exists(removedAt)",
            ExpressionAttributeNames={"#day": "day", "#timeZone": "timeZone"},
            ExpressionAttributeValues={**zones, ":now": {"S": to_utc_text(now)}, ":prefix": {"S": _PREFIX}},
            ConsistentRead=True,
        )
        return (self.from_item(item) for page in pages for item in page["Items"])

    def key(self, calendar_id: str, block_id: str) -> tuple[str, dict[str, Any]]:
        """The table and the key of a block's item."""
        return self.table, {"calendarId": {"S": calendar_id}, "day": {"S": f"{_PREFIX}{block_id}"}}

    @staticmethod
    def is_key(key: Item) -> bool:
        """Whether a key of the calendars table is that of a block."""
        return bool(key["day"]["S"].startswith(_PREFIX))

    @staticmethod
    def from_item(item: Item) -> Block:
        """Read a block."""

        def text(name: str) -> str | None:
            return item[name]["S"] if name in item else None

        created, ended = item["createdAt"]["S"], text("removedAt")
        return Block(
            appointment_id=item["day"]["S"].removeprefix(_PREFIX),
            user_id=item["calendarId"]["S"],
            interval=Interval(from_utc_text(item["startTime"]["S"]), from_utc_text(item["endTime"]["S"])),
            time_zone=text("timeZone"),
            reason=text("reason"),
            fingerprint=text("fingerprint"),
            status=Status.CANCELLED if ended else Status.SCHEDULED,
            version=2 if ended else 1,
            created_at=from_utc_text(created),
            updated_at=from_utc_text(ended or created),
        )

    # --- actions of a transaction ---

    def placing(self, block: Block) -> Entry:
        """Write a new block, on condition that its id is new."""
        expires = int((block.interval.end + self.retention).timestamp())
        texts = {
            "startTime": to_utc_text(block.interval.start),
            "endTime": to_utc_text(block.interval.end),
            "createdAt": to_utc_text(block.created_at),
            "timeZone": block.time_zone,
            "reason": block.reason,
            "fingerprint": block.fingerprint,
        }
        values: dict[str, Any] = {name: {"S": text} for name, text in texts.items() if text is not None}
        return self._update(block, values | {"expiresAt": {"N": str(expires)}}, "attribute_not_exists(calendarId)")

    def removing(self, block: Block) -> Entry:
        """Mark a block as removed, on condition that nobody has done so. It stays, so that a repetition is known."""
        condition = "attribute_exists(calendarId) AND attribute_not_exists(removedAt)"
        return self._update(block, {"removedAt": {"S": to_utc_text(block.updated_at)}}, condition)

    def _update(self, block: Block, values: Item, condition: str) -> Entry:
        """An update and no put: it needs no permission beside those that calendar days need."""
        _, key = self.key(block.user_id, block.appointment_id)
        return {
            "Update": {
                "TableName": self.table,
                "Key": key,
                "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in values),
                "ConditionExpression": condition,
                "ExpressionAttributeNames": {f"#{name}": name for name in values},
                "ExpressionAttributeValues": {f":{name}": value for name, value in values.items()},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }
