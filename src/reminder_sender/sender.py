"""The use case: send one reminder once, however often its event arrives, and remove its timer."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from time import sleep
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError

from appointments.firing import LEAD, Backend
from appointments.model import Appointment, Reminder, ReminderState
from appointments.rules import remove_rule
from appointments.statuses import Status
from appointments.storage.dynamodb import ContentionError, pause
from appointments.storage.reminders import ReminderClaimLostError
from appointments.telemetry import EventType, logger
from appointments.times import to_utc_text
from reminder_sender import message

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sns import SNSClient

    from appointments.firing import Firing
    from appointments.storage.store import Storage

# Longer than the function's timeout, so that a lease outlives its holder, and shorter than the minute
# after which Lambda repeats a failed event, so that the repeat finds the lease run out.
LEASE = timedelta(seconds=40)
# The longest pauses, in seconds, before a publish that failed for certain is tried again.
PUBLISH_PAUSES = (0.1, 0.4)
# And before the record of a sent one is tried again: left unrecorded, it would be sent a second time.
RECORD_PAUSES = (0.25, 1.0, 3.0)
# After these nothing went out: SNS answered so, or was never reached. After any other failure nobody can know.
NOT_PUBLISHED = (ClientError, ConnectTimeoutError, EndpointConnectionError)


@dataclass(frozen=True, slots=True)
class ReminderSender:
    """Sends over collaborators that a test can bring along.

    `sns` must not repeat calls by itself: one that got no answer may have published, and its repetition would
    be a second message that nobody knows of.
    """

    storage: Storage
    sns: SNSClient
    events: Callable[[], EventBridgeClient]
    topic_arn: str
    clock: Callable[[], datetime]
    sleep: Callable[[float], None] = sleep

    def send(self, firing: Firing) -> None:
        """Send the reminder if it is still wanted and nobody has sent it; then remove its timer.

        Whatever AWS call fails raises, so that Lambda repeats the event and at last hands it to the
        dead-letter queue; every step is safe to repeat. A reminder that is due within LEAD is waited for.
        """
        ahead = firing.due_at - self.clock()
        if timedelta() < ahead <= LEAD:
            self.sleep(ahead / timedelta(seconds=1))
        self._send(firing, self.storage.appointments.get(firing.appointment_id), recovery=None)

    def recover(self, firing: Firing, appointment: Appointment) -> None:
        """Send a reminder whose timer failed it, by the same path; `appointment` is as just read."""
        self._send(firing, appointment, recovery="its timer did not get it sent")

    def _send(self, firing: Firing, appointment: Appointment | None, recovery: str | None) -> None:
        reason = _reason_to_skip(appointment, firing)
        if reason or appointment is None:
            logger.info("Reminder skipped", event_type=EventType.REMINDER_SKIPPED, reason=reason)
            if reason != _MOVED:  # a moved reminder's rule bears the same name and is armed for the new time
                self._clean(firing)
            return
        reminder = appointment.reminder(firing.offset)
        assert reminder is not None  # noqa: S101 - _reason_to_skip has seen it
        held = self._claim(firing, reminder)
        if held is None:
            return
        mine = held.reminder(firing.offset)
        assert mine is not None  # noqa: S101 - the claim's condition has seen it
        now = self.clock()
        if mine.lease_until is None or now >= mine.lease_until:
            raise ReminderClaimLostError("the lease ran out before anything was sent")
        if now >= held.interval.start:
            self.storage.reminders.settle(held, replace(mine, state=ReminderState.MISSED))
            logger.warning(
                "Reminder missed: the appointment has begun",
                event_type=EventType.REMINDER_MISSED,
                lateness_ms=_milliseconds(now - mine.due_at),
            )
        else:
            if reminder.state is ReminderState.SENDING:
                # Somebody claimed it and fell silent, perhaps after publishing: the one ambiguous window. It is
                # recorded before the message goes out, so that a death after that cannot hide it.
                _log_recovery("a sender did not finish it; it may arrive twice", mine)
                recovery = None
            if not self._publish(held, mine, recovery):
                return
        self._clean(firing)

    def _claim(self, firing: Firing, reminder: Reminder) -> Appointment | None:
        """Take the reminder under a lease, or return None where another sender holds it."""
        now = self.clock()
        try:
            return self.storage.reminders.claim(
                firing.appointment_id, reminder, claim=str(uuid.uuid4()), lease=LEASE, now=now
            )
        except ReminderClaimLostError:
            # Whoever holds it removes the rule when done; should it die, its own event is repeated.
            logger.info("Reminder skipped", event_type=EventType.REMINDER_SKIPPED, reason="claimed by another")
            return None

    def _publish(self, held: Appointment, mine: Reminder, recovery: str | None) -> bool:
        """Publish and record it. Returns False where the appointment was moved while the message was on its way.

        Then the reminder of that name is another one, and so is its timer.
        """
        try:
            message_id = self._to_topic(held, mine)
        except NOT_PUBLISHED:
            # The next attempt need not wait for the lease.
            self.storage.reminders.settle(held, replace(mine, state=ReminderState.PENDING))
            raise
        sent_at = self.clock()
        recorded = self._record(held, replace(mine, state=ReminderState.SENT, sent_at=sent_at, message_id=message_id))
        logger.info(
            "Reminder sent",
            event_type=EventType.REMINDER_SENT,
            message_id=message_id,
            due_at=to_utc_text(mine.due_at),
            lateness_ms=_milliseconds(sent_at - mine.due_at),
            recorded=recorded,
        )
        if recovery:
            _log_recovery(recovery, mine)
        return recorded

    def _record(self, held: Appointment, sent: Reminder) -> bool:
        """Write that it was sent. False where the appointment was moved, or the reminder taken over, meanwhile."""
        for seconds in (*RECORD_PAUSES, None):
            try:
                self.storage.reminders.settle(held, sent)
            except ReminderClaimLostError:
                return False
            except (ClientError, BotoCoreError, ContentionError):
                if seconds is None:
                    raise
                pause(seconds)
            else:
                break
        return True

    def _to_topic(self, appointment: Appointment, reminder: Reminder) -> str:
        attributes = {
            "userId": appointment.user_id,
            "appointmentId": appointment.appointment_id,
            "reminderType": reminder.offset,
        }
        publish = partial(
            self.sns.publish,
            TopicArn=self.topic_arn,
            Subject=message.subject(appointment),
            Message=message.body(appointment, reminder),
            MessageStructure="json",
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )
        for seconds in PUBLISH_PAUSES:
            try:
                return publish()["MessageId"]
            except NOT_PUBLISHED:
                pause(seconds)
        return publish()["MessageId"]

    def _clean(self, firing: Firing) -> None:
        if firing.backend is Backend.SCHEDULER:
            return  # a schedule deletes itself once it has fired
        if remove_rule(self.events(), firing.timer_name):
            logger.info("Rule removed", event_type=EventType.RULE_CLEANED, rule_name=firing.timer_name)


_MOVED = "moved to another time"


def _reason_to_skip(appointment: Appointment | None, firing: Firing) -> str | None:
    """Why a firing must send nothing, or None where it must."""
    if appointment is None:
        return "no such appointment"
    if appointment.status is Status.CANCELLED:
        return "cancelled"
    reminder = appointment.reminder(firing.offset)
    if reminder is None:
        return "no longer asked for"
    if reminder.due_at != firing.due_at:
        return _MOVED
    if not reminder.is_open:
        return f"already {reminder.state}"
    # It was in a sender's hands when it was given up; should that one have died, the sweep closes it.
    return None if appointment.asks_for(reminder) else "no longer asked for"


def _log_recovery(reason: str, reminder: Reminder) -> None:
    logger.warning(
        "Reminder recovered", event_type=EventType.REMINDER_RECOVERED, reason=reason, attempts=reminder.attempts
    )


def _milliseconds(span: timedelta) -> int:
    return round(span / timedelta(milliseconds=1))
