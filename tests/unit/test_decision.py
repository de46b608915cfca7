"""The booking decision on readings that are no snapshot, and on claims that differ from calendar to calendar."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from appointments.calendars import UNCONFIGURED, CalendarSettings
from appointments.decision import Accepted, Change, Reading, Refused, agree, decide, rests_on_one_item
from appointments.memory import KnownSettings
from appointments.model import Appointment, CalendarDay, Conflict, DayKey, Interval, Step, Taken

MIDNIGHT = datetime(2030, 1, 16, tzinfo=UTC)
NOW = MIDNIGHT - timedelta(days=30)
DAY_1, DAY_2 = date(2030, 1, 15), date(2030, 1, 16)


def span(start: float, end: float) -> Interval:
    """Hours after midnight between the two days."""
    return Interval(MIDNIGHT + timedelta(hours=start), MIDNIGHT + timedelta(hours=end))


def wanted(start: float, end: float, **more: object) -> Appointment:
    return replace(Appointment("w", "c", span(start, end), NOW, NOW), **more)  # type: ignore[arg-type]  # its fields


def reading(*days: tuple[str, date, dict[str, tuple[Taken, ...]]], revision: str = "r", **settings: object) -> Reading:
    known = KnownSettings(replace(CalendarSettings(), **settings), 1, revision)  # type: ignore[arg-type]  # its fields
    read = {
        DayKey(calendar, day): CalendarDay(DayKey(calendar, day), entries, settings=known.mark)
        for calendar, day, entries in days
    }
    return Reading(read, {key.calendar_id: known for key in read})


def taken(start: float, end: float, places: int = 1) -> tuple[Taken, ...]:
    return (Taken(span(start, end), places),)


MOVED_MEANWHILE = [
    # Day 1 was read after X had come to it, day 2 before X had left it; and the other way round.
    (("c", DAY_1, {"x": taken(-0.75, -0.25)}), ("c", DAY_2, {"x": taken(10, 10.5)})),
    (("c", DAY_1, {"x": taken(-14, -13.5)}), ("c", DAY_2, {"x": taken(0.25, 0.75)})),
]


@pytest.mark.parametrize("days", MOVED_MEANWHILE)
@pytest.mark.parametrize("turned", [False, True])
def test_an_appointment_seen_at_two_places_counts_at_both(
    days: tuple[tuple[str, date, dict[str, tuple[Taken, ...]]], ...], turned: bool
) -> None:
    """Whichever of the days is the newer one, and in whatever order they came."""
    decision = decide([Change.of(None, wanted(-1, 1))], reading(*(days[::-1] if turned else days)), NOW)
    assert isinstance(decision, Refused)
    assert decision.conflicts


@pytest.mark.parametrize("capacity", [2, 3])
def test_with_places_left_too_many_are_counted_rather_than_too_few(capacity: int) -> None:
    seen = reading(("c", DAY_1, {"x": taken(-0.75, 0.5)}), ("c", DAY_2, {"x": taken(0.25, 1)}), capacity=capacity)
    decision = decide([Change.of(None, wanted(-1, 1))], seen, NOW)
    assert isinstance(decision, Accepted if capacity > 2 else Refused)
    if isinstance(decision, Refused):
        assert not rests_on_one_item(decision, seen)


def test_a_refusal_on_one_day_was_true_at_one_moment() -> None:
    seen = reading(("c", DAY_1, {"x": taken(-2, -1)}), ("c", DAY_2, {"y": taken(5, 6)}))
    decision = decide([Change.of(None, wanted(-1.5, 1))], seen, NOW)
    assert decision == Refused((), (Conflict("c", span(-2, -1)),), 1)
    assert rests_on_one_item(decision, seen)


def test_a_refusal_by_several_calendars_may_never_have_been_true() -> None:
    """X moved from one calendar to the other while they were read: at every moment, one of them was free."""
    seen = reading(("a", DAY_2, {"x": taken(9, 10)}), ("b", DAY_2, {"x": taken(9, 10)}))
    seen.settings["c"], seen.days[DayKey("c", DAY_2)] = seen.settings["a"], CalendarDay(DayKey("c", DAY_2))
    candidates = [Change.of(None, wanted(9, 10, resource_ids=(id_,), assigned_calendar_id=id_)) for id_ in ("a", "b")]
    decision = decide(candidates, seen, NOW)
    assert isinstance(decision, Refused)
    assert not rests_on_one_item(decision, seen)


def test_readings_agree_or_not_on_what_counts() -> None:
    change = [Change.of(None, wanted(-1, 1))]
    first = reading(("c", DAY_1, {"x": taken(-2, -0.5)}), ("c", DAY_2, {}))
    same = reading(("c", DAY_1, {"x": taken(-2, -0.5), "far": taken(-20, -19)}), ("c", DAY_2, {}))
    assert agree(change, first, same)
    gone = reading(("c", DAY_1, {}), ("c", DAY_2, {}))
    other = reading(("c", DAY_1, {"x": taken(-2, -0.25)}), ("c", DAY_2, {}))
    settings = reading(("c", DAY_1, {"x": taken(-2, -0.5)}), ("c", DAY_2, {}), revision="s")
    back = reading(("c", DAY_1, {"x": taken(-2, -0.5)}), ("c", DAY_2, {}))
    key = DayKey("c", DAY_1)
    # It was away in between: its return counted up a quarter hour that it touches, here one before what is wanted.
    back.days[key] = replace(back.days[key], counters={88: 2})
    for different in (gone, other, settings, back):
        assert not agree(change, first, different)


def test_readings_do_not_agree_where_somebody_came_and_went() -> None:
    """What lay there in between counted up a quarter hour that decides, also one that only the buffer reaches into."""
    change = [Change.of(None, wanted(0, 1))]
    for day, quarter in ((DAY_2, 2), (DAY_1, 94)):
        first, second = (
            reading(("c", DAY_1, {}), ("c", DAY_2, {}), buffer=timedelta(minutes=30), capacity=2) for _ in range(2)
        )
        assert agree(change, first, second)
        key = DayKey("c", day)
        second.days[key] = replace(second.days[key], counters={quarter: 1})
        assert not agree(change, first, second)
        second.days[key] = replace(second.days[key], counters={40: 1})
        assert agree(change, first, second)


@pytest.mark.parametrize("entry", [taken(1.25, 2), (*taken(9, 10), *taken(1.25, 2))])
def test_readings_do_not_agree_where_another_came_near(entry: tuple[Taken, ...]) -> None:
    """Within the buffer too, and with any of the times that an appointment takes."""
    change = [Change.of(None, wanted(0, 1))]
    first, second = (reading(("c", DAY_1, {}), ("c", DAY_2, {}), buffer=timedelta(minutes=30)) for _ in range(2))
    second.days[DayKey("c", DAY_2)] = CalendarDay(DayKey("c", DAY_2), {"x": entry})
    assert not agree(change, first, second)


def test_readings_do_not_agree_where_the_appointment_changed() -> None:
    before = wanted(9, 10)
    change = [Change.of(before, wanted(1, 2))]
    first, same, later = (reading(("c", DAY_2, {"w": taken(9, 10)})) for _ in range(3))
    first.appointment = same.appointment = before
    later.appointment = replace(before, version=2)
    assert agree(change, first, same)
    assert not agree(change, first, later)


def test_a_buffer_reaches_into_the_day_before() -> None:
    seen = reading(("c", DAY_1, {"x": taken(-1, -0.25)}), ("c", DAY_2, {}), buffer=timedelta(minutes=30))
    decision = decide([Change.of(None, wanted(0, 1))], seen, NOW)
    assert isinstance(decision, Refused)
    assert isinstance(decide([Change.of(None, wanted(0.25, 1))], seen, NOW), Accepted)


def test_only_days_that_decide_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever another day shows of an appointment, its own days show better."""
    seen = reading(("c", DAY_1, {"x": taken(-1, 2)}), ("c", DAY_2, {}))
    assert isinstance(decide([Change.of(None, wanted(1, 2))], seen, NOW), Accepted)
    monkeypatch.setattr("appointments.calendars.MAX_DAY_ENTRIES", 1)
    assert isinstance(decide([Change.of(None, wanted(1, 2))], seen, NOW), Accepted)


