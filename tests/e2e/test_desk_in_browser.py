"""The desk in a real browser against the deployed stack: what a reception does all day, wide and on a phone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect, sync_playwright

from browsing import BROWSER, QUIET
from desks import PHONE, PIXELS, SCREENS, WIDE, Clinic, box, column, drag, point, tab, to_approve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no browser to open the page with: run `make browser`, or install Debian's package chromium"
)
LOOKS: dict[str, dict[str, Any]] = {
    "wide": {"viewport": WIDE},
    "phone": {"viewport": PHONE, "has_touch": True, "color_scheme": "dark"},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=QUIET.split())
        yield browser
        browser.close()


@pytest.fixture
def clinic(call: Callable[..., Any]) -> Clinic:
    return Clinic.open(call)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with tab(browser) as opened:
        yield opened


@pytest.fixture(params=LOOKS)
def either(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """Wide and light, and a phone in the dark."""
    with tab(browser, **LOOKS[request.param]) as opened:
        yield opened


def told(page: Page, text: str) -> None:
    expect(page.locator(".toast")).to_contain_text(text)


# --- booking ---------------------------------------------------------------------------------------------


def test_a_free_stretch_is_selected_and_booked(page: Page, clinic: Clinic, api_url: str) -> None:
    page.goto(clinic.address(api_url))
    x, y = point(page, clinic.kim, "09:00")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 45 * PIXELS, steps=4)
    page.mouse.up()
    form = page.get_by_role("dialog", name="New appointment")
    # By the calendar's clock, though the browser is in Tokyo.
    expect(form.get_by_label("Start")).to_have_value("09:00")
    expect(form.get_by_label("Length")).to_have_value("45")
    expect(form.get_by_label(clinic.kim)).to_be_checked()
    form.get_by_label("Name").fill("Nora Lund")
    form.get_by_label("Title").fill("Vaccination")
    form.get_by_role("button", name="Book", exact=True).click()
    told(page, "Booked: Nora Lund")
    expect(box(page, clinic.kim, "09:00 Nora Lund")).to_contain_text("Vaccination")
    query = f"calendarIds={clinic.kim}&from={clinic.at('08:00')}&to={clinic.at('18:00')}"
    (booked,) = clinic.call("GET", f"/appointments?{query}").body["appointments"]
    assert (booked["startTime"], booked["endTime"]) == (clinic.at("09:00"), clinic.at("09:45"))
    assert (booked["timeZone"], booked["details"]["title"]) == ("Europe/Berlin", "Vaccination")


def test_a_form_books_for_somebody_who_is_known(either: Page, clinic: Clinic, api_url: str) -> None:
    email = f"{clinic.lee}@example.org"
    known = clinic.book("Emine", "11:00", "11:30", contact={"name": "Emine Kaya", "email": email})
    while not clinic.call("GET", f"/appointments?contact={email}").body["appointments"]:
        either.wait_for_timeout(500)  # people are found within seconds
    either.goto(clinic.address(api_url))
    either.get_by_role("button", name="New appointment").click()
    form = either.get_by_role("dialog", name="New appointment")
    form.get_by_label("Email").fill(email)
    form.get_by_label("Phone").focus()
    expect(form.get_by_role("status")).to_contain_text("Known here as Emine Kaya")
    form.get_by_label("Start").fill("17:20")
    form.get_by_label(clinic.lee).check()
    form.get_by_role("button", name="Book", exact=True).click()
    told(either, "Booked: Emine Kaya")
    # Late in the day, it is scrolled to and marked, and what is told of it does not lie over it.
    booked = box(either, clinic.lee, "17:20 Emine Kaya")
    expect(booked).to_have_class(re.compile("marked"))
    expect(booked).to_be_in_viewport(ratio=1)
    at, toast = booked.bounding_box(), either.locator(".toast").bounding_box()
    assert at
    assert toast
    assert at["y"] + at["height"] <= toast["y"]
    query = f"userId={known['userId']}"
    assert len(clinic.call("GET", f"/appointments?{query}").body["appointments"]) == 2


def test_a_phone_number_without_its_country_is_told_at_its_field(either: Page, clinic: Clinic, api_url: str) -> None:
    either.goto(clinic.address(api_url, only=clinic.lee))
    either.get_by_role("button", name=f"{clinic.lee}: book or block").click()
    form = either.get_by_role("dialog", name="New appointment")
    form.get_by_label("Name").fill("Ida Novak")
    phone = form.get_by_label("Phone")
    phone.fill("030 123456")
    form.get_by_role("button", name="Book", exact=True).click()
    expect(form.get_by_role("alert")).to_contain_text("with the country code, such as +49 30 123456")
    expect(phone).to_be_focused()
    expect(phone).to_have_attribute("aria-invalid", "true")
    phone.fill("+49 30 123456")
    form.get_by_role("button", name="Book", exact=True).click()
    told(either, "Booked: Ida Novak")


def test_a_service_is_booked_and_a_taken_time_offers_others(either: Page, clinic: Clinic, api_url: str) -> None:
    service = f"check-up-{clinic.lee}"
    steps = [{"durationMinutes": 30, "resourceIds": [clinic.lee, clinic.room]}]
    assert clinic.call("PUT", f"/services/{service}", {"title": f"Check {clinic.lee}", "steps": steps}).status == 200
    clinic.book("Ben", "10:00", "11:00")
    either.goto(clinic.address(api_url))
    either.get_by_role("button", name="New appointment").click()
    form = either.get_by_role("dialog", name="New appointment")
    form.get_by_role("button", name="Book", exact=True).click()
    expect(form.get_by_role("alert")).to_contain_text("Say who it is for")
    form.get_by_label("Name").fill("Ida Novak")
    form.get_by_label("Service").select_option(service)
    form.get_by_label("Start").fill("10:30")
    form.get_by_role("button", name="Book", exact=True).click()
    expect(form.get_by_role("alert")).to_contain_text("This time is taken")
    form.get_by_role("button", name="11:00 \u2013 11:30").click()
    told(either, "Booked: Ida Novak")
    expect(box(either, clinic.lee, "11:00 Ida Novak")).to_be_visible()


def test_the_form_offers_the_next_free_times(either: Page, clinic: Clinic, api_url: str) -> None:
    clinic.book("Ben", "08:00", "09:00")
    either.goto(clinic.address(api_url))
    either.get_by_role("button", name="New appointment").click()
    form = either.get_by_role("dialog", name="New appointment")
    form.get_by_label("Name").fill("Ida Novak")
    form.get_by_label(clinic.lee).check()
    offered = form.get_by_role("group", name="Next free").get_by_role("button")
    expect(offered).to_have_text(
        ["09:00 \u2013 09:30", "09:15 \u2013 09:45", "09:30 \u2013 10:00", "09:45 \u2013 10:15"]
    )
    either.screenshot(path=SCREENS / f"desk-next-free-{either.evaluate('innerWidth')}.png")
    offered.nth(1).click()
    expect(form.get_by_label("Start")).to_have_value("09:15")
    form.get_by_role("button", name="Book", exact=True).click()
    told(either, "Booked: Ida Novak")
    expect(box(either, clinic.lee, "09:15 Ida Novak")).to_be_visible()


def with_notice(clinic: Clinic) -> Clinic:
    """The clinic on a day for which it is too late to book, as all of it wants a year's notice."""
    days = clinic.day - datetime.now(UTC).date()
    soon = clinic._replace(day=clinic.day - timedelta(days=364 if days > timedelta(days=360) else 0))
    for calendar_id in clinic.calendars:
        settings = clinic.call("GET", f"/calendars/{calendar_id}").body
        wanted = settings | {"minNoticeMinutes": 366 * 24 * 60}
        assert clinic.call("PUT", f"/calendars/{calendar_id}", wanted).status == 200
    return soon


