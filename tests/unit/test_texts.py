"""What people are written: whole, in their language, an SMS in one part, and nothing in it but text."""

from __future__ import annotations

import html
import json
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import ROOT
from texts import gsm, templates, writing
from texts.checking import LAYOUTS, faults, main
from texts.clean import lines, readable
from texts.facts import Email, Facts, Kind
from texts.templates import STANDARD, TextError, tokens_of
from texts.writing import NAMES, NAMES_OF_LAYOUTS, Texts

LOCALES = ("en", "de", "fr", "es", "pt", "it", "nl", "pl")
BERLIN, NEW_YORK, LONDON = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Europe/London")
START = datetime(2026, 11, 30, 9, tzinfo=UTC)
HALF = timedelta(minutes=30)
# As long as the API's own addresses are.
LINK = f"https://abcdefghij.execute-api.eu-central-1.amazonaws.com/prod/l/{'x' * 43}"
TEXTS = Texts()
EVERY = [(locale, kind) for locale in LOCALES for kind in Kind]
every = pytest.mark.parametrize(("locale", "kind"), EVERY, ids=[f"{locale}-{kind}" for locale, kind in EVERY])


def facts(kind: Kind = Kind.BOOKED, **others: Any) -> Facts:
    was = START - timedelta(days=4) if kind is Kind.MOVED else None
    given_ = {
        "name": "Anna Müller",
        "was_start": was,
        "was_end": was and was + HALF,
        "title": "Check-up",
        "location": "Main St 5",
        "description": "Please bring your card.\nFasting is not needed.",
        "with_whom": ("Dr. Meier", "Room 2"),
        "link": LINK,
        "sender": "Praxis & Co",
    }
    return Facts(kind, START, START + HALF, BERLIN, **(given_ | others))


