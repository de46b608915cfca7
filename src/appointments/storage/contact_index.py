"""Who is found by an email address or a phone number: items of their own in the calendars table, by its digest.

The event relay writes them, and nothing decides by them: what is found is read, and compared with its contact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.storage.appointment_items import appointment_from_item, appointment_key
from appointments.storage.contacts import contact_key, stored_contact
from appointments.storage.lists import ListQuery, Page, Position, page_of_person
from appointments.times import from_utc_text, to_utc_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from appointments.contact_digests import ContactDigests
    from appointments.contacts import Contact
    from appointments.model import Appointment, Interval
    from appointments.statuses import Status
    from appointments.storage.appointments import Appointments
    from appointments.storage.dynamodb import Database

# Begins the partition key of an address. No calendar's id has a `#`.
CONTACTS = "contact#"
# Begins the sort key of a calendar whose contact has the address; that of an appointment begins with its start.
CALENDARS = "calendar#"
# For one page: keys in one query, whose appointments are one read, and queries. What is left out is read, too.
KEYS = 100
QUERIES = 10
# So many appointments to come of one number are looked at, to find what an answer means.
MOST_MEANT = 200
# Persons who share an address, such as a family, and whose lists are read for a page.
MAX_PERSONS = 20


class Listed(NamedTuple):
    """An address, and the sort key of what is found by it."""

    address: str
    what: str


class ContactQuery(NamedTuple):
    """The appointments of whoever is reached at an address, those with `starts_from <= start < starts_before`."""

    address: str
    starts_from: datetime
    starts_before: datetime
    status: Status | None = None
    limit: int = 50
    after: Position | None = None
    service_id: str | None = None


def listed_appointment(appointment: Appointment) -> set[Listed]:
    """Under what an appointment is found: each address of its contact."""
    what = f"{to_utc_text(appointment.interval.start)}#{appointment.appointment_id}"
    return {Listed(address, what) for address in addresses(appointment.contact)}


def listed_calendar(calendar_id: str, contact: Contact | None) -> set[Listed]:
    """Under what a calendar is found."""
    return {Listed(address, CALENDARS + calendar_id) for address in addresses(contact)}


def addresses(contact: Contact | None) -> set[str]:
    """What a contact is found by, also through which nobody wants to be reached. Letters count in either case."""
    return {address.lower() for address in (contact.email, contact.phone) if address} if contact else set()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ContactIndex:
    """Writes and reads of the index."""

    database: Database
    table: str
    # Few calls are about contacts, and only they need the key.
    digests: Callable[[], ContactDigests]

    def write(self, puts: Mapping[Listed, int | None], gone: Iterable[Listed]) -> set[Listed]:
        """Write entries, each with until when it is kept, and remove others; those that are left are returned."""
        requests: dict[Listed, Any] = {one: {"DeleteRequest": {"Key": self._key(one)}} for one in gone}
        for one, until in puts.items():
            kept = {"expiresAt": {"N": str(until)}} if until is not None else {}
            requests[one] = {"PutRequest": {"Item": self._key(one) | kept}}
        left = self.database.write_many(self.table, list(requests.values()))
        return {one for one, request in requests.items() if request in left}

    def page(self, appointments: Appointments, wanted: ContactQuery) -> Page:
        """A page of the appointments that are found, by their own contact or by that of the person's calendar.

        The index follows the tables within moments. Where one address is that of several persons, their lists are read
        side by side, and a page goes as far as all of them are known.
        """
        if wanted.starts_before <= wanted.starts_from:
            return Page([], None)
        pages = [self._page_of_entries(appointments, wanted)]
        for person in self._persons(wanted.address):
            first, before, status, limit, after, service_id = wanted[1:]
            pages.append(
                page_of_person(appointments, ListQuery(person, first, before, status, limit, after, service_id))
            )
        known_up_to = min((page.next_position for page in pages if page.next_position), default=None)
        found = {position: each for page in pages for position, each in page.entries}
        entries = sorted((one for one in found.items() if known_up_to is None or one[0] <= known_up_to), key=_position)
        if len(entries) > wanted.limit:
            known_up_to = entries[wanted.limit - 1][0]
        return Page(entries[: wanted.limit], known_up_to)

    def _persons(self, address: str) -> list[str]:
        """The persons whose calendar keeps a contact with this address."""
        items = self.database.client.query(
            TableName=self.table,
            KeyConditionExpression="calendarId = :address AND begins_with(#day, :calendars)",
            ExpressionAttributeNames={"#day": "day"},
            ExpressionAttributeValues={":address": {"S": self._partition(address)}, ":calendars": {"S": CALENDARS}},
            Limit=MAX_PERSONS,
            ConsistentRead=True,
        )["Items"]
        ids = [item["day"]["S"].removeprefix(CALENDARS) for item in items]
        kept = self.database.get_many([(self.table, contact_key(id_)) for id_ in ids])
        return sorted(
            item["calendarId"]["S"] for _, item in kept if address.lower() in addresses(stored_contact(item).contact)
        )

    def _page_of_entries(self, appointments: Appointments, wanted: ContactQuery) -> Page:
        request: dict[str, Any] = {
            "TableName": self.table,
            "KeyConditionExpression": "calendarId = :address AND #day BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#day": "day"},
            "ExpressionAttributeValues": {
                ":address": {"S": self._partition(wanted.address)},
                ":first": {"S": to_utc_text(wanted.starts_from)},
                # Before every entry of this start, which goes on after it.
                ":last": {"S": to_utc_text(wanted.starts_before)},
            },
            "Limit": KEYS,
            "ConsistentRead": True,
        }
        if wanted.after:
            start, id_ = wanted.after
            request["ExclusiveStartKey"] = self._key(Listed(wanted.address, f"{to_utc_text(start)}#{id_}"))
        found: list[tuple[Position, Appointment]] = []
        position = None
        for _ in range(QUERIES):
            answer = self.database.client.query(**request)
            positions = [_position_of(item["day"]["S"]) for item in answer["Items"]]
            there = {each.appointment_id: each for each in self._read(appointments, positions)}
            found += [
                (one, there[one.appointment_id])
                for one in positions
                if one.appointment_id in there and _is_asked_for(there[one.appointment_id], one, wanted)
            ]
            if len(found) > wanted.limit:
                return Page(found[: wanted.limit], found[wanted.limit - 1][0])
            if "LastEvaluatedKey" not in answer:
                return Page(found, None)
            position = positions[-1]
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        return Page(found, position)

    @staticmethod
    def _read(appointments: Appointments, positions: Iterable[Position]) -> Iterator[Appointment]:
        # One that was moved may stand there twice, and DynamoDB takes each key once.
        ids = dict.fromkeys(one.appointment_id for one in positions)
        keys = [(appointments.table, appointment_key(id_)) for id_ in ids]
        return (appointment_from_item(item) for _, item in appointments.database.get_many(keys))

    def _partition(self, address: str) -> str:
        return CONTACTS + self.digests().digest(address.lower())

    def _key(self, listed: Listed) -> dict[str, Any]:
        return {"calendarId": {"S": self._partition(listed.address)}, "day": {"S": listed.what}}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Finder:
    """Finds appointments by where their person is reached, for what is answered there."""

    index: ContactIndex
    appointments: Appointments

    def reached_at(self, phone: str, within: Interval) -> list[Appointment] | None:
        """Those that start in a time, as they are now; None where they are more than MOST_MEANT."""
        page = self.index.page(self.appointments, ContactQuery(phone, *within, limit=MOST_MEANT))
        return [appointment for _, appointment in page.entries] if page.next_position is None else None


def _position_of(what: str) -> Position:
    start, appointment_id = what.split("#")
    return Position(from_utc_text(start), appointment_id)


def _position(entry: tuple[Position, Appointment]) -> Position:
    return entry[0]


def _is_asked_for(appointment: Appointment, listed: Position, wanted: ContactQuery) -> bool:
    """Whether an entry is not outdated, and what it leads to is of the status and service asked for."""
    return (
        appointment.interval.start == listed.start
        and wanted.address.lower() in addresses(appointment.contact)
        and wanted.status in (None, appointment.status)
        and appointment.is_of(wanted.service_id)
    )
