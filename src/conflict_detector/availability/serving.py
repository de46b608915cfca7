"""Where a service can be booked: the starts that it offers, found by the search that books it."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.errors import Fault, InvalidRequestError
from appointments.intervals import filled_days
from appointments.model import DAY, Interval
from appointments.reader import Reader
from appointments.service_search import ServiceSearch
from conflict_detector.availability.answers import availability_response, days_response
from conflict_detector.availability.parsing import MAX_LIMIT, MAX_STEPS, read_span
from conflict_detector.availability.search import Slot, answerable, by_day, read_calendars
from conflict_detector.placement import terms_of

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from appointments.model import Appointment
    from appointments.services import Service
    from appointments.storage.store import Storage
    from conflict_detector.request import Call
    from conflict_detector.responses import Response

_PARAMETERS = ("serviceId", "userId", "from", "to", "timeZone")
_OF_CALENDARS = ("calendarIds", "durationMinutes", "stepMinutes", "mode", "seats")


class ServiceQuery(NamedTuple):
    """The query about a service. `user_id` is the person whose calendar has to be free too, if one is named."""

    service_id: str
    user_id: str | None
    within: Interval
    zone: ZoneInfo | None
    limit: int | None = None


def find_starts(call: Call) -> Response:
    """`GET /availability?serviceId=`: 200."""
    asked = _parse(call.request.query, limited=True)
    offered = islice(_search(asked, call).offered(asked.within), asked.limit)
    return availability_response(answerable((Slot(each, ()) for each in offered), "fewer days"), asked.zone)


def count_starts(call: Call) -> Response:
    """`GET /availability/days?serviceId=`: 200."""
    asked = _parse(call.request.query, limited=False)
    search = _search(asked, call)
    zone = asked.zone or search.zone
    return days_response(by_day(search.offered(asked.within), asked.within, zone), zone)


def _parse(query: Any, *, limited: bool) -> ServiceQuery:
    parameters = (*_PARAMETERS, "limit") if limited else _PARAMETERS
    reader = Reader.of_query(query, (*parameters, *_OF_CALENDARS), required=("serviceId", "from", "to"))
    for name in _OF_CALENDARS:
        if name in query:
            reader.fault(name, "must not be sent beside serviceId: the service decides it")
    service_id = reader.calendar_id("serviceId")
    user_id = reader.calendar_id("userId")
    zone = reader.zone()
    start, end = read_span(reader, zone)
    limit = reader.whole("limit", 1, MAX_LIMIT) if limited else None
    if reader.faults or start is None or end is None or service_id is None:
        raise InvalidRequestError(reader.faults)
    return ServiceQuery(service_id, user_id, Interval(start, end), zone, limit)


def _search(asked: ServiceQuery, call: Call) -> ServiceSearch:
    """The search on what was read. Raises InvalidRequestError, ForbiddenError."""
    if asked.user_id:
        call.caller.act_for(asked.user_id)
    service = call.storage.services.known(asked.service_id).service
    if service is None:
        raise InvalidRequestError([Fault("serviceId", "is no service that can be booked")])
    start, end = asked.within
    if (end - start) / service.grid > MAX_STEPS:
        raise InvalidRequestError([Fault("to", f"makes over {MAX_STEPS} starts to look at; ask for fewer days")])
    return search_starts(service, asked, call.storage, call.now)


def search_to_move(appointment: Appointment, within: Interval, storage: Storage, now: datetime) -> ServiceSearch:
    """The search for another time of an appointment, for its person and by the service as it was booked."""
    assert appointment.service is not None  # noqa: S101 - asked only of those that have one
    asked = ServiceQuery(appointment.service.service_id, appointment.user_id, within, None)
    found = search_starts(terms_of(appointment), asked, storage, now, appointment.appointment_id)
    return replace(found, appointment_id=appointment.appointment_id, given=appointment.steps)


def search_starts(
    service: Service, asked: ServiceQuery, storage: Storage, now: datetime, ignore: str | None = None
) -> ServiceSearch:
    """The search on the calendars as they are read, without the appointment `ignore`."""
    start, end = asked.within
    ids = dict.fromkeys([*service.calendar_ids, *([asked.user_id] if asked.user_id else [])])
    around = Interval(start - service.buffer_before, end + service.buffer_after)
    calendars = {one.calendar_id: one for one in read_calendars(tuple(ids), around, storage, now, ignore)}
    search = ServiceSearch(service, calendars, now)
    if asked.user_id is None:
        return search
    person = calendars[asked.user_id]
    if most := service.max_per_person_per_day:
        first, last = (start - 2 * DAY).date(), (end + 2 * DAY).date()  # whole local days, in every zone
        days = list(storage.days.span(asked.user_id, first, last))
        full = filled_days(days, search.zone, most, now, ignore, asked.service_id)
        person = replace(person, served_days=full)
    return search.for_person(person)
