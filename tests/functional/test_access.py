"""Every route under every kind of caller, on moto: what is not theirs is 403 and changes nothing."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import pytest
from moto import mock_aws

from appointments.webhooks import Delivery
from conflict_detector.access import Access, Auth
from conflict_detector.api import Api
from conflict_detector.routes import METHODS
from conflict_detector.routes import OPEN as NOT_SIGNED_IN
from conflict_detector.routes import ROUTES as EVERY_ROUTE
from quick_moto import Kept
from support import api_event, encoded
from world import Ground, World

if TYPE_CHECKING:
    from collections.abc import Callable

ANNA = "6f9b1f0e-3c1d-4a55-9f1e-0c2d7f8a9b10"
BEN = "0a1b2c3d-0000-4000-8000-00000000beef"
CLIENT = "our-client"


def booking(user: str, hour: int = 9, **more: Any) -> dict[str, Any]:
    return {
        "userId": user,
        "startTime": f"2030-01-15T{hour:02}:00:00Z",
        "endTime": f"2030-01-15T{hour:02}:30:00Z",
    } | more


def blocked(hour: int) -> dict[str, Any]:
    return {name: value for name, value in booking("", hour).items() if name != "userId"}


def availability(calendars: str) -> dict[str, Any]:
    times = {"from": "2030-01-15T08:00:00Z", "to": "2030-01-15T12:00:00Z", "durationMinutes": "30"}
    return {"queryStringParameters": {"calendarIds": calendars} | times}


# Each route: what Anna asks for herself, what it answers, and the same for Ben. `{}` is an appointment's id.
ROUTES: dict[str, tuple[Callable[[str], dict[str, Any]], int]] = {
    "POST /appointments": (lambda who: {"body": booking(who, 11)}, 201),
    "GET /appointments": (lambda who: {"queryStringParameters": {"userId": who}}, 200),
    "GET /appointments/{}": (lambda _: {}, 200),
    "GET /appointments/{}/history": (lambda _: {}, 200),
    "PATCH /appointments/{}": (lambda _: {"body": {"details": {"title": "mine"}}}, 200),
    "DELETE /appointments/{}": (lambda _: {}, 200),
    "GET /calendars/{who}": (lambda _: {}, 200),
    "PUT /calendars/{who}": (lambda _: {"body": {"bufferMinutes": {"after": 5}}}, 200),
    "GET /calendars/{who}/contact": (lambda _: {}, 200),
    "PUT /calendars/{who}/contact": (lambda _: {"body": {"email": "new@example.org"}}, 200),
    "DELETE /calendars/{who}/contact": (lambda _: {}, 200),
    "GET /people/{who}": (lambda _: {}, 200),
    "DELETE /people/{who}": (lambda _: {}, 200),
    "POST /calendars/{who}/blocks": (lambda _: {"body": blocked(14)}, 201),
    "GET /calendars/{who}/blocks": (
        lambda _: {"queryStringParameters": {"from": blocked(0)["startTime"], "to": blocked(23)["endTime"]}},
        200,
    ),
    "GET /calendars/{who}/blocks/{block}": (lambda _: {}, 200),
    "DELETE /calendars/{who}/blocks/{block}": (lambda _: {}, 200),
    "GET /availability": (availability, 200),
    "GET /availability/days": (availability, 200),
}

SERVICE: dict[str, Any] = {"steps": [{"durationMinutes": 30, "resourceIds": ["room-1"]}]}
# What is about no person, and what it answers to schedulers: only they may do it.
DESK: dict[str, tuple[dict[str, Any], int]] = {
    "GET /calendars": ({}, 200),
    "PUT /services/check-up": ({"body": SERVICE}, 200),
    "DELETE /services/check-up": ({}, 200),
    "GET /webhooks": ({}, 200),
    "GET /webhooks/crm": ({}, 200),
    "PUT /webhooks/crm": ({"body": {"url": "https://crm.example.com/"}}, 200),
    "DELETE /webhooks/crm": ({}, 200),
    "POST /webhooks/crm/secret": ({}, 200),
    "POST /webhooks/crm/test": ({}, 202),
    "GET /webhooks/crm/deliveries": ({}, 200),
    "POST /webhooks/crm/deliveries/evt": ({}, 202),
    "POST /booking-links": ({"body": {"services": ["check-up"], "until": "2029-12-31T00:00:00Z"}}, 201),
}
# What nobody signs in for; tests/functional/test_links.py says what it does, under each kind of access.
BY_LINK = ("GET /l/{token}", "POST /l/{token}")
# Nor for this; tests/functional/test_book.py says what it needs instead.
BY_VISITORS = (
    "GET /book/services",
    "GET /book/services/{serviceId}",
    "GET /book/services/{serviceId}/days",
    "GET /book/services/{serviceId}/times",
    "POST /book/services/{serviceId}/appointments",
    "GET /book/appointments/{token}",
    "PATCH /book/appointments/{token}",
    "DELETE /book/appointments/{token}",
    "GET /book/appointments/{token}/calendar",
)
# What everyone who is signed in may read.
OPEN = ("GET /services", "GET /services/check-up")


class Furniture:
    """Anna and Ben have an appointment, a block and a contact each; there are a service and a webhook."""

    def __init__(self, world: World) -> None:
        self.ids = {}
        self.blocks = {}
        for who in (ANNA, BEN):
            status, body = world.book("9:00", "10:00", user=who)
            assert status == 201
            self.ids[who] = body["appointmentId"]
            status, _, block = world.request("POST", f"/calendars/{who}/blocks", blocked(13))
            assert status == 201
            self.blocks[who] = block["blockId"]
            assert world.request("PUT", f"/calendars/{who}/contact", {"email": "a@example.org"})[0] == 200
        assert world.request("PUT", "/services/check-up", SERVICE)[0] == 200
        assert world.request("PUT", "/webhooks/crm", {"url": "https://crm.example.com/"})[0] == 200
        world.webhooks.deliveries.keep(Delivery("crm", "evt", "appointment.booked", world.now, {}), world.now)
        assert world.failures_url
        self.kept = Kept()
        # The keys and queues that it made on the way.
        names = ("deliveries_url", "failures_url", "webhooks", "contacts", "links")
        self.made = {name: vars(world)[name] for name in names if name in vars(world)}


class Desk:
    """Requests under claims, over a furnished world."""

    def __init__(self, world: World, furniture: Furniture) -> None:
        self.world = world
        self.ids, self.blocks = furniture.ids, furniture.blocks

    def ask(
        self, route: str, about: str, claims: dict[str, str] | None, auth: Auth = Auth.COGNITO
    ) -> tuple[int, dict[str, Any]]:
        """One request about what is this person's."""
        method, path = route.format(self.ids[about], who=about, block=self.blocks[about]).split()
        return self.send(method, path, claims, auth=auth, **ROUTES[route][0](about))

    def send(
        self, method: str, path: str, claims: dict[str, str] | None, *, auth: Auth = Auth.COGNITO, **more: Any
    ) -> tuple[int, dict[str, Any]]:
        self.world.api = self.world.api_for(Access(auth, CLIENT))
        event = api_event(method, path)
        context = event["requestContext"]
        if claims is not None:
            context = context | {"authorizer": {"claims": claims}}
            groups = {"cognito:groups": [claims["cognito:groups"]]} if "cognito:groups" in claims else {}
            more["headers"] = {"Authorization": f"Bearer {encoded(claims | groups)}"} | more.get("headers", {})
        status, headers, body = self.world.request(method, path, requestContext=context, **more)
        assert ("problem+json" in headers["Content-Type"]) == (status >= 400)
        return status, body


