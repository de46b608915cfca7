"""Change, cancel and repeat: PATCH, DELETE, If-Match, Idempotency-Key and dryRun on moto."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from appointments.storage.appointment_items import appointment_from_item
from appointments.storage.appointments import AppointmentChangedError
from log_filters import values
from support import api_event, inconsistencies, resources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from world import World

    LogLines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _consistent(world: World) -> Iterator[None]:
    """Whatever a test does, both tables agree afterwards."""
    yield
    assert inconsistencies(world.dynamodb, "AppointmentsTable", "CalendarsTable") == []


@pytest.fixture
def booked(world: World) -> dict[str, Any]:
    status, body = world.book("11:30", "12:30", user="anna", resourceIds=["dr-lee"])
    assert status == 201
    return body


def path(appointment: dict[str, Any]) -> str:
    return f"/appointments/{appointment['appointmentId']}"


def patch(world: World, appointment: dict[str, Any], body: object, **headers: str) -> tuple[int, Any]:
    status, _, answer = world.request("PATCH", path(appointment), body, headers=headers)
    return status, answer


def delete(world: World, appointment: dict[str, Any], **headers: str) -> tuple[int, Any]:
    status, _, answer = world.request("DELETE", path(appointment), headers=headers)
    return status, answer


def at(clock: str) -> str:
    return f"2030-01-15T{clock}:00Z"


def names(lines: list[dict[str, Any]]) -> list[str]:
    return [line["event_type"] for line in lines if "event_type" in line]


# --- reschedule --------------------------------------------------------------------------------------


def test_a_move_does_not_conflict_with_itself(world: World, booked: dict[str, Any]) -> None:
    status, headers, moved = world.request("PATCH", path(booked), {"startTime": at("11:45"), "endTime": at("12:45")})
    assert (status, headers["ETag"], moved["version"]) == (200, '"2"', 2)
    assert (moved["startTime"], moved["endTime"]) == (at("11:45"), at("12:45"))
    assert world.request("GET", path(booked))[2] == moved


def test_the_old_slot_is_free_and_the_new_one_taken(world: World, booked: dict[str, Any]) -> None:
    assert patch(world, booked, {"startTime": "2030-01-17T23:30:00Z"})[0] == 200
    assert world.book("11:30", "12:30", user="dr-lee")[0] == 201
    assert world.book("2030-01-18T00:15:00Z", "2030-01-18T00:45:00Z", user="dr-lee")[0] == 409


def test_moves_are_counted_whether_they_are_done_or_refused(
    world: World, booked: dict[str, Any], events_of: LogLines
) -> None:
    """The success rate rests on it, which takes refused moves for conflicts."""
    world.book("14:00", "15:00", user="dr-lee")
    events_of()
    for hour in (8, 9, 10, 15):
        assert patch(world, booked, {"startTime": at(f"{hour:02}:00"), "endTime": at(f"{hour + 1:02}:00")})[0] == 200
    assert patch(world, booked, {"startTime": at("14:00"), "endTime": at("15:00")})[0] == 409
    messages = [json.dumps(line) for line in events_of()]
    filters = resources("AWS::Logs::MetricFilter")
    counted = {
        name: len(values(filters[f"{name}Metric"], messages)) for name in ("AppointmentRescheduled", "BookingConflict")
    }
    assert counted == {"AppointmentRescheduled": 4, "BookingConflict": 1}


def test_a_move_onto_a_busy_slot_leaves_everything_as_it_was(world: World, booked: dict[str, Any]) -> None:
    world.book("14:00", "15:00", user="dr-lee")
    before, rules = (world.items("AppointmentsTable"), world.items("CalendarsTable")), world.rules()
    status, refusal = patch(world, booked, {"startTime": at("14:30")})
    assert status == 409
    assert refusal["conflicts"] == [{"calendarId": "dr-lee", "startTime": at("14:00"), "endTime": at("15:00")}]
    assert (world.items("AppointmentsTable"), world.items("CalendarsTable")) == before
    assert world.rules() == rules


def test_start_alone_keeps_the_length_and_end_alone_the_start(world: World, booked: dict[str, Any]) -> None:
    _, moved = patch(world, booked, {"startTime": at("15:00")})
    assert (moved["startTime"], moved["endTime"]) == (at("15:00"), at("16:00"))
    _, longer = patch(world, booked, {"endTime": at("17:00")})
    assert (longer["startTime"], longer["endTime"]) == (at("15:00"), at("17:00"))


def test_other_resources_are_a_move_as_well(world: World, booked: dict[str, Any]) -> None:
    world.book("12:00", "13:00", user="room-1")
    assert patch(world, booked, {"resourceIds": ["dr-lee", "room-1"]})[0] == 409
    assert patch(world, booked, {"resourceIds": ["room-2"]})[0] == 200
    assert world.book("11:30", "12:30", user="dr-lee")[0] == 201
    assert world.book("11:30", "12:30", user="room-2")[0] == 409


def test_a_move_costs_two_reads_and_one_transaction(world: World, booked: dict[str, Any]) -> None:
    world.calls.clear()
    patch(world, booked, {"startTime": at("15:00"), "reminders": []})
    assert world.calls[:3] == ["GetItem", "BatchGetItem", "TransactWriteItems"]


def test_a_local_start_is_read_in_the_zone_that_is_kept(world: World) -> None:
    _, booked = world.book("2030-01-15T09:00", "2030-01-15T10:00", timeZone="America/New_York")
    _, moved = patch(world, booked, {"startTime": "2030-07-15T09:00"})
    assert (moved["startTime"], moved["timeZone"]) == ("2030-07-15T13:00:00Z", "America/New_York")


def test_a_zone_that_is_not_known_any_more_matters_only_to_a_local_time(world: World) -> None:
    _, booked = world.book("2030-01-15T09:00", "2030-01-15T10:00", timeZone="America/New_York", resourceIds=["dr-lee"])
    world.dynamodb.update_item(
        TableName="AppointmentsTable",
        Key={"appointmentId": {"S": booked["appointmentId"]}},
        UpdateExpression="SET #zone = :lost",
        ExpressionAttributeNames={"#zone": "timeZone"},
        ExpressionAttributeValues={":lost": {"S": "America/Atlantis"}},
    )
    status, changed = patch(world, booked, {"details": {"title": "New"}, "resourceIds": ["dr-kim"], "reminders": []})
    assert (status, changed["timeZone"]) == (200, "America/Atlantis")
    assert (changed["startTime"], changed["details"]) == (booked["startTime"], {"title": "New"})
    assert "wallStart" in world.items("AppointmentsTable")[0]

    status, refusal = patch(world, booked, {"startTime": "2030-01-16T09:00", "endTime": "2030-02-30T10:00"})
    assert status == 422
    assert {fault["field"]: fault["message"] for fault in refusal["errors"]} == {
        "startTime": "is a local time of America/Atlantis, the appointment's own zone, which is not known any more: "
        "add an offset (Z or e.g. -05:00), or send `timeZone`",
        "endTime": "is not a valid date and time: day is out of range for month",
    }
    assert patch(world, booked, {"endTime": "2030-01-15T11:00:00-05:00"})[0] == 200
    assert "wallStart" not in world.items("AppointmentsTable")[0]
    status, moved = patch(world, booked, {"startTime": "2030-01-16T09:00", "timeZone": "America/New_York"})
    assert (status, moved["startTime"], moved["endTime"]) == (200, "2030-01-16T14:00:00Z", "2030-01-16T16:00:00Z")


def test_details_change_without_touching_the_calendars(world: World, booked: dict[str, Any]) -> None:
    world.calls.clear()
    status, changed = patch(world, booked, {"details": {"title": "New"}})
    assert (status, changed["details"], changed["version"]) == (200, {"title": "New"}, 2)
    assert world.calls == ["GetItem", "UpdateItem"]
    assert changed["reminders"] == booked["reminders"]


def test_an_appointment_that_has_begun_can_be_made_longer_but_not_moved_back(
    world: World, booked: dict[str, Any]
) -> None:
    world.now = datetime.fromisoformat(at("12:00"))
    assert patch(world, booked, {"endTime": at("13:00")})[0] == 200
    status, shorter = patch(world, booked, {"startTime": booked["startTime"], "endTime": at("12:15")})
    assert (status, shorter["endTime"]) == (200, at("12:15"))
    status, refusal = patch(world, booked, {"startTime": at("11:00")})
    assert (status, refusal["errors"][0]["field"]) == (422, "startTime")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {""}),
        ({"userId": "ben"}, {"userId"}),
        ({"endTime": "2030-01-15T11:30:00Z"}, {"endTime"}),
        ({"startTime": "2029-01-01T00:00:00Z", "reminders": ["x"]}, {"startTime", "reminders[0]"}),
        ({"timeZone": "Mars/Olympus", "details": 1}, {"timeZone", "details"}),
        ({"colour": 1, "endTime": "2030-01-15T11:30:00Z"}, {"colour", "endTime"}),
        ({"startTime": "2029-01-01T10:00:00Z", "endTime": "2029-01-01T10:00:00Z"}, {"startTime", "endTime"}),
    ],
)
def test_bad_changes_name_every_fault(
    world: World, booked: dict[str, Any], body: object, fields: set[str], events_of: LogLines
) -> None:
    events_of()
    status, refusal = patch(world, booked, body)
    assert (status, {error["field"] for error in refusal["errors"]}) == (422, fields)
    assert world.request("GET", path(booked))[2] == booked
    assert names(events_of()) == ["BOOKING_REJECTED"]


def test_what_is_unknown_or_cancelled_does_not_change(world: World, booked: dict[str, Any]) -> None:
    assert patch(world, {"appointmentId": "unknown"}, {"details": {}})[0] == 404
    delete(world, booked)
    bodies: list[dict[str, Any]] = [{"startTime": at("15:00")}, {"details": {}, "reminders": []}, {}]
    for body in bodies:
        status, refusal = patch(world, booked, body)
        assert (status, refusal["type"]) == (409, "/docs#appointment-cancelled")


def test_personal_data_of_a_cancelled_appointment_can_be_removed(world: World, booked: dict[str, Any]) -> None:
    patch(world, booked, {"details": {"phone": "+1 555 0100"}})
    _, cancelled = delete(world, booked)
    assert cancelled["details"]
    status, emptied = patch(world, booked, {"details": {}})
    assert (status, emptied["details"], emptied["status"], emptied["version"]) == (200, {}, "cancelled", 4)
    (stored,) = world.items("AppointmentsTable")
    assert (stored["details"]["S"], "nextReminderAt" in stored) == ("{}", False)
    assert emptied["reminders"] == cancelled["reminders"]
    assert world.book("11:30", "12:30", user="anna")[0] == 201  # it occupies nothing, as before


@pytest.mark.parametrize("start", ["9999-12-31T23:59:59Z", "2199-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_a_move_out_of_all_time(world: World, booked: dict[str, Any], start: str) -> None:
    status, refusal = patch(world, booked, {"startTime": start})
    assert (status, refusal["errors"][0]["field"]) == (422, "startTime")


def test_an_id_in_upper_case_is_the_same_appointment(world: World, booked: dict[str, Any]) -> None:
    loud = f"/appointments/{booked['appointmentId'].upper()}"
    assert world.request("GET", loud)[2] == booked
    status, _, moved = world.request("PATCH", loud, {"startTime": at("15:00")})
    assert (status, moved["appointmentId"], moved["version"]) == (200, booked["appointmentId"], 2)
    assert world.request("DELETE", loud)[2]["status"] == "cancelled"
    assert len(world.items("AppointmentsTable")) == 1


def test_a_parameter_that_means_something_elsewhere_changes_nothing(world: World, booked: dict[str, Any]) -> None:
    for method, body in (("PATCH", {"startTime": at("15:00"), "userId": "ben"}), ("DELETE", None), ("GET", None)):
        query = {"queryStringParameters": {"dryRun": "true"}}
        status, _, refusal = world.request(method, path(booked), body, **query)
        fields = {error["field"] for error in refusal["errors"]}
        assert (status, fields) == (422, {"dryRun", "userId"} if body else {"dryRun"})
    assert world.request("GET", path(booked))[2] == booked


@pytest.mark.parametrize("id_", ["unknown", "x" * 3000, "%00", "0f000000-0000-4000-8000-00000000000\u0131"])
def test_an_id_that_can_be_none_is_looked_up_nowhere(world: World, id_: str) -> None:
    for method, body in (("GET", None), ("PATCH", {"details": {}}), ("DELETE", None)):
        status, _, refusal = world.request(method, f"/appointments/{id_}", body)
        assert (status, refusal["type"]) == (404, "/docs#appointment-not-found")
    assert world.calls == []


# --- cancel ------------------------------------------------------------------------------------------


def test_a_cancelled_slot_is_free_at_once_also_for_the_same_person(
    world: World, booked: dict[str, Any], events_of: LogLines
) -> None:
    events_of()
    world.calls.clear()
    status, headers, answer = world.request("DELETE", path(booked))
    assert (status, answer["status"], headers["ETag"]) == (200, "cancelled", '"2"')
    assert world.calls[:2] == ["GetItem", "TransactWriteItems"]
    assert set(world.calls[2:]) == {"RemoveTargets", "DeleteRule"}
    assert names(events_of()) == ["APPOINTMENT_CANCELLED", "RULE_CLEANED", "RULE_CLEANED"]
    assert world.book("11:30", "12:30", user="anna", resourceIds=["dr-lee"])[0] == 201


def test_delete_twice(world: World, booked: dict[str, Any], events_of: LogLines) -> None:
    first = delete(world, booked)
    events_of()
    assert delete(world, booked) == first
    assert events_of() == []
    assert delete(world, {"appointmentId": "unknown"})[0] == 404


def test_a_cancelled_appointment_reminds_nobody_and_leaves_no_rule(world: World, booked: dict[str, Any]) -> None:
    _, answer = delete(world, booked)
    assert [reminder["state"] for reminder in answer["reminders"]] == ["skipped", "skipped"]
    assert world.rules() == {}
    world.fire(booked, "24h")
    world.fire(booked, "1h")
    assert world.inbox() == []
    (item,) = world.items("AppointmentsTable")
    assert "nextReminderAt" not in item


def test_a_cancel_stands_when_eventbridge_refuses_and_the_rule_sends_nothing(
    world: World, booked: dict[str, Any], events_of: LogLines
) -> None:
    with world.failing("DeleteRule"):
        assert delete(world, booked)[0] == 200
    assert names(events_of())[-2:] == ["REMINDER_SCHEDULE_ERROR", "REMINDER_SCHEDULE_ERROR"]
    world.fire(booked, "24h")
    world.fire(booked, "1h")
    assert (world.inbox(), world.rules()) == ([], {})


@pytest.mark.parametrize("buffer", [0, 1440])
def test_a_calendar_day_that_has_expired_is_not_kept_forever(world: World, booked: dict[str, Any], buffer: int) -> None:
    """A cancel takes an entry out of a day that is gone; so does a move, whose buffer reaches into it or not."""
    world.request("PUT", "/calendars/anna", {"bufferMinutes": {"after": buffer}})
    keys = [{"calendarId": {"S": id_}, "day": {"S": "2030-01-15"}} for id_ in ("anna", "dr-lee")]
    acts: list[Callable[[], tuple[int, Any]]] = [
        lambda: patch(world, booked, {"startTime": "2030-01-16T11:30:00Z"}),
        lambda: delete(world, booked),
    ]
    for act in acts:
        for key in keys:
            world.dynamodb.delete_item(TableName="CalendarsTable", Key=key)
        assert act()[0] == 200
        days = [item for item in world.items("CalendarsTable") if item["day"]["S"] != "settings"]
        assert {int(day["expiresAt"]["N"]) > 0 for day in days} == {True}
        keys = [{name: day[name] for name in ("calendarId", "day")} for day in days]


# --- reminders follow a move -------------------------------------------------------------------------


def test_rules_follow_a_move_and_only_the_new_time_is_reminded(world: World, booked: dict[str, Any]) -> None:
    _, moved = patch(world, booked, {"startTime": "2030-02-20T11:30:00Z"})
    id_ = booked["appointmentId"]
    assert world.rules() == {
        f"appointment-reminder-24h-{id_}": "cron(30 11 19 2 ? 2030)",
        f"appointment-reminder-1h-{id_}": "cron(30 10 20 2 ? 2030)",
    }
    world.fire(booked, "1h")  # the old rule fires all the same
    assert world.inbox() == []
    assert len(world.rules()) == 2
    world.fire(moved, "1h")
    (delivered,) = world.inbox()
    assert json.loads(delivered["Message"])["startTime"] == "2030-02-20T11:30:00Z"


def test_moved_so_near_that_a_reminder_falls_away(world: World, booked: dict[str, Any]) -> None:
    soon = (world.now + timedelta(hours=3)).isoformat()
    _, moved = patch(world, booked, {"startTime": soon})
    assert {reminder["offset"]: reminder["state"] for reminder in moved["reminders"]} == {
        "24h": "skipped",
        "1h": "pending",
    }
    assert list(world.rules()) == [f"appointment-reminder-1h-{booked['appointmentId']}"]


def test_what_was_sent_stays_on_record_and_is_sent_anew_for_a_new_day(world: World, booked: dict[str, Any]) -> None:
    world.fire(booked, "24h")
    world.now += timedelta(hours=3)  # by then a day before the new time has passed as well
    _, later_that_day = patch(world, booked, {"startTime": at("13:00")})
    assert [reminder["state"] for reminder in later_that_day["reminders"]] == ["sent", "pending"]
    _, next_month = patch(world, booked, {"startTime": "2030-02-20T11:30:00Z"})
    assert [reminder["state"] for reminder in next_month["reminders"]] == ["pending", "pending"]


def test_other_offsets(world: World, booked: dict[str, Any]) -> None:
    _, changed = patch(world, booked, {"reminders": ["1h", "15m"]})
    assert {reminder["offset"]: reminder["state"] for reminder in changed["reminders"]} == {
        "24h": "skipped",
        "1h": "pending",
        "15m": "pending",
    }
    id_ = booked["appointmentId"]
    assert set(world.rules()) == {f"appointment-reminder-1h-{id_}", f"appointment-reminder-15m-{id_}"}


def test_46_an_overdue_reminder_survives_a_change_that_adds_another(world: World) -> None:
    """Its timer is late, or its event was lost; it is still asked for, and due when it was."""
    booked = world.book("10:00", "11:00", reminders=["1h"])[1]
    world.now = datetime(2030, 1, 15, 9, 0, 30, tzinfo=UTC)
    status, changed = patch(world, booked, {"reminders": ["1h", "30m"]})
    assert status == 200
    assert {reminder["offset"]: reminder["state"] for reminder in changed["reminders"]} == {
        "1h": "pending",
        "30m": "pending",
    }
    world.deliver()
    assert [message["MessageAttributes"]["reminderType"]["Value"] for message in world.inbox()] == ["1h"]


def test_46_an_overdue_reminder_whose_time_changes_falls_away(world: World) -> None:
    booked = world.book("10:00", "11:00", reminders=["1h"])[1]
    world.now = datetime(2030, 1, 15, 9, 0, 30, tzinfo=UTC)
    _, changed = patch(world, booked, {"startTime": "2030-01-15T09:45:00Z"})
    assert [reminder["state"] for reminder in changed["reminders"]] == ["skipped"]
    world.sweep()
    assert (world.inbox(), world.rules()) == ([], {})


def test_an_offset_that_was_dropped_and_is_asked_for_again_is_sent(world: World, booked: dict[str, Any]) -> None:
    patch(world, booked, {"reminders": ["24h"]})
    _, changed = patch(world, booked, {"reminders": ["24h", "1h"]})
    assert [reminder["state"] for reminder in changed["reminders"]] == ["pending", "pending"]
    assert len(world.rules()) == 2
    world.fire(changed, "1h")
    assert len(world.inbox()) == 1


def test_a_change_that_was_written_and_got_no_answer_is_no_conflict_with_itself(
    world: World, booked: dict[str, Any]
) -> None:
    """The SDK repeats the write; the repetition finds the first one."""
    before = world.storage.appointments.get(booked["appointmentId"])
    assert before
    after = replace(before, details={"by": "me"}, version=2)
    client = world.storage.database.client
    original = client.update_item

    def repeated(**kwargs: Any) -> Any:
        client.update_item = original  # type: ignore[method-assign]
        original(**kwargs)
        return original(**kwargs)

    client.update_item = repeated  # type: ignore[method-assign]
    world.storage.appointments.change(before, after)
    # An equal change by somebody else is another one, and comes too late.
    with pytest.raises(AppointmentChangedError):
        world.storage.appointments.change(before, after)
    with pytest.raises(AppointmentChangedError):
        world.storage.appointments.change(before, replace(after, details={"by": "other"}))


def test_a_change_does_not_overwrite_what_a_sender_does_meanwhile(world: World, booked: dict[str, Any]) -> None:
    """What was sent between the read and the write stays sent, and is not sent again."""
    original = world.storage.database.client.update_item

    def send_first(**kwargs: Any) -> Any:
        world.storage.database.client.update_item = original  # type: ignore[method-assign]
        world.fire(booked, "24h")
        return original(**kwargs)

    world.storage.database.client.update_item = send_first  # type: ignore[method-assign]
    _, changed = patch(world, booked, {"reminders": ["24h", "1h", "15m"]})
    assert [reminder["state"] for reminder in changed["reminders"]] == ["sent", "pending", "pending"]
    world.fire(booked, "24h")
    assert len(world.inbox()) == 1


def test_the_record_of_reminders_that_fell_away_is_bounded(world: World) -> None:
    """Without a bound, some 1,250 changes would fill the 400 KB that an item has."""
    booked = world.book("10:00", "11:00", reminders=["7d"])[1]
    world.fire(booked, "7d")
    for n in range(1, 12):
        _, changed = patch(world, booked, {"reminders": [f"{5 * n + k}m" for k in range(5)]})
    states = {reminder["offset"]: reminder["state"] for reminder in changed["reminders"]}
    assert (len(states), states["7d"]) == (50, "sent")
    assert [offset for offset, state in states.items() if state == "pending"] == ["59m", "58m", "57m", "56m", "55m"]
    assert [offset for offset, state in states.items() if state == "skipped"] == [f"{n}m" for n in range(48, 4, -1)]
    assert {name.rpartition("-reminder-")[2].partition("-")[0] for name in world.rules()} == {
        "55m", "56m", "57m", "58m", "59m",
    }  # fmt: skip


# --- If-Match ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ['"1"', "*", '"7", "1"'])
def test_the_right_version_changes(world: World, booked: dict[str, Any], header: str) -> None:
    assert patch(world, booked, {"details": {}}, **{"If-Match": header})[0] == 200


@pytest.mark.parametrize("header", ['"2"', "1", 'W/"1"', "", '""', '"01"', '"a,"1", "b"'])
def test_another_version_changes_nothing(world: World, booked: dict[str, Any], header: str) -> None:
    for status, refusal in (
        patch(world, booked, {"startTime": at("15:00")}, **{"If-Match": header}),
        delete(world, booked, **{"if-match": header}),
    ):
        assert (status, refusal["type"]) == (412, "/docs#precondition-failed")
    assert world.request("GET", path(booked))[2] == booked


def test_what_is_cancelled_is_cancelled_whatever_version_was_seen(world: World, booked: dict[str, Any]) -> None:
    """Who hears nothing of the first try sends the same again."""
    first = delete(world, booked, **{"If-Match": '"1"'})
    assert (first[0], first[1]["status"]) == (200, "cancelled")
    assert delete(world, booked, **{"If-Match": '"1"'}) == first


def test_a_change_in_between_is_noticed(world: World, booked: dict[str, Any]) -> None:
    """Read as version 1, and somebody else writes before we do: with If-Match 412, without it the later one wins."""
    original = world.storage.database.client.update_item

    def change_first(**kwargs: Any) -> Any:
        world.storage.database.client.update_item = original  # type: ignore[method-assign]
        assert patch(world, booked, {"details": {"by": "other"}})[0] == 200
        return original(**kwargs)

    world.storage.database.client.update_item = change_first  # type: ignore[method-assign]
    assert patch(world, booked, {"details": {"by": "me"}}, **{"If-Match": '"1"'})[0] == 412
    world.storage.database.client.update_item = change_first  # type: ignore[method-assign]
    status, changed = patch(world, booked, {"reminders": []})
    assert (status, changed["version"], changed["details"]) == (200, 4, {"by": "other"})


def test_cancelled_between_the_read_and_the_move(world: World, booked: dict[str, Any]) -> None:
    original = world.storage.database.client.transact_write_items

    def cancel_first(**kwargs: Any) -> Any:
        world.storage.database.client.transact_write_items = original  # type: ignore[method-assign]
        assert delete(world, booked)[0] == 200
        return original(**kwargs)

    world.storage.database.client.transact_write_items = cancel_first  # type: ignore[method-assign]
    assert patch(world, booked, {"startTime": at("15:00")})[0] == 409
    assert not [name for item in world.items("CalendarsTable") for name in item if name.startswith("a#")]


# --- Idempotency-Key ---------------------------------------------------------------------------------

BOOKING = {"userId": "anna", "startTime": at("09:00"), "endTime": at("10:00"), "resourceIds": ["dr-lee"]}


def book_with_key(world: World, key: str, **changes: Any) -> tuple[int, dict[str, Any], Any]:
    return world.request("POST", "/appointments", BOOKING | changes, headers={"Idempotency-Key": key})


def test_a_repetition_gets_the_same_answer_and_books_once(world: World, events_of: LogLines) -> None:
    first = book_with_key(world, "key-1")
    assert first[0] == 201
    events_of()
    world.calls.clear()
    assert book_with_key(world, "key-1") == first
    assert world.calls == ["BatchGetItem"]
    assert events_of() == []
    assert len(world.items("AppointmentsTable")) == 1


def test_a_key_costs_no_further_call(world: World) -> None:
    book_with_key(world, "key-1", reminders=[])
    assert world.calls == ["TransactWriteItems"]


def test_the_same_key_with_another_body(world: World) -> None:
    book_with_key(world, "key-1")
    status, _, refusal = book_with_key(world, "key-1", details={"title": "Other"})
    assert (status, refusal["type"]) == (422, "/docs#idempotency-key-reused")
    assert [error["field"] for error in refusal["errors"]] == ["Idempotency-Key"]


def test_a_key_belongs_to_its_user(world: World) -> None:
    assert book_with_key(world, "key-1")[0] == 201
    assert book_with_key(world, "key-1", userId="ben", resourceIds=[])[0] == 201


def test_a_refused_booking_does_not_use_its_key_up(world: World) -> None:
    _, other = world.book("9:00", "10:00", user="dr-lee")
    assert book_with_key(world, "key-1")[0] == 409
    delete(world, other)
    assert book_with_key(world, "key-1")[0] == 201


def test_a_repetition_after_the_start_or_a_cancel_still_gets_its_appointment(world: World) -> None:
    _, _, booked = book_with_key(world, "key-1")
    delete(world, booked)
    world.book("9:00", "10:00", user="dr-lee")  # the slot has gone to somebody else
    world.now = datetime.fromisoformat(at("12:00"))
    status, _, again = book_with_key(world, "key-1")
    assert (status, again["appointmentId"], again["status"]) == (201, booked["appointmentId"], "cancelled")
    assert book_with_key(world, "key-2")[0] == 422  # a new booking in the past is still one


def test_two_at_once_with_one_key(world: World) -> None:
    """The second commits between the first's read and its write."""
    original = world.storage.database.client.transact_write_items
    answers = []

    def repeat_first(**kwargs: Any) -> Any:
        world.storage.database.client.transact_write_items = original  # type: ignore[method-assign]
        answers.append(book_with_key(world, "key-1"))
        return original(**kwargs)

    world.storage.database.client.transact_write_items = repeat_first  # type: ignore[method-assign]
    answers.append(book_with_key(world, "key-1"))
    assert answers[0] == answers[1]
    assert answers[0][0] == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "käse", "a\tb"])
