"""Persons who are being forgotten: an item each in the calendars table, as long as something is left to do."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.storage.dynamodb import ConditionFailedError
from appointments.times import from_utc_text, to_utc_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from appointments.storage.dynamodb import Database, Item

# The partition of all of them. No calendar's id has a `#`.
PEOPLE = "people#"


class Forgetting(NamedTuple):
    """A person whose contacts and details go, since when, and who asked for it."""

    user_id: str
    started_at: datetime
    by: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PeopleItems:
    """Reads and writes of these items."""

    database: Database
    table: str

    def start(self, user_id: str, now: datetime, by: str) -> Forgetting:
        """Note that a person is to be forgotten. One that is noted already begins anew."""
        started = Forgetting(user_id, now.replace(microsecond=0), by)
        self.database.update(
            TableName=self.table,
            Key=_key(user_id),
            UpdateExpression="SET startedAt = :now, #by = :by",
            ExpressionAttributeNames={"#by": "by"},
            ExpressionAttributeValues={":now": {"S": to_utc_text(started.started_at)}, ":by": {"S": by}},
        )
        return started

    def get(self, user_id: str) -> Forgetting | None:
        """Strongly consistent."""
        item = self.database.get(self.table, _key(user_id))
        return _from_item(item) if item else None

    def every(self) -> Iterator[Forgetting]:
        """All of them, strongly consistent."""
        items = self.database.query(
            TableName=self.table,
            KeyConditionExpression="calendarId = :people",
            ExpressionAttributeValues={":people": {"S": PEOPLE}},
            ConsistentRead=True,
        )
        return map(_from_item, items)

    def end(self, forgetting: Forgetting) -> None:
        """Note that nothing is left to do, unless somebody asked for it again."""
        with suppress(ConditionFailedError):
            self.database.delete(
                self.table,
                _key(forgetting.user_id),
                ConditionExpression="startedAt = :started",
                ExpressionAttributeValues={":started": {"S": to_utc_text(forgetting.started_at)}},
            )


def _key(user_id: str) -> dict[str, Any]:
    return {"calendarId": {"S": PEOPLE}, "day": {"S": user_id}}


def _from_item(item: Item) -> Forgetting:
    return Forgetting(item["day"]["S"], from_utc_text(item["startedAt"]["S"]), item["by"]["S"])