def test_a_refusal_by_two_crowded_days_rests_on_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appointments.calendars.MAX_DAY_ENTRIES", 1)
    for days, alone in (((DAY_2,), True), ((DAY_1, DAY_2), False)):
        seen = reading(*(("c", day, {f"x{day}": taken(30, 31)}) for day in days))
        decision = decide([Change.of(None, wanted(0 if alone else -1, 1))], seen, NOW)
        assert isinstance(decision, Refused)
        assert rests_on_one_item(decision, seen) is alone


@pytest.mark.parametrize("fingerprint", [None, "digest"])
def test_the_appointment_of_an_idempotency_key_is_an_item_too(fingerprint: str | None) -> None:
    change = [Change.of(None, wanted(9, 10, fingerprint=fingerprint))]
    seen = reading(("c", DAY_2, {"x": taken(9, 10)}))
    assert rests_on_one_item(decide(change, seen, NOW), seen) is (fingerprint is None)


def test_settings_are_an_item_too_where_the_day_was_last_booked_by_others() -> None:
    """What would be accepted rests on them in any case: room may have come since the day was booked by them."""
    change = [Change.of(None, wanted(9, 10))]
    for mark, alone in (("1 r", True), ("1 s", False), ("2 r", False), (None, False)):
        seen = reading(("c", DAY_2, {"x": taken(9, 10)}), revision="r")
        seen.days = {key: replace(day, settings=mark) for key, day in seen.days.items()}
        assert rests_on_one_item(decide(change, seen, NOW), seen) is alone
        seen.days = {key: replace(day, entries={}) for key, day in seen.days.items()}
        assert not rests_on_one_item(decide(change, seen, NOW), seen)


