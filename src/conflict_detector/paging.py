"""The pages of a list of what is configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appointments.reader import Reader, is_calendar_id
from appointments.times import InvalidTimeError, parse_time
from conflict_detector.appointments.cursors import decode_texts

if TYPE_CHECKING:
    from appointments.reader import Query

# With 64 KB of settings each, an answer has some 3 MB at most. Lambda answers 6 MB.
MAX_PAGE = 50


def parse_page(query: Query, *, with_time: bool = False) -> tuple[int, list[str]]:
    """Check the query of a list: how many, and the texts in its cursor, an id after a time if there is one.

    No texts where there is no cursor. Raises InvalidRequestError with every fault.
    """
    reader = Reader.of_query(query, ("limit", "cursor"))
    limit = reader.whole("limit", 1, MAX_PAGE) or MAX_PAGE
    cursor = reader.text("cursor")
    after: list[str] = []
    if cursor is not None:
        try:
            after = decode_texts(cursor)
            *times, id_ = after
            good = len(times) == with_time and is_calendar_id(id_)
            for time in times:
                parse_time(time, None)
        except (ValueError, InvalidTimeError):
            good = False
        if not good:
            reader.fault("cursor", "is not a nextCursor of this list")
    reader.raise_faults()
    return limit, after
