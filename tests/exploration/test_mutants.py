"""The exploration notices what is taken away: each condition of each write in turn, and each remedy.

A condition is named by what it asks of which item, and not by the code that writes it. The scenario is the smallest on
which its loss was found to show. `test_orders.py` meets no condition that is named neither here nor in `IMPLIED`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import pytest

from appointments.decision import Reading
from appointments.model import CalendarDay, DayKey
from appointments.storage.appointments import Appointments
from appointments.storage.calendar_days import CalendarDays
from appointments.storage.store import Storage
from exploration import dynamo, explore, wiring
from exploration.conditions import WITHOUT
from exploration.examine import UNEXPLAINED, Examination, Failure
from exploration.explore import Fault
from exploration.scenarios import DYING, SCENARIOS
from exploration.wiring import determinism

SCENARIO = {scenario.name: scenario for scenario in SCENARIOS}
BOOK_TWICE = "untouched: book over midnight | book over midnight"


def failure_on(name: str, without: str = "", faults: Sequence[Fault] = ()) -> Failure | None:
    with determinism() as made:
        return Examination(SCENARIO[name], made, lambda atom: str(atom) == without).examine(faults).failure


@pytest.mark.parametrize(("condition", "where"), WITHOUT.items(), ids=WITHOUT)
def test_a_condition_that_is_left_out_is_missed(condition: str, where: tuple[str, Fault | None]) -> None:
    name, fault = where
    faults = [fault] if fault else []
    assert failure_on(name, faults=faults) is None
    assert failure_on(name, condition, faults) is not None


def latest_day_wins(days: Sequence[Any], _: Any, ignore: str | None) -> tuple[Any, ...]:
    """What lies on days where an appointment counts with one interval only, as it once did."""
    entries: dict[str, Any] = {}
    for day in sorted(days, key=lambda day: day.key):
        entries.update(day.entries)
    entries.pop(ignore or "", None)
    return tuple(one for entry in entries.values() for one in entry)


def test_the_mixture_of_days_is_found_where_an_appointment_counts_with_one_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "move over midnight, move into it from the next day"
    assert failure_on(name) is None
    monkeypatch.setattr(importlib.import_module("appointments.calendars"), "busy_on", latest_day_wins)
    failure = failure_on(name)
    assert failure is not None
    assert "c holds 2 at 2030-01-15 23:15" in failure.faults[0]


@pytest.mark.parametrize("other", ["move", "move by link"])
def test_a_link_that_looks_only_once_is_found(monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    """As if the form were checked before the loop: what was moved meanwhile is then confirmed unseen."""
    name = f"a link: confirm by link | {other}"
    assert failure_on(name) is None
    changing = importlib.import_module("conflict_detector.links.changing")
    looks = changing.is_to_do
    seen: dict[Any, bool] = {}

    def once(before: Any, asked: Any, now: Any) -> bool:
        if (id(asked), asked) not in seen:
            seen[id(asked), asked] = looks(before, asked, now)
        return seen[id(asked), asked]

    monkeypatch.setattr(changing, "is_to_do", once)
    assert failure_on(name) is not None


def test_refusals_of_several_moments_are_found_where_nothing_is_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("conflict_detector.settling"), "rests_on_one_item", lambda *_: True)
    failure = failure_on("untouched: book any | cancel Y, book it on c")
    assert failure is not None
    assert failure.faults == [UNEXPLAINED]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("book, take the buffer away and book beside it", None),
        ("book, make room and lower the capacity", None),
        ("buffer, touched, warm: book after midnight | set capacity, book before midnight", Fault.TOLD_IN_PART),
    ],
)
def test_a_refusal_by_a_day_and_settings_of_several_moments_is_found(
    name: str, fault: Fault | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [fault] if fault else []
    assert failure_on(name, faults=faults) is None
    monkeypatch.setattr(Reading, "shows_settings", lambda *_: True)
    failure = failure_on(name, faults=faults)
    assert failure is not None
    assert failure.faults == [UNEXPLAINED]


def test_a_hold_that_is_confirmed_without_being_decided_again_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim that ends would cover one that does not."""
    name = "a hold: confirm in time | book over it"
    assert failure_on(name) is None
    claim = importlib.import_module("appointments.claims").Claim
    monkeypatch.setattr(claim, "covers", lambda self, other: self._replace(until=None) == other)
    failure = failure_on(name)
    assert failure is not None
    assert "c holds 2 at 2030-01-15 23:15" in failure.faults[0]


