"""Which entries of a crowded day go into overflow items, and what a day that was read from them shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from appointments.claims import Claim
from appointments.decision import Change, Reading
from appointments.memory import unconfigured
from appointments.model import Appointment, CalendarDay, DayKey, Interval, OverflowKey, Taken
from appointments.storage.appointment_items import appointment_from_item, appointment_to_item
from appointments.storage.calendar_days import overflow_key, with_overflow
from appointments.storage.store import ChangeTooLargeError, Storage

MIDNIGHT = datetime(2030, 1, 15, tzinfo=UTC)
DAY_1, DAY_2 = date(2030, 1, 15), date(2030, 1, 16)
KEY = DayKey("c", DAY_1)


def span(start: float, end: float) -> Interval:
    """Hours after midnight of the 15th."""
    return Interval(MIDNIGHT + timedelta(hours=start), MIDNIGHT + timedelta(hours=end))


def appointment(start: float, end: float, *calendars: str) -> Appointment:
    return Appointment("id-7f", "c", span(start, end), MIDNIGHT, MIDNIGHT, resource_ids=calendars)


def full(key: DayKey, entries: int = 64) -> CalendarDay:
    return CalendarDay(key, {f"x{n}": (Taken(span(0, 0.25)),) for n in range(entries)}, {0: entries})


def written(change: Change, *days: CalendarDay) -> list[tuple[str, str, str]]:
    """The calendar, sort key and update of each action on the calendars table."""
    reading = Reading({day.key: day for day in days})
    reading.settings = {claim.calendar_id: unconfigured() for claim in change.new_claims}
    client: Any = None
    actions = [next(iter(each.values())) for each in Storage.of(client, "A", "C").actions(change, reading)]
    return [
        (each["Key"]["calendarId"]["S"], each["Key"]["day"]["S"], each.get("UpdateExpression", ""))
        for each in actions
        if each["TableName"] == "C" and each["Key"]["day"]["S"] != "settings"
    ]


@pytest.mark.parametrize(
    ("start", "end", "part"),
    [(9, 9.5, "36f"), (9.2, 11, "36f"), (9, 11.1, "Lf"), (-1, 1, "00f"), (-1, 3, "Lf"), (23.9, 30, "95f")],
)
def test_an_overflow_item_is_that_of_the_first_quarter_hour_of_the_day_or_of_the_long(
    start: float, end: float, part: str
) -> None:
    assert overflow_key("id-7f", [Claim("c", span(start, end)), Claim("d", span(0, 24))], KEY) == OverflowKey(KEY, part)


@pytest.mark.parametrize(("entries", "beside"), [(63, False), (64, True)])
def test_a_further_entry_lies_beside_a_day_that_holds_many(entries: int, beside: bool) -> None:
    actions = written(Change.of(None, appointment(9, 10)), full(KEY, entries))
    assert [day for _, day, _ in actions] == ["2030-01-15", *(["overflow#2030-01-15#36f"] if beside else [])]
    assert ("#marker = :marker" in actions[0][2]) is beside
    assert ("#entry = :entry" in actions[0][2]) is not beside
    assert all("q36 :one" in actions[0][2] for _ in actions)


def test_an_entry_does_not_count_beside_itself() -> None:
    before = appointment(9, 10)
    day = full(KEY, 63)
    day = replace(day, entries={**day.entries, before.appointment_id: (Taken(span(9, 10)),)})
    actions = written(Change.of(before, replace(before, interval=span(12, 13))), day)
    assert [name for _, name, _ in actions] == ["2030-01-15"]


def test_a_change_leaves_the_overflow_items_that_the_appointment_names_and_no_other_item_of_these_days() -> None:
    overflow = (OverflowKey(KEY, "92f"), OverflowKey(DayKey("c", DAY_2), "00f"))
    before = replace(appointment(23, 25), overflow=overflow)
    after = replace(before, interval=span(49, 50))
    assert [(day, "REMOVE #entry" in update) for _, day, update in written(Change.of(before, after))] == [
        ("2030-01-17", False),
        ("overflow#2030-01-15#92f", True),
        ("overflow#2030-01-16#00f", True),
    ]


def test_a_month_on_two_crowded_calendars_lies_inline_and_on_one_of_them_in_overflow() -> None:
    """It would take 127 actions, and takes 65; with one of them crowded it takes 96."""
    month = appointment(0, 31 * 24, "room")
    keys = [DayKey(name, DAY_1 + timedelta(days=n)) for name in ("c", "room") for n in range(31)]
    assert len(written(Change.of(None, month), *map(full, keys))) == 62
    assert len(written(Change.of(None, month), *map(full, keys[31:]))) == 62 + 31


def test_leaving_may_be_too_large_too() -> None:
    keys = [DayKey(name, DAY_1 + timedelta(days=n)) for name in ("c", "room") for n in range(31)]
    before = replace(appointment(0, 31 * 24, "room"), overflow=tuple(OverflowKey(key, "Lf") for key in keys[31:]))
    moved = replace(before, interval=span(0, 31 * 24 - 1))
    assert len(written(Change.of(before, moved), *map(full, keys))) == 62 + 31  # out of them, into the days
    with pytest.raises(ChangeTooLargeError):
        written(Change.of(before, replace(before, interval=span(31 * 24, 62 * 24))))


def test_an_appointment_knows_where_its_entries_lie() -> None:
    known = replace(
        appointment(9, 10), overflow=(OverflowKey(KEY, "36f"), OverflowKey(DayKey("room 1 # 2", DAY_2), "Lf"))
    )
    item = appointment_to_item(known, timedelta())
    assert item["overflow"] == {"L": [{"S": "2030-01-15 36f c"}, {"S": "2030-01-16 Lf room 1 # 2"}]}
    assert appointment_from_item(item) == known
    assert "overflow" not in appointment_to_item(appointment(9, 10), timedelta())


def test_what_was_moved_while_it_was_read_counts_with_every_interval() -> None:
    one, two, three = ((Taken(span(hour, hour + 1)),) for hour in (9, 10, 11))
    day = CalendarDay(KEY, {"x": one, "y": one}, {36: 1}, overflow=frozenset())
    read = with_overflow(day, [{"x": two}, {"x": three, "z": one}])
    assert read.entries == {"x": one + two + three, "y": one, "z": one}
    assert (read.inline(), read.inline("y"), read.inline("z")) == (1, 0, 1)
    assert (read.overflow, read.counters, read.items, day.items) == ({"x", "z"}, {36: 1}, 2, 2)


@pytest.mark.parametrize(
    ("seen", "hours", "shown"),
    [
        (None, (0, 24), True),
        (range(36, 40), (9, 10), True),
        (range(36, 40), (9, 10.1), False),
        (range(36, 40), (8.9, 10), False),
        (range(36, 40), (30, 31), True),
        (range(0), (9, 10), False),
    ],
)
def test_a_part_of_a_day_decides_only_about_what_it_shows(
    seen: range | None, hours: tuple[float, float], shown: bool
) -> None:
    change = Change.of(None, appointment(*hours))
    days = {key: CalendarDay(key) for key in (KEY, DayKey("c", DAY_2))}
    days[KEY] = replace(days[KEY], overflow=frozenset(), seen=seen)
    reading = Reading(days, {"c": unconfigured()})
    assert reading.lacks([change]) == ([] if shown else [KEY])


def test_a_day_that_came_back_without_its_overflow_makes_the_reading_start_over() -> None:
    reading = Reading({KEY: CalendarDay(KEY)}, {"c": unconfigured()}, assumed=True)
    reading.replace(Reading({KEY: CalendarDay(KEY, overflow=frozenset())}))
    assert (reading.days, reading.assumed) == ({}, False)
    assert reading.lacks([Change.of(None, appointment(9, 10))]) == [KEY]
