"""The log line of a request that was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appointments.errors import (
    BadRequestError,
    CalendarBusyError,
    ConflictError,
    ForbiddenError,
    IdempotencyKeyReusedError,
    InvalidRequestError,
    PayloadTooLargeError,
    RefusalError,
)
from appointments.telemetry import EventType, logger

if TYPE_CHECKING:
    from conflict_detector.request import Request


def log_refusal(error: RefusalError, request: Request) -> None:
    """Log a refused booking or change (`POST`, `PATCH`). Other refusals and those of dry runs are not counted.

    A request that was not decided in time is counted whatever its method: it failed, as it would have by a bug.
    """
    if isinstance(error, ForbiddenError):
        # Without an event_type: requests of strangers say nothing about the health of the product.
        logger.warning("Access refused", method=request.method, caller=request.claims.get("sub"))
        return
    if isinstance(error, CalendarBusyError):
        logger.warning("Request undecided in time", event_type=EventType.BOOKING_ERROR, method=request.method)
        return
    if request.method not in ("POST", "PATCH") or request.query.get("dryRun") == ["true"]:
        return
    if request.path[0] in ("calendars", "webhooks", "booking-links"):  # these book nothing
        return
    if request.path[0] == "book" and not isinstance(error, ConflictError):
        logger.info("Visitor refused")  # without an event_type: whatever strangers send is no fault of a client of ours
        return
    match error:
        case ConflictError():
            calendar_ids = sorted({conflict.calendar_id for conflict in error.conflicts})
            logger.info("Booking refused", event_type=EventType.BOOKING_CONFLICT, conflicting_calendar_ids=calendar_ids)
        case InvalidRequestError():
            logger.info("Booking rejected", event_type=EventType.BOOKING_REJECTED, faults=len(error.faults))
        case BadRequestError() | PayloadTooLargeError() | IdempotencyKeyReusedError():
            logger.info("Booking rejected", event_type=EventType.BOOKING_REJECTED, faults=1)
