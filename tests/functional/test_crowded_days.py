"""Days whose entries lie in overflow items too: every answer is that of a day in one item. On moto."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import boto3
import pytest

from appointments.model import CalendarDay
from appointments.storage import calendar_days, store
from bench import crowded as crowded_bench
from calendars import available, configure
from conflict_detector.access import Access, Auth
from conflict_detector.api import Api
from support import inconsistencies
from world import World

MARKER = "a#overflow"


@pytest.fixture
def crowded(world: World) -> World:
    """A world in which the second entry of a day goes into an overflow item."""
    world.storage = replace(world.storage, days=replace(world.storage.days, most_inline=1))
    world.api = Api(world.storage, world.timers, Access(Auth.NONE), clock=lambda: world.now)
    return world


def parts(world: World) -> dict[str, list[str]]:
    """What lies in the items of calendar C's days, by sort key."""
    return {
        item["day"]["S"]: sorted(name[2:] for name in item if name.startswith("a#") and name != MARKER)
        for item in world.items("CalendarsTable")
        if item["calendarId"]["S"] == "C" and item["day"]["S"] != "settings"
    }


def found(world: World) -> list[str]:
    return inconsistencies(world.dynamodb, "AppointmentsTable", "CalendarsTable")


def touched(world: World) -> None:
    """Every quarter hour of two days was booked before, so that no booking does without reading them."""
    _, one = world.book("0:00", "2030-01-17T00:00:00Z")
    world.request("DELETE", f"/appointments/{one['appointmentId']}")


def test_a_further_entry_lies_in_an_overflow_item_and_leaves_it(crowded: World) -> None:
    touched(crowded)
    first, second = (crowded.book(*times)[1]["appointmentId"] for times in (("9:00", "9:30"), ("10:00", "10:30")))
    overflow = f"overflow#2030-01-15#40{second[-1]}"
    assert parts(crowded) == {"2030-01-15": [first], "2030-01-16": [], overflow: [second]}
    (marked,) = (item for item in crowded.items("CalendarsTable") if MARKER in item)
    (beside,) = (item for item in crowded.items("CalendarsTable") if item["day"]["S"] == overflow)
    assert beside["expiresAt"] == marked["expiresAt"]
    path = f"/appointments/{second}"
    moved = {"startTime": "2030-01-15T23:30:00Z", "endTime": "2030-01-16T00:30:00Z"}
    assert crowded.request("PATCH", path, moved)[0] == 200
    over_midnight = {overflow: [], f"overflow#2030-01-15#94{second[-1]}": [second], "2030-01-16": [second]}
    assert parts(crowded) == {"2030-01-15": [first]} | over_midnight
    assert found(crowded) == []
    assert crowded.request("PATCH", path, {"details": {"title": "Check-up"}})[0] == 200
    crowded.calls.clear()
    assert crowded.request("DELETE", path)[0] == 200
    assert crowded.calls[:2] == ["GetItem", "TransactWriteItems"]  # it knows where its entries lie
    assert [names for names in parts(crowded).values() if names] == [[first]]
    assert found(crowded) == []
    (cancelled,) = (i for i in crowded.items("AppointmentsTable") if i["appointmentId"]["S"] == second)
    assert "overflow" not in cancelled


def test_an_entry_that_is_long_lies_apart(crowded: World) -> None:
    configure(crowded, capacity=2)
    touched(crowded)
    crowded.book("9:00", "9:30")
    long = crowded.book("10:00", "18:00")[1]["appointmentId"]
    assert parts(crowded)[f"overflow#2030-01-15#L{long[-1]}"] == [long]
    assert crowded.book("17:00", "17:15")[0] == 201
    assert crowded.book("17:00", "17:15")[0] == 409
    assert crowded.request("PATCH", f"/appointments/{long}", {"endTime": "2030-01-15T10:30:00Z"})[0] == 200
    assert parts(crowded)[f"overflow#2030-01-15#40{long[-1]}"] == [long]
    assert crowded.book("17:00", "17:15")[0] == 201


