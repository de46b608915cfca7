"""Booking links are made for schedulers, and stored nowhere."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from appointments.booking_links import MAX_SERVICES, BookingLink
from appointments.errors import Fault, InvalidRequestError
from appointments.reader import Reader
from appointments.telemetry import logger
from appointments.times import to_utc_text
from conflict_detector.responses import json_response

if TYPE_CHECKING:
    from conflict_detector.request import Call, Request
    from conflict_detector.responses import Response

# Nobody can take a link back, so it ends.
LONGEST = timedelta(days=731)


def make(call: Call) -> Response:
    """`POST /booking-links`: 201. The same request makes the same link."""
    call.caller.manage()
    link = parse_link(call.request, call.now)
    known = [call.storage.services.known(service_id) for service_id in link.services]
    if missing := [_unknown(one.service_id) for one in known if one.service is None]:
        raise InvalidRequestError(missing)
    key = call.links().key_for(link)
    logger.info("Booking link made", services=link.services, until=to_utc_text(link.until), by=call.caller.by)
    query = ({"service": link.services[0]} if len(link.services) == 1 else {}) | {"key": key}
    body = {
        "url": f"{call.request.base}/book?{urlencode(query)}",
        "key": key,
        "services": list(link.services),
        "until": to_utc_text(link.until),
    }
    return json_response(body) | {"statusCode": 201}


def parse_link(request: Request, now: datetime) -> BookingLink:
    """Check a request for a link. Raises InvalidRequestError with every fault that it has."""
    reader = Reader(request.json(), ("services", "until"), ("services", "until"), request.unknown_parameters())
    services = reader.calendar_ids("services")
    if not services and "services" in reader.body and not reader.faults:
        reader.fault("services", f"must name 1 to {MAX_SERVICES} services")
    until = reader.time("until", None)
    if until and not now < until <= now + LONGEST:
        reader.fault("until", f"must be after now, by at most {LONGEST.days} days")
    if reader.faults or until is None:
        raise InvalidRequestError(reader.faults)
    return BookingLink(services, until)


def _unknown(service_id: str) -> Fault:
    return Fault("services", f"is no service that can be booked: {service_id}")
