"""Explore a scenario and judge every end that it comes to."""

from __future__ import annotations

import json
import random
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from appointments.times import to_utc_text
from exploration import checks, dynamo
from exploration.dynamo import Call, Database, Weakening
from exploration.explore import MOST_STATES, Actor, Explorer, Fault, Found, Happened, Move, State, Step, explore
from exploration.wiring import MOST_INLINE, Determinism, Process, Request, determinism, play

# By actor, and by request.
Answers = tuple[tuple[str, ...], ...]

UNEXPLAINED = "no order of the requests explains the answers and what is left"
INEXACT = "a refusal is right, and names conflicts of several moments"


@dataclass(frozen=True, slots=True)
class Scenario:
    """What lies there, and what happens to it at once.

    `setup` are requests one after another, each by a process of that name. An actor named like one of these goes on
    as that process: it remembers what the process has learned. `after` names who must have ended before it begins.
    With `most_inline` entries in a calendar day's own item, further ones go into overflow items.
    """

    name: str
    setup: tuple[tuple[str, Request], ...]
    actors: Mapping[str, tuple[Request, ...]]
    after: Mapping[str, str] = field(default_factory=dict)
    most_inline: int = MOST_INLINE
    # A sweep that comes when all of them have ended, and after which nothing may be left to send.
    then: Request | None = None


class Failure(NamedTuple):
    """A run that breaks a promise."""

    scenario: str
    faults: list[str]
    schedule: list[str]
    trace: list[str]
    answers: list[str]

    def __str__(self) -> str:
        replay = f"PYTHONPATH=src:tests:. .venv/bin/python -m exploration {shlex.quote(self.scenario)}"
        return "\n".join(
            [
                f"scenario: {self.scenario}",
                *(f"  {line}" for line in self.trace),
                *(f"  answer {answer}" for answer in self.answers),
                *(f"  broken: {fault}" for fault in self.faults),
                f"  replay: {replay} {shlex.quote(' '.join(self.schedule))}",
            ]
        )


@dataclass
class Report:
    """What was explored, and the first run, if any, that breaks a promise."""

    scenario: str
    states: int = 0
    runs: int = 0
    outcomes: int = 0
    overlapping: bool = False
    meeting: bool = False
    # Ends of which a refusal names conflicts of several moments: read without a snapshot, it cannot do better.
    inexact: int = 0
    # The most calls that an actor makes beside the first of each request.
    spare: int = 0
    statuses: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    failure: Failure | None = None

    def __str__(self) -> str:
        return f"{self.scenario}: {self.states} states, {self.runs} runs, {self.outcomes} ends"


class DiedError(BaseException):
    """The process is gone: no `except Exception` sees this."""


class BadSetupError(AssertionError):
    """A request that prepares a scenario was refused."""


# The database, each process's memory, the ids of what has a name, and the steps that were played from there.
Prepared = tuple[Database, dict[str, Any], dict[str, str], dict[Any, Step]]
# No more of them are kept for the next scenario.
MOST_STEPS = 50_000


