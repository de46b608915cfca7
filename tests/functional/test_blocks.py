"""Blocks of a calendar, on moto."""

from __future__ import annotations

import json
import logging
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from appointments.blocks import Block
from appointments.claims import Claim, claims_of
from appointments.model import MAX_CAPACITY, Interval, Taken
from appointments.storage.calendar_days import entry_from_text, entry_to_text
from calendars import NINE_TO_FIVE, available, clocks, configure

if TYPE_CHECKING:
    from world import World


def at(text: str) -> str:
    """`15T09:00` is UTC in January 2030."""
    return text if len(text) > 9 else f"2030-01-{text}:00Z"


def block(world: World, start: str, end: str, calendar: str = "C", **more: Any) -> tuple[int, Any]:
    headers = {"Idempotency-Key": more.pop("key")} if "key" in more else {}
    body = {"startTime": at(start), "endTime": at(end)} | more
    status, _, answer = world.request("POST", f"/calendars/{calendar}/blocks", body, headers=headers)
    return status, answer


def blocked(world: World, *span: str, **more: Any) -> Any:
    status, body = block(world, *span, **more)
    assert status == 201, body
    return body


def read(world: World, path: str, method: str = "GET", **query: str) -> tuple[int, Any]:
    status, _, body = world.request(
        method, f"/calendars/C/blocks{path}", queryStringParameters={n.rstrip("_"): v for n, v in query.items()}
    )
    return status, body


def remove(world: World, block_id: str) -> tuple[int, Any]:
    return read(world, f"/{block_id}", "DELETE")


def day(text: str) -> dict[str, str]:
    return {"from_": at(f"{text}T00:00"), "to": at(f"{text}T23:45")}


def booked(world: World, start: str, end: str, user: str = "C", **more: Any) -> str:
    status, body = world.book(at(start), at(end), user, reminders=[], **more)
    assert status == 201, body
    return str(body["appointmentId"])


def test_the_address_of_a_block_can_be_followed_whatever_the_calendar_is_called(world: World) -> None:
    status, headers, body = world.request(
        "POST", "/calendars/a|b@c+/blocks", {"startTime": at("15T09:00"), "endTime": at("15T12:00")}
    )
    assert (status, body["calendarId"]) == (201, "a|b@c+")
    assert headers["Location"].endswith(f"/calendars/a%7Cb@c+/blocks/{body['blockId']}")
    assert world.request("GET", headers["Location"].partition("/dev")[2] or headers["Location"])[2] == body


# --- what it takes -----------------------------------------------------------------------------------


def test_a_block_takes_all_places_and_says_whom_it_meets(world: World) -> None:
    configure(world, capacity=3)
    late, early = booked(world, "15T10:30", "15T11:30"), booked(world, "15T08:30", "15T09:30")
    booked(world, "15T08:00", "15T09:00"), booked(world, "15T12:00", "15T13:00")
    status, headers, body = world.request(
        "POST", "/calendars/C/blocks", {"startTime": at("15T09:00"), "endTime": at("15T12:00"), "reason": "painters"}
    )
    assert status == 201
    assert headers["Location"].endswith(f"/calendars/C/blocks/{body['blockId']}")
    assert body == {
        "blockId": body["blockId"],
        "calendarId": "C",
        "startTime": "2030-01-15T09:00:00Z",
        "endTime": "2030-01-15T12:00:00Z",
        "createdAt": "2029-12-01T12:00:00Z",
        "reason": "painters",
        "meets": [early, late],
    }
    assert read(world, f"/{body['blockId'].upper()}") == (200, body)
    status, refusal = world.book("11:45", "12:15")
    assert (status, refusal["conflicts"]) == (
        409,
        [{"calendarId": "C", "startTime": at("15T09:00"), "endTime": at("15T12:00")}],
    )
    assert refusal["alternatives"][0] == {"startTime": at("15T12:00"), "endTime": at("15T12:30")}
    assert world.book("12:00", "12:30")[0] == 201
    assert world.book("08:30", "09:00")[0] == 201


