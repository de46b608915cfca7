"""What a build puts into each function."""

from __future__ import annotations

import json
import re

from support import ROOT

MAKEFILE = (ROOT / "src" / "Makefile").read_text()


def test_every_package_is_deployed() -> None:
    (copied,) = re.findall(r"^\tcp -R (.+) \"\$\(ARTIFACTS_DIR\)\"$", MAKEFILE, re.MULTILINE)
    assert copied.split() == sorted(path.parent.name for path in (ROOT / "src").glob("*/__init__.py"))


def test_every_build_checks_own_texts() -> None:
    assert MAKEFILE.index("cp -R") < MAKEFILE.index("-m texts.checking") < MAKEFILE.index("-name __pycache__")


def test_the_function_that_serves_the_pages_has_them_and_no_other() -> None:
    assert MAKEFILE.index("cp -R appointments") < MAKEFILE.index('rm -rf "$(ARTIFACTS_DIR)/$(PAGES)"')
    assert re.findall(r"^(build-\w+): WITH_PAGES = ", MAKEFILE, re.MULTILINE) == ["build-ConflictDetectorFunction"]
    assert "\t$(WITH_PAGES)\n" in MAKEFILE


def test_the_pages_are_not_committed_and_their_lock_names_no_registry() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert "src/conflict_detector/pages/files" in ignored
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text())
    packages = {name: one for name, one in lock["packages"].items() if name}
    assert all("integrity" in one and "resolved" not in one for one in packages.values())
    wanted = json.loads((ROOT / "web" / "package.json").read_text())
    for name, version in (wanted["dependencies"] | wanted["devDependencies"]).items():
        assert packages[f"node_modules/{name}"]["version"] == version  # exact, as everywhere
