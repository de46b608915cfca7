"""What a message tells of an appointment: the facts, before anybody puts them into words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from appointments.times import find_zone
from texts.clean import readable

if TYPE_CHECKING:
    from appointments.contacts import Contact
    from appointments.model import Appointment
    from texts.facts import Facts, Kind


def facts_of(kind: Kind, appointment: Appointment, contact: Contact, link: str | None = None) -> Facts:
    """An appointment as it is now, for one who is reached about it."""
    from texts.facts import Facts  # noqa: PLC0415 - few reminders go to people

    start, end = appointment.interval
    return Facts(
        kind=kind,
        name=contact.name,
        start=start,
        end=end,
        zone=_zone(appointment),
        person_zone=find_zone(contact.time_zone),
        title=detail(appointment, "title") or _service_title(appointment),
        location=detail(appointment, "location"),
        description=_text(appointment.details.get("description")),
        link=link,
        attend=link is not None and appointment.status.reminds and appointment.confirmed_at is None,
    )


def _zone(appointment: Appointment) -> ZoneInfo:
    """The zone in which people read its times; UTC where there is none, or it was abolished."""
    return find_zone(appointment.time_zone or appointment.people_zone) or ZoneInfo("UTC")


def detail(appointment: Appointment, key: str) -> str | None:
    """`details` is the caller's own object: only a text is fit to be read out, on one line of the message."""
    return readable(appointment.details.get(key))


def _text(value: Any) -> str | None:
    """A text of several lines, which `texts` cleans."""
    return value if isinstance(value, str) else None


def _service_title(appointment: Appointment) -> str | None:
    return readable(json.loads(appointment.service.body).get("title")) if appointment.service else None
