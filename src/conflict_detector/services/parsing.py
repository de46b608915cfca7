"""Requests about services."""

from __future__ import annotations

from appointments.errors import Fault, InvalidRequestError
from appointments.reader import CALENDAR_ID_RULE, is_calendar_id

# What an answer has beside the fields of a service. It may be sent back, and is ignored.
READ_ONLY = ("serviceId", "version", "updatedAt")


def check_service_id(text: str) -> None:
    """Raises InvalidRequestError where a text in a path cannot be the id of a service."""
    if not is_calendar_id(text):
        raise InvalidRequestError([Fault("serviceId", CALENDAR_ID_RULE)])
