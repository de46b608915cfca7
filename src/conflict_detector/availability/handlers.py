"""What is free."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conflict_detector.availability.answers import availability_response, days_response
from conflict_detector.availability.parsing import parse_availability
from conflict_detector.availability.search import available, available_days

if TYPE_CHECKING:
    from conflict_detector.request import Call
    from conflict_detector.responses import Response


def find(call: Call) -> Response:
    """`GET /availability`: 200."""
    if "serviceId" in call.request.query:
        from conflict_detector.availability.serving import find_starts  # noqa: PLC0415 - few ask for a service

        return find_starts(call)
    asked = parse_availability(call.request.query)
    call.caller.occupy(asked.calendar_ids)
    return availability_response(available(asked, call.storage, call.now), asked.zone)


def count(call: Call) -> Response:
    """`GET /availability/days`: 200."""
    if "serviceId" in call.request.query:
        from conflict_detector.availability.serving import count_starts  # noqa: PLC0415 - as above

        return count_starts(call)
    asked = parse_availability(call.request.query, limited=False)
    call.caller.occupy(asked.calendar_ids)
    return days_response(*available_days(asked, call.storage, call.now))
