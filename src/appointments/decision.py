"""The booking decision: whether a change of an appointment may be made, based on what was read. No I/O.

A change is one value: what an appointment was, and what it becomes. `decide` accepts one of several candidates or
refuses all of them. It is exact to the second, and it never writes. Storage commits the accepted change on condition
that what was read is still current.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from appointments.calendars import Calendar, assemble, busy_on, is_crowded
from appointments.claims import Claim, carrying_days, claims_of, deciding_days, quarter_hours, reach
from appointments.errors import Fault
from appointments.intervals import filled_days
from appointments.model import EXPIRY_GRACE, Appointment, CalendarDay, Conflict, DayKey, Interval, Taken
from appointments.statuses import Status
from appointments.times import to_utc_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from appointments.calendars import Violation
    from appointments.claims import Daily
    from appointments.memory import KnownService, KnownSettings


class Change(NamedTuple):
    """What an appointment was, None where it is new, and what it becomes.

    `old_claims` are the claims that it has, `new_claims` those to decide about. The latter are empty if it takes no
    time, or if the change touches no calendar and so only the appointment's own item.
    """

    before: Appointment | None
    after: Appointment
    old_claims: tuple[Claim, ...]
    new_claims: tuple[Claim, ...]
    touches_calendars: bool

    @classmethod
    def of(cls, before: Appointment | None, after: Appointment) -> Change:
        """The change from one to the other."""
        old, new = claims_of(before) if before else (), claims_of(after)
        touches = old != new
        return cls(before, after, old, new if touches else (), touches)


@dataclass(slots=True, eq=False, repr=False)
class Reading:
    """What a decision rests on: calendar days, the settings of their calendars, and the appointment as it is.

    It is not a snapshot: its parts may have been read at different moments. An `assumed` reading comes from memory, and
    days that it lacks count as untouched. It can justify an acceptance, but never a refusal.
    """

    days: dict[DayKey, CalendarDay] = field(default_factory=dict)
    settings: dict[str, KnownSettings] = field(default_factory=dict)
    appointment: Appointment | None = None
    assumed: bool = False
    # The service that is booked, if one is.
    service: KnownService | None = None
    # The session that the appointment joins, if it does.
    session: Appointment | None = None
    # Calendars whose settings decide, although the change may not take them: they say in which zone a service counts.
    counted_by: tuple[str, ...] = ()

    def reach_of(self, claim: Claim) -> Interval:
        """The time that decides about a claim, by the settings that were read."""
        return reach(claim, self.settings[claim.calendar_id].settings)

    def deciding_days(self, claims: Iterable[Claim]) -> set[DayKey]:
        """The calendar days that decide about these claims, by the settings that were read."""
        return deciding_days(claims, self.reach_of)

    def shows_settings(self, key: DayKey) -> bool:
        """Whether a day was last booked by the settings of its calendar that were read."""
        return self.days[key].settings == self.settings[key.calendar_id].mark

    def lacks(self, candidates: Sequence[Change]) -> list[DayKey]:
        """The calendar days of the candidates that have to be read before anything can be decided.

        A day of which a part was read has to be read again where other quarter hours decide now.
        """
        if self.assumed:
            return []
        claims = [claim for change in candidates for claim in change.new_claims]
        unread = [key for key in carrying_days(claims) if key not in self.days or key.calendar_id not in self.settings]
        return unread or [
            key
            for key, day in self.days.items()
            if day.seen is not None and not all(day.shows(quarter_hours([one], key, self.reach_of)) for one in claims)
        ]

    def binding(self, *, notice: bool) -> Reading:
        """The reading, or one by which no calendar asks for `notice`: it shares the days, and is only decided by."""
        if notice:
            return self
        waived = {id_: known._replace(settings=known.settings.without_notice()) for id_, known in self.settings.items()}
        return replace(self, settings=waived)

    def replace(self, newer: Reading) -> None:
        """Replace days and settings by those that were read later.

        A day that has overflow items came without them. Then all days have to be read anew, their own items first.
        """
        if any(day.overflow is not None for day in newer.days.values()):
            self.days, self.assumed = {}, False
        else:
            self.days.update(newer.days)
        self.settings.update(newer.settings)
        if newer.service:  # it may take other calendars, of which nothing is known
            self.service, self.assumed = newer.service, False
        self.session = newer.session or self.session


class Accepted(NamedTuple):
    """The change to commit."""

    change: Change


class Refused(NamedTuple):
    """Why no candidate was accepted: the rules that they break, or what they conflict with.

    `items` is how many items the refusal rests on, each of which can change independently.
    """

    faults: tuple[Fault, ...]
    conflicts: tuple[Conflict, ...]
    items: int


def decide(
    candidates: Sequence[Change], reading: Reading, now: datetime, faults: Sequence[Fault] = ()
) -> Accepted | Refused:
    """Accept the first candidate that fits. The calendar with the fewest appointments that day is tried first.

    Among equals, the order follows from the appointment's id, so that no calendar is always first. Candidates are
    changes of one appointment to different calendars. `faults` were found before: one that names a calendar applies to
    the candidates that take it, any other to all. Time that the appointment already has is not decided again.
    """
    own_id = candidates[0].after.appointment_id
    if len(candidates) > 1:
        candidates = sorted(candidates, key=lambda change: _turn(change.after, reading, now))

    def calendar_of(claim: Claim) -> Calendar:
        return _calendar(claim, reading, now, own_id)

    all_faults: dict[Fault, None] = {}
    all_conflicts: dict[Conflict, None] = {}
    known: dict[tuple[Claim, Claim | None], _Verdict] = {}
    full: list[Claim] = []
    for change in candidates:
        verdicts = [_judge(claim, before, calendar_of, now, known) for claim, before in _compared(change, now)]
        given = [one for one in faults if one.calendar_id in (None, *change.after.calendar_ids)] if faults else ()
        if broken := [*given, *(fault for verdict in verdicts for fault in verdict.faults)]:
            all_faults.update(dict.fromkeys(broken))
            continue
        conflicts = [conflict for verdict in verdicts for conflict in verdict.conflicts]
        if not conflicts:
            return Accepted(change)
        all_conflicts.update(dict.fromkeys(conflicts))
        full += [verdict.claim for verdict in verdicts if verdict.conflicts]
    settings = {fault.calendar_id for fault in all_faults if fault.calendar_id}
    occupied = _occupied_days(full, reading, own_id)
    settings.update(key.calendar_id for key in occupied if not reading.shows_settings(key))
    items = _items(occupied, reading) + len(settings) + _counts_itself(candidates[0])
    items += candidates[0].after.session_id is not None  # the session says how many seats there are
    return Refused(tuple(all_faults), tuple(all_conflicts), items)


def rests_on_one_item(decision: Accepted | Refused, reading: Reading) -> bool:
    """Whether a decision rests on one item, all of which was true at one moment.

    Several items may have been read at different moments, and never have been true together. Whether a day has room
    depends on the settings of its calendar, too. A day that was last booked by the settings that were read needs no
    proof of them: they were in force then, and nothing has come since. Room may have come, so a dry run that
    succeeds has no such proof. A block depends on no settings.
    """
    if isinstance(decision, Accepted):
        claims = decision.change.new_claims
        settings = {claim.calendar_id for claim in claims if not claim.block}
        return _items(reading.deciding_days(claims), reading) + len(settings) + _counts_itself(decision.change) <= 1
    return decision.items <= 1


def _items(days: Iterable[DayKey], reading: Reading) -> int:
    return sum(reading.days[key].items if key in reading.days else 1 for key in days)


def _counts_itself(change: Change) -> bool:
    """Whether a decision rests on the appointment's own item: it has one, or its idempotency key may have made one."""
    return change.before is not None or change.after.fingerprint is not None