def test_a_key_that_is_none(world: World, key: str) -> None:
    status, _, refusal = book_with_key(world, key)
    assert (status, refusal["errors"][0]["field"]) == (422, "Idempotency-Key")


# --- dryRun ------------------------------------------------------------------------------------------


def dry_run(world: World, value: str = "true", **changes: Any) -> tuple[int, dict[str, Any], Any]:
    return world.request("POST", "/appointments", BOOKING | changes, queryStringParameters={"dryRun": value})


def test_a_dry_run_decides_and_writes_nothing(world: World, events_of: LogLines) -> None:
    status, headers, body = dry_run(world)
    assert (status, body["startTime"], body["status"]) == (200, at("09:00"), "scheduled")
    assert "Location" not in headers
    world.book("9:30", "10:30", user="dr-lee")
    events_of()
    before = world.items("AppointmentsTable"), world.items("CalendarsTable")
    status, _, refusal = dry_run(world)
    assert (status, refusal["conflicts"][0]["calendarId"]) == (409, "dr-lee")
    assert dry_run(world, endTime="soon")[0] == 422
    assert (world.items("AppointmentsTable"), world.items("CalendarsTable")) == before
    assert events_of() == []
    assert "TransactWriteItems" not in world.calls[-3:]


def test_a_dry_run_answers_what_its_key_stands_for(world: World) -> None:
    _, _, booked = book_with_key(world, "key-1")
    dry = {"headers": {"Idempotency-Key": "key-1"}, "queryStringParameters": {"dryRun": "true"}}
    status, _, body = world.request("POST", "/appointments", BOOKING, **dry)
    assert (status, body) == (200, booked)
    status, _, refusal = world.request("POST", "/appointments", BOOKING | {"endTime": at("10:30")}, **dry)
    assert (status, refusal["type"]) == (422, "/docs#idempotency-key-reused")


