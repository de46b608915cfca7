"""Answers out: what an appointment and a problem look like over HTTP.

Problems follow RFC 9457. `PROBLEMS` is the one table from error to status.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.errors import (
    AppointmentCancelledError,
    AppointmentNotFoundError,
    BadRequestError,
    CalendarBusyError,
    ConflictError,
    Fault,
    ForbiddenError,
    IdempotencyKeyReusedError,
    InvalidRequestError,
    MethodNotAllowedError,
    PayloadTooLargeError,
    PreconditionFailedError,
    RouteNotFoundError,
    SchedulerError,
    TooManyAppointmentsError,
)
from appointments.storage.appointments import Position
from appointments.times import to_utc_text
from conflict_detector.cursors import encode_cursor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from appointments.model import Appointment, Conflict, Interval, Reminder
    from appointments.storage.appointments import Page
    from appointments.storage.calendar_settings import StoredSettings
    from conflict_detector.availability import Slot

Response = dict[str, Any]

# What one answer names at most; how many more there are stands beside it.
MAX_FAULTS = 50
MAX_CONFLICTS = 100
# A page ends where its next appointment would make it larger. One appointment is some 20 KB at most.
MAX_PAGE_BYTES = 900_000

RETRY_AFTER_SECONDS = 1


class Problem(NamedTuple):
    """How an error answers: its HTTP status, the last part of its type URI, and its title."""

    status: int
    slug: str
    title: str


PROBLEMS: Mapping[type[SchedulerError], Problem] = {
    BadRequestError: Problem(400, "bad-request", "The request cannot be read"),
    ForbiddenError: Problem(403, "forbidden", "Not yours to do"),
    AppointmentNotFoundError: Problem(404, "appointment-not-found", "No such appointment"),
    RouteNotFoundError: Problem(404, "route-not-found", "No such path"),
    MethodNotAllowedError: Problem(405, "method-not-allowed", "The path does not take this method"),
    ConflictError: Problem(409, "conflict", "The interval is taken"),
    AppointmentCancelledError: Problem(409, "appointment-cancelled", "The appointment was cancelled"),
    PreconditionFailedError: Problem(412, "precondition-failed", "It has another version by now"),
    PayloadTooLargeError: Problem(413, "payload-too-large", "The request is too large"),
    InvalidRequestError: Problem(422, "invalid-request", "The request has faults"),
    TooManyAppointmentsError: Problem(422, "invalid-request", "The request has faults"),
    IdempotencyKeyReusedError: Problem(422, "idempotency-key-reused", "The key stands for another request"),
    CalendarBusyError: Problem(503, "calendar-busy", "Too many bookings at once"),
}
# What to say where the error itself has nothing to add.
DETAILS: Mapping[type[SchedulerError], str] = {
    ForbiddenError: "You may act for your own userId, on your own calendar and on resources.",
    AppointmentNotFoundError: "There is no appointment with this id.",
    RouteNotFoundError: "The API has no such path.",
    AppointmentCancelledError: "What is cancelled does not change any more. Book a new appointment instead.",
}
# What a page from another origin may send, and may read of an answer beside its body.
CORS_METHODS = "GET, POST, PUT, PATCH, DELETE"
CORS_REQUEST_HEADERS = (
    "Authorization, Content-Type, If-Match, Idempotency-Key, X-Amz-Date, X-Amz-Security-Token, X-Amz-Content-Sha256"
)
CORS_ANSWER_HEADERS = "Allow, ETag, Location, Retry-After"
INTERNAL_ERROR = Problem(500, "internal-error", "Something went wrong on our side")


def base_url(event: Mapping[str, Any]) -> str:
    """What comes before the path in the API's own URLs, such as `https://api.example.org/prod`.

    Empty where the event does not name its host, as on the local engine.
    """
    context = event.get("requestContext") or {}
    if not context.get("domainName"):
        return ""
    # The stage, or the base path of a custom domain, stands in this path and not in the event's.
    prefix = context.get("path", event["path"]).removesuffix(event["path"])
    return f"https://{context['domainName']}{prefix}"


def _json_response(body: Mapping[str, Any], version: int | None = None) -> Response:
    """200 with a body that no cache keeps, and its version, where it has one, as a strong entity tag (RFC 9110)."""
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    if version is not None:
        headers["ETag"] = f'"{version}"'
    return {"statusCode": 200, "headers": headers, "body": _json(body)}


def _json(value: Any) -> str:
    """Compact, and not escaped: what is stored in so many bytes is answered in as many."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def appointment_response(appointment: Appointment) -> Response:
    """200 with an appointment."""
    return _json_response(appointment_body(appointment), appointment.version)


