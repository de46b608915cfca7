"""The conflict detector: the Lambda function behind the HTTP API. Routes only; see `booking.book`."""

from __future__ import annotations

import base64
import os
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from appointments.aws import client
from appointments.calendar_settings import check_settings
from appointments.errors import (
    AppointmentCancelledError,
    AppointmentNotFoundError,
    BadRequestError,
    CalendarBusyError,
    ConflictError,
    ForbiddenError,
    IdempotencyKeyReusedError,
    InvalidRequestError,
    MethodNotAllowedError,
    PayloadTooLargeError,
    PreconditionFailedError,
    RouteNotFoundError,
    SchedulerError,
)
from appointments.start import ON_LAMBDA, finish
from appointments.statuses import Status
from appointments.storage.calendar_settings import SettingsChangedError
from appointments.storage.dynamodb import busy_where_crowded
from appointments.storage.store import Storage
from appointments.telemetry import EventType, log_arming, logger, timer_keys
from appointments.timers import timers_of
from appointments.times import to_utc_text
from conflict_detector import docs
from conflict_detector.availability import available
from conflict_detector.booking import book, cancel, change
from conflict_detector.requests import (
    parse_appointment_id,
    parse_availability,
    parse_booking,
    parse_calendar_id,
    parse_list,
    parse_no_parameters,
    parse_object,
    parse_versions,
    revise,
    unknown_parameters,
)
from conflict_detector.responses import (
    Response,
    appointment_response,
    availability_response,
    base_url,
    created_response,
    internal_error_response,
    page_response,
    preflight_response,
    problem_response,
    settings_response,
    shared_with,
)
from conflict_detector.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from appointments.model import Appointment
    from appointments.storage.calendar_settings import StoredSettings
    from appointments.timers import ReminderTimers
    from conflict_detector.access import Access, Caller
    from conflict_detector.requests import Headers, Query


# What no version is.
NO_VERSION = -1
# Far more than any request needs, and far less than what API Gateway lets through.
MAX_BODY_BYTES = 1024 * 1024


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Response:
    """Answer one API Gateway proxy event (REST API, payload format 1.0)."""
    return _api().handle(event)


@cache
def _api() -> Api:
    return api_of(Settings.from_env(os.environ))