def test_what_is_no_dry_run_is_counted(world: World, events_of: LogLines) -> None:
    world.book("9:30", "10:30", user="dr-lee")
    events_of()
    assert dry_run(world, "false")[0] == 409
    assert names(events_of()) == ["BOOKING_CONFLICT"]


def test_dry_run_is_true_or_false(world: World) -> None:
    assert dry_run(world, "false")[0] == 201
    status, _, refusal = dry_run(world, "yes")
    assert (status, refusal["errors"][0]["field"]) == (422, "dryRun")


# --- alternatives ------------------------------------------------------------------------------------


def alternatives(world: World, *times: str, **more: Any) -> list[tuple[str, str]]:
    status, body = world.book(*times, **more)
    assert status == 409
    return [(free["startTime"][11:16], free["endTime"][11:16]) for free in body["alternatives"]]


def test_the_nearest_free_intervals_before_and_after(world: World) -> None:
    world.book("9:00", "10:00")
    world.calls.clear()
    assert alternatives(world, "9:00", "10:00") == [("08:00", "09:00"), ("10:00", "11:00"), ("07:00", "08:00")]
    assert world.calls == ["BatchGetItem"]


def test_alternatives_are_free_on_every_calendar_and_can_be_booked(world: World) -> None:
    world.book("9:00", "10:00", user="room")
    world.book("10:00", "10:45", user="C")
    world.book("8:00", "8:30", user="C")
    found = alternatives(world, "9:15", "10:15", resourceIds=["room"])
    assert found[0] == ("10:45", "11:45")
    for start, end in found:
        assert world.book(start, end, resourceIds=["room"])[0] == 201


