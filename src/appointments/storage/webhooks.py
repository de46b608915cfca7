"""Webhooks in the calendars table, under a partition key that no calendar has: an item per webhook.

Beside what is configured, the item has what its secrets are derived from, and the breaker: `breaker` is there while the
receiver fails, and says until when nobody tries it. Whoever changes the breaker does so over the text that was read,
so of several senders one alone goes on.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from appointments.model import SYSTEM
from appointments.storage.dynamodb import ConditionFailedError, ContentionError
from appointments.storage.versioned import SettingsChangedError, Versioned, version_of
from appointments.times import from_utc_text, to_utc_text
from appointments.webhooks import stored_webhook

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from appointments.storage.dynamodb import Database, Item
    from appointments.webhooks import Webhook

# The partition of all webhooks. No calendar's id has a `#`.
WEBHOOKS = "webhooks#"
# Before a webhook's id, as an id alone could be `settings`, under which calendars are listed.
_PREFIX = "webhook#"
# How long the secret before the current one stays valid.
OLD_SECRET_FOR = timedelta(hours=24)


class Breaker(NamedTuple):
    """A receiver that failed: nobody tries it before `until`. The pause grows with each failure."""

    until: datetime
    pause: timedelta
    token: str

    @classmethod
    def of(cls, until: datetime, pause: timedelta) -> Self:
        """A breaker that is told from every other."""
        return cls(until, pause, uuid.uuid4().hex[:12])

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The inverse of `text`."""
        until, seconds, token = text.split()
        return cls(from_utc_text(until), timedelta(seconds=int(seconds)), token)

    @property
    def text(self) -> str:
        """The breaker as it is stored."""
        return f"{to_utc_text(self.until)} {self.pause // timedelta(seconds=1)} {self.token}"


