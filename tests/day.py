"""A day of bookings and reminders on the engine, on a clock of its own, with every other part played badly.

People book, move and cancel through the API. EventBridge, Scheduler and Lambda are played here, from the rules and
schedules that lie in the engine: events are lost, late or repeated, functions die and are repeated after a minute and
after two more, and the sweep comes every five minutes. At the end everything is read by brute force.
"""

from __future__ import annotations

import heapq
import io
import itertools
import json
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import botocore.endpoint

import appointments.storage.dynamodb
import reminder_sender.app
import reminder_sweep.app
from appointments.firing import Backend
from appointments.reminders import due_at
from appointments.rules import parse_cron
from appointments.schedules import parse_at
from appointments.telemetry import logger
from appointments.times import floor_to_minute
from local.engine import Engine
from network import Fault, Network, Outage
from reminder_sender.sender import LEASE
from reminder_sweep.sweep import SweepIncompleteError
from support import inconsistencies
from world import NOW, KilledError, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


MINUTE = timedelta(minutes=1)
# Lambda repeats an event whose function failed after about these pauses, then gives it to the dead-letter queue.
REPEATS = (MINUTE, 2 * MINUTE)
AT_MOST_LATE = 10 * MINUTE


@dataclass(frozen=True)
class Plan:
    """What happens in a day. `faults_for` is how long things go wrong, from the first booking on."""

    seed: int
    appointments: int = 500
    calendars: int = 1500
    # How long the bookings take: none, and all are made at the beginning, by several clients at once.
    book_over: timedelta = timedelta()
    first_start: timedelta = 20 * MINUTE
    last_start: timedelta = timedelta(hours=3, minutes=30)
    offsets: tuple[str, ...] = ("2h", "1h", "30m", "15m", "5m", "1m")
    reminders_each: tuple[int, int] = (1, 2)
    rates: Mapping[Fault, float] = field(default_factory=dict)
    faults_for: timedelta = timedelta(hours=2, minutes=20)
    outages: int = 0
    # Of the events of a timer: how many are lost, how many come late, how many come several times.
    events_lost: float = 0.0
    events_late: float = 0.0
    events_repeated: float = 0.0
    moved: float = 0.0
    cancelled: float = 0.0
    bus_holds: int = 300
    backend: Backend = Backend.RULES
    clients: int = 4
    # Those that have bad times altogether, each as the calls that fail then.
    services: tuple[frozenset[str], ...] = ()


BAD_DAY: dict[Fault, float] = {
    Fault.THROTTLED: 0.02,
    Fault.FAILED: 0.015,
    Fault.DELAYED: 0.02,
    Fault.LOST_REQUEST: 0.01,
    Fault.LOST_ANSWER: 0.015,
    Fault.DUPLICATED: 0.02,
    Fault.DIED_BEFORE: 0.005,
    Fault.DIED_AFTER: 0.005,
    Fault.HELD: 0.02,
}
# What fails together when a service has a bad time.
SERVICES = (
    frozenset({"PutRule", "PutTargets", "RemoveTargets", "DeleteRule", "ListRules", "ListRuleNamesByTarget"}),
    frozenset({"Publish"}),
    frozenset({"GetItem", "UpdateItem", "Query", "TransactWriteItems", "BatchGetItem"}),
    frozenset({"CreateSchedule", "UpdateSchedule", "GetSchedule", "DeleteSchedule"}),
)
# Of those that reach people, SES has bad times alone, and SNS with its topics.
REACHING_PEOPLE = (
    frozenset({"SendEmail"}),
    frozenset({"Publish", "PublishSms"}),
    frozenset({"GenerateMac", "SendEmail"}),
)


def bad_day(seed: int, **more: Any) -> Plan:
    """Everything goes wrong now and then, and each service altogether for some minutes."""
    plan: dict[str, Any] = {
        "rates": BAD_DAY,
        "outages": 4,
        "events_lost": 0.05,
        "events_late": 0.05,
        "events_repeated": 0.1,
        "moved": 0.12,
        "cancelled": 0.08,
        "bus_holds": 200,
    }
    return Plan(seed, **(plan | more))


