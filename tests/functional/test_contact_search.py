"""`GET /appointments?contact=`: found by what the relay lists, and never shown by an entry that is outdated."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from appointments.model import Interval
from appointments.storage.contact_index import CONTACTS, Finder
from conflict_detector.access import Access, Auth
from event_relay.relay import Relay
from relaying import Relaying
from streams import fed

if TYPE_CHECKING:
    from collections.abc import Callable

    from appointments.storage.contact_index import ContactIndex
    from world import World

ANNA = {"email": "Anna@example.org", "phone": "+4915123456789"}
EVERYTHING: dict[str, Any] = {"reminders": []}


@pytest.fixture
def relaying(world: World) -> Relaying:
    return Relaying(world)


def found(world: World, contact: str, **more: str) -> list[str]:
    """The starts of what is found, over all pages."""
    query, starts = {"contact": contact, **more}, []
    for _ in range(20):
        status, _, page = world.request("GET", "/appointments", queryStringParameters=query)
        assert status == 200, page
        starts += [one["startTime"][11:16] for one in page["appointments"]]
        if "nextCursor" not in page:
            return starts
        query["cursor"] = page["nextCursor"]
    raise AssertionError("no end")


def booked(world: World, hour: int, user: str = "anna", **more: Any) -> str:
    status, body = world.book(f"{hour}:00", f"{hour}:30", user=user, **EVERYTHING, **more)
    assert status == 201
    return f"/appointments/{body['appointmentId']}"


def listed(world: World) -> list[dict[str, Any]]:
    return [item for item in world.items("CalendarsTable") if item["calendarId"]["S"].startswith(CONTACTS)]


@pytest.mark.parametrize(
    "asked", ["anna@example.org", "ANNA@Example.org", "+4915123456789", " 4915123456789", "+49 151 23456789"]
)
def test_a_person_is_found_by_email_and_by_phone(relaying: Relaying, asked: str) -> None:
    world = relaying.world
    booked(world, 9, contact=ANNA)
    booked(world, 8, user="mother", contact={"phone": ANNA["phone"], "channels": []})
    booked(world, 10, user="ben", contact={"email": "ben@example.org"})
    booked(world, 11)
    assert found(world, asked) == []
    assert relaying.run() == []
    assert found(world, asked) == (["09:00"] if "@" in asked else ["08:00", "09:00"])


def test_entries_hold_no_address_and_go_when_their_appointment_does(relaying: Relaying) -> None:
    world = relaying.world
    path = booked(world, 9, contact=ANNA)
    relaying.run()
    entries = listed(world)
    assert len(entries) == 2
    text = json.dumps(entries).lower()
    assert "example" not in text
    assert "15123456789" not in text
    (kept,) = {item["expiresAt"]["N"] for item in entries}
    assert world.storage.appointments.get(path.rpartition("/")[2]) is not None
    (appointment,) = world.items("AppointmentsTable")
    assert kept == appointment["expiresAt"]["N"]


def test_what_changes_is_found_as_it_is_now(relaying: Relaying) -> None:
    world = relaying.world
    path = booked(world, 9, contact=ANNA)
    relaying.run()
    for change, at in (
        ({"startTime": "2030-01-15T12:00:00Z"}, "12:00"),
        ({"endTime": "2030-01-16T12:30:00Z"}, "12:00"),
        ({"details": {"title": "Check-up"}}, "12:00"),
    ):
        assert world.request("PATCH", path, change)[0] == 200
        relaying.run()
        assert found(world, ANNA["email"]) == [at]
        assert len(listed(world)) == 2
        (appointment,) = world.items("AppointmentsTable")
        assert {item["expiresAt"]["N"] for item in listed(world)} == {appointment["expiresAt"]["N"]}
    world.request("PATCH", path, {"contact": {"email": "new@example.org"}})
    # The index is behind, and shows nothing that is not so any more.
    assert found(world, ANNA["email"]) == []
    relaying.run()
    assert (found(world, ANNA["email"]), found(world, "new@example.org")) == ([], ["12:00"])
    world.request("PATCH", path, {"contact": None})
    assert found(world, "new@example.org") == []
    relaying.run()
    assert listed(world) == []


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_repeated_the_last_version_is_listed(relaying: Relaying, seed: int) -> None:
    """Batches of every size, each given twice; and a redrive of the first record after all others."""
    world = relaying.world
    path = booked(world, 9, contact=ANNA)
    for contact in ({"email": "new@example.org"}, ANNA, {"phone": ANNA["phone"]}):
        world.request("PATCH", path, {"contact": contact})
    records = relaying.records()
    for first in range(0, len(records), seed + 1):
        for _ in range(2):
            assert list(fed(relaying.relay.relay, records[first : first + seed + 1])) == []
    assert found(world, ANNA["phone"]) == ["09:00"]
    assert found(world, ANNA["email"]) == []
    assert len(listed(world)) == 1
    assert relaying.relay.relay(records[:2], late=True) is None
    assert (found(world, ANNA["phone"]), found(world, ANNA["email"])) == (["09:00"], [])


def test_what_was_not_written_comes_again(relaying: Relaying) -> None:
    world, index = relaying.world, relaying.world.contacts

    class Full:
        """Takes nothing for now."""

        tries = 0

        def write(self, puts: Any, gone: Any) -> Any:
            self.tries += 1
            if self.tries == 1:
                raise TimeoutError
            return {*puts, *gone} if self.tries == 2 else index.write(puts, gone)

    booked(world, 8, user="ben")
    booked(world, 9, contact=ANNA)
    relay = Relay(relaying.relay.history, [relaying.bus], relaying.failures, Full())
    records = relaying.records()
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    # From the record with a contact on, and not from the one before it.
    again = list(fed(relay.relay, records))
    assert len(again) == 2
    assert len(set(again)) == 1
    assert again[0] != numbers[0]
    assert found(world, ANNA["email"]) == ["09:00"]


def test_a_person_whose_calendar_keeps_the_contact_is_found(relaying: Relaying) -> None:
    world = relaying.world
    assert world.request("PUT", "/calendars/anna/contact", ANNA)[0] == 200
    booked(world, 9)
    booked(world, 10, user="ben", contact={"email": ANNA["email"]})
    booked(world, 11, contact=ANNA)  # found both ways, and shown once
    booked(world, 12, contact={"email": "other@example.org"})
    relaying.run()
    assert found(world, ANNA["email"]) == ["09:00", "10:00", "11:00", "12:00"]
    world.request("PUT", "/calendars/anna/contact", {"email": "new@example.org"})
    assert found(world, ANNA["email"]) == ["10:00", "11:00"]
    relaying.run()
    assert found(world, "new@example.org") == ["09:00", "11:00", "12:00"]
    world.request("DELETE", "/calendars/anna/contact")
    relaying.run()
    assert found(world, "new@example.org") == []
    assert {item["day"]["S"][:4] for item in listed(world)} == {"2030"}


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_hold_everything_once_and_in_order(relaying: Relaying, limit: int) -> None:
    world = relaying.world
    for person in ("anna", "mother"):
        world.request("PUT", f"/calendars/{person}/contact", {"phone": ANNA["phone"]})
    for hour in (8, 12, 16):
        booked(world, hour)
        booked(world, hour + 1, user="mother", contact={"phone": ANNA["phone"]})
        booked(world, hour + 2, user="ben", contact=ANNA)
    relaying.run()
    everything = [f"{hour:02}:00" for hour in (8, 9, 10, 12, 13, 14, 16, 17, 18)]
    assert found(world, ANNA["phone"], limit=str(limit)) == everything
    times = {"from": "2030-01-15T09:00:00Z", "to": "2030-01-15T17:00:00Z"}
    assert found(world, ANNA["phone"], limit=str(limit), **times) == everything[1:7]


def test_filters(relaying: Relaying) -> None:
    world = relaying.world
    path = booked(world, 9, contact=ANNA)
    booked(world, 10, contact=ANNA)
    world.request("DELETE", path)
    relaying.run()
    assert found(world, ANNA["email"]) == ["09:00", "10:00"]
    assert found(world, ANNA["email"], status="scheduled") == ["10:00"]
    assert found(world, ANNA["email"], serviceId="check-up") == []
    assert found(world, ANNA["email"], **{"from": "2030-01-15T09:30", "timeZone": "UTC"}) == ["10:00"]


def test_faults(world: World) -> None:
    query = {"contact": "anna", "to": "x", "userId": "anna"}
    status, _, refusal = world.request("GET", "/appointments", queryStringParameters=query)
    assert status == 422
    assert [error["field"] for error in refusal["errors"]] == ["userId", "contact", "to"]


def test_only_who_acts_for_everyone_finds_by_contact(world: World) -> None:
    world.api = world.api_for(Access(Auth.IAM))
    for headers, expected in (({}, 200), ({"X-Acting-For": "anna"}, 403)):
        query: Any = {"queryStringParameters": {"contact": "anna@example.org"}, "headers": headers}
        assert world.request("GET", "/appointments", **query)[0] == expected


def test_contacts_are_in_no_line_event_or_entry_of_the_history(
    relaying: Relaying, events_of: Callable[[], list[dict[str, Any]]]
) -> None:
    world = relaying.world
    path = booked(world, 9, contact=ANNA | {"name": "Anna Weber"})
    world.request("PATCH", path, {"contact": {"email": "other@example.org"}})
    world.request("PUT", "/calendars/anna/contact", ANNA)
    world.request("POST", "/appointments", {"userId": "anna", "contact": {"email": "anna weber@example.org"}})
    relaying.run()
    heard = relaying.heard()
    assert [event["changes"].get("contact") for event in heard] == [{}, {}]
    found(world, ANNA["email"])
    entries = list(relaying.entries().values())
    for text in (repr(events_of()), json.dumps(heard), json.dumps(entries)):
        assert text
        for secret in ("example.org", "15123456789", "Weber"):
            assert secret not in text


def test_a_record_that_cannot_be_read_says_nothing_of_its_contact(
    relaying: Relaying, events_of: Callable[[], list[dict[str, Any]]]
) -> None:
    world = relaying.world
    booked(world, 9, contact=ANNA)
    for record in relaying.records():
        if "contact" in record["dynamodb"]["NewImage"]:
            record["dynamodb"]["NewImage"]["contact"]["S"] += "}"
            assert relaying.relay.relay([record]) is None
    lines = repr(events_of())
    assert "example" not in lines
    assert "Record not read" in lines


def test_the_key_of_digests_is_derived_once(world: World, index: ContactIndex) -> None:
    asked = world.calls.count("GenerateMac")
    assert index.digests().digest("a") == index.digests().digest("a") != index.digests().digest("b")
    assert world.calls.count("GenerateMac") == asked + 1


@pytest.fixture
def index(world: World) -> ContactIndex:
    return replace(world.contacts)


def test_what_was_moved_is_shown_once_though_an_old_entry_came_late(relaying: Relaying) -> None:
    world = relaying.world
    path = booked(world, 9, contact=ANNA)
    world.request("PATCH", path, {"startTime": "2030-01-15T12:00:00Z"})
    relaying.run()
    assert relaying.relay.relay(relaying.records()[:1], late=True) is None
    assert len(listed(world)) == 4
    assert found(world, ANNA["email"]) == ["12:00"]


def test_answers_by_sms_find_whom_they_come_from(relaying: Relaying) -> None:
    world = relaying.world
    booked(world, 9, contact=ANNA)
    booked(world, 12, contact=ANNA)
    booked(world, 10, user="ben", contact={"phone": "+4915123456780"})
    relaying.run()
    finder = Finder(world.contacts, world.storage.appointments)
    day = datetime(2030, 1, 15, tzinfo=UTC)
    within = Interval(day, day + timedelta(hours=12))
    found = finder.reached_at(ANNA["phone"], within)
    assert [one.interval.start.hour for one in found or ()] == [9]


def test_more_than_a_page_is_not_looked_through(relaying: Relaying, monkeypatch: pytest.MonkeyPatch) -> None:
    world = relaying.world
    for hour in range(3):
        booked(world, 9 + hour, contact=ANNA)
    relaying.run()
    monkeypatch.setattr("appointments.storage.contact_index.MOST_MEANT", 2)
    day = datetime(2030, 1, 15, tzinfo=UTC)
    within = Interval(day, day + timedelta(days=1))
    assert Finder(world.contacts, world.storage.appointments).reached_at(ANNA["phone"], within) is None
