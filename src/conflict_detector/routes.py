"""Every route: method, path and handler. The router, CORS and the tests read this table.

A handler is a function in the module `handlers` of a resource's folder: `appointments.book` is `book` in
`conflict_detector/appointments/handlers.py`. It is imported by the first request that needs it. `{…}` in a path stands
for one segment, and the handler gets it as an argument of its own.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from appointments.errors import MethodNotAllowedError, RouteNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conflict_detector.request import Call
    from conflict_detector.responses import Response

    Handler = Callable[..., Response]


class Route(NamedTuple):
    """One method of one path."""

    method: str
    path: str
    handler: str

    def arguments(self, segments: Sequence[str]) -> list[str] | None:
        """The values of the variable segments of a path; None if it is another path."""
        own = _segments(self.path)
        if len(own) != len(segments):
            return None
        found: list[str] = []
        for mine, sent in zip(own, segments, strict=True):
            if mine.startswith("{") and sent:
                found.append(sent)
            elif mine != sent:
                return None
        return found

    def load(self) -> Handler:
        """The handler itself."""
        return _handler(self.handler)


@cache
def _segments(path: str) -> list[str]:
    return path.removeprefix("/").split("/")


@cache
def _handler(name: str) -> Handler:
    folder, _, function = name.partition(".")
    handler: Handler = getattr(import_module(f"conflict_detector.{folder}.handlers"), function)
    return handler


# The first parts of the paths that nobody signs in for: links, the pages, and what visitors book.
OPEN = frozenset(("l", "desk", "book", "assets"))
ROUTES = (
    Route("POST", "/appointments", "appointments.book"),
    Route("GET", "/appointments", "appointments.find"),
    Route("GET", "/appointments/{appointmentId}", "appointments.get"),
    Route("PATCH", "/appointments/{appointmentId}", "appointments.change"),
    Route("DELETE", "/appointments/{appointmentId}", "appointments.cancel"),
    Route("GET", "/appointments/{appointmentId}/history", "history.find"),
    Route("GET", "/calendars", "calendars.find"),
    Route("GET", "/calendars/{calendarId}", "calendars.get"),
    Route("PUT", "/calendars/{calendarId}", "calendars.put"),
    Route("GET", "/calendars/{calendarId}/contact", "contacts.get"),
    Route("PUT", "/calendars/{calendarId}/contact", "contacts.put"),
    Route("DELETE", "/calendars/{calendarId}/contact", "contacts.remove"),
    Route("GET", "/people/{userId}", "people.get"),
    Route("DELETE", "/people/{userId}", "people.remove"),
    Route("POST", "/calendars/{calendarId}/blocks", "blocks.place"),
    Route("GET", "/calendars/{calendarId}/blocks", "blocks.find"),
    Route("GET", "/calendars/{calendarId}/blocks/{blockId}", "blocks.get"),
    Route("DELETE", "/calendars/{calendarId}/blocks/{blockId}", "blocks.remove"),
    Route("GET", "/services", "services.find"),
    Route("GET", "/services/{serviceId}", "services.get"),
    Route("PUT", "/services/{serviceId}", "services.put"),
    Route("DELETE", "/services/{serviceId}", "services.remove"),
    Route("GET", "/webhooks", "webhooks.find"),
    Route("GET", "/webhooks/{webhookId}", "webhooks.get"),
    Route("PUT", "/webhooks/{webhookId}", "webhooks.put"),
    Route("DELETE", "/webhooks/{webhookId}", "webhooks.remove"),
    Route("POST", "/webhooks/{webhookId}/secret", "webhooks.replace_secret"),
    Route("POST", "/webhooks/{webhookId}/test", "webhooks.send_test"),
    Route("GET", "/webhooks/{webhookId}/deliveries", "webhooks.find_deliveries"),
    Route("POST", "/webhooks/{webhookId}/deliveries/{eventId}", "webhooks.send_again"),
    Route("GET", "/availability", "availability.find"),
    Route("GET", "/availability/days", "availability.count"),
    Route("GET", "/l/{token}", "links.show"),
    Route("POST", "/l/{token}", "links.submit"),
    Route("POST", "/booking-links", "booking_links.make"),
    Route("GET", "/book/services", "book.find_services"),
    Route("GET", "/book/services/{serviceId}", "book.get_service"),
    Route("GET", "/book/services/{serviceId}/days", "book.count_times"),
    Route("GET", "/book/services/{serviceId}/times", "book.find_times"),
    Route("POST", "/book/services/{serviceId}/appointments", "book.make"),
    Route("GET", "/book/appointments/{token}", "book.get"),
    Route("PATCH", "/book/appointments/{token}", "book.change"),
    Route("DELETE", "/book/appointments/{token}", "book.remove"),
    Route("GET", "/book/appointments/{token}/calendar", "book.get_calendar"),
    Route("GET", "/desk", "pages.get_desk"),
    Route("GET", "/desk/settings", "pages.get_settings"),
    Route("GET", "/book", "pages.get_book"),
    Route("GET", "/assets/{file}", "pages.get_asset"),
    Route("GET", "/openapi.json", "docs.get"),
    Route("GET", "/docs", "docs.get"),
    Route("GET", "/docs/", "docs.redirect"),
    Route("GET", "/docs/{file}", "docs.get_file"),
)
METHODS = tuple(dict.fromkeys(route.method for route in ROUTES))


def answer(call: Call) -> Response:
    """Call the handler of a request. Raises RouteNotFoundError, MethodNotAllowedError, and what the handler raises.

    `HEAD` is answered like `GET`. `Api` then removes the body (RFC 9110, 9.3.2).
    """
    method, path = call.request.method, call.request.path
    allowed = set()
    for route in ROUTES:
        arguments = route.arguments(path)
        if arguments is None:
            continue
        if method == route.method or (method == "HEAD" and route.method == "GET"):
            return route.load()(call, *arguments)
        allowed |= {route.method, "HEAD"} if route.method == "GET" else {route.method}
    if allowed:
        raise MethodNotAllowedError(sorted(allowed))
    raise RouteNotFoundError
