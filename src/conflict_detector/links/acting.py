"""The use case: what the holder of a link does. It is decided and committed as the person's own change is."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from appointments.errors import Fault, InvalidRequestError
from appointments.model import LINK
from appointments.reader import Reader
from conflict_detector import booking
from conflict_detector.access import Caller
from conflict_detector.appointments.handlers import conclude
from conflict_detector.links.changing import Action, Asked, change_of, is_to_do

if TYPE_CHECKING:
    from appointments.model import Appointment
    from conflict_detector.request import Call

# A form of the page has three, of some 80 bytes together.
MAX_FORM_BYTES = 4 * 1024
_MAX_FIELDS = 8
_MAX_VERSION_DIGITS = 15


def parse_form(text: str | None) -> Asked:
    """Check the body of `POST /l/{token}`. Raises InvalidRequestError with every fault that it has."""
    try:
        sent = parse_qs(text or "", keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError as exc:
        raise InvalidRequestError([Fault("", "is no form, or has too many fields")]) from exc
    faults = [Fault(name, "is sent more than once") for name, values in sent.items() if len(values) > 1]
    form = {name: values[0] for name, values in sent.items()}
    faults += [Fault(name, "is unknown") for name in form if name not in ("action", "startTime", "version")]
    action, start, version = form.get("action", ""), None, form.get("version")
    if action not in tuple(Action):
        faults.append(Fault("action", f"must be one of {', '.join(Action)}"))
    if action == Action.MOVE:
        reader = Reader({"startTime": form.get("startTime", "")}, ("startTime",), faults=faults)
        start = reader.time("startTime", None)
    if version is not None and not (version.isascii() and version.isdigit() and len(version) <= _MAX_VERSION_DIGITS):
        faults.append(Fault("version", "must be a whole number"))
    if faults:
        raise InvalidRequestError(faults)
    return Asked(Action(action), start, int(version) if version else None)


def act(call: Call, appointment_id: str, asked: Asked) -> tuple[Appointment, Appointment]:
    """Do what was asked for, once: a form that was sent before changes nothing. Returns it before and after.

    Raises LinkEndedError, PreconditionFailedError, and what the same change of a person's own raises.
    """
    now = call.now

    def allowed(before: Appointment) -> None:
        if is_to_do(before, asked, now):
            Caller(before.user_id, LINK).keep_limits(before, now, cancels=True)

    if asked.action is Action.CANCEL:
        before, after = booking.cancel(appointment_id, allowed, call.storage, now, LINK)
    else:
        before, after = booking.change(appointment_id, change_of(asked, now), call.storage, now)
    conclude(call, before, after)
    return before, after
