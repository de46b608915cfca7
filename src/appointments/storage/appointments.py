"""The appointments table: an item per appointment, with its reminders in it."""

from __future__ import annotations

import json
import uuid
import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

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
from appointments.statuses import Status
from appointments.storage.dynamodb import (
    ConditionFailedError,
    ContentionError,
    NotWrittenError,
    own_change,
    texts,
    unless_written,
)
from appointments.storage.reminder_items import reminder_from_item, reminders_as_read, reminders_to_item
from appointments.times import from_utc_text, to_utc_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from appointments.storage.dynamodb import Database, Entry, Item

USER_INDEX = "UserAppointmentsIndex"
# Queries for one page of a list: those of another status are read and left out, 200 at a time.
LIST_QUERIES = 25
BEGIN_OF_TIME = datetime(1970, 1, 1, tzinfo=UTC)
END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)

# The due index has one partition per shard, so that a million bookings a day do not share one.
REMINDER_SHARDS = 8
# Requests have a partition of their own there, sorted by their start: nothing of them is due, and a desk lists them.
REQUEST_SHARD = REMINDER_SHARDS


# What a sender goes by: a change of these and a sender's claim or record exclude each other.
_FOR_SENDERS = {"offsets", "reminders", "status"}


class AppointmentExistsError(NotWrittenError):
    """An appointment with this id was booked before: `existing`."""

    def __init__(self, existing: Appointment) -> None:
        super().__init__(existing.appointment_id)
        self.existing = existing


class AppointmentChangedError(NotWrittenError):
    """The appointment is no longer the version that was read; `now` is the current one, None if it is gone."""

    def __init__(self, now: Appointment | None) -> None:
        super().__init__()
        self.now = now


class Position(NamedTuple):
    """Where in a list a page ended."""

    start: datetime
    appointment_id: str


class ListQuery(NamedTuple):
    """A person's appointments by start, those with `starts_from <= start < starts_before`."""

    user_id: str
    starts_from: datetime = BEGIN_OF_TIME
    starts_before: datetime = END_OF_TIME
    status: Status | None = None
    limit: int = 50
    after: Position | None = None
    service_id: str | None = None


class CalendarQuery(NamedTuple):
    """What occupies a calendar somewhere within an interval, by start: appointments and blocks, or `only_blocks`."""

    calendar_id: str
    within: Interval
    status: Status | None = None
    limit: int = 50
    after: Position | None = None
    only_blocks: bool = False
    service_id: str | None = None