def agree(candidates: Sequence[Change], before: Reading, after: Reading) -> bool:
    """Whether two readings, one made after the other, agree on all that a decision about the candidates rests on.

    Then all of it was true at one moment between them, because nothing returns to an earlier state: settings get a new
    revision, versions only increase, and an entry that returns increments the counters of its quarter hours.
    """
    own_id = candidates[0].after.appointment_id
    own = [
        (
            reading.appointment.version if reading.appointment else None,
            reading.service.token if reading.service else None,
        )
        for reading in (before, after)
    ]
    return own[0] == own[1] and all(
        before.settings[claim.calendar_id].token == after.settings[claim.calendar_id].token
        and all(_same_near(claim, key, before, after, own_id) for key in before.deciding_days([claim]))
        for claim in dict.fromkeys(claim for change in candidates for claim in change.new_claims)
    )


def _same_near(claim: Claim, key: DayKey, before: Reading, after: Reading, own_id: str) -> bool:
    """Whether two readings of a day agree near a claim. The rest of the day may have changed.

    A crowded day counts as a whole: whatever it takes in after something has left counts up a quarter hour.
    """
    days = [reading.days.get(key, CalendarDay(key)) for reading in (before, after)]
    if days[0] == days[1]:
        return True
    deciding = before.reach_of(claim)
    facts = []
    for day in days:
        near = dict(_entries_near(deciding, day, None))
        touched = set(deciding.quarter_hours(key.day))
        for entry in near.values():
            touched.update(quarter for one in entry for quarter in one.interval.quarter_hours(key.day))
        crowded = is_crowded(day, own_id)
        facts.append((near, day.counters if crowded else {q: day.counters.get(q) for q in touched}, crowded))
    return facts[0] == facts[1]


