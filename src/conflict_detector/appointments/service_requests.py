"""Requests of `POST /appointments` that book a service, from JSON to checked values."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from appointments.errors import InvalidRequestError
from appointments.model import Interval
from appointments.reader import Reader
from appointments.times import has_offset
from conflict_detector.appointments.fields import (
    past_fault,
    read_contact_if_sent,
    read_details,
    read_hold,
    wall_times_of,
)
from conflict_detector.appointments.parsing import BookingRequest, fingerprint_of, read_idempotency_key
from conflict_detector.serving import ServiceAsk

if TYPE_CHECKING:
    from datetime import datetime

    from appointments.reader import Query
    from conflict_detector.request import Headers

_FIELDS = ("serviceId", "userId", "startTime", "timeZone", "details", "reminders", "hold", "contact", "ignoreNotice")
_DECIDED = ("endTime", "resourceIds", "anyOf")
# Until it is placed, an appointment has its start alone.
_UNPLACED = timedelta(minutes=1)


def parse_service_booking(
    body: dict[str, Any], now: datetime, query: Query, headers: Headers
) -> tuple[BookingRequest, ServiceAsk]:
    """Check a request to book a service. Raises InvalidRequestError with every fault that it has."""
    parameters = Reader.of_query(query, ("dryRun",))
    dry_run = parameters.choice("dryRun", ("true", "false")) == "true"
    key = read_idempotency_key(headers, parameters)
    reader = Reader(body, (*_FIELDS, *_DECIDED), ("serviceId", "userId", "startTime"))
    for name in _DECIDED:
        if name in body:
            reader.fault(name, "must not be sent beside serviceId: the service decides it")
    service_id, user_id = reader.calendar_id("serviceId"), reader.calendar_id("userId")
    zone = reader.zone()
    start = reader.time("startTime", zone)
    details, offsets, hold = read_details(reader), reader.reminder_offsets(), read_hold(reader, by_service=True)
    contact, ignore_notice = read_contact_if_sent(reader), reader.flag("ignoreNotice")
    past = past_fault(start, now)
    faults = [*reader.faults, *parameters.faults]
    if faults or start is None or user_id is None or service_id is None:
        raise InvalidRequestError([*faults, past] if past else faults)
    interval = Interval(start, start + _UNPLACED)
    asked = BookingRequest(
        user_id=user_id,
        interval=interval,
        time_zone=zone.key if zone else None,
        resource_ids=(),
        details=details,
        offsets=offsets,
        any_of=(),
        fingerprint=fingerprint_of(body, key),
        past=past,
        wall=None if has_offset(body["startTime"]) else wall_times_of(interval, zone),
        idempotency_key=key,
        dry_run=dry_run,
        hold=hold,
        contact=contact,
        ignore_notice=ignore_notice,
    )
    faults = [past] if past else []
    ask = ServiceAsk(service_id, offsets is not None, hold or None, dry_run, faults, ignore_notice=ignore_notice)
    return asked, ask