def test_a_walk_in_is_booked_without_notice(either: Page, clinic: Clinic, api_url: str) -> None:
    clinic = with_notice(clinic)
    clinic.book("Ben", "11:00", "11:30", ignoreNotice=True)
    either.goto(clinic.address(api_url))
    either.get_by_role("button", name="New appointment").click()
    form = either.get_by_role("dialog", name="New appointment")
    form.get_by_label("Name").fill("Ida Novak")
    form.get_by_label(clinic.lee).check()
    # Where somebody is booked already, the notice is not all that is in the way.
    form.get_by_label("Start").fill("11:00")
    form.get_by_role("button", name="Book", exact=True).click()
    expect(form.get_by_role("alert")).to_contain_text("Without the notice: This time is taken")
    expect(form.get_by_role("button", name="Book anyway")).to_have_count(0)
    form.get_by_label("Start").fill("10:30")
    form.get_by_role("button", name="Book", exact=True).click()
    expect(form.get_by_role("alert")).to_contain_text(f"{clinic.lee}: Start is too soon")
    expect(form.get_by_role("alert")).to_contain_text("The desk may book without the notice")
    SCREENS.mkdir(parents=True, exist_ok=True)
    either.screenshot(path=SCREENS / f"desk-anyway-{either.evaluate('innerWidth')}.png")
    # Another appointment is in the way of the whole hour, and what is offered instead lies within the notice too.
    form.get_by_label("Length").select_option("60")
    form.get_by_role("button", name="Book anyway").click()
    expect(form.get_by_role("alert")).to_contain_text("This time is taken")
    form.get_by_role("button", name="10:00 \u2013 11:00").click()
    told(either, "Booked: Ida Novak")
    expect(box(either, clinic.lee, "10:00 Ida Novak")).to_be_visible()


