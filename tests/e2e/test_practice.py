"""The story of a practice with two doctors and a room, on the deployed stack."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from local import holidays
from support import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

ZONE = "Europe/London"
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday")
SETTINGS = {
    "timeZone": ZONE,
    "workingHours": {day: [{"start": "09:00", "end": "12:00"}, {"start": "13:00", "end": "17:00"}] for day in WEEK},
    "bufferMinutes": {"after": 15},
    "maxDurationMinutes": 60,
    "reminders": [],
}


def test_a_practice_opens_offers_and_books(
    call: Callable[..., Any], calendar_id: str, api_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    doctors, room = [f"{calendar_id}-{name}" for name in ("lee", "kim")], f"{calendar_id}-room"
    for doctor in doctors:
        assert call("PUT", f"/calendars/{doctor}", SETTINGS).status == 200
    assert call("PUT", f"/calendars/{room}", {"capacity": 2}, {"If-Match": '"0"'}).status == 200
    assert call("PUT", f"/calendars/{room}", {"capacity": 3}, {"If-Match": '"0"'}).status == 412

    # Easter Monday is a holiday, and the last Sunday of March changes the clock.
    url = f"{api_url}/calendars/{doctors[0]}"
    assert holidays.main(["GB", "--region", "ENG", "--years", "2030", "--into", url]) == 0
    assert "dates added" in capsys.readouterr().out
    settings = call("GET", f"/calendars/{doctors[0]}")
    assert settings.body["overrides"]["2030-04-22"] == []
    assert settings.body | SETTINGS == settings.body | {"bufferMinutes": {"after": 15}}

    def free(start: str, end: str, **more: str) -> list[dict[str, Any]]:
        query = {"from": start, "to": end, "timeZone": ZONE, "durationMinutes": "60"} | more
        answer = call("GET", f"/availability?{urlencode(query)}")
        assert answer.status == 200, answer
        found: list[dict[str, Any]] = answer.body["available"]
        return found

    everybody = ",".join([*doctors, room])
    friday, monday = (
        [slot["startTime"][11:16] for slot in free(f"{day}T00:00", f"{day}T23:00", calendarIds=everybody)]
        for day in ("2030-03-29", "2030-04-01")
    )
    assert friday == ["09:00", "10:00", "11:00", "13:00", "14:00", "15:00", "16:00"]
    assert monday == ["08:00", "09:00", "10:00", "12:00", "13:00", "14:00", "15:00"]
    easter = free("2030-04-22T00:00", "2030-04-22T23:00", calendarIds=",".join(doctors), mode="any")
    assert {tuple(slot["calendarIds"]) for slot in easter} == {(doctors[1],)}

    def book(person: str, start: str, end: str, **more: Any) -> Any:
        body = {"userId": f"{calendar_id}-{person}", "startTime": start, "endTime": end, "timeZone": ZONE} | more
        return call("POST", "/appointments", body | {"reminders": []})

    refused = book("anna", "2030-04-22T08:30", "2030-04-22T10:00", resourceIds=[doctors[0]])
    assert refused.status == 422
    assert {error["rule"] for error in refused.body["errors"]} == {"workingHours", "maxDurationMinutes"}
    nearest = refused.body["errors"][0]["nearest"]
    assert nearest == {"startTime": "2030-04-23T08:00:00Z", "endTime": "2030-04-23T09:00:00Z"}
    booked = book("anna", nearest["startTime"], nearest["endTime"], resourceIds=[doctors[0]])
    assert booked.status == 201
    # The buffer, and what a change is held to.
    assert book("ben", "2030-04-23T10:00", "2030-04-23T11:00", resourceIds=[doctors[0]]).status == 409
    assert book("ben", "2030-04-23T10:15", "2030-04-23T11:00", resourceIds=[doctors[0]]).status == 201
    path = f"/appointments/{booked.body['appointmentId']}"
    assert call("PATCH", path, {"startTime": "2030-04-22T09:00"}).status == 422
    assert call("PATCH", path, {"endTime": "2030-04-23T09:30"}).status == 200

    # Six ask for either doctor and one of two places in the room, at the same moment.
    asking = [
        partial(book, f"p{n}", "2030-04-24T09:00", "2030-04-24T10:00", resourceIds=[room], anyOf=doctors)
        for n in range(6)
    ]
    answers = at_once(asking)
    assert Counter(answer.status for answer in answers) == {201: 2, 409: 4}
    assert {answer.body["assignedCalendarId"] for answer in answers if answer.status == 201} == set(doctors)
