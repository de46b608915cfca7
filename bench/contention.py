"""Booking at once: this system on two engines, the naive way on the same, and PostgreSQL, all in one run and in turns.

Two workloads, the same for all: appointments of 30 minutes on 1,000 calendars, hardly any of which meet, and all on
one calendar-day until three quarters are refused, then on the next. Overlaps are found by brute force in what was
written.
"""

from __future__ import annotations

import gc
import random
import statistics
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol

import psycopg

from appointments.errors import CalendarBusyError, ConflictError
from appointments.model import Appointment, Interval
from appointments.storage.appointment_items import appointment_to_item
from appointments.storage.store import Storage
from appointments.times import to_utc_text
from bench.dynamodb_local import dynamodb_client, dynamodb_local
from bench.measure import Figure, Row, count_overlaps, table
from bench.postgres import postgres
from conflict_detector.booking import book
from local.engine import Engine
from support import create_tables, inconsistencies

FIRST = datetime(2031, 3, 3, tzinfo=UTC)
NOW = FIRST - timedelta(days=30)
LENGTH = timedelta(minutes=30)
CLIENTS = (1, 8, 32)
ROUNDS = 7
CALENDARS = 1000
# Lines of the plot.
RATES = (30, 100, 300, 1000, 3000, 10000)
SPREAD_DAYS = 30
# So many attempts on one day of 95 starts leave about a quarter booked.
HOT_ATTEMPTS_PER_DAY = 140


class Attempt(NamedTuple):
    """One booking that somebody tries."""

    calendar: str
    interval: Interval

    def appointment(self) -> Appointment:
        return Appointment(
            str(uuid.uuid4()), self.calendar, self.interval, NOW, NOW, details={"title": "Check-up"}, offsets=()
        )


def spread(count: int, seed: str) -> list[Attempt]:
    """On 1,000 calendars and 30 days."""
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        start = FIRST + timedelta(days=chance.randrange(SPREAD_DAYS), minutes=15 * chance.randrange(95))
        found.append(Attempt(f"{seed}-{chance.randrange(CALENDARS)}", Interval(start, start + LENGTH)))
    return found


