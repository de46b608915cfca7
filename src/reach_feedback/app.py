"""The feedback function: the Lambda function behind the topic to which SES tells what became of email."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from appointments.aws import client
from appointments.contacts import ChannelName
from appointments.start import finish
from appointments.storage.dynamodb import Database
from appointments.telemetry import EventType, logger
from appointments.wiring import undeliverable_of
from reach_feedback.feedback import unreachable

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from appointments.storage.undeliverable import Undeliverable


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Mark the addresses that email bounced from for good, and those of who complained about it.

    Lambda repeats a failure twice. A mark that is lost then is made by the next email to the address.
    """
    try:
        for record in event["Records"]:
            for found in unreachable(json.loads(record["Sns"]["Message"])):
                _undeliverable().mark(ChannelName.EMAIL, found.address, found.reason, datetime.now(UTC))
                logger.warning(
                    "Address undeliverable",
                    event_type=EventType.ADDRESS_UNDELIVERABLE,
                    channel=ChannelName.EMAIL,
                    reason=found.reason,
                    message_id=found.message_id,
                )
    except Exception:
        logger.exception("Feedback failed", event_type=EventType.REACH_FEEDBACK_ERROR)
        raise


@cache
def _undeliverable() -> Undeliverable:
    env = os.environ
    return undeliverable_of(Database(client("dynamodb")), env["CALENDARS_TABLE"], env["CONTACT_KEY_ID"])


finish()
