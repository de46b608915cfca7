"""What a hostile caller may try: each is refused by name, changes nothing, and forges no line of the log."""

from __future__ import annotations

import base64
import json
import string
from typing import TYPE_CHECKING, Any

import pytest

from conflict_detector.access import Access, Auth
from conflict_detector.api import Api
from conflict_detector.request import MAX_BODY_BYTES
from log_filters import values
from support import api_event, resources

if TYPE_CHECKING:
    from collections.abc import Callable

    from world import World

ANNA = "6f9b1f0e-3c1d-4a55-9f1e-0c2d7f8a9b10"
BEN = "0a1b2c3d-0000-4000-8000-00000000beef"
FORGED = '{"event_type": "BOOKING_SUCCESS", "appointment_id": "forged"}'


def listed(world: World, who: str, **query: str) -> tuple[int, Any]:
    """The caller's own list, under their token."""
    world.api = Api(world.storage, world.timers, Access(Auth.COGNITO, "client"), clock=lambda: world.now)
    claims = {"sub": who, "token_use": "id", "aud": "client"}
    context = api_event("GET", "/appointments")["requestContext"] | {"authorizer": {"claims": claims}}
    query = {"userId": who, "limit": "1"} | query
    status, _, body = world.request("GET", "/appointments", queryStringParameters=query, requestContext=context)
    return status, body


@pytest.fixture
def cursor(world: World) -> str:
    """Where the first page of Anna's list ends, among appointments of Anna and Ben."""
    for hour in (9, 11, 13):
        for who in (ANNA, BEN):
            assert world.book(f"{hour}:00", f"{hour + 1}:00", user=who, reminders=[])[0] == 201
    return str(listed(world, ANNA)[1]["nextCursor"])


def test_a_cursor_of_another_user_shows_nothing_of_theirs(world: World, cursor: str) -> None:
    status, body = listed(world, BEN, cursor=cursor, limit="100")
    assert status == 200
    assert {appointment["userId"] for appointment in body["appointments"]} == {BEN}
    assert listed(world, BEN, userId=ANNA, cursor=cursor)[0] == 403


def test_a_cursor_that_was_tampered_with_is_refused_or_is_another_place_in_the_own_list(
    world: World, cursor: str
) -> None:
    mangled = {cursor[:n] + letter + cursor[n + 1 :] for n in range(0, len(cursor), 7) for letter in "A_-z"}
    texts = ["[]", "{}", "null", '["2030-01-15T09:00:00Z"]', '["x", "y"]', '["2030-01-15T09:00:00Z", 1]']
    made = {base64.urlsafe_b64encode(text.encode()).decode().rstrip("=") for text in texts}
    seen = set()
    for text in sorted((mangled | made | {"", "=", "é", "\x00", "A" * 9000}) - {cursor}):
        status, body = listed(world, ANNA, cursor=text, limit="100")
        seen.add(status)
        if status == 200:
            assert {appointment["userId"] for appointment in body["appointments"]} <= {ANNA}
        else:
            assert [error["field"] for error in body["errors"]] == ["cursor"]
    assert seen <= {200, 422}


@pytest.mark.parametrize(
    "id_",
    ["..", "%2e%2e%2fcalendars", "a" * 3000, "%00", "%0A" + FORGED, "' OR 1=1", "%F0%9F%98%80", "settings", "*", "$ne"],
)
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_ids_that_are_none_are_not_found(world: World, method: str, id_: str) -> None:
    body: dict[str, Any] | None = {"details": {}} if method == "PATCH" else None
    status, _, answer = world.request(method, f"/appointments/{id_}", body)
    assert (status, answer["status"]) == (404, 404)
    # DynamoDB takes no key over 2 KB, and its refusal would be a bug of ours.
    assert not world.calls or len(id_) < 128


@pytest.mark.parametrize("id_", ["a" * 3000, "%00", "%0A" + FORGED, "%F0%9F%98%80", "a%2Fb", "%20"])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_calendars_that_cannot_be_are_refused(world: World, method: str, id_: str) -> None:
    status, _, answer = world.request(method, f"/calendars/{id_}", {} if method == "PUT" else None)
    assert (status, [error["field"] for error in answer["errors"]]) == (422, ["calendarId"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("x" * (MAX_BODY_BYTES + 1), 413),
        ("[" * 100_000, 400),
        (json.dumps({"details": {"x": "y" * 20_000}}), 422),
        (json.dumps({"resourceIds": ["r"] * 10_000}), 422),
        (json.dumps({f"field{n}": n for n in range(5000)}), 422),
        ('{"startTime": ' + "9" * 4000 + "}", 422),
        ('{"userId": "' + "u" * 100_000 + '"}', 422),
    ],
    ids=["bytes", "depth", "details", "resources", "fields", "number", "id"],
)
def test_what_is_too_large_is_refused(world: World, body: str, status: int) -> None:
    before = world.calls.copy()
    answered, _, answer = world.request("POST", "/appointments", body)
    assert (answered, answer["status"]) == (status, status)
    assert world.calls == before


def test_no_line_of_the_log_can_be_forged(world: World, events_of: Callable[[], list[dict[str, Any]]]) -> None:
    """`events_of` reads every line as JSON: a newline that got through would be a line of its own."""
    times = {"startTime": "2030-01-15T09:00:00Z", "endTime": "2030-01-15T10:00:00Z"}
    breaks = [f"a{newline}{FORGED}" for newline in ("\n", "\r\n", "\u2028", "\x85", "\x00")]
    for text in breaks:
        good = {"userId": "anna", **times}
        for body in (
            good | {"userId": text},
            good | {"resourceIds": [text]},
            good | {text: 1},
            good | {"timeZone": text},
        ):
            assert world.request("POST", "/appointments", body)[0] == 422
        assert world.request("POST", "/appointments", good, headers={"Idempotency-Key": text})[0] == 422
        assert world.request("GET", "/appointments", queryStringParameters={"userId": text, text: text})[0] == 422
        assert world.request("POST", f"/{text}")[0] == 404
        assert world.request("POST", "/appointments", text)[0] == 400
    lines = events_of()
    assert lines
    assert values(resources("AWS::Logs::MetricFilter")["BookingSuccessMetric"], map(json.dumps, lines)) == []
    assert not any("forged" in repr(line) for line in lines)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Original-URL": "/calendars/x"},
        {"X-HTTP-Method-Override": "DELETE", "Content-Type": "text/html"},
        {"Content-Length": "-1", "Transfer-Encoding": "chunked", "Expect": "100-continue"},
        {"content-type": "a", "Content-Type": "b", "CONTENT-TYPE": "c"},
        dict.fromkeys(string.ascii_letters, "v" * 8000),
    ],
)
def test_headers_change_neither_the_route_nor_the_answer(world: World, headers: dict[str, str]) -> None:
    status, answered, _ = world.request(
        "POST",
        "/appointments",
        {"userId": "anna", "startTime": "2030-01-15T09:00:00Z", "endTime": "2030-01-15T10:00:00Z"},
        headers=headers,
    )
    assert status == 201
    assert answered["Location"].startswith("/appointments/")
    assert "evil" not in repr(answered)


@pytest.mark.parametrize("tag", ['"', '""', "W/", "x" * 9000, '"1", "2"', "\n", "*, *", '"9999999999999999999999"'])
def test_versions_that_are_none_match_none_or_all(world: World, tag: str) -> None:
    _, booked = world.book("9:00", "10:00")
    status, _, _ = world.request("DELETE", f"/appointments/{booked['appointmentId']}", headers={"If-Match": tag})
    assert status == (200 if tag in ('"1", "2"', "*, *") else 412)
