"""Book, read, list, change and cancel appointments."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from appointments.claims import session_of
from appointments.errors import AppointmentNotFoundError
from appointments.happened import Happened, happened
from appointments.statuses import Status
from appointments.telemetry import EventType, logger
from appointments.times import to_utc_text
from conflict_detector import booking
from conflict_detector.appointments.answers import appointment_response, created_response, page_response
from conflict_detector.appointments.parsing import parse_appointment_id, parse_booking
from conflict_detector.appointments.reminding import arm, disarm

# So many who joined a session are cancelled while the caller waits.
MAX_CLEARED = 25

if TYPE_CHECKING:
    from appointments.model import Appointment
    from conflict_detector.appointments.parsing import BookingRequest
    from conflict_detector.request import Call
    from conflict_detector.responses import Response


def book(call: Call) -> Response:
    """`POST /appointments`: 201, or 200 for a dry run."""
    request = call.request
    body = request.json()
    if "sessionId" in body:
        return _join(call, body)
    if "serviceId" in body:
        asked, wanted, booked = _book_service(call, body)
    else:
        asked = parse_booking(body, call.now, request.query, request.headers)
        call.caller.act_for(asked.user_id)
        call.caller.occupy([*asked.resource_ids, *asked.any_of])
        call.caller.waive(notice=asked.ignore_notice)
        wanted = asked.appointment(call.now, call.caller.by)
        _log_about(wanted)
        past = [asked.past] if asked.past else []
        terms = booking.Terms(asked.any_of, asked.offsets is not None, asked.dry_run, past, asked.ignore_notice)
        booked = booking.book(wanted, call.storage, call.now, terms)
    seats_left = booked.session_seats  # nobody has joined yet
    if asked.dry_run:
        return appointment_response(booked, seats_left)
    if not announce(call, asked, wanted, booked) and seats_left:
        from conflict_detector.joining import with_seats_left  # noqa: PLC0415 - few are sessions

        booked, seats_left = with_seats_left(booked, call.storage, call.now)
    return created_response(booked, request.base, seats_left)


def announce(call: Call, asked: BookingRequest, wanted: Appointment, booked: Appointment) -> bool:
    """What follows a booking that was committed: its log line and its timers. Returns whether it was booked just now.

    Under a key it may have been booked long ago. Without one the id is new, and so is what is booked under it.
    """
    if booked is not wanted:
        _log_about(booked)
    if asked.idempotency_key is not None and booked.created_at is not call.now:
        return False
    logger.append_keys(appointment_id=booked.appointment_id)
    _log(happened(None, booked))
    arm(call, booked)
    return True


def _join(call: Call, body: dict[str, Any]) -> Response:
    """`POST /appointments` with `sessionId`: as `book`."""
    from conflict_detector.appointments.joins import parse_join  # noqa: PLC0415 - most requests book
    from conflict_detector.joining import join  # noqa: PLC0415

    request = call.request
    wanted, own_reminders, dry_run = parse_join(body, call.now, request.query, request.headers)
    call.caller.act_for(wanted.user_id)
    logger.append_keys(user_id=wanted.user_id, session_id=wanted.session_id)
    wanted = replace(wanted, by=call.caller.by)
    joined, seats_left = join(wanted, call.storage, call.now, booking.Terms((), own_reminders, dry_run))
    if dry_run:
        return appointment_response(joined, seats_left)
    _log_about(joined)
    if wanted.fingerprint is None or joined.created_at is call.now:
        logger.append_keys(appointment_id=joined.appointment_id)
        _log(happened(None, joined))
        arm(call, joined)
    return created_response(joined, request.base, seats_left)


def _book_service(call: Call, body: dict[str, Any]) -> tuple[BookingRequest, Appointment, Appointment]:
    """What is asked for, the appointment as it is wanted, and as it is booked.

    Whoever made the service has said which calendars it takes, so that anybody may book these by it.
    """
    from conflict_detector.appointments.service_requests import parse_service_booking  # noqa: PLC0415 - few book one
    from conflict_detector.serving import book_service  # noqa: PLC0415 - as above

    asked, ask = parse_service_booking(body, call.now, call.request.query, call.request.headers)
    call.caller.act_for(asked.user_id)
    call.caller.waive(notice=asked.ignore_notice)
    ask = ask._replace(by_person=call.caller.is_person)
    wanted = asked.appointment(call.now, call.caller.by)
    _log_about(wanted)
    return asked, wanted, book_service(wanted, ask, call.storage, call.now)


def get(call: Call, appointment_id: str) -> Response:
    """`GET /appointments/{id}`: 200."""
    call.request.refuse_parameters()
    appointment = call.storage.appointments.get(parse_appointment_id(appointment_id))
    if appointment is None:
        raise AppointmentNotFoundError
    call.caller.act_for(appointment.user_id)
    if appointment.session_seats is None:
        return appointment_response(appointment)
    from conflict_detector.joining import with_seats_left  # noqa: PLC0415 - few are sessions

    return appointment_response(*with_seats_left(appointment, call.storage, call.now))


def find(call: Call) -> Response:
    """`GET /appointments`: 200."""
    if "sessionId" in call.request.query:
        return _find_joined(call)
    if "contact" in call.request.query:
        return _find_by_contact(call)
    if "calendarIds" in call.request.query:
        return _find_on_calendars(call)
    from appointments.storage import desk, lists  # noqa: PLC0415 - most requests book
    from conflict_detector.appointments.listing import parse_list  # noqa: PLC0415

    asked = parse_list(call.request.query)
    if isinstance(asked, lists.CalendarQuery):
        call.caller.act_for(asked.calendar_id)
        return page_response(lists.page_of_calendar(call.storage, asked, call.now), call.caller.user_id)
    if isinstance(asked, desk.DeskQuery):
        call.caller.manage()
        return page_response(desk.page(call.storage.appointments, asked))
    call.caller.act_for(asked.user_id)
    return page_response(lists.page_of_person(call.storage.appointments, asked))


def _find_by_contact(call: Call) -> Response:
    """`GET /appointments?contact=`: 200."""
    from conflict_detector.contacts.queries import parse_contact_query  # noqa: PLC0415 - few lists are of a contact

    asked = parse_contact_query(call.request.query)
    call.caller.manage()
    return page_response(call.contacts().page(call.storage.appointments, asked))


def _find_on_calendars(call: Call) -> Response:
    """`GET /appointments?calendarIds=`: 200, or 304 where the caller knows the answer."""
    from appointments.storage.many_calendars import page_of_calendars  # noqa: PLC0415 - few lists are of many
    from conflict_detector.appointments.many import parse_many, unless_known  # noqa: PLC0415 - as above

    asked = parse_many(call.request.query)
    for calendar_id in asked.calendar_ids:
        call.caller.act_for(calendar_id)
    page = page_of_calendars(call.storage, asked, call.now)
    return unless_known(page_response(page, call.caller.user_id), call.request.headers)


def _find_joined(call: Call) -> Response:
    """`GET /appointments?sessionId=`: 200."""
    from appointments.sessions import refuse_unless_session  # noqa: PLC0415
    from appointments.storage.lists import page_of_calendar  # noqa: PLC0415
    from conflict_detector.appointments.joins import parse_joined  # noqa: PLC0415 - few lists are of a session

    asked = parse_joined(call.request.query)
    call.caller.act_for(asked.calendar_id)  # which is nobody's: who joined is for those to see who act for everyone
    session = refuse_unless_session(call.storage.appointments.get(session_of(asked.calendar_id)))
    return page_response(page_of_calendar(call.storage, asked._replace(within=session.interval), call.now))


def change(call: Call, appointment_id: str) -> Response:
    """`PATCH /appointments/{id}`: 200."""
    from conflict_detector.appointments.changes import parse_change  # noqa: PLC0415 - most requests book

    request, caller = call.request, call.caller
    appointment_id = parse_appointment_id(appointment_id)
    body = request.json()
    faults = request.unknown_parameters()
    seats_left = None
    waives = body.get("ignoreNotice") is True

    def updated(before: Appointment) -> Appointment:
        caller.act_for(before.user_id)
        after = parse_change(body, before, call.now, faults)
        # Only new calendars count: a member of the group `schedulers` may have added those that are there already.
        caller.occupy(set(after.resource_ids) - set(before.resource_ids))
        caller.turn(before.status, after.status)
        caller.waive(notice=waives)
        # A precondition counts where the request is good without it (RFC 9110, 13.2.1).
        request.check_version(before.version)
        cancels = after.status is Status.CANCELLED
        if before.service and (cancels or after.interval != before.interval):
            caller.keep_limits(before, call.now, cancels=cancels)
        if before.session_seats is not None:
            from conflict_detector.joining import left_after  # noqa: PLC0415 - few are sessions

            nonlocal seats_left
            seats_left = left_after(before, after, call.storage, call.now)
        return after if after is before else replace(after, by=caller.by)

    bound = booking.Bound(people=caller.is_person, notice=not waives)
    before, after = booking.change(appointment_id, updated, call.storage, call.now, bound)
    conclude(call, before, after)
    return appointment_response(after, seats_left)


def cancel(call: Call, appointment_id: str) -> Response:
    """`DELETE /appointments/{id}`: 200, again and again."""
    call.request.refuse_parameters()
    appointment_id = parse_appointment_id(appointment_id)

    def allowed(before: Appointment) -> None:
        call.caller.act_for(before.user_id)
        # What is cancelled is as the caller wants it, whatever version they saw (RFC 9110, 13.1.1).
        if before.status is not Status.CANCELLED:
            call.request.check_version(before.version)
            call.caller.keep_limits(before, call.now, cancels=True)

    before, after = booking.cancel(appointment_id, allowed, call.storage, call.now, call.caller.by)
    conclude(call, before, after)
    return appointment_response(after)


def conclude(call: Call, before: Appointment, after: Appointment) -> None:
    """What follows a change that was committed: its log line, its timers, and the end of those who joined a session."""
    if after is not before:
        logger.append_keys(appointment_id=after.appointment_id)
        _log_about(after)
        _log(happened(before, after))
    if before.reminders != after.reminders:
        disarm(call, before, after)
        arm(call, after)
    _clear(call, after)


def _clear(call: Call, session: Appointment) -> None:
    """Cancel who joined a session that was cancelled. What is left, or fails, is the sweep's to do."""
    if not session.clearing:
        return
    from appointments.clearing import clear  # noqa: PLC0415 - few sessions are cancelled

    def cancelled(before: Appointment, after: Appointment) -> None:
        keys = {"appointment_id": after.appointment_id, "user_id": after.user_id, "session_id": after.session_id}
        logger.info("Cancelled with its session", event_type=EventType.APPOINTMENT_CANCELLED, extra=keys)
        disarm(call, before, after)

    try:
        clear(session, call.storage, cancelled, MAX_CLEARED)
    except Exception:  # noqa: BLE001 - the session is cancelled, and the due index knows of the others
        logger.warning("Left to the sweep: cancelling who joined", exc_info=True)


