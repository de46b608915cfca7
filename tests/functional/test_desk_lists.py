"""Lists for a desk on moto: a service's appointments, what waits for approval, and the filters of other lists."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from appointments.storage import desk
from appointments.storage.appointment_items import REQUEST_SHARD
from calendars import configure

if TYPE_CHECKING:
    import pytest

    from world import World

DAY = {"from": "2030-01-15T00:00:00Z", "to": "2030-01-16T00:00:00Z"}


def offer(world: World, service_id: str, **more: Any) -> None:
    body = {"steps": [{"durationMinutes": 30, "resourceIds": [f"room-{service_id}"]}]} | more
    assert world.request("PUT", f"/services/{service_id}", body)[0] == 200


def serve(world: World, service_id: str, user: str, clock: str = "09:00", day: str = "2030-01-15") -> str:
    body = {"userId": user, "serviceId": service_id, "startTime": f"{day}T{clock}:00Z"}
    status, _, booked = world.request("POST", "/appointments", body)
    assert status == 201, booked
    return str(booked["appointmentId"])


def pages(world: World, **query: str) -> list[list[str]]:
    found: list[list[str]] = []
    while True:
        status, _, page = world.request("GET", "/appointments", queryStringParameters=query)
        assert status == 200, page
        found.append([one["appointmentId"] for one in page["appointments"]])
        if "nextCursor" not in page:
            return found
        query["cursor"] = page["nextCursor"]


def listed(world: World, **query: str) -> list[str]:
    return [id_ for page in pages(world, **query) for id_ in page]


def test_the_appointments_of_a_service_are_listed_by_start(world: World) -> None:
    offer(world, "A")
    offer(world, "B")
    later, first, middle = (serve(world, "A", "anna", clock) for clock in ("15:00", "09:00", "11:00"))
    other, next_day = serve(world, "B", "ben"), serve(world, "A", "ben", day="2030-01-16")
    assert world.book("13:00", "14:00", user="carla")[0] == 201
    assert pages(world, serviceId="A", **DAY) == [[first, middle, later]]
    assert pages(world, serviceId="A", limit="2", **DAY) == [[first, middle], [later]]
    assert listed(world, serviceId="A") == [first, middle, later, next_day]
    assert listed(world, serviceId="B") == [other]
    assert listed(world, serviceId="C") == []


def test_a_list_of_a_service_follows_what_becomes_of_them(world: World) -> None:
    offer(world, "A")
    kept, moved, cancelled = (serve(world, "A", "anna", clock) for clock in ("09:00", "11:00", "13:00"))
    assert world.request("DELETE", f"/appointments/{cancelled}")[0] == 200
    move = {"startTime": "2030-01-16T08:00:00Z"}
    assert world.request("PATCH", f"/appointments/{moved}", move)[0] == 200
    assert listed(world, serviceId="A", **DAY) == [kept, cancelled]
    assert listed(world, serviceId="A", status="scheduled") == [kept, moved]
    assert listed(world, serviceId="A", status="cancelled", limit="1") == [cancelled]


def test_what_waits_for_approval_is_listed_until_it_is_answered(world: World) -> None:
    configure(world, "room-1", approval=True)
    offer(world, "A", approval=True)
    asked = [
        world.book(f"{hour}:00", f"{hour}:30", user=f"u{hour}", resourceIds=["room-1"])[1]["appointmentId"]
        for hour in (15, 10, 12)
    ]
    served = serve(world, "A", "anna", "11:00")
    assert world.book("9:00", "9:30", user="anna")[0] == 201
    assert listed(world, status="requested", **DAY) == [asked[1], served, asked[2], asked[0]]
    assert pages(world, status="requested", limit="3") == [[asked[1], served, asked[2]], [asked[0]]]
    assert listed(world, status="requested", serviceId="A") == [served]
    assert world.request("PATCH", f"/appointments/{asked[1]}", {"status": "scheduled"})[0] == 200
    assert world.request("PATCH", f"/appointments/{asked[2]}", {"status": "declined"})[0] == 200
    assert world.request("PATCH", f"/appointments/{served}", {"startTime": "2030-01-17T09:00:00Z"})[0] == 200
    assert listed(world, status="requested", **DAY) == [asked[0]]
    assert listed(world, status="requested") == [asked[0], served]
    # What was approved is due again where reminders are.
    (item,) = [one for one in world.items("AppointmentsTable") if one["appointmentId"]["S"] == asked[1]]
    assert item["nextReminderAt"]["S"] == "2030-01-14T10:00:00Z"
    assert int(item["reminderShard"]["N"]) < REQUEST_SHARD


def test_other_lists_take_the_service_as_a_filter(world: World) -> None:
    offer(world, "A")
    served = serve(world, "A", "anna")
    status, plain = world.book("11:00", "11:30", user="anna", resourceIds=["room-A"])
    assert status == 201
    block = {"startTime": "2030-01-15T13:00:00Z", "endTime": "2030-01-15T14:00:00Z"}
    assert world.request("POST", "/calendars/room-A/blocks", block)[0] == 201
    for owner in ({"userId": "anna"}, {"calendarId": "room-A"}):
        assert listed(world, **owner, **DAY) == [served, plain["appointmentId"]]
        assert listed(world, serviceId="A", **owner, **DAY) == [served]
        assert listed(world, serviceId="A", status="cancelled", **owner, **DAY) == []
    query = {"calendarId": "room-A", "serviceId": "A"} | DAY
    assert "blocks" not in world.request("GET", "/appointments", queryStringParameters=query)[2]


def test_a_page_ends_after_so_many_reads_and_the_next_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(world, "A")
    ids = [serve(world, "A", "anna", f"{hour:02}:00") for hour in range(8, 15)]
    assert world.request("DELETE", f"/appointments/{ids[-1]}")[0] == 200
    monkeypatch.setattr(desk, "KEYS", 2)
    monkeypatch.setattr(desk, "QUERIES", 2)
    assert pages(world, serviceId="A", status="cancelled") == [[], [ids[-1]]]
    assert listed(world, serviceId="A", limit="3") == ids


def test_no_list_of_everything(world: World) -> None:
    for query in ({}, {"status": "scheduled"}, DAY):
        status, _, answer = world.request("GET", "/appointments", queryStringParameters=query)
        assert (status, [fault["field"] for fault in answer["errors"]]) == (422, ["userId"])


def test_a_plain_booking_is_in_no_index_of_a_desk(world: World) -> None:
    """So it costs as much as before."""
    assert world.book("9:00", "9:30", user="anna", resourceIds=["room-1"])[0] == 201
    (item,) = world.items("AppointmentsTable")
    assert "serviceId" not in item
    assert int(item["reminderShard"]["N"]) < REQUEST_SHARD
    assert all("updatedAt" not in day for day in world.items("CalendarsTable"))


def test_requests_are_out_of_the_way_of_what_is_due(world: World) -> None:
    configure(world, "room-1", approval=True)
    world.book("9:00", "9:30", user="anna", resourceIds=["room-1"])
    world.now = datetime(2030, 1, 15, 10, tzinfo=UTC) + timedelta(days=1)
    (item,) = world.items("AppointmentsTable")
    assert (item["reminderShard"]["N"], item["nextReminderAt"]["S"]) == ("8", "2030-01-15T09:00:00Z")