# --- moving ----------------------------------------------------------------------------------------------


def test_dragging_moves_to_another_time_and_calendar_and_is_taken_back(
    page: Page, clinic: Clinic, api_url: str
) -> None:
    booked = clinic.book("Anna", "09:00", "09:30", clinic.lee, clinic.room)
    page.goto(clinic.address(api_url))
    drag(page, box(page, clinic.lee, "Anna"), clinic.kim, "11:15")
    told(page, f"Moved to 11:15 \u2013 11:45, {clinic.kim}")
    expect(box(page, clinic.kim, "11:15 Anna")).to_be_visible()
    expect(box(page, clinic.room, "11:15 Anna")).to_be_visible()
    expect(box(page, clinic.lee, "Anna")).to_have_count(0)
    moved = clinic.now(booked)
    assert (moved["startTime"], moved["resourceIds"]) == (clinic.at("11:15"), [clinic.kim, clinic.room])
    page.locator(".bar").get_by_role("button", name="Undo").click()
    told(page, "The move of Anna was taken back")
    back = clinic.now(booked)
    assert (back["startTime"], back["endTime"]) == (booked["startTime"], booked["endTime"])
    assert back["resourceIds"] == booked["resourceIds"]


def test_a_refused_drop_says_why_there_and_one_click_takes_an_alternative(
    page: Page, clinic: Clinic, api_url: str
) -> None:
    booked = clinic.book("Anna", "09:00", "09:30")
    clinic.book("Ben", "10:00", "10:45", clinic.kim)
    page.goto(clinic.address(api_url))
    drag(page, box(page, clinic.lee, "Anna"), clinic.kim, "10:15")
    refusal = page.get_by_role("dialog", name="Refused")
    expect(refusal).to_contain_text("This time is taken")
    expect(refusal).to_contain_text(f"{clinic.kim}: 10:00 \u2013 10:45")
    # Beside where it was dropped, and back where it was.
    at, dropped = refusal.bounding_box(), point(page, clinic.kim, "10:15")
    assert at
    assert abs(at["x"] - dropped[0]) < 60
    expect(box(page, clinic.lee, "09:00 Anna")).to_be_visible()
    expect(box(page, clinic.kim, "Anna")).to_have_count(0)
    assert clinic.now(booked)["version"] == 1
    refusal.get_by_role("button", name="10:45 \u2013 11:15").click()
    told(page, f"Moved to 10:45 \u2013 11:15, {clinic.kim}")
    expect(box(page, clinic.kim, "10:45 Anna")).to_be_visible()
    assert clinic.now(booked)["startTime"] == clinic.at("10:45")