def test_what_was_booked_stays_and_can_be_shortened_cancelled_and_moved_away(world: World) -> None:
    first, second = booked(world, "15T09:00", "15T10:00"), booked(world, "15T10:00", "15T11:00")
    block_id = blocked(world, "15T08:00", "15T12:00")["blockId"]
    assert read(world, f"/{block_id}")[1]["meets"] == [first, second]

    def change(id_: str, **body: Any) -> int:
        status: int = world.request("PATCH", f"/appointments/{id_}", body)[0]
        return status

    assert change(first, details={"note": "come tomorrow"}) == 200
    assert change(first, endTime=at("15T09:30")) == 200
    assert change(first, endTime=at("15T09:45")) == 409
    assert change(second, startTime=at("16T10:00")) == 200
    assert read(world, f"/{block_id}")[1]["meets"] == [first]
    world.request("DELETE", f"/appointments/{first}")
    assert read(world, f"/{block_id}")[1]["meets"] == []
    assert change(second, startTime=at("15T10:00")) == 409


@pytest.mark.parametrize("settings", [{"capacity": 1000}, {**NINE_TO_FIVE}, {"maxPerDay": 1}, {"minNoticeMinutes": 60}])
def test_no_setting_keeps_a_block_away(world: World, settings: dict[str, Any]) -> None:
    configure(world, **settings)
    booked(world, "15T15:00", "15T16:00")
    assert len(blocked(world, "12T00:00", "20T00:00")["meets"]) == 1
    assert len(blocked(world, "15T00:00", "16T00:00")["meets"]) == 1  # one block may lie over another
    assert world.book(at("16T15:00"), at("16T15:30"))[0] == 409


def test_no_buffer_lies_beside_a_block(world: World) -> None:
    """It is as the hours in which the calendar is closed."""
    configure(world, bufferMinutes={"after": 30})
    before = booked(world, "15T08:00", "15T09:00")
    blocked(world, "15T12:00", "15T13:00")
    assert world.book("10:00", "12:00")[0] == 201
    assert world.book("13:00", "14:00")[0] == 201
    assert world.book("14:15", "15:00")[0] == 409
    query = {"from_": at("15T07:00"), "to": at("15T18:00"), "durationMinutes": "30"}
    assert clocks(available(world, calendarIds="C", **query)) == [
        "07:00", "14:30", "15:00", "15:30", "16:00", "16:30", "17:00", "17:30",
    ]  # fmt: skip
    assert blocked(world, "15T09:00", "15T09:30")["meets"] == []
    assert blocked(world, "15T08:30", "15T09:00")["meets"] == [before]


def test_a_block_does_not_count_as_an_appointment_of_the_day(world: World) -> None:
    configure(world, maxPerDay=1)
    blocked(world, "15T08:00", "15T09:00")
    assert world.book("10:00", "11:00")[0] == 201
    for calendar in ("d", "e"):
        configure(world, calendar, capacity=2)
    for start in ("08:00", "09:00", "10:00"):
        blocked(world, f"15T{start}", f"15T{start}".replace(":00", ":30"), calendar="d")
    booked(world, "15T12:00", "15T13:00", "e")
    assert world.book("15:00", "16:00", "u", anyOf=["e", "d"])[1]["assignedCalendarId"] == "d"


def test_nothing_is_offered_in_a_block_and_what_is_offered_can_be_booked(world: World) -> None:
    blocked(world, "15T08:15", "15T09:00")
    blocked(world, "15T10:00", "15T10:05")
    query = {"from_": at("15T08:00"), "to": at("15T11:00"), "durationMinutes": "30", "stepMinutes": "15"}
    offered = clocks(available(world, calendarIds="C", **query))
    assert offered == ["09:00", "09:15", "09:30", "10:15", "10:30"]
    for hour, minute in ((hour, minute) for hour in (8, 9, 10) for minute in (0, 15, 30, 45)):
        start = datetime.fromisoformat(at(f"15T{hour:02}:{minute:02}"))
        body = {"userId": "C", "startTime": start.isoformat(), "endTime": (start + timedelta(minutes=30)).isoformat()}
        status = world.request("POST", "/appointments", body, queryStringParameters={"dryRun": "true"})[0]
        if start.hour < 10 or start.minute < 45:
            assert (status == 200) == (start.strftime("%H:%M") in offered), start


