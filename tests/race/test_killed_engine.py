"""The engine stopped, and killed without warning, in the middle of a booking storm: nothing is half-written.

The engine keeps its tables in memory and writes them down when it is stopped in an orderly way. Killed, it forgets
what came after that, acknowledged or not, as DynamoDB would not: what is tested here is that what it kept is whole,
and that clients who repeat their requests get what they were promised, once.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from appointments.errors import CalendarBusyError, ConflictError
from appointments.model import Appointment, Interval
from appointments.storage.store import Storage
from conflict_detector.booking import book
from local.engine import Engine
from support import create_tables, inconsistencies

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAY = datetime(2031, 5, 5, tzinfo=UTC)
CLIENTS = 8


def table_on(engine: Engine) -> Storage:
    client = engine.client("dynamodb", max_pool_connections=CLIENTS, retries={"max_attempts": 0})
    return Storage.of(client, "AppointmentsTable", "CalendarsTable")


def problems(storage: Storage) -> list[str]:
    return inconsistencies(storage.database.client, storage.appointments.table, storage.days.table)


def stored(storage: Storage) -> set[str]:
    pages = storage.database.client.get_paginator("scan").paginate(TableName=storage.appointments.table)
    return {item["appointmentId"]["S"] for page in pages for item in page["Items"]}


def wishes(storm: int) -> list[Appointment]:
    """What the clients of a storm ask for; several want the same hours of the same rooms."""
    chance = random.Random(storm)
    found = []
    for _ in range(1500):
        start = DAY + timedelta(minutes=chance.randrange(0, 3 * 24 * 60, 15))
        interval = Interval(start, start + timedelta(minutes=chance.choice([30, 60, 90])))
        rooms = tuple(f"room-{n}" for n in chance.sample(range(40), 2))
        id_ = str(uuid.UUID(int=chance.getrandbits(128)))
        found.append(Appointment(id_, f"person-{id_}", interval, DAY, DAY, rooms, fingerprint=id_))
    return found


class Storm:
    """Clients that book as fast as they can, until the engine does not answer any more."""

    def __init__(self, storage: Storage, wanted: list[Appointment]) -> None:
        self.storage, self.wanted = storage, wanted
        self.promised: set[str] = set()
        self.refused: set[str] = set()

    def until(self, bookings: int, end: Callable[[], None]) -> None:
        """Let the storm rage, and `end` it from the side once so many bookings are promised."""
        reached = threading.Event()
        threads = [threading.Thread(target=self._client, args=(n, bookings, reached)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        assert reached.wait(60)
        end()
        for thread in threads:
            thread.join()

    def _client(self, number: int, bookings: int, reached: threading.Event) -> None:
        for wanted in self.wanted[number::CLIENTS]:
            try:
                book(wanted, self.storage, DAY)
            except (ConflictError, CalendarBusyError):
                self.refused.add(wanted.appointment_id)
            except (BotoCoreError, ClientError):
                return  # the engine is gone
            else:
                self.promised.add(wanted.appointment_id)
            if len(self.promised) >= bookings:
                reached.set()


def test_stopped_and_killed_in_a_storm(tmp_path: Path) -> None:
    engine = Engine(state=tmp_path / "state")
    try:
        engine.start()
        create_tables(engine.client("dynamodb"))
        first = Storm(table_on(engine), wishes(1))
        first.until(200, engine.stop)

        # Stopped in order, in the middle of it: everything promised was written down, and nothing by halves.
        engine.start()
        storage = table_on(engine)
        saved = stored(storage)
        assert problems(storage) == []
        assert first.promised <= saved

        second = Storm(storage, wishes(2))
        second.until(200, lambda: kill(engine))

        # Killed: it is back where it was, whole. What it had promised since is lost, and that is all of it.
        engine.start()
        storage = table_on(engine)
        assert problems(storage) == []
        assert stored(storage) == saved
        lost = second.promised - stored(storage)
        assert lost == second.promised
        print(f"\n{len(saved)} kept, {len(lost)} promised after the last save and forgotten by the engine")

        # Each client repeats what it did not get or lost, with the same key: one appointment each, or a refusal.
        for wanted in second.wanted[:400]:
            try:
                assert book(wanted, storage, DAY) == wanted
            except ConflictError:
                continue
        assert problems(storage) == []
        assert len(stored(storage)) > len(saved)
    finally:
        engine.stop()


def kill(engine: Engine) -> None:
    """SIGKILL: no handler runs, nothing is written down."""
    process = engine._process
    assert process
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    engine.stop()  # nothing is left to stop, but the pipe to it is to be closed
