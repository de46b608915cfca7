"""Answers out: what an appointment and a problem look like over HTTP.

Problems follow RFC 9457. `PROBLEMS` is the one table from error to status.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.errors import (
    AppointmentNotFoundError,
    BadRequestError,
    CalendarBusyError,
    ConflictError,
    InvalidRequestError,
    MethodNotAllowedError,
    RouteNotFoundError,
    SchedulerError,
)
from appointments.times import to_utc_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from appointments.model import Appointment, Reminder

Response = dict[str, Any]

RETRY_AFTER_SECONDS = 1


class Problem(NamedTuple):
    """How an error answers: its HTTP status, the last part of its type URI, and its title."""

    status: int
    slug: str
    title: str


PROBLEMS: Mapping[type[SchedulerError], Problem] = {
    BadRequestError: Problem(400, "bad-request", "The request cannot be read"),
    AppointmentNotFoundError: Problem(404, "appointment-not-found", "No such appointment"),
    RouteNotFoundError: Problem(404, "route-not-found", "No such path"),
    MethodNotAllowedError: Problem(405, "method-not-allowed", "The path does not take this method"),
    ConflictError: Problem(409, "conflict", "The interval is taken"),
    InvalidRequestError: Problem(422, "invalid-request", "The request has faults"),
    CalendarBusyError: Problem(503, "calendar-busy", "Too many bookings at once"),
}
INTERNAL_ERROR = Problem(500, "internal-error", "Something went wrong on our side")


def appointment_response(status: int, appointment: Appointment) -> Response:
    """An answer that carries an appointment, with its version as `ETag`."""
    headers = {"Content-Type": "application/json", "ETag": f'"{appointment.version}"'}
    if status == 201:
        headers["Location"] = f"/appointments/{appointment.appointment_id}"
    return {"statusCode": status, "headers": headers, "body": json.dumps(appointment_body(appointment))}


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
    return body


def _reminder_body(reminder: Reminder) -> dict[str, Any]:
    return {
        "offset": reminder.offset,
        "dueAt": to_utc_text(reminder.due_at),
        "state": reminder.state,
        "sentAt": to_utc_text(reminder.sent_at) if reminder.sent_at else None,
    }


def problem_response(error: SchedulerError, request_id: str) -> Response:
    """The answer to an error that was raised on purpose."""
    problem = PROBLEMS[type(error)]
    headers: dict[str, str] = {}
    more: dict[str, Any] = {}
    match error:
        case InvalidRequestError():
            detail = "Correct the fields in `errors` and send the request again."
            more["errors"] = [{"field": fault.field, "message": fault.message} for fault in error.faults]
        case ConflictError():
            calendars = ", ".join(dict.fromkeys(conflict.calendar_id for conflict in error.conflicts))
            detail = f"Other appointments are in the way on {calendars}."
            more["conflicts"] = [
                {
                    "calendarId": conflict.calendar_id,
                    "startTime": to_utc_text(conflict.interval.start),
                    "endTime": to_utc_text(conflict.interval.end),
                }
                for conflict in error.conflicts
            ]
        case MethodNotAllowedError():
            headers["Allow"] = ", ".join(error.allowed)
            detail = f"Use one of {headers['Allow']}."
        case CalendarBusyError():
            headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
            detail = "Nothing was booked. Send the same request again in a moment."
        case AppointmentNotFoundError():
            detail = "There is no appointment with this id."
        case RouteNotFoundError():
            detail = "The API has no such path."
        case _:
            detail = str(error)
    return _problem(problem, detail, request_id, headers, more)


def internal_error_response(request_id: str) -> Response:
    """The answer to a bug: an id to find it in the logs by, and no internals."""
    return _problem(INTERNAL_ERROR, "Nothing more is known to you than this id; the log has the rest.", request_id)


def _problem(
    problem: Problem,
    detail: str,
    request_id: str,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    body = {
        "type": f"/docs#{problem.slug}",
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        "requestId": request_id,
        **(more or {}),
    }
    return {
        "statusCode": problem.status,
        "headers": {"Content-Type": "application/problem+json", **(headers or {})},
        "body": json.dumps(body),
    }
