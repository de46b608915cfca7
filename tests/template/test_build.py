"""What a build puts into each function."""

from __future__ import annotations

import re

from support import ROOT

MAKEFILE = (ROOT / "src" / "Makefile").read_text()


def test_every_package_is_deployed() -> None:
    (copied,) = re.findall(r"^\tcp -R (.+) \"\$\(ARTIFACTS_DIR\)\"$", MAKEFILE, re.MULTILINE)
    assert copied.split() == sorted(path.parent.name for path in (ROOT / "src").glob("*/__init__.py"))


def test_every_build_checks_own_texts() -> None:
    assert MAKEFILE.index("cp -R") < MAKEFILE.index("-m texts.checking") < MAKEFILE.index("-name __pycache__")