class StoredWebhook(NamedTuple):
    """A webhook as it was sent, with its version, and what the sender knows of its receiver.

    `nonces` are what the valid secrets are derived from, the current one first. `switched_off` is when its receiver
    said that it is gone. `made` is the version under which it was made, also after another of its id was deleted.
    """

    webhook_id: str
    body: dict[str, Any]
    version: int
    updated_at: datetime
    nonce: str
    old_nonce: str | None = None
    old_until: datetime | None = None
    switched_off: datetime | None = None
    breaker: Breaker | None = None
    deleted_at: datetime | None = None
    made: int = 1

    @property
    def webhook(self) -> Webhook:
        """What it means."""
        return stored_webhook(self.body, active=self.switched_off is None and self.deleted_at is None)

    def nonces(self, now: datetime) -> list[str]:
        """What the secrets that are valid at a moment are derived from, the current one first."""
        old = [self.old_nonce] if self.old_nonce and self.old_until and now < self.old_until else []
        return [self.nonce, *old]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WebhookItems:
    """Reads and writes of webhooks."""

    database: Database
    table: str

    def get(self, webhook_id: str) -> StoredWebhook | None:
        """Strongly consistent; None also where it was deleted."""
        item = self.database.get(self.table, _key(webhook_id))
        return _stored_from_item(item) if item and "deletedAt" not in item else None

    def every(self) -> list[StoredWebhook]:
        """All webhooks by id, strongly consistent, without those that were deleted."""
        items = self.database.query(
            TableName=self.table,
            ConsistentRead=True,
            KeyConditionExpression="calendarId = :webhooks",
            FilterExpression="attribute_not_exists(deletedAt)",
            ExpressionAttributeValues={":webhooks": {"S": WEBHOOKS}},
        )
        return [_stored_from_item(item) for item in items]

    def put(  # noqa: PLR0913, PLR0917 - as of a service, and the nonce
        self, webhook_id: str, body: Mapping[str, Any], now: datetime, version: int | None, nonce: str, by: str = SYSTEM
    ) -> StoredWebhook:
        """Replace a webhook, only over `version` where one is given. What its receiver did before is forgotten.

        A new one, also after it was deleted, gets this nonce; others keep theirs. Raises SettingsChangedError,
        ContentionError.
        """
        while True:
            item = self.database.get(self.table, _key(webhook_id))
            over = version_of(item)
            if version not in (None, over):
                raise SettingsChangedError(over)
            also: dict[str, Any] = {"switchedOff": None, "breaker": None}
            if item is None or "deletedAt" in item:
                made = {"N": str(over + 1)} if over else None
                also |= {"nonce": {"S": nonce}, "oldNonce": None, "oldUntil": None, "made": made}
            try:
                return _stored_from_item(self._item(webhook_id).put(body, now, over, by, also))
            except SettingsChangedError:
                if version is not None:
                    raise

    def delete(self, webhook_id: str, now: datetime, version: int | None, by: str = SYSTEM) -> StoredWebhook | None:
        """Delete a webhook, only over `version` where one is given. None if there never was one.

        One that was deleted before is returned as it is. Raises SettingsChangedError, ContentionError.
        """
        item = self._item(webhook_id).delete(now, version, by)
        return _stored_from_item(item) if item else None

    def rotate(self, webhook: StoredWebhook, now: datetime, nonce: str, by: str = SYSTEM) -> StoredWebhook:
        """Give it this nonce; the one before stays valid for a day. Raises SettingsChangedError, ContentionError."""
        beside = {
            "nonce": {"S": nonce},
            "oldNonce": {"S": webhook.nonce},
            "oldUntil": {"S": to_utc_text(now + OLD_SECRET_FOR)},
        }
        return _stored_from_item(self._item(webhook.webhook_id).change(beside, now, webhook.version, by))

    def switch_off(self, webhook: StoredWebhook, now: datetime) -> bool:
        """Nothing more is sent to it, until it is configured again. False if somebody has done so meanwhile."""
        beside = {"switchedOff": {"S": to_utc_text(now)}, "breaker": None}
        try:
            self._item(webhook.webhook_id).change(beside, now, webhook.version)
        except SettingsChangedError:
            return False
        return True

    def turn(self, webhook: StoredWebhook, breaker: Breaker | None) -> StoredWebhook | None:
        """Set the breaker over the one that was read; None closes it. None if another sender was first."""
        values: dict[str, Any] = {":version": {"N": str(webhook.version)}}
        if breaker is not None:
            values[":breaker"] = {"S": breaker.text}
        if webhook.breaker is not None:
            values[":was"] = {"S": webhook.breaker.text}
        unchanged = "breaker = :was" if webhook.breaker else "attribute_not_exists(breaker)"
        try:
            self.database.update(
                TableName=self.table,
                Key=_key(webhook.webhook_id),
                UpdateExpression="SET breaker = :breaker" if breaker else "REMOVE breaker",
                # What was configured anew since has another receiver, or one that was mended.
                ConditionExpression=f"#version = :version AND {unchanged}",
                ExpressionAttributeNames={"#version": "version"},
                ExpressionAttributeValues=values,
            )
        except ConditionFailedError as exc:
            own = {"S": breaker.text} if breaker else None
            if version_of(exc.item) != webhook.version or (exc.item or {}).get("breaker") != own:
                return None  # otherwise it was written by an attempt whose answer got lost
        except ContentionError:
            return None
        return webhook._replace(breaker=breaker)

    def _item(self, webhook_id: str) -> Versioned:
        return Versioned(self.database, self.table, _key(webhook_id))


def _key(webhook_id: str) -> dict[str, Any]:
    return {"calendarId": {"S": WEBHOOKS}, "day": {"S": f"{_PREFIX}{webhook_id}"}}


def _stored_from_item(item: Item) -> StoredWebhook:
    def moment(name: str) -> datetime | None:
        return from_utc_text(item[name]["S"]) if name in item else None

    return StoredWebhook(
        webhook_id=item["day"]["S"].removeprefix(_PREFIX),
        body=json.loads(item["settings"]["S"]),
        version=version_of(item),
        updated_at=from_utc_text(item["updatedAt"]["S"]),
        nonce=item["nonce"]["S"],
        old_nonce=item["oldNonce"]["S"] if "oldNonce" in item else None,
        old_until=moment("oldUntil"),
        switched_off=moment("switchedOff"),
        breaker=Breaker.from_text(item["breaker"]["S"]) if "breaker" in item else None,
        deleted_at=moment("deletedAt"),
        made=int(item["made"]["N"]) if "made" in item else 1,
    )
