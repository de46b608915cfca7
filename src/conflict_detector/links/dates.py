"""Dates and times on the page of a link, as the language and the region of its reader write them."""

from __future__ import annotations

from datetime import datetime, time
from typing import TYPE_CHECKING

from texts.clock import clock

if TYPE_CHECKING:
    from datetime import date

    from texts.clock import Clock


def clock_of(language: str, region: str | None = None) -> Clock:
    """How a language of the page writes times, in a region where that differs."""
    found = clock(language, region)
    assert found is not None  # noqa: S101 - a test holds that every language of the page has its file
    return found


def written_date(day: date, by: Clock) -> str:
    """A date with its weekday, such as `Dienstag, 15. Januar 2030`."""
    return by.date(_at_midnight(day))


def written_time(local: datetime, by: Clock) -> str:
    """A time of the day, such as `09:05` or `9:05 AM`."""
    # The narrow space of CLDR, which texts leave to mail programs that know only the wide one.
    return by.time(local).replace("\u00a0", "\u202f")


def short_day(day: date, by: Clock) -> str:
    """A day of the week, such as `Di.`."""
    return by.weekday(_at_midnight(day))


def month(day: date, by: Clock) -> str:
    """The month of a date, such as `Januar`."""
    return by.month(_at_midnight(day))


def _at_midnight(day: date) -> datetime:
    return datetime.combine(day, time())