def api_of(settings: Settings) -> Api:
    """The API over the resources that the settings name."""
    return Api(
        storage=Storage.of(
            client("dynamodb"), settings.appointments_table, settings.calendars_table, settings.retention
        ),
        timers=timers_of(settings.timers, read_timeout=1.5, attempts=2),
        access=settings.access,
        cors_origin=settings.cors_origin,
    )


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Api:
    """The routes, over collaborators that a test can bring along."""

    storage: Storage
    timers: ReminderTimers
    access: Access
    cors_origin: str = ""
    clock: Callable[[], datetime] = _utc_now

    def handle(self, event: Mapping[str, Any]) -> Response:
        """Answer the event; every error becomes a problem+json answer."""
        request = Request.of(event)
        logger.set_correlation_id(request.id)
        response = self._answer(request)
        return shared_with(self.cors_origin, response) if self.cors_origin else response

    def _answer(self, request: Request) -> Response:
        if self.cors_origin and request.method == "OPTIONS":
            return preflight_response()  # asked without credentials, so it must be answered without
        try:
            with busy_where_crowded():
                response = self._route(
                    request, self.access.caller(request.claims, request.headers.get("authorization", ()))
                )()
        except SchedulerError as exc:
            _log_refusal(exc, request)
            response = problem_response(exc, request.id, request.base)
        except Exception:  # noqa: BLE001 - the last line of defence: logged, and answered with 500
            # Of reads too: a bug is never normal, and takes a new version back (DeploymentPreference in the template).
            logger.exception("Request failed", event_type=EventType.BOOKING_ERROR, method=request.method)
            response = internal_error_response(request.id, request.base)
        return response | {"body": ""} if request.method == "HEAD" else response

    def _route(self, request: Request, caller: Caller) -> Callable[[], Response]:
        routes: dict[str, Callable[[], Response]]
        match request.path:
            case [*_, ""] if request.path != ["docs", ""]:
                raise RouteNotFoundError
            case ["appointments"]:
                routes = {"GET": partial(self.list, request, caller), "POST": partial(self.book, request, caller)}
            case ["appointments", appointment_id]:
                routes = {
                    "GET": partial(self.get, request, caller, appointment_id),
                    "PATCH": partial(self.change, request, caller, appointment_id),
                    "DELETE": partial(self.cancel, request, caller, appointment_id),
                }
            case ["calendars", calendar_id]:
                routes = {
                    "GET": partial(self.get_calendar, request, caller, calendar_id),
                    "PUT": partial(self.put_calendar, request, caller, calendar_id),
                }
            case ["availability"]:
                routes = {"GET": partial(self.availability, request, caller)}
            case ["openapi.json"] | ["docs"] | ["docs", _]:
                routes = {"GET": partial(docs.respond, request.path)}
            case _:
                raise RouteNotFoundError
        if "GET" in routes:
            routes["HEAD"] = routes["GET"]
        if request.method not in routes:
            raise MethodNotAllowedError(sorted(routes))
        return routes[request.method]

    def book(self, request: Request, caller: Caller) -> Response:
        """`POST /appointments`: 201, or 200 for a dry run."""
        now = self.clock()
        asked = parse_booking(parse_object(request.body()), now, request.query, request.headers)
        caller.act_for(asked.user_id)
        caller.occupy([*asked.resource_ids, *asked.any_of])
        wanted = asked.appointment(now)
        _log_about(wanted)
        booked = book(
            wanted,
            self.storage,
            now,
            any_of=asked.any_of,
            own_reminders=asked.offsets is not None,
            dry_run=asked.dry_run,
            faults=[asked.past] if asked.past else [],
        )
        if asked.dry_run:
            return appointment_response(booked)
        if booked is not wanted:
            _log_about(booked)
        # Under a key it may have been booked long ago. Without one the id is new, and so is what is booked under it.
        if asked.idempotency_key is None or booked.created_at is now:
            logger.append_keys(appointment_id=booked.appointment_id)
            logger.info("Appointment booked", event_type=EventType.BOOKING_SUCCESS)
            self._arm(booked, now, request.id)
        return created_response(booked, request.base)

    def get(self, request: Request, caller: Caller, appointment_id: str) -> Response:
        """`GET /appointments/{id}`: 200."""
        parse_no_parameters(request.query)
        appointment = self.storage.appointments.get(parse_appointment_id(appointment_id))
        if appointment is None:
            raise AppointmentNotFoundError
        caller.act_for(appointment.user_id)
        return appointment_response(appointment)

    def list(self, request: Request, caller: Caller) -> Response:
        """`GET /appointments`: 200."""
        asked = parse_list(request.query)
        caller.act_for(asked.user_id)
        page = self.storage.appointments.page(
            asked.user_id,
            starts_from=asked.starts_from,
            starts_before=asked.starts_before,
            status=asked.status,
            limit=asked.limit,
            after=asked.after,
        )
        return page_response(page)

    def change(self, request: Request, caller: Caller, appointment_id: str) -> Response:
        """`PATCH /appointments/{id}`: 200."""
        now = self.clock()
        appointment_id = parse_appointment_id(appointment_id)
        body = parse_object(request.body())
        faults = unknown_parameters(request.query)

        def revised(before: Appointment) -> Appointment:
            # Personal data can be removed at any time; everything else of a cancelled appointment is final.
            if not before.status.becomes and body.keys() != {"details"}:
                raise AppointmentCancelledError
            after = revise(body, before, now, faults)
            # What a scheduler has put there stays where it is, also when its person changes something else.
            caller.occupy(set(after.resource_ids) - set(before.resource_ids))
            # A precondition counts where the request is good without it (RFC 9110, 13.2.1).
            request.check_version(before)
            return after

        before, after = change(
            appointment_id, lambda before: caller.act_for(before.user_id), revised, self.storage, now
        )
        logger.append_keys(appointment_id=appointment_id)
        _log_about(after)
        if before.interval != after.interval or before.calendar_ids != after.calendar_ids:
            logger.info("Appointment rescheduled", event_type=EventType.APPOINTMENT_RESCHEDULED)
        else:
            logger.info("Appointment changed")
        if before.reminders != after.reminders:
            self._disarm(before, after)
            self._arm(after, now, request.id)
        return appointment_response(after)

    def cancel(self, request: Request, caller: Caller, appointment_id: str) -> Response:
        """`DELETE /appointments/{id}`: 200, again and again."""
        parse_no_parameters(request.query)
        appointment_id = parse_appointment_id(appointment_id)

        def allowed(before: Appointment) -> None:
            caller.act_for(before.user_id)
            # What is cancelled is as the caller wants it, whatever version they saw (RFC 9110, 13.1.1).
            if before.status is not Status.CANCELLED:
                request.check_version(before)

        before, after = cancel(appointment_id, allowed, self.storage, self.clock())
        if after is not before:
            logger.append_keys(appointment_id=appointment_id)
            _log_about(after)
            logger.info("Appointment cancelled", event_type=EventType.APPOINTMENT_CANCELLED)
            self._disarm(before, after)
        return appointment_response(after)

    def get_calendar(self, request: Request, caller: Caller, calendar_id: str) -> Response:
        """`GET /calendars/{id}`: 200, for a calendar that nobody configured too."""
        parse_no_parameters(request.query)
        calendar_id = parse_calendar_id(calendar_id)
        caller.occupy([calendar_id])
        return settings_response(calendar_id, self.storage.settings.get(calendar_id))

    def put_calendar(self, request: Request, caller: Caller, calendar_id: str) -> Response:
        """`PUT /calendars/{id}`: 200. What is booked already is not touched."""
        parse_no_parameters(request.query)
        calendar_id = parse_calendar_id(calendar_id)
        caller.configure(calendar_id)
        body = parse_object(request.body())
        # What a GET answers beside the settings may come back in a PUT.
        body = {name: value for name, value in body.items() if name not in ("calendarId", "version", "updatedAt")}
        check_settings(body)
        stored = self._write_settings(calendar_id, body, parse_versions(request.headers))
        logger.info("Calendar configured", calendar_id=calendar_id, version=stored.version)
        return settings_response(calendar_id, stored)

    def _write_settings(
        self, calendar_id: str, body: Mapping[str, Any], allowed: frozenset[int] | None
    ) -> StoredSettings:
        """Write over one of the versions that are allowed, over any where that is None."""
        version = None if allowed is None else min(allowed, default=NO_VERSION)
        while True:
            try:
                return self.storage.settings.put(calendar_id, body, self.clock(), version)
            except SettingsChangedError as exc:
                if allowed is None or exc.version not in allowed or exc.version == version:
                    raise PreconditionFailedError(exc.version) from exc
                version = exc.version

    def availability(self, request: Request, caller: Caller) -> Response:
        """`GET /availability`: 200."""
        asked = parse_availability(request.query)
        caller.occupy(asked.calendar_ids)
        return availability_response(available(asked, self.storage, self.clock()), asked.zone)

    def _arm(self, appointment: Appointment, now: datetime, correlation_id: str) -> None:
        """Make the timers of the reminders that are to come.

        The booking stands whatever happens here, so a failure is only logged: the due index knows the reminder.
        """
        if appointment.next_reminder_at is None:
            return
        for outcome in self.timers.arm(appointment, now, correlation_id=correlation_id):
            log_arming(outcome, self.timers.backend)

    def _disarm(self, before: Appointment, after: Appointment) -> None:
        """Remove the timers of reminders that were to come and are not any more.

        A failure is only logged: a timer that still fires sends nothing, and goes then.
        """
        wanted = {reminder.offset for reminder in after.reminders if reminder.is_open}
        gone = [reminder for reminder in before.reminders if reminder.is_open and reminder.offset not in wanted]
        if not gone:
            return
        for outcome in self.timers.disarm(before, gone):
            keys = timer_keys(outcome)
            if outcome.error is None:
                logger.info("Rule removed", event_type=EventType.RULE_CLEANED, extra=keys)
            else:
                logger.error(
                    "Rule not removed",
                    event_type=EventType.REMINDER_SCHEDULE_ERROR,
                    exc_info=outcome.error,
                    extra=keys,
                )


