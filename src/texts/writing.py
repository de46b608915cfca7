"""Writes emails and SMS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from texts.clean import lines, one_line, shortened
from texts.clock import is_vague
from texts.facts import Email
from texts.gsm import GSM, excess, in_gsm
from texts.templates import OWN, Language, Library, TextError, filled, tokens, tokens_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from texts.facts import Facts
    from texts.templates import Token

# Free text is cut to so many characters; a title in a subject to fewer, as nobody sees more of it.
NAME, TITLE, TITLE_IN_SUBJECT, PLACE, DESCRIPTION = 100, 200, 70, 300, 2000
# Less than this of a title or a place tells nobody anything.
LEAST = 12
# What texts may name, and what layouts may beside it: docs/texts.md.
NAMES = frozenset(
    ("kind", "state", "name", "greeting", "title", "location", "zone", "link", "attend", "hint", "action")
    + ("date", "day", "time", "when", "wasDate", "wasDay", "wasTime", "wasWhen")
    + ("shortAction", "sender", "closing", "colon", ".")
)
NAMES_OF_LAYOUTS = NAMES | frozenset(
    ("subject", "preview", "language", "direction", "before", "after", "text", "lines", "line", "more")
    + ("rows", "label", "strong", "old")
)
_SEPARATOR = re.compile(r"^---[ \t]*$", re.MULTILINE)
_PARAGRAPHS = re.compile(r"\n[ \t]*\n")
_FOLDER = re.compile(r"[A-Za-z0-9_-]+")


class When(NamedTuple):
    """The wall times of an appointment in one zone."""

    start: datetime
    end: datetime
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of a deployment: the standard ones, and those that a folder of `own` has in their place.

    A locale falls back: `de-CH`, `de`, the default one, `en`.
    """

    folder: str = ""
    default_locale: str = "en"
    root: Path = OWN

    def __post_init__(self) -> None:
        """Raises TextError where there is no such folder."""
        if self.folder and not (_FOLDER.fullmatch(self.folder) and (self.root / self.folder).is_dir()):
            raise TextError(f"there is no folder of texts {self.folder}")

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Texts:
        """As the template configures a function: `TEXTS` names the folder, `DEFAULT_LOCALE` the default."""
        return cls(env.get("TEXTS", ""), env.get("DEFAULT_LOCALE") or "en")

    @property
    def library(self) -> Library:
        return Library(self.root / self.folder if self.folder else None)

    def email(self, facts: Facts, locale: str | None) -> Email:
        """What an email says."""
        language = self._language(facts, locale, "email")
        values = _values(facts, language)
        subject, before, after = _parted(filled(tokens_of(language.file), _for_subject(values)))
        # The subject has a shortened title, and the body the whole one.
        _, before, after = _parted(filled(tokens_of(language.file), values))
        rows = [_row(label, said, **look) for label, said, look in _rows(facts, language)]
        layout = {
            **values,
            "subject": subject,
            "language": language.tag,
            "direction": language.clock.written["direction"],
            "before": before,
            "after": after,
            "rows": rows,
            "preview": rows[0]["text"],
        }
        text = filled(self._layout("layout.txt.mustache"), layout)
        return Email(subject, text.strip("\n") + "\n", filled(self._layout("layout.html.mustache"), layout))

    def sms(self, facts: Facts, locale: str | None) -> str:
        """What an SMS says: one part, of at most 160 places of GSM's alphabet or 70 units of UTF-16.

        What does not fit is shortened and left out by and by: the title, the place, the sender, what the link is for,
        the zone; and dates are written in figures. The times and the link are never left out.
        """
        language = self._language(facts, locale, "sms")
        parts = tokens_of(language.file)
        values = _values(facts, language)
        values["action"] = values["shortAction"]
        for tried in (values, _in_figures(values, facts, language)):
            for attempt in _attempts(parts, tried):
                if excess(attempt) <= 0:
                    return attempt
        return _last_resort(values, facts)

    def _language(self, facts: Facts, locale: str | None, channel: str) -> Language:
        name = f"{'resource' if facts.resource else facts.kind}.{channel}.mustache"
        return self.library.language(name, locale, self.default_locale)

    def _layout(self, name: str) -> tuple[Token, ...]:
        path = self.library.find(name, "")
        if path is None:
            raise TextError(f"there is no {name}")
        return tokens_of(path)


