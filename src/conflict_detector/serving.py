"""The use case: book a service."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from appointments.decision import Accepted, Change, Reading, Refused, asking_for_approval
from appointments.errors import Fault, InvalidRequestError
from appointments.model import Appointment, DayKey, Interval, ServiceTerms
from appointments.quiet_hours import QuietHours
from appointments.statuses import Status
from appointments.storage.appointments import AppointmentExistsError
from conflict_detector.booking import not_held, same_request, with_offsets, with_quiet_hours
from conflict_detector.placement import Placement
from conflict_detector.settling import settle

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from appointments.memory import KnownService
    from appointments.services import Service
    from appointments.storage.store import Storage


class ServiceAsk(NamedTuple):
    """What is asked of a booking beside the appointment.

    `hold` is for how long to hold it, None where it is booked or where the service says for how long. `faults` were
    found before, and count unless the request repeats a booking that had none then. Rules that a service has for people
    alone bind it if it is asked for `by_person`. With `ignore_notice`, neither the service nor its calendars ask for
    notice.
    """

    service_id: str
    own_reminders: bool = True
    hold: timedelta | None = None
    dry_run: bool = False
    faults: Sequence[Fault] = ()
    by_person: bool = True
    ignore_notice: bool = False


@dataclass(slots=True, eq=False, repr=False)
class _ServiceBooking:
    """A new appointment of a service. `wanted` has its start and no steps."""

    wanted: Appointment
    ask: ServiceAsk
    now: datetime
    lookup: str | None
    service_id: str | None
    dry_run: bool
    exact: bool = False
    faults: list[Fault] = field(default_factory=list)
    placement: Placement | None = None
    change_id: str = ""

    def candidates(self, reading: Reading) -> Sequence[Change]:
        if reading.appointment is not None:
            raise AppointmentExistsError(reading.appointment)
        assert reading.service is not None  # noqa: S101 - it is read with everything else
        service = reading.service.service
        if service is None:
            raise InvalidRequestError([*self.ask.faults, _unknown_service(self.ask.service_id)])
        self.faults = [*self.ask.faults]
        wanted = self._on_terms(reading.service, service, reading)
        notice = not self.ask.ignore_notice
        bound = service.binding(people=self.ask.by_person, notice=notice)
        self.placement = Placement(bound, wanted, None, self.now, notice)
        changes = self.placement.candidates(reading)
        return [self._approved(self._quiet(change, service, reading), service, reading) for change in changes]

    def decide(self, candidates: Sequence[Change], reading: Reading, now: datetime) -> Accepted | Refused:
        assert self.placement is not None  # noqa: S101 - it made the candidates
        return self.placement.decide(candidates, reading, now, self.faults)

    def alternatives(
        self,
        candidates: Sequence[Change],  # noqa: ARG002 - of the protocol
        reading: Reading,
        storage: Storage,
        now: datetime,  # noqa: ARG002 - as above
    ) -> list[Interval]:
        assert self.placement is not None  # noqa: S101 - it made the candidates
        return self.placement.alternatives(reading, storage)

    def more_days(self) -> Sequence[DayKey]:
        return self.placement.more_days() if self.placement else ()

    def _on_terms(self, known: KnownService, service: Service, reading: Reading) -> Appointment:
        """The appointment as the service has it."""
        terms = ServiceTerms(known.service_id, known.body, service.buffer_before, service.buffer_after)
        wanted = replace(self.wanted, service=terms)
        if wanted.status is Status.HELD:
            hold = self.ask.hold or service.hold
            if hold is None:
                self.faults.append(Fault("hold.minutes", "is required: the service does not say for how long"))
            elif wanted.expires_at is None:
                wanted = replace(wanted, expires_at=self.now.replace(microsecond=0) + hold)
        person = reading.settings.get(wanted.user_id)
        own = person.settings.reminders if person else None
        offsets = service.reminders if service.reminders is not None else own
        if not self.ask.own_reminders and offsets is not None:
            wanted = with_offsets(wanted, offsets, self.now)
        return wanted

    def _quiet(self, change: Change, service: Service, reading: Reading) -> Change:
        """The change with the quiet hours of the service on the clock of the appointment, or those of its calendars."""
        after = change.after
        if not after.steps:
            return change
        if service.quiet:
            after = replace(after, quiet=QuietHours(*service.quiet, after.time_zone or after.people_zone or "UTC"))
            after = with_offsets(after, after.offsets, self.now)
        else:
            after = with_quiet_hours(after, reading, self.now)
        return change if after is change.after else Change.of(None, after)

    def _approved(self, change: Change, service: Service, reading: Reading) -> Change:
        """The change to a request, if the service or one of the calendars asks for approval."""
        after = change.after
        asking = sorted(asking_for_approval(reading).intersection(after.calendar_ids)) if after.steps else []
        if not (service.approval or asking):
            return change
        if after.status is Status.HELD:
            if service.approval:
                self.faults.append(Fault("hold", "is not possible: bookings of the service have to be approved"))
            self.faults += map(not_held, asking)
            return change
        if not after.steps:
            return change
        return Change.of(None, replace(after, status=Status.REQUESTED, reminders=()))


def _unknown_service(service_id: str) -> Fault:
    return Fault("serviceId", f"is no service that can be booked: {service_id}")


def book_service(wanted: Appointment, ask: ServiceAsk, storage: Storage, now: datetime) -> Appointment:
    """Book a service, and return the appointment; as `booking.book`, which has the errors too.

    Where the service leaves no choice and is remembered, the transaction is tried before any read.
    """
    lookup = wanted.appointment_id if wanted.fingerprint else None
    proposal = _ServiceBooking(wanted, ask, now, lookup, ask.service_id, ask.dry_run)
    try:
        return settle(proposal, _first_reading(proposal, storage), storage, now).after
    except AppointmentExistsError as exc:
        return same_request(exc, wanted)


def _first_reading(proposal: _ServiceBooking, storage: Storage) -> Reading:
    """The service, and the rest from memory if that may do. The conditions of the commit prove it."""
    service_id, ask = proposal.ask.service_id, proposal.ask
    known = storage.memory.services.get(service_id)
    if known is None or known.service is None:  # by now there may be one
        known = storage.services.known(service_id)
    reading = Reading(service=known)
    if known.service is None and proposal.lookup:  # what was booked under the key is answered all the same
        reading = storage.read((), appointment_id=proposal.lookup, service_id=service_id)
    if known.service is None or known.service.has_choice or not known.small or ask.dry_run or ask.faults:
        return reading
    [everything] = proposal.candidates(reading)
    return storage.recall(everything, known) or reading
