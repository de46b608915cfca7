"""Many who book services at once, on an engine whose transactions are atomic: two services that share a pool."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from appointments.errors import CalendarBusyError, ConflictError
from appointments.memory import Memory
from appointments.model import Appointment, Interval
from appointments.storage.calendar_days import CalendarDays
from appointments.storage.store import Storage
from conflict_detector.booking import book, change
from conflict_detector.serving import ServiceAsk, book_service
from support import at_once, inconsistencies, with_memory

if TYPE_CHECKING:
    import pytest

CLIENTS = 32
DAY = datetime(2031, 5, 5, tzinfo=UTC)
DOCTORS = ["dr-a", "dr-b", "dr-c"]
ROOMS = ["room-1", "room-2"]
SERVICES: dict[str, Any] = {
    "visit": {
        "steps": [{"durationMinutes": 30, "pools": [{"anyOf": DOCTORS}, {"anyOf": [*ROOMS, "dr-a"]}]}],
        "bufferMinutes": {"before": 5, "after": 5},
    },
    "test": {
        "steps": [
            {"durationMinutes": 10, "resourceIds": ["lab"], "gapMinutes": {"max": 60}},
            {"durationMinutes": 20, "pools": [{"anyOf": DOCTORS[1:], "assign": "inOrder"}]},
        ]
    },
}


def wanted(user: str, start: datetime, chance: random.Random) -> Appointment:
    interval = Interval(start, start + timedelta(minutes=1))
    return Appointment(str(uuid.UUID(int=chance.getrandbits(128))), user, interval, DAY, DAY, offsets=())


def serve_at_random(storage: Storage, bookings: int = 5) -> list[str]:
    """32 clients, each with a memory of its own, book services and a doctor, and move what they have."""
    for service_id, body in SERVICES.items():
        storage.services.put(service_id, body, DAY)

    def client(seed: int) -> list[str]:
        chance = random.Random(seed)
        mine = with_memory(storage, Memory())
        outcomes = []
        booked: list[str] = []
        for number in range(bookings):
            start = DAY + timedelta(hours=22, minutes=5 * chance.randrange(48))
            user = f"person-{seed}-{number}"
            service_id = chance.choice([*SERVICES, *SERVICES, "", "move"])
            try:
                if service_id == "move" and booked:
                    move(mine, chance.choice(booked), start)
                elif service_id in SERVICES:
                    made = book_service(wanted(user, start, chance), ServiceAsk(service_id), mine, DAY)
                    booked.append(made.appointment_id)
                else:
                    plain = wanted(user, start, chance)
                    book(replaced(plain, timedelta(minutes=15), chance.choice(DOCTORS)), mine, DAY)
                outcomes.append(service_id or "plain")
            except ConflictError:
                outcomes.append("refused")
            except CalendarBusyError:
                outcomes.append("gave up")
        return outcomes

    return [one for many in at_once([partial(client, seed) for seed in range(CLIENTS)]) for one in many]


def replaced(plain: Appointment, length: timedelta, doctor: str) -> Appointment:
    start = plain.interval.start
    return Appointment(
        plain.appointment_id, plain.user_id, Interval(start, start + length), DAY, DAY, (doctor,), offsets=()
    )


def move(storage: Storage, appointment_id: str, start: datetime) -> None:
    """As `PATCH` with `startTime` alone."""

    def moved(before: Appointment) -> Appointment:
        interval = Interval(start, start + (before.interval.end - before.interval.start))
        return replace(before, interval=interval, version=before.version + 1)

    change(appointment_id, lambda _: None, moved, storage, DAY)


def test_32_clients_of_two_services_that_share_a_pool_never_get_the_same_calendar(storage: Storage) -> None:
    outcomes = Counter(serve_at_random(storage))
    assert inconsistencies(storage.database.client, storage.appointments.table, storage.days.table) == []
    assert min(outcomes["visit"], outcomes["test"]) >= 4  # both got something, and people did collide
    assert outcomes["refused"] >= CLIENTS / 2
    # All clients search in one process here, and a slow machine lets some run out of their five seconds.
    assert outcomes["gave up"] < CLIENTS / 4


def test_the_check_above_notices_a_missing_condition(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    original = CalendarDays.taking

    def without_condition(self: CalendarDays, *arguments: Any) -> dict[str, Any]:
        entry = original(self, *arguments)
        update = entry["Update"]
        del update["ConditionExpression"]
        used = (":entry", ":expires", ":one")
        update["ExpressionAttributeValues"] = {name: update["ExpressionAttributeValues"][name] for name in used}
        return entry

    monkeypatch.setattr(CalendarDays, "taking", without_condition)
    serve_at_random(storage)
    assert inconsistencies(storage.database.client, storage.appointments.table, storage.days.table)
