"""What one booking costs a warm function: its calls, its CPU without them, and with those of the client."""

from __future__ import annotations

import json
from pathlib import Path

from bench.dynamodb_local import dynamodb_client
from bench.functions import built, run
from bench.measure import Row, table
from local.engine import Engine
from local.places import ROOT
from support import create_tables


def main() -> None:
    """Measure in a process like the function's, and print."""
    with Engine() as engine:
        create_tables(dynamodb_client(engine.url))
        script = str(Path(__file__).with_name("warm_process.py"))
        path = [built("ConflictDetectorFunction"), ROOT]
        cases = json.loads(run([script], path, {"AWS_ENDPOINT_URL": engine.url, "PYTHONDONTWRITEBYTECODE": ""}))
    print(table([Row(case) for case in cases]))
