"""What a webhook and its deliveries look like over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appointments.times import to_utc_text
from appointments.webhooks import EVERY
from conflict_detector.appointments.cursors import encode_texts
from conflict_detector.responses import json_response

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from appointments.storage.deliveries import DeliveryRecord
    from appointments.storage.webhooks import StoredWebhook
    from conflict_detector.responses import Response


def webhook_body(stored: StoredWebhook, now: datetime) -> dict[str, Any]:
    """A webhook as the API shows it: never with a secret. Of the times, those that are still to come."""
    body: dict[str, Any] = {
        "webhookId": stored.webhook_id,
        "events": [EVERY],
        **stored.body,
        "active": stored.webhook.active,
        "version": stored.version,
        "updatedAt": to_utc_text(stored.updated_at),
    }
    if stored.old_until and now < stored.old_until:
        body["oldSecretUntil"] = to_utc_text(stored.old_until)
    if stored.switched_off:
        body["switchedOffAt"] = to_utc_text(stored.switched_off)
    if stored.breaker and now < stored.breaker.until:
        body["pausedUntil"] = to_utc_text(stored.breaker.until)
    if stored.deleted_at:
        body["deletedAt"] = to_utc_text(stored.deleted_at)
    return body


def list_response(webhooks: Iterable[StoredWebhook], now: datetime) -> Response:
    """200 with all webhooks."""
    return json_response({"webhooks": [webhook_body(stored, now) for stored in webhooks]})


def deliveries_response(records: Iterable[DeliveryRecord], go_on_from: str | None) -> Response:
    """200 with one page of deliveries."""
    more = {"nextCursor": encode_texts(go_on_from)} if go_on_from else {}
    return json_response({"deliveries": [_record_body(record) for record in records], **more})


def queued_response(event_id: str) -> Response:
    """202: the event is in the queue."""
    return json_response({"eventId": event_id}) | {"statusCode": 202}


def _record_body(record: DeliveryRecord) -> dict[str, Any]:
    body = {
        "eventId": record.event_id,
        "type": record.type,
        "time": to_utc_text(record.time),
        "state": record.state,
        "attempts": record.attempts,
        "lastAt": to_utc_text(record.last_at),
    }
    return body | ({"outcome": record.outcome} if record.outcome else {})