@pytest.fixture(scope="module")
def furniture(clients: dict[str, Any], ground: tuple[Ground, Kept]) -> Furniture:
    made, kept = ground
    with mock_aws():
        kept.restore()
        return Furniture(World(clients, made))


@pytest.fixture
def desk(world: World, furniture: Furniture) -> Desk:
    furniture.kept.restore()
    vars(world).update(furniture.made)
    return Desk(world, furniture)


def token(who: str, **more: str) -> dict[str, str]:
    return {"sub": who, "token_use": "id", "aud": CLIENT, "jti": "a-token"} | more


SCHEDULER = token("5c5c5c5c-0000-4000-8000-000000000001", **{"cognito:groups": "schedulers"})


def everything(world: World) -> str:
    tables = [world.items(name) for name in ("AppointmentsTable", "CalendarsTable")]
    names: list[Any] = ["ApproximateNumberOfMessages"]
    queued = world.sqs.get_queue_attributes(QueueUrl=world.deliveries_url, AttributeNames=names)["Attributes"]
    return repr(tables) + repr(world.rules()) + repr(queued)


def test_the_routes_here_are_all_that_there_are() -> None:
    """A new route fails this until it says who may use it."""
    data = [route for route in EVERY_ROUTE if not route.handler.startswith(("docs.", "pages."))]
    declared = {f"{route.method} {route.path}" for route in data}
    told = [*ROUTES, *DESK, *OPEN, *BY_LINK, *BY_VISITORS]
    assert {re.sub(r"\{\w+\}", "{}", route) for route in declared} == {
        re.sub(r"\{\w+\}|check-up|crm|evt", "{}", route) for route in told
    }
    # A link says itself whose it is, and no other route is reached without asking who is calling.
    open_routes = {route.path for route in EVERY_ROUTE if route.path.split("/")[1] in NOT_SIGNED_IN}
    visits = {route.split()[1] for route in BY_VISITORS}
    assert open_routes == {"/l/{token}", "/desk", "/desk/settings", "/book", "/assets/{file}", *visits}
    # Whatever answers with data asks who is calling, unless it is for everyone.
    for route in data:
        written = f"{route.method} {route.path}"
        open_to_all = written in (*BY_LINK, *BY_VISITORS) or written.replace("{serviceId}", "check-up") in OPEN
        assert (".caller" in inspect.getsource(route.load())) is not open_to_all