class _Verdict(NamedTuple):
    claim: Claim
    faults: tuple[Fault, ...]
    conflicts: tuple[Conflict, ...]


def _compared(change: Change, now: datetime) -> Iterator[tuple[Claim, Claim | None]]:
    """Each new claim, with the old claim on the same calendar, if there is one that has not expired."""
    expired = change.before is not None and change.before.has_expired(now)
    for claim in change.new_claims:
        mine = [other for other in change.old_claims if other.calendar_id == claim.calendar_id and not expired]
        yield claim, next((other for other in mine if other.covers(claim)), mine[0] if mine else None)


def _judge(
    claim: Claim,
    before: Claim | None,
    calendar_of: Callable[[Claim], Calendar],
    now: datetime,
    known: dict[tuple[Claim, Claim | None], _Verdict],
) -> _Verdict:
    """The faults and conflicts of a claim. Candidates share claims, and each is judged once."""
    verdict = _Verdict(claim, (), ()) if claim.block else known.get((claim, before))
    if verdict is None:
        calendar = calendar_of(claim)
        faults = tuple(_broken_rules(claim, before, calendar, now))
        # A hold that becomes a booking has no place on the day yet: others count it only until it ends.
        stays = before is not None and (before.until is None or claim.until is not None)
        conflicts = [] if faults else calendar.full_day(claim.interval, before.interval if before and stays else None)
        if not faults and not (before and before.covers(claim)):
            conflicts += calendar.conflicts(claim.interval, claim.places, since=_told_of_until(before, claim))
        verdict = known[claim, before] = _Verdict(claim, faults, tuple(conflicts))
    return verdict


def _told_of_until(before: Claim | None, claim: Claim) -> datetime | None:
    """Until when a block was told of what is confirmed where it is now, and so does not refuse it."""
    if before is None or before.until is None or before._replace(until=claim.until) != claim:
        return None
    return before.until + EXPIRY_GRACE


def _broken_rules(claim: Claim, before: Claim | None, calendar: Calendar, now: datetime) -> Iterator[Fault]:
    """A fault for each rule of the calendar that the claim breaks."""
    for broken in calendar.violations(claim.ruled, now, current=before.ruled if before else None):
        yield rule_fault(broken)
    if claim.daily and claim.daily.day in calendar.served_days and not claim.keeps_its_day(before):
        yield daily_fault(claim.calendar_id, claim.daily)


def daily_fault(person: str, daily: Daily) -> Fault:
    """The fault of a start on a day on which a person has as many appointments of a service as may be."""
    day = daily.day.start.astimezone(daily.zone).date()
    message = f"breaks maxPerPersonPerDay of the service: {person} has {daily.most} on {day} already"
    return Fault("startTime", message, person, "maxPerPersonPerDay")


