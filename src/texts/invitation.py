"""A calendar invitation, as RFC 5545 and 5546 (iCalendar, iTIP) say."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from texts.clean import lines, one_line
from texts.facts import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from texts.facts import Facts

PRODUCT = "-//appointment-scheduler//EN"
# What kinds of notices come with an invitation.
METHODS = {Kind.BOOKED: "REQUEST", Kind.APPROVED: "REQUEST", Kind.MOVED: "REQUEST", Kind.CANCELLED: "CANCEL"}
# Bytes of a line; the longer ones are folded.
LINE = 75
# How the value of a parameter has what it cannot hold, or what would be read as such (RFC 6868).
_IN_PARAMETER = str.maketrans({"^": "^^", '"': "^'"})
# What an address may contain as it is in a `mailto:`.
_SAFE = "@+-._=!$'*/~"


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
    """The invitation that goes with a notice: to what was booked, approved or moved, or its end. Else None.

    A calendar knows the appointment by its id, and which of several messages is the newest by the version. The link
    is not in it: calendars are shared with others.
    """
    method = METHODS.get(facts.kind)
    if method is None:
        return None
    status = "CANCELLED" if method == "CANCEL" else "CONFIRMED"
    title = one_line(parties.organizer.name, 100) or parties.organizer.email
    # Nobody reads answers: the links in the message are for that, and the person has asked for the appointment.
    attendee = f"ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;RSVP=FALSE{_person(parties.attendee)}"
    people = [f"ORGANIZER{_person(parties.organizer)}", attendee]
    event = [*_identity(appointment_id, version, now), *_properties(facts, status, title), *people]
    return Invitation(method, _written(event, f"METHOD:{method}"))


def calendar_file(facts: Facts, appointment_id: str, version: int, now: datetime) -> str:
    """An appointment as a file that a calendar opens. It invites nobody, so it has neither a method nor people."""
    return _written([*_identity(appointment_id, version, now), *_properties(facts, "CONFIRMED", appointment_id)])


def _written(event: Iterable[str], *method: str) -> str:
    said = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODUCT}", "CALSCALE:GREGORIAN", *method]
    said += ["BEGIN:VEVENT", *(line for line in event if line), "END:VEVENT", "END:VCALENDAR"]
    return "".join(f"{part}\r\n" for line in said for part in _folded(line))


def _identity(appointment_id: str, version: int, now: datetime) -> list[str]:
    return [f"UID:{_escaped(appointment_id)}", f"SEQUENCE:{version}", f"DTSTAMP:{_utc(now)}"]


def _properties(facts: Facts, status: str, untitled: str) -> Iterator[str]:
    title = one_line(facts.title, 200) or one_line(facts.sender, 100)
    location = one_line(facts.location, 300)
    whom = ", ".join(name for one in facts.with_whom if (name := one_line(one, 100)))
    about = "\n".join([part for part in (whom, *lines(facts.description, 2000)) if part])
    yield f"DTSTART:{_utc(facts.start)}"
    yield f"DTEND:{_utc(facts.end)}"
    yield f"SUMMARY:{_escaped(title or untitled)}"
    yield f"LOCATION:{_escaped(location)}" if location else ""
    yield f"DESCRIPTION:{_escaped(about)}" if about else ""
    yield f"STATUS:{status}"


def _person(party: Party) -> str:
    name = (one_line(party.name, 100) or "").translate(_IN_PARAMETER)
    return (f';CN="{name}"' if name else "") + f":mailto:{quote(party.email, safe=_SAFE)}"


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _escaped(text: str) -> str:
    for character in "\\;,":
        text = text.replace(character, f"\\{character}")
    return text.replace("\n", "\\n")


def _folded(line: str) -> Iterator[str]:
    """The line in parts of at most 75 bytes, none of which ends within a character; each but the first is indented."""
    part, size = "", 0
    for character in line:
        length = len(character.encode())
        if size + length > LINE:
            yield part
            part, size = " ", 1
        part, size = part + character, size + length
    yield part
