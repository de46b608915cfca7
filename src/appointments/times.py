"""Times at the edge: RFC 3339 text and IANA zones in, aware UTC datetimes inside.

Everything here works in whole seconds. Every datetime that leaves this module is aware and in UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)

# RFC 3339 section 5.6, with the offset optional: without one it is a local time that needs a `timeZone`.
# Seconds may be left out, as people write "09:00".
_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)(?:(:\d\d)(?:\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)
# The tz database's own naming rule; it also keeps a path such as "../../etc/passwd" away from the loader. Beside the
# zones lie copies of them, some of which count leap seconds, and the machine's own zone. None of those is an IANA name.
_ZONE_NAME = re.compile(
    r"(?!right/|posix/|(?:localtime|posixrules)$)[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}", re.ASCII
)


class InvalidTimeError(ValueError):
    """A text is no usable point in time. The message tells the caller what to send instead."""


def to_utc_text(moment: datetime) -> str:
    """`2030-01-15T14:00:00Z`: sorts as text in the order of time, which the index relies on."""
    return _utc_text(moment.astimezone(UTC))


# A booking writes its three moments ten times. In UTC, where what is equal is the same: elsewhere an hour is repeated.
@lru_cache(maxsize=256)
def _utc_text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


def to_wall_text(moment: datetime, zone: ZoneInfo) -> str:
    """`2030-01-15T09:00:00`: what the clocks of the zone show at that moment."""
    return moment.astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds")


def from_utc_text(text: str) -> datetime:
    """The inverse of `to_utc_text`, for what this system stored itself."""
    return datetime.fromisoformat(text)


def floor_to_minute(moment: datetime) -> datetime:
    """The start of the minute that `moment` lies in."""
    return moment.replace(second=0, microsecond=0)


@lru_cache(maxsize=64)
def load_zone(name: str) -> ZoneInfo:
    """The zone of an IANA name such as `America/New_York`.

    Raises InvalidTimeError for a name that the time-zone data does not know.
    """
    if _ZONE_NAME.fullmatch(name):
        try:
            return ZoneInfo(name)
        except (KeyError, OSError, ValueError):  # not found, a folder such as "America", not a zone file
            pass
    raise InvalidTimeError("is not a known IANA time zone; use a name such as America/New_York")


def find_zone(name: str | None) -> ZoneInfo | None:
    """The zone of a name that was stored; None without a name, or if the time-zone data has lost it since."""
    try:
        return load_zone(name) if name else None
    except InvalidTimeError:
        return None


def parse_time(text: str, zone: ZoneInfo | None, *, exact: bool = True) -> datetime:
    """Read one point in time and return it in UTC, in whole seconds (fractions are dropped).

    A text with an offset stands for itself. A local time is read in `zone`. If `exact`, one that daylight saving
    skips or repeats is refused, with what would be accepted (RFC 3339 leaves local times undefined). Otherwise it is
    the first instant at or after it, as `first_instant` says.
    Raises InvalidTimeError.
    """
    match = _TIMESTAMP.fullmatch(text)
    if not match:
        raise InvalidTimeError("is not an RFC 3339 time; use e.g. 2030-01-15T09:00:00Z or 2030-01-15T09:00:00-05:00")
    day, clock, seconds, offset = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{seconds or ''}{(offset or '').upper()}")
        if offset:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise InvalidTimeError(f"is not a valid date and time: {exc}") from exc
    if zone is None:
        raise InvalidTimeError("has no offset: add one (Z or e.g. -05:00), or send `timeZone`")
    try:
        return _resolve_local(moment, zone) if exact else first_instant(moment, zone)
    except OverflowError as exc:
        raise InvalidTimeError(f"is not a valid date and time: {exc}") from exc


def has_offset(text: str) -> bool:
    """Whether a time names its offset from UTC, and so needs no zone."""
    match = _TIMESTAMP.fullmatch(text)
    return bool(match and match[4])


def _resolve_local(wall: datetime, zone: ZoneInfo) -> datetime:
    """Place a wall-clock time of `zone` in UTC. PEP 495: `fold` picks one side of a change of the clock."""
    earlier = wall.replace(tzinfo=zone, fold=0)
    later = wall.replace(tzinfo=zone, fold=1)
    instant = earlier.astimezone(UTC)
    if earlier.utcoffset() == later.utcoffset():
        return instant
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        raise InvalidTimeError(
            f"happens twice in {zone.key}, where the clock goes back: send {earlier.isoformat()} or {later.isoformat()}"
        )
    # In a gap, PEP 495 reads fold=1 with the offset after the change, which lands before it, and
    # fold=0 with the offset before the change, which lands after it.
    before = later.astimezone(UTC).astimezone(zone)
    after = instant.astimezone(zone)
    raise InvalidTimeError(
        f"does not exist in {zone.key}, where the clock goes forward: send {before.isoformat()} or {after.isoformat()}"
    )


# --- the clock on the wall ---------------------------------------------------------------------------


def wall_time(moment: datetime, zone: ZoneInfo) -> datetime:
    """What the clock on the wall of a zone shows at a moment, as a naive datetime."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which the clock of a zone shows a naive time or, where it skips that, a later one.

    A time that is repeated is the first pass, and one that is skipped is the instant of the change.
    """
    earlier, later = (wall.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    instant = earlier.astimezone(UTC)
    if wall_time(instant, zone) == wall:
        return instant
    return change_of_offset(later.astimezone(UTC), instant, zone)


@lru_cache(maxsize=1024)
def local_day(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first instants of a date and of the one after it by the clock of a zone."""
    midnights = (datetime.combine(date_, time()) for date_ in (day, day + _DAY))
    first, following = (first_instant(midnight, zone) for midnight in midnights)
    return first, following