@pytest.mark.parametrize("start", ["8:00", "8:05"])
@pytest.mark.parametrize("length", [115, 120, 135])
def test_an_entry_in_overflow_is_met_in_its_last_quarter_hour(crowded: World, start: str, length: int) -> None:
    """What is read near a booking goes back as far as the longest entry that does not count as long."""
    touched(crowded)
    crowded.book("23:00", "23:30")
    begin = datetime.fromisoformat(f"2030-01-15T{start:0>5}:00Z")
    end = begin + timedelta(minutes=length)
    assert crowded.book(start, end.isoformat())[0] == 201
    last = (end - timedelta(minutes=5)).isoformat()
    assert crowded.book(last, (end + timedelta(minutes=10)).isoformat(), user="D", resourceIds=["C"])[0] == 409
    assert crowded.book(end.isoformat(), (end + timedelta(minutes=10)).isoformat())[0] == 201


def test_a_plain_booking_makes_one_call_on_a_crowded_day_too(crowded: World) -> None:
    for hour in range(4):
        crowded.calls.clear()
        assert crowded.book(f"{hour}:00", f"{hour}:30", reminders=[])[0] == 201
        assert crowded.calls == ["TransactWriteItems"]


@pytest.mark.parametrize(("capacity", "buffer"), [(1, 0), (2, 5)])
def test_whatever_is_asked_of_a_crowded_day_is_answered_as_on_another(
    crowded: World, capacity: int, buffer: int
) -> None:
    """The same requests for two calendars, one of which holds its entries in one item each day."""
    plain = replace(crowded.storage, days=replace(crowded.storage.days, most_inline=10**6))
    apis = {"C": crowded.api, "P": Api(plain, crowded.timers, Access(Auth.NONE), clock=lambda: crowded.now)}
    for name in apis:
        configure(crowded, name, capacity=capacity, bufferMinutes={"after": buffer})
    chance = random.Random(capacity)
    booked: list[dict[str, str]] = []
    outcomes: set[int] = set()
    for _ in range(40):
        start = datetime.fromisoformat("2030-01-15T00:00:00Z") + timedelta(minutes=5 * chance.randrange(2 * 288))
        end = start + timedelta(minutes=chance.choice([5, 10, 30, 60, 240, 1440]))
        times = {"startTime": start.isoformat(), "endTime": end.isoformat()}
        which = chance.randrange(len(booked)) if booked else None
        choice = chance.choice(["book", "book", "book", "move", "cancel"])
        answers: list[Any] = []
        ids: dict[str, str] = {}
        for name, api in apis.items():
            crowded.api = api
            if choice == "book" or which is None:
                answer = crowded.request("POST", "/appointments", {"userId": name, "reminders": [], **times})
                if answer[0] == 201:
                    ids[name] = answer[2]["appointmentId"]
            elif choice == "move":
                answer = crowded.request("PATCH", f"/appointments/{booked[which][name]}", times)
            else:
                answer = crowded.request("DELETE", f"/appointments/{booked[which][name]}")
            status, _, body = answer
            places = [(each["startTime"], each["endTime"]) for each in body.get("conflicts", [])]
            answers.append((status, places, body.get("alternatives")))
        assert answers[0] == answers[1]
        outcomes.add(answers[0][0])
        if ids:
            booked.append(ids)
    assert {200, 201, 409} <= outcomes
    assert any(key.startswith("overflow#") and names for key, names in parts(crowded).items())
    assert [each for each in found(crowded) if capacity == 1 or "overlap" not in each] == []
    span = {"from_": "2030-01-15T00:00:00Z", "to": "2030-01-18T00:00:00Z", "durationMinutes": "15"}
    assert len(parts(crowded)["2030-01-15"]) < 20
    free = [available(crowded, calendarIds=name, **span) for name in apis]
    assert free[0] == free[1]
    assert listed(crowded, "C") == listed(crowded, "P")


def listed(world: World, calendar: str) -> list[str]:
    """The starts of what lies on a calendar, page by page."""
    query = {"calendarId": calendar, "from": "2030-01-15T00:00:00Z", "to": "2030-01-18T00:00:00Z", "limit": "4"}
    starts: list[str] = []
    while True:
        _, _, page = world.request("GET", "/appointments", queryStringParameters=query)
        starts += [each["startTime"] for each in page["appointments"]]
        if "nextCursor" not in page:
            return starts
        query["cursor"] = page["nextCursor"]


