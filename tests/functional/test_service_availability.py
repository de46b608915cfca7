"""What is offered of a service is what books: each offer does, and nothing that is left out would have."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from calendars import configure
from services import put_service, step

if TYPE_CHECKING:
    from world import World

DAY = datetime.fromisoformat("2030-01-15T00:00:00Z")


def text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def offers(world: World, start: str, end: str, **more: str) -> list[tuple[str, str]]:
    query = {"serviceId": "visit", "from": f"2030-01-15T{start}:00Z", "to": f"2030-01-15T{end}:00Z", **more}
    status, _, body = world.request("GET", "/availability", queryStringParameters=query)
    assert status == 200, body
    return [(one["startTime"][11:16], one["endTime"][11:16]) for one in body["available"]]


def test_offers_count_from_each_opening_and_end_as_early_as_they_can(world: World) -> None:
    put_service(world, "visit", step(20, "lab", gap={"min": 0, "max": 40}), step(10, "doctor"), stepMinutes=25)
    configure(world, "lab", overrides={"2030-01-15": [{"start": "09:10", "end": "10:30"}]})
    world.book("9:30", "10:00", user="doctor")
    assert offers(world, "08:00", "12:00") == [("09:10", "10:10"), ("09:35", "10:10"), ("10:00", "10:30")]
    assert offers(world, "09:11", "10:29") == [("09:35", "10:10")]
    assert offers(world, "08:00", "12:00", limit="1") == [("09:10", "10:10")]
    world.book("9:50", "9:55", user="anna")
    assert offers(world, "08:00", "12:00", userId="anna") == [("10:00", "10:30")]
    query = {"serviceId": "visit", "from": "2030-01-15T00:00:00Z", "to": "2030-01-16T12:00:00Z", "userId": "anna"}
    status, _, body = world.request("GET", "/availability/days", queryStringParameters=query)
    assert (status, body["days"][0]) == (200, {"date": "2030-01-15", "available": 1})


def test_a_question_reads_each_calendar_once(world: World) -> None:
    doctors, rooms = [f"dr-{n}" for n in range(20)], [f"room-{n}" for n in range(20)]
    put_service(world, "visit", step(30, pools=[doctors, rooms]), stepMinutes=15)
    query = {"serviceId": "visit", "from": "2030-01-15T00:00:00Z", "to": "2030-02-15T00:00:00Z", "limit": "3"}
    world.calls.clear()
    status, _, body = world.request("GET", "/availability", queryStringParameters=query)
    assert (status, len(body["available"])) == (200, 3)
    assert Counter(world.calls) == {"GetItem": 1, "BatchGetItem": 1, "Query": 40}


def test_every_fault_of_a_query_is_named(world: World) -> None:
    query = {"serviceId": "?", "from": "x", "calendarIds": "a", "durationMinutes": "5", "seats": "2", "limit": "0"}
    status, _, body = world.request("GET", "/availability", queryStringParameters=query)
    assert (status, {fault["field"] for fault in body["errors"]}) == (422, {*query, "to"})
    assert not [fault for fault in body["errors"] if fault["message"].startswith("is unknown")]
    query = {"serviceId": "unknown", "from": "2030-01-15T00:00:00Z", "to": "2030-01-16T12:00:00Z"}
    status, _, body = world.request("GET", "/availability", queryStringParameters=query)
    assert (status, [fault["field"] for fault in body["errors"]]) == (422, ["serviceId"])


def some_service(chance: random.Random) -> dict[str, Any]:
    pools = [["a", "b"], ["b", "c"], {"anyOf": ["a", "c"]}]
    steps = []
    count = chance.randint(1, 3)
    for number in range(count):
        gap = {"min": 5 * chance.randint(0, 1), "max": 5 * chance.randint(1, 6)} if number + 1 < count else None
        fixed = chance.choice([(), ("desk",)])
        steps.append(step(5 * chance.randint(1, 4), *fixed, pools=chance.sample(pools, chance.randint(1, 2)), gap=gap))
    buffers = chance.choice([0, 0, 10, {"before": 5, "after": 5}])
    return {"steps": steps, "stepMinutes": 20, "bufferMinutes": buffers, "strictSteps": chance.random() < 0.6}


def some_calendar(world: World, id_: str, chance: random.Random) -> None:
    settings: dict[str, Any] = {"timeZone": chance.choice(["UTC", "Asia/Kolkata", "America/New_York"])}
    if chance.random() < 0.3:
        settings["capacity"] = 2
    if chance.random() < 0.3:
        settings["bufferMinutes"] = {"after": 10}
    if chance.random() < 0.2:
        settings["maxPerDay"] = 2
    if chance.random() < 0.4:
        days = ("monday", "tuesday", "wednesday", "thursday", "friday")
        settings["workingHours"] = {day: [{"start": "00:10", "end": "23:30"}] for day in days}
    configure(world, id_, **settings)
    for number in range(chance.randint(0, 5)):
        start = DAY + timedelta(minutes=480 + 5 * chance.randint(0, 40))
        world.book(text(start), text(start + timedelta(minutes=5 * chance.randint(1, 6))), user=f"{id_}{number}")
        world.book(text(start), text(start + timedelta(minutes=10)), user=f"p-{id_}{number}", resourceIds=[id_])


@pytest.mark.parametrize("seed", range(6))
def test_what_is_offered_is_what_books(world: World, seed: int) -> None:
    chance = random.Random(seed)
    for id_ in ("a", "b", "c", "desk"):
        some_calendar(world, id_, chance)
    world.book("9:00", "9:10", user="anna")
    asked = some_service(chance)
    put_service(world, "visit", *asked.pop("steps"), **asked)
    offered = offers(world, "08:00", "11:40", userId="anna")
    for minutes in range(480, 700, 20 if seed % 2 else 5):
        start = DAY + timedelta(minutes=minutes)
        sent = {"userId": "anna", "serviceId": "visit", "startTime": text(start), "reminders": []}
        # Anna's own request: the steps of a service do not bind a desk.
        status, _, body = world.request(
            "POST", "/appointments", sent, queryStringParameters={"dryRun": "true"}, headers={"X-Acting-For": "anna"}
        )
        found = [end for begin, end in offered if begin == f"{start:%H:%M}"]
        if found:
            assert (status, body.get("endTime", "")[11:16]) == (200, found[0]), body
        elif status == 200 and body["endTime"] <= "2030-01-15T11:40:00Z":
            assert not asked["strictSteps"], "what books is a start of the service, and was not offered"
            assert not on_grid(world, minutes), body
    if offered:
        sent = {"userId": "anna", "serviceId": "visit", "startTime": f"2030-01-15T{offered[0][0]}:00Z"}
        assert world.request("POST", "/appointments", sent)[0] == 201


def on_grid(world: World, minutes: int) -> bool:
    """Whether a start is offered as far as its clock goes: then nothing but what lies there kept it from the list."""
    query = {"serviceId": "visit", "from": text(DAY + timedelta(minutes=minutes)), "userId": "anna"}
    until = text(DAY + timedelta(minutes=minutes + 600))
    status, _, body = world.request("GET", "/availability", queryStringParameters={**query, "to": until})
    assert status == 200
    return text(DAY + timedelta(minutes=minutes)) in [one["startTime"] for one in body["available"]]
