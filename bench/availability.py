"""What `GET /availability` costs over 62 days for 5 calendars with 2,000 appointments each.

    PYTHONPATH=src:. .venv/bin/python bench/availability.py

Runs on an engine of its own on 127.0.0.1. It prints the reads, and the time of an answer as a ratio to one
booking on the same engine: medians of 7, in one run, since machines differ and are noisy.
"""

from __future__ import annotations

import statistics
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from appointments.aws import read_items_as_they_are
from appointments.model import Appointment, Interval
from appointments.table import SchedulerTable
from conflict_detector.availability import available
from conflict_detector.booking import book
from conflict_detector.requests import parse_availability
from conflict_detector.responses import availability_response
from local.engine import Engine

sys.path.append("tests")
from support import create_tables

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 7
FIRST = datetime(2031, 3, 3, tzinfo=UTC)
DAYS, APPOINTMENTS, CALENDARS = 62, 2000, 5


def fill(table: SchedulerTable, calendar: str) -> None:
    """2,000 appointments of 20 minutes over 62 days, written as the booking path would leave them."""
    per_day = -(-APPOINTMENTS // DAYS)
    for day in range(DAYS):
        item: dict[str, Any] = {
            "calendarId": {"S": calendar},
            "day": {"S": (FIRST + timedelta(days=day)).date().isoformat()},
        }
        for n in range(per_day):
            start = FIRST + timedelta(days=day, minutes=30 * n)
            end = start + timedelta(minutes=20)
            item[f"a#{uuid.uuid4()}"] = {"S": f"{start.timestamp():.0f}-{end.timestamp():.0f}"}
            item |= {f"q{2 * n + k}": {"N": "1"} for k in range(2)}
        table.client.put_item(TableName=table.calendars_table, Item=item)


def median_ms(act: Callable[[], object]) -> tuple[float, float]:
    """Median wall-clock and CPU milliseconds of this process over the rounds."""
    wall, cpu = [], []
    for _ in range(ROUNDS):
        began, began_cpu = time.perf_counter(), time.process_time()
        act()
        wall.append((time.perf_counter() - began) * 1000)
        cpu.append((time.process_time() - began_cpu) * 1000)
    return statistics.median(wall), statistics.median(cpu)


def main() -> None:
    """Measure and print."""
    with Engine() as engine:
        client = engine.client("dynamodb")
        read_items_as_they_are(client)  # as the function's client does
        create_tables(client)
        table = SchedulerTable(client, "AppointmentsTable", "CalendarsTable")
        names = [f"calendar-{n}" for n in range(CALENDARS)]
        for name in names:
            fill(table, name)
        calls: list[str] = []
        client.meta.events.register("before-call", lambda model, **_: calls.append(model.name))
        end = FIRST + timedelta(days=DAYS)
        query = {
            "calendarIds": [",".join(names)],
            "from": [FIRST.isoformat()],
            "to": [end.isoformat()],
            "durationMinutes": ["30"],
            "stepMinutes": ["15"],
        }
        asked = parse_availability(query)
        now = FIRST - timedelta(days=1)
        slots = available(asked, table, now)
        reads = list(calls)

        def one_booking() -> None:
            far = FIRST + timedelta(days=200)
            interval = Interval(far, far + timedelta(minutes=30))
            book(Appointment(str(uuid.uuid4()), str(uuid.uuid4()), interval, now, now), table, now)

        booking = median_ms(one_booking)
        answer = median_ms(lambda: availability_response(available(asked, table, now), asked.zone))
        print(f"{CALENDARS} calendars x {APPOINTMENTS} appointments, {DAYS} days, {len(slots)} slots free on all")
        print(
            f"reads: {len(reads)} calls: " + ", ".join(f"{reads.count(name)} {name}" for name in dict.fromkeys(reads))
        )
        print(f"one booking:  {booking[0]:8.1f} ms, of which {booking[1]:6.1f} ms CPU here")
        print(f"availability: {answer[0]:8.1f} ms, of which {answer[1]:6.1f} ms CPU here")
        print(f"ratio to one booking: {answer[0] / booking[0]:.0f} (CPU {answer[1] / booking[1]:.0f})")


if __name__ == "__main__":
    main()
