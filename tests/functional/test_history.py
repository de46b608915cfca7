"""The history of an appointment over HTTP: complete and in order; and events as the contract has them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from appointments.events import EVENT_TYPES
from contract import closed, contract, validator
from reaching.refusals import NotSentError
from relaying import Relaying
from services import step

if TYPE_CHECKING:
    from world import World


@pytest.fixture
def relaying(world: World) -> Relaying:
    return Relaying(world)


def history(world: World, appointment: dict[str, Any], **query: str) -> Any:
    path = f"/appointments/{appointment['appointmentId']}/history"
    status, _, body = world.request("GET", path, queryStringParameters=query or None)
    assert status == 200, body
    return body


def test_every_version_is_told_in_order(relaying: Relaying) -> None:
    world = relaying.world
    _, mine = world.book("9:00", "9:30", reminders=[])
    path = f"/appointments/{mine['appointmentId']}"
    assert history(world, mine) == {"history": []}
    for number in range(10):
        assert world.request("PATCH", path, {"details": {"title": f"SECRET {number}"}})[0] == 200
    world.request("DELETE", path)
    relaying.run()
    answer = history(world, mine)
    assert [one["version"] for one in answer["history"]] == list(range(1, 13))
    types = [one["type"] for one in answer["history"]]
    assert types == ["appointment.booked", *["appointment.changed"] * 10, "appointment.cancelled"]
    assert answer["history"][5]["changes"] == {"details": {}}
    assert answer["history"][11]["changes"] == {"status": {"from": "scheduled", "to": "cancelled"}}
    assert "SECRET" not in json.dumps(answer)
    # In upper case it is the same appointment.
    assert history(world, {"appointmentId": mine["appointmentId"].upper()}) == answer


def test_a_long_history_has_pages(relaying: Relaying, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appointments.storage.history.PAGE_BYTES", 500)
    world = relaying.world
    _, mine = world.book("9:00", "9:30")
    for number in range(10):
        world.request("PATCH", f"/appointments/{mine['appointmentId']}", {"details": {"title": str(number)}})
    relaying.run()
    found: list[int] = []
    query: dict[str, str] = {}
    for _ in range(12):
        page = history(world, mine, **query)
        found += [one["version"] for one in page["history"]]
        if "nextCursor" not in page:
            break
        query = {"cursor": page["nextCursor"]}
    assert found == list(range(1, 12))
    assert query


@pytest.mark.parametrize("cursor", ["x", "WyIyIiwiMyJd", "WyItMSJd", "W1tbXQ", "WyIyMiJd" + "A" * 300])
def test_what_is_no_cursor_is_refused(world: World, cursor: str) -> None:
    _, mine = world.book("9:00", "9:30")
    path = f"/appointments/{mine['appointmentId']}/history"
    status, _, body = world.request("GET", path, queryStringParameters={"cursor": cursor})
    assert (status, [fault["field"] for fault in body["errors"]]) == (422, ["cursor"])


def test_what_there_is_not_has_no_history(world: World) -> None:
    for id_ in ("0f000000-0000-4000-8000-000000000000", "x"):
        assert world.request("GET", f"/appointments/{id_}/history")[0] == 404


# --- events, as the contract has them ----------------------------------------------------------------------


def everything(world: World) -> None:
    """Whatever an event can tell of: every type of a change, a service, a session, reminders, settings."""
    world.request(
        "PUT", "/calendars/dr-lee", {"capacity": 5, "workingHours": {"tuesday": [{"start": "00:00", "end": "24:00"}]}}
    )
    world.request("PUT", "/calendars/dr-kim", {"approval": True})
    world.request("PUT", "/services/check-up", {"steps": [step(30, "dr-lee")], "bufferMinutes": 5})
    world.request("DELETE", "/services/check-up")
    world.request("PUT", "/services/check-up", {"steps": [step(30, "dr-lee")], "title": "Check-up"})
    service = {"userId": "anna", "serviceId": "check-up", "startTime": "2030-01-15T08:00:00Z"}
    assert world.request("POST", "/appointments", service)[0] == 201
    times = {"startTime": "2030-01-16T09:00:00Z", "endTime": "2030-01-16T09:30:00Z"}
    session = world.request("POST", "/appointments", {"userId": "coach", "session": {"seats": 3}} | times)[2]
    world.request("POST", "/appointments", {"userId": "dora", "sessionId": session["appointmentId"]})
    requests = [
        world.book(start, f"{start[:-2]}30", user="ben", resourceIds=["dr-kim"])[1] for start in ("9:00", "10:00")
    ]
    for request, status in zip(requests, ("scheduled", "declined"), strict=True):
        assert world.request("PATCH", f"/appointments/{request['appointmentId']}", {"status": status})[0] == 200
    world.book("9:00", "9:30", user="ella", hold={"minutes": 1})
    _, mine = world.book(
        "9:00", "9:30", user="carla", timeZone="Europe/Berlin", anyOf=["room-1"], reminders=["1h", "2h"]
    )
    path = f"/appointments/{mine['appointmentId']}"
    for change in ({"confirmed": True}, {"startTime": "2030-01-15T12:00:00Z"}, {"details": {"title": "x"}}):
        mine = world.request("PATCH", path, change)[2]
    with world.failing("Publish"), pytest.raises(NotSentError):
        world.fire(mine, "2h")
    world.fire(mine, "2h")
    world.fire(mine, "1h")
    for status in ("arrived", "completed", "no_show"):
        if status != "arrived":
            world.now = world.now.replace(hour=13)
        world.request("PATCH", path, {"status": status})
        if status == "completed":
            world.request("PATCH", path, {"status": "scheduled"})
    world.request("DELETE", f"/appointments/{session['appointmentId']}")
    world.sweep()  # holds expire, and what has begun was missed


def test_every_event_is_as_the_contract_has_it(relaying: Relaying) -> None:
    everything(relaying.world)
    assert relaying.run() == []
    heard = relaying.heard()
    webhooks = contract()["webhooks"]
    assert set(webhooks) == set(EVENT_TYPES)
    for event in heard:
        schema = webhooks[event["type"]]["post"]["requestBody"]["content"]["application/json"]["schema"]
        message = {"type": event["type"], "timestamp": event["time"], "data": event}
        validator(schema, closed()).validate(message)
        other = next(type_ for type_ in EVENT_TYPES if type_ != event["type"])
        assert not validator(schema, closed()).is_valid(message | {"type": other})
    assert {event["type"] for event in heard} == set(EVENT_TYPES)
