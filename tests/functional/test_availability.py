"""Availability on moto: which slots are listed, and that the same rules decide the booking."""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from calendars import NINE_TO_FIVE, asked, available, clocks, configure
from reference import WEEKDAYS, ReferenceCalendar, steps

if TYPE_CHECKING:
    from world import World


@pytest.mark.parametrize(
    ("busy", "slots"),
    [(("9:40", "18:00"), ["09:00"]), (("9:20", "18:00"), []), (("10:15", "18:00"), ["09:00", "09:30"])],
)
def test_30_minute_slots(world: World, busy: tuple[str, str], slots: list[str]) -> None:
    world.book("0:00", "9:00")
    world.book(*busy)
    query = {"calendarIds": "C", "durationMinutes": "30", "to": "2030-01-15T18:00:00Z"}
    assert clocks(available(world, from_="2030-01-15T00:00:00Z", **query)) == slots


def test_working_hours_in_summer_and_winter(world: World) -> None:
    configure(world, **NINE_TO_FIVE)
    query = {"calendarIds": "C", "durationMinutes": "60"}
    assert world.book("2030-11-04T13:30:00Z", "2030-11-04T14:30:00Z")[0] == 422
    for day, first, last in (("2030-11-04", "14:00", "21:00"), ("2030-11-01", "13:00", "20:00")):
        found = clocks(available(world, from_=f"{day}T00:00:00Z", to=f"{day}T23:59:00Z", **query))
        assert (found[0], found[-1], len(found)) == (first, last, 8)


def test_an_override_closes_a_date_or_opens_it(world: World) -> None:
    configure(world, **NINE_TO_FIVE, overrides={"2030-01-15": [], "2030-01-19": [{"start": "22:00", "end": "23:00"}]})
    query = {"calendarIds": "C", "durationMinutes": "30"}
    assert available(world, from_="2030-01-15T00:00:00Z", to="2030-01-16T05:00:00Z", **query) == []
    assert available(world, from_="2030-01-19T05:00:00Z", to="2030-01-20T05:00:00Z", **query) == [
        "2030-01-20T03:00:00Z",
        "2030-01-20T03:30:00Z",
    ]
    assert world.book("15:00", "16:00")[0] == 422
    assert world.book("2030-01-20T03:00:00Z", "2030-01-20T04:00:00Z")[0] == 201


def test_free_on_all_and_free_on_any(world: World) -> None:
    world.book("9:00", "10:00", user="a")
    world.book("10:00", "11:00", user="b")
    query = {
        "calendarIds": "a,b", "durationMinutes": "60", "from_": "2030-01-15T09:00:00Z", "to": "2030-01-15T12:00:00Z",
    }  # fmt: skip
    assert clocks(available(world, **query)) == ["11:00"]
    _, body = asked(world, **query, mode="any")
    assert [(slot["startTime"][11:16], slot["calendarIds"]) for slot in body["available"]] == [
        ("09:00", ["b"]),
        ("10:00", ["a"]),
        ("11:00", ["a", "b"]),
    ]


def test_steps_count_from_each_opening(world: World) -> None:
    hours = [{"start": "09:10", "end": "10:00"}, {"start": "10:25", "end": "11:00"}]
    configure(world, workingHours={"tuesday": hours})
    query = {"calendarIds": "C", "durationMinutes": "15", "stepMinutes": "20"}
    found = available(world, from_="2030-01-15T09:15:00Z", to="2030-01-16T00:00:00Z", **query)
    assert clocks(found) == ["09:30", "10:25", "10:45"]
    configure(world, workingHours={"tuesday": [{"start": "09:00", "end": "09:30"}, {"start": "09:30", "end": "10:00"}]})
    found = available(world, from_="2030-01-15T00:00:00Z", to="2030-01-16T00:00:00Z", **query)
    assert clocks(found) == ["09:00", "09:20", "09:40"]  # where two touch there is no break


