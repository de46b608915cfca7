"""Writes of what is configured, calendars and services: each replaces an item and counts its version."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

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


def put_version(
    database: Database, table: str, key: Item, body: Mapping[str, Any], now: datetime, version: int | None
) -> Item:
    """Replace what is configured, only over `version` where one is given (0: never configured). Returns the new item.

    Raises SettingsChangedError, ContentionError.
    """
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    condition = ""
    if version == 0:
        condition = "attribute_not_exists(#version)"
    elif version is not None:
        condition = "#version = :was"
    update = "SET settings = :settings, updatedAt = :now, revision = :revision REMOVE deletedAt ADD #version :one"
    return _write(database, table, key, (update, condition), {":settings": {"S": text}}, now, version)


def delete_version(database: Database, table: str, key: Item, now: datetime, version: int | None) -> Item:
    """Mark what is configured as deleted, only over `version` where one is given. Returns the new item.

    The item stays, so that no later one has its version. Raises SettingsChangedError, ContentionError.
    """
    condition = "attribute_exists(#version) AND attribute_not_exists(deletedAt)"
    if version is not None:
        condition += " AND #version = :was"
    update = "SET deletedAt = :now, updatedAt = :now, revision = :revision ADD #version :one"
    return _write(database, table, key, (update, condition), {}, now, version)


def version_of(item: Item | None) -> int:
    """The version of an item; 0 where there is none."""
    return int(item["version"]["N"]) if item else 0


def _write(
    database: Database,
    table: str,
    key: Item,
    update_and_condition: tuple[str, str],
    values: Item,
    now: datetime,
    version: int | None,
) -> Item:
    update, condition = update_and_condition
    revision = {"S": str(uuid.uuid4())}
    values = {**values, ":now": {"S": to_utc_text(now)}, ":one": {"N": "1"}, ":revision": revision}
    if version:
        values[":was"] = {"N": str(version)}
    conditional = {"ConditionExpression": condition} if condition else {}
    try:
        answer = database.update(
            TableName=table,
            Key=key,
            UpdateExpression=update,
            ExpressionAttributeNames={"#version": "version"},
            ExpressionAttributeValues=values,
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
