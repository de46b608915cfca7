"""Many writers at once, on an engine whose transactions are atomic; afterwards both tables are read by brute force."""

from __future__ import annotations

import json
import random
import time
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from appointments.calendar_settings import parse_settings
from appointments.errors import CalendarBusyError, ConflictError
from appointments.model import Appointment, Interval
from appointments.storage.dynamodb import Database
from appointments.storage.store import Storage
from conflict_detector.booking import Terms, book
from support import at_once, inconsistencies

if TYPE_CHECKING:
    from local.system import System

CLIENTS = 32
DAY = datetime(2031, 5, 5, tzinfo=UTC)


def random_interval(chance: random.Random) -> Interval:
    """An evening or the night after it, 5 to 120 minutes long."""
    start = DAY + timedelta(hours=18, minutes=chance.randrange(0, 12 * 60, 5))
    return Interval(start, start + timedelta(minutes=chance.randrange(5, 121, 5)))


# --- the table code, 32 threads ----------------------------------------------------------------------


def book_at_random(storage: Storage, bookings: int = 20, calendars: int = 4) -> list[str]:
    """32 threads book random intervals, each on 1 to 3 of few calendars. The outcomes of all bookings."""

    def client(seed: int) -> list[str]:
        chance = random.Random(seed)
        outcomes = []
        for _ in range(bookings):
            names = chance.sample([f"calendar-{n}" for n in range(calendars)], chance.randint(1, 3))
            appointment = Appointment(
                str(uuid.UUID(int=chance.getrandbits(128))),
                names[0],
                random_interval(chance),
                DAY,
                DAY,
                tuple(names[1:]),
            )
            try:
                book(appointment, storage, DAY)
                outcomes.append("booked")
            except ConflictError:
                outcomes.append("refused")
            except CalendarBusyError:
                outcomes.append("gave up")
        return outcomes

    return [one for many in at_once([partial(client, seed) for seed in range(CLIENTS)]) for one in many]


def test_32_threads_never_double_book(storage: Storage) -> None:
    outcomes = book_at_random(storage)
    assert inconsistencies(storage.database.client, storage.appointments.table, storage.days.table) == []
    assert len(outcomes) == CLIENTS * 20
    assert outcomes.count("booked") >= 20  # the calendars did fill up, and people did collide
    assert outcomes.count("refused") >= CLIENTS
    assert "gave up" not in outcomes


@pytest.mark.usefixtures("without_condition")
def test_the_check_above_notices_a_missing_condition(storage: Storage) -> None:
    """Without the transaction's condition the same race double-books: the condition is what holds."""
    book_at_random(storage)
    assert inconsistencies(storage.database.client, storage.appointments.table, storage.days.table)


@pytest.mark.parametrize(
    "wanted",
    [
        [("10:00", "11:00")] * 10,
        [("10:00", "11:00"), ("10:30", "11:30")],
        [("10:00", "11:00"), ("10:59", "12:00")],
        [("23:00", "23:59"), ("09:00", "23:30")],
    ],
)
def test_of_intervals_that_overlap_exactly_one_wins(storage: Storage, wanted: list[tuple[str, str]]) -> None:
    def attempt(start: str, end: str) -> bool:
        interval = Interval(*(datetime.fromisoformat(f"2031-05-05T{text}:00+00:00") for text in (start, end)))
        try:
            book(Appointment(str(uuid.uuid4()), "c", interval, DAY, DAY), storage, DAY)
        except ConflictError:
            return False
        return True

    assert at_once([partial(attempt, *span) for span in wanted]).count(True) == 1


def test_neighbours_in_one_day_all_win(storage: Storage) -> None:
    """24 bookings at once of the 24 hours of one day: none gets in another's way for good."""

    def attempt(hour: int) -> None:
        start = DAY + timedelta(hours=hour)
        book(Appointment(str(uuid.uuid4()), "c", Interval(start, start + timedelta(hours=1)), DAY, DAY), storage, DAY)

    at_once([partial(attempt, hour) for hour in range(24)])
    assert inconsistencies(storage.database.client, storage.appointments.table, storage.days.table) == []


