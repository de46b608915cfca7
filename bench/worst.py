"""CPU and size of the answer for the most expensive request of each kind, over tables that are as full as it needs.

DynamoDB is a stand-in within the process: the client's own work for sending and receiving is not in the figures, the
reading of its JSON is. `tests/functional/test_worst.py` holds the work of the same requests to a bound.
"""

from __future__ import annotations

import gc
import logging
import statistics
import time

from bench.measure import Row, table
from worst import WORST, Worst, full_day, worst_api

ROUNDS = 3


def main() -> None:
    """Measure and print."""
    logging.disable(logging.CRITICAL)
    print(table([measure(name, worst) for name, worst in WORST.items()]))


def measure(name: str, worst: Worst) -> Row:
    """One request."""
    worst.tables()  # which makes the days, and each round then meets fresh ones
    gc.freeze()  # as a function does when it has started
    spent = []
    for _ in range(ROUNDS):
        tables = worst.tables()
        api, event = worst_api(tables), worst.event()
        began = time.process_time()
        response = api.handle(event)
        spent.append(time.process_time() - began)
    full_day.cache_clear()
    return {
        "request": name,
        "status": response["statusCode"],
        "CPU ms": f"{statistics.median(spent) * 1000:.0f}",
        "appointments read": tables.handed_out,
        "answer KB": f"{len(response['body'].encode()) / 1000:.0f}",
    }