def test_where_a_question_begins_makes_no_difference_to_the_steps(world: World) -> None:
    """Tuesday's short opening lies within Monday's long one, and is over when the second question begins."""
    configure(
        world,
        workingHours={
            "monday": [{"start": "09:00", "end": "08:00"}],
            "tuesday": [{"start": "01:10", "end": "02:00"}],
        },
    )
    query = {"calendarIds": "C", "durationMinutes": "60", "to": "2030-01-15T06:00:00Z"}
    found = available(world, from_="2030-01-14T23:00:00Z", **query)
    assert clocks(found) == ["23:00", "00:00", "01:00", "02:00", "03:00", "04:00", "05:00"]
    assert available(world, from_="2030-01-15T03:00:00Z", **query) == found[-3:]


def test_answers_in_the_zone_asked_for(world: World) -> None:
    query = {"calendarIds": "C", "durationMinutes": "60", "timeZone": "Asia/Kathmandu"}
    _, body = asked(world, from_="2030-01-15T09:00", to="2030-01-15T11:00", **query)
    assert body["timeZone"] == "Asia/Kathmandu"
    assert body["available"][0] == {
        "startTime": "2030-01-15T04:00:00Z",
        "endTime": "2030-01-15T05:00:00Z",
        "calendarIds": ["C"],
        "localStartTime": "2030-01-15T09:45:00+05:45",
        "localEndTime": "2030-01-15T10:45:00+05:45",
    }


def test_one_query_per_calendar_whatever_the_span(world: World) -> None:
    world.calls.clear()
    available(world, calendarIds="a,b,c", durationMinutes="60", from_="2030-01-01T00:00:00Z", to="2030-03-04T00:00:00Z")
    assert world.calls == ["BatchGetItem", "Query", "Query", "Query"]


def test_nothing_that_has_begun_is_offered(world: World) -> None:
    found = available(
        world, calendarIds="C", durationMinutes="30", from_="2029-12-01T11:00:00Z", to="2029-12-01T13:00:00Z"
    )
    assert clocks(found) == ["12:00", "12:30"]


# A change of the clock each, in both directions, on both hemispheres, by an hour and by half of one.
CHANGES = [
    ("America/New_York", "2030-03-10"),
    ("America/St_Johns", "2030-11-03"),
    ("Europe/London", "2030-10-27"),
    ("Australia/Lord_Howe", "2030-04-07"),
    ("Australia/Lord_Howe", "2030-10-06"),
    ("America/Santiago", "2030-09-08"),
    ("Pacific/Auckland", "2030-09-29"),
    ("Pacific/Chatham", "2030-04-07"),
    ("Africa/Casablanca", "2030-02-10"),
    ("Asia/Kolkata", "2030-06-01"),
    ("Pacific/Apia", "2030-04-07"),
]


def at_random(chance: random.Random, zone: str, day: date) -> dict[str, Any]:
    """Settings of a calendar; everything lies on quarter hours."""

    def hours() -> list[dict[str, str]]:
        marks = sorted(chance.sample(range(96), chance.choice([0, 2, 4, 4])))
        clock = [f"{mark // 4:02}:{mark % 4 * 15:02}" for mark in marks]
        found = [{"start": a, "end": b} for a, b in zip(clock[::2], clock[1::2], strict=True)]
        if found and chance.random() < 0.4:
            found[-1]["end"] = chance.choice(["24:00", found[0]["start"] if len(found) > 1 else "00:00"])
        return found

    settings: dict[str, Any] = {"timeZone": zone, "capacity": chance.choice([1, 1, 2, 3])}
    settings["bufferMinutes"] = {"before": chance.choice([0, 15]), "after": chance.choice([0, 0, 30])}
    if chance.random() < 0.7:
        settings["workingHours"] = {name: hours() for name in WEEKDAYS}
    if chance.random() < 0.5:
        settings["overrides"] = {day.isoformat(): hours()}
    for name, values in (("minNoticeMinutes", [0, 8 * 60]), ("horizonDays", [1, 2]), ("minDurationMinutes", [30, 60])):
        if chance.random() < 0.3:
            settings[name] = chance.choice(values)
    if chance.random() < 0.5:
        settings["maxPerDay"] = chance.choice([1, 2, 4])
    return settings


