"""What an appointment takes of its calendars, and which calendar days and quarter hours decide about it. No I/O.

Why counters of quarter hours suffice: two claims that overlap on a calendar share a quarter hour of one calendar day.
A commit increments the counters of the quarter hours that its claims touch. It succeeds only if the counters of the
quarter hours that decide about them are those that were read. Of two commits that overlap, the later one therefore
fails, and is decided again with the newer day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from appointments.model import MAX_CAPACITY, DayKey, Interval, is_block
from appointments.times import day_around, find_zone, load_zone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from appointments.calendars import CalendarSettings
    from appointments.model import Appointment, ServiceTerms


class Daily(NamedTuple):
    """The local day of a zone on which a person may have at most so many appointments of a service."""

    service_id: str
    most: int
    zone: ZoneInfo
    day: Interval


class Claim(NamedTuple):
    """Time that an appointment takes on one calendar, how many of the calendar's places, and until when.

    A block takes all places, whatever lies there; `block` is when it was placed. `served` is what the calendar's rules
    are about, where the buffers of a service are taken as well. `daily` is on the claim of
    the person whose appointments a service counts.
    """

    calendar_id: str
    interval: Interval
    places: int = 1
    until: datetime | None = None
    block: datetime | None = None
    served: Interval | None = None
    daily: Daily | None = None

    @property
    def ruled(self) -> Interval:
        """The interval that the calendar's own rules judge."""
        return self.served or self.interval

    def keeps_its_day(self, before: Claim | None) -> bool:
        """Whether the claim that it had `before` was counted on this day already.

        A hold that is confirmed counts anew: who saw it expire may have got its place.
        """
        if self.daily is None or before is None or (before.until is not None and self.until is None):
            return False
        return self.daily.day.start <= before.interval.start < self.daily.day.end

    def covers(self, other: Claim) -> bool:
        """Whether `other` takes nothing beyond this claim."""
        return (
            self.calendar_id == other.calendar_id
            and self.places >= other.places
            and self.interval.covers(other.interval)
            and (self.until is None or (other.until is not None and other.until <= self.until))
        )


# Begins the id of a session's own calendar. No caller can name one: an id that is sent has no such character.
_SESSION = "session#"


def session_calendar(session_id: str) -> str:
    """The calendar on which those who join a session take its seats."""
    return _SESSION + session_id


def is_session_calendar(calendar_id: str) -> bool:
    """Whether a calendar is one on which seats are taken."""
    return calendar_id.startswith(_SESSION)


def session_of(calendar_id: str) -> str:
    """The id of the session whose seats are taken on a calendar."""
    return calendar_id.removeprefix(_SESSION)


def own_time(claim: Claim) -> Interval:
    """The interval of a claim, as its reach where nothing beside it counts."""
    return claim.interval


def claims_of(appointment: Appointment | None) -> tuple[Claim, ...]:
    """Every claim of an appointment, the person's first. There are none if its status does not occupy its calendars.

    Without steps, an appointment takes all of its calendars for its whole interval. With steps, each step takes its own
    calendars for its own interval and the service's buffers, and the person's calendar is taken from the first start to
    the last end. However many places it takes on the others, it takes one on the person's. Who joins a session takes
    its seats beside that.
    """
    if appointment is None or not appointment.status.occupies:
        return ()
    if is_block(appointment):
        return (Claim(appointment.user_id, appointment.interval, MAX_CAPACITY, block=appointment.created_at),)
    if not appointment.steps:
        interval, places, until = appointment.interval, appointment.places, appointment.expires_at
        claims = tuple([Claim(calendar_id, interval, places, until) for calendar_id in appointment.calendar_ids])
        if places != 1:
            claims = (claims[0]._replace(places=1), *claims[1:])
        if appointment.session_id:
            claims = (*claims, Claim(session_calendar(appointment.session_id), interval, places, until))
        return claims
    daily = daily_of(appointment.service, appointment.interval.start)
    own = Claim(appointment.user_id, appointment.interval, until=appointment.expires_at, daily=daily)
    of_steps = (
        Claim(calendar_id, taken, appointment.places, appointment.expires_at, served=served)
        for calendar_id, taken, served in _taken_by_steps(appointment)
        if calendar_id != appointment.user_id
    )
    return tuple(dict.fromkeys((own, *of_steps)))


def daily_of(service: ServiceTerms | None, start: datetime) -> Daily | None:
    """The day on which a service counts what a person has of it, if it does. A zone that was lost counts as UTC."""
    if service is None or service.per_person is None:
        return None
    most, name = service.per_person
    zone = find_zone(name) or load_zone("UTC")
    return Daily(service.service_id, most, zone, Interval(*day_around(start, zone)))


def _taken_by_steps(appointment: Appointment) -> Iterator[tuple[str, Interval, Interval | None]]:
    """Each calendar of each step, when it is taken, and when it serves, where that is less.

    Buffers of two steps on one calendar do not lie over one another: they are of one appointment, which takes a place
    once.
    """
    service = appointment.service
    if service is None or not (service.buffer_before or service.buffer_after):
        for step in appointment.steps:
            yield from ((calendar_id, step.interval, None) for calendar_id in step.resource_ids)
        return
    taken_until: dict[str, datetime] = {}
    for number, step in enumerate(appointment.steps):
        for calendar_id in step.resource_ids:
            later = (one for one in appointment.steps[number + 1 :] if calendar_id in one.resource_ids)
            start, end = step.interval.start - service.buffer_before, step.interval.end + service.buffer_after
            start = max(start, taken_until.get(calendar_id, start))
            end = min([end, *(one.interval.start for one in later)])
            taken_until[calendar_id] = end
            yield calendar_id, Interval(start, end), step.interval


def carrying_days(claims: Iterable[Claim]) -> list[DayKey]:
    """The calendar days that carry an entry of these claims, each once."""
    return list(dict.fromkeys([DayKey(claim.calendar_id, day) for claim in claims for day in claim.interval.days()]))


def reach(claim: Claim, settings: CalendarSettings) -> Interval:
    """The time that decides about a claim on a calendar of these settings.

    It is the claim's own, with the buffer before and after it. Where appointments are counted by day, it is also the
    whole local day on which the claim begins: whatever begins on that day touches a quarter hour of it. So it is where
    a service counts what a person has of it. Beside a block no buffer is needed, and it counts on no day.
    """
    start, end = interval = claim.interval
    if (not settings.buffer and settings.max_per_day is None and claim.daily is None) or claim.block:
        return interval
    start, end = start - settings.buffer, end + settings.buffer
    if settings.max_per_day is not None:
        first, following = settings.day_of(interval.start)
        start, end = min(start, first), max(end, following)
    if claim.daily:
        start, end = min(start, claim.daily.day.start), max(end, claim.daily.day.end)
    return Interval(start, end)


def deciding_days(claims: Iterable[Claim], reach_of: Callable[[Claim], Interval]) -> set[DayKey]:
    """The calendar days that decide about these claims: those that their reach touches."""
    return {DayKey(claim.calendar_id, day) for claim in claims for day in reach_of(claim).days()}


def quarter_hours(
    claims: Iterable[Claim], key: DayKey, reach_of: Callable[[Claim], Interval] = own_time
) -> Sequence[int]:
    """The quarter hours (0 to 95) of a calendar day that these claims touch. With their reach, those that decide."""
    found = [reach_of(claim).quarter_hours(key.day) for claim in claims if claim.calendar_id == key.calendar_id]
    return found[0] if len(found) == 1 else sorted({quarter for quarters in found for quarter in quarters})
