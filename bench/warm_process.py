"""Runs inside a process like the conflict detector's: the real handler over real clients, then over idle ones.

Prints JSON. `handler` is its CPU with calls that return at once, `with calls` adds the client's CPU against the
engine, and `first` is the first booking of the process, connections and all. With the name of a case and a number it
only makes so many bookings over idle clients, for its instructions to be counted.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from appointments import wiring
from appointments.telemetry import logger
from conflict_detector import app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUNDS = 9
CONTEXT = SimpleNamespace(
    function_name="f", memory_limit_in_mb=256, invoked_function_arn="arn:aws:lambda:::function:f", aws_request_id="r"
)
START = (datetime.now(UTC) + timedelta(days=30)).replace(minute=0, second=0, microsecond=0)
numbers = count()


def event(reminders: list[str] | None, resources: int = 0) -> dict[str, Any]:
    """A booking for somebody new."""
    number = next(numbers)
    body = {
        "userId": f"user-{number}",
        "startTime": f"{START:%Y-%m-%dT%H:%M:%SZ}",
        "endTime": f"{START + timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}",
        "timeZone": "Europe/Berlin",
        "details": {"title": "Check-up", "location": "Room 2"},
        **({"resourceIds": [f"room-{number}-{n}" for n in range(resources)]} if resources else {}),
        **({} if reminders is None else {"reminders": reminders}),
    }
    return {
        "httpMethod": "POST",
        "path": "/appointments",
        "headers": {"Content-Type": "application/json"},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "body": json.dumps(body),
        "isBase64Encoded": False,
        "requestContext": {"requestId": "r", "path": "/dev/appointments"},
    }


class Nothing:
    """A client whose calls do nothing."""

    def transact_write_items(self, **_: Any) -> dict[str, Any]:
        return {}

    put_rule = transact_write_items

    def put_targets(self, **_: Any) -> dict[str, Any]:
        return {"FailedEntryCount": 0}


def cpu_ms(events: Callable[[], dict[str, Any]], bookings: int) -> float:
    """Median CPU of one booking, of all threads of this process."""
    rounds = []
    for _ in range(ROUNDS):
        wanted = [events() for _ in range(bookings)]
        began = time.process_time()
        answers = [app.lambda_handler(one, CONTEXT) for one in wanted]  # type: ignore[arg-type]  # stands in for it
        rounds.append((time.process_time() - began) / bookings * 1000)
        assert {answer["statusCode"] for answer in answers} == {201}, answers[0]  # noqa: S101 - or it means nothing
    return statistics.median(rounds)


CASES: dict[str, Callable[[], dict[str, Any]]] = {
    "one calendar, no reminders": lambda: event([]),
    "two calendars, no reminders": lambda: event([], 1),
    "one calendar, 24h and 1h": lambda: event(None),
}


def idle() -> None:
    """Exchange the clients for some that do nothing."""
    app._api.cache_clear()  # noqa: SLF001
    module: Any = wiring
    module.client = lambda *_, **__: Nothing()


def make(case: str, bookings: int) -> None:
    """Only book, for somebody who counts."""
    idle()
    for _ in range(bookings):
        assert app.lambda_handler(CASES[case](), CONTEXT)["statusCode"] == 201  # type: ignore[arg-type]  # noqa: S101


def main() -> Iterator[dict[str, str]]:
    """Every case."""
    out, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115, PTH123 - the log, which is no result
    for handler in logger.handlers:
        handler.stream = sys.stdout  # type: ignore[attr-defined]  # it is a StreamHandler
    module: Any = wiring
    real = module.client
    calls: Counter[str] = Counter()

    def counted(service: str, **more: Any) -> Any:
        client = real(service, **more)
        client.meta.events.register("before-call", lambda model, **_: calls.update([model.name]))
        return client

    first: dict[str, float] = {}
    whole: dict[str, float] = {}
    made: dict[str, str] = {}
    app._api.cache_clear()  # noqa: SLF001 - its clients are what is exchanged here
    module.client = counted
    for name, events in CASES.items():
        wanted = events()
        began = time.process_time()
        app.lambda_handler(wanted, CONTEXT)  # type: ignore[arg-type]
        first[name] = (time.process_time() - began) * 1000
        calls.clear()
        app.lambda_handler(events(), CONTEXT)  # type: ignore[arg-type]
        made[name] = ", ".join(f"{n} {call}" for call, n in calls.items())
        whole[name] = cpu_ms(events, 40 if "no" in name else 12)
    idle()
    for name, events in CASES.items():
        alone = cpu_ms(events, 300)
        yield {
            "booking": name,
            "calls": made[name],
            "handler CPU ms": f"{alone:.3f}",
            "with calls": f"{whole[name]:.2f}",
            "first": f"{first[name]:.1f}",
        }
    sys.stdout = out


if __name__ == "__main__":
    if len(sys.argv) > 1:
        make(sys.argv[1], int(sys.argv[2]))
    else:
        print(json.dumps(list(main())))
