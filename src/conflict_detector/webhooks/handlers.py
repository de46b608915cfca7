"""Webhooks: who is told of events. All of it is for those who may manage."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from appointments.errors import (
    DeliveryNotFoundError,
    Fault,
    InvalidRequestError,
    WebhookInactiveError,
    WebhookNotFoundError,
)
from appointments.storage.deliveries import State
from appointments.telemetry import logger
from appointments.times import to_utc_text
from appointments.webhooks import MAX_WEBHOOKS, TEST_TYPE, Delivery, check_webhook_id, parse_webhook
from conflict_detector.responses import json_response
from conflict_detector.versions import over_allowed_version
from conflict_detector.webhooks.answers import deliveries_response, list_response, queued_response, webhook_body
from conflict_detector.webhooks.parsing import READ_ONLY, is_event_id, parse_deliveries

if TYPE_CHECKING:
    from appointments.storage.webhooks import StoredWebhook
    from appointments.webhook_parts import WebhookParts
    from conflict_detector.request import Call
    from conflict_detector.responses import Response


def find(call: Call) -> Response:
    """`GET /webhooks`: 200 with all of them; there are never many."""
    call.request.refuse_parameters()
    call.caller.manage()
    return list_response(call.webhooks().items.every(), call.now)


def get(call: Call, webhook_id: str) -> Response:
    """`GET /webhooks/{id}`: 200."""
    call.caller.manage()
    _, stored = _found(call, webhook_id)
    return json_response(webhook_body(stored, call.now), stored.version)


def put(call: Call, webhook_id: str) -> Response:
    """`PUT /webhooks/{id}`: 200; with its secret where there was none before, and never again."""
    call.caller.manage()
    parts = _parts(call, webhook_id)
    body = {name: value for name, value in call.request.json().items() if name not in READ_ONLY}
    parse_webhook(body, parts.targets)
    items, by = parts.items, call.caller.by
    _leave_room(items.every(), webhook_id)
    nonce = uuid.uuid4().hex
    # Derived first: a secret that could not be told would have to be replaced.
    secret = parts.secrets.of(webhook_id, nonce)
    stored = over_allowed_version(call.request, lambda over: items.put(webhook_id, body, call.now, over, nonce, by))
    logger.info("Webhook configured", webhook_id=webhook_id, version=stored.version)
    told = {"secret": secret} if stored.nonce == nonce else {}
    return json_response(webhook_body(stored, call.now) | told, stored.version)


def remove(call: Call, webhook_id: str) -> Response:
    """`DELETE /webhooks/{id}`: 200, again and again. What is still on its way to it is dropped."""
    call.caller.manage()
    items, by = _parts(call, webhook_id).items, call.caller.by
    stored = over_allowed_version(call.request, lambda over: items.delete(webhook_id, call.now, over, by))
    if stored is None:
        raise WebhookNotFoundError
    logger.info("Webhook deleted", webhook_id=webhook_id, version=stored.version)
    return json_response(webhook_body(stored, call.now), stored.version)


def replace_secret(call: Call, webhook_id: str) -> Response:
    """`POST /webhooks/{id}/secret`: 200 with the new secret. The old one stays valid for a day."""
    call.caller.manage()
    parts = _parts(call, webhook_id)
    nonce = uuid.uuid4().hex
    secret = parts.secrets.of(webhook_id, nonce)

    def write(over: int | None) -> StoredWebhook:
        stored = _stored(parts, webhook_id)
        wanted = stored if over is None else stored._replace(version=over)
        return parts.items.rotate(wanted, call.now, nonce, call.caller.by)

    stored = over_allowed_version(call.request, write)
    logger.info("Secret of a webhook replaced", webhook_id=webhook_id, version=stored.version)
    return json_response(webhook_body(stored, call.now) | {"secret": secret}, stored.version)


def send_test(call: Call, webhook_id: str) -> Response:
    """`POST /webhooks/{id}/test`: 202. An event of its own type goes to this webhook alone."""
    call.caller.manage()
    parts, stored = _found(call, webhook_id)
    if not stored.webhook.active:
        raise WebhookInactiveError
    event_id = f"test-{uuid.uuid4()}"
    detail = {"eventId": event_id, "type": TEST_TYPE, "time": to_utc_text(call.now), "webhookId": webhook_id}
    parts.queue.send(Delivery(webhook_id, event_id, TEST_TYPE, call.now, detail, stored.made))
    return queued_response(event_id)


def find_deliveries(call: Call, webhook_id: str) -> Response:
    """`GET /webhooks/{id}/deliveries`: 200, the newest event first."""
    check_webhook_id(webhook_id)
    call.caller.manage()
    limit, after = parse_deliveries(call.request.query)
    parts = call.webhooks()
    made = _stored(parts, webhook_id).made
    return deliveries_response(*parts.deliveries.page(webhook_id, call.now, limit, after, made))


def send_again(call: Call, webhook_id: str, event_id: str) -> Response:
    """`POST /webhooks/{id}/deliveries/{eventId}`: 202. The event is sent once more, with the same id."""
    call.caller.manage()
    parts, stored = _found(call, webhook_id)
    kept = parts.deliveries.kept
    delivery = kept(webhook_id, event_id, call.now, stored.made) if is_event_id(event_id) else None
    if delivery is None:
        raise DeliveryNotFoundError
    if not stored.webhook.active:
        raise WebhookInactiveError
    # Written first: the sender may be done before this function is.
    parts.deliveries.record(delivery, State.QUEUED, call.now, tried=False)
    parts.queue.send(delivery)
    return queued_response(event_id)


def _parts(call: Call, webhook_id: str) -> WebhookParts:
    """What webhooks are made of, for a request about one. Raises InvalidRequestError."""
    call.request.refuse_parameters()
    check_webhook_id(webhook_id)
    return call.webhooks()


def _found(call: Call, webhook_id: str) -> tuple[WebhookParts, StoredWebhook]:
    parts = _parts(call, webhook_id)
    return parts, _stored(parts, webhook_id)


def _stored(parts: WebhookParts, webhook_id: str) -> StoredWebhook:
    stored = parts.items.get(webhook_id)
    if stored is None:
        raise WebhookNotFoundError
    return stored


def _leave_room(there: list[StoredWebhook], webhook_id: str) -> None:
    """Raises InvalidRequestError where it would be one too many: every event is looked up for each of them."""
    if len(there) >= MAX_WEBHOOKS and webhook_id not in {stored.webhook_id for stored in there}:
        raise InvalidRequestError(
            [Fault("webhookId", f"would be one too many: there may be {MAX_WEBHOOKS} webhooks; delete one first")]
        )