@pytest.mark.parametrize("route", DESK)
def test_what_is_the_desks_is_refused_to_a_person(desk: Desk, route: str) -> None:
    before = everything(desk.world)
    (more, expected), (method, path) = DESK[route], route.split()
    status, body = desk.send(method, path, token(ANNA), **more)
    assert (status, body["type"]) == (403, "/docs#forbidden")
    assert everything(desk.world) == before
    assert desk.send(method, path, SCHEDULER, **more)[0] == expected


@pytest.mark.parametrize("auth", [Auth.IAM, Auth.NONE])
@pytest.mark.parametrize("route", DESK)
def test_without_a_user_pool_the_desks_calls_are_everyones(desk: Desk, route: str, auth: Auth) -> None:
    method, path = route.split()
    assert desk.send(method, path, None, auth=auth, **DESK[route][0])[0] == DESK[route][1]


@pytest.mark.parametrize("route", OPEN)
def test_everyone_who_is_signed_in_reads_the_services(desk: Desk, route: str) -> None:
    method, path = route.split()
    for claims, expected in ((token(ANNA), 200), (SCHEDULER, 200), (None, 403), (token(ANNA, aud="other"), 403)):
        assert desk.send(method, path, claims)[0] == expected


@pytest.mark.parametrize("route", ROUTES)
def test_a_person_acts_for_themselves(desk: Desk, route: str) -> None:
    assert desk.ask(route, ANNA, token(ANNA))[0] == ROUTES[route][1]


@pytest.mark.parametrize("route", ROUTES)
def test_a_person_does_not_act_for_another(desk: Desk, route: str) -> None:
    before = everything(desk.world)
    status, body = desk.ask(route, BEN, token(ANNA))
    assert (status, body["type"]) == (403, "/docs#forbidden")
    assert BEN not in repr(body)
    assert everything(desk.world) == before


@pytest.mark.parametrize("route", ROUTES)
def test_a_scheduler_acts_for_everyone(desk: Desk, route: str) -> None:
    assert desk.ask(route, BEN, SCHEDULER)[0] == ROUTES[route][1]


