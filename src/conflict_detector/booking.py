"""The use cases: book, change and cancel an appointment, or say exactly why not.

The decision rests on calendar days, not on an index: read the days that the interval touches, strongly
consistent; look for conflicts in memory, exact to the second; write everything in one transaction that
holds only while the quarter hours of this interval are as they were read. Whoever loses a race gets the
newer days back from the failed transaction and decides again on those. Where nothing is known to lie in the
interval, a booking goes straight to the transaction, which proves it.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from appointments.alternatives import MOST, find_alternatives, nearest_first
from appointments.calendars import Calendar, assemble
from appointments.errors import (
    AppointmentCancelledError,
    AppointmentNotFoundError,
    CalendarBusyError,
    ConflictError,
    Fault,
    IdempotencyKeyReusedError,
    InvalidRequestError,
)
from appointments.model import DAY, Appointment, Conflict, DayKey, Interval, Status, cancelled, reminders_ahead
from appointments.table import (
    BATCH_GET_KEYS,
    AppointmentChangedError,
    AppointmentExistsError,
    DaysChangedError,
    Reading,
    SettingsOutdatedError,
    TransactionContentionError,
    pause,
)
from appointments.times import to_utc_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from appointments.table import SchedulerTable

# A person is waiting: after this many seconds the answer is "try again", with nothing written.
DECIDE_WITHIN = 5.0
# How far before and after an interval that was refused to look for alternatives.
LOOK_AROUND = timedelta(days=7)


def decide(  # noqa: PLR0917 - all that a decision rests on
    wanted: Appointment,
    reading: Reading,
    now: datetime,
    commit: Callable[[], None],
    before: Appointment | None = None,
    faults: Sequence[Fault] = (),
) -> None:
    """Commit `wanted` if it fits on what was read; this is the booking decision.

    `before` is the appointment that `wanted` changes: where it stays within the time that it has on a calendar,
    nothing new is taken there, and nothing is asked. `faults` that are known already are named with the others.

    Raises InvalidRequestError where a calendar's own rules forbid it, ConflictError where other appointments
    leave no room, CalendarBusyError where that could not be found out in time because too many others were
    booking the very same quarter hours, and what else `commit` raises.
    """
    held = dict.fromkeys(before.calendar_ids, before.interval) if before else {}
    calendars = _calendars(wanted, reading)
    if faults := [*faults, *_broken_rules(wanted, calendars, now, held)]:
        raise InvalidRequestError(faults)
    deciding = [
        calendar_id
        for calendar_id in wanted.calendar_ids
        if calendar_id not in held or not held[calendar_id].covers(wanted.interval)
    ]
    give_up_at = time.monotonic() + DECIDE_WITHIN
    attempt = 0
    while True:
        conflicts = [
            conflict for calendar_id in deciding for conflict in calendars[calendar_id].conflicts(wanted.interval)
        ]
        if conflicts:
            raise ConflictError(conflicts)
        try:
            return commit()
        except DaysChangedError as exc:
            reading.days.update(exc.days)
            calendars = _calendars(wanted, reading)
        except TransactionContentionError:
            attempt += 1
            pause(min(0.02 * 2**attempt, 0.5))
        if time.monotonic() > give_up_at:
            raise CalendarBusyError


def _calendars(wanted: Appointment, reading: Reading) -> dict[str, Calendar]:
    """The calendars that `wanted` would occupy, as they were read, without `wanted` itself."""
    settings = {calendar_id: reading.settings[calendar_id] for calendar_id in wanted.calendar_ids}
    days = [day for day in reading.days.values() if day.key.calendar_id in settings]
    return assemble(settings, days, ignore=wanted.appointment_id)


def _broken_rules(
    wanted: Appointment, calendars: Mapping[str, Calendar], now: datetime, held: Mapping[str, Interval]
) -> Iterator[Fault]:
    """A fault for each rule of each calendar that `wanted` breaks."""
    for calendar_id, calendar in calendars.items():
        for broken in calendar.violations(wanted.interval, now, held=held.get(calendar_id)):
            message = f"breaks {broken.rule} of calendar {calendar_id}"
            if broken.rule == "timeZone":
                message += ", which is not known any more: that calendar has to be configured anew"
            if broken.nearest:
                start, end = map(to_utc_text, broken.nearest)
                message += f"; the nearest time that its rules accept is {start} to {end}"
            yield Fault(broken.field, message, calendar_id, broken.rule, broken.nearest)


def book(
    wanted: Appointment,
    table: SchedulerTable,
    now: datetime,
    *,
    any_of: Sequence[str] = (),
    own_reminders: bool = True,
    dry_run: bool = False,
    faults: Sequence[Fault] = (),
) -> Appointment:
    """Write `wanted` if it fits on all of its calendars, and return it; a dry run writes nothing.

    With `any_of` it also takes one of those calendars: the first that is free, the least booked that day first.
    Without `own_reminders` it gets those that its user's calendar has by default. A `wanted` with a fingerprint
    carries an idempotency key in its id: where that was booked before, the appointment of then is returned, as
    it is now. `faults` are what is wrong with it already, unless it is such a repetition. Raises
    InvalidRequestError, ConflictError with alternatives, IdempotencyKeyReusedError, CalendarBusyError.
    """
    remind = partial(_remind, now=now, own_reminders=own_reminders)
    try:
        if not (any_of or dry_run or faults) and (booked := _book_unread(wanted, remind, table, now)):
            return booked
        variants = [_assigned_to(wanted, calendar_id) for calendar_id in any_of] or [wanted]
        keys = {key for variant in variants for key in variant.day_keys()}
        if len(variants) > 1:
            # What makes up "that day" is for each calendar's zone to say, and lies within three UTC days.
            day = wanted.interval.start.date()
            keys |= {DayKey(calendar_id, day + n * DAY) for calendar_id in any_of for n in (-1, 0, 1)}
        reading = table.read(keys, appointment_id=wanted.appointment_id if wanted.fingerprint else None)
        existing = reading.appointment
        if existing is None:
            variants = [remind(variant, reading) for variant in variants]
            return _book_one_of(variants, reading, table, now, dry_run=dry_run, faults=faults)
    except AppointmentExistsError as exc:
        existing = exc.existing
    if existing.fingerprint != wanted.fingerprint:
        raise IdempotencyKeyReusedError
    return existing


def _book_unread(
    wanted: Appointment,
    remind: Callable[[Appointment, Reading], Appointment],
    table: SchedulerTable,
    now: datetime,
) -> Appointment | None:
    """Write `wanted` without a read, where nothing that is remembered speaks against it; None where it did not work.

    The transaction is the proof. It holds only if the quarter hours that count were never touched, or are as a
    failed try brought them back, and if the settings that `wanted` obeys are those in force. What is remembered
    never refuses anything: where it would, nothing is written, and the caller reads and decides.
    """
    reading = table.recall(wanted)
    if reading is None:
        return None
    for _ in range(2):  # what is remembered of settings, if anything, may be outdated; the failure brings them back
        reminded = remind(wanted, reading)
        try:
            decide(reminded, reading, now, partial(table.book, reminded, reading))
        except SettingsOutdatedError as exc:
            reading.correct(exc)
            if not table.fits(reminded, reading):
                return None
        except (InvalidRequestError, ConflictError):
            return None
        else:
            return reminded
    return None


def _write(appointment: Appointment, reading: Reading, table: SchedulerTable | None) -> None:
    if table:
        table.book(appointment, reading)


def _assigned_to(wanted: Appointment, calendar_id: str) -> Appointment:
    return replace(wanted, resource_ids=(*wanted.resource_ids, calendar_id), assigned_calendar_id=calendar_id)


def _remind(wanted: Appointment, reading: Reading, *, now: datetime, own_reminders: bool) -> Appointment:
    """Give `wanted` the reminders that its user's calendar has by default, where it brings none of its own."""
    offsets = reading.settings[wanted.user_id].reminders
    if own_reminders or offsets is None:
        return wanted
    return replace(wanted, offsets=offsets, reminders=reminders_ahead(wanted.interval.start, offsets, now))


