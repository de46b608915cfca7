"""The use cases: book a service, and move what was booked as one.

A service is searched on what was read, and what is found is decided and committed like any other change. The conditions
of the commit prove the calendars that were chosen and the service, and so nothing has to be read at one moment.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from appointments.calendars import assemble
from appointments.claims import Claim, claims_of
from appointments.decision import Accepted, Change, Reading, Refused, decide, rule_fault
from appointments.errors import Fault, IdempotencyKeyReusedError, InvalidRequestError, TooManyAppointmentsError
from appointments.model import DAY, Appointment, DayKey, Interval, ServiceTerms, Step
from appointments.service_refusal import obstacles, reaches
from appointments.service_search import ServiceSearch
from appointments.services import parse_service
from appointments.statuses import Status
from appointments.storage.appointments import AppointmentExistsError
from appointments.storage.dynamodb import BATCH_GET_KEYS
from appointments.times import find_zone, to_utc_text
from conflict_detector.appointments.fields import wall_times_of
from conflict_detector.booking import asking_for_approval, not_held, settle, with_offsets, with_zone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appointments.calendars import Calendar
    from appointments.memory import KnownService
    from appointments.services import Service
    from appointments.storage.store import Storage

MAX_ALTERNATIVES = 3
# How far before and after a start that was refused to look for others.
ALTERNATIVES_REACH = 7


@dataclass(slots=True, eq=False, repr=False)
class Placement:
    """An appointment of a service, to be placed at its start: new, or moved from where it was `before`."""

    service: Service
    wanted: Appointment
    before: Appointment | None
    now: datetime
    search: ServiceSearch | None = None

    def candidates(self, reading: Reading) -> list[Change]:
        """The change that fits by what was read; one that takes everything, where there is none or nothing was read."""
        everything = self._everything()
        self.search = None
        if reading.lacks([everything]):
            return [everything]
        self.search = self._search(reading)
        found = self._found(self.search)
        if found is None:
            return [everything]
        return [Change.of(self.before, with_zone(placed(self.wanted, found), reading))]

    def decide(
        self, candidates: Sequence[Change], reading: Reading, now: datetime, faults: Sequence[Fault] = ()
    ) -> Accepted | Refused:
        """As the function of this name. A refusal names what is in the way of each step."""
        if candidates[0].after is not self.wanted:
            return decide(candidates, reading, now, faults)
        assert self.search is not None  # noqa: S101 - there is something to decide only when all was read
        found = obstacles(self.search, self.wanted.interval.start)
        own = [*faults, *self._broken_rules(self.search)]
        conflicts = found.conflicts if not own else ()
        by_calendars = [] if own else map(rule_fault, found.violations)
        # It rests on many items: two readings have to agree.
        return Refused((*own, *by_calendars), tuple(conflicts), len(candidates[0].new_claims) + 1)

    def alternatives(self, reading: Reading, storage: Storage) -> list[Interval]:
        """The nearest starts that are offered and can be booked, from what was read and one further read."""
        start = self.wanted.interval.start
        ids = self._calendar_ids()
        partial = [key for key, day in reading.days.items() if day.seen is not None]
        around = max(min(ALTERNATIVES_REACH, BATCH_GET_KEYS // len(ids) // 2), 1)
        first = start.date() - around * DAY
        days = [first + n * DAY for n in range(2 * around + 1 + -(-self.service.most_length // DAY))]
        keys = {DayKey(id_, day) for id_ in ids for day in days}
        try:
            reading.days.update(storage.read({*partial, *(keys - reading.days.keys())}, settings=False).days)
        except TooManyAppointmentsError:
            return []
        # A day that is not read may decide about what lies near it: keep that far from the ends of the window.
        buffers = max(self.service.buffer_before, self.service.buffer_after)
        gap = buffers + max(known.settings.margin for known in reading.settings.values())
        begin, end = _midnight(days[0]) + gap, _midnight(days[-1] + DAY) - gap
        search = self._search(reading)
        offered = [one for one in search.offered(Interval(begin, end)) if one.start != start] if begin < end else []
        offered.sort(key=lambda one: (abs(one.start - start), one.start))
        return offered[:MAX_ALTERNATIVES]

    def more_days(self) -> list[DayKey]:
        """For the order of fair pools: in every zone, the local day of a step lies within these UTC days."""
        fair = [pool for step in self.service.steps for pool in step.pools if pool.fair and len(pool.any_of) > 1]
        start = self.wanted.interval.start
        count = ((start + self.service.most_length).date() - start.date()).days
        days = [start.date() + n * DAY for n in range(-1, count + 2)]
        return [DayKey(id_, day) for id_ in dict.fromkeys(chain(*(pool.any_of for pool in fair))) for day in days]

    def _found(self, search: ServiceSearch) -> tuple[Step, ...] | None:
        """The steps: those of the calendars that it had, where these fit at some time, else others of the pools."""
        start = self.wanted.interval.start
        if self.service.strict and search.grid(Interval(start, start + timedelta(seconds=1))) != [_seconds(start)]:
            return None
        found = None
        if self.before and self.before.steps and self.service.has_choice:
            found = replace(search, service=self.service.with_calendars(self.before.steps)).find(start)
        return found or search.find(start)

    def _search(self, reading: Reading) -> ServiceSearch:
        calendars = _calendars(reading, self.now, self.wanted.appointment_id)
        given = self.before.steps if self.before else ()
        person = calendars.get(self.wanted.user_id)
        return ServiceSearch(self.service, calendars, self.now, person, self.wanted.appointment_id, given)

    def _broken_rules(self, search: ServiceSearch) -> list[Fault]:
        """The service's own rules that the start breaks. A start in the past is at fault already."""
        start = self.wanted.interval.start
        soonest, latest = search.bookable()
        broken = []
        if self.now.replace(microsecond=0) <= start < soonest:
            broken.append(f"breaks minNoticeMinutes of the service; the earliest start is {to_utc_text(soonest)}")
        if latest and start > latest:
            broken.append(f"breaks horizonDays of the service; the latest start is {to_utc_text(latest)}")
        if self.service.strict:
            around = search.grid(Interval(start - 2 * DAY, start + 2 * DAY))
            if _seconds(start) not in around:
                near = sorted(around, key=lambda one: (abs(one - _seconds(start)), one))[:2]
                texts = " and ".join(to_utc_text(datetime.fromtimestamp(one, UTC)) for one in sorted(near))
                broken.append("is no start of the service" + (f"; the nearest are {texts}" if texts else ""))
        return [Fault("startTime", message) for message in broken]

    def _everything(self) -> Change:
        """A change that takes all that the appointment may take, at every time that it may have."""
        begin = self.wanted.interval.start
        claims = [Claim(self.wanted.user_id, Interval(begin, begin + self.service.most_length))]
        for step, (start, end) in zip(self.service.steps, reaches(self.service, begin), strict=True):
            taken = Interval(start - self.service.buffer_before, end + self.service.buffer_after)
            claims += [Claim(id_, taken) for id_ in dict.fromkeys(step.named)]
        return Change(
            self.before, self.wanted, claims_of(self.before), tuple(dict.fromkeys(claims)), touches_calendars=True
        )

    def _calendar_ids(self) -> list[str]:
        return list(dict.fromkeys((self.wanted.user_id, *self.service.calendar_ids)))