def test_a_block_of_two_months_over_midnights(world: World) -> None:
    ids = [booked(world, f"{d}T23:30", f"{d + 1}T00:30") for d in (14, 15, 31 - 2)]
    body = blocked(world, "15T00:00", "2030-03-18T00:00:00Z")
    assert body["meets"] == ids
    assert world.book("2030-03-17T23:59:00Z", "2030-03-18T00:10:00Z")[0] == 409
    assert world.book("2030-03-18T00:00:00Z", "2030-03-18T00:10:00Z")[0] == 201
    assert remove(world, body["blockId"])[0] == 200
    assert world.book("2030-03-17T23:00:00Z", "2030-03-18T00:00:00Z")[0] == 201


# --- holds -------------------------------------------------------------------------------------------


def test_a_hold_that_a_block_meets_can_be_confirmed_until_it_expires(world: World) -> None:
    held, other = (booked(world, f"15T{hour}:00", f"15T{hour}:30", hold={"minutes": 5}) for hour in ("09", "10"))
    block_id = blocked(world, "15T08:00", "15T12:00")["blockId"]
    assert read(world, f"/{block_id}")[1]["meets"] == [held, other]
    assert world.request("PATCH", f"/appointments/{held}", {"status": "scheduled"})[0] == 200
    world.now += timedelta(minutes=6)
    assert world.request("PATCH", f"/appointments/{other}", {"status": "scheduled"})[0] == 409
    assert read(world, f"/{block_id}")[1]["meets"] == [held]
    assert blocked(world, "15T08:00", "15T12:00")["meets"] == [held]


def test_a_hold_cannot_be_confirmed_at_another_time_in_a_block(world: World) -> None:
    held = booked(world, "15T09:00", "15T09:30", hold={"minutes": 5})
    blocked(world, "15T08:00", "15T12:00")
    moved = {"status": "scheduled", "startTime": at("15T09:15")}
    assert world.request("PATCH", f"/appointments/{held}", moved)[0] == 409


# --- reading and removing ----------------------------------------------------------------------------


def test_a_block_is_no_appointment(world: World) -> None:
    id_ = booked(world, "15T11:00", "15T12:00")
    body = blocked(world, "15T10:00", "15T11:30", reason="holiday")
    for method in ("GET", "DELETE", "PATCH"):
        change: object = {"details": {}} if method == "PATCH" else None
        assert world.request(method, f"/appointments/{body['blockId']}", change)[0] == 404
    status, _, mine = world.request("GET", "/appointments", queryStringParameters={"userId": "C"})
    assert (status, [one["appointmentId"] for one in mine["appointments"]]) == (200, [id_])
    assert "blocks" not in mine


def test_the_list_of_a_calendar_has_its_blocks_beside_the_appointments(world: World) -> None:
    def listed(**more: str) -> Any:
        query = {"calendarId": "C", "from": at("15T00:00"), "to": at("16T00:00")} | more
        status, _, body = world.request("GET", "/appointments", queryStringParameters=query)
        assert status == 200
        return body

    ids = [booked(world, f"15T{hour:02}:00", f"15T{hour:02}:30") for hour in (9, 11, 13)]
    assert "blocks" not in listed()
    made = [blocked(world, f"15T{hour:02}:00", f"15T{hour:02}:30", reason=f"{hour}") for hour in (10, 12, 14)]
    blocks = [{name: value for name, value in one.items() if name != "meets"} for one in made]
    body = listed()
    assert [one["appointmentId"] for one in body["appointments"]] == ids
    assert body["blocks"] == blocks
    assert listed(status="cancelled") == {"appointments": [], "blocks": blocks}
    # Page by page, each is told once.
    seen: list[Any] = []
    more: dict[str, str] = {}
    while True:
        page = listed(limit="2", **more)
        seen += [one["appointmentId"] for one in page["appointments"]] + page.get("blocks", [])
        if "nextCursor" not in page:
            break
        more = {"cursor": page["nextCursor"]}
    assert seen == [one for pair in zip(ids, blocks, strict=True) for one in pair]


