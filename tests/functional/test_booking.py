"""The API on moto: who gets a slot, what is written, what is answered, and what it costs in calls."""

from __future__ import annotations

import base64
import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from appointments.model import DayKey
from overlaps import OVERLAPS, Overlap
from support import api_event, sample_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from world import World

    LogLines = Callable[[], list[dict[str, Any]]]


@pytest.mark.parametrize("case", OVERLAPS)
def test_two_bookings_on_one_calendar(world: World, case: Overlap) -> None:
    assert world.book(*case.busy)[0] == 201
    status, body = world.book(*case.wanted)
    assert status == (201 if case.fits else 409)
    if not case.fits:
        assert {conflict["calendarId"] for conflict in body["conflicts"]} == {"C"}


def test_the_same_interval_on_another_calendar(world: World) -> None:
    assert world.book("9:00", "10:00")[0] == 201
    assert world.book("9:00", "10:00", user="D")[0] == 201


def test_a_shared_room_conflicts_and_only_the_room_is_named(world: World) -> None:
    assert world.book("9:00", "10:00", user="u", resourceIds=["room"])[0] == 201
    status, body = world.book("9:30", "10:30", user="v", resourceIds=["room"])
    assert status == 409
    assert body["conflicts"] == [
        {"calendarId": "room", "startTime": "2030-01-15T09:00:00Z", "endTime": "2030-01-15T10:00:00Z"}
    ]
    assert world.book("9:30", "10:30", user="v")[0] == 201  # nothing of the refused booking was kept


def test_a_booking_answers_with_the_appointment(world: World) -> None:
    status, headers, body = world.request(
        "POST",
        "/appointments",
        {
            "userId": "anna",
            "startTime": "2030-01-15T09:00",
            "endTime": "2030-01-15T10:00",
            "timeZone": "America/New_York",
            "resourceIds": ["dr-lee"],
            "details": {"title": "Check-up 💇", "price": 12.5},
            "reminders": ["1h", "24h"],
        },
    )
    assert status == 201
    assert headers["ETag"] == '"1"'
    assert headers["Location"] == f"/appointments/{body['appointmentId']}"
    pending = {"state": "pending", "sentAt": None, "attempts": 0, "messageId": None}
    assert body == {
        "appointmentId": body["appointmentId"],
        "userId": "anna",
        "startTime": "2030-01-15T14:00:00Z",
        "endTime": "2030-01-15T15:00:00Z",
        "timeZone": "America/New_York",
        "resourceIds": ["dr-lee"],
        "details": {"title": "Check-up 💇", "price": 12.5},
        "reminders": [
            {"offset": "24h", "dueAt": "2030-01-14T14:00:00Z"} | pending,
            {"offset": "1h", "dueAt": "2030-01-15T13:00:00Z"} | pending,
        ],
        "status": "scheduled",
        "version": 1,
        "createdAt": "2029-12-01T12:00:00Z",
        "updatedAt": "2029-12-01T12:00:00Z",
    }
    assert world.request("GET", headers["Location"]) == (
        200,
        {"Content-Type": "application/json", "Cache-Control": "no-store", "ETag": '"1"'},
        body,
    )


def test_23_30_plus_an_hour_ends_on_the_next_date(world: World) -> None:
    status, body = world.book("2030-01-15T23:30:00Z", "2030-01-16T00:30:00Z")
    assert (status, body["endTime"]) == (201, "2030-01-16T00:30:00Z")
    assert {item["day"]["S"] for item in world.items("CalendarsTable")} == {"2030-01-15", "2030-01-16"}


def test_every_day_entry_has_its_appointment_and_an_expiry(world: World) -> None:
    _, body = world.book("2030-01-01T12:00:00Z", "2030-01-03T00:00:00Z", resourceIds=["room"])
    days = world.items("CalendarsTable")
    assert {(item["calendarId"]["S"], item["day"]["S"]) for item in days} == {
        (calendar, day) for calendar in ("C", "room") for day in ("2030-01-01", "2030-01-02")
    }
    for item in days:
        assert f"a#{body['appointmentId']}" in item
        assert int(item["expiresAt"]["N"]) > 0
    (appointment,) = world.items("AppointmentsTable")
    assert int(appointment["expiresAt"]["N"]) > 0


