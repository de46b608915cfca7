"""The reminders of an appointment: what each is, which are ahead, and what a change makes of them. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.times import find_zone, parse_offset

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from appointments.model import Appointment
    from appointments.quiet_hours import QuietHours

DEFAULT_REMINDERS = ("24h", "1h")
# An item has 400 KB at most, and each change may leave five more behind.
MAX_REMINDERS_ON_RECORD = 50
# How long after it was due a reminder may still be taken for one that is ahead: by a request that began before, or a
# clock that is slow.
TAKEN_FOR_AHEAD = timedelta(minutes=1)
# Each took a sender, and seldom are there two within a minute.
MAX_EARLIER = 5


class ReminderState(StrEnum):
    """Where a reminder stands. `sending` is claimed by a sender under a lease; the last three are final."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    SKIPPED = "skipped"
    MISSED = "missed"


class DeliveryState(StrEnum):
    """Whether a message went out: yes, never will, certainly not, or nobody can know. The last two are tried again."""

    SENT = "sent"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Delivery(NamedTuple):
    """The record of a reminder on one channel, for one recipient."""

    channel: str
    recipient: str
    state: DeliveryState
    at: datetime
    attempts: int = 1
    message_id: str | None = None
    reason: str | None = None
    unknown: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, repr=False)
class Reminder:
    """One message, due a fixed span before the start.

    `offset` is that span as the caller wrote it, such as `24h`; it is unique within an appointment. `unknown` are
    attributes that another version stored with it: this version does not read them, and keeps them in every write.
    `earlier` are those of the same offset that a sender had claimed when the appointment was moved away from them,
    the latest first. They are sent no more, unless it is moved back.
    """

    offset: str
    due_at: datetime
    state: ReminderState = ReminderState.PENDING
    attempts: int = 0
    claim: str | None = None
    lease_until: datetime | None = None
    sent_at: datetime | None = None
    message_id: str | None = None
    deliveries: tuple[Delivery, ...] = ()
    unknown: Mapping[str, Any] = field(default_factory=dict)
    earlier: tuple[Reminder, ...] = ()

    def delivery(self, channel: str, recipient: str) -> Delivery | None:
        return next((d for d in self.deliveries if (d.channel, d.recipient) == (channel, recipient)), None)

    def is_settled(self, channel: str, recipient: str) -> bool:
        """Whether nothing more is to be sent to a recipient on a channel."""
        made = self.delivery(channel, recipient)
        return made is not None and made.state in (DeliveryState.SENT, DeliveryState.REFUSED)

    def with_delivery(self, made: Delivery) -> Reminder:
        """A copy with `made` as the record of its channel and recipient, one attempt later than the last record."""
        before = self.delivery(made.channel, made.recipient)
        if before:
            made = made._replace(attempts=before.attempts + 1, unknown=before.unknown)
        return replace(self, deliveries=(*(d for d in self.deliveries if d is not before), made))

    def with_rest_of(self, other: Reminder) -> Reminder:
        """A copy with the earlier ones of `other`, and with what another version stored with it and its deliveries."""
        theirs = {(d.channel, d.recipient): d.unknown for d in other.deliveries}
        deliveries = (d._replace(unknown=theirs.get((d.channel, d.recipient), d.unknown)) for d in self.deliveries)
        return replace(self, unknown=other.unknown, earlier=other.earlier, deliveries=tuple(deliveries))

    def with_earlier(self, settled: Reminder) -> Reminder:
        """A copy in which `settled` stands in place of the earlier one of the same claim."""
        alone = replace(settled, unknown={}, earlier=())
        return replace(self, earlier=tuple(alone if one.claim == alone.claim else one for one in self.earlier))

    def keeps(self, claim: str | None) -> bool:
        """Whether the reminder of this claim is one of the earlier ones."""
        return any(one.claim == claim for one in self.earlier)

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to do something about it."""
        return self.state in (ReminderState.PENDING, ReminderState.SENDING)


def reminders_ahead(
    start: datetime,
    offsets: Iterable[str],
    now: datetime,
    time_zone: str | None = None,
    quiet: QuietHours | None = None,
) -> tuple[Reminder, ...]:
    """The reminders of an appointment that starts at `start`, the earliest first, none of them due in quiet hours.

    Those already due are left out: booked 30 minutes ahead, there is nothing to say a day before.
    """
    reminders = (Reminder(offset, due_at(start, offset, time_zone, quiet)) for offset in offsets)
    return tuple(sorted((r for r in reminders if r.due_at > now), key=lambda r: r.due_at))


def reminders_after_change(before: Appointment, after: Appointment, now: datetime) -> tuple[Reminder, ...]:
    """The reminders of an appointment that is moved, asked for other offsets, or given another status.

    If its status does not remind, those still to come are given up. If it has begun, they stay open: nobody sends them
    any more, and the sweep finds that they were missed. Otherwise, one that is still asked for and due when
    it was keeps its state, also where it is overdue. One that is due at another time, or was given up before, starts
    anew; if a sender had claimed it, it is kept as an earlier one, so that a move back finds it. One that falls away
    stays on record: as it ended, or `skipped` where it was still to come. Beyond MAX_REMINDERS_ON_RECORD, the skipped
    ones that were due first are forgotten before any other.
    """
    if not after.status.reminds:
        if before.interval.start <= now:
            return before.reminders
        return tuple(_given_up(reminder) for reminder in before.reminders)
    start, time_zone = after.interval.start, after.time_zone
    asked = {offset: due_at(start, offset, time_zone, after.quiet) for offset in after.offsets}
    reminders = {one.offset: one for one in reminders_ahead(start, asked, now, time_zone, after.quiet)}
    for old in before.reminders:
        there = [one for one in (old, *old.earlier) if one.state is not ReminderState.SKIPPED]
        same = next((one for one in there if asked.get(old.offset) == one.due_at), None)
        if same is old:
            reminders[old.offset] = old
        elif new := same or reminders.get(old.offset):
            reminders[old.offset] = replace(new, unknown=old.unknown, earlier=_earlier(there, new, now))
        else:
            reminders[old.offset] = _given_up(old)
    over = len(reminders) - MAX_REMINDERS_ON_RECORD
    if over > 0:
        history = [reminder for reminder in reminders.values() if not reminder.is_open and reminder.offset not in asked]
        history.sort(key=lambda reminder: (reminder.state is not ReminderState.SKIPPED, reminder.due_at))
        for forgotten in history[:over]:
            del reminders[forgotten.offset]
    return tuple(sorted(reminders.values(), key=lambda reminder: reminder.due_at))


def due_at(start: datetime, offset: str, time_zone: str | None, quiet: QuietHours | None = None) -> datetime:
    """When a reminder is due. Days are counted in the appointment's zone; in UTC without one, or where it is lost."""
    due = parse_offset(offset).before(start, find_zone(time_zone))
    return quiet.outside(due, start) if quiet else due


def _earlier(there: Iterable[Reminder], new: Reminder, now: datetime) -> tuple[Reminder, ...]:
    """Those of `there` that a sender has claimed and that could otherwise start anew by a move back."""
    claimed = (one for one in there if one.attempts and one.due_at != new.due_at)
    kept = [replace(one, unknown={}, earlier=()) for one in claimed if one.due_at > now - TAKEN_FOR_AHEAD]
    return tuple(kept[:MAX_EARLIER])


def _given_up(reminder: Reminder) -> Reminder:
    """A reminder that nobody wants any more; one that is being sent at this moment is not called back."""
    return replace(reminder, state=ReminderState.SKIPPED) if reminder.state is ReminderState.PENDING else reminder
