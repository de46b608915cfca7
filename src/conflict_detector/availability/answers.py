"""What free intervals look like over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appointments.bodies import interval_body
from conflict_detector.responses import json_response

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from appointments.model import Interval
    from conflict_detector.availability.search import Day, Slot
    from conflict_detector.responses import Response


def availability_response(slots: Iterable[Slot], zone: ZoneInfo | None) -> Response:
    """200 with slots, in UTC, and beside it in the zone that was asked for."""
    available = [
        {
            **interval_body(slot.interval),
            **({"calendarIds": list(slot.calendar_ids)} if slot.calendar_ids else {}),
            **(_local(slot.interval, zone) if zone else {}),
        }
        for slot in slots
    ]
    body = {"available": available, **({"timeZone": zone.key} if zone else {})}
    return json_response(body)


def days_response(days: Iterable[Day], zone: ZoneInfo) -> Response:
    """200 with local dates, and how many slots begin on each."""
    counted = [{"date": day.isoformat(), "available": slots} for day, slots in days]
    return json_response({"days": counted, "timeZone": zone.key})


def _local(interval: Interval, zone: ZoneInfo) -> dict[str, str]:
    start, end = (moment.astimezone(zone).isoformat() for moment in interval)
    return {"localStartTime": start, "localEndTime": end}
