"""The page behind a link, and the forms on it. Nobody signs in: the token in the path is what they have."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from appointments.errors import (
    CalendarBusyError,
    ConflictError,
    InvalidRequestError,
    LinkEndedError,
    LinkNotFoundError,
    PreconditionFailedError,
    RefusalError,
)
from appointments.statuses import Status
from appointments.storage.dynamodb import busy_where_crowded
from conflict_detector.links import page
from conflict_detector.links.acting import MAX_FORM_BYTES, act, parse_form
from conflict_detector.links.changing import Action, may_move, refuse_ended
from conflict_detector.links.offering import free_week
from conflict_detector.links.phrases import locale_of
from conflict_detector.problems import PROBLEMS, RETRY_AFTER_SECONDS
from conflict_detector.refusals import log_refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from appointments.model import Appointment
    from conflict_detector.links.changing import Asked
    from conflict_detector.links.page import View
    from conflict_detector.request import Call
    from conflict_detector.responses import Response

# The page that was answered to shows another version. No header asked for one, so it is no 412.
_CHANGED = 409


def show(call: Call, token: str) -> Response:
    """`GET /l/{token}`: 200, and nothing is changed: programs that look through mail open every link."""

    def shown(view: View) -> Response:
        refuse_ended(view.appointment, call.now)
        asked = _day(call)
        if asked is None or not may_move(view.appointment) or view.too_late(cancels=False):
            return page.overview(view)
        return _choice(call, view, asked)

    return _answered(call, token, shown)


def submit(call: Call, token: str) -> Response:
    """`POST /l/{token}`: 200 with the page as it is then, again and again."""

    def submitted(view: View) -> Response:
        asked = parse_form(call.request.text(MAX_FORM_BYTES))
        try:
            before, after = act(call, view.appointment.appointment_id, asked)
        except ConflictError as exc:
            return _not_free(call, view, asked, exc)
        except InvalidRequestError as exc:
            if asked.action is not Action.MOVE or not may_move(view.appointment):
                raise
            return _not_free(call, view, asked, exc)
        now_is = page.view_of(after, view.words, call.now)
        if after.status is Status.CANCELLED:
            return page.cancelled(now_is)
        key = "book" if before.status is Status.HELD and after.status is Status.SCHEDULED else asked.action
        return page.overview(now_is, view.words.note(page.GOOD, f"done {key}"))

    return _answered(call, token, submitted)


def _answered(call: Call, token: str, answer: Callable[[View], Response]) -> Response:
    """The page that `answer` makes for the appointment of a link, or the one that says why there is none."""
    accepted = call.request.headers.get("accept-language", ())
    words = page.Words(*locale_of(None, accepted))
    try:
        with busy_where_crowded():
            appointment = _appointment(call, call.links().appointment_of(token))
            words = page.Words(*locale_of(appointment.contact, accepted))
            view = page.view_of(appointment, words, call.now)
            return _with_refusals(call, view, answer)
    except LinkNotFoundError:
        return page.unknown(words)
    except CalendarBusyError as exc:
        log_refusal(exc, call.request)
        found = page.busy(words)
        return found | {"headers": found["headers"] | {"Retry-After": str(RETRY_AFTER_SECONDS)}}


def _with_refusals(call: Call, view: View, answer: Callable[[View], Response]) -> Response:
    """What `answer` says, or the appointment as it is and why nothing was done."""
    try:
        return answer(view)
    except LinkEndedError as exc:
        return page.ended(page.view_of(exc.appointment, view.words, call.now))
    except PreconditionFailedError:
        return _overtaken(call, view)
    except CalendarBusyError:
        raise
    except RefusalError as exc:
        log_refusal(exc, call.request)
        return page.overview(view, view.words.note(page.BAD, "invalid"), PROBLEMS[type(exc)].status)


def _appointment(call: Call, appointment_id: str) -> Appointment:
    found = call.storage.appointments.get(appointment_id)
    if found is None:
        raise LinkNotFoundError
    return found


def _overtaken(call: Call, view: View) -> Response:
    """The appointment as it is now: it was changed after the page was made, and may have ended since."""
    current = page.view_of(_appointment(call, view.appointment.appointment_id), view.words, call.now)
    try:
        refuse_ended(current.appointment, call.now)
    except LinkEndedError:
        return page.ended(current)
    return page.overview(current, view.words.note(page.BAD, "changed"), _CHANGED)


def _not_free(call: Call, view: View, asked: Asked, exc: ConflictError | InvalidRequestError) -> Response:
    """What is free instead of the time that was asked for."""
    log_refusal(exc, call.request)
    start = asked.start or view.appointment.interval.start  # of a hold that ran out and was taken, no time is named
    taken = isinstance(exc, ConflictError)
    note = view.words.note(page.BAD, "taken" if taken else "impossible")
    nearest = exc.alternatives if isinstance(exc, ConflictError) else ()
    day = max(start, call.now).astimezone(view.zone).date()
    week = free_week(view.appointment, day, view.zone, call.storage, call.now)
    return page.choice(view, week, day, page.Instead(PROBLEMS[type(exc)].status, note, nearest))


def _choice(call: Call, view: View, asked: date) -> Response:
    week = free_week(view.appointment, asked, view.zone, call.storage, call.now)
    return page.choice(view, week, asked)


def _day(call: Call) -> date | None:
    """The date whose free times are asked for. Mail programs add to the query of a link what is not the page's."""
    for text in call.request.query.get("day", ())[:1]:
        try:
            return date.fromisoformat(text)
        except ValueError:
            return None
    return None