@pytest.mark.parametrize(("zone", "day"), CHANGES)
def test_every_slot_offered_books_and_every_other_is_refused(world: World, zone: str, day: str) -> None:
    chance = random.Random(f"{zone} {day}")
    midnight = datetime.combine(date.fromisoformat(day), datetime.min.time(), ZoneInfo(zone)).astimezone(UTC)
    world.now = midnight - timedelta(hours=chance.choice([30, 18, 0]))
    names = ["a", "b"][: chance.choice([1, 2])]
    settings = {name: at_random(chance, zone, midnight.astimezone(ZoneInfo(zone)).date()) for name in names}
    booked: dict[str, list[tuple[datetime, datetime]]] = {name: [] for name in names}
    for _ in range(12):
        start = max(midnight + timedelta(minutes=15 * chance.randrange(-24, 96)), world.now)
        end = start + timedelta(minutes=chance.choice([15, 45, 120]))
        name = chance.choice(names)
        if world.book(start.isoformat(), end.isoformat(), user=name, reminders=[])[0] == 201:
            booked[name].append((start, end))
    for name in names:  # what was booked before them stays, however little the new settings would allow it
        configure(world, name, **settings[name])
    references = [ReferenceCalendar(settings[name], booked[name]) for name in names]

    minutes, step = chance.choice([15, 30, 60]), chance.choice([15, 30])
    duration = timedelta(minutes=minutes)
    window = midnight - timedelta(hours=3), midnight + timedelta(hours=25)
    status, body = asked(
        world,
        calendarIds=",".join(names),
        from_=window[0].isoformat(),
        to=window[1].isoformat(),
        durationMinutes=str(minutes),
        stepMinutes=str(step),
    )
    assert status == 200
    offered = {datetime.fromisoformat(slot["startTime"]) for slot in body["available"]}

    def book(start: datetime, *, dry_run: bool) -> int:
        body = {
            "userId": names[0],
            "resourceIds": names[1:],
            "startTime": start.isoformat(),
            "endTime": (start + duration).isoformat(),
            "reminders": [],
        }
        query = {"dryRun": "true"} if dry_run else None
        return world.request("POST", "/appointments", body, queryStringParameters=query)[0]

    on_step = [start for start in steps(references, *window, step) if start + duration <= window[1]]
    assert offered <= set(on_step)
    for start in on_step:
        assert book(start, dry_run=True) in ({200} if start in offered else {409, 422}), start
        takes = (one.takes(start, start + duration, world.now, timedelta(minutes=5)) for one in references)
        assert (start in offered) == all(takes), start
    for start in sorted(offered)[:1]:
        assert book(start, dry_run=False) == 201


def test_buffers_and_long_appointments_reach_into_the_span(world: World) -> None:
    configure(world, bufferMinutes={"after": 90})
    world.book("2030-01-13T00:00:00Z", "2030-01-14T23:30:00Z")
    world.book("2030-01-16T00:30:00Z", "2030-01-16T01:00:00Z")
    query = {"calendarIds": "C", "durationMinutes": "30"}
    found = clocks(available(world, from_="2030-01-15T00:00:00Z", to="2030-01-16T00:00:00Z", **query))
    assert (found[0], found[-1], len(found)) == ("01:00", "22:30", 44)


def test_durations_that_a_calendar_refuses_are_not_offered(world: World) -> None:
    configure(world, minDurationMinutes=30, maxDurationMinutes=60)
    query = {"calendarIds": "C", "from_": "2030-01-15T00:00:00Z", "to": "2030-01-16T00:00:00Z"}
    assert [len(available(world, durationMinutes=minutes, **query)) for minutes in ("29", "30", "60", "61")] == [
        0,
        48,
        24,
        0,
    ]


