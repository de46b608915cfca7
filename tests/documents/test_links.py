"""Every link within the documents leads to a file, and to a heading where it names one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from support import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def without_code(path: Path) -> str:
    return re.sub(r"^ *```.*?^ *```$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub forms them."""
    headings = re.findall(r"^#+ (.+)$", without_code(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(path: Path) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", without_code(path)) if not link.startswith("http")]


LINKS = [(path, link) for path in DOCUMENTS for link in links(path)]


@pytest.mark.parametrize(("path", "link"), LINKS, ids=[f"{path.relative_to(ROOT)} {link}" for path, link in LINKS])
def test_every_link_leads_somewhere(path: Path, link: str) -> None:
    file, _, anchor = link.partition("#")
    target = (path.parent / file).resolve() if file else path
    assert target.exists()
    if anchor:
        assert anchor in anchors(target)


def test_links_are_found() -> None:
    assert {path.name for path, _ in LINKS} >= {"README.md", "api.md", "performance.md", "reliability.md"}
