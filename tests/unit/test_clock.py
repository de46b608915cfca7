"""Texts write dates as CLDR says, in every region of their languages. babel is the reference."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from babel import Locale
from babel import dates as babel
from babel.localedata import locale_identifiers

from local.dates import FOLDER, LANGUAGES, as_json, of_language, spaced, zones
from texts.clock import Clock, clock, parts_of

LOCALES = [
    name
    for name in sorted(locale_identifiers())
    if (parsed := Locale.parse(name)).language in LANGUAGES and not parsed.script and not parsed.variant
]
REGIONS = [Locale.parse(name) for name in LOCALES]
# Every day of a year, at every hour and at several minutes.
MOMENTS = [datetime(2027, 1, 1, tzinfo=UTC) + timedelta(days=n, hours=n % 24, minutes=n * 7 % 60) for n in range(365)]


def ours(locale: Locale) -> Clock:
    found = clock(locale.language, locale.territory)
    assert found
    return found


def test_there_are_the_regions_of_all_languages() -> None:
    assert len(REGIONS) > 200
    assert {locale.language for locale in REGIONS} == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_files_are_what_babel_says(language: str) -> None:
    assert (FOLDER / f"{language}.json").read_text() == as_json(of_language(language))


def test_the_names_that_zones_share_are_what_babel_says() -> None:
    kept: dict[str, Any] = json.loads((FOLDER.parent / "zones.json").read_text())
    assert kept == zones()


def test_every_region_writes_dates_and_times_as_babel_does() -> None:
    for locale in REGIONS:
        mine, moments = ours(locale), random.Random(str(locale)).sample(MOMENTS, 12)
        for moment in [*moments, MOMENTS[0], MOMENTS[12]]:
            assert mine.date(moment) == spaced(babel.format_date(moment, "full", locale))
            assert mine.day(moment) == spaced(babel.format_skeleton("MMMEd", moment, locale=locale))
            assert mine.short(moment) == spaced(babel.format_skeleton("Md", moment, locale=locale))
            assert mine.time(moment) == spaced(babel.format_time(moment, "short", locale=locale))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_day_is_written_as_babel_does(language: str) -> None:
    locale = Locale(language)
    for moment in MOMENTS:
        assert ours(locale).date(moment) == spaced(babel.format_date(moment, "full", locale))
        assert ours(locale).day(moment) == spaced(babel.format_skeleton("MMMEd", moment, locale=locale))
        assert ours(locale).time(moment) == spaced(babel.format_time(moment, "short", locale=locale))


def test_a_range_is_written_as_babel_does() -> None:
    for locale in REGIONS:
        mine = ours(locale)
        for hours, minutes in ((0, 30), (1, 0), (4, 15)):
            for start in (MOMENTS[8].replace(hour=8, minute=15), MOMENTS[8].replace(hour=10, minute=0)):
                end = start + timedelta(hours=hours, minutes=minutes)
                skeleton = "hm" if "a" in locale.time_formats["short"].pattern else "Hm"
                expected = spaced(babel.format_interval(start, end, skeleton, locale=locale))
                assert mine.times(start, end) == expected, locale


def test_zones_are_called_as_babel_calls_them() -> None:
    for locale in REGIONS:
        for key in ("Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Europe/Moscow", "US/Pacific"):
            assert ours(locale).zone(ZoneInfo(key)) == babel.get_timezone_name(key, "long", locale=locale)
        city = babel.get_timezone_location("Asia/Amman", locale, return_city=True)
        assert ours(locale).zone(ZoneInfo("Asia/Amman")) == city


def test_every_zone_has_a_name_or_is_an_offset() -> None:
    import zoneinfo

    english = ours(Locale("en"))
    nameless = {key for key in zoneinfo.available_timezones() if not english.zone(ZoneInfo(key))}
    assert {key for key in nameless if "/" in key and not key.startswith("Etc/GMT")} == set()


@pytest.mark.parametrize(
    ("key", "month", "offset"),
    [
        ("Europe/Berlin", 1, "GMT+1"),
        ("Europe/Berlin", 7, "GMT+2"),
        ("Asia/Kolkata", 1, "GMT+5:30"),
        ("America/New_York", 1, "GMT-5"),
        ("America/St_Johns", 1, "GMT-3:30"),
        ("UTC", 1, "GMT"),
    ],
)
def test_offsets(key: str, month: int, offset: str) -> None:
    english = ours(Locale("en"))
    assert english.offset(datetime(2027, month, 1, tzinfo=ZoneInfo(key))) == offset


@pytest.mark.parametrize(
    ("locale", "parts"),
    [
        ("de", ("de", None)),
        ("de-CH", ("de", "CH")),
        ("DE_ch", ("de", "CH")),
        ("es-419", ("es", "419")),
        ("de-Latn-AT", ("de", "AT")),
    ],
)
def test_a_locale_has_a_language_and_perhaps_a_region(locale: str, parts: tuple[str, str | None]) -> None:
    assert parts_of(locale) == parts


def test_a_language_without_a_file_is_none() -> None:
    assert (clock("xx"), clock("../de"), clock("zones")) == (None, None, None)
