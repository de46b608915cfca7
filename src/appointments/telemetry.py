"""The logger, and the names of the events that the metric filters in `template.yaml` count.

One JSON line is one outcome. Lines carry ids and times, never `details`, contacts or tokens.
"""

from __future__ import annotations

from enum import StrEnum

from aws_lambda_powertools import Logger


class EventType(StrEnum):
    """The `event_type` of a line. A test holds this list, the code and the template's filters together."""

    BOOKING_SUCCESS = "BOOKING_SUCCESS"
    BOOKING_CONFLICT = "BOOKING_CONFLICT"
    BOOKING_REJECTED = "BOOKING_REJECTED"
    BOOKING_ERROR = "BOOKING_ERROR"
    APPOINTMENT_CANCELLED = "APPOINTMENT_CANCELLED"
    APPOINTMENT_RESCHEDULED = "APPOINTMENT_RESCHEDULED"
    REMINDER_SCHEDULED = "REMINDER_SCHEDULED"
    REMINDER_OVERFLOW = "REMINDER_OVERFLOW"
    REMINDER_SCHEDULE_ERROR = "REMINDER_SCHEDULE_ERROR"
    REMINDER_SENT = "REMINDER_SENT"
    REMINDER_SKIPPED = "REMINDER_SKIPPED"
    REMINDER_MISSED = "REMINDER_MISSED"
    REMINDER_RECOVERED = "REMINDER_RECOVERED"
    REMINDER_ERROR = "REMINDER_ERROR"
    RULE_CLEANED = "RULE_CLEANED"


# Service and level come from POWERTOOLS_SERVICE_NAME and POWERTOOLS_LOG_LEVEL, which the template sets.
# The `exception` text says it all; the same again as a structure would double the line.
logger = Logger(utc=True, serialize_stacktrace=False)
