"""The use cases of sessions: join one, and what a session may become while others are in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from appointments.decision import Change, Reading
from appointments.errors import IdempotencyKeyReusedError, RefusalError, SessionJoinedError
from appointments.model import reminders_ahead
from appointments.sessions import refuse_unless_open, seats_left
from appointments.storage.appointments import AppointmentExistsError
from conflict_detector.booking import Terms, booking_of, settle

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from appointments.errors import Fault
    from appointments.model import Appointment, DayKey
    from appointments.storage.store import Storage


@dataclass(slots=True, eq=False, repr=False)
class _Joining:
    """A seat of a session for `wanted`, which has the times of the session as it was read last."""

    wanted: Appointment
    now: datetime
    terms: Terms
    lookup: str | None
    dry_run: bool
    exact: bool = False
    # As it was read last.
    left: int = 0

    def candidates(self, reading: Reading) -> Sequence[Change]:
        if reading.appointment is not None:
            raise AppointmentExistsError(reading.appointment)
        session = refuse_unless_open(reading.session, self.now)
        joiner = replace(self.wanted, interval=session.interval, time_zone=session.time_zone)
        ahead = reminders_ahead(joiner.interval.start, joiner.offsets, self.now, joiner.time_zone)
        joiner = replace(joiner, reminders=ahead)
        (change,) = booking_of(joiner, self.now, self.terms, self.lookup).candidates(reading)
        if change.after.people_zone is None and session.people_zone:
            change = Change.of(None, replace(change.after, people_zone=session.people_zone))
        if change.new_claims[-1].calendar_id in reading.settings:
            self.left = seats_left(joiner, reading, self.now) - joiner.places
        return [change]

    def faults(self, reading: Reading) -> Sequence[Fault]:  # noqa: ARG002 - of the protocol
        return ()

    def more_days(self) -> Sequence[DayKey]:
        return ()


def join(wanted: Appointment, storage: Storage, now: datetime, terms: Terms) -> tuple[Appointment, int]:
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
        if exc.existing.fingerprint != wanted.fingerprint:
            raise IdempotencyKeyReusedError from exc
        return exc.existing, _left(storage, exc.existing.session_id or "", now)
    return joined, proposal.left


def _left(storage: Storage, session_id: str, now: datetime) -> int:
    session = storage.appointments.get(session_id)
    return storage.seats_left(session, now) if session else 0


def refuse_if_joined(before: Appointment, after: Appointment, storage: Storage, now: datetime) -> None:
    """Raises SessionJoinedError where a session is moved though others are in it, or gets fewer seats than they take.

    Whoever joins after this was read is met by the condition on how often the session was joined.
    """
    moved = (before.interval, before.time_zone) != (after.interval, after.time_zone)
    fewer = (after.session_seats or 0) < (before.session_seats or 0)
    if not (moved or fewer) or not before.joins:
        return
    taken = (before.session_seats or 0) - storage.seats_left(before, now)
    if taken and moved:
        raise SessionJoinedError("moved", taken)
    if taken > (after.session_seats or 0):
        raise SessionJoinedError("given fewer seats", taken)
