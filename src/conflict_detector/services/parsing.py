"""Requests about services, from path and query to checked values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appointments.errors import Fault, InvalidRequestError
from appointments.reader import CALENDAR_ID_RULE, Reader, is_calendar_id
from conflict_detector.appointments.cursors import decode_texts

if TYPE_CHECKING:
    from appointments.reader import Query

# What an answer has beside the fields of a service. It may be sent back, and is ignored.
READ_ONLY = ("serviceId", "version", "updatedAt")
# Each is up to 16 KB, so that an answer has some 800 KB at most.
DEFAULT_PAGE = MAX_PAGE = 50


def check_service_id(text: str) -> None:
    """Raises InvalidRequestError where a text in a path cannot be the id of a service."""
    if not is_calendar_id(text):
        raise InvalidRequestError([Fault("serviceId", CALENDAR_ID_RULE)])


def parse_services(query: Query) -> tuple[int, str | None]:
    """Check the query of `GET /services`: how many, and the id after which the page begins."""
    reader = Reader.of_query(query, ("limit", "cursor"))
    limit = reader.whole("limit", 1, MAX_PAGE) or DEFAULT_PAGE
    cursor, after = reader.text("cursor"), None
    if cursor is not None:
        try:
            (after,) = decode_texts(cursor)
        except ValueError:
            after = ""
        if not is_calendar_id(after):
            reader.fault("cursor", "is not a nextCursor of this list")
    reader.raise_faults()
    return limit, after
