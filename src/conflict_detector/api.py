"""The API: one event in, one answer out, and a log line for each refusal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from appointments.errors import RefusalError
from appointments.storage.dynamodb import busy_where_crowded
from appointments.telemetry import EventType, logger
from conflict_detector import routes
from conflict_detector.access import NOBODY
from conflict_detector.request import Call, Request
from conflict_detector.responses import preflight_response, shared_with
from conflict_detector.settings import PageSettings
from conflict_detector.visits import CLOSED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from appointments.link_keys import LinkKeys
    from appointments.storage.contact_index import ContactIndex
    from appointments.storage.store import Storage
    from appointments.timers import ReminderTimers
    from appointments.webhook_parts import WebhookParts
    from conflict_detector.access import Access
    from conflict_detector.responses import Response
    from conflict_detector.visits import Visits


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _no_webhooks() -> WebhookParts:
    raise RuntimeError("this API was made without webhooks")


def _no_contacts() -> ContactIndex:
    raise RuntimeError("this API was made without an index of contacts")


def _no_links() -> LinkKeys:
    raise RuntimeError("this API was made without links")


_OPEN_PAGES = PageSettings()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Api:
    """Answers events. Tests can replace every collaborator."""

    storage: Storage
    timers: ReminderTimers
    access: Access
    cors_origin: str = ""
    clock: Callable[[], datetime] = _utc_now
    webhooks: Callable[[], WebhookParts] = _no_webhooks
    contacts: Callable[[], ContactIndex] = _no_contacts
    links: Callable[[], LinkKeys] = _no_links
    visits: Visits = CLOSED
    pages: PageSettings = _OPEN_PAGES

    def handle(self, event: Mapping[str, Any]) -> Response:
        """Answer the event; every error becomes a problem+json answer."""
        request = Request.of(event)
        logger.set_correlation_id(request.id)
        response = self._answer(request)
        return shared_with(self.cors_origin, response) if self.cors_origin else response

    def _answer(self, request: Request) -> Response:
        if self.cors_origin and request.method == "OPTIONS":
            return preflight_response(routes.METHODS)  # browsers send it without credentials
        try:
            with busy_where_crowded():
                headers = request.headers
                if request.path[0] in routes.OPEN:
                    caller = NOBODY
                else:
                    caller = self.access.caller(
                        request.claims,
                        headers.get("authorization", ()),
                        headers.get("x-acting-for", ()),
                        request.principal,
                    )
                parts = (self.storage, self.timers, self.webhooks, self.contacts, self.links, self.visits, self.pages)
                response = routes.answer(Call(request, caller, self.clock(), *parts))
        except RefusalError as exc:
            from conflict_detector.problems import problem_response  # noqa: PLC0415 - most requests are not refused
            from conflict_detector.refusals import log_refusal  # noqa: PLC0415 - as above

            log_refusal(exc, request)
            response = problem_response(exc, request)
        except Exception:  # noqa: BLE001 - the last line of defence: logged, and answered with 500
            # Also for reads: a bug in any call rolls a new version back (DeploymentPreference in the template).
            logger.exception("Request failed", event_type=EventType.BOOKING_ERROR, method=request.method)
            from conflict_detector.problems import internal_error_response  # noqa: PLC0415 - as above

            response = internal_error_response(request)
        return response | {"body": ""} if request.method == "HEAD" else response
