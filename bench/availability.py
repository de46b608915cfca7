"""What `GET /availability` costs: calls, read units and CPU, for more calendars, more days and fuller days.

CPU is that of the process that answers, the client's share included. It should grow with what is read and no faster:
the last column divides it by the appointments read. Units are counted from item sizes, as DynamoDB charges them.
"""

from __future__ import annotations

import gc
import statistics
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from appointments.model import QUARTER_HOUR
from appointments.storage.store import Storage
from bench.dynamodb_local import dynamodb_client
from bench.measure import Row, plot, table
from bench.units import read_units, size
from conflict_detector.availability.answers import availability_response
from conflict_detector.availability.parsing import parse_availability
from conflict_detector.availability.search import available
from local.engine import Engine
from support import create_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 7
FIRST = datetime(2031, 3, 3, tzinfo=UTC)
CASES = [(calendars, days, per_day) for calendars in (1, 10) for days in (7, 62) for per_day in (30, 300)]
CURVE = [(1, days, 300) for days in (4, 8, 15, 31, 46, 62)]


def calendar_days(calendar: str, days: int, per_day: int) -> Iterator[dict[str, Any]]:
    """Days as the booking path leaves them, evenly filled to two thirds."""
    step = timedelta(days=1) / per_day
    for day in range(days):
        midnight = FIRST + timedelta(days=day)
        item: dict[str, Any] = {"calendarId": {"S": calendar}, "day": {"S": midnight.date().isoformat()}}
        for n in range(per_day):
            start = midnight + n * step
            end = start + step * 2 / 3
            item[f"a#{uuid.uuid4()}"] = {"S": f"{start.timestamp():.0f}-{end.timestamp():.0f}"}
            for quarter in range((start - midnight) // QUARTER_HOUR, (end - midnight) // QUARTER_HOUR + 1):
                item[f"q{quarter}"] = {"N": str(int(item.get(f"q{quarter}", {"N": "0"})["N"]) + 1)}
        yield item


def main() -> None:
    """Measure, print, and draw the curve."""
    gc.freeze()  # as a function does when it has started
    with Engine() as engine:
        client = dynamodb_client(engine.url)
        create_tables(client)
        storage = Storage.of(client, "AppointmentsTable", "CalendarsTable")
        rows = [measure(storage, *case) for case in CASES]
        print(table(rows))
        curve = [measure(storage, *case) for case in CURVE]
    figure = plot("One calendar, 300 appointments a day, 4 to 62 days", "appointments read", "CPU ms")
    figure.axes[0].plot([row["appointments"] for row in curve], [float(row["CPU ms"]) for row in curve], marker="o")
    figure.axes[0].set_xlim(left=0)
    figure.axes[0].set_ylim(bottom=0)
    figure.save("availability")


def measure(storage: Storage, calendars: int, days: int, per_day: int) -> Row:
    """One case."""
    client = storage.database.client
    names = [f"{uuid.uuid4()}" for _ in range(calendars)]
    units = calendars  # of settings, which nobody wrote
    for name in names:
        items = list(calendar_days(name, days, per_day))
        units += read_units(sum(size(item) for item in items))
        for item in items:
            client.put_item(TableName=storage.days.table, Item=item)
    query = {
        "calendarIds": ",".join(names),
        "from": FIRST.isoformat(),
        "to": (FIRST + timedelta(days=days)).isoformat(),
        "durationMinutes": "30",
        "stepMinutes": "15",
    }
    asked = parse_availability({name: [value] for name, value in query.items()})
    now = FIRST - timedelta(days=1)
    calls: list[str] = []
    wall, cpu = [], []

    def note(model: Any, **_: Any) -> None:
        calls.append(model.name)

    client.meta.events.register("before-call", note)
    for _ in range(ROUNDS):
        calls.clear()
        began, began_cpu = time.perf_counter(), time.process_time()
        availability_response(available(asked, storage, now), asked.zone)
        wall.append((time.perf_counter() - began) * 1000)
        cpu.append((time.process_time() - began_cpu) * 1000)
    client.meta.events.unregister("before-call", note)
    read = calendars * days * per_day
    spent = statistics.median(cpu)
    return Row(
        {
            "calendars": calendars,
            "days": days,
            "a day": per_day,
            "appointments": read,
            "calls": len(calls),
            "read units": units,
            "CPU ms": f"{spent:.1f}",
            "ms": f"{statistics.median(wall):.1f}",
            "CPU us each": f"{spent / read * 1000:.1f}",
        }
    )
