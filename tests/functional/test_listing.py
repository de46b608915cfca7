"""Listing a person's appointments: ranges, order, pages and cursors on moto."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from appointments.storage import lists
from support import api_event

if TYPE_CHECKING:
    from world import World


@pytest.fixture
def week(world: World) -> list[str]:
    """Seven appointments of anna, one of ben; the ids of anna's in order of their start."""
    ids = []
    for day in (14, 10, 12, 11, 16, 13, 15):
        _, body = world.book(f"2030-01-{day}T09:00:00Z", f"2030-01-{day}T10:00:00Z", user="anna", reminders=[])
        ids.append((day, body["appointmentId"]))
    world.book("9:00", "10:00", user="ben", reminders=[])
    return [id_ for _, id_ in sorted(ids)]


def listed(world: World, **query: str) -> tuple[int, Any]:
    status, _, body = world.request("GET", "/appointments", queryStringParameters=query or None)
    return status, body


def ids(body: dict[str, Any]) -> list[str]:
    return [appointment["appointmentId"] for appointment in body["appointments"]]


def test_by_start_and_for_one_person(world: World, week: list[str]) -> None:
    status, body = listed(world, userId="anna")
    assert (status, ids(body)) == (200, week)
    assert "nextCursor" not in body
    assert body["appointments"][0] == world.request("GET", f"/appointments/{week[0]}")[2]


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8])
def test_pages_miss_and_repeat_none(world: World, week: list[str], limit: int) -> None:
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        status, body = listed(world, userId="anna", limit=str(limit), **cursor)
        assert status == 200
        assert 1 <= len(body["appointments"]) <= limit
        found += ids(body)
        if "nextCursor" not in body:
            break
        cursor = {"cursor": body["nextCursor"]}
    assert found == week


def test_a_range_includes_its_beginning_and_not_its_end(world: World, week: list[str]) -> None:
    query = {"userId": "anna", "from": "2030-01-11T09:00:00Z", "to": "2030-01-14T09:00:00Z"}
    assert ids(listed(world, **query)[1]) == week[1:4]
    assert ids(listed(world, userId="anna", **{"from": "2030-01-11T09:00:01Z"})[1]) == week[2:]
    assert ids(listed(world, userId="anna", to="2030-01-11T09:00:01+00:00")[1]) == week[:2]
    assert ids(listed(world, userId="anna", to="2030-01-11T10:00:01 01:00")[1]) == week[:2]  # a "+" not encoded
    local = {"from": "2030-01-11 09:00", "to": "2030-01-14 09:00", "timeZone": "UTC"}
    assert ids(listed(world, userId="anna", **local)[1]) == week[1:4]  # a space between date and clock


def test_by_status_the_pages_are_full_all_the_same(world: World, week: list[str]) -> None:
    for id_ in week[::2]:
        world.request("DELETE", f"/appointments/{id_}")
    _, body = listed(world, userId="anna", status="scheduled", limit="2")
    assert ids(body) == week[1:4:2]
    _, rest = listed(world, userId="anna", status="scheduled", limit="2", cursor=body["nextCursor"])
    assert (ids(rest), "nextCursor" in rest) == (week[5:6], False)
    assert ids(listed(world, userId="anna", status="cancelled")[1]) == week[::2]


