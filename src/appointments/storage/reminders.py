"""Reminders in an appointment's item: which are due, and the conditional writes of those who send them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from appointments.reminders import ReminderState
from appointments.statuses import REMINDING
from appointments.storage.appointment_items import appointment_from_item, appointment_key
from appointments.storage.appointments import Appointments
from appointments.storage.dynamodb import ConditionFailedError, ContentionError, NotWrittenError, pause
from appointments.storage.reminder_items import reminder_to_item, reminders_as_read
from appointments.times import to_utc_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from appointments.model import Appointment
    from appointments.reminders import Reminder
    from appointments.storage.dynamodb import Database

DUE_INDEX = "DueRemindersIndex"
# Keys of due appointments read at a time: some 12 KB of index.
DUE_PAGE = 100


class ReminderClaimLostError(NotWrittenError):
    """The reminder is not, or no longer, in the state that the write asked for: nothing was written."""


class ReminderMovedError(ReminderClaimLostError):
    """The appointment was moved away from a claimed reminder: its record was written beside the one that now counts."""


class ReminderNotRecordedError(NotWrittenError):
    """The record of a reminder was refused although its claim is still held: nothing was written."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Reminders:
    """What is due, and who has it in hands."""

    database: Database
    table: str

    def appointment(self, appointment_id: str) -> Appointment | None:
        """The appointment with its reminders, strongly consistent."""
        item = self.database.get(self.table, appointment_key(appointment_id))
        return appointment_from_item(item) if item else None

    def change(self, before: Appointment, after: Appointment) -> None:
        """Change an appointment without its times. Raises AppointmentChangedError."""
        # The retention does not matter: only what differs is written, and its end stays.
        Appointments(self.database, self.table, timedelta()).change(before, after)

    def due(self, shard: int, until: datetime) -> Iterator[str]:
        """Ids of appointments of one shard with an open reminder due by `until`, the longest due first.

        Read from the sparse index, page by page as they are asked for: what is not due costs nothing, and an
        answer may be a moment old.
        """
        query: dict[str, Any] = {
            "TableName": self.table,
            "IndexName": DUE_INDEX,
            "KeyConditionExpression": "reminderShard = :shard AND nextReminderAt <= :until",
            "ExpressionAttributeValues": {":shard": {"N": str(shard)}, ":until": {"S": to_utc_text(until)}},
            "Limit": DUE_PAGE,
        }
        return (item["appointmentId"]["S"] for item in self.database.query(**query))

    def claim(
        self, appointment_id: str, reminder: Reminder, *, claim: str, lease: timedelta, now: datetime
    ) -> Appointment:
        """Take the reminder for one sender until `now + lease`, and return the appointment as it then is.

        Open to a reminder that is pending, or whose last claim has run out.
        Raises ReminderClaimLostError when it is cancelled, moved, done or in somebody's hands.
        """
        reminding = {f":status{number}": {"S": status.value} for number, status in enumerate(REMINDING)}
        reminds = " OR ".join(f"#status = {name}" for name in reminding)
        try:
            return self._update_reminder(
                appointment_id,
                reminder.offset,
                "SET #r.#o.#s = :sending, #r.#o.claim = :claim, #r.#o.leaseUntil = :lease, "
                "#r.#o.attempts = #r.#o.attempts + :one",
                f"({reminds}) AND #r.#o.dueAt = :due AND "
                "(#r.#o.#s = :pending OR (#r.#o.#s = :sending AND #r.#o.leaseUntil <= :now))",
                {
                    ":sending": {"S": ReminderState.SENDING},
                    ":pending": {"S": ReminderState.PENDING},
                    **reminding,
                    ":claim": {"S": claim},
                    ":due": {"S": to_utc_text(reminder.due_at)},
                    ":lease": {"S": to_utc_text(now + lease)},
                    ":now": {"S": to_utc_text(now)},
                    ":one": {"N": "1"},
                },
            )
        except _ReminderChangedError as exc:
            stored = exc.now.reminder(reminder.offset) if exc.now else None
            if exc.now and stored and stored.claim == claim and stored.state is ReminderState.SENDING:
                return exc.now  # it was written, and only the answer got lost on the way to the repetition
            raise

    def settle(self, appointment: Appointment, settled: Reminder, *, pauses: Sequence[float] = ()) -> Appointment:
        """Write what became of a claimed reminder, and return the appointment as it then is.

        `appointment` is what `claim`, or the last call of this, returned. While `settled` is `sending`, the claim is
        kept. A call that fails is repeated after a pause of up to each of `pauses`, in seconds.
        Raises ReminderClaimLostError when the claim was taken over in the meantime, ReminderMovedError when the
        appointment was moved and this was recorded for a move back, ReminderNotRecordedError where neither is so.
        """
        claimed = appointment.reminder(settled.offset)
        if claimed is None or claimed.claim is None or claimed.claim != settled.claim:
            raise ReminderClaimLostError(appointment.appointment_id)
        condition = "#r.#o.claim = :claim AND #r.#o.#s = :was"
        values = {":claim": {"S": claimed.claim}}
        for seconds in (*pauses, None):
            try:
                recorded = self._record_reminder(appointment, settled, condition, values, follow=True)
            except _ReminderChangedError as exc:
                now = exc.now.reminder(settled.offset) if exc.now else None
                if now and (now.state, now.claim) == (claimed.state, claimed.claim):
                    raise ReminderNotRecordedError(appointment.appointment_id) from exc
                raise
            except (ClientError, BotoCoreError, ContentionError):
                if seconds is None:
                    raise
                pause(seconds)
            else:
                stored = recorded.reminder(settled.offset)
                if stored is None or stored.claim != claimed.claim:
                    raise ReminderMovedError(appointment.appointment_id)
                return recorded
        raise AssertionError("unreachable")

    def close(self, appointment: Appointment, reminder: Reminder, state: ReminderState) -> None:
        """Close an open reminder that is not asked for any more, if it and the appointment are as they were read.

        A cancel or a change leaves a reminder that is being sent to its sender; this is for one whose sender died, and
        for one that nobody had sent when its appointment began and was given another status.
        Raises ReminderClaimLostError where somebody else was faster.
        """
        condition = "#version = :version AND #r.#o.#s = :was"
        values = {":version": {"N": str(appointment.version)}}
        self._record_reminder(appointment, replace(reminder, state=state), condition, values)

    def _record_reminder(
        self,
        appointment: Appointment,
        settled: Reminder,
        condition: str,
        values: Mapping[str, Any],
        *,
        follow: bool = False,
    ) -> Appointment:
        """Write a reminder's new state, and with it when the next one of the appointment is due.

        To `follow` it is to write it also where the appointment was moved away from it, and it is an earlier one.
        """
        was = appointment.reminder(settled.offset)
        assert was is not None  # noqa: S101 - callers have it from this appointment
        current = was
        while True:
            moved = follow and current.keeps(settled.claim)
            written = current.with_earlier(settled) if moved else settled
            after = appointment.with_reminder(written).next_due_at
            update = "SET #r.#o = :reminder"
            # When the next one is due follows from all reminders, so all must be as they were read.
            unchanged = "#r = :were"
            more: dict[str, Any] = {
                ":reminder": {"M": reminder_to_item(written)},
                ":were": reminders_as_read(appointment),
            }
            if not moved:
                unchanged = f"{condition} AND {unchanged}"
                more |= {":was": {"S": was.state}, **values}
            if after is None:
                update += " REMOVE nextReminderAt"
            else:
                update += ", nextReminderAt = :after"
                more[":after"] = {"S": to_utc_text(after)}
            try:
                return self._update_reminder(appointment.appointment_id, settled.offset, update, unchanged, more)
            except _ReminderChangedError as exc:
                now = exc.now.reminder(settled.offset) if exc.now else None
                if exc.now is None or now is None:
                    raise
                if _as_stored(now) == _as_stored(settled):
                    return exc.now  # it was written, and only the answer got lost
                there = (now.state, now.claim) == (was.state, was.claim) or (follow and now.keeps(settled.claim))
                if not there or reminders_as_read(exc.now) == reminders_as_read(appointment):
                    raise
                # It was moved away or back, or only other reminders changed, or what another version keeps with it.
                appointment, current = exc.now, now
                settled = settled if now.keeps(settled.claim) else settled.with_rest_of(now)

    def _update_reminder(
        self,
        appointment_id: str,
        offset: str,
        update: str,
        condition: str,
        values: Mapping[str, Any],
    ) -> Appointment:
        # DynamoDB refuses a placeholder that no expression uses.
        names = {"#r": "reminders", "#o": offset, "#s": "state", "#status": "status", "#version": "version"}
        used = {name: value for name, value in names.items() if name in f"{update} {condition}"}
        try:
            answer = self.database.update(
                TableName=self.table,
                Key=appointment_key(appointment_id),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames=used,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
            )
        except ConditionFailedError as exc:
            raise _ReminderChangedError(appointment_from_item(exc.item) if exc.item else None) from exc
        return appointment_from_item(answer["Attributes"])


def _as_stored(reminder: Reminder) -> Mapping[str, Any]:
    """What this version knows of a reminder, in the whole seconds in which it is kept."""
    return reminder_to_item(replace(reminder, unknown={}))


class _ReminderChangedError(ReminderClaimLostError):
    """Carries the appointment as it is now, or None where it is gone."""

    def __init__(self, now: Appointment | None) -> None:
        super().__init__()
        self.now = now
