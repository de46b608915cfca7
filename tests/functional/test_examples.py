"""The examples of answers in the contract are what the API answers, and no example gets in the way of another."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest

from appointments.services import parse_service
from appointments.storage.deliveries import State
from appointments.webhooks import Delivery
from conflict_detector.access import Auth
from conflict_detector.settings import PageSettings
from contract import contract, operations, resolved
from local.run import example as first_booking
from relaying import Relaying
from support import ROOT, sample_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from world import World

BOOKING = contract()["paths"]["/appointments"]["post"]["requestBody"]["content"]["application/json"]["examples"]
SETTINGS = contract()["paths"]["/calendars/{calendarId}"]["put"]["requestBody"]["content"]["application/json"][
    "examples"
]
MOVE = {"startTime": "2030-01-15T10:00:00Z"}
SLOTS = {"calendarIds": "anna,dr-lee", "from": "2030-01-15T09:00:00Z", "to": "2030-01-15T12:00:00Z"}
DRY = {"dryRun": "true"}
BLOCKS = contract()["paths"]["/calendars/{calendarId}/blocks"]["post"]["requestBody"]["content"]["application/json"][
    "examples"
]
SERVICES = contract()["paths"]["/services/{serviceId}"]["put"]["requestBody"]["content"]["application/json"]["examples"]
HOOKS = contract()["paths"]["/webhooks/{webhookId}"]["put"]["requestBody"]["content"]["application/json"]["examples"]
BLOCKS_OF = "/calendars/dr-kim/blocks"
CONTACT_OF = "/calendars/dr-kim/contact"
VISITS, CONFIRMATIONS = (
    contract()["paths"][path][method]["requestBody"]["content"]["application/json"]["examples"]
    for path, method in (
        ("/book/services/{serviceId}/appointments", "post"),
        ("/book/appointments/{token}", "patch"),
    )
)
CLINIC = "https://clinic.auth.eu-central-1.amazoncognito.com"
# Different each time.
IDS = ("appointmentId", "requestId", "blockId", "meets", "sessionId", "secret", "eventId")
# As well, because a key makes them.
MADE_BY_KEYS = ("token", "link", "calendarFile", "key", "url")


def book(world: World, **more: Any) -> Any:
    status, _, booked = world.request("POST", "/appointments", BOOKING["visit"]["value"] | more)
    assert status == 201, booked
    return booked


def of_booked(world: World, method: str, body: Any = None, **more: Any) -> Any:
    return world.request(method, f"/appointments/{book(world)['appointmentId']}", body, **more)


def conflict(world: World) -> Any:
    book(world)
    return world.request("POST", "/appointments", BOOKING["visit"]["value"] | {"userId": "ben"})


def conflict_of_a_move(world: World) -> Any:
    book(world)
    other = book(world, userId="ben", startTime="2030-01-15T14:00:00Z", endTime="2030-01-15T14:30:00Z")
    return world.request(
        "PATCH", f"/appointments/{other['appointmentId']}", {"startTime": BOOKING["visit"]["value"]["startTime"]}
    )


def move_that_is_too_late(world: World) -> Any:
    service = {"steps": [{"durationMinutes": 30}], "moveUntilMinutes": 1440}
    assert world.request("PUT", "/services/check-up", service)[0] == 200
    body = {"userId": "anna", "serviceId": "check-up", "startTime": "2030-01-15T09:00:00Z"}
    path = f"/appointments/{world.request('POST', '/appointments', body)[2]['appointmentId']}"
    world.now = datetime(2030, 1, 14, 10, tzinfo=UTC)
    return world.request("PATCH", path, MOVE, headers={"X-Acting-For": "anna"})


def change_of_a_cancelled_one(world: World) -> Any:
    path = f"/appointments/{book(world)['appointmentId']}"
    world.request("DELETE", path)
    return world.request("PATCH", path, MOVE)


def completed(world: World, method: str, body: Any = None) -> Any:
    path = f"/appointments/{book(world)['appointmentId']}"
    world.now = datetime(2030, 1, 15, 9, 10, tzinfo=UTC)
    world.request("PATCH", path, {"status": "completed"})
    return world.request(method, path, body)


def change_of_an_expired_one(world: World) -> Any:
    path = f"/appointments/{book(world, hold={'minutes': 10})['appointmentId']}"
    world.now += timedelta(minutes=10)
    return world.request("PATCH", path, MOVE)


def historic(world: World, query: dict[str, str] | None = None) -> Any:
    relaying = Relaying(world)
    path = f"/appointments/{book(world)['appointmentId']}"
    world.request("PATCH", path, MOVE)
    relaying.run()
    return world.request("GET", f"{path}/history", queryStringParameters=query)


def session(world: World) -> Any:
    return world.request("POST", "/appointments", BOOKING["session"]["value"])


def join(world: World, of: Any, user: str, seats: int) -> Any:
    body = {"userId": user, "sessionId": of[2]["appointmentId"], "seats": seats}
    return world.request("POST", "/appointments", body)


def full(world: World) -> Any:
    class_ = session(world)
    join(world, class_, "anna", 11)
    return join(world, class_, "ben", 2)


def full_for_more(world: World) -> Any:
    class_ = session(world)
    join(world, class_, "anna", 11)
    ben = join(world, class_, "ben", 1)
    return world.request("PATCH", f"/appointments/{ben[2]['appointmentId']}", {"seats": 2})


def closed(world: World) -> Any:
    class_ = session(world)
    world.request("DELETE", f"/appointments/{class_[2]['appointmentId']}")
    return join(world, class_, "anna", 1)


def moved_with_others(world: World) -> Any:
    class_ = session(world)
    join(world, class_, "anna", 2)
    return world.request("PATCH", f"/appointments/{class_[2]['appointmentId']}", MOVE)


def page_settings(world: World, pages: PageSettings) -> Any:
    world.api = replace(world.api, pages=pages)
    status, headers, body = world.request("GET", "/desk/settings")
    assert re.fullmatch(r"\d+\.\d+\.\d+\+[0-9a-f]{8}", body["version"])
    return status, headers, body | {"version": "0.1.0+5f3c2a91"}


def faults(world: World) -> Any:
    times = {"startTime": "2030-01-15T09:00Z", "endTime": "2030-01-15T08:00Z", "timeZone": "Mars/Olympus"}
    return world.request("POST", "/appointments", {"userId": "anna"} | times)


def key_reused(world: World) -> Any:
    headers = {"Idempotency-Key": "one"}
    world.request("POST", "/appointments", BOOKING["visit"]["value"], headers=headers)
    return world.request("POST", "/appointments", BOOKING["visit"]["value"] | {"details": {}}, headers=headers)


def listed(world: World) -> Any:
    book(world)
    return world.request("GET", "/appointments", queryStringParameters={"userId": "anna"})


def configured(world: World) -> Any:
    return world.request("PUT", "/calendars/dr-kim", SETTINGS["doctor"]["value"])


def read_settings(world: World) -> Any:
    configured(world)
    return world.request("GET", "/calendars/dr-kim")


def listed_calendars(world: World) -> Any:
    world.request("PUT", "/calendars/hall", SETTINGS["hall"]["value"])
    return world.request("GET", "/calendars")


def outdated(world: World) -> Any:
    path = f"/appointments/{book(world)['appointmentId']}"
    world.request("PATCH", path, MOVE)
    return world.request("DELETE", path, headers={"If-Match": '"1"'})


def kept(world: World) -> Any:
    examples = contract()["paths"]["/calendars/{calendarId}/contact"]["put"]["requestBody"]["content"][
        "application/json"
    ]["examples"]
    return world.request("PUT", CONTACT_OF, examples["doctor"]["value"])


def person(world: World) -> Any:
    book(world)
    world.request("PUT", "/calendars/anna/contact", {"email": "anna@example.org"})
    return world.request("GET", "/people/anna")


def begun_to_forget(world: World) -> Any:
    for day in range(1, 27):
        times = {"startTime": f"2030-01-{day:02}T09:00:00Z", "endTime": f"2030-01-{day:02}T09:30:00Z"}
        book(world, reminders=[], **times)
    return world.request("DELETE", "/people/anna")


def block(world: World, **more: Any) -> Any:
    return world.request("POST", BLOCKS_OF, BLOCKS["hour"]["value"] | more)


def listed_blocks(world: World, **more: str) -> Any:
    block(world)
    query = {"from": "2030-01-15T00:00:00Z", "to": "2030-01-16T00:00:00Z"} | more
    return world.request("GET", BLOCKS_OF, queryStringParameters=query)


def of_blocked(world: World, method: str, **more: Any) -> Any:
    path = f"{BLOCKS_OF}/{block(world)[2]['blockId']}"
    world.now = datetime(2029, 12, 2, 8, tzinfo=UTC)
    return world.request(method, path, **more)


def of_no_block(world: World, method: str) -> Any:
    return world.request(method, f"{BLOCKS_OF}/0f000000-0000-4000-8000-000000000000")


def offered(world: World) -> Any:
    return world.request("PUT", "/services/check-up", SERVICES["checkUp"]["value"])


def of_offered(world: World, method: str, path: str = "/services/check-up", **more: Any) -> Any:
    offered(world)
    world.now = datetime(2029, 12, 2, 8, tzinfo=UTC)
    return world.request(method, path, **more)


def faults_of_a_service(world: World) -> Any:
    return world.request("PUT", "/services/check-up", {"steps": [{}], "bufferMinutes": -5, "holdMinutes": 90})


HOOK = "/webhooks/crm"


def hooked(world: World) -> Any:
    return world.request("PUT", HOOK, HOOKS["crm"]["value"])


def of_hooked(world: World, method: str, path: str = HOOK, **more: Any) -> Any:
    hooked(world)
    world.now = datetime(2029, 12, 2, 8, tzinfo=UTC)
    return world.request(method, path, **more)


def of_an_inactive_one(world: World, path: str) -> Any:
    world.request("PUT", HOOK, {"url": "https://crm.example.com/", "active": False})
    world.webhooks.deliveries.keep(Delivery("crm", "evt", "appointment.booked", world.now, {}), world.now)
    return world.request("POST", HOOK + path)


def delivered(world: World) -> Any:
    hooked(world)
    event_id = "7d444840-9dc0-51d1-b245-5ffdce74fad2.1"
    delivery = Delivery("crm", event_id, "appointment.booked", world.now, {})
    world.webhooks.deliveries.keep(delivery, world.now)
    world.webhooks.deliveries.record(delivery, State.RETRYING, world.now, "500")
    return world.request("GET", f"{HOOK}/deliveries")


def sent_again(world: World) -> Any:
    (record,) = delivered(world)[2]["deliveries"]
    return world.request("POST", f"{HOOK}/deliveries/{record['eventId']}")


BOOK = "/book/services/haircut"
LINK = {"services": ["haircut"], "until": "2029-12-31T00:00:00Z"}
SPAN = {"from": "2030-01-15T09:00:00Z", "to": "2030-01-15T12:00:00Z"}


def booking_link(world: World) -> Any:
    world.request("PUT", "/services/haircut", SERVICES["haircut"]["value"])
    return world.request("POST", "/booking-links", LINK)


def visit(world: World, method: str, path: str, body: Any = None, **query: str) -> Any:
    """A request of a visitor, by a link to the service of the examples."""
    return world.request(method, path, body, queryStringParameters=query | {"key": booking_link(world)[2]["key"]})


def held(world: World) -> Any:
    return visit(world, "POST", f"{BOOK}/appointments", VISITS["hold"]["value"])


def of_held(world: World, method: str, body: Any = None) -> Any:
    return world.request(method, f"/book/appointments/{held(world)[2]['token']}", body)


def of_confirmed(world: World) -> Any:
    token = of_held(world, "PATCH", CONFIRMATIONS["anna"]["value"])[2]["token"]
    return world.request("GET", f"/book/appointments/{token}")


def taken(world: World) -> Any:
    for _ in range(2):  # by one of two hairdressers
        held(world)
    return held(world)


def taken_when_it_ran_out(world: World) -> Any:
    token = held(world)[2]["token"]
    world.now += timedelta(minutes=11)
    taken(world)
    world.api = world.api_for(world.api.access, open_to_all=True)
    return world.request("PATCH", f"/book/appointments/{token}", CONFIRMATIONS["anna"]["value"])


def asked_for_approval(world: World) -> Any:
    booking_link(world)
    world.request("PUT", "/services/haircut", SERVICES["haircut"]["value"] | {"approval": True})
    key = world.request("POST", "/booking-links", LINK)[2]["key"]
    return world.request("POST", f"{BOOK}/appointments", VISITS["hold"]["value"], queryStringParameters={"key": key})


def closed_to_visitors(world: World, path: str, method: str = "GET", **query: str) -> Any:
    return world.request(
        method, path, VISITS["hold"]["value"] if method == "POST" else None, queryStringParameters=query
    )


def of_a_deleted_service(world: World, path: str, method: str = "GET") -> Any:
    key = booking_link(world)[2]["key"]
    world.request("DELETE", "/services/haircut")
    return closed_to_visitors(world, path, method, key=key)


def of_an_ended_link(world: World, path: str, method: str = "GET") -> Any:
    key = booking_link(world)[2]["key"]
    world.now = datetime(2029, 12, 31, tzinfo=UTC)
    return closed_to_visitors(world, path, method, key=key)


# How each example comes about, by operation and name.
ANSWERS: dict[tuple[str, str], Callable[[World], Any]] = {
    ("bookAppointment", "wouldBeBooked"): lambda world: world.request(
        "POST", "/appointments", BOOKING["visit"]["value"], queryStringParameters=DRY
    ),
    ("bookAppointment", "booked"): lambda world: world.request("POST", "/appointments", BOOKING["visit"]["value"]),
    ("bookAppointment", "conflict"): conflict,
    ("bookAppointment", "session"): session,
    ("bookAppointment", "joined"): lambda world: join(world, session(world), "anna", 2),
    ("bookAppointment", "full"): full,
    ("bookAppointment", "closed"): closed,
    ("changeAppointment", "full"): full_for_more,
    ("changeAppointment", "joined"): moved_with_others,
    ("bookAppointment", "keyReused"): key_reused,
    ("listAppointments", "200"): listed,
    ("getAppointment", "booked"): lambda world: of_booked(world, "GET"),
    ("getHistory", "200"): historic,
    ("getHistory", "unknownParameter"): lambda world: historic(world, DRY),
    ("changeAppointment", "moved"): lambda world: of_booked(world, "PATCH", MOVE),
    ("changeAppointment", "conflict"): conflict_of_a_move,
    ("changeAppointment", "tooLate"): move_that_is_too_late,
    ("changeAppointment", "cancelled"): change_of_a_cancelled_one,
    ("changeAppointment", "ended"): change_of_an_expired_one,
    ("changeAppointment", "transition"): lambda world: completed(world, "PATCH", {"status": "cancelled"}),
    ("cancelAppointment", "transition"): lambda world: completed(world, "DELETE"),
    ("cancelAppointment", "cancelled"): lambda world: of_booked(world, "DELETE"),
    ("listCalendars", "200"): listed_calendars,
    ("listCalendars", "unknownParameter"): lambda world: world.request("GET", "/calendars", queryStringParameters=DRY),
    ("getCalendar", "doctor"): read_settings,
    ("putCalendar", "doctor"): configured,
    ("findAvailability", "morning"): lambda world: world.request(
        "GET", "/availability", queryStringParameters=SLOTS | {"durationMinutes": "30"}
    ),
    ("countAvailability", "200"): lambda world: world.request(
        "GET", "/availability/days", queryStringParameters=SLOTS | {"durationMinutes": "30"}
    ),
    ("getContract", "200"): lambda world: world.request("GET", "/openapi.json"),
    ("listAppointments", "unknownZone"): lambda world: world.request(
        "GET", "/appointments", queryStringParameters={"userId": "anna", "timeZone": "Mars/Olympus"}
    ),
    ("findAvailability", "unknownZone"): lambda world: world.request(
        "GET", "/availability", queryStringParameters=SLOTS | {"durationMinutes": "30", "timeZone": "Mars/Olympus"}
    ),
    ("countAvailability", "unknownZone"): lambda world: world.request(
        "GET", "/availability/days", queryStringParameters=SLOTS | {"durationMinutes": "30", "timeZone": "Mars/Olympus"}
    ),
    ("changeAppointment", "unknownZone"): lambda world: of_booked(world, "PATCH", {"timeZone": "Mars/Olympus"}),
    ("putCalendar", "unknownZone"): lambda world: world.request(
        "PUT", "/calendars/dr-kim", {"timeZone": "Mars/Olympus"}
    ),
    ("getAppointment", "unknownParameter"): lambda world: of_booked(world, "GET", queryStringParameters=DRY),
    ("cancelAppointment", "unknownParameter"): lambda world: of_booked(world, "DELETE", queryStringParameters=DRY),
    ("getCalendar", "unknownParameter"): lambda world: world.request(
        "GET", "/calendars/dr-kim", queryStringParameters=DRY
    ),
    ("bookAppointment", "faults"): faults,
    ("getContact", "doctor"): lambda world: (kept(world), world.request("GET", CONTACT_OF))[1],
    ("getContact", "404"): lambda world: world.request("GET", CONTACT_OF),
    ("getContact", "unknownParameter"): lambda world: world.request("GET", CONTACT_OF, queryStringParameters=DRY),
    ("putContact", "doctor"): kept,
    ("putContact", "faults"): lambda world: world.request("PUT", CONTACT_OF, {"phone": "911", "channels": ["email"]}),
    ("deleteContact", "removed"): lambda world: (kept(world), world.request("DELETE", CONTACT_OF))[1],
    ("deleteContact", "unknownParameter"): lambda world: world.request("DELETE", CONTACT_OF, queryStringParameters=DRY),
    ("getPerson", "anna"): person,
    ("getPerson", "unknownParameter"): lambda world: world.request("GET", "/people/anna", queryStringParameters=DRY),
    ("forgetPerson", "forgotten"): lambda world: (book(world), world.request("DELETE", "/people/anna"))[1],
    ("forgetPerson", "begun"): begun_to_forget,
    ("forgetPerson", "unknownParameter"): lambda world: world.request(
        "DELETE", "/people/anna", queryStringParameters=DRY
    ),
    ("blockCalendar", "blocked"): block,
    ("blockCalendar", "unknownZone"): lambda world: block(world, timeZone="Mars/Olympus"),
    ("listBlocks", "200"): listed_blocks,
    ("listBlocks", "unknownZone"): lambda world: listed_blocks(world, timeZone="Mars/Olympus"),
    ("getBlock", "block"): lambda world: of_blocked(world, "GET"),
    ("getBlock", "unknownParameter"): lambda world: of_blocked(world, "GET", queryStringParameters=DRY),
    ("getBlock", "404"): lambda world: of_no_block(world, "GET"),
    ("removeBlock", "removed"): lambda world: of_blocked(world, "DELETE"),
    ("removeBlock", "unknownParameter"): lambda world: of_blocked(world, "DELETE", queryStringParameters=DRY),
    ("removeBlock", "404"): lambda world: of_no_block(world, "DELETE"),
    ("listServices", "200"): lambda world: of_offered(world, "GET", "/services"),
    ("listServices", "unknownParameter"): lambda world: world.request("GET", "/services", queryStringParameters=DRY),
    ("getService", "checkUp"): lambda world: of_offered(world, "GET"),
    ("getService", "unknownParameter"): lambda world: of_offered(world, "GET", queryStringParameters=DRY),
    ("getService", "404"): lambda world: world.request("GET", "/services/check-up"),
    ("putService", "checkUp"): offered,
    ("putService", "faults"): faults_of_a_service,
    ("deleteService", "deleted"): lambda world: of_offered(world, "DELETE"),
    ("deleteService", "unknownParameter"): lambda world: of_offered(world, "DELETE", queryStringParameters=DRY),
    ("deleteService", "404"): lambda world: world.request("DELETE", "/services/check-up"),
    ("listWebhooks", "200"): lambda world: of_hooked(world, "GET", "/webhooks"),
    ("listWebhooks", "unknownParameter"): lambda world: world.request("GET", "/webhooks", queryStringParameters=DRY),
    ("getWebhook", "crm"): lambda world: of_hooked(world, "GET"),
    ("getWebhook", "404"): lambda world: world.request("GET", HOOK),
    ("getWebhook", "unknownParameter"): lambda world: of_hooked(world, "GET", queryStringParameters=DRY),
    ("putWebhook", "made"): hooked,
    ("putWebhook", "faults"): lambda world: world.request("PUT", HOOK, {"url": "http://crm.example.com", "active": 1}),
    ("deleteWebhook", "deleted"): lambda world: of_hooked(world, "DELETE"),
    ("deleteWebhook", "404"): lambda world: world.request("DELETE", HOOK),
    ("deleteWebhook", "unknownParameter"): lambda world: of_hooked(world, "DELETE", queryStringParameters=DRY),
    ("replaceWebhookSecret", "replaced"): lambda world: of_hooked(world, "POST", f"{HOOK}/secret"),
    ("replaceWebhookSecret", "404"): lambda world: world.request("POST", f"{HOOK}/secret"),
    ("replaceWebhookSecret", "unknownParameter"): lambda world: of_hooked(
        world, "POST", f"{HOOK}/secret", queryStringParameters=DRY
    ),
    ("testWebhook", "queued"): lambda world: of_hooked(world, "POST", f"{HOOK}/test"),
    ("testWebhook", "404"): lambda world: world.request("POST", f"{HOOK}/test"),
    ("testWebhook", "409"): lambda world: of_an_inactive_one(world, "/test"),
    ("testWebhook", "unknownParameter"): lambda world: of_hooked(
        world, "POST", f"{HOOK}/test", queryStringParameters=DRY
    ),
    ("listDeliveries", "200"): delivered,
    ("listDeliveries", "404"): lambda world: world.request("GET", f"{HOOK}/deliveries"),
    ("listDeliveries", "unknownParameter"): lambda world: of_hooked(
        world, "GET", f"{HOOK}/deliveries", queryStringParameters=DRY
    ),
    ("sendDeliveryAgain", "queued"): sent_again,
    ("sendDeliveryAgain", "404"): lambda world: of_hooked(world, "POST", f"{HOOK}/deliveries/evt"),
    ("sendDeliveryAgain", "409"): lambda world: of_an_inactive_one(world, "/deliveries/evt"),
    ("sendDeliveryAgain", "unknownParameter"): lambda world: of_hooked(
        world, "POST", f"{HOOK}/deliveries/evt", queryStringParameters=DRY
    ),
    ("makeBookingLink", "haircut"): booking_link,
    ("makeBookingLink", "faults"): lambda world: world.request("POST", "/booking-links", LINK | {"services": ["none"]}),
    ("listBookableServices", "one"): lambda world: visit(world, "GET", "/book/services"),
    ("getBookableService", "haircut"): lambda world: visit(world, "GET", BOOK),
    ("countBookableTimes", "200"): lambda world: visit(world, "GET", f"{BOOK}/days", **SPAN),
    ("findBookableTimes", "next"): lambda world: visit(world, "GET", f"{BOOK}/times", **SPAN, limit="2"),
    ("bookAsVisitor", "held"): held,
    ("bookAsVisitor", "taken"): taken,
    ("bookAsVisitor", "approval"): asked_for_approval,
    ("getVisit", "booked"): of_confirmed,
    ("confirmVisit", "booked"): lambda world: of_held(world, "PATCH", CONFIRMATIONS["anna"]["value"]),
    ("confirmVisit", "taken"): taken_when_it_ran_out,
    ("releaseVisit", "released"): lambda world: of_held(world, "DELETE"),
    ("getBookableService", "404"): lambda world: of_a_deleted_service(world, BOOK),
    ("bookAsVisitor", "404"): lambda world: of_a_deleted_service(world, f"{BOOK}/appointments", "POST"),
    # The same in every operation of visitors.
    ("", "unknownVisitParameter"): lambda world: visit(world, "GET", "/book/services", **DRY),
    ("", "noKey"): lambda world: closed_to_visitors(world, BOOK),
    ("", "unknownLink"): lambda world: closed_to_visitors(world, BOOK, key="AAAA"),
    ("", "expiredLink"): lambda world: of_an_ended_link(world, BOOK),
    ("", "noVisit"): lambda world: world.request("GET", f"/book/appointments/{'A' * 43}"),
    ("getDeskSettings", "open"): lambda world: page_settings(world, PageSettings()),
    ("getDeskSettings", "signIn"): lambda world: page_settings(
        world, PageSettings(Auth.COGNITO, CLINIC, "3n4b5urk1ft4fl3mg5e62d9ado", "de")
    ),
    ("getDeskSettings", "unknownParameter"): lambda world: world.request(
        "GET", "/desk/settings", queryStringParameters=DRY
    ),
    # The same in every operation.
    ("", "400"): lambda world: world.request("POST", "/appointments", "{"),
    ("", "404"): lambda world: world.request("GET", "/appointments/0f000000-0000-4000-8000-000000000000"),
    ("", "412"): outdated,
    ("", "413"): lambda world: world.request("POST", "/appointments", '"' + "x" * 1024 * 1024 + '"'),
}
# Answered by API Gateway, for a caller, or for a failure. tests/unit/test_contract.py holds their words to the code.
ELSEWHERE = {"401", "403", "429", "500", "503", "504"}


def answers() -> list[tuple[str, str, Any]]:
    """Operation, name and value of every example of an answer. One without a name has its status as its name."""
    found = []
    for _, _, operation in operations():
        for status, response in operation["responses"].items():
            for media in resolved(response).get("content", {}).values():
                named = {name: resolved(one)["value"] for name, one in media.get("examples", {}).items()}
                named |= {status: media["example"]} if "example" in media else {}
                found += [(operation["operationId"], name, value) for name, value in named.items()]
    return found


def shown(value: Any) -> Any:
    """Without what is different each time. A problem's `type` begins with the address of the API."""
    if isinstance(value, dict):
        value = {name: shown(inner) for name, inner in value.items() if name not in (*IDS, *MADE_BY_KEYS)}
        return value | ({"type": value["type"].partition("#")[2]} if "#" in value.get("type", "") else {})
    return [shown(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("operation", "name", "told"), [pytest.param(*one, id="-".join(one[:2])) for one in answers()])
def test_every_example_of_an_answer_is_true(world: World, operation: str, name: str, told: Any) -> None:
    if name in ELSEWHERE:
        return
    made = ANSWERS.get((operation, name)) or ANSWERS["", name]
    _, _, answered = made(world)
    if operation == "getContract":
        assert (answered["openapi"], answered["info"]["version"]) == (told["openapi"], told["info"]["version"])
        assert answered["paths"]["/docs"]["get"]["operationId"] == told["paths"]["/docs"]["get"]["operationId"]
    else:
        assert shown(told) == shown(answered)


def test_every_answer_in_json_has_an_example() -> None:
    for path, method, operation in operations():
        for status, response in operation["responses"].items():
            for kind, media in resolved(response).get("content", {}).items():
                assert not kind.endswith("json") or "example" in media or media["examples"], (method, path, status)


def test_the_recipes_here_are_all_used() -> None:
    used = {(operation, name) for operation, name, _ in answers()}
    assert {key for key in ANSWERS if key[0]} <= used
    assert {name for operation, name in ANSWERS if not operation} <= {name for _, name in used}


# --- examples beside one another -------------------------------------------------------------------------


def bookings_to_try() -> list[tuple[str, dict[str, str], Any]]:
    """Where each example of a booking stands, its headers and its body."""
    found: list[tuple[str, dict[str, str], Any]] = [
        (f"page {name}", {}, example["value"]) for name, example in BOOKING.items()
    ]
    event = sample_event("booking")
    found.append(("events/booking.json", event["headers"], json.loads(event["body"])))
    event = sample_event("book-service")
    found.append(("events/book-service.json", event["headers"], json.loads(event["body"])))
    readme = (ROOT / "README.md").read_text()
    (key,) = re.findall(r"-H 'Idempotency-Key: ([\w-]+)'", readme)
    (body,) = re.findall(r"/appointments\"? -H .* -d '(\{.*?\})'", readme, re.DOTALL)
    found.append(("README.md", {"Idempotency-Key": key}, json.loads(body)))
    return found


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("seed", range(3))
def test_examples_do_not_collide(world: World, seed: int, settings: str) -> None:
    """In any order, after the settings that the page shows, and again after a second start, which keeps the data."""
    run = first_booking("", world.now, "alice-120000").partition("-d '")[2].rstrip("'")
    tries = [*bookings_to_try(), ("make run", {}, json.loads(run))]
    random.Random(seed).shuffle(tries)
    path = contract()["components"]["parameters"]["CalendarId"]["example"]
    assert world.request("PUT", f"/calendars/{path}", SETTINGS[settings]["value"])[0] == 200
    service = SERVICES["checkUp"]["value"] if seed else json.loads(sample_event("service")["body"])
    assert world.request("PUT", "/services/check-up", service)[0] == 200
    for where, headers, body in tries:
        assert world.request("POST", "/appointments", body, headers=headers)[0] == 201, where
    for where, headers, body in tries:
        if any(name == "Idempotency-Key" for name in headers):
            assert world.request("POST", "/appointments", body, headers=headers)[0] == 201, where


def test_the_page_has_people_and_rooms_of_its_own_for_each_visit() -> None:
    """So a second visit, or a second start with the same data, begins with a calendar that is free."""
    script = (ROOT / "src" / "conflict_detector" / "docs" / "page" / "page.js").read_text()
    (named,) = re.findall(r"const NAMES = /\\b\((.*?)\)\\b/g;", script)
    calendars = chain.from_iterable(
        [body["value"]["userId"], *body["value"].get("resourceIds", []), *body["value"].get("anyOf", [])]
        for body in BOOKING.values()
    )
    service = parse_service(SERVICES["checkUp"]["value"])
    parameters = [contract()["components"]["parameters"][name]["example"] for name in ("CalendarId", "ServiceId")]
    assert set(named.split("|")) == {*calendars, *service.calendar_ids, *parameters}
