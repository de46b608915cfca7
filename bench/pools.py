"""What `GET /availability?serviceId=` costs: a service of one of 20 doctors and one of 20 rooms, over 31 days.

Each calendar has 30 appointments a day. `own CPU` is the function's own work on what it has read: the items' entries,
the search and its answer. `with calls` adds the SDK's share, against the engine.
"""

from __future__ import annotations

import gc
import statistics
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from appointments.model import Interval
from appointments.services import parse_service
from appointments.storage.store import Storage
from bench.availability import FIRST, calendar_days
from bench.dynamodb_local import dynamodb_client
from bench.measure import Row, table
from conflict_detector.availability.answers import availability_response
from conflict_detector.availability.search import Slot
from conflict_detector.availability.serving import ServiceQuery, search_starts
from local.engine import Engine
from support import create_tables

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 11
DAYS, A_DAY = 31, 30
DOCTORS = [f"doctor-{n}" for n in range(20)]
ROOMS = [f"room-{n}" for n in range(20)]
SERVICE = parse_service(
    {"steps": [{"durationMinutes": 15, "pools": [{"anyOf": DOCTORS}, {"anyOf": ROOMS}]}], "stepMinutes": 15}
)
ASKED = ServiceQuery("check-up", None, Interval(FIRST, FIRST + timedelta(days=DAYS)), None)


def main() -> None:
    """Measure, and print."""
    gc.freeze()  # as a function does when it has started
    with Engine() as engine:
        client = dynamodb_client(engine.url)
        create_tables(client)
        storage = Storage.of(client, "AppointmentsTable", "CalendarsTable")
        for name in (*DOCTORS, *ROOMS):
            for item in calendar_days(name, DAYS, A_DAY):
                client.put_item(TableName=storage.days.table, Item=item)
        known: dict[str, Any] = {}
        call = client._make_api_call  # noqa: SLF001 - where every call of a client passes

        def remembered(name: str, request: dict[str, Any]) -> Any:
            key = f"{name} {request}"
            if key not in known:
                known[key] = call(name, request)
            return known[key]

        with_calls, offered = cpu_ms(lambda: answer(storage))
        client._make_api_call = remembered  # noqa: SLF001 - as above
        answer(storage)
        gc.freeze()  # the answers that are remembered here, which a function would not have
        own, _ = cpu_ms(lambda: answer(storage))
    calendars = len(DOCTORS) + len(ROOMS)
    print(
        table(
            [
                Row(
                    {
                        "calendars": calendars,
                        "appointments": calendars * DAYS * A_DAY,
                        "starts offered": offered,
                        "calls per calendar": f"{len(known) / calendars:.2f}",
                        "own CPU ms": f"{own:.0f}",
                        "with calls": f"{with_calls:.0f}",
                    }
                )
            ]
        )
    )


def answer(storage: Storage) -> int:
    """Answer the request; how many starts it offers."""
    search = search_starts(SERVICE, ASKED, storage, FIRST - timedelta(days=1))
    offered = [Slot(each, ()) for each in search.offered(ASKED.within)]
    availability_response(offered, None)
    return len(offered)


def cpu_ms(work: Callable[[], int]) -> tuple[float, int]:
    """Median CPU of this process, and what the work answered."""
    spent, found = [], 0
    for _ in range(ROUNDS):
        began = time.process_time()
        found = work()
        spent.append((time.process_time() - began) * 1000)
    return statistics.median(spent), found
