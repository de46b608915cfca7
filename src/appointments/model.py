"""The plain core: intervals, calendar days, appointments and the overlap rule. No I/O.

All datetimes are aware and in UTC; intervals are half-open, `[start, end)`, in whole seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeGuard

from appointments.reminders import DEFAULT_REMINDERS, reminders_after_change
from appointments.statuses import ONCE_BEGUN, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from appointments.blocks import Block
    from appointments.contacts import Contact
    from appointments.quiet_hours import QuietHours
    from appointments.reminders import Reminder

DAY = timedelta(days=1)
QUARTER_HOUR = timedelta(minutes=15)
_MICROSECOND = timedelta(microseconds=1)
MAX_DURATION = timedelta(days=31)
# Days of calendars that one request may ask for.
MAX_SPAN = timedelta(days=62)
# Time that expires is respected a little longer, so that whoever confirms it in time finds it, although clocks differ.
EXPIRY_GRACE = timedelta(seconds=5)
# The most places that a calendar can have.
MAX_CAPACITY = 1000
# Who makes the changes that nobody asks for, and those of callers who are not told apart.
SYSTEM = "system"
# Who makes the changes of whoever holds the appointment's link.
LINK = "link"
# How the ids of visitors begin, who have not signed in.
GUEST = "guest-"
# A hold keeps others away, so it is short.
MAX_HOLD_MINUTES = 60


class Interval(NamedTuple):
    """`[start, end)`: one that ends at 10:00 and one that starts at 10:00 do not overlap."""

    start: datetime
    end: datetime

    def overlaps(self, other: Interval) -> bool:
        return self.start < other.end and other.start < self.end

    def covers(self, other: Interval) -> bool:
        return self.start <= other.start and other.end <= self.end

    def days(self) -> Sequence[date]:
        """The UTC days that the interval touches."""
        first, last = self.start.date(), (self.end - _MICROSECOND).date()
        return (first,) if first == last else [first + DAY * n for n in range((last - first).days + 1)]

    @lru_cache(maxsize=256)  # noqa: B019 - a booking asks four times for the same, and what is kept is small
    def quarter_hours(self, day: date) -> range:
        """The quarter hours of a UTC day (0 to 95) that the interval touches."""
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        first = max(self.start - midnight, timedelta()) // QUARTER_HOUR
        last = -((midnight - min(self.end, midnight + DAY)) // QUARTER_HOUR)
        return range(first, last)


class Conflict(NamedTuple):
    """A calendar, and an interval in which it is full."""

    calendar_id: str
    interval: Interval


class DayKey(NamedTuple):
    """What names a calendar day: one calendar on one UTC day."""

    calendar_id: str
    day: date


class OverflowKey(NamedTuple):
    """What names an overflow item: a calendar day, and the part of the day's entries that the item holds."""

    day: DayKey
    part: str


class Taken(NamedTuple):
    """Time that an appointment takes on one calendar, whole, and how many places it takes there.

    With `until`, it takes them only until that moment, unless it is confirmed before. A block takes all of them, and
    `block` is when it was placed.
    `service_id` is the service that counts it on the person's day, if one does.
    """

    interval: Interval
    places: int = 1
    until: datetime | None = None
    block: datetime | None = None
    service_id: str | None = None

    def has_run_out(self, now: datetime) -> bool:
        """Whether nobody has to respect it any more at `now`."""
        return self.until is not None and now >= self.until + EXPIRY_GRACE


