"""Dates and times on the page of a link, as its language writes them."""

from __future__ import annotations

from datetime import datetime, time
from typing import TYPE_CHECKING

from texts.clock import clock

if TYPE_CHECKING:
    from datetime import date

    from texts.clock import Clock


def written_date(day: date, language: str) -> str:
    """A date with its weekday, such as `Dienstag, 15. Januar 2030`."""
    return _clock(language).date(_at_midnight(day))


def written_time(local: datetime, language: str) -> str:
    """A time of the day, such as `09:05` or `9:05 AM`."""
    # The narrow space of CLDR, which texts leave to mail programs that know only the wide one.
    return _clock(language).time(local).replace("\u00a0", "\u202f")


def short_day(day: date, language: str) -> str:
    """A day of the week, such as `Di.`."""
    return _clock(language).weekday(_at_midnight(day))


def month(day: date, language: str) -> str:
    """The month of a date, such as `Januar`."""
    return _clock(language).month(_at_midnight(day))


def _at_midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def _clock(language: str) -> Clock:
    found = clock(language)
    assert found is not None  # noqa: S101 - a test holds that every language of the page has its file
    return found
