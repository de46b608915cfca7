"""An appointment of a service, new or moved: its steps by what was read, or why there are none.

A service is searched on what was read, and what is found is decided and committed like any other change. The conditions
of the commit prove the calendars that were chosen, and so nothing has to be read at one moment.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING

from appointments.calendars import assemble, with_zone
from appointments.claims import Claim, claims_of, daily_of
from appointments.decision import Accepted, Change, Reading, Refused, daily_fault, decide, rule_fault
from appointments.errors import Fault, TooManyAppointmentsError
from appointments.intervals import filled_days
from appointments.model import DAY, Appointment, DayKey, Interval, PerPerson, Step
from appointments.service_refusal import obstacles, reaches
from appointments.service_search import ServiceSearch, saying_the_zone, zone_of_days
from appointments.services import parse_service
from appointments.storage.dynamodb import BATCH_GET_KEYS
from appointments.times import find_zone, to_utc_text
from conflict_detector.appointments.fields import wall_times_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appointments.calendars import Calendar
    from appointments.claims import Daily
    from appointments.services import Service
    from appointments.storage.store import Storage


@dataclass(slots=True, eq=False, repr=False)
class Placement:
    """An appointment of a service, to be placed at its start: new, or moved from where it was `before`.

    Without `notice`, none of its calendars asks for notice; whether the service does, it says itself.
    """

    service: Service
    wanted: Appointment
    before: Appointment | None
    now: datetime
    notice: bool = True
    search: ServiceSearch | None = None

    def candidates(self, reading: Reading) -> list[Change]:
        """The change that fits by what was read; one that takes everything, where there is none or nothing was read."""
        self._count_by_day(reading)
        everything = self._everything()
        self.search = None
        if reading.lacks([everything]):
            return [everything]
        self.search = self._search(reading)
        found = self._found(self.search)
        if found is None:
            return [everything]
        return [Change.of(self.before, with_zone(placed(self.wanted, found), reading.settings))]

    def decide(
        self, candidates: Sequence[Change], reading: Reading, now: datetime, faults: Sequence[Fault] = ()
    ) -> Accepted | Refused:
        """As the function of this name. A refusal names what is in the way of each step."""
        if candidates[0].after is not self.wanted:
            return decide(candidates, reading.binding(notice=self.notice), now, faults)
        assert self.search is not None  # noqa: S101 - there is something to decide only when all was read
        found = obstacles(self.search, self.wanted.interval.start)
        own = [*faults, *self._broken_rules(self.search)]
        conflicts = found.conflicts if not own else ()
        by_calendars = [] if own else map(rule_fault, found.violations)
        # It rests on many items: two readings have to agree.
        return Refused((*own, *by_calendars), tuple(conflicts), len(candidates[0].new_claims) + 1)

    def alternatives(self, reading: Reading, storage: Storage) -> list[Interval]:
        """The nearest starts that are offered and can be booked; none where that is too much to look at."""
        try:
            return self._nearest(reading, storage)
        except TooManyAppointmentsError:
            return []

    def _nearest(self, reading: Reading, storage: Storage) -> list[Interval]:
        """These starts, from what was read and one further read."""
        from appointments.alternatives import MAX_ALTERNATIVES, nearest_first  # noqa: PLC0415
        from conflict_detector.alternatives import (  # noqa: PLC0415 - most appointments are not refused
            ALTERNATIVES_REACH,
            midnight_to_midnight,
        )

        start = self.wanted.interval.start
        ids = self._calendar_ids()
        partial = [key for key, day in reading.days.items() if day.seen is not None]
        around = max(min(ALTERNATIVES_REACH // DAY, BATCH_GET_KEYS // len(ids) // 2), 1)
        first = start.date() - around * DAY
        days = [first + n * DAY for n in range(2 * around + 1 + -(-self.service.most_length // DAY))]
        keys = {DayKey(id_, day) for id_ in ids for day in days}
        reading.days.update(storage.read({*partial, *(keys - reading.days.keys())}, settings=False).days)
        # A day that is not read may decide about what lies near it: keep that far from the ends of the window.
        buffers = max(self.service.buffer_before, self.service.buffer_after)
        gap = buffers + max(known.settings.margin for known in reading.settings.values())
        if self.service.max_per_person_per_day:
            gap = max(gap, 2 * DAY)
        begin, end = midnight_to_midnight(days[0], days[-1])
        window = Interval(begin + gap, end - gap)
        offered = self._search(reading).offered(window) if window.start < window.end else ()
        others = [one for one in offered if one.start != start]
        return nearest_first(self.wanted.interval, others)[:MAX_ALTERNATIVES]

    def more_days(self) -> list[DayKey]:
        """For the order of fair pools, and to count by day: in every zone, the local day lies within these UTC days."""
        fair = [pool for step in self.service.steps for pool in step.pools if pool.fair and len(pool.any_of) > 1]
        start = self.wanted.interval.start
        count = ((start + self.service.most_length).date() - start.date()).days
        days = [start.date() + n * DAY for n in range(-1, count + 2)]
        ids = dict.fromkeys(chain(*(pool.any_of for pool in fair)))
        if self.service.max_per_person_per_day:
            ids[self.wanted.user_id] = None
        return [DayKey(id_, day) for id_ in ids for day in days]

    def _count_by_day(self, reading: Reading) -> None:
        """Put down in which zone the service counts by day, as soon as the settings that say so were read."""
        most, terms = self.service.max_per_person_per_day, self.wanted.service
        settings = {id_: known.settings for id_, known in reading.settings.items()}
        if most is None or terms is None or not settings.keys() >= {*self.service.calendar_ids}:
            return
        per_person = PerPerson(most, zone_of_days(self.service, settings).key)
        reading.counted_by = saying_the_zone(self.service, settings)
        if terms.per_person != per_person:
            self.wanted = replace(self.wanted, service=terms._replace(per_person=per_person))

    def _found(self, search: ServiceSearch) -> tuple[Step, ...] | None:
        """The steps: those of the calendars that it had, where these fit at some time, else others of the pools."""
        start = self.wanted.interval.start
        if self.service.strict and search.grid(Interval(start, start + timedelta(seconds=1))) != [_seconds(start)]:
            return None
        found = None
        if self.before and self.before.steps and self.service.has_choice:
            found = replace(search, service=self.service.with_calendars(self.before.steps), whole=self.service).find(
                start
            )
        return found or search.find(start)

    def _search(self, reading: Reading) -> ServiceSearch:
        calendars = _calendars(reading.binding(notice=self.notice), self.now, self.wanted.appointment_id)
        given = self.before.steps if self.before else ()
        person = calendars.get(self.wanted.user_id)
        if person and (daily := self._daily()):
            own = [day for key, day in reading.days.items() if key.calendar_id == person.calendar_id]
            full = filled_days(own, daily.zone, daily.most, self.now, self.wanted.appointment_id, daily.service_id)
            person = replace(person, served_days=tuple(day for day in full if day != daily.day or not self._stays()))
        return ServiceSearch(self.service, calendars, self.now, person, self.wanted.appointment_id, given)

    def _daily(self) -> Daily | None:
        return daily_of(self.wanted.service, self.wanted.interval.start)

    def _stays(self) -> bool:
        """Whether it is counted already on the day on which it starts."""
        had = () if self.before is None or self.before.has_expired(self.now) else claims_of(self.before)
        return self._own_claim().keeps_its_day(had[0] if had else None)

    def _own_claim(self) -> Claim:
        """The claim on the person's calendar with the longest gaps."""
        begin = self.wanted.interval.start
        whole = Interval(begin, begin + self.service.most_length)
        return Claim(self.wanted.user_id, whole, until=self.wanted.expires_at, daily=self._daily())

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
        faults = [Fault("startTime", message) for message in broken]
        if search.person and (daily := self._daily()) and daily.day in search.person.served_days:
            faults.append(daily_fault(search.person.calendar_id, daily))
        return faults

    def _everything(self) -> Change:
        """A change that takes all that the appointment may take, at every time that it may have."""
        begin = self.wanted.interval.start
        claims = [self._own_claim()._replace(until=None)]
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


def shifted(moved: Appointment) -> Appointment:
    """An appointment that takes no time any more, with its steps where it was moved to."""
    by = moved.interval.start - moved.steps[0].interval.start
    return placed(moved, [Step(Interval(start + by, end + by), ids) for (start, end), ids in moved.steps])


def _calendars(reading: Reading, now: datetime, own_id: str) -> dict[str, Calendar]:
    settings = {id_: known.settings for id_, known in reading.settings.items()}
    return assemble(settings, reading.days.values(), now, ignore=own_id)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def terms_of(appointment: Appointment) -> Service:
    """The service that an appointment was booked with."""
    assert appointment.service is not None  # noqa: S101 - asked only of those that have one
    return parse_service(json.loads(appointment.service.body))