@dataclass(frozen=True, slots=True, repr=False)
class CalendarDay:
    """One calendar on one UTC day, as it was read.

    `entries` maps the id of each live appointment that touches the day to what it takes on the calendar.
    `counters` maps a quarter hour (0 to 95) to how often appointments took time on it; one never touched is
    absent. Counters only rise and a removed entry returns only with a higher counter, so two equal readings of
    a day mean that it did not change between them. `expiring` are the entries of the day's own item that end by
    themselves, as they are stored. `overflow` names those of the entries that were read from overflow
    items; None where the day has no such items. `long` tells that some of these hold long entries. All entries that
    touch the quarter hours `seen` are there; None where all entries of the day are. `settings` marks those of the
    calendar that were in force when time was last taken on the day; None for the default ones.
    """

    key: DayKey
    entries: Mapping[str, tuple[Taken, ...]] = field(default_factory=dict)
    counters: Mapping[int, int] = field(default_factory=dict)
    expiring: Mapping[str, str] = field(default_factory=dict)
    overflow: AbstractSet[str] | None = None
    long: bool = False
    seen: range | None = None
    settings: str | None = None

    def run_out(self, now: datetime, ignore: str) -> list[str]:
        """The ids of the entries that nobody has to respect any more at `now`, without the appointment `ignore`."""
        return [
            id_ for id_ in self.expiring if id_ != ignore and all(one.has_run_out(now) for one in self.entries[id_])
        ]

    def shows(self, quarters: Sequence[int]) -> bool:
        """Whether all entries that touch these quarter hours, which are in order, are there."""
        return self.seen is None or not quarters or (quarters[0] in self.seen and quarters[-1] in self.seen)

    def inline(self, ignore: str | None = None) -> int:
        """How many entries the day's own item holds. The appointment `ignore` does not count."""
        elsewhere = self.overflow or ()
        return len(self.entries) - len(elsewhere) - (ignore in self.entries and ignore not in elsewhere)

    @property
    def items(self) -> int:
        """How many items, each of its own moment, the day was read from: 2 stand for any number of them."""
        return 1 if self.overflow is None else 2


class WallTimes(NamedTuple):
    """Start and end on the clock on the wall, such as `2030-01-15T09:00:00`."""

    start: str
    end: str


class Step(NamedTuple):
    """A part of an appointment, with an interval and calendars of its own beside the person's."""

    interval: Interval
    resource_ids: tuple[str, ...]


class PerPerson(NamedTuple):
    """At most how many appointments of a service a person may have on a local day, and the zone of these days."""

    most: int
    zone: str