def created_response(appointment: Appointment, base: str) -> Response:
    """201 with a new appointment and where it is to be found."""
    response = appointment_response(appointment)
    response["headers"]["Location"] = f"{base}/appointments/{appointment.appointment_id}"
    return response | {"statusCode": 201}


def page_response(page: Page) -> Response:
    """200 with one page of a list, or with as much of it as an answer may hold."""
    bodies: list[dict[str, Any]] = []
    next_position, size = page.next_position, 0
    for appointment in page.appointments:
        body = appointment_body(appointment)
        size += len(_json(body).encode())
        if size > MAX_PAGE_BYTES and bodies:
            last = page.appointments[len(bodies) - 1]
            next_position = Position(last.interval.start, last.appointment_id)
            break
        bodies.append(body)
    more = {"nextCursor": encode_cursor(next_position)} if next_position else {}
    return _json_response({"appointments": bodies, **more})


def appointment_body(appointment: Appointment) -> dict[str, Any]:
    """An appointment as the API shows it: camelCase, times in UTC with `Z`."""
    body: dict[str, Any] = {
        "appointmentId": appointment.appointment_id,
        "userId": appointment.user_id,
        "startTime": to_utc_text(appointment.interval.start),
        "endTime": to_utc_text(appointment.interval.end),
        "resourceIds": list(appointment.resource_ids),
        "details": appointment.details,
        "reminders": [_reminder_body(reminder) for reminder in appointment.reminders],
        "status": appointment.status,
        "version": appointment.version,
        "createdAt": to_utc_text(appointment.created_at),
        "updatedAt": to_utc_text(appointment.updated_at),
    }
    if appointment.time_zone:
        body["timeZone"] = appointment.time_zone
    if appointment.assigned_calendar_id:
        body["assignedCalendarId"] = appointment.assigned_calendar_id
    return body


def _reminder_body(reminder: Reminder) -> dict[str, Any]:
    return {
        "offset": reminder.offset,
        "dueAt": to_utc_text(reminder.due_at),
        "state": reminder.state,
        "sentAt": to_utc_text(reminder.sent_at) if reminder.sent_at else None,
        "attempts": reminder.attempts,
        "messageId": reminder.message_id,
    }


def settings_response(calendar_id: str, stored: StoredSettings) -> Response:
    """200 with a calendar's settings, defaults filled in, and their version as `ETag`."""
    body: dict[str, Any] = {
        "calendarId": calendar_id,
        "timeZone": "UTC",
        "overrides": {},
        "capacity": 1,
        "minNoticeMinutes": 0,
        **stored.body,
        "bufferMinutes": {"before": 0, "after": 0} | stored.body.get("bufferMinutes", {}),
        "version": stored.version,
    }
    if stored.updated_at:
        body["updatedAt"] = to_utc_text(stored.updated_at)
    return _json_response(body, stored.version)


def availability_response(slots: Iterable[Slot], zone: ZoneInfo | None) -> Response:
    """200 with slots, in UTC, and beside it in the zone that was asked for."""
    available = [
        {
            **_interval_body(slot.interval),
            "calendarIds": list(slot.calendar_ids),
            **(_local(slot.interval, zone) if zone else {}),
        }
        for slot in slots
    ]
    body = {"available": available, **({"timeZone": zone.key} if zone else {})}
    return _json_response(body)


def _local(interval: Interval, zone: ZoneInfo) -> dict[str, str]:
    start, end = (moment.astimezone(zone).isoformat() for moment in interval)
    return {"localStartTime": start, "localEndTime": end}


def _interval_body(interval: Interval) -> dict[str, str]:
    return {"startTime": to_utc_text(interval.start), "endTime": to_utc_text(interval.end)}


