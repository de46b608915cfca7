"""Fields that requests to book and to change an appointment have in common."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from appointments.errors import Fault
from appointments.json_text import to_json
from appointments.model import MAX_CAPACITY, MAX_DURATION, MAX_HOLD_MINUTES, Interval, WallTimes
from appointments.reader import LAST_YEAR
from appointments.storage.dynamodb import TRANSACTION_ACTIONS
from appointments.times import (
    first_instant,
    has_offset,
    is_longer,
    load_zone,
    parse_time,
    to_utc_text,
    to_wall_text,
    wall_time,
)

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from appointments.contacts import Contact
    from appointments.reader import Reader

MAX_DETAILS_BYTES = 16 * 1024
# Far below what the JSON library takes, so that whatever was stored can be read and answered again.
MAX_DETAILS_DEPTH = 32
# What the texts of reminders show. All other fields are the caller's own.
DETAILS_TEXTS = ("title", "location", "description", "contact")


def wall_times_of(interval: Interval, zone: ZoneInfo | None, end: str | None = None) -> WallTimes | None:
    """An interval as the clock on the wall shows it; None without a zone.

    An `end` that was asked for and that the clock skips is kept as it was asked for, because the length rests on it. If
    that has an offset, it is as long after the start on the wall as in elapsed time.
    """
    if zone is None:
        return None
    wall = WallTimes(*(to_wall_text(moment, zone) for moment in interval))
    if end is None or wall.end.startswith(end):
        return wall
    if has_offset(end):
        asked = wall_time(interval.start, zone) + (interval.end - interval.start)
    else:
        asked = wall_time(parse_time(end, load_zone("UTC")), load_zone("UTC"))
    skipped = first_instant(asked, zone) == interval.end
    return wall._replace(end=asked.isoformat(timespec="seconds")) if skipped else wall


def past_fault(start: datetime | None, now: datetime) -> Fault | None:
    """The fault of a start that has passed."""
    if start is None or start >= now.replace(microsecond=0):
        return None
    return Fault("startTime", f"lies in the past; it is now {to_utc_text(now)}")


def read_interval(
    reader: Reader, start: datetime | None, end: datetime | None, zone: ZoneInfo | None
) -> Interval | None:
    """The interval from start to end, None if one of them or the interval is at fault."""
    if not start or not end:
        return None
    if end <= start:
        reader.fault("endTime", "must be after startTime")
        return None
    if is_longer(start, end, MAX_DURATION, zone):
        reader.fault("endTime", f"must be at most {MAX_DURATION.days} days after startTime")
        return None
    if end.year > LAST_YEAR:  # a move that keeps the length
        reader.fault("startTime", f"makes it end after the year {LAST_YEAR}")
        return None
    return Interval(start, end)


def fit_one_transaction(reader: Reader, days: int, calendars: int) -> None:
    """Add a fault if a change of so many calendar days does not fit into one transaction with the appointment itself.

    Each of the calendars may add the UTC day before and the one after: its buffers, which nobody has read yet,
    reach that far and no further.
    """
    calendar_days = days + 2 * calendars
    if calendar_days >= TRANSACTION_ACTIONS:
        reader.fault(
            "resourceIds",
            f"and the days make {calendar_days} calendar days, with one before and one after on each calendar for "
            f"its buffers; at most {TRANSACTION_ACTIONS - 1} fit into one transaction, so take fewer calendars or "
            f"days",
        )


def read_seats(reader: Reader, calendar_ids: Collection[str], default: int = 1) -> int:
    """How many places to take on the calendars beside the person's; without such calendars, there is one."""
    if "seats" not in reader.body:
        return default
    seats = reader.whole("seats", 1, MAX_CAPACITY) or 1
    if seats > 1 and not calendar_ids:
        reader.fault("seats", "are places of the calendars in resourceIds or anyOf, and there are none")
    return seats


def read_hold(reader: Reader, *, by_service: bool = False) -> timedelta | None:
    """For how long to hold the time instead of booking it; zero where that is left to the service."""
    if "hold" not in reader.body:
        return None
    value = reader.body["hold"]
    named = {"minutes"} if value or not by_service else set()
    if not isinstance(value, dict) or value.keys() != named:
        more = "; without minutes, the service says how many" if by_service else ""
        reader.fault("hold", 'must be an object such as {"minutes": 10}' + more)
        return None
    minutes = reader.whole_value("hold.minutes", value["minutes"], 1, MAX_HOLD_MINUTES) if named else 0
    return timedelta(minutes=minutes or 0)


def read_session(reader: Reader, default: int | None = None) -> int | None:
    """How many seats an appointment has for others to join."""
    if "session" not in reader.body:
        return default
    for name in ("seats", "hold"):
        if name in reader.body:
            reader.fault(name, "is not for a session; whoever joins it takes seats, and it is booked at once")
    value = reader.body["session"]
    if not isinstance(value, dict) or value.keys() != {"seats"}:
        reader.fault("session", 'must be an object such as {"seats": 12}')
        return default
    return reader.whole_value("session.seats", value["seats"], 1, MAX_CAPACITY)


def read_details(reader: Reader) -> dict[str, Any]:
    """The caller's own data."""
    details = reader.body.get("details", {})
    if not isinstance(details, dict):
        reader.fault("details", "must be a JSON object")
        return {}
    if _depth(details) > MAX_DETAILS_DEPTH:
        reader.fault("details", f"must be nested at most {MAX_DETAILS_DEPTH} levels deep")
        return {}
    for name in DETAILS_TEXTS:
        if not isinstance(details.get(name, ""), str):
            reader.fault(f"details.{name}", "must be a string")
    size = len(to_json(details).encode())
    if size > MAX_DETAILS_BYTES:
        reader.fault("details", f"must be at most {MAX_DETAILS_BYTES} bytes of JSON; these are {size}")
    return details


def read_contact_if_sent(reader: Reader) -> Contact | None:
    """Where the person is reached about the appointment; None where it is not sent, or is at fault."""
    if "contact" not in reader.body:
        return None
    from conflict_detector.contacts.parsing import read_contact  # noqa: PLC0415 - what checks addresses is large

    return read_contact(reader)


def _depth(value: dict[str, Any]) -> int:
    """How many objects and lists lie within one another."""
    depth = 0
    level: list[dict[str, Any] | list[Any]] = [value]
    while level:
        depth += 1
        inside = (inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer))
        level = [inner for inner in inside if isinstance(inner, dict | list)]
    return depth
