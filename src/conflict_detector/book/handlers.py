"""Free times for visitors, and what they hold and book. Nobody signs in: a booking link, or a token, is what they have.

Each of these is what a person who has signed in does, by the same use cases.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from appointments.errors import ServiceNotFoundError
from appointments.reader import Reader
from appointments.service_search import zone_of_days
from appointments.services import parse_service
from conflict_detector.availability.parsing import MAX_LIMIT
from conflict_detector.availability.serving import count_starts, find_starts
from conflict_detector.book.admission import KEY, admit, link_of
from conflict_detector.book.answers import service_facts, service_response, visit_response
from conflict_detector.book.visiting import book, confirm, release, visit_of
from conflict_detector.responses import json_response

if TYPE_CHECKING:
    from appointments.services import Service
    from conflict_detector.request import Call
    from conflict_detector.responses import Response

# As many services as a visitor is shown to choose from.
MAX_OFFERED = 50


def find_services(call: Call) -> Response:
    """`GET /book/services`: 200."""
    link = link_of(call)
    _take_parameters(call)
    found: dict[str, Service | None]
    if link:
        found = {service_id: call.storage.services.known(service_id).service for service_id in link.services}
    else:
        stored, _ = call.storage.services.page(MAX_OFFERED)
        found = {one.service_id: parse_service(one.body) for one in stored}
    return json_response({"services": [service_facts(id_, service) for id_, service in found.items() if service]})


def get_service(call: Call, service_id: str) -> Response:
    """`GET /book/services/{id}`: 200."""
    admit(call, service_id)
    _take_parameters(call)
    service = call.storage.services.known(service_id).service
    if service is None:
        raise ServiceNotFoundError
    settings = call.storage.settings.get_many(service.calendar_ids)
    return service_response(service_id, service, zone_of_days(service, settings))


def find_times(call: Call, service_id: str) -> Response:
    """`GET /book/services/{id}/times`: 200."""
    admit(call, service_id)
    _take_parameters(call, "from", "to", "timeZone", "limit")
    return find_starts(_of_service(call, service_id, limit=str(MAX_LIMIT)))


def count_times(call: Call, service_id: str) -> Response:
    """`GET /book/services/{id}/days`: 200."""
    admit(call, service_id)
    _take_parameters(call, "from", "to", "timeZone")
    return count_starts(_of_service(call, service_id))


def make(call: Call, service_id: str) -> Response:
    """`POST /book/services/{id}/appointments`: 201. Without a contact the time is held."""
    admit(call, service_id)
    _take_parameters(call)
    made = book(call, service_id)
    token, base = call.links().token_for(made.appointment_id), call.request.base
    response = visit_response(made, token, base, call.now) | {"statusCode": 201}
    response["headers"]["Location"] = f"{base}/book/appointments/{token}"
    return response


def get(call: Call, token: str) -> Response:
    """`GET /book/appointments/{token}`: 200."""
    call.request.refuse_parameters()
    return visit_response(visit_of(call, token), token, call.request.base, call.now)


def change(call: Call, token: str) -> Response:
    """`PATCH /book/appointments/{token}`: 200. What was held is booked, for whom the contact names."""
    call.request.refuse_parameters()
    return visit_response(confirm(call, token), token, call.request.base, call.now)


def remove(call: Call, token: str) -> Response:
    """`DELETE /book/appointments/{token}`: 200, again and again. What was booked stays booked."""
    call.request.refuse_parameters()
    return visit_response(release(call, token), token, call.request.base, call.now)


def get_calendar(call: Call, token: str) -> Response:
    """`GET /book/appointments/{token}/calendar`: 200."""
    from conflict_detector.book.calendar_file import calendar_response  # noqa: PLC0415 - few ask for it

    call.request.refuse_parameters()
    return calendar_response(visit_of(call, token), call.now)


def _take_parameters(call: Call, *names: str) -> None:
    """Raises InvalidRequestError for any other parameter beside the key of a booking link."""
    Reader.of_query(call.request.query, (*names, KEY)).raise_faults()


def _of_service(call: Call, service_id: str, **default: str) -> Call:
    """The same query as who has signed in would send it."""
    query = {name: values for name, values in call.request.query.items() if name != KEY}
    query = {name: [value] for name, value in default.items()} | query | {"serviceId": [service_id]}
    return call._replace(request=replace(call.request, query=query))
