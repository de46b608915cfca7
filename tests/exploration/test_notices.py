"""Notice senders in every order of their calls, with changes in between, deaths and lost answers.

A state is the database, the queue, the clock, the invocations that are under way, how many of the changes are
committed, and what the person has got. An invocation is run from its start with the answers that it has had so far,
until it makes the next call. A step is the next change with its message, one call of one invocation, a new invocation,
or time that passes until something can happen. From every state it must be true:

- nothing is told twice of one version, save where a sender died in between, and then the record counts it first;
- what is told is what has changed since what was told last: nothing that came and went, and no old version once more;
- once faults end, the person soon knows what is now.

Not shown: more than one recipient and one channel, whose records never meet, and more than three invocations at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from appointments.contacts import ChannelName, Contact
from appointments.model import Appointment, Interval
from appointments.notices import PERSON, Change, Known, NoticeKind, difference, known_of
from appointments.statuses import Status
from appointments.storage.appointment_items import appointment_to_item
from appointments.storage.appointments import Appointments
from appointments.storage.dynamodb import Database as Storage
from appointments.storage.notices import NOTICES, NoticeRecord, Notices
from exploration import dynamo
from exploration.dynamo import Call, Database, Key, item_of
from exploration.wiring import TABLES, Determinism, determinism
from notice_sender import sender as product
from notice_sender.sender import Notice, NoticeSender
from reaching.refusals import NotSentError, RefusedError

APPOINTMENTS, CALENDARS = TABLES
START = datetime(2030, 1, 10, 9, tzinfo=UTC)
RECORD = Key(CALENDARS, f"{NOTICES}a", f"{PERSON}#email")
# How long the queue holds a message back, how long one is hidden while an invocation has it, and after how long Lambda
# ends an invocation. `test_template` holds the template to these.
DELAY, HIDDEN, MOST = 10, 60, 30
# What may be left to wait for after faults end: a message that is hidden once more after the lease of a dead sender.
SOON = 3 * HIDDEN


def at(hour: int) -> Interval:
    start = datetime(2030, 1, 15, hour, tzinfo=UTC)
    return Interval(start, start + timedelta(hours=1))


def story(*changes: tuple[Status, int]) -> tuple[Appointment, ...]:
    """The versions of an appointment, each with its status and the hour at which it is."""
    contact = Contact(email="a@example.com", channels=(ChannelName.EMAIL,))
    first = Appointment("a", "anna", at(9), START, START, reminders=(), offsets=(), contact=contact)
    return tuple(
        replace(first, version=number, status=status, interval=at(hour))
        for number, (status, hour) in enumerate(changes, 1)
    )


BOOKED, CANCELLED = Status.SCHEDULED, Status.CANCELLED
MOVED = story((BOOKED, 9), (BOOKED, 10))
MOVED_AND_BACK = story((BOOKED, 9), (BOOKED, 10), (BOOKED, 9))
MOVED_TWICE = story((BOOKED, 9), (BOOKED, 10), (BOOKED, 11))
TAKEN_BACK = story((BOOKED, 9), (CANCELLED, 9))
MOVED_AND_CANCELLED = story((BOOKED, 9), (BOOKED, 10), (CANCELLED, 10))
APPROVED = story((Status.REQUESTED, 9), (BOOKED, 9), (CANCELLED, 9))
DECLINED = story((Status.REQUESTED, 9), (Status.DECLINED, 9))
CHANGED = story((BOOKED, 9), (BOOKED, 9))


class Sent(NamedTuple):
    """What the person got: the version, what it told, and how often a sender was on record as dead by then."""

    version: int
    kind: NoticeKind
    interval: Interval
    was: Interval | None
    repeated: int


class Message(NamedTuple):
    """A message of the queue, about a version. It can be received from `visible` on."""

    version: int
    visible: int
    received: int = 0


class Invocation(NamedTuple):
    """An invocation under way: its message as it received it, when, and what its calls were answered."""

    number: int
    began: int
    message: Message
    answers: tuple[Any, ...] = ()


class State(NamedTuple):
    """Everything there is. `starts`, `faults`, `refusals` and `waits` are how many more of each there may be.

    `refused` is the latest version whose notice was refused; `dead` counts the invocations that did not end themselves.
    """

    database: Database
    committed: int = 0
    queue: tuple[Message, ...] = ()
    now: int = 0
    running: tuple[Invocation, ...] = ()
    got: tuple[Sent, ...] = ()
    refused: int = 0
    dead: int = 0
    starts: int = 3
    faults: int = 1
    refusals: int = 0
    waits: int = 3


class Pause(BaseException):
    """The invocation has used up its answers, and asks for this."""

    def __init__(self, kind: str, what: Any) -> None:
        self.call = (kind, what)


class Ended(NamedTuple):
    """An invocation that is over, and whether its message is done with."""

    done: bool


def change_of(versions: Sequence[Appointment], version: int) -> Change:
    was = known_of(versions[version - 2], PERSON) if version > 1 else None
    return Change("a", version, f"a.{version}", was=was)


def replay(made: Determinism, versions: Sequence[Appointment], invocation: Invocation) -> tuple[str, Any] | Ended:
    """The next call of an invocation, or how it ended."""
    made.begin(str(invocation.number))
    given = iter(invocation.answers)

    def ask(kind: str, what: Any) -> Any:
        for answer in given:
            if isinstance(answer, dynamo.Answer):
                return answer.give()
            if isinstance(answer, Exception):
                raise answer
            return answer
        raise Pause(kind, what)

    client = SimpleNamespace(
        get_item=lambda **parameters: ask("call", Call("get_item", parameters)),
        query=lambda **parameters: ask("call", Call("query", parameters)),
        update_item=lambda **parameters: ask("call", Call("update_item", parameters)),
    )
    storage = Storage(client)  # type: ignore[arg-type]  # of the client, these are all
    sender = NoticeSender(
        Appointments(storage, APPOINTMENTS, timedelta(days=1)),
        SimpleNamespace(of=lambda _: {}),
        Notices(storage, CALENDARS),
        SimpleNamespace(send=lambda _contact, _channel, notice: ask("send", notice)),
        (ChannelName.EMAIL,),
        lambda: START + timedelta(seconds=ask("time", None)),
    )
    try:
        return Ended(sender.tell(change_of(versions, invocation.message.version)))
    except Pause as pause:
        return pause.call


class Explorer:
    """Works out what can follow a state."""

    def __init__(self, made: Determinism, versions: Sequence[Appointment], *, in_time: bool) -> None:
        self.made = made
        # Whether every invocation ends before Lambda ends it.
        self.in_time = in_time
        self.versions = versions
        self.known: dict[Invocation, Any] = {}
        self.ends: dict[State, State] = {}

    def at(self, state: State, invocation: Invocation) -> tuple[Invocation, Any]:
        """An invocation at its next call. That it looks at the clock is no step: time is what it is."""
        while True:
            call = self.known.get(invocation)
            if call is None:
                call = self.known[invocation] = replay(self.made, self.versions, invocation)
            if isinstance(call, Ended) or call[0] != "time":
                return invocation, call
            invocation = invocation._replace(answers=(*invocation.answers, state.now))

    def moves(self, state: State) -> Iterator[State]:
        if state.committed < len(self.versions):
            yield self.changed(state)
        if state.starts:
            for message in state.queue:
                if message.visible <= state.now:
                    yield self.begun(state, message)
        for index in range(len(state.running)):
            yield from self.steps(state, index)
        if state.waits and (later := self.next_moment(state)) is not None:
            waited = self.waited(state, later)._replace(waits=state.waits - 1)
            if waited.dead == state.dead or not self.in_time:
                yield waited

    def changed(self, state: State) -> State:
        appointment = self.versions[state.committed]
        item = item_of(appointment_to_item(appointment, timedelta(days=1)))
        database = state.database.with_items({Key(APPOINTMENTS, "a"): item})
        message = Message(appointment.version, state.now + DELAY)
        return state._replace(database=database, committed=state.committed + 1, queue=(*state.queue, message))

    def begun(self, state: State, message: Message) -> State:
        taken = message._replace(visible=state.now + HIDDEN, received=message.received + 1)
        queue = tuple(sorted(taken if one is message else one for one in state.queue))
        running = (*state.running, Invocation(state.starts, state.now, taken))
        return state._replace(queue=queue, running=running, starts=state.starts - 1)

    def next_moment(self, state: State) -> int | None:
        """When something becomes possible that is not yet: a message visible, or an invocation ended by Lambda."""
        moments = [one.visible for one in state.queue] + [one.began + MOST for one in state.running]
        return min((moment for moment in moments if moment > state.now), default=None)

    def waited(self, state: State, until: int) -> State:
        running = tuple(one for one in state.running if one.began + MOST > until)
        return state._replace(now=until, running=running, dead=state.dead + len(state.running) - len(running))

    def steps(self, state: State, index: int) -> Iterator[State]:
        invocation, call = self.at(state, state.running[index])

        def others(*mine: Invocation) -> tuple[Invocation, ...]:
            return (*state.running[:index], *mine, *state.running[index + 1 :])

        def answered(answer: Any) -> tuple[Invocation, ...]:
            return others(invocation._replace(answers=(*invocation.answers, answer)))

        if isinstance(call, Ended):
            message = invocation.message
            queue = tuple(
                one
                for one in state.queue
                if not (call.done and (one.version, one.received) == (message.version, message.received))
            )
            yield state._replace(queue=queue, running=others())
            return
        kind, what = call
        if kind == "send":
            told = self.told(state, what)
            yield told._replace(running=answered("id"))
            if state.faults:
                spent = told._replace(faults=state.faults - 1, dead=state.dead + 1)
                yield spent._replace(running=others())  # dies after it
                yield spent._replace(running=answered(TimeoutError()))
            if state.refusals:
                less = state._replace(refusals=state.refusals - 1)
                yield less._replace(running=answered(NotSentError()))
                yield less._replace(running=answered(RefusedError("no")), refused=what.appointment.version)
        else:
            effect = dynamo.apply(state.database, what)
            then = state._replace(database=effect.database)
            yield then._replace(running=answered(effect.answer))
            if state.faults and what.writes:
                spent = then._replace(faults=state.faults - 1)
                yield spent._replace(running=others(), dead=state.dead + 1)  # dies after it
                yield spent._replace(running=others(invocation))  # the answer is lost, and the SDK repeats it
        if state.faults:
            yield state._replace(faults=state.faults - 1, dead=state.dead + 1, running=others())  # dies before it

    def told(self, state: State, notice: Notice) -> State:
        item = state.database.get(RECORD)
        assert item is not None, "told without a claim"
        repeated = int(item.attributes["repeated"]["N"]) if "repeated" in item.attributes else 0
        sent = Sent(notice.appointment.version, notice.kind, notice.interval, notice.was, repeated)
        self.check_sent(state, sent)
        return state._replace(got=(*state.got, sent))

    def check_sent(self, state: State, sent: Sent) -> None:
        earlier = [one for one in state.got if one[:2] == sent[:2]]
        assert all(one.repeated < sent.repeated for one in earlier), f"told twice: {sent} {state}"
        assert sent.repeated <= state.dead, f"nobody died: {sent} {state}"
        if sent.repeated or state.refused:
            return
        belief = self.belief(state)
        now = known_of(self.versions[sent.version - 1], PERSON)
        was = belief.interval if belief and sent.kind is NoticeKind.MOVED else None
        expected = difference(self.heard_of(belief, sent.version), now)
        assert (sent.kind, sent.was) == (expected, was), f"not the difference: {sent} {state}"

    def belief(self, state: State) -> Known | None:
        """What the person knows by what they got."""
        return known_of(self.versions[state.got[-1].version - 1], PERSON) if state.got else None

    def heard_of(self, belief: Known | None, version: int) -> Known | None:
        """The same where nothing was told of a request: whoever made it knows of it."""
        asked = next((one for one in self.versions[: version - 1] if one.status is Status.REQUESTED), None)
        return belief or (known_of(asked, PERSON) if asked else None)

    def settled(self, state: State) -> State:
        """What becomes of it without faults: nobody who is under way goes on, and nothing else changes."""
        running = len(state.running)
        start = state = state._replace(running=(), dead=state.dead + running, starts=99, faults=0, refusals=0, waits=0)
        if start in self.ends:
            return self.ends[start]
        while state.queue and state.now <= start.now + SOON:
            visible = [one for one in state.queue if one.visible <= state.now]
            if not visible:
                later = self.next_moment(state)
                assert later is not None
                state = self.waited(state, later)
                continue
            state = self.begun(state, visible[0])
            while state.running:
                (state,) = self.steps(state, 0)
        self.ends[start] = state
        return state

    def check_end(self, state: State) -> None:
        end = self.settled(state)
        assert not end.queue, f"never done: {state}"
        if not end.committed or end.refused == end.committed:
            return
        now = known_of(self.versions[end.committed - 1], PERSON)
        belief = self.belief(end)
        missing = difference(belief, now)
        if missing is NoticeKind.BOOKED and self.heard_of(None, now.version):
            missing = NoticeKind.APPROVED
        assert missing is None, f"not told in the end: {missing} {state}"


def explore(versions: Sequence[Appointment], *, in_time: bool = False, **budget: Any) -> set[tuple[Sent, ...]]:
    """Explore all states; what the person may have got in the end where nobody died. Fails with what was broken."""
    with determinism() as made:
        explorer = Explorer(made, versions, in_time=in_time)
        start = State(Database())._replace(**budget)
        seen, pending = {start}, [start]
        while pending:
            state = pending.pop()
            explorer.check_end(state)
            for then in explorer.moves(state):
                if then not in seen:
                    seen.add(then)
                    pending.append(then)
        print(len(seen), "states")
        assert len(seen) > 100
        done = (state for state in seen if not state.queue and state.committed == len(versions))
        return {state.got for state in done if not state.dead}


def explore_several() -> None:
    explore(MOVED, **BUDGET)
    explore(MOVED_AND_BACK, in_time=True, starts=3, faults=0, waits=3)
    explore(MOVED_AND_BACK, **BUDGET)


BUDGET: dict[str, Any] = {"starts": 2, "faults": 1, "refusals": 0, "waits": 2}
STORIES = {
    "changed": CHANGED,
    "moved": MOVED,
    "moved_and_back": MOVED_AND_BACK,
    "moved_twice": MOVED_TWICE,
    "taken_back": TAKEN_BACK,
    "moved_and_cancelled": MOVED_AND_CANCELLED,
    "approved": APPROVED,
    "declined": DECLINED,
}


@pytest.mark.parametrize("versions", STORIES.values(), ids=STORIES.keys())
def test_whatever_happens_to_a_sender(versions: Sequence[Appointment]) -> None:
    explore(versions, **BUDGET)


@pytest.mark.parametrize("versions", [MOVED, TAKEN_BACK, APPROVED], ids=["moved", "taken_back", "approved"])
def test_whatever_is_refused(versions: Sequence[Appointment]) -> None:
    explore(versions, **(BUDGET | {"refusals": 1}))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("versions", STORIES.values(), ids=STORIES.keys())
def test_three_senders_and_two_faults(versions: Sequence[Appointment]) -> None:
    explore(versions, starts=3, faults=2, refusals=1, waits=3)


def test_what_is_told_without_faults() -> None:
    """Each of these is told: by whether there was time between the changes."""
    told = {name: explore(versions, in_time=True, starts=3, faults=0, waits=3) for name, versions in STORIES.items()}
    kinds = {name: {tuple(sent.kind.value for sent in got) for got in all_} for name, all_ in told.items()}
    assert kinds == {
        "changed": {("booked",)},
        "moved": {("booked",), ("booked", "moved")},
        "moved_and_back": {("booked",), ("booked", "moved"), ("booked", "moved", "moved")},
        "moved_twice": {("booked",), ("booked", "moved"), ("booked", "moved", "moved")},
        "taken_back": {(), ("booked", "cancelled")},
        "moved_and_cancelled": {(), ("booked", "cancelled"), ("booked", "moved", "cancelled")},
        "approved": {("approved", "cancelled"), ("cancelled",), ()},
        "declined": {("declined",)},
    }
    first, last = at(9), at(11)
    assert any(one.was == first and one.interval == last for got in told["moved_twice"] for one in got)
    # Who knows of 9:00 alone is told that 9:00 is cancelled.
    assert {got[-1].interval for got in told["moved_and_cancelled"] if len(got) == 2} == {first, at(10)}


# --- mutants -----------------------------------------------------------------------------------------------


def reads_once(patch: pytest.MonkeyPatch) -> None:
    """Who has claimed does not look whether it is still the latest version."""
    tell = NoticeSender.tell

    def telling(self: NoticeSender, change: Change) -> bool:
        appointments: Any = SimpleNamespace(get=cache(self.appointments.get))
        return tell(replace(self, appointments=appointments), change)

    patch.setattr(NoticeSender, "tell", telling)


def claims_over_claims(patch: pytest.MonkeyPatch) -> None:
    """A write does not ask whether the record is as it was read."""
    write = Notices._write

    def writing(self: Notices, was: NoticeRecord, record: NoticeRecord) -> NoticeRecord | None:
        now = self.of(was.appointment_id).get((was.recipient, was.channel))
        return write(self, now or was, record)

    patch.setattr(Notices, "_write", writing)


def forgets_what_the_dead_told(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(NoticeRecord, "may_know", lambda self: (self.told,))


def counts_no_deaths(patch: pytest.MonkeyPatch) -> None:
    claim = Notices.claim
    patch.setattr(Notices, "claim", lambda self, record, *what: claim(self, replace(record, sending=None), *what))


def has_no_lease(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(product, "LEASE", timedelta())


def records_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Notices, "record", lambda *_: True)


def leaves_it_to_others(patch: pytest.MonkeyPatch) -> None:
    """Who finds a claim takes the message for done."""
    tell = NoticeSender.tell
    patch.setattr(NoticeSender, "tell", lambda self, change: tell(self, change) or True)


def tells_what_came_and_went(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(product, "difference", lambda told, now: difference(told, now) or NoticeKind.MOVED)


@pytest.mark.parametrize(
    "mutant",
    [
        reads_once,
        claims_over_claims,
        forgets_what_the_dead_told,
        counts_no_deaths,
        has_no_lease,
        records_nothing,
        leaves_it_to_others,
        tells_what_came_and_went,
    ],
    ids=lambda mutant: mutant.__name__,
)
def test_what_is_taken_away_is_missed(mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: Any) -> None:
    mutant(monkeypatch)
    with pytest.raises(AssertionError, match=r"^(told twice|not told|nobody died|never done|not the difference)"):
        explore_several()