def test_a_drop_within_the_notice_is_moved_all_the_same_and_taken_back(
    page: Page, clinic: Clinic, api_url: str
) -> None:
    clinic = with_notice(clinic)
    booked = clinic.book("Anna", "09:00", "09:30", ignoreNotice=True)
    page.goto(clinic.address(api_url))
    drag(page, box(page, clinic.lee, "Anna"), clinic.kim, "10:15")
    refusal = page.get_by_role("dialog", name="Refused")
    expect(refusal).to_contain_text(f"{clinic.kim}: Start is too soon")
    assert clinic.now(booked)["version"] == 1
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENS / "desk-anyway-drop.png")
    refusal.get_by_role("button", name="Move anyway").click()
    told(page, f"Moved to 10:15 \u2013 10:45, {clinic.kim}")
    expect(refusal).to_have_count(0)
    page.keyboard.press("Control+z")
    expect(box(page, clinic.lee, "09:00 Anna")).to_be_visible()
    assert clinic.now(booked)["startTime"] == clinic.at("09:00")


def test_dragging_the_end_shortens_and_escape_lets_go(page: Page, clinic: Clinic, api_url: str) -> None:
    booked = clinic.book("Anna", "09:00", "10:00")
    page.goto(clinic.address(api_url))
    anna = box(page, clinic.lee, "Anna")
    at = anna.bounding_box()
    assert at
    bottom = (at["x"] + 60, at["y"] + at["height"] - 3)
    for let_go in (True, False):
        page.mouse.move(*bottom)
        page.mouse.down()
        page.mouse.move(bottom[0], bottom[1] - 30 * PIXELS, steps=4)
        expect(page.locator(".ghost")).to_contain_text("09:00 \u2013 09:30")
        if let_go:
            page.keyboard.press("Escape")
            expect(page.locator(".ghost")).to_have_count(0)
        page.mouse.up()
        page.keyboard.press("Escape")
    told(page, "Now 09:00 \u2013 09:30")
    after = clinic.now(booked)
    assert (after["startTime"], after["endTime"], after["version"]) == (clinic.at("09:00"), clinic.at("09:30"), 2)


def test_a_move_that_somebody_changed_since_is_not_taken_back(page: Page, clinic: Clinic, api_url: str) -> None:
    booked = clinic.book("Anna", "09:00", "09:30")
    page.goto(clinic.address(api_url))
    drag(page, box(page, clinic.lee, "Anna"), clinic.lee, "11:00")
    told(page, "Moved to 11:00")
    path = f"/appointments/{booked['appointmentId']}"
    assert clinic.call("PATCH", path, {"startTime": clinic.at("16:00")}).status == 200
    page.locator(".toast").get_by_role("button", name="Undo").click()
    told(page, "Somebody has changed the appointment since")
    expect(box(page, clinic.lee, "16:00 Anna")).to_be_visible()
    assert clinic.now(booked)["startTime"] == clinic.at("16:00")


def test_two_desks_that_drag_at_once_both_see_the_truth(browser: Browser, clinic: Clinic, api_url: str) -> None:
    """Whoever comes second is told, and sees what the first one did."""
    booked = clinic.book("Anna", "09:00", "09:30")
    with tab(browser) as one, tab(browser) as other:
        for page, clock in ((one, "11:00"), (other, "12:00")):
            page.goto(clinic.address(api_url))
            drag(page, box(page, clinic.lee, "Anna"), clinic.kim, clock, drop=False)
        one.mouse.up()
        other.mouse.up()
        refusals = [page.get_by_role("dialog", name="Refused") for page in (one, other)]
        expect(refusals[0].or_(one.locator(".toast"))).to_be_visible()
        expect(refusals[1].or_(other.locator(".toast"))).to_be_visible()
        now = clinic.now(booked)
        clock = "11:00" if now["startTime"] == clinic.at("11:00") else "12:00"
        winner, loser = (one, refusals[1]) if clock == "11:00" else (other, refusals[0])
        told(winner, f"Moved to {clock}")
        expect(loser).to_contain_text("Somebody else changed it")
        for page in (one, other):
            expect(box(page, clinic.kim, f"{clock} Anna")).to_be_visible()
            expect(page.locator("[data-appointment]")).to_have_count(1)
            expect(page.locator(".ghost")).to_have_count(0)
    assert now["version"] == 2


