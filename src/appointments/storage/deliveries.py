"""What became of deliveries, in the calendars table: for each of a webhook an item to list, and one with its event.

The first is written at every try, so it is small. The second is there to send the event again, and is found by its id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.storage.dynamodb import ConditionFailedError
from appointments.times import from_utc_text, to_utc_text
from appointments.webhooks import Delivery

if TYPE_CHECKING:
    from datetime import datetime

    from appointments.storage.dynamodb import Database, Item

# How long a record outlives the last try.
KEPT_FOR = timedelta(days=7)
# Before a webhook's id, in the partition of its deliveries. One that is made anew under the id has another partition.
_PREFIX = "deliveries#"
# Before an event's id, in the sort key of the event. It sorts after every time.
_EVENT = "event#"


class State(StrEnum):
    """What became of a delivery. `queued`: somebody asked for it to be sent again. `dropped`: the webhook is off."""

    QUEUED = "queued"
    DELIVERED = "delivered"
    RETRYING = "retrying"
    FAILED = "failed"
    DROPPED = "dropped"


class DeliveryRecord(NamedTuple):
    """One delivery: how often it was tried, when last, and how that ended. `outcome` is a status or a reason."""

    event_id: str
    type: str
    time: datetime
    state: State
    attempts: int
    last_at: datetime
    outcome: str | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Deliveries:
    """Reads and writes of the records of deliveries."""

    database: Database
    table: str

    def record(
        self, delivery: Delivery, state: State, now: datetime, outcome: str | None = None, *, tried: bool = True
    ) -> int | None:
        """Write what became of a delivery, and answer how often it was tried.

        None where it was delivered before and this says otherwise: that try was of a repetition, and is not written.
        """
        values: dict[str, Any] = {
            ":state": {"S": state},
            ":type": {"S": delivery.type},
            ":now": {"S": to_utc_text(now)},
            ":expires": {"N": str(int((now + KEPT_FOR).timestamp()))},
            ":tried": {"N": str(int(tried))},
        }
        clauses = ["#state = :state", "eventType = :type", "lastAt = :now", "expiresAt = :expires"]
        if outcome is not None:
            clauses.append("outcome = :outcome")
            values[":outcome"] = {"S": outcome}
        request: dict[str, Any] = {}
        if state not in (State.DELIVERED, State.QUEUED):
            request["ConditionExpression"] = "attribute_not_exists(#state) OR #state <> :delivered"
            values[":delivered"] = {"S": State.DELIVERED}
        try:
            answer = self.database.update(
                TableName=self.table,
                Key=_record_key(delivery),
                UpdateExpression=f"SET {', '.join(clauses)} ADD attempts :tried",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
                **request,
            )
        except ConditionFailedError:
            return None
        return int(answer["Attributes"]["attempts"]["N"])

    def keep(self, delivery: Delivery, now: datetime) -> None:
        """Keep the event of a delivery, so that it can be sent again."""
        self.database.update(
            TableName=self.table,
            Key=_event_key(delivery.webhook_id, delivery.made, delivery.event_id),
            UpdateExpression="SET message = :message, expiresAt = :expires",
            ExpressionAttributeValues={
                ":message": {"S": delivery.message},
                ":expires": {"N": str(int((now + KEPT_FOR).timestamp()))},
            },
        )

    def kept(self, webhook_id: str, event_id: str, now: datetime, made: int = 1) -> Delivery | None:
        """A delivery that was kept, strongly consistent."""
        item = self.database.get(self.table, _event_key(webhook_id, made, event_id))
        # DynamoDB deletes what has expired within days.
        if item is None or int(item["expiresAt"]["N"]) <= now.timestamp():
            return None
        return Delivery.from_message(item["message"]["S"])

    def page(
        self, webhook_id: str, now: datetime, limit: int, after: str | None = None, made: int = 1
    ) -> tuple[list[DeliveryRecord], str | None]:
        """Records of a webhook, the newest event first, strongly consistent, and the key to go on from."""
        request: dict[str, Any] = {
            "TableName": self.table,
            "ConsistentRead": True,
            "ScanIndexForward": False,
            "KeyConditionExpression": "calendarId = :webhook AND #day < :before",
            "FilterExpression": "expiresAt > :now",
            "ExpressionAttributeNames": {"#day": "day"},
            "ExpressionAttributeValues": {
                ":webhook": {"S": _partition(webhook_id, made)},
                ":before": {"S": after or _EVENT},
                ":now": {"N": str(int(now.timestamp()))},
            },
            "Limit": limit + 1,
        }
        found = list(islice(self.database.query(**request), limit + 1))
        go_on_after = found[limit - 1]["day"]["S"] if len(found) > limit else None
        return [_from_item(item) for item in found[:limit]], go_on_after


def _record_key(delivery: Delivery) -> dict[str, Any]:
    day = f"{to_utc_text(delivery.time)}#{delivery.event_id}"
    return {"calendarId": {"S": _partition(delivery.webhook_id, delivery.made)}, "day": {"S": day}}


def _event_key(webhook_id: str, made: int, event_id: str) -> dict[str, Any]:
    return {"calendarId": {"S": _partition(webhook_id, made)}, "day": {"S": f"{_EVENT}{event_id}"}}


def _partition(webhook_id: str, made: int) -> str:
    return f"{_PREFIX}{webhook_id}#{made}"


def _from_item(item: Item) -> DeliveryRecord:
    time, _, event_id = item["day"]["S"].partition("#")
    return DeliveryRecord(
        event_id=event_id,
        type=item["eventType"]["S"],
        time=from_utc_text(time),
        state=State(item["state"]["S"]),
        attempts=int(item["attempts"]["N"]),
        last_at=from_utc_text(item["lastAt"]["S"]),
        outcome=item["outcome"]["S"] if "outcome" in item else None,
    )
