"""CONTRIBUTING.md lists every suite, and the files and tests that the documents name exist."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from support import ROOT

if TYPE_CHECKING:
    from pathlib import Path

GUIDE = (ROOT / "CONTRIBUTING.md").read_text()
# Decision records and the changelog describe the past, so they may name what has been moved since.
PRESENT = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
PATH = re.compile(r"`((?:src|tests|docs|local|ops|bench|events|requirements|monitoring)/[\w./-]*)(?:::(\w+))?`")


def named() -> list[tuple[str, str, str]]:
    """Every path, and every test of one, that a document names in code quotes."""
    texts = {path: path.read_text() for path in PRESENT if path.name != "CHANGELOG.md"}
    return [
        (str(document.relative_to(ROOT)), *found) for document, text in texts.items() for found in PATH.findall(text)
    ]


def test_the_guide_lists_every_suite() -> None:
    listed = set(re.findall(r"^\| `tests/(\w+)` \|", GUIDE, re.MULTILINE))
    assert listed == {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}


@pytest.mark.parametrize(("document", "path", "test"), sorted(set(named())))
def test_what_a_document_names_exists(document: str, path: str, test: str) -> None:
    target: Path = ROOT / path
    assert target.exists(), f"{document} names {path}"
    if test:
        assert re.search(rf"^def {test}\(", target.read_text(), re.MULTILINE), f"{document} names {path}::{test}"


@pytest.mark.parametrize("document", PRESENT, ids=lambda path: path.name)
def test_every_test_that_a_document_names_exists(document: Path) -> None:
    """`test_sweep.py` is a file of any suite, and `test_40` the beginning of a test's name."""
    files = {path.name: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    text = document.read_text()
    assert set(re.findall(r"`(test_\w+\.py)`", text)) <= files.keys()
    for name in re.findall(r"`(test_\w+)`", text):
        assert any(f"def {name}" in source for source in files.values()), name


def test_paths_are_found() -> None:
    assert {path for _, path, _ in named()} >= {"tests/unit", "src/appointments/"}


def test_every_recipe_ends_in_the_tests_that_fail_without_it() -> None:
    recipes = re.split(r"^### ", GUIDE.partition("## Recipes")[2].partition("\n## ")[0], flags=re.MULTILINE)[1:]
    assert [recipe.partition("\n")[0] for recipe in recipes] == [
        "Add a field",
        "Add a status",
        "Add a route",
        "Change a page",
        "Add a metric",
        "Add a setting",
        "Add a function",
        "Add a channel",
    ]
    for recipe in recipes:
        last = recipe.strip().split("\n\n")[-1]
        assert re.search(r"`tests/\w+/\w+\.py::\w+`", last), recipe.partition("\n")[0]