@dataclass(frozen=True, slots=True)
class Request:
    """One API Gateway event, as far as the routes need it. Header names are in lower case."""

    id: str
    method: str
    path: list[str]
    query: Query
    headers: Headers
    claims: Mapping[str, Any]
    base: str
    raw_body: str | None
    is_base64: bool

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Request:
        """From the payload format 1.0 of a REST API; events written by hand may come without a context."""
        context = event.get("requestContext") or {}
        query = event.get("multiValueQueryStringParameters") or {
            name: [value] for name, value in (event.get("queryStringParameters") or {}).items()
        }
        headers: dict[str, list[str]] = {}
        sent = event.get("multiValueHeaders") or {n: [value] for n, value in (event.get("headers") or {}).items()}
        for name, values in sent.items():
            headers.setdefault(name.lower(), []).extend(values)
        return cls(
            id=context.get("requestId") or str(uuid.uuid4()),
            method=event["httpMethod"],
            path=[unquote(segment) for segment in event["path"].removeprefix("/").split("/")],
            query=query,
            headers=headers,
            claims=(context.get("authorizer") or {}).get("claims") or {},
            base=base_url(event),
            raw_body=event.get("body"),
            is_base64=bool(event.get("isBase64Encoded")),
        )

    def body(self) -> str | None:
        """The body as text. Raises PayloadTooLargeError, BadRequestError."""
        if self.raw_body is None:
            return None
        try:
            sent = base64.b64decode(self.raw_body) if self.is_base64 else self.raw_body.encode()
            if len(sent) > MAX_BODY_BYTES:
                raise PayloadTooLargeError(MAX_BODY_BYTES)
            return sent.decode()
        except ValueError as exc:
            raise BadRequestError("The body is not UTF-8 text.") from exc

    def check_version(self, appointment: Appointment) -> None:
        """Raises PreconditionFailedError where `If-Match` asks for another version."""
        allowed = parse_versions(self.headers)
        if allowed is not None and appointment.version not in allowed:
            raise PreconditionFailedError(appointment.version)


