"""Calendar days in the calendars table: an item per calendar and UTC day, its entries and its counters.

`a#<appointmentId>` is what an appointment takes on the calendar, `<start>-<end>` in epoch seconds and several of them
separated by commas. Options follow a `;`: `;places=3` takes three places, `;until=` with epoch seconds ends then by
itself, and `;block=1` takes all places. One that this version does not know is passed over; so a block, which names as
many places as there can be, is one in other versions too.
`q<n>` counts how often time was taken in a quarter hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from appointments.claims import quarter_hours
from appointments.model import DAY, CalendarDay, DayKey, Interval, Taken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from appointments.claims import Claim
    from appointments.model import Appointment
    from appointments.storage.dynamodb import Database, Entry, Item

# Entries that have run out, and that one write removes from a day at most.
MAX_REMOVED = 10
_ENTRY = "a#"
_COUNTER = "q"
_QUARTERS = {f"{_COUNTER}{quarter}": quarter for quarter in range(96)}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CalendarDays:
    """Reads of calendar days, and the actions of a transaction on them."""

    database: Database
    table: str
    retention: timedelta

    def span(self, calendar_id: str, first: date, last: date) -> Iterator[CalendarDay]:
        """All days of a calendar from `first` to `last`, both included; strongly consistent, one query.

        Its pages are read as they are asked for.
        """
        pages = self.database.client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="calendarId = :calendar AND #day BETWEEN :first AND :last",
            ExpressionAttributeNames={"#day": "day"},
            ExpressionAttributeValues={
                ":calendar": {"S": calendar_id},
                ":first": {"S": first.isoformat()},
                ":last": {"S": last.isoformat()},
            },
            ConsistentRead=True,
        )
        return (day_from_item(item) for page in pages for item in page["Items"])

    # --- actions of a transaction ---

    def taking(
        self, appointment: Appointment, claims: Sequence[Claim], day: CalendarDay, deciding: Sequence[int]
    ) -> Entry:
        """Enter claims in a day and count their quarter hours, on condition that the `deciding` ones are unchanged.

        Entries that have run out are removed, on condition that they still say so.
        """
        condition, values = _unchanged(day, deciding)
        names = {"#entry": _entry_name(appointment.appointment_id)}
        run_out = day.run_out(appointment.updated_at)[:MAX_REMOVED] if day.expiring else []
        for number, id_ in enumerate(id_ for id_ in run_out if id_ != appointment.appointment_id):
            names[f"#out{number}"] = _entry_name(id_)
            values[f":out{number}"] = {"S": day.expiring[id_]}
            condition += f" AND #out{number} = :out{number}"
        values[":entry"] = {"S": entry_to_text(claim for claim in claims if claim.calendar_id == day.key.calendar_id)}
        values[":expires"] = {"N": str(_day_expiry(day.key.day, self.retention))}
        values[":one"] = {"N": "1"}
        counted = ", ".join(f"{_COUNTER}{quarter} :one" for quarter in quarter_hours(claims, day.key))
        return {
            "Update": {
                "TableName": self.table,
                "Key": day_key_item(day.key),
                "UpdateExpression": f"SET #entry = :entry, expiresAt = :expires ADD {counted}{_removing(names)}",
                "ConditionExpression": condition,
                "ExpressionAttributeNames": names,
                "ExpressionAttributeValues": values,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

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
        return {
            "Update": {
                "TableName": self.table,
                "Key": day_key_item(key),
                "UpdateExpression": "SET expiresAt = :expires REMOVE #entry",
                "ExpressionAttributeNames": {"#entry": _entry_name(appointment_id)},
                "ExpressionAttributeValues": {":expires": {"N": str(_day_expiry(key.day, self.retention))}},
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


def day_from_item(item: Item) -> CalendarDay:
    """Read a calendar day: its entries and its counters."""
    entries, counters, expiring = {}, {}, {}
    for name, value in item.items():
        if name in _QUARTERS:
            counters[_QUARTERS[name]] = int(value["N"])
        elif name.startswith(_ENTRY):
            id_, text = name.removeprefix(_ENTRY), value["S"]
            entries[id_] = entry_from_text(text)
            if ";until=" in text:
                expiring[id_] = text
    return CalendarDay(day_key_from_item(item), entries, counters, expiring)


def day_key_item(key: DayKey) -> dict[str, Any]:
    """The key of a calendar day's item."""
    return {"calendarId": {"S": key.calendar_id}, "day": {"S": key.day.isoformat()}}


def day_key_from_item(item: Item) -> DayKey:
    """The inverse of `day_key_item`."""
    return DayKey(item["calendarId"]["S"], date.fromisoformat(item["day"]["S"]))


def entry_to_text(claims: Iterable[Claim]) -> str:
    """What an appointment takes on one calendar, as its entry in each of the calendar's days."""
    return ",".join(
        f"{claim.interval.start.timestamp():.0f}-{claim.interval.end.timestamp():.0f}"
        + (f";places={claim.places}" if claim.places != 1 else "")
        + (f";until={claim.until.timestamp():.0f}" if claim.until else "")
        + (";block=1" if claim.block else "")
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
    return Taken(_interval_from_text(span), int(values.get("places", 1)), until, "block" in values)


def _interval_from_text(text: str) -> Interval:
    start, _, end = text.partition("-")
    return Interval(datetime.fromtimestamp(int(start), UTC), datetime.fromtimestamp(int(end), UTC))


def _entry_name(appointment_id: str) -> str:
    return f"{_ENTRY}{appointment_id}"


def _removing(names: Mapping[str, str]) -> str:
    """The clause that removes the entries of these placeholders, without the one that is set."""
    others = [name for name in names if name != "#entry"]
    return f" REMOVE {', '.join(others)}" if others else ""


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
