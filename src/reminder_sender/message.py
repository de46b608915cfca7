"""What a reminder says: pure text, made from an appointment.

SNS takes one message per protocol (`MessageStructure=json`): a readable text for email, a short one for
SMS, and JSON for everything that is a machine (SQS, HTTPS, Lambda).
"""

from __future__ import annotations

import json
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from appointments.times import InvalidTimeError, load_zone, to_utc_text

if TYPE_CHECKING:
    from datetime import datetime

    from appointments.model import Appointment, Reminder

# What SNS puts before each SMS of a topic, made from its DisplayName.
SMS_PREFIX = "REMINDER> "
# One SMS has 160 places for the alphabet of GSM 03.38, some of whose characters take two. With any other character in
# it, it holds 70 units of UTF-16. What is longer is sent, and paid, as several.
SMS_PLACES = 160
SMS_UNITS = 70
GSM_TWO_PLACES = frozenset("^{}\\[~]|€")
GSM = GSM_TWO_PLACES | frozenset(
    "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)


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
    """One line that fits a single SMS. The time comes first, so that it is never what is cut off."""
    title, location = _detail(appointment, "title"), _detail(appointment, "location")
    parts = [_when(appointment, appointment.interval.start), f'"{title}"' if title else None, location]
    return _one_sms(" ".join(", ".join(part for part in parts if part).split()))


def _one_sms(text: str) -> str:
    """The text as far as it fits a single SMS, together with what SNS puts before it."""
    if GSM.issuperset(text):
        room, sizes = SMS_PLACES, [2 if character in GSM_TWO_PLACES else 1 for character in text]
    else:
        room, sizes = SMS_UNITS, [2 if character > "\uffff" else 1 for character in text]
    room -= len(SMS_PREFIX)
    ends = list(accumulate(sizes))
    if ends[-1] <= room:
        return text
    return text[: bisect_right(ends, room - len("..."))] + "..."


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
