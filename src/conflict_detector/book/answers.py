"""What visitors are told. Nobody and no calendar is named, and nothing that is the desk's."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from appointments.statuses import Status
from appointments.times import to_utc_text
from conflict_detector.responses import json_response

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from appointments.model import Appointment
    from appointments.services import Service
    from conflict_detector.responses import Response

_MINUTE = timedelta(minutes=1)
_POLICY = {"minNoticeMinutes": "min_notice", "cancelUntilMinutes": "cancel_until", "moveUntilMinutes": "move_until"}


def service_facts(service_id: str, service: Service) -> dict[str, Any]:
    """What is public of a service: neither its steps nor its calendars."""
    facts: dict[str, Any] = {
        "serviceId": service_id,
        "title": service.title,
        "description": service.description,
        "durationMinutes": int(service.least_length / _MINUTE),
        "approval": service.approval,
    }
    policy = {name: getattr(service, attribute) for name, attribute in _POLICY.items()}
    return facts | {name: int(span / _MINUTE) for name, span in policy.items() if span is not None}


def service_response(service_id: str, service: Service, zone: ZoneInfo) -> Response:
    """200 with what is public of a service, and the zone of the place."""
    return json_response(service_facts(service_id, service) | {"timeZone": zone.key})


def visit_response(appointment: Appointment, token: str, base: str, now: datetime) -> Response:
    """200 with what a visitor has held or booked, and where to go on from there."""
    status = Status.EXPIRED if appointment.has_expired(now) else appointment.status
    service = json.loads(appointment.service.body) if appointment.service else {}
    body: dict[str, Any] = {
        "token": token,
        "status": status,
        "serviceId": appointment.service.service_id if appointment.service else "",
        "title": service.get("title", ""),
        "startTime": to_utc_text(appointment.interval.start),
        "endTime": to_utc_text(appointment.interval.end),
        "timeZone": appointment.time_zone or appointment.people_zone or "UTC",
    }
    if appointment.expires_at and status.expires:
        body["expiresAt"] = to_utc_text(appointment.expires_at)
        # For a clock that runs down: that of a visitor's phone may be wrong.
        body["secondsLeft"] = int((appointment.expires_at - now).total_seconds())
    if status is not Status.HELD and status.occupies:
        body["link"] = f"{base}/l/{token}"
    if status.reminds:
        body["calendarFile"] = f"{base}/book/appointments/{token}/calendar"
    return json_response(body)