SPANS = [("14T22:00", "15T01:00"), ("15T09:30", "15T10:00"), ("15T23:00", "18T00:00")]


def test_blocks_are_listed_by_overlap_and_paged(world: World) -> None:
    booked(world, "15T09:00", "15T10:00")
    made = [
        blocked(world, *span) for span in (("14T22:00", "15T01:00"), ("15T09:30", "15T10:00"), ("15T23:00", "18T00:00"))
    ]
    blocked(world, "14T09:00", "15T00:00"), blocked(world, "15T23:45", "16T01:00")
    blocked(world, "15T09:00", "15T10:00", calendar="D")
    ids = [one["blockId"] for one in made]
    status, body = read(world, "", **day("15"))
    assert (status, [one["blockId"] for one in body["blocks"]]) == (200, ids)
    assert "meets" not in body["blocks"][0]
    _, first = read(world, "", **day("15"), limit="2")
    _, second = read(world, "", **day("15"), limit="2", cursor=first["nextCursor"])
    assert [one["blockId"] for one in (*first["blocks"], *second["blocks"])] == ids
    assert "nextCursor" not in second
    assert read(world, "", from_=at("16T00:00"), to=at("16T01:00"))[1]["blocks"][0]["blockId"] == ids[2]


def test_a_removed_block_is_gone_and_removed_again(world: World) -> None:
    body = blocked(world, "15T23:00", "16T01:00")
    world.now += timedelta(minutes=1)
    status, removed = remove(world, body["blockId"].upper())
    assert (status, removed["removedAt"]) == (200, "2029-12-01T12:01:00Z")
    assert removed.keys() == body.keys() - {"meets"} | {"removedAt"}
    world.now += timedelta(minutes=1)
    assert remove(world, body["blockId"]) == (200, removed)
    assert read(world, f"/{body['blockId']}")[0] == 404
    assert read(world, "", **day("15"))[1] == {"blocks": []}
    assert world.book(at("15T23:00"), at("16T01:00"))[0] == 201
    entries = [name for item in world.items("CalendarsTable") for name in item if name.startswith("a#")]
    assert len(entries) == 2


@pytest.mark.parametrize("block_id", [str(uuid.UUID(int=7)), "x", "9" * 2000, "%20"])
def test_an_unknown_block_is_not_found(world: World, block_id: str) -> None:
    for method in ("GET", "DELETE"):
        status, body = read(world, f"/{block_id}", method)
        assert (status, body["type"].rpartition("#")[2]) == (404, "block-not-found")
    there = blocked(world, "15T09:00", "15T10:00", calendar="D")["blockId"]
    assert read(world, f"/{there}")[0] == 404


# --- requests ----------------------------------------------------------------------------------------


