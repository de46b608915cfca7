"""What a calendar allows: its settings, when it is open, when it is full, and whether an interval fits. No I/O.

One predicate decides bookings and draws free slots: `Calendar.violations` (the calendar's own rules) and
`Calendar.conflicts` (what already lies on it). Times are UTC inside; working hours are wall-clock times.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from appointments.intervals import filled_days, full_intervals, merged, overlapping, start_of, subtract
from appointments.model import DAY, QUARTER_HOUR, CalendarDay, Conflict, Interval
from appointments.times import Length, day_around, find_zone, first_instant, wall_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from appointments.memory import KnownSettings
    from appointments.model import Appointment, Taken

SECOND = timedelta(seconds=1)
# How far to look for a suggested time within the working hours: first near, because most calendars open within days.
SUGGESTION_REACHES = (timedelta(days=15), timedelta(days=400))
# An item has 400 KB at most, and an entry some 60 bytes. Bookings at the same moment may go a little beyond.
MAX_DAY_ENTRIES = 5000


class Hours(NamedTuple):
    """Opening hours in minutes after midnight on the wall clock; `end` passes 1440 where they pass midnight."""

    start: int
    end: int


ALL_DAY = (Hours(0, 24 * 60),)


@dataclass(frozen=True, slots=True, repr=False)
class CalendarSettings:
    """When and how a calendar may be booked. The default is always open, one appointment at a time.

    `working_hours` are by weekday, Monday first; None is always open. `overrides` replace them on a date; hours
    belong to the date on which they begin. `buffer` must lie between two appointments. `horizon_days` are whole
    local days. With `approval`, what is booked is a request first. At most `max_per_day` begin on a local day. From the
    first minute of the day in `quiet` to the second, no reminders are sent. Without
    `zone_known` the time-zone data has lost the zone and UTC stands in for it: when there are hours, nobody can tell
    which, so the calendar is closed. UTC also stands in where no zone is set.
    """

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    zone_set: bool = False
    zone_known: bool = True
    working_hours: tuple[tuple[Hours, ...], ...] | None = None
    overrides: Mapping[date, tuple[Hours, ...]] = field(default_factory=dict)
    buffer: timedelta = timedelta()
    capacity: int = 1
    min_notice: timedelta = timedelta()
    horizon_days: int | None = None
    min_duration: timedelta | None = None
    max_duration: timedelta | None = None
    reminders: tuple[str, ...] | None = None
    approval: bool = False
    max_per_day: int | None = None
    quiet: tuple[int, int] | None = None

    def day_of(self, start: datetime) -> Interval:
        """The local day, in UTC, on which something counts that begins then."""
        return Interval(*day_around(start, self.zone))

    def without_notice(self) -> CalendarSettings:
        """The same settings for who may book at any time that lies ahead."""
        return replace(self, min_notice=timedelta()) if self.min_notice else self

    @property
    def margin(self) -> timedelta:
        """How far before and after an interval lies whatever decides about it, at most."""
        return self.buffer if self.max_per_day is None else max(self.buffer, 2 * DAY)

    @property
    def has_hours(self) -> bool:
        """Whether there is any time at which the calendar is closed by its own rules."""
        return self.working_hours is not None or bool(self.overrides)

    def openings(self, window: Interval) -> list[Interval]:
        """The intervals in which the calendar is open and that touch `window`, by start; whole, not clipped."""
        since, until = window.start.timestamp(), window.end.timestamp()
        touching = ((start, end) for start, end in self.open_seconds(window) if end > since and start < until)
        return [
            Interval(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)) for start, end in touching
        ]

    def open_seconds(self, window: Interval) -> list[tuple[int, int]]:
        """The openings that touch `window`, and some around it, in seconds since 1970, by start."""
        if not self.zone_known:
            return []
        from appointments.openings import instant_of, offset_of, pieces_of  # noqa: PLC0415 - most calendars are people

        first = window.start.astimezone(self.zone).date() - DAY
        last = window.end.astimezone(self.zone).date()
        opened: list[tuple[int, int]] = []
        for n in range((last - first).days + 1):
            day = first + n * DAY
            hours = self._hours_on(day)
            midnight = datetime.combine(day, time())
            offset = offset_of(midnight, 0, self.zone)
            if offset == offset_of(midnight + 2 * DAY, 1, self.zone):  # the latest hours end before that
                zero = int(instant_of(midnight, offset).timestamp())
                opened += [(zero + 60 * start, zero + 60 * end) for start, end in hours]
            else:
                pieces = (piece for one in hours for piece in pieces_of(day, one, self.zone))
                opened += [(int(start.timestamp()), int(end.timestamp())) for start, end in pieces]
        return sorted(opened)

    def _hours_on(self, day: date) -> tuple[Hours, ...]:
        if day in self.overrides:
            return self.overrides[day]
        return ALL_DAY if self.working_hours is None else self.working_hours[day.weekday()]


# The settings of a calendar that nobody configured. It has no rule to break.
UNCONFIGURED = CalendarSettings()


class Violation(NamedTuple):
    """A rule of a calendar that an interval breaks, and the nearest interval that all its rules accept, if any.

    `field` is what breaks the rule: `startTime`, or `endTime` for a duration.
    """

    calendar_id: str
    rule: str
    field: str
    nearest: Interval | None


@dataclass(frozen=True, eq=False, repr=False)
class Calendar:
    """A calendar's settings, and what lies on the days of it that were read.

    `crowded` are days of it that hold as many appointments as an item can, and `full_days` local days on which no
    further one may begin; both in order. What is free has room for `places`. `served_days` are local days on which the
    service that is booked takes this person no more.
    """

    calendar_id: str
    settings: CalendarSettings
    busy: tuple[Taken, ...]
    crowded: tuple[Interval, ...] = ()
    full_days: tuple[Interval, ...] = ()
    places: int = 1
    served_days: tuple[Interval, ...] = ()

    def fits(self, wanted: Interval, now: datetime) -> bool:
        """Whether `wanted` can be booked here at `now`."""
        taken = next(overlapping(self.blocked, wanted), None)
        return taken is None and not self.full_day(wanted) and not self.violations(wanted, now, suggest=False)

    def conflicts(self, wanted: Interval, places: int = 1, *, since: datetime | None = None) -> list[Conflict]:
        """Where fewer than `places` are left for `wanted`, in order of time, exact to the second.

        Of the blocks, only those count that were placed at `since` or later, if it is given.
        """
        if not self.busy and not self.crowded and places <= self.settings.capacity:
            return []
        if places > self.settings.capacity:
            return [Conflict(self.calendar_id, wanted)]
        blocked = self.blocked if places == self.places and since is None else self._blocked(places, since)
        return [Conflict(self.calendar_id, interval) for interval in overlapping(blocked, wanted)]

    def full_day(self, wanted: Interval, current: Interval | None = None) -> list[Conflict]:
        """The local day, whole, on which `wanted` begins, if that takes no more. `current` has its place on its own."""
        if not self.full_days:
            return []
        day = self.settings.day_of(wanted.start)
        stays = current is not None and self.settings.day_of(current.start) == day
        return [] if stays or day not in self.full_days else [Conflict(self.calendar_id, day)]

    @cached_property
    def blocked(self) -> list[Interval]:
        """Where no further appointment can lie, buffers included; in order, and none overlaps another."""
        if self.places > self.settings.capacity:
            return [Interval(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))]
        return self._blocked(self.places)

    def _blocked(self, places: int, since: datetime | None = None) -> list[Interval]:
        """Where fewer than `places` are left; of the blocks, only those `since` then count.

        An appointment takes its places from its start until its end and the buffer after that. Too few are left
        somewhere within [start, end + buffer) of a new one where it overlaps what this answers. A block is as the hours
        in which a calendar is closed: an appointment may end as it begins.
        """
        gap = self.settings.buffer
        whole = [*self.crowded, *(one.interval for one in self.busy if one.block and (not since or one.block >= since))]
        taken = [(Interval(start, end + gap), many) for (start, end), many, _, block, _ in self.busy if not block]
        full = full_intervals(taken, self.settings.capacity - places + 1)
        if not gap and not whole:
            return list(full)
        return list(merged([*(Interval(start - gap, end) for start, end in full), *whole]))

    def violations(
        self, wanted: Interval, now: datetime, *, current: Interval | None = None, suggest: bool = True
    ) -> list[Violation]:
        """The calendar's own rules that `wanted` breaks, whatever else lies there.

        `current` is the interval that the appointment has already: a rule counts only for what the change changes.
        """
        if self.settings is UNCONFIGURED:
            return []
        broken = list(self._broken(wanted, now, current))
        nearest = self._nearest(wanted, now, current) if broken and suggest else None
        return [Violation(self.calendar_id, rule, field, nearest) for rule, field in broken]

    def _broken(self, wanted: Interval, now: datetime, current: Interval | None) -> Iterator[tuple[str, str]]:
        settings = self.settings
        earliest, latest = self.bookable(now)
        if current is None or current.start != wanted.start:
            if wanted.start < earliest:
                yield "minNoticeMinutes", "startTime"
            if latest and wanted.start > latest:
                yield "horizonDays", "startTime"
        if (settings.min_duration or settings.max_duration) and not (current and self._as_long_as(current, wanted)):
            if self._is_too_short(wanted):
                yield "minDurationMinutes", "endTime"
            if self._is_too_long(wanted):
                yield "maxDurationMinutes", "endTime"
        if not (current and current.covers(wanted)) and not self.is_open(wanted):
            yield "workingHours" if settings.zone_known else "timeZone", "startTime"

    def allows_length(self, length: timedelta) -> bool:
        """Whether an appointment may be as long as that here, wherever it lies."""
        shortest, longest = self.settings.min_duration, self.settings.max_duration
        return (shortest is None or length >= shortest) and (longest is None or length <= longest)

    def allows_length_of(self, wanted: Interval) -> bool:
        """Whether an appointment may be as long as that here, by the stopwatch or by the clock on the wall."""
        return not (self._is_too_short(wanted) or self._is_too_long(wanted))

    def _is_too_short(self, wanted: Interval) -> bool:
        least = self.settings.min_duration
        return least is not None and wanted.end - wanted.start < least and self._on_the_wall(wanted) < least

    def _is_too_long(self, wanted: Interval) -> bool:
        most = self.settings.max_duration
        return most is not None and wanted.end - wanted.start > most and self._on_the_wall(wanted) > most

    def _as_long_as(self, current: Interval, wanted: Interval) -> bool:
        same = current.end - current.start == wanted.end - wanted.start
        return same or self._on_the_wall(current) == self._on_the_wall(wanted)

    def _on_the_wall(self, interval: Interval) -> timedelta:
        """How far the clock on the wall of the calendar's zone goes on in an interval."""
        return wall_time(interval.end, self.settings.zone) - wall_time(interval.start, self.settings.zone)

    def bookable(self, now: datetime) -> tuple[datetime, datetime | None]:
        """The earliest and the latest start that notice and horizon allow at `now`, both included."""
        now = now.replace(microsecond=0)
        settings = self.settings
        # Without notice the past is the only limit, and an appointment that runs already may be changed.
        earliest = now + settings.min_notice if settings.min_notice else datetime.min.replace(tzinfo=UTC)
        if settings.horizon_days is None:
            return earliest, None
        beyond = now.astimezone(settings.zone).date() + (settings.horizon_days + 1) * DAY
        return earliest, first_instant(datetime.combine(beyond, time()), settings.zone) - SECOND

    def is_open(self, wanted: Interval) -> bool:
        """Whether the calendar is open from the start to the end of `wanted`, without a break."""
        if not self.settings.has_hours:
            return True
        opened = self.look(Interval(wanted.start - DAY, wanted.end + DAY))
        # The only opening that can hold `wanted` is the last that begins at or before it.
        index = bisect_right(opened, wanted.start, key=start_of) - 1
        return index >= 0 and wanted.end <= opened[index].end

    def look(self, window: Interval) -> list[Interval]:
        """When the calendar is open within `window` at least: worked out once for the widest that was asked for."""
        known: tuple[Interval, list[Interval]] | None = self.__dict__.get("_open")
        if known is None or not known[0].covers(window):
            known = self.__dict__["_open"] = (window, list(merged(self.settings.openings(window))))
        return known[1]

    def free(self, window: Interval, now: datetime) -> list[Interval]:
        """When the calendar is open and has room, within `window` and not sooner than `now` and its notice allow."""
        since = max(window.start, self.bookable(now)[0], now.replace(microsecond=0))
        opened = self.look(window) if self.settings.has_hours else [window]
        clipped = [Interval(max(start, since), min(end, window.end)) for start, end in opened]
        return subtract([interval for interval in clipped if interval.start < interval.end], self.blocked)

    def _nearest(self, wanted: Interval, now: datetime, current: Interval | None) -> Interval | None:
        """What all rules of the calendar accept and begins nearest to `wanted`; it keeps the length if it may."""
        settings = self.settings
        length = Length.between(*wanted, settings.zone)
        if settings.max_duration and length.span > settings.max_duration:
            length = Length.of(settings.max_duration, settings.zone)
        if settings.min_duration and length.span < settings.min_duration:
            length = Length.of(settings.min_duration, settings.zone)
        in_place = Interval(wanted.start, length.after(wanted.start))
        earliest, latest = self.bookable(now)
        earliest = max(earliest, now.replace(microsecond=0))
        stays = current is not None and current.start == wanted.start
        if (stays or wanted.start >= earliest) and not any(self._broken(in_place, now, current)):
            return in_place
        latest = datetime.max.replace(tzinfo=UTC) if latest is None else latest
        # What begins as soon as it may is refused a second later: it begins on a quarter hour where one is left.
        quarter = earliest + (datetime.min.replace(tzinfo=UTC) - earliest) % QUARTER_HOUR
        nearest = self._nearest_within((quarter, latest), wanted.start, length)
        return nearest or self._nearest_within((earliest, min(quarter, latest)), wanted.start, length)

    def _nearest_within(self, limits: tuple[datetime, datetime], wanted: datetime, length: Length) -> Interval | None:
        """What begins within the limits, both included, and nearest to `wanted`, in the hours of the calendar."""
        earliest, latest = limits
        if earliest > latest:
            return None
        start = min(max(wanted, earliest), latest)
        if not self.settings.has_hours:
            if start == latest:  # the last second of a day, on which nobody wants to start
                start = max(start - (start - datetime.min.replace(tzinfo=UTC)) % QUARTER_HOUR, earliest)
            return Interval(start, length.after(start))
        from appointments.openings import nearest_start  # noqa: PLC0415 - as above

        for reach in SUGGESTION_REACHES:
            around = length.span + 2 * DAY
            window = Interval(max(start - reach - around, earliest), min(start + reach, latest) + around)
            nearest = nearest_start(self.settings.open_seconds(window), start, length, limits)
            if nearest and abs(nearest - start) <= reach:
                return Interval(nearest, length.after(nearest))
        return None


