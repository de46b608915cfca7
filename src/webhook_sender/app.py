"""The webhook sender: the Lambda function behind the queue of deliveries."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from appointments.start import ON_LAMBDA, finish
from appointments.telemetry import logger
from appointments.webhooks import Delivery
from appointments.wiring import webhooks_of
from webhook_sender.guard import Guard
from webhook_sender.sender import Letter, WebhookSender

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Deliver a batch of the queue; the messages that have to stay in it are named as failed."""
    letters: dict[str, Letter] = {}
    unreadable = []
    for record in event["Records"]:
        try:
            letters[record["messageId"]] = letter_of(record)
        except (KeyError, TypeError, ValueError):
            unreadable.append(record)
    sender = _sender()
    receipts = sender.send(list(letters.values()))
    stay = [id_ for id_, letter in letters.items() if letter.receipt in receipts]
    stay += [record["messageId"] for record in unreadable if not sender.refuse(record["messageId"], record["body"])]
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in stay]}


def letter_of(record: dict[str, Any]) -> Letter:
    """A record of the queue. Raises KeyError, TypeError or ValueError for what is no delivery."""
    attributes = record["attributes"]
    return Letter(
        Delivery.from_message(record["body"]),
        record["receiptHandle"],
        datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC),
        int(attributes["ApproximateReceiveCount"]),
    )


@cache
def _sender() -> WebhookSender:
    env = os.environ
    parts = webhooks_of(
        env["CALENDARS_TABLE"],
        env["WEBHOOK_KEY_ID"],
        env["WEBHOOK_QUEUE_URL"],
        env["WEBHOOK_TARGETS"],
        env["WEBHOOK_FAILURES_URL"],
    )
    guard = Guard(parts.targets)
    return WebhookSender(
        parts.items, parts.deliveries, parts.secrets, parts.queue, guard.post, lambda: datetime.now(UTC)
    )


if ON_LAMBDA:
    _sender()
finish()