def _booked_that_day(wanted: Appointment, reading: Reading) -> int:
    """How many appointments the assigned calendar has on the day, in its own zone, on which `wanted` starts."""
    calendar = _calendars(wanted, reading)[wanted.resource_ids[-1]]
    zone = calendar.settings.zone
    day = wanted.interval.start.astimezone(zone).date()
    midnights = (datetime.combine(date_, datetime.min.time(), zone).astimezone(UTC) for date_ in (day, day + DAY))
    whole_day = Interval(*midnights)
    return sum(busy.overlaps(whole_day) for busy in calendar.busy)


def _book_one_of(
    variants: Sequence[Appointment],
    reading: Reading,
    table: SchedulerTable,
    now: datetime,
    *,
    dry_run: bool,
    faults: Sequence[Fault],
) -> Appointment:
    """Book the first variant that fits. They differ in the calendar assigned, and go by how much that one holds."""
    if len(variants) > 1:
        variants = sorted(variants, key=partial(_booked_that_day, reading=reading))
    if dry_run:
        # Nothing will be written, so no condition will speak for neighbouring days: they are read instead.
        around = {key for v in variants for key in table.padded_day_keys(v, reading.settings)} - reading.days.keys()
        reading.days.update(table.read(around, settings=False).days if around else {})
    broken: list[Fault] = []
    conflicts: list[Conflict] = []
    for variant in variants:
        write = partial(_write, variant, reading, None if dry_run else table)
        try:
            decide(variant, reading, now, write, faults=faults)
        except InvalidRequestError as exc:
            broken += exc.faults
        except ConflictError as exc:
            conflicts += exc.conflicts
        else:
            return variant
    broken = list(dict.fromkeys(broken))
    if conflicts:
        free = _alternatives(variants, reading, table, now)
        raise ConflictError(list(dict.fromkeys(conflicts)), free, broken)
    raise InvalidRequestError(broken)


