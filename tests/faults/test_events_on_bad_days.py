"""Events on the deployed stack while all goes wrong: each version told once in the history, and to whoever listens.

The functions are processes of the engine, their streams and queues are real ones, and so are the receivers. The engine
itself makes the faults: `faulty_engine.py`.
"""

from __future__ import annotations

import json
import random
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from listeners import ABSENT, FAILS, GONE, HANGS, LISTENS, Receivers
from local.engine import Engine
from local.queues import listen
from local.system import System, serving
from support import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

FAULTY_ENGINE = ROOT / "tests" / "faulty_engine.py"
WEBHOOKS = {"first": LISTENS, "second": LISTENS, "slow": HANGS, "broken": FAILS, "gone": GONE, "absent": ABSENT}
LISTENERS = [name for name, how in WEBHOOKS.items() if how == LISTENS]
BAD = [name for name in WEBHOOKS if name not in LISTENERS]
# What is promised: to be all done so long after the last fault.
ALL_DONE = timedelta(minutes=10)
# Faults of the booking itself are those of `test_simulated_days.py`.
FUNCTIONS = ["event-relay", "webhook-sender"]
RATES = {
    "throttled": 0.12,
    "failed": 0.1,
    "request lost": 0.06,
    "answer lost": 0.06,
    "repeated": 0.1,
    "died before": 0.04,
    "died after": 0.04,
}
PERSONS_AT_ONCE = 8


