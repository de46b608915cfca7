"""The use cases: book, change and cancel an appointment, or say exactly why not.

Each proposes a change. `settle` reads what the change rests on, decides and commits, and starts again if a concurrent
request was faster. `appointments.decision` decides; `appointments.storage` commits.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from appointments.calendars import with_zone
from appointments.claims import carrying_days
from appointments.decision import (
    Accepted,
    Change,
    Reading,
    Refused,
    agree,
    asking_for_approval,
    decide,
    rests_on_one_item,
    without_approval,
)
from appointments.errors import (
    AppointmentNotFoundError,
    CalendarBusyError,
    ConflictError,
    Fault,
    IdempotencyKeyReusedError,
    InvalidRequestError,
    InvalidTransitionError,
)
from appointments.model import DAY, SYSTEM, Appointment, DayKey, Interval, reminders_ahead, with_status
from appointments.statuses import Status
from appointments.storage.appointments import AppointmentChangedError, AppointmentExistsError
from appointments.storage.dynamodb import TRANSACTION_ACTIONS, ContentionError, pause
from appointments.storage.store import ChangeTooLargeError, ReadingOutdatedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from appointments.storage.store import Storage
    from conflict_detector.placement import Placement

# A person is waiting: after this many seconds the answer is "try again", with nothing written.
DECIDE_WITHIN = 5.0


class Proposal(Protocol):
    """What a use case asks for: changes of one appointment, any one of which is enough."""

    # The id of the appointment to read with the calendar days, if there may be one.
    lookup: str | None
    # Whether to commit nothing.
    dry_run: bool
    # Whether the answer tells what was read, so that all of it has to have been true at one moment.
    exact: bool
    # The id of the service to read with the calendar days, if one is booked.
    service_id: str | None
    # The same for each attempt to change an appointment, so that the next one knows what an earlier one wrote.
    change_id: str

    def candidates(self, reading: Reading) -> Sequence[Change]:
        """The changes, made from what was read. Raises the errors of the use case itself."""

    def decide(self, candidates: Sequence[Change], reading: Reading, now: datetime) -> Accepted | Refused:
        """Accept one of the changes, or refuse them all."""

    def alternatives(
        self, candidates: Sequence[Change], reading: Reading, storage: Storage, now: datetime
    ) -> list[Interval]:
        """Free intervals for what was refused."""

    def more_days(self) -> Sequence[DayKey]:
        """Calendar days to read in addition to those of the claims. If there are any, all days are read whole."""


def settle(proposal: Proposal, reading: Reading, storage: Storage, now: datetime) -> Change:
    """Decide on a proposal and commit it; start again if what it rests on has changed. This is the only retry loop.

    A refusal and a dry run commit nothing, so no condition proves them. They stand if they rest on one item. Otherwise
    everything is read again until two successive readings agree, as it is before an `exact` proposal is committed.
    Raises InvalidRequestError, ConflictError with alternatives, CalendarBusyError after 5 s, AppointmentExistsError,
    and what the proposal raises.
    """
    give_up_at = time.monotonic() + DECIDE_WITHIN
    contended = 0
    agreed = doubt = False
    while True:
        if time.monotonic() > give_up_at:
            raise CalendarBusyError(in_doubt=doubt)
        candidates = proposal.candidates(reading)
        if reading.lacks(candidates):
            # Also if the appointment was moved concurrently: then other days decide.
            reading = _read(proposal, candidates, reading, storage)
            continue
        decision = proposal.decide(candidates, reading, now)
        try:
            if isinstance(decision, Accepted) and not proposal.dry_run and (agreed or not proposal.exact):
                return storage.commit(decision.change, reading, proposal.change_id)
            earlier, reading = reading, _read_again(proposal, candidates, decision, reading, storage)
            agreed = not earlier.assumed and (reading is earlier or agree(candidates, earlier, reading))
            if agreed and (proposal.dry_run or isinstance(decision, Refused)):
                return _answer(proposal, decision, candidates, reading, storage, now)
        except ReadingOutdatedError as exc:
            agreed = False
            reading.replace(exc.newer)
        except AppointmentChangedError as exc:
            reading.appointment = exc.now
        except ContentionError as exc:
            doubt = exc.in_doubt
            contended += 1
            pause(min(0.02 * 2**contended, 0.5))
        except ChangeTooLargeError as exc:
            raise InvalidRequestError([_too_large(exc.actions)]) from exc


def _read(proposal: Proposal, candidates: Sequence[Change], before: Reading, storage: Storage) -> Reading:
    """Read what the candidates rest on. If the buffers are known, this includes the days that only they reach into."""
    claims = [claim for change in candidates for claim in change.new_claims]
    more = proposal.more_days()
    keys = {*carrying_days(claims), *more}
    if not before.assumed and before.settings.keys() >= {claim.calendar_id for claim in claims}:
        keys |= before.deciding_days(claims)
    return storage.read(
        keys, appointment_id=proposal.lookup, service_id=proposal.service_id, near=() if more else claims
    )


def _read_again(
    proposal: Proposal,
    candidates: Sequence[Change],
    decision: Accepted | Refused,
    reading: Reading,
    storage: Storage,
) -> Reading:
    """A second reading for a decision that is not committed, and the same one where nothing could contradict it.

    Raises ChangeTooLargeError for a dry run, as the commit would.
    """
    if isinstance(decision, Accepted):
        storage.actions(decision.change, reading)
    if not reading.assumed and rests_on_one_item(decision, reading):
        return reading
    return _read(proposal, candidates, reading, storage)


def _answer(  # noqa: PLR0913, PLR0917 - all that an answer is made of
    proposal: Proposal,
    decision: Accepted | Refused,
    candidates: Sequence[Change],
    reading: Reading,
    storage: Storage,
    now: datetime,
) -> Change:
    """Return or raise the answer of a decision that is not committed."""
    if isinstance(decision, Accepted):
        return decision.change
    if not decision.conflicts:
        raise InvalidRequestError(decision.faults)
    if (joining := candidates[0].after).session_id:
        from appointments.sessions import refusal  # noqa: PLC0415 - most bookings join no session

        raise refusal(decision.conflicts, joining, reading, now)
    alternatives = proposal.alternatives(candidates, reading, storage, now)
    raise ConflictError(decision.conflicts, alternatives, decision.faults)


def _too_large(actions: int) -> Fault:
    return Fault(
        "resourceIds",
        f"and the days, with what the settings of the calendars reach into, make {actions} items to check or to write; "
        f"at most {TRANSACTION_ACTIONS} fit into one transaction, so take fewer calendars or days",
    )


class OnCalendars:
    """A proposal of changes that are known before anything is read, except which of them is the one."""

    __slots__ = ()
    service_id: str | None = None
    change_id = ""

    def decide(self, candidates: Sequence[Change], reading: Reading, now: datetime) -> Accepted | Refused:
        return decide(candidates, reading, now)

    def alternatives(
        self, candidates: Sequence[Change], reading: Reading, storage: Storage, now: datetime
    ) -> list[Interval]:
        from conflict_detector.alternatives import alternatives  # noqa: PLC0415 - most bookings are not refused

        return alternatives(candidates, reading, storage, now)

    def more_days(self) -> Sequence[DayKey]:
        return ()


@dataclass(slots=True, eq=False, repr=False)
class _Booking(OnCalendars):
    """A new appointment on its calendars, and on one of `any_of` if there are any."""

    # The change without `any_of` and with the reminders of the request.
    plain: Change
    now: datetime
    terms: Terms
    lookup: str | None
    dry_run: bool
    exact: bool = False

    def candidates(self, reading: Reading) -> Sequence[Change]:
        if reading.appointment is not None:
            raise AppointmentExistsError(reading.appointment)
        wanted = self._with_reminders(reading)
        if self.terms.any_of:
            assigned = [
                replace(wanted, resource_ids=(*wanted.resource_ids, id_), assigned_calendar_id=id_)
                for id_ in self.terms.any_of
            ]
        else:
            assigned = [wanted]
        asked = [with_zone(_with_approval(one, reading), reading.settings) for one in assigned]
        return [self.plain if one is self.plain.after else Change.of(None, one) for one in asked]

    def decide(self, candidates: Sequence[Change], reading: Reading, now: datetime) -> Accepted | Refused:
        faults = self.terms.faults
        if self.plain.after.status is Status.HELD:
            faults = [*faults, *map(not_held, sorted(asking_for_approval(reading)))]
        return decide(candidates, reading, now, faults)

    def more_days(self) -> Sequence[DayKey]:
        """For the order of `any_of`: in every zone, the local day of the start lies within these three UTC days."""
        if len(self.terms.any_of) < 2:
            return ()
        day = self.plain.after.interval.start.date()
        return [DayKey(calendar_id, day + n * DAY) for calendar_id in self.terms.any_of for n in (-1, 0, 1)]

    def _with_reminders(self, reading: Reading) -> Appointment:
        """The appointment with the default reminders of its user's calendar, if the request has none."""
        wanted = self.plain.after
        known = reading.settings.get(wanted.user_id)
        offsets = known.settings.reminders if known else None
        if self.terms.own_reminders or offsets is None:
            return wanted
        return with_offsets(wanted, offsets, self.now)


