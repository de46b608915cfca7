"""The use case: send one reminder once, however often its event arrives, and remove its timer."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import sleep
from typing import TYPE_CHECKING

from appointments.firing import LEAD, Backend
from appointments.reminders import Delivery, DeliveryState, Reminder, ReminderState
from appointments.rules import remove_rule, rule_minute
from appointments.storage.dynamodb import pause
from appointments.storage.reminders import ReminderClaimLostError, ReminderMovedError
from appointments.telemetry import EventType, logger
from appointments.times import to_utc_text
from reaching.recipients import Person, Reached
from reaching.refusals import NotSentError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_events import EventBridgeClient

    from appointments.firing import Firing
    from appointments.model import Appointment
    from appointments.storage.reminders import Reminders
    from reminder_sender.channels.channel import Channel

# Longer than the function's timeout, so that a lease outlives its holder, and shorter than the minute
# after which Lambda repeats a failed event, so that the repeat finds the lease run out.
LEASE = timedelta(seconds=40)
# A rule of an older version fires in the minute in which its reminder is due, and so by up to this much too early.
EARLY = timedelta(minutes=1)
# The longest pauses, in seconds, before a message that certainly was not sent is tried again.
SEND_PAUSES = (0.1, 0.4)
# And before the record of a sent one is tried again: left unrecorded, it would be sent a second time.
RECORD_PAUSES = (0.25, 1.0, 3.0)


@dataclass(frozen=True, slots=True)
class ReminderSender:
    """Sends over collaborators that a test can bring along."""

    reminders: Reminders
    channels: Sequence[Channel]
    events: Callable[[], EventBridgeClient]
    clock: Callable[[], datetime]
    sleep: Callable[[float], None] = sleep
    # Looks the person of an appointment up, where a channel reaches people.
    people: Callable[[Appointment], Reached] = lambda _: Reached()

    def send(self, firing: Firing) -> None:
        """Send the reminder if it is still wanted and nobody has sent it; then remove its timer.

        Whatever AWS call fails raises, so that Lambda repeats the event and at last hands it to the
        dead-letter queue; every step is safe to repeat. A reminder that is due within LEAD is waited for.
        """
        self._wait_for(firing.due_at)
        if firing.due_at - self.clock() > EARLY and self._rule_waits(firing):
            firing = firing._replace(early=True)
        self._send(firing, self.reminders.appointment(firing.appointment_id), recovery=None)

    def _wait_for(self, due_at: datetime) -> None:
        ahead = due_at - self.clock()
        if timedelta() < ahead <= LEAD:
            self.sleep(ahead / timedelta(seconds=1))

    def _rule_waits(self, firing: Firing) -> bool:
        """Whether the reminder's rule has yet to fire, so that somebody invokes the sender by hand.

        After two moves at once, a rule may have had its minute although the reminder is due later.
        """
        if firing.backend is not Backend.RULES:
            return False
        minute = rule_minute(self.events(), firing.timer_name)
        return minute is not None and minute > self.clock()

    def recover(self, firing: Firing, appointment: Appointment) -> None:
        """Send a reminder whose timer failed it, by the same path; `appointment` is as just read."""
        self._send(firing, appointment, recovery="its timer did not get it sent")

    def _send(self, firing: Firing, appointment: Appointment | None, recovery: str | None) -> None:
        reason = _reason_to_skip(appointment, firing, self.clock())
        if reason or appointment is None:
            logger.info("Reminder skipped", event_type=EventType.REMINDER_SKIPPED, reason=reason)
            if reason not in _STILL_TO_COME:
                self._clean(firing)
            return
        reminder = appointment.reminder(firing.offset)
        assert reminder is not None  # noqa: S101 - _reason_to_skip has seen it
        self._wait_for(reminder.due_at)
        claimed = self._claim(firing, reminder)
        if claimed is None:
            return
        mine = claimed.reminder(firing.offset)
        assert mine is not None  # noqa: S101 - the claim's condition has seen it
        now = self.clock()
        if reason := _reason_to_stop(claimed, mine):
            self._close(claimed, mine, reason)
        elif now >= claimed.interval.start:
            self.reminders.settle(claimed, replace(mine, state=ReminderState.MISSED))
            log_missed(mine, now)
        else:
            if reminder.state is ReminderState.SENDING or mine.attempts > reminder.attempts + 1:
                # Somebody claimed it, before it was read or since, and fell silent, perhaps after publishing: the one
                # ambiguous window. It is recorded before the message goes out, so that a death later cannot hide it.
                _log_recovery("a sender did not finish it; it may arrive twice", mine)
                recovery = None
            if not self._deliver(claimed, mine, recovery):
                return
        self._clean(firing)

    def _claim(self, firing: Firing, reminder: Reminder) -> Appointment | None:
        """Take the reminder under a lease, or return None where another sender holds it."""
        now = self.clock()
        try:
            return self.reminders.claim(firing.appointment_id, reminder, claim=str(uuid.uuid4()), lease=LEASE, now=now)
        except ReminderClaimLostError:
            # Whoever holds it removes the rule when done; should it die, its own event is repeated.
            logger.info("Reminder skipped", event_type=EventType.REMINDER_SKIPPED, reason="claimed by another")
            return None

    def _deliver(self, claimed: Appointment, mine: Reminder, recovery: str | None) -> bool:
        """Send on every channel to everyone who has not got it, and record each delivery as it is made.

        Returns False where the appointment was moved, or the reminder taken over, meanwhile: then the reminder of
        that name is another one, and so is its timer. A channel that fails keeps no other from sending, and is raised
        at the end. What a record tells to be given up is sent to nobody else.
        """
        person = Person(self.people)
        wanted, failures = self._wanted(claimed, person)
        outstanding = [which for which in wanted if not mine.is_settled(which[0].name, which[1])]
        if not outstanding and not failures:
            self._close(claimed, mine, "nobody to send it to")
        # The reminder itself is the record of a single delivery. Version 0.1 cannot change one that has others.
        several = len(wanted) > 1 or bool(mine.deliveries) or bool(failures)
        for channel, recipient in outstanding:
            if mine.lease_until is None or self.clock() >= mine.lease_until:
                raise ReminderClaimLostError("the lease ran out before everything was sent")
            made, error = self._send_on(channel, claimed, mine, (recipient, person))
            if several or made.state is DeliveryState.REFUSED:
                mine = mine.with_delivery(made)
            if error:
                failures.append(error)
                continue
            mine = _advanced(mine, made, last=(channel, recipient) == outstanding[-1] and not failures)
            recorded = self._record(claimed, mine, made, recovery)
            if recorded is None:
                return False
            claimed, recovery = recorded, None if made.state is DeliveryState.SENT else recovery
            mine = recorded.reminder(mine.offset) or mine  # with what other versions have stored with it since
            if mine.state is ReminderState.SENDING and (reason := _reason_to_stop(claimed, mine)):
                self._close(claimed, mine, reason)
                return True
        if failures:
            self._give_back(claimed, mine, failures)
        return True

    def _wanted(self, claimed: Appointment, person: Person) -> tuple[list[tuple[Channel, str]], list[Exception]]:
        """Each channel with each of its recipients, and what failed where a channel cannot tell them for now."""
        wanted: list[tuple[Channel, str]] = []
        failures: list[Exception] = []
        for channel in self.channels:
            try:
                wanted += [(channel, recipient) for recipient in channel.recipients(claimed, person)]
            except NotSentError as exc:
                failures += [exc] if exc not in failures else []
        return wanted, failures

    def _send_on(
        self, channel: Channel, claimed: Appointment, mine: Reminder, whom: tuple[str, Person]
    ) -> tuple[Delivery, Exception | None]:
        """Send one message. Returns the record of that, and what failed, so that it has to be tried again."""
        recipient = whom[0]
        for seconds in (*SEND_PAUSES, None):
            try:
                message_id = channel.send(claimed, mine, *whom)
            except RefusedError as exc:
                return Delivery(channel.name, recipient, DeliveryState.REFUSED, self.clock(), reason=str(exc)), None
            except NotSentError as exc:
                if seconds is None:
                    return Delivery(channel.name, recipient, DeliveryState.FAILED, self.clock(), reason=str(exc)), exc
                pause(seconds)
            except Exception as exc:  # noqa: BLE001 - raised when the other channels have sent
                reason = type(exc).__name__
                return Delivery(channel.name, recipient, DeliveryState.UNKNOWN, self.clock(), reason=reason), exc
            else:
                return Delivery(channel.name, recipient, DeliveryState.SENT, self.clock(), message_id=message_id), None
        raise AssertionError("unreachable")

    def _record(self, claimed: Appointment, mine: Reminder, made: Delivery, recovery: str | None) -> Appointment | None:
        """Write what was made, and log it. None where the appointment was moved, or the reminder taken over."""
        recorded, beside = None, False
        try:
            recorded = self.reminders.settle(claimed, mine, pauses=RECORD_PAUSES)
        except ReminderMovedError:
            beside = True
        except ReminderClaimLostError:
            pass
        if made.state is DeliveryState.REFUSED:
            log_refused(made.channel, made.reason)
            if mine.state is ReminderState.SKIPPED:
                logger.info("Reminder skipped", event_type=EventType.REMINDER_SKIPPED, reason="refused everywhere")
            return recorded
        logger.info(
            "Reminder sent",
            event_type=EventType.REMINDER_SENT,
            channel=made.channel,
            message_id=made.message_id,
            due_at=to_utc_text(mine.due_at),
            lateness_ms=_milliseconds(made.at - mine.due_at),
            recorded=beside or recorded is not None,
        )
        if recovery:
            _log_recovery(recovery, mine)
        return recorded

    def _give_back(self, claimed: Appointment, mine: Reminder, failures: Sequence[Exception]) -> None:
        """Let the next attempt begin at once, unless a message may be on its way; then raise what failed."""
        if all(isinstance(failure, NotSentError) for failure in failures):
            self.reminders.settle(claimed, replace(mine, state=ReminderState.PENDING))
        if len(failures) > 1:
            raise ExceptionGroup("several channels failed", failures)
        raise failures[0]

    def _close(self, claimed: Appointment, mine: Reminder, reason: str) -> None:
        """Settle a claimed reminder of which nothing is left to send: as sent where anybody has got it."""
        sent = [delivery.at for delivery in mine.deliveries if delivery.state is DeliveryState.SENT]
        if sent:
            self.reminders.settle(claimed, replace(mine, state=ReminderState.SENT, sent_at=max(sent)))
        else:
            self.reminders.settle(claimed, replace(mine, state=ReminderState.SKIPPED))
            logger.info("Reminder skipped", event_type=EventType.REMINDER_SKIPPED, reason=reason)

    def _clean(self, firing: Firing) -> None:
        if firing.backend is Backend.SCHEDULER:
            return  # a schedule deletes itself once it has fired
        if remove_rule(self.events(), firing.timer_name):
            logger.info("Rule removed", event_type=EventType.RULE_CLEANED, rule_name=firing.timer_name)


_MOVED = "moved to another time"
_TOO_EARLY = "fired at another time"
# Then the rule of that name is, or the sweep makes it, the one for the time at which the reminder is due.
_STILL_TO_COME = (_MOVED, _TOO_EARLY)


def _reason_to_skip(appointment: Appointment | None, firing: Firing, now: datetime) -> str | None:
    """Why a firing must send nothing, or None where it must.

    Two moves at once may leave a rule with the minute of one and the input of the other. So the stored reminder says
    whether it is due, and not the event.
    """
    reminder = appointment.reminder(firing.offset) if appointment else None
    if appointment is None or reminder is None:
        return "no longer asked for" if appointment else "no such appointment"
    if not appointment.status.reminds:
        return str(appointment.status)
    ahead = reminder.due_at - now
    if reminder.due_at != firing.due_at and ahead > LEAD:
        return _MOVED
    if not reminder.is_open:
        return f"already {reminder.state}"
    if ahead > EARLY and not firing.early:
        return _TOO_EARLY
    # It was in a sender's hands when it was given up; should that one have died, the sweep closes it.
    return _reason_to_stop(appointment, reminder)


def _reason_to_stop(appointment: Appointment, reminder: Reminder) -> str | None:
    """Why nothing more of a reminder must be sent, or None where it must."""
    if not appointment.status.reminds:
        return str(appointment.status)
    return None if appointment.asks_for(reminder) else "no longer asked for"


def _advanced(mine: Reminder, made: Delivery, *, last: bool) -> Reminder:
    """A reminder after a delivery. After the last one it is sent, if anybody has got it."""
    mine = replace(mine, message_id=mine.message_id or made.message_id)
    if not last:
        return mine
    sent = [delivery.at for delivery in (*mine.deliveries, made) if delivery.state is DeliveryState.SENT]
    if sent:
        return replace(mine, state=ReminderState.SENT, sent_at=max(sent))
    return replace(mine, state=ReminderState.SKIPPED)


def log_refused(channel: str, reason: str | None) -> None:
    """Say that a message is never sent. The reason names no address."""
    logger.warning("Message refused", event_type=EventType.MESSAGE_REFUSED, channel=channel, reason=reason)


def log_missed(reminder: Reminder, now: datetime) -> None:
    """Say that an appointment began before its reminder was sent."""
    logger.warning(
        "Reminder missed: the appointment has begun",
        event_type=EventType.REMINDER_MISSED,
        lateness_ms=_milliseconds(now - reminder.due_at),
    )


def _log_recovery(reason: str, reminder: Reminder) -> None:
    logger.warning(
        "Reminder recovered", event_type=EventType.REMINDER_RECOVERED, reason=reason, attempts=reminder.attempts
    )


def _milliseconds(span: timedelta) -> int:
    return round(span / timedelta(milliseconds=1))