def change(
    appointment_id: str,
    check: Callable[[Appointment], None],
    revise: Callable[[Appointment], Appointment],
    table: SchedulerTable,
    now: datetime,
) -> tuple[Appointment, Appointment]:
    """Replace an appointment by what `revise` makes of it, and return it as it was and as it is now.

    Where the calendars or the interval change, it is decided like a booking, except that it does not conflict
    with itself; refused, everything stays as it was. `check` and `revise` see the appointment anew, and so may
    raise anew, whenever somebody else changed it first. Raises AppointmentNotFoundError,
    AppointmentCancelledError, InvalidRequestError, ConflictError with alternatives, CalendarBusyError, and what
    those two raise.
    """

    def write(before: Appointment) -> Appointment:
        check(before)
        if before.status is Status.CANCELLED:
            raise AppointmentCancelledError
        after = revise(before)
        if (before.interval, before.calendar_ids) == (after.interval, after.calendar_ids):
            table.revise(before, after)
            return after
        reading = table.read(after.day_keys())
        try:
            decide(after, reading, now, lambda: table.move(before, after, reading), before)
        except ConflictError as exc:
            raise ConflictError(exc.conflicts, _alternatives([after], reading, table, now)) from None
        return after

    return _while_it_changes(appointment_id, table, write)


def cancel(
    appointment_id: str, check: Callable[[Appointment], None], table: SchedulerTable, now: datetime
) -> tuple[Appointment, Appointment]:
    """Cancel an appointment, and return it as it was and as it is now; twice is as good as once.

    `check` sees the current appointment before and may raise.
    Raises AppointmentNotFoundError, CalendarBusyError, and what `check` raises.
    """

    def write(before: Appointment) -> Appointment:
        check(before)
        if before.status is Status.CANCELLED:
            return before
        after = cancelled(before, now)
        table.cancel(before, after)
        return after

    return _while_it_changes(appointment_id, table, write)


def _while_it_changes(
    appointment_id: str, table: SchedulerTable, write: Callable[[Appointment], Appointment]
) -> tuple[Appointment, Appointment]:
    """Read an appointment and write it anew; where somebody else was faster, again on what they made of it."""
    give_up_at = time.monotonic() + DECIDE_WITHIN
    before = table.get_appointment(appointment_id)
    while before is not None:
        try:
            return before, write(before)
        except AppointmentChangedError as exc:
            before = exc.now
        except TransactionContentionError:
            pause(0.1)
        if time.monotonic() > give_up_at:
            raise CalendarBusyError
    raise AppointmentNotFoundError


def _alternatives(
    variants: Sequence[Appointment], reading: Reading, table: SchedulerTable, now: datetime
) -> list[Interval]:
    """Free intervals for what was refused: from the days already read, else with one further read."""
    wanted = variants[0].interval
    calendar_ids = {calendar_id for variant in variants for calendar_id in variant.calendar_ids}

    # What a buffer reaches to beyond the days that are read is not known, so nothing is offered as near to their ends.
    gap = max(reading.settings[calendar_id].buffer for calendar_id in calendar_ids)

    def find(first: date, last: date) -> list[Interval]:
        start, end = _midnight_to_midnight(first, last)
        window = Interval(start + gap, end - gap)
        found = (find_alternatives(wanted, _calendars(v, reading).values(), window, now) for v in variants)
        return nearest_first(wanted, [interval for many in found for interval in many])[:MOST]

    days = list(wanted.days())
    found = find(days[0], days[-1])
    around = min(LOOK_AROUND // DAY, BATCH_GET_KEYS // len(calendar_ids) // 2)
    if len(found) < MOST and around:
        days = [days[0] + n * DAY for n in range(-around, len(days) + around)]
        keys = {DayKey(calendar_id, day) for calendar_id in calendar_ids for day in days}
        reading.days.update(table.read(keys - reading.days.keys(), settings=False).days)
        found = find(days[0], days[-1])
    return found


def _midnight_to_midnight(first: date, last: date) -> Interval:
    return Interval(*(datetime.combine(day, datetime.min.time(), UTC) for day in (first, last + DAY)))