class ServiceTerms(NamedTuple):
    """The service that an appointment was booked with, as it was then: its id, and its body as JSON.

    Around each step, its calendars are taken for the buffers as well. `per_person` limits a person's day, if it does.
    """

    service_id: str
    body: str
    buffer_before: timedelta = timedelta()
    buffer_after: timedelta = timedelta()
    per_person: PerPerson | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Appointment:
    """An interval on one or more calendars.

    `offsets` are the reminders asked for, in the caller's order; `reminders` are those of them that were
    still ahead when the appointment was booked or last moved.
    """

    appointment_id: str
    user_id: str
    interval: Interval
    created_at: datetime
    updated_at: datetime
    resource_ids: tuple[str, ...] = ()
    time_zone: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    offsets: tuple[str, ...] = DEFAULT_REMINDERS
    reminders: tuple[Reminder, ...] = ()
    status: Status = Status.SCHEDULED
    version: int = 1
    # In `time_zone`, where the start was given so: then this is what was agreed on, and the interval follows
    # from it and from the zone's rules, which governments change. None where an offset fixed the instant.
    wall: WallTimes | None = None
    # Which of several calendars it was given, where any would have done; one of `resource_ids`.
    assigned_calendar_id: str | None = None
    # Digest of the request that an idempotency key stands for; None where none was sent.
    fingerprint: str | None = None
    # How many places of capacity it takes on each of its calendars but the person's.
    places: int = 1
    # Empty where all calendars are taken for the whole interval; then `resource_ids` are those of all steps.
    steps: tuple[Step, ...] = ()
    # What it keeps, however the service changes; None where none was booked.
    service: ServiceTerms | None = None
    # When it ends by itself, if its status is one that expires.
    expires_at: datetime | None = None
    # Where no zone was sent, the zone of its first calendar that has one: people read its times in it.
    people_zone: str | None = None
    # When the person said that they will come, at the time at which it is now.
    confirmed_at: datetime | None = None
    # The overflow items that hold its entries, on the days where these are not in the day's own item.
    overflow: tuple[OverflowKey, ...] = ()
    # How many places it has for others to join, if it is a session.
    session_seats: int | None = None
    # The session that it has joined, if it has. It lies where the session lies.
    session_id: str | None = None
    # How often others took places in it, whether or not they are still there.
    joins: int = 0
    # When it ended, as long as those who joined it have still to be cancelled.
    clearing: datetime | None = None
    # Its reminders as the storage keeps them, where it was read from there: another version may write the same in
    # another way, and a write is on condition that they are as they were read.
    stored_reminders: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)
    # When its reminders are not sent, as its service or one of its calendars had it when it was booked.
    quiet: QuietHours | None = None
    # Where the person is reached about it; None leaves that to the contact that is kept for the person.
    contact: Contact | None = None
    # Who made this version: the person whose token it was, the IAM principal, or SYSTEM.
    by: str = SYSTEM

    is_block: ClassVar[bool] = False

    @property
    def calendar_ids(self) -> tuple[str, ...]:
        """Every calendar that the appointment occupies, each once: the person's, then the resources'."""
        return tuple(dict.fromkeys((self.user_id, *self.resource_ids)))

    def reminder(self, offset: str) -> Reminder | None:
        return next((reminder for reminder in self.reminders if reminder.offset == offset), None)

    def asks_for(self, reminder: Reminder) -> bool:
        """Whether the reminder is still to be sent, should nobody have sent it yet."""
        return self.status.reminds and reminder.offset in self.offsets

    def with_reminder(self, changed: Reminder) -> Appointment:
        """A copy in which `changed` stands in place of the reminder of the same offset."""
        reminders = tuple(changed if old.offset == changed.offset else old for old in self.reminders)
        return replace(self, reminders=reminders)

    @property
    def next_due_at(self) -> datetime | None:
        """When the sweep has to look at it: its earliest open reminder, its expiry, or at once to cancel who joined it.

        The sparse index sorts by it.
        """
        due = [reminder.due_at for reminder in self.reminders if reminder.is_open]
        if self.status.expires and self.expires_at:
            due.append(self.expires_at + EXPIRY_GRACE)
        if self.clearing:
            due.append(self.clearing)
        return min(due, default=None)

    def is_of(self, service_id: str | None) -> bool:
        """Whether it was booked as this service; of None, all were."""
        return service_id is None or (self.service is not None and self.service.service_id == service_id)

    def has_expired(self, now: datetime) -> bool:
        """Whether its time to be confirmed is over. From then on it can only be booked anew."""
        return self.status.expires and self.expires_at is not None and now >= self.expires_at

    def may_become(self, now: datetime) -> tuple[Status, ...]:
        """The statuses that it may be given at `now`."""
        begun = self.interval.start <= now
        return tuple(Status(name) for name in self.status.becomes if begun or name not in ONCE_BEGUN)


def with_status(before: Appointment, status: Status, now: datetime, by: str = SYSTEM) -> Appointment:
    """The appointment with another status: a version later and made by `by`, its reminders as the status has them."""
    expires_at = expiry_under(status, before)
    after = replace(before, status=status, expires_at=expires_at, version=before.version + 1, updated_at=now, by=by)
    after = with_clearing(before, after)
    return replace(after, reminders=reminders_after_change(before, after, now))


def with_clearing(before: Appointment, after: Appointment) -> Appointment:
    """A changed appointment that says whether those who joined it have to be cancelled with it."""
    ends = before.joins and before.status.occupies and not after.status.occupies
    return replace(after, clearing=after.updated_at) if ends else after


def expiry_under(status: Status, before: Appointment) -> datetime | None:
    """When the appointment expires under a status. Of one that has expired, the moment stays on record."""
    return before.expires_at if status.expires or status is Status.EXPIRED else None


def is_block(appointment: Appointment) -> TypeGuard[Block]:
    """Whether it is a block, without the import of what blocks are."""
    return appointment.is_block
