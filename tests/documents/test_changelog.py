"""CHANGELOG.md has the format of Keep a Changelog, and its latest version is the version of the product."""

from __future__ import annotations

import re
import tomllib
from datetime import date

from contract import contract
from support import ROOT

_, *SECTIONS = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
UNRELEASED, *RELEASED = [section.partition("\n")[0] for section in SECTIONS]


def released() -> list[tuple[tuple[int, ...], date]]:
    """Version and day of each release, as they are listed."""
    found = [re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\] - (\S+)", head) for head in RELEASED]
    return [(tuple(map(int, each.groups()[:3])), date.fromisoformat(each[4])) for each in found if each]


def test_unreleased_changes_come_first_and_then_versions_in_descending_order() -> None:
    assert UNRELEASED == "[Unreleased]"
    assert len(released()) == len(RELEASED) > 0
    assert released() == sorted(released(), reverse=True)
    assert len({version for version, _ in released()}) == len(RELEASED)


def test_changes_are_grouped_by_kind() -> None:
    for section in SECTIONS:
        kinds = re.findall(r"^### (.+)$", section, re.MULTILINE)
        assert len(kinds) == len(set(kinds))
        assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
        assert section.startswith("[Unreleased]") or kinds


def test_the_product_has_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert contract()["info"]["version"] == project["version"]
    assert tuple(map(int, project["version"].split("."))) == released()[0][0]
