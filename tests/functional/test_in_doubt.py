"""An answer of DynamoDB gets lost, and what the SDK hears when it repeats the call does not say what was written.

Faults lie below the SDK, so that its own repetitions are at work.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse
from moto.core.models import botocore_stubber

from appointments import aws
from appointments.storage import dynamodb
from appointments.storage.store import Storage
from services import step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from world import World

THROTTLED = {"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slow down"}
AT_WORK = {"__type": "com.amazonaws.dynamodb.v20120810#TransactionInProgressException", "Message": "at work"}
HELD = {
    "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
    "Message": "cancelled",
    "CancellationReasons": [{"Code": "TransactionConflict", "Message": "held"}],
}
ALWAYS = 10**6


@pytest.fixture
def world(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world over a client as the functions have it, which waits for nothing."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(dynamodb, "sleep", lambda _: None)
    client = aws.client("dynamodb")
    world.storage = Storage.of(client, "AppointmentsTable", "CalendarsTable")
    world.api = replace(world.api, storage=world.storage)
    return world


class _Raw:
    def __init__(self, body: bytes) -> None:
        self.body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.body


def _answer(request: Any, status: int, body: dict[str, Any]) -> AWSResponse:
    """An answer in DynamoDB's place. Every handler is called, moto's too, so it gets something else to do."""
    request.headers["X-Amz-Target"] = "DynamoDB_20120810.ListTables"
    request.body = b"{}"
    headers: Any = {"x-amzn-RequestId": "r"}
    return AWSResponse(request.url, status, headers, _Raw(json.dumps(body).encode()))


@contextmanager
def lost(
    world: World,
    operation: str,
    then: dict[str, Any] | None = None,
    *,
    times: int = 2,
    written: bool = True,
    meanwhile: Callable[[], object] = lambda: None,
) -> Iterator[list[str]]:
    """The next call is carried out if it is `written`, and answered with 500; its repetitions are answered `then`."""
    attempts: list[str] = []

    def answer(request: Any, **_: Any) -> Any:
        attempts.append(request.body.decode() if isinstance(request.body, bytes) else request.body)
        number = len(attempts)
        if number == 1:
            if written:
                done: Any = botocore_stubber("before-send", request=request)
                assert done.status_code == 200
            meanwhile()
            return _answer(request, 500, {"__type": "InternalServerError"})
        if then is None or number > times + 1:
            return None
        return _answer(request, 400, then)

    client: Any = world.storage.database.client
    events = client.meta.events
    events.register_first(f"before-send.dynamodb.{operation}", answer)
    try:
        yield attempts
    finally:
        events.unregister(f"before-send.dynamodb.{operation}", answer)


def version_and_body(world: World, path: str, name: str) -> tuple[int, Any]:
    found = world.request("GET", path)[2]
    return found["version"], found.get(name)


# --- a new appointment --------------------------------------------------------------------------------

BODY = {"userId": "C", "startTime": "2030-01-15T09:00:00Z", "endTime": "2030-01-15T10:00:00Z"}


@pytest.mark.parametrize("answer", [THROTTLED, HELD], ids=["throttled", "held"])
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["no key", "key"])
def test_a_booking_that_was_written_is_answered(world: World, answer: dict[str, Any], headers: dict[str, str]) -> None:
    with lost(world, "TransactWriteItems", answer) as attempts:
        status, _, body = world.request("POST", "/appointments", BODY, headers=headers)
    assert (status, [item["appointmentId"]["S"] for item in world.items("AppointmentsTable")]) == (
        201,
        [body["appointmentId"]],
    )
    assert len(attempts) == (3 if answer is THROTTLED else 2)


def test_a_booking_that_was_not_written_says_so(world: World) -> None:
    with lost(world, "TransactWriteItems", THROTTLED, written=False):
        status, _, body = world.request("POST", "/appointments", BODY)
    assert (status, body["detail"][:20], world.items("AppointmentsTable")) == (503, "Nothing was written.", [])


@pytest.mark.parametrize("written", [True, False])
def test_whoever_cannot_find_out_says_that_it_is_unknown(world: World, written: bool) -> None:
    with (
        lost(world, "TransactWriteItems", THROTTLED, written=written),
        lost(world, "GetItem", THROTTLED, written=False),
    ):
        status, headers, body = world.request("POST", "/appointments", BODY)
    assert (status, headers["Retry-After"], body["type"]) == (503, "1", "/docs#calendar-busy")
    assert body["detail"].startswith("It is unknown whether this was written. Read it")
    assert len(world.items("AppointmentsTable")) == written


def test_a_transaction_that_is_at_work_to_the_end_is_unknown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dynamodb, "PAUSES", ())
    monkeypatch.setattr("conflict_detector.settling.DECIDE_WITHIN", 0.001)
    with lost(world, "TransactWriteItems", AT_WORK, written=False, times=ALWAYS):
        status, _, body = world.request("POST", "/appointments", BODY)
    assert (status, body["detail"][:16]) == (503, "It is unknown wh")


def test_nothing_is_read_where_nothing_fails(world: World) -> None:
    world.calls.clear()
    calls: list[str] = []
    world.storage.database.client.meta.events.register("before-call", lambda model, **_: calls.append(model.name))
    assert world.book("9:00", "10:00", reminders=[])[0] == 201
    assert calls == ["TransactWriteItems"]


def test_a_block_that_was_placed_or_removed_is_answered(world: World) -> None:
    body = {"startTime": "2030-01-15T09:00:00Z", "endTime": "2030-01-15T10:00:00Z"}
    with lost(world, "TransactWriteItems", THROTTLED):
        status, _, placed = world.request("POST", "/calendars/C/blocks", body)
    assert status == 201
    with lost(world, "TransactWriteItems", THROTTLED):
        status, _, _ = world.request("DELETE", f"/calendars/C/blocks/{placed['blockId']}")
    assert status == 200
    assert world.book("9:00", "10:00")[0] == 201


# --- a change -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [THROTTLED, HELD], ids=["throttled", "held"])
@pytest.mark.parametrize(
    ("operation", "change"),
    [("TransactWriteItems", {"startTime": "2030-01-15T12:00:00Z"}), ("UpdateItem", {"details": {"note": "a"}})],
    ids=["move", "details"],
)
def test_a_change_that_was_written_is_answered(
    world: World, operation: str, change: dict[str, Any], answer: dict[str, Any]
) -> None:
    if operation == "UpdateItem" and answer is HELD:
        answer = {"__type": "com.amazonaws.dynamodb.v20120810#TransactionConflictException", "message": "held"}
    path = f"/appointments/{world.book('9:00', '10:00')[1]['appointmentId']}"
    with lost(world, operation, answer, times=ALWAYS):
        status, _, changed = world.request("PATCH", path, change, headers={"If-Match": '"1"'})
    assert (status, changed["version"]) == (200, 2)
    assert version_and_body(world, path, next(iter(change))) == (2, next(iter(change.values())))


def test_the_next_attempt_of_a_move_knows_what_an_earlier_one_wrote(world: World) -> None:
    """Even where DynamoDB said that it wrote nothing: the version is its own, and no reason for 412."""
    path = f"/appointments/{world.book('9:00', '10:00')[1]['appointmentId']}"
    once = iter([True])

    def deny(**_: Any) -> None:
        if next(once, False):
            refused = {"Error": {"Code": "TransactionCanceledException", "Message": ""}}
            refused |= {"CancellationReasons": [{"Code": "TransactionConflict"}]}  # type: ignore[dict-item]
            raise client.exceptions.TransactionCanceledException(refused, "TransactWriteItems")

    client: Any = world.storage.database.client
    client.meta.events.register("after-call.dynamodb.TransactWriteItems", deny)
    status, _, moved = world.request("PATCH", path, {"startTime": "2030-01-15T12:00:00Z"}, headers={"If-Match": '"1"'})
    assert (status, moved["version"], moved["startTime"]) == (200, 2, "2030-01-15T12:00:00Z")


def test_a_cancellation_that_was_written_is_answered(world: World) -> None:
    path = f"/appointments/{world.book('9:00', '10:00')[1]['appointmentId']}"
    with lost(world, "TransactWriteItems", THROTTLED):
        status, _, cancelled = world.request("DELETE", path, headers={"If-Match": '"1"'})
    assert (status, cancelled["status"], cancelled["version"]) == (200, "cancelled", 2)


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("headers", [{}, {"If-Match": '"1"'}], ids=["any version", "If-Match"])
def test_a_repeated_change_of_details_does_not_come_over_a_later_one(
    world: World,
    headers: dict[str, str],
    written: bool,
) -> None:
    """A is written, B builds on it, and A's call comes again: B's stays, and A is not told that nothing was written."""
    path = f"/appointments/{world.book('9:00', '10:00')[1]['appointmentId']}"

    def others() -> None:
        assert world.request("PATCH", path, {"details": {"note": "b"}})[0] == 200

    with lost(world, "UpdateItem", meanwhile=others, written=written):
        status, _, body = world.request("PATCH", path, {"details": {"note": "a"}}, headers=headers)
    if written:
        assert (status, body["detail"][:16]) == (503, "It is unknown wh")
        assert version_and_body(world, path, "details") == (3, {"note": "b"})
    else:
        # The version after the one that it was over is somebody else's: it was not written.
        assert status == (412 if headers else 200)


# --- what is configured -------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"If-Match": '"1"'}], ids=["any version", "If-Match"])
def test_settings_that_were_written_are_answered(world: World, headers: dict[str, str]) -> None:
    world.request("PUT", "/calendars/c", {"capacity": 9})
    with lost(world, "UpdateItem", THROTTLED):
        status, _, body = world.request("PUT", "/calendars/c", {"capacity": 2}, headers=headers)
    assert (status, body["version"], body["capacity"]) == (200, 2, 2)
    with lost(world, "UpdateItem", THROTTLED, written=False):
        status, _, body = world.request("PUT", "/calendars/c", {"capacity": 3})
    assert (status, body["detail"][:20]) == (503, "Nothing was written.")


@pytest.mark.parametrize("then", [None, THROTTLED], ids=["carried out", "throttled"])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/calendars/c", "/services/s"])
def test_repeated_settings_do_not_come_over_later_ones(
    world: World, path: str, method: str, then: dict[str, Any] | None
) -> None:
    bodies: list[dict[str, Any]] = [{"capacity": number} for number in (9, 2, 3)]
    if path == "/services/s":
        bodies = [{"steps": [step(5 * number)]} for number in (9, 2, 3)]
    elif method == "DELETE":
        return
    world.request("PUT", path, bodies[0])

    def others() -> None:
        assert world.request("PUT", path, bodies[2], headers={"If-Match": '"2"'})[0] == 200

    with lost(world, "UpdateItem", then, meanwhile=others):
        status, _, body = world.request(method, path, bodies[1] if method == "PUT" else None)
    assert (status, body["detail"][:16]) == (503, "It is unknown wh")
    name, value = next(iter(bodies[2].items()))
    kept_version, kept = version_and_body(world, path, name)
    assert kept_version == 3
    assert kept == value or kept[0]["durationMinutes"] == 15


def test_settings_without_a_version_win_over_others_of_the_same_moment(world: World) -> None:
    def others() -> None:
        assert world.request("PUT", "/calendars/c", {"capacity": 3})[0] == 200

    with lost(world, "UpdateItem", meanwhile=others, written=False):
        status, _, body = world.request("PUT", "/calendars/c", {"capacity": 2})
    assert (status, body["version"], body["capacity"]) == (200, 2, 2)