def test_a_month_on_three_calendars_is_one_transaction(storage: Storage) -> None:
    """The largest booking there is: 93 calendar days of 96 quarter hours each, all or nothing."""
    month = Interval(DAY, DAY + timedelta(days=31))
    book(Appointment(str(uuid.uuid4()), "a", month, DAY, DAY, ("b", "c")), storage, DAY)
    last = Interval(month.end - timedelta(seconds=1), month.end + timedelta(minutes=5))
    with pytest.raises(ConflictError):
        book(Appointment(str(uuid.uuid4()), "c", last, DAY, DAY), storage, DAY)
    assert inconsistencies(storage.database.client, storage.appointments.table, storage.days.table) == []


def settings_for(storage: Storage, calendar: str, **settings: Any) -> None:
    parse_settings(settings)
    storage.settings.put(calendar, settings, DAY)


def booked_at_once(storage: Storage, wanted: list[Appointment], **how: Any) -> list[Appointment | None]:
    """Book each on a thread of its own; None where it was refused."""

    def attempt(appointment: Appointment) -> Appointment | None:
        try:
            return book(appointment, storage, DAY, Terms(**how))
        except ConflictError:
            return None

    return at_once([partial(attempt, appointment) for appointment in wanted])


def a_seat(interval: Interval, *resources: str) -> Appointment:
    """An appointment of somebody whom nobody else books."""
    return Appointment(str(uuid.uuid4()), str(uuid.uuid4()), interval, DAY, DAY, resources)


def most_at_once(storage: Storage, calendar: str, gap: timedelta = timedelta()) -> int:
    """How many live appointments lie over one another, each with its buffer, as the appointments table has it."""
    pages = storage.database.client.get_paginator("scan").paginate(
        TableName=storage.appointments.table, ConsistentRead=True
    )
    spans = [
        tuple(datetime.fromisoformat(item[name]["S"]) for name in ("startTime", "endTime"))
        for page in pages
        for item in page["Items"]
        if calendar in [item["userId"]["S"], *(text["S"] for text in item["resourceIds"]["L"])]
    ]
    return max(sum(start <= moment < end + gap for start, end in spans) for moment, _ in spans)


def test_of_64_clients_for_the_last_10_of_50_seats_exactly_10_win(storage: Storage) -> None:
    settings_for(storage, "hall", capacity=50)
    seats = Interval(DAY + timedelta(hours=20), DAY + timedelta(hours=22))
    assert all(booked_at_once(storage, [a_seat(seats, "hall")])[0] for _ in range(40))
    winners = booked_at_once(storage, [a_seat(seats, "hall") for _ in range(64)])
    assert len(winners) - winners.count(None) == 10
    assert most_at_once(storage, "hall") == 50


def test_64_clients_never_fill_a_place_twice_nor_its_buffer(storage: Storage) -> None:
    """Random intervals around midnight, 3 places, a buffer that is no quarter hour."""
    settings_for(storage, "studio", capacity=3, bufferMinutes={"before": 5, "after": 25})
    chance = random.Random(7)
    wanted = [a_seat(random_interval(chance), "studio") for _ in range(64)]
    winners = [one for one in booked_at_once(storage, wanted) if one]
    assert len(winners) > 10
    assert most_at_once(storage, "studio", timedelta(minutes=25)) == 3


def test_a_buffer_across_midnight_holds_for_two_at_once(storage: Storage) -> None:
    midnight = DAY + timedelta(days=1)
    before = Interval(midnight - timedelta(minutes=50), midnight - timedelta(minutes=20))
    after = Interval(midnight + timedelta(minutes=10), midnight + timedelta(minutes=40))
    for calendar in (f"c-{n}" for n in range(20)):
        settings_for(storage, calendar, bufferMinutes={"before": 60, "after": 60})
        answers = booked_at_once(storage, [a_seat(interval, calendar) for interval in (before, after)])
        assert answers.count(None) == 1


