"""Calendar days in the calendars table: an item per calendar and UTC day, its entries and its counters.

`a#<appointmentId>` is what an appointment takes on the calendar, `<start>-<end>` in epoch seconds and several of them
separated by commas. Options follow a `;`: `;places=3` takes three places, `;until=` with epoch seconds ends then by
itself, `;block=` with the epoch seconds at which it was placed takes all places, and `;service=` is the service that
counts it on the person's day. One that this version does not know is passed over; so a block, which names as many
places as there can be, is one in other versions too.
`q<n>` counts how often time was taken in a quarter hour.

A day whose item holds `most_inline` entries writes further ones into overflow items, and a marker into its own item. An
overflow item holds the entries that begin in one quarter hour, or those that are long, and of these a sixteenth, by the
appointment's id. The day's own item alone has the counters, and with them the conditions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from appointments.claims import Claim, quarter_hours, session_calendar
from appointments.errors import TooManyAppointmentsError
from appointments.model import DAY, CalendarDay, DayKey, Interval, OverflowKey, Taken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from appointments.model import Appointment
    from appointments.storage.dynamodb import Database, Entry, Item

    # What lies in one item, by appointment.
    Entries = Mapping[str, tuple[Taken, ...]]

# The most entries of calendar days that one read returns. Each takes some 10 us of CPU, and a request reads thrice.
MAX_ENTRIES_READ = 50_000
# Entries that have run out, and that one write removes from a day at most.
MAX_REMOVED = 10
_ENTRY = "a#"
NO_ENTRIES: Entries = {}
_COUNTER = "q"
_QUARTERS = {f"{_COUNTER}{quarter}": quarter for quarter in range(96)}
# The marker of a day that has overflow items. A release that does not know these takes it for an appointment that needs
# every place of the day, however large the capacity, and so books nothing beside entries that it does not see.
_MARKER = "a#overflow"
_MARKER_PLACES = 1000
# Sort keys of overflow items lie outside those of days: a release that does not know them never reads one.
_OVERFLOW = "overflow#"
# Entries of more quarter hours than that are long. They lie apart, so that the others are found near where they begin.
_SHORT = 8
_LONG = "L"
_HAS_LONG = "overflowLong"
# By which settings the day was last booked.
_SETTINGS = "bookedBy"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CalendarDays:
    """Reads of calendar days, and the actions of a transaction on them."""

    database: Database
    table: str
    retention: timedelta
    # With so many entries in a day's own item, further ones go into overflow items.
    most_inline: int = 64

    def span(self, calendar_id: str, first: date, last: date) -> Iterator[CalendarDay]:
        """All days of a calendar from `first` to `last`, both included; strongly consistent, one query.

        They come without their counters, which are for decisions. Another query reads overflow items, if there are any.
        Pages are read as they are asked for. Raises TooManyAppointmentsError where one day has too many.
        """
        following = self.overflow(calendar_id, first, last)
        key, entries = DayKey(calendar_id, date.min), NO_ENTRIES
        for item in self._query(calendar_id, first.isoformat(), last.isoformat()):
            day = day_from_item(item, counted=False)
            found = []
            size = 0
            while day.overflow is not None and key <= day.key:
                if key == day.key:
                    found.append(entries)
                    size += len(entries)
                if size > MAX_ENTRIES_READ:
                    raise TooManyAppointmentsError(MAX_ENTRIES_READ)
                key, entries = next(following, (DayKey(calendar_id, date.max), NO_ENTRIES))
            yield with_overflow(day, found) if found else day

    def overflow(self, calendar_id: str, first: date, last: date) -> Iterator[tuple[DayKey, Entries]]:
        """The overflow items of a calendar's days from `first` to `last`, in order, each with its day; as `span`."""
        return self._overflow(calendar_id, f"{first}", f"{last}~")

    def overflow_near(self, day: CalendarDay, quarters: range) -> Iterator[tuple[DayKey, Entries]]:
        """As `overflow`, of one day, without items of which no entry touches one of the `quarters`."""
        calendar_id, date_ = day.key
        if quarters:
            first, last = max(quarters[0] - _SHORT + 1, 0), quarters[-1]
            yield from self._overflow(calendar_id, f"{date_}#{first:02}", f"{date_}#{last:02}~")
            if day.long:
                yield from self._overflow(calendar_id, f"{date_}#{_LONG}", f"{date_}#{_LONG}~")

    def _overflow(self, calendar_id: str, first: str, last: str) -> Iterator[tuple[DayKey, Entries]]:
        for item in self._query(calendar_id, _OVERFLOW + first, _OVERFLOW + last):
            day, _, _ = item["day"]["S"].removeprefix(_OVERFLOW).partition("#")
            entries = {
                name.removeprefix(_ENTRY): entry_from_text(value["S"])
                for name, value in item.items()
                if name.startswith(_ENTRY)
            }
            yield DayKey(calendar_id, date.fromisoformat(day)), entries

    def joined(self, session: Appointment) -> dict[str, Taken]:
        """Whoever takes seats of a session, by appointment; strongly consistent.

        All of them lie where the session lies, so each has an entry on its first day.
        """
        calendar_id, day = session_calendar(session.appointment_id), session.interval.start.date()
        return {id_: entry[0] for each in self.span(calendar_id, day, day) for id_, entry in each.entries.items()}

    def seats_left(self, session: Appointment, now: datetime) -> int:
        """How many seats of a session are left; strongly consistent."""
        taken = sum(one.places for one in self.joined(session).values() if not one.has_run_out(now))
        return max((session.session_seats or 0) - taken, 0)

    def _query(self, calendar_id: str, first: str, last: str) -> Iterator[Item]:
        pages = self.database.client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="calendarId = :calendar AND #day BETWEEN :first AND :last",
            ExpressionAttributeNames={"#day": "day"},
            ExpressionAttributeValues={
                ":calendar": {"S": calendar_id},
                ":first": {"S": first},
                ":last": {"S": last},
            },
            ConsistentRead=True,
        )
        return (item for page in pages for item in page["Items"])

    # --- actions of a transaction ---

    def taking(
        self,
        appointment: Appointment,
        claims: Sequence[Claim],
        day: CalendarDay,
        deciding: Sequence[int],
        settings: str | None,
    ) -> Entry:
        """Enter claims in a day and count their quarter hours, on condition that the `deciding` ones are unchanged.

        The day keeps the mark of the `settings` that this was decided by, which the same transaction checks.

        Entries of the day's own item that have run out are removed, on condition that they still say so.
        """
        action = self._counting(claims, day, deciding, settings, "SET #entry = :entry, expiresAt = :expires")
        names = action["ExpressionAttributeNames"] = {"#entry": _entry_name(appointment.appointment_id)}
        action["ExpressionAttributeValues"][":entry"] = {"S": entry_to_text(_on_calendar(claims, day.key))}
        gone = day.run_out(appointment.updated_at, appointment.appointment_id)
        for number, id_ in enumerate(gone[:MAX_REMOVED]):
            names[f"#out{number}"] = _entry_name(id_)
            action["ExpressionAttributeValues"][f":out{number}"] = {"S": day.expiring[id_]}
            action["ConditionExpression"] += f" AND #out{number} = :out{number}"
            action["UpdateExpression"] += f"{', ' if number else ' REMOVE '}#out{number}"
        return {"Update": action}

    def taking_beside(
        self,
        appointment_id: str,
        claims: Sequence[Claim],
        day: CalendarDay,
        deciding: Sequence[int],
        settings: str | None,
    ) -> Entry:
        """As `taking`, for an entry that goes into an overflow item: the day is marked, and holds the entry no more."""
        action = self._counting(claims, day, deciding, settings, "SET #marker = :marker, expiresAt = :expires")
        action["UpdateExpression"] += " REMOVE #entry"
        action["ExpressionAttributeNames"] = {"#entry": _entry_name(appointment_id), "#marker": _MARKER}
        midnight = datetime.combine(day.key.day, time(), UTC)
        whole_day = Claim(day.key.calendar_id, Interval(midnight, midnight + DAY), _MARKER_PLACES)
        action["ExpressionAttributeValues"][":marker"] = {"S": entry_to_text([whole_day])}
        if overflow_key(appointment_id, claims, day.key).part.startswith(_LONG):
            action["UpdateExpression"] = action["UpdateExpression"].replace("SET ", f"SET {_HAS_LONG} = :one, ", 1)
        return {"Update": action}

    def _counting(
        self, claims: Sequence[Claim], day: CalendarDay, deciding: Sequence[int], settings: str | None, update: str
    ) -> Entry:
        condition, values = _unchanged(day, deciding)
        values[":expires"] = {"N": str(_day_expiry(day.key.day, self.retention))}
        values[":one"] = {"N": "1"}
        if settings:
            values[":settings"] = {"S": settings}
            update += f", {_SETTINGS} = :settings"
        counted = ", ".join(f"{_COUNTER}{quarter} :one" for quarter in quarter_hours(claims, day.key))
        return {
            "TableName": self.table,
            "Key": day_key_item(day.key),
            "UpdateExpression": f"{update} ADD {counted}",
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def entering(self, appointment_id: str, claims: Sequence[Claim], key: OverflowKey) -> Entry:
        """Enter claims in an overflow item. The day's own item counts them in the same transaction."""
        return self._on_item(
            appointment_id, key.day, _overflow_key_item(key), entry_to_text(_on_calendar(claims, key.day))
        )

    def leaving_overflow(self, appointment_id: str, key: OverflowKey) -> Entry:
        """Take an appointment out of an overflow item, as `leaving` does out of a day."""
        return self._on_item(appointment_id, key.day, _overflow_key_item(key))

    def checking(self, day: CalendarDay, deciding: Sequence[int]) -> Entry:
        """Check that the `deciding` quarter hours of a day, into which only a buffer reaches, have not changed."""
        return {"ConditionCheck": self._checked(day, deciding)}

    def checking_and_leaving(self, appointment_id: str, day: CalendarDay, deciding: Sequence[int]) -> Entry:
        """As `checking`, for a day that the appointment leaves: an item takes one action in a transaction."""
        checked, update = self._checked(day, deciding), self.leaving(appointment_id, day.key)["Update"]
        values = checked.get("ExpressionAttributeValues", {}) | update["ExpressionAttributeValues"]
        return {"Update": checked | update | {"ExpressionAttributeValues": values}}

    def leaving(self, appointment_id: str, key: DayKey) -> Entry:
        """Take an appointment out of a day. What was free stays free, so no counter needs to move.

        A day that has expired is written anew, without entries, and must expire too.
        """
        return self._on_item(appointment_id, key, day_key_item(key))

    def _on_item(self, appointment_id: str, key: DayKey, item_key: Item, text: str | None = None) -> Entry:
        """Set the entry of an appointment in an item, or remove it."""
        values = {":expires": {"N": str(_day_expiry(key.day, self.retention))}}
        return {
            "Update": {
                "TableName": self.table,
                "Key": item_key,
                "UpdateExpression": "SET expiresAt = :expires"
                + (" REMOVE #entry" if text is None else ", #entry = :entry"),
                "ExpressionAttributeNames": {"#entry": _entry_name(appointment_id)},
                "ExpressionAttributeValues": values if text is None else {**values, ":entry": {"S": text}},
            }
        }

    def _checked(self, day: CalendarDay, deciding: Sequence[int]) -> Entry:
        condition, values = _unchanged(day, deciding)
        return {
            "TableName": self.table,
            "Key": day_key_item(day.key),
            "ConditionExpression": condition,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            **({"ExpressionAttributeValues": values} if values else {}),
        }


def day_from_item(item: Item, *, counted: bool = True) -> CalendarDay:
    """Read a calendar day: the entries in its own item, and its counters, unless it is not `counted`.

    Nobody can decide by a day without its counters: a condition made of them would not hold.
    """
    # Entries alone have a # in their names. A month of a busy clinic has tens of thousands.
    texts = {name.removeprefix(_ENTRY): value["S"] for name, value in item.items() if "#" in name and name != _MARKER}
    entries = {id_: entry_from_text(text) for id_, text in texts.items()}
    expiring = {id_: text for id_, text in texts.items() if ";" in text and ";until=" in text}
    counts = item.items() if counted else ()
    counters = {_QUARTERS[name]: int(value["N"]) for name, value in counts if name in _QUARTERS}
    settings = item[_SETTINGS]["S"] if _SETTINGS in item else None
    key = day_key_from_item(item)
    if _MARKER not in item:
        return CalendarDay(key, entries, counters, expiring, settings=settings)
    return CalendarDay(key, entries, counters, expiring, frozenset(), _HAS_LONG in item, settings=settings)


def with_overflow(day: CalendarDay, items: Iterable[Entries], seen: range | None = None) -> CalendarDay:
    """A day with the entries of its overflow items, or of those that were read to show the quarter hours `seen`.

    They are no snapshot, nor is one with the day: what was moved between them counts with every interval.
    """
    entries = dict(day.entries)
    overflow: set[str] = set()
    for item in items:
        overflow.update(item)
        for id_ in entries.keys() & item.keys():
            entries[id_] = tuple(dict.fromkeys((*entries[id_], *item[id_])))
        entries.update({id_: entry for id_, entry in item.items() if id_ not in entries})
    return CalendarDay(day.key, entries, day.counters, day.expiring, overflow, day.long, seen, day.settings)


def overflow_key(appointment_id: str, claims: Sequence[Claim], key: DayKey) -> OverflowKey:
    """The overflow item for the entry of an appointment on a calendar day."""
    quarters = quarter_hours(claims, key)
    short = quarters[-1] - quarters[0] < _SHORT
    return OverflowKey(key, f"{quarters[0]:02}{appointment_id[-1:]}" if short else f"{_LONG}{appointment_id[-1:]}")


def day_key_item(key: DayKey) -> dict[str, Any]:
    """The key of a calendar day's item."""
    return {"calendarId": {"S": key.calendar_id}, "day": {"S": key.day.isoformat()}}


def day_key_from_item(item: Item) -> DayKey:
    """The inverse of `day_key_item`."""
    return DayKey(item["calendarId"]["S"], date.fromisoformat(item["day"]["S"]))


def _overflow_key_item(key: OverflowKey) -> dict[str, Any]:
    return {"calendarId": {"S": key.day.calendar_id}, "day": {"S": f"{_OVERFLOW}{key.day.day}#{key.part}"}}


def _on_calendar(claims: Iterable[Claim], key: DayKey) -> Iterator[Claim]:
    return (claim for claim in claims if claim.calendar_id == key.calendar_id)


def entry_to_text(claims: Iterable[Claim]) -> str:
    """What an appointment takes on one calendar, as its entry in each of the calendar's days."""
    return ",".join(
        f"{claim.interval.start.timestamp():.0f}-{claim.interval.end.timestamp():.0f}"
        + (f";places={claim.places}" if claim.places != 1 else "")
        + (f";service={claim.daily.service_id}" if claim.daily else "")
        + (f";until={claim.until.timestamp():.0f}" if claim.until else "")
        + (f";block={int(claim.block.timestamp())}" if claim.block else "")
        for claim in claims
    )


# Appointments begin and end at the same few times on all calendars, and a day is read again and again.
@lru_cache(maxsize=4096)
def entry_from_text(text: str) -> tuple[Taken, ...]:
    """The inverse of `entry_to_text`."""
    if ";" in text or "," in text:
        return tuple(_taken_from_text(part) for part in text.split(","))
    return (Taken(_interval_from_text(text)),)


def _taken_from_text(text: str) -> Taken:
    span, *options = text.split(";")
    values = {name: value for name, _, value in (option.partition("=") for option in options)}
    until = datetime.fromtimestamp(int(values["until"]), UTC) if "until" in values else None
    block = datetime.fromtimestamp(int(values["block"]), UTC) if "block" in values else None
    return Taken(_interval_from_text(span), int(values.get("places", 1)), until, block, values.get("service"))


def _interval_from_text(text: str) -> Interval:
    start, _, end = text.partition("-")
    return Interval(datetime.fromtimestamp(int(start), UTC), datetime.fromtimestamp(int(end), UTC))


def _entry_name(appointment_id: str) -> str:
    return f"{_ENTRY}{appointment_id}"


def _unchanged(day: CalendarDay, quarters: Iterable[int]) -> tuple[str, dict[str, Any]]:
    """The condition that quarter hours of a day are still as they were read, and its values."""
    parts: list[str] = []
    values: dict[str, Any] = {}
    for quarter in quarters:
        name = f"{_COUNTER}{quarter}"
        if quarter in day.counters:
            values[f":{name}"] = {"N": str(day.counters[quarter])}
            parts.append(f"{name} = :{name}")
        else:
            parts.append(f"attribute_not_exists({name})")
    return " AND ".join(parts), values


def _day_expiry(day: date, retention: timedelta) -> int:
    return int((datetime.combine(day, time(), UTC) + DAY + retention).timestamp())