def with_offsets(wanted: Appointment, offsets: tuple[str, ...], now: datetime) -> Appointment:
    """A new appointment with other reminders."""
    ahead = reminders_ahead(wanted.interval.start, offsets, now, wanted.time_zone)
    return replace(wanted, offsets=offsets, reminders=ahead if wanted.status.reminds else ())


def _with_approval(wanted: Appointment, reading: Reading) -> Appointment:
    """The appointment as a request if one of its calendars asks for approval. A request does not remind yet."""
    asking = asking_for_approval(reading)
    if not asking or wanted.status is Status.HELD or asking.isdisjoint(wanted.calendar_ids):
        return wanted
    return replace(wanted, status=Status.REQUESTED, reminders=())


def not_held(calendar_id: str) -> Fault:
    """The fault of a hold on a calendar that asks for approval."""
    message = f"is not possible on calendar {calendar_id}, whose bookings have to be approved; book without it"
    return Fault("hold", message, calendar_id, "approval")


@dataclass(slots=True, eq=False, repr=False)
class _Update(OnCalendars):
    """The current appointment as `update` changes it."""

    lookup: str | None
    update: Callable[[Appointment], Appointment]
    now: datetime
    dry_run: bool = False
    exact: bool = False
    # Where what was booked as a service is moved, and so may get other calendars.
    placement: Placement | None = None
    change_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def candidates(self, reading: Reading) -> Sequence[Change]:
        if reading.appointment is None:
            raise AppointmentNotFoundError
        before = reading.appointment
        after = self.update(before)
        self.placement = None
        if after.service and after.interval.start != before.interval.start:
            from conflict_detector.placement import Placement, shifted, terms_of  # noqa: PLC0415 - few are of services

            if not after.status.occupies:
                return [Change.of(before, shifted(after))]
            self.placement = Placement(terms_of(after), after, before, self.now)
            return self.placement.candidates(reading)
        if after.calendar_ids != before.calendar_ids and reading.settings.keys() >= {*after.calendar_ids}:
            after = with_zone(after, reading.settings)
        return [Change.of(before, after)]

    def decide(self, candidates: Sequence[Change], reading: Reading, now: datetime) -> Accepted | Refused:
        faults = without_approval(candidates[0], reading)
        if self.placement:
            return self.placement.decide(candidates, reading, now, faults)
        return decide(candidates, reading, now, faults)

    def alternatives(
        self, candidates: Sequence[Change], reading: Reading, storage: Storage, now: datetime
    ) -> list[Interval]:
        if self.placement:
            return self.placement.alternatives(reading, storage)
        return OnCalendars.alternatives(self, candidates, reading, storage, now)

    def more_days(self) -> Sequence[DayKey]:
        return self.placement.more_days() if self.placement else ()