@dataclass
class Examination:
    """A scenario, prepared."""

    scenario: Scenario
    made: Determinism
    weakened: Weakening = dynamo._holds
    # What scenarios of the same ground begin with, for those of the same product.
    prepared: dict[str, Prepared] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ground = repr((self.scenario.setup, self.scenario.most_inline))
        if ground not in self.prepared:
            self.ids: dict[str, str] = {}
            self.prepared[ground] = (*self._prepare(), self.ids, {})
        self.database, memories, self.ids, self.steps = self.prepared[ground]
        if len(self.steps) > MOST_STEPS:
            self.steps.clear()
        self.actors = [
            Actor(
                name,
                tuple(self._named(r) for r in requests),
                memories.get(name),
                self.scenario.after.get(name, ""),
                self.scenario.most_inline,
            )
            for name, requests in self.scenario.actors.items()
        ]
        sent = [
            (request.path.rpartition("/")[2], request.body or {})
            for actor in self.actors
            for request in actor.requests
            if request.method == "PUT" and request.path.startswith("/calendars/")
        ]
        sent += [
            (f"session#{request.path.rpartition('/')[2]}", {"capacity": request.body["session"]["seats"]})
            for actor in self.actors
            for request in actor.requests
            if request.method == "PATCH" and request.body and "session" in request.body
        ]
        self.limits = checks.limits_of(self.database, *sent)
        self._explained: dict[Any, set[Any]] = {}

    def _prepare(self) -> tuple[Database, dict[str, Any]]:
        database = Database()
        processes: dict[str, Process] = {}

        def channel(operation: str, parameters: Mapping[str, Any]) -> Any:
            nonlocal database
            if operation == "publish":
                raise DiedError
            effect = dynamo.apply(database, Call(operation, parameters))
            database = effect.database
            return effect.answer.give()

        for number, (name, request) in enumerate(self.scenario.setup):
            self.made.begin(f"setup {number}")
            try:
                process = processes.setdefault(name, Process(most_inline=self.scenario.most_inline))
                answer = play(self._named(request), process, channel)
            except DiedError:
                assert request.dies
                continue
            if request.dies or not (answer.get("done") or answer["status"] < 300):
                raise BadSetupError(f"{self.scenario.name}: {request}: {answer}")
            if request.name:
                self.ids[request.name] = answer["body"].get("appointmentId") or answer["body"]["blockId"]
        return database, {name: process.memory for name, process in processes.items()}

    def _named(self, request: Request) -> Request:
        def put_in(text: str) -> str:
            for name, id_ in self.ids.items():
                text = text.replace(f"{{{name}}}", id_)
            return text

        body = None if request.body is None else json.loads(put_in(json.dumps(request.body)))
        return replace(request, path=put_in(request.path), body=body)

    def explorer(self) -> Explorer:
        return Explorer(self.database, self.actors, self.made, self.weakened, steps=self.steps)

    def examine(self, faults: Sequence[Fault] = (), *, most: int = MOST_STATES) -> Report:
        """Explore everything, to the first failure, which has the shortest trace. Raises TooManyStatesError."""
        explorer = self.explorer()
        found = explore(explorer, faults, most)
        report = Report(self.scenario.name, found.states, found.runs, len(found.ends))
        touched = [explorer.touched[i] for i in range(len(self.actors))]
        changed = [explorer.changed[i] for i in range(len(self.actors))]
        pairs = [(i, j) for i in range(len(touched)) for j in range(len(touched)) if i != j]
        report.meeting = any(not changed[i].isdisjoint(touched[j]) for i, j in pairs)
        report.spare = max(
            min(len(made.history) - len(actor.requests) for actor, made in zip(self.actors, end.actors, strict=True))
            for end in found.ends
        )
        for end in found.ends:
            self._count(explorer, end, report)
            if report.broken and report.failure is None:
                report.failure = self._failure(explorer, end, report.broken, list(_way_to(found, end)))
                break
        return report

    def _count(self, explorer: Explorer, end: State, report: Report) -> None:
        report.overlapping |= self._overlaps(end)
        report.statuses[self.statuses(explorer, end)] += 1
        report.broken = self.judge(explorer, end)
        if report.broken == [INEXACT]:
            report.inexact += 1
            report.broken = []

    def sample(self, chance: random.Random, runs: int) -> Report:
        """Play some runs, each step by chance. Items that were seen to be written are read one by one from then on."""
        explorer = self.explorer()
        report = Report(self.scenario.name)
        for _ in range(runs):
            state, way = explorer.start, []
            while ready := explorer.ready(state):
                move = chance.choice(list(explorer.moves_of(state, chance.choice(ready))))
                way.append(move)
                state = move.state
            report.runs += 1
            self._count(explorer, state, report)
            if report.broken:
                report.failure = self._failure(explorer, state, report.broken, way)
                break
        return report

    @staticmethod
    def statuses(explorer: Explorer, end: State) -> tuple[Any, ...]:
        answers = [[json.loads(text) for text in texts] for texts in explorer.answers(end)]
        return tuple(tuple(one.get("status", one.get("failed", "done")) for one in texts) for texts in answers)

    @staticmethod
    def _overlaps(end: State) -> bool:
        """Whether in this run some request of one actor was under way while one of another was."""
        return any(
            a[0] != b[0] and (a, b) not in end.order and (b, a) not in end.order for a in end.ended for b in end.ended
        )

    # --- judging -------------------------------------------------------------------------------------

    def judge(self, explorer: Explorer, end: State) -> list[str]:
        """All promises that a run broke."""
        broken = checks.broken_invariants(end.database, self.limits)
        broken += [f"answer 500: {text}" for texts in explorer.answers(end) for text in texts if '"status":500' in text]
        answered = [json.loads(text) for texts in explorer.answers(end) for text in texts]
        broken += checks.not_told_of(end.database, [one["body"] for one in answered if "meets" in one.get("body", {})])
        database = self._swept(end.database) if self.scenario.then else end.database
        broken += checks.repeated_messages(database, faults=int(end.fault is not None))
        if self.scenario.then:
            broken += checks.broken_invariants(database, self.limits)
            broken += checks.unsent(database, to_utc_text(self.scenario.then.now))
        if not broken:
            broken += self._unexplained(explorer, end)
        return broken

    def _swept(self, database: Database) -> Database:
        """What the last sweep leaves."""

        def channel(operation: str, parameters: Mapping[str, Any]) -> Any:
            nonlocal database
            effect = dynamo.apply(database, Call(operation, parameters))
            database = effect.database
            return effect.answer.give()

        assert self.scenario.then
        self.made.begin("then")
        play(self.scenario.then, Process(most_inline=self.scenario.most_inline), channel)
        return database

    def _unexplained(self, explorer: Explorer, end: State) -> list[str]:
        happened = end.fault
        dying = {index: actor.died_with for index, actor in enumerate(end.actors) if actor.died_with is not None}
        # An update of settings that comes twice is counted twice; nobody is promised the number.
        versions = happened is None or happened.fault is not Fault.LOST
        known = (happened, tuple(sorted(dying.items())))
        if known not in self._explained:
            # Whatever was taken from what is explored, what explains it is whole.
            whole = Explorer(self.database, self.actors, self.made, steps=explorer.steps)
            self._explained[known] = set(self._sequential(whole, happened, dying, versions=versions))
        answers, left = self._outcome(explorer, end, versions=versions)
        fitting = [a for a, left_by_it, order in self._explained[known] if left == left_by_it and end.order <= order]
        if answers in fitting:
            return []
        if _without_conflicts(answers) in map(_without_conflicts, fitting):
            return [INEXACT]
        return [UNEXPLAINED]

    @staticmethod
    def _outcome(explorer: Explorer, end: State, *, versions: bool) -> tuple[Answers, str]:
        answers = explorer.answers(end)
        return answers if versions else _without_versions(answers), checks.essence(end.database, versions=versions)

    def _sequential(
        self, explorer: Explorer, happened: Happened | None, dying: Mapping[int, int], *, versions: bool
    ) -> Iterator[tuple[Answers, str, frozenset[Any]]]:
        """What every order of whole requests answers and leaves, with that order."""
        reached, waiting = {explorer.start}, [explorer.start]
        while waiting:
            state = waiting.pop()
            if not explorer.ready(state):
                yield (*self._outcome(explorer, state, versions=versions), state.order)
            new = set(explorer.atomic_moves(state, happened, dying)) - reached
            reached |= new
            waiting += new

    def _failure(self, explorer: Explorer, end: State, broken: list[str], way: list[Move]) -> Failure:
        answers = [f"{self.actors[i].name}: {text}" for i, texts in enumerate(explorer.answers(end)) for text in texts]
        told = [self._readable(move.told) for move in way]
        return Failure(
            self.scenario.name,
            [self._readable(one) for one in broken],
            [move.token for move in way],
            told,
            [self._readable(answer) for answer in answers],
        )

    def _readable(self, text: str) -> str:
        for name, id_ in self.ids.items():
            text = text.replace(id_, name)
        return text

    def replay(self, schedule: Sequence[str]) -> Failure | None:
        """Play one run, printing each step, and judge it."""
        explorer = self.explorer()
        state, way = explorer.start, []
        names = {actor.name: index for index, actor in enumerate(self.actors)}
        for token in schedule:
            name, _, number = token.partition(".")
            index = names[name.partition("!")[0]]
            step = explorer.step(index, state.actors[index])
            if "!" in token:
                fault = Fault[name.partition("!")[2]]
                move = next(m for m in explorer.moves_of(state, index, [fault]) if m.token == token)
            elif number and step.call:
                move = explorer.read_one(state, index, dynamo.key_named(step.call, number))
            elif step.call and step.call.reads_many:
                move = explorer.finish_batch(state, index, step.call)
            else:
                move = next(explorer.moves_of(state, index))
            way.append(move)
            state = move.state
            print(self._readable(move.told))
        for actor, texts in zip(self.actors, explorer.answers(state), strict=True):
            for text in texts:
                print(self._readable(f"{actor.name} is answered {text}"))
        if explorer.ready(state):
            print("not at its end")
            return None
        broken = self.judge(explorer, state)
        print("\n".join(map(self._readable, broken)) or "no promise is broken")
        return self._failure(explorer, state, broken, way) if broken else None


def _without_versions(answers: Answers) -> Answers:
    """Answers about settings count how often they were written, which an answer that got lost makes once more."""

    def without(text: str) -> str:
        answer = json.loads(text)
        if "calendarId" in answer.get("body", {}):
            answer["body"].pop("version", None)  # of settings; a block has none
        return dynamo.canonical(answer)

    return tuple(tuple(without(text) for text in texts) for texts in answers)


def _without_conflicts(answers: Answers) -> Answers:
    def without(text: str) -> str:
        answer = json.loads(text)
        answer.get("body", {}).pop("conflicts", None)
        return dynamo.canonical(answer)

    return tuple(tuple(without(text) for text in texts) for texts in answers)


def _way_to(found: Found, end: State) -> Iterator[Move]:
    steps = []
    state = end
    while (before := found.parents[state]) is not None:
        state, move = before
        steps.append(move)
    yield from reversed(steps)


def examine(scenario: Scenario, faults: Sequence[Fault] = (), weakened: Weakening = dynamo._holds) -> Report:
    with ExitStack() as stack:
        made = stack.enter_context(determinism())
        return Examination(scenario, made, weakened).examine(faults)
