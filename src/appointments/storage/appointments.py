"""The appointments table: an item per appointment, with its reminders in it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from appointments.statuses import Status
from appointments.storage.appointment_items import appointment_from_item, appointment_key, appointment_to_item
from appointments.storage.dynamodb import (
    ConditionFailedError,
    ContentionError,
    NotWrittenError,
    own_change,
    unless_written,
)
from appointments.storage.reminder_items import reminders_as_read
from appointments.times import to_utc_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime, timedelta

    from appointments.model import Appointment
    from appointments.storage.dynamodb import Database, Entry, Item

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
