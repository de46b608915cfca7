"""Queries of lists of appointments, from the request to checked values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appointments.model import MAX_SPAN, Interval
from appointments.reader import Reader
from appointments.statuses import Status
from appointments.storage.desk import DeskQuery
from appointments.storage.lists import BEGIN_OF_TIME, END_OF_TIME, CalendarQuery, ListQuery
from appointments.times import is_longer
from conflict_detector.appointments.cursors import decode_cursor
from conflict_detector.appointments.parsing import is_appointment_id

if TYPE_CHECKING:
    from datetime import datetime

    from appointments.reader import Query
    from appointments.storage.lists import Position

DEFAULT_PAGE = 50
MAX_PAGE = 100
_PARAMETERS = ("userId", "calendarId", "serviceId", "from", "to", "timeZone", "status", "limit", "cursor")


def parse_list(query: Query) -> ListQuery | CalendarQuery | DeskQuery:
    """Check the query of `GET /appointments`. Raises InvalidRequestError with every fault that it has."""
    of_calendar = "calendarId" in query
    required = ("calendarId", "from", "to") if of_calendar else ()
    reader = Reader.of_query(query, _PARAMETERS, required=required)
    owner = reader.calendar_id("calendarId" if of_calendar else "userId")
    service_id = reader.calendar_id("serviceId")
    if of_calendar and "userId" in query:
        reader.fault("userId", "is sent beside calendarId")
    zone = reader.zone()
    start, end = (reader.time(name, zone, exact=False) for name in ("from", "to"))
    if start and end and end <= start:
        reader.fault("to", "must be after from")
    elif of_calendar and start and end and is_longer(start, end, MAX_SPAN, zone):
        reader.fault("to", f"must be after from, by at most {MAX_SPAN.days} days")
    status = reader.choice("status", tuple(Status))
    status_asked = Status(status) if status else None
    of_desk = not (of_calendar or "userId" in query)
    if of_desk and "serviceId" not in query and status != Status.REQUESTED:
        reader.fault("userId", "is required, or else calendarId, serviceId or status=requested")
    limit = reader.whole("limit", 1, MAX_PAGE) or DEFAULT_PAGE
    # On a calendar a list begins with what started before and lasts until then.
    after = read_position(reader, BEGIN_OF_TIME if of_calendar or not start else start, end or END_OF_TIME)
    reader.raise_faults()
    if of_calendar and owner and start and end:
        return CalendarQuery(owner, Interval(start, end), status_asked, limit, after, service_id=service_id)
    first, before = start or BEGIN_OF_TIME, end or END_OF_TIME
    if owner is None:
        return DeskQuery(service_id, first, before, status_asked, limit, after)
    return ListQuery(owner, first, before, status_asked, limit, after, service_id)


def read_position(reader: Reader, starts_from: datetime, starts_before: datetime) -> Position | None:
    """Where a cursor points, if that lies in the range asked for."""
    text = reader.text("cursor")
    if text is None:
        return None
    try:
        position = decode_cursor(text)
    except ValueError:
        position = None
    if position and starts_from <= position.start < starts_before and is_appointment_id(position.appointment_id):
        return position
    reader.fault("cursor", "is not a nextCursor of this list")
    return None