def ordinary_day() -> Plan:
    """3,500 bookings over 24 hours, for the next day; two reminders each, and AWS as it is on most days."""
    return Plan(
        seed=1,
        appointments=3700,  # of which some are refused
        calendars=3000,
        book_over=timedelta(hours=24),
        first_start=timedelta(hours=25),
        last_start=timedelta(hours=49),
        offsets=("24h", "1h"),
        reminders_each=(2, 2),
        rates={
            Fault.THROTTLED: 0.005,
            Fault.FAILED: 0.001,
            Fault.DELAYED: 0.005,
            Fault.LOST_REQUEST: 0.0005,
            Fault.LOST_ANSWER: 0.0005,
            Fault.DIED_BEFORE: 0.0002,
            Fault.DIED_AFTER: 0.0002,
        },
        faults_for=timedelta(hours=49, minutes=30),
        events_lost=0.001,
        events_late=0.002,
        events_repeated=0.002,
    )


class Context:
    """What Lambda tells a function about its invocation; `passed` is how long it has been running."""

    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "day"

    def __init__(self, passed: Callable[[], timedelta] = timedelta) -> None:
        self.passed = passed

    def get_remaining_time_in_millis(self) -> int:
        return round((timedelta(seconds=270) - self.passed()) / timedelta(milliseconds=1))


