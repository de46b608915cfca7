"""The use cases: book, change and cancel an appointment, or say exactly why not.

The decision rests on calendar days, not on an index: read the days that the interval touches, strongly
consistent; look for conflicts in memory, exact to the second; write everything in one transaction that
holds only while the quarter hours of this interval are as they were read. Whoever loses a race gets the
newer days back from the failed transaction and decides again on those.
"""

from __future__ import annotations

import random
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from appointments.alternatives import MOST, find_alternatives
from appointments.errors import (
    AppointmentCancelledError,
    AppointmentNotFoundError,
    CalendarBusyError,
    ConflictError,
    IdempotencyKeyReusedError,
)
from appointments.model import DAY, Appointment, CalendarDay, DayKey, Status, cancelled, find_conflicts
from appointments.table import (
    BATCH_GET_KEYS,
    AppointmentChangedError,
    AppointmentExistsError,
    DaysChangedError,
    TransactionContentionError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from appointments.table import SchedulerTable

    Days = dict[DayKey, CalendarDay]

# A person is waiting: after this many seconds the answer is "try again", with nothing written.
DECIDE_WITHIN = 5.0
# How far before and after an interval that was refused to look for alternatives.
LOOK_AROUND = timedelta(days=7)


def decide(wanted: Appointment, days: Days, commit: Callable[[Days], None]) -> None:
    """Commit `wanted` if it fits on the days that were read; this is the booking decision.

    Raises ConflictError where it does not fit, CalendarBusyError where that could not be found out in time
    because too many others were booking the very same quarter hours, and what else `commit` raises.
    """
    give_up_at = time.monotonic() + DECIDE_WITHIN
    attempt = 0
    while True:
        conflicts = find_conflicts(wanted.interval, days.values(), ignore=wanted.appointment_id)
        if conflicts:
            raise ConflictError(conflicts)
        try:
            return commit(days)
        except DaysChangedError as exc:
            days |= exc.days
        except TransactionContentionError:
            attempt += 1
            time.sleep(random.uniform(0, min(0.02 * 2**attempt, 0.5)))  # noqa: S311 - jitter is no secret
        if time.monotonic() > give_up_at:
            raise CalendarBusyError


def book(wanted: Appointment, table: SchedulerTable, now: datetime, *, dry_run: bool = False) -> Appointment:
    """Write `wanted` if it fits on all of its calendars, and return it; a dry run writes nothing.

    A `wanted` with a fingerprint carries an idempotency key in its id. Where that was booked before, the
    appointment of then is returned, as it is now. Raises ConflictError with alternatives,
    IdempotencyKeyReusedError, CalendarBusyError.
    """
    repeatable = wanted.fingerprint is not None and not dry_run
    days, existing = table.read(wanted.day_keys(), wanted.appointment_id if repeatable else None)
    try:
        if existing is None:
            decide(wanted, days, lambda days: None if dry_run else table.book(wanted, days))
            return wanted
    except AppointmentExistsError as exc:
        existing = exc.existing
    except ConflictError as exc:
        raise _with_alternatives(exc, wanted, days, table, now) from None
    if existing.fingerprint != wanted.fingerprint:
        raise IdempotencyKeyReusedError
    return existing


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
    AppointmentCancelledError, ConflictError with alternatives, CalendarBusyError, and what those two raise.
    """

    def write(before: Appointment) -> Appointment:
        check(before)
        if before.status is Status.CANCELLED:
            raise AppointmentCancelledError
        after = revise(before)
        if (before.interval, before.calendar_ids) == (after.interval, after.calendar_ids):
            table.revise(before, after)
            return after
        days = table.read(after.day_keys()).days
        try:
            decide(after, days, lambda days: table.move(before, after, days))
        except ConflictError as exc:
            raise _with_alternatives(exc, after, days, table, now) from None
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
            time.sleep(random.uniform(0, 0.1))  # noqa: S311 - jitter is no secret
        if time.monotonic() > give_up_at:
            raise CalendarBusyError
    raise AppointmentNotFoundError


def _with_alternatives(
    refusal: ConflictError, wanted: Appointment, days: Days, table: SchedulerTable, now: datetime
) -> ConflictError:
    """The refusal with intervals that are free: from the days already read, else from one further read."""
    found = find_alternatives(wanted.interval, days.values(), now, ignore=wanted.appointment_id)
    if len(found) < MOST:
        around = min(LOOK_AROUND // DAY, BATCH_GET_KEYS // len(wanted.calendar_ids) // 2)
        dates = list(wanted.interval.days())
        more = {
            DayKey(calendar_id, date + side * n * DAY)
            for calendar_id in wanted.calendar_ids
            for n in range(1, around + 1)
            for date, side in ((dates[0], -1), (dates[-1], +1))
        }
        if more:
            days = days | table.read(more).days
            found = find_alternatives(wanted.interval, days.values(), now, ignore=wanted.appointment_id)
    return ConflictError(refusal.conflicts, found)