def test_two_desks_that_drag_two_to_one_place_both_see_the_truth(
    browser: Browser, clinic: Clinic, api_url: str
) -> None:
    clinic.book("Anna", "09:00", "09:30")
    clinic.book("Ben", "09:00", "09:30", clinic.room)
    with tab(browser) as one, tab(browser) as other:
        desks = ((one, "Anna", clinic.lee), (other, "Ben", clinic.room))
        for page, name, home in desks:
            page.goto(clinic.address(api_url))
            drag(page, box(page, home, name), clinic.kim, "11:00", drop=False)
        one.mouse.up()
        other.mouse.up()
        expect(one.get_by_role("dialog", name="Refused").or_(one.locator(".toast"))).to_be_visible()
        expect(other.get_by_role("dialog", name="Refused").or_(other.locator(".toast"))).to_be_visible()
        query = f"calendarId={clinic.kim}&from={clinic.at('08:00')}&to={clinic.at('18:00')}"
        (moved,) = clinic.call("GET", f"/appointments?{query}").body["appointments"]
        won, lost = desks if moved["details"]["contact"] == "Anna" else desks[::-1]
        told(won[0], "Moved to 11:00")
        expect(lost[0].get_by_role("dialog", name="Refused")).to_contain_text("This time is taken")
        for page in (one, other):
            expect(box(page, clinic.kim, f"11:00 {won[1]}")).to_be_visible()
            expect(box(page, lost[2], f"09:00 {lost[1]}")).to_be_visible()


def test_what_others_change_appears_by_itself(either: Page, clinic: Clinic, api_url: str) -> None:
    booked = clinic.book("Anna", "09:00", "09:30")
    either.goto(clinic.address(api_url, only=clinic.lee))
    expect(box(either, clinic.lee, "09:00 Anna")).to_be_visible()
    path = f"/appointments/{booked['appointmentId']}"
    assert clinic.call("PATCH", path, {"startTime": clinic.at("11:00")}).status == 200
    expect(box(either, clinic.lee, "11:00 Anna")).to_be_visible()
    clinic.book("Ben", "14:00", "14:30")
    expect(box(either, clinic.lee, "14:00 Ben")).to_be_visible()
    assert clinic.call("DELETE", path).status == 200
    expect(box(either, clinic.lee, "Anna")).to_have_count(0)


# --- states and blocks -----------------------------------------------------------------------------------


def act(page: Page, clinic: Clinic, name: str, *buttons: str) -> None:
    box(page, clinic.lee, name).click()
    for button in buttons:
        page.get_by_role("dialog").get_by_role("button", name=button).click()