# The line of each, and the event that is counted.
_LINES = {
    Happened.HELD: ("Appointment held", EventType.APPOINTMENT_HELD),
    Happened.REQUESTED: ("Appointment requested", EventType.APPOINTMENT_REQUESTED),
    Happened.BOOKED: ("Appointment booked", EventType.BOOKING_SUCCESS),
    Happened.APPROVED: ("Request approved", EventType.APPOINTMENT_APPROVED),
    Happened.DECLINED: ("Request declined", EventType.APPOINTMENT_DECLINED),
    Happened.ARRIVED: ("Person arrived", EventType.APPOINTMENT_ARRIVED),
    Happened.COMPLETED: ("Appointment completed", EventType.APPOINTMENT_COMPLETED),
    Happened.NO_SHOW: ("Person did not come", EventType.APPOINTMENT_NO_SHOW),
    Happened.CANCELLED: ("Appointment cancelled", EventType.APPOINTMENT_CANCELLED),
    Happened.MOVED: ("Appointment rescheduled", EventType.APPOINTMENT_RESCHEDULED),
    Happened.CONFIRMED: ("Appointment confirmed", EventType.APPOINTMENT_CONFIRMED),
}


def _log(what: Happened) -> None:
    if what in _LINES:
        message, event_type = _LINES[what]
        logger.info(message, event_type=event_type)
    else:
        logger.info("Appointment changed")


def _log_about(appointment: Appointment) -> None:
    """Every further line of this request names whose time it is about, and which."""
    logger.append_keys(
        user_id=appointment.user_id,
        calendar_ids=appointment.calendar_ids,
        start_time=to_utc_text(appointment.interval.start),
        end_time=to_utc_text(appointment.interval.end),
    )
