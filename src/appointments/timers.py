"""The timer of each reminder, made after a booking and removed after its message.

The ordinary timer is a rule on the default bus, which holds 300 of them. A reminder that finds the bus full
gets a one-time schedule of EventBridge Scheduler instead: it holds millions, and each deletes itself once it
has fired. Both bear the same name and send the same input to the same function. A reminder that is due before a new
timer would be live gets none: the function is invoked at once, with that input, and waits until it is due.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from botocore.exceptions import ClientError

from appointments.firing import DIRECT, LEAD, Backend, Firing, Timer, Way, firing_minute, timer_name
from appointments.reminders import Reminder, ReminderState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from appointments.direct import Direct
    from appointments.model import Appointment
    from appointments.rules import Rules
    from appointments.schedules import Schedules

# How long a bus that was found full is taken to be full: rules go one by one, and asking costs a call.
FULL_FOR = timedelta(minutes=5)
# Timers that are made or removed side by side, over all appointments: the sweep works on several.
WORKERS = 16


class Outcome(NamedTuple):
    """What became of one reminder's timer: `error` is None where it was made, or removed, as asked."""

    reminder: Reminder
    timer_name: str
    backend: Way
    error: BaseException | None
    # Whether there was anything to remove; of no meaning for a timer that was made.
    found: bool = True


class Job(NamedTuple):
    """A call for one reminder's timer."""

    reminder: Reminder
    way: Way
    run: Callable[[], object]


class Keeper(Protocol):
    """What keeps the time of a reminder."""

    def put(self, timer: Timer) -> object:
        """Make the timer, or change the one of the same name."""


@dataclass(slots=True, eq=False, repr=False)
class ReminderTimers:
    """Makes and removes the timers of an appointment's reminders.

    `rules`, `schedules` and `direct` make their clients when first called: hardly ever is more than one needed.
    """

    rules: Callable[[], Rules]
    schedules: Callable[[], Schedules]
    direct: Callable[[], Direct]
    backend: Backend = Backend.RULES
    full_until: datetime | None = None
    # Its threads start with the first reminders and stay: a thread for each would cost more CPU than the booking.
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(WORKERS))

    def get_ready(self) -> None:
        """Make the client that the first reminder will ask for."""
        (self.rules if self.backend is Backend.RULES else self.schedules)()

    def arm(
        self,
        appointment: Appointment,
        now: datetime,
        *,
        reminders: Iterable[Reminder] | None = None,
        deadline: float = 3.0,
        correlation_id: str | None = None,
    ) -> list[Outcome]:
        """Make timers for the pending reminders, or for those given, side by side and within `deadline` seconds.

        A person is waiting for the booking, so this never raises: what failed or is not done in time is
        reported in the answer, for the log.
        """
        asked = appointment.reminders if reminders is None else reminders
        give_up_at = time.monotonic() + deadline
        if self.full_until and now >= self.full_until:
            self.full_until = None
        # A rule that is moved has its place on the bus already, full or not, and would keep it for the old time.
        full = self.full_until is not None and appointment.version == 1
        backend = Backend.SCHEDULER if full else self.backend

        def put(reminder: Reminder, way: Way) -> Job:
            keeper: Keeper = self._service(way) if isinstance(way, Backend) else self.direct()
            return Job(reminder, way, partial(keeper.put, _timer(appointment, reminder, correlation_id)))

        jobs = [
            put(reminder, DIRECT if reminder.due_at < now + LEAD else backend)
            for reminder in asked
            if reminder.state is ReminderState.PENDING
        ]
        outcomes = self._side_by_side(appointment, jobs, give_up_at)
        refused = [outcome for outcome in outcomes if _found_the_bus_full(outcome)]
        if not refused:
            return outcomes
        self.full_until = now + FULL_FOR
        armed = [outcome for outcome in outcomes if outcome not in refused]
        jobs = [put(outcome.reminder, Backend.SCHEDULER) for outcome in refused]
        return armed + self._side_by_side(appointment, jobs, give_up_at)

    def disarm(
        self, appointment: Appointment, reminders: Iterable[Reminder], *, deadline: float = 3.0
    ) -> list[Outcome]:
        """Remove the timers of reminders that are not wanted any more; as `arm`, it never raises.

        The answer tells of timers that were removed or could not be. Nothing tells which of the services keeps one.
        A rule is looked for in any case, since it would take one of the bus's places until its time comes.
        """
        give_up_at = time.monotonic() + deadline

        def removed(wanted: Iterable[Reminder], backend: Backend) -> list[Outcome]:
            name, remove = partial(timer_name, appointment.appointment_id), self._service(backend).remove
            jobs = [Job(reminder, backend, partial(remove, name(reminder.offset))) for reminder in wanted]
            return self._side_by_side(appointment, jobs, give_up_at)

        rules = removed(reminders, Backend.RULES)
        left = [rule.reminder for rule in rules if not rule.found or self.backend is Backend.SCHEDULER]
        schedules = removed(left, Backend.SCHEDULER) if left else []
        return [outcome for outcome in (*rules, *schedules) if outcome.found]

    def _service(self, backend: Backend) -> Rules | Schedules:
        return self.rules() if backend is Backend.RULES else self.schedules()

    def _side_by_side(self, appointment: Appointment, jobs: list[Job], give_up_at: float) -> list[Outcome]:
        futures = [self.pool.submit(job.run) for job in jobs]
        done, late = wait(futures, timeout=max(0.0, give_up_at - time.monotonic()))
        for future in late:
            future.cancel()
        outcomes = []
        for job, future in zip(jobs, futures, strict=True):
            name = timer_name(appointment.appointment_id, job.reminder.offset)
            outcome = Outcome(job.reminder, name, job.way, None)
            if future not in done:
                outcome = outcome._replace(error=TimeoutError("not done in time"))
            elif error := future.exception():
                outcome = outcome._replace(error=error)
            else:
                outcome = outcome._replace(found=future.result() is not False)
            outcomes.append(outcome)
        return outcomes


def _found_the_bus_full(outcome: Outcome) -> bool:
    error = outcome.error
    return isinstance(error, ClientError) and error.response["Error"]["Code"] == "LimitExceededException"


def _timer(appointment: Appointment, reminder: Reminder, correlation_id: str | None) -> Timer:
    firing = Firing(appointment.appointment_id, reminder.offset, reminder.due_at)
    return Timer(
        firing.timer_name,
        firing_minute(reminder),
        firing.event(correlation_id),
        f"Reminder {firing.offset} before appointment {firing.appointment_id}",
    )


class TimerSettings(NamedTuple):
    """What the template tells the functions that make timers."""

    backend: Backend
    sender_arn: str
    dead_letter_queue_arn: str
    schedule_group: str
    scheduler_role_arn: str


def timer_settings(env: Mapping[str, str]) -> TimerSettings:
    """Read from a function's environment. Raises KeyError or ValueError."""
    return TimerSettings(
        backend=Backend(env["REMINDER_BACKEND"]),
        sender_arn=env["REMINDER_SENDER_ARN"],
        dead_letter_queue_arn=env["REMINDER_DEAD_LETTER_QUEUE_ARN"],
        schedule_group=env["REMINDER_SCHEDULE_GROUP"],
        scheduler_role_arn=env["REMINDER_SCHEDULER_ROLE_ARN"],
    )