def day_around(start: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first instants of the local day of a zone on which a moment lies, and of the following one."""
    day = start.astimezone(zone).date()
    first, following = local_day(day, zone)
    if start >= following:  # the clock went back over midnight, and shows the date before once more
        first, following = local_day(day + _DAY, zone)
    return first, following


def change_of_offset(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """The instant between two at which the zone's offset changes, to the second."""
    old = low.astimezone(zone).utcoffset()
    while high - low > _SECOND:
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == old:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def has_change(start: datetime, end: datetime, zone: ZoneInfo) -> bool:
    """Whether the offset of a zone may change between two moments; looked at once a day."""
    moments = (start + n * _DAY for n in range((end - start) // _DAY + 1))
    return len({moment.astimezone(zone).utcoffset() for moment in (*moments, end)}) > 1


def is_longer(start: datetime, end: datetime, most: timedelta, zone: ZoneInfo | None) -> bool:
    """Whether something is longer than `most` both by the stopwatch and by the clock of a zone, if there is one."""
    return end - start > most and (zone is None or wall_time(end, zone) - wall_time(start, zone) > most)


class Length(NamedTuple):
    """How long something lasts: a span of time or, with a `zone`, whole days on the clock of that zone."""

    span: timedelta
    zone: ZoneInfo | None = None

    @classmethod
    def of(cls, span: timedelta, zone: ZoneInfo | None) -> Length:
        """A span that was asked for: one of whole days is counted in days of the zone, if there is one."""
        return cls(span, None if span % _DAY else zone)

    @classmethod
    def between(cls, start: datetime, end: datetime, zone: ZoneInfo | None) -> Length:
        """How long something is that exists: whole days of the zone if the clock shows the same time at both ends."""
        if zone and end - start >= _DAY / 2:
            days = wall_time(end, zone) - wall_time(start, zone)
            if days and not days % _DAY:
                return cls(days, zone)
        return cls(end - start)

    def after(self, start: datetime, times: int = 1) -> datetime:
        """The moment that is so many lengths after `start`; before it where `times` is negative."""
        if self.zone is None or not times:
            return start + times * self.span
        return first_instant(wall_time(start, self.zone) + times * self.span, self.zone)


_OFFSET = re.compile(r"([1-9]\d{0,4})([mhdw])", re.ASCII)
_UNIT = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": _DAY, "w": 7 * _DAY}


class Offset(NamedTuple):
    """How long before the start a reminder is due: so many local days, or a span of time. One of the two is zero."""

    days: timedelta
    span: timedelta

    def before(self, start: datetime, zone: ZoneInfo | None) -> datetime:
        """When that is: days earlier, at the same local time of `zone` or else in UTC; or a span earlier."""
        if self.days and zone:
            return first_instant(wall_time(start, zone) - self.days, zone)
        return start - self.days - self.span


def parse_offset(text: str) -> Offset:
    """A reminder's offset, such as `15m`, `24h`, `1d` or `2w`. Raises InvalidTimeError."""
    match = _OFFSET.fullmatch(text)
    if not match:
        raise InvalidTimeError(
            "is not a reminder offset; use minutes, hours, days or weeks, such as 15m, 24h, 1d or 1w"
        )
    amount = int(match[1]) * _UNIT[match[2]]
    return Offset(amount, timedelta()) if match[2] in "dw" else Offset(timedelta(), amount)
