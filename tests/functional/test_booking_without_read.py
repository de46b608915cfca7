"""Bookings that are written without a read first: exact, whatever a process remembers, and in at most two calls.

Each process of a function has a memory of its own. `fresh` is one that remembers nothing, `stale` one that remembers
what has changed since.
"""

from __future__ import annotations

import random
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import ANY

import pytest

from appointments import memory
from appointments.memory import Memory
from appointments.model import CalendarDay, DayKey
from appointments.times import to_utc_text
from support import with_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world import World

DAY = datetime(2030, 1, 15, tzinfo=UTC)
CLOSED: dict[str, Any] = {"workingHours": {}}


def configure(world: World, **settings: Any) -> None:
    assert world.request("PUT", "/calendars/C", settings)[0] == 200


@contextmanager
def process(world: World, remembered: Memory) -> Iterator[None]:
    """Another process of the function, with its own memory, answers meanwhile."""
    api = world.api
    world.api = replace(api, storage=with_memory(world.storage, remembered))
    world.calls.clear()
    try:
        yield
    finally:
        world.api = api


def fresh(world: World) -> Any:
    return process(world, Memory())


# --- calls -------------------------------------------------------------------------------------------


def test_what_nobody_touched_costs_one_call(world: World) -> None:
    world.book("9:00", "10:00", reminders=[])
    with fresh(world):
        assert world.book("10:00", "11:00", reminders=[])[0] == 201
    assert world.calls == ["TransactWriteItems"]


def test_a_conflict_costs_two_calls_where_it_is_unknown_and_one_where_it_is_known(world: World) -> None:
    world.book("9:00", "10:00", reminders=[])
    with fresh(world):
        assert world.book("9:30", "10:30")[0] == 409
        assert world.calls == ["TransactWriteItems", "BatchGetItem"]
        world.calls.clear()
        assert world.book("9:30", "10:30")[0] == 409
        assert world.calls == ["BatchGetItem"]


def test_what_was_cancelled_costs_two_calls(world: World) -> None:
    _, booked = world.book("9:00", "10:00", reminders=[])
    world.request("DELETE", f"/appointments/{booked['appointmentId']}")
    with fresh(world):  # the first try brings the day back
        assert world.book("9:00", "9:15", reminders=[])[0] == 201
    assert world.calls == ["TransactWriteItems", "TransactWriteItems"]
    world.calls.clear()
    assert world.book("9:15", "9:30", reminders=[])[0] == 201
    assert world.calls == ["BatchGetItem", "TransactWriteItems"]


def test_a_configured_calendar_costs_two_calls_and_one_once_it_is_known(world: World) -> None:
    configure(world, capacity=3, bufferMinutes={"before": 10, "after": 0})
    with fresh(world):
        assert world.book("9:00", "10:00", reminders=[])[0] == 201
        assert world.calls == ["TransactWriteItems", "TransactWriteItems"]  # the first brings the settings back
        world.calls.clear()
        assert world.book("12:00", "13:00", reminders=[])[0] == 201
        assert world.calls == ["TransactWriteItems"]


def test_large_settings_are_read_rather_than_held_to_their_version(world: World) -> None:
    holidays: dict[str, list[Any]] = {f"2031-{month:02}-{day:02}": [] for month in range(1, 13) for day in range(1, 29)}
    configure(world, overrides=holidays)
    world.calls.clear()
    assert world.book("9:00", "10:00", reminders=[])[0] == 201
    assert world.calls == ["BatchGetItem", "TransactWriteItems"]
    # They are not kept either, or a few hundred of such calendars would fill a function.
    assert world.storage.memory.settings["C"] == memory.unconfigured()._replace(version=1, revision=ANY, small=False)


def test_what_fits_no_transaction_together_with_its_settings_is_refused(world: World) -> None:
    """9 calendars, 9 days and the two that buffers reach into: 99 days and the appointment, and no room for more."""
    calendars = ["C", *(f"room-{n}" for n in range(8))]
    for calendar in calendars:
        world.request("PUT", f"/calendars/{calendar}", {"bufferMinutes": {"before": 60, "after": 60}})
    world.calls.clear()
    status, refusal = world.book(
        "2030-01-15T00:30:00Z", "2030-01-23T23:30:00Z", resourceIds=calendars[1:], reminders=[]
    )
    assert (status, refusal["errors"][0]["field"], world.calls) == (422, "resourceIds", ["BatchGetItem"])
    assert "make 109 items" in refusal["errors"][0]["message"]


