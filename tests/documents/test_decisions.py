"""Every decision record has the same shape, and the index lists them all."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

import pytest

from support import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ROOT / "docs" / "decisions"
RECORDS = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
HEAD = re.compile(r"# (\d{4})\. (\S.*)\n\n- Status: (.+)\n- Date: (\d{4}-\d\d-\d\d)\n")
SECTIONS = ["Context", "Decision", "Alternatives", "Consequences"]
INDEX = re.findall(
    r"^\| \[(\d{4})\]\(([^)]+)\) \| (.+) \| (.+) \| (.+) \|$", (FOLDER / "README.md").read_text(), re.MULTILINE
)


def head(path: Path) -> tuple[str, ...]:
    """Number, title, status and date of a record."""
    found = HEAD.match(path.read_text())
    assert found, f"{path.name} does not begin with number, title, status and date"
    return found.groups()


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem[:4])
def test_a_record_has_every_section_and_a_status(path: Path) -> None:
    number, _, status, day = head(path)
    assert path.name.startswith(f"{number}-")
    assert date.fromisoformat(day)
    superseded = re.fullmatch(r"superseded by (\d{4})", status)
    assert superseded or status in {"proposed", "accepted", "rejected"}
    if superseded:
        assert superseded[1] in {record.name[:4] for record in RECORDS}
    _, *sections = re.split(r"^## ", path.read_text(), flags=re.MULTILINE)
    assert [section.partition("\n")[0] for section in sections] == SECTIONS
    assert all(section.partition("\n")[2].strip() for section in sections)


def test_records_are_numbered_without_a_gap() -> None:
    assert [record.name[:4] for record in RECORDS] == [f"{number:04}" for number in range(1, len(RECORDS) + 1)]


def test_the_index_lists_every_record() -> None:
    listed = [(number, name, title, status, day) for number, name, title, status, day in INDEX]
    heads = {path.name: head(path) for path in RECORDS}
    assert listed == [(number, name, title, status, day) for name, (number, title, status, day) in heads.items()]
