"""The event relay: the Lambda function that the streams of both tables invoke."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from appointments.aws import client
from appointments.start import ON_LAMBDA, finish
from appointments.storage.webhooks import WebhookItems
from appointments.telemetry import logger
from appointments.webhook_queue import DeliveryQueue
from appointments.wiring import contact_index_of, history_of
from event_relay.bus import Bus
from event_relay.failures import Failures
from event_relay.fan_out import FanOut
from event_relay.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from event_relay.relay import Receivers


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Relay a batch of records. What it answers is the record from which Lambda gives the batch again.

    `make redrive` sends batches too, and says that these are late.
    """
    failed = _relay().relay(event["Records"], late=event.get("late", False))
    return {"batchItemFailures": [{"itemIdentifier": failed}] if failed else []}


@cache
def _relay() -> Relay:
    return relay_of(os.environ)


def relay_of(env: Mapping[str, str]) -> Relay:
    """The relay over the resources that the settings name."""
    history, sqs = history_of(env["CALENDARS_TABLE"]), client("sqs")
    bus = Bus(client("events"), env["EVENT_BUS"])
    webhooks = WebhookItems(history.database, env["CALENDARS_TABLE"])
    fan_out = FanOut(webhooks, DeliveryQueue(sqs, env["WEBHOOK_QUEUE_URL"]))
    receivers: list[Receivers] = [bus, fan_out]
    if url := env.get("NOTICE_QUEUE_URL"):  # where people are reached
        from event_relay.notices import NoticeQueue  # noqa: PLC0415

        receivers.append(NoticeQueue(DeliveryQueue(sqs, url), tuple(filter(None, env["NOTICES"].split(",")))))
    contacts = contact_index_of(history.database, env["CALENDARS_TABLE"], env["CONTACT_KEY_ID"])
    return Relay(history, receivers, Failures(sqs, env["RELAY_FAILURES_QUEUE_URL"]), contacts)


if ON_LAMBDA:
    _relay()
finish()