def test_a_full_day_is_searched_beyond_with_one_further_read(world: World) -> None:
    world.book("2030-01-15T00:00:00Z", "2030-01-16T00:00:00Z")
    world.calls.clear()
    _, body = world.book("9:00", "10:00")
    assert world.calls == ["BatchGetItem", "BatchGetItem"]
    assert [free["startTime"] for free in body["alternatives"]] == [
        "2030-01-14T23:00:00Z", "2030-01-14T22:00:00Z", "2030-01-14T21:00:00Z",
    ]  # fmt: skip


@pytest.mark.parametrize("buffer", [10, 60, 1440])
def test_alternatives_can_be_booked_where_a_buffer_reaches_into_days_that_were_not_read(
    world: World, buffer: int
) -> None:
    world.request("PUT", "/calendars/C", {"bufferMinutes": {"before": 0, "after": buffer}})
    for day, times in ((-1, ("23:00", "23:59")), (0, ("21:00", "22:00")), (1, ("00:00", "01:00"))):
        start, end = (f"2030-01-{15 + day}T{clock}:00Z" for clock in times)
        status, _ = world.book(start, end)
        assert status in (201, 409)
    _, refusal = world.book("21:00", "22:00")
    assert refusal["alternatives"]
    for free in refusal["alternatives"]:
        query = {"queryStringParameters": {"dryRun": "true"}}
        assert world.request("POST", "/appointments", {"userId": "C"} | free, **query)[0] == 200


