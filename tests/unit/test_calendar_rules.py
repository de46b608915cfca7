"""What a calendar allows, against a slow reading of the rules minute by minute, around changes of the clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from appointments.calendar_settings import FIELDS, WEEKDAYS, check_settings, parse_settings
from appointments.calendars import Calendar, CalendarSettings
from appointments.errors import InvalidRequestError
from appointments.intervals import full_intervals, intersect, merged, subtract
from appointments.model import DAY, Interval, Taken
from appointments.times import load_zone
from conflict_detector.availability.parsing import AvailabilityRequest
from conflict_detector.availability.search import slots
from reference import ReferenceCalendar, later, steps, zone_of_days

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE = timedelta(minutes=1)
NOW = datetime(2029, 12, 31, tzinfo=UTC)
# A day on which the clock changes, in both hemispheres, by whole and by half hours; and zones that have none.
CHANGES = [
    ("America/New_York", date(2030, 3, 10)),
    ("America/New_York", date(2030, 11, 3)),
    ("Europe/London", date(2030, 3, 31)),
    ("Europe/London", date(2030, 10, 27)),
    ("Australia/Lord_Howe", date(2030, 4, 7)),
    ("Australia/Lord_Howe", date(2030, 10, 6)),
    ("America/Santiago", date(2030, 4, 7)),
    ("America/Santiago", date(2030, 9, 8)),
    ("Pacific/Auckland", date(2030, 4, 7)),
    ("Pacific/Auckland", date(2030, 9, 29)),
    ("America/St_Johns", date(2030, 3, 10)),
    ("America/St_Johns", date(2030, 11, 3)),
    ("Africa/Casablanca", date(2030, 1, 6)),
    ("Africa/Casablanca", date(2030, 2, 10)),
    ("Pacific/Chatham", date(2030, 4, 7)),
    ("Pacific/Apia", date(2030, 4, 7)),
    ("Asia/Kathmandu", date(2030, 6, 1)),
    ("Asia/Kolkata", date(2030, 6, 1)),
    ("UTC", date(2030, 6, 1)),
]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def span(start: str, end: str) -> Interval:
    return Interval(utc(start), utc(end))


# --- against the slow reference ----------------------------------------------------------------------

clocks = st.integers(0, 95).map(lambda quarter: f"{quarter // 4:02}:{quarter % 4 * 15:02}")
ends = clocks | st.just("24:00")


@st.composite
def days_hours(draw: st.DrawFn) -> list[dict[str, str]]:
    """Up to two openings of a day, in order; the last may pass midnight."""
    marks = sorted(draw(st.lists(clocks, min_size=2, max_size=4, unique=True)))
    hours = [{"start": a, "end": b} for a, b in zip(marks[::2], marks[1::2], strict=False)]
    last, first = hours[-1]["start"], hours[0]["start"]
    if draw(st.booleans()):
        hours[-1]["end"] = draw(ends.filter(lambda end: end != last and (end > last or end <= first)))
    return draw(st.sampled_from([hours, hours, [], [{"start": "00:00", "end": "24:00"}]]))


class Situation(NamedTuple):
    """Settings of a calendar, what lies on it, and a wanted interval, all near a change of the clock."""

    body: dict[str, Any]
    busy: list[Interval]
    wanted: Interval
    now: datetime

    @property
    def calendar(self) -> Calendar:
        return Calendar("c", parse_settings(self.body), tuple(map(Taken, self.busy)))

    @property
    def reference(self) -> ReferenceCalendar:
        return ReferenceCalendar(self.body, [(start, end) for start, end in self.busy])


@st.composite
def situations(draw: st.DrawFn, change: tuple[str, date] | None = None) -> Situation:
    zone, day = change or draw(st.sampled_from(CHANGES))
    midnight = datetime.combine(day, datetime.min.time(), load_zone(zone)).astimezone(UTC)
    own = draw(st.sampled_from([zone, zone, zone, "UTC", None]))
    body: dict[str, Any] = {"timeZone": own} if own else {}
    if draw(st.sampled_from([True, True, False])):
        body["workingHours"] = {name: draw(days_hours()) for name in WEEKDAYS}
    if draw(st.booleans()):
        body["overrides"] = {(day + n * DAY).isoformat(): draw(days_hours()) for n in draw(st.sets(st.integers(-1, 1)))}
    body["bufferMinutes"] = {"before": draw(st.sampled_from([0, 10])), "after": draw(st.sampled_from([0, 30]))}
    body["capacity"] = draw(st.integers(1, 3))
    for name, values in (
        ("minDurationMinutes", [30, 45]),
        ("maxDurationMinutes", [60]),
        ("minNoticeMinutes", [60, 6 * 60]),
        ("horizonDays", [1, 2]),
    ):
        value = draw(st.sampled_from([None, None, None, None, *values]))
        body |= {} if value is None else {name: value}

    def interval(around: datetime, reach: int) -> Interval:
        start = around + draw(st.integers(-reach, reach)) * 15 * MINUTE
        return Interval(start, start + draw(st.sampled_from([15, 30, 60, 180])) * MINUTE)

    # Near a change of the clock, which often comes at two in the morning; and what is busy near what is wanted.
    wanted = interval(midnight + timedelta(hours=4), 60)
    busy = [interval(wanted.start, 10) for _ in range(draw(st.integers(0, 5)))]
    now = wanted.start - draw(st.integers(-1, 48)) * timedelta(hours=1)
    return Situation(body, busy, wanted, now)


@pytest.mark.parametrize("change", CHANGES, ids=str)
@given(data=st.data())
@settings(max_examples=30)
def test_the_decision_agrees_with_the_minutes(change: tuple[str, date], data: st.DataObject) -> None:
    it = data.draw(situations(change))
    # A start in the past is a fault of the request, not of a calendar.
    assume(it.wanted.start >= it.now)
    assert it.calendar.fits(it.wanted, it.now) == it.reference.takes(*it.wanted, it.now)


@given(situations())
@settings(max_examples=100)
def test_without_notice_all_else_decides(it: Situation) -> None:
    assume(it.wanted.start >= it.now)
    waived = replace(it.calendar, settings=it.calendar.settings.without_notice())
    reference = it.reference
    reference.body = {name: value for name, value in it.body.items() if name != "minNoticeMinutes"}
    assert waived.fits(it.wanted, it.now) == reference.takes(*it.wanted, it.now)


@pytest.mark.parametrize("change", CHANGES, ids=str)
@given(data=st.data())
@settings(max_examples=6)
def test_slots_are_exactly_those_steps_that_fit(change: tuple[str, date], data: st.DataObject) -> None:
    many = [data.draw(situations(change)) for _ in range(data.draw(st.integers(1, 2)))]
    start = many[0].wanted.start - timedelta(hours=5)
    window = Interval(start, start + timedelta(hours=data.draw(st.integers(1, 15))))
    minutes, step = (data.draw(st.sampled_from(choice)) for choice in ([15, 30, 75], [15, 20, 45]))
    compare_slots(many, window, minutes, step)


@pytest.mark.parametrize("change", CHANGES, ids=str)
@given(data=st.data())
@settings(max_examples=4)
def test_whole_days_are_offered_as_the_clock_counts_them(change: tuple[str, date], data: st.DataObject) -> None:
    many = [data.draw(situations(change)) for _ in range(data.draw(st.integers(1, 2)))]
    for it in many:
        limits = data.draw(st.sampled_from([{}, {"minDurationMinutes": 1440}, {"maxDurationMinutes": 1440}]))
        it.body.pop("minDurationMinutes", None)
        it.body.pop("maxDurationMinutes", None)
        it.body.update(limits)
        if data.draw(st.booleans()):
            it.body.pop("workingHours", None)
        del it.busy[1:]
    zone, day = change
    start = datetime.combine(day - DAY, datetime.min.time(), load_zone(zone)).astimezone(UTC)
    window = Interval(start, start + timedelta(hours=data.draw(st.sampled_from([24, 47, 49, 73]))))
    minutes = data.draw(st.sampled_from([1440, 1440, 2880]))
    compare_slots(many, window, minutes, data.draw(st.sampled_from([180, 1440])))


def compare_slots(many: list[Situation], window: Interval, minutes: int, step: int) -> None:
    """Slots on all and on any of the calendars, against the steps of the reference."""
    now = many[0].now
    duration = minutes * MINUTE
    calendars = [Calendar(f"c{n}", parse_settings(it.body), tuple(map(Taken, it.busy))) for n, it in enumerate(many)]
    references = [it.reference for it in many]

    def offered(*, any_of: bool) -> dict[Interval, tuple[str, ...]]:
        asked = AvailabilityRequest(("c0", "c1")[: len(many)], window, duration, step * MINUTE, any_of, zone=None)
        found = list(slots(calendars, asked, now))
        assert [slot.interval for slot in found] == sorted({slot.interval for slot in found})
        for slot in found:
            assert all(one.fits(slot.interval, now) for one in calendars if one.calendar_id in slot.calendar_ids)
        return {slot.interval: slot.calendar_ids for slot in found}

    def fitting(several: list[ReferenceCalendar]) -> Iterator[Interval]:
        for start in steps(several, *window, step):
            slot = Interval(start, later(start, minutes, zone_of_days(several)))
            if slot.end <= window.end and all(one.takes(*slot, now, 5 * MINUTE) for one in several):
                yield slot

    assert list(offered(any_of=False)) == list(fitting(references))
    on_any: dict[Interval, tuple[str, ...]] = {}
    for n, reference in enumerate(references):
        for slot in fitting([reference]):
            on_any[slot] = (*on_any.get(slot, ()), f"c{n}")
    assert offered(any_of=True) == on_any


@given(situations())
@settings(max_examples=150)
def test_one_more_booking_never_frees_a_slot(it: Situation) -> None:
    window = Interval(it.wanted.start - timedelta(hours=6), it.wanted.end + timedelta(hours=6))
    asked = AvailabilityRequest(("c",), window, 30 * MINUTE, 15 * MINUTE, any_of=False, zone=None)
    before = set(slots([it.calendar], asked, it.now))
    after = set(slots([it._replace(busy=[*it.busy, it.wanted]).calendar], asked, it.now))
    assert after <= before


@given(situations(), st.data())
@settings(max_examples=150)
def test_whatever_the_order_a_calendar_takes_what_its_places_can_hold(it: Situation, data: st.DataObject) -> None:
    """With a capacity of 3 there are 3 places, and a buffer lies between two appointments on the same place."""
    rules = parse_settings({name: it.body[name] for name in ("capacity", "bufferMinutes")})
    gap = max(it.body["bufferMinutes"].values()) * MINUTE

    def have_places(intervals: list[Interval]) -> bool:
        ends: list[datetime] = []
        for start, end in sorted(intervals):
            free = next((n for n, last in enumerate(ends) if last + gap <= start), None)
            if free is None:
                ends.append(end)
            else:
                ends[free] = end
        return bool(len(ends) <= it.body["capacity"])

    taken: list[Interval] = []
    for wanted in data.draw(st.permutations([*it.busy, it.wanted])):
        fits = Calendar("c", rules, tuple(map(Taken, taken))).fits(wanted, NOW)
        assert fits == have_places([*taken, wanted])
        taken += [wanted] if fits else []


@given(situations())
@settings(max_examples=100)
def test_the_nearest_time_is_accepted_and_nothing_is_nearer(it: Situation) -> None:
    calendar = Calendar("c", parse_settings(it.body), ())
    assume(it.wanted.start >= it.now)
    broken = calendar.violations(it.wanted, it.now)
    assert bool(broken) != calendar.fits(it.wanted, it.now)
    assume(broken)
    (nearest,) = {violation.nearest for violation in broken}
    rules = {violation.rule for violation in broken}
    reference = ReferenceCalendar(it.body, [])
    length = it.wanted.end - it.wanted.start
    if "maxDurationMinutes" in rules:
        length = it.body["maxDurationMinutes"] * MINUTE
    if "minDurationMinutes" in rules:
        length = it.body["minDurationMinutes"] * MINUTE
    if nearest:
        assert nearest.end - nearest.start == length
        assert nearest.start >= it.now
        assert calendar.violations(nearest, it.now) == []
        assert reference.takes(*nearest, it.now, 5 * MINUTE)
    # Everything lies on quarter hours here, so anything nearer that is accepted would show on those.
    distance = abs(nearest.start - it.wanted.start) if nearest else timedelta(days=1)
    n = 0
    while n * 15 * MINUTE < min(distance, timedelta(days=1)):
        for start in (it.wanted.start - n * 15 * MINUTE, it.wanted.start + n * 15 * MINUTE):
            assert not reference.takes(start, start + length, it.now, 15 * MINUTE), start
        n += 1


# --- examples ----------------------------------------------------------------------------------------

NINE_TO_FIVE = {
    "timeZone": "America/New_York",
    "workingHours": {day: [{"start": "09:00", "end": "17:00"}] for day in WEEKDAYS[:5]},
}


@pytest.mark.parametrize(
    ("day", "opened"),
    [
        ("2030-11-01", [span("2030-11-01T13:00", "2030-11-01T21:00")]),  # Friday, daylight saving time
        ("2030-11-04", [span("2030-11-04T14:00", "2030-11-04T22:00")]),  # Monday, standard time
        ("2030-11-02", []),
    ],
)
def test_working_hours_are_local(day: str, opened: list[Interval]) -> None:
    window = Interval(utc(day) + timedelta(hours=5), utc(day) + timedelta(hours=28))
    assert parse_settings(NINE_TO_FIVE).openings(window) == opened


def test_a_night_shift_over_the_change_has_seven_or_nine_hours() -> None:
    night = {"timeZone": "America/New_York", "workingHours": {"saturday": [{"start": "22:00", "end": "06:00"}]}}
    rules = parse_settings(night)
    (spring,) = rules.openings(span("2030-03-09T12:00", "2030-03-11T00:00"))
    (autumn,) = rules.openings(span("2030-11-02T12:00", "2030-11-04T00:00"))
    assert (spring.end - spring.start, autumn.end - autumn.start) == (timedelta(hours=7), timedelta(hours=9))


def test_hours_that_end_when_they_begin_last_until_the_next_day() -> None:
    rules = parse_settings({"workingHours": {"tuesday": [{"start": "09:00", "end": "09:00"}]}})
    assert rules.openings(span("2030-01-14T00:00", "2030-01-20T00:00")) == [
        span("2030-01-15T09:00", "2030-01-16T09:00")
    ]


@pytest.mark.parametrize("end", ["24:00", "00:00"])
def test_whole_days_of_23_and_25_hours_have_no_gap(end: str) -> None:
    rules = parse_settings(
        {"timeZone": "Europe/London", "workingHours": {day: [{"start": "00:00", "end": end}] for day in WEEKDAYS}}
    )
    for day, hours in (("2030-03-31T00:00", 23), ("2030-10-26T23:00", 25)):
        start = utc(day)
        (one,) = [o for o in rules.openings(Interval(start, start + timedelta(hours=1))) if o.start == start]
        assert one.end - one.start == timedelta(hours=hours)
        assert Calendar("c", rules, ()).is_open(Interval(start - timedelta(days=3), start + timedelta(days=3)))


def test_hours_that_end_in_the_repeated_hour_fall_into_two() -> None:
    rules = parse_settings(
        {"timeZone": "America/New_York", "workingHours": {"sunday": [{"start": "00:00", "end": "01:30"}]}}
    )
    assert rules.openings(span("2030-11-03T00:00", "2030-11-04T00:00")) == [
        span("2030-11-03T04:00", "2030-11-03T05:30"),
        span("2030-11-03T06:00", "2030-11-03T06:30"),
    ]


def test_an_override_closes_or_opens_a_date() -> None:
    rules = parse_settings(
        NINE_TO_FIVE | {"overrides": {"2030-11-04": [], "2030-11-05": [{"start": "22:00", "end": "23:00"}]}}
    )
    calendar = Calendar("c", rules, ())
    assert not calendar.is_open(span("2030-11-04T15:00", "2030-11-04T16:00"))
    assert not calendar.is_open(span("2030-11-05T15:00", "2030-11-05T16:00"))
    assert calendar.is_open(span("2030-11-06T03:00", "2030-11-06T04:00"))


@pytest.mark.parametrize(
    ("rules", "wanted", "broken", "nearest"),
    [
        (
            {"minNoticeMinutes": 1440},
            span("2029-12-31T23:59", "2030-01-01T01:00"),
            {"minNoticeMinutes": "startTime"},
            span("2030-01-01T00:00", "2030-01-01T01:01"),
        ),
        (
            {"horizonDays": 14},
            span("2030-01-15T00:01", "2030-01-15T01:00"),
            {"horizonDays": "startTime"},
            span("2030-01-14T23:45", "2030-01-15T00:44"),
        ),
        (
            {"minDurationMinutes": 60},
            span("2030-01-02T00:00", "2030-01-02T00:59"),
            {"minDurationMinutes": "endTime"},
            span("2030-01-02T00:00", "2030-01-02T01:00"),
        ),
        (
            {"maxDurationMinutes": 60},
            span("2030-01-02T00:00", "2030-01-02T01:01"),
            {"maxDurationMinutes": "endTime"},
            span("2030-01-02T00:00", "2030-01-02T01:00"),
        ),
        (
            NINE_TO_FIVE,
            span("2030-11-04T21:30", "2030-11-04T22:30"),
            {"workingHours": "startTime"},
            span("2030-11-04T21:00", "2030-11-04T22:00"),
        ),
        (
            NINE_TO_FIVE,
            span("2030-11-02T12:00", "2030-11-02T13:00"),
            {"workingHours": "startTime"},
            span("2030-11-01T20:00", "2030-11-01T21:00"),
        ),
        (  # what is accepted keeps to every rule at once: long enough, and still within the hours
            NINE_TO_FIVE | {"minDurationMinutes": 60},
            span("2030-11-04T21:40", "2030-11-04T22:00"),
            {"minDurationMinutes": "endTime"},
            span("2030-11-04T21:00", "2030-11-04T22:00"),
        ),
        (  # after the notice, Saturday's closed; Monday's first hour it is
            NINE_TO_FIVE | {"minNoticeMinutes": 5 * 1440, "maxDurationMinutes": 60},
            span("2029-12-31T02:00", "2029-12-31T04:00"),
            {"minNoticeMinutes": "startTime", "maxDurationMinutes": "endTime", "workingHours": "startTime"},
            span("2030-01-07T14:00", "2030-01-07T15:00"),
        ),
        (  # closed for months
            NINE_TO_FIVE | {"overrides": {(date(2030, 11, 4) + n * DAY).isoformat(): [] for n in range(90)}},
            span("2030-11-04T15:00", "2030-11-04T16:00"),
            {"workingHours": "startTime"},
            span("2030-11-01T20:00", "2030-11-01T21:00"),
        ),
        (
            {"overrides": {(date(2029, 12, 1) + n * DAY).isoformat(): [] for n in range(200)}},
            span("2030-01-04T15:00", "2030-01-04T16:00"),
            {"workingHours": "startTime"},
            span("2030-06-19T00:00", "2030-06-19T01:00"),
        ),
        ({"workingHours": {}}, span("2030-01-04", "2030-01-05"), {"workingHours": "startTime"}, None),
        (NINE_TO_FIVE, span("2030-01-04T13:00", "2030-01-04T23:00"), {"workingHours": "startTime"}, None),
        (
            {"minNoticeMinutes": 2880, "horizonDays": 1},
            span("2030-01-01", "2030-01-01T01:00"),
            {"minNoticeMinutes": "startTime"},
            None,
        ),
    ],
)
def test_broken_rules_come_together_with_the_nearest_time_that_all_accept(
    rules: dict[str, Any], wanted: Interval, broken: dict[str, str], nearest: Interval | None
) -> None:
    calendar = Calendar("c", parse_settings(rules), ())
    found = calendar.violations(wanted, NOW)
    assert {violation.rule: violation.field for violation in found} == broken
    assert {violation.nearest for violation in found} == {nearest}
    assert nearest is None or calendar.violations(nearest, NOW) == []


@pytest.mark.parametrize(
    ("rules", "wanted", "broken"),
    [
        # It begins in an hour, and notice is a day.
        ({"minNoticeMinutes": 1440}, span("2029-12-31T01:00", "2029-12-31T05:00"), []),
        ({"minNoticeMinutes": 1440}, span("2029-12-31T01:15", "2029-12-31T02:15"), ["minNoticeMinutes"]),
        ({"maxDurationMinutes": 30}, span("2029-12-31T01:15", "2029-12-31T02:15"), []),
        ({"maxDurationMinutes": 30}, span("2029-12-31T01:00", "2029-12-31T01:45"), ["maxDurationMinutes"]),
        ({"workingHours": {}}, span("2029-12-31T01:00", "2029-12-31T01:45"), []),
        ({"workingHours": {}}, span("2029-12-31T01:00", "2029-12-31T02:01"), ["workingHours"]),
    ],
)
def test_a_rule_has_a_say_only_in_what_a_change_changes(
    rules: dict[str, Any], wanted: Interval, broken: list[str]
) -> None:
    calendar = Calendar("c", parse_settings(rules), ())
    current = span("2029-12-31T01:00", "2029-12-31T02:00")
    assert [violation.rule for violation in calendar.violations(wanted, NOW, current=current)] == broken


def test_notice_and_horizon_include_their_ends() -> None:
    calendar = Calendar("c", parse_settings({"minNoticeMinutes": 1440, "horizonDays": 14}), ())
    first, last = NOW + timedelta(days=1), utc("2030-01-14T23:59:59")
    for start in (first, last):
        assert calendar.fits(Interval(start, start + MINUTE), NOW)
    for start in (first - timedelta(seconds=1), last + timedelta(seconds=1)):
        assert not calendar.fits(Interval(start, start + MINUTE), NOW)


def test_the_default_is_always_open_for_one() -> None:
    assert parse_settings({}) == CalendarSettings()
    assert Calendar("c", CalendarSettings(), ()).fits(span("2030-01-01", "2030-01-31"), NOW)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"timeZone": "Mars/Olympus"}, {"timeZone"}),
        ({"timeZone": 7, "capacity": 0, "colour": 1}, {"timeZone", "capacity", "colour"}),
        ({"capacity": True}, {"capacity"}),
        ({"capacity": 1.5}, {"capacity"}),
        ({"bufferMinutes": 10}, {"bufferMinutes"}),
        ({"bufferMinutes": {"before": -1, "after": "x"}}, {"bufferMinutes.before", "bufferMinutes.after"}),
        ({"workingHours": []}, {"workingHours"}),
        ({"workingHours": {"Monday": []}}, {"workingHours"}),
        ({"workingHours": {"monday": [{"start": "9:00", "end": "17:00"}]}}, {"workingHours.monday[0]"}),
        (
            {"workingHours": {"monday": [{"start": "09:00", "end": "09:00"}, {"start": "10:00", "end": "11:00"}]}},
            {"workingHours.monday"},
        ),
        ({"workingHours": {"monday": [{"start": "24:00", "end": "09:00"}]}}, {"workingHours.monday[0]"}),
        (
            {"workingHours": {"monday": [{"start": "09:00", "end": "25:00"}, 7]}},
            {"workingHours.monday[0]", "workingHours.monday[1]"},
        ),
        (
            {"workingHours": {"monday": [{"start": "09:00", "end": "12:00"}, {"start": "11:00", "end": "13:00"}]}},
            {"workingHours.monday"},
        ),
        ({"overrides": {"2030-02-30": [], "25.12.2030": []}}, {"overrides.2030-02-30", "overrides.25.12.2030"}),
        ({"overrides": {"2030-12-25": "closed"}}, {"overrides.2030-12-25"}),
        ({"minDurationMinutes": 60, "maxDurationMinutes": 30}, {"maxDurationMinutes"}),
        ({"minNoticeMinutes": -1, "horizonDays": 0}, {"minNoticeMinutes", "horizonDays"}),
        ({"reminders": ["soon", "60m", "1h"]}, {"reminders[0]", "reminders[2]"}),
    ],
)
def test_settings_are_checked_as_a_whole(body: dict[str, Any], fields: set[str]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check_settings(body)
    assert {fault.field for fault in caught.value.faults} == fields


LOST = "America/Atlantis"


def test_hours_in_a_zone_that_is_not_known_any_more_hold_at_no_time() -> None:
    calendar = Calendar("c", parse_settings(NINE_TO_FIVE | {"timeZone": LOST, "maxDurationMinutes": 60}), ())
    wanted = span("2030-01-15T10:00", "2030-01-15T12:00")
    found = [(violation.rule, violation.nearest) for violation in calendar.violations(wanted, NOW)]
    assert found == [("maxDurationMinutes", None), ("timeZone", None)]
    assert calendar.free(span("2030-01-01", "2030-01-31"), NOW) == []
    assert calendar.violations(span("2030-01-15T10:00", "2030-01-15T11:00"), NOW, current=wanted) == []


def test_without_hours_a_zone_does_not_matter() -> None:
    lost = Calendar("c", parse_settings({"timeZone": LOST, "capacity": 2, "minNoticeMinutes": 60}), ())
    assert lost.fits(span("2030-01-15T10:00", "2030-01-15T12:00"), NOW)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12) | clocks,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["start", "end", "before"]), inner),
    max_leaves=6,
)
date_like = st.dates().map(date.isoformat) | st.text(max_size=10)
hours_like = st.fixed_dictionaries({"start": clocks, "end": ends}) | anything
settings_like = st.fixed_dictionaries(
    {},
    optional={name: anything | st.integers(0, 100) for name in FIELDS}
    | {
        "timeZone": st.sampled_from(["America/New_York", "Asia", "../x", "Pacific/Apia"]) | anything,
        "workingHours": st.dictionaries(st.sampled_from(WEEKDAYS), st.lists(hours_like, max_size=3)) | anything,
        "overrides": st.dictionaries(date_like, st.lists(hours_like, max_size=2), max_size=3) | anything,
    },
)


@given(settings_like, st.integers(2, 230 * 365 - 2))
@settings(max_examples=150)
def test_whatever_is_sent_is_refused_with_its_faults_or_holds_at_all_times(body: dict[str, Any], day: int) -> None:
    try:
        check_settings(body)
    except InvalidRequestError as exc:
        assert all(fault.field and fault.message for fault in exc.faults)  # noqa: PT017 - a refusal says why
        return
    rules = parse_settings(body)
    wanted = Interval(utc("1970-01-01") + day * DAY, utc("1970-01-01") + (day + 0.5) * DAY)
    calendar = Calendar("c", rules, (Taken(wanted),))
    assert calendar.conflicts(wanted) or rules.capacity > 1
    for violation in calendar.violations(wanted, wanted.start - DAY):
        assert not violation.nearest or calendar.violations(violation.nearest, wanted.start - DAY) == []


# --- intervals ---------------------------------------------------------------------------------------

small = st.tuples(st.integers(0, 30), st.integers(1, 10)).map(
    lambda pair: Interval(NOW + pair[0] * MINUTE, NOW + (pair[0] + pair[1]) * MINUTE)
)


@given(st.lists(small, max_size=5), st.lists(small, max_size=5))
def test_interval_arithmetic(a: list[Interval], b: list[Interval]) -> None:
    def covers(intervals: list[Interval], moment: datetime) -> bool:
        return any(interval.start <= moment < interval.end for interval in intervals)

    solid = list(merged(a))
    holes = list(full_intervals((one, 1) for one in b))
    assert all(x.end < y.start for x, y in pairwise(solid))
    for n in range(45):
        moment = NOW + n * MINUTE
        assert covers(solid, moment) == covers(a, moment)
        assert covers(subtract(solid, holes), moment) == (covers(a, moment) and not covers(b, moment))
        assert covers(intersect(solid, list(merged(b))), moment) == (covers(a, moment) and covers(b, moment))


weighted = st.tuples(small, st.sampled_from([1, 1, 2, 3, 1000]))


@given(st.lists(weighted | st.tuples(small, st.just(1)), max_size=6), st.integers(1, 4))
def test_full_is_where_as_many_lie_as_there_are_places(weights: list[tuple[Interval, int]], capacity: int) -> None:
    full = list(full_intervals(weights, capacity))
    entries = [interval for interval, places in weights for _ in range(places)]
    assert full == list(full_intervals([(interval, 1) for interval in entries], capacity))
    assert all(a.end <= b.start for a, b in pairwise(full))
    for n in range(45):
        moment = NOW + n * MINUTE
        there = sum(interval.start <= moment < interval.end for interval in entries)
        assert sum(interval.start <= moment < interval.end for interval in full) == (there >= capacity)
        # Two intervals meet where one appointment follows another, and only there.
        across = sum(interval.start < moment < interval.end for interval in entries)
        assert any(interval.start < moment < interval.end for interval in full) == (across >= capacity)