def _values(facts: Facts, language: Language) -> dict[str, Any]:
    """What texts may name, by the names that docs/texts.md tells."""
    words, clock = language.words, language.clock
    start = facts.start.astimezone(facts.zone)
    was = facts.was_start.astimezone(facts.zone) if facts.was_start else None
    has_link = bool(facts.link) and not facts.kind.is_over and not facts.resource
    step = "confirm" if facts.attend else "change"
    values: dict[str, Any] = {
        "kind": str(facts.kind),
        "state": words["states"][facts.kind],
        "name": one_line(facts.name, NAME),
        "sender": one_line(facts.sender, NAME),
        "title": one_line(facts.title, TITLE),
        "location": one_line(facts.location, PLACE),
        "date": clock.date(start),
        "day": clock.day(start),
        "time": clock.time(start),
        "when": clock.both(clock.day(start), clock.time(start)),
        "wasDate": was and clock.date(was),
        "wasDay": was and clock.day(was),
        "wasTime": was and clock.time(was),
        "wasWhen": was and clock.both(clock.day(was), clock.time(was)),
        "zone": clock.offset(start) if _is_elsewhere(facts) or is_vague(start) else None,
        "link": facts.link if has_link else None,
        "attend": facts.attend and has_link,
        "hint": words[f"{step}Hint"],
        "action": words[step],
        "shortAction": words[f"{step}Short"],
        "closing": words["closing"],
        "colon": words["colon"],
    }
    return values | {"greeting": filled(tokens(words["greeting"], "greeting"), values)}


def _for_subject(values: Mapping[str, Any]) -> dict[str, Any]:
    return {**values, "title": values["title"] and shortened(values["title"], TITLE_IN_SUBJECT)}


def _parted(said: str) -> tuple[str, list[dict[str, Any]], list[dict[str, Any]]]:
    """The first line is the subject; a line `---` stands where the times are told."""
    subject, _, rest = said.strip().partition("\n")
    before, *after = _SEPARATOR.split(rest, maxsplit=1)
    return subject.strip(), _paragraphs(before), _paragraphs("".join(after))


def _paragraphs(text: str) -> list[dict[str, Any]]:
    found = (part.strip() for part in _PARAGRAPHS.split(text))
    return [{"text": part, "lines": _lined(part.split("\n"))} for part in found if part]


def _lined(said: list[str]) -> list[dict[str, Any]]:
    return [{"line": line.strip(), "more": number > 0} for number, line in enumerate(said)]


def _rows(facts: Facts, language: Language) -> Iterator[tuple[str, list[str], dict[str, bool]]]:
    """What is told in a table: a label, lines, and how they look."""
    words = language.words
    here = When(facts.start.astimezone(facts.zone), facts.end.astimezone(facts.zone), facts.zone)
    there = None
    if facts.person_zone and _is_elsewhere(facts):
        zone = facts.person_zone
        there = When(facts.start.astimezone(zone), facts.end.astimezone(zone), zone)
    yield words["newTime" if facts.was_start else "when"], _times(here, language, there), {"strong": True}
    if there:
        yield words["yourTime"], _times(there, language, here), {}
    if facts.was_start:
        end = facts.was_end or facts.was_start + (facts.end - facts.start)
        was = When(facts.was_start.astimezone(facts.zone), end.astimezone(facts.zone), facts.zone)
        yield words["oldTime"], _times(was, language, None), {"old": True}
    for word, said in (
        ("about", [one_line(facts.title, TITLE)]),
        ("with", [", ".join(name for one in facts.with_whom if (name := one_line(one, NAME)))]),
        ("where", [one_line(facts.location, PLACE)]),
        ("details", lines(facts.description, DESCRIPTION)),
    ):
        if found := [line for line in said if line]:
            yield words[word], found, {"block": word == "details"}