def test_no_alternative_lies_in_the_past(world: World) -> None:
    world.now = datetime.fromisoformat(at("09:10"))
    world.book("9:30", "10:00")
    assert alternatives(world, "9:30", "10:00") == [("10:00", "10:30"), ("10:30", "11:00"), ("11:00", "11:30")]


# --- size --------------------------------------------------------------------------------------------


def test_a_body_of_more_than_a_mebibyte_is_413(world: World) -> None:
    status, _, body = world.request("POST", "/appointments", " " * (1024 * 1024 + 1))
    assert (status, body["type"]) == (413, "/docs#payload-too-large")
    assert world.calls == []


def test_links_name_the_host_and_stage_that_the_caller_used(world: World) -> None:
    event = api_event("POST", "/appointments", BOOKING)
    event["requestContext"] |= {"domainName": "api.example.org", "path": "/prod/appointments"}
    response = world.api.handle(event)
    assert response["headers"]["Location"].startswith("https://api.example.org/prod/appointments/")
    assert json.loads(world.api.handle(event)["body"])["type"] == "https://api.example.org/prod/docs#conflict"


def test_a_custom_domain_may_have_a_base_path(world: World) -> None:
    """API Gateway leaves the base path in `path`, but not in `proxy`."""
    path = "/booking/v1/appointments"
    event = api_event("POST", path, BOOKING) | {"pathParameters": {"proxy": "appointments"}}
    event["requestContext"] |= {"domainName": "api.example.org", "path": path}
    response = world.api.handle(event)
    assert response["statusCode"] == 201
    assert response["headers"]["Location"].startswith("https://api.example.org/booking/v1/appointments/")
    problem = json.loads(world.api.handle(event)["body"])
    assert (problem["status"], problem["type"]) == (409, "https://api.example.org/booking/v1/docs#conflict")
    for proxy in ("calendars/a%40b", "calendars/a@b"):
        event = api_event("GET", "/booking/v1/calendars/a%40b") | {"pathParameters": {"proxy": proxy}}
        assert json.loads(world.api.handle(event)["body"])["calendarId"] == "a@b"


def test_what_is_stored_comes_back(world: World, booked: dict[str, Any]) -> None:
    (item,) = world.items("AppointmentsTable")
    assert appointment_from_item(item).appointment_id == booked["appointmentId"]
