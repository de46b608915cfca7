"""Booking, moving and cancelling all at once: nothing overlaps, nothing is left behind, every answer is explained."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from appointments.errors import AppointmentCancelledError, ConflictError
from appointments.memory import Memory
from appointments.model import Appointment, Interval
from appointments.statuses import Status
from appointments.storage.dynamodb import Database
from appointments.storage.lists import ListQuery, page_of_person
from conflict_detector.booking import book, cancel, change
from history import Operation, is_serial
from support import at_once, inconsistencies, with_memory

if TYPE_CHECKING:
    from appointments.storage.store import Storage

DAY = datetime(2031, 5, 5, tzinfo=UTC)
CLIENTS = 32
HOUR = timedelta(hours=1)


def interval(chance: random.Random) -> Interval:
    """Around midnight, so that days are left and entered; 15 to 90 minutes long."""
    start = DAY + timedelta(hours=22, minutes=chance.randrange(0, 4 * 60, 15))
    return Interval(start, start + timedelta(minutes=chance.choice([15, 30, 90])))


@dataclass
class Client:
    """One person at work, and what they asked and were answered, by calendar."""

    storage: Storage
    seed: int
    calendars: int
    history: dict[str, list[Operation]] = field(default_factory=lambda: defaultdict(list))
    mine: list[Appointment] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)

    def work(self, steps: int) -> Client:
        self.chance = random.Random(self.seed)
        for _ in range(steps):
            action = self.chance.choice([self.book, self.book, self.move, self.cancel]) if self.mine else self.book
            action()
        return self

    def book(self) -> None:
        names = self.chance.sample([f"calendar-{n}" for n in range(self.calendars)], self.chance.choice([1, 1, 2]))
        id_ = str(uuid.UUID(int=self.chance.getrandbits(128)))
        wanted = Appointment(id_, names[0], interval(self.chance), DAY, DAY, tuple(names[1:]))
        if self.attempt("book", wanted, lambda: book(wanted, self.storage, DAY)):
            self.mine.append(wanted)

    def move(self) -> None:
        before = self.chance.choice(self.mine)
        wanted = replace(before, interval=interval(self.chance))
        update = lambda current: replace(current, interval=wanted.interval, version=current.version + 1)  # noqa: E731
        if self.attempt("move", wanted, lambda: change(before.appointment_id, update, self.storage, DAY)):
            self.mine[self.mine.index(before)] = wanted

    def cancel(self) -> None:
        gone = self.mine.pop(self.chance.randrange(len(self.mine)))
        began = time.monotonic()
        cancel(gone.appointment_id, lambda _: None, self.storage, DAY)
        self.outcomes.append("cancelled")
        for calendar in gone.calendar_ids:
            self.history[calendar].append(Operation(began, time.monotonic(), gone.appointment_id, None, True))

    def attempt(self, what: str, wanted: Appointment, act: Any) -> bool:
        began = time.monotonic()
        try:
            act()
        except ConflictError as refusal:
            self.outcomes.append(f"{what} refused")
            for calendar in {conflict.calendar_id for conflict in refusal.conflicts}:
                self.record(calendar, began, wanted, done=False)
            return False
        self.outcomes.append(f"{what} done")
        for calendar in wanted.calendar_ids:
            self.record(calendar, began, wanted, done=True)
        return True

    def record(self, calendar: str, began: float, wanted: Appointment, *, done: bool) -> None:
        operation = Operation(began, time.monotonic(), wanted.appointment_id, wanted.interval, done)
        self.history[calendar].append(operation)


def work_at_once(storage: Storage, steps: int, calendars: int) -> list[Client]:
    # Each is a process of its own, which remembers what it has seen itself.
    clients = [Client(with_memory(storage, Memory()), seed, calendars) for seed in range(CLIENTS)]
    return at_once([partial(client.work, steps) for client in clients])


def book_each(appointments: list[Appointment], storage: Storage) -> None:
    for each in appointments:
        book(each, storage, DAY)


def problems(storage: Storage) -> list[str]:
    return inconsistencies(storage.database.client, storage.appointments.table, storage.days.table)


def test_32_clients_book_move_and_cancel(storage: Storage) -> None:
    clients = work_at_once(storage, steps=8, calendars=12)
    assert problems(storage) == []
    outcomes = {outcome for client in clients for outcome in client.outcomes}
    assert outcomes == {"book done", "book refused", "move done", "move refused", "cancelled"}
    for calendar in {name for client in clients for name in client.history}:
        history = [operation for client in clients for operation in client.history[calendar]]
        assert is_serial(history), f"no order explains the answers on {calendar}"


def test_on_few_calendars_the_tables_stay_consistent(storage: Storage) -> None:
    work_at_once(storage, steps=15, calendars=3)
    assert problems(storage) == []


def move_all_to_one_slot(storage: Storage) -> int:
    """32 appointments, each in an hour of its own, are moved to one and the same hour at once. How many get it."""
    booked = [
        Appointment(str(uuid.uuid4()), "c", Interval(DAY + n * HOUR, DAY + (n + 1) * HOUR), DAY, DAY) for n in range(32)
    ]
    for appointment in booked:
        book(appointment, storage, DAY)
    wanted = Interval(DAY + 40 * HOUR, DAY + 41 * HOUR)

    def move(appointment: Appointment) -> bool:
        def update(now: Appointment) -> Appointment:
            return replace(now, interval=wanted, version=now.version + 1)

        try:
            change(appointment.appointment_id, update, storage, DAY)
        except ConflictError:
            return False
        return True

    return at_once([partial(move, appointment) for appointment in booked]).count(True)


def test_of_32_moves_to_one_slot_exactly_one_wins(storage: Storage) -> None:
    assert move_all_to_one_slot(storage) == 1
    assert problems(storage) == []


def test_the_check_above_notices_a_move_without_its_condition(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    transact = Database.transact

    def careless(self: Database, entries: list[dict[str, Any]]) -> None:
        """Commit as ever, but hold the days of a move to nothing; a booking begins with a Put."""
        for entry in entries[1:] if "Update" in entries[0] else ():
            update = entry.get("Update", {})
            if update.pop("ConditionExpression", None):
                values = update["ExpressionAttributeValues"]
                kept = (":entry", ":expires", ":one")
                update["ExpressionAttributeValues"] = {name: values[name] for name in kept}
        transact(self, entries)

    monkeypatch.setattr(Database, "transact", careless)
    assert move_all_to_one_slot(storage) > 1
    assert problems(storage)


def test_a_move_and_a_cancel_at_once_leave_no_ghost(storage: Storage) -> None:
    for round_ in range(30):
        wanted = Appointment(str(uuid.uuid4()), f"c-{round_}", Interval(DAY, DAY + timedelta(hours=1)), DAY, DAY)
        book(wanted, storage, DAY)
        later = Interval(DAY + timedelta(days=1), DAY + timedelta(days=1, hours=1))

        def move(id_: str = wanted.appointment_id, later: Interval = later) -> str:
            update = lambda now: replace(now, interval=later, version=now.version + 1)  # noqa: E731
            try:
                change(id_, update, storage, DAY)
            except AppointmentCancelledError:
                return "cancelled first"
            return "moved first"

        def undo(id_: str = wanted.appointment_id) -> None:
            cancel(id_, lambda _: None, storage, DAY)

        order, _ = at_once([move, undo])
        (appointment,) = [storage.appointments.get(wanted.appointment_id)]
        assert appointment
        assert appointment.status is Status.CANCELLED
        assert (appointment.interval == later) == (order == "moved first")
    assert problems(storage) == []


def test_20_equal_requests_at_once_are_one_appointment(storage: Storage) -> None:
    wanted = Appointment(
        str(uuid.uuid4()), "c", Interval(DAY, DAY + timedelta(hours=1)), DAY, DAY, ("room",), fingerprint="same"
    )
    answers = at_once([lambda: book(wanted, storage, DAY)] * 20)
    assert answers == [wanted] * 20
    assert problems(storage) == []


def test_a_list_of_1000_misses_and_repeats_none_while_others_book_and_cancel(storage: Storage) -> None:
    def booked(number: int, status: Status = Status.SCHEDULED) -> Appointment:
        start = DAY + timedelta(hours=number)
        return Appointment(
            str(uuid.uuid4()), "anna", Interval(start, start + timedelta(minutes=30)), DAY, DAY, status=status
        )

    steady = [booked(number) for number in range(1000)]
    at_once([partial(book_each, steady[n::8], storage) for n in range(8)])
    stop = threading.Event()

    def disturb() -> int:
        """Book between those, and cancel again."""
        changes = 0
        while not stop.is_set():
            extra = booked(changes % 1000)
            extra = replace(extra, interval=Interval(extra.interval.end, extra.interval.end + timedelta(minutes=20)))
            book(extra, storage, DAY)
            cancel(extra.appointment_id, lambda _: None, storage, DAY)
            changes += 1
        return changes

    def read() -> list[str]:
        found: list[str] = []
        position = None
        while True:
            page = page_of_person(storage.appointments, ListQuery("anna", after=position))
            found += [position.appointment_id for position, _ in page.entries]
            position = page.next_position
            if position is None:
                stop.set()
                return found

    changes, found = at_once([disturb, read])
    assert changes > 0
    assert len(found) == len(set(found))
    wanted = [appointment.appointment_id for appointment in steady]
    assert [id_ for id_ in found if id_ in set(wanted)] == wanted
