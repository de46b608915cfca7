"""Requests about webhooks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from appointments.reader import Reader
from conflict_detector.appointments.cursors import decode_texts
from conflict_detector.paging import MAX_PAGE

if TYPE_CHECKING:
    from appointments.reader import Query

# What an answer has beside the fields of a webhook. It may be sent back, and is ignored.
READ_ONLY = (
    "webhookId",
    "secret",
    "oldSecretUntil",
    "switchedOffAt",
    "pausedUntil",
    "version",
    "updatedAt",
)

_KEY = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ#[!-~]+", re.ASCII)
_EVENT_ID = re.compile(r"[!-~]{1,256}", re.ASCII)


def is_event_id(text: str) -> bool:
    """Whether a text in a path can be the id of an event."""
    return _EVENT_ID.fullmatch(text) is not None


def parse_deliveries(query: Query) -> tuple[int, str | None]:
    """Check the query of a list of deliveries. Raises InvalidRequestError with every fault."""
    reader = Reader.of_query(query, ("limit", "cursor"))
    limit = reader.whole("limit", 1, MAX_PAGE) or MAX_PAGE
    cursor = reader.text("cursor")
    after = None
    if cursor is not None:
        try:
            (after,) = decode_texts(cursor)
        except ValueError:
            after = None
        if after is None or not _KEY.fullmatch(after):
            reader.fault("cursor", "is not a nextCursor of this list")
    reader.raise_faults()
    return limit, after