class Read(HTMLParser):
    """What a mail program makes of HTML: its elements, and what is read of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.said: list[str] = []
        self.links: list[str] = []
        self.hidden = 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.hidden += tag in ("style", "title") or any("display: none" in (value or "") for _, value in attrs)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= self.hidden > 0 and tag in ("style", "title", "div")

    def handle_data(self, data: str) -> None:
        if not self.hidden and data.strip():
            self.said.append(" ".join(data.split()))


def words(text: str) -> list[str]:
    return sorted(re.findall(r"[^\s,:]+", text))


@every
def test_text_and_html_say_the_same(locale: str, kind: Kind) -> None:
    email = TEXTS.email(facts(kind, attend=True, person_zone=NEW_YORK), locale)
    read = Read(email.html)
    assert words(" ".join([*read.said, *read.links])) == words(email.text)


@every
def test_an_email_says_everything(locale: str, kind: Kind) -> None:
    email = TEXTS.email(facts(kind, attend=True), locale)
    for said in ("Check-up", "Main St 5", "Dr. Meier, Room 2", "Please bring your card.", "Praxis & Co", "2026", "10:"):
        assert said in email.text
    assert (LINK in email.text) is (not kind.is_over)
    assert ("Anna Müller" in email.text) is (locale != "pl")
    assert "Check-up" in email.subject
    assert "30" in email.subject
    assert "10:" in email.subject
    assert "{{" not in "".join(email)
    assert not re.search(r"\n\n\n|^\s|[ \t]\n", email.text)


@every
def test_a_move_tells_both_times_and_nothing_else_does(locale: str, kind: Kind) -> None:
    email, sms = TEXTS.email(facts(kind), locale), TEXTS.sms(facts(kind, link=None), locale)
    for said in (email.text, Read(email.html).said[-1] and " ".join(Read(email.html).said), sms):
        assert ("26" in said.replace("2026", "")) is (kind is Kind.MOVED)


def test_every_text_is_another() -> None:
    emails = [TEXTS.email(facts(kind, attend=True), locale) for locale, kind in EVERY]
    for number in range(3):
        assert len({email[number] for email in emails}) == len(EVERY)
    assert len({TEXTS.sms(facts(kind), locale) for locale, kind in EVERY}) == len(EVERY)


@every
def test_only_who_may_confirm_is_asked_to(locale: str, kind: Kind) -> None:
    asked, not_asked = (TEXTS.email(facts(kind, attend=attend), locale).text for attend in (True, False))
    assert (asked == not_asked) is kind.is_over


@every
def test_an_sms_has_one_part_with_the_time_and_the_link(locale: str, kind: Kind) -> None:
    long = {"title": "Dental check-up with cleaning and advice" * 3, "location": "Hauptstraße 5, München" * 3}
    for others in ({}, long, {"sender": None}, {"attend": True}, {"person_zone": NEW_YORK}, long | {"attend": True}):
        sms = TEXTS.sms(facts(kind, **others), locale)
        assert gsm.excess(sms) <= 0
        assert gsm.GSM.issuperset(sms)
        assert (LINK in sms) is (not kind.is_over)
        assert "30" in sms
        assert "10:00" in sms
        assert "2026" not in sms, "that is the last resort"
        assert "...." not in sms


def test_an_sms_gives_up_what_matters_least_first() -> None:
    short = "https://s.example/l/" + "x" * 43

    def said(**others: Any) -> str:
        sms = TEXTS.sms(facts(Kind.BOOKED, **{"link": short, "attend": True, **others}), "en")
        assert sms.endswith(others.get("link", short))
        return sms.removesuffix(others.get("link", short)).strip()

    assert said(sender=None) == ("Appointment booked: Mon, Nov 30, 10:00 AM, Check-up, Main St 5. Confirm or change:")
    assert said(sender=None, title="Professional cleaning", location="Fifth Street 5") == (
        "Appointment booked: Mon, Nov 30, 10:00 AM, Professional c..., Fifth Street 5. Confirm or change:"
    )
    assert said(title="Professional cleaning") == (
        "Praxis & Co: Appointment booked: Mon, Nov 30, 10:00 AM, Main St 5. Confirm or change:"
    )
    assert said(link=short + "x" * 30) == "Appointment booked: Mon, Nov 30, 10:00 AM. Confirm or change:"
    assert said(link=short + "x" * 45) == "Appointment booked: Mon, Nov 30, 10:00 AM"
    assert said(link=short + "x" * 60) == "Appointment booked: 11/30 10:00 AM"
    assert said(link=short + "x" * 70) == "2026-11-30 10:00"


def test_a_title_of_another_script_is_told_where_it_fits() -> None:
    cyrillic = "Осмотр"
    assert cyrillic in TEXTS.sms(facts(title=cyrillic, location=None, link=None, sender=None), "en")
    sms = TEXTS.sms(facts(title=cyrillic), "en")
    assert gsm.GSM.issuperset(sms)
    assert LINK in sms


def test_polish_is_written_in_the_alphabet_of_gsm() -> None:
    sms = TEXTS.sms(facts(Kind.MOVED, title="Żółta łódź", location=None, link=None, sender=None), "pl")
    assert sms == "Wizyta przelozona: pon., 30 lis, 10:00, zamiast czw., 26 lis, 10:00, Zolta lodz"


@pytest.mark.parametrize(
    ("locale", "default", "greeting"),
    [
        ("de", "en", "Guten Tag"),
        ("de-CH", "en", "Guten Tag"),
        ("DE_at", "en", "Guten Tag"),
        (None, "fr", "Bonjour"),
        ("xx", "nl-BE", "Beste"),
        ("xx", "yy", "Hello"),
        ("", "de", "Guten Tag"),
        ("../de", "it", "Gentile"),
    ],
)
def test_a_locale_falls_back(locale: str | None, default: str, greeting: str) -> None:
    assert Texts(default_locale=default).email(facts(), locale).text.startswith(greeting)


def test_a_region_writes_times_in_its_way() -> None:
    assert "10:00 \u2013 10:30\xa0AM" in TEXTS.email(facts(), "en-US").text
    assert "Monday, 30 November 2026, 10:00\u201310:30" in TEXTS.email(facts(), "en-GB").text
    january = facts(link=None)
    january = replace(january, start=START + timedelta(days=45), end=START + timedelta(days=45) + HALF)
    assert "Jänner" in TEXTS.email(january, "de-AT").text
    assert "Januar" in TEXTS.email(january, "de-CH").text


def test_zones_are_told_to_whom_is_in_another_one() -> None:
    here = TEXTS.email(facts(person_zone=ZoneInfo("Europe/Paris")), "en")
    assert "Time" not in here.text.replace("Timeless", "")
    assert "GMT" not in here.subject + TEXTS.sms(facts(person_zone=BERLIN, link=None), "en")
    there = TEXTS.email(facts(person_zone=NEW_YORK), "en")
    assert "When: Monday, November 30, 2026, 10:00 \u2013 10:30\xa0AM, Central European Time\n" in there.text
    assert "In your time zone: Monday, November 30, 2026, 4:00 \u2013 4:30\xa0AM, Eastern Time\n" in there.text
    assert "(GMT+1)" in there.subject
    assert "10:00 AM (GMT+1)" in TEXTS.sms(facts(person_zone=NEW_YORK, link=None), "en")


def test_zones_are_told_where_only_the_start_differs() -> None:
    night, lagos = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), ZoneInfo("Africa/Lagos")
    said = TEXTS.email(Facts(Kind.BOOKED, night, night + timedelta(hours=1), BERLIN, person_zone=lagos), "en").text
    assert "In your time zone: Sunday, October 25, 2026, 1:30 \u2013 2:30\xa0AM, West Africa Time\n" in said


def test_utc_is_told_because_nobody_said_where_it_is() -> None:
    there = TEXTS.email(replace(facts(), zone=ZoneInfo("UTC")), "en")
    assert "Monday, November 30, 2026, 9:00 \u2013 9:30\xa0AM, GMT\n" in there.text
    assert "(GMT)" in there.subject
    assert "(GMT" not in TEXTS.email(facts(), "en").subject


def test_zones_of_one_name_are_told_apart() -> None:
    summer = datetime(2026, 7, 1, 17, tzinfo=UTC)
    denver, phoenix = ZoneInfo("America/Denver"), ZoneInfo("America/Phoenix")
    said = TEXTS.email(Facts(Kind.BOOKED, summer, summer + HALF, denver, person_zone=phoenix), "en").text
    assert "11:00 \u2013 11:30\xa0AM, Mountain Time, GMT-6" in said
    assert "10:00 \u2013 10:30\xa0AM, Mountain Time, GMT-7" in said


def test_a_time_that_the_clock_shows_twice_has_its_offset() -> None:
    night = datetime(2026, 10, 25, 0, 15, tzinfo=UTC)
    first, second = (
        TEXTS.email(Facts(Kind.BOOKED, at, at + HALF, BERLIN), "de") for at in (night, night + timedelta(hours=1))
    )
    assert "02:15\u201302:45 Uhr, GMT+2" in first.text
    assert "02:15\u201302:45 Uhr, GMT+1" in second.text
    assert "(GMT+2)" in first.subject
    assert "(GMT+2)" in TEXTS.sms(Facts(Kind.BOOKED, night, night + HALF, BERLIN), "de")


def test_what_ends_on_another_day_has_two_dates() -> None:
    said = TEXTS.email(replace(facts(), end=START + timedelta(days=1)), "en").text
    assert "When: Monday, November 30, 2026, 10:00\xa0AM \u2013 Tuesday, December 1, 2026, 10:00\xa0AM\n" in said


def test_a_resource_is_told_briefly_and_has_no_link() -> None:
    for kind in Kind:
        email = TEXTS.email(facts(kind, resource=True, attend=True), "de")
        assert LINK not in "".join(email) + TEXTS.sms(facts(kind, resource=True), "de")
        assert gsm.excess(TEXTS.sms(facts(kind, resource=True), "de")) <= 0
    assert TEXTS.email(facts(Kind.CANCELLED, resource=True), "de").subject == (
        "Termin abgesagt: Mo., 30. Nov., 10:00 \u2013 Check-up"
    )
    assert "26. Nov." in TEXTS.sms(facts(Kind.MOVED, resource=True), "de")


def test_little_is_enough() -> None:
    for locale, kind in EVERY:
        bare = Facts(kind, START, START + HALF, BERLIN)
        email, sms = TEXTS.email(bare, locale), TEXTS.sms(bare, locale)
        assert "None" not in "".join(email) + sms
        assert not email.text.startswith(" ")
        assert " ," not in email.text + sms
        assert email.text.count("\n\n") == 2 + ("\n\n" in email.text.split("2026")[1]), (
            "a greeting, a sentence, the time, and perhaps what to do"
        )


# Free text of any kind: what would end a line, an element or a section, and any character at all.
hostile = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            '"><img src=x onerror=alert(1)>',
            "</td></table><a href='https://evil.example'>",
            "{{{link}}}{{#rows}}",
            "Subject\r\nBcc: victim@example.com",
            "&lt;b&gt;",
            "\u202egnp.exe",
            "\ud800",
            "x" * 5000,
            "🦷" * 300,
            "---",
        ]
    ),
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(EVERY),
    st.fixed_dictionaries(dict.fromkeys(("name", "title", "location", "description", "sender"), hostile)),
    st.lists(hostile, max_size=3),
)
def test_free_text_is_text(which: tuple[str, Kind], said: dict[str, str], whom: list[str]) -> None:
    locale, kind = which
    tried = facts(kind, **said, with_whom=tuple(whom))
    email = TEXTS.email(tried, locale)
    read = Read(email.html)
    assert set(read.tags) <= BENIGN
    assert set(read.links) <= {LINK}
    assert len(email.subject) < 220
    for text in (email.subject, *email.text.split("\n"), TEXTS.sms(tried, locale)):
        assert not re.search(
            "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", text
        )
    assert gsm.excess(TEXTS.sms(tried, locale)) <= 0
    "".join(email).encode()


BENIGN = set(Read(TEXTS.email(facts(Kind.MOVED, attend=True), "en").html).tags)


# All that turns the direction of writing, as Unicode's annex 9 lists it.
TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.mark.parametrize("character", [*TURNING, *"\u00ad\u200b\u200c\u200d\u2060\u3164\ufeff\U000e0041"])
def test_what_nobody_sees_is_not_in_a_text(character: str) -> None:
    assert readable(f"{character}De{character}ntist{character} {character}") == "Dentist"
    assert lines(f"a\n{character}\n{character}b", 50) == ["a", "b"]
    tried = facts(title=f"Den{character}tist")
    email = TEXTS.email(tried, "en")
    assert not any(character in text for text in (*email, TEXTS.sms(tried, "en")))


def test_direction_turns_by_the_database_of_unicode() -> None:
    explicit = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    found = {chr(code) for code in range(sys.maxunicode) if unicodedata.bidirectional(chr(code)) in explicit}
    assert found | set("\u061c\u200e\u200f") == set(TURNING)


@pytest.mark.parametrize(
    "text",
    [
        "\U0001f469\u200d\u2695\ufe0f",  # a doctor
        "\U0001f469\U0001f3fd\u200d\U0001f52c",  # a scientist, with the colour of her skin
        "\U0001f3f3\ufe0f\u200d\U0001f308",  # the rainbow flag
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # the flag of Scotland
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian: "I want"
        "\u0dc1\u0dca\u200d\u0dbb\u0dd3",  # Sinhala: "Sri"
        "\u8fbb\U000e0100",  # a Japanese surname, in one of its two shapes
    ],
)
def test_what_joins_letters_and_emojis_stays(text: str) -> None:
    assert readable(f"To {text}") == f"To {text}"
    # The same joiners say nothing elsewhere.
    assert readable("a\u200db\u200d\u200d \ufe0fc") == "ab c"


def test_free_text_is_escaped_once() -> None:
    email = TEXTS.email(facts(title="Tom & <Jerry>"), "en")
    assert "Tom &amp; &lt;Jerry&gt;" in email.html
    assert "Tom & <Jerry>" in email.text
    assert email.subject.endswith("Tom & <Jerry>")
    assert html.unescape(Read(email.html).said[-1])


def test_a_long_title_is_cut_in_the_subject_alone() -> None:
    email = TEXTS.email(facts(title="Long " * 30), "en")
    assert email.subject.endswith("…")
    assert len(email.subject) < 130
    assert ("Long " * 30).strip() in email.text


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "mine" / "de").mkdir(parents=True)
    yield tmp_path
    for cached in (templates.tokens_of, templates.tokens, templates._read_words):
        cached.cache_clear()


def mine(own: Path) -> Texts:
    return Texts("mine", root=own)


def write(own: Path, name: str, text: str) -> None:
    path = own / "mine" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_own_texts_come_before_the_standard_ones(own: Path) -> None:
    write(
        own,
        "de/booked.email.mustache",
        "Bis bald, {{name}}\n\nHallo {{{name}}}!\n\n---\n\nEine Zeile\nund noch eine.\n",
    )
    email = mine(own).email(facts(title="A & B"), "de")
    assert email.subject == "Bis bald, Anna Müller"
    assert email.text.startswith("Hallo Anna Müller!\n\nWann: ")
    assert "\n\nEine Zeile\nund noch eine.\n\n" in email.text
    assert "Eine Zeile<br>und noch eine." in email.html
    assert mine(own).email(facts(Kind.MOVED), "de") == TEXTS.email(facts(Kind.MOVED), "de")
    assert mine(own).email(facts(), "fr") == TEXTS.email(facts(), "fr")


def test_own_texts_know_whether_it_can_be_confirmed(own: Path) -> None:
    for kind in (Kind.BOOKED, Kind.CANCELLED):
        write(own, f"de/{kind}.sms.mustache", "{{#attend}}ja{{/attend}}{{^attend}}nein{{/attend}}")
    assert mine(own).sms(facts(attend=True), "de") == "ja"
    assert mine(own).sms(facts(attend=False), "de") == "nein"
    assert mine(own).sms(facts(Kind.CANCELLED, attend=True), "de") == "nein"


def test_own_texts_of_a_region_and_own_words(own: Path) -> None:
    write(own, "de-CH/words.json", json.dumps({"greeting": "Grüezi{{#name}} {{name}}{{/name}},"}))
    assert mine(own).email(facts(), "de-CH").text.startswith("Grüezi Anna Müller,\n")
    assert mine(own).email(facts(), "de-AT").text.startswith("Guten Tag")


def test_an_own_layout_escapes_too(own: Path) -> None:
    write(own, "layout.html.mustache", "<p>{{{title}}} {{&title}}</p>")
    write(own, "layout.txt.mustache", "{{title}}")
    email = mine(own).email(facts(title="<b>"), "en")
    assert email.html == "<p>&lt;b&gt; &lt;b&gt;</p>"
    assert email.text == "<b>\n"


def test_texts_of_a_language_without_dates_are_passed_over(own: Path) -> None:
    write(own, "xx/booked.email.mustache", "Xx")
    write(own, "xx/words.json", (STANDARD / "en" / "words.json").read_text())
    assert mine(own).email(facts(), "xx").text.startswith("Hello")


@pytest.mark.parametrize("text", ["{{#title}}", "{{/title}}", "{{title", "{{>other}}"])
def test_what_is_no_mustache_is_named(own: Path, text: str) -> None:
    write(own, "de/booked.email.mustache", text)
    with pytest.raises(TextError, match=r"de/booked\.email\.mustache"):
        mine(own).email(facts(), "de")


def test_words_that_are_no_json_are_named(own: Path) -> None:
    write(own, "de/words.json", "{")
    with pytest.raises(TextError, match=r"de/words\.json"):
        mine(own).email(facts(), "de")


@pytest.mark.parametrize("folder", ["missing", "../unit", "/", "."])
def test_a_folder_that_is_not_there_is_refused_at_the_start(folder: str) -> None:
    with pytest.raises(TextError, match="no folder"):
        Texts.from_env({"TEXTS": folder})


def test_the_environment_says_which_texts() -> None:
    assert Texts.from_env({}) == Texts("", "en")
    assert Texts.from_env({"TEXTS": "", "DEFAULT_LOCALE": "pl"}) == Texts("", "pl")


def test_what_texts_may_name_is_what_they_get() -> None:
    language = TEXTS._language(facts(), "en", "email")
    assert writing._values(facts(), language).keys() == NAMES - {"."}
    in_layouts = {
        key.removeprefix("has.") for name in LAYOUTS for kind, key in tokens_of(STANDARD / name) if kind != "literal"
    }
    assert in_layouts <= NAMES_OF_LAYOUTS


def test_docs_name_all_that_texts_may_name() -> None:
    told = (ROOT / "docs" / "texts.md").read_text()
    assert [name for name in sorted(NAMES_OF_LAYOUTS - {"."}) if f"`{name}`" not in told] == []


def test_standard_texts_have_no_faults(tmp_path: Path) -> None:
    shutil.copytree(STANDARD, tmp_path / "mine")
    assert list(faults(tmp_path / "mine")) == []
    main(tmp_path)
    main()


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("de/bookd.email.mustache", "x", "mine/de/bookd.email.mustache: no text is called so"),
        ("de/x/booked.email.mustache", "x", "mine/de/x/booked.email.mustache: no text is called so"),
        ("de/booked.sms.mustache", "{{name}} {{nmae}}", "mine/de/booked.sms.mustache: there is no nmae"),
        ("de/booked.sms.mustache", "{{#rows}}{{/rows}}", "mine/de/booked.sms.mustache: there is no rows"),
        ("layout.txt.mustache", "{{#rows}}{{label}}{{/rows}}{{#x}}{{/x}}", "mine/layout.txt.mustache: there is no x"),
        (
            "fr/moved.email.mustache",
            "{{#title}}",
            "mine/fr/moved.email.mustache: Unexpected EOF",
        ),
        ("xx/booked.sms.mustache", "x", "mine/xx/booked.sms.mustache: there are no dates of this language: python"),
        ("de/words.json", "{", "mine/de/words.json: Expecting property name"),
        ("de/words.json", '{"wehn": "x"}', "mine/de/words.json: there is no word wehn"),
        ("de/words.json", '{"greeting": "{{#x"}', "mine/de: reminder: TextError: greeting"),
        ("de/words.json", '{"states": {}}', "mine/de: reminder: KeyError"),
    ],
)
def test_a_build_names_what_is_wrong(
    own: Path, name: str, text: str, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(own, name, text)
    with pytest.raises(SystemExit):
        main(own)
    assert any(line.startswith(fault) for line in capsys.readouterr().err.splitlines())


def shape(value: Any) -> Any:
    return {key: shape(item) for key, item in value.items()} if isinstance(value, dict) else type(value)


@pytest.mark.parametrize("locale", LOCALES)
def test_every_language_has_every_file_and_word(locale: str) -> None:
    names = {f"{kind}.{channel}.mustache" for kind in Kind for channel in ("email", "sms")} | {"words.json"}
    assert {path.name for path in (STANDARD / locale).iterdir()} == names
    said = json.loads((STANDARD / locale / "words.json").read_text())
    assert shape(said) == shape(json.loads((STANDARD / "en" / "words.json").read_text()))
    assert all(said.values())


def test_there_are_no_other_languages() -> None:
    assert {path.name for path in STANDARD.iterdir() if path.is_dir()} == set(LOCALES)


def test_email_is_what_is_promised() -> None:
    email = TEXTS.email(facts(), "en")
    assert isinstance(email, Email)
    assert tokens_of(STANDARD / "layout.html.mustache")
    assert email.html.startswith('<!DOCTYPE html>\n<html lang="en" dir="ltr">')


@pytest.mark.parametrize(
    ("text", "over"),
    [("x" * 160, 0), ("x" * 161, 1), ("€" * 80, 0), ("€" * 81, 2), ("я" * 71, 1), ("🦷" * 35, 0), ("🦷" * 36, 2)],
)
def test_the_places_of_an_sms_are_counted_as_networks_do(text: str, over: int) -> None:
    assert gsm.excess(text) == over
