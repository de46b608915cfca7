"""Every order of the DynamoDB calls of concurrent requests, over the product's own code.

An actor is a process that works on its requests one after another. It is run from its start with the answers that it
has had so far, until it makes the next call: so it can be stopped and gone on with at any call, any number of times,
without a thread. What an exploration stands at is the database and the history of each actor; two orders that lead to
the same are one from there on, which is why reads in any order cost next to nothing.

Every write, transactions included, is one step. A batch read is one step per item, in any order, since DynamoDB
promises no more, and so is a query of a table. A step that no other actor can notice is taken at once, except a
request's first: when a request began decides what it must have seen.

A failure prints one line per call and the command that plays that run again:
`PYTHONPATH=src:tests:. .venv/bin/python -m exploration SCENARIO SCHEDULE`. Without a schedule, the command explores
every scenario whose name contains the text. A schedule names whose step is next: `A` is A's next call, or all that is
left of its batch read; `A.2` reads the third key of the batch alone, `A.KEY` that sort key of a query; `A!LOST` is
the call with that fault.

What it does not show: more than one fault in a run, more than three operations, a client's clock that runs on during a
request, an index that lags (its query is a step of its own, and no older), and the timers, on which nothing depends.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from sys import intern
from typing import Any, NamedTuple

from exploration import dynamo
from exploration.dynamo import Answer, Call, Database, Effect, Item, Key, Weakening
from exploration.wiring import MOST_INLINE, Determinism, Process, Request, play

Memory = Any
MOST_STATES = 2_000_000
# A request: which actor's, and which of its requests.
RequestId = tuple[int, int]


class Pause(BaseException):
    """The actor has used up its history, and asks for this. No `except Exception` sees it."""

    def __init__(self, call: Call) -> None:
        self.call = call


class NondeterminismError(AssertionError):
    """The product did not repeat itself: a source of chance or time is not replaced."""


class Fault(StrEnum):
    """What may go wrong once in a run, at a write."""

    DIES_BEFORE = "dies before"
    DIES_AFTER = "dies after"
    LOST = "answer lost"
    HELD = "held by another transaction"
    TOLD_IN_PART = "told one reason of several"


class Happened(NamedTuple):
    """A fault that took place: at whose call, and which."""

    fault: Fault
    actor: int
    operation: str


@dataclass(frozen=True, slots=True)
class Actor:
    """A process and its requests. `after` names an actor that must have ended, or died, before this one begins."""

    name: str
    requests: tuple[Request, ...]
    memory: Memory = None
    after: str = ""
    most_inline: int = MOST_INLINE


class Step(NamedTuple):
    """Where an actor stands: its next call, None at its end, and the answers to the requests that it has done."""

    call: Call | None
    request: int
    first: bool
    answers: tuple[str, ...]


class ActorState(NamedTuple):
    """How far an actor has come.

    `read` are the items of an unfinished batch read; `begun` whether the present request has made a step; `repeats`
    whether the call was made before and its answer got lost; `died_with` how many requests were answered at its death.
    `assigned` is only used to explain: which calendar a request had to take, in place of any of several.
    """

    history: tuple[Answer, ...] = ()
    read: tuple[tuple[Key, Item | None], ...] = ()
    begun: bool = False
    repeats: bool = False
    died_with: int | None = None
    assigned: tuple[tuple[int, str], ...] = ()


class State(NamedTuple):
    """The database, the actors, which request ended before which began, which have ended, and the fault if any."""

    database: Database
    actors: tuple[ActorState, ...]
    order: frozenset[tuple[RequestId, RequestId]] = frozenset()
    ended: frozenset[RequestId] = frozenset()
    fault: Happened | None = None


class Move(NamedTuple):
    """One step: its token in a schedule, what is told of it, and where it leads."""

    token: str
    told: str
    state: State


@dataclass
class Explorer:
    """Explores one database and its actors."""

    database: Database
    actors: Sequence[Actor]
    determinism: Determinism
    weakened: Weakening = dynamo._holds
    changed: list[set[Key]] = field(default_factory=list)
    touched: list[set[Key]] = field(default_factory=list)
    steps: dict[Any, Step] = field(default_factory=dict)
    effects: dict[tuple[Database, Call], Effect] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # What a step depends on beside what it was answered: other scenarios of a ground have the same actors.
        self.whose = [intern(repr((one.name, one.requests, one.most_inline))) for one in self.actors]
        self.changed = [set() for _ in self.actors]
        self.touched = [set() for _ in self.actors]

    @property
    def start(self) -> State:
        return State(self.database, tuple(ActorState() for _ in self.actors))

    # --- actors --------------------------------------------------------------------------------------

    def step(self, index: int, state: ActorState) -> Step:
        """Where an actor stands after its history."""
        known = (self.whose[index], state.assigned, state.history)
        step = self.steps.get(known)
        if step is None:
            step = self.steps[known] = self._replay(index, state)
        return step

    def _replay(self, index: int, state: ActorState) -> Step:
        actor = self.actors[index]
        process = Process(actor.memory, actor.most_inline)
        answers: list[str] = []
        made = 0
        at_request = 0

        def channel(operation: str, parameters: Mapping[str, Any]) -> Any:
            nonlocal made
            call = Call(operation, parameters)
            if made == len(state.history):
                raise Pause(call)
            before = self.steps.get((self.whose[index], state.assigned, state.history[:made]))
            if before and before.call != call:
                raise NondeterminismError(f"{before.call} and {call}")
            made += 1
            return state.history[made - 1].give()

        for number, asked in enumerate(actor.requests):
            at_request = made
            self.determinism.begin(f"{actor.name} {number}")
            calendar = dict(state.assigned).get(number)
            request = replace(asked, body={**(asked.body or {}), "anyOf": [calendar]}) if calendar else asked
            try:
                answers.append(dynamo.canonical(play(request, process, channel)))
            except Pause as pause:
                return Step(pause.call, number, made == at_request, tuple(answers))
        if made < len(state.history):
            raise NondeterminismError(f"{actor.name} made {made} calls and had made {len(state.history)}")
        return Step(None, len(answers), False, tuple(answers))

    def _is_over(self, index: int, state: ActorState) -> bool:
        return state.died_with is not None or self.step(index, state).call is None

    def ready(self, state: State) -> list[int]:
        names = {actor.name: index for index, actor in enumerate(self.actors)}
        over = [self._is_over(index, actor) for index, actor in enumerate(state.actors)]
        return [
            index
            for index, actor in enumerate(self.actors)
            if not over[index] and not (actor.after and not over[names[actor.after]])
        ]

    # --- moves ---------------------------------------------------------------------------------------

    def moves(self, state: State, faults: Sequence[Fault] = ()) -> list[Move]:
        """All steps that can come next, or one of them where that is as good as all."""
        ready = self.ready(state)
        for index in ready:
            if self._is_private(state, index):
                return list(self.moves_of(state, index, faults))
        return [move for index in ready for move in self.moves_of(state, index, faults)]

    def _others(self, state: State, index: int, sets: Sequence[set[Key]]) -> list[set[Key]]:
        return [
            sets[other]
            for other in range(len(self.actors))
            if other != index and not self._is_over(other, state.actors[other])
        ]

    def _is_private(self, state: State, index: int) -> bool:
        """Whether no other actor can ever notice the step, or change what it answers."""
        actor = state.actors[index]
        step = self.step(index, actor)
        assert step.call
        if step.first and not actor.begun:
            return False
        if any(step.call.depends_on(changed) for changed in self._others(state, index, self.changed)):
            return False
        keys = set(step.call.keys)
        if not step.call.writes:
            return True
        keys |= self._effect(state.database, step.call).changed
        return all(keys.isdisjoint(touched) for touched in self._others(state, index, self.touched))

    def moves_of(self, state: State, index: int, faults: Sequence[Fault] = ()) -> Iterator[Move]:
        actor = state.actors[index]
        step = self.step(index, actor)
        call, name = step.call, self.actors[index].name
        assert call
        self.touched[index].update(call.keys)
        if call.reads_many:
            yield from self._batch_moves(state, index, call)
            return
        effect = self._effect(state.database, call)
        self.changed[index] |= effect.changed
        self.touched[index] |= effect.changed
        yield Move(name, f"{name}: {_told(call, effect.answer)}", self._answered(state, index, effect))
        if state.fault is None and call.writes:
            for fault in faults:
                yield from self._fault_moves(state, index, call, effect, fault)

    def _effect(self, database: Database, call: Call) -> Effect:
        known = (database, call)
        effect = self.effects.get(known)
        if effect is None:
            effect = self.effects[known] = dynamo.apply(database, call, self.weakened)
        return effect

    def _batch_moves(self, state: State, index: int, call: Call) -> Iterator[Move]:
        """An item each, of those that somebody may yet change; the rest as the last one is read."""
        done = dict(state.actors[index].read)
        others = self._others(state, index, self.changed)
        moving = sorted({key for changed in others for key in changed if key not in done and call.reads(key)})
        if len(moving) < 2:
            yield self.finish_batch(state, index, call)
            return
        for key in moving:
            yield self.read_one(state, index, key)

    def read_one(self, state: State, index: int, key: Key) -> Move:
        """Read one key of a batch, and leave the rest for later."""
        actor, name = state.actors[index], self.actors[index].name
        step = self.step(index, actor)
        assert step.call
        found = state.database.get(key)
        after = actor._replace(read=(*actor.read, (key, found)), begun=True)
        after = after._replace(read=tuple(sorted(after.read, key=lambda one: one[0])))
        told = f"{name}: reads {key} of several: {_shown(found)}"
        return Move(f"{name}.{dynamo.name_of(step.call, key)}", told, self._with(state, index, after, begins=step))

    def finish_batch(self, state: State, index: int, call: Call) -> Move:
        actor, name = state.actors[index], self.actors[index].name
        keys = call.keys if call.operation == "batch_get_item" else sorted(filter(call.reads, state.database.items))
        read = {key: state.database.get(key) for key in keys} | dict(actor.read)
        answer = dynamo.answer_to_read(call, {key: item for key, item in read.items() if item})
        rest = [key for key in keys if key not in dict(actor.read)]
        told = f"{name}: reads {', '.join(f'{key}: {_shown(read[key])}' for key in rest)}"
        return Move(name, told, self._answered(state, index, Effect(answer, state.database, frozenset())))

    def _fault_moves(self, state: State, index: int, call: Call, effect: Effect, fault: Fault) -> Iterator[Move]:
        actor, name = state.actors[index], self.actors[index].name
        step = self.step(index, actor)
        told = f"{name}: {_told(call, effect.answer)} -- {fault}"
        token = f"{name}!{fault.name}"
        marked = state._replace(fault=Happened(fault, index, call.operation))
        match fault:
            case Fault.DIES_BEFORE | Fault.DIES_AFTER:
                after = actor._replace(died_with=len(step.answers), read=())
                if fault is Fault.DIES_AFTER:
                    marked = marked._replace(database=effect.database)
                elif not step.first:
                    told = f"{name}: {fault} {_told(call, None)}"
                yield Move(token, told, self._with(marked, index, after, begins=step))
            case Fault.LOST if effect.answer.code is None:
                database = effect.database
                if call.operation == "transact_write_items":
                    database = dynamo.remember_token(database, call)
                marked = marked._replace(database=database)
                yield Move(
                    token, told, self._with(marked, index, actor._replace(begun=True, repeats=True), begins=step)
                )
            case Fault.HELD if call.operation == "transact_write_items":
                reasons = [{"Code": "None"} for _ in call.parameters["TransactItems"]]
                reasons[-1] = {"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"}
                held = Effect(dynamo.cancelled(reasons), state.database, frozenset())
                yield Move(token, told, self._answered(marked, index, held))
            case Fault.HELD if call.operation == "update_item":
                held = Effect(
                    dynamo.refusal(call.operation, "TransactionConflictException"), state.database, frozenset()
                )
                yield Move(token, told, self._answered(marked, index, held))
            case Fault.TOLD_IN_PART if effect.answer.code == "TransactionCanceledException":
                reasons = effect.answer.response["CancellationReasons"]
                failed = [number for number, reason in enumerate(reasons) if reason["Code"] != "None"]
                for number in failed if len(failed) > 1 else ():
                    told_of = [reason if place == number else {"Code": "None"} for place, reason in enumerate(reasons)]
                    less = Effect(dynamo.cancelled(told_of), state.database, frozenset())
                    yield Move(f"{token}.{number}", told, self._answered(marked, index, less))

    def _answered(self, state: State, index: int, effect: Effect) -> State:
        actor = state.actors[index]
        step = self.step(index, actor)
        after = ActorState(history=(*actor.history, effect.answer), assigned=actor.assigned)
        then = self.step(index, after)
        after = after._replace(begun=not then.first and then.call is not None)
        state = self._with(state._replace(database=effect.database), index, after, begins=step)
        ended = {(index, number) for number in range(len(step.answers), len(then.answers))}
        return state._replace(ended=state.ended | ended) if ended else state

    def _with(self, state: State, index: int, after: ActorState, begins: Step) -> State:
        order = state.order
        if begins.first and not state.actors[index].begun:
            order |= {(other, (index, begins.request)) for other in state.ended if other[0] != index}
        actors = (*state.actors[:index], after, *state.actors[index + 1 :])
        return state._replace(actors=actors, order=order)

    def answers(self, state: State) -> tuple[tuple[str, ...], ...]:
        """What each actor's requests answered; a dead one's last did not."""
        return tuple(self.step(index, actor).answers[: actor.died_with] for index, actor in enumerate(state.actors))

    # --- explanations --------------------------------------------------------------------------------

    def atomic_moves(self, state: State, happened: Happened | None, dying: Mapping[int, int]) -> Iterator[State]:
        """As `moves`, but a request that callers may take for one step is one.

        `happened` is the fault of the run that is to be explained, and `dying` how many answers an actor had when it
        died, if it did: its last request may have come to its end or not have begun. A single update whose answer got
        lost may take place twice, as if it had been sent twice; a transaction may not.
        """
        for index in self.ready(state):
            actor = state.actors[index]
            step = self.step(index, actor)
            request = self.actors[index].requests[step.request]
            if not request.is_atomic:
                own = happened and happened.actor == index
                for move in self.moves_of(state, index, [happened.fault] if happened and own else []):
                    yield move.state
                continue
            if dying.get(index) == len(step.answers):
                yield self._with(state, index, actor._replace(died_with=len(step.answers)), begins=step)
            if happened == (Fault.LOST, index, "update_item") and state.fault is None:
                unanswered = self._whole(state, index, None).database
                twice = self._with(state, index, actor._replace(begun=True), begins=step)
                yield twice._replace(database=unanswered, fault=happened)
            for calendar in (None, *(request.body or {}).get("anyOf", ())):
                after = self._whole(state, index, calendar)
                then = self.step(index, after.actors[index])
                if calendar and '"status":201' not in then.answers[step.request]:
                    continue
                if dying.get(index) == len(step.answers):
                    dead = after.actors[index]._replace(died_with=len(step.answers))
                    actors = (*after.actors[:index], dead, *after.actors[index + 1 :])
                    after = after._replace(actors=actors, ended=after.ended - {(index, step.request)})
                yield after

    def _whole(self, state: State, index: int, calendar: str | None) -> State:
        """The state after the actor's present request, with nobody's step between its own; `calendar` is its choice."""
        step = self.step(index, state.actors[index])
        if calendar:
            assigned = (*state.actors[index].assigned, (step.request, calendar))
            chosen = state.actors[index]._replace(assigned=assigned)
            state = state._replace(actors=(*state.actors[:index], chosen, *state.actors[index + 1 :]))
        while (now := self.step(index, state.actors[index])).call and now.request == step.request:
            if now.call.reads_many:
                state = self.finish_batch(state, index, now.call).state
            else:
                state = self._answered(state, index, self._effect(state.database, now.call))
        return state


def _told(call: Call, answer: Answer | None) -> str:
    said = "" if answer is None else ": " + (answer.code or "ok")
    if answer and answer.code == "TransactionCanceledException":
        reasons = zip(call.keys, answer.response["CancellationReasons"], strict=True)
        said += " by " + ", ".join(str(key) for key, reason in reasons if reason["Code"] != "None")
    return f"{call.operation} {', '.join(map(str, call.keys))}{said}"


def _shown(item: Item | None) -> str:
    if item is None:
        return "nothing"
    times = ", ".join(
        f"{name}={next(iter(value.values()))}" for name, value in item.attributes.items() if name[:2] == "a#"
    )
    return f"[{times}]" if "day" in item.attributes else "an item"


class Found(NamedTuple):
    """All that an exploration came across."""

    ends: list[State]
    states: int
    runs: int
    parents: Mapping[State, tuple[State, Move] | None]


class TooManyStatesError(AssertionError):
    """The scenario is larger than it may be."""


def explore(explorer: Explorer, faults: Sequence[Fault] = (), most: int = MOST_STATES) -> Found:
    """Every state that any order of the steps leads to, the nearest first.

    What the actors write is found out on the way; where somebody is found to write what was taken for untouched, it
    begins anew.
    """
    while True:
        known = sum(len(keys) for keys in (*explorer.changed, *explorer.touched))
        found = _explore(explorer, faults, most)
        if known == sum(len(keys) for keys in (*explorer.changed, *explorer.touched)):
            return found


def _explore(explorer: Explorer, faults: Sequence[Fault], most: int) -> Found:
    start = explorer.start
    parents: dict[State, tuple[State, Move] | None] = {start: None}
    queue = deque([start])
    entering: Counter[State] = Counter()
    following: dict[State, list[State]] = {}
    ends = []
    while queue:
        state = queue.popleft()
        moves = explorer.moves(state, faults)
        following[state] = [move.state for move in moves]
        if not moves:
            ends.append(state)
        for move in moves:
            entering[move.state] += 1
            if move.state not in parents:
                parents[move.state] = (state, move)
                queue.append(move.state)
                if len(parents) > most:
                    raise TooManyStatesError
    return Found(ends, len(parents), _count_runs(start, following, entering), parents)


def _count_runs(start: State, following: Mapping[State, Sequence[State]], entering: Counter[State]) -> int:
    """The number of ways from the start to an end."""
    ways: Counter[State] = Counter({start: 1})
    ready, total = [start], 0
    while ready:
        state = ready.pop()
        for then in following[state]:
            ways[then] += ways[state]
            entering[then] -= 1
            if not entering[then]:
                ready.append(then)
        if not following[state]:
            total += ways[state]
    return total
