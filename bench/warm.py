"""What one booking costs a warm function: its calls, its CPU without them, and with those of the client.

Instructions are the handler's too, counted by Valgrind: the difference of two processes that book more and less often.
"""

from __future__ import annotations

import json
from pathlib import Path

from bench.dynamodb_local import dynamodb_client
from bench.functions import built, millions_of_instructions, run
from bench.measure import Row, table
from local.engine import Engine
from local.places import ROOT
from support import create_tables

FEW, MANY = 100, 400


def main() -> None:
    """Measure in a process like the function's, and print."""
    with Engine() as engine:
        create_tables(dynamodb_client(engine.url))
        script = str(Path(__file__).with_name("warm_process.py"))
        path = [built("ConflictDetectorFunction"), ROOT]
        warm = {"AWS_ENDPOINT_URL": engine.url, "PYTHONDONTWRITEBYTECODE": ""}
        rows = [Row(case) for case in json.loads(run([script], path, warm))]
        for row in rows:
            few, many = (millions_of_instructions([script, row["booking"], str(n)], path, warm) for n in (FEW, MANY))
            row["k instructions"] = f"{(many - few) / (MANY - FEW) * 1000:.0f}"
    print(table(rows))
