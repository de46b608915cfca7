"""The use case: every few minutes, do what no timer did.

Timers are EventBridge's, which may refuse, lose or delay them; the due index is ours. The sweep sends what is
overdue in it, gives timers to those due soon that have none, makes holds and requests `expired` whose time is over,
cancels who joined a session that was cancelled, removes rules whose minute has passed, counts the requests that
nobody has answered for long, and goes on forgetting persons. Every step is safe to repeat
and to break off: what one sweep leaves, the next one finds.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from appointments.errors import ProductError
from appointments.firing import Backend, Firing, firing_minute, timer_name
from appointments.model import EXPIRY_GRACE, Appointment, with_status
from appointments.reminders import Reminder, ReminderState
from appointments.statuses import Status
from appointments.storage import desk
from appointments.storage.appointment_items import REMINDER_SHARDS
from appointments.storage.appointments import AppointmentChangedError
from appointments.storage.lists import END_OF_TIME
from appointments.storage.reminders import ReminderClaimLostError
from appointments.telemetry import EventType, log_arming, logger
from reminder_sender.sender import log_missed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from appointments.storage.reminders import Reminders
    from appointments.storage.store import Storage
    from appointments.timers import ReminderTimers
    from reminder_sender.sender import ReminderSender

# A timer fires within the minute, and its sender needs a moment; before this the sweep keeps out of the way.
GRACE = timedelta(minutes=2)
# By then the next sweep has come this far, unless there is much to do.
NEXT_SWEEP = timedelta(minutes=7)
# Two sweeps see each reminder before it is due.
ARM_AHEAD = timedelta(minutes=10)
# A rule that is late by more than this will not fire any more.
DEAD_AFTER = timedelta(minutes=5)
# A request that nobody has answered for so long is told of.
WAITS_LONG = timedelta(hours=24)
MOST_WAITING = 100
# Seconds left of the function's time at which to stop sending, and to stop altogether. The first leaves room
# for the rules; both leave room for what is under way, whose calls take 3 s and are tried 3 times.
STOP_SENDING = 60.0
STOP = 30.0


class SweepIncompleteError(ProductError):
    """Something failed; each failure is logged, and this makes the invocation fail where alarms see it."""


class Due(NamedTuple):
    """An open reminder of an appointment, as it was read."""

    appointment: Appointment
    reminder: Reminder

    @property
    def timer_name(self) -> str:
        return timer_name(self.appointment.appointment_id, self.reminder.offset)


@dataclass(slots=True)
class Tally:
    """What a sweep did. Threads add to it: `append` is atomic."""

    overdue: list[str] = field(default_factory=list)
    soon: list[Due] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    # On the bus, dead ones included; None where it could not be listed.
    rules: int | None = None
    # Requests to come that wait for long, None where they could not be counted.
    waiting: int | None = None


@dataclass(frozen=True, slots=True)
class Sweep:
    """Sweeps over collaborators that a test can bring along; `workers` shards are worked on at once."""

    reminders: Reminders
    sender: ReminderSender
    timers: ReminderTimers
    clock: Callable[[], datetime]
    storage: Callable[[], Storage]
    workers: int = REMINDER_SHARDS

    def run(self, seconds_left: Callable[[], float]) -> None:
        """One sweep. Raises SweepIncompleteError at its end where anything failed."""
        now = self.clock()
        tally = Tally()
        # A thread per shard: a shard full of failures holds up no other.
        with ThreadPoolExecutor(self.workers) as pool:
            list(pool.map(lambda shard: self._sweep_shard(shard, now, tally, seconds_left), range(REMINDER_SHARDS)))
        try:
            self._tend_rules(now, tally, seconds_left)
        except Exception:  # noqa: BLE001 - reported at the end
            _fail(tally, "rules")
        try:
            tally.waiting = self._waiting(now)
        except Exception:  # noqa: BLE001 - as above
            _fail(tally, "requests")
        try:
            self._forget(now, tally, seconds_left)
        except Exception:  # noqa: BLE001 - as above
            _fail(tally, "people")
        logger.info(
            "Sweep done",
            overdue=len(tally.overdue),
            due_soon=len(tally.soon),
            failed=len(tally.failed),
            unfinished=len(tally.unfinished),
            rules=tally.rules,
            requests_waiting=tally.waiting,
        )
        if tally.failed:
            raise SweepIncompleteError(f"{len(tally.failed)} failures")

    def _sweep_shard(self, shard: int, now: datetime, tally: Tally, seconds_left: Callable[[], float]) -> None:
        """Work through one partition of the due index, the longest overdue first."""
        try:
            for appointment_id in self.reminders.due(shard, now + ARM_AHEAD):
                if seconds_left() < STOP_SENDING:
                    tally.unfinished.append(f"shard {shard}")
                    return
                logger.thread_safe_append_keys(appointment_id=appointment_id)
                try:
                    self._sweep_appointment(appointment_id, now, tally)
                except Exception:  # noqa: BLE001 - one that fails must not keep the others waiting
                    _fail(tally, appointment_id)
                finally:
                    logger.thread_safe_clear_keys()
        except Exception:  # noqa: BLE001 - nor must a shard that cannot be read
            _fail(tally, f"shard {shard}")

    def _sweep_appointment(self, appointment_id: str, now: datetime, tally: Tally) -> None:
        appointment = self.reminders.appointment(appointment_id)
        if appointment is None or not appointment.status.is_known:
            return  # gone since the index was written, or another version's to do
        self._end(appointment, now)
        errors: list[Exception] = []
        for reminder in appointment.reminders:
            if not reminder.is_open or _is_held(reminder, self.clock()):
                continue
            logger.thread_safe_append_keys(reminder=reminder.offset)
            try:
                if not appointment.asks_for(reminder):
                    self._close(appointment, reminder, now)
                elif reminder.due_at <= now - _grace(appointment, now):
                    tally.overdue.append(appointment_id)
                    self.sender.recover(
                        Firing(appointment_id, reminder.offset, reminder.due_at, self.timers.backend), appointment
                    )
                elif now < reminder.due_at <= now + ARM_AHEAD:
                    tally.soon.append(Due(appointment, reminder))
            except Exception as exc:  # noqa: BLE001 - the appointment's other reminder may be fine
                errors.append(exc)
        if errors:
            raise ExceptionGroup("reminders failed", errors)

    def _end(self, appointment: Appointment, now: datetime) -> None:
        """Do what is left to do about an appointment that has ended."""
        if appointment.has_expired(now - EXPIRY_GRACE):
            self._expire(appointment, now)
        if appointment.clearing:
            self._clear(appointment)

    def _expire(self, appointment: Appointment, now: datetime) -> None:
        """Say of a hold or a request that it has expired. Its time was free before: nothing rests on this."""
        try:
            self.reminders.change(appointment, with_status(appointment, Status.EXPIRED, now))
        except AppointmentChangedError:
            return  # it was confirmed or cancelled meanwhile
        logger.info("Appointment expired", event_type=EventType.APPOINTMENT_EXPIRED)

    def _clear(self, session: Appointment) -> None:
        """Cancel who joined a session that was cancelled, where that was not done at once."""
        from appointments.clearing import clear  # noqa: PLC0415 - few sweeps find one

        def cancelled(_: Appointment, after: Appointment) -> None:
            keys = {"appointment_id": after.appointment_id, "user_id": after.user_id, "session_id": after.session_id}
            logger.info("Cancelled with its session", event_type=EventType.APPOINTMENT_CANCELLED, extra=keys)

        clear(session, self.storage(), cancelled)

    def _close(self, appointment: Appointment, reminder: Reminder, now: datetime) -> None:
        # Its status stopped it only after the beginning: until then it was to be sent, and nobody did.
        missed = not appointment.status.reminds and appointment.interval.start <= appointment.updated_at
        try:
            self.reminders.close(appointment, reminder, ReminderState.MISSED if missed else ReminderState.SKIPPED)
        except ReminderClaimLostError:
            return  # its sender came back to life
        if missed:
            log_missed(reminder, now)
            return
        reason = "no longer asked for" if appointment.status.reminds else str(appointment.status)
        logger.info("Reminder skipped", event_type=EventType.REMINDER_SKIPPED, reason=reason)

    def _tend_rules(self, now: datetime, tally: Tally, seconds_left: Callable[[], float]) -> None:
        """Give timers to those due soon that have none, and remove rules that will never fire again.

        The bus is listed as a whole, at most three calls each for names and aims of its 300 rules, rather than asked
        once per reminder: dead rules can be found in no other way.
        """
        rules = self.timers.rules()
        minutes = rules.minutes()
        tally.rules = len(minutes)
        aimed = rules.aimed() if tally.soon else set()
        unarmed = [
            due
            for due in tally.soon
            if due.timer_name not in aimed or not _fires_in_time(minutes.get(due.timer_name), due.reminder)
        ]
        if unarmed:
            self.timers.schedules()  # clients are made on one thread, not on many at once
            # EventBridge takes some 50 management calls a second, and one thread stays below that.
            # EventBridge Scheduler takes more.
            workers = self.workers if self.timers.backend is Backend.SCHEDULER else 1
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(lambda due: self._arm(due, tally, seconds_left, self._keeper(minutes, due)), unarmed))
        for name, minute in minutes.items():
            if seconds_left() < STOP:
                tally.unfinished.append("dead rules")
                return
            if minute + DEAD_AFTER < now:
                try:
                    self._remove_dead(name, minute)
                except Exception:  # noqa: BLE001 - reported at the end; the other rules may go
                    _fail(tally, name)

    def _forget(self, now: datetime, tally: Tally, seconds_left: Callable[[], float]) -> None:
        """Go on forgetting persons, and see of each once more what was booked just before."""
        from appointments.storage.people import PeopleItems  # noqa: PLC0415 - a sweep comes alone

        storage = self.storage()
        people = PeopleItems(storage.database, storage.days.table)
        for forgetting in people.every():
            from appointments.forgetting import INDEX_FOLLOWS_WITHIN, forget  # noqa: PLC0415 - few sweeps find one

            try:
                done = forget(forgetting, storage, now, lambda _: seconds_left() < STOP_SENDING)
                if not done.complete:
                    tally.unfinished.append(forgetting.user_id)
                elif forgetting.started_at <= now - INDEX_FOLLOWS_WITHIN:
                    people.end(forgetting)
                    logger.info("Person forgotten", user_id=forgetting.user_id, changed=done.appointments)
            except Exception:  # noqa: BLE001 - one that fails must not keep the others waiting
                _fail(tally, forgetting.user_id)

    def _waiting(self, now: datetime) -> int:
        """How many of the requests that begin next have waited for long; MOST_WAITING are looked at."""
        asked = desk.DeskQuery(None, now, END_OF_TIME, Status.REQUESTED, MOST_WAITING)
        found = desk.page(self.storage().appointments, asked).entries
        return sum(request.created_at <= now - WAITS_LONG for _, request in found)

    def _keeper(self, minutes: Mapping[str, datetime], due: Due) -> ReminderTimers:
        """What a timer is made by: not by a rule whose own minute has passed, as its event may still be on its way.

        Two moves at once may have left it with the input of this reminder. While the same rule waited again, a late
        event would be taken for one that is sent by hand, and the message would go out too early.
        """
        minute = minutes.get(due.timer_name)
        fired = minute is not None and minute <= self.clock()
        return replace(self.timers, backend=Backend.SCHEDULER) if fired else self.timers

    def _arm(self, due: Due, tally: Tally, seconds_left: Callable[[], float], timers: ReminderTimers) -> None:
        if seconds_left() < STOP:
            tally.unfinished.append(due.timer_name)
            return
        try:
            if _fires_in_time(self.timers.schedules().minute(due.timer_name), due.reminder):
                return
        except Exception:  # noqa: BLE001 - reported at the end; arming twice does no harm, so it is armed all the same
            _fail(tally, due.timer_name)
        try:
            if not self._is_still(due):
                return  # whoever changed it has made or removed its timer, which an old time must not replace
        except Exception:  # noqa: BLE001 - reported at the end
            _fail(tally, due.timer_name)
            return
        # By now, and not as the sweep began: a rule for a minute that has begun would never fire.
        for outcome in timers.arm(due.appointment, self.clock(), reminders=[due.reminder], deadline=STOP):
            if outcome.error:
                # No timer, but not lost: the sweep after its due time sends it.
                tally.failed.append(due.timer_name)
            log_arming(outcome, timers.backend, appointment_id=due.appointment.appointment_id)

    def _is_still(self, due: Due) -> bool:
        """Whether the reminder is still wanted, and due when it was as the sweep read it."""
        now = self.reminders.appointment(due.appointment.appointment_id)
        reminder = now.reminder(due.reminder.offset) if now else None
        if now is None or reminder is None or not now.asks_for(reminder):
            return False
        return (reminder.due_at, reminder.state) == (due.reminder.due_at, due.reminder.state)

    def _remove_dead(self, name: str, dead: datetime) -> None:
        """Remove a rule whose minute has passed, unless it was armed anew since it was listed."""
        rules = self.timers.rules()
        if rules.minute(name) == dead and rules.remove(name):
            logger.info("Rule removed", event_type=EventType.RULE_CLEANED, rule_name=name)


def _grace(appointment: Appointment, now: datetime) -> timedelta:
    """How long a reminder is left to its timer: not at all where the next sweep may come after the start."""
    return GRACE if appointment.interval.start > now + NEXT_SWEEP else timedelta()


def _fires_in_time(minute: datetime | None, reminder: Reminder) -> bool:
    """Whether a timer for that minute is one for this reminder as it is due now."""
    return minute == firing_minute(reminder)


def _is_held(reminder: Reminder, now: datetime) -> bool:
    """Whether a sender has the reminder in hands at this moment."""
    lease = reminder.lease_until
    return reminder.state is ReminderState.SENDING and lease is not None and now < lease


def _fail(tally: Tally, what: str) -> None:
    tally.failed.append(what)
    logger.exception("Sweep met a failure", event_type=EventType.REMINDER_ERROR, failed=what)
