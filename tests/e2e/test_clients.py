"""Clients that are generated from the contract compile strictly, and tell the README's story on the deployed stack.

The stories stand in tests/clients. What needs Node.js is skipped where there is none.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.contract import WRITTEN
from support import NO_NODE, NODE, NODE_MODULES, ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

STORIES = ROOT / "tests" / "clients"
# The generator writes the `__exit__` of `client.py` in the same way for every contract, and not strictly.
MYPY = """
[mypy]
strict = true
[mypy-scheduler_client.client]
disable_error_code = arg-type
"""
TSC = (
    "--strict --noUncheckedIndexedAccess --exactOptionalPropertyTypes --noPropertyAccessFromIndexSignature "
    "--target es2022 --module nodenext --moduleResolution nodenext --lib es2022,dom"
)

needs_node = pytest.mark.skipif(NODE is None, reason=NO_NODE)


def run(command: Sequence[str | Path], folder: Path) -> str:
    """What a command prints. It must succeed."""
    done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def person() -> str:
    return f"person-{uuid.uuid4()}"


@pytest.mark.timeout(600)
def test_a_generated_python_client(api_url: str, person: str, tmp_path: Path) -> None:
    (tmp_path / "generator.yaml").write_text("post_hooks: []")  # nobody reads it, so nothing formats it
    generator = Path(sys.executable).with_name("openapi-python-client")
    run(
        [
            generator, "generate", "--path", WRITTEN, "--output-path", tmp_path / "scheduler_client",
            "--meta", "none", "--fail-on-warning", "--config", tmp_path / "generator.yaml",
        ],
        tmp_path,
    )  # fmt: skip
    shutil.copy(STORIES / "story.py", tmp_path)
    (tmp_path / "mypy.ini").write_text(MYPY)
    run([sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "scheduler_client", "story.py"], tmp_path)
    assert run([sys.executable, "story.py", api_url, person], tmp_path) == "told\n"


@needs_node
@pytest.mark.timeout(600)
def test_a_generated_typescript_client(api_url: str, person: str, tmp_path: Path) -> None:
    tools = NODE_MODULES / ".bin"
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    shutil.copy(STORIES / "story.ts", tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    run([tools / "openapi-typescript", WRITTEN, "-o", tmp_path / "scheduler.d.ts"], tmp_path)
    (tmp_path / "node.d.ts").write_text("declare const process: { argv: string[] };\n")
    run([tools / "tsc", *TSC.split(), "story.ts", "scheduler.d.ts", "node.d.ts"], tmp_path)
    assert run(["node", "story.js", api_url, person], tmp_path) == "told\n"
