"""Where a service can be booked: every start of a window, and which calendars it takes there. No I/O.

All of it is exact to the second. From the last step backwards, courses say at which starts a step can be taken
together with all that follow it, and when these are over. Who starts earlier is never over later, so the earliest
start of each step is the best one for all the others.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from itertools import chain, combinations, pairwise
from typing import TYPE_CHECKING, NamedTuple

from appointments.calendars import Calendar
from appointments.errors import TooManyAppointmentsError
from appointments.intervals import joined
from appointments.matching import distinct
from appointments.model import DAY, Interval, Step
from appointments.ranges import both, in_at_least, rest
from appointments.times import change_of_offset, first_instant, load_zone, local_day

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from appointments.calendars import CalendarSettings
    from appointments.ranges import Range
    from appointments.services import Pool, Service, ServiceStep

SECOND = timedelta(seconds=1)
DAY_SECONDS = 24 * 60 * 60
# The most free times of calendars in pools that one search looks at. Pools that share calendars are looked at in every
# combination, and a time counts in each. It takes some 0.4 us of CPU.
MAX_FREE = 3_000_000


class Course(NamedTuple):
    """Starts from `first` to before `end`, and when what starts then is over: `slope` * start + `over`."""

    first: int
    end: int
    slope: int
    over: int

    def over_by(self, moment: int) -> Course:
        """The starts with which it is over by a moment; they may be none."""
        if self.slope:
            return self._replace(end=min(self.end, moment - self.over + 1))
        return self if self.over <= moment else self._replace(end=self.first)

    def lasting(self, least: int, most: int | None) -> Course:
        """The starts with which it lasts so long; they may be none."""
        if self.slope:
            fits = least <= self.over and (most is None or self.over <= most)
            return self if fits else self._replace(end=self.first)
        first = self.first if most is None else max(self.first, self.over - most)
        return self._replace(first=first, end=min(self.end, self.over - least + 1))


class _Seconds(dict[datetime, int]):
    """Moments in seconds since 1970. Most appointments begin and end at the same few times."""

    def __missing__(self, moment: datetime) -> int:
        seconds = self[moment] = int(moment.timestamp())
        return seconds


@dataclass(slots=True, eq=False, repr=False)
class ServiceSearch:
    """A service, every calendar that it may take as it was read, and that of the person it is for, if there is one.

    `appointment_id` decides among equally booked calendars. Those of the steps `given` before are preferred to others.
    The person's own calendar is never chosen out of a pool. With `only_hours`, notice and horizon do not count. Where
    the service has fewer calendars to choose from than it really has, `whole` is that one, which says the zone.
    """

    service: Service
    calendars: Mapping[str, Calendar]
    now: datetime
    person: Calendar | None = None
    appointment_id: str = ""
    given: Sequence[Step] = ()
    only_hours: bool = False
    whole: Service | None = None
    _seconds: _Seconds = field(default_factory=_Seconds)
    _taken: dict[str, list[Range]] = field(default_factory=dict)
    _closed: dict[int, tuple[Range, list[Range]]] = field(default_factory=dict)
    _looked_at: list[int] = field(default_factory=lambda: [0])  # one number, shared with the search by hours alone

    def starts(self, window: Interval) -> list[Course]:
        """Every start at which the service can be booked within a window, in order, with the earliest end.

        The days that were read cover the window. Nothing is said of the steps on which starts are offered.
        """
        first, end = (self._seconds[moment] for moment in window)
        courses = self.courses(first, end - _whole(self.service.least_length) + 1)
        return self._for_the_person(courses[0], first, end)

    def find(self, start: datetime) -> tuple[Step, ...] | None:
        """The steps of an appointment with that start, each as early as can be; None if it cannot be booked."""
        at = self._seconds[start]
        courses = self.courses(at, at + 1)
        if not self._for_the_person(courses[0], at, at + _whole(self.service.most_length)):
            return None
        found = []
        for number, step in enumerate(self.service.steps):
            found.append(self._assigned(number, at))
            soonest = at + _whole(step.duration + step.least_gap)
            for later in courses[number + 1 : number + 2]:
                at = next(max(course.first, soonest) for course in later if course.end > soonest)
        return tuple(found)

    def offered(self, window: Interval) -> Iterator[Interval]:
        """The starts of a window that are offered and can be booked, in order, each with its earliest end."""
        starts = self.grid(window)
        at = 0
        for course in self.starts(window):
            at = bisect_left(starts, course.first, at)
            while at < len(starts) and starts[at] < course.end:
                over = course.slope * starts[at] + course.over
                yield Interval(datetime.fromtimestamp(starts[at], UTC), datetime.fromtimestamp(over, UTC))
                at += 1

    def grid(self, window: Interval) -> list[int]:
        """The starts of a window that are offered, in order, whatever lies there.

        They count from each moment from which the service is open, and from each midnight of a day on which it is open
        throughout. One of them lies on the day of a start or on the day before, so nothing earlier matters.
        """
        first, end = (self._seconds[moment] for moment in window)
        around = Interval(window.start - 3 * DAY, window.end + 2 * DAY)
        opened = list(self._opened(around))
        origins = {open_from for open_from, _ in opened}
        day, last = (moment.astimezone(self.zone).date() for moment in around)
        ends = [open_until for _, open_until in opened]
        while day < last:
            midnight, following = (int(moment.timestamp()) for moment in local_day(day, self.zone))
            index = bisect_left(ends, following)
            if index < len(opened) and opened[index][0] <= midnight:
                origins.add(midnight)
            day += DAY
        step = _whole(self.service.grid)
        return [
            start
            for origin, following in pairwise([*sorted(origins), end])
            for start in range(origin + max(-((origin - first) // step), 0) * step, min(following, end), step)
        ]

    def _opened(self, window: Interval) -> Iterator[Range]:
        """The starts within a window at which the hours of the calendars alone would let it be booked."""
        empty = {id_: Calendar(id_, one.settings, ()) for id_, one in self.calendars.items()}
        search = ServiceSearch(
            self.service, empty, self.now, only_hours=True, _closed=self._closed, _looked_at=self._looked_at
        )
        courses = search.courses(*(self._seconds[moment] for moment in window))
        return joined((course.first, course.end) for course in courses[0])

    def for_person(self, person: Calendar | None) -> ServiceSearch:
        """The same search for somebody else."""
        return replace(self, person=person)

    def is_free(self, calendar_id: str, duration: timedelta, first: datetime, last: datetime) -> bool:
        """Whether a calendar takes a step of that length that starts at one of these moments, or between them."""
        window = self._seconds[first], self._seconds[last] + 1
        return bool(self._free_on(self.calendars[calendar_id], duration, *window))

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the service's local days: that of the first of its calendars that has one, else UTC."""
        return zone_of_days(self.whole or self.service, {id_: one.settings for id_, one in self.calendars.items()})

    def bookable(self) -> tuple[datetime, datetime | None]:
        """The earliest and the latest start that the service's notice and horizon allow, both included."""
        now = self.now.replace(microsecond=0)
        if self.service.horizon_days is None:
            return now + self.service.min_notice, None
        beyond = now.astimezone(self.zone).date() + (self.service.horizon_days + 1) * DAY
        return now + self.service.min_notice, first_instant(datetime.combine(beyond, time()), self.zone) - SECOND

    # --- when ---

    def courses(self, first: int, end: int) -> list[list[Course]]:
        """The courses of each step, where the first one starts within a range; the person's calendar aside."""
        free = []
        for step in self.service.steps:
            free.append(self._free(step, first, end))
            first += _whole(step.duration + step.least_gap)
            end += _whole(step.duration + step.most_gap)
        last = self.service.steps[-1]
        courses = [[Course(*range_, 1, _whole(last.duration)) for range_ in free[-1]]]
        for step, ranges in zip(reversed(self.service.steps[:-1]), reversed(free[:-1]), strict=True):
            within = _clipped(_leading_to(courses[0], step), ranges)
            courses.insert(0, [course for course, _ in within])
        return courses

    def _for_the_person(self, courses: list[Course], first: int, end: int) -> list[Course]:
        """The part of courses that lies within a range, as the service's limits and the person's calendar have it."""
        soonest, latest = self._limits(self.bookable())
        gaps, begins, least, most = [(first, end)], [(first, end)], 0, None
        if self.person:
            settings = self.person.settings
            low, high = self._limits(self.person.bookable(self.now))
            soonest, latest = max(soonest, low), min(latest, high)
            taken = [*self._busy(self.person), *self._shut(settings, first, end)]
            gaps = rest(sorted(taken), first, end)
            full = sorted(
                (self._seconds[day], self._seconds[over])
                for day, over in {*self.person.full_days, *self.person.served_days}
            )
            begins = rest(full, first, end)
            least = _whole(settings.min_duration) if settings.min_duration else 0
            most = _whole(settings.max_duration) if settings.max_duration else None
        in_time = [course for course, _ in _clipped(courses, both(begins, [(soonest, latest)]))]
        kept = [course.over_by(over).lasting(least, most) for course, over in _clipped(in_time, gaps)]
        return [course for course in kept if course.first < course.end]

    def _free(self, step: ServiceStep, first: int, end: int) -> list[Range]:
        """The starts within a range at which there is everything a step takes. Raises TooManyAppointmentsError."""
        free = [(first, end)] if first < end else []
        for id_ in step.resource_ids:
            free = both(free, self._free_on(self.calendars[id_], step.duration, first, end))
        pools = [self.members(step, pool) for pool in step.pools]
        known = {
            id_: self._free_on(self.calendars[id_], step.duration, first, end) for id_ in dict.fromkeys(chain(*pools))
        }
        for ids, times in _needs(pools):
            self._looked_at[0] += sum(len(known[id_]) for id_ in ids)
            if self._looked_at[0] > MAX_FREE:
                raise TooManyAppointmentsError(MAX_FREE, "free times of pools that share calendars")
            free = both(free, in_at_least([known[id_] for id_ in ids], times))
        return free

    def _free_on(self, calendar: Calendar, duration: timedelta, first: int, end: int) -> list[Range]:
        """The starts within a range at which a calendar takes a step."""
        length, before = _whole(duration), _whole(self.service.buffer_before)
        lead = length + _whole(self.service.buffer_after) - 1
        shut = self._shut(calendar.settings, first, end + length)
        holes = [(taken - lead, over + before) for taken, over in self._busy(calendar)]
        if shut:
            holes = sorted(holes + [(closed - length + 1, over) for closed, over in shut])
        if calendar.full_days:
            # What counts for the day is the buffer's beginning, with which the calendar is taken.
            full = ((self._seconds[day] + before, self._seconds[over] + before) for day, over in calendar.full_days)
            holes = sorted([*holes, *full])
        if not self.only_hours:
            low, high = self._limits(calendar.bookable(self.now))
            first, end = max(first, low), min(end, high)
        free = rest(holes, first, end)
        if free and not calendar.allows_length(duration):
            free = both(free, list(_changes_that_allow(calendar, duration, first, end)))
        return free

    def _busy(self, calendar: Calendar) -> list[Range]:
        """Where nothing more can lie on a calendar, its buffer on both sides included, in order of the first moment.

        It is `Calendar.blocked` in seconds, of which most calendars need only the arithmetic.
        """
        known = self._taken.get(calendar.calendar_id)
        if known is None:
            seconds, gap = self._seconds, _whole(calendar.settings.buffer)
            single = [interval for interval, places, _, block, _ in calendar.busy if places == 1 and not block]
            if len(single) == len(calendar.busy):
                starts = sorted([seconds[start] - gap for start, _ in single])
                ends = sorted([seconds[end] + gap for _, end in single])
                full = zip(starts[calendar.settings.capacity - 1 :], ends, strict=False)
                # An entry takes its place until its end and the buffer after, and nothing starts a buffer before it.
                known = [(start, end) for start, end in full if start + gap < end]
                if calendar.crowded:
                    known = sorted([*known, *((seconds[start], seconds[end]) for start, end in calendar.crowded)])
            else:
                known = [(seconds[start], seconds[end]) for start, end in calendar.blocked]
            self._taken[calendar.calendar_id] = known
        return known

    def _shut(self, settings: CalendarSettings, first: int, end: int) -> list[Range]:
        """When a calendar is closed within a range. Many calendars have the same hours, and steps similar ranges."""
        if not settings.has_hours:
            return []
        known = self._closed.get(id(settings))
        if known is None or first < known[0][0] or end > known[0][1]:
            window = Interval(datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(max(first, end), UTC))
            known = self._closed[id(settings)] = (first, end), rest(joined(settings.open_seconds(window)), first, end)
        span, closed = known
        return closed if span == (first, end) else both(closed, [(first, end)])

    def _limits(self, bookable: tuple[datetime, datetime | None]) -> Range:
        """The starts from the earliest to the latest."""
        earliest, latest = bookable
        far = datetime.max.replace(tzinfo=UTC) if latest is None else latest
        return self._seconds[earliest], self._seconds[far] + 1

    # --- which ---

    def members(self, step: ServiceStep, pool: Pool) -> list[str]:
        """The calendars of a pool that can be chosen at all."""
        own = {self.person.calendar_id} if self.person else set()
        return [id_ for id_ in pool.any_of if id_ not in step.resource_ids and id_ not in own]

    def _assigned(self, number: int, at: int) -> Step:
        """A step with its calendars, at a start at which there are enough."""
        step = self.service.steps[number]
        start = datetime.fromtimestamp(at, UTC)
        given = self.given[number].resource_ids[len(step.resource_ids) :] if self.given else ()
        wishes = []
        for index, pool in enumerate(step.pools):
            members = [(id_, self.calendars[id_]) for id_ in self.members(step, pool)]
            free = [id_ for id_, calendar in members if self._free_on(calendar, step.duration, at, at + 1)]
            if pool.fair:
                free.sort(key=lambda id_: self._turn(id_, start))
            if given and given[index] in free:
                free.remove(given[index])
                free.insert(0, given[index])
            wishes.append(free)
        chosen = distinct(wishes)
        assert chosen is not None  # noqa: S101 - such a start was found
        return Step(Interval(start, start + step.duration), (*step.resource_ids, *chosen))

    def _turn(self, calendar_id: str, start: datetime) -> tuple[int, bytes]:
        """What the calendars of a fair pool are sorted by: the bookings of the local day, then a hash."""
        calendar = self.calendars[calendar_id]
        whole_day = calendar.settings.day_of(start)
        booked = sum(one.interval.overlaps(whole_day) and not one.block for one in calendar.busy)
        return booked, hashlib.sha256(f"{self.appointment_id} {calendar_id}".encode()).digest()


