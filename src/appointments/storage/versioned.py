"""Writes of what is configured, calendars and services: each replaces an item and counts its version."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.json_text import to_json
from appointments.model import SYSTEM
from appointments.storage.dynamodb import (
    ConditionFailedError,
    ContentionError,
    NotWrittenError,
    own_change,
    unless_written,
)
from appointments.times import to_utc_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from appointments.storage.dynamodb import Database, Item

    # Attributes by name, as DynamoDB keeps them; None where one is removed.
    Beside = Mapping[str, Any]


class SettingsChangedError(NotWrittenError):
    """The item is no longer the version that was named; `version` is the current one."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the version is {version}")
        self.version = version


class Versioned(NamedTuple):
    """An item whose writes count its version. Each is over one version, so that they exclude each other.

    Without a version, it is the current one: else a write that the SDK repeats would come over what others wrote since.
    Both writes return the new item, and raise SettingsChangedError, ContentionError and CalendarBusyError in doubt.
    """

    database: Database
    table: str
    key: Item

    def put(
        self,
        body: Mapping[str, Any],
        now: datetime,
        version: int | None,
        by: str = SYSTEM,
        also: Beside | None = None,
    ) -> Item:
        """Replace what is configured, only over `version` where one is given (0: never configured).

        `also` are attributes beside it, each with its value or, where it goes, None.
        """
        text = to_json(body)
        update, values = _setting({"settings": {"S": text}, "deletedAt": None, **(also or {})}, now, by)
        over = self._current() if version is None else version
        while True:
            try:
                return self.write(update, "", values, over)
            except SettingsChangedError as exc:
                if version is not None:
                    raise
                over = exc.version

    def delete(self, now: datetime, version: int | None, by: str = SYSTEM) -> Item | None:
        """Mark what is configured as deleted, only over `version` where one is given. None if there never was anything.

        What was deleted before is returned as it is. The item stays, so that no later one has its version.
        """
        condition = "attribute_exists(#version) AND attribute_not_exists(deletedAt) AND "
        update = "SET deletedAt = :now, updatedAt = :now, revision = :revision, #by = :by ADD #version :one"
        values = {":now": {"S": to_utc_text(now)}, ":by": {"S": by}}
        over = self._current() if version is None else version
        while True:
            try:
                return self.write(update, condition, values, over)
            except SettingsChangedError:
                item = self.database.get(self.table, self.key)
                if item is None or "deletedAt" in item:
                    return item
                if version is not None:
                    raise
                over = version_of(item)

    def change(self, beside: Beside, now: datetime, version: int, by: str = SYSTEM) -> Item:
        """Change attributes beside what is configured, over `version`, unless it was deleted."""
        update, values = _setting(beside, now, by)
        return self.write(update, "attribute_not_exists(deletedAt) AND ", values, version)

    def _current(self) -> int:
        return version_of(self.database.get(self.table, self.key))

    def write(self, update: str, condition: str, values: Item, over: int) -> Item:
        """One write over a version, 0 where there is none, and under a further condition."""
        condition += "#version = :was" if over else "attribute_not_exists(#version)"
        was = {":was": {"N": str(over)}} if over else {}
        revision = str(uuid.uuid4())
        try:
            answer = self.database.update(
                TableName=self.table,
                Key=self.key,
                UpdateExpression=update,
                ExpressionAttributeNames={"#version": "version", "#by": "by"},
                ExpressionAttributeValues={**values, **was, ":one": {"N": "1"}, ":revision": {"S": revision}},
                ReturnValues="ALL_NEW",
                ConditionExpression=condition,
            )
        except ConditionFailedError as exc:
            if item := own_change(exc.item, revision, over if exc.repeated else None, "revision"):
                return item
            raise SettingsChangedError(version_of(exc.item)) from exc
        except ContentionError as exc:
            look = self.database.look
            return unless_written(exc, lambda: own_change(look(self.table, self.key), revision, over, "revision"))
        written: Item = answer["Attributes"]
        return written


def _setting(attributes: Beside, now: datetime, by: str) -> tuple[str, dict[str, Any]]:
    """The update that sets attributes and counts the version, and its values."""
    sets = {name: value for name, value in attributes.items() if value is not None}
    gone = [name for name, value in attributes.items() if value is None]
    clauses = ["updatedAt = :now", "revision = :revision", "#by = :by", *(f"{name} = :{name}" for name in sets)]
    update = f"SET {', '.join(clauses)}" + (f" REMOVE {', '.join(gone)}" if gone else "") + " ADD #version :one"
    fixed = {":now": {"S": to_utc_text(now)}, ":by": {"S": by}}
    return update, fixed | {f":{name}": value for name, value in sets.items()}


def version_of(item: Item | None) -> int:
    """The version of an item; 0 where there is none."""
    return int(item["version"]["N"]) if item else 0
