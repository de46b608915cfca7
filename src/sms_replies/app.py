"""The function of answers by SMS: the Lambda function behind the topic of a number that people can answer to."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from appointments.start import finish
from appointments.storage.contact_index import Finder
from appointments.storage.dynamodb import busy_where_crowded
from appointments.telemetry import EventType, logger
from appointments.wiring import contact_index_of, storage_of, undeliverable_of
from sms_replies.replies import Replies

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Do what people answered. Lambda repeats a failure twice, and then leaves the answer in the queue of failures."""
    try:
        with busy_where_crowded():
            _replies().take(event)
    except Exception:
        logger.exception("Answer failed", event_type=EventType.SMS_REPLY_ERROR)
        raise


@cache
def _replies() -> Replies:
    env = os.environ
    storage = storage_of(env["APPOINTMENTS_TABLE"], env["CALENDARS_TABLE"], timedelta(days=int(env["RETENTION_DAYS"])))
    index = contact_index_of(storage.database, env["CALENDARS_TABLE"], env["CONTACT_KEY_ID"])
    marks = undeliverable_of(storage.database, env["CALENDARS_TABLE"], env["CONTACT_KEY_ID"])
    return Replies(Finder(index, storage.appointments), marks, storage, lambda: datetime.now(UTC))


finish()