def zone_of_days(service: Service, settings: Mapping[str, CalendarSettings]) -> ZoneInfo:
    """The zone of a service's local days, by the settings of all of its calendars."""
    own = (settings[id_] for id_ in service.calendar_ids)
    return next((each.zone for each in own if each.zone_set), load_zone("UTC"))


def saying_the_zone(service: Service, settings: Mapping[str, CalendarSettings]) -> tuple[str, ...]:
    """The calendars whose settings say that zone: the first that has one, and those before it, which may get one."""
    ids = service.calendar_ids
    first = next((place for place, id_ in enumerate(ids) if settings[id_].zone_set), len(ids))
    return ids[: first + 1]


def _whole(span: timedelta) -> int:
    """A span in seconds."""
    return int(span.total_seconds())


def _needs(wishes: Sequence[Sequence[str]]) -> Iterator[tuple[Sequence[str], int]]:
    """Sets of calendars, and how many of each have to be free at once.

    Each wish can then get a calendar of its own (Hall's theorem). Wishes that share nothing need not be looked at
    together.
    """
    needs: dict[frozenset[str], int] = {}
    for count in range(1, len(wishes) + 1):
        for some in combinations(wishes, count):
            ids = frozenset(chain(*some))
            if count == 1 or len(ids) < sum(map(len, some)):
                needs[ids] = count
    return ((tuple(ids), count) for ids, count in needs.items())