class Terms(NamedTuple):
    """What is asked of a booking in addition to the appointment.

    With `any_of`, it also takes one of those calendars: the one with the fewest appointments that day that is free.
    Without `own_reminders`, it gets the default reminders of its user's calendar. A `dry_run` writes nothing. `faults`
    were found before; they count unless the request repeats a booking that had none then.
    """

    any_of: Sequence[str] = ()
    own_reminders: bool = True
    dry_run: bool = False
    faults: Sequence[Fault] = ()


PLAIN = Terms()


def book(wanted: Appointment, storage: Storage, now: datetime, terms: Terms = PLAIN) -> Appointment:
    """Book `wanted` if it fits on all of its calendars, and return it.

    If it has a fingerprint, its id is made of an idempotency key: if this id was booked before, that appointment is
    returned as it is now. Raises InvalidRequestError, ConflictError with alternatives, IdempotencyKeyReusedError,
    CalendarBusyError.
    """
    lookup = wanted.appointment_id if wanted.fingerprint else None
    plain = Change.of(None, wanted)
    proposal = _Booking(plain, now, terms, lookup, terms.dry_run)
    reading = None
    if not (terms.any_of or terms.dry_run or terms.faults):
        # Most bookings meet no other, so the transaction is tried before any read. Its conditions prove the assumption.
        reading = storage.recall(plain)
    try:
        return settle(proposal, reading or Reading(), storage, now).after
    except AppointmentExistsError as exc:
        return same_request(exc, wanted)


