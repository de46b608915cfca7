"""The logic of the pages, which is pure TypeScript: its own tests, bundled and run by Node.js."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from support import ROOT

if TYPE_CHECKING:
    from pathlib import Path

WEB = ROOT / "web"
ESBUILD = WEB / "node_modules" / "esbuild" / "bin" / "esbuild"
NODE = shutil.which("node")
TESTS = sorted(path.relative_to(WEB) for path in WEB.glob("*/*.test.ts"))


@pytest.mark.skipif(NODE is None, reason="no Node.js to run them: install one from version 20 on")
@pytest.mark.skipif(not ESBUILD.exists(), reason="the pages' packages are not installed: run `make pages`")
def test_the_logic_of_the_pages(tmp_path: Path) -> None:
    bundled = ["--bundle", "--platform=node", "--format=esm", f"--outdir={tmp_path}", "--out-extension:.js=.mjs"]
    preact = ["--jsx=automatic", "--jsx-import-source=preact", "--log-level=warning"]
    subprocess.run([str(NODE), str(ESBUILD), *map(str, TESTS), *bundled, *preact], cwd=WEB, check=True)
    run = subprocess.run(
        [str(NODE), "--test", *map(str, sorted(tmp_path.glob("*/*.mjs")))], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout[-5000:]
    assert "# pass " in run.stdout
    assert "# pass 0\n" not in run.stdout