def _log_about(appointment: Appointment) -> None:
    """Every further line of this request names whose time it is about, and which."""
    logger.append_keys(
        user_id=appointment.user_id,
        calendar_ids=appointment.calendar_ids,
        start_time=to_utc_text(appointment.interval.start),
        end_time=to_utc_text(appointment.interval.end),
    )


def _log_refusal(error: SchedulerError, request: Request) -> None:
    """One line per booking or change that was refused; what only reads, or only tries, is not counted.

    One that was not decided in time is counted whatever it was to do: it failed, like one that met a bug.
    """
    if isinstance(error, ForbiddenError):
        # Of no event_type: what strangers try says nothing about how bookings go.
        logger.warning("Access refused", method=request.method, caller=request.claims.get("sub"))
        return
    if isinstance(error, CalendarBusyError):
        logger.warning("Request undecided in time", event_type=EventType.BOOKING_ERROR, method=request.method)
        return
    if request.method not in ("POST", "PATCH") or request.query.get("dryRun") == ["true"]:
        return
    match error:
        case ConflictError():
            calendar_ids = sorted({conflict.calendar_id for conflict in error.conflicts})
            logger.info("Booking refused", event_type=EventType.BOOKING_CONFLICT, conflicting_calendar_ids=calendar_ids)
        case InvalidRequestError():
            logger.info("Booking rejected", event_type=EventType.BOOKING_REJECTED, faults=len(error.faults))
        case BadRequestError() | PayloadTooLargeError() | IdempotencyKeyReusedError():
            logger.info("Booking rejected", event_type=EventType.BOOKING_REJECTED, faults=1)


# What nearly every request needs is made at the start, which has seven times the processor.
if ON_LAMBDA:
    _api().timers.get_ready()
finish()
