"""The files of texts: which one speaks, and what it says. A plain text escapes nothing, HTML escapes everything."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.errors import ProductError
from texts.clock import Clock, clock, parts_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STANDARD = Path(__file__).parent / "standard"
OWN = Path(__file__).parent / "own"
LAST_RESORT = "en"
WORDS = "words.json"

Token = tuple[str, str]


class TextError(ProductError):
    """A file of texts cannot be read as one, or a folder of texts is not there."""


class Language(NamedTuple):
    """The language in which one text is written: its file, its words, and how it writes times."""

    tag: str
    file: Path
    words: Mapping[str, Any]
    clock: Clock


@dataclass(frozen=True, slots=True)
class Library:
    """Where files are looked for: in a folder of own texts, if there is one, and among the standard ones."""

    own: Path | None = None

    def language(self, name: str, *locales: str | None) -> Language:
        """The first of the locales that has a text of that name, else the last resort."""
        for locale in (*locales, LAST_RESORT):
            language, region = parts_of(locale) if locale else ("", None)
            folders = [f"{language}-{region}", language] if region else [language]
            times, words = clock(language, region), self._words(folders)
            file = self.find(name, *folders, "")
            if times and words and file:
                return Language("-".join(part for part in (language, region) if part), file, words, times)
        raise TextError(f"there is no text {name}")

    def find(self, name: str, *folders: str) -> Path | None:
        """The nearest file of that name: the region's before the language's, and there our own before the standard."""
        return next(iter(self._all(name, folders)), None)

    def _all(self, name: str, folders: tuple[str, ...]) -> Iterator[Path]:
        for folder in folders:
            for root in (self.own, STANDARD):
                if root and (path := root / folder / name).is_file():
                    yield path

    def _words(self, folders: list[str]) -> Mapping[str, Any]:
        """The words of a language. A file of own ones may have only some, and then the others are the standard ones."""
        found: dict[str, Any] = {}
        for path in reversed(list(self._all(WORDS, tuple(folders)))):
            found |= _read_words(path)
        return found


@cache
def _read_words(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except ValueError as exc:
        raise TextError(f"{path.parent.name}/{path.name}: {exc}") from exc
    return found


@cache
def tokens_of(path: Path) -> tuple[Token, ...]:
    """What a file consists of. Raises TextError where it is not Mustache."""
    return tokens(path.read_text("utf-8"), f"{path.parent.name}/{path.name}", html=".html." in path.name)


@cache
def tokens(text: str, name: str, *, html: bool = False) -> tuple[Token, ...]:
    """What a text consists of: however its variables are written, HTML escapes them and a plain text does not.

    Sections ask `has`, in which `filled` keeps what is there: chevron would find `title` in the text of a section
    `title`, as each text of Python has a method of that name.
    """
    from chevron.tokenizer import tokenize  # noqa: PLC0415 - not before the first text

    variable = "variable" if html else "no escape"
    found: list[Token] = []
    try:
        for kind, key in tokenize(text):
            if kind == "partial":
                raise TextError(f"{name}: {{{{>{key}}}}} is not supported")
            if kind in ("variable", "no escape"):
                found.append((variable, key))
            elif kind in ("section", "inverted section", "end"):
                found.append((kind, f"has.{key}"))
            else:
                found.append((kind, key))
    except SyntaxError as exc:
        raise TextError(f"{name}: {exc}") from exc
    return tuple(found)


def filled(parts: tuple[Token, ...], values: Mapping[str, Any]) -> str:
    """The text that comes of a file and values. A section shows where its value is there; for a list, once for each."""
    import chevron  # noqa: PLC0415 - not before the first text

    return str(chevron.render(parts, _scope(values), partials_path=None))


def _scope(values: Mapping[str, Any]) -> dict[str, Any]:
    has: dict[str, Any] = {}
    for key, value in values.items():
        has[key] = [_scope(item) for item in value] if isinstance(value, list) else bool(value)
    return {**values, "has": has}
