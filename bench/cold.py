"""Cold starts: a fresh process until its first request can be served, beside the typical stack.

What is measured is the import of the handler, which on Lambda makes the clients too. boto3 is compiled, as in the
image of the runtime. The package is measured as it is deployed, not compiled: Lambda mounts it read-only and compiles
it at each start. The same compiled stands beside it, for who builds with the runtime's own Python and ships what that
makes. Instructions, as Valgrind counts them, say the same without the noise: those of a start, above an empty process.
"""

from __future__ import annotations

import io
import json
import shutil
import statistics
import subprocess
import tempfile
import zipfile
from collections import defaultdict
from pathlib import Path

from bench.functions import built, millions_of_instructions, run
from bench.measure import Row, table
from bench.places import PYTHON, TYPICAL
from local.places import ROOT

ROUNDS = 11
CODE = """
import json, time
began, cpu = time.perf_counter(), time.process_time()
{code}
spent = [(time.perf_counter() - began) * 1000, (time.process_time() - cpu) * 1000]
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([*spent, int(peak.split()[1]) / 1024]))
"""
# What the boto3 of the runtime alone takes, below which nothing can get.
FLOOR = "import botocore.session; botocore.session.get_session().create_client('dynamodb')"


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as scratch:
        typical = Path(scratch, "typical")
        shutil.copytree(TYPICAL, typical)
        shutil.copy(ROOT / "bench" / "typical_stack" / "typical.py", typical)
        cases = {
            "typical stack": ("import typical", typical),
            "conflict detector": ("import conflict_detector.app", built("ConflictDetectorFunction")),
            "reminder sender": ("import reminder_sender.app", built("ReminderSenderFunction")),
            "botocore and one client": (FLOOR, Path(scratch)),
        }
        states = {"as deployed": {name: path for name, (_, path) in cases.items()}, "compiled": {}}
        for name, path in states["as deployed"].items():
            copy = states["compiled"][name] = Path(scratch, "compiled", name)
            if path == Path(scratch):
                copy.mkdir(parents=True)
                continue
            shutil.copytree(path, copy)
            subprocess.run([PYTHON, "-m", "compileall", "-q", str(copy)], check=True)
        found: dict[tuple[str, str], list[list[float]]] = defaultdict(list)
        for round_ in range(ROUNDS + 1):
            for state, paths in states.items():
                for name, (code, _) in cases.items():
                    one = json.loads(run(["-c", CODE.format(code=code)], [paths[name]]))
                    if round_:  # the first only brings the files into memory
                        found[state, name].append(one)
        empty = millions_of_instructions(["-c", ""], [Path(scratch)])
        counted = {
            (state, name): millions_of_instructions(["-c", code], [paths[name]]) - empty
            for state, paths in states.items()
            for name, (code, _) in cases.items()
        }
        rows = []
        for (state, name), runs in found.items():
            wall, cpu, memory = (statistics.median(values) for values in zip(*runs, strict=True))
            beside = [statistics.median(values) for values in zip(*found[state, "typical stack"], strict=True)]
            rows.append(
                Row(
                    {
                        "package": state,
                        "start of": name,
                        "ms": f"{wall:.0f}",
                        "CPU ms": f"{cpu:.0f}",
                        "of typical": f"{cpu / beside[1]:.2f}",
                        "peak MB": f"{memory:.1f}",
                        "of typical ": f"{memory / beside[2]:.2f}",
                        "M instructions": f"{counted[state, name]:.0f}",
                        "of typical  ": f"{counted[state, name] / counted[state, 'typical stack']:.2f}",
                    }
                )
            )
        print(table(rows))
        print(f"\nZipped: {zipped(cases['conflict detector'][1]) / 1e6:.2f} MB, typical {zipped(typical) / 1e6:.2f} MB")


def zipped(folder: Path) -> int:
    """The size of a folder as a deployment package, which must hold neither compiled modules nor boto3."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    unwanted = [path for path in files if path.suffix == ".pyc" or path.parts[len(folder.parts)].startswith("boto")]
    if unwanted:
        raise AssertionError(f"{folder} holds {unwanted[0]}")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for path in files:
            package.write(path, path.relative_to(folder))
    return len(buffer.getvalue())
