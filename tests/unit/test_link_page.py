"""The page of a link in every language: dates as CLDR has them, phrases of one kind, and the language that fits."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, date, datetime, timedelta
from string import Formatter

import pytest
from babel import Locale
from babel.dates import format_date, format_time

from appointments.contacts import Contact
from conflict_detector.links.dates import clock_of, short_day, written_date, written_time
from conflict_detector.links.offering import WEEKS, week_around
from conflict_detector.links.page import POLICY
from conflict_detector.links.phrases import PHRASES, locale_of
from conflict_detector.links.style import STYLE
from texts.clock import FOLDER


@pytest.mark.parametrize("language", PHRASES)
def test_dates_are_written_as_cldr_writes_them(language: str) -> None:
    for day in (date(2028, 1, 1) + timedelta(days=n) for n in range(366)):
        assert written_date(day, clock_of(language)) == format_date(day, "full", language)
    short = Locale(language).days["format"]["abbreviated"]
    monday = date(2028, 1, 3)
    assert [short_day(monday + timedelta(days=n), clock_of(language)) for n in range(7)] == [short[n] for n in range(7)]


@pytest.mark.parametrize("language", PHRASES)
def test_times_are_written_as_cldr_writes_them(language: str) -> None:
    for moment in (datetime(2030, 1, 15, tzinfo=UTC) + timedelta(minutes=17 * n) for n in range(85)):
        assert written_time(moment, clock_of(language)) == format_time(moment.time(), "short", locale=language)


def test_every_language_has_every_phrase_with_the_same_blanks() -> None:
    def blanks(text: str) -> set[str | None]:
        return {name for _, name, _, _ in Formatter().parse(text) if name is not None}

    english = PHRASES["en"]
    assert PHRASES.keys() == {path.stem for path in FOLDER.glob("*.json")}
    for language, phrases in PHRASES.items():
        assert phrases.keys() == english.keys()
        for key, text in phrases.items():
            assert blanks(text) == blanks(english[key]), (language, key)
            assert text.strip() == text
            assert language == "en" or text != english[key] or key == "later", (language, key)


@pytest.mark.parametrize(
    ("locale", "accepted", "expected"),
    [
        ("pl", ["de"], "pl"),
        ("de-CH", [], "de-CH"),
        ("PT", [], "pt"),
        ("en_Latn_GB", ["en-US"], "en-GB"),
        (None, ["fr-CA,fr;q=0.9,en;q=0.8"], "fr-CA"),
        (None, ["en;q=0.2, nl;q=0.7", "it;q=0.9"], "it"),
        ("tlh", ["xx, es;q=0.5"], "es"),
        (None, ["de;q=0, nl;q=0.1"], "nl"),
        (None, ["*"], "en"),
        (None, ["de;q=9", ";;;", "\u0130"], "en"),
        (None, [], "en"),
        (None, ["," * 10_000 + "de"], "en"),
    ],
)
def test_the_language_is_the_persons_else_the_browsers_else_english(
    locale: str | None, accepted: list[str], expected: str
) -> None:
    language, _, region = expected.partition("-")
    assert locale_of(Contact(locale=locale), accepted) == (language, region or None)
    if locale is None:
        assert locale_of(None, accepted) == (language, region or None)


def test_a_region_writes_times_in_its_way() -> None:
    noon = datetime(2030, 1, 15, 12, 5, tzinfo=UTC)
    said = {
        region: (written_date(noon.date(), by), written_time(noon, by))
        for region in (None, "GB", "XX")
        if (by := clock_of("en", region))
    }
    assert said[None] == said["XX"] == ("Tuesday, January 15, 2030", "12:05\u202fPM")
    assert said["GB"] == ("Tuesday, 15 January 2030", "12:05")


def test_weeks_are_counted_from_today_and_end_half_a_year_after_the_appointment() -> None:
    today = date(2030, 1, 9)
    assert week_around(today, today, today) == (today, True, False)
    assert week_around(date(2030, 1, 15), today, today) == (today, True, False)
    assert week_around(date(2030, 1, 16), today, today) == (date(2030, 1, 16), False, False)
    assert week_around(date(2029, 1, 1), today, date(2029, 1, 1)) == (today, True, False)
    last = today + timedelta(weeks=WEEKS)
    assert week_around(date(9999, 12, 31), today, today) == (last, False, True)
    # One of next year is moved to times near its own.
    own = date(2031, 3, 4)
    assert week_around(own, today, own)[0] <= own < week_around(own, today, own)[0] + timedelta(weeks=1)
    assert week_around(date(9999, 12, 31), today, own)[0] > own + timedelta(weeks=WEEKS - 1)


def test_the_policy_allows_the_one_style_and_no_script() -> None:
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in POLICY
    assert "script" not in POLICY
    assert not re.search(r"url\(|@import", STYLE)
