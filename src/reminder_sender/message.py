"""What a reminder says: pure text, made from an appointment.

SNS takes one message per protocol (`MessageStructure=json`): a readable text for email, a short one for
SMS, and JSON for everything that is a machine (SQS, HTTPS, Lambda).
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from appointments.times import InvalidTimeError, load_zone, to_utc_text
from reaching.telling import detail
from texts.gsm import GSM, GSM_TWO_PLACES, SMS_PLACES, SMS_UNITS, in_gsm

if TYPE_CHECKING:
    from datetime import datetime

    from appointments.model import Appointment
    from appointments.reminders import Reminder

# What SNS puts before each SMS of a topic, made from its DisplayName.
SMS_PREFIX = "REMINDER> "
# JSON allows these two, and neither SQS nor email does.
_NO_CHARACTERS = re.compile("[\ufffe\uffff]")


def subject(appointment: Appointment) -> str:
    """An email's subject. SNS takes ASCII only and at most 100 characters, so it holds no free text."""
    return f"Appointment reminder: {_when(appointment, appointment.interval.start)}"


def body(appointment: Appointment, reminder: Reminder) -> str:
    """The `Message` of a publish with `MessageStructure=json`."""
    # Within JSON such characters can only be part of a text, where an escape means the same.
    machine = _NO_CHARACTERS.sub(_escaped, json.dumps(machine_body(appointment, reminder), ensure_ascii=False))
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
        text = detail(appointment, key)
        if text:
            lines.append(f"{label}: {text}")
    lines += ["", f"Appointment id: {appointment.appointment_id}"]
    return "\n".join(lines)


def sms_text(appointment: Appointment) -> str:
    """One line that fits a single SMS. The time comes first, so that it is never what is cut off."""
    said = [detail(appointment, key) or "" for key in ("title", "location")]
    # One character outside the alphabet of GSM more than halves the room, and the place would be cut off.
    translated = [in_gsm(text) for text in said]
    title, location = said if None in translated else translated
    parts = [_when(appointment, appointment.interval.start), title and f'"{title}"', location]
    return _one_sms(", ".join(part for part in parts if part))


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
    title = detail(appointment, "title")
    return f" “{title}”" if title else ""


def _when(appointment: Appointment, moment: datetime) -> str:
    """The wall time in the appointment's zone, else that of its calendars, else UTC; also if a zone was abolished."""
    try:
        zone = load_zone(appointment.time_zone or appointment.people_zone or "UTC")
    except InvalidTimeError:
        zone = load_zone("UTC")
    local = moment.astimezone(zone)
    place = zone.key
    if place.startswith("Etc/"):
        place = _offset(local)  # "Etc/GMT+5" is five hours behind
    elif local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset():
        place += f", {_offset(local)}"  # the clock shows this time twice
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M} ({place})"


def _offset(local: datetime) -> str:
    """`UTC-5`, `UTC+5:30`, `UTC`."""
    sign, hours, minutes = f"{local:%z}"[0], int(f"{local:%z}"[1:3]), f"{local:%z}"[3:5]
    if not hours and minutes == "00":
        return "UTC"
    return f"UTC{sign}{hours}" + (f":{minutes}" if minutes != "00" else "")


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