def rule_fault(broken: Violation) -> Fault:
    """The fault of a rule that is broken."""
    message = f"breaks {broken.rule} of calendar {broken.calendar_id}"
    if broken.rule == "timeZone":
        message += ", which is not known any more: that calendar has to be configured anew"
    if broken.nearest:
        start, end = map(to_utc_text, broken.nearest)
        message += f"; the nearest time that its rules accept is {start} to {end}"
    return Fault(broken.field, message, broken.calendar_id, broken.rule, broken.nearest)


def asking_for_approval(reading: Reading) -> set[str]:
    """The calendars whose bookings have to be approved."""
    return {id_ for id_, known in reading.settings.items() if known.settings.approval}


def without_approval(change: Change, reading: Reading) -> list[Fault]:
    """The faults of calendars that ask for approval and would be taken without one.

    A request waits for it still. One approval is for all calendars among which a service chooses.
    """
    before, after = change.before, change.after
    gained = set(after.calendar_ids).difference(before.calendar_ids) if before else ()
    if before is None or not gained or before.status is Status.REQUESTED or not after.status.occupies:
        return []
    asking = asking_for_approval(reading)
    if before.service and before.status is not Status.HELD and not asking.isdisjoint(before.calendar_ids):
        return []
    name = "startTime" if before.service else "resourceIds"
    message = "takes calendar {}, whose bookings have to be approved; cancel this and book anew"
    return [Fault(name, message.format(id_), id_, "approval") for id_ in sorted(asking.intersection(gained))]


def _calendar(claim: Claim, reading: Reading, now: datetime, own_id: str) -> Calendar:
    """The calendar of a claim on the days that decide about it, without the appointment itself.

    What other days show counts for nothing: they may have been read at another moment, and no condition proves them.
    """
    settings = reading.settings[claim.calendar_id].settings
    if not reading.days:
        return Calendar(claim.calendar_id, settings, ())
    days = [day for key in reading.deciding_days([claim]) if (day := reading.days.get(key))]
    calendar = assemble({claim.calendar_id: settings}, days, now, ignore=own_id)[claim.calendar_id]
    if claim.daily:
        service_id, most, zone, _ = claim.daily
        return replace(calendar, served_days=filled_days(days, zone, most, now, own_id, service_id))
    return calendar


def _turn(wanted: Appointment, reading: Reading, now: datetime) -> tuple[int, bytes]:
    """What candidates are sorted by: the bookings of the day, then a hash, which is the same on every retry."""
    import hashlib  # noqa: PLC0415 - only needed with `anyOf`

    key = f"{wanted.appointment_id} {wanted.assigned_calendar_id}"
    return _booked_that_day(wanted, reading, now), hashlib.sha256(key.encode()).digest()


def _booked_that_day(wanted: Appointment, reading: Reading, now: datetime) -> int:
    """How many appointments the assigned calendar has on the day, in its own zone, on which `wanted` starts."""
    calendar_id = wanted.assigned_calendar_id or wanted.user_id
    whole_day = reading.settings[calendar_id].settings.day_of(wanted.interval.start)
    days = [read for read in reading.days.values() if read.key.calendar_id == calendar_id]
    there = busy_on(days, now, wanted.appointment_id)
    return sum(one.interval.overlaps(whole_day) and not one.block for one in there)


def _occupied_days(claims: Iterable[Claim], reading: Reading, own_id: str) -> set[DayKey]:
    """The calendar days with an entry that could conflict with these claims."""
    occupied = set()
    for claim in claims:
        deciding = reading.reach_of(claim)
        for day_ in deciding.days():
            day = reading.days.get(DayKey(claim.calendar_id, day_))
            if day and (is_crowded(day, own_id) or any(_entries_near(deciding, day, own_id))):
                occupied.add(day.key)
    return occupied


def _entries_near(deciding: Interval, day: CalendarDay, own_id: str | None) -> Iterator[tuple[str, tuple[Taken, ...]]]:
    """The entries of a day that overlap the reach of a claim, by appointment."""
    for id_, entry in day.entries.items():
        if id_ != own_id and any(one.interval.overlaps(deciding) for one in entry):
            yield id_, entry