def test_what_fits_no_transaction_once_its_settings_are_known_is_refused(world: World) -> None:
    """21 calendars and 2 days, taken for calendars without buffers: the first try adds 2 days to each."""
    calendars = ["C", *(f"room-{n}" for n in range(20))]
    for calendar in calendars:
        world.request("PUT", f"/calendars/{calendar}", {"bufferMinutes": {"before": 1440}})
    with fresh(world):
        status, refusal = world.book(
            "2030-01-15T23:50:00Z", "2030-01-16T00:10:00Z", resourceIds=calendars[1:], reminders=[]
        )
        assert (status, refusal["errors"][0]["field"], world.calls) == (422, "resourceIds", ["TransactWriteItems"])
        assert "make 106 items" in refusal["errors"][0]["message"]


def test_a_dry_run_refuses_what_fits_no_transaction(world: World) -> None:
    calendars = ["C", *(f"room-{n}" for n in range(20))]
    for calendar in calendars:
        world.request("PUT", f"/calendars/{calendar}", {"bufferMinutes": {"before": 1440}})
    times = {"startTime": "2030-01-15T23:50:00Z", "endTime": "2030-01-16T00:10:00Z"}
    wanted = {"userId": "C", "resourceIds": calendars[1:], "reminders": [], **times}
    tried = world.request("POST", "/appointments", wanted, queryStringParameters={"dryRun": "true"})
    booked = world.request("POST", "/appointments", wanted)
    assert (tried[0], booked[0]) == (422, 422)
    assert tried[2]["errors"] == booked[2]["errors"]


def test_buffers_that_are_only_remembered_make_nothing_too_large(world: World) -> None:
    """Another process has removed the buffers since; with those that are remembered, there are 101 items."""
    calendars = ["C", *(f"room-{n}" for n in range(19))]
    remembered = Memory()
    with process(world, remembered):
        for calendar in calendars:
            world.request("PUT", f"/calendars/{calendar}", {"bufferMinutes": {"before": 1440}})
    for calendar in calendars:
        world.request("PUT", f"/calendars/{calendar}", {})
    with process(world, remembered):
        status, _ = world.book("2030-01-15T23:50:00Z", "2030-01-16T00:10:00Z", resourceIds=calendars[1:], reminders=[])
    assert status == 201


# --- exactness ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("remembered", "since", "status"),
    [
        ({}, CLOSED, 422),
        (CLOSED, {}, 201),
        ({"capacity": 2}, {"capacity": 1}, 409),
        ({}, {"capacity": 2}, 201),
        ({}, {"bufferMinutes": {"before": 30, "after": 30}}, 409),
        ({"bufferMinutes": {"before": 30, "after": 30}, "capacity": 1}, {"capacity": 2}, 201),
        ({}, {"minNoticeMinutes": 60 * 24 * 300}, 422),
        ({"horizonDays": 1}, {"horizonDays": 365}, 201),
    ],
)
@pytest.mark.parametrize("start", ["9:30", "10:15", "15:00"])
def test_settings_that_changed_since_they_were_remembered(
    world: World, remembered: dict[str, Any], since: dict[str, Any], status: int, start: str
) -> None:
    """9:30 overlaps what is booked, 10:15 keeps less than a buffer from it, 15:00 is free but for its rules."""
    if remembered:
        configure(world, **remembered)
    stale = Memory()
    with process(world, stale):
        world.request("POST", "/appointments", dry("18:00"), queryStringParameters={"dryRun": "true"})
    configure(world, capacity=1)
    assert world.book("9:00", "10:00", reminders=[])[0] == 201
    configure(world, **since)
    expected, _, wanted = world.request("POST", "/appointments", dry(start), queryStringParameters={"dryRun": "true"})
    with process(world, stale):
        got, _, body = world.request("POST", "/appointments", dry(start))
    assert got == {200: 201}.get(expected, expected)
    for part in ("conflicts", "alternatives", "errors"):
        assert body.get(part) == wanted.get(part)
    if start == "15:00" and status == 422:
        assert got == 422


