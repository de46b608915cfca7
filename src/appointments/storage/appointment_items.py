"""An appointment as an item: its key, its attributes and its partition in the due index."""

from __future__ import annotations

import json
import zlib
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from appointments.json_text import to_json
from appointments.model import (
    SYSTEM,
    Appointment,
    DayKey,
    Interval,
    OverflowKey,
    PerPerson,
    ServiceTerms,
    Step,
    WallTimes,
)
from appointments.quiet_hours import QuietHours
from appointments.statuses import Status
from appointments.storage.dynamodb import texts
from appointments.storage.reminder_items import reminder_from_item, reminders_to_item
from appointments.times import from_utc_text, to_utc_text

if TYPE_CHECKING:
    from appointments.contacts import Contact
    from appointments.storage.dynamodb import Item

# The due index has one partition per shard, so that a million bookings a day do not share one.
REMINDER_SHARDS = 8
# Requests have a partition of their own there, sorted by their start: nothing of them is due, and a desk lists them.
REQUEST_SHARD = REMINDER_SHARDS


def appointment_key(appointment_id: str) -> dict[str, Any]:
    """The key of an appointment's item."""
    return {"appointmentId": {"S": appointment_id}}


def appointment_to_item(appointment: Appointment, retention: timedelta) -> dict[str, Any]:
    """`details` is kept as JSON text: it comes back exactly as it was sent, floats and all."""
    end = appointment.interval.end
    waits = appointment.status is Status.REQUESTED
    item: dict[str, Any] = {
        "appointmentId": {"S": appointment.appointment_id},
        "userId": {"S": appointment.user_id},
        "startTime": {"S": to_utc_text(appointment.interval.start)},
        "endTime": {"S": to_utc_text(end)},
        "resourceIds": texts(appointment.resource_ids),
        "details": {"S": to_json(appointment.details)},
        "offsets": texts(appointment.offsets),
        "reminders": reminders_to_item(appointment),
        "status": {"S": appointment.status},
        "version": {"N": str(appointment.version)},
        "createdAt": {"S": to_utc_text(appointment.created_at)},
        "updatedAt": {"S": to_utc_text(appointment.updated_at)},
        "reminderShard": {"N": str(REQUEST_SHARD if waits else reminder_shard(appointment.appointment_id))},
        "expiresAt": {"N": str(int((end + retention).timestamp()))},
    }
    due = appointment.interval.start if waits else appointment.next_due_at
    texts_if_set = {
        "assignedCalendarId": appointment.assigned_calendar_id,
        "fingerprint": appointment.fingerprint,
        "timeZone": appointment.time_zone,
        "peopleZone": appointment.people_zone,
        "heldUntil": appointment.expires_at and to_utc_text(appointment.expires_at),
        "confirmedAt": appointment.confirmed_at and to_utc_text(appointment.confirmed_at),
        "nextReminderAt": due and to_utc_text(due),
        "clearing": appointment.clearing and to_utc_text(appointment.clearing),
        "contact": appointment.contact and _contact_to_text(appointment.contact),
        "quietHours": appointment.quiet and "{} {} {}".format(*appointment.quiet),
        "by": appointment.by if appointment.by != SYSTEM else None,
    }
    item |= {name: {"S": text} for name, text in texts_if_set.items() if text}
    if appointment.wall:
        item["wallStart"], item["wallEnd"] = ({"S": text} for text in appointment.wall)
    if appointment.places != 1:
        item["places"] = {"N": str(appointment.places)}
    if appointment.steps:
        item |= _steps_to_item(appointment)
    if appointment.session_seats is not None:
        item["sessionSeats"] = {"N": str(appointment.session_seats)}
    if appointment.session_id:
        item["sessionId"] = {"S": appointment.session_id}
    if appointment.joins:
        item["joins"] = {"N": str(appointment.joins)}
    if appointment.overflow:
        item["overflow"] = texts(f"{key.day.day} {key.part} {key.day.calendar_id}" for key in appointment.overflow)
    return item


