"""What the holder of a link does, on a browser without JavaScript: confirm, cancel, move; and what it does not do."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from appointments.contacts import Contact
from appointments.storage.appointment_items import appointment_to_item
from conflict_detector.access import Access, Auth
from conflict_detector.links.acting import MAX_FORM_BYTES
from conflict_detector.links.phrases import PHRASES
from linking import Holder
from relaying import Relaying
from support import api_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from world import World

SAY = PHRASES["en"]
EVENING = datetime(2030, 1, 14, 20, tzinfo=UTC)


def booked(world: World, start: str = "9:00", end: str = "9:30", **more: Any) -> dict[str, Any]:
    status, body = world.book(start, end, **{"user": "anna", "resourceIds": ["dr-kim"]} | more)
    assert status == 201, body
    return body


def holder(world: World, **more: Any) -> Holder:
    return Holder(world, booked(world, **more)["appointmentId"])


def stored(world: World, who: Holder) -> dict[str, Any]:
    appointment_id = world.links.appointment_of(who.path.removeprefix("/l/"))
    found: dict[str, Any] = world.request("GET", f"/appointments/{appointment_id}")[2]
    return found


def of_service(world: World, **service: Any) -> Holder:
    body = {"title": "Check-up", "steps": [{"durationMinutes": 30, "resourceIds": ["dr-kim"]}]} | service
    assert world.request("PUT", "/services/check-up", body)[0] == 200
    booking = {"userId": "anna", "serviceId": "check-up", "startTime": "2030-01-15T09:00:00Z"}
    status, _, made = world.request("POST", "/appointments", booking)
    assert status == 201, made
    return Holder(world, made["appointmentId"])


def everything(world: World) -> str:
    return repr([world.items(name) for name in ("AppointmentsTable", "CalendarsTable")]) + repr(world.rules())


def test_the_page_says_when_and_where_and_offers_three_things(world: World) -> None:
    page = holder(world, details={"location": "12 High Street", "title": "Visit of Mrs Secret"}).open()
    assert page.status == 200
    for text in (
        SAY["title"],
        "Tuesday, January 15, 2030",
        "9:00\u202fAM \u2013 9:30\u202fAM",
        "Coordinated Universal Time, GMT",
        "12 High Street",
    ):
        assert text in page.text
    assert page.actions == ["confirm", "cancel"]
    assert page.links == [(SAY["move"], "?day=2030-01-15")]
    # Nobody is named: neither the person nor the doctor, and no free text could name them.
    assert not re.search("anna|dr-kim|Secret", page.html)


def test_the_page_is_kept_and_indexed_by_nobody_and_runs_nothing(world: World) -> None:
    page = holder(world).open()
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "noindex" in page.headers["X-Robots-Tag"]
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert "script-src" not in policy
    assert not re.search(r"<script|\son\w+=|https?:|\sstyle=", page.html)


def test_looking_changes_nothing(world: World) -> None:
    who = holder(world)
    before, calls = everything(world), len(world.calls)
    assert [who.open("", method).status for method in ("GET", "HEAD", "GET")] == [200, 200, 200]
    assert who.open("?day=2030-01-16&action=cancel").status == 200
    assert everything(world) == before
    assert set(world.calls[calls:]) <= {"GenerateMac", "GetItem", "BatchGetItem", "Query", "Scan", "ListRules"}


def test_a_page_costs_one_mac_and_one_read(world: World) -> None:
    who = holder(world)
    calls = len(world.calls)
    who.open()
    assert world.calls[calls:] == ["GenerateMac", "GetItem"]


def test_confirm(world: World, events_of: Callable[[], list[dict[str, Any]]]) -> None:
    who = holder(world)
    page = who.open()
    events_of()
    done = who.press(page, SAY["confirm"])
    assert (done.status, done.roles) == (200, {"status": SAY["done confirm"]})
    assert done.actions == ["cancel"]
    after = stored(world, who)
    assert (after["confirmedAt"], after["version"]) == ("2029-12-01T12:00:00Z", 2)
    assert [line["event_type"] for line in events_of() if "event_type" in line] == ["APPOINTMENT_CONFIRMED"]
    # The same form again, as a browser sends it that goes back: it is confirmed, and stays at its version.
    assert who.press(page, SAY["confirm"]).roles == {"status": SAY["done confirm"]}
    assert stored(world, who) == after
    assert SAY["confirmed"] in who.open().text


def test_cancel(world: World, events_of: Callable[[], list[dict[str, Any]]]) -> None:
    who = holder(world)
    page = who.open()
    assert SAY["sure"] in page.text
    done = who.press(page, SAY["do cancel"])
    assert (done.status, done.roles, done.forms) == (200, {"status": SAY["done cancel"]}, [])
    after = stored(world, who)
    assert (after["status"], after["version"]) == ("cancelled", 2)
    assert world.rules() == {}
    assert "APPOINTMENT_CANCELLED" in [line.get("event_type") for line in events_of()]
    assert who.press(page, SAY["do cancel"]).status == 200
    assert stored(world, who) == after
    # The time is free again, and the link does nothing more.
    assert world.book("9:00", "9:30", user="ben", resourceIds=["dr-kim"])[0] == 201
    ended = who.open()
    assert (ended.status, ended.roles, ended.forms, ended.links) == (410, {"status": SAY["is cancelled"]}, [], [])
    for form in ({"action": "confirm"}, {"action": "move", "startTime": "2030-01-15T11:00:00Z"}):
        assert who.post(**form).status == 410
    assert stored(world, who) == after


def test_move(world: World) -> None:
    who = holder(world, reminders=["1h"])
    booked(world, "10:00", "11:00", user="ben")
    [(_, href)] = who.open().links
    choice = who.open(href)
    assert choice.status == 200
    assert "January 15" in choice.text
    offered = choice.offered
    # Not its own time, not Ben's, and its own time is not in its way.
    assert {"2030-01-15T08:30:00Z", "2030-01-15T09:30:00Z", "2030-01-15T11:00:00Z"} <= set(offered)
    assert not {"2030-01-15T09:00:00Z", "2030-01-15T10:00:00Z", "2030-01-15T10:30:00Z"} & set(offered)
    done = who.press(choice, "2030-01-15T11:00:00Z")
    assert (done.status, done.roles) == (200, {"status": SAY["done move"]})
    assert "11:00\u202fAM \u2013 11:30\u202fAM" in done.text
    after = stored(world, who)
    assert (after["startTime"], after["endTime"]) == ("2030-01-15T11:00:00Z", "2030-01-15T11:30:00Z")
    assert after["resourceIds"] == ["dr-kim"]
    [due] = [reminder["dueAt"] for reminder in after["reminders"]]
    assert due == "2030-01-15T10:00:00Z"
    assert who.press(choice, "2030-01-15T11:00:00Z").status == 200
    assert stored(world, who) == after


def test_every_time_that_is_offered_can_be_booked(world: World) -> None:
    hours = {
        "monday": [],
        "tuesday": [{"start": "08:00", "end": "12:00"}],
        "wednesday": [{"start": "13:00", "end": "15:00"}],
    }
    assert world.request("PUT", "/calendars/dr-kim", {"workingHours": hours, "bufferMinutes": {"after": 10}})[0] == 200
    booked(world, "11:00", "11:30", user="ben")
    who = holder(world)
    # The date of the first start is shown, and the others of the week lead to theirs.
    week = [who.open(f"?day=2030-01-{day}") for day in (15, 16)]
    offered = [start for page in week for start in page.offered]
    assert offered
    assert {start[:10] for start in offered} == {"2030-01-15", "2030-01-16"}
    for start in offered:
        assert who.post(action="move", startTime=start).status == 200, start


def test_a_day_without_a_free_time_shows_the_next_that_has_one(world: World) -> None:
    hours = {"friday": [{"start": "09:00", "end": "10:00"}], "tuesday": [{"start": "09:00", "end": "10:00"}]}
    assert world.request("PUT", "/calendars/dr-kim", {"workingHours": hours})[0] == 200
    page = holder(world).open("?day=2030-01-16")
    assert set(page.offered) == {"2030-01-18T09:00:00Z", "2030-01-18T09:30:00Z"}
    world.request("PUT", "/calendars/dr-kim", {"workingHours": {}})
    none = Holder(world, booked(world, user="cleo", resourceIds=["x"])["appointmentId"])
    world.request("PUT", "/calendars/x", {"workingHours": {}})
    assert SAY["none"] in none.open("?day=2030-01-16").text


def test_a_time_that_was_taken_meanwhile_is_refused_with_what_is_free(world: World) -> None:
    who = holder(world)
    choice = who.open("?day=2030-01-15")
    booked(world, "11:00", "11:30", user="ben")
    before = everything(world)
    page = who.press(choice, "2030-01-15T11:00:00Z")
    assert (page.status, page.roles) == (409, {"alert": SAY["taken"]})
    nearest = page.offered[:3]
    assert nearest == ["2030-01-15T10:30:00Z", "2030-01-15T11:30:00Z", "2030-01-15T10:00:00Z"] or len(nearest) == 3
    assert "2030-01-15T11:00:00Z" not in page.offered
    assert everything(world) == before
    assert "ben" not in page.html
    assert who.press(page, nearest[0]).status == 200


def test_a_time_that_the_calendar_does_not_allow_is_refused_with_what_it_does(world: World) -> None:
    hours = {"tuesday": [{"start": "09:00", "end": "12:00"}]}
    world.request("PUT", "/calendars/dr-kim", {"workingHours": hours})
    who = holder(world)
    page = who.post(action="move", startTime="2030-01-15T20:00:00Z")
    assert (page.status, page.roles) == (422, {"alert": SAY["impossible"]})
    assert "2030-01-15T11:30:00Z" in page.offered
    past = who.post(action="move", startTime="2029-11-01T09:00:00Z")
    assert past.status == 422
    assert stored(world, who)["version"] == 1


def test_what_was_changed_after_the_page_was_made_is_shown_first(world: World) -> None:
    who = holder(world)
    page = who.open()
    assert world.request("PATCH", _path(world, who), {"startTime": "2030-01-15T15:00:00Z"})[0] == 200
    for label in (SAY["confirm"], SAY["do cancel"]):
        shown = who.press(page, label)
        assert (shown.status, shown.roles) == (409, {"alert": SAY["changed"]})
        assert "3:00\u202fPM" in shown.text
    after = stored(world, who)
    assert (after["status"], after["version"]) == ("scheduled", 2)
    assert "confirmedAt" not in after
    assert who.press(shown, SAY["confirm"]).status == 200


def _path(world: World, who: Holder) -> str:
    return f"/appointments/{world.links.appointment_of(who.path.removeprefix('/l/'))}"


# --- the service's policy --------------------------------------------------------------------------------


def test_a_link_does_what_the_service_allows_people_and_no_more(world: World) -> None:
    who = of_service(world, cancelUntilMinutes=60, moveUntilMinutes=1440)
    page = who.open()
    assert "Check-up" in page.text
    world.now = EVENING  # 13 hours before
    late = who.open()
    assert SAY["late move"].format(time="Monday, January 14, 2030, 9:00\u202fAM") in late.text
    assert late.links == []
    assert late.actions == ["confirm", "cancel"]
    assert who.open("?day=2030-01-16").offered == []
    assert who.post(action="move", startTime="2030-01-16T09:00:00Z").status == 409
    world.now += timedelta(hours=12, minutes=30)
    assert who.open().actions == ["confirm"]
    assert who.press(page, SAY["do cancel"]).status == 409
    assert stored(world, who)["version"] == 1
    assert who.press(page, SAY["confirm"]).status == 200


def test_a_service_is_moved_by_its_own_search(world: World) -> None:
    steps = [
        {"durationMinutes": 10, "resourceIds": ["lab"]},
        {"durationMinutes": 20, "pools": [{"anyOf": ["dr-kim", "dr-lee"]}]},
    ]
    who = of_service(world, steps=steps, stepMinutes=60, strictSteps=True, horizonDays=60)
    booked(world, "11:00", "11:30", user="ben", resourceIds=["lab"])
    offered = who.open("?day=2030-01-15").offered
    assert {"2030-01-15T08:00:00Z", "2030-01-15T10:00:00Z", "2030-01-15T12:00:00Z"} <= set(offered)
    assert not {"2030-01-15T11:00:00Z", "2030-01-15T09:30:00Z", "2030-01-15T09:00:00Z"} & set(offered)
    assert who.post(action="move", startTime="2030-01-15T12:00:00Z").status == 200
    after = stored(world, who)
    assert [step["startTime"] for step in after["steps"]] == ["2030-01-15T12:00:00Z", "2030-01-15T12:10:00Z"]
    # The service's own steps bind people, though the API would let the desk book this.
    assert who.post(action="move", startTime="2030-01-15T12:30:00Z").status == 422


def test_a_hold_is_booked_by_its_link_and_an_old_one_is_over(world: World) -> None:
    who = holder(world, hold={"minutes": 10})
    other = holder(world, user="ben", resourceIds=["x"], hold={"minutes": 10})
    page = who.open()
    assert SAY["hold"].format(time="Saturday, December 1, 2029, 12:10\u202fPM") in page.roles["status"]
    done = who.press(page, SAY["book"])
    assert (done.status, done.roles) == (200, {"status": SAY["done book"]})
    after = stored(world, who)
    assert after["status"] == "scheduled"
    assert who.press(page, SAY["book"]).status == 200
    assert stored(world, who) == after
    world.now += timedelta(minutes=11)
    over = other.open()
    assert (over.status, over.roles) == (410, {"status": SAY["is expired"]})
    assert other.post(action="confirm").status == 410
    assert stored(world, other)["status"] == "held"


def test_a_request_can_be_given_up_and_not_confirmed(world: World) -> None:
    world.request("PUT", "/calendars/dr-kim", {"approval": True})
    who = holder(world)
    page = who.open()
    assert page.roles == {"status": SAY["request"]}
    assert page.actions == ["cancel"]
    refused = who.post(action="confirm")
    assert (refused.status, refused.roles) == (422, {"alert": SAY["invalid"]})
    assert who.press(page, SAY["do cancel"]).status == 200
    declined = holder(world, user="ben")
    world.request("PATCH", _path(world, declined), {"status": "declined"})
    assert declined.open().roles == {"status": SAY["is declined"]}


def test_who_joined_a_session_keeps_its_time(world: World) -> None:
    session = booked(world, session={"seats": 3})
    status, _, joined = world.request(
        "POST", "/appointments", {"userId": "cleo", "sessionId": session["appointmentId"]}
    )
    assert status == 201
    who = Holder(world, joined["appointmentId"])
    page = who.open()
    assert page.links == []
    assert who.post(action="move", startTime="2030-01-15T15:00:00Z").status == 422
    assert who.press(page, SAY["confirm"]).status == 200
    assert who.press(who.open(), SAY["do cancel"]).status == 200


def test_who_has_arrived_needs_no_link(world: World) -> None:
    who = holder(world)
    world.request("PATCH", _path(world, who), {"status": "arrived"})
    page = who.open()
    assert (page.status, page.forms, page.links) == (200, [], [])
    assert [who.post(action=action).status for action in ("confirm", "cancel")] == [422, 422]


def test_a_link_is_dead_once_the_appointment_begins(world: World) -> None:
    who = holder(world)
    page = who.open()
    world.now = datetime(2030, 1, 15, 9, tzinfo=UTC)
    dead = who.open()
    assert (dead.status, dead.forms, dead.links) == (410, [], [])
    assert SAY["ended"] in dead.text
    assert "2030" not in dead.text
    for label in (SAY["confirm"], SAY["do cancel"]):
        assert who.press(page, label).status == 410
    assert stored(world, who)["version"] == 1


def test_of_an_appointment_that_is_gone_nothing_is_told(world: World) -> None:
    who = Holder(world, "0f000000-0000-4000-8000-000000000000")
    assert (who.open().status, who.post(action="cancel").status) == (404, 404)


@pytest.mark.parametrize(
    "path", ["x", "x" * 43, "%2e%2e", "..%2Fappointments", "x%2F..%2F..%2Fappointments", "AAAA/../appointments"]
)
def test_a_token_that_nobody_was_sent_leads_nowhere(world: World, path: str) -> None:
    """Whatever API Gateway makes of what is encoded: its resource without sign-in leads to links and nothing else."""
    holder(world)
    world.api = world.api_for(Access(Auth.COGNITO, "our-client"))
    _, calls = world.links, len(world.calls)
    for method in ("GET", "POST", "HEAD"):
        for shown in (path, path.replace("%2F", "/").replace("%2e", ".")):
            event = api_event(method, f"/l/{shown}") | {
                "resource": "/l/{token}",
                "pathParameters": {"token": path},
                "path": f"/l/{shown}",
            }
            assert world.api.handle(event)["statusCode"] == 404
    assert set(world.calls[calls:]) <= {"GenerateMac"}


def test_other_methods_are_no_links(world: World) -> None:
    who = holder(world)
    for method in ("PUT", "PATCH", "DELETE"):
        response = world.api.handle(api_event(method, who.path))
        assert (response["statusCode"], response["headers"]["Allow"]) == (405, "GET, HEAD, POST")


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"action": "approve"},
        {"action": "move"},
        {"action": "move", "startTime": "tomorrow"},
        {"action": "move", "startTime": "2030-01-15T10:00"},
        {"action": "cancel", "version": "one"},
        {"action": "cancel", "version": "9" * 16},
        {"action": "cancel", "status": "completed"},
    ],
)
def test_a_form_of_another_page_changes_nothing(world: World, form: dict[str, str]) -> None:
    who = holder(world)
    page = who.post(**form)
    assert (page.status, page.roles) == (422, {"alert": SAY["invalid"]})
    assert stored(world, who)["version"] == 1


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Africa/Monrovia"])
@pytest.mark.parametrize(
    "start", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]
)
def test_a_time_that_no_page_offers_is_no_time(world: World, zone: str, start: str) -> None:
    """The clocks of some zones cannot show the first and the last that can be written."""
    who = holder(world, start="2030-01-15T09:00", end="2030-01-15T09:30", timeZone=zone)
    page = who.post(action="move", startTime=start)
    assert (page.status, page.roles) == (422, {"alert": SAY["invalid"]})
    assert stored(world, who)["version"] == 1


@pytest.mark.parametrize(
    ("body", "status"), [("action=cancel&action=confirm", 422), ("&".join("a=1" for _ in range(99)), 422), ("{}", 422)]
)
def test_a_body_that_is_no_form_changes_nothing(world: World, body: str, status: int) -> None:
    who = holder(world)
    assert who._send("POST", body).status == status
    assert stored(world, who)["version"] == 1


@pytest.mark.parametrize(("size", "status"), [(MAX_FORM_BYTES, 422), (MAX_FORM_BYTES + 1, 413), (1024 * 1024, 413)])
def test_a_form_is_as_large_as_one_can_be_and_no_larger(world: World, size: int, status: int) -> None:
    who = holder(world)
    page = who._send("POST", "action=cancel&note=".ljust(size, "x"))
    assert (page.status, page.roles) == (status, {"alert": SAY["invalid"]})
    assert stored(world, who)["version"] == 1


def test_in_an_outage_the_page_says_to_try_again(world: World, events_of: Callable[[], list[dict[str, Any]]]) -> None:
    who = holder(world)
    page = who.open()
    events_of()
    with world.failing("UpdateItem", code="ThrottlingException"), world.failing("TransactWriteItems"):
        busy = who.press(page, SAY["confirm"])
    assert (busy.status, busy.headers["Retry-After"], busy.roles) == (503, "1", {"alert": SAY["busy"]})
    assert [line["event_type"] for line in events_of() if "event_type" in line] == ["BOOKING_ERROR"]


# --- who, and in which words -----------------------------------------------------------------------------


def test_history_says_that_a_link_did_it(world: World) -> None:
    relaying = Relaying(world)
    who = holder(world)
    who.post(action="confirm")
    who.post(action="move", startTime="2030-01-15T11:00:00Z")
    who.post(action="cancel")
    relaying.run()
    history = world.request("GET", f"{_path(world, who)}/history")[2]["history"]
    assert [(entry["type"], entry["by"]) for entry in history] == [
        ("appointment.booked", "system"),
        ("appointment.confirmed", "link"),
        ("appointment.moved", "link"),
        ("appointment.cancelled", "link"),
    ]


@pytest.mark.parametrize("auth", list(Auth))
def test_a_link_needs_no_sign_in_whatever_the_stack_wants(world: World, auth: Auth) -> None:
    who = holder(world)
    world.api = world.api_for(Access(auth, "our-client"))
    assert who.open().status == 200
    assert who.post(action="confirm").status == 200


@pytest.mark.parametrize("language", PHRASES)
def test_every_language(world: World, language: str) -> None:
    say = PHRASES[language]
    who = Holder(world, booked(world)["appointmentId"], f"{language}-XX, en;q=0.5")
    page = who.open()
    assert page.headers["Content-Language"] == language
    assert f'<html lang="{language}">' in page.html
    assert "{" not in page.text
    for done in (who.press(page, say["confirm"]), who.open("?day=2030-01-16"), who.press(who.open(), say["do cancel"])):
        assert done.status == 200
        assert "{" not in done.text


def test_the_persons_own_language_comes_before_the_browsers(world: World) -> None:
    who = holder(world)
    appointment_id = world.links.appointment_of(who.path.removeprefix("/l/"))
    found = world.storage.appointments.get(appointment_id)
    assert found
    for locale, language in (("pl", "pl"), ("de-CH", "de"), ("tlh", "fr"), (None, "fr")):
        contact = Contact("Anna Secret", "anna@example.com", None, locale)
        world.dynamodb.put_item(
            TableName="AppointmentsTable",
            Item=appointment_to_item(replace(found, contact=contact), timedelta(days=400)),
        )
        who.headers = {"Accept-Language": "xx, fr;q=0.9, en;q=0.1"}
        page = who.open()
        assert page.headers["Content-Language"] == language
        assert not re.search("Secret|example.com", page.html)


def test_times_are_shown_in_the_zone_in_which_they_were_agreed_on(world: World) -> None:
    who = holder(world, start="2030-03-30T09:00", end="2030-03-30T09:30", timeZone="Europe/Berlin")
    page = who.open()
    assert "9:00\u202fAM \u2013 9:30\u202fAM" in page.text
    assert SAY["zone"].format(zone="Central European Time") in page.text
    assert who.post(action="move", startTime="2030-04-01T08:00:00Z").status == 200
    after = stored(world, who)
    assert (after["startTime"], after["timeZone"]) == ("2030-04-01T08:00:00Z", "Europe/Berlin")
    item = json.dumps(world.items("AppointmentsTable"))
    assert "2030-04-01T10:00:00" in item  # on the wall, which stays what was agreed on


def reached(world: World, locale: str | None, zone: str | None, **more: Any) -> Holder:
    """The holder of a link to an appointment in Berlin, 9:00 to 9:30 there, whose contact is elsewhere."""
    body = {"start": "2030-01-15T09:00", "end": "2030-01-15T09:30", "timeZone": "Europe/Berlin"} | more
    said = {"locale": locale, "timeZone": zone}
    contact = {"email": "anna@example.com"} | {key: value for key, value in said.items() if value}
    return holder(world, **body, contact=contact)


def test_a_reader_elsewhere_is_told_both_times_as_their_region_writes_them(world: World) -> None:
    who = reached(world, "en-GB", "Asia/Kolkata")
    page = who.open()
    here = f"{SAY['when']}\nTuesday, 15 January 2030\n09:00 \u2013 09:30\nTime zone: Central European Time\n"
    there = f"{SAY['yours']}\nTuesday, 15 January 2030\n13:30 \u2013 14:00\nTime zone: India Standard Time\n"
    assert here + there in page.text
    choice = who.open("?day=2030-01-16")
    assert SAY["so far"].format(time="Tuesday, 15 January 2030, 09:00 (13:30 GMT+5:30)") in choice.text
    assert f"Time zone: Central European Time\n{SAY['yours']} \u2013 India Standard Time\n" in choice.text
    labels = [text for form in choice.forms for text, sent in form.buttons if "startTime" in sent]
    # What is evening there is tomorrow for who reads it.
    assert labels[20] == "10:00 14:30 GMT+5:30"
    assert labels[-1] == "23:30 Thu 17 Jan, 04:00 GMT+5:30"
    done = who.press(choice, "10:00 14:30 GMT+5:30")
    assert done.roles == {"status": SAY["done move"]}
    assert "10:00 \u2013 10:30\n" in done.text
    assert "14:30 \u2013 15:00\n" in done.text
    gone = who.press(done, SAY["do cancel"])
    assert gone.roles == {"status": SAY["done cancel"]}
    assert "14:30 \u2013 15:00\n" in gone.text


def test_a_time_that_is_taken_is_answered_in_both_zones(world: World) -> None:
    who = reached(world, "en-GB", "Asia/Kolkata")
    page = who.open("?day=2030-01-15")
    booked(world, "9:00", "9:30", user="ben")  # by UTC
    taken = who.press(page, "2030-01-15T09:00:00Z")
    assert taken.roles == {"alert": SAY["taken"]}
    assert "Tuesday, 15 January 2030, 10:30 15:00 GMT+5:30" in [text for text, _ in taken.forms[0].buttons]


@pytest.mark.parametrize("zone", [None, "Europe/Paris", "Europe/Berlin"])
def test_a_reader_whose_clock_shows_the_same_is_told_one_time(world: World, zone: str | None) -> None:
    who = reached(world, None, zone)
    who.headers = {"Accept-Language": "en-GB"}
    page = who.open()
    assert "09:00 \u2013 09:30\nTime zone: Central European Time\n" in page.text
    for shown in (page, who.open("?day=2030-01-16")):
        assert SAY["yours"] not in shown.text
        assert "GMT" not in shown.text


def test_what_others_wrote_is_text_and_no_markup(world: World) -> None:
    evil = '"><script>alert(1)</script>'
    page = holder(world, details={"location": evil}).open()
    assert evil not in page.html
    assert evil in page.text


def test_a_services_title_is_text_and_no_markup(world: World) -> None:
    page = of_service(world, title="<b>Bold</b> & 'more'").open()
    assert "<b>Bold" not in page.html
    assert "<b>Bold</b> & 'more'" in page.text


def test_a_forged_token_and_a_good_one_cost_one_mac_each(world: World) -> None:
    who = holder(world)
    good = who.path
    who.path = good[:-6] + ("AAAAAA" if not good.endswith("AAAAAA") else "BBBBBA")
    calls = len(world.calls)
    assert who.open().status == 404
    assert Counter(world.calls[calls:]) == {"GenerateMac": 1}


def test_logs_hold_no_token(world: World, events_of: Callable[[], list[dict[str, Any]]]) -> None:
    who = holder(world)
    who.open()
    who.post(action="confirm")
    who.post(action="move", startTime="2029-01-01T00:00:00Z")
    assert who.path.removeprefix("/l/") not in json.dumps(events_of())
