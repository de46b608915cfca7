"""The cases that decide, as a user of the deployed API sees them. Each takes calendars of its own."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from overlaps import OVERLAPS, Overlap, at

if TYPE_CHECKING:
    from collections.abc import Callable

    Book = Callable[..., Any]
    Call = Callable[..., Any]

NEW_YORK = "America/New_York"


@pytest.fixture
def book(call: Call, calendar_id: str) -> Book:
    """Book `start` to `end`, on this test's own calendar unless `userId` names another."""

    def send(start: str, end: str, *, headers: dict[str, str] | None = None, query: str = "", **more: Any) -> Any:
        body = {"userId": calendar_id, "startTime": at(start), "endTime": at(end), "reminders": []} | more
        return call("POST", f"/appointments{query}", body, headers)

    return send


def faulty(answer: Any) -> set[str]:
    """The fields that a 422 names."""
    assert answer.status == 422, answer
    return {error["field"] for error in answer.body["errors"]}


# --- overlap -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", OVERLAPS)
def test_overlap(book: Book, case: Overlap) -> None:
    assert book(*case.busy).status == 201
    assert book(*case.wanted).status == (201 if case.fits else 409)


def test_the_same_interval_on_another_calendar(book: Book, calendar_id: str) -> None:
    assert [book("9:00", "10:00").status, book("9:00", "10:00", userId=f"{calendar_id}-2").status] == [201, 201]


def test_a_cancelled_slot_is_free_at_once(book: Book, call: Call) -> None:
    path = book("9:00", "10:00").headers["Location"]
    cancelled = call("DELETE", path)
    assert (cancelled.status, cancelled.body["status"]) == (200, "cancelled")
    assert book("9:00", "10:00").status == 201
    assert call("DELETE", path).status == 200
    assert call("DELETE", "/appointments/00000000-0000-4000-8000-000000000000").status == 404


def test_a_shared_room_is_the_only_thing_named(book: Book, calendar_id: str) -> None:
    room = f"{calendar_id}-room"
    assert book("9:00", "10:00", resourceIds=[room]).status == 201
    refused = book("9:30", "10:30", userId=f"{calendar_id}-v", resourceIds=[room])
    assert refused.status == 409
    assert {conflict["calendarId"] for conflict in refused.body["conflicts"]} == {room}
    assert len(refused.body["alternatives"]) == 3


# --- input -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "more", "named"),
    [
        ("10:00", "9:00", {}, {"endTime"}),
        ("10:00", "10:00", {}, {"endTime"}),
        ("2020-01-01T09:00:00Z", "2020-01-01T10:00:00Z", {}, {"startTime"}),
        ("2030-01-01T00:00:00Z", "2030-02-01T00:00:01Z", {}, {"endTime"}),
        ("2030-02-29T09:00:00Z", "2030-03-01T09:00:00Z", {}, {"startTime"}),
        ("2030-01-15T09:00", "2030-01-15T10:00", {}, {"startTime", "endTime"}),
        ("9:00", "10:00", {"timeZone": "Mars/Olympus"}, {"timeZone"}),
        ("9:00", "10:00", {"details": {"note": "x" * 300_000}}, {"details"}),
        ("9:00", "10:00", {"userId": "a\0b"}, {"userId"}),
        ("9:00", "10:00", {"colour": "red"}, {"colour"}),
        ("2030-03-10T02:30", "2030-03-10T04:00", {"timeZone": NEW_YORK}, {"startTime"}),
        ("2030-11-03T01:30", "2030-11-03T03:00", {"timeZone": NEW_YORK}, {"startTime"}),
        ("10:00", "x", {"userId": 5, "reminders": ["x"]}, {"endTime", "userId", "reminders[0]"}),
    ],
)  # fmt: skip
def test_422_names_what_to_change(book: Book, start: str, end: str, more: dict[str, Any], named: set[str]) -> None:
    assert faulty(book(start, end, **more)) == named


def test_a_repeated_local_time_is_answered_with_both(book: Book) -> None:
    refused = book("2030-11-03T01:30", "2030-11-03T03:00", timeZone=NEW_YORK)
    (error,) = refused.body["errors"]
    for meant in ("2030-11-03T01:30:00-04:00", "2030-11-03T01:30:00-05:00"):
        assert meant in error["message"]
        assert book(meant, "2030-11-03T02:30:00-05:00", timeZone=NEW_YORK, userId=f"u{meant[-4]}").status in {201, 409}


@pytest.mark.parametrize(
    ("start", "zone", "utc"),
    [
        ("2030-01-15T09:00", NEW_YORK, "2030-01-15T14:00:00Z"),
        ("2030-01-15T09:00:00+05:30", None, "2030-01-15T03:30:00Z"),
        ("2030-01-15T09:00:00+05:30", NEW_YORK, "2030-01-15T03:30:00Z"),
        ("2028-02-29T09:00:00Z", None, "2028-02-29T09:00:00Z"),
    ],
)
def test_times_come_back_in_utc_and_the_zone_as_it_was(book: Book, start: str, zone: str | None, utc: str) -> None:
    end = (datetime.fromisoformat(start) + timedelta(hours=1)).isoformat()
    booked = book(start, end, **({"timeZone": zone} if zone else {}))
    assert (booked.status, booked.body["startTime"], booked.body.get("timeZone")) == (201, utc, zone)


