"""Holds, confirmations, requests and bookings of one time, all at once, by processes whose clocks differ."""

from __future__ import annotations

import random
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from appointments.calendars import CalendarSettings
from appointments.errors import ConflictError, InvalidTransitionError
from appointments.memory import Memory
from appointments.model import Appointment, Interval, with_status
from appointments.statuses import Status
from conflict_detector.appointments.changes import parse_change
from conflict_detector.booking import book, cancel, change
from support import at_once, inconsistencies, with_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from appointments.storage.store import Storage

DAY = datetime(2031, 5, 5, tzinfo=UTC)
EXPIRES = DAY - timedelta(days=1)
# Over midnight, so that a reading has two days of each calendar.
SLOT = Interval(DAY - timedelta(minutes=30), DAY + timedelta(minutes=30))
SECOND = timedelta(seconds=1)


def wanted(user: str, now: datetime, status: Status = Status.SCHEDULED, **more: object) -> Appointment:
    return Appointment(str(uuid.uuid4()), user, SLOT, now, now, ("c",), reminders=(), status=status, **more)  # type: ignore[arg-type]


def confirm(storage: Storage, held: Appointment, now: datetime) -> str:
    update = partial(parse_change, {"status": "scheduled"}, now=now)
    return outcome(lambda: change(held.appointment_id, update, storage, now))


def outcome(act: Callable[[], object]) -> str:
    try:
        act()
    except ConflictError:
        return "conflict"
    except InvalidTransitionError:
        return "ended"
    return "done"


def process(storage: Storage) -> Storage:
    """A process that has learned nothing yet."""
    return with_memory(storage, Memory())


def live(storage: Storage) -> list[str]:
    items = storage.database.client.scan(TableName="AppointmentsTable", ConsistentRead=True)["Items"]
    return sorted(item["status"]["S"] for item in items if Status(item["status"]["S"]).occupies)


@pytest.mark.parametrize("seed", range(6))
def test_at_the_moment_of_expiry_either_the_hold_is_confirmed_or_one_other_books(storage: Storage, seed: int) -> None:
    """Clocks differ by two seconds either way around five seconds after the expiry, when others may book."""
    chance = random.Random(seed)
    held = wanted("anna", EXPIRES - timedelta(minutes=10), Status.HELD, expires_at=EXPIRES)
    book(held, storage, held.created_at)

    def clock() -> datetime:
        return EXPIRES + 5 * SECOND + timedelta(milliseconds=chance.randrange(-2000, 2001))

    confirming = [partial(confirm, process(storage), held, clock()) for _ in range(8)]
    booking = [
        partial(outcome, partial(book, wanted(f"u{n}", now := clock()), process(storage), now)) for n in range(24)
    ]
    answers = at_once([*confirming, *booking])
    confirmed, booked = answers[:8], answers[8:]
    assert (booked.count("done"), set(confirmed)) in ((0, {"done"}), (1, {"conflict"}))
    assert live(storage).count("scheduled") == 1
    assert inconsistencies(storage.database.client, "AppointmentsTable", "CalendarsTable") == []


@pytest.mark.parametrize("seed", range(3))
def test_a_hold_is_confirmed_in_time_whatever_others_try(storage: Storage, seed: int) -> None:
    """Clocks differ by two seconds: its own is just before the expiry, and others' up to two seconds ahead."""
    chance = random.Random(seed)
    held = wanted("anna", EXPIRES - timedelta(minutes=10), Status.HELD, expires_at=EXPIRES)
    book(held, storage, held.created_at)
    others = [EXPIRES + timedelta(milliseconds=chance.randrange(0, 2001)) for _ in range(31)]
    answers = at_once(
        [
            partial(confirm, process(storage), held, EXPIRES - SECOND),
            *(
                partial(outcome, partial(book, wanted(f"u{n}", now), process(storage), now))
                for n, now in enumerate(others)
            ),
        ]
    )
    assert answers == ["done", *31 * ["conflict"]]
    assert live(storage) == ["scheduled"]


@pytest.mark.parametrize("kind", [Status.HELD, Status.REQUESTED])
def test_of_32_that_hold_or_request_one_time_one_gets_it(storage: Storage, kind: Status) -> None:
    until = EXPIRES if kind is Status.HELD else None
    now = EXPIRES - timedelta(minutes=10)
    jobs = [
        partial(outcome, partial(book, wanted(f"u{n}", now, kind, expires_at=until), process(storage), now))
        for n in range(32)
    ]
    assert sorted(at_once(jobs)) == [*31 * ["conflict"], "done"]
    assert live(storage) == [kind]


@pytest.mark.parametrize("seed", range(4))
def test_confirming_cancelling_expiring_and_booking_all_at_once(storage: Storage, seed: int) -> None:
    """Whatever comes first, one of them takes the time at most, and nothing is left behind."""
    held = wanted("anna", EXPIRES - timedelta(minutes=10), Status.HELD, expires_at=EXPIRES)
    book(held, storage, held.created_at)
    late = EXPIRES + 6 * SECOND

    def expire() -> str:
        try:
            storage.appointments.change(held, with_status(held, Status.EXPIRED, late))
        except Exception as exc:  # noqa: BLE001 - how it ended is its answer
            return type(exc).__name__
        return "done"

    jobs: list[Callable[[], str]] = [
        partial(confirm, process(storage), held, late),
        partial(outcome, lambda: cancel(held.appointment_id, lambda _: None, process(storage), late)),
        expire,
        *(partial(outcome, partial(book, wanted(f"u{n}", late), process(storage), late)) for n in range(12)),
    ]
    order = list(range(len(jobs)))
    random.Random(seed).shuffle(order)
    by_job = dict(zip(order, at_once([jobs[n] for n in order]), strict=True))
    booked = [by_job[n] for n in range(3, len(jobs))].count("done")
    assert booked <= 1
    assert live(storage).count("scheduled") <= 1
    assert by_job[0] == "done" or booked == 1
    assert inconsistencies(storage.database.client, "AppointmentsTable", "CalendarsTable") == []


def test_a_capacity_of_ten_holds_ten_holds_and_bookings_at_once(storage: Storage) -> None:
    storage.settings.put("c", {"capacity": 10}, EXPIRES, None)
    now = EXPIRES - timedelta(minutes=10)
    jobs = [
        partial(
            outcome,
            partial(
                book,
                replace(
                    wanted(f"u{n}", now),
                    status=Status.HELD if n % 2 else Status.SCHEDULED,
                    expires_at=EXPIRES if n % 2 else None,
                ),
                process(storage),
                now,
            ),
        )
        for n in range(32)
    ]
    assert at_once(jobs).count("done") == CalendarSettings(capacity=10).capacity
