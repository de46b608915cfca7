"""Many who book services at once, on an engine whose transactions are atomic: two services that share a pool."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from appointments.errors import CalendarBusyError, ConflictError, InvalidRequestError
from appointments.memory import Memory
from appointments.model import Appointment, Interval
from appointments.storage.store import Storage
from conflict_detector.booking import book, cancel, change
from conflict_detector.serving import ServiceAsk, book_service
from support import at_once, inconsistencies, with_memory

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

    change(appointment_id, moved, storage, DAY)


def test_32_clients_of_two_services_that_share_a_pool_never_get_the_same_calendar(storage: Storage) -> None:
    outcomes = Counter(serve_at_random(storage))
    assert inconsistencies(storage.database.client, storage.appointments.table, storage.days.table) == []
    assert min(outcomes["visit"], outcomes["test"]) >= 4  # both got something, and people did collide
    assert outcomes["refused"] >= CLIENTS / 2
    # All clients search in one process here, and a slow machine lets some run out of their five seconds.
    assert outcomes["gave up"] < CLIENTS / 4


@pytest.mark.usefixtures("without_condition")
def test_the_check_above_notices_a_missing_condition(storage: Storage) -> None:
    serve_at_random(storage)
    assert inconsistencies(storage.database.client, storage.appointments.table, storage.days.table)


# --- so many a day of one person ---------------------------------------------------------------------

MOST = 2
DATES = [date(2031, 5, 5), date(2031, 5, 6)]


def ask_for_one_person(storage: Storage, bookings: int = 4) -> Counter[str]:
    """32 clients book a service for one person on two dates, and move and cancel what they have."""
    rooms = [f"bed-{n}" for n in range(4)]
    storage.settings.put(rooms[0], {"timeZone": "Asia/Kolkata"}, DAY)
    body = {"steps": [{"durationMinutes": 15, "pools": [{"anyOf": rooms}]}], "maxPerPersonPerDay": MOST}
    storage.services.put("rest", body, DAY)

    def client(seed: int) -> list[str]:
        chance = random.Random(seed)
        mine = with_memory(storage, Memory())
        outcomes: list[str] = []
        booked: list[str] = []
        for _ in range(bookings):
            # In Kolkata the first of the dates begins at 18:30 UTC on the day before.
            start = DAY - timedelta(hours=5, minutes=30) + timedelta(minutes=15) * chance.randrange(2 * 96)
            does = chance.choice(["move", "cancel", "rest"]) if booked else "rest"
            try:
                if does == "move":
                    move(mine, booked[-1], start)
                elif does == "cancel":
                    cancel(booked.pop(), lambda _: None, mine, DAY)
                else:
                    made = book_service(wanted("anna", start, chance), ServiceAsk("rest"), mine, DAY)
                    booked.append(made.appointment_id)
                outcomes.append(does)
            except ConflictError:
                outcomes.append("taken")
            except InvalidRequestError as exc:
                outcomes += [fault.rule or fault.message for fault in exc.faults]
        return outcomes

    return Counter(one for many in at_once([partial(client, seed) for seed in range(CLIENTS)]) for one in many)


def on_each_date(storage: Storage) -> Counter[date]:
    """How many of the person's appointments start on each local date, counted in the items."""
    found = storage.database.client.scan(TableName=storage.appointments.table, ConsistentRead=True)["Items"]
    zone = ZoneInfo("Asia/Kolkata")
    starts = [item["startTime"]["S"] for item in found if item["status"]["S"] == "scheduled"]
    return Counter(datetime.fromisoformat(start).astimezone(zone).date() for start in starts)


def test_32_clients_of_one_person_never_get_more_of_a_day_than_the_service_allows(storage: Storage) -> None:
    outcomes = ask_for_one_person(storage)
    assert inconsistencies(storage.database.client, storage.appointments.table, storage.days.table) == []
    there = on_each_date(storage)
    assert there.keys() <= set(DATES)
    assert max(there.values()) <= MOST
    assert outcomes["rest"] >= MOST
    assert outcomes["maxPerPersonPerDay"] >= CLIENTS  # most of them came too late
    assert outcomes.keys() <= {"rest", "move", "cancel", "taken", "maxPerPersonPerDay"}


def test_that_check_notices_a_day_that_no_condition_covers(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appointments.decision.reach", lambda claim, _: claim.interval)
    ask_for_one_person(storage, bookings=1)
    assert max(on_each_date(storage).values()) > MOST