def hot(count: int, seed: str) -> list[Attempt]:
    """On one calendar, day after day."""
    chance = random.Random(seed)
    found = []
    for n in range(count):
        start = FIRST + timedelta(days=n // HOT_ATTEMPTS_PER_DAY, minutes=15 * chance.randrange(95))
        found.append(Attempt(f"{seed}-hot", Interval(start, start + LENGTH)))
    return found


class System(Protocol):
    """Something that takes bookings from many threads."""

    name: str
    # Attempts of a round, spread and hot: enough for a second or so.
    attempts: dict[str, int]
    calls: int

    def book(self, attempt: Attempt) -> bool: ...

    def overlaps(self) -> int: ...


@dataclass
class Dynamo:
    """This system: its own table code, through its own use case."""

    name: str
    client: Any
    attempts: dict[str, int] = field(default_factory=lambda: {"spread": 600, "hot": 560})
    calls: int = 0

    def __post_init__(self) -> None:
        create_tables(self.client)
        self.client.meta.events.register("before-send.dynamodb", self._count)
        self.storage = Storage.of(self.client, "AppointmentsTable", "CalendarsTable")

    def _count(self, **_: Any) -> None:
        self.calls += 1

    def book(self, attempt: Attempt) -> bool:
        try:
            book(attempt.appointment(), self.storage, NOW)
        except ConflictError:
            return False
        return True

    def overlaps(self) -> int:
        return len(inconsistencies(self.client, "AppointmentsTable", "CalendarsTable"))


@dataclass
class Naive(Dynamo):
    """As it is often done: ask the index who is there, and put the appointment if nobody is."""

    def book(self, attempt: Attempt) -> bool:
        start, end = attempt.interval
        found = self.client.query(
            TableName="AppointmentsTable",
            IndexName="UserAppointmentsIndex",
            KeyConditionExpression="userId = :user AND startTime BETWEEN :first AND :last",
            ExpressionAttributeValues={
                ":user": {"S": attempt.calendar},
                ":first": {"S": to_utc_text(start - LENGTH + timedelta(seconds=1))},
                ":last": {"S": to_utc_text(end - timedelta(seconds=1))},
            },
        )["Items"]
        if found:
            return False
        item = appointment_to_item(attempt.appointment(), timedelta(days=400))
        self.client.put_item(TableName="AppointmentsTable", Item=item)
        return True

    def overlaps(self) -> int:
        pages = self.client.get_paginator("scan").paginate(TableName="AppointmentsTable", ConsistentRead=True)
        items = (item for page in pages for item in page["Items"])
        return count_overlaps((i["userId"]["S"], i["startTime"]["S"], i["endTime"]["S"]) for i in items)


class Postgres:
    """An exclusion constraint decides; a refused insert does nothing. A connection a thread, a statement a booking."""

    name = "PostgreSQL"

    def __init__(self, where: str) -> None:
        self.attempts = {"spread": 4000, "hot": 4200}
        self.calls = 0
        self._where = where
        self._mine = threading.local()
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION btree_gist")
            connection.execute(
                "CREATE TABLE appointments (id uuid PRIMARY KEY, calendar text NOT NULL, during tstzrange NOT NULL,"
                " details jsonb NOT NULL, EXCLUDE USING gist (calendar WITH =, during WITH &&))"
            )

    def book(self, attempt: Attempt) -> bool:
        connection = getattr(self._mine, "connection", None)
        if connection is None:
            connection = self._mine.connection = psycopg.connect(self._where, autocommit=True)
        self.calls += 1
        done = connection.execute(
            "INSERT INTO appointments VALUES (%s, %s, tstzrange(%s, %s), %s) ON CONFLICT DO NOTHING",
            (uuid.uuid4(), attempt.calendar, *attempt.interval, '{"title": "Check-up"}'),
        )
        return bool(done.rowcount)

    def overlaps(self) -> int:
        with psycopg.connect(self._where) as connection:
            rows = connection.execute("SELECT calendar, lower(during), upper(during) FROM appointments").fetchall()
        return count_overlaps(rows)


class Result(NamedTuple):
    """What one round of one system came to."""

    booked_per_second: float
    booked: int
    refused: int
    gave_up: int
    p50_ms: float
    p99_ms: float
    calls_per_attempt: float


def run(system: System, attempts: list[Attempt], clients: int) -> Result:
    """Let so many clients work through the attempts together."""
    calls = system.calls
    waiting: Iterator[Attempt] = iter(attempts)
    lock = threading.Lock()
    gate = threading.Barrier(clients + 1)
    took: list[float] = []
    outcomes: list[bool | None] = []
    failures: list[BaseException] = []

    def work() -> None:
        gate.wait()
        while not failures:
            with lock:
                attempt = next(waiting, None)
            if attempt is None:
                return
            began = time.perf_counter()
            try:
                outcome: bool | None = system.book(attempt)
            except CalendarBusyError:
                outcome = None
            except BaseException as problem:  # noqa: BLE001 - raised below, on the main thread
                failures.append(problem)
                return
            took.append((time.perf_counter() - began) * 1000)
            outcomes.append(outcome)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    gate.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    if failures:
        raise failures[0]
    ordered = sorted(took)
    return Result(
        booked_per_second=outcomes.count(True) / seconds,
        booked=outcomes.count(True),
        refused=outcomes.count(False),
        gave_up=outcomes.count(None),
        p50_ms=ordered[len(ordered) // 2],
        p99_ms=ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
        calls_per_attempt=(system.calls - calls) / len(outcomes),
    )


WORKLOADS: dict[str, Callable[[int, str], list[Attempt]]] = {"spread": spread, "hot": hot}
Cell = tuple[str, int, str]


def measure(systems: list[System], clients: Iterable[int] = CLIENTS, rounds: int = ROUNDS) -> dict[Cell, list[Result]]:
    """Every system in turn on the same attempts, round by round. The first round warms up and does not count."""
    results: dict[Cell, list[Result]] = defaultdict(list)
    for round_ in range(rounds + 1):
        for workload, attempts in WORKLOADS.items():
            for count in clients:
                for system in systems:
                    wanted = attempts(system.attempts[workload], f"{workload}-{count}-{round_}")
                    result = run(system, wanted, count)
                    if round_:
                        results[workload, count, system.name].append(result)
    return results


def median(results: list[Result]) -> Result:
    """Field by field."""
    return Result(*(statistics.median(values) for values in zip(*results, strict=True)))


def main() -> None:
    """Measure, print and draw."""
    with ExitStack() as stack:
        # An engine each: what one system has written must not slow the others down.
        ours, naive = stack.enter_context(Engine()), stack.enter_context(Engine())
        systems: list[System] = [
            Postgres(stack.enter_context(postgres())),
            Dynamo("this, engine", dynamodb_client(ours.url)),
            Naive("naive, engine", dynamodb_client(naive.url)),
            Dynamo("this, DynamoDB Local", dynamodb_client(stack.enter_context(dynamodb_local()))),
        ]
        gc.freeze()  # as a function does when it has started
        results = measure(systems)
        print(table([row(results, cell) for cell in sorted(results, key=lambda cell: (cell[0] == "hot", cell[1]))]))
        print()
        for system in systems:
            print(f"Overlaps of {system.name}, by brute force: {system.overlaps()}")
    draw(results)


def row(results: dict[Cell, list[Result]], cell: Cell) -> Row:
    """One line of the table. The ratio is the median of the rounds' ratios: both sides of each met the same noise."""
    workload, clients, name = cell
    found, one = results[cell], median(results[cell])
    beside = results[workload, clients, "PostgreSQL"]
    ratios = [mine.booked_per_second / other.booked_per_second for mine, other in zip(found, beside, strict=True)]
    return Row(
        {
            "workload": workload,
            "clients": clients,
            "system": name,
            "booked/s": f"{one.booked_per_second:.0f}",
            "of PostgreSQL": f"{statistics.median(ratios):.3f}",
            "refused": f"{one.refused / (one.refused + one.booked):.0%}",
            "p50 ms": f"{one.p50_ms:.1f}",
            "p99 ms": f"{one.p99_ms:.1f}",
            "calls": f"{one.calls_per_attempt:.2f}",
            "gave up": sum(int(result.gave_up) for result in found),
        }
    )


def draw(results: dict[Cell, list[Result]]) -> None:
    """Booked per second over clients, one plot a workload."""
    figure = Figure(len(WORKLOADS))
    for axes, workload in zip(figure.axes, WORKLOADS, strict=True):
        for name in dict.fromkeys(name for _, _, name in results):
            rates = [median(results[workload, clients, name]).booked_per_second for clients in CLIENTS]
            axes.plot(CLIENTS, rates, marker="o", label=name)
        axes.set(title=workload, xlabel="clients", ylabel="booked per second", xscale="log", yscale="log")
        axes.set_xticks(CLIENTS, [str(clients) for clients in CLIENTS])
        axes.set_yticks(RATES, [str(rate) for rate in RATES])
        axes.minorticks_off()
    figure.figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.save("contention")