def assemble(
    settings: Mapping[str, CalendarSettings], days: Iterable[CalendarDay], now: datetime, ignore: str | None = None
) -> dict[str, Calendar]:
    """The calendars that were read, as they are at `now`. `ignore` is the id of an appointment that does not count."""
    read: dict[str, list[CalendarDay]] = {calendar_id: [] for calendar_id in settings}
    for day in days:
        read.setdefault(day.key.calendar_id, []).append(day)
    calendars = {}
    for calendar_id, found in read.items():
        rules = settings.get(calendar_id) or UNCONFIGURED
        crowded = tuple([whole_day(day.key.day) for day in found if is_crowded(day, ignore)])
        busy = busy_on(found, now, ignore) if found else ()
        most = rules.max_per_day
        full_days = filled_days(found, rules.zone, most, now, ignore) if most and busy else ()
        calendars[calendar_id] = Calendar(calendar_id, rules, busy, crowded, full_days)
    return calendars


def zone_of(appointment: Appointment, settings: Mapping[str, KnownSettings]) -> ZoneInfo | None:
    """The zone in which people read an appointment's times: its own, or that of its first calendar that has one."""
    own = find_zone(appointment.time_zone)
    known = (settings[calendar_id].settings for calendar_id in appointment.calendar_ids if calendar_id in settings)
    return own or next((rules.zone for rules in known if rules.zone_set), None)