def same_request(exc: AppointmentExistsError, wanted: Appointment) -> Appointment:
    """What was booked under the idempotency key of a request. Raises IdempotencyKeyReusedError if by another one."""
    if exc.existing.fingerprint != wanted.fingerprint:
        raise IdempotencyKeyReusedError from exc
    return exc.existing


def booking_of(wanted: Appointment, now: datetime, terms: Terms, lookup: str | None) -> Proposal:
    """The proposal of a new appointment, with the reminders, the zone and the approval of its calendars."""
    return _Booking(Change.of(None, wanted), now, terms, lookup, terms.dry_run)


def change(
    appointment_id: str,
    check: Callable[[Appointment], None],
    update: Callable[[Appointment], Appointment],
    storage: Storage,
    now: datetime,
) -> tuple[Appointment, Appointment]:
    """Replace an appointment by what `update` makes of it. Returns the appointment before and after the change.

    A change of the calendars or the interval is decided like a booking, except that the appointment does not conflict
    with itself. A refused change leaves it unchanged. Whenever the appointment was changed concurrently, `check` and
    `update` are called again, and may raise. Raises AppointmentNotFoundError, InvalidRequestError, ConflictError with
    alternatives, CalendarBusyError, and what those two raise.
    """

    def updated(before: Appointment) -> Appointment:
        check(before)
        return update(before)

    current = Reading(appointment=storage.appointments.get(appointment_id))
    done = settle(_Update(appointment_id, updated, now), current, storage, now)
    assert done.before is not None  # noqa: S101 - an update is of an appointment that was read
    return done.before, done.after


def cancel(
    appointment_id: str, check: Callable[[Appointment], None], storage: Storage, now: datetime, by: str = SYSTEM
) -> tuple[Appointment, Appointment]:
    """Cancel an appointment; idempotent. Returns the appointment before and after the change.

    `by` cancels it. `check` is called with the current appointment first, and may raise.
    Raises AppointmentNotFoundError, CalendarBusyError, and what `check` raises.
    """

    def cancelled(before: Appointment) -> Appointment:
        if before.status is Status.CANCELLED:
            return before
        if not before.status.may_become(Status.CANCELLED):
            raise InvalidTransitionError(before.status, before.may_become(now))
        return with_status(before, Status.CANCELLED, now, by)

    return change(appointment_id, check, cancelled, storage, now)