class Story:
    """People who book, move and cancel, and everybody who hears of it."""

    def __init__(self, system: System, folder: Path, receivers: Receivers) -> None:
        self.system, self.folder, self.receivers = system, folder, receivers
        self.sqs = system.engine.client("sqs")
        self.queue = listen(system.engine, system.stack.event_bus, f"events-{uuid.uuid4().hex}")
        self.on_bus: dict[str, list[dict[str, Any]]] = {}
        self.appointments: set[str] = set()
        # A webhook that was deleted keeps its id; each story has its own.
        self.token = uuid.uuid4().hex[:8]

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Ask until there is an answer that is no failure of the system."""
        for _ in range(20):
            request = urllib.request.Request(
                self.system.api_url + path,
                None if body is None else json.dumps(body).encode(),
                {"Content-Type": "application/json"} | (headers or {}),
                method=method,
            )
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return answer.status, json.loads(answer.read())
            except urllib.error.HTTPError as refusal:
                with refusal:
                    text = refusal.read()
                    if refusal.code < 500 and refusal.code != 429:
                        return refusal.code, json.loads(text)
            except OSError:
                pass
            time.sleep(0.2)
        raise AssertionError(f"{method} {path}: no answer")

    def configure(self, *names: str) -> None:
        for name in names:
            status, answer = self.ask("PUT", self.path(name), {"url": self.receivers.url(name)})
            assert status == 200, answer
            self.receivers.secrets[name] = answer["secret"]

    def unconfigure(self) -> None:
        for name in self.receivers.secrets:
            self.ask("DELETE", self.path(name))

    def path(self, name: str) -> str:
        return f"/webhooks/{name}-{self.token}"

    def live(self, seed: object, persons: int) -> None:
        """So many persons at the same time, each with an appointment that changes some times."""
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: self._one(random.Random(f"{seed} {n}")), range(persons)))

    def _one(self, chance: random.Random) -> None:
        start = datetime(2031, 3, 3, 8, tzinfo=UTC) + timedelta(minutes=15 * chance.randrange(40_000))
        person = f"person-{chance.getrandbits(64):x}"
        booking = {
            "userId": person,
            "startTime": start.isoformat(),
            "endTime": (start + timedelta(minutes=30)).isoformat(),
            "details": {"title": "secret"},
            "reminders": [],
        }
        status, body = self.ask("POST", "/appointments", booking, {"Idempotency-Key": person})
        assert status == 201, body
        id_ = body["appointmentId"]
        self.appointments.add(id_)
        for _ in range(chance.randrange(3)):
            start += timedelta(minutes=30)
            change = chance.choice([{"startTime": start.isoformat()}, {"details": {"title": f"{start}"}}])
            status, body = self.ask("PATCH", f"/appointments/{id_}", change)
            assert status == 200, body
        if chance.random() < 0.4:
            status, body = self.ask("DELETE", f"/appointments/{id_}")
            assert status == 200, body

    @contextmanager
    def faults(self, seed: int) -> Iterator[None]:
        orders = self.folder / "faults.json"
        waiting = orders.with_suffix(".new")
        waiting.write_text(json.dumps({"seed": seed, "functions": FUNCTIONS, "rates": RATES}))
        waiting.rename(orders)
        try:
            yield
        finally:
            orders.unlink()

    def happened(self) -> Counter[str]:
        """How often each fault came."""
        log = self.folder / "happened"
        return Counter(json.loads(line)[0] for line in log.read_text().splitlines()) if log.exists() else Counter()

    # --- what has to come of it --------------------------------------------------------------------------

    def versions(self) -> dict[str, int]:
        """The version that each appointment has in the end."""
        found = {}
        for id_ in sorted(self.appointments):
            status, body = self.ask("GET", f"/appointments/{id_}")
            assert status == 200, body
            found[id_] = body["version"]
        return found

    def problems(self, versions: Mapping[str, int]) -> list[str]:
        """Every way in which what is told differs from what was committed. The history is asked for at the end."""
        expected = {f"{id_}.{version}" for id_, last in versions.items() for version in range(1, last + 1)}
        found = []
        self.hear()
        for name, ids in {"bus": set(self.on_bus), **{n: self.receivers.ids(n) for n in LISTENERS}}.items():
            mine = [id_.rpartition(".")[0] for id_ in ids if id_.partition(".")[0] in versions]
            ours = set(mine)
            found += [f"{name}: {id_} arrived under several ids" for id_ in sorted(ours) if mine.count(id_) > 1]
            found += [f"{name}: {id_} never arrived" for id_ in sorted(expected - ours)]
            found += [f"{name}: {id_} was never committed" for id_ in sorted(ours - expected)]
        for name in LISTENERS:
            for id_, arrivals in list(self.receivers.arrived[name].items()):  # they still arrive
                if len({arrival.body for arrival in arrivals}) != 1:
                    found.append(f"{name}: {id_} says different things")
        for id_, details in self.on_bus.items():
            if any(detail != details[0] or detail["eventId"] != id_ for detail in details):
                found.append(f"bus: {id_} says different things")
        found += [f"unsigned: {what}" for what in self.receivers.unbelievable]
        return found or [wrong for id_, last in versions.items() for wrong in self._wrong_in_history(id_, last)]

    def _wrong_in_history(self, id_: str, last: int) -> Iterator[str]:
        _, body = self.ask("GET", f"/appointments/{id_}/history")
        told = [entry["version"] for entry in body["history"]]
        if told != list(range(1, last + 1)):
            yield f"{id_}: the history has the versions {told} of {last}"

    def hear(self) -> None:
        """Take what the bus has told since the last time."""
        while messages := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                detail = json.loads(message["Body"])["detail"]
                self.on_bus.setdefault(detail["eventId"], []).append(detail)
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])

    def until_all_is_told(self, within: timedelta) -> timedelta:
        """Wait until no problem is left, and return how long that took."""
        begun = time.monotonic()
        versions = self.versions()
        while problems := self.problems(versions):
            waited = timedelta(seconds=time.monotonic() - begun)
            assert waited < within, "\n".join(problems[:20])
            time.sleep(1)
        return timedelta(seconds=time.monotonic() - begun)

    def lateness_of(self, seed: int, persons: int) -> float:
        """Seconds from a change of these persons to its arrival at a receiver that listens, at most.

        Changes carry whole seconds.
        """
        before = {name: set(self.receivers.arrived[name]) for name in LISTENERS}
        self.live(seed, persons)
        self.until_all_is_told(ALL_DONE / 2)
        first = [
            arrivals[0]
            for name in LISTENERS
            for id_, arrivals in self.receivers.arrived[name].items()
            if id_ not in before[name]
        ]
        return max(each.at - datetime.fromisoformat(each.message["timestamp"]).timestamp() for each in first)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[System, Path]]:
    """The real template on an engine of its own, and the folder from which that is told what to do."""
    folder = tmp_path_factory.mktemp("faulty")
    with (
        Engine(auth=True, program=(FAULTY_ENGINE, folder)) as engine,
        serving(engine, print, stack_name="appointments-faults") as system,
    ):
        yield system, folder


@contextmanager
def story(faulty: tuple[System, Path]) -> Iterator[Story]:
    receivers = Receivers(WEBHOOKS)
    with receivers.open():
        told = Story(*faulty, receivers)
        told.configure(*LISTENERS)
        try:
            yield told
        finally:
            told.unconfigure()


@pytest.fixture
def show() -> Callable[..., None]:
    def say(**figures: Any) -> None:
        print("\n" + "\n".join(f"  {name:<12} {value}" for name, value in figures.items()))

    return say


def live_on_a_bad_day(told: Story, seed: int, persons: int, show: Callable[..., None]) -> None:
    """So many persons after each other at least, and until every kind of fault has come."""
    told.configure(*BAD)
    before = told.happened()
    with told.faults(seed):
        while len(told.appointments) < persons or set(told.happened() - before) != set(RATES):
            told.live(f"{seed} {len(told.appointments)}", PERSONS_AT_ONCE)
            assert len(told.appointments) < persons + 300, "some kind of fault never comes"
            if len(told.appointments) >= persons:
                time.sleep(1)  # a quick machine books faster than it tells: many changes come in one batch
        time.sleep(5)  # what is on its way meets faults too
    took = told.until_all_is_told(ALL_DONE)
    faults = told.happened() - before
    copies = sum(len(arrivals) for name in LISTENERS for arrivals in told.receivers.arrived[name].values())
    once = sum(len(told.receivers.arrived[name]) for name in LISTENERS)
    show(appointments=len(told.appointments), faults=dict(faults), repeated=copies - once, told_after=took)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_receivers_that_hang_fail_or_are_gone_delay_nobody(
    faulty: tuple[System, Path], show: Callable[..., None]
) -> None:
    with story(faulty) as told:
        # How late events are says more of this machine than of anything else, so it is shown and not judged.
        told.live(seed=0, persons=8)  # the processes start
        told.until_all_is_told(ALL_DONE / 2)
        usual = told.lateness_of(seed=1, persons=15)
        told.configure(*BAD)
        late = told.lateness_of(seed=2, persons=25)
        show(requests=dict(told.receivers.requests), usually=usual, with_bad_ones=late)
        # The breaker: one that hangs or fails is not asked for each event, and one that is gone is asked once or so.
        assert told.receivers.requests["slow"] < len(told.appointments) / 2
        assert told.receivers.requests["broken"] < len(told.appointments) / 2
        _, gone = told.ask("GET", told.path("gone"))
        assert gone["active"] is False


@pytest.mark.timeout(900)
def test_a_bad_day(faulty: tuple[System, Path], show: Callable[..., None]) -> None:
    with story(faulty) as told:
        live_on_a_bad_day(told, 1, 24, show)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(2, 8))
def test_more_bad_days(seed: int, faulty: tuple[System, Path], show: Callable[..., None]) -> None:
    with story(faulty) as told:
        live_on_a_bad_day(told, seed, 250, show)
