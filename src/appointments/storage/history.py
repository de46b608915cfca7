"""The history of appointments in the calendars table: an entry per version, under partition keys of their own."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.json_text import to_json
from appointments.storage.dynamodb import ConditionFailedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from appointments.storage.dynamodb import Database, Item

# Begins the partition key of an appointment's entries. No calendar's id has a `#`.
HISTORY = "history#"
# Begins every type of an entry.
TYPES = "appointment."
# Entries are kept until the next multiple of this, so that few moves of an appointment prolong those before.
ROUNDED_TO = int(timedelta(days=30).total_seconds())
# As many as fit into an answer, most entries being some 300 bytes.
PAGE_BYTES = 900_000


class Entry(NamedTuple):
    """A version of an appointment: who made it and when, the type of its event, and what changed."""

    appointment_id: str
    version: int
    at: datetime
    by: str
    type: str
    changes: dict[str, Any]


class Kept(NamedTuple):
    """An entry, and until when it is kept, in epoch seconds. Of a version that is kept longer, `was` is until when."""

    entry: Entry
    until: int
    was: int | None = None

    @property
    def prolongs(self) -> bool:
        """Whether the entries of earlier versions are to be kept longer."""
        return self.was is not None and rounded(self.was) < rounded(self.until)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class History:
    """Reads and writes of entries. A write of an entry that is there already leaves it as it is."""

    database: Database
    table: str

    def write(self, entries: Sequence[Kept], *, late: bool = False) -> set[tuple[str, int]]:
        """Write entries, and return the appointments and versions of those that DynamoDB did not take in time.

        Of those that come `late`, later versions may be on record already. Since a restore, so may the same version of
        what happened after it, which stays.
        """
        items = {(kept.entry.appointment_id, kept.entry.version): _to_item(kept) for kept in entries}
        keys = {(item["calendarId"]["S"], item["day"]["S"]): which for which, item in items.items()}
        left: list[Item] = []
        if late:
            for item in items.values():
                self._put_unless_newer(item)
        else:
            left = self.database.put_many(self.table, list(items.values()))
        for kept in entries:
            if kept.prolongs:
                self._prolong(kept)
            if late:
                self._catch_up(kept)
        return {keys[item["calendarId"]["S"], item["day"]["S"]] for item in left}

    def page(self, appointment_id: str, after: int = 0) -> tuple[list[Entry], int | None]:
        """Entries by version, strongly consistent, and the version to go on after where an answer holds no more."""
        found: list[Entry] = []
        size = 0
        for item in self._items(appointment_id, after):
            size += len(item["changes"]["S"].encode()) + len(item["by"]["S"].encode()) + 100
            if size > PAGE_BYTES and found:
                return found, found[-1].version
            found.append(_from_item(appointment_id, item))
        return found, None

    def _items(self, appointment_id: str, after: int = 0) -> Iterator[Item]:
        return self.database.query(
            TableName=self.table,
            ConsistentRead=True,
            KeyConditionExpression="calendarId = :history AND #day > :after",
            ExpressionAttributeNames={"#day": "day"},
            ExpressionAttributeValues={
                ":history": {"S": HISTORY + appointment_id},
                ":after": {"S": _sort_key(after)},
            },
        )

    def _prolong(self, kept: Kept) -> None:
        """Keep the entries before this one as long as it: an appointment that is moved keeps its whole history."""
        until = rounded(kept.until)
        for item in self._items(kept.entry.appointment_id):
            if int(item["day"]["S"]) < kept.entry.version and int(item["expiresAt"]["N"]) < until:
                self._keep(item, until)

    def _catch_up(self, kept: Kept) -> None:
        """Keep an entry as long as those of later versions, which could not prolong it before it was there."""
        id_, version = kept.entry.appointment_id, kept.entry.version
        until = max((int(item["expiresAt"]["N"]) for item in self._items(id_, version)), default=0)
        if until > rounded(kept.until):
            self._keep(_key(id_, version), until)

    def _put_unless_newer(self, item: Item) -> None:
        values = {name: value for name, value in item.items() if name not in ("calendarId", "day")}
        with suppress(ConditionFailedError):
            self.database.update(
                TableName=self.table,
                Key={name: item[name] for name in ("calendarId", "day")},
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
                ConditionExpression="attribute_not_exists(#at) OR #at <= :at",
                ExpressionAttributeNames={f"#{name}": name for name in values},
                ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
            )

    def _keep(self, key: Item, until: int) -> None:
        with suppress(ConditionFailedError):  # another relay did, or it is gone
            self.database.update(
                TableName=self.table,
                Key={name: key[name] for name in ("calendarId", "day")},
                UpdateExpression="SET expiresAt = :until",
                ConditionExpression="expiresAt < :until",
                ExpressionAttributeValues={":until": {"N": str(until)}},
            )


def rounded(until: int) -> int:
    """Until when an entry is kept whose appointment is kept until this moment."""
    return -(-until // ROUNDED_TO) * ROUNDED_TO


def _sort_key(version: int) -> str:
    return f"{version:06}"


def _key(appointment_id: str, version: int) -> dict[str, Any]:
    return {"calendarId": {"S": HISTORY + appointment_id}, "day": {"S": _sort_key(version)}}


def _to_item(kept: Kept) -> dict[str, Any]:
    entry = kept.entry
    return {
        **_key(entry.appointment_id, entry.version),
        "at": {"N": str(int(entry.at.timestamp()))},
        "by": {"S": entry.by},
        "type": {"S": entry.type.removeprefix(TYPES)},
        "changes": {"S": to_json(_packed(entry.changes))},
        "expiresAt": {"N": str(rounded(kept.until))},
    }


def _from_item(appointment_id: str, item: Item) -> Entry:
    """The inverse of `_to_item`, without until when it is kept."""
    return Entry(
        appointment_id,
        int(item["day"]["S"]),
        datetime.fromtimestamp(int(item["at"]["N"]), UTC),
        item["by"]["S"],
        TYPES + item["type"]["S"],
        _unpacked(json.loads(item["changes"]["S"])),
    )


def _packed(changes: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Changes in fewer bytes, as they are kept for long: what a field was and is, or is alone if it was nothing."""
    packed = {}
    for name, change in changes.items():
        both = [change["from"], change["to"]] if change else []
        packed[name] = both[1:] if both and both[0] is None else both
    return packed


def _unpacked(packed: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """The inverse of `_packed`."""
    return {name: {"from": (None, *both)[-2], "to": both[-1]} if both else {} for name, both in packed.items()}
