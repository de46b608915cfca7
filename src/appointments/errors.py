"""Every way in which a request can be refused, one class each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appointments.model import Appointment, Conflict, Interval


class ProductError(Exception):
    """Base of everything that this system raises on purpose."""


class RefusalError(ProductError):
    """Base of what callers of the API are told; `conflict_detector.problems` maps each class to a problem.

    Outcomes of a write that only a use case may see are `NotWrittenError`, in `appointments.storage`.
    """


class BadRequestError(RefusalError):
    """The body cannot be read as JSON, or not in one way only, so no field can be blamed."""


@dataclass(frozen=True, slots=True, repr=False)
class Fault:
    """One thing wrong with a request: the field it is about, and what to send instead."""

    field: str
    message: str
    # Where a calendar's own rule is broken: whose, which, and the nearest interval that its rules accept.
    calendar_id: str | None = None
    rule: str | None = None
    nearest: Interval | None = None


class InvalidRequestError(RefusalError):
    """The request was read and has faults; `faults` lists all of them."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = tuple(faults)


class TooManyAppointmentsError(InvalidRequestError):
    """The days that the request is about hold more than one request may look at; `limit` is the most."""

    def __init__(self, limit: int, what: str = "appointments") -> None:
        message = f"is about days with more than {limit} {what}; ask for fewer days or fewer calendars"
        super().__init__([Fault("", message)])


class PayloadTooLargeError(RefusalError):
    """The body is larger than any request could need to be; `limit` is the most, in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"at most {limit} bytes")
        self.limit = limit


class ForbiddenError(RefusalError):
    """The caller is known, and this is not theirs to do."""


class ConflictError(RefusalError):
    """Other appointments are in the way; `conflicts` says where and when, not whose.

    `alternatives` are free intervals of the same length on the same calendars, the nearest first. `faults` are the
    rules of those calendars that would have had room, where any of several would have done.
    """

    def __init__(
        self, conflicts: Sequence[Conflict], alternatives: Sequence[Interval] = (), faults: Sequence[Fault] = ()
    ) -> None:
        super().__init__(f"{len(conflicts)} conflicts")
        self.conflicts = tuple(conflicts)
        self.alternatives = tuple(alternatives)
        self.faults = tuple(faults)


class SessionFullError(ConflictError):
    """The session has fewer seats left than are asked for; `seats_left` is how many."""

    def __init__(self, seats_left: int) -> None:
        super().__init__(())
        self.seats_left = seats_left


class SessionClosedError(RefusalError):
    """The session cannot be joined, now or at all, because of its status."""

    def __init__(self, status: str) -> None:
        super().__init__(f"The session is {status}. Only a scheduled session can be joined.")


class SessionJoinedError(RefusalError):
    """Others are in the session, so this cannot be done to it."""

    def __init__(self, done: str, taken: int) -> None:
        seats = "1 seat is" if taken == 1 else f"{taken} seats are"
        super().__init__(f"{seats} taken, so the session cannot be {done}. Cancel it and book another one.")


class AppointmentNotFoundError(RefusalError):
    """No appointment has this id."""


class BlockNotFoundError(RefusalError):
    """No block of this calendar has this id, or it was removed."""


class ContactNotFoundError(RefusalError):
    """No contact is kept for this calendar."""


class ServiceNotFoundError(RefusalError):
    """No service has this id, or it was deleted."""


class WebhookNotFoundError(RefusalError):
    """No webhook has this id, or it was deleted."""


class DeliveryNotFoundError(RefusalError):
    """No delivery of this event to this webhook is known, or it is too long ago."""


class LinkNotFoundError(ProductError):
    """Nobody was sent this link, or its appointment is gone. It is answered with a page, as all about links is."""


class LinkEndedError(ProductError):
    """The appointment of the link has begun, or has a final status, so the link does nothing any more."""

    def __init__(self, appointment: Appointment) -> None:
        super().__init__()
        self.appointment = appointment


class BookingClosedError(RefusalError):
    """Who has no booking link cannot book here without signing in."""


class BookingLinkUnknownError(RefusalError):
    """The key is none of ours, or its booking link is not for this service."""


class BookingLinkExpiredError(RefusalError):
    """The booking link was good, up to a time that has passed."""

    def __init__(self, until: str) -> None:
        super().__init__(f"The booking link ended at {until}. Ask for a new one.")
        self.more = {"until": until}


class VisitNotFoundError(RefusalError):
    """No visitor has booked or held anything under this token."""


class TimeTakenError(RefusalError):
    """A visitor cannot have this time: others were faster, or it was never offered. Nobody and no calendar is named.

    `alternatives` are the nearest that are free.
    """

    def __init__(self, alternatives: Sequence[Interval] = ()) -> None:
        super().__init__()
        self.alternatives = tuple(alternatives)


class ApprovalNeededError(RefusalError):
    """Bookings of this have to be approved, so its time cannot be held."""


class TooManyHoldsError(RefusalError):
    """This address has asked for as many times as it may in an hour; `seconds` are left of it."""

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.seconds = seconds


class WebhookInactiveError(RefusalError):
    """The webhook is off, so nothing is sent to it."""


class AppointmentCancelledError(RefusalError):
    """The appointment was cancelled, and what is cancelled does not change any more."""


class AppointmentEndedError(RefusalError):
    """The appointment was declined or has expired, and what has ended does not change any more."""

    def __init__(self, status: str) -> None:
        super().__init__(
            f"The appointment is {status}, so only its details and contact can be changed. Book a new appointment."
        )


class InvalidTransitionError(RefusalError):
    """The appointment's status cannot become the one that is asked for; `allowed` are those that it may become."""

    def __init__(self, status: str, allowed: Sequence[str]) -> None:
        may = f"It may become {' or '.join(allowed)}." if allowed else "That is final."
        super().__init__(f"The appointment is {status}. {may}")
        self.allowed = tuple(allowed)
        self.more = {"allowed": list(allowed)}


class TooLateError(RefusalError):
    """The service lets a person cancel, or move, up to a time that has passed."""

    def __init__(self, what: str, until: str) -> None:
        super().__init__(f"The appointment could be {what} until {until}.")
        self.more = {"until": until}


class PreconditionFailedError(RefusalError):
    """The caller's `If-Match` names another version than the current one; `version` is the current one."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the version is {version}")
        self.version = version


class IdempotencyKeyReusedError(RefusalError):
    """The idempotency key was used before, by the same user, with another body."""

    faults = (Fault("Idempotency-Key", "was used before, with another body"),)


class RouteNotFoundError(RefusalError):
    """The API has no such path."""


class MethodNotAllowedError(RefusalError):
    """The path exists, the method does not; `allowed` lists those that do."""

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(", ".join(allowed))
        self.allowed = tuple(allowed)


class CalendarBusyError(RefusalError):
    """So many were at the same quarter hours that this was not decided in time, or the tables take no more calls now.

    Nothing was written, and the caller may try again at once; `in_doubt`, it is unknown whether it was written.
    """

    def __init__(self, *, in_doubt: bool = False) -> None:
        super().__init__()
        self.in_doubt = in_doubt
