"""Who may book without signing in: whoever has a booking link, or everyone where the stack is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appointments.errors import (
    BookingClosedError,
    BookingLinkExpiredError,
    BookingLinkUnknownError,
    Fault,
    InvalidRequestError,
)
from appointments.reader import CALENDAR_ID_RULE, is_calendar_id
from appointments.times import to_utc_text

if TYPE_CHECKING:
    from appointments.booking_links import BookingLink
    from conflict_detector.request import Call

KEY = "key"


def admit(call: Call, service_id: str) -> None:
    """Let a visitor in to one service.

    Raises InvalidRequestError, BookingClosedError, BookingLinkUnknownError, BookingLinkExpiredError.
    """
    if not is_calendar_id(service_id):
        raise InvalidRequestError([Fault("serviceId", CALENDAR_ID_RULE)])
    link = link_of(call)
    if link and service_id not in link.services:
        raise BookingLinkUnknownError


def link_of(call: Call) -> BookingLink | None:
    """The booking link of a request; None where everyone may book. Raises as `admit`."""
    if call.visits.open_to_all:
        return None
    keys = call.request.query.get(KEY, ())
    if not keys:
        raise BookingClosedError
    if len(keys) > 1:
        raise InvalidRequestError([Fault(KEY, "is sent more than once")])
    link = call.links().booking_link_of(keys[0])
    if link.until <= call.now:
        raise BookingLinkExpiredError(to_utc_text(link.until))
    return link
