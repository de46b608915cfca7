"""What a text is written from, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo


class Kind(StrEnum):
    """What a text is about. Each has a file for each channel and language."""

    REMINDER = "reminder"
    BOOKED = "booked"
    REQUESTED = "requested"
    MOVED = "moved"
    CANCELLED = "cancelled"
    DECLINED = "declined"
    APPROVED = "approved"
    EXPIRED = "expired"

    @property
    def is_over(self) -> bool:
        """Whether the appointment will not take place, so that there is nothing left to confirm or to move."""
        return self in (Kind.CANCELLED, Kind.DECLINED, Kind.EXPIRED)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a text says. Free text may be anything that a caller has: it is cleaned here, and escaped.

    `start` and `end` are instants, aware; `was_start` and `was_end` are those before a move. `zone` is that of the
    place, `person_zone` that of the reader where it is known: if its clock shows another time, both are told.
    `name` is the reader's, `with_whom` names the calendars beside the reader's, `sender` who writes. `link` leads
    to the page where the appointment is confirmed, cancelled and moved; `attend` tells that it can be confirmed there.
    `resource` tells that the reader is not the person, but has the calendar of a resource: they get no link.
    """

    kind: Kind
    start: datetime
    end: datetime
    zone: ZoneInfo
    name: str | None = None
    person_zone: ZoneInfo | None = None
    was_start: datetime | None = None
    was_end: datetime | None = None
    title: str | None = None
    location: str | None = None
    description: str | None = None
    with_whom: tuple[str, ...] = ()
    link: str | None = None
    attend: bool = False
    sender: str | None = None
    resource: bool = False


class Email(NamedTuple):
    """One email. `text` and `html` say the same."""

    subject: str
    text: str
    html: str
