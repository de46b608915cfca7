"""Every field of the contract is accepted, stored and answered. A new field fails here until each step is done."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from conflict_detector.appointments.fields import DETAILS_TEXTS
from contract import contract
from services import put_service, step
from support import ROOT

if TYPE_CHECKING:
    from world import World

# A value for each field that a caller can send, and another one to change it to.
BOOKED: dict[str, Any] = {
    "userId": "anna",
    "startTime": "2030-01-15T09:00:00Z",
    "endTime": "2030-01-15T09:30:00Z",
    "timeZone": "America/New_York",
    "resourceIds": ["dr-lee"],
    "anyOf": ["room-1", "room-2"],
    "details": {"title": "Check-up"},
    "reminders": ["2h"],
    "hold": {"minutes": 10},
    "seats": 2,
    "session": {"seats": 12},
    "sessionId": "",  # of a session that the test books
    "serviceId": "check-up",
    "contact": {
        "name": "Anna Weber",
        "email": "anna@example.org",
        "locale": "de-CH",
        "timeZone": "Europe/Zurich",
        "channels": ["email"],
    },
    "ignoreNotice": True,
}
CHANGED: dict[str, Any] = {
    "startTime": "2030-01-15T08:00:00Z",
    "endTime": "2030-01-15T09:45:00Z",
    "timeZone": "Europe/Berlin",
    "resourceIds": ["dr-kim"],
    "details": {"title": "Follow-up"},
    "reminders": ["3h", "30m"],
    "status": "arrived",
    "confirmed": True,
    "seats": 3,
    "session": {"seats": 13},
    "contact": {"phone": "+4915123456789", "channels": []},
    "ignoreNotice": True,
}
# Said of a request alone, and no part of an appointment: tests/functional/test_ignore_notice.py is about it.
OF_THE_REQUEST = {"ignoreNotice"}


def answered(name: str, appointment: dict[str, Any]) -> Any:
    """What an answer shows of a field, in the form in which it was sent."""
    if name == "reminders":
        return [reminder["offset"] for reminder in appointment["reminders"] if reminder["state"] != "skipped"]
    if name == "anyOf":
        return BOOKED["anyOf"] if appointment["assignedCalendarId"] in BOOKED["anyOf"] else None
    if name == "resourceIds":
        return [id_ for id_ in appointment["resourceIds"] if id_ != appointment.get("assignedCalendarId")]
    if name == "hold":
        held_for = datetime.fromisoformat(appointment["expiresAt"]) - datetime.fromisoformat(appointment["createdAt"])
        return {"minutes": held_for / timedelta(minutes=1)}
    if name == "sessionId":
        return BOOKED[name] if re.fullmatch(r"[0-9a-f-]{36}", appointment[name]) else None
    return "confirmedAt" in appointment if name == "confirmed" else appointment[name]


def fields(schema: str) -> set[str]:
    return set(contract()["components"]["schemas"][schema]["properties"])


def book(world: World, name: str = "") -> dict[str, Any]:
    """Book with every field, without those that go with none of the others unless it is the one asked about."""
    alone = {"hold", "session", "sessionId", "serviceId"}
    sent = {field: value for field, value in BOOKED.items() if field not in alone - {name}}
    if name == "session":
        del sent["seats"]
        sent |= {"startTime": "2030-01-17T09:00:00Z", "endTime": "2030-01-17T09:30:00Z"}
    if name == "serviceId":
        put_service(world, "check-up", step(30, "dr-lee"), bufferMinutes=5)
        sent = {field: sent[field] for field in sent if field not in ("endTime", "resourceIds", "anyOf", "seats")}
    if name == "sessionId":
        session = book(world, "session")
        sent = {"userId": "ben", "sessionId": session["appointmentId"]}
    for calendar in ("dr-lee", "dr-kim", "room-1", "room-2"):
        world.request("PUT", f"/calendars/{calendar}", {"capacity": 3})
    if name == "hold":
        sent |= {"startTime": "2030-01-16T09:00:00Z", "endTime": "2030-01-16T09:30:00Z"}
    status, _, body = world.request("POST", "/appointments", sent)
    assert status == 201, body
    assert isinstance(body, dict)
    return body


def read(world: World, appointment: dict[str, Any]) -> dict[str, Any]:
    status, _, body = world.request("GET", f"/appointments/{appointment['appointmentId']}")
    assert status == 200
    assert isinstance(body, dict)
    return body


def test_there_is_a_value_for_every_field() -> None:
    assert BOOKED.keys() == fields("Booking")
    assert CHANGED.keys() == fields("Change")


@pytest.mark.parametrize("name", sorted(BOOKED.keys() - OF_THE_REQUEST))
def test_a_field_is_booked_stored_and_answered(world: World, name: str) -> None:
    appointment = book(world, name)
    assert answered(name, appointment) == BOOKED[name]
    assert answered(name, read(world, appointment)) == BOOKED[name]


@pytest.mark.parametrize("name", sorted(CHANGED.keys() - OF_THE_REQUEST))
def test_a_field_is_changed_stored_and_answered(world: World, name: str) -> None:
    appointment = book(world, "session" if name == "session" else "")
    status, _, changed = world.request("PATCH", f"/appointments/{appointment['appointmentId']}", {name: CHANGED[name]})
    assert status == 200, changed
    assert answered(name, changed) == CHANGED[name]
    assert answered(name, read(world, appointment)) == CHANGED[name]


@pytest.mark.parametrize(("method", "schema"), [("POST", "Booking"), ("PATCH", "Change")])
def test_the_code_accepts_the_fields_of_the_contract_and_no_others(world: World, method: str, schema: str) -> None:
    path = "/appointments" if method == "POST" else f"/appointments/{book(world)['appointmentId']}"
    _, _, refusal = world.request(method, path, {"colour": "red"})
    (message,) = [error["message"] for error in refusal["errors"] if error["field"] == "colour"]
    # The message ends with the names of all fields, separated by commas.
    assert {part.split()[-1] for part in message.split(", ")} == fields(schema)


def test_the_data_model_lists_every_attribute(world: World) -> None:
    appointment = book(world)
    world.request("PATCH", f"/appointments/{appointment['appointmentId']}", {"confirmed": True})
    book(world, "hold")
    world.request("DELETE", f"/appointments/{appointment['appointmentId']}")
    stored = world.storage.appointments.get(appointment["appointmentId"])
    assert stored is not None
    world.storage.appointments.change(stored, replace(stored, version=stored.version + 1, by="desk"))
    book(world, "serviceId")
    world.request("DELETE", f"/appointments/{book(world, 'sessionId')['sessionId']}")
    text = (ROOT / "docs" / "data-model.md").read_text()
    (row,) = re.findall(r"^\| appointment \|.*$", text, re.MULTILINE)
    for item in world.items("AppointmentsTable"):
        assert item.keys() <= set(re.findall(r"`(\w+)`", row))


@pytest.mark.parametrize("name", DETAILS_TEXTS)
def test_what_reminders_show_of_details_is_a_text_as_the_contract_says(world: World, name: str) -> None:
    described = contract()["components"]["schemas"]["Details"]["properties"]
    assert described == {text: {"type": "string"} for text in DETAILS_TEXTS}
    path = f"/appointments/{book(world)['appointmentId']}"
    plain = {field: BOOKED[field] for field in ("userId", "startTime", "endTime")}
    for method, target, body in (("POST", "/appointments", plain), ("PATCH", path, {})):
        for value in (7, None, {"phone": "1"}, ["a"]):
            status, _, refusal = world.request(method, target, body | {"details": {name: value, "mine": value}})
            assert (status, refusal["errors"]) == (422, [{"field": f"details.{name}", "message": "must be a string"}])
