"""The API: one event in, one answer out, and a log line for each refusal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from appointments.errors import (
    BadRequestError,
    CalendarBusyError,
    ConflictError,
    ForbiddenError,
    IdempotencyKeyReusedError,
    InvalidRequestError,
    PayloadTooLargeError,
    RefusalError,
)
from appointments.storage.dynamodb import busy_where_crowded
from appointments.telemetry import EventType, logger
from conflict_detector import routes
from conflict_detector.request import Call, Request
from conflict_detector.responses import preflight_response, shared_with

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from appointments.storage.contact_index import ContactIndex
    from appointments.storage.store import Storage
    from appointments.timers import ReminderTimers
    from appointments.webhook_parts import WebhookParts
    from conflict_detector.access import Access
    from conflict_detector.responses import Response


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _no_webhooks() -> WebhookParts:
    raise RuntimeError("this API was made without webhooks")


def _no_contacts() -> ContactIndex:
    raise RuntimeError("this API was made without an index of contacts")


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
                caller = self.access.caller(
                    request.claims,
                    headers.get("authorization", ()),
                    headers.get("x-acting-for", ()),
                    request.principal,
                )
                parts = (self.storage, self.timers, self.webhooks, self.contacts)
                response = routes.answer(Call(request, caller, self.clock(), *parts))
        except RefusalError as exc:
            _log_refusal(exc, request)
            from conflict_detector.problems import problem_response  # noqa: PLC0415 - most requests are not refused

            response = problem_response(exc, request)
        except Exception:  # noqa: BLE001 - the last line of defence: logged, and answered with 500
            # Also for reads: a bug in any call rolls a new version back (DeploymentPreference in the template).
            logger.exception("Request failed", event_type=EventType.BOOKING_ERROR, method=request.method)
            from conflict_detector.problems import internal_error_response  # noqa: PLC0415 - as above

            response = internal_error_response(request)
        return response | {"body": ""} if request.method == "HEAD" else response


def _log_refusal(error: RefusalError, request: Request) -> None:
    """Log a refused booking or change (`POST`, `PATCH`). Other refusals and those of dry runs are not counted.

    A request that was not decided in time is counted whatever its method: it failed, as it would have by a bug.
    """
    if isinstance(error, ForbiddenError):
        # Without an event_type: requests of strangers say nothing about the health of the product.
        logger.warning("Access refused", method=request.method, caller=request.claims.get("sub"))
        return
    if isinstance(error, CalendarBusyError):
        logger.warning("Request undecided in time", event_type=EventType.BOOKING_ERROR, method=request.method)
        return
    if request.method not in ("POST", "PATCH") or request.query.get("dryRun") == ["true"]:
        return
    if request.path[0] in ("calendars", "webhooks"):  # a block is no booking, nor is a webhook
        return
    match error:
        case ConflictError():
            calendar_ids = sorted({conflict.calendar_id for conflict in error.conflicts})
            logger.info("Booking refused", event_type=EventType.BOOKING_CONFLICT, conflicting_calendar_ids=calendar_ids)
        case InvalidRequestError():
            logger.info("Booking rejected", event_type=EventType.BOOKING_REJECTED, faults=len(error.faults))
        case BadRequestError() | PayloadTooLargeError() | IdempotencyKeyReusedError():
            logger.info("Booking rejected", event_type=EventType.BOOKING_REJECTED, faults=1)