def test_an_idempotency_key_makes_one_block(world: World) -> None:
    first = booked(world, "15T09:00", "15T10:00")
    body = blocked(world, "15T08:00", "15T12:00", key="one")
    assert body["meets"] == [first]
    assert blocked(world, "15T08:00", "15T12:00", key="one") == body
    assert block(world, "15T08:00", "15T13:00", key="one")[0] == 422
    assert blocked(world, "15T08:00", "15T12:00", key="one", calendar="D")["blockId"] != body["blockId"]
    assert blocked(world, "15T08:00", "15T12:00")["blockId"] != body["blockId"]
    assert len(read(world, "", **day("15"))[1]["blocks"]) == 2
    world.now = datetime.fromisoformat("2030-01-20T00:00:00+00:00")
    assert blocked(world, "15T08:00", "15T12:00", key="one")["blockId"] == body["blockId"]
    remove(world, body["blockId"])
    again = blocked(world, "15T08:00", "15T12:00", key="one")
    assert (again["blockId"], again["meets"]) == (body["blockId"], [])
    assert "removedAt" in again


def test_a_key_that_comes_twice_at_once_is_noticed_by_the_transaction(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = blocked(world, "15T08:00", "15T12:00", key="one")
    original = type(world.storage.blocks).get
    reads: list[Any] = []

    def blind(self: Any, *key: str) -> Any:
        reads.append(key)
        return None if len(reads) == 1 else original(self, *key)

    monkeypatch.setattr(type(world.storage.blocks), "get", blind)
    assert blocked(world, "15T08:00", "15T12:00", key="one") == body


def test_a_day_takes_so_many_blocks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conflict_detector.blocks.blocking.MAX_BLOCKS_ON_A_DAY", 2)
    made = [blocked(world, "15T08:00", "15T12:00"), blocked(world, "15T13:00", "16T12:00")]
    status, body = block(world, "15T09:00", "15T10:00")
    assert (status, body["errors"]) == (
        422,
        [{"field": "", "message": "lies on a day with 2 blocks; remove some of them"}],
    )
    assert block(world, "16T08:00", "16T12:00")[0] == 201
    remove(world, made[0]["blockId"])
    assert block(world, "15T09:00", "15T10:00")[0] == 201


def test_a_block_on_a_crowded_day_names_everyone(world: World) -> None:
    configure(world, capacity=200)
    ids = [booked(world, f"15T{n // 4:02}:{n % 4 * 15:02}", f"15T{n // 4:02}:{n % 4 * 15 + 10:02}", f"u{n}",
                  resourceIds=["C"]) for n in range(90)]  # fmt: skip
    body = blocked(world, "15T00:00", "16T00:00")
    assert sorted(body["meets"]) == sorted(ids)
    assert read(world, f"/{body['blockId']}")[1] == body
    part = blocked(world, "15T20:00", "15T21:00", key="part")
    assert part["meets"] == ids[80:84]
    assert world.book("23:00", "23:10")[0] == 409
    assert {one["blockId"] for one in read(world, "", **day("15"))[1]["blocks"]} == {body["blockId"], part["blockId"]}
    assert remove(world, body["blockId"])[0] == 200
    assert world.book("23:00", "23:10")[0] == 201


def test_local_times_and_their_zone(world: World) -> None:
    body = blocked(world, "2030-01-15T00:00", "2030-01-16T00:00", timeZone="Asia/Kolkata")
    assert (body["startTime"], body["endTime"], body["timeZone"]) == (
        at("14T18:30"), at("15T18:30"), "Asia/Kolkata",
    )  # fmt: skip
    assert read(world, f"/{body['blockId']}")[1] == body


@pytest.mark.parametrize(
    ("zone", "start", "instant"),
    [
        ("Africa/Cairo", "2030-04-26T00:00", "2030-04-25T22:00:00Z"),  # skipped: the instant of the change
        ("Europe/Berlin", "2030-10-27T02:00", "2030-10-27T00:00:00Z"),  # repeated: the first pass
    ],
)
def test_a_block_begins_where_the_clock_skips_or_repeats_its_start(
    world: World, zone: str, start: str, instant: str
) -> None:
    body = blocked(world, start, f"{start[:10]}T09:00", timeZone=zone)
    assert body["startTime"] == instant


def test_a_block_may_begin_in_the_past_and_not_end_there(world: World) -> None:
    assert block(world, "2029-12-01T00:00:00Z", "2029-12-02T00:00:00Z")[0] == 201
    status, body = block(world, "2029-12-01T00:00:00Z", "2029-12-01T12:00:00Z")
    assert (status, body["errors"]) == (
        422,
        [{"field": "endTime", "message": "lies in the past; it is now 2029-12-01T12:00:00Z"}],
    )


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"startTime", "endTime"}),
        ({"startTime": at("15T09:00"), "endTime": at("15T09:00")}, {"endTime"}),
        ({"startTime": at("15T09:00"), "endTime": "2030-03-19T09:00:00Z"}, {"endTime"}),
        ({"startTime": "2030-01-15T09:00", "endTime": at("15T10:00")}, {"startTime"}),
        ({"startTime": at("15T09:00"), "endTime": at("15T10:00"), "reason": "x" * 501}, {"reason"}),
        ({"startTime": at("15T09:00"), "endTime": at("15T10:00"), "reason": 1, "userId": "C"}, {"reason", "userId"}),
        ({"startTime": "x", "endTime": 1, "timeZone": "Mars/Olympus"}, {"startTime", "endTime", "timeZone"}),
    ],
)
def test_all_faults_of_a_block_are_named(world: World, body: dict[str, Any], fields: set[str]) -> None:
    status, _, answer = world.request("POST", "/calendars/C/blocks", body)
    assert (status, {fault["field"] for fault in answer["errors"]}) == (422, fields)


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({}, {"from", "to"}),
        ({"from_": at("15T00:00"), "to": at("15T00:00")}, {"to"}),
        ({"from_": at("15T00:00"), "to": "2030-03-19T00:00:00Z"}, {"to"}),
        ({"from_": at("15T00:00"), "to": at("16T00:00"), "limit": "101", "cursor": "x", "status": "held"},
         {"limit", "cursor", "status"}),
    ],
)  # fmt: skip
def test_all_faults_of_a_list_are_named(world: World, query: dict[str, str], fields: set[str]) -> None:
    status, answer = read(world, "", **query)
    assert (status, {fault["field"] for fault in answer["errors"]}) == (422, fields)


