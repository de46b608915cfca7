"""Services: what can be booked. Schedulers say so, everyone may read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appointments.bodies import service_body
from appointments.errors import ServiceNotFoundError
from appointments.services import check_service
from appointments.telemetry import logger
from conflict_detector.paging import parse_page
from conflict_detector.responses import json_response
from conflict_detector.services.answers import list_response
from conflict_detector.services.parsing import READ_ONLY, check_service_id
from conflict_detector.versions import over_allowed_version

if TYPE_CHECKING:
    from conflict_detector.request import Call
    from conflict_detector.responses import Response


def get(call: Call, service_id: str) -> Response:
    """`GET /services/{id}`: 200."""
    call.request.refuse_parameters()
    check_service_id(service_id)
    stored = call.storage.services.get(service_id)
    if stored is None or stored.deleted_at:
        raise ServiceNotFoundError
    return json_response(service_body(stored), stored.version)


def put(call: Call, service_id: str) -> Response:
    """`PUT /services/{id}`: 200. What was booked keeps the service that it was booked with."""
    call.request.refuse_parameters()
    check_service_id(service_id)
    call.caller.manage()
    body = {name: value for name, value in call.request.json().items() if name not in READ_ONLY}
    check_service(body)
    services, by = call.storage.services, call.caller.by
    stored = over_allowed_version(call.request, lambda over: services.put(service_id, body, call.now, over, by))
    logger.info("Service configured", service_id=service_id, version=stored.version)
    return json_response(service_body(stored), stored.version)


def remove(call: Call, service_id: str) -> Response:
    """`DELETE /services/{id}`: 200, again and again. Existing appointments stay as they are."""
    call.request.refuse_parameters()
    check_service_id(service_id)
    call.caller.manage()
    services, by = call.storage.services, call.caller.by
    stored = over_allowed_version(call.request, lambda over: services.delete(service_id, call.now, over, by))
    if stored is None:
        raise ServiceNotFoundError
    logger.info("Service deleted", service_id=service_id, version=stored.version)
    return json_response(service_body(stored), stored.version)


def find(call: Call) -> Response:
    """`GET /services`: 200."""
    limit, after = parse_page(call.request.query)
    return list_response(*call.storage.services.page(limit, *after))