def test_settings_whose_rules_refuse_are_an_item_too() -> None:
    seen = reading(("c", DAY_2, {"w": taken(9, 10)}), min_duration=timedelta(hours=2))
    for before, alone in ((None, True), (wanted(9, 10), False)):
        decision = decide([Change.of(before, wanted(11, 12.5))], seen, NOW)
        assert isinstance(decision, Refused)
        assert decision.faults
        assert rests_on_one_item(decision, seen) is alone


def test_a_time_that_two_days_show_counts_once() -> None:
    """X takes two times on the calendar, and one of them was moved while the days were read."""
    seen = reading(
        ("c", DAY_1, {"x": (*taken(-1, 1), *taken(9, 10))}),
        ("c", DAY_2, {"x": (*taken(-1, 1), *taken(11, 12))}),
        capacity=2,
    )
    assert isinstance(decide([Change.of(None, wanted(-0.5, 0.5))], seen, NOW), Accepted)


def test_a_claim_is_compared_with_what_covers_it() -> None:
    """The doctor is taken twice, and keeps the second time: nothing new is asked there."""
    steps = (Step(span(9, 10), ("doctor",)), Step(span(11, 12), ("doctor",)))
    before = wanted(9, 12, resource_ids=("doctor",), steps=steps)
    seen = reading(
        ("c", DAY_2, {"w": taken(9, 12)}),
        ("doctor", DAY_2, {"w": (*taken(9, 10), *taken(11, 12)), "x": taken(11, 12)}),
    )
    moved = replace(before, steps=(Step(span(8.5, 9), ("doctor",)), steps[1]))
    assert isinstance(decide([Change.of(before, moved)], seen, NOW), Accepted)