def test_the_check_above_notices_a_buffer_without_its_condition(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without holding the day beyond midnight to what was read, both get in."""
    transact = Database.transact

    def careless(self: Database, entries: list[dict[str, Any]]) -> None:
        transact(self, [entry for entry in entries if "ConditionCheck" not in entry])

    monkeypatch.setattr(Database, "transact", careless)
    with pytest.raises(AssertionError):
        test_a_buffer_across_midnight_holds_for_two_at_once(storage)


def test_any_of_gives_each_of_several_calendars_to_one_client(storage: Storage) -> None:
    """32 clients at once for any of 8 doctors: each doctor has one, and 24 go away."""
    doctors = [f"dr-{n}" for n in range(8)]
    hour = Interval(DAY + timedelta(hours=9), DAY + timedelta(hours=10))
    answers = booked_at_once(storage, [a_seat(hour) for _ in range(32)], any_of=doctors)
    assert sorted(one.assigned_calendar_id or "" for one in answers if one) == doctors
    assert inconsistencies(storage.database.client, storage.appointments.table, storage.days.table) == []


def test_any_of_under_one_key_is_one_appointment_for_20_at_once(storage: Storage) -> None:
    hour = Interval(DAY + timedelta(hours=9), DAY + timedelta(hours=10))
    wanted = Appointment(str(uuid.uuid4()), "anna", hour, DAY, DAY, fingerprint="same")
    answers = booked_at_once(storage, [wanted] * 20, any_of=["dr-a", "dr-b", "dr-c"])
    assert answers[0]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0].assigned_calendar_id in ("dr-a", "dr-b", "dr-c")
    assert inconsistencies(storage.database.client, storage.appointments.table, storage.days.table) == []


# --- the deployed API --------------------------------------------------------------------------------

# Each has a function's process of its own, which costs a second of CPU to start.
API_CLIENTS = 12


def post(api_url: str, user: str, interval: Interval, resources: list[str]) -> int:
    body = {
        "userId": user,
        "startTime": interval.start.isoformat(),
        "endTime": interval.end.isoformat(),
        "resourceIds": resources,
        "reminders": [],  # this test is about bookings; rules would only fill the engine's bus
    }
    request = urllib.request.Request(f"{api_url}/appointments", json.dumps(body).encode(), method="POST")
    status = 0
    for _ in range(10):
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            with refusal:
                status = refusal.code
                if status < 500:  # on a busy machine it is not decided within 5 s, or the function is given up
                    return status
        time.sleep(1)
    return status


def test_12_clients_of_the_api_never_double_book(deployed_system: System) -> None:
    run = uuid.uuid4().hex[:8]

    def client(seed: int) -> list[int]:
        chance = random.Random(seed)
        statuses = []
        for _ in range(10):
            names = chance.sample([f"{run}-{n}" for n in range(3)], chance.randint(1, 3))
            statuses.append(post(deployed_system.api_url, names[0], random_interval(chance), names[1:]))
        return statuses

    statuses = [one for many in at_once([partial(client, seed) for seed in range(API_CLIENTS)]) for one in many]
    stack = deployed_system.stack
    dynamodb = deployed_system.engine.client("dynamodb")
    assert inconsistencies(dynamodb, stack.appointments_table, stack.calendars_table, beginning=run) == []
    assert set(statuses) == {201, 409}


@pytest.mark.parametrize("intervals", [[(0, 60)] * 10, [(0, 60), (30, 90)]])
def test_parallel_posts_of_overlapping_intervals_have_one_winner(
    deployed_system: System, intervals: list[tuple[int, int]]
) -> None:
    user = f"user-{uuid.uuid4()}"
    spans = [Interval(DAY + timedelta(minutes=start), DAY + timedelta(minutes=end)) for start, end in intervals]
    statuses = at_once([partial(post, deployed_system.api_url, user, span, []) for span in spans])
    assert sorted(statuses) == [201] + [409] * (len(spans) - 1)