def test_a_reading_of_a_crowded_day_is_bounded(crowded: World, monkeypatch: pytest.MonkeyPatch) -> None:
    touched(crowded)
    configure(crowded, capacity=1000)
    for _ in range(5):
        assert crowded.book("9:00", "9:15")[0] == 201
    monkeypatch.setattr(store, "MAX_ENTRIES_READ", 3)
    monkeypatch.setattr(calendar_days, "MAX_ENTRIES_READ", 3)
    status, refusal = crowded.book("9:00", "9:15")
    assert (status, refusal["title"]) == (422, "Invalid request")
    assert crowded.book("20:00", "20:15")[0] == 201  # far from them, and so not read
    span = {"from": "2030-01-15T00:00:00Z", "to": "2030-01-16T00:00:00Z", "durationMinutes": "15", "calendarIds": "C"}
    assert crowded.request("GET", "/availability", queryStringParameters=span)[0] == 422


def test_a_refusal_suggests_nothing_where_the_day_cannot_be_read_whole(
    crowded: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched(crowded)
    for hour in (9, 14, 15, 16, 17):
        assert crowded.book(f"{hour}:00", f"{hour}:15")[0] == 201
    status, refusal = crowded.book("15:00", "15:15")
    assert (status, len(refusal["alternatives"])) == (409, 3)
    monkeypatch.setattr(store, "MAX_ENTRIES_READ", 4)
    status, refusal = crowded.book("15:00", "15:15")
    assert (status, refusal["alternatives"]) == (409, [])


@pytest.mark.parametrize("entries", [100, 700])
def test_a_booking_writes_as_much_on_a_day_of_hundreds(
    world: World, entries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `make bench ARGS=crowded` measures it. All in one item, it would write 91 units on a day of 700."""
    monkeypatch.setattr(crowded_bench, "ROUNDS", 2)
    monkeypatch.setattr(crowded_bench, "client_beside", lambda _: boto3.client("dynamodb", region_name="us-east-1"))
    measured = crowded_bench.measured(world.storage, entries)
    assert measured.calls == {"BatchGetItem": 1, "Query": 1, "TransactWriteItems": 1}
    assert measured.writes <= 25
    assert measured.reads <= 12


def before_overflow(item: Any) -> dict[str, list[tuple[int, int, int]]]:
    """What a release that knows of no overflow reads in a day: start, end and places of each entry, by appointment."""
    entries = {}
    for name, value in item.items():
        if name.startswith("a#"):
            entries[name.removeprefix("a#")] = [old_entry(part) for part in value["S"].split(",")]
    return entries


def old_entry(text: str) -> tuple[int, int, int]:
    span, *options = text.split(";")
    values = {name: value for name, _, value in (option.partition("=") for option in options)}
    start, _, end = span.partition("-")
    return int(start), int(end), int(values.get("places", 1))


def test_an_older_release_books_nothing_on_a_day_with_overflow(crowded: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sees an appointment that takes every place from midnight to midnight, and none of the overflow items."""
    configure(crowded, capacity=1000)
    touched(crowded)
    for _ in range(3):
        assert crowded.book("9:00", "9:15")[0] == 201
    (item,) = (item for item in crowded.items("CalendarsTable") if MARKER in item)
    midnight = int(datetime.fromisoformat("2030-01-15T00:00:00Z").timestamp())
    assert before_overflow(item)["overflow"] == [(midnight, midnight + 86400, 1000)]
    days = [each["day"]["S"] for each in crowded.items("CalendarsTable") if each["calendarId"]["S"] == "C"]
    assert not [day for day in days if day.startswith("overflow#") and "2030-01-15" <= day <= "2030-01-17"]

    def old_day(item: Any, **_: Any) -> CalendarDay:
        entries = {
            name[2:]: calendar_days.entry_from_text(value["S"]) for name, value in item.items() if name[:2] == "a#"
        }
        counters = {int(name[1:]): int(value["N"]) for name, value in item.items() if name[0] == "q"}
        return CalendarDay(calendar_days.day_key_from_item(item), entries, counters)

    for module in (calendar_days, store):
        monkeypatch.setattr(module, "day_from_item", old_day)
    assert crowded.book("20:00", "20:15")[0] == 409
    assert crowded.book("2030-01-16T20:00:00Z", "2030-01-16T20:15:00Z")[0] == 201
    query = {"from_": "2030-01-15T00:00:00Z", "to": "2030-01-17T00:00:00Z", "durationMinutes": "720"}
    assert available(crowded, calendarIds="C", **query) == ["2030-01-16T00:00:00Z", "2030-01-16T12:00:00Z"]


def test_what_an_older_release_shortened_in_overflow_counts_with_both_intervals(crowded: World) -> None:
    """It writes the entry into the day's own item, and the one in overflow stays until the appointment leaves."""
    touched(crowded)
    crowded.book("9:00", "9:30")
    id_ = crowded.book("10:00", "11:00")[1]["appointmentId"]
    entry = {"S": f"{1894701600}-{1894701600 + 900}"}
    crowded.dynamodb.update_item(
        TableName="CalendarsTable",
        Key={"calendarId": {"S": "C"}, "day": {"S": "2030-01-15"}},
        UpdateExpression="SET #entry = :entry",
        ExpressionAttributeNames={"#entry": f"a#{id_}"},
        ExpressionAttributeValues={":entry": entry},
    )
    (day,) = crowded.storage.days.span("C", date(2030, 1, 15), date(2030, 1, 15))
    assert [one.interval.end.hour for one in day.entries[id_]] == [10, 11]
    assert day.inline() == 1
    assert crowded.book("10:30", "10:45")[0] == 409


def test_a_day_full_of_holds_that_have_run_out_is_not_crowded(crowded: World) -> None:
    crowded.storage = replace(crowded.storage, days=replace(crowded.storage.days, most_inline=3))
    crowded.api = Api(crowded.storage, crowded.timers, Access(Auth.NONE), clock=lambda: crowded.now)
    touched(crowded)
    holds = [crowded.book(f"{9 + n}:00", f"{9 + n}:10", hold={"minutes": 1})[1]["appointmentId"] for n in range(3)]
    assert parts(crowded) == {"2030-01-15": sorted(holds), "2030-01-16": []}
    beside = crowded.book("13:00", "13:10")[1]["appointmentId"]
    assert parts(crowded)[f"overflow#2030-01-15#52{beside[-1]}"] == [beside]  # while they last, there is no room
    crowded.now += timedelta(minutes=1, seconds=5)
    later = [crowded.book(f"{14 + n}:00", f"{14 + n}:10")[1]["appointmentId"] for n in range(2)]
    assert parts(crowded)["2030-01-15"] == sorted(later)
    again = crowded.request("PATCH", f"/appointments/{holds[0]}", {"status": "scheduled"})[2]["appointmentId"]
    assert parts(crowded)["2030-01-15"] == sorted([again, *later])
    assert found(crowded) == []


def test_a_day_in_one_item_is_read_by_one_query(world: World) -> None:
    for hour in range(3):
        world.book(f"{hour}:00", f"{hour}:15")
    world.calls.clear()
    (day,) = world.storage.days.span("C", date(2030, 1, 15), date(2030, 1, 15))
    assert (day.overflow, day.seen, len(day.entries), world.calls) == (None, None, 3, ["Query"])


@pytest.fixture
def swapped(crowded: World, monkeypatch: pytest.MonkeyPatch) -> str:
    """A session that Anna and Ben joined. As its seats are read, Anna leaves, and Cleo joins who had looked before.

    So Anna is seen in the own item of the day, and Cleo in overflow, though there were never three. The id of it.
    """
    status, class_ = crowded.book("9:00", "10:00", "dr-lee", session={"seats": 4})
    assert status == 201
    id_ = str(class_["appointmentId"])

    def join(user: str) -> dict[str, Any]:
        status, _, joined = crowded.request("POST", "/appointments", {"userId": user, "sessionId": id_})
        assert status == 201, joined
        return dict(joined)

    anna, _ = join("anna"), join("ben")
    overflow, write = calendar_days.CalendarDays.overflow, crowded.dynamodb.transact_write_items

    def left_first(**request: Any) -> Any:
        crowded.dynamodb.transact_write_items = write
        assert crowded.request("DELETE", f"/appointments/{anna['appointmentId']}")[0] == 200
        return write(**request)

    def swapped_first(*args: Any) -> Any:
        monkeypatch.setattr(calendar_days.CalendarDays, "overflow", overflow)
        crowded.dynamodb.transact_write_items = left_first
        join("cleo")
        yield from overflow(*args)

    monkeypatch.setattr(calendar_days.CalendarDays, "overflow", swapped_first)
    return id_


def test_the_seats_that_are_left_are_those_of_one_moment(crowded: World, swapped: str) -> None:
    assert crowded.request("GET", f"/appointments/{swapped}")[2]["seatsLeft"] == 2


def test_a_session_is_not_said_to_be_fuller_than_it_ever_was(crowded: World, swapped: str) -> None:
    status, _, answer = crowded.request("PATCH", f"/appointments/{swapped}", {"session": {"seats": 2}})
    assert (status, answer.get("seatsLeft"), answer.get("detail")) == (200, 0, None)