@pytest.mark.parametrize("auth", [Auth.IAM, Auth.NONE])
@pytest.mark.parametrize("route", ROUTES)
def test_without_a_user_pool_the_callers_act_for_everyone(desk: Desk, route: str, auth: Auth) -> None:
    assert desk.ask(route, BEN, None, auth)[0] == ROUTES[route][1]


@pytest.mark.parametrize("claims", [None, token(ANNA, aud="other"), token(ANNA, token_use="access")])
@pytest.mark.parametrize("route", ROUTES)
def test_a_token_that_is_not_for_us_is_nobodys(desk: Desk, route: str, claims: dict[str, str] | None) -> None:
    assert desk.ask(route, ANNA, claims)[0] == 403


def test_unknown_ids_and_versions_are_told_only_to_whom_they_concern(desk: Desk) -> None:
    assert desk.send("GET", "/appointments/nothing", token(ANNA))[0] == 404
    stale: Any = {"headers": {"If-Match": '"99"'}}
    for method, body in (("PATCH", {"details": {}}), ("DELETE", None)):
        path = f"/appointments/{desk.ids[BEN]}"
        assert desk.send(method, path, token(ANNA), body=body, **stale)[0] == 403
        assert desk.send(method, path, token(BEN), body=body, **stale)[0] == 412


def test_a_persons_dry_run_for_another_is_refused_too(desk: Desk) -> None:
    dry: Any = {"queryStringParameters": {"dryRun": "true"}}
    assert desk.send("POST", "/appointments", token(ANNA), body=booking(BEN, 15), **dry)[0] == 403
    assert desk.send("POST", "/appointments", token(ANNA), body=booking(ANNA, 15), **dry)[0] == 200


def test_notice_is_for_schedulers_to_waive(desk: Desk) -> None:
    assert desk.world.request("PUT", "/calendars/room-1", {"minNoticeMinutes": 366 * 24 * 60})[0] == 200
    soon = booking(ANNA, 15, resourceIds=["room-1"])
    served = {"userId": ANNA, "serviceId": "check-up", "startTime": soon["startTime"]}
    own = f"/appointments/{desk.ids[ANNA]}"
    before = everything(desk.world)
    for method, path, body in (
        ("POST", "/appointments", soon),
        ("POST", "/appointments", served),
        ("PATCH", own, {"startTime": soon["startTime"]}),
        ("PATCH", own, {"resourceIds": ["room-1"]}),
        ("PATCH", own, {"details": {}}),
    ):
        status, problem = desk.send(method, path, token(ANNA), body=body | {"ignoreNotice": True})
        assert (status, problem["type"]) == (403, "/docs#forbidden")
    assert everything(desk.world) == before
    assert desk.send("POST", "/appointments", token(ANNA), body=soon | {"ignoreNotice": False})[0] == 422
    assert desk.send("POST", "/appointments", SCHEDULER, body=soon)[0] == 422
    assert desk.send("POST", "/appointments", SCHEDULER, body=soon | {"ignoreNotice": True})[0] == 201
    assert desk.send("PATCH", own, SCHEDULER, body={"resourceIds": ["room-1"], "ignoreNotice": True})[0] == 200


def test_a_person_books_resources_and_not_people(desk: Desk) -> None:
    for field in ("resourceIds", "anyOf"):
        taken, refused = booking(ANNA, 15, **{field: ["room-1"]}), booking(ANNA, 17, **{field: ["room-1", BEN]})
        assert desk.send("POST", "/appointments", token(ANNA), body=refused)[0] == 403
        status, booked = desk.send("POST", "/appointments", token(ANNA), body=taken)
        assert status == 201
        path = f"/appointments/{booked['appointmentId']}"
        assert desk.send("PATCH", path, token(ANNA), body={"resourceIds": [BEN]})[0] == 403
        assert desk.send("PATCH", path, token(ANNA), body={"resourceIds": ["room-2"]})[0] == 200
        assert desk.send("DELETE", path, token(ANNA))[0] == 200
    assert desk.send("GET", "/availability", token(ANNA), **availability(f"room-1,{BEN}"))[0] == 403
    assert desk.send("GET", "/availability", token(ANNA), **availability(f"room-1,{ANNA}"))[0] == 200


