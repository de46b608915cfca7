"""Requests of `POST /appointments` that book a service, from JSON to checked values."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from appointments.errors import InvalidRequestError
from appointments.model import Interval
from appointments.reader import Reader
from appointments.times import has_offset
from conflict_detector.appointments.fields import past_fault, read_details, wall_times_of
from conflict_detector.appointments.parsing import MAX_HOLD_MINUTES, BookingRequest, read_idempotency_key
from conflict_detector.serving import ServiceAsk

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from appointments.reader import Query
    from conflict_detector.request import Headers

_FIELDS = ("serviceId", "userId", "startTime", "timeZone", "details", "reminders", "hold")
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
    details, offsets, hold = read_details(reader), reader.reminder_offsets(), _hold(reader)
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
        fingerprint=hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest() if key else None,
        past=past,
        wall=None if has_offset(body["startTime"]) else wall_times_of(interval, zone),
        idempotency_key=key,
        dry_run=dry_run,
        hold=hold,
    )
    return asked, ServiceAsk(service_id, offsets is not None, hold or None, dry_run, [past] if past else [])


def _hold(reader: Reader) -> timedelta | None:
    """For how long to hold the time instead of booking it; zero where the service says it."""
    if "hold" not in reader.body:
        return None
    value: Mapping[str, Any] = reader.body["hold"]
    if not isinstance(value, dict) or value.keys() - {"minutes"}:
        reader.fault("hold", 'must be an object such as {"minutes": 10}; without minutes, the service says how many')
        return None
    minutes = reader.whole_value("hold.minutes", value["minutes"], 1, MAX_HOLD_MINUTES) if value else 0
    return timedelta(minutes=minutes or 0)
