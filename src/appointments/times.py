"""Times at the edge: RFC 3339 text and IANA zones in, aware UTC datetimes inside.

Everything here works in whole seconds. Every datetime that leaves this module is aware and in UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

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


def parse_time(text: str, zone: ZoneInfo | None) -> datetime:
    """Read one point in time and return it in UTC, in whole seconds (fractions are dropped).

    A text with an offset stands for itself. A local time is read in `zone`; one that daylight saving
    skips or repeats is refused, with what would be accepted (RFC 3339 leaves local times undefined).
    Raises InvalidTimeError.
    """
    match = _TIMESTAMP.fullmatch(text)
    if not match:
        raise InvalidTimeError("is not an RFC 3339 time; use e.g. 2030-01-15T09:00:00Z or 2030-01-15T09:00:00-05:00")
    date, clock, seconds, offset = match.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}{seconds or ''}{(offset or '').upper()}")
        if offset:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise InvalidTimeError(f"is not a valid date and time: {exc}") from exc
    if zone is None:
        raise InvalidTimeError("has no offset: add one (Z or e.g. -05:00), or send `timeZone`")
    return _resolve_local(moment, zone)


def has_offset(text: str) -> bool:
    """Whether a time names its offset from UTC, and so needs no zone."""
    match = _TIMESTAMP.fullmatch(text)
    return bool(match and match[4])


def _resolve_local(wall: datetime, zone: ZoneInfo) -> datetime:
    """Place a wall-clock time of `zone` in UTC. PEP 495: `fold` picks one side of a change of the clock."""
    try:
        earlier = wall.replace(tzinfo=zone, fold=0)
        later = wall.replace(tzinfo=zone, fold=1)
        instant = earlier.astimezone(UTC)
        if earlier.utcoffset() == later.utcoffset():
            return instant
        if instant.astimezone(zone).replace(tzinfo=None) == wall:
            raise InvalidTimeError(
                f"happens twice in {zone.key}, where the clock goes back: send {earlier.isoformat()} "
                f"or {later.isoformat()}"
            )
        # In a gap, PEP 495 reads fold=1 with the offset after the change, which lands before it, and
        # fold=0 with the offset before the change, which lands after it.
        before = later.astimezone(UTC).astimezone(zone)
        after = instant.astimezone(zone)
    except OverflowError as exc:
        raise InvalidTimeError(f"is not a valid date and time: {exc}") from exc
    raise InvalidTimeError(
        f"does not exist in {zone.key}, where the clock goes forward: send {before.isoformat()} or {after.isoformat()}"
    )


_OFFSET = re.compile(r"([1-9]\d{0,4})([mhd])", re.ASCII)
_UNIT = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def parse_offset(text: str) -> timedelta:
    """A reminder's offset, the span before the start: `15m`, `24h`, `7d`. Raises InvalidTimeError."""
    match = _OFFSET.fullmatch(text)
    if not match:
        raise InvalidTimeError("is not a reminder offset; use minutes, hours or days, such as 15m, 24h or 7d")
    return int(match[1]) * _UNIT[match[2]]
