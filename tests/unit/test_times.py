"""Times at the edge: what is accepted, what it means, and what a refusal tells the caller."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appointments.times import (
    InvalidTimeError,
    Length,
    first_instant,
    floor_to_minute,
    from_utc_text,
    load_zone,
    parse_offset,
    parse_time,
    to_utc_text,
    wall_time,
)

NEW_YORK = load_zone("America/New_York")


@pytest.mark.parametrize(
    ("text", "zone", "utc"),
    [
        ("2030-01-15T09:00", "America/New_York", "2030-01-15T14:00:00Z"),
        ("2030-01-15T09:00:00+05:30", None, "2030-01-15T03:30:00Z"),
        ("2030-01-15T09:00:00+05:30", "America/New_York", "2030-01-15T03:30:00Z"),  # an offset beats the zone
        ("2030-01-15t09:00:00z", None, "2030-01-15T09:00:00Z"),
        ("2030-01-15 09:00:00Z", None, "2030-01-15T09:00:00Z"),
        ("2030-01-15T09:00:00.999Z", None, "2030-01-15T09:00:00Z"),  # fractions of a second are dropped
        ("2028-02-29T00:00:00Z", None, "2028-02-29T00:00:00Z"),
        ("2030-07-15T09:00", "Australia/Lord_Howe", "2030-07-14T22:30:00Z"),
        ("2030-01-15T09:00", "Asia/Kathmandu", "2030-01-15T03:15:00Z"),
    ],
)
def test_a_time_means_one_instant(text: str, zone: str | None, utc: str) -> None:
    moment = parse_time(text, load_zone(zone) if zone else None)
    assert to_utc_text(moment) == utc
    assert moment.tzinfo is UTC


def test_an_hour_that_is_repeated_is_written_as_two() -> None:
    first = datetime(2030, 11, 3, 1, 30, tzinfo=NEW_YORK)
    second = first.replace(fold=1)
    assert first == second  # as Python sees it, within one zone
    assert [to_utc_text(moment) for moment in (first, second)] == ["2030-11-03T05:30:00Z", "2030-11-03T06:30:00Z"]


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2030-02-29T00:00:00Z", "2030-13-01T00:00:00Z", "2030-01-01", "20300101T000000Z", "2030-W01-1T00:00Z"]
    + ["2030-01-01T24:00:00Z", "2030-01-01T23:59:60Z", "2030-01-01T00:00:00+24:00", "2030-01-01T00:00:00Z\n"]
    + ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "٢٠٣٠-01-01T00:00:00Z"],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidTimeError):
        parse_time(text, None)


def test_a_local_time_without_a_zone_is_refused() -> None:
    with pytest.raises(InvalidTimeError, match="timeZone"):
        parse_time("2030-01-15T09:00:00", None)


@pytest.mark.parametrize(
    "name",
    ["Mars/Olympus", "", "../../etc/passwd", "America", "UTC\0", "a" * 300, "GMT+25:00"]
    + ["right/America/New_York", "posix/UTC", "localtime", "posixrules"],
)
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(InvalidTimeError):
        load_zone(name)


def test_a_skipped_local_time_names_both_neighbours() -> None:
    with pytest.raises(InvalidTimeError) as caught:
        parse_time("2030-03-10T02:30", NEW_YORK)
    assert "2030-03-10T01:30:00-05:00" in str(caught.value)
    assert "2030-03-10T03:30:00-04:00" in str(caught.value)


def test_a_repeated_local_time_names_both_readings_and_each_is_accepted() -> None:
    with pytest.raises(InvalidTimeError) as caught:
        parse_time("2030-11-03T01:30", NEW_YORK)
    for reading, utc in (
        ("2030-11-03T01:30:00-04:00", "2030-11-03T05:30:00Z"),
        ("2030-11-03T01:30:00-05:00", "2030-11-03T06:30:00Z"),
    ):
        assert reading in str(caught.value)
        assert to_utc_text(parse_time(reading, NEW_YORK)) == utc


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2050, 1, 1)),  # noqa: DTZ001 - wall time on purpose
    st.sampled_from(["America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns"]),
)
def test_a_local_time_that_is_accepted_reads_the_same_in_its_zone(wall: datetime, name: str) -> None:
    wall = wall.replace(microsecond=0)
    zone = load_zone(name)
    try:
        moment = parse_time(wall.isoformat(), zone)
    except InvalidTimeError as exc:
        assert "clock goes" in str(exc)  # noqa: PT017 - only the two kinds of change may be refused
        return
    assert moment.astimezone(zone).replace(tzinfo=None) == wall


@given(st.datetimes(timezones=st.just(UTC)))
def test_stored_times_come_back_and_sort_as_text(moment: datetime) -> None:
    moment = moment.replace(microsecond=0)
    assert from_utc_text(to_utc_text(moment)) == moment
    if moment.year < 9999:
        assert to_utc_text(moment) < to_utc_text(moment + timedelta(seconds=1))


def test_floor_to_minute() -> None:
    assert floor_to_minute(datetime(2030, 1, 1, 9, 0, 59, tzinfo=UTC)) == datetime(2030, 1, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "span"),
    [("15m", timedelta(minutes=15)), ("24h", timedelta(hours=24)), ("7d", timedelta(days=7)), ("2w", timedelta(14))],
)
def test_an_offset_is_a_span_before_the_start(text: str, span: timedelta) -> None:
    start = datetime(2030, 6, 1, 9, tzinfo=UTC)
    assert parse_offset(text).before(start, None) == parse_offset(text).before(start, NEW_YORK) == start - span


@pytest.mark.parametrize(
    ("text", "before"),
    [("1d", "2030-03-09T14:00:00Z"), ("24h", "2030-03-09T13:00:00Z"), ("1w", "2030-03-03T14:00:00Z")],
)
def test_days_and_weeks_are_counted_on_the_wall(text: str, before: str) -> None:
    start = parse_time("2030-03-10T09:00", NEW_YORK)
    assert to_utc_text(parse_offset(text).before(start, NEW_YORK)) == before


@pytest.mark.parametrize(
    ("wall", "zone", "utc"),
    [
        ("2030-03-10T02:30", "America/New_York", "2030-03-10T07:00:00Z"),  # skipped
        ("2030-11-03T01:30", "America/New_York", "2030-11-03T05:30:00Z"),  # repeated
        ("2030-10-06T02:15", "Australia/Lord_Howe", "2030-10-05T15:30:00Z"),  # half an hour is skipped
        ("2011-12-30T12:00", "Pacific/Apia", "2011-12-30T10:00:00Z"),  # a whole day is skipped
        ("2030-06-01T12:00", "Asia/Kathmandu", "2030-06-01T06:15:00Z"),
    ],
)
def test_the_first_instant_at_or_after_a_local_time(wall: str, zone: str, utc: str) -> None:
    assert to_utc_text(parse_time(wall, load_zone(zone), exact=False)) == utc


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2050, 1, 1)),  # noqa: DTZ001 - wall time on purpose
    st.sampled_from(["America/New_York", "Africa/Cairo", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata"]),
)
def test_at_the_first_instant_the_clock_shows_the_time_or_a_later_one_and_not_before(wall: datetime, name: str) -> None:
    wall, zone = wall.replace(microsecond=0), load_zone(name)
    moment = first_instant(wall, zone)
    assert wall_time(moment, zone) >= wall
    assert all(wall_time(moment - timedelta(seconds=n), zone) < wall for n in (1, 60, 1800, 3600, 5400))


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2050, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - as it asks
    st.integers(1, 40),
    st.sampled_from(["America/New_York", "Africa/Cairo", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata"]),
)
def test_whole_days_are_recognized_and_counted(start: datetime, days: int, name: str) -> None:
    start, zone = start.replace(microsecond=0), load_zone(name)
    length = Length.of(timedelta(days=days), zone)
    end = length.after(start)
    assert abs(end - start - timedelta(days=days)) <= timedelta(hours=1)
    if wall_time(end, zone) == wall_time(start, zone) + timedelta(days=days):
        assert Length.between(start, end, zone) == length
        assert wall_time(length.after(end, -1), zone) == wall_time(start, zone)


@pytest.mark.parametrize("text", ["", "h", "0h", "-1h", "1.5h", "1y", "24 h", "24H", "123456m", "١h"])  # noqa: RUF001
def test_what_is_no_offset_is_refused(text: str) -> None:
    with pytest.raises(InvalidTimeError):
        parse_offset(text)