def _row(
    label: str, said: list[str], *, strong: bool = False, old: bool = False, block: bool = False
) -> dict[str, Any]:
    text = ("\n  " if block else ", ").join(said)
    return {"label": label, "text": text, "lines": _lined(said), "strong": strong, "old": old}


def _times(when: When, language: Language, other: When | None) -> list[str]:
    """The date, and from when to when; the zone where the reader is in another one, or the clock tells too little."""
    clock = language.clock
    if when.start.date() == when.end.date():
        said = [clock.date(when.start), clock.times(when.start, when.end)]
    else:
        ends = [clock.both(clock.date(moment), clock.time(moment)) for moment in (when.start, when.end)]
        said = [clock.span(*ends)]
    if other:
        said.append(clock.place(when.start, other.zone))
    elif is_vague(when.start):
        said.append(clock.offset(when.start))
    return said


def _is_elsewhere(facts: Facts) -> bool:
    """Whether the clock where the reader is shows another time than that of the place."""
    return facts.person_zone is not None and any(
        moment.astimezone(facts.zone).utcoffset() != moment.astimezone(facts.person_zone).utcoffset()
        for moment in (facts.start, facts.end)
    )


def _in_figures(values: Mapping[str, Any], facts: Facts, language: Language) -> dict[str, Any]:
    """With short dates, without weekdays."""
    clock = language.clock
    found = dict(values)
    for day, when, moment in (("day", "when", facts.start), ("wasDay", "wasWhen", facts.was_start)):
        if moment:
            local = moment.astimezone(facts.zone)
            found[day] = clock.short(local)
            found[when] = f"{clock.short(local)} {clock.time(local)}"
    return found


def _attempts(parts: tuple[Token, ...], values: Mapping[str, Any]) -> Iterator[str]:
    """What an SMS may say, each attempt shorter than the one before."""
    yield (said := _said(parts, values))
    if not GSM.issuperset(said):
        yield from _shortening("title", parts, values)
        free = ("title", "location", "sender")
        values = {**values, **{key: None for key in free if values[key] and in_gsm(values[key]) is None}}
        yield _said(parts, values)
    for key in ("title", "location"):
        yield from _shortening(key, parts, values)
        values = {**values, key: None}
        yield _said(parts, values)
    for key in ("sender", "action", "zone"):
        values = {**values, key: None}
        yield _said(parts, values)


def _shortening(key: str, parts: tuple[Token, ...], values: Mapping[str, Any]) -> Iterator[str]:
    """With less and less of one free text, as long as something of it is left."""
    value = values[key] or ""
    length = len(value)
    over = excess(_said(parts, values))
    while over > 0 and length > LEAST:
        length = min(length - over, len(value) - 1)
        if length >= LEAST:
            said = _said(parts, {**values, key: shortened(value, length, "...")})
            yield said
            over = excess(said)


def _said(parts: tuple[Token, ...], values: Mapping[str, Any]) -> str:
    """One line, in the alphabet of GSM where that costs no letter."""
    text = " ".join(filled(parts, values).split()).replace("....", "...")
    translated = in_gsm(text)
    return text if translated is None else translated


def _last_resort(values: Mapping[str, Any], facts: Facts) -> str:
    """The times in figures, and the link."""
    moments = [moment.astimezone(facts.zone) for moment in (facts.was_start, facts.start) if moment]
    times = " -> ".join(f"{moment:%Y-%m-%d %H:%M}" for moment in moments)
    return " ".join(part for part in (times, values["link"]) if part)