def appointment_from_item(item: Item) -> Appointment:
    """The inverse of `appointment_to_item`."""
    reminders = [reminder_from_item(offset, value["M"]) for offset, value in item["reminders"]["M"].items()]
    return Appointment(
        appointment_id=item["appointmentId"]["S"],
        user_id=item["userId"]["S"],
        interval=Interval(from_utc_text(item["startTime"]["S"]), from_utc_text(item["endTime"]["S"])),
        resource_ids=tuple(text["S"] for text in item["resourceIds"]["L"]),
        time_zone=item["timeZone"]["S"] if "timeZone" in item else None,
        details=json.loads(item["details"]["S"]),
        offsets=tuple(text["S"] for text in item["offsets"]["L"]),
        reminders=tuple(sorted(reminders, key=lambda reminder: reminder.due_at)),
        status=Status.stored(item["status"]["S"]),
        wall=WallTimes(item["wallStart"]["S"], item["wallEnd"]["S"]) if "wallStart" in item else None,
        version=int(item["version"]["N"]),
        created_at=from_utc_text(item["createdAt"]["S"]),
        updated_at=from_utc_text(item["updatedAt"]["S"]),
        assigned_calendar_id=item["assignedCalendarId"]["S"] if "assignedCalendarId" in item else None,
        fingerprint=item["fingerprint"]["S"] if "fingerprint" in item else None,
        places=int(item["places"]["N"]) if "places" in item else 1,
        **(_steps_from_item(item) if "steps" in item else {}),
        expires_at=from_utc_text(item["heldUntil"]["S"]) if "heldUntil" in item else None,
        people_zone=item["peopleZone"]["S"] if "peopleZone" in item else None,
        confirmed_at=from_utc_text(item["confirmedAt"]["S"]) if "confirmedAt" in item else None,
        session_seats=int(item["sessionSeats"]["N"]) if "sessionSeats" in item else None,
        session_id=item["sessionId"]["S"] if "sessionId" in item else None,
        joins=int(item["joins"]["N"]) if "joins" in item else 0,
        clearing=from_utc_text(item["clearing"]["S"]) if "clearing" in item else None,
        overflow=tuple(_overflow_from_text(text["S"]) for text in item["overflow"]["L"]) if "overflow" in item else (),
        stored_reminders=item["reminders"],
        quiet=_quiet_from_text(item["quietHours"]["S"]) if "quietHours" in item else None,
        contact=_contact_from_text(item["contact"]["S"]) if "contact" in item else None,
        by=item["by"]["S"] if "by" in item else SYSTEM,
    )


# Most appointments have no contact, and a start waits for every import.


def _contact_to_text(contact: Contact) -> str:
    from appointments.contacts import contact_body  # noqa: PLC0415

    return json.dumps(contact_body(contact), ensure_ascii=False)


def _contact_from_text(text: str) -> Contact:
    from appointments.contacts import contact_from_body  # noqa: PLC0415

    return contact_from_body(json.loads(text))


def _quiet_from_text(text: str) -> QuietHours:
    start, end, zone = text.split(" ", 2)
    return QuietHours(int(start), int(end), zone)


def _overflow_from_text(text: str) -> OverflowKey:
    day, part, calendar_id = text.split(" ", 2)
    return OverflowKey(DayKey(calendar_id, date.fromisoformat(day)), part)


def _steps_to_item(appointment: Appointment) -> dict[str, Any]:
    """The steps, each with the time that it takes of its calendars, and the service that they are of.

    Who does not know services, and so no buffers, thus leaves all that was taken.
    """
    service = appointment.service
    item: dict[str, Any] = {}
    before, after = (service.buffer_before, service.buffer_after) if service else (timedelta(), timedelta())
    steps = []
    for (start, end), resource_ids in appointment.steps:
        taken = {"startTime": {"S": to_utc_text(start - before)}, "endTime": {"S": to_utc_text(end + after)}}
        steps.append({"M": {**taken, "resourceIds": texts(resource_ids)}})
    item["steps"] = {"L": steps}
    if service:
        item |= {"serviceId": {"S": service.service_id}, "serviceTerms": {"S": service.body}}
        if before or after:
            item["serviceBuffers"] = {"S": f"{before.total_seconds():.0f} {after.total_seconds():.0f}"}
        if service.per_person:
            item["servicePerDay"] = {"S": f"{service.per_person.most} {service.per_person.zone}"}
    return item


def _steps_from_item(item: Item) -> dict[str, Any]:
    """The inverse of `_steps_to_item`."""
    buffers = item["serviceBuffers"]["S"].split() if "serviceBuffers" in item else ("0", "0")
    before, after = (timedelta(seconds=int(seconds)) for seconds in buffers)
    steps = []
    for step in (step["M"] for step in item["steps"]["L"]):
        start, end = (from_utc_text(step[name]["S"]) for name in ("startTime", "endTime"))
        step_ids = tuple(text["S"] for text in step["resourceIds"]["L"])
        steps.append(Step(Interval(start + before, end - after), step_ids))
    if "serviceId" not in item:
        return {"steps": tuple(steps)}
    terms = ServiceTerms(item["serviceId"]["S"], item["serviceTerms"]["S"], before, after)
    if "servicePerDay" in item:
        most, zone = item["servicePerDay"]["S"].split()
        terms = terms._replace(per_person=PerPerson(int(most), zone))
    return {"steps": tuple(steps), "service": terms}


def reminder_shard(appointment_id: str) -> int:
    """The partition of the due index that an appointment's reminders lie in."""
    return zlib.crc32(appointment_id.encode()) % REMINDER_SHARDS
