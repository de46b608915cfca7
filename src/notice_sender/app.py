"""The notice sender: the Lambda function behind the queue of changes."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from appointments.notices import Change
from appointments.start import ON_LAMBDA, finish
from appointments.storage.appointments import Appointments
from appointments.storage.contacts import ContactItems
from appointments.storage.notices import Notices
from appointments.telemetry import EventType, logger
from notice_sender.messenger import NoticeMessenger
from notice_sender.sender import NoticeSender
from reaching.parts import links_from, messenger_from, recipients_from
from texts.invitation import Party

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

# What one change may take at the most that is still begun. Should it take longer, Lambda ends it, and its message
# comes back.
ENOUGH_MILLISECONDS = 12_000


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Tell of a batch of changes; the messages that have to come again are named as failed."""
    stay = [
        record["messageId"]
        for record in event["Records"]
        if context.get_remaining_time_in_millis() < ENOUGH_MILLISECONDS or not _is_done(record)
    ]
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in stay]}


def _is_done(record: dict[str, Any]) -> bool:
    try:
        change = Change.from_message(record["body"])
        return _sender().tell(change)
    except Exception:  # noqa: BLE001 - the others are told, and this one comes again, until it is a dead letter
        logger.exception("Notices failed", event_type=EventType.NOTICE_ERROR, message_id=record["messageId"])
        return False


@cache
def _sender() -> NoticeSender:
    return sender_of(os.environ)


def sender_of(env: Mapping[str, str]) -> NoticeSender:
    """The sender over the resources that the settings name."""

    def clock() -> datetime:
        return datetime.now(UTC)

    messenger, recipients = messenger_from(env), recipients_from(env, clock)
    database = recipients.database
    organizer = Party(env["EMAIL_FROM"], env["EMAIL_NAME"] or None)
    return NoticeSender(
        Appointments(database, env["APPOINTMENTS_TABLE"], timedelta()),
        ContactItems(database, env["CALENDARS_TABLE"]),
        Notices(database, env["CALENDARS_TABLE"]),
        NoticeMessenger(messenger, recipients, organizer, links_from(env)),
        messenger.channels,
        clock,
    )


if ON_LAMBDA:
    _sender()
finish()
