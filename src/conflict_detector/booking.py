"""The use cases: book, change and cancel an appointment, or say exactly why not.

Each proposes a change, and `conflict_detector.settling` decides and commits it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from appointments.calendars import with_zone
from appointments.decision import Accepted, Change, Reading, Refused, asking_for_approval, decide, without_approval
from appointments.errors import AppointmentNotFoundError, Fault, IdempotencyKeyReusedError, InvalidTransitionError
from appointments.model import DAY, SYSTEM, Appointment, DayKey, Interval, with_status
from appointments.quiet_hours import quiet_hours_of
from appointments.reminders import reminders_ahead
from appointments.statuses import Status
from appointments.storage.appointments import AppointmentExistsError
from conflict_detector.settling import OnCalendars, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from appointments.storage.store import Storage
    from conflict_detector.placement import Placement
    from conflict_detector.settling import Proposal


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
        quiet = [with_quiet_hours(one, reading, self.now) for one in assigned]
        asked = [with_zone(_with_approval(one, reading), reading.settings) for one in quiet]
        return [self.plain if one is self.plain.after else Change.of(None, one) for one in asked]

    def decide(self, candidates: Sequence[Change], reading: Reading, now: datetime) -> Accepted | Refused:
        faults = self.terms.faults
        if self.plain.after.status is Status.HELD:
            faults = [*faults, *map(not_held, sorted(asking_for_approval(reading)))]
        return decide(candidates, reading.binding(notice=not self.terms.ignore_notice), now, faults)

    def alternatives(
        self, candidates: Sequence[Change], reading: Reading, storage: Storage, now: datetime
    ) -> list[Interval]:
        seen = reading.binding(notice=not self.terms.ignore_notice)
        return OnCalendars.alternatives(self, candidates, seen, storage, now)

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
    ahead = reminders_ahead(wanted.interval.start, offsets, now, wanted.time_zone, wanted.quiet)
    return replace(wanted, offsets=offsets, reminders=ahead if wanted.status.reminds else ())


def with_quiet_hours(wanted: Appointment, reading: Reading, now: datetime) -> Appointment:
    """A new appointment with the quiet hours of its calendars, unless it has those of its service."""
    quiet = wanted.quiet or quiet_hours_of(wanted, reading.settings)
    return wanted if quiet == wanted.quiet else with_offsets(replace(wanted, quiet=quiet), wanted.offsets, now)


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


class Bound(NamedTuple):
    """Which rules bind who changes an appointment: those that services have for people alone, and notice."""

    people: bool = True
    notice: bool = True


EVERYBODY = Bound()


@dataclass(slots=True, eq=False, repr=False)
class _Update(OnCalendars):
    """The current appointment as `update` changes it."""

    lookup: str | None
    update: Callable[[Appointment], Appointment]
    now: datetime
    dry_run: bool = False
    exact: bool = False
    bound: Bound = EVERYBODY
    # Where what was booked as a service is moved, or booked after it has expired, and so may get other calendars.
    placement: Placement | None = None
    change_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def candidates(self, reading: Reading) -> Sequence[Change]:
        if reading.appointment is None:
            raise AppointmentNotFoundError
        before = reading.appointment
        after = self.update(before)
        self.placement = None
        if after.service and (after.interval.start != before.interval.start or self._is_anew(before, after)):
            from conflict_detector.placement import Placement, shifted, terms_of  # noqa: PLC0415 - few are of services

            if not after.status.occupies:
                return [Change.of(before, shifted(after))]
            service = terms_of(after).binding(people=self.bound.people, notice=self.bound.notice)
            self.placement = Placement(service, after, before, self.now, self.bound.notice)
            return self.placement.candidates(reading)
        if after.calendar_ids != before.calendar_ids and reading.settings.keys() >= {*after.calendar_ids}:
            after = with_zone(after, reading.settings)
        return [Change.of(before, after)]

    def _is_anew(self, before: Appointment, after: Appointment) -> bool:
        """Whether what has expired is booked after all."""
        return before.has_expired(self.now) and after.status is not before.status and after.status.occupies

    def decide(self, candidates: Sequence[Change], reading: Reading, now: datetime) -> Accepted | Refused:
        faults = without_approval(candidates[0], reading)
        if self.placement:
            return self.placement.decide(candidates, reading, now, faults)
        return decide(candidates, reading.binding(notice=self.bound.notice), now, faults)

    def alternatives(
        self, candidates: Sequence[Change], reading: Reading, storage: Storage, now: datetime
    ) -> list[Interval]:
        if self.placement:
            return self.placement.alternatives(reading, storage)
        seen = reading.binding(notice=self.bound.notice)
        return OnCalendars.alternatives(self, candidates, seen, storage, now)

    def more_days(self) -> Sequence[DayKey]:
        return self.placement.more_days() if self.placement else ()


class Terms(NamedTuple):
    """What is asked of a booking in addition to the appointment.

    With `any_of`, it also takes one of those calendars: the one with the fewest appointments that day that is free.
    Without `own_reminders`, it gets the default reminders of its user's calendar. A `dry_run` writes nothing. `faults`
    were found before; they count unless the request repeats a booking that had none then. With `ignore_notice`, no
    calendar asks for notice.
    """

    any_of: Sequence[str] = ()
    own_reminders: bool = True
    dry_run: bool = False
    faults: Sequence[Fault] = ()
    ignore_notice: bool = False


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
    update: Callable[[Appointment], Appointment],
    storage: Storage,
    now: datetime,
    bound: Bound = EVERYBODY,
) -> tuple[Appointment, Appointment]:
    """Replace an appointment by what `update` makes of it. Returns the appointment before and after the change.

    A change of the calendars or the interval is decided like a booking, except that the appointment does not conflict
    with itself. A refused change leaves it unchanged. Whenever the appointment was changed concurrently, `update` is
    called again, and may raise. `bound` says which rules count.
    Raises AppointmentNotFoundError, InvalidRequestError, ConflictError with alternatives, CalendarBusyError, and what
    `update` raises.
    """
    current = Reading(appointment=storage.appointments.get(appointment_id))
    done = settle(_Update(appointment_id, update, now, bound=bound), current, storage, now)
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
        check(before)
        if before.status is Status.CANCELLED:
            return before
        if not before.status.may_become(Status.CANCELLED):
            raise InvalidTransitionError(before.status, before.may_become(now))
        return with_status(before, Status.CANCELLED, now, by)

    return change(appointment_id, cancelled, storage, now)
