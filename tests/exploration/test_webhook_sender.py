"""Senders of webhooks in every order of their calls, with deaths and lost answers, over a queue and a clock.

A state is the database, the queue, the clock, the invocations that are under way and what the receiver has got. An
invocation is run from its start with the answers that it has had so far, until it makes the next call. A step is one
call of one invocation, a new invocation, or time that passes until something can happen. From every state it must be
true that no event is lost, and that some minutes after faults end everything is delivered: no breaker stops a receiver
for good.

Not shown: more than two events and three invocations at a time, and the age at which an event is given up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from appointments.storage.deliveries import Deliveries
from appointments.storage.dynamodb import Database as Storage
from appointments.storage.webhooks import WebhookItems
from appointments.webhooks import Delivery
from exploration import dynamo
from exploration.dynamo import Call, Database, Key, item_of
from exploration.wiring import Determinism, _Inline, determinism
from webhook_sender import sender as product
from webhook_sender.guard import UnansweredError
from webhook_sender.sender import Letter, WebhookSender

TABLE = "CalendarsTable"
START = datetime(2030, 1, 15, 9, tzinfo=UTC)
WEBHOOK = Key(TABLE, "webhooks#", "webhook#crm")
# How long a message is hidden while an invocation has it, and after how long Lambda ends one.
HIDDEN, MOST = 60, 30
# What may be left to wait for after faults end: the longest pause that so few failures lead to, and a dead invocation.
SOON = 300


class Message(NamedTuple):
    """A message of the queue. It can be received from `visible` on."""

    event_id: str
    visible: int = 0
    received: int = 0


class Invocation(NamedTuple):
    """An invocation under way: its messages as it received them, when, and what its calls were answered."""

    number: int
    began: int
    messages: tuple[Message, ...]
    answers: tuple[Any, ...] = ()


class State(NamedTuple):
    """Everything there is. `starts`, `faults`, `refusals` and `waits` are how many more of each there may be."""

    database: Database
    queue: tuple[Message, ...]
    now: int = 0
    running: tuple[Invocation, ...] = ()
    got: frozenset[str] = frozenset()
    starts: int = 3
    faults: int = 1
    refusals: int = 1
    waits: int = 2


class Pause(BaseException):
    """The invocation has used up its answers, and asks for this."""

    def __init__(self, call: tuple[str, Any]) -> None:
        self.call = call


class Ended(NamedTuple):
    """An invocation that is over: the messages that stay in the queue, by their ids."""

    stay: frozenset[str]


def webhook() -> Database:
    attributes = {
        "calendarId": {"S": WEBHOOK.partition},
        "day": {"S": WEBHOOK.sort},
        "settings": {"S": '{"url":"https://crm.example.com/"}'},
        "version": {"N": "1"},
        "updatedAt": {"S": "2030-01-15T09:00:00Z"},
        "nonce": {"S": "n"},
    }
    return Database({WEBHOOK: item_of(attributes)})


def replay(made: Determinism, invocation: Invocation) -> tuple[str, Any] | Ended:
    """The next call of an invocation, or how it ended."""
    made.begin(str(invocation.number))
    given = iter(invocation.answers)

    def ask(kind: str, what: Any) -> Any:
        for answer in given:
            if isinstance(answer, dynamo.Answer):
                return answer.give()
            return answer
        raise Pause((kind, what))

    def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
        status: int = ask("post", headers["webhook-id"])
        if not status:
            raise UnansweredError("timeout")
        return status

    client = SimpleNamespace(
        get_item=lambda **parameters: ask("call", Call("get_item", parameters)),
        update_item=lambda **parameters: ask("call", Call("update_item", parameters)),
    )
    storage = Storage(client)  # type: ignore[arg-type]  # of the client, these are all
    queue = SimpleNamespace(put_back=lambda seconds: ask("put back", seconds))
    sender = WebhookSender(
        WebhookItems(storage, TABLE),
        Deliveries(storage, TABLE),
        SimpleNamespace(all_of=lambda *_: ["whsec_AAAA"]),  # type: ignore[arg-type]
        queue,  # type: ignore[arg-type]
        post,
        lambda: START + timedelta(seconds=ask("time", None)),
        lambda: 0.0,
    )
    letters = [
        Letter(Delivery("crm", one.event_id, "appointment.booked", START, {}), one.event_id, START, one.received)
        for one in invocation.messages
    ]
    try:
        stay = sender.send(letters)
    except Pause as pause:
        return pause.call
    return Ended(frozenset(stay))


class Explorer:
    """Works out what can follow a state."""

    def __init__(self, made: Determinism) -> None:
        self.made = made
        self.known: dict[Invocation, Any] = {}
        self.ends: dict[State, State] = {}

    def at(self, state: State, invocation: Invocation) -> tuple[Invocation, Any]:
        """An invocation at its next call. That it looks at the clock is no step: time is what it is."""
        while True:
            call = self.known.get(invocation)
            if call is None:
                call = self.known[invocation] = replay(self.made, invocation)
            if isinstance(call, Ended) or call[0] != "time":
                return invocation, call
            invocation = invocation._replace(answers=(*invocation.answers, state.now))

    def moves(self, state: State) -> Iterator[State]:
        visible = [one for one in state.queue if one.visible <= state.now]
        if state.starts and visible:
            yield self.begun(state, visible)
            if len(visible) > 1:
                yield self.begun(state, visible[:1])
        for index in range(len(state.running)):
            yield from self.steps(state, index)
        if state.waits and (later := self.next_moment(state)) is not None:
            yield self.waited(state, later)._replace(waits=state.waits - 1)

    def begun(self, state: State, taken: list[Message]) -> State:
        received = tuple(one._replace(visible=state.now + HIDDEN, received=one.received + 1) for one in taken)
        names = {one.event_id for one in taken}
        queue = tuple(sorted([*(one for one in state.queue if one.event_id not in names), *received]))
        running = (*state.running, Invocation(state.starts, state.now, received))
        return state._replace(queue=queue, running=running, starts=state.starts - 1)

    def next_moment(self, state: State) -> int | None:
        """When something becomes possible that is not yet: a message visible, or an invocation ended by Lambda."""
        moments = [one.visible for one in state.queue] + [one.began + MOST for one in state.running]
        return min((moment for moment in moments if moment > state.now), default=None)

    def waited(self, state: State, until: int) -> State:
        running = tuple(one for one in state.running if one.began + MOST > until)
        return state._replace(now=until, running=running)

    def steps(self, state: State, index: int) -> Iterator[State]:
        invocation, call = self.at(state, state.running[index])

        def others(*mine: Invocation) -> tuple[Invocation, ...]:
            return (*state.running[:index], *mine, *state.running[index + 1 :])

        if isinstance(call, Ended):
            yield state._replace(queue=self.left(state, invocation, call), running=others())
            return
        for then, answer in self.effects(state, call):
            yield then._replace(running=others(invocation._replace(answers=(*invocation.answers, answer))))
            if state.faults:
                spent = then._replace(faults=state.faults - 1)
                yield spent._replace(running=others())  # dies after it
                # The answer is lost: a call to a table is made again by the SDK, a receiver has not answered.
                if call[0] == "call":
                    yield spent._replace(running=others(invocation))
                elif call[0] == "post":
                    yield spent._replace(running=others(invocation._replace(answers=(*invocation.answers, 0))))
        if state.faults:
            yield state._replace(faults=state.faults - 1, running=others())  # dies before it

    def effects(self, state: State, call: tuple[str, Any]) -> Iterator[tuple[State, Any]]:
        kind, what = call
        if kind == "call":
            effect = dynamo.apply(state.database, what)
            yield state._replace(database=effect.database), effect.answer
        elif kind == "post":
            yield state._replace(got=state.got | {what}), 200
            if state.refusals:
                yield state._replace(refusals=state.refusals - 1), 500
        else:
            hidden = {id_: state.now + seconds for id_, seconds in what.items()}
            queue = (one._replace(visible=hidden.get(one.event_id, one.visible)) for one in state.queue)
            yield state._replace(queue=tuple(sorted(queue))), None

    def left(self, state: State, invocation: Invocation, ended: Ended) -> tuple[Message, ...]:
        """The queue after what was done is deleted. Who received it last deletes it; SQS promises no more."""
        mine = {one.event_id: one.received for one in invocation.messages if one.event_id not in ended.stay}
        return tuple(one for one in state.queue if mine.get(one.event_id) != one.received)

    def settled(self, state: State) -> State:
        """What becomes of it without faults: nobody who is under way goes on, and the receiver accepts everything.

        There is one event more, which shows whether the receiver is still tried.
        """
        queue = (*state.queue, Message("new", state.now))
        start = state = state._replace(running=(), starts=99, faults=0, refusals=0, waits=0, queue=queue)
        if start in self.ends:
            return self.ends[start]
        while state.queue and state.now <= start.now + SOON:
            visible = [one for one in state.queue if one.visible <= state.now]
            if not visible:
                later = self.next_moment(state)
                assert later is not None
                state = self.waited(state, later)
                continue
            state = self.begun(state, visible)
            while state.running:
                (state,) = self.steps(state, 0)
        self.ends[start] = state
        return state


def explore(events: int, **budget: Any) -> int:
    """Explore all states, and return how many there are. Fails with what was broken."""
    with determinism() as made, pytest.MonkeyPatch.context() as patch:
        patch.setattr(product, "ThreadPoolExecutor", _Inline)
        explorer = Explorer(made)
        start = State(webhook(), tuple(Message(f"e.{number}") for number in range(events)))._replace(**budget)
        seen, pending = {start}, [start]
        everything = {one.event_id for one in start.queue}
        while pending:
            state = pending.pop()
            lost = everything - state.got - {one.event_id for one in state.queue}
            assert not lost, f"lost {lost}: {state}"
            end = explorer.settled(state)
            assert end.got == everything | {"new"}, f"not delivered within {SOON} s: {state}"
            for item in end.database.items.values():
                assert "breaker" not in item.attributes, f"paused for good: {state}"
                assert item.attributes.get("state", {"S": "delivered"})["S"] == "delivered", f"wrong record: {state}"
            for then in explorer.moves(state):
                if then not in seen:
                    seen.add(then)
                    pending.append(then)
        return len(seen)


def test_whatever_happens_to_the_senders_of_one_event_it_is_delivered() -> None:
    assert explore(1, starts=2, faults=1, refusals=2, waits=2) > 300


def test_whatever_happens_to_the_senders_of_two_events_both_are_delivered() -> None:
    assert explore(2, starts=2, faults=1, refusals=1, waits=1) > 1000


@pytest.mark.long
def test_three_senders_of_two_events() -> None:
    print(explore(2, starts=3, faults=1, refusals=2, waits=2))


# --- mutants -----------------------------------------------------------------------------------------------


def never_ends(patch: pytest.MonkeyPatch) -> None:
    """The breaker of who tries a receiver that failed does not end by itself."""
    patch.setattr(product, "PROBE", timedelta(days=1))


def stays_open(patch: pytest.MonkeyPatch) -> None:
    """Who delivered leaves the breaker as it is."""
    turn = WebhookItems.turn
    patch.setattr(WebhookItems, "turn", lambda self, stored, breaker: breaker and turn(self, stored, breaker))


def forgets_what_failed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(product._Batch, "_put_back", lambda *_: None)


def takes_every_failure_for_a_repetition(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Deliveries, "record", lambda *_, **__: None)


@pytest.mark.parametrize(
    "mutant",
    [never_ends, stays_open, forgets_what_failed, takes_every_failure_for_a_repetition],
    ids=lambda mutant: mutant.__name__,
)
def test_what_is_taken_away_is_missed(mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: Any) -> None:
    mutant(monkeypatch)
    with pytest.raises(AssertionError, match=r"^(lost|not delivered|paused for good|wrong record)"):
        explore(1, starts=2, faults=1, refusals=2, waits=2)
