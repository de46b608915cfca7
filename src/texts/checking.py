"""Refuses own texts that could not be sent: `python -m texts.checking`, as part of each build."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from texts.clock import clock, parts_of
from texts.facts import Facts, Kind
from texts.templates import LAST_RESORT, OWN, STANDARD, WORDS, TextError, tokens_of
from texts.writing import NAMES, NAMES_OF_LAYOUTS, Texts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LAYOUTS = ("layout.html.mustache", "layout.txt.mustache")
_START = datetime(2026, 11, 30, 13, 30, tzinfo=UTC)


def main(root: Path = OWN) -> None:
    """Name every fault of every folder, and fail if there is one."""
    found = [fault for folder in sorted(root.iterdir()) if folder.is_dir() for fault in faults(folder)]
    for fault in found:
        sys.stderr.write(f"{fault}\n")
    if found:
        sys.exit(1)


def faults(folder: Path) -> Iterator[str]:
    """What is wrong with a folder of own texts."""
    texts = Texts(folder.name, root=folder.parent)
    found = [
        f"{folder.name}/{path.relative_to(folder)}: {fault}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for fault in _of_file(folder, path)
    ]
    yield from found
    if found:
        return  # each text of each language would tell of it again
    for locale in sorted({path.name for root in (folder, STANDARD) for path in root.iterdir() if path.is_dir()}):
        for facts in _examples():
            try:
                texts.email(facts, locale)
                texts.sms(facts, locale)
            except (TextError, KeyError, TypeError) as exc:
                yield f"{folder.name}/{locale}: {facts.kind}: {type(exc).__name__}: {exc}"
                break


def _of_file(folder: Path, path: Path) -> Iterator[str]:
    *locale, name = path.relative_to(folder).parts
    texts = {f"{text}.{channel}.mustache" for text in (*Kind, "resource") for channel in ("email", "sms")}
    if name not in {*texts, *LAYOUTS, WORDS} or len(locale) > 1:
        yield "no text is called so"
        return
    if locale and not clock(*parts_of(locale[0])):
        yield f"there are no dates of this language: python -m local.dates {parts_of(locale[0])[0]}"
    if name == WORDS:
        yield from _of_words(path)
        return
    try:
        said = tokens_of(path)
    except TextError as exc:
        yield " ".join(str(exc).partition(": ")[2].split())
        return
    known = NAMES_OF_LAYOUTS if name in LAYOUTS else NAMES
    for kind, key in said:
        if kind != "literal" and key.removeprefix("has.") not in known:
            yield f"there is no {key.removeprefix('has.')}"


def _of_words(path: Path) -> Iterator[str]:
    try:
        words = json.loads(path.read_text("utf-8"))
    except ValueError as exc:
        yield str(exc)
        return
    standard = json.loads((STANDARD / LAST_RESORT / WORDS).read_text("utf-8"))
    for key in words:
        if key not in standard:
            yield f"there is no word {key}"
    if path.parent.name not in (root.name for root in STANDARD.iterdir()) and "-" not in path.parent.name:
        yield from (f"{key} is missing" for key in standard if key not in words)


def _examples() -> Iterator[Facts]:
    """Every kind, with all that a text can have and with as little as there can be."""
    for kind in Kind:
        bare = Facts(kind, _START, _START + timedelta(minutes=30), ZoneInfo("UTC"))
        whole = replace(
            bare,
            name="Anna",
            person_zone=ZoneInfo("Asia/Tokyo"),
            was_start=_START - timedelta(days=1),
            title="Title",
            location="Place",
            description="One\nTwo",
            with_whom=("Dr. Meier",),
            link="https://example.com/l/x",
            attend=True,
            sender="Sender",
        )
        yield from (bare, whole, replace(whole, resource=True))


if __name__ == "__main__":
    main()
