"""What lies on many calendars: `GET /appointments?calendarIds=`, by overlap and strongly consistent, on moto."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from appointments.storage import many_calendars
from calendars import configure

if TYPE_CHECKING:
    from world import World

DAY = {"from": "2030-01-15T00:00:00Z", "to": "2030-01-16T00:00:00Z"}


def asked(world: World, tag: str | None = None, **query: str) -> tuple[int, dict[str, Any], Any]:
    headers = {"If-None-Match": tag} if tag else {}
    wanted = {"calendarIds": "dr-lee,room-1"} | DAY | query
    return world.request("GET", "/appointments", queryStringParameters=wanted, headers=headers)


def ids(body: dict[str, Any]) -> list[str]:
    return [one["appointmentId"] for one in body["appointments"]]


def booked(world: World, start: str, end: str, *resources: str, user: str = "anna", **more: Any) -> str:
    status, body = world.book(start, end, user=user, resourceIds=[*resources], reminders=[], **more)
    assert status == 201, body
    return str(body["appointmentId"])


def blocked(world: World, calendar_id: str, start: str, end: str) -> str:
    body = {"startTime": f"2030-01-15T{start}:00Z", "endTime": f"2030-01-15T{end}:00Z"}
    status, _, block = world.request("POST", f"/calendars/{calendar_id}/blocks", body)
    assert status == 201
    return str(block["blockId"])


@pytest.fixture
def day(world: World) -> list[str]:
    """What lies on the 15th on a doctor and a room, by start; and what lies elsewhere or is cancelled."""
    found = [
        booked(world, "2030-01-14T10:00:00Z", "2030-01-15T00:30:00Z", "room-1"),
        booked(world, "09:00", "10:00", "dr-lee", "room-1", user="ben"),
        booked(world, "11:00", "12:00", "dr-lee"),
    ]
    booked(world, "11:00", "12:00", "room-2", user="ben")
    booked(world, "2030-01-16T00:00:00Z", "2030-01-16T01:00:00Z", "dr-lee")
    world.request("DELETE", f"/appointments/{booked(world, '15:00', '16:00', 'dr-lee')}")
    return found


def test_what_lies_on_any_of_them_is_listed_once_by_start(world: World, day: list[str]) -> None:
    status, _, body = asked(world)
    assert (status, ids(body), "nextCursor" in body, "blocks" in body) == (200, day, False, False)
    for appointment in body["appointments"]:
        assert appointment == world.request("GET", f"/appointments/{appointment['appointmentId']}")[2]


def test_calendars_may_be_sent_each_in_a_parameter_of_its_own(world: World, day: list[str]) -> None:
    query = {name: [value] for name, value in DAY.items()} | {"calendarIds": ["dr-lee", "room-1"]}
    _, _, body = world.request("GET", "/appointments", multiValueQueryStringParameters=query)
    assert ids(body) == day


def test_blocks_holds_and_requests_are_there_and_what_has_run_out_is_not(world: World) -> None:
    configure(world, "room-1", approval=True)
    held = booked(world, "08:00", "08:30", "dr-lee", hold={"minutes": 5})
    requested = booked(world, "09:00", "09:30", "room-1")
    blocks = [blocked(world, "room-1", "10:00", "11:00"), blocked(world, "dr-lee", "10:00", "10:30")]
    _, _, body = asked(world)
    assert [(one["appointmentId"], one["status"]) for one in body["appointments"]] == [
        (held, "held"),
        (requested, "requested"),
    ]
    assert {(one["blockId"], one["calendarId"]) for one in body["blocks"]} == {
        (blocks[0], "room-1"),
        (blocks[1], "dr-lee"),
    }
    world.now += timedelta(minutes=6)
    assert ids(asked(world)[2]) == [requested]


def test_an_appointment_of_a_service_is_listed_by_each_calendar_of_its_steps(world: World) -> None:
    steps = [
        {"durationMinutes": 10, "resourceIds": ["lab"]},
        {"durationMinutes": 20, "resourceIds": ["dr-lee"]},
    ]
    assert world.request("PUT", "/services/check-up", {"steps": steps})[0] == 200
    body = {"userId": "anna", "serviceId": "check-up", "startTime": "2030-01-15T09:00:00Z"}
    _, _, visit = world.request("POST", "/appointments", body)
    for calendar_ids, seen in (("lab", True), ("dr-lee", True), ("lab,dr-lee", True), ("room-1", False)):
        assert ids(asked(world, calendarIds=calendar_ids)[2]) == ([visit["appointmentId"]] if seen else [])
    early = {"from": "2030-01-15T09:00:00Z", "to": "2030-01-15T09:10:00Z"}
    assert ids(asked(world, calendarIds="dr-lee", **early)[2]) == []


def test_a_day_is_one_read_of_its_days_and_one_of_its_appointments(world: World, day: list[str]) -> None:
    world.calls.clear()
    asked(world)
    assert world.calls == ["BatchGetItem", "BatchGetItem"]
    world.calls.clear()
    week = {"calendarIds": ",".join(f"room-{n}" for n in range(20)), "to": "2030-01-20T00:00:00Z"}
    assert ids(asked(world, **week)[2])[:2] == day[:2]
    assert world.calls == ["BatchGetItem", "BatchGetItem"]  # 100 days


def test_every_read_is_strongly_consistent(world: World, day: list[str]) -> None:
    sent: list[dict[str, Any]] = []

    def seen(params: dict[str, Any], **_: Any) -> None:
        sent.append(json.loads(params["body"]))

    events = world.dynamodb.meta.events
    events.register("before-call.dynamodb", seen)
    asked(world)
    events.unregister("before-call.dynamodb", seen)
    assert [table["ConsistentRead"] for call in sent for table in call["RequestItems"].values()] == [True, True]


def test_pages_miss_and_repeat_none(world: World, day: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    block = blocked(world, "room-1", "10:30", "11:00")
    monkeypatch.setattr(many_calendars, "MOST", 2)
    _, _, first = asked(world)
    _, _, second = asked(world, cursor=first["nextCursor"])
    assert (ids(first), "blocks" in first) == (day[:2], False)
    assert (ids(second), [one["blockId"] for one in second["blocks"]]) == (day[2:], [block])
    assert "nextCursor" not in second


def test_no_more_is_read_than_an_answer_holds(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_calendars, "BATCH_GET_KEYS", 1)
    monkeypatch.setattr(many_calendars, "MOST_BYTES", 1500)
    large = {"description": "x" * 1000}
    made = [booked(world, f"{hour:02}:00", f"{hour:02}:30", "dr-lee", details=large) for hour in range(8, 12)]
    world.calls.clear()
    _, _, page = asked(world)
    assert (ids(page), world.calls) == (made[:2], ["BatchGetItem"] * 3)
    assert ids(asked(world, cursor=page["nextCursor"])[2]) == made[2:]


@pytest.mark.parametrize("change", ["cancel", "move away", "move within"])
def test_what_changes_between_the_reads_is_as_it_is_now(
    world: World, day: list[str], change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lying = many_calendars._lying

    def then(*arguments: Any) -> Any:
        found = lying(*arguments)
        path = f"/appointments/{day[2]}"
        if change == "cancel":
            world.request("DELETE", path)
        else:
            at = "2030-01-25T11:00:00Z" if change == "move away" else "2030-01-15T18:00:00Z"
            assert world.request("PATCH", path, {"startTime": at})[0] == 200
        return found

    monkeypatch.setattr(many_calendars, "_lying", then)
    _, _, body = asked(world)
    assert ids(body) == (day if change == "move within" else day[:2])
    current = world.request("GET", f"/appointments/{day[2]}")[2]
    assert change != "move within" or current in body["appointments"]


# --- entity tags -----------------------------------------------------------------------------------------


def test_what_is_known_is_not_sent_again(world: World, day: list[str]) -> None:
    status, headers, _ = asked(world)
    tag = headers["ETag"]
    assert status == 200
    assert tag.startswith('W/"')
    for known in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        assert asked(world, known)[0] == 304
    for other in ('"other"', tag.replace('"', ""), f"{tag[:-3]}x{tag[-2:]}"):
        assert asked(world, other)[0] == 200


@pytest.mark.parametrize("change", ["book", "move", "status", "details", "cancel", "block", "unblock"])
def test_every_change_is_told(world: World, day: list[str], change: str) -> None:
    block = blocked(world, "dr-lee", "20:00", "21:00")
    tag = asked(world)[1]["ETag"]
    path = f"/appointments/{day[2]}"
    match change:
        case "book":
            booked(world, "13:00", "13:30", "dr-lee")
        case "move":
            assert world.request("PATCH", path, {"startTime": "2030-01-15T14:00:00Z"})[0] == 200
        case "status":
            assert world.request("PATCH", path, {"status": "arrived"})[0] == 200
        case "details":
            assert world.request("PATCH", path, {"details": {"title": "new"}})[0] == 200
        case "cancel":
            assert world.request("DELETE", path)[0] == 200
        case "block":
            blocked(world, "room-1", "13:00", "14:00")
        case _:
            assert world.request("DELETE", f"/calendars/dr-lee/blocks/{block}")[0] == 200
    status, headers, _ = asked(world, tag)
    assert status == 200
    assert headers["ETag"] != tag
    assert asked(world, headers["ETag"])[0] == 304


# --- queries ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"calendarIds": ""}, {"calendarIds"}),
        ({"calendarIds": "a b,c"}, {"calendarIds[0]"}),
        ({"calendarIds": ",".join(f"c{n}" for n in range(21))}, {"calendarIds"}),
        ({"to": "2030-01-23T00:00:01Z"}, {"to"}),
        ({"to": DAY["from"]}, {"to"}),
        ({"from": "today"}, {"from"}),
        ({"cursor": "x", "limit": "5", "userId": "anna"}, {"cursor", "limit", "userId"}),
    ],
)
def test_bad_queries_name_every_fault(world: World, query: dict[str, str], fields: set[str]) -> None:
    status, _, body = asked(world, **query)
    assert (status, {error["field"] for error in body["errors"]}) == (422, fields)


def test_from_and_to_are_required(world: World) -> None:
    status, _, body = world.request("GET", "/appointments", queryStringParameters={"calendarIds": "dr-lee"})
    assert (status, {error["field"] for error in body["errors"]}) == (422, {"from", "to"})


def test_a_week_and_a_day_of_local_days_may_be_asked_for(world: World) -> None:
    """Eight local days of which one has 25 hours."""
    days = {"from": "2030-10-25T00:00", "to": "2030-11-02T00:00", "timeZone": "Europe/Berlin"}
    assert asked(world, **days)[0] == 200


def test_days_that_are_too_full_are_refused(world: World, day: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appointments.storage.store.MAX_ENTRIES_READ", 2)
    status, _, body = asked(world)
    assert (status, "more than 2 appointments" in body["errors"][0]["message"]) == (422, True)