def test_people_arrive_holds_are_confirmed_requests_answered_and_appointments_cancelled(
    either: Page, clinic: Clinic, api_url: str
) -> None:
    names = ("Anna", "Ben", "Carla", "Dana", "Emil")
    hold: dict[str, Any] = {"hold": {"minutes": 60}}
    booked = [clinic.book("Anna", "09:00", "09:40"), clinic.book("Ben", "09:45", "10:25", **hold)]
    settings = clinic.call("GET", f"/calendars/{clinic.lee}").body
    assert clinic.call("PUT", f"/calendars/{clinic.lee}", settings | {"approval": True}).status == 200
    booked += [clinic.book("Carla", "10:30", "11:10"), clinic.book("Dana", "11:15", "11:55")]
    assert clinic.call("PUT", f"/calendars/{clinic.lee}", settings).status == 200
    booked += [clinic.book("Emil", "14:00", "14:40")]
    either.goto(clinic.address(api_url, only=clinic.lee))
    for name, word in (("Ben", "Held"), ("Carla", "Requested"), ("Dana", "Requested")):
        expect(box(either, clinic.lee, name)).to_contain_text(word)
    expect(to_approve(either)).to_be_visible()
    act(either, clinic, "Anna", "Arrived")
    told(either, "Arrived: Anna")
    either.keyboard.press("Escape")
    expect(box(either, clinic.lee, "Anna")).to_contain_text("Arrived")
    act(either, clinic, "Ben", "Confirm hold")
    told(either, "Booked: Ben")
    either.keyboard.press("Escape")
    act(either, clinic, "Carla", "Approve")
    told(either, "Approved: Carla")
    either.keyboard.press("Escape")
    act(either, clinic, "Dana", "Decline", "Yes, decline")
    expect(box(either, clinic.lee, "Dana")).to_have_count(0)
    act(either, clinic, "Emil", "Cancel appointment", "Keep it", "Cancel appointment", "Yes, cancel")
    expect(box(either, clinic.lee, "Emil")).to_have_count(0)
    found = {name: clinic.now(one)["status"] for name, one in zip(names, booked, strict=True)}
    assert found == dict(zip(names, ("arrived", "scheduled", "scheduled", "declined", "cancelled"), strict=True))
    act(either, clinic, "Anna", "Back to booked")
    told(either, "Booked: Anna")


def test_what_has_begun_is_completed_or_a_no_show(either: Page, clinic: Clinic, api_url: str) -> None:
    calendar_id = f"always-{clinic.lee}"
    begins = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=3)
    times = {"startTime": begins.isoformat(), "endTime": (begins + timedelta(minutes=40)).isoformat()}
    booked = clinic.book("Anna", "09:00", "09:30", calendar_id, **times)
    either.goto(f"{api_url}/desk?calendars={calendar_id}")
    anna = box(either, calendar_id, "Anna")
    while clinic.call("PATCH", f"/appointments/{booked['appointmentId']}", {"status": "no_show"}).status != 200:
        either.wait_for_timeout(500)
    expect(anna).to_have_class(re.compile("s-no_show"))
    anna.click()
    dialog = either.get_by_role("dialog")
    dialog.get_by_role("button", name="Arrived after all").click()
    told(either, "Arrived: Anna")
    dialog.get_by_role("button", name="Completed").click()
    told(either, "Completed: Anna")
    expect(dialog.locator(".state")).to_contain_text("Completed")
    assert clinic.now(booked)["status"] == "completed"
    either.keyboard.press("Escape")
    either.keyboard.press("Control+z")
    told(either, "\u201cCompleted\u201d of Anna was taken back")
    expect(anna).to_have_class(re.compile("s-arrived"))
    assert clinic.now(booked)["status"] == "arrived"


def test_time_is_blocked_and_free_again(either: Page, clinic: Clinic, api_url: str) -> None:
    clinic.book("Anna", "10:00", "10:30")
    either.goto(clinic.address(api_url, only=clinic.lee))
    box(either, clinic.lee, "Anna").click()
    either.get_by_role("dialog").get_by_role("button", name="Arrived").click()
    told(either, "Arrived: Anna")
    undo = either.locator(".bar .undo")
    expect(undo).to_have_attribute("title", "Take back: \u201cArrived\u201d of Anna")
    either.keyboard.press("Escape")
    either.get_by_role("button", name=f"{clinic.lee}: book or block").click()
    form = either.get_by_role("dialog")
    form.get_by_role("button", name="Block time").click()
    form.get_by_label("Start").fill("09:30")
    form.get_by_label("Length").select_option("60")
    form.get_by_label("Reason").fill("Fire drill")
    form.get_by_role("button", name="Block", exact=True).click()
    told(either, "1 appointment lies in this time and stays booked")
    expect(undo).to_be_disabled()  # not the arrival, which was done before
    blocked = box(either, clinic.lee, "Fire drill")
    expect(blocked).to_be_visible()
    blocked.click()
    expect(either.get_by_role("dialog")).to_contain_text("Fire drill")
    either.get_by_role("button", name="Unblock").click()
    told(either, "The time is free again")
    expect(blocked).to_have_count(0)
    expect(column(either, clinic.lee).locator("[data-box]")).to_have_count(1)