def test_a_booking_makes_one_dynamodb_call_and_then_only_eventbridge_ones(world: World) -> None:
    world.book("9:00", "10:00", resourceIds=["room", "dr"])
    assert world.calls[0] == "TransactWriteItems"
    assert sorted(world.calls[1:]) == ["PutRule", "PutRule", "PutTargets", "PutTargets"]


def test_a_refusal_makes_one_call(world: World) -> None:
    world.book("9:00", "10:00")
    world.calls.clear()
    world.book("9:00", "10:00")
    assert world.calls == ["BatchGetItem"]


def test_a_refusal_reads_again_until_the_day_was_booked_by_the_settings_in_force(world: World) -> None:
    """The day and the settings are read at two moments, and a concurrent change may lie between these."""
    world.book("9:00", "10:00", reminders=[])
    world.request("PUT", "/calendars/C", {"minNoticeMinutes": 5})
    world.calls.clear()
    assert world.book("9:00", "10:00")[0] == 409
    assert world.calls == 2 * ["BatchGetItem"]
    assert world.book("11:00", "12:00", reminders=[])[0] == 201
    world.calls.clear()
    assert world.book("9:00", "10:00")[0] == 409
    assert world.calls == ["BatchGetItem"]


def test_bookings_elsewhere_in_the_day_do_not_get_in_the_way(world: World) -> None:
    """A booking that was decided on an older day still commits when only other quarter hours changed."""
    client: Any = world.storage.database.client
    original = client.transact_write_items

    def slip_in_between(**kwargs: Any) -> Any:
        client.transact_write_items = original
        assert world.book("14:00", "15:00")[0] == 201
        return original(**kwargs)

    client.transact_write_items = slip_in_between
    world.calls.clear()
    assert world.book("9:00", "10:00")[0] == 201
    assert world.calls.count("TransactWriteItems") == 2


@pytest.mark.parametrize("read_first", [True, False])
@pytest.mark.parametrize(("slipped_in", "status"), [(("9:30", "10:30"), 409), (("9:55", "10:00"), 201)])
def test_the_loser_of_a_race_decides_again_on_the_newer_day_without_another_read(
    world: World, slipped_in: tuple[str, str], status: int, *, read_first: bool
) -> None:
    if read_first:  # because something is known to have lain there
        world.storage.memory.touch(DayKey("C", date(2030, 1, 15)), range(36, 44))
    client: Any = world.storage.database.client
    original = client.transact_write_items

    def slip_in_between(**kwargs: Any) -> Any:
        client.transact_write_items = original
        assert world.book(*slipped_in)[0] == 201
        return original(**kwargs)

    client.transact_write_items = slip_in_between
    # 9:55-10:00 lies in the same quarter hour but overlaps nothing: the newer day shows that, exactly.
    assert world.book("9:00", "9:55")[0] == status
    # One read each; without one first, only a refusal asks for it.
    assert world.calls.count("BatchGetItem") == (2 if read_first else int(status == 409))


def test_contention_without_end_is_503_and_writes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, events_of: LogLines
) -> None:
    contend_without_end(world, monkeypatch)
    status, headers, _ = world.request("POST", "/appointments", json.loads(sample_event("booking")["body"]))
    assert (status, headers["Retry-After"]) == (503, "1")
    assert world.items("AppointmentsTable") == world.items("CalendarsTable") == []
    assert [line["event_type"] for line in events_of()] == ["BOOKING_ERROR"]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_change_or_cancel_that_contends_without_end_is_503_and_counted(
    world: World, monkeypatch: pytest.MonkeyPatch, events_of: LogLines, method: str
) -> None:
    _, booked = world.book("9:00", "10:00")
    events_of()
    contend_without_end(world, monkeypatch)
    path = f"/appointments/{booked['appointmentId']}"
    move = {"startTime": "2030-01-15T12:00:00Z", "endTime": "2030-01-15T13:00:00Z"}
    status, headers, _ = world.request(method, path, move if method == "PATCH" else None)
    assert (status, headers["Retry-After"]) == (503, "1")
    assert world.request("GET", path)[2] == booked
    (line,) = events_of()
    assert (line["level"], line["event_type"], line["method"]) == ("WARNING", "BOOKING_ERROR", method)