def test_with_overrides_alone_steps_count_from_local_midnight(world: World) -> None:
    configure(world, timeZone="Asia/Kolkata", overrides={"2030-01-16": []})
    query = {"calendarIds": "C", "durationMinutes": "60", "timeZone": "Asia/Kolkata"}
    _, body = asked(world, from_="2030-01-15T21:00", to="2030-01-17T03:00", **query)
    assert [slot["localStartTime"] for slot in body["available"]] == [
        f"2030-01-{text}:00:00+05:30" for text in ("15T21", "15T22", "15T23", "17T00", "17T01", "17T02")
    ]


def test_days_of_more_than_a_megabyte_are_read_in_pages(world: World) -> None:
    begin = int(datetime(2030, 1, 1, tzinfo=UTC).timestamp())
    for day in range(4):
        entries = {}
        for n in range(5):  # few, and long ones: many would take moto half a minute
            start = begin + (day * 24 + n * 4) * 3600
            entries[f"a#{day}-{n}-{'x' * 60_000}"] = {"S": f"{start}-{start + 4 * 3600}"}
        item = {"calendarId": {"S": "C"}, "day": {"S": f"2030-01-0{day + 1}"}} | entries
        world.dynamodb.put_item(TableName="CalendarsTable", Item=item)
    world.calls.clear()
    found = available(
        world, calendarIds="C", durationMinutes="120", from_="2030-01-01T00:00:00Z", to="2030-01-05T00:00:00Z"
    )
    assert found == [f"2030-01-0{day}T{hour}:00:00Z" for day in range(1, 5) for hour in (20, 22)]
    assert world.calls == ["BatchGetItem", "Query", "Query"]


def test_an_answer_that_no_function_could_give_is_refused(world: World) -> None:
    ids = [f"{n:0>128}" for n in range(20)]
    query = {
        "calendarIds": ",".join(ids), "from_": "2030-01-01T00:00:00Z", "to": "2030-02-01T00:00:00Z", "mode": "any",
        "timeZone": "UTC",
    }  # fmt: skip
    status, body = asked(world, durationMinutes="15", **query)
    assert (status, [error["field"] for error in body["errors"]]) == (422, ["to"])
    status, body = asked(world, durationMinutes="30", **query)
    assert status == 200
    assert 0.5 < len(json.dumps(body)) / (5 * 2**20) < 1


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({}, {"calendarIds", "from", "to", "durationMinutes"}),
        ({"calendarIds": "a b"}, {"calendarIds[0]", "from", "to", "durationMinutes"}),
        (
            {"calendarIds": "C", "from_": "2030-01-01T00:00:00Z", "to": "2030-03-05T00:00:00Z", "durationMinutes": "0"},
            {"to", "durationMinutes"},
        ),
        (
            {
                "calendarIds": "C", "from_": "2030-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z",
                "durationMinutes": "x", "stepMinutes": "-1", "mode": "some", "timeZone": "Mars/Olympus",
            },
            {"to", "durationMinutes", "stepMinutes", "mode", "timeZone"},
        ),
        (
            {
                "calendarIds": "C", "from_": "2030-01-01T00:00:00Z", "to": "2030-03-01T00:00:00Z",
                "durationMinutes": "30", "stepMinutes": "1",
            },
            {"stepMinutes"},
        ),
        (
            {
                "calendarIds": ",", "from_": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59Z",
                "durationMinutes": "44641", "stepMinuts": "5", "userId": "C",
            },
            {"calendarIds[0]", "calendarIds[1]", "from", "to", "durationMinutes", "stepMinuts", "userId"},
        ),
        (
            {
                "calendarIds": ",".join(map(str, range(21))), "from_": "2199-12-31T00:00:00Z",
                "to": "1970-01-01T00:00:00Z", "durationMinutes": "5",
            },
            {"calendarIds", "to"},
        ),
    ],
)  # fmt: skip
def test_bad_questions_name_every_fault(world: World, query: dict[str, str], fields: set[str]) -> None:
    status, body = asked(world, **query)
    assert (status, {error["field"] for error in body["errors"]}) == (422, fields)


