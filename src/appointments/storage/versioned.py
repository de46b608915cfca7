"""Writes of what is configured, calendars and services: each replaces an item and counts its version."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.storage.dynamodb import ConditionFailedError, NotWrittenError
from appointments.times import to_utc_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from appointments.storage.dynamodb import Database, Item


class SettingsChangedError(NotWrittenError):
    """The item is no longer the version that was named; `version` is the current one."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the version is {version}")
        self.version = version


class Versioned(NamedTuple):
    """An item whose writes count its version, and exclude each other where they name the version they are over.

    Both writes return the new item, and raise SettingsChangedError and ContentionError.
    """

    database: Database
    table: str
    key: Item

    def put(self, body: Mapping[str, Any], now: datetime, version: int | None) -> Item:
        """Replace what is configured, only over `version` where one is given (0: never configured)."""
        condition = {None: "", 0: "attribute_not_exists(#version)"}.get(version, "#version = :was")
        update = "SET settings = :settings, updatedAt = :now, revision = :revision REMOVE deletedAt ADD #version :one"
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        values = {":settings": {"S": text}, ":now": {"S": to_utc_text(now)}, **_was(version)}
        return self._write(update, condition, values)

    def delete(self, now: datetime, version: int | None) -> Item:
        """Mark what is configured as deleted, only over `version` where one is given.

        The item stays, so that no later one has its version.
        """
        condition = "attribute_exists(#version) AND attribute_not_exists(deletedAt)"
        if version is not None:
            condition += " AND #version = :was" if version else " AND attribute_not_exists(#version)"
        update = "SET deletedAt = :now, updatedAt = :now, revision = :revision ADD #version :one"
        return self._write(update, condition, {":now": {"S": to_utc_text(now)}, **_was(version)})

    def _write(self, update: str, condition: str, values: Item) -> Item:
        revision = {"S": str(uuid.uuid4())}
        conditional = {"ConditionExpression": condition} if condition else {}
        try:
            answer = self.database.update(
                TableName=self.table,
                Key=self.key,
                UpdateExpression=update,
                ExpressionAttributeNames={"#version": "version"},
                ExpressionAttributeValues={**values, ":one": {"N": "1"}, ":revision": revision},
                ReturnValues="ALL_NEW",
                **conditional,
            )
        except ConditionFailedError as exc:
            # One with our revision was written by this call, and only its answer got lost.
            if exc.item and exc.item.get("revision") == revision:
                return exc.item
            raise SettingsChangedError(version_of(exc.item)) from exc
        written: Item = answer["Attributes"]
        return written


def version_of(item: Item | None) -> int:
    """The version of an item; 0 where there is none."""
    return int(item["version"]["N"]) if item else 0


def _was(version: int | None) -> dict[str, Any]:
    return {":was": {"N": str(version)}} if version else {}