def contend_without_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on every transaction meets another one, and each look at the clock finds a second gone."""
    ticks = iter(range(100))
    monkeypatch.setattr("conflict_detector.settling.time.monotonic", lambda: next(ticks))
    monkeypatch.setattr("appointments.storage.dynamodb.sleep", lambda _: None)
    monkeypatch.setattr(
        world.storage.database.client,
        "transact_write_items",
        lambda **request: raise_transaction_conflict(world.storage.database.client, len(request["TransactItems"])),
    )


def raise_transaction_conflict(client: Any, actions: int) -> None:
    reasons = [{"Code": "TransactionConflict"}, *[{"Code": "None"}] * (actions - 1)]
    raise client.exceptions.TransactionCanceledException(
        {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}, "TransactWriteItems"
    )


def test_sample_events_answer_as_their_names_say(world: World) -> None:
    statuses = [
        world.api.handle(sample_event(name))["statusCode"]
        for name in ("booking", "conflict", "bad-request", "block", "block", "session", "join", "join")
    ]
    assert statuses == [201, 409, 422, 201, 201, 201, 201, 201]


# --- reminders of a booking --------------------------------------------------------------------------


def test_a_rule_per_reminder_ahead(world: World) -> None:
    _, body = world.book("9:00", "10:00")
    id_ = body["appointmentId"]
    assert world.rules() == {
        f"appointment-reminder-24h-{id_}": "cron(0 9 14 1 ? 2030)",
        f"appointment-reminder-1h-{id_}": "cron(0 8 15 1 ? 2030)",
    }
    (target,) = world.events.list_targets_by_rule(Rule=f"appointment-reminder-1h-{id_}")["Targets"]
    assert target["Arn"].endswith(":reminder-sender")
    assert target["DeadLetterConfig"]["Arn"].endswith(":dead-letters")
    assert "RoleArn" not in target  # a function is opened to rules by its own permission: no role is passed
    assert json.loads(target["Input"]) == {
        "appointmentId": id_,
        "reminder": "1h",
        "dueAt": "2030-01-15T08:00:00Z",
        "correlationId": api_event("POST", "/appointments")["requestContext"]["requestId"],
    }


def test_booked_30_minutes_ahead_no_reminder_is_made_and_nothing_fails(world: World, events_of: LogLines) -> None:
    status, body = world.book("2029-12-01T12:30:00Z", "2029-12-01T13:00:00Z")
    assert (status, body["reminders"], world.rules()) == (201, [], {})
    assert [line["event_type"] for line in events_of()] == ["BOOKING_SUCCESS"]
    assert "PutRule" not in world.calls


@pytest.mark.parametrize("operation", ["PutRule", "PutTargets"])
def test_the_booking_stands_when_eventbridge_refuses(world: World, operation: str, events_of: LogLines) -> None:
    with world.failing(operation):
        status, body = world.book("9:00", "10:00")
    assert (status, len(body["reminders"])) == (201, 2)
    lines = events_of()
    assert [line["event_type"] for line in lines] == [
        "BOOKING_SUCCESS",
        "REMINDER_SCHEDULE_ERROR",
        "REMINDER_SCHEDULE_ERROR",
    ]
    (appointment,) = world.items("AppointmentsTable")
    assert appointment["nextReminderAt"]["S"] == "2030-01-14T09:00:00Z"  # the due index still knows


# --- what is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/appointments/unknown", 404, "appointment-not-found"),
        ("GET", "/", 404, "route-not-found"),
        ("GET", "/nope", 404, "route-not-found"),
        ("GET", "/appointments/", 404, "route-not-found"),
        ("GET", "//appointments", 404, "route-not-found"),
        ("POST", "/Appointments", 404, "route-not-found"),
        ("GET", "/appointments/a/b", 404, "route-not-found"),
        ("PUT", "/appointments", 405, "method-not-allowed"),
        ("OPTIONS", "/appointments/x", 405, "method-not-allowed"),
    ],
)
def test_unknown_things_are_problems(world: World, method: str, path: str, status: int, slug: str) -> None:
    found, headers, body = world.request(method, path)
    assert found == body["status"] == status
    assert headers["Content-Type"] == "application/problem+json"
    assert body["type"].endswith(f"#{slug}")
    assert body["requestId"]
    if status == 405:
        assert headers["Allow"]


def test_bad_input_is_named_logged_and_writes_nothing(world: World, events_of: LogLines) -> None:
    status, headers, body = world.request("POST", "/appointments", {"userId": "a\0", "startTime": 5, "colour": "red"})
    assert status == 422
    assert headers["Content-Type"] == "application/problem+json"
    assert {error["field"] for error in body["errors"]} == {"userId", "startTime", "endTime", "colour"}
    assert world.calls == []
    (line,) = events_of()
    assert line["event_type"] == "BOOKING_REJECTED"


@pytest.mark.parametrize("body", ["", "not json", "{"])
def test_what_is_no_json_is_400(world: World, body: str) -> None:
    assert world.request("POST", "/appointments", body)[0] == 400
    assert world.calls == []


def test_a_body_in_base64_is_read(world: World) -> None:
    body = base64.b64encode(sample_event("booking")["body"].encode()).decode()
    assert world.api.handle(api_event("POST", "/appointments", body, isBase64Encoded=True))["statusCode"] == 201
    assert world.api.handle(api_event("POST", "/appointments", "/w==", isBase64Encoded=True))["statusCode"] == 400


def test_an_event_without_a_context_is_answered(world: World) -> None:
    event = {name: value for name, value in sample_event("booking").items() if name != "requestContext"}
    assert world.api.handle(event)["statusCode"] == 201
    refusal = world.api.handle(event | {"body": "{}"})
    assert json.loads(refusal["body"])["requestId"]


def test_a_bug_answers_500_with_an_id_and_no_internals(world: World, events_of: LogLines) -> None:
    with world.failing("TransactWriteItems", code="ResourceNotFoundException"):
        status, body = world.book("9:00", "10:00")
    assert (status, body["status"]) == (500, 500)
    (line,) = events_of()
    assert line["event_type"] == "BOOKING_ERROR"
    assert line["correlation_id"] == body["requestId"]
    assert "made to fail" not in json.dumps(body)


def test_a_bug_in_a_read_is_counted_as_well_and_told_apart(world: World, events_of: LogLines) -> None:
    with world.failing("GetItem", code="ResourceNotFoundException"):
        assert world.request("GET", "/calendars/room")[0] == 500
    (line,) = events_of()
    assert (line["event_type"], line["method"]) == ("BOOKING_ERROR", "GET")


def test_logs_hold_ids_and_no_details(world: World, events_of: LogLines) -> None:
    details = {"title": "MARKED", "contact": "MARKED", "description": "MARKED"}
    _, booked = world.book("9:00", "10:00", details=details)
    world.book("9:00", "10:00", details=details)
    world.book("9:00", "8:00", details=details, MARKED="MARKED")
    lines = events_of()
    assert "MARKED" not in json.dumps(lines)
    assert booked["appointmentId"] in json.dumps(lines)
    assert {line["event_type"] for line in lines} == {
        "BOOKING_SUCCESS", "BOOKING_CONFLICT", "BOOKING_REJECTED", "REMINDER_SCHEDULED",
    }  # fmt: skip


def test_keys_of_one_request_do_not_leak_into_the_next(world: World, events_of: LogLines) -> None:
    from conflict_detector import app

    class Context:
        function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "x"

    app._api.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "_api", lambda: world.api)
        app.lambda_handler(sample_event("booking"), Context())  # type: ignore[arg-type]
        app.lambda_handler(sample_event("bad-request"), Context())  # type: ignore[arg-type]
    rejected = [line for line in events_of() if line["event_type"] == "BOOKING_REJECTED"]
    assert "appointment_id" not in rejected[0]
    assert "user_id" not in rejected[0]
