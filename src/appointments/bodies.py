"""What is kept, as the JSON in which the API and events show it: camelCase, times in UTC with `Z`. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appointments.times import to_utc_text

if TYPE_CHECKING:
    from appointments.model import Appointment, Interval
    from appointments.reminders import Reminder
    from appointments.storage.calendar_settings import StoredSettings
    from appointments.storage.services import StoredService


def interval_body(interval: Interval) -> dict[str, str]:
    """An interval as the API shows it."""
    return {"startTime": to_utc_text(interval.start), "endTime": to_utc_text(interval.end)}


def appointment_body(appointment: Appointment) -> dict[str, Any]:
    """An appointment as the API shows it: camelCase, times in UTC with `Z`."""
    body: dict[str, Any] = {
        "appointmentId": appointment.appointment_id,
        "userId": appointment.user_id,
        "startTime": to_utc_text(appointment.interval.start),
        "endTime": to_utc_text(appointment.interval.end),
        "resourceIds": list(appointment.resource_ids),
        "details": appointment.details,
        "reminders": [reminder_body(reminder) for reminder in appointment.reminders],
        "status": appointment.status,
        "version": appointment.version,
        "createdAt": to_utc_text(appointment.created_at),
        "updatedAt": to_utc_text(appointment.updated_at),
    }
    if appointment.time_zone:
        body["timeZone"] = appointment.time_zone
    if appointment.contact:
        from appointments.contacts import contact_body  # noqa: PLC0415 - most appointments have none

        body["contact"] = contact_body(appointment.contact)
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


def reminder_body(reminder: Reminder) -> dict[str, Any]:
    """A reminder as the API shows it."""
    return {
        "offset": reminder.offset,
        "dueAt": to_utc_text(reminder.due_at),
        "state": reminder.state,
        "sentAt": to_utc_text(reminder.sent_at) if reminder.sent_at else None,
        "attempts": reminder.attempts,
        "messageId": reminder.message_id,
    }


def calendar_body(calendar_id: str, stored: StoredSettings) -> dict[str, Any]:
    """A calendar's settings as the API shows them, defaults filled in."""
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
    return body


def service_body(stored: StoredService) -> dict[str, Any]:
    """A service as the API shows it, defaults filled in where they depend on nothing else."""
    buffer = stored.body.get("bufferMinutes", {})
    body = {
        "serviceId": stored.service_id,
        "strictSteps": False,
        "minNoticeMinutes": 0,
        "approval": False,
        **stored.body,
        "bufferMinutes": {"before": 0, "after": 0} | (buffer if isinstance(buffer, dict) else {"after": buffer}),
        "version": stored.version,
        "updatedAt": to_utc_text(stored.updated_at),
    }
    if stored.deleted_at:
        body["deletedAt"] = to_utc_text(stored.deleted_at)
    return body
