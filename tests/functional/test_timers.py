"""A person waits for a booking, so timers are made side by side and not waited for beyond a deadline."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from appointments.firing import Timer
from appointments.model import Appointment, Interval
from appointments.reminders import Reminder, ReminderState
from appointments.rules import RuleRefusedError, Rules
from appointments.timers import WORKERS, ReminderTimers

NOW = datetime(2030, 1, 15, 8, tzinfo=UTC)
START = NOW + timedelta(days=2)


def appointment(*minutes: int) -> Appointment:
    reminders = tuple(Reminder(f"{n}m", START - timedelta(minutes=n)) for n in minutes)
    return Appointment("id", "anna", Interval(START, START + timedelta(hours=1)), NOW, NOW, reminders=reminders)


class Bus:
    """A bus that answers no call before it is let."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.called: list[str] = []

    def put(self, timer: Timer) -> None:
        self.called.append(timer.name)
        assert self.answers.wait(20), "nobody gave up on it"

    def remove(self, name: str) -> bool:
        self.called.append(name)
        return self.answers.wait(20)


@contextmanager
def silent() -> Iterator[tuple[Bus, ReminderTimers]]:
    bus: Any = Bus()
    timers = ReminderTimers(lambda: bus, lambda: bus, lambda: bus)
    try:
        yield bus, timers
    finally:
        bus.answers.set()
        timers.pool.shutdown()


def test_who_gets_no_answer_in_time_is_told_so() -> None:
    with silent() as (bus, timers):
        outcomes = timers.arm(appointment(30, 60), NOW, deadline=0.01)
        assert not bus.answers.is_set()
    assert [type(outcome.error) for outcome in outcomes] == [TimeoutError, TimeoutError]
    with silent() as (_, timers):
        booked = appointment(30)
        assert [type(o.error) for o in timers.disarm(booked, booked.reminders, deadline=0.01)] == [TimeoutError]


def test_what_was_given_up_before_its_turn_is_not_done_later() -> None:
    """Its timer may have been made by the sweep meanwhile, for another time."""
    with silent() as (bus, timers):
        timers.arm(appointment(*range(1, WORKERS + 3)), NOW, deadline=0.01)
    assert len(bus.called) == WORKERS


@pytest.mark.parametrize("state", ["sending", "sent", "skipped", "missed"])
def test_a_reminder_that_is_not_pending_gets_no_timer(state: str) -> None:
    with silent() as (bus, timers):
        booked = appointment(30)
        done = replace(booked.reminders[0], state=ReminderState(state))
        assert timers.arm(replace(booked, reminders=(done,)), NOW) == []
    assert bus.called == []


def test_a_rule_whose_target_is_refused_is_no_timer() -> None:
    """EventBridge answers such a call with 200, and the rule would fire for nobody."""
    client: Any = SimpleNamespace(
        put_rule=lambda **_: {},
        put_targets=lambda **_: {"FailedEntryCount": 1, "FailedEntries": [{"ErrorCode": "LimitExceeded"}]},
    )
    timers = ReminderTimers(lambda: Rules(client, "sender", "queue"), lambda: client, lambda: client)
    (outcome,) = timers.arm(appointment(30), NOW)
    assert isinstance(outcome.error, RuleRefusedError)
