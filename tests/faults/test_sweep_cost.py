"""What a sweep costs: nothing for what is still to come, however much that is, and its time's worth after an outage."""

from __future__ import annotations

import random
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from appointments.model import Appointment, Interval
from appointments.reminders import reminders_ahead
from appointments.storage.appointment_items import REMINDER_SHARDS, appointment_to_item
from local.engine import Engine
from world import NOW, World

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUR = timedelta(hours=1)


@pytest.fixture
def world() -> Iterator[World]:
    """All functions over an engine of their own."""
    with Engine() as engine:
        retries = {"mode": "standard", "total_max_attempts": 3}
        names = ("dynamodb", "events", "scheduler", "sns", "sqs")
        yield World({name: engine.client(name, retries=retries, max_pool_connections=32) for name in names})


def appointment(chance: random.Random, start: Any) -> Appointment:
    id_ = str(uuid.UUID(int=chance.getrandbits(128)))
    ahead = reminders_ahead(start, ("24h", "1h"), NOW)
    return Appointment(id_, f"person-{id_}", Interval(start, start + HOUR), NOW, NOW, reminders=ahead)


def store(world: World, appointments: list[Appointment]) -> None:
    """Into the table directly, without timers: 25 at a time, as DynamoDB takes them."""

    def put(some: list[Appointment]) -> None:
        items = [appointment_to_item(one, timedelta(days=1)) for one in some]
        requests = [{"PutRequest": {"Item": item}} for item in items]
        assert not world.dynamodb.batch_write_item(RequestItems={"AppointmentsTable": requests})["UnprocessedItems"]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, [appointments[n : n + 25] for n in range(0, len(appointments), 25)]))


def dues(world: World, state: str) -> list[tuple[int, str]]:
    """Shard and due time of every 24h reminder in a state."""
    found = []
    for item in world.items("AppointmentsTable"):
        reminder = item["reminders"]["M"]["24h"]["M"]
        if reminder["state"]["S"] == state:
            found.append((int(item["reminderShard"]["N"]), reminder["dueAt"]["S"]))
    return found


class Meter:
    """Counts what queries consume, as the engine reports it."""

    def __init__(self, world: World) -> None:
        self.units: list[float] = []
        self.read = 0
        self.original = world.dynamodb.query
        world.dynamodb.query = self.query

    def query(self, **kwargs: Any) -> Any:
        answer = self.original(**kwargs, ReturnConsumedCapacity="TOTAL")
        self.units.append(answer["ConsumedCapacity"]["CapacityUnits"])
        self.read += answer["ScannedCount"]
        return answer


@pytest.mark.long
@pytest.mark.timeout(900)
def test_100_000_future_reminders_and_none_due(world: World) -> None:
    meter = Meter(world)
    world.sweep()
    units_when_empty = sorted(meter.units)
    chance = random.Random(1)
    for _ in range(10):
        later = [appointment(chance, NOW + timedelta(days=2, minutes=chance.randrange(100_000))) for _ in range(10_000)]
        store(world, later)
    meter.units.clear()
    began = time.monotonic()
    world.sweep()
    seconds = time.monotonic() - began
    print(
        f"\n100,000 appointments with a reminder ahead: {len(meter.units)} queries, {sum(meter.units)} read units, "
        f"{meter.read} entries read, {seconds:.2f} s; with none: {sum(units_when_empty)} read units"
    )
    assert len(meter.units) == REMINDER_SHARDS
    assert meter.read == 0
    assert sorted(meter.units) == units_when_empty


def seconds_left(until: float) -> float:
    return until - time.monotonic()


@pytest.mark.long
@pytest.mark.timeout(900)
def test_an_outage_of_hours_is_worked_through_in_pages_and_in_order(world: World) -> None:
    """6,000 overdue reminders, and 60 s of sending for each sweep on this machine."""
    chance = random.Random(2)
    starts = [NOW + 25 * HOUR + timedelta(minutes=chance.randrange(6 * 60)) for _ in range(6000)]
    store(world, [appointment(chance, start) for start in starts])
    world.now = NOW + 7 * HOUR + timedelta(minutes=3)
    sweeps, done = 0, 0
    while done < 6000:
        sweeps += 1
        began = time.monotonic()
        world.sweeper.run(partial(seconds_left, began + 120))
        sent, left = (dues(world, state) for state in ("sent", "pending"))
        print(f"\nsweep {sweeps}: {len(sent) - done} sent in {time.monotonic() - began:.0f} s, {len(left)} left")
        assert len(sent) > done, "nothing moves"
        # The longest overdue of each shard go first.
        for shard in range(REMINDER_SHARDS):
            last = max((due for of, due in sent if of == shard), default="")
            assert all(last <= due for of, due in left if of == shard)
        done = len(sent)
        world.now += timedelta(minutes=5)
    assert len(world.inbox()) == 6000
