"""Through the front door: POST to the local API, answered by real function processes, beside a no-op.

A no-op function behind the same engine says what share of a request's time is the engine's own, which keeps a process
per concurrent request. All of it shares this machine's processors: with many clients, what is measured is those.
"""

from __future__ import annotations

import http.client
import io
import json
import statistics
import threading
import time
import zipfile
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bench.measure import Row, table
from local.deploy import runtime
from local.system import system
from support import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENTS = (1, 8, 32)
ROUNDS = 7
REQUESTS = 96
START = (datetime.now(UTC) + timedelta(days=60)).replace(minute=0, second=0, microsecond=0)
NOTHING = """
def handler(event, context):
    print("{}")
    return {"statusCode": 201, "headers": {"Content-Type": "application/json"}, "body": "{}"}
"""


def deploy_nothing(engine: Any) -> str:
    """A function that does nothing, behind an API of its own; the address to post to."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as files:
        files.writestr("nothing.py", NOTHING)
    function = engine.client("lambda").create_function(
        FunctionName="nothing",
        Runtime=runtime()["Runtime"],
        Handler="nothing.handler",
        Role="arn:aws:iam::000000000000:role/nothing",
        Code={"ZipFile": package.getvalue()},
        MemorySize=256,
        Timeout=20,
    )
    gateway = engine.client("apigateway")
    api = gateway.create_rest_api(name="nothing")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    gateway.put_method(restApiId=api, resourceId=root, httpMethod="POST", authorizationType="NONE")
    arn = function["FunctionArn"]
    gateway.put_integration(
        restApiId=api,
        resourceId=root,
        httpMethod="POST",
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations",
    )
    gateway.create_deployment(restApiId=api, stageName="local")
    return f"{engine.url}/restapis/{api}/local/_user_request_/"


def booking(number: int, reminders: list[str]) -> bytes:
    """One that nothing is in the way of."""
    body = {
        "userId": f"user-{number}",
        "startTime": f"{START:%Y-%m-%dT%H:%M:%SZ}",
        "endTime": f"{START + timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}",
        "reminders": reminders,
    }
    return json.dumps(body).encode()


def post_all(url: str, bodies: list[bytes], clients: int) -> tuple[float, list[float]]:
    """Send them from so many connections; seconds for all, and milliseconds of each."""
    where = urlsplit(url)
    waiting, lock = iter(bodies), threading.Lock()
    took: list[float] = []
    problems: list[str] = []

    def work() -> None:
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
        while True:
            with lock:
                body = next(waiting, None)
            if body is None:
                connection.close()
                return
            began = time.perf_counter()
            connection.request("POST", where.path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            took.append((time.perf_counter() - began) * 1000)
            if answer.status != 201:
                problems.append(f"{answer.status} {text[:200]!r}")

    began = time.perf_counter()
    at_once([work] * clients)
    if problems:
        raise RuntimeError(f"{len(problems)} of {len(bodies)} were not booked: {problems[0]}")
    return time.perf_counter() - began, took


def main() -> None:
    """Measure and print."""
    with system(print) as running:
        nothing = deploy_nothing(running.engine)
        numbers = iter(range(10**9))
        cases: dict[str, Callable[[], tuple[str, bytes]]] = {
            "booking": lambda: (f"{running.api_url}/appointments", booking(next(numbers), [])),
            "no-op function": lambda: (nothing, b"{}"),
        }
        found: dict[tuple[str, int], list[tuple[float, float, float]]] = defaultdict(list)
        for clients in CLIENTS:
            for round_ in range(ROUNDS + 1):
                for name, make in cases.items():
                    made = [make() for _ in range(REQUESTS)]
                    seconds, took = post_all(made[0][0], [body for _, body in made], clients)
                    if round_:  # the first starts the processes
                        ordered = sorted(took)
                        found[name, clients].append(
                            (REQUESTS / seconds, ordered[len(took) // 2], ordered[int(len(took) * 0.99)])
                        )
        rows = []
        for (name, clients), rounds in found.items():
            rate, p50, p99 = (statistics.median(values) for values in zip(*rounds, strict=True))
            alone = statistics.median(rate for rate, _, _ in found["no-op function", clients])
            rows.append(
                Row(
                    {
                        "request": name,
                        "clients": clients,
                        "per second": f"{rate:.0f}",
                        "p50 ms": f"{p50:.0f}",
                        "p99 ms": f"{p99:.0f}",
                        "the engine's share": f"{min(rate / alone, 1):.0%}" if name == "booking" else "",
                    }
                )
            )
        print(table(sorted(rows, key=lambda row: row["clients"])))
