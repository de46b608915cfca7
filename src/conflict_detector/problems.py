"""Refusals and bugs as problems (RFC 9457). `PROBLEMS` is the one table from error to HTTP status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.bodies import interval_body
from appointments.errors import (
    AppointmentCancelledError,
    AppointmentEndedError,
    AppointmentNotFoundError,
    ApprovalNeededError,
    BadRequestError,
    BlockNotFoundError,
    BookingClosedError,
    BookingLinkExpiredError,
    BookingLinkUnknownError,
    CalendarBusyError,
    ConflictError,
    ContactNotFoundError,
    DeliveryNotFoundError,
    Fault,
    ForbiddenError,
    IdempotencyKeyReusedError,
    InvalidRequestError,
    InvalidTransitionError,
    MethodNotAllowedError,
    PayloadTooLargeError,
    PreconditionFailedError,
    RefusalError,
    RouteNotFoundError,
    ServiceNotFoundError,
    SessionClosedError,
    SessionFullError,
    SessionJoinedError,
    TimeTakenError,
    TooLateError,
    TooManyAppointmentsError,
    TooManyHoldsError,
    VisitNotFoundError,
    WebhookInactiveError,
    WebhookNotFoundError,
)
from appointments.json_text import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from appointments.model import Conflict
    from conflict_detector.request import Request
    from conflict_detector.responses import Response

# What one answer shows at most; the number of further ones stands beside it.
MAX_FAULTS = 50
MAX_CONFLICTS = 100
RETRY_AFTER_SECONDS = 1
IN_DOUBT = (
    "It is unknown whether this was written. Read it before you send the request again. "
    "A booking with an `Idempotency-Key` can be sent again as it is, after `Retry-After` seconds."
)
TOO_MANY_HOLDS = (
    "So many times were asked for from this address. Wait for `Retry-After` seconds, until the hour is over."
)


class Problem(NamedTuple):
    """How an error answers: its HTTP status, the last part of its type URI, and its title."""

    status: int
    slug: str
    title: str


PROBLEMS: Mapping[type[RefusalError], Problem] = {
    BadRequestError: Problem(400, "bad-request", "Bad request"),
    ForbiddenError: Problem(403, "forbidden", "Forbidden"),
    BookingClosedError: Problem(403, "booking-closed", "Booking link needed"),
    BookingLinkUnknownError: Problem(403, "booking-link-unknown", "Booking link unknown"),
    AppointmentNotFoundError: Problem(404, "appointment-not-found", "Appointment not found"),
    BlockNotFoundError: Problem(404, "block-not-found", "Block not found"),
    ContactNotFoundError: Problem(404, "contact-not-found", "Contact not found"),
    ServiceNotFoundError: Problem(404, "service-not-found", "Service not found"),
    WebhookNotFoundError: Problem(404, "webhook-not-found", "Webhook not found"),
    DeliveryNotFoundError: Problem(404, "delivery-not-found", "Delivery not found"),
    VisitNotFoundError: Problem(404, "visit-not-found", "Nothing booked under this token"),
    RouteNotFoundError: Problem(404, "route-not-found", "Route not found"),
    MethodNotAllowedError: Problem(405, "method-not-allowed", "Method not allowed"),
    ConflictError: Problem(409, "conflict", "Conflict with other appointments"),
    SessionFullError: Problem(409, "session-full", "Session full"),
    SessionClosedError: Problem(409, "session-closed", "Session closed"),
    SessionJoinedError: Problem(409, "session-joined", "Session joined by others"),
    AppointmentCancelledError: Problem(409, "appointment-cancelled", "Appointment cancelled"),
    AppointmentEndedError: Problem(409, "appointment-ended", "Appointment ended"),
    InvalidTransitionError: Problem(409, "invalid-transition", "Invalid transition"),
    TooLateError: Problem(409, "too-late", "Too late"),
    TimeTakenError: Problem(409, "time-taken", "Time taken"),
    ApprovalNeededError: Problem(409, "approval-needed", "Approval needed"),
    WebhookInactiveError: Problem(409, "webhook-inactive", "Webhook inactive"),
    BookingLinkExpiredError: Problem(410, "booking-link-expired", "Booking link ended"),
    PreconditionFailedError: Problem(412, "precondition-failed", "Version mismatch"),
    PayloadTooLargeError: Problem(413, "payload-too-large", "Payload too large"),
    InvalidRequestError: Problem(422, "invalid-request", "Invalid request"),
    TooManyAppointmentsError: Problem(422, "invalid-request", "Invalid request"),
    IdempotencyKeyReusedError: Problem(422, "idempotency-key-reused", "Idempotency key reused"),
    TooManyHoldsError: Problem(429, "too-many-requests", "Too many requests"),
    CalendarBusyError: Problem(503, "calendar-busy", "Calendar busy"),
}
INTERNAL_ERROR = Problem(500, "internal-error", "Internal error")
# The detail of errors that carry none of their own.
DETAILS: Mapping[type[RefusalError], str] = {
    ForbiddenError: "You may act for your own userId, on your own calendar and on resources.",
    AppointmentNotFoundError: "There is no appointment with this id.",
    BlockNotFoundError: "The calendar has no block with this id.",
    ContactNotFoundError: "No contact is kept for this calendar.",
    ServiceNotFoundError: "There is no service with this id.",
    WebhookNotFoundError: "There is no webhook with this id.",
    DeliveryNotFoundError: "No delivery of this event to this webhook is known. They are kept for 7 days.",
    RouteNotFoundError: "The API has no such path.",
    BookingClosedError: "Send the `key` of a booking link. Who books here has not signed in.",
    BookingLinkUnknownError: "The `key` is not that of a booking link for this service. Copy the link as a whole.",
    VisitNotFoundError: "No visitor has booked or held anything under this token.",
    TimeTakenError: "The time cannot be had any more. Choose another one, such as one of `alternatives`.",
    ApprovalNeededError: "Bookings of this have to be approved, so no time is held. Send the contact at once.",
    AppointmentCancelledError: "Only the details of a cancelled appointment can be changed. Book a new appointment.",
    WebhookInactiveError: "Nothing is sent to it. Put it with `active` true first.",
    InvalidRequestError: "Correct the fields in `errors` and send the request again.",
    TooManyAppointmentsError: "Correct the fields in `errors` and send the request again.",
    IdempotencyKeyReusedError: "Send a new key with a new request, or the same body with the same key.",
    CalendarBusyError: "Nothing was written. Send the same request again after `Retry-After` seconds.",
}


def problem_response(error: RefusalError, request: Request) -> Response:
    """The answer to an error that was raised on purpose."""
    headers: dict[str, str] = {}
    more: dict[str, Any] = {}
    detail = DETAILS.get(type(error), "")
    match error:
        case InvalidRequestError() | IdempotencyKeyReusedError():
            more = _faults(error.faults)
        case ConflictError():
            detail, more = _conflict(error)
        case PreconditionFailedError():
            detail = f"The current version is {error.version}. Read it again before you change it."
        case InvalidTransitionError() | TooLateError() | BookingLinkExpiredError():
            detail, more = str(error), error.more
        case PayloadTooLargeError():
            detail = f"A body may have {error.limit} bytes at most."
        case MethodNotAllowedError():
            headers["Allow"] = ", ".join(error.allowed)
            detail = f"Use one of {headers['Allow']}."
        case TimeTakenError():
            more = {"alternatives": [interval_body(free) for free in error.alternatives]}
        case CalendarBusyError() | TooManyHoldsError():
            seconds, detail = _later(error, detail)
            headers["Retry-After"] = str(seconds)
        case BadRequestError() | AppointmentEndedError() | SessionClosedError() | SessionJoinedError():
            detail = str(error)
    response = _response(PROBLEMS[type(error)], detail, request, more)
    response["headers"] |= headers
    return response


def _later(error: CalendarBusyError | TooManyHoldsError, detail: str) -> tuple[int, str]:
    """After how many seconds to try again, and why."""
    if isinstance(error, TooManyHoldsError):
        return error.seconds, TOO_MANY_HOLDS
    return RETRY_AFTER_SECONDS, IN_DOUBT if error.in_doubt else detail


def _conflict(error: ConflictError) -> tuple[str, dict[str, Any]]:
    """What is in the way, and what is free instead."""
    if isinstance(error, SessionFullError):
        left = error.seats_left
        detail = "No seat is left." if left == 0 else f"Only {left} seat{'s are' if left > 1 else ' is'} left."
        return detail, {"seatsLeft": left}
    calendars = ", ".join(dict.fromkeys(conflict.calendar_id for conflict in error.conflicts))
    more = _conflicts(error.conflicts)
    more["alternatives"] = [interval_body(free) for free in error.alternatives]
    if error.faults:
        more |= _faults(error.faults)
    return f"The time is occupied on {calendars}.", more


def internal_error_response(request: Request) -> Response:
    """The answer to a bug: an id to find it in the logs by, and no internals."""
    return _response(INTERNAL_ERROR, "Report the requestId: it finds the request in the logs.", request, {})


def _response(problem: Problem, detail: str, request: Request, more: Mapping[str, Any]) -> Response:
    body = {
        "type": f"{request.base}/docs#{problem.slug}",
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        "requestId": request.id,
        **more,
    }
    return {
        "statusCode": problem.status,
        "headers": {"Content-Type": "application/problem+json", "Cache-Control": "no-store"},
        "body": to_json(body),
    }


def _faults(faults: Sequence[Fault]) -> dict[str, Any]:
    """The first faults, and how many more there are."""
    omitted = {"errorsOmitted": len(faults) - MAX_FAULTS} if len(faults) > MAX_FAULTS else {}
    return {"errors": [_fault_body(fault) for fault in faults[:MAX_FAULTS]], **omitted}


def _conflicts(conflicts: Sequence[Conflict]) -> dict[str, Any]:
    """The first conflicts, and how many more there are."""
    omitted = {"conflictsOmitted": len(conflicts) - MAX_CONFLICTS} if len(conflicts) > MAX_CONFLICTS else {}
    shown = [{"calendarId": calendar_id, **interval_body(full)} for calendar_id, full in conflicts[:MAX_CONFLICTS]]
    return {"conflicts": shown, **omitted}


def _fault_body(fault: Fault) -> dict[str, Any]:
    body: dict[str, Any] = {"field": fault.field, "message": fault.message}
    if fault.rule and fault.calendar_id:
        body |= {"rule": fault.rule, "calendarId": fault.calendar_id}
    if fault.nearest:
        body["nearest"] = interval_body(fault.nearest)
    return body
