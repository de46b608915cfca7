"""The use case: book an appointment, or say exactly why not.

The decision rests on calendar days, not on an index: read the days that the interval touches, strongly
consistent; look for conflicts in memory, exact to the second; write everything in one transaction that
holds only while the quarter hours of this interval are as they were read. Whoever loses a race gets the
newer days back from the failed transaction and decides again on those.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from appointments.errors import CalendarBusyError, ConflictError
from appointments.model import find_conflicts
from appointments.table import DaysChangedError, TransactionContentionError

if TYPE_CHECKING:
    from appointments.model import Appointment
    from appointments.table import SchedulerTable

# A person is waiting: after this many seconds the answer is "try again", with nothing written.
DECIDE_WITHIN = 5.0


def book(appointment: Appointment, table: SchedulerTable) -> None:
    """Write `appointment` if it fits on all of its calendars.

    Raises ConflictError where it does not, and CalendarBusyError where that could not be found out
    in time because too many others were booking the very same quarter hours.
    """
    give_up_at = time.monotonic() + DECIDE_WITHIN
    days = table.read_days(appointment.day_keys())
    attempt = 0
    while time.monotonic() < give_up_at:
        conflicts = find_conflicts(appointment.interval, days.values())
        if conflicts:
            raise ConflictError(conflicts)
        try:
            return table.book(appointment, days)
        except DaysChangedError as exc:
            days |= exc.days
        except TransactionContentionError:
            attempt += 1
            time.sleep(random.uniform(0, min(0.02 * 2**attempt, 0.5)))  # full jitter  # noqa: S311 - no secret
    raise CalendarBusyError