@pytest.mark.parametrize("name", ["book before midnight | book after midnight", "hold | move X to the day"])
def test_a_day_that_is_counted_by_what_a_claim_touches_alone_is_found(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that begin on one day may touch no quarter hour together, nor a UTC day."""
    assert failure_on(f"two a day: {name}") is None
    monkeypatch.setattr(importlib.import_module("appointments.decision"), "reach", lambda claim, _: claim.interval)
    failure = failure_on(f"two a day: {name}")
    assert failure is not None
    assert "c takes 3 on 2030-01-16" in failure.faults[0]


def test_a_block_that_is_written_whatever_was_booked_meanwhile_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its condition is the first quarter hour alone."""
    name = "a block: block | book after midnight"
    assert failure_on(name) is None
    days = importlib.import_module("appointments.storage.calendar_days").CalendarDays
    original = days.taking

    def careless(self: Any, appointment: Any, claims: Any, day: Any, deciding: Any, *more: Any) -> Any:
        return original(self, appointment, claims, day, deciding[:1] if claims[0].block else deciding, *more)

    monkeypatch.setattr(days, "taking", careless)
    failure = failure_on(name)
    assert failure is not None
    assert "which does not name it" in failure.faults[0]


def test_a_hold_that_is_confirmed_in_any_block_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in one that was placed when the hold had run out, and so does not name it."""
    name = "a block on a hold that runs out: confirm H in time | block"
    assert failure_on(name) is None
    decision = importlib.import_module("appointments.decision")
    monkeypatch.setattr(decision, "_told_of_until", lambda *_: datetime.max.replace(tzinfo=UTC))
    failure = failure_on(name)
    assert failure is not None
    assert "which does not name it" in failure.faults[0]


def test_a_block_that_tells_of_several_moments_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "a block over two days: block | cancel F, book after midnight"
    assert failure_on(name) is None
    blocking = importlib.import_module("conflict_detector.blocks.blocking")
    original = blocking._Placing
    monkeypatch.setattr(blocking, "_Placing", lambda *asked: original(*asked, exact=False))
    failure = failure_on(name)
    assert failure is not None
    assert failure.faults == [UNEXPLAINED]


@pytest.mark.parametrize(
    ("where", "name", "forgetful"),
    [
        ("appointments.reminders", "_earlier", lambda *_: ()),
        ("appointments.reminders.Reminder", "keeps", lambda *_: False),
    ],
    ids=["not kept", "not recorded"],
)
def test_a_reminder_that_is_moved_away_from_and_forgotten_is_found(
    where: str, name: str, forgetful: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is sent, and before that is recorded."""
    monkeypatch.setattr(f"{where}.{name}", forgetful)
    failure = failure_on("moved away and back: send | send later")
    assert failure is not None
    assert "published 2 times" in failure.faults[0]


# --- so many a day of one person ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ground", "name"),
    [
        ("none yet", "before midnight | after midnight"),
        ("none yet", "after midnight | hold"),
        ("none yet", "after midnight | move X"),
        ("warm", "before midnight | after midnight"),
        ("holds one", "confirm Y in time | book after it"),
    ],
)
def test_a_day_of_a_person_that_is_counted_without_a_condition_is_found(
    ground: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of one person on one day touch no quarter hour together."""
    name = f"one a day of a person, {ground}: {name}"
    assert failure_on(name) is None
    monkeypatch.setattr(importlib.import_module("appointments.decision"), "reach", lambda claim, _: claim.interval)
    assert any("a has 2 of often on 2030-01-16" in fault for fault in missed_on(name).faults)


def test_a_hold_that_keeps_its_day_after_others_saw_it_expire_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "one a day of a person, holds one: confirm Y in time | book after it"
    claim = importlib.import_module("appointments.claims").Claim
    monkeypatch.setattr(claim, "keeps_its_day", lambda _, before: before is not None)
    assert any("a has 2 of often on 2030-01-16" in fault for fault in missed_on(name).faults)


def test_a_refusal_by_a_day_of_a_person_that_is_read_once_is_not_taken_for_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry without its service counts for none."""
    name = "one a day of a person, has one: after midnight | cancel Y"
    assert failure_on(name) is None
    days = importlib.import_module("appointments.storage.calendar_days")
    original = days.entry_to_text
    monkeypatch.setattr(days, "entry_to_text", lambda claims: original([one._replace(daily=None) for one in claims]))
    assert missed_on(name)


def test_a_zone_that_is_not_a_condition_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "the zone of a calendar that is not taken: before midnight | set it, after midnight"
    assert failure_on(name) is None
    monkeypatch.setattr(importlib.import_module("conflict_detector.placement"), "saying_the_zone", lambda *_: ())
    assert missed_on(name).faults == [UNEXPLAINED]


# --- services ----------------------------------------------------------------------------------------


def test_a_service_that_is_booked_as_it_is_remembered_is_found() -> None:
    name = "services: change what is remembered before it is booked"
    assert failure_on(name) is None
    with determinism() as made:
        weakened = Examination(SCENARIO[name], made, lambda atom: str(atom).startswith("ConditionCheck service"))
        failure = weakened.examine().failure
    assert failure is not None
    assert failure.faults == [UNEXPLAINED]


@pytest.mark.parametrize(("calendar", "name"), [("c", "two | book c"), ("d", "two | book d"), ("c", "one | three")])
def test_a_step_that_is_taken_without_a_condition_is_found(
    calendar: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = CalendarDays.taking

    def careless(self: Any, appointment: Any, claims: Any, day: Any, deciding: Any, *more: Any) -> Any:
        blind = appointment.steps and day.key.calendar_id == calendar
        return original(self, appointment, claims, day, [50] if blind else deciding, *more)

    assert failure_on(f"services: {name}") is None
    monkeypatch.setattr(CalendarDays, "taking", careless)
    assert f"{calendar} holds 2" in missed_on(f"services: {name}").faults[0]


def test_a_pool_that_was_full_at_several_moments_alone_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Y goes from one calendar of the pool to the other, so that one of them is free at all times."""
    name = "services: one | move Y to c"
    assert failure_on(name) is None
    monkeypatch.setattr(importlib.import_module("conflict_detector.settling"), "rests_on_one_item", lambda *_: True)
    assert missed_on(name).faults == [UNEXPLAINED]


def test_two_readings_that_agree_on_the_chosen_calendars_alone_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal rests on all that could have been chosen."""
    name = "services: one | move Y to c, back and over again"
    assert failure_on(name) is None
    monkeypatch.setattr(importlib.import_module("conflict_detector.settling"), "agree", lambda *_: True)
    assert missed_on(name).faults == [UNEXPLAINED]


@pytest.mark.parametrize("clause", ["adds", "removes"])
def test_an_update_that_loses_a_clause_is_missed(clause: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counters that are not counted up, and entries that are not taken out."""
    original = dynamo.parse_update

    def parse_less(text: str) -> dynamo.Update:
        update = original(text)
        return update._replace(**{clause: ()}) if clause == "removes" or "q" in text else update

    name = {"adds": "capacity 2, warm: book before midnight | book by key", "removes": "untouched: cancel X | send"}
    assert failure_on(name[clause]) is None
    monkeypatch.setattr(dynamo, "parse_update", parse_less)
    assert failure_on(name[clause]) is not None


def test_a_transaction_that_comes_again_without_a_token_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "untouched: move W over midnight | move X before midnight"
    assert failure_on(name, faults=[Fault.LOST]) is None
    monkeypatch.setattr(dynamo, "remember_token", lambda database, _: database)
    assert failure_on(name, faults=[Fault.LOST]) is None  # it knows its own move by the id of the change
    monkeypatch.setattr("appointments.storage.store.own_change", lambda *_: None)
    assert failure_on(name, faults=[Fault.LOST]) is not None


def test_a_failure_can_be_replayed(capsys: pytest.CaptureFixture[str]) -> None:
    condition = "Update day: q* absent"
    failure = failure_on(BOOK_TWICE, condition)
    assert failure is not None
    assert "-m exploration" in str(failure)
    with determinism() as made:
        again = Examination(SCENARIO[BOOK_TWICE], made, lambda atom: str(atom) == condition).replay(failure.schedule)
        whole = Examination(SCENARIO[BOOK_TWICE], made).replay(failure.schedule)
    assert again == failure
    assert whole is None
    assert "not at its end" in capsys.readouterr().out  # as there the second one is refused, and reads once more


def test_a_product_that_does_not_repeat_itself_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that differs from run to run would make one run out of two."""
    made = iter(range(10**6))

    def drifting(request: Any, process: Any, channel: Any) -> Mapping[str, Any]:
        def marked(operation: str, parameters: Mapping[str, Any]) -> Any:
            return channel(operation, {**parameters, "Mark": next(made)})

        return wiring.play(request, process, marked)

    monkeypatch.setattr(explore, "play", drifting)
    with pytest.raises(explore.NondeterminismError):
        failure_on("untouched: change details | cancel X")


# --- crowded days ------------------------------------------------------------------------------------

ROOM = "crowded: make room for another in the middle of a reading"
EITHER = "crowded: book any, move from one calendar to the other, back and over again"


def missed_on(name: str) -> Failure:
    """The failure that is found on a scenario; without what the test takes away there is none."""
    failure = failure_on(name)
    assert failure is not None
    return failure


def test_overflow_that_is_read_before_the_days_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    read, overflow = Storage.read, CalendarDays.overflow

    def overflow_first(self: Storage, keys: Iterable[DayKey], **more: Any) -> Reading:
        keys = sorted(keys)
        seen = {key: list(overflow(self.days, *key, key.day)) for key in keys}
        with monkeypatch.context() as patched:
            patched.setattr(CalendarDays, "overflow", lambda _, id_, day, __: iter(seen[DayKey(id_, day)]))
            patched.setattr(CalendarDays, "overflow_near", lambda _, day, __: iter(seen[day.key]))
            return read(self, keys, **more)

    name = "crowded, warm: book before midnight | book by key"
    assert failure_on(name) is None
    monkeypatch.setattr(Storage, "read", overflow_first)
    assert "c holds 2 at 2030-01-15 23:15" in missed_on(name).faults[0]


def test_calendars_that_are_read_with_their_overflow_one_after_another_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Then two readings can agree on what never was, though each of them reads a day before its overflow."""
    read = Storage.read

    def one_after_another(self: Storage, keys: Iterable[DayKey], **more: Any) -> Reading:
        found = Reading()
        for _, each in groupby(sorted(keys), key=lambda key: key.calendar_id):
            reading = read(self, list(each), **more)
            found.days |= reading.days
            found.settings |= reading.settings
            found.appointment = reading.appointment
        return found

    monkeypatch.setattr(Storage, "read", one_after_another)
    assert missed_on(EITHER).faults == [UNEXPLAINED]


def test_a_refusal_by_a_crowded_day_that_is_read_once_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CalendarDay, "items", 1)
    assert missed_on(ROOM).faults == [UNEXPLAINED]


def test_a_day_that_a_failed_condition_returns_is_not_taken_for_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "crowded, capacity 2: book before midnight | book by key"
    assert failure_on(name) is None

    def replace(self: Reading, newer: Reading) -> None:
        self.days.update(newer.days)
        self.settings.update(newer.settings)

    monkeypatch.setattr(Reading, "replace", replace)
    assert "c holds 3 at 2030-01-15 23:15" in missed_on(name).faults[0]


@pytest.mark.parametrize(
    ("marker", "name"),
    [
        ("#marker", "becoming crowded: book before midnight | book by key"),
        ("overflowLong", "crowded, capacity 2: book before midnight | book by key"),
    ],
)
def test_a_day_without_its_markers_is_found(marker: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original = dynamo.parse_update

    def parse_less(text: str) -> dynamo.Update:
        update = original(text)
        return update._replace(sets=tuple(one for one in update.sets if one[0] != (marker,)))

    assert failure_on(name) is None
    monkeypatch.setattr(dynamo, "parse_update", parse_less)
    assert any("at 2030-01-15 23:15" in fault for fault in missed_on(name).faults)


def test_a_part_of_a_day_that_is_taken_for_another_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CalendarDay, "shows", lambda *_: True)
    name = "crowded: move within the day while another gives it a calendar"
    assert "c holds 2 at 2030-01-15 18:15" in missed_on(name).faults[0]


def test_what_leaves_and_forgets_its_overflow_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "crowded, capacity 2: cancel X | send"
    assert failure_on(name) is None
    actions = Storage._actions

    def forgetful(self: Storage, *more: Any) -> list[Any]:
        return [
            entry
            for entry in actions(self, *more)
            if "overflow#" not in str(entry.get("Update", {}).get("Key")) or "REMOVE" not in str(entry)
        ]

    monkeypatch.setattr(Storage, "_actions", forgetful)
    assert any("its appointment is at None" in fault for fault in missed_on(name).faults)


def test_an_entry_that_is_moved_into_overflow_and_stays_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "becoming crowded: move X over midnight | cancel X"
    assert failure_on(name) is None
    original = dynamo.parse_update

    def parse_less(text: str) -> dynamo.Update:
        return original(text)._replace(removes=()) if "#marker" in text else original(text)

    monkeypatch.setattr(dynamo, "parse_update", parse_less)
    monkeypatch.setattr(CalendarDay, "inline", lambda *_: 1)
    assert missed_on(name)


def test_a_condition_of_a_crowded_day_that_is_left_out_is_missed() -> None:
    assert failure_on("crowded, warm: book before midnight | book by key", "Update day: q* =") is not None


# --- sessions ----------------------------------------------------------------------------------------

LEFT = "is left in a session that is cancelled"


def test_a_session_that_is_joined_whatever_it_has_become_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "a session: join | cancel the session"
    assert failure_on(name) is None
    original = Appointments.joining

    def careless(self: Appointments, session_id: str, version: int) -> Any:
        action = original(self, session_id, version)["Update"]
        condition = {"ConditionExpression": "#version >= :version"}
        return {"Update": action | condition}

    monkeypatch.setattr(Appointments, "joining", careless)
    assert any(LEFT in fault for fault in missed_on(name).faults)


@pytest.mark.parametrize(
    ("other", "fault"),
    [("cancel the session", LEFT), ("move the session", "does not lie where its session lies")],
)
def test_a_session_that_does_not_count_who_joins_is_found(
    other: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = dynamo.parse_update

    def parse_less(text: str) -> dynamo.Update:
        return original(text)._replace(adds=()) if "joins" in text else original(text)

    name = f"a session that nobody joined: join | {other}"
    assert failure_on(name) is None
    monkeypatch.setattr(dynamo, "parse_update", parse_less)
    assert any(fault in one for one in missed_on(name).faults)


def test_a_session_that_is_moved_away_from_those_in_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "a session: move the session | J has a note"
    assert failure_on(name) is None
    monkeypatch.setattr(CalendarDays, "seats_left", lambda _, session, __: session.session_seats)
    assert any("does not lie where its session lies" in fault for fault in missed_on(name).faults)


@pytest.mark.parametrize("name", [scenario.name for scenario in DYING])
def test_who_is_left_by_a_crash_is_found_where_the_session_does_not_say_so(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [Fault.DIES_AFTER]
    assert failure_on(name, faults=faults) is None
    monkeypatch.setattr(importlib.import_module("appointments.model"), "with_clearing", lambda _, after: after)
    failure = failure_on(name, faults=faults)
    assert failure is not None
    assert any(LEFT in fault for fault in failure.faults)


def test_seats_that_are_counted_at_another_moment_than_their_session_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "a session: cancel the session | read the session"
    assert failure_on(name) is None

    def once(session: Any, storage: Any, now: Any) -> Any:
        return session, storage.days.seats_left(session, now) if session.status.occupies else None

    monkeypatch.setattr(importlib.import_module("conflict_detector.joining"), "with_seats_left", once)
    assert missed_on(name).faults == [UNEXPLAINED]


def test_a_full_session_that_is_read_at_several_moments_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's last seat is refused by a count of seats and of those who take them that were never true together."""
    name = "a session: join | J leaves, one seat less"
    assert failure_on(name) is None
    monkeypatch.setattr(importlib.import_module("conflict_detector.settling"), "rests_on_one_item", lambda *_: True)
    assert missed_on(name).faults == [UNEXPLAINED]


def test_the_persons_own_calendar_taken_as_often_as_seats_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "seats: two for three places"
    assert failure_on(name) is None
    claims = importlib.import_module("appointments.decision")
    original = claims.claims_of
    monkeypatch.setattr(claims, "claims_of", lambda one: tuple(claim._replace(places=1) for claim in original(one)))
    assert any("c holds 4 at" in fault for fault in missed_on(name).faults)


def test_seats_that_are_left_by_a_reading_of_several_moments_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who took seats before somebody left, and the session as it was changed after that."""
    name = "a session: join | J leaves, move the session"
    assert failure_on(name) is None
    joining = importlib.import_module("conflict_detector.joining")
    monkeypatch.setattr(joining._Joining, "exact", property(lambda _: False, lambda *_: None))
    assert missed_on(name).faults == [UNEXPLAINED]
