"""What a calendar allows, against a slow reading of the rules minute by minute, around changes of the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appointments.calendar_settings import WEEKDAYS, parse_settings
from appointments.calendars import Calendar, CalendarSettings, intersect, merged, subtract
from appointments.errors import InvalidRequestError
from appointments.model import Interval
from appointments.times import load_zone
from conflict_detector.availability import slots
from conflict_detector.requests import AvailabilityRequest

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
    ("Asia/Kathmandu", date(2030, 6, 1)),
    ("Asia/Kolkata", date(2030, 6, 1)),
    ("UTC", date(2030, 6, 1)),
]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def span(start: str, end: str) -> Interval:
    return Interval(utc(start), utc(end))


# --- the slow reference ------------------------------------------------------------------------------


def is_open(body: dict[str, Any], moment: datetime) -> bool:
    """Whether the wall clock shows a time within the hours of its date, or of the date before past midnight."""
    wall = moment.astimezone(load_zone(body.get("timeZone", "UTC"))).replace(tzinfo=None)
    for day in (wall.date(), wall.date() - timedelta(days=1)):
        hours = body.get("overrides", {}).get(day.isoformat())
        if hours is None:
            if "workingHours" not in body:
                hours = [{"start": "00:00", "end": "24:00"}]
            else:
                hours = body["workingHours"].get(WEEKDAYS[day.weekday()], [])
        for one in hours:
            start, end = (int(one[side][:2]) * 60 + int(one[side][3:]) for side in ("start", "end"))
            end += 24 * 60 if end <= start else 0
            if start <= (wall - datetime.combine(day, datetime.min.time())) / MINUTE < end:
                return True
    return False


def reference_fits(body: dict[str, Any], busy: list[Interval], wanted: Interval) -> bool:
    gap = max(body.get("bufferMinutes", {}).values(), default=0) * MINUTE
    moment = wanted.start
    while moment < wanted.end:
        here = sum(other.start - gap <= moment < other.end + gap for other in busy)
        if here >= body.get("capacity", 1) or not is_open(body, moment):
            return False
        moment += MINUTE
    return True


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
    return draw(st.sampled_from([[], hours]))


@st.composite
def situations(draw: st.DrawFn) -> tuple[dict[str, Any], list[Interval], Interval]:
    """Settings, what is busy, and a wanted interval, all near a change of the clock."""
    zone, day = draw(st.sampled_from(CHANGES))
    body: dict[str, Any] = {"timeZone": zone}
    if draw(st.booleans()):
        body["workingHours"] = {name: draw(days_hours()) for name in WEEKDAYS}
    if draw(st.booleans()):
        body["overrides"] = {day.isoformat(): draw(days_hours())}
    body["bufferMinutes"] = {"before": draw(st.sampled_from([0, 10])), "after": draw(st.sampled_from([0, 30]))}
    body["capacity"] = draw(st.integers(1, 3))
    midnight = datetime.combine(day, datetime.min.time(), load_zone(zone)).astimezone(UTC)

    def interval() -> Interval:
        start = midnight + draw(st.integers(-40, 120)) * 15 * MINUTE
        return Interval(start, start + draw(st.sampled_from([15, 30, 60, 180])) * MINUTE)

    return body, [interval() for _ in range(draw(st.integers(0, 5)))], interval()


@given(situations())
@settings(max_examples=300)
def test_the_decision_agrees_with_the_minutes(situation: tuple[dict[str, Any], list[Interval], Interval]) -> None:
    body, busy, wanted = situation
    calendar = Calendar("c", parse_settings(body), tuple(busy))
    assert calendar.fits(wanted, NOW) == reference_fits(body, busy, wanted)


@given(situations(), st.sampled_from([15, 20, 30]))
@settings(max_examples=60)
def test_slots_are_exactly_those_steps_that_fit(
    situation: tuple[dict[str, Any], list[Interval], Interval], step: int
) -> None:
    body, busy, around = situation
    calendar = Calendar("c", parse_settings(body), tuple(busy))
    window = Interval(around.start - timedelta(hours=6), around.start + timedelta(hours=12))
    duration = 30 * MINUTE
    asked = AvailabilityRequest(("c",), window, duration, step * MINUTE, any_of=False, zone=None)
    offered = {slot.interval for slot in slots([calendar], asked, NOW)}
    for slot in offered:
        assert window.start <= slot.start
        assert slot.end <= window.end
        assert reference_fits(body, busy, slot)
    if calendar.settings.has_hours:
        origins = [
            opened.start
            for opened in calendar.settings.openings(Interval(window.start - timedelta(days=2), window.end))
        ]
    else:
        origins = [window.start.replace(hour=0, minute=0), window.start.replace(hour=0, minute=0) + timedelta(days=1)]
    moment = window.start
    while moment + duration <= window.end:
        before = [origin for origin in origins if origin <= moment]
        on_step = bool(before) and (moment - max(before)) % (step * MINUTE) == timedelta()
        wanted = Interval(moment, moment + duration)
        if on_step:
            assert (wanted in offered) == reference_fits(body, busy, wanted)
        moment += 5 * MINUTE


@given(situations())
@settings(max_examples=100)
def test_one_more_booking_never_frees_a_slot(situation: tuple[dict[str, Any], list[Interval], Interval]) -> None:
    body, busy, more = situation
    rules = parse_settings(body)
    window = Interval(more.start - timedelta(hours=6), more.end + timedelta(hours=6))
    asked = AvailabilityRequest(("c",), window, 30 * MINUTE, 15 * MINUTE, any_of=False, zone=None)
    before = set(slots([Calendar("c", rules, tuple(busy))], asked, NOW))
    after = set(slots([Calendar("c", rules, (*busy, more))], asked, NOW))
    assert after <= before


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


def test_whole_days_of_23_and_25_hours_have_no_gap() -> None:
    rules = parse_settings(
        {"timeZone": "Europe/London", "workingHours": {day: [{"start": "00:00", "end": "24:00"}] for day in WEEKDAYS}}
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
    ("rules", "wanted", "rule", "nearest"),
    [
        ({"minNoticeMinutes": 1440}, span("2029-12-31T23:59", "2030-01-01T01:00"), "minNoticeMinutes", "2030-01-01"),
        ({"horizonDays": 14}, span("2030-01-14T00:01", "2030-01-14T01:00"), "horizonDays", "2030-01-14"),
        (
            {"minDurationMinutes": 60},
            span("2030-01-02T00:00", "2030-01-02T00:59"),
            "minDurationMinutes",
            "2030-01-02T01:00",
        ),
        (
            {"maxDurationMinutes": 60},
            span("2030-01-02T00:00", "2030-01-02T01:01"),
            "maxDurationMinutes",
            "2030-01-02T01:00",
        ),
        (NINE_TO_FIVE, span("2030-11-04T21:30", "2030-11-04T22:30"), "workingHours", "2030-11-04T21:00"),
        (NINE_TO_FIVE, span("2030-11-02T12:00", "2030-11-02T13:00"), "workingHours", "2030-11-01T20:00"),
    ],
)
def test_a_broken_rule_names_the_nearest_time_that_it_accepts(
    rules: dict[str, Any], wanted: Interval, rule: str, nearest: str
) -> None:
    calendar = Calendar("c", parse_settings(rules), ())
    (broken,) = calendar.violations(wanted, NOW)
    assert (broken.rule, broken.nearest) == (rule, utc(nearest))
    length = wanted.end - wanted.start
    if broken.field == "startTime":
        accepted = Interval(utc(nearest), utc(nearest) + length)
    else:
        accepted = Interval(wanted.start, utc(nearest))
    assert calendar.violations(accepted, NOW) == []


def test_notice_and_horizon_include_their_ends() -> None:
    calendar = Calendar("c", parse_settings({"minNoticeMinutes": 1440, "horizonDays": 14}), ())
    first, last = NOW + timedelta(days=1), NOW + timedelta(days=14)
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
        ({"workingHours": {"monday": [{"start": "09:00", "end": "09:00"}]}}, {"workingHours.monday[0]"}),
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
        parse_settings(body)
    assert {fault.field for fault in caught.value.faults} == fields


# --- intervals ---------------------------------------------------------------------------------------

small = st.tuples(st.integers(0, 30), st.integers(1, 10)).map(
    lambda pair: Interval(NOW + pair[0] * MINUTE, NOW + (pair[0] + pair[1]) * MINUTE)
)


@given(st.lists(small, max_size=5), st.lists(small, max_size=5))
def test_interval_arithmetic(a: list[Interval], b: list[Interval]) -> None:
    def covers(intervals: list[Interval], moment: datetime) -> bool:
        return any(interval.start <= moment < interval.end for interval in intervals)

    solid = list(merged(a))
    assert all(x.end < y.start for x, y in pairwise(solid))
    for n in range(45):
        moment = NOW + n * MINUTE
        assert covers(solid, moment) == covers(a, moment)
        assert covers(subtract(solid, b), moment) == (covers(a, moment) and not covers(b, moment))
        assert covers(intersect(solid, merged(b)), moment) == (covers(a, moment) and covers(b, moment))
