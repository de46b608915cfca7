"""The use cases of visitors: hold a time, book it, let it go. Decided and committed as everybody's bookings are."""

from __future__ import annotations

import re
import uuid
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from appointments.errors import (
    ApprovalNeededError,
    ConflictError,
    InvalidRequestError,
    InvalidTransitionError,
    LinkNotFoundError,
    ServiceNotFoundError,
    TimeTakenError,
    VisitNotFoundError,
)
from appointments.model import EXPIRY_GRACE, GUEST, LINK, with_status
from appointments.reader import Reader
from appointments.statuses import Status
from conflict_detector import booking
from conflict_detector.appointments.changes import parse_change
from conflict_detector.appointments.handlers import announce, conclude
from conflict_detector.appointments.parsing import fingerprint_of, read_idempotency_key
from conflict_detector.appointments.service_requests import parse_service_booking
from conflict_detector.contacts.parsing import read_contact
from conflict_detector.refusals import log_refusal
from conflict_detector.serving import book_service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from appointments.model import Appointment
    from conflict_detector.request import Call, Request

# Of what strangers send. A contact is far smaller, and checking one is dear.
MAX_BODY_BYTES = 16 * 1024
# Where the service does not say for how long it holds a time.
HOLD = timedelta(minutes=10)
# What ends a label of a domain, also as other scripts write it; and what else makes an address, by a number too.
_DOT = re.compile(r"[.\u3002\uff0e\uff61](?=\S)")
_NO_NAME = re.compile(r"[@\uff20]|//|:\S")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_GUESTS = uuid.UUID("0d3a1f52-0a2f-4f0e-9b5c-6f0f2d5f7c11")


def book(call: Call, service_id: str) -> Appointment:
    """Hold a time of a service or, with a contact, book it at once.

    Raises InvalidRequestError, TooManyHoldsError, TimeTakenError, ApprovalNeededError, and what a booking raises.
    """
    sent, key = _asked(call.request)
    service = call.storage.services.known(service_id).service
    if service is None:
        raise ServiceNotFoundError
    guest = GUEST + str(uuid.uuid5(_GUESTS, key) if key else uuid.uuid4())
    minutes = int((service.hold or HOLD) / timedelta(minutes=1))
    how = {} if "contact" in sent else {"hold": {"minutes": minutes}}
    body = {"serviceId": service_id, "userId": guest, **how, **sent}
    asked, ask = parse_service_booking(body, call.now, {}, call.request.headers)
    # For how long it is held is not what the visitor asked for, and may have changed before they ask again.
    asked = replace(asked, fingerprint=fingerprint_of({"serviceId": service_id, **sent}, asked.idempotency_key))
    call.visits.count(call.request.source, call.now)
    wanted = asked.appointment(call.now, LINK)
    with _naming_nobody(call):
        booked = book_service(wanted, ask, call.storage, call.now)
    announce(call, asked, wanted, booked)
    return booked


def _asked(request: Request) -> tuple[dict[str, Any], str | None]:
    """The body of a request for a time, and its idempotency key. Raises InvalidRequestError.

    Of the key, the visitor's id is made: whoever guessed another's could see what that one holds.
    """
    reader = Reader(request.json(MAX_BODY_BYTES), ("startTime", "contact"), ("startTime",))
    reader.text("startTime")
    key = read_idempotency_key(request.headers, reader)
    if key and not _UUID.fullmatch(key):
        reader.fault("Idempotency-Key", "must be a random UUID")
    if "contact" in reader.body:
        _contact(reader)
    reader.raise_faults()
    return dict(reader.body), key


def confirm(call: Call, token: str) -> Appointment:
    """Book what a visitor holds, for whom the contact names; once more with the same contact changes nothing.

    Raises InvalidRequestError, VisitNotFoundError, TimeTakenError, and what the same change of a person's own raises.
    """
    reader = Reader(call.request.json(MAX_BODY_BYTES), ("contact",), ("contact",))
    if "contact" in reader.body:
        _contact(reader)
    else:
        reader.fault("contact", "is required")
    reader.raise_faults()
    body = {"status": "scheduled", "contact": reader.body["contact"]}

    def updated(before: Appointment) -> Appointment:
        after = parse_change(body, before, call.now)
        if before.status is Status.SCHEDULED and after.contact == before.contact:
            return before
        if before.status is not Status.HELD:
            raise InvalidTransitionError(before.status, ())
        # Others can have its time by now. To take it anew, a visitor shows a booking link, which may have ended.
        if not call.visits.open_to_all and before.has_expired(call.now - EXPIRY_GRACE):
            raise InvalidTransitionError(Status.EXPIRED, ())
        return replace(after, by=LINK)

    with _naming_nobody(call):
        before, after = booking.change(_id_of(call, token), _of_visitor(updated), call.storage, call.now)
    conclude(call, before, after)
    return after


def release(call: Call, token: str) -> Appointment:
    """Let go what a visitor holds; whatever else it is by now stays as it is. Raises VisitNotFoundError."""

    def updated(before: Appointment) -> Appointment:
        held = before.status is Status.HELD and not before.has_expired(call.now)
        return with_status(before, Status.CANCELLED, call.now, LINK) if held else before

    before, after = booking.change(_id_of(call, token), _of_visitor(updated), call.storage, call.now)
    conclude(call, before, after)
    return after


def visit_of(call: Call, token: str) -> Appointment:
    """What a visitor has held or booked. Raises VisitNotFoundError."""
    found = call.storage.appointments.get(_id_of(call, token))
    if found is None:
        raise VisitNotFoundError
    return _visitors(found)


def _id_of(call: Call, token: str) -> str:
    try:
        return call.links().appointment_of(token)
    except LinkNotFoundError as exc:
        raise VisitNotFoundError from exc


def _visitors(appointment: Appointment) -> Appointment:
    """The appointment, if it is a visitor's: the token of any other one does not more than its link does."""
    if not appointment.user_id.startswith(GUEST):
        raise VisitNotFoundError
    return appointment


def _of_visitor(update: Callable[[Appointment], Appointment]) -> Callable[[Appointment], Appointment]:
    return lambda before: update(_visitors(before))


def _contact(reader: Reader) -> None:
    """Add the faults of the contact. The place has to know who comes, so a visitor has a name.

    It stands in messages of the place, to an address that nobody has checked, and shall lead nowhere: dots in it are
    followed by a space, so that no program makes a link of it.
    """
    contact = reader.body["contact"]
    name = contact.get("name") if isinstance(contact, dict) else ""
    if isinstance(name, str) and name:
        reader.body = {**reader.body, "contact": contact | {"name": _DOT.sub(r"\g<0> ", name)}}
    read_contact(reader)
    if name is None:
        reader.fault("contact.name", "is required")
    elif isinstance(name, str) and _NO_NAME.search(name):
        reader.fault("contact.name", "must be a name, without an address of the web or of email")


@contextmanager
def _naming_nobody(call: Call) -> Iterator[None]:
    """Refuse a time without saying who or what is in the way: the log says it. The request itself is without fault."""
    try:
        yield
    except ConflictError as exc:
        log_refusal(exc, call.request)
        raise TimeTakenError(exc.alternatives) from exc
    except InvalidRequestError as exc:
        if any(fault.field == "hold" for fault in exc.faults):
            raise ApprovalNeededError from exc
        log_refusal(exc, call.request)
        raise TimeTakenError from exc
