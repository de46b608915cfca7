"""The use cases of sessions: join one, and what a session may become while others are in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from appointments.decision import Change, Reading
from appointments.errors import RefusalError, SessionJoinedError
from appointments.reminders import reminders_ahead
from appointments.sessions import refuse_unless_open, seats_left
from appointments.storage.appointments import AppointmentExistsError
from conflict_detector.booking import Terms, booking_of, same_request
from conflict_detector.settling import OnCalendars, settle

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from appointments.model import Appointment
    from appointments.storage.store import Storage


@dataclass(slots=True, eq=False, repr=False)
class _Joining(OnCalendars):
    """A seat of a session for `wanted`, which has the times of the session as it was read last."""

    wanted: Appointment
    now: datetime
    terms: Terms
    lookup: str | None
    dry_run: bool
    # Unless the session has been this version since before its seats were read: how many are left is answered.
    exact: bool = False
    version: int = 0
    # As it was read last.
    left: int = 0

    def candidates(self, reading: Reading) -> Sequence[Change]:
        if reading.appointment is not None:
            raise AppointmentExistsError(reading.appointment)
        session = refuse_unless_open(reading.session, self.now)
        self.exact, self.version = self.version != session.version, session.version
        joiner = replace(self.wanted, interval=session.interval, time_zone=session.time_zone)
        joiner = replace(joiner, quiet=session.quiet)
        ahead = reminders_ahead(joiner.interval.start, joiner.offsets, self.now, joiner.time_zone, joiner.quiet)
        joiner = replace(joiner, reminders=ahead)
        (change,) = booking_of(joiner, self.now, self.terms, self.lookup).candidates(reading)
        if change.after.people_zone is None and session.people_zone:
            change = Change.of(None, replace(change.after, people_zone=session.people_zone))
        if change.new_claims[-1].calendar_id in reading.settings:
            self.left = seats_left(joiner, reading, self.now) - joiner.places
        return [change]


def join(wanted: Appointment, storage: Storage, now: datetime, terms: Terms) -> tuple[Appointment, int | None]:
    """Give `wanted` its seats in its session, and return it with how many are left then.

    An appointment of an idempotency key that was booked before is returned as it is now. Raises InvalidRequestError,
    SessionClosedError, SessionFullError, ConflictError, IdempotencyKeyReusedError, CalendarBusyError.
    """
    lookup = wanted.appointment_id if wanted.fingerprint else None
    proposal = _Joining(wanted, now, terms, lookup, terms.dry_run)
    reading = Reading(session=storage.appointments.get(wanted.session_id or ""))
    try:
        try:
            joined = settle(proposal, reading, storage, now).after
        except RefusalError:
            # What was refused as a new one may be the repetition of one that was not.
            existing = storage.appointments.get(lookup) if lookup else None
            if existing is None:
                raise
            raise AppointmentExistsError(existing) from None
    except AppointmentExistsError as exc:
        existing = same_request(exc, wanted)
        return existing, _left(storage, existing.session_id or "", now)
    return joined, proposal.left


def _left(storage: Storage, session_id: str, now: datetime) -> int | None:
    session = storage.appointments.get(session_id)
    return with_seats_left(session, storage, now)[1] if session else None


def with_seats_left(session: Appointment, storage: Storage, now: datetime) -> tuple[Appointment, int | None]:
    """A session with how many of its seats are left, both as they were at one moment; None where it has ended.

    Its item and those who take seats are read one after the other, until the session has not changed in between and
    nobody has joined it. Those who take seats are read in two parts, which may show one who left beside one who joined.
    """
    while session.status.occupies and session.joins:
        left = storage.days.seats_left(session, now)
        again = storage.appointments.get(session.appointment_id)
        if again is None or (again.version, again.joins) == (session.version, session.joins):
            return session, left
        session = again
    return session, session.session_seats if session.status.occupies else None


def left_after(before: Appointment, after: Appointment, storage: Storage, now: datetime) -> int | None:
    """How many seats are left of a session that is changed; None where it ends.

    Raises SessionJoinedError where it is moved though others are in it, or gets fewer seats than they take. Whoever
    joins after this was read is met by the condition on how often the session was joined.
    """
    if not after.status.occupies:
        return None
    taken = (before.session_seats or 0) - storage.days.seats_left(before, now) if before.joins else 0
    if _refused(before, after, taken):
        # A refusal has to be true of one moment. One that has ended meanwhile is met by the condition as well.
        current, left = with_seats_left(before, storage, now)
        taken = (current.session_seats or 0) - left if left is not None else 0
        if change := _refused(before, after, taken):
            raise SessionJoinedError(change, taken)
    return max((after.session_seats or 0) - taken, 0)


def _refused(before: Appointment, after: Appointment, taken: int) -> str | None:
    """What is asked of a session that it cannot be, with so many seats taken."""
    if taken and (before.interval, before.time_zone) != (after.interval, after.time_zone):
        return "moved"
    had, has = before.session_seats or 0, after.session_seats or 0
    return "given fewer seats" if has < min(taken, had) else None