def test_a_person_joins_a_session_for_themselves_and_does_not_see_who_else_did(desk: Desk) -> None:
    status, session = desk.send("POST", "/appointments", SCHEDULER, body=booking("coach", 15, session={"seats": 3}))
    assert status == 201
    joins = {who: {"userId": who, "sessionId": session["appointmentId"]} for who in (ANNA, BEN)}
    assert desk.send("POST", "/appointments", token(ANNA), body=joins[BEN])[0] == 403
    status, mine = desk.send("POST", "/appointments", token(ANNA), body=joins[ANNA])
    assert (status, mine["seatsLeft"]) == (201, 2)
    assert desk.send("POST", "/appointments", SCHEDULER, body=joins[BEN])[0] == 201
    query: Any = {"queryStringParameters": {"sessionId": session["appointmentId"]}}
    assert desk.send("GET", "/appointments", token(ANNA), **query)[0] == 403
    status, listed = desk.send("GET", "/appointments", SCHEDULER, **query)
    assert (status, {one["userId"] for one in listed["appointments"]}) == (200, {ANNA, BEN})
    path = f"/appointments/{mine['appointmentId']}"
    assert desk.send("PATCH", path, token(ANNA), body={"status": "arrived"})[0] == 403
    assert desk.send("DELETE", path, token(BEN))[0] == 403
    assert desk.send("DELETE", f"/appointments/{session['appointmentId']}", token(ANNA))[0] == 403
    assert desk.send("DELETE", path, token(ANNA))[0] == 200


def test_a_person_lists_their_own_calendar_and_no_other(desk: Desk) -> None:
    def lists(calendar_id: str, claims: dict[str, str]) -> int:
        query = {"calendarId": calendar_id, "from": "2030-01-15T00:00:00Z", "to": "2030-01-16T00:00:00Z"}
        return desk.send("GET", "/appointments", claims, queryStringParameters=query)[0]

    assert [lists(calendar_id, token(ANNA)) for calendar_id in (ANNA, BEN, "room-1")] == [200, 403, 403]
    assert [lists(calendar_id, SCHEDULER) for calendar_id in (ANNA, BEN, "room-1")] == [200, 200, 200]

    def lists_many(calendar_ids: str, claims: dict[str, str]) -> int:
        query = {"calendarIds": calendar_ids, "from": "2030-01-15T00:00:00Z", "to": "2030-01-16T00:00:00Z"}
        return desk.send("GET", "/appointments", claims, queryStringParameters=query)[0]

    for calendar_ids, expected in ((ANNA, 200), (BEN, 403), (f"{ANNA},{BEN}", 403), (f"{ANNA},room-1", 403)):
        assert lists_many(calendar_ids, token(ANNA)) == expected
        assert lists_many(calendar_ids, SCHEDULER) == 200


def test_nobody_sees_the_contact_of_another_person(desk: Desk) -> None:
    contact = {"email": "ben@example.org", "channels": ["email"]}
    # Ben's, with Anna as a resource, such as a doctor who signs in.
    for who, hour in ((BEN, 15), (ANNA, 17)):
        body = booking(who, hour, resourceIds=[ANNA] if who == BEN else [], contact=contact)
        status, booked = desk.send("POST", "/appointments", SCHEDULER, body=body)
        assert (status, booked["contact"]) == (201, contact)
        own = desk.send("GET", f"/appointments/{booked['appointmentId']}", token(who))
        assert (own[0], own[1]["contact"]) == (200, contact)
    query = {"calendarId": ANNA, "from": "2030-01-15T14:00:00Z", "to": "2030-01-16T00:00:00Z"}
    _, page = desk.send("GET", "/appointments", token(ANNA), queryStringParameters=query)
    assert [(one["userId"], "contact" in one) for one in page["appointments"]] == [(BEN, False), (ANNA, True)]
    _, page = desk.send("GET", "/appointments", SCHEDULER, queryStringParameters=query)
    assert [one["contact"] for one in page["appointments"]] == [contact, contact]


