"""The overlap rule, case by case and against a brute-force reading of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appointments.calendars import CalendarSettings, assemble
from appointments.firing import firing_minute, timer_name
from appointments.model import Appointment, CalendarDay, Conflict, DayKey, Interval, Taken
from appointments.reminders import MAX_EARLIER, Reminder, ReminderState, reminders_after_change, reminders_ahead
from appointments.rules import cron_expression
from overlaps import OVERLAPS, Overlap, interval_of

MIDNIGHT = datetime(2030, 1, 15, tzinfo=UTC)


def find_conflicts(
    wanted: Interval, days: list[CalendarDay], *, capacity: int = 1, ignore: str | None = None
) -> list[Conflict]:
    settings = {day.key.calendar_id: CalendarSettings(capacity=capacity) for day in days}
    calendars = assemble(settings, days, MIDNIGHT, ignore).values()
    return [conflict for calendar in calendars for conflict in calendar.conflicts(wanted)]


def at(clock: str, days: int = 0) -> datetime:
    hours, minutes = clock.split(":")
    return MIDNIGHT + timedelta(days=days, hours=int(hours), minutes=int(minutes))


def span(start: str, end: str) -> Interval:
    """`span("22:00", "02:00")` ends on the next day."""
    begin, finish = at(start), at(end)
    return Interval(begin, finish if finish > begin else finish + timedelta(days=1))


def days_with(*busy: Interval, calendar: str = "c") -> list[CalendarDay]:
    """The calendar days that hold `busy`, as the table would return them."""
    days: dict[date, dict[str, tuple[Taken, ...]]] = {}
    for number, interval in enumerate(busy):
        for day in interval.days():
            days.setdefault(day, {})[f"id-{number}"] = (Taken(interval),)
    return [CalendarDay(DayKey(calendar, day), entries) for day, entries in days.items()]


@pytest.mark.parametrize("case", OVERLAPS)
def test_one_busy_interval(case: Overlap) -> None:
    busy = interval_of(case.busy)
    expected = [] if case.fits else [Conflict("c", busy)]
    assert find_conflicts(interval_of(case.wanted), days_with(busy)) == expected


def test_each_calendar_decides_for_itself() -> None:
    busy = span("9:00", "10:00")
    days = days_with(busy, calendar="room") + [CalendarDay(DayKey("v", MIDNIGHT.date()))]
    assert find_conflicts(span("9:30", "11:00"), days) == [Conflict("room", busy)]


def test_an_appointment_does_not_conflict_with_itself() -> None:
    days = days_with(span("11:30", "12:30"))
    assert find_conflicts(span("11:45", "12:45"), days, ignore="id-0") == []


def test_capacity_counts_the_peak_and_not_the_neighbours() -> None:
    days = days_with(span("10:00", "11:00"), span("11:00", "12:00"), span("9:30", "11:00"))
    assert find_conflicts(span("9:00", "12:00"), days, capacity=3) == []
    assert find_conflicts(span("9:00", "12:00"), days, capacity=2) == [Conflict("c", span("10:00", "11:00"))]


def test_the_capacity_is_full_at_its_number() -> None:
    days = days_with(*[span("9:00", "10:00")] * 3)
    assert find_conflicts(span("9:00", "10:00"), days, capacity=3) == [Conflict("c", span("9:00", "10:00"))]
    assert find_conflicts(span("9:00", "10:00"), days, capacity=4) == []


intervals = st.builds(
    lambda start, length: Interval(
        at("0:00") + timedelta(seconds=start), at("0:00") + timedelta(seconds=start + length)
    ),
    st.integers(0, 60),
    st.integers(1, 20),
)


@given(st.lists(intervals, max_size=8), intervals, st.integers(1, 3))
def test_the_decision_agrees_with_looking_at_every_second(
    busy: list[Interval], wanted: Interval, capacity: int
) -> None:
    def load(moment: datetime) -> int:
        return sum(interval.start <= moment < interval.end for interval in busy)

    seconds = range(int((wanted.end - wanted.start).total_seconds()))
    fits = all(load(wanted.start + timedelta(seconds=second)) < capacity for second in seconds)
    conflicts = find_conflicts(wanted, days_with(*busy), capacity=capacity)
    assert (not conflicts) == fits
    for _, full in conflicts:
        assert full.overlaps(wanted)
        assert load(full.start) >= capacity
        assert load(full.end) < capacity or full.end in {interval.end for interval in busy}


def test_an_interval_touches_the_days_it_covers_and_no_other() -> None:
    first = datetime(2030, 1, 1, 12, tzinfo=UTC)
    assert list(Interval(first, datetime(2030, 1, 3, tzinfo=UTC)).days()) == [date(2030, 1, 1), date(2030, 1, 2)]
    assert list(span("23:30", "0:30").days()) == [date(2030, 1, 15), date(2030, 1, 16)]


@given(st.integers(0, 4 * 86400), st.integers(1, 3 * 86400))
def test_quarter_hours_cover_the_interval_exactly(start: int, length: int) -> None:
    interval = Interval(MIDNIGHT + timedelta(seconds=start), MIDNIGHT + timedelta(seconds=start + length))
    for day in interval.days():
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        touched = [
            quarter
            for quarter in range(96)
            if interval.overlaps(
                Interval(midnight + quarter * timedelta(minutes=15), midnight + (quarter + 1) * timedelta(minutes=15))
            )
        ]
        assert list(interval.quarter_hours(day)) == touched


def test_reminders_ahead_leaves_out_what_is_past() -> None:
    start = at("12:00")
    assert reminders_ahead(start, ["24h", "1h"], start - timedelta(minutes=30)) == ()
    assert [r.offset for r in reminders_ahead(start, ["1h", "24h"], start - timedelta(days=2))] == ["24h", "1h"]
    assert [r.offset for r in reminders_ahead(start, ["24h", "1h"], start - timedelta(hours=24))] == ["1h"]


@pytest.mark.parametrize(("due", "fires"), [("9:00:00", "9:00"), ("9:00:01", "9:01"), ("9:00:59", "9:01")])
def test_a_timer_fires_at_the_first_minute_that_begins_when_its_reminder_is_due(due: str, fires: str) -> None:
    assert firing_minute(Reminder("1h", datetime.fromisoformat(f"2030-01-15T0{due}+00:00"))) == at(fires)


def test_cron_expression_names_one_minute() -> None:
    assert cron_expression(at("9:05")) == "cron(5 9 15 1 ? 2030)"


def test_the_longest_timer_name_fits() -> None:
    assert len(timer_name("3f0c6c1e-5a43-4f0e-9a53-1d2b6f0e7a11", "99999m")) == 64


def test_the_next_reminder_is_the_earliest_open_one() -> None:
    early = Reminder("24h", at("9:00"), ReminderState.SENT)
    late = Reminder("1h", at("10:00"), ReminderState.SENDING)
    appointment = Appointment("id", "u", span("11:00", "12:00"), at("0:00"), at("0:00"), reminders=(early, late))
    assert appointment.next_due_at == late.due_at
    assert appointment.with_reminder(Reminder("1h", late.due_at, ReminderState.SENT)).next_due_at is None


def moved(before: Appointment, start: datetime, now: datetime) -> Appointment:
    after = replace(before, interval=Interval(start, start + timedelta(hours=1)))
    return replace(after, reminders=reminders_after_change(before, after, now))


@pytest.mark.parametrize("state", [ReminderState.SENDING, ReminderState.SENT])
def test_a_move_back_finds_the_reminder_that_a_sender_had_claimed(state: ReminderState) -> None:
    claimed = Reminder("1h", at("9:00"), state, attempts=1, claim="c", lease_until=at("9:01"), unknown={"new": "n"})
    before = Appointment("id", "u", span("10:00", "11:00"), MIDNIGHT, MIDNIGHT, offsets=("1h",), reminders=(claimed,))
    now = at("8:59")
    away = moved(before, at("12:00"), now)
    there = away.reminder("1h")
    assert there is not None
    assert (there.state, there.due_at, there.unknown, away.next_due_at) == (
        ReminderState.PENDING,
        at("11:00"),
        {"new": "n"},
        at("11:00"),
    )
    assert moved(moved(away, at("13:00"), now), at("10:00"), now).reminders == (claimed,)


def test_only_the_latest_of_the_reminders_that_were_moved_away_from_are_kept() -> None:
    sent = [
        Reminder("1h", at("9:00") + timedelta(seconds=number), ReminderState.SENT, attempts=1, claim=str(number))
        for number in range(MAX_EARLIER + 2)
    ]
    newest, *others = reversed(sent)
    appointment = Appointment("id", "u", span("10:00", "11:00"), MIDNIGHT, MIDNIGHT, offsets=("1h",))
    before = replace(appointment, reminders=(replace(newest, earlier=tuple(others)),))
    (there,) = moved(before, at("12:00"), at("9:00")).reminders
    assert [one.claim for one in there.earlier] == [one.claim for one in (newest, *others)][:MAX_EARLIER]
    (there,) = moved(before, at("12:00"), at("9:02")).reminders
    assert there.earlier == ()
