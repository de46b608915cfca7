"""Every order of the calls of two operations, on several grounds, keeps every promise and has an explanation.

What is told of a run, and how to play it again, stands in the failure: one line per call, and the command.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import pytest

from exploration.conditions import IMPLIED, WITHOUT
from exploration.dynamo import Atom
from exploration.examine import Examination, Prepared, Report, Scenario
from exploration.explore import Fault, TooManyStatesError
from exploration.scenarios import (
    BLOCKED,
    CROWDED,
    DAILY,
    DYING,
    EXPIRING,
    GROUNDS,
    LINKS,
    MIDNIGHT,
    MOVED_AWAY,
    OPERATIONS,
    PER_PERSON,
    REMINDERS,
    SEATS,
    SERVICES,
    SEVERAL_MOMENTS,
    TWO_CHANNELS,
    ZONE,
    Ground,
    pairs,
    triple,
)
from exploration.wiring import determinism

GROUND = {ground.name: ground for ground in GROUNDS}
# Those that differ most in the calls that are made. The others, and the faults on all of them, are `make faults`.
SHORT = ["untouched", "buffer, touched, warm"]
# Of the ways to fail, those that add most for their price; on operations that are quickly explored.
WITH_FAULTS = ["capacity 2, warm"]
# Of the crowded ones, those where entries go both into a day's own item and into overflow, and where room is shared.
CROWDED_GROUNDS = ["becoming crowded", "crowded, capacity 2", "crowded, buffer"]
# Two requests of one actor beside two of another take as long as all other pairs together.
SLOW = {"there and back"}
TRIPLES = 300


def examined(scenarios: Iterable[Scenario], faults: Sequence[Fault] = ()) -> list[Report]:
    """Explore all of them; fails with the first broken promise of the shortest trace."""
    reports = []
    conditions: set[str] = set()
    prepared: dict[str, Prepared] = {}

    def note(atom: Atom) -> bool:
        conditions.add(str(atom))
        return False

    with determinism() as made:
        for scenario in scenarios:
            report = Examination(scenario, made, note, prepared).examine(faults)
            assert report.failure is None, f"\n{report.failure}"
            reports.append(report)
    assert conditions <= WITHOUT.keys() | IMPLIED.keys(), "a condition that test_mutants.py does not leave out"
    return reports


def told(what: str, reports: Sequence[Report]) -> None:
    states, runs, ends, inexact = (
        sum(getattr(report, name) for report in reports) for name in ("states", "runs", "outcomes", "inexact")
    )
    print(
        f"\n{what}: {len(reports)} scenarios, {states} states, {runs} runs, {ends} ends, in {inexact} of which "
        f"a refusal names conflicts of several moments"
    )


def assert_covers(reports: Sequence[Report], mattering: float = 0.2) -> None:
    """The operations really met: an exploration that never lets them overlap would pass for nothing."""
    meeting = [report for report in reports if report.meeting]
    assert len(meeting) > 0.6 * len(reports)
    for report in meeting:
        # Whoever is done by the first call has nothing to overlap with one whose first call is refused by that.
        assert report.overlapping or report.spare == 0, f"never at the same time: {report}"
    assert sum(report.overlapping for report in meeting) > 0.75 * len(meeting)
    order_matters = [report for report in meeting if len(report.statuses) > 1]
    assert len(order_matters) > mattering * len(meeting)


def quick(ground: Ground) -> list[Scenario]:
    return [one for one in pairs(ground) if not SLOW & set(one.name.partition(": ")[2].split(" | "))]


@pytest.mark.parametrize("name", SHORT)
def test_every_order_of_two_operations_is_explained(name: str) -> None:
    reports = examined(quick(GROUND[name]))
    told(name, reports)
    assert_covers(reports)


@pytest.mark.parametrize("scenario", MIDNIGHT, ids=lambda scenario: scenario.name)
def test_of_two_that_want_the_same_time_over_midnight_exactly_one_gets_it(scenario: Scenario) -> None:
    (report,) = examined([scenario])
    assert {tuple(status for (status,) in statuses) for statuses in report.statuses} <= {
        (200, 409),
        (409, 200),
        (201, 409),
    }
    assert len(report.statuses) == 2


@pytest.mark.parametrize("scenario", SEVERAL_MOMENTS, ids=lambda scenario: scenario.name)
def test_no_answer_rests_on_items_of_several_moments(scenario: Scenario) -> None:
    (report,) = examined([scenario])
    assert report.overlapping


# Two changes of one hold over midnight: among the slowest, and much the same as two moves.
SLOW_ON_A_HOLD = {"confirm in time", "confirm after it", "confirm at another time", "move it"}


def test_holds_requests_and_attendance_are_explained_in_every_order() -> None:
    quickly = [one for one in EXPIRING if not set(one.name.partition(": ")[2].split(" | ")) <= SLOW_ON_A_HOLD]
    reports = examined(quickly)
    told("holds, requests, attendance", reports)
    assert_covers(reports)


@pytest.mark.parametrize("other", ["book over it in time", "book beside it", "ask for approval", "change its details"])
def test_a_hold_that_is_confirmed_in_time_is_booked_though_clocks_differ_by_five_seconds(other: str) -> None:
    (scenario,) = [one for one in EXPIRING if one.name == f"a hold: confirm in time | {other}"]
    (report,) = examined([scenario])
    assert {confirmed for confirmed, _ in report.statuses} == {(200,)}


def test_links_are_explained_in_every_order_beside_the_desk_the_sender_and_each_other() -> None:
    """Whatever a form is beside, the page says what was done, and what it did not show is not changed."""
    reports = examined(LINKS)
    told("links", reports)
    assert_covers(reports)


def test_so_many_a_day_is_explained_in_every_order() -> None:
    reports = examined(DAILY)
    told("so many a day", reports)
    assert_covers(reports)


def test_blocks_are_explained_in_every_order_and_name_whom_they_meet() -> None:
    reports = examined(BLOCKED)
    told("blocks", reports)
    assert_covers(reports, mattering=0.1)  # a block is never refused: only what it names tells the order
    statuses = {report.scenario: set(report.statuses) for report in reports}
    for taking in ("book before midnight", "book after midnight", "hold", "move F in it", "move X into it"):
        taken = 201 if taking.split()[0] != "move" else 200
        assert statuses[f"a block: block | {taking}"] == {((201,), (taken,)), ((201,), (409,))}


def test_services_are_explained_in_every_order() -> None:
    reports = examined(SERVICES)
    told("services", reports)
    assert_covers(reports)
    statuses = {report.scenario: set(report.statuses) for report in reports}
    one_of_them = {((201,), (409,)), ((409,), (201,))}
    for both in ("services: one | one", "services: one | three", "services: two | book d", "services: two | two"):
        assert statuses[both] == one_of_them


def test_so_many_a_day_of_one_person_are_explained_in_every_order() -> None:
    reports = examined(PER_PERSON)
    told("so many a day of one person", reports)
    assert sum(report.overlapping for report in reports) > 0.5 * len(reports)
    statuses = {report.scenario: set(report.statuses) for report in reports}
    one_of_them = {((201,), (422,)), ((422,), (201,))}
    for ground in ("none yet", "warm"):
        assert statuses[f"one a day of a person, {ground}: before midnight | after midnight"] == one_of_them
    one_or_none = {((201,), (200,)), ((422,), (200,))}
    assert statuses["one a day of a person, none yet: before midnight | move X"] == {((201,), (422,)), ((422,), (200,))}
    assert statuses["one a day of a person, has one: after midnight | cancel Y"] == one_or_none
    assert statuses["one a day of a person, none yet: before midnight | of another"] == {((201,), (201,))}
    assert statuses["one a day of a person, has one: after midnight | move Y on the day"] == {((422,), (200,))}


@pytest.mark.parametrize("scenario", ZONE, ids=lambda scenario: scenario.name)
def test_a_day_of_a_person_is_counted_in_the_zone_that_is_in_force(scenario: Scenario) -> None:
    (report,) = examined([scenario])
    assert report.overlapping
    assert len(report.statuses) > 1


def test_a_hold_is_confirmed_in_time_whatever_is_blocked_meanwhile() -> None:
    (scenario,) = [one for one in BLOCKED if one.name == "a block: block | confirm H"]
    (report,) = examined([scenario])
    assert set(report.statuses) == {((201,), (200,))}


# Two that both touch every item of a session, again and again: `make faults`.
SLOW_IN_A_SESSION = {
    "join by key | join by key",
    "cancel the session | J takes two",
    "J takes two | J takes two",
    "to another room | to another room",
}


def test_seats_and_sessions_are_explained_in_every_order_and_nobody_is_left_in_one() -> None:
    reports = examined([one for one in SEATS if one.name.partition(": ")[2] not in SLOW_IN_A_SESSION])
    told("seats and sessions", reports)
    assert sum(report.overlapping for report in reports) > 0.5 * len(reports)
    statuses = {report.scenario: set(report.statuses) for report in reports}
    assert statuses["the last seat: join | join"] == {((201,), (409,)), ((409,), (201,))}
    assert statuses["a session: join | cancel the session"] == {((201,), (200,)), ((409,), (200,))}


@pytest.mark.parametrize("fault", [Fault.DIES_BEFORE, Fault.DIES_AFTER], ids=lambda fault: fault.name)
def test_whoever_a_dying_process_leaves_in_a_session_is_cancelled_by_the_sweep(fault: Fault) -> None:
    reports = examined(DYING, [fault])
    assert {statuses for report in reports for statuses in report.statuses} == {
        ((), ("done",)),
        ((200,), ("done",)),
    }


@pytest.mark.parametrize("scenario", CROWDED, ids=lambda scenario: scenario.name)
def test_a_crowded_day_is_as_exact_as_another(scenario: Scenario) -> None:
    (report,) = examined([scenario])
    assert report.overlapping


@pytest.mark.parametrize("name", CROWDED_GROUNDS)
def test_orders_of_two_operations_on_a_crowded_day_are_explained(name: str) -> None:
    reports = examined(random.Random(name).sample(quick(GROUND[name]), 6))
    told(name, reports)
    assert sum(report.overlapping for report in reports) > 1


def test_what_a_dead_sender_left_is_taken_up_in_every_order() -> None:
    reports = [report for faults in ([], *([fault] for fault in Fault)) for report in examined(REMINDERS, faults)]
    told("a dead sender, with and without a fault", reports)


def test_each_of_two_channels_gets_each_reminder_in_every_order() -> None:
    reports = examined(TWO_CHANNELS)
    told("two channels", reports)
    assert all(report.overlapping for report in reports)


@pytest.mark.parametrize("fault", [Fault.DIES_BEFORE, Fault.DIES_AFTER], ids=lambda fault: fault.name)
def test_a_death_repeats_one_message_on_one_channel_at_the_most(fault: Fault) -> None:
    told(f"two channels, {fault}", examined(TWO_CHANNELS[1:], [fault]))


@pytest.mark.parametrize("scenario", MOVED_AWAY[1:], ids=lambda scenario: scenario.name)
def test_no_reminder_is_sent_twice_though_it_is_moved_away_and_back(scenario: Scenario) -> None:
    (report,) = examined([scenario])
    assert report.overlapping


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name)
@pytest.mark.parametrize("name", WITH_FAULTS)
def test_every_order_with_a_fault_is_explained(name: str, fault: Fault) -> None:
    chosen = random.Random(fault.name).sample(quick(GROUND[name]), 60)
    reports = examined(chosen, [fault])
    told(f"{name}, {fault}", reports)


# --- an hour's worth ---------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", GROUND)
def test_every_order_of_all_pairs_is_explained(name: str) -> None:
    reports = examined(pairs(GROUND[name]))
    told(name, reports)
    assert_covers(reports)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name)
@pytest.mark.parametrize("name", GROUND)
def test_every_order_of_all_pairs_with_a_fault_is_explained(name: str, fault: Fault) -> None:
    reports = examined(pairs(GROUND[name]), [fault])
    told(f"{name}, {fault}", reports)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name)
def test_holds_requests_and_attendance_with_a_fault_are_explained(fault: Fault) -> None:
    told(f"holds, requests, attendance, {fault}", examined(EXPIRING, [fault]))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name)
def test_two_channels_with_a_fault_are_explained(fault: Fault) -> None:
    told(f"two channels, {fault}", examined(TWO_CHANNELS, [fault]))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name)
def test_links_with_a_fault_are_explained(fault: Fault) -> None:
    told(f"links, {fault}", examined(LINKS, [fault]))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name)
def test_so_many_a_day_blocks_and_services_with_a_fault_are_explained(fault: Fault) -> None:
    scenarios = [*DAILY, *BLOCKED, *SERVICES, *PER_PERSON, *ZONE]
    told(f"so many a day, blocks, services, {fault}", examined(scenarios, [fault]))


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_all_of_seats_and_sessions_are_explained() -> None:
    told("seats and sessions", examined(SEATS))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("faults", [[], *([fault] for fault in Fault)], ids=lambda faults: "".join(faults) or "none")
def test_what_is_moved_away_and_back_while_it_is_sent_is_explained(faults: Sequence[Fault]) -> None:
    told(f"moved away and back, {faults}", examined(MOVED_AWAY[1:] if faults else MOVED_AWAY, faults))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(3))
def test_orders_of_three_operations_are_explained(seed: int) -> None:
    """All of them where they are few, else a sample."""
    chance = random.Random(seed)
    whole: list[Report] = []
    sampled: list[Report] = []
    for _ in range(TRIPLES):
        scenario = triple(chance.choice(GROUNDS), *(chance.choice(list(OPERATIONS)) for _ in range(3)))
        with determinism() as made:
            examination = Examination(scenario, made)
            try:
                report = examination.examine(most=20_000)
                whole.append(report)
            except TooManyStatesError:
                report = examination.sample(chance, runs=100)
                sampled.append(report)
        assert report.failure is None, f"\n{report.failure}"
    told(f"three operations, seed {seed}, every order", whole)
    told(f"three operations, seed {seed}, sampled", sampled)
    assert len(whole) > TRIPLES / 3
    assert_covers(whole)
