"""The logger, and the names of the events that the metric filters in `template.yaml` count.

One JSON line is one outcome. Lines carry ids, as callers gave them, and times, never `details` or tokens.
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from appointments.times import to_utc_text

if TYPE_CHECKING:
    from appointments.firing import Backend
    from appointments.timers import Outcome


class EventType(StrEnum):
    """The `event_type` of a line. A test holds this list, the code and the template's filters together."""

    BOOKING_SUCCESS = "BOOKING_SUCCESS"
    BOOKING_CONFLICT = "BOOKING_CONFLICT"
    BOOKING_REJECTED = "BOOKING_REJECTED"
    BOOKING_ERROR = "BOOKING_ERROR"
    APPOINTMENT_CANCELLED = "APPOINTMENT_CANCELLED"
    APPOINTMENT_RESCHEDULED = "APPOINTMENT_RESCHEDULED"
    APPOINTMENT_HELD = "APPOINTMENT_HELD"
    APPOINTMENT_REQUESTED = "APPOINTMENT_REQUESTED"
    APPOINTMENT_APPROVED = "APPOINTMENT_APPROVED"
    APPOINTMENT_DECLINED = "APPOINTMENT_DECLINED"
    APPOINTMENT_EXPIRED = "APPOINTMENT_EXPIRED"
    APPOINTMENT_CONFIRMED = "APPOINTMENT_CONFIRMED"
    APPOINTMENT_ARRIVED = "APPOINTMENT_ARRIVED"
    APPOINTMENT_COMPLETED = "APPOINTMENT_COMPLETED"
    APPOINTMENT_NO_SHOW = "APPOINTMENT_NO_SHOW"
    CALENDAR_BLOCKED = "CALENDAR_BLOCKED"
    BLOCK_REMOVED = "BLOCK_REMOVED"
    REMINDER_SCHEDULED = "REMINDER_SCHEDULED"
    REMINDER_OVERFLOW = "REMINDER_OVERFLOW"
    REMINDER_SCHEDULE_ERROR = "REMINDER_SCHEDULE_ERROR"
    REMINDER_SENT = "REMINDER_SENT"
    REMINDER_SKIPPED = "REMINDER_SKIPPED"
    REMINDER_MISSED = "REMINDER_MISSED"
    REMINDER_RECOVERED = "REMINDER_RECOVERED"
    REMINDER_ERROR = "REMINDER_ERROR"
    MESSAGE_REFUSED = "MESSAGE_REFUSED"
    ADDRESS_UNDELIVERABLE = "ADDRESS_UNDELIVERABLE"
    REACH_FEEDBACK_ERROR = "REACH_FEEDBACK_ERROR"
    RULE_CLEANED = "RULE_CLEANED"
    EVENT_RELAY_ERROR = "EVENT_RELAY_ERROR"
    WEBHOOK_DELIVERED = "WEBHOOK_DELIVERED"
    WEBHOOK_FAILED = "WEBHOOK_FAILED"
    WEBHOOK_GONE = "WEBHOOK_GONE"
    WEBHOOK_GIVEN_UP = "WEBHOOK_GIVEN_UP"
    WEBHOOK_ERROR = "WEBHOOK_ERROR"
    NOTICE_SENT = "NOTICE_SENT"
    NOTICE_SKIPPED = "NOTICE_SKIPPED"
    NOTICE_RECOVERED = "NOTICE_RECOVERED"
    NOTICE_ERROR = "NOTICE_ERROR"
    SMS_REPLY_SKIPPED = "SMS_REPLY_SKIPPED"
    SMS_REPLY_ERROR = "SMS_REPLY_ERROR"


# Service and level come from POWERTOOLS_SERVICE_NAME and POWERTOOLS_LOG_LEVEL, which the template sets.
# The `exception` text says it all; the same again as a structure would double the line. While two versions share the
# load, `function_version` tells their lines apart.
logger = Logger(
    utc=True, serialize_stacktrace=False, function_version=os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
)


def log_arming(outcome: Outcome, backend: Backend, **more: str) -> None:
    """One line on a timer that was to be made; `backend` is where it belongs while there is room."""
    keys = timer_keys(outcome) | more
    if outcome.error:
        logger.error(
            "Reminder not scheduled",
            event_type=EventType.REMINDER_SCHEDULE_ERROR,
            exc_info=outcome.error,
            extra=keys,
        )
    elif outcome.backend in (backend, "direct"):
        logger.info("Reminder scheduled", event_type=EventType.REMINDER_SCHEDULED, extra=keys)
    else:
        logger.info(
            "Reminder scheduled outside the bus, which is full", event_type=EventType.REMINDER_OVERFLOW, extra=keys
        )


def timer_keys(outcome: Outcome) -> dict[str, str]:
    """What a line about a timer tells beside the appointment."""
    return {
        "reminder": outcome.reminder.offset,
        "rule_name": outcome.timer_name,
        "backend": outcome.backend,
        "due_at": to_utc_text(outcome.reminder.due_at),
    }