def test_the_contact_of_a_resource_is_the_desks(desk: Desk) -> None:
    path, contact = "/calendars/room-1/contact", {"email": "room@example.org"}
    for method, body in (("PUT", contact), ("GET", None), ("DELETE", None)):
        assert desk.send(method, path, token(ANNA), body=body)[0] == 403
        assert desk.send(method, path, SCHEDULER, body=body)[0] == 200


def test_lists_across_people_are_the_desks(desk: Desk) -> None:
    for query in ({"serviceId": "check-up"}, {"status": "requested"}, {"status": "requested", "serviceId": "check-up"}):
        assert desk.send("GET", "/appointments", token(ANNA), queryStringParameters=query)[0] == 403
        assert desk.send("GET", "/appointments", SCHEDULER, queryStringParameters=query)[0] == 200
        own = query | {"userId": ANNA}
        assert desk.send("GET", "/appointments", token(ANNA), queryStringParameters=own)[0] == 200


def test_a_person_reads_the_settings_of_resources_and_does_not_write_them(desk: Desk) -> None:
    assert desk.send("GET", "/calendars/room-1", token(ANNA))[0] == 200
    assert desk.send("PUT", "/calendars/room-1", token(ANNA), body={"capacity": 9})[0] == 403
    assert desk.send("PUT", "/calendars/room-1", SCHEDULER, body={"capacity": 2})[0] == 200


def test_whom_a_scheduler_added_stays_on_when_the_person_changes_the_rest(desk: Desk) -> None:
    status, booked = desk.send("POST", "/appointments", SCHEDULER, body=booking(ANNA, 15, resourceIds=[BEN]))
    assert status == 201
    path = f"/appointments/{booked['appointmentId']}"
    assert desk.send("PATCH", path, token(ANNA), body={"startTime": "2030-01-15T16:00:00Z"})[0] == 200
    assert desk.send("PATCH", path, token(ANNA), body={"resourceIds": []})[0] == 200
    assert desk.send("PATCH", path, token(ANNA), body={"resourceIds": [BEN]})[0] == 403


def test_refusals_are_logged_without_what_was_asked(desk: Desk, events_of: Callable[[], list[dict[str, Any]]]) -> None:
    desk.send("POST", "/appointments", token(ANNA), body=booking(BEN, 15, details={"title": "secret"}))
    (line,) = [line for line in events_of() if line["message"] == "Access refused"]
    assert (line["level"], line["caller"], line["method"]) == ("WARNING", ANNA, "POST")
    assert "event_type" not in line
    assert "secret" not in repr(line)


# --- pages of other origins --------------------------------------------------------------------------


def test_other_origins_are_shut_out_by_default(world: World) -> None:
    status, headers, _ = world.request("OPTIONS", "/appointments")
    assert status == 405
    assert not any(name.startswith("Access-Control") for name in headers)


def test_one_origin_is_let_in_by_parameter(world: World) -> None:
    origin = "https://booking.example.org"
    world.api = Api(world.storage, world.timers, Access(Auth.COGNITO, CLIENT), origin, lambda: world.now)
    preflight = world.api.handle(api_event("OPTIONS", "/appointments"))
    assert (preflight["statusCode"], preflight["body"]) == (204, "")
    assert preflight["headers"]["Access-Control-Allow-Origin"] == origin
    assert "If-Match" in preflight["headers"]["Access-Control-Allow-Headers"]
    assert preflight["headers"]["Access-Control-Allow-Methods"] == ", ".join(METHODS)
    assert set(METHODS) == {"GET", "POST", "PUT", "PATCH", "DELETE"}
    # Errors too, or a page could not show them.
    refused = world.api.handle(api_event("POST", "/appointments", booking(ANNA)))
    assert (refused["statusCode"], refused["headers"]["Access-Control-Allow-Origin"]) == (403, origin)
    assert "ETag" in refused["headers"]["Access-Control-Expose-Headers"]
