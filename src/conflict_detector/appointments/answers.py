"""What an appointment looks like over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appointments.blocks import Block
from appointments.times import to_utc_text
from conflict_detector.responses import interval_body, json_response, to_json

if TYPE_CHECKING:
    from appointments.model import Appointment
    from appointments.reminders import Reminder
    from appointments.storage.lists import Page
    from conflict_detector.responses import Response

# A page ends where its next appointment would make it larger. One appointment is some 20 KB at most.
MAX_PAGE_BYTES = 900_000

RETRY_AFTER_SECONDS = 1


def appointment_response(appointment: Appointment, seats_left: int | None = None) -> Response:
    """200 with an appointment, and how many seats are left of the session that it is or that it joins."""
    body = appointment_body(appointment)
    return json_response(body if seats_left is None else body | {"seatsLeft": seats_left}, appointment.version)


def created_response(appointment: Appointment, base: str, seats_left: int | None = None) -> Response:
    """201 with a new appointment and where it is to be found."""
    response = appointment_response(appointment, seats_left)
    response["headers"]["Location"] = f"{base}/appointments/{appointment.appointment_id}"
    return response | {"statusCode": 201}


def page_response(page: Page) -> Response:
    """200 with one page of a list, or with as much of it as an answer may hold; blocks stand beside appointments."""
    from conflict_detector.appointments.cursors import encode_cursor  # noqa: PLC0415 - only lists have cursors
    from conflict_detector.blocks.answers import block_body  # noqa: PLC0415 - as above

    bodies: list[dict[str, Any]] = []
    blocks: list[dict[str, Any]] = []
    next_position, size = page.next_position, 0
    for number, (_, each) in enumerate(page.entries):
        body = block_body(each) if isinstance(each, Block) else appointment_body(each)
        size += len(to_json(body).encode())
        if size > MAX_PAGE_BYTES and number:
            next_position, _ = page.entries[number - 1]
            break
        (blocks if isinstance(each, Block) else bodies).append(body)
    more = {"nextCursor": encode_cursor(next_position)} if next_position else {}
    return json_response({"appointments": bodies, **({"blocks": blocks} if blocks else {}), **more})


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
    if appointment.expires_at:
        body["expiresAt"] = to_utc_text(appointment.expires_at)
    if appointment.confirmed_at:
        body["confirmedAt"] = to_utc_text(appointment.confirmed_at)
    if appointment.service:
        body["serviceId"] = appointment.service.service_id
        body["steps"] = [
            {**interval_body(step.interval), "resourceIds": list(step.resource_ids)} for step in appointment.steps
        ]
    if appointment.session_seats is not None:
        body["session"] = {"seats": appointment.session_seats}
    if appointment.session_id:
        body["sessionId"] = appointment.session_id
    if appointment.places != 1 or appointment.session_id:
        body["seats"] = appointment.places
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
