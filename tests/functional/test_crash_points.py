"""Death at every AWS call, right before it and right after it; then whoever comes next finishes the work.

The lists of calls below are compared with what the code does when nothing dies, so no call can be left out.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from appointments.firing import Backend, Firing
from reminder_sender.sender import LEASE
from reminder_sweep.sweep import GRACE
from world import KilledError

if TYPE_CHECKING:
    from collections.abc import Callable

    from world import World

    LogLines = Callable[[], list[dict[str, Any]]]

DUE = datetime.fromisoformat("2030-01-15T08:00:00Z")
# When Lambda repeats an event whose function failed: after about a minute, then after about two more.
REPEATS = (timedelta(minutes=1), timedelta(minutes=2))
BOOKING = ["TransactWriteItems"]
SENDING = ["GetItem", "UpdateItem", "Publish", "UpdateItem"]
CLEANING = ["RemoveTargets", "DeleteRule"]
# Between these two nobody can know whether the message went out: it is sent again, and that is recorded.
CLAIMED, PUBLISHED = 1, 2


class Crash(NamedTuple):
    """A death at the call of this position in the order of calls."""

    calls: list[str]
    position: int
    after: bool

    @property
    def operation(self) -> str:
        return self.calls[self.position]

    @property
    def nth(self) -> int:
        return self.calls[: self.position + 1].count(self.operation)

    @property
    def holds_the_claim(self) -> bool:
        """Whether the dead sender had claimed the reminder and not recorded what became of it."""
        return (CLAIMED, True) <= (self.position, self.after) < (CLAIMED + 2, True)

    @property
    def has_published(self) -> bool:
        return (self.position, self.after) >= (PUBLISHED, True)

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'}-{self.position}-{self.operation}"


def crashes(calls: list[str]) -> list[Crash]:
    return [Crash(calls, position, after) for position in range(len(calls)) for after in (False, True)]


CRASHES = [
    *((Backend.RULES, crash) for crash in crashes(SENDING + CLEANING)),
    *((Backend.SCHEDULER, crash) for crash in crashes(SENDING)),
]
each_crash = pytest.mark.parametrize(("backend", "crash"), CRASHES, ids=[f"{b}-{c}" for b, c in CRASHES])


def booked(world: World, backend: Backend) -> dict[str, Any]:
    """An appointment with one timer of this kind."""
    world.timers.backend = backend
    _, body = world.book("9:00", "10:00", user="anna", reminders=["1h"])
    return body


def fire(world: World, body: dict[str, Any], backend: Backend) -> None:
    """The event of the timer, delivered once; a schedule is gone by itself when it has fired."""
    name = f"appointment-reminder-1h-{body['appointmentId']}"
    if backend is Backend.SCHEDULER and world.schedules():
        world.scheduler.delete_schedule(Name=name, GroupName="appointments")
    world.calls.clear()
    world.sender.send(Firing(body["appointmentId"], "1h", DUE, backend))


def reminder_of(world: World, body: dict[str, Any]) -> dict[str, Any]:
    _, _, now = world.request("GET", f"/appointments/{body['appointmentId']}")
    reminder: dict[str, Any]
    (reminder,) = now["reminders"]
    return reminder


def names(lines: list[dict[str, Any]]) -> list[str]:
    return [line["event_type"] for line in lines if "event_type" in line]


def assert_settled(world: World, body: dict[str, Any], crash: Crash, lines: list[dict[str, Any]]) -> None:
    """Sent, recorded as what it was, and nothing left behind."""
    reminder = reminder_of(world, body)
    assert reminder["state"] == "sent"
    ambiguous = crash.has_published and crash.holds_the_claim
    assert len(world.inbox()) == (2 if ambiguous else 1)
    recovered = [line for line in lines if line.get("event_type") == "REMINDER_RECOVERED"]
    if crash.holds_the_claim:
        (line,) = recovered
        assert line["attempts"] == reminder["attempts"] == 2
        assert "may arrive twice" in line["reason"]
    else:
        assert not any("twice" in line["reason"] for line in recovered)
        assert reminder["attempts"] == 1
    assert "nextReminderAt" not in world.items("AppointmentsTable")[0]
    assert (world.rules(), world.schedules()) == ({}, [])


@pytest.mark.parametrize("backend", Backend)
def test_the_calls_are_those_that_are_crashed_at(world: World, backend: Backend) -> None:
    body = booked(world, backend)
    world.now = DUE
    fire(world, body, backend)
    assert world.calls == SENDING + (CLEANING if backend is Backend.RULES else [])


def killed_while_sending(world: World, backend: Backend, crash: Crash) -> dict[str, Any]:
    """An appointment whose reminder fell due, and whose sender died at that point."""
    body = booked(world, backend)
    world.now = DUE
    world.dying(crash.operation, after=crash.after, nth=crash.nth)
    with pytest.raises(KilledError):
        fire(world, body, backend)
    return body


@each_crash
def test_lambda_delivers_again_and_it_is_sent(
    world: World, events_of: LogLines, backend: Backend, crash: Crash
) -> None:
    body = killed_while_sending(world, backend, crash)
    for pause in REPEATS:
        world.now += pause
        fire(world, body, backend)
    assert_settled(world, body, crash, events_of())


@each_crash
def test_nobody_delivers_again_and_the_sweep_sends_it(
    world: World, events_of: LogLines, backend: Backend, crash: Crash
) -> None:
    body = killed_while_sending(world, backend, crash)
    world.now = DUE + GRACE
    for _ in range(2):  # of a rule that is left behind only the second one knows that it is dead
        world.sweep()
        world.now += timedelta(minutes=5)
    assert_settled(world, body, crash, events_of())


@each_crash
def test_a_sender_and_the_sweep_at_the_same_time_send_it_once(
    world: World, events_of: LogLines, backend: Backend, crash: Crash
) -> None:
    """The sender that took over has the reminder in hands when the sweep comes by."""
    body = killed_while_sending(world, backend, crash)
    world.now = DUE + GRACE
    original = world.sns.publish

    def sweep_first(**kwargs: Any) -> Any:
        world.sns.publish = original
        world.sweep()
        return original(**kwargs)

    world.sns.publish = sweep_first
    try:
        fire(world, body, backend)
    finally:
        world.sns.publish = original
    world.now += timedelta(minutes=10)
    world.sweep()
    assert_settled(world, body, crash, events_of())


# --- the sweep itself, and the booking ---------------------------------------------------------------

SWEEPING = [*SENDING, *CLEANING, "ListRules"]


@pytest.mark.parametrize("crash", crashes(SWEEPING), ids=str)
def test_the_sweep_dies_and_the_next_one_goes_on(world: World, events_of: LogLines, crash: Crash) -> None:
    body = booked(world, Backend.RULES)
    world.now = DUE + GRACE
    world.dying(crash.operation, after=crash.after, nth=crash.nth)
    with pytest.raises(KilledError):
        world.sweep()
    world.now += timedelta(minutes=5)
    world.sweep()
    assert_settled(world, body, crash, events_of())


def test_the_sweeps_calls_are_those_that_it_dies_at(world: World) -> None:
    booked(world, Backend.RULES)
    world.now = DUE + GRACE
    world.calls.clear()
    world.sweep()
    assert [call for call in world.calls if call != "Query"] == SWEEPING


TIMERS = {Backend.RULES: ["PutRule", "PutTargets"], Backend.SCHEDULER: ["CreateSchedule"]}
BOOKINGS = [(backend, crash) for backend in Backend for crash in crashes(BOOKING + TIMERS[backend])]


@pytest.mark.parametrize(("backend", "crash"), BOOKINGS, ids=[f"{b}-{c}" for b, c in BOOKINGS])
def test_the_booking_dies_and_what_was_booked_is_reminded_of(world: World, backend: Backend, crash: Crash) -> None:
    world.timers.backend = backend
    world.calls.clear()
    world.dying(crash.operation, after=crash.after)
    if crash.operation in BOOKING:
        with pytest.raises(KilledError):
            world.book("9:00", "10:00", reminders=["1h"])
    else:  # timers are made on threads of their own, and a dead one is an error like another
        assert world.book("9:00", "10:00", reminders=["1h"])[0] == 201
    committed = (crash.position, crash.after) >= (0, True)
    assert len(world.items("AppointmentsTable")) == len(world.items("CalendarsTable")) == committed
    for minutes in (-8, -3, 2, 7, 12):
        world.now = DUE + timedelta(minutes=minutes)
        world.sweep()
    assert len(world.inbox()) == committed
    assert world.rules() == {}


@pytest.mark.parametrize("backend", Backend)
def test_the_bookings_calls_are_those_that_it_dies_at(world: World, backend: Backend) -> None:
    world.calls.clear()
    booked(world, backend)
    assert world.calls == BOOKING + TIMERS[backend]


def test_a_lease_outlives_every_sender_and_is_over_when_lambda_repeats() -> None:
    from support import resources

    timeout = resources("AWS::Serverless::Function")["ReminderSenderFunction"]["Properties"]["Timeout"]
    assert timedelta(seconds=timeout) < LEASE < REPEATS[0]