def placed(wanted: Appointment, steps: Sequence[Step]) -> Appointment:
    """The appointment with these steps, and all that follows from them."""
    interval = Interval(steps[0].interval.start, steps[-1].interval.end)
    return replace(
        wanted,
        interval=interval,
        steps=tuple(steps),
        resource_ids=tuple(dict.fromkeys(chain.from_iterable(step.resource_ids for step in steps))),
        wall=wanted.wall and wall_times_of(interval, find_zone(wanted.time_zone)),
    )


def _calendars(reading: Reading, now: datetime, own_id: str) -> dict[str, Calendar]:
    settings = {id_: known.settings for id_, known in reading.settings.items()}
    return assemble(settings, reading.days.values(), now, ignore=own_id)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


class ServiceAsk(NamedTuple):
    """What is asked of a booking beside the appointment.

    `hold` is for how long to hold it, None where it is booked or where the service says for how long. `faults` were
    found before, and count unless the request repeats a booking that had none then.
    """

    service_id: str
    own_reminders: bool = True
    hold: timedelta | None = None
    dry_run: bool = False
    faults: Sequence[Fault] = ()


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

    def candidates(self, reading: Reading) -> Sequence[Change]:
        if reading.appointment is not None:
            raise AppointmentExistsError(reading.appointment)
        assert reading.service is not None  # noqa: S101 - it is read with everything else
        service = reading.service.service
        if service is None:
            raise InvalidRequestError([*self.ask.faults, _unknown_service(self.ask.service_id)])
        self.faults = [*self.ask.faults]
        wanted = self._on_terms(reading.service, service, reading)
        self.placement = Placement(service, wanted, None, self.now)
        changes = self.placement.candidates(reading)
        return [self._approved(change, service, reading) for change in changes]

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
        if exc.existing.fingerprint != wanted.fingerprint:
            raise IdempotencyKeyReusedError from exc
        return exc.existing


def _first_reading(proposal: _ServiceBooking, storage: Storage) -> Reading:
    """The service, and the rest from memory if that may do. The conditions of the commit prove it."""
    ask = proposal.ask
    service_id = ask.service_id
    known = storage.memory.services.get(service_id)
    if known is None or known.service is None:  # by now there may be one
        known = storage.services.known(service_id)
    reading = Reading(service=known)
    if known.service is None or known.service.has_choice or not known.small or ask.dry_run or ask.faults:
        return reading
    [everything] = proposal.candidates(reading)
    return storage.recall(everything, known) or reading


def terms_of(appointment: Appointment) -> Service:
    """The service that an appointment was booked with."""
    assert appointment.service is not None  # noqa: S101 - asked only of those that have one
    return parse_service(json.loads(appointment.service.body))