def test_an_hour_from_23_30_ends_on_the_next_date(book: Book) -> None:
    booked = book("2030-01-15T23:30:00Z", "2030-01-16T00:30:00Z")
    assert (booked.status, booked.body["endTime"]) == (201, "2030-01-16T00:30:00Z")


@pytest.mark.parametrize(
    ("body", "status"), [(b"hello", 400), (b"", 400), (b"[]", 422), (b"7", 422), (b"\xff\xfe", 400)]
)
def test_bodies_that_are_no_object(call: Call, body: bytes, status: int) -> None:
    answer = call("POST", "/appointments", body)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")


def test_an_emoji_in_a_title_comes_back(book: Book, call: Call) -> None:
    booked = book("9:00", "10:00", details={"title": "Haarschnitt 💇"})
    assert call("GET", booked.headers["Location"]).body["details"] == {"title": "Haarschnitt 💇"}


# --- reschedule, repeat ------------------------------------------------------------------------------


def test_moving(book: Book, call: Call) -> None:
    booked = book("11:30", "12:30")
    path = booked.headers["Location"]
    moved = call("PATCH", path, {"startTime": at("11:45"), "endTime": at("12:45")})
    assert (moved.status, moved.body["version"], moved.headers["ETag"]) == (200, 2, '"2"')  # never in its own way
    assert book("14:00", "15:00").status == 201
    assert call("PATCH", path, {"startTime": at("14:30")}).status == 409
    assert call("GET", path).body == moved.body  # it stayed where it was
    assert call("PATCH", path, {"startTime": at("16:00")}).status == 200
    assert book("11:45", "12:45").status == 201  # the old slot is free
    assert book("16:30", "17:00").status == 409  # the new one is taken
    stale = call("PATCH", path, {"details": {"title": "x"}}, {"If-Match": '"1"'})
    assert (stale.status, call("GET", path).body["details"]) == (412, {})
    assert call("DELETE", path, headers={"If-Match": '"1"'}).status == 412
    assert call("DELETE", path, headers={"If-Match": '"3"'}).status == 200


def test_equal_requests_at_once_are_one_appointment(book: Book, calendar_id: str) -> None:
    """Eight, since each has a process of its own; `tests/race` has 20."""
    key = {"Idempotency-Key": f"key of {calendar_id}"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: book("9:00", "10:00", headers=key), range(8)))
    assert {(answer.status, json.dumps(answer.body)) for answer in answers} == {(201, json.dumps(answers[0].body))}
    assert book("9:00", "10:30", headers=key).status == 422
    assert book("9:00", "10:00", headers=key, userId=f"{calendar_id}-2").status == 201  # another person's key


def test_a_dry_run_writes_nothing(book: Book, call: Call, calendar_id: str) -> None:
    assert book("9:00", "10:00", query="?dryRun=true").status == 200
    assert book("9:00", "10:00").status == 201
    assert book("9:00", "10:00", query="?dryRun=true").status == 409
    assert len(call("GET", f"/appointments?userId={calendar_id}").body["appointments"]) == 1


def test_a_list_is_in_order_and_paged(book: Book, call: Call, calendar_id: str) -> None:
    starts = [f"{hour}:00" for hour in (15, 9, 12, 18, 6)]
    assert {book(start, start.replace(":00", ":30")).status for start in starts} == {201}
    found: list[str] = []
    cursor = ""
    while True:
        page = call("GET", f"/appointments?userId={calendar_id}&limit=2{cursor}").body
        found += [appointment["startTime"] for appointment in page["appointments"]]
        if "nextCursor" not in page:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert found == [at(start) for start in ("6:00", "9:00", "12:00", "15:00", "18:00")]


# --- calendars ---------------------------------------------------------------------------------------


@pytest.fixture
def configure(call: Call, calendar_id: str) -> Callable[..., None]:
    def put(**settings: Any) -> None:
        answer = call("PUT", f"/calendars/{calendar_id}", settings)
        assert answer.status == 200, answer

    return put


@pytest.fixture
def slots(call: Call, calendar_id: str) -> Callable[..., list[tuple[str, str]]]:
    def free(start: str, end: str, duration: int = 30, step: int | None = None) -> list[tuple[str, str]]:
        query = f"calendarIds={calendar_id}&from={at(start)}&to={at(end)}&durationMinutes={duration}"
        answer = call("GET", f"/availability?{query}" + (f"&stepMinutes={step}" if step else ""))
        assert answer.status == 200, answer
        return [(slot["startTime"], slot["endTime"]) for slot in answer.body["available"]]

    return free


