"""The reminder sender: the Lambda function that EventBridge rules invoke."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from appointments.aws import client
from appointments.firing import Firing
from appointments.start import ON_LAMBDA, finish
from appointments.telemetry import EventType, logger
from appointments.wiring import reminders_of
from reminder_sender.channels import channels_from, people_from
from reminder_sender.sender import ReminderSender

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Send the reminder that one rule's event names.

    A failure is logged and raised again: Lambda repeats the event and then hands it to the dead-letter queue.
    """
    logger.set_correlation_id(event.get("correlationId"))
    try:
        firing = Firing.from_event(event)
        logger.append_keys(appointment_id=firing.appointment_id, reminder=firing.offset)
        _sender().send(firing)
    except Exception:
        logger.exception("Reminder failed", event_type=EventType.REMINDER_ERROR)
        raise


@cache
def _sender() -> ReminderSender:
    env = os.environ

    def clock() -> datetime:
        return datetime.now(UTC)

    return ReminderSender(
        reminders=reminders_of(env["APPOINTMENTS_TABLE"]),
        channels=channels_from(env),
        events=cache(lambda: client("events")),
        clock=clock,
        people=people_from(env, clock),
    )


# Made at the start, as in the conflict detector. The client for rules is not of that: reminders that EventBridge
# Scheduler fires leave none.
if ON_LAMBDA:
    _sender()
finish()
