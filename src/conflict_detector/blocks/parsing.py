"""Requests about blocks, from JSON and query to checked values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appointments.blocks import Block
from appointments.errors import AppointmentNotFoundError, BlockNotFoundError, Fault, InvalidRequestError
from appointments.model import MAX_SPAN, Interval
from appointments.reader import Reader
from appointments.storage.lists import BEGIN_OF_TIME, END_OF_TIME, CalendarQuery
from appointments.times import is_longer, to_utc_text
from conflict_detector.appointments.listing import DEFAULT_PAGE, MAX_PAGE, read_position
from conflict_detector.appointments.parsing import (
    fingerprint_of,
    new_id,
    parse_appointment_id,
    read_idempotency_key,
)

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from appointments.reader import Query
    from conflict_detector.request import Headers

MAX_REASON_CHARACTERS = 500

_FIELDS = ("startTime", "endTime", "timeZone", "reason")
_LIST_PARAMETERS = ("from", "to", "timeZone", "limit", "cursor")


def parse_block(body: dict[str, Any], calendar_id: str, now: datetime, headers: Headers) -> tuple[Block, list[Fault]]:
    """Check a request of `POST /calendars/{id}/blocks`. Raises InvalidRequestError with every fault that it has.

    Returned beside it are the faults that do not count if the request repeats another: that it is over. An idempotency
    key is folded into the id, together with the calendar.
    """
    reader = Reader(body, _FIELDS, ("startTime", "endTime"))
    key = read_idempotency_key(headers, reader)
    zone = reader.zone()
    start, end = (reader.time(name, zone, exact=False) for name in ("startTime", "endTime"))
    reason = reader.text("reason")
    if reason is not None and len(reason) > MAX_REASON_CHARACTERS:
        reader.fault("reason", f"must be at most {MAX_REASON_CHARACTERS} characters; these are {len(reason)}")
    interval = _interval(reader, start, end, zone)
    over = [Fault("endTime", f"lies in the past; it is now {to_utc_text(now)}")] if end and end <= now else []
    if reader.faults or interval is None:
        raise InvalidRequestError([*reader.faults, *over])
    block = Block(
        appointment_id=new_id(key, "block", calendar_id),
        user_id=calendar_id,
        interval=interval,
        time_zone=zone.key if zone else None,
        reason=reason,
        fingerprint=fingerprint_of(body, key),
        created_at=now,
        updated_at=now,
    )
    return block, over


def _interval(reader: Reader, start: datetime | None, end: datetime | None, zone: ZoneInfo | None) -> Interval | None:
    if not start or not end:
        return None
    if end <= start:
        reader.fault("endTime", "must be after startTime")
    elif is_longer(start, end, MAX_SPAN, zone):
        reader.fault("endTime", f"must be at most {MAX_SPAN.days} days after startTime")
    return Interval(start, end)


def parse_block_id(text: str) -> str:
    """A block's id in a path, in upper or lower case. Raises BlockNotFoundError if it cannot be one."""
    try:
        return parse_appointment_id(text)
    except AppointmentNotFoundError as exc:
        raise BlockNotFoundError from exc


def parse_blocks(query: Query, calendar_id: str) -> CalendarQuery:
    """Check the query of `GET /calendars/{id}/blocks`. Raises InvalidRequestError with every fault that it has."""
    reader = Reader.of_query(query, _LIST_PARAMETERS, required=("from", "to"))
    zone = reader.zone()
    start, end = (reader.time(name, zone, exact=False) for name in ("from", "to"))
    if start and end and (end <= start or is_longer(start, end, MAX_SPAN, zone)):
        reader.fault("to", f"must be after from, by at most {MAX_SPAN.days} days")
    limit = reader.whole("limit", 1, MAX_PAGE) or DEFAULT_PAGE
    after = read_position(reader, BEGIN_OF_TIME, end or END_OF_TIME)
    if reader.faults or start is None or end is None:
        raise InvalidRequestError(reader.faults)
    return CalendarQuery(calendar_id, Interval(start, end), None, limit, after, only_blocks=True)