def test_readings_of_a_crowded_day_agree_only_where_nothing_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crowded day refuses by its number of entries, which can fall and rise again far from what is wanted."""
    monkeypatch.setattr("appointments.calendars.MAX_DAY_ENTRIES", 2)
    change = [Change.of(None, wanted(1, 2))]
    key = DayKey("c", DAY_2)
    readings = []
    for other, counters in (("y", {40: 1, 80: 1}), ("z", {40: 1, 80: 2}), ("y", {40: 1, 80: 1})):
        one = reading(("c", DAY_2, {"x": taken(10, 10.25), other: taken(20, 20.25)}))
        one.days[key] = replace(one.days[key], counters=counters)
        readings.append(one)
    assert isinstance(decide(change, readings[0], NOW), Refused)
    assert not agree(change, readings[0], readings[1])
    assert agree(change, readings[0], readings[2])
    # Its own entry does not count: with it, two days of two entries and of three are not alike.
    mine = [Change.of(wanted(20, 21), wanted(1, 2))]
    seen = [reading(("c", DAY_2, {"w": taken(20, 21), **dict.fromkeys(ids, taken(10, 10.25))})) for ids in ("x", "xy")]
    assert isinstance(decide(mine, seen[0], NOW), Accepted)
    assert isinstance(decide(mine, seen[1], NOW), Refused)
    assert not agree(mine, *seen)


def test_steps_are_decided_each_on_its_own_calendar() -> None:
    steps = (Step(span(9, 9.5), ("lab",)), Step(span(10, 10.5), ("doctor",)))
    in_steps = wanted(9, 10.5, resource_ids=("lab", "doctor"), steps=steps)
    free = {"lab": taken(9.5, 12), "doctor": taken(8, 10), "c": taken(8, 9)}
    seen = reading(*((calendar, DAY_2, {"x": entry}) for calendar, entry in free.items()))
    assert isinstance(decide([Change.of(None, in_steps)], seen, NOW), Accepted)
    for calendar in free:
        busy = reading(*((id_, DAY_2, {"x": taken(9.25, 10.25) if id_ == calendar else e}) for id_, e in free.items()))
        decision = decide([Change.of(None, in_steps)], busy, NOW)
        assert isinstance(decision, Refused)
        assert {conflict.calendar_id for conflict in decision.conflicts} == {calendar}


@pytest.mark.parametrize(("places", "fits"), [(1, True), (2, True), (3, False), (6, False)])
def test_places_are_counted_against_the_capacity(places: int, fits: bool) -> None:
    seen = reading(("c", DAY_2, {"x": taken(9, 10, 2), "y": taken(9.5, 11)}), capacity=5)
    seen.days[DayKey("p", DAY_2)], seen.settings["p"] = CalendarDay(DayKey("p", DAY_2)), KnownSettings(UNCONFIGURED, 0)
    decision = decide([Change.of(None, wanted(9, 11, user_id="p", resource_ids=("c",), places=places))], seen, NOW)
    assert isinstance(decision, Accepted) is fits


def test_what_an_appointment_has_already_is_not_asked_for() -> None:
    """Nobody's time is taken by a change that only gives time up, even where the calendar is over its capacity."""
    before = wanted(9, 11, user_id="p", resource_ids=("c",))
    seen = reading(("p", DAY_2, {}), ("c", DAY_2, {"w": taken(9, 11), "x": taken(9, 11), "y": taken(9, 11)}))
    assert isinstance(decide([Change.of(before, replace(before, interval=span(9.5, 10.5)))], seen, NOW), Accepted)
    assert isinstance(decide([Change.of(before, replace(before, interval=span(9.5, 11.5)))], seen, NOW), Refused)
    assert isinstance(decide([Change.of(before, replace(before, places=2))], seen, NOW), Refused)


def test_a_reading_without_notice_is_decided_as_that_of_calendars_that_want_none() -> None:
    """What is committed rests on the reading itself: its settings, days and marks are those that were read."""
    notice = timedelta(days=60)
    seen = reading(("c", DAY_2, {"x": taken(11, 12)}), min_notice=notice, horizon_days=31)
    for start, end, expected in ((9, 10, Accepted), (11, 12, Refused), (60, 61, Refused)):
        change = Change.of(None, wanted(start, end))
        seen.days.setdefault(key := DayKey("c", change.after.interval.start.date()), CalendarDay(key))
        assert isinstance(decide([change], seen, NOW), Refused)
        assert isinstance(decide([change], seen.binding(notice=False), NOW), expected)
    assert seen.settings["c"].settings.min_notice == notice
    waived = seen.binding(notice=False)
    assert waived.days is seen.days
    assert (waived.settings["c"].mark, waived.settings["c"].token) == (
        seen.settings["c"].mark,
        seen.settings["c"].token,
    )