def test_a_buffer_keeps_an_hour_on_both_sides_and_across_midnight(book: Book, configure: Any) -> None:
    configure(bufferMinutes={"before": 60, "after": 60})
    assert book("6:00", "7:00").status == 201
    assert [book("4:00", "5:30").status, book("7:30", "8:00").status] == [409, 409]
    assert [book("4:00", "5:00").status, book("8:00", "9:00").status] == [201, 201]
    assert book("2030-01-20T23:00:00Z", "2030-01-20T23:30:00Z").status == 201
    assert book("2030-01-21T00:15:00Z", "2030-01-21T01:00:00Z").status == 409
    assert book("2030-01-21T00:30:00Z", "2030-01-21T01:00:00Z").status == 201


def test_capacity_counts_the_peak_and_not_the_neighbours(book: Book, configure: Any) -> None:
    configure(capacity=3)
    for start, end in (("10:00", "11:00"), ("11:00", "12:00"), ("9:30", "11:00")):
        assert book(start, end).status == 201
    assert book("9:00", "12:00").status == 201
    assert book("10:00", "11:00").status == 409


def test_of_three_seats_the_fourth_is_refused(book: Book, configure: Any) -> None:
    configure(capacity=3)
    assert [book("9:00", "10:00").status for _ in range(4)] == [201, 201, 201, 409]


def test_working_hours_are_local_times(book: Book, configure: Any, slots: Any) -> None:
    weekdays = ("monday", "tuesday", "wednesday", "thursday", "friday")
    configure(timeZone=NEW_YORK, workingHours={day: [{"start": "09:00", "end": "17:00"}] for day in weekdays})
    for day, first, last in (("2030-11-04", 14, 22), ("2030-11-01", 13, 21)):  # after and before the change
        found = slots(f"{day}T00:00:00Z", f"{day}T23:59:00Z", 60)
        assert found[0][0] == f"{day}T{first}:00:00Z"
        assert found[-1][1] == f"{day}T{last}:00:00Z"
        assert book(f"{day}T{first}:00:00Z", f"{day}T{first + 1}:00:00Z").status == 201
        refused = book(f"{day}T{first - 1}:30:00Z", f"{day}T{first + 1}:30:00Z")
        assert [(error["rule"], error["nearest"]["startTime"]) for error in refused.body["errors"]] == [
            ("workingHours", f"{day}T{first}:00:00Z")
        ]


def test_an_override_closes_a_date_and_opens_another(book: Book, configure: Any) -> None:
    every_day = {day: [{"start": "09:00", "end": "17:00"}] for day in ("tuesday", "wednesday")}
    configure(workingHours=every_day, overrides={"2030-01-15": [], "2030-01-16": [{"start": "22:00", "end": "23:00"}]})
    assert faulty(book("9:00", "10:00")) == {"startTime"}
    assert faulty(book("2030-01-16T09:00:00Z", "2030-01-16T10:00:00Z")) == {"startTime"}
    assert book("2030-01-16T22:00:00Z", "2030-01-16T23:00:00Z").status == 201


def test_notice_and_horizon(book: Book, configure: Any) -> None:
    configure(minNoticeMinutes=24 * 60, horizonDays=14)
    now = datetime.now(UTC).replace(second=0, microsecond=0)

    def on(start: datetime) -> Any:
        return book(start.isoformat(), (start + timedelta(minutes=15)).isoformat())

    minute = timedelta(minutes=1)
    assert faulty(on(now + timedelta(hours=24) - minute)) == {"startTime"}
    assert on(now + timedelta(hours=24) + 2 * minute).status == 201
    beyond = now.replace(hour=0, minute=0) + timedelta(days=15)
    assert on(beyond - minute).status == 201
    assert faulty(on(beyond + timedelta(minutes=15))) == {"startTime"}


@pytest.mark.parametrize(("free_until", "count"), [("9:40", 1), ("9:20", 0), ("10:15", 2)])
def test_slots_of_30_minutes(book: Book, slots: Any, free_until: str, count: int) -> None:
    assert book("0:00", "9:00").status == 201
    assert book(free_until, "2030-01-16T00:00:00Z").status == 201
    assert len(slots("0:00", "2030-01-16T00:00:00Z")) == count


def test_every_slot_that_is_offered_books_and_no_other(book: Book, slots: Any, configure: Any) -> None:
    configure(timeZone="Asia/Kolkata", workingHours={"tuesday": [{"start": "09:00", "end": "13:00"}]}, capacity=1)
    assert book("4:10", "4:40").status == 201
    offered = slots("0:00", "23:59", 30, 15)
    opening = datetime(2030, 1, 15, 9, tzinfo=ZoneInfo("Asia/Kolkata"))
    for step in range(-4, 17):
        start = (opening + step * timedelta(minutes=15)).astimezone(UTC)
        span = (f"{start:%Y-%m-%dT%H:%M:%SZ}", f"{start + timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}")
        assert (book(*span, query="?dryRun=true").status == 200) == (span in offered), span