class Page(NamedTuple):
    """Some appointments, each with its position, in order, and the position to go on from, None at the end."""

    entries: list[tuple[Position, Appointment]]
    next_position: Position | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Appointments:
    """Reads of appointments, and the writes of one. `retention` is how long an item outlives its appointment."""

    database: Database
    table: str
    retention: timedelta

    def get(self, appointment_id: str) -> Appointment | None:
        """Strongly consistent."""
        item = self.database.get(self.table, appointment_key(appointment_id))
        return appointment_from_item(item) if item else None

    def page(self, wanted: ListQuery) -> Page:
        """A page of a person's list.

        Read from the index, which follows the table within moments and not at once. Where few are of the `status`,
        a page may end before it is full.
        """
        if wanted.starts_before <= wanted.starts_from:
            return Page([], None)
        request = {"TableName": self.table, "IndexName": USER_INDEX, **_list_request(wanted)}
        limit = wanted.limit
        found: list[tuple[Position, Appointment]] = []
        for _ in range(LIST_QUERIES):
            answer = self.database.client.query(**request)
            appointments = [appointment_from_item(item) for item in answer["Items"]]
            found += [(Position(each.interval.start, each.appointment_id), each) for each in appointments]
            read_up_to = answer.get("LastEvaluatedKey")
            if read_up_to is None or len(found) > limit:
                break
            request["ExclusiveStartKey"] = read_up_to
        page, next_position = found[:limit], None
        if len(found) > limit:
            next_position = page[-1][0]
        elif read_up_to is not None:
            next_position = Position(from_utc_text(read_up_to["startTime"]["S"]), read_up_to["appointmentId"]["S"])
        return Page(page, next_position)

    def given_in_local_time(self, time_zones: Collection[str], now: datetime) -> Iterator[Appointment]:
        """Every appointment to come that takes time and was given in the local time of one of these zones.

        Reads the whole table, page by page: for an operator and once in years, when a zone's rules change. A session
        that was joined is left out, because nobody is moved with one.
        """
        zones = {f":zone{number}": {"S": name} for number, name in enumerate(time_zones)}
        occupying = (status for status in Status if status.occupies)
        statuses = {f":status{number}": {"S": status.value} for number, status in enumerate(occupying)}
        pages = self.database.client.get_paginator("scan").paginate(
            TableName=self.table,
            FilterExpression=f"#timeZone IN ({', '.join(zones)}) AND attribute_exists(wallStart) "
            f"AND #status IN ({', '.join(statuses)}) AND startTime > :now AND attribute_not_exists(joins)",
            ExpressionAttributeNames={"#timeZone": "timeZone", "#status": "status"},
            ExpressionAttributeValues={**zones, ":now": {"S": to_utc_text(now)}, **statuses},
            ConsistentRead=True,
        )
        found = (appointment_from_item(item) for page in pages for item in page["Items"])
        return (appointment for appointment in found if not appointment.has_expired(now))

    def change(self, before: Appointment, after: Appointment, change_id: str | None = None) -> None:
        """Change what does not touch any calendar: details, zone, reminders.

        `change_id` is the request's. Raises AppointmentChangedError, ContentionError, CalendarBusyError in doubt.
        """
        change_id = change_id or str(uuid.uuid4())
        try:
            self.database.update(**self.changing(before, after, change_id)["Update"])
        except ConditionFailedError as exc:
            # The SDK repeats a write whose answer got lost, and meets its own.
            if not own_change(exc.item, change_id, before.version if exc.repeated else None):
                raise AppointmentChangedError(appointment_from_item(exc.item) if exc.item else None) from exc
        except ContentionError as exc:
            unless_written(exc, lambda: self.changed(before, change_id))

    def changed(self, before: Appointment, change_id: str) -> Item | None:
        """The item, if a change whose answer got lost was written. Raises CalendarBusyError where that is unknown."""
        item = self.database.look(self.table, appointment_key(before.appointment_id))
        return own_change(item, change_id, before.version)

    # --- actions of a transaction ---

    def putting(self, appointment: Appointment) -> Entry:
        """Put a new appointment, on condition that its id is new."""
        return {
            "Put": {
                "TableName": self.table,
                "Item": appointment_to_item(appointment, self.retention),
                "ConditionExpression": "attribute_not_exists(appointmentId)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def changing(self, before: Appointment, after: Appointment, change_id: str) -> Entry:
        """Write `after` over `before`, on condition that nobody, no sender either, has changed it meanwhile."""
        new, old = (appointment_to_item(appointment, self.retention) for appointment in (after, before))
        changed = {name: value for name, value in new.items() if value != old.get(name)}
        changed["changeId"] = {"S": change_id}
        gone = [name for name in old if name not in new]
        names = {f"#{name}": name for name in (*changed, *gone)} | {"#version": "version"}
        values = {f":{name}": value for name, value in changed.items()} | {":was": old["version"]}
        condition = "#version = :was"
        if not changed.keys().isdisjoint(_FOR_SENDERS):
            # A sender does not count versions: its claim or its record must not be overwritten, nor answered as it was.
            condition += " AND #reminders = :reminders_were"
            names["#reminders"] = "reminders"
            values[":reminders_were"] = reminders_as_read(before)
        if before.session_seats is not None:
            # Whoever joined meanwhile must be neither left in a session that is cancelled, nor moved, nor too many.
            names["#joins"] = "joins"
            condition += " AND #joins = :joins_were" if before.joins else " AND attribute_not_exists(#joins)"
            values |= {":joins_were": old["joins"]} if before.joins else {}
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in changed)
        if gone:
            update += " REMOVE " + ", ".join(f"#{name}" for name in gone)
        return {
            "Update": {
                "TableName": self.table,
                "Key": {"appointmentId": old["appointmentId"]},
                "UpdateExpression": update,
                "ConditionExpression": condition,
                "ExpressionAttributeNames": names,
                "ExpressionAttributeValues": values,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def joining(self, session_id: str, version: int) -> Entry:
        """Count that a session is joined, on condition that it is the version that was read.

        The count lets whoever changes the session know of everybody who joined meanwhile.
        """
        return {
            "Update": {
                "TableName": self.table,
                "Key": appointment_key(session_id),
                "UpdateExpression": "ADD joins :one",
                "ConditionExpression": "#version = :version",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":one": {"N": "1"}, ":version": {"N": str(version)}},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }


def _list_request(wanted: ListQuery) -> dict[str, Any]:
    """The conditions of a page: a sort key takes one, and BETWEEN includes both ends, in whole seconds."""
    values: dict[str, Any] = {
        ":user": {"S": wanted.user_id},
        ":first": {"S": to_utc_text(wanted.starts_from)},
        ":last": {"S": to_utc_text(wanted.starts_before - timedelta(seconds=1))},
    }
    request: dict[str, Any] = {
        "KeyConditionExpression": "userId = :user AND startTime BETWEEN :first AND :last",
        "ExpressionAttributeValues": values,
        # One more than asked for tells whether there is a next page.
        "Limit": wanted.limit + 1,
    }
    filters = {"status": wanted.status, "serviceId": wanted.service_id}
    asked = {name: value for name, value in filters.items() if value}
    if asked:
        values |= {f":{name}": {"S": value} for name, value in asked.items()}
        request["FilterExpression"] = " AND ".join(f"#{name} = :{name}" for name in asked)
        request["ExpressionAttributeNames"] = {f"#{name}": name for name in asked}
        request["Limit"] = max(wanted.limit + 1, 200)  # the filter comes after the limit
    if wanted.after:
        request["ExclusiveStartKey"] = {
            "userId": {"S": wanted.user_id},
            "startTime": {"S": to_utc_text(wanted.after.start)},
            "appointmentId": {"S": wanted.after.appointment_id},
        }
    return request


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
        "details": {"S": json.dumps(appointment.details, ensure_ascii=False, separators=(",", ":"))},
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
        by=item["by"]["S"] if "by" in item else SYSTEM,
    )


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
