"""What visitors do who have not signed in: find a free time, hold it, book it; and what they are not told."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from icalendar import Calendar

import contract
from conflict_detector.access import Access, Auth
from conflict_detector.settings import PageSettings
from linking import Holder
from services import put_service, step
from support import api_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from world import World

SERVICE = "/book/services/check-up"
NINE = "2030-01-15T09:00:00Z"
TEN = "2030-01-15T10:00:00Z"
PAGES = ("/book", "/desk")
TUESDAYS = {"tuesday": [{"start": "09:00", "end": "12:00"}]}
ANNA = {"name": "Anna Vogel", "email": "anna@example.org", "locale": "de"}


class Visitor:
    """Somebody without an account, at an address, with the key of a booking link or without one."""

    def __init__(self, world: World, key: str = "", source: str = "203.0.113.7") -> None:
        self.world = world
        self.query = {"key": key} if key else {}
        self.source = source
        # Whatever was answered, to look through.
        self.seen: list[str] = []

    def ask(self, method: str, path: str, body: object = None, **more: Any) -> tuple[int, Any]:
        query = more.pop("query", {}) | (self.query if path.startswith("/book/services") else {})
        event = api_event(method, path, body, queryStringParameters=query, **more)
        event["requestContext"] = event["requestContext"] | {"identity": {"sourceIp": self.source}}
        response = self.world.api.handle(event)
        contract.check(method, path, response)
        self.seen.append(json.dumps(response))
        json_answer = response["headers"]["Content-Type"].endswith("json")
        return response["statusCode"], json.loads(response["body"]) if json_answer else response["body"]

    def hold(self, start: str = NINE, **more: Any) -> Any:
        status, visit = self.ask("POST", f"{SERVICE}/appointments", {"startTime": start}, **more)
        assert status == 201, visit
        return visit

    def confirm(self, visit: Any, contact: Any = ANNA) -> tuple[int, Any]:
        return self.ask("PATCH", f"/book/appointments/{visit['token']}", {"contact": contact})


def link(world: World, **more: Any) -> dict[str, Any]:
    body = {"services": ["check-up"], "until": "2029-12-31T00:00:00Z"} | more
    status, _, made = world.request("POST", "/booking-links", body)
    assert status == 201, made
    return dict(made)


@pytest.fixture
def visitor(world: World) -> Visitor:
    """Somebody with a booking link to a service of one doctor, who has hours in New York."""
    hours = {"timeZone": "America/New_York", "workingHours": TUESDAYS}
    assert world.request("PUT", "/calendars/dr-kim", hours)[0] == 200
    service: dict[str, Any] = {"title": "Check-up", "description": "Half an hour.", "moveUntilMinutes": 60}
    put_service(world, "check-up", step(30, "dr-kim"), **service)
    return Visitor(world, link(world)["key"])


NINE_NY = "2030-01-15T14:00:00Z"


def stored(world: World, visit: Any) -> dict[str, Any]:
    found: dict[str, Any] = world.request("GET", f"/appointments/{world.links.appointment_of(visit['token'])}")[2]
    return found


# --- the way of a visitor -----------------------------------------------------------------------------


def test_from_a_link_to_an_appointment(world: World, visitor: Visitor) -> None:
    _, facts = visitor.ask("GET", SERVICE)
    assert facts == {
        "serviceId": "check-up", "title": "Check-up", "description": "Half an hour.", "durationMinutes": 30,
        "approval": False, "minNoticeMinutes": 0, "moveUntilMinutes": 60, "timeZone": "America/New_York",
    }  # fmt: skip
    january = {"from": "2030-01-14T00:00:00", "to": "2030-01-17T00:00:00", "timeZone": "Europe/Berlin"}
    _, days = visitor.ask("GET", f"{SERVICE}/days", query=january)
    assert [one["available"] for one in days["days"]] == [0, 6, 0]
    _, times = visitor.ask("GET", f"{SERVICE}/times", query=january | {"limit": "2"})
    assert [one["startTime"] for one in times["available"]] == [NINE_NY, "2030-01-15T14:30:00Z"]

    visit = visitor.hold(NINE_NY)
    assert (visit["status"], visit["expiresAt"]) == ("held", "2029-12-01T12:10:00Z")
    assert (visit["endTime"], visit["timeZone"]) == ("2030-01-15T14:30:00Z", "America/New_York")
    assert "link" not in visit
    _, left = visitor.ask("GET", f"{SERVICE}/days", query=january)
    assert [one["available"] for one in left["days"]] == [0, 5, 0]

    status, booked = visitor.confirm(visit)
    assert (status, booked["status"]) == (200, "scheduled")
    assert booked["link"] == f"/l/{visit['token']}"
    assert "expiresAt" not in booked
    appointment = stored(world, visit)
    assert appointment["userId"].startswith("guest-")
    assert appointment["contact"] == ANNA | {"channels": ["email"]}
    assert [one["state"] for one in appointment["reminders"]] == ["pending", "pending"]
    assert world.rules()

    status, file = visitor.ask("GET", booked["calendarFile"])
    event: Any = Calendar.from_ical(file).walk("VEVENT")[0]
    assert (status, event["SUMMARY"], event["UID"]) == (200, "Check-up", appointment["appointmentId"])
    assert event["DTSTART"].dt == datetime(2030, 1, 15, 14, tzinfo=UTC)
    assert "ORGANIZER" not in event

    holder = Holder(world, appointment["appointmentId"], "de")
    page = holder.open()
    assert page.actions == ["confirm", "cancel"]
    holder.post(action="cancel")
    assert visitor.ask("GET", f"/book/appointments/{visit['token']}")[1]["status"] == "cancelled"
    assert visitor.ask("GET", booked["calendarFile"])[0] == 404


def test_the_history_says_that_it_was_by_a_link(world: World, visitor: Visitor) -> None:
    visit = visitor.hold(NINE_NY)
    visitor.confirm(visit)
    item = world.storage.appointments.get(world.links.appointment_of(visit["token"]))
    assert item
    assert (item.version, item.by) == (2, "link")


def test_what_is_held_is_not_booked_by_its_link_without_a_name(world: World, visitor: Visitor) -> None:
    visit = visitor.hold(NINE_NY)
    holder = Holder(world, world.links.appointment_of(visit["token"]))
    for form in ({"action": "confirm"}, {"action": "cancel"}, {"action": "move", "startTime": "2030-01-15T15:00:00Z"}):
        assert holder.post(**form).status == 410
    assert (holder.open().status, holder.open().actions) == (410, [])
    kept = stored(world, visit)
    assert (kept["status"], kept["startTime"], kept["version"]) == ("held", NINE_NY, 1)
    assert visitor.confirm(visit)[0] == 200
    assert holder.open().actions == ["confirm", "cancel"]


def test_a_visitor_moves_so_often_and_no_more(world: World, visitor: Visitor) -> None:
    """Each move is an email or an SMS to whomever the visitor named."""
    visit = visitor.hold(NINE_NY)
    visitor.confirm(visit)
    holder = Holder(world, world.links.appointment_of(visit["token"]))
    answers = [
        holder.post(action="move", startTime=NINE_NY.replace(":00:", f":{30 - n % 2 * 30:02}:")) for n in range(24)
    ]
    assert [one.status for one in answers] == [200] * 18 + [422, 200] * 3  # to where it is, it is moved already
    assert stored(world, visit)["version"] == 20
    assert holder.open().actions == ["confirm", "cancel"]
    assert holder.post(action="cancel").status == 200


def test_a_service_says_for_how_long_it_holds(world: World, visitor: Visitor) -> None:
    put_service(world, "check-up", step(30, "dr-kim"), version=2, holdMinutes=3)
    assert visitor.hold(NINE_NY)["expiresAt"] == "2029-12-01T12:03:00Z"


def test_a_hold_is_let_go_at_once_and_what_was_booked_is_not(world: World, visitor: Visitor) -> None:
    visit = visitor.hold(NINE_NY)
    for _ in range(2):
        status, gone = visitor.ask("DELETE", f"/book/appointments/{visit['token']}")
        assert (status, gone["status"]) == (200, "cancelled")
    other = visitor.hold(NINE_NY)
    visitor.confirm(other)
    status, kept = visitor.ask("DELETE", f"/book/appointments/{other['token']}")
    assert (status, kept["status"]) == (200, "scheduled")
    assert visitor.confirm(visit)[0] == 409


def test_a_confirmation_can_be_sent_twice_and_its_contact_stays(world: World, visitor: Visitor) -> None:
    visit = visitor.hold(NINE_NY)
    first = visitor.confirm(visit)
    assert visitor.confirm(visit) == first
    status, refused = visitor.confirm(visit, ANNA | {"email": "eve@example.org"})
    assert (status, refused["type"]) == (409, "/docs#invalid-transition")
    assert stored(world, visit)["contact"]["email"] == "anna@example.org"


def test_a_time_that_ran_out_is_booked_if_it_is_still_free(world: World, visitor: Visitor) -> None:
    world.api = world.api_for(Access(Auth.IAM), open_to_all=True)
    visit = visitor.hold(NINE_NY)
    world.now += timedelta(minutes=11)
    assert visitor.ask("GET", f"/book/appointments/{visit['token']}")[1]["status"] == "expired"
    assert visitor.confirm(visit)[1]["status"] == "scheduled"


def test_a_time_that_ran_out_is_asked_for_anew_where_a_link_lets_in(world: World, visitor: Visitor) -> None:
    """Whether the link has ended is known when it is shown, which a confirmation does not do."""
    visit = visitor.hold(NINE_NY)
    # As long as it is nobody else's, it is the visitor's, whose clock may be slow.
    world.now += timedelta(minutes=10, seconds=4)
    other = visitor.ask("POST", f"{SERVICE}/appointments", {"startTime": NINE_NY})
    assert (other[0], other[1]["type"]) == (409, "/docs#time-taken")
    before = world.now
    world.now += timedelta(seconds=1)
    status, refused = visitor.confirm(visit)
    assert (status, refused["type"], refused["allowed"]) == (409, "/docs#invalid-transition", [])
    assert stored(world, visit)["version"] == 1
    world.now = before
    assert visitor.confirm(visit)[1]["status"] == "scheduled"


def test_who_was_slower_is_told_what_is_free_and_not_who_was_faster(world: World, visitor: Visitor) -> None:
    visit = visitor.hold(NINE_NY)
    status, refused = visitor.ask("POST", f"{SERVICE}/appointments", {"startTime": NINE_NY})
    assert (status, refused["type"]) == (409, "/docs#time-taken")
    assert [one["startTime"] for one in refused["alternatives"]][:1] == ["2030-01-15T14:30:00Z"]
    world.now += timedelta(minutes=11)
    other = Visitor(world, visitor.query["key"], "203.0.113.8")
    other.confirm(other.hold(NINE_NY))
    status, refused = visitor.confirm(visit)
    assert (status, refused["type"]) == (409, "/docs#invalid-transition")
    status, refused = visitor.ask("POST", f"{SERVICE}/appointments", {"startTime": NINE_NY, "contact": ANNA})
    assert (status, refused["type"]) == (409, "/docs#time-taken")
    world.api = world.api_for(Access(Auth.IAM), open_to_all=True)
    status, refused = visitor.confirm(visit)
    assert (status, refused["type"]) == (409, "/docs#time-taken")
    assert "dr-kim" not in "".join(visitor.seen)


@pytest.mark.parametrize("start", ["2030-01-15T03:00:00Z", "2029-11-01T14:00:00Z", "2030-01-15T13:59:00Z"])
def test_a_time_that_nobody_offered_is_refused_without_a_reason(visitor: Visitor, start: str) -> None:
    status, refused = visitor.ask("POST", f"{SERVICE}/appointments", {"startTime": start})
    assert (status, refused["type"]) == (409, "/docs#time-taken")
    assert "dr-kim" not in json.dumps(refused)


def test_a_service_with_approval_is_asked_for_at_once(world: World, visitor: Visitor) -> None:
    put_service(world, "check-up", step(30, "dr-kim"), version=2, approval=True)
    assert visitor.ask("GET", SERVICE)[1]["approval"] is True
    status, refused = visitor.ask("POST", f"{SERVICE}/appointments", {"startTime": NINE_NY})
    assert (status, refused["type"]) == (409, "/docs#approval-needed")
    status, visit = visitor.ask("POST", f"{SERVICE}/appointments", {"startTime": NINE_NY, "contact": ANNA})
    assert (status, visit["status"]) == (201, "requested")
    assert "calendarFile" not in visit
    assert visit["link"]


def test_a_calendar_with_approval_is_not_named(world: World, visitor: Visitor) -> None:
    settings = world.request("GET", "/calendars/dr-kim")[2] | {"approval": True}
    assert world.request("PUT", "/calendars/dr-kim", {k: v for k, v in settings.items() if k != "version"})[0] == 200
    status, refused = visitor.ask("POST", f"{SERVICE}/appointments", {"startTime": NINE_NY})
    assert (status, refused["type"]) == (409, "/docs#approval-needed")
    assert "dr-kim" not in json.dumps(refused)


def test_an_answer_that_got_lost_is_asked_for_again(world: World, visitor: Visitor) -> None:
    key = {"headers": {"Idempotency-Key": str(uuid.uuid4())}}
    visit = visitor.hold(NINE_NY, **key)
    assert visitor.hold(NINE_NY, **key) == visit
    put_service(world, "check-up", step(30, "dr-kim"), holdMinutes=5, version=2)
    assert visitor.hold(NINE_NY, **key)["token"] == visit["token"]  # though it would be held for less by now
    contact = {"startTime": NINE_NY, "contact": ANNA}
    status, refused = visitor.ask("POST", f"{SERVICE}/appointments", contact, **key)
    assert (status, refused["type"]) == (422, "/docs#idempotency-key-reused")
    status, refused = visitor.ask(
        "POST", f"{SERVICE}/appointments", {"startTime": NINE_NY}, headers={"Idempotency-Key": "1"}
    )
    assert (status, refused["errors"][0]["message"]) == (422, "must be a random UUID")


@pytest.mark.parametrize(
    ("contact", "fields"),
    [
        ({}, {"contact", "contact.name"}),
        ({"name": "Anna"}, {"contact"}),
        ({"name": "Anna", "email": "anna"}, {"contact.email"}),
        ({"name": " ", "phone": "911"}, {"contact.name", "contact.phone"}),
        ({"email": "anna@example.org"}, {"contact.name"}),
        ("anna", {"contact"}),
        ({"name": "Anna", "email": "anna@example.org", "isAdmin": True}, {"contact.isAdmin"}),
    ],
)
def test_every_fault_of_a_contact_is_told_at_its_field(
    world: World, visitor: Visitor, contact: Any, fields: set[str]
) -> None:
    visit = visitor.hold(NINE_NY)
    for status, refused in (
        visitor.confirm(visit, contact),
        visitor.ask("POST", f"{SERVICE}/appointments", {"startTime": NINE_NY, "contact": contact}),
    ):
        assert (status, {one["field"] for one in refused["errors"]}) == (422, fields)
    assert stored(world, visit)["status"] == "held"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("You won: evil.example/win", "You won: evil. example/win"),
        ("see www.evil.example", "see www. evil. example"),
        ("evil\uff0eexample", "evil\uff0e example"),
        ("Dr.Kim", "Dr. Kim"),
        ("J. R. Lee-O'Neil jr.", "J. R. Lee-O'Neil jr."),
        ("http://evil.example", None),
        ("//2130706433", None),
        ("mailto:eve", None),
        ("tel:+4915123", None),
        ("eve@evil.example", None),
    ],
)
def test_a_name_is_no_link_in_messages_to_others(world: World, visitor: Visitor, name: str, kept: str | None) -> None:
    """A visitor chooses whom the place writes to, and what it calls them."""
    contact = ANNA | {"name": name}
    visit = visitor.hold(NINE_NY)
    status, answer = visitor.confirm(visit, contact)
    if kept is None:
        assert (status, [one["field"] for one in answer["errors"]]) == (422, ["contact.name"])
        return
    assert status == 200
    assert visitor.confirm(visit, contact)[0] == 200
    assert stored(world, visit)["contact"]["name"] == kept


def test_what_is_large_is_not_looked_through(visitor: Visitor) -> None:
    """Anybody can send it, also without a link: the page of a token asks for none."""
    large = {"contact": ANNA | {"email": "a" * 20_000 + "@example.org"}}
    for method, path in (("PATCH", f"/book/appointments/{'A' * 43}"), ("POST", f"{SERVICE}/appointments")):
        status, refused = visitor.ask(method, path, large | ({"startTime": NINE_NY} if method == "POST" else {}))
        assert (status, refused["type"]) == (413, "/docs#payload-too-large")


def test_nothing_else_is_taken(visitor: Visitor) -> None:
    visit = visitor.hold(NINE_NY)
    own: list[tuple[str, str, Any]] = [
        ("POST", f"{SERVICE}/appointments", {"startTime": TEN, "userId": "anna"}),
        ("POST", f"{SERVICE}/appointments", {"startTime": TEN, "hold": {"minutes": 60}}),
        ("POST", f"{SERVICE}/appointments", {"startTime": TEN, "details": {}}),
        ("POST", f"{SERVICE}/appointments", {"startTime": TEN, "ignoreNotice": True}),
        ("POST", f"{SERVICE}/appointments", {}),
        ("POST", f"{SERVICE}/appointments", {"startTime": "2030-01-15T10:00:00"}),
        ("PATCH", f"/book/appointments/{visit['token']}", {"contact": ANNA, "status": "scheduled"}),
        ("PATCH", f"/book/appointments/{visit['token']}", {"contact": ANNA, "startTime": TEN}),
        ("PATCH", f"/book/appointments/{visit['token']}", {"contact": ANNA, "ignoreNotice": True}),
        ("PATCH", f"/book/appointments/{visit['token']}", {}),
    ]
    for method, path, body in own:
        assert visitor.ask(method, path, body)[0] == 422, body
    times = {"from": NINE, "to": TEN}
    for parameter in ("userId", "serviceId", "calendarIds", "dryRun"):
        for path in ("", "/days", "/times"):
            query = {parameter: "dr-kim"} | (times if path else {})
            assert visitor.ask("GET", SERVICE + path, query=query)[0] == 422
    assert visitor.ask("GET", f"{SERVICE}/days", query=times | {"limit": "5"})[0] == 422


# --- who is let in ------------------------------------------------------------------------------------


# What visitors ask a service for: method, path below the service, query and body.
ASKED: list[tuple[str, str, dict[str, str], Any]] = [
    ("GET", "", {}, None),
    ("GET", "/days", {"from": NINE, "to": TEN}, None),
    ("GET", "/times", {"from": NINE, "to": TEN}, None),
    ("POST", "/appointments", {}, {"startTime": NINE_NY}),
]


def answers(visitor: Visitor, service: str = SERVICE) -> set[tuple[int, str]]:
    found = set()
    for method, path, query, body in ASKED:
        status, refused = visitor.ask(method, service + path, body, query=query)
        found.add((status, refused["type"].partition("#")[2]))
    return found


def test_without_a_link_it_is_closed(world: World, visitor: Visitor) -> None:
    before = world.items("CalendarsTable")
    assert answers(Visitor(world)) == {(403, "booking-closed")}
    assert Visitor(world).ask("GET", "/book/services")[0] == 403
    assert world.items("CalendarsTable") == before


def test_a_link_opens_its_services_alone(world: World, visitor: Visitor) -> None:
    put_service(world, "other", step(30, "dr-lee"))
    assert answers(visitor, "/book/services/other") == {(403, "booking-link-unknown")}
    _, listed = visitor.ask("GET", "/book/services")
    assert [one["serviceId"] for one in listed["services"]] == ["check-up"]


def test_a_forged_link_opens_nothing(world: World, visitor: Visitor) -> None:
    key = visitor.query["key"]
    middle = len(key) // 2
    for forged in (
        key[:middle] + ("A" if key[middle] != "A" else "B") + key[middle + 1 :],
        key[:-1] + ("A" if key[-1] != "A" else "B"),
        key[:-4], key + "AAAA", "x", "\u00fc" * 43, "A" * 5000,
        world.links.token_for(str(uuid.uuid4())),
    ):  # fmt: skip
        assert answers(Visitor(world, forged)) == {(403, "booking-link-unknown")}, forged


def test_a_link_ends(world: World, visitor: Visitor) -> None:
    world.now = datetime(2029, 12, 30, 23, 59, 59, tzinfo=UTC)
    visit = visitor.hold(NINE_NY)
    world.now = datetime(2029, 12, 31, tzinfo=UTC)
    assert answers(visitor) == {(410, "booking-link-expired")}
    # What is held already can be booked still, as long as it is held.
    world.now += timedelta(minutes=9)
    assert visitor.confirm(visit)[0] == 200


def test_what_ran_out_after_the_link_has_ended_is_not_booked(world: World, visitor: Visitor) -> None:
    world.now = datetime(2029, 12, 30, 23, 59, 59, tzinfo=UTC)
    visit = visitor.hold(NINE_NY)
    world.now += timedelta(minutes=10, seconds=5)
    assert [visitor.confirm(visit)[0], stored(world, visit)["version"]] == [409, 1]
    asked = visitor.ask("POST", f"{SERVICE}/appointments", {"startTime": NINE_NY, "contact": ANNA})
    assert (asked[0], asked[1]["type"]) == (410, "/docs#booking-link-expired")


def test_an_open_stack_needs_no_link(world: World, visitor: Visitor) -> None:
    world.api = world.api_for(Access(Auth.IAM), open_to_all=True)
    anyone = Visitor(world)
    assert anyone.confirm(anyone.hold(NINE_NY))[0] == 200
    _, listed = anyone.ask("GET", "/book/services")
    assert [one["serviceId"] for one in listed["services"]] == ["check-up"]
    assert {status for status, _ in answers(anyone, "/book/services/none")} == {404, 422}


def test_a_token_is_for_what_visitors_booked(world: World, visitor: Visitor) -> None:
    status, desk = world.book("9:00", "9:30", user="anna", hold={"minutes": 10})
    assert status == 201
    token = world.links.token_for(desk["appointmentId"])
    for method, body in (("GET", None), ("PATCH", {"contact": ANNA}), ("DELETE", None)):
        assert visitor.ask(method, f"/book/appointments/{token}", body)[0] == 404
        assert visitor.ask(method, f"/book/appointments/{desk['appointmentId']}", body)[0] == 404
    assert visitor.ask("GET", f"/book/appointments/{token}/calendar")[0] == 404
    gone = world.links.token_for(str(uuid.uuid4()))
    assert visitor.ask("GET", f"/book/appointments/{gone}")[0] == 404


@pytest.mark.parametrize("written", ["room@north:b", "room%40north%3Ab"])
def test_addresses_are_good_however_the_service_was_written(world: World, written: str) -> None:
    """A path may hold `:` and `@` as they are, or encoded."""
    put_service(world, "room@north:b", step(30, "north-b"))
    world.api = world.api_for(Access(Auth.NONE), open_to_all=True)
    path = f"/book/services/{written}/appointments"
    event = api_event("POST", path, {"startTime": NINE, "contact": ANNA})
    event |= {"resource": "/book/{proxy+}", "pathParameters": {"proxy": path.removeprefix("/book/")}}
    event["requestContext"] |= {"domainName": "api.example.org", "path": f"/prod{path}"}
    response = world.api.handle(event)
    contract.check("POST", path, response)
    visit = json.loads(response["body"])
    assert response["headers"]["Location"] == f"https://api.example.org/prod/book/appointments/{visit['token']}"
    assert visit["link"] == f"https://api.example.org/prod/l/{visit['token']}"
    assert visit["calendarFile"] == f"{response['headers']['Location']}/calendar"


def test_links_are_made_for_services_that_there_are_and_end_in_time(world: World, visitor: Visitor) -> None:
    made = link(world)
    query = parse_qs(urlsplit(made["url"]).query)
    assert (urlsplit(made["url"]).path, query) == ("/book", {"service": ["check-up"], "key": [made["key"]]})
    assert link(world) == made
    put_service(world, "other", step(30, "dr-lee"))
    both = link(world, services=["check-up", "other"])
    assert "service" not in parse_qs(urlsplit(both["url"]).query)
    assert {one["serviceId"] for one in Visitor(world, both["key"]).ask("GET", "/book/services")[1]["services"]} == {
        "check-up", "other",
    }  # fmt: skip
    faulty: list[dict[str, Any]] = [
        {"services": []}, {"services": ["none"]}, {"services": ["a b"]}, {"until": "2029-12-01T12:00:00Z"},
        {"until": "2032-12-01T12:00:00Z"}, {"until": "soon"}, {"calendars": ["dr-kim"]}, {"services": ["x"] * 21},
    ]  # fmt: skip
    for wrong in faulty:
        body = {"services": ["check-up"], "until": "2029-12-31T00:00:00Z"} | wrong
        assert world.request("POST", "/booking-links", body)[0] == 422, wrong


def test_what_visitors_ask_for_stays_where_it_is_open(world: World, visitor: Visitor) -> None:
    """API Gateway lets everyone reach the resource; nothing below it is a way to another route."""
    resource = "/book/{proxy+}"
    for proxy in ("../appointments", "..%2Fappointments", "services/../../services", "services/..%2f..%2fservices", ""):
        more = {"resource": resource, "pathParameters": {"proxy": proxy}}
        response = world.api.handle(api_event("GET", f"/book/{proxy}", **more))
        assert response["statusCode"] in (403, 404, 405, 422), response
        assert "dr-kim" not in response["body"]
    # It may arrive encoded or not.
    put_service(world, "a@b", step(30, "dr-kim"))
    world.api = world.api_for(Access(Auth.IAM), open_to_all=True)
    for proxy in ("services/a@b", "services/a%40b"):
        more = {"resource": resource, "pathParameters": {"proxy": proxy}}
        assert world.api.handle(api_event("GET", f"/book/{proxy}", **more))["statusCode"] == 200


def test_the_page_is_framed_by_the_sites_that_are_named(world: World) -> None:
    def framed_by(origins: str) -> str:
        world.api = replace(world.api, pages=PageSettings(framed_by=origins))
        policies = [world.api.handle(api_event("GET", path))["headers"]["Content-Security-Policy"] for path in PAGES]
        assert "frame-ancestors 'none'" in policies[1]  # the desk, always
        return str(policies[0].partition("frame-ancestors ")[2])

    assert framed_by("") == "'none'"
    assert framed_by("https://a.example https://b.example:8443") == "https://a.example https://b.example:8443"


# --- how much an address may ask for -----------------------------------------------------------------


def test_an_address_asks_for_so_many_times_an_hour(world: World, visitor: Visitor) -> None:
    world.api = world.api_for(Access(Auth.NONE), holds_per_address=2)
    visit = visitor.hold(NINE_NY)
    visitor.hold("2030-01-15T14:30:00Z")
    event = api_event(
        "POST", f"{SERVICE}/appointments", {"startTime": "2030-01-15T15:00:00Z"}, queryStringParameters=visitor.query
    )
    event["requestContext"] = event["requestContext"] | {"identity": {"sourceIp": visitor.source}}
    world.now += timedelta(minutes=9)
    refused = world.api.handle(event)
    assert (refused["statusCode"], refused["headers"]["Retry-After"]) == (429, str(51 * 60 + 1))
    other = Visitor(world, visitor.query["key"], "203.0.113.8")
    other.hold("2030-01-15T15:00:00Z")
    # Whoever holds a time can book it, whatever was asked for since.
    assert visitor.confirm(visit)[0] == 200
    world.now = datetime(2029, 12, 1, 13, tzinfo=UTC)
    visitor.hold("2030-01-15T15:30:00Z")


def test_a_home_counts_as_one_address(world: World, visitor: Visitor) -> None:
    world.api = world.api_for(Access(Auth.NONE), holds_per_address=1)
    key = visitor.query["key"]
    Visitor(world, key, "2001:db8:1:2::1").hold(NINE_NY)
    body = {"startTime": "2030-01-15T15:00:00Z"}
    assert Visitor(world, key, "2001:db8:1:2:ffff::9").ask("POST", f"{SERVICE}/appointments", body)[0] == 429
    assert Visitor(world, key, "2001:db8:1:3::1").ask("POST", f"{SERVICE}/appointments", body)[0] == 201


def test_no_address_is_kept_or_logged(
    world: World, visitor: Visitor, events_of: Callable[[], list[dict[str, Any]]]
) -> None:
    visitor.confirm(visitor.hold(NINE_NY))
    visitor.ask("POST", f"{SERVICE}/appointments", {"startTime": NINE_NY})
    kept = json.dumps([world.items("AppointmentsTable"), world.items("CalendarsTable")], default=repr)
    logged = json.dumps(events_of())
    assert not re.search(r"203\.0\.113", kept + logged)
    assert not re.search("Vogel|anna@", logged)
    assert visitor.query["key"] not in logged
    (count,) = [one for one in world.items("CalendarsTable") if one["calendarId"]["S"].startswith("holds#")]
    assert count["count"] == {"N": "2"}
    assert datetime.fromtimestamp(int(count["expiresAt"]["N"]), UTC) == datetime(2029, 12, 1, 14, tzinfo=UTC)


# --- what leaks ---------------------------------------------------------------------------------------


def test_no_answer_tells_of_calendars_or_of_other_people(world: World) -> None:
    """Whatever a visitor sends, right or wrong, names neither whose time is taken nor on which calendars."""
    secret = ["dr-secret", "room-secret", "pool-secret-1", "pool-secret-2", "patient-secret", "Secret title", "secret@"]
    secret.append("Dr Hidden")
    for calendar in secret[:4]:
        settings = {"title": "Dr Hidden", "timeZone": "Europe/Berlin", "workingHours": TUESDAYS, "maxPerDay": 3}
        assert world.request("PUT", f"/calendars/{calendar}", settings)[0] == 200
    pools = [{"anyOf": ["pool-secret-1", "pool-secret-2"]}]
    put_service(
        world, "check-up", step(30, "dr-secret", "room-secret", pools=pools), title="Check-up", strictSteps=True
    )
    booked = {
        "userId": "patient-secret",
        "serviceId": "check-up",
        "startTime": NINE,
        "contact": {"email": "secret@x.example"},
    }
    status, _, one = world.request("POST", "/appointments", booked | {"details": {"title": "Secret title"}})
    assert status == 201
    block = {"startTime": TEN, "endTime": "2030-01-15T10:30:00Z"}
    assert world.request("POST", "/calendars/dr-secret/blocks", block)[0] == 201
    secret.append(one["appointmentId"])

    visitor = Visitor(world, link(world)["key"])
    span = {"from": "2030-01-14T00:00:00Z", "to": "2030-01-17T00:00:00Z"}
    visitor.ask("GET", "/book/services")
    visitor.ask("GET", SERVICE)
    visitor.ask("GET", f"{SERVICE}/days", query=span)
    visitor.ask("GET", f"{SERVICE}/times", query=span)
    visitor.ask("GET", f"{SERVICE}/times", query=span | {"userId": "patient-secret"[:7]})
    starts = [NINE, TEN, "2030-01-15T08:10:00Z", "2030-01-15T20:00:00Z", "2029-01-15T09:00:00Z", "2030-01-16T09:00:00Z"]
    for start in starts:
        status, _ = visitor.ask("POST", f"{SERVICE}/appointments", {"startTime": start})
        assert status == 409, start
        visitor.ask("POST", f"{SERVICE}/appointments", {"startTime": start, "contact": ANNA})
    visit = visitor.hold("2030-01-15T08:00:00Z")
    visitor.ask("GET", f"/book/appointments/{visit['token']}")
    visitor.confirm(visit, {"name": "x"})
    _, done = visitor.confirm(visit)
    visitor.ask("GET", done["calendarFile"])
    visitor.ask("DELETE", f"/book/appointments/{visit['token']}")
    ids = [stored(world, visit)["userId"]]
    page = Holder(world, world.links.appointment_of(visit["token"])).open()
    seen = "".join(visitor.seen) + page.html
    assert len(visitor.seen) > 20
    for text in [*secret, *ids]:
        assert text not in seen, text
