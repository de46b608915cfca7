"""The list of many calendars: its query, and an answer that is not sent again while it is the same."""

from __future__ import annotations

import re
from datetime import timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING

from appointments.errors import InvalidRequestError
from appointments.model import Interval
from appointments.reader import Reader
from appointments.storage.lists import BEGIN_OF_TIME, END_OF_TIME
from appointments.storage.many_calendars import ManyQuery
from appointments.times import is_longer
from conflict_detector.appointments.listing import read_position

if TYPE_CHECKING:
    from appointments.reader import Query
    from conflict_detector.request import Headers
    from conflict_detector.responses import Response

MAX_DAYS = timedelta(days=8)
_PARAMETERS = ("calendarIds", "from", "to", "timeZone", "cursor")
_TAG = re.compile(r'"[^"]*"')


def parse_many(query: Query) -> ManyQuery:
    """Check the query of `GET /appointments?calendarIds=`. Raises InvalidRequestError with every fault that it has."""
    reader = Reader.of_query(query, _PARAMETERS, required=("calendarIds", "from", "to"), lists=("calendarIds",))
    calendar_ids = reader.calendar_ids("calendarIds")
    zone = reader.zone()
    start, end = (reader.time(name, zone, exact=False) for name in ("from", "to"))
    if start and end and (end <= start or is_longer(start, end, MAX_DAYS, zone)):
        reader.fault("to", f"must be after from, by at most {MAX_DAYS.days} days")
    after = read_position(reader, BEGIN_OF_TIME, end or END_OF_TIME)
    if reader.faults or start is None or end is None:
        raise InvalidRequestError(reader.faults)
    return ManyQuery(calendar_ids, Interval(start, end), after)


def unless_known(response: Response, headers: Headers) -> Response:
    """The response with a weak entity tag of its body, or 304 where the caller has it already (RFC 9110, 13.1.2)."""
    tag = f'"{blake2b(response["body"].encode(), digest_size=12).hexdigest()}"'
    tagged = response | {"headers": response["headers"] | {"ETag": f"W/{tag}"}}
    known = ",".join(headers.get("if-none-match", ()))
    if known.strip() == "*" or tag in _TAG.findall(known):
        return tagged | {"statusCode": 304, "body": ""}
    return tagged
