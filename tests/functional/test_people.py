"""`/people/{userId}`: everything that is kept is shown, and forgotten whatever happens meanwhile."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from appointments.contacts import ChannelName
from appointments.storage.people import PEOPLE, PeopleItems
from appointments.storage.undeliverable import MARKED_FOR, Undeliverable
from conflict_detector.people.handlers import MAX_STEPS
from relaying import Relaying
from world import KilledError

if TYPE_CHECKING:
    from collections.abc import Callable

    from world import World

SECRETS = ("anna@example.org", "15123456789", "Weber", "Headache")
CONTACT = {"name": "Anna Weber", "email": "anna@example.org", "phone": "+4915123456789"}


def book(world: World, day: int, user: str = "anna", **more: Any) -> dict[str, Any]:
    times = (f"2030-01-{day:02}T09:00:00Z", f"2030-01-{day:02}T09:30:00Z")
    given: dict[str, Any] = {"contact": CONTACT, "details": {"title": "Headache"}, "reminders": []} | more
    status, booked = world.book(*times, user=user, **given)
    assert status == 201, booked
    return booked


def person(world: World) -> dict[str, Any]:
    status, _, body = world.request("GET", "/people/anna")
    assert status == 200
    return dict(body)


def forget(world: World) -> tuple[int, dict[str, Any]]:
    status, _, body = world.request("DELETE", "/people/anna")
    return status, body


def stored(world: World) -> str:
    return json.dumps([world.items(name) for name in ("AppointmentsTable", "CalendarsTable")], ensure_ascii=False)


def tasks(world: World) -> list[str]:
    return [item["day"]["S"] for item in world.items("CalendarsTable") if item["calendarId"]["S"] == PEOPLE]


def knows(world: World) -> bool:
    text = stored(world)
    return any(secret in text for secret in SECRETS)


def test_all_that_is_kept_is_shown(world: World) -> None:
    assert person(world) == {"userId": "anna", "appointments": []}
    world.request("PUT", "/calendars/anna/contact", CONTACT)
    world.request("PUT", "/calendars/anna", {"timeZone": "Europe/Berlin"})
    ids = [book(world, day)["appointmentId"] for day in (2, 1, 3)]
    book(world, 4, user="ben")
    shown = person(world)
    assert shown["contact"] == CONTACT | {"channels": ["email", "sms"]}
    assert shown["calendar"]["timeZone"] == "Europe/Berlin"
    assert [one["appointmentId"] for one in shown["appointments"]] == [ids[1], ids[0], ids[2]]
    assert all(one["contact"]["email"] and one["details"] for one in shown["appointments"])
    _, _, first = world.request("GET", "/people/anna", queryStringParameters={"limit": "2"})
    query = {"limit": "2", "cursor": first["nextCursor"]}
    _, _, rest = world.request("GET", "/people/anna", queryStringParameters=query)
    assert [one["appointmentId"] for one in first["appointments"] + rest["appointments"]] == [ids[1], ids[0], ids[2]]


def test_why_nothing_is_sent_to_an_address_is_shown_with_the_contact(world: World) -> None:
    """Whatever the person agreed to, until the mark ends or the address is another."""
    world.request("PUT", "/calendars/anna/contact", CONTACT | {"channels": ["sms"]})

    def shown() -> list[Any]:
        return [
            world.request("GET", path)[2].get("undeliverable") for path in ("/people/anna", "/calendars/anna/contact")
        ]

    assert shown() == [None, None]
    marks = Undeliverable(world.storage.database, "CalendarsTable", world.contacts.digests())
    marks.mark(ChannelName.SMS, CONTACT["phone"], "opted out", world.now)
    assert shown() == [{"sms": "opted out"}] * 2
    marks.mark(ChannelName.EMAIL, CONTACT["email"], "bounced", world.now - MARKED_FOR / 2)
    assert shown() == [{"sms": "opted out", "email": "bounced"}] * 2
    # An answer can be sent back as it is. It changes no mark.
    world.request("PUT", "/calendars/anna/contact", world.request("GET", "/calendars/anna/contact")[2])
    assert shown() == [{"sms": "opted out", "email": "bounced"}] * 2
    world.now += MARKED_FOR / 2
    assert shown() == [{"sms": "opted out"}] * 2
    world.request("PUT", "/calendars/anna/contact", CONTACT | {"phone": "+4915123456780"})
    assert shown() == [None, None]


def test_a_person_is_forgotten_and_the_times_stay(world: World, events_of: Callable[[], list[dict[str, Any]]]) -> None:
    relaying = Relaying(world)
    world.request("PUT", "/calendars/anna/contact", CONTACT)
    before = [book(world, 1), book(world, 2, session={"seats": 3}), book(world, 3, details={})]
    other = book(world, 4, user="ben", contact={"email": "ben@example.org"}, details={"title": "Knee"})
    world.request("DELETE", f"/appointments/{before[0]['appointmentId']}")
    relaying.run()
    assert knows(world)
    assert forget(world) == (200, {"userId": "anna", "changed": 3})
    relaying.run()
    assert not knows(world)
    shown = person(world)
    assert "contact" not in shown
    assert [(one["startTime"], one["status"], one["details"]) for one in shown["appointments"]] == [
        (one["startTime"], status, {})
        for one, status in zip(before, ("cancelled", "scheduled", "scheduled"), strict=True)
    ]
    # Its time is still taken, and what is another's is as it was.
    assert world.book("2030-01-02T09:00:00Z", "2030-01-02T09:30:00Z", user="anna")[0] == 409
    assert world.request("GET", f"/appointments/{other['appointmentId']}")[2] == other
    assert [event["changes"] for event in relaying.heard()][-3:-1] == [{"details": {}, "contact": {}}] * 2
    assert forget(world) == (200, {"userId": "anna", "changed": 0})
    assert all(secret not in repr(events_of()) for secret in SECRETS)


def test_what_is_too_much_at_once_is_done_by_the_sweep(world: World) -> None:
    for day in range(1, 31):
        book(world, day)
    status, body = forget(world)
    assert (status, body["changed"]) == (202, MAX_STEPS - 1)
    assert person(world)["forgetting"] == body["forgetting"] == {"startedAt": "2029-12-01T12:00:00Z"}
    assert knows(world)
    world.sweep()
    assert not knows(world)
    # The index may be behind, so it looks once more.
    assert tasks(world) == ["anna"]
    world.now += timedelta(minutes=5)
    world.sweep()
    assert tasks(world) == []
    assert "forgetting" not in person(world)


def test_what_was_booked_at_the_same_time_is_seen_by_the_last_pass(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    booked = book(world, 1)
    query = world.storage.database.client.query
    with monkeypatch.context() as patched:
        # The index does not have it yet.
        patched.setattr(world.storage.database.client, "query", lambda **more: query(**more) | {"Items": []})
        assert forget(world) == (200, {"userId": "anna", "changed": 0})
    assert knows(world)
    world.now += timedelta(minutes=5)
    later = book(world, 2, details={"title": "Later"}, contact={"email": "later@example.org"})
    world.request("PUT", "/calendars/anna/contact", {"email": "later@example.org"})
    world.sweep()
    assert not knows(world)
    assert world.request("GET", f"/appointments/{booked['appointmentId']}")[2]["details"] == {}
    # What came after the request was not meant.
    assert world.request("GET", f"/appointments/{later['appointmentId']}")[2] == later
    assert person(world)["contact"]["email"] == "later@example.org"
    assert tasks(world) == []


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("nth", range(1, 5))
def test_a_death_at_any_write_leaves_the_rest_to_the_sweep(world: World, nth: int, after: bool) -> None:
    world.request("PUT", "/calendars/anna/contact", CONTACT)
    for day in (1, 2, 3):
        book(world, day)
    world.dying("UpdateItem", after=after, nth=nth)
    with pytest.raises(KilledError):
        forget(world)
    if nth == 1 and not after:
        assert tasks(world) == []  # it was never asked for
        return
    world.now += timedelta(minutes=5)
    world.sweep()
    assert not knows(world)
    assert tasks(world) == []


def test_what_changes_meanwhile_keeps_the_change_and_is_forgotten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    booked = book(world, 1)
    change = world.storage.appointments.change
    seen: list[int] = []

    def meanwhile(self: Any, before: Any, after: Any, change_id: Any = None) -> None:
        if not seen:
            seen.append(1)
            path = f"/appointments/{booked['appointmentId']}"
            assert world.request("PATCH", path, {"confirmed": True})[0] == 200
        change(before, after, change_id)

    monkeypatch.setattr(type(world.storage.appointments), "change", meanwhile)
    assert forget(world)[1]["changed"] == 1
    (shown,) = person(world)["appointments"]
    assert (shown["version"], shown["details"]) == (3, {})
    assert "confirmedAt" in shown
    assert not knows(world)


def test_a_key_is_rejected_when_what_was_sent_is_not_known_any_more(world: World) -> None:
    body = {"userId": "anna", "startTime": "2030-01-15T09:00:00Z", "endTime": "2030-01-15T10:00:00Z"}
    sent = body | {"details": {"title": "Headache"}}
    headers = {"Idempotency-Key": "one"}
    assert world.request("POST", "/appointments", sent, headers=headers)[0] == 201
    forget(world)
    assert '"fingerprint"' not in stored(world)
    status, _, refusal = world.request("POST", "/appointments", sent, headers=headers)
    assert (status, refusal["type"].partition("#")[2]) == (422, "idempotency-key-reused")


def test_an_id_is_checked(world: World) -> None:
    for method in ("GET", "DELETE"):
        status, _, refusal = world.request(method, "/people/a b", queryStringParameters={"x": "1"})
        assert (status, [error["field"] for error in refusal["errors"]]) == (422, ["userId", "x"])


def test_whoever_is_to_be_forgotten_again_is_not_ended_by_the_pass_before(world: World) -> None:
    forget(world)
    people = PeopleItems(world.storage.database, "CalendarsTable")
    (first,) = people.every()
    world.now += timedelta(seconds=1)
    forget(world)
    people.end(first)
    assert tasks(world) == ["anna"]
    people.end(first._replace(started_at=world.now))
    assert tasks(world) == []