class Day:
    """One plan, carried out on one fresh engine."""

    def __init__(self, engine: Engine, plan: Plan, publish_attempts: int = 1) -> None:
        self.plan = plan
        self.chance = random.Random(plan.seed)
        self.begun = NOW
        self.network = Network(
            plan.seed,
            now=lambda: self.world.now,
            advance=self._advance,
            rates=plan.rates,
            bus_holds=plan.bus_holds,
        )
        clients = {
            name: engine.client(
                name,
                retries={"mode": "standard", "total_max_attempts": publish_attempts if name == "sns" else 3},
                max_pool_connections=32,
            )
            for name in ("dynamodb", "events", "scheduler", "sns", "sqs")
        }
        self.network.until = self.calm_from = self.begun + plan.faults_for
        self.world = World(clients)
        self.world.timers.backend = plan.backend
        self.network.outages = tuple(self._outage() for _ in range(plan.outages))
        for name in ("dynamodb", "events", "scheduler", "sns"):
            self.network.attach(clients[name])
        self.booked: list[dict[str, Any]] = []
        self.answers: Counter[int] = Counter()
        self.happened: Counter[str] = Counter()
        self.log: list[dict[str, Any]] = []
        self._queue: list[tuple[datetime, int, str, Any]] = []
        self._order = itertools.count()

    # --- the clock ---------------------------------------------------------------------------------------

    def _advance(self, span: timedelta) -> None:
        self.world.now += span

    def _outage(self) -> Outage:
        begins = self.begun + self.chance.random() * self.plan.faults_for
        return Outage(
            self.chance.choice(self.plan.services or SERVICES), begins, begins + self.chance.randrange(3, 9) * MINUTE
        )

    def at(self, when: datetime, what: str, about: Any = None) -> None:
        heapq.heappush(self._queue, (when, next(self._order), what, about))

    # --- the whole ---------------------------------------------------------------------------------------

    def run(self, *, bookings_only: bool = False) -> None:
        """Book everything, then let the day pass."""
        with self._in_place(), self._recorded():
            self.network.enabled = True
            jobs = [self._booking(number) for number in range(self.plan.appointments)]
            if self.plan.book_over:
                for job in jobs:
                    self.at(self.begun + self.chance.random() * self.plan.book_over, "later_book", job)
            else:
                self._book_at_once(jobs)
            minute = floor_to_minute(self.begun)
            end = self.begun + self.plan.last_start + 30 * MINUTE
            for n in range((end - minute) // MINUTE):
                self.at(minute + n * MINUTE, "minute")
                if n % 5 == 4:
                    self.at(minute + n * MINUTE + timedelta(seconds=self.chance.randrange(60)), "sweep")
            while self._queue and not bookings_only:
                self.world.now, _, what, about = heapq.heappop(self._queue)
                self.network.dead = False
                getattr(self, f"_{what}")(about)
                while self.world.invoked:
                    self._fire(self.world.invoked.pop(0))
            self.network.dead = self.network.enabled = False

    @contextmanager
    def _in_place(self) -> Iterator[None]:
        """The handlers work in this world, and pauses before repetitions pass on its clock."""

        def sleep(seconds: float) -> None:
            self._advance(timedelta(seconds=seconds))

        with (
            patch.object(botocore.endpoint, "time", SimpleNamespace(sleep=sleep)),
            patch.object(appointments.storage.dynamodb, "sleep", sleep),
            patch.object(reminder_sender.app, "_sender", lambda: self.world.sender),
            patch.object(reminder_sweep.app, "_sweep", lambda: self.world.sweeper),
        ):
            yield

    @contextmanager
    def _recorded(self) -> Iterator[None]:
        stream = io.StringIO()
        handler: Any = logger.registered_handler
        before = handler.setStream(stream)
        try:
            yield
        finally:
            handler.setStream(before)
            self.log = [json.loads(line) for line in stream.getvalue().splitlines()]

    # --- people ------------------------------------------------------------------------------------------

    def _booking(self, number: int) -> dict[str, Any]:
        span = (self.plan.last_start - self.plan.first_start) // MINUTE
        start = self.begun + self.plan.first_start + self.chance.randrange(0, span) * MINUTE
        calendars = self.chance.sample(range(self.plan.calendars), self.chance.choice([1, 1, 2]))
        offsets = self.chance.sample(self.plan.offsets, self.chance.randint(*self.plan.reminders_each))
        return {
            "key": f"{self.plan.seed}-{number}",
            "userId": f"calendar-{calendars[0]}",
            "resourceIds": [f"calendar-{n}" for n in calendars[1:]],
            "startTime": start.isoformat(),
            "endTime": (start + self.chance.choice([15, 30, 45]) * MINUTE).isoformat(),
            "reminders": offsets,
        }

    def _book_at_once(self, jobs: list[dict[str, Any]]) -> None:
        self.network.deaths_spread = False
        with ThreadPoolExecutor(self.plan.clients) as pool:
            self.booked = [body for body in pool.map(self._book, jobs) if body]
        self.network.deaths_spread = True
        self._plan_changes()

    def _later_book(self, job: dict[str, Any]) -> None:
        if body := self._book(job):
            self.booked.append(body)

    def _book(self, job: dict[str, Any]) -> dict[str, Any] | None:
        """Ask until there is an answer, as a client with an idempotency key may."""
        body = {name: value for name, value in job.items() if name != "key"}
        status, answer = self._ask("POST", "/appointments", body, headers={"Idempotency-Key": job["key"]})
        return answer if status == 201 else None

    def _ask(self, method: str, path: str, body: object = None, **more: Any) -> tuple[int, Any]:
        status, answer = 502, None
        for _ in range(6):
            try:
                status, _, answer = self.world.request(method, path, body, **more)
            except KilledError:
                status = 502
                self.network.dead = False
            self.answers[status] += 1
            if status < 500:
                break
            self._advance(timedelta(seconds=5))
        return status, answer

    def _plan_changes(self) -> None:
        for appointment in self.booked:
            drawn = self.chance.random()
            start = datetime.fromisoformat(appointment["startTime"])
            latest = min(start, self.calm_from) - 2 * MINUTE
            when = self.begun + self.chance.random() * (latest - self.begun)
            if drawn < self.plan.cancelled:
                self.at(when, "cancel", appointment)
            elif drawn < self.plan.cancelled + self.plan.moved:
                self.at(when, "change", appointment)

    def _cancel(self, appointment: dict[str, Any]) -> None:
        status, _ = self._ask("DELETE", f"/appointments/{appointment['appointmentId']}")
        self.happened["cancelled"] += status == 200

    def _change(self, appointment: dict[str, Any]) -> None:
        """To another time, mostly, within what is left of the day; or to other reminders."""
        body: dict[str, Any] = {"reminders": self.chance.sample(self.plan.offsets, 2)}
        if self.chance.random() < 0.8:
            left = (self.begun + self.plan.last_start - self.world.now) // MINUTE
            start = floor_to_minute(self.world.now) + self.chance.randrange(2, max(left, 3)) * MINUTE
            body = {"startTime": start.isoformat()}
        status, _ = self._ask("PATCH", f"/appointments/{appointment['appointmentId']}", body)
        self.happened["changed"] += status == 200

    # --- EventBridge, Scheduler and Lambda ---------------------------------------------------------------

    def _minute(self, _: None) -> None:
        """Fire what is due in this minute."""
        minute = self.world.now
        self.network.enabled = False
        events, scheduler = self.world.events, self.world.scheduler
        for name, expression in self.world.rules().items():
            if parse_cron(expression) == minute:
                for target in events.list_targets_by_rule(Rule=name)["Targets"]:
                    self._fire(json.loads(target["Input"]))
        for name, schedule in list(self.network.schedules.items()):
            if parse_at(schedule["ScheduleExpression"]) <= minute:
                scheduler.delete_schedule(Name=name, GroupName=schedule["GroupName"])
                self._fire(json.loads(schedule["Target"]["Input"]))
        self.network.enabled = True

    def _fire(self, event: dict[str, Any]) -> None:
        chance = random.Random(f"{self.plan.seed} {event}")
        self.happened["fired"] += 1
        when = self.world.now + timedelta(seconds=chance.randrange(1, 20))
        drawn = 1.0 if self.world.now >= self.calm_from else chance.random()
        if drawn < self.plan.events_lost:
            self.happened["events lost"] += 1
            return
        drawn -= self.plan.events_lost
        if drawn < self.plan.events_late:
            self.happened["events late"] += 1
            when += chance.randrange(1, 9) * MINUTE
        drawn -= self.plan.events_late
        if 0 <= drawn < self.plan.events_repeated:
            for _ in range(chance.randint(1, 2)):
                self.happened["events repeated"] += 1
                self.at(when + timedelta(seconds=chance.randrange(0, 90)), "deliver", (event, 0))
        self.at(when, "deliver", (event, 0))

    def _deliver(self, delivery: tuple[dict[str, Any], int]) -> None:
        event, attempt = delivery
        try:
            reminder_sender.app.lambda_handler(event, Context())  # type: ignore[arg-type]
        except KilledError:
            self.happened["senders killed"] += 1
        except Exception:  # noqa: BLE001 - whatever it is, Lambda repeats the event
            self.happened["senders failed"] += 1
        else:
            return
        if attempt < len(REPEATS):
            self.at(self.world.now + REPEATS[attempt], "deliver", (event, attempt + 1))
        else:
            self.happened["to the dead-letter queue"] += 1

    def _sweep(self, _: None) -> None:
        begun = self.world.now
        try:
            reminder_sweep.app.lambda_handler({}, Context(lambda: self.world.now - begun))  # type: ignore[arg-type]
        except KilledError:
            self.happened["sweeps killed"] += 1
        except SweepIncompleteError:
            self.happened["sweeps with failures"] += 1
        self.happened["sweeps"] += 1

    # --- what came of it ---------------------------------------------------------------------------------

    def problems(self) -> list[str]:
        """Every way in which what lies in the engine breaks the promises of booking and reminding."""
        found = inconsistencies(self.world.dynamodb, "AppointmentsTable", "CalendarsTable")
        items = {item["appointmentId"]["S"]: item for item in self.world.items("AppointmentsTable")}
        found += [
            f"{b['appointmentId']}: booked, and not there" for b in self.booked if b["appointmentId"] not in items
        ]
        to_topic = [p for p in self.network.published if p.channel == "topic"]
        sent = Counter((p.appointment_id, p.offset, p.due_at) for p in to_topic)
        for id_, item in items.items():
            if "nextReminderAt" in item:
                found.append(f"{id_}: still in the due index")
            for offset, value in item["reminders"]["M"].items():
                reminder = {name: next(iter(typed.values())) for name, typed in value["M"].items()}
                found += [f"{id_} {offset}: {wrong}" for wrong in self._wrong(item, offset, reminder, sent)]
        found += self._unwanted(items)
        found += [f"rule left behind: {name}" for name in self.world.rules()]
        found += [f"schedule left behind: {schedule['Name']}" for schedule in self.world.schedules()]
        delivered = Counter(message["MessageId"] for message in self.world.inbox())
        if delivered != Counter(p.message_id for p in to_topic):
            found.append("what arrived is not what was published")
        return found

    def _wrong(
        self, item: dict[str, Any], offset: str, reminder: dict[str, str], sent: Counter[tuple[str, str, str]]
    ) -> Iterator[str]:
        start, due = (datetime.fromisoformat(text) for text in (item["startTime"]["S"], reminder["dueAt"]))
        id_, changed = item["appointmentId"]["S"], datetime.fromisoformat(item["updatedAt"]["S"])
        copies = sent[id_, offset, reminder["dueAt"]]
        if copies > max(1, int(reminder["attempts"])):
            yield f"{copies} messages of {reminder['attempts']} attempts"
        if copies > 1 and not self._recorded_as_ambiguous(id_, offset):
            yield f"{copies} messages, and no record of why"
        match reminder["state"]:
            case "sent":
                sent_at = datetime.fromisoformat(reminder["sentAt"])
                if not copies:
                    yield "sent, and no message"
                if sent_at > max(due, self.calm_from) + AT_MOST_LATE:
                    yield f"due {due:%H:%M}, sent {sent_at:%H:%M}"
            case "missed":
                if start > self.calm_from + AT_MOST_LATE:
                    yield f"missed, though all was well since {self.calm_from:%H:%M} and it began {start:%H:%M}"
            case "skipped":
                asked = [text["S"] for text in item["offsets"]["L"]]
                ahead = due_at(start, offset, item.get("timeZone", {}).get("S")) > changed
                if item["status"]["S"] == "scheduled" and offset in asked and ahead:
                    yield "skipped, though asked for and ahead"
            case state:
                yield f"left {state}"

    def _recorded_as_ambiguous(self, id_: str, offset: str) -> int:
        """How often it is on record that a sender may have sent without saying so."""
        return sum(
            line.get("event_type") == "REMINDER_RECOVERED" and "may arrive twice" in line["reason"]
            for line in self.log
            if (line.get("appointment_id"), line.get("reminder")) == (id_, offset)
        )

    def _unwanted(self, items: dict[str, dict[str, Any]]) -> Iterator[str]:
        """Messages of reminders that are no more, sent after they were given up by whoever had not claimed them yet."""
        for message in self.network.published:
            item = items[message.appointment_id]
            reminder = item["reminders"]["M"].get(message.offset, {"M": {}})["M"]
            current = reminder.get("dueAt", {}).get("S") == message.due_at and item["status"]["S"] == "scheduled"
            if not current and message.at > datetime.fromisoformat(item["updatedAt"]["S"]) + LEASE:
                what = f"{message.appointment_id} {message.offset}: {message.channel}"
                yield f"{what} sent after it was cancelled or moved"

    def figures(self) -> dict[str, Any]:
        """What was asked of the system, what went wrong, and how it fared."""
        reminders = [
            (item, reminder["M"])
            for item in self.world.items("AppointmentsTable")
            for reminder in item["reminders"]["M"].values()
        ]
        states = Counter(reminder["state"]["S"] for _, reminder in reminders)
        late = sorted(
            (datetime.fromisoformat(r["sentAt"]["S"]) - datetime.fromisoformat(r["dueAt"]["S"])).total_seconds()
            for _, r in reminders
            if "sentAt" in r
        )
        lines = Counter(line["event_type"] for line in self.log if "event_type" in line)
        messages = len(self.network.published)
        return {
            "appointments": len(self.booked),
            "answers": dict(sorted(self.answers.items())),
            "calls": sum(self.network.calls.values()),
            "repeated by the SDK": self.network.repetitions,
            "faults": dict(self._faults_by_kind()),
            "events": dict(self.happened),
            "reminders": len(reminders),
            "states": dict(states),
            "messages": messages,
            "duplicates": messages
            - len({(p.appointment_id, p.offset, p.due_at, p.channel) for p in self.network.published}),
            "recorded as recovered": lines["REMINDER_RECOVERED"],
            "outside the bus": lines["REMINDER_OVERFLOW"],
            "lost": sum(self._is_lost(item, reminder) for item, reminder in reminders),
            "lateness s": {"median": median(late), "p99": late[int(len(late) * 0.99)], "max": late[-1]} if late else {},
        }

    def _is_lost(self, item: dict[str, Any], reminder: dict[str, Any]) -> bool:
        """Neither sent, nor skipped, nor missed because the appointment began while all went wrong."""
        state, start = reminder["state"]["S"], datetime.fromisoformat(item["startTime"]["S"])
        missed_rightly = state == "missed" and start <= self.calm_from + AT_MOST_LATE
        return state not in ("sent", "skipped") and not missed_rightly

    def _faults_by_kind(self) -> Counter[str]:
        kinds: Counter[str] = Counter()
        for (fault, _), count in self.network.faults.items():
            kinds[str(fault)] += count
        return kinds


@contextmanager
def carried_out(
    plan: Plan, *, bookings_only: bool = False, publish_attempts: int = 1, kind: type[Day] = Day
) -> Iterator[Day]:
    """The plan on an engine of its own, at the end of the day or once everything is booked."""
    with Engine() as engine:
        day = kind(engine, plan, publish_attempts)
        day.run(bookings_only=bookings_only)
        yield day
