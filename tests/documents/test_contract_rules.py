"""The contract keeps Redocly's recommended rules, down to the last warning."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from local.contract import WRITTEN
from support import NO_NODE, NODE, NODE_MODULES


@pytest.mark.skipif(NODE is None, reason=NO_NODE)
@pytest.mark.timeout(120)
def test_redocly_finds_nothing() -> None:
    run = subprocess.run(
        [NODE_MODULES / ".bin" / "redocly", "lint", WRITTEN, "--extends=recommended", "--format=json"],
        check=False,
        env=os.environ | {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    found = json.loads(run.stdout[run.stdout.index("{") :])
    assert found["problems"] == []
    assert found["totals"]["errors"] == found["totals"]["warnings"] == 0
    assert run.returncode == 0, run.stderr
