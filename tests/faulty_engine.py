"""The engine on a bad day: it throttles, fails, loses and repeats the calls of functions, and kills them.

The engine's Python runs it in place of `local/engine_process.py`, with a folder as its argument. What happens there:
`faults.json` says for which functions, and how likely each fault is; without that file nothing goes wrong. `happened`
gets a line for each fault.

A fault hangs on the seed, the operation and how often a function called it, as in `network.py`. Requests of tests and
of the front door are spared: they are not made with the credentials of a function.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import runpy
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ministack import app
from ministack.core import lambda_runtime
from ministack.services import sts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Answer = tuple[int, dict[str, str], bytes]
    Dispatch = Callable[..., Awaitable[Answer]]

LOCAL = Path(__file__).resolve().parents[1] / "local"
# Longer than the functions' clients wait for an answer.
SILENCE_SECONDS = 3.5
_CREDENTIAL = re.compile(r"Credential=([^/]+)/")


class BadDay:
    """Stands before the engine's services."""

    def __init__(self, folder: Path, dispatch: Dispatch) -> None:
        self._orders, self._log = folder / "faults.json", folder / "happened"
        self._dispatch = dispatch
        self._made: Counter[tuple[str, str]] = Counter()

    async def __call__(self, method: str, path: str, headers: Mapping[str, str], *more: Any) -> Answer:
        """One request: as the engine answers it, or as the orders say."""

        async def served() -> Answer:
            return await self._dispatch(method, path, headers, *more)

        caller = function_of(headers)
        fault = self._fault(caller, operation_of(headers, path)) if caller else None
        if fault == "throttled":
            return refusal(400, "ThrottlingException")
        answer = await served() if fault in ("answer lost", "repeated", "died after") else None
        if fault in ("died before", "died after"):
            kill(caller)
        if fault in ("request lost", "answer lost"):
            await asyncio.sleep(SILENCE_SECONDS)
        if fault in ("failed", "request lost", "answer lost", "died before"):
            return refusal(500, "InternalFailure")
        return answer if answer and fault == "died after" else await served()

    def _fault(self, caller: str, operation: str) -> str | None:
        try:
            orders = json.loads(self._orders.read_text())
        except FileNotFoundError:
            return None
        if not any(name in caller for name in orders["functions"]):
            return None
        self._made[caller, operation] += 1
        drawn = random.Random(f"{orders['seed']} {caller} {operation} {self._made[caller, operation]}").random()
        for fault, rate in orders["rates"].items():
            drawn -= rate
            if drawn < 0:
                with self._log.open("a") as log:
                    log.write(json.dumps([fault, caller, operation]) + "\n")
                return str(fault)
        return None


def function_of(headers: Mapping[str, str]) -> str:
    """The function whose credentials signed a request; empty where it was none."""
    signed = _CREDENTIAL.search(headers.get("authorization", ""))
    session = sts._sessions.get(signed[1]) if signed else None
    return str(session["Arn"]).rpartition("/")[2] if session else ""


def operation_of(headers: Mapping[str, str], path: str) -> str:
    return headers.get("x-amz-target", path).rpartition(".")[2]


def kill(function: str) -> None:
    """End a process of a function that works, as if its machine had failed. Which one of several is left to chance."""
    for key, workers in list(lambda_runtime._workers.items()):
        for worker in list(workers) if function in str(key) else ():
            if worker.in_use and worker._proc is not None:
                worker._proc.kill()
                return


def refusal(status: int, code: str) -> Answer:
    body = json.dumps({"__type": code, "message": "made to fail"}).encode()
    return status, {"Content-Type": "application/x-amz-json-1.0", "x-amzn-errortype": code}, body


if __name__ == "__main__":
    app._dispatch_service_request = BadDay(Path(sys.argv[1]), app._dispatch_service_request)
    sys.path.insert(0, str(LOCAL))
    runpy.run_path(str(LOCAL / "engine_process.py"), run_name="__main__")
