"""The query of `GET /availability`, checked."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from appointments.errors import InvalidRequestError
from appointments.model import MAX_CAPACITY, MAX_DURATION, MAX_SPAN, Interval
from appointments.reader import Reader
from appointments.times import is_longer

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from appointments.reader import Query

MAX_STEPS = 10_000
MAX_LIMIT = 1000

_PARAMETERS = ("calendarIds", "from", "to", "durationMinutes", "stepMinutes", "mode", "timeZone", "seats")
_REQUIRED = ("calendarIds", "from", "to", "durationMinutes")


class AvailabilityRequest(NamedTuple):
    """The query of `GET /availability`. `within` is in UTC; `zone` is for the answer, if one was given."""

    calendar_ids: tuple[str, ...]
    within: Interval
    duration: timedelta
    step: timedelta
    any_of: bool
    zone: ZoneInfo | None
    limit: int | None = None
    seats: int = 1


def read_span(reader: Reader, zone: ZoneInfo | None) -> tuple[datetime | None, datetime | None]:
    """The parameters `from` and `to`."""
    start, end = reader.time("from", zone, exact=False), reader.time("to", zone, exact=False)
    if start and end and (end <= start or is_longer(start, end, MAX_SPAN, zone)):
        reader.fault("to", f"must be after from, by at most {MAX_SPAN.days} days")
    return start, end


def parse_availability(query: Query, *, limited: bool = True) -> AvailabilityRequest:
    """Check the query of `GET /availability`, or of `GET /availability/days`, which takes no limit.

    Raises InvalidRequestError with every fault that it has.
    """
    parameters = (*_PARAMETERS, "limit") if limited else _PARAMETERS
    reader = Reader.of_query(query, (*parameters, "userId"), required=_REQUIRED, lists=("calendarIds",))
    if "userId" in query:
        reader.fault("userId", "must not be sent without serviceId: it is the person who books the service")
    calendar_ids = reader.calendar_ids("calendarIds")
    zone = reader.zone()
    start, end = read_span(reader, zone)
    longest = int(MAX_DURATION / timedelta(minutes=1))
    duration = reader.minutes("durationMinutes", 1, longest)
    step = reader.minutes("stepMinutes", 1, longest) or duration
    if start and end and step and (end - start) / step > MAX_STEPS:
        reader.fault("stepMinutes", f"makes over {MAX_STEPS} slots; ask for larger steps or fewer days")
    mode = reader.choice("mode", ("all", "any"))
    limit = reader.whole("limit", 1, MAX_LIMIT) if limited else None
    seats = reader.whole("seats", 1, MAX_CAPACITY) or 1
    if reader.faults or start is None or end is None or duration is None or step is None:
        raise InvalidRequestError(reader.faults)
    return AvailabilityRequest(calendar_ids, Interval(start, end), duration, step, mode == "any", zone, limit, seats)