def test_a_calendar_has_to_have_an_id(world: World) -> None:
    body = {"startTime": at("15T09:00"), "endTime": at("15T10:00")}
    assert world.request("POST", "/calendars/%20/blocks", body)[0] == 422


def test_log_lines_count_a_block_as_no_booking_and_hold_no_reason(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        body = blocked(world, "15T09:00", "15T10:00", reason="Anna is ill")
        blocked(world, "15T09:00", "15T10:00", key="k"), blocked(world, "15T09:00", "15T10:00", key="k")
        block(world, "15T09:00", "15T08:00")
        remove(world, body["blockId"]), remove(world, body["blockId"])
    events = [getattr(record, "event_type", None) for record in caplog.records]
    assert [event for event in events if event] == ["CALENDAR_BLOCKED", "CALENDAR_BLOCKED", "BLOCK_REMOVED"]
    assert "Anna" not in json.dumps([record.__dict__ for record in caplog.records], default=str)


# --- as it is stored ---------------------------------------------------------------------------------


def test_a_block_is_an_entry_of_as_many_places_as_there_can_be() -> None:
    """As such, a release that knows of no blocks respects it too."""
    start = datetime.fromisoformat(at("15T09:00"))
    interval = Interval(start, start + timedelta(hours=1))
    (claim,) = claims_of(Block("id", "c", interval, start, start))
    assert claim == Claim("c", interval, MAX_CAPACITY, None, block=start)
    assert entry_to_text([claim]) == "1894698000-1894701600;places=1000;block=1894698000"
    assert entry_from_text(entry_to_text([claim])) == (Taken(interval, MAX_CAPACITY, None, block=start),)
    earlier = datetime.fromtimestamp(1, UTC)  # a block that was placed before its entry told when
    assert entry_from_text("1894698000-1894701600;places=1000;block=1")[0].block == earlier