def test_a_page_ends_before_it_is_full_where_few_are_of_its_status(
    world: World, week: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or one answer would read all that somebody ever cancelled."""
    monkeypatch.setattr(lists, "LIST_QUERIES", 2)
    (item, *_) = (item for item in world.items("AppointmentsTable") if item["userId"]["S"] == "anna")
    past = {"startTime": {"S": "2029-01-01T09:00:00Z"}, "status": {"S": "cancelled"}}
    for n in range(450):
        world.dynamodb.put_item(
            TableName="AppointmentsTable",
            Item=item | past | {"appointmentId": {"S": f"00000000-0000-4000-8000-{n:012}"}},
        )
    found: list[str] = []
    pages, cursor = 0, dict[str, str]()
    while True:
        world.calls.clear()
        _, body = listed(world, userId="anna", status="scheduled", **cursor)
        assert len(world.calls) <= 2
        found, pages = found + ids(body), pages + 1
        if "nextCursor" not in body:
            break
        cursor = {"cursor": body["nextCursor"]}
    assert (found, pages) == (week, 2)


def test_a_page_goes_on_though_its_last_appointment_is_gone(world: World, week: list[str]) -> None:
    _, body = listed(world, userId="anna", limit="3")
    world.dynamodb.delete_item(TableName="AppointmentsTable", Key={"appointmentId": {"S": week[2]}})
    assert ids(listed(world, userId="anna", cursor=body["nextCursor"])[1]) == week[3:]


def test_nobody_has_an_empty_list(world: World) -> None:
    assert listed(world, userId="nobody") == (200, {"appointments": []})


def test_the_index_is_asked_and_nothing_else(world: World, week: list[str]) -> None:
    world.calls.clear()
    listed(world, userId="anna", limit="3")
    assert world.calls == ["Query"]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({}, {"userId"}),
        ({"userId": ""}, {"userId"}),
        ({"userId": "anna", "limit": "0", "status": "gone"}, {"limit", "status"}),
        ({"userId": "anna", "limit": "101"}, {"limit"}),
        ({"userId": "anna", "limit": "ten"}, {"limit"}),
        ({"userId": "anna", "from": "soon", "to": "2030-01-01"}, {"from", "to"}),
        ({"userId": "anna", "from": "2030-01-02T00:00:00Z", "to": "2030-01-02T00:00:00Z"}, {"to"}),
        ({"userId": "anna", "cursor": "x"}, {"cursor"}),
        ({"userId": "anna", "cursor": base64.urlsafe_b64encode(b"[" * 1100).decode()}, {"cursor"}),
        ({"userId": "anna", "cursor": base64.urlsafe_b64encode(b"[" * 70).decode()}, {"cursor"}),
        ({"userId": "anna", "from": "2030-01-01T00:00"}, {"from"}),
        ({"userId": "anna", "from": "2030-01-01T00:00", "timeZone": "Mars/Olympus"}, {"timeZone"}),
        ({"userId": "anna", "cursor": "é"}, {"cursor"}),
        ({"userId": "anna", "cursor": base64.b64encode(b'["2030-01-01T00:00:00Z"]').decode()}, {"cursor"}),
        ({"userId": "anna", "cursor": base64.b64encode(json.dumps(["x", "y"]).encode()).decode()}, {"cursor"}),
        ({"userId": "anna", "user": "anna", "Limit": "5"}, {"user", "Limit"}),
        ({"userId": "anna", "to": "9999-12-31T23:59:59Z"}, {"to"}),
    ],
)
def test_bad_queries_name_every_fault(world: World, query: dict[str, str], fields: set[str]) -> None:
    status, body = listed(world, **query)
    assert (status, {error["field"] for error in body["errors"]}) == (422, fields)


def test_a_cursor_of_another_range_is_refused(world: World, week: list[str]) -> None:
    _, body = listed(world, userId="anna", limit="1")
    status, refusal = listed(world, userId="anna", cursor=body["nextCursor"], **{"from": "2030-01-12T00:00:00Z"})
    assert (status, refusal["errors"][0]["field"]) == (422, "cursor")


def test_a_cursor_of_another_person_shows_nothing_of_theirs(world: World, week: list[str]) -> None:
    _, body = listed(world, userId="anna", limit="1")
    assert week[0] not in ids(listed(world, userId="ben", cursor=body["nextCursor"])[1])
    assert not set(ids(listed(world, userId="ben", cursor=body["nextCursor"])[1])) & set(week)


@pytest.mark.parametrize("start", ["1969-12-31T00:00:00Z", "9999-12-31T23:59:59Z", "2030-01-15T09:00:00Z"])
@pytest.mark.parametrize("id_", ["", "x" * 3000, "0f000000-0000-4000-8000-000000000001"])
def test_a_cursor_that_somebody_made_up_does_no_harm(world: World, week: list[str], start: str, id_: str) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps([start, id_]).encode()).decode().rstrip("=")
    status, body = listed(world, userId="anna", cursor=cursor)
    good = start.startswith("2030") and id_.startswith("0f")
    assert status == (200 if good else 422)
    assert not good or ids(body) == week[5:] or ids(body) == week[6:]


def test_before_the_beginning_there_is_nothing(world: World, week: list[str]) -> None:
    assert listed(world, userId="anna", to="1970-01-01T00:00:00Z") == (200, {"appointments": []})


def test_a_parameter_is_sent_once(world: World, week: list[str]) -> None:
    query = {"userId": ["anna", "ben"]}
    status, _, body = world.request("GET", "/appointments", multiValueQueryStringParameters=query)
    assert (status, body["errors"][0]["field"]) == (422, "userId")


def test_a_range_in_local_time_is_read_in_its_zone(world: World, week: list[str]) -> None:
    """As the message about a time without an offset promises."""
    query = {"userId": "anna", "from": "2030-01-11T04:00", "to": "2030-01-14T04:00"}
    assert ids(listed(world, **query, timeZone="America/New_York")[1]) == week[1:4]
    assert ids(listed(world, **query, timeZone="UTC")[1]) == week[1:4]
    assert ids(listed(world, **query | {"to": "2030-01-14T04:00:01"}, timeZone="America/New_York")[1]) == week[1:5]


@pytest.mark.parametrize("text", ["💇", '"'])
def test_a_page_of_large_appointments_ends_early(world: World, text: str) -> None:
    """100 appointments with 16 KB of details each are more than one answer of a function can hold."""
    size = len(json.dumps(text, ensure_ascii=False).encode()) - 2
    details = {"note": text * (16_300 // size)}
    _, booked = world.book("9:00", "10:00", user="anna", reminders=[], details=details)
    (item,) = world.items("AppointmentsTable")
    for n in range(99):
        id_ = {"appointmentId": {"S": f"00000000-0000-4000-8000-{n:012}"}}
        world.dynamodb.put_item(TableName="AppointmentsTable", Item=item | id_)
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        query = {"userId": "anna", "limit": "100", **cursor}
        response = world.api.handle(api_event("GET", "/appointments", queryStringParameters=query))
        # A function's answer is JSON itself, in ASCII where its runtime is an old one.
        assert len(json.dumps(response)) < 6 * 2**20
        assert len(response["body"].encode()) < 1_000_000
        body = json.loads(response["body"])
        assert body["appointments"][0]["details"] == details
        found += ids(body)
        if "nextCursor" not in body:
            break
        assert len(body["appointments"]) > 40
        cursor = {"cursor": body["nextCursor"]}
    assert found == sorted(found)
    assert len(found) == 100
    assert booked["appointmentId"] in found
