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
from appointments.errors import (
    AppointmentNotFoundError,
    BadRequestError,
    CalendarBusyError,
    ConflictError,
    InvalidRequestError,
    MethodNotAllowedError,
    RouteNotFoundError,
    SchedulerError,
)
from appointments.reminders import ReminderRules
from appointments.table import SchedulerTable
from appointments.telemetry import EventType, logger
from appointments.times import to_utc_text
from conflict_detector.booking import book
from conflict_detector.requests import parse_booking
from conflict_detector.responses import (
    Response,
    appointment_response,
    internal_error_response,
    problem_response,
)
from conflict_detector.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from appointments.model import Appointment


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Response:
    """Answer one API Gateway proxy event (REST API, payload format 1.0)."""
    return _api().handle(event)


@cache
def _api() -> Api:
    settings = Settings.from_env(os.environ)
    return Api(
        table=SchedulerTable(
            client("dynamodb"), settings.appointments_table, settings.calendars_table, settings.retention
        ),
        # Made when the first reminder needs it: a refused booking never pays for it.
        rules=cache(
            lambda: ReminderRules(
                client("events", read_timeout=1.5, attempts=2),
                settings.reminder_sender_arn,
                settings.dead_letter_queue_arn,
            )
        ),
    )


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Api:
    """The routes, over collaborators that a test can bring along."""

    table: SchedulerTable
    rules: Callable[[], ReminderRules]
    clock: Callable[[], datetime] = _utc_now

    def handle(self, event: Mapping[str, Any]) -> Response:
        """Answer the event; every error becomes a problem+json answer."""
        request_id = event["requestContext"]["requestId"]
        logger.set_correlation_id(request_id)
        try:
            return self._route(event)()
        except SchedulerError as exc:
            return problem_response(exc, request_id)
        except Exception:  # noqa: BLE001 - the last line of defence: logged, and answered with 500
            logger.exception("Request failed", event_type=EventType.BOOKING_ERROR)
            return internal_error_response(request_id)

    def _route(self, event: Mapping[str, Any]) -> Callable[[], Response]:
        method = event["httpMethod"]
        routes: dict[str, Callable[[], Response]]
        match [unquote(segment) for segment in event["path"].strip("/").split("/")]:
            case ["appointments"]:
                routes = {"POST": partial(self.book, event)}
            case ["appointments", appointment_id]:
                routes = {"GET": partial(self.get, appointment_id)}
            case _:
                raise RouteNotFoundError
        if method not in routes:
            raise MethodNotAllowedError(sorted(routes))
        return routes[method]

    def book(self, event: Mapping[str, Any]) -> Response:
        """`POST /appointments`: 201, 400, 409, 422 or 503."""
        now = self.clock()
        try:
            request = parse_booking(_body(event), now)
            appointment = request.appointment(str(uuid.uuid4()), now)
            logger.append_keys(user_id=appointment.user_id, calendar_ids=appointment.calendar_ids)
            book(appointment, self.table)
        except (BadRequestError, InvalidRequestError) as exc:
            faults = len(exc.faults) if isinstance(exc, InvalidRequestError) else 1
            logger.info("Booking rejected", event_type=EventType.BOOKING_REJECTED, faults=faults)
            raise
        except ConflictError as exc:
            logger.info(
                "Booking refused",
                event_type=EventType.BOOKING_CONFLICT,
                start_time=to_utc_text(appointment.interval.start),
                end_time=to_utc_text(appointment.interval.end),
                conflicting_calendar_ids=sorted({conflict.calendar_id for conflict in exc.conflicts}),
            )
            raise
        except CalendarBusyError:
            logger.warning("Booking undecided in time", event_type=EventType.BOOKING_ERROR)
            raise
        logger.append_keys(appointment_id=appointment.appointment_id)
        logger.info(
            "Appointment booked",
            event_type=EventType.BOOKING_SUCCESS,
            start_time=to_utc_text(appointment.interval.start),
            end_time=to_utc_text(appointment.interval.end),
        )
        if appointment.reminders:
            self._arm(appointment, now, event["requestContext"]["requestId"])
        return appointment_response(201, appointment)

    def _arm(self, appointment: Appointment, now: datetime, correlation_id: str) -> None:
        """Create the reminders' rules. The booking stands whatever happens here, so it is only logged."""
        for armed in self.rules().arm(appointment, now, correlation_id=correlation_id):
            keys = {
                "reminder": armed.reminder.offset,
                "rule_name": armed.rule_name,
                "due_at": to_utc_text(armed.reminder.due_at),
            }
            if armed.error is None:
                logger.info("Reminder scheduled", event_type=EventType.REMINDER_SCHEDULED, extra=keys)
            else:
                logger.error(
                    "Reminder not scheduled",
                    event_type=EventType.REMINDER_SCHEDULE_ERROR,
                    exc_info=armed.error,
                    extra=keys,
                )

    def get(self, appointment_id: str) -> Response:
        """`GET /appointments/{id}`: 200 or 404."""
        appointment = self.table.get_appointment(appointment_id)
        if appointment is None:
            raise AppointmentNotFoundError
        return appointment_response(200, appointment)


def _body(event: Mapping[str, Any]) -> str | None:
    body: str | None = event.get("body")
    if not body or not event.get("isBase64Encoded"):
        return body
    try:
        return base64.b64decode(body).decode()
    except ValueError as exc:
        raise BadRequestError("The body is not UTF-8 text.") from exc