@pytest.mark.parametrize(("start", "end"), [("1970-01-01", "1970-01-02"), ("2199-12-30", "2199-12-31")])
def test_the_ends_of_time_are_answered(world: World, start: str, end: str) -> None:
    configure(world, **NINE_TO_FIVE, bufferMinutes={"before": 1440}, horizonDays=3650)
    query = {"calendarIds": "C,D", "durationMinutes": "60", "from_": f"{start}T00:00:00Z", "to": f"{end}T00:00:00Z"}
    assert available(world, **query) == []


def test_calendars_are_named_in_one_parameter_or_in_several(world: World) -> None:
    """Generated clients send a list in one way or in the other."""
    world.book("9:00", "10:00", user="a")
    span = {"from": ["2030-01-15T08:00:00Z"], "to": ["2030-01-15T12:00:00Z"], "durationMinutes": ["60"]}

    def ask(*values: str) -> Any:
        many = {"multiValueQueryStringParameters": span | {"calendarIds": [*values]}}
        return world.request("GET", "/availability", **many)

    status, _, both = ask("a,b")
    assert (status, len(both["available"])) == (200, 3)
    assert ask("a", "b")[2] == ask("a", "b,a")[2] == both
    for wrong in (("a", ""), ("a", "b c"), tuple(f"c{n}" for n in range(21))):
        status, _, refusal = ask(*wrong)
        assert (status, refusal["errors"][0]["field"].partition("[")[0]) == (422, "calendarIds")


# --- the first ones, and how many on each date -------------------------------------------------------


def test_a_limit_answers_the_first_intervals(world: World) -> None:
    query = {"calendarIds": "C", "from_": "2030-01-15T00:00:00Z", "to": "2030-01-17T00:00:00Z", "durationMinutes": "60"}
    assert clocks(available(world, **query, limit="3")) == ["00:00", "01:00", "02:00"]
    for limit in ("0", "1001", "x"):
        status, refusal = asked(world, **query, limit=limit)
        assert (status, refusal["errors"][0]["field"]) == (422, "limit")


@pytest.mark.parametrize("zone", [None, "Asia/Tokyo"])
@pytest.mark.parametrize("mode", ["all", "any"])
def test_dates_count_what_is_available(world: World, mode: str, zone: str | None) -> None:
    configure(world, "A", **NINE_TO_FIVE)
    configure(world, "B", timeZone="Asia/Kolkata", workingHours={"tuesday": [{"start": "10:00", "end": "13:00"}]})
    world.book("2030-01-15T15:00Z", "2030-01-15T16:30Z", user="A")
    query = {
        "calendarIds": "A,B" if mode == "any" else "A",
        "from": "2030-01-13T20:00:00Z",
        "to": "2030-01-18T05:00:00Z",
        "durationMinutes": "45",
        "mode": mode,
        **({"timeZone": zone} if zone else {}),
    }
    status, _, body = world.request("GET", "/availability/days", queryStringParameters=query)
    assert (status, body["timeZone"]) == (200, zone or "America/New_York")
    own = ZoneInfo(body["timeZone"])
    counted = {day["date"]: day["available"] for day in body["days"]}
    slots = available(world, **query)
    for date_text, number in counted.items():
        starts = [datetime.fromisoformat(text).astimezone(own).date().isoformat() for text in slots]
        assert starts.count(date_text) == number
    assert sum(counted.values()) == len(slots)
    assert len(slots) > 20
    assert list(counted) == sorted(counted)
    assert zone or 0 in counted.values()


def test_dates_take_no_limit(world: World) -> None:
    query = {"calendarIds": "C", "from": "2030-01-15T00:00Z", "to": "2030-01-16T00:00Z", "durationMinutes": "60"}
    status, _, refusal = world.request("GET", "/availability/days", queryStringParameters=query | {"limit": "1"})
    assert (status, refusal["errors"][0]["field"]) == (422, "limit")