def dry(start: str, user: str = "C") -> dict[str, Any]:
    begin = datetime.fromisoformat(f"2030-01-15T{start:0>5}:00+00:00")
    return {
        "userId": user,
        "startTime": to_utc_text(begin),
        "endTime": to_utc_text(begin + timedelta(minutes=30)),
        "reminders": [],
    }


def test_default_reminders_are_those_in_force(world: World) -> None:
    configure(world, reminders=["2h"])
    stale = Memory()
    with process(world, stale):
        assert [r["offset"] for r in world.book("9:00", "10:00")[1]["reminders"]] == ["2h"]
    configure(world, reminders=["3h"])
    with process(world, stale):
        assert [r["offset"] for r in world.book("10:00", "11:00")[1]["reminders"]] == ["3h"]


def test_a_key_that_another_process_used_is_answered_in_one_call(world: World) -> None:
    body, headers = dry("9:00"), {"Idempotency-Key": "k"}
    first = world.request("POST", "/appointments", body, headers=headers)
    with fresh(world):
        assert world.request("POST", "/appointments", body, headers=headers) == first
        assert world.calls == ["TransactWriteItems"]
    with fresh(world):
        other = body | {"details": {"title": "Other"}}
        assert world.request("POST", "/appointments", other, headers=headers)[0] == 422
    assert len(world.items("AppointmentsTable")) == 1


@pytest.mark.parametrize("seed", range(4))
def test_three_processes_answer_as_one_that_always_reads(world: World, seed: int) -> None:
    """A dry run always reads, so it says what is exact; then a process books on whatever it remembers."""
    chance = random.Random(seed)
    memories = [Memory(), Memory(), Memory()]
    booked: list[str] = []
    outcomes = set()
    for _ in range(70):
        act = chance.random()
        if act < 0.12:
            gap, seats = chance.choice([0, 0, 20, 90]), chance.choice([1, 1, 2])
            hours: dict[str, Any] = chance.choice([{}, {"overrides": {"2030-01-16": []}}])
            settings = {"bufferMinutes": {"before": gap, "after": 0}, "capacity": seats, **hours}
            world.request("PUT", f"/calendars/{chance.choice(['C', 'room'])}", settings)
            continue
        with process(world, chance.choice(memories)):
            if act < 0.3 and booked:
                world.request("DELETE", f"/appointments/{booked.pop(chance.randrange(len(booked)))}")
                continue
            start = DAY + timedelta(hours=19, minutes=chance.randrange(0, 600, 5))
            wanted = {
                "userId": chance.choice(["C", "D"]),
                "resourceIds": chance.choice([[], ["room"]]),
                "startTime": to_utc_text(start),
                "endTime": to_utc_text(start + timedelta(minutes=chance.choice([15, 40, 90]))),
                "reminders": [],
            }
            with fresh(world):
                status, _, exact = world.request(
                    "POST", "/appointments", wanted, queryStringParameters={"dryRun": "true"}
                )
            got, _, body = world.request("POST", "/appointments", wanted)
            assert got == {200: 201}.get(status, status)
            assert (body.get("alternatives"), body.get("errors")) == (exact.get("alternatives"), exact.get("errors"))
            outcomes.add(got)
            if got == 201:
                booked.append(body["appointmentId"])
    assert outcomes >= {201, 409}


# --- memory ------------------------------------------------------------------------------------------


def test_a_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_REMEMBERED", 3)
    known = Memory()
    for n in range(8):
        key = DayKey(f"c-{n}", date(2030, 1, 15))
        known.touch(key, range(4))
        known.learn_day(CalendarDay(key, counters={1: 1}))
        known.learn_settings(key.calendar_id, memory.unconfigured())
        assert known.is_touched(key, [1])
        assert not known.is_touched(key, [2, 3])  # the last reading counts
    assert len(known.touched) <= 3
    assert len(known.settings) <= 3