def _leading_to(later: Sequence[Course], step: ServiceStep) -> Iterator[Course]:
    """The courses of a step before those of the next one, whatever lies on its own calendars."""
    soonest, latest = _whole(step.duration + step.least_gap), _whole(step.duration + step.most_gap)
    behind: int | None = None
    for first, end, slope, over in later:
        waits = first - latest if behind is None else max(first - latest, behind - soonest)
        if waits < first - soonest:
            yield Course(waits, first - soonest, 0, slope * first + over)
        yield Course(first - soonest, end - soonest, slope, slope * soonest + over)
        behind = end


def _clipped(courses: Iterable[Course], ranges: Sequence[Range]) -> Iterator[tuple[Course, int]]:
    """The parts of courses that begin within ranges, each with the end of its range. Both are in order."""
    index = 0
    for course in courses:
        while index < len(ranges) and ranges[index][1] <= course.first:
            index += 1
        at = index
        while at < len(ranges) and ranges[at][0] < course.end:
            first, end = ranges[at]
            yield Course(max(first, course.first), min(end, course.end), course.slope, course.over), end
            at += 1


def _changes_that_allow(calendar: Calendar, duration: timedelta, first: int, end: int) -> Iterator[Range]:
    """The starts with which a step is as long as the calendar allows by the clock on the wall, and only by that.

    So it can be across a change of the clock.
    """
    length, zone = _whole(duration), calendar.settings.zone
    days = [datetime.fromtimestamp(at, UTC) for at in range(first, end + length + DAY_SECONDS, DAY_SECONDS)]
    for day, following in pairwise(days):
        if day.astimezone(zone).utcoffset() == following.astimezone(zone).utcoffset():
            continue
        change = change_of_offset(day, following, zone)
        begin = change - duration
        if calendar.allows_length_of(Interval(begin, begin + duration)):
            yield int(begin.timestamp()), int(begin.timestamp()) + length
