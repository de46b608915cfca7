"""Settings of calendars in the calendars table: an item per calendar that was ever configured."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.memory import KnownSettings, unconfigured
from appointments.model import SYSTEM
from appointments.times import from_utc_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from appointments.calendars import CalendarSettings
    from appointments.memory import Memory
    from appointments.storage.dynamodb import Database, Entry, Item

# The sort key of a calendar's settings, among its days.
SETTINGS = "settings"
# The partition of all services. No calendar's id has a `#`.
SERVICES = "services#"
# Sparse: of the items with a `day`, only settings and services have an `updatedAt`. So it holds settings that were
# written before there was an index, too.
CONFIGURED_INDEX = "ConfiguredCalendarsIndex"
# A condition on an item costs as much as writing it, by its size: a booking should not try one on large settings,
# or on a large service, before it has read the days.
SMALL_CHARACTERS = 900


class StoredSettings(NamedTuple):
    """A calendar's settings as they were sent, what they mean, and their version (0: never configured)."""

    body: dict[str, Any]
    settings: CalendarSettings
    version: int
    updated_at: datetime | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SettingsItems:
    """Reads and writes of calendars' settings, and the condition on them."""

    database: Database
    table: str
    memory: Memory

    def get(self, calendar_id: str) -> StoredSettings:
        """Strongly consistent; a calendar that nobody configured has the default, as version 0."""
        item = self.database.get(self.table, settings_key(calendar_id))
        return settings_from_item(item) if item else StoredSettings({}, unconfigured().settings, 0, None)

    def get_many(self, calendar_ids: Iterable[str]) -> dict[str, CalendarSettings]:
        """The settings of several calendars, strongly consistent, in one call. Raises CalendarBusyError."""
        settings = dict.fromkeys(calendar_ids, unconfigured().settings)
        for _, item in self.database.get_many([(self.table, settings_key(id_)) for id_ in settings]):
            settings[item["calendarId"]["S"]] = self.learn(item).settings
        return settings

    def put(
        self, calendar_id: str, body: Mapping[str, Any], now: datetime, version: int | None = None, by: str = SYSTEM
    ) -> StoredSettings:
        """Replace a calendar's settings, only over `version` where one is given, and return the new ones.

        Raises SettingsChangedError, ContentionError.
        """
        from appointments.storage.versioned import Versioned  # noqa: PLC0415 - few requests configure

        item = Versioned(self.database, self.table, settings_key(calendar_id)).put(body, now, version, by)
        self.learn(item)
        return settings_from_item(item)

    def page(self, limit: int, after: Sequence[str] = ()) -> tuple[dict[str, StoredSettings], tuple[str, str] | None]:
        """Settings by calendar, the longest unchanged first, and what to go on after: a time and a calendar.

        Which calendars these are is read from an index, which follows the table within moments; the settings
        themselves are strongly consistent. A calendar that is changed while a list is read comes last, too.
        """
        request: dict[str, Any] = {
            "TableName": self.table,
            "IndexName": CONFIGURED_INDEX,
            "KeyConditionExpression": "#day = :settings",
            # A service may be named like the sort key of settings.
            "FilterExpression": "calendarId <> :services",
            "ExpressionAttributeNames": {"#day": "day"},
            "ExpressionAttributeValues": {":settings": {"S": SETTINGS}, ":services": {"S": SERVICES}},
            # One for the service, and one more tells whether there is a next page.
            "Limit": limit + 2,
        }
        if after:
            updated_at, calendar_id = after
            request["ExclusiveStartKey"] = {"updatedAt": {"S": updated_at}, **settings_key(calendar_id)}
        found = self.database.client.query(**request)["Items"]
        page = {item["calendarId"]["S"]: item["updatedAt"]["S"] for item in found[:limit]}
        stored = dict.fromkeys(page, StoredSettings({}, unconfigured().settings, 0, None))
        for _, item in self.database.get_many([(self.table, settings_key(id_)) for id_ in page]):
            stored[item["calendarId"]["S"]] = settings_from_item(item)
        last = next(((updated_at, id_) for id_, updated_at in reversed(page.items())), None)
        return stored, last if len(found) > limit else None

    def learn(self, item: Item) -> KnownSettings:
        """The settings in an item that was just read or written."""
        text = item["settings"]["S"]
        revision = item["revision"]["S"] if "revision" in item else None
        known = KnownSettings(
            _settings_from_text(text), int(item["version"]["N"]), revision, len(text) <= SMALL_CHARACTERS
        )
        self.memory.learn_settings(item["calendarId"]["S"], known)
        return known

    def checking(self, calendar_id: str, known: KnownSettings) -> Entry:
        """Check that the settings of a calendar are those that were read or remembered."""
        return checking_version(self.table, settings_key(calendar_id), known.version, known.revision)


def checking_version(table: str, key: Item, version: int, revision: str | None) -> Entry:
    """The action of a transaction that checks an item to be the one that was read or remembered."""
    condition: Entry = {
        "ConditionExpression": "attribute_not_exists(#version)",
        "ExpressionAttributeNames": {"#version": "version"},
    }
    if version:
        # Both, because release 0.1.0 increments the version and leaves the revision unchanged.
        condition = {
            "ConditionExpression": "#version = :version AND attribute_not_exists(#revision)",
            "ExpressionAttributeNames": {"#version": "version", "#revision": "revision"},
            "ExpressionAttributeValues": {":version": {"N": str(version)}},
        }
        if revision:
            condition["ConditionExpression"] = "#version = :version AND #revision = :revision"
            condition["ExpressionAttributeValues"][":revision"] = {"S": revision}
    return {
        "ConditionCheck": {
            "TableName": table,
            "Key": key,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            **condition,
        }
    }


def settings_key(calendar_id: str) -> dict[str, Any]:
    """The key of a calendar's settings."""
    return {"calendarId": {"S": calendar_id}, "day": {"S": SETTINGS}}


def service_key(service_id: str) -> dict[str, Any]:
    """The key of a service."""
    return {"calendarId": {"S": SERVICES}, "day": {"S": service_id}}


def settings_from_item(item: Item) -> StoredSettings:
    """Read a calendar's settings item; its body was checked before it was written."""
    text = item["settings"]["S"]
    return StoredSettings(
        json.loads(text), _settings_from_text(text), int(item["version"]["N"]), from_utc_text(item["updatedAt"]["S"])
    )


# A thousand overrides take longer to read than a booking does; a function that lives on reads them once.
@lru_cache(maxsize=64)
def _settings_from_text(text: str) -> CalendarSettings:
    from appointments.calendar_settings import parse_settings  # noqa: PLC0415 - no sender of reminders needs it

    return parse_settings(json.loads(text))
