"""A visitor's appointment as a file that calendars open."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from appointments.errors import VisitNotFoundError
from appointments.times import find_zone, load_zone
from texts.facts import Facts, Kind
from texts.invitation import calendar_file

if TYPE_CHECKING:
    from datetime import datetime

    from appointments.model import Appointment
    from conflict_detector.responses import Response


def calendar_response(appointment: Appointment, now: datetime) -> Response:
    """200 with the file. Raises VisitNotFoundError where there is no appointment to come to."""
    if not appointment.status.reminds:
        raise VisitNotFoundError
    headers = {
        "Content-Type": "text/calendar; charset=utf-8",
        "Content-Disposition": 'attachment; filename="appointment.ics"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return {"statusCode": 200, "headers": headers, "body": _file(appointment, now)}


def _file(appointment: Appointment, now: datetime) -> str:
    zone = find_zone(appointment.people_zone) or load_zone("UTC")
    service = json.loads(appointment.service.body) if appointment.service else {}
    location = appointment.details.get("location")
    facts = Facts(
        Kind.BOOKED,
        appointment.interval.start,
        appointment.interval.end,
        zone,
        title=service.get("title") or (appointment.service.service_id if appointment.service else None),
        location=location if isinstance(location, str) else None,
    )
    return calendar_file(facts, appointment.appointment_id, appointment.version, now)
