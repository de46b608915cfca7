"""A calendar invitation, as RFC 5545 and 5546 (iCalendar, iTIP) say."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from texts.facts import Kind

if TYPE_CHECKING:
    from datetime import datetime

    from texts.facts import Facts


# What kinds of notices come with an invitation.
METHODS = {Kind.BOOKED: "REQUEST", Kind.APPROVED: "REQUEST", Kind.MOVED: "REQUEST", Kind.CANCELLED: "CANCEL"}


class Party(NamedTuple):
    """Who invites, or is invited."""

    email: str
    name: str | None = None


class Parties(NamedTuple):
    """Who invites whom."""

    organizer: Party
    attendee: Party


class Invitation(NamedTuple):
    """An attachment of the type `text/calendar; method=…; charset=utf-8`, in UTF-8."""

    method: str
    text: str


def invitation(facts: Facts, appointment_id: str, version: int, parties: Parties, now: datetime) -> Invitation | None:
    """The invitation that goes with a notice: to what was booked, approved or moved, or its end. Else None."""
    if facts.kind not in METHODS:
        return None
    return Invitation(METHODS[facts.kind], "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")
