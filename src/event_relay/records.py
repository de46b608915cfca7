"""What a record of a table's stream says: the events of a change, and the entry of its history."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.bodies import calendar_body, service_body
from appointments.events import Configured, of_appointment, of_configured
from appointments.model import SYSTEM
from appointments.storage.appointment_items import appointment_from_item
from appointments.storage.calendar_settings import SERVICES, SETTINGS, StoredSettings
from appointments.storage.contact_index import listed_appointment, listed_calendar
from appointments.storage.contacts import CONTACT, stored_contact
from appointments.storage.history import Entry, Kept
from appointments.storage.services import StoredService
from appointments.times import from_utc_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from appointments.events import Event
    from appointments.storage.contact_index import Listed
    from appointments.storage.dynamodb import Item

    # As Lambda gives it.
    Record = Mapping[str, Any]


class Told(NamedTuple):
    """What one record tells: its events, and the entry of a new version with the id of its event.

    `found` are the entries by which it is found from now on, each with until when it is kept, and `gone` those by which
    it is not found any more.
    """

    sequence_number: str
    events: list[Event]
    entry: Kept | None = None
    found: Mapping[Listed, int | None] = MappingProxyType({})
    gone: frozenset[Listed] = frozenset()


def sequence_number(record: Record) -> str:
    """The number of a record, by which its shard is read on from it."""
    number: str = record["dynamodb"]["SequenceNumber"]
    return number


def read(record: Record) -> Told:
    """What a record tells; nothing of items that are no appointments, nothing that is configured and no contacts.

    Of removals, only that a contact is gone.

    Raises whatever an item raises that this version cannot read.
    """
    change = record["dynamodb"]
    number = sequence_number(record)
    before, after = change.get("OldImage"), change.get("NewImage")
    if _is_contact(change["Keys"]):
        return _of_contact(number, change["Keys"]["calendarId"]["S"], before, after)
    if after is None:
        return Told(number, [])
    if "appointmentId" in change["Keys"]:
        return _of_appointment(number, before, after, change["ApproximateCreationDateTime"])
    kind = _kind(change["Keys"])
    if kind is None:
        return Told(number, [])
    return Told(number, of_configured(_configured(kind, before) if before else None, _configured(kind, after)))


def _of_appointment(number: str, before: Item | None, after: Item, at: float) -> Told:
    was, now = appointment_from_item(before) if before else None, appointment_from_item(after)
    events = of_appointment(was, now, datetime.fromtimestamp(int(at), UTC))
    entry = None
    if events and events[0].type.startswith("appointment."):
        detail = events[0].detail
        entry = Kept(
            Entry(now.appointment_id, now.version, now.updated_at, now.by, events[0].type, detail["changes"]),
            int(after["expiresAt"]["N"]),
            int(before["expiresAt"]["N"]) if before else None,
        )
    if now.contact is None and (was is None or was.contact is None):
        return Told(number, events, entry)
    until = int(after["expiresAt"]["N"])
    found, found_before = listed_appointment(now), listed_appointment(was) if was else set()
    prolonged = before is None or before["expiresAt"] != after["expiresAt"]
    new = found if prolonged else found - found_before
    return Told(number, events, entry, dict.fromkeys(new, until), frozenset(found_before - found))


def _is_contact(key: Item) -> bool:
    # A service may be named like the sort key of contacts.
    return "day" in key and key["day"]["S"] == CONTACT and key["calendarId"]["S"] != SERVICES


def _of_contact(number: str, calendar_id: str, before: Item | None, after: Item | None) -> Told:
    found, found_before = (
        listed_calendar(calendar_id, stored_contact(item).contact) if item else set() for item in (after, before)
    )
    return Told(number, [], None, dict.fromkeys(found - found_before), frozenset(found_before - found))


def _kind(key: Item) -> str | None:
    if key["calendarId"]["S"] == SERVICES:
        return "service"
    return "calendar" if key["day"]["S"] == SETTINGS else None


def _configured(kind: str, item: Item) -> Configured:
    id_ = item["day" if kind == "service" else "calendarId"]["S"]
    body: dict[str, Any] = json.loads(item["settings"]["S"])
    version, updated_at = int(item["version"]["N"]), from_utc_text(item["updatedAt"]["S"])
    if kind == "service":
        deleted_at = from_utc_text(item["deletedAt"]["S"]) if "deletedAt" in item else None
        shown = service_body(StoredService(id_, body, version, updated_at, deleted_at))
    else:
        shown = calendar_body(id_, StoredSettings(body, _UNREAD, version, updated_at))
    return Configured(kind, id_, version, updated_at, item["by"]["S"] if "by" in item else SYSTEM, shown)


# What settings mean is not told, only what was sent.
_UNREAD: Any = None