def _faults_body(faults: Sequence[Fault]) -> dict[str, Any]:
    """The first faults, and how many more there are."""
    omitted = {"errorsOmitted": len(faults) - MAX_FAULTS} if len(faults) > MAX_FAULTS else {}
    return {"errors": [_fault_body(fault) for fault in faults[:MAX_FAULTS]], **omitted}


def _conflicts_body(conflicts: Sequence[Conflict]) -> dict[str, Any]:
    """The first conflicts, and how many more there are."""
    omitted = {"conflictsOmitted": len(conflicts) - MAX_CONFLICTS} if len(conflicts) > MAX_CONFLICTS else {}
    shown = [{"calendarId": calendar_id, **_interval_body(full)} for calendar_id, full in conflicts[:MAX_CONFLICTS]]
    return {"conflicts": shown, **omitted}


def _fault_body(fault: Fault) -> dict[str, Any]:
    body: dict[str, Any] = {"field": fault.field, "message": fault.message}
    if fault.rule and fault.calendar_id:
        body |= {"rule": fault.rule, "calendarId": fault.calendar_id}
    if fault.nearest:
        body["nearest"] = _interval_body(fault.nearest)
    return body


def problem_response(error: SchedulerError, request_id: str, base: str) -> Response:
    """The answer to an error that was raised on purpose."""
    problem = PROBLEMS[type(error)]
    headers: dict[str, str] = {}
    more: dict[str, Any] = {}
    match error:
        case InvalidRequestError():
            detail = "Correct the fields in `errors` and send the request again."
            more |= _faults_body(error.faults)
        case ConflictError():
            calendars = ", ".join(dict.fromkeys(conflict.calendar_id for conflict in error.conflicts))
            detail = f"Other appointments are in the way on {calendars}."
            more |= _conflicts_body(error.conflicts)
            more["alternatives"] = [_interval_body(free) for free in error.alternatives]
            if error.faults:
                more |= _faults_body(error.faults)
        case PreconditionFailedError():
            detail = f"The version is now {error.version}. Read it again before you change it."
        case PayloadTooLargeError():
            detail = f"A body may have {error.limit} bytes at most."
        case MethodNotAllowedError():
            headers["Allow"] = ", ".join(error.allowed)
            detail = f"Use one of {headers['Allow']}."
        case IdempotencyKeyReusedError():
            detail = "Send a new key with a new request, and the same body with the same key."
            more["errors"] = [_fault_body(Fault("Idempotency-Key", "was used before, with another body"))]
        case CalendarBusyError():
            headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
            detail = "Nothing was written. Send the same request again in a moment."
        case BadRequestError():
            detail = str(error)
        case _:
            detail = DETAILS[type(error)]
    return _problem(problem, detail, request_id, base, headers, more)


def preflight_response() -> Response:
    """What a browser asks before it sends a page's request to another origin. It keeps the answer for a day."""
    headers = {
        "Access-Control-Allow-Methods": CORS_METHODS,
        "Access-Control-Allow-Headers": CORS_REQUEST_HEADERS,
        "Access-Control-Max-Age": "86400",
    }
    return {"statusCode": 204, "headers": headers, "body": ""}


def shared_with(origin: str, response: Response) -> Response:
    """The response, readable for pages of that origin; of `*`, for pages of any."""
    headers = {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": CORS_ANSWER_HEADERS}
    return response | {"headers": response["headers"] | headers}


def internal_error_response(request_id: str, base: str) -> Response:
    """The answer to a bug: an id to find it in the logs by, and no internals."""
    return _problem(INTERNAL_ERROR, "Report the requestId: the log tells the rest by it.", request_id, base)


def _problem(  # noqa: PLR0917 - the parts of one answer
    problem: Problem,
    detail: str,
    request_id: str,
    base: str,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    body = {
        "type": f"{base}/docs#{problem.slug}",
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        "requestId": request_id,
        **(more or {}),
    }
    return {
        "statusCode": problem.status,
        "headers": {"Content-Type": "application/problem+json", "Cache-Control": "no-store", **(headers or {})},
        "body": _json(body),
    }
