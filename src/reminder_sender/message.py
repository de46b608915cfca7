"""What a reminder says: pure text, made from an appointment.

SNS takes one message per protocol (`MessageStructure=json`): a readable text for email, a short one for
SMS, and JSON for everything that is a machine (SQS, HTTPS, Lambda).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from appointments.times import InvalidTimeError, load_zone, to_utc_text

if TYPE_CHECKING:
    from datetime import datetime

    from appointments.model import Appointment, Reminder

# One SMS in the GSM alphabet holds 160 characters; 140 leaves room for what SNS or a carrier adds.
SMS_CHARACTERS = 140


def subject(appointment: Appointment) -> str:
    """An email's subject. SNS takes ASCII only and at most 100 characters, so it holds no free text."""
    return f"Appointment reminder: {_when(appointment, appointment.interval.start)}"


def body(appointment: Appointment, reminder: Reminder) -> str:
    """The `Message` of a publish with `MessageStructure=json`."""
    machine = json.dumps(machine_body(appointment, reminder), ensure_ascii=False)
    messages = {"default": machine, "email": email_text(appointment), "sms": sms_text(appointment)}
    return json.dumps(messages, ensure_ascii=False)


def machine_body(appointment: Appointment, reminder: Reminder) -> dict[str, Any]:
    """The reminder for a program; field names as in the HTTP API."""
    fields: dict[str, Any] = {
        "appointmentId": appointment.appointment_id,
        "userId": appointment.user_id,
        "reminder": reminder.offset,
        "dueAt": to_utc_text(reminder.due_at),
        "startTime": to_utc_text(appointment.interval.start),
        "endTime": to_utc_text(appointment.interval.end),
        "resourceIds": list(appointment.resource_ids),
        "details": appointment.details,
    }
    if appointment.time_zone:
        fields["timeZone"] = appointment.time_zone
    return fields


def email_text(appointment: Appointment) -> str:
    """A few readable lines."""
    lines = [f"This is a reminder of your appointment{_titled(appointment)}.", ""]
    lines.append(f"When: {_when(appointment, appointment.interval.start)}")
    lines.append(f"Until: {_when(appointment, appointment.interval.end)}")
    for label, key in (("Where", "location"), ("About", "description"), ("Contact", "contact")):
        text = _detail(appointment, key)
        if text:
            lines.append(f"{label}: {text}")
    lines += ["", f"Appointment id: {appointment.appointment_id}"]
    return "\n".join(lines)


def sms_text(appointment: Appointment) -> str:
    """One line, short enough for a single SMS."""
    text = f"Reminder{_titled(appointment)}: {_when(appointment, appointment.interval.start)}"
    location = _detail(appointment, "location")
    if location:
        text += f", {location}"
    text = " ".join(text.split())
    return text if len(text) <= SMS_CHARACTERS else text[: SMS_CHARACTERS - 1] + "…"


def _titled(appointment: Appointment) -> str:
    title = _detail(appointment, "title")
    return f" “{title}”" if title else ""


def _detail(appointment: Appointment, key: str) -> str | None:
    """`details` is the caller's own object: only a text is fit to be read out."""
    value = appointment.details.get(key)
    return value if isinstance(value, str) and value.strip() else None


def _when(appointment: Appointment, moment: datetime) -> str:
    """The wall time in the appointment's zone, or in UTC where none was given or the zone was abolished."""
    try:
        zone = load_zone(appointment.time_zone or "UTC")
    except InvalidTimeError:
        zone = load_zone("UTC")
    local = moment.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M} ({zone.key})"