def with_zone(wanted: Appointment, settings: Mapping[str, KnownSettings]) -> Appointment:
    """The appointment with the zone of its calendars, in which people read its times if none was sent."""
    if wanted.time_zone:
        return wanted
    zone = zone_of(wanted, settings)
    people_zone = zone.key if zone else None
    return wanted if people_zone == wanted.people_zone else replace(wanted, people_zone=people_zone)


def busy_on(days: Sequence[CalendarDay], now: datetime, ignore: str | None) -> tuple[Taken, ...]:
    """What lies on one calendar at `now`. What has run out does not count.

    An appointment has an entry in each of its days and counts once. The days may have been read at different
    moments, and so one that was moved meanwhile may stand in them with different intervals: then it counts with all
    of them. One of these is the interval that the commit's conditions prove, and which one cannot be told.
    """
    entries: dict[str, tuple[Taken, ...]] = {}
    for day in days:
        moved = {
            id_: tuple(dict.fromkeys((*entries[id_], *day.entries[id_])))
            for id_ in entries.keys() & day.entries.keys()
            if entries[id_] != day.entries[id_]
        }
        entries.update(day.entries)
        entries.update(moved)
    if ignore:
        entries.pop(ignore, None)
    return tuple([one for entry in entries.values() for one in entry if one.until is None or not one.has_run_out(now)])


def is_crowded(day: CalendarDay, ignore: str | None = None) -> bool:
    """Whether the day's own item holds as many appointments as an item can."""
    return day.inline(ignore) >= MAX_DAY_ENTRIES


def whole_day(day: date) -> Interval:
    """A UTC day from midnight to midnight."""
    midnight = datetime.combine(day, time(), UTC)
    return Interval(midnight, midnight + DAY)
