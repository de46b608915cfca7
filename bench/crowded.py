"""A crowded day: what one more booking costs on a day that holds 50 to 3,500 already, and how many a second it takes.

A vaccination centre: one calendar with 50 places, 10 minutes each, from 07:00 to 21:00; every booking takes its
person's calendar as well. The day is laid out as bookings leave it, once with overflow items and once, for comparison,
all in one item. Units are counted from the items that a booking reads and writes, by DynamoDB's rules.
"""

from __future__ import annotations

import random
import statistics
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, NamedTuple

from appointments.claims import Claim, quarter_hours
from appointments.errors import CalendarBusyError
from appointments.model import Appointment, DayKey, Interval
from appointments.storage.calendar_days import CalendarDays, day_key_item, entry_to_text, overflow_key
from appointments.storage.store import Storage
from bench.cost import Measured, Meter
from bench.dynamodb_local import dynamodb_client, dynamodb_local
from bench.measure import Row, table
from conflict_detector.booking import book
from support import at_once, create_tables

DAY = datetime(2031, 3, 3, tzinfo=UTC)
NOW = DAY - timedelta(days=30)
CAPACITY = 50
LENGTH = timedelta(minutes=10)
OPENS, CLOSES = timedelta(hours=7), timedelta(hours=21)
CURVE = (50, 500, 1000, 3500)
CLIENTS = (1, 8)
ROUNDS = 30
SECONDS = 8
# More than any day holds: all entries lie in one item, as they did before there were overflow items.
ONE_ITEM = 10**9


class Centre(NamedTuple):
    """A calendar, and where its next bookings go."""

    calendar_id: str
    starts: Iterator[datetime]

    def next(self) -> Appointment:
        """One more booking, of somebody who has no other; its slot is drawn by chance among those with room."""
        start = next(self.starts)
        user = f"person-{uuid.uuid4()}"
        return Appointment(
            str(uuid.uuid4()),
            user,
            Interval(start, start + LENGTH),
            NOW,
            NOW,
            resource_ids=(self.calendar_id,),
            details={"title": "Vaccination"},
            offsets=(),
        )


def filled(storage: Storage, entries: int) -> Centre:
    """A day of so many entries, as bookings one after another leave it."""
    days: CalendarDays = storage.days
    calendar_id = f"centre-{uuid.uuid4()}"
    storage.settings.put(calendar_id, {"capacity": CAPACITY}, NOW)
    slots = [DAY + OPENS + n * LENGTH for n in range((CLOSES - OPENS) // LENGTH)]
    places = [slot for slot in slots for _ in range(CAPACITY)]
    random.Random(entries).shuffle(places)
    key = DayKey(calendar_id, DAY.date())
    items: dict[str, dict[str, Any]] = {}
    counters: Counter[int] = Counter()
    own = day_key_item(key)
    for number, start in enumerate(places[:entries]):
        id_ = str(uuid.UUID(int=random.Random(f"{entries} {number}").getrandbits(128), version=4))
        claims = [Claim(calendar_id, Interval(start, start + LENGTH))]
        item_key = own
        if number >= days.most_inline:
            item_key = days.entering(id_, claims, overflow_key(id_, claims, key))["Update"]["Key"]
            own = own | {"a#overflow": {"S": entry_to_text([Claim(calendar_id, Interval(DAY, DAY), 1000)])}}
        item = items.setdefault(item_key["day"]["S"], dict(item_key) | {"expiresAt": {"N": "1958860800"}})
        item[f"a#{id_}"] = {"S": entry_to_text(claims)}
        counters.update(quarter_hours(claims, key))
    day = items[key.day.isoformat()]
    day |= own | {f"q{quarter}": {"N": str(count)} for quarter, count in counters.items()}
    for item in items.values():
        storage.database.client.put_item(TableName=days.table, Item=item)
    return Centre(calendar_id, iter(places[entries:]))


def main() -> None:
    """Measure and print."""
    with dynamodb_local() as url:
        client = dynamodb_client(url)
        create_tables(client)
        storage = Storage.of(client, "AppointmentsTable", "CalendarsTable")
        one_item = replace(storage, days=replace(storage.days, most_inline=ONE_ITEM))
        print(table([curve(storage, one_item, entries) for entries in CURVE]))
        print()
        print(table([rate(each, name, n) for n in CLIENTS for name, each in (("", storage), ("one item", one_item))]))


def curve(storage: Storage, one_item: Storage, entries: int) -> Row:
    """Units and calls of a booking on a day of so many entries."""
    now, before = measured(storage, entries), measured(one_item, entries)
    return Row(
        {
            "entries": entries,
            "write units": f"{now.writes:.0f}",
            "read units": f"{now.reads:.0f}",
            "calls": ", ".join(f"{n} {call}" for call, n in now.calls.items()),
            "CPU ms": f"{now.cpu_ms:.1f}",
            "write units, one item": f"{before.writes:.0f}",
            "read units, one item": f"{before.reads:.0f}",
            "CPU ms, one item": f"{before.cpu_ms:.1f}",
        }
    )


def measured(storage: Storage, entries: int) -> Measured:
    """The medians of some bookings, in a process that has met the calendar before."""
    client = storage.database.client
    centre = filled(storage, entries)
    book(centre.next(), storage, NOW)
    meter = Meter(SimpleNamespace(clients={"dynamodb": client}), client_beside(client))  # type: ignore[arg-type]
    rounds = []
    for _ in range(ROUNDS):
        meter.now = Measured()
        book(centre.next(), storage, NOW)
        rounds.append(meter.now)
    client.meta.events.unregister("provide-client-params", meter.before)
    client.meta.events.unregister("after-call", meter.after)
    spent = []
    for _ in range(ROUNDS):
        began = time.process_time()
        book(centre.next(), storage, NOW)
        spent.append((time.process_time() - began) * 1000)
    return Measured(
        rounds[-1].calls,
        statistics.median(one.writes for one in rounds),
        statistics.median(one.reads for one in rounds),
        statistics.median(spent),
    )


def client_beside(client: Any) -> Any:
    """Another client of the same DynamoDB, whose calls nobody counts."""
    return dynamodb_client(client.meta.endpoint_url)


def rate(storage: Storage, name: str, clients: int) -> Row:
    """Bookings a second on one day of 3,500 entries, by so many clients at once."""
    centre = filled(storage, CURVE[-1])
    lock = threading.Lock()
    outcomes: Counter[str] = Counter()
    took: list[float] = []
    until = time.monotonic() + SECONDS

    def work() -> None:
        while time.monotonic() < until:
            with lock:
                wanted = centre.next()
            began = time.perf_counter()
            try:
                book(wanted, storage, NOW)
                outcomes["booked"] += 1
            except CalendarBusyError:
                outcomes["gave up"] += 1
            took.append((time.perf_counter() - began) * 1000)

    began = time.perf_counter()
    at_once([work] * clients)
    lasted = time.perf_counter() - began
    return Row(
        {
            "day": name or "overflow items",
            "clients": clients,
            "booked a second": f"{outcomes['booked'] / lasted:.0f}",
            "booked": outcomes["booked"],
            "gave up": outcomes["gave up"],
            "p50 ms": f"{statistics.median(took):.0f}",
            "p99 ms": f"{sorted(took)[int(len(took) * 0.99)]:.0f}",
        }
    )
