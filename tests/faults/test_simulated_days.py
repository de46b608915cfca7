"""Booking and reminding while all goes wrong now and then; at the end both promises are checked by brute force."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from appointments.firing import Backend
from appointments.reminders import Reminder
from appointments.storage.reminders import Reminders
from day import AT_MOST_LATE, BAD_DAY, REACHING_PEOPLE, SERVICES, Day, Plan, bad_day, carried_out, ordinary_day
from network import Fault
from people_day import PeopleDay
from reminder_sender import sender
from reminder_sweep.sweep import Sweep

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def show(pytestconfig: pytest.Config) -> Callable[[str, Day], None]:
    """Print the figures of a day where `make faults` shows them."""

    def say(title: str, day: Day) -> None:
        print(f"\n{title}")
        for name, value in day.figures().items():
            print(f"  {name:<22} {json.dumps(value)}")

    return say


def assert_kept(day: Day) -> None:
    assert day.problems() == []
    assert day.figures()["lost"] == 0


def test_a_bad_day(show: Callable[[str, Day], None]) -> None:
    """As crowded as the long ones, with fewer appointments: each kind of fault comes often enough, as is seen below."""
    with carried_out(bad_day(seed=1, appointments=260, calendars=700, bus_holds=90)) as day:
        show("seed 1", day)
        assert_kept(day)
        assert len(day.booked) >= 225
        # It was a bad day indeed: every kind of fault came, reminders were sent again, the bus overflowed.
        assert {fault for fault, _ in day.network.faults} == set(Fault)
        figures = day.figures()
        for name in ("duplicates", "recorded as recovered", "outside the bus", "repeated by the SDK"):
            assert figures[name] > 0, name
        for name in ("events lost", "events late", "events repeated", "senders killed", "sweeps killed"):
            assert day.happened[name] > 0, name


@pytest.mark.long
@pytest.mark.parametrize("backend", Backend)
@pytest.mark.parametrize("seed", range(2, 8))
def test_more_bad_days(seed: int, backend: Backend, show: Callable[[str, Day], None]) -> None:
    with carried_out(bad_day(seed, appointments=600, backend=backend)) as day:
        show(f"seed {seed}, {backend}", day)
        assert_kept(day)
        assert len(day.booked) >= 500


def people_day(seed: int, **more: Any) -> Plan:
    """A bad day for SES, SNS and KMS above all."""
    return bad_day(seed, services=(*SERVICES, *REACHING_PEOPLE), **more)


# Two hours of it, with faults enough for a whole one.
SHORT: dict[str, Any] = {
    "appointments": 50,
    "rates": {fault: 2 * rate for fault, rate in BAD_DAY.items()},
    "offsets": ("30m", "15m", "5m", "1m"),
    "last_start": timedelta(minutes=80),
    "faults_for": timedelta(minutes=50),
}


def test_a_bad_day_for_email_and_sms(show: Callable[[str, Day], None]) -> None:
    """Each person on each channel: nothing lost, nothing twice without a record."""
    with carried_out(people_day(seed=1, **SHORT), kind=PeopleDay) as day:
        show("people, seed 1", day)
        assert_kept(day)
        figures = day.figures()
        assert min(figures["by channel"].values()) > 10
        assert figures["duplicates"] > 0
        assert {"email bounced", "sms opted out"} <= figures["records"].keys()
        faulty = {name.partition(":")[0] for name in figures["faults of channels"]}
        assert faulty == {"SendEmail", "PublishSms", "GenerateMac"}


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("backend", Backend)
@pytest.mark.parametrize("seed", range(2, 6))
def test_more_bad_days_for_email_and_sms(seed: int, backend: Backend, show: Callable[[str, Day], None]) -> None:
    with carried_out(people_day(seed, appointments=500, outages=8, backend=backend), kind=PeopleDay) as day:
        show(f"people, seed {seed}, {backend}", day)
        assert_kept(day)
        assert len(day.booked) >= 400


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_an_ordinary_day_of_3500_appointments(show: Callable[[str, Day], None]) -> None:
    with carried_out(ordinary_day()) as day:
        show("an ordinary day", day)
        assert_kept(day)
        assert len(day.booked) >= 3500
        assert day.figures()["lateness s"]["max"] <= AT_MOST_LATE / timedelta(seconds=1)


def test_of_50_reminders_on_an_engine_whose_bus_holds_30_20_are_schedules() -> None:
    plan = Plan(
        seed=1, appointments=50, calendars=100_000, offsets=("15m",), reminders_each=(1, 1), clients=1, bus_holds=30
    )
    with carried_out(plan, bookings_only=True) as day:
        assert len(day.booked) == 50
        assert (len(day.world.rules()), len(day.world.schedules())) == (30, 20)


# --- the checks notice ---------------------------------------------------------------------------------


def test_a_sender_that_sends_whatever_was_sent_already_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    original: Callable[..., Any] = Reminders._update_reminder

    def careless(self: Reminders, *what: Any) -> Any:
        *which, condition, values = what
        if ":sending" in values:
            condition = "#status = :status0 AND #r.#o.dueAt = :due"
            values = {name: value for name, value in values.items() if name not in (":pending", ":now")}
        return original(self, *which, condition, values)

    monkeypatch.setattr(Reminders, "_update_reminder", careless)
    monkeypatch.setattr("reminder_sender.sender._reason_to_skip", lambda *_: None)
    with carried_out(Plan(seed=1, appointments=40, events_repeated=0.3)) as day:
        assert any("no record of why" in problem for problem in day.problems())


def test_a_day_without_sweeps_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sweep, "run", lambda *_: None)
    with carried_out(Plan(seed=1, appointments=60, events_lost=0.1)) as day:
        assert any("left pending" in problem for problem in day.problems())
        assert day.figures()["lost"] > 0


def test_an_sdk_that_repeats_publishes_by_itself_is_noticed() -> None:
    """Silence after a publish must end in a record, not in a second message that nobody knows of."""
    plan = Plan(seed=1, appointments=60, rates={Fault.LOST_ANSWER: 0.2})
    with carried_out(plan, publish_attempts=3) as day:
        assert any("messages" in problem for problem in day.problems())


@pytest.mark.long
def test_a_failure_on_one_channel_that_repeats_the_others_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reminder, "is_settled", lambda *_: False)
    with carried_out(people_day(seed=1, **SHORT), kind=PeopleDay) as day:
        assert any("messages too many, and less on record" in problem for problem in day.problems())


@pytest.mark.long
def test_a_channel_that_is_left_out_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a reminder were done when the topic has it."""
    advanced = sender._advanced
    monkeypatch.setattr(sender, "_advanced", lambda mine, made, **_: advanced(mine, made, last=True))
    with carried_out(people_day(seed=1, **SHORT), kind=PeopleDay) as day:
        assert any("sent, and nothing by" in problem for problem in day.problems())
