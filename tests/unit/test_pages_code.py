"""The modules of the pages that touch no page: their tests in TypeScript, bundled and run by Node.js."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from support import ROOT

if TYPE_CHECKING:
    from pathlib import Path

WEB = ROOT / "web"
NODE = shutil.which("node")
ESBUILD = WEB / "node_modules" / ".bin" / "esbuild"
TESTS = sorted(
    str(path.relative_to(WEB)) for folder in ("book", "desk", "shared") for path in WEB.glob(f"{folder}/*.test.ts")
)


def test_there_are_some() -> None:
    assert "book/dates.test.ts" in TESTS


@pytest.mark.skipif(
    NODE is None or not ESBUILD.exists(), reason="no Node.js on the PATH, or no web/node_modules: run `make pages`"
)
@pytest.mark.parametrize("name", TESTS)
def test_the_code_of_a_page(name: str, tmp_path: Path) -> None:
    assert NODE is not None
    bundle = tmp_path / "bundle.test.mjs"
    how = ("--bundle", "--platform=node", "--format=esm", "--jsx=automatic", "--jsx-import-source=preact")
    subprocess.run([ESBUILD, name, *how, "--log-level=warning", f"--outfile={bundle}"], cwd=WEB, check=True, timeout=60)
    # In a zone that is nobody's here, as nothing may depend on that of the machine.
    ran = subprocess.run(
        [NODE, "--test", bundle],
        env={"TZ": "Pacific/Chatham"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout
    assert "# tests 0" not in ran.stdout
