"""How the desk looks, reads and prints, on the deployed stack: states, days, the keyboard, and what is missing."""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect, sync_playwright

from browsing import BROWSER, QUIET
from desks import PHONE, PIXELS, SCREENS, WIDE, Clinic, box, column, fits, point, tab, to_approve
from support import NO_NODE, NODE, NODE_MODULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no browser to open the page with: run `make browser`, or install Debian's package chromium"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=QUIET.split())
        yield browser
        browser.close()


@pytest.fixture
def clinic(call: Callable[..., Any]) -> Clinic:
    return Clinic.open(call)


def named_like(calendar_id: str) -> str:
    """A name that no other test gives, as two of one name are shown with their ids."""
    return f"Dr Ada Lee {calendar_id[-6:]}"


def busy(clinic: Clinic) -> list[dict[str, Any]]:
    """A day with every state that lies ahead, a block, a doctor who has a name and one who is away."""
    named = clinic.call("GET", f"/calendars/{clinic.lee}").body | {"title": named_like(clinic.lee)}
    assert clinic.call("PUT", f"/calendars/{clinic.lee}", named).status == 200
    settings = clinic.call("GET", f"/calendars/{clinic.kim}").body
    path = f"/calendars/{clinic.kim}"
    assert clinic.call("PUT", path, settings | {"approval": True}).status == 200
    booked = [
        clinic.book(
            "Anna Schmidt",
            "08:00",
            "08:40",
            clinic.lee,
            clinic.room,
            details={"contact": "Anna Schmidt", "title": "Check-up"},
        ),
        clinic.book("Ben Okafor", "08:45", "09:00"),
        clinic.book("Carla Díaz-Fernández de la Vega", "09:00", "09:10"),
        clinic.book("Dmitri Volkov", "09:15", "10:15", hold={"minutes": 60}),
        clinic.book("Emine Kaya", "09:00", "09:45", clinic.kim),
        clinic.book(
            "Farid Haddad", "11:00", "12:30", clinic.lee, contact={"name": "Farid Haddad", "phone": "+4930123456"}
        ),
    ]
    arrived = f"/appointments/{booked[0]['appointmentId']}"
    assert clinic.call("PATCH", arrived, {"status": "arrived"}).status == 200
    block = {"startTime": clinic.at("13:00"), "endTime": clinic.at("15:00"), "reason": "Deep clean"}
    assert clinic.call("POST", f"/calendars/{clinic.room}/blocks", block).status == 201
    return booked


@pytest.mark.skipif(NODE is None, reason=NO_NODE)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", [WIDE, PHONE], ids=["wide", "phone"])
def test_everyone_can_read_it(browser: Browser, clinic: Clinic, api_url: str, view: Any, scheme: Any) -> None:
    """By axe, on each dialog and view; nothing sticks out at the side. The screenshots are for people to look at."""
    busy(clinic)
    name = f"desk-{view['width']}-{scheme}"
    with tab(browser, viewport=view, color_scheme=scheme, bypass_csp=True, has_touch=view is PHONE) as page:
        page.goto(clinic.address(api_url))
        expect(box(page, clinic.lee, "Anna Schmidt")).to_be_visible()
        expect(page.locator(f'.head-name[title="{clinic.lee}"]')).to_have_text(named_like(clinic.lee))
        expect(page.get_by_label("Columns").get_by_role("option", name=named_like(clinic.lee))).to_have_count(1)
        seen(page, f"{name}-day")
        page.get_by_text("Key", exact=True).click()
        seen(page, f"{name}-key")
        page.keyboard.press("Escape")
        box(page, clinic.lee, "Anna Schmidt").click()
        page.get_by_role("button", name="Move…").click()
        seen(page, f"{name}-move")
        page.get_by_role("button", name="Who changed what").click()
        expect(page.locator(".history li b").first).to_have_text("Arrived")
        seen(page, f"{name}-history")
        page.get_by_role("button", name="Close").click()
        page.get_by_role("button", name="New appointment").click()
        page.get_by_role("button", name="Book", exact=True).click()
        seen(page, f"{name}-book")
        page.get_by_role("button", name="Block time").click()
        seen(page, f"{name}-block")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Find a person").click()
        page.get_by_label("Name, phone").fill("haddad")
        page.keyboard.press("Enter")
        expect(page.locator(".results button").first).to_contain_text("Farid Haddad")
        seen(page, f"{name}-find")
        page.keyboard.press("Escape")
        to_approve(page).click()
        seen(page, f"{name}-requests")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Week").click()
        expect(box(page, clinic.lee, "Anna Schmidt")).to_be_visible()
        seen(page, f"{name}-week")
        page.get_by_role("button", name="Calendars…").click()
        seen(page, f"{name}-calendars")
        page.get_by_role("button", name="None").click()
        page.get_by_role("button", name="Done").click()
        expect(page.get_by_role("heading", name="No calendar is shown")).to_be_visible()
        seen(page, f"{name}-empty")


def seen(page: Page, name: str) -> None:
    """Kept for people, and held to axe's rules."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENS / f"{name}.png")
    assert fits(page), name
    page.evaluate((NODE_MODULES / "axe-core" / "axe.min.js").read_text())
    found: Any = page.evaluate("axe.run(document)")
    assert [(rule["id"], node["target"]) for rule in found["violations"] for node in rule["nodes"]] == [], name
    assert {rule["id"] for rule in found["passes"]} >= {"color-contrast", "button-name"}


def test_all_can_be_done_by_keyboard(browser: Browser, clinic: Clinic, api_url: str) -> None:
    booked = clinic.book("Anna", "09:00", "09:30")
    clinic.book("Ben", "10:00", "10:30")
    clinic.book("Carla", "10:10", "10:40", clinic.kim)
    with tab(browser) as page:
        page.goto(clinic.address(api_url))
        expect(box(page, clinic.lee, "Anna")).to_be_visible()
        # The Tab key reaches the first box behind the heads of the columns, arrow keys the others.
        page.get_by_role("button", name=f"{clinic.room}: book or block").focus()
        page.keyboard.press("Tab")
        expect(box(page, clinic.lee, "Anna")).to_be_focused()
        page.keyboard.press("ArrowDown")
        expect(box(page, clinic.lee, "Ben")).to_be_focused()
        page.keyboard.press("ArrowRight")
        expect(box(page, clinic.kim, "Carla")).to_be_focused()
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="Anna")
        dialog.get_by_role("button", name="Move…").press("Enter")
        dialog.get_by_label("Start").fill("10:15")
        dialog.get_by_label("Start").press("Enter")
        expect(dialog.get_by_role("alert")).to_contain_text("This time is taken")
        dialog.get_by_role("button", name="10:30 \u2013 11:00").press("Enter")
        expect(page.locator(".toast")).to_contain_text("10:30: Anna")
        expect(dialog).to_have_count(0)
        page.keyboard.press("Control+z")
        expect(box(page, clinic.lee, "09:00 Anna")).to_be_visible()
        assert clinic.now(booked)["startTime"] == clinic.at("09:00")
        box(page, clinic.lee, "Anna").press("Enter")
        expect(dialog).to_be_visible()
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        expect(box(page, clinic.lee, "Anna")).to_be_focused()


def test_a_person_is_found_by_phone_and_shown_on_their_day(browser: Browser, clinic: Clinic, api_url: str) -> None:
    phone = f"+49301{int(clinic.lee[-6:], 16) % 10**7:07}"
    found = clinic.book("Farid", "11:00", "11:30", contact={"name": "Farid Haddad", "phone": phone})
    quoted = phone.replace("+", "%2B")
    with tab(browser, viewport=PHONE) as page:
        while not clinic.call("GET", f"/appointments?contact={quoted}").body["appointments"]:
            page.wait_for_timeout(500)
        page.goto(f"{api_url}/desk?calendars={clinic.room}")
        for wanted in (f"{phone[:5]} {phone[5:]}", found["userId"]):
            page.get_by_role("button", name="Find a person").click()
            page.get_by_label("Name, phone").fill(wanted)
            page.keyboard.press("Enter")
            page.locator(".results button").first.click()
            expect(page.get_by_role("dialog", name="Farid Haddad")).to_contain_text(phone)
            page.keyboard.press("Escape")
            expect(box(page, clinic.lee, "11:00 Farid")).to_be_visible()
            page.get_by_role("button", name="Today").click()
        # No name, phone or email stands in the page's address.
        assert phone[1:] not in page.url
        assert "arid" not in page.url


def test_a_name_is_found_in_the_next_days(browser: Browser, clinic: Clinic, api_url: str) -> None:
    day = datetime.now(UTC).date() + timedelta(days=3)
    clinic.book("Åsa Lindgren", "09:00", "09:30", startTime=f"{day}T09:00", endTime=f"{day}T09:30")
    with tab(browser) as page:
        page.goto(clinic.address(api_url))
        page.get_by_role("button", name="Find a person").click()
        page.get_by_label("Name, phone").fill("nobody")
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog").get_by_role("status")).to_contain_text("the appointment may be later")
        page.get_by_label("Name, phone").fill("asa lind")
        page.keyboard.press("Enter")
        page.locator(".results button").first.click()
        expect(page.get_by_role("dialog", name="Åsa Lindgren")).to_be_visible()
        page.keyboard.press("Escape")
        expect(box(page, clinic.lee, "09:00 Åsa")).to_be_visible()


def test_requests_of_any_day_are_answered_from_one_list(browser: Browser, clinic: Clinic, api_url: str) -> None:
    settings = clinic.call("GET", f"/calendars/{clinic.lee}").body
    assert clinic.call("PUT", f"/calendars/{clinic.lee}", settings | {"approval": True}).status == 200
    asked = [
        clinic.book(name, f"{hour}:00", f"{hour}:40") for name, hour in (("Carla", 10), ("Dana", 11), ("Emil", 14))
    ]
    listed = "/appointments?status=requested&limit=100&from=" + clinic.at("09:00")
    while str(clinic.call("GET", listed).body).count(clinic.lee) < len(asked):
        time.sleep(0.5)  # the list is read from an index
    with tab(browser, viewport=PHONE, has_touch=True) as page:
        # Today is another day, on which none of them is.
        page.goto(f"{api_url}/desk?calendars={clinic.lee}")
        to_approve(page).click()
        requests = page.get_by_role("dialog", name="To approve")
        row = requests.get_by_role("listitem").filter(has_text=clinic.lee)
        expect(row).to_have_count(3)
        expect(row.first).to_contain_text(f"{clinic.day.year}, 10:00 \u2013 10:40")
        row.get_by_role("button", name="Approve Carla").click()
        expect(requests.get_by_role("status")).to_contain_text("Approved: Carla")
        row.get_by_role("button", name="Decline Dana").click()
        row.get_by_role("button", name="Yes, decline").click()
        expect(requests.get_by_role("status")).to_contain_text("Declined: Dana")
        expect(row).to_have_count(1)
        row.get_by_role("button", name="Show Emil").click()
        expect(page.get_by_role("dialog", name="Emil")).to_be_visible()
        page.keyboard.press("Escape")
        expect(box(page, clinic.lee, "14:00 Emil")).to_be_visible()
        expect(box(page, clinic.lee, "10:00 Carla")).to_be_visible()
    assert [clinic.now(one)["status"] for one in asked] == ["scheduled", "declined", "requested"]


def test_who_changed_what_is_told(browser: Browser, clinic: Clinic, api_url: str) -> None:
    booked = clinic.book("Anna", "09:00", "09:30")
    path = f"/appointments/{booked['appointmentId']}"
    assert clinic.call("PATCH", path, {"startTime": clinic.at("11:00")}).status == 200
    with tab(browser) as page:
        while len(clinic.call("GET", f"{path}/history").body["history"]) < 2:
            page.wait_for_timeout(500)
        page.goto(clinic.address(api_url))
        box(page, clinic.lee, "Anna").click()
        page.get_by_role("button", name="Who changed what").click()
        entries = page.locator(".history > ol > li")
        expect(entries).to_have_count(2)
        newest, oldest = entries.all()
        expect(newest).to_contain_text("Moved")
        expect(newest).to_contain_text(re.compile(r"start: .*09:00 \u2192 .*11:00"))
        expect(oldest).to_contain_text("Booked")
        expect(oldest).to_contain_text("by the desk")


@pytest.mark.parametrize(("view", "scheme"), [(WIDE, "light"), (PHONE, "dark")], ids=["wide", "phone"])
def test_a_newer_version_is_hinted_at(browser: Browser, clinic: Clinic, api_url: str, view: Any, scheme: Any) -> None:
    def come_back() -> None:
        with page.expect_response("**/desk/settings"):
            page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    with tab(browser, viewport=view, color_scheme=scheme) as page:
        page.goto(clinic.address(api_url))
        hint = page.get_by_text("There is a newer version of the desk")
        expect(page.locator("[data-column]").first).to_be_visible()
        come_back()
        expect(hint).to_have_count(0)
        newer = {"auth": "none", "defaultLocale": "en", "version": "0.0.0+newer"}
        page.route("**/desk/settings", lambda route: route.fulfill(json=newer))
        come_back()
        expect(hint).to_be_visible()
        SCREENS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENS / f"desk-newer-{view['width']}.png")
        page.unroute("**/desk/settings")
        page.get_by_role("button", name="Reload").click()
        expect(page.locator("[data-column]").first).to_be_visible()
        expect(hint).to_have_count(0)


def test_the_day_is_printed_as_lists(browser: Browser, clinic: Clinic, api_url: str) -> None:
    busy(clinic)
    with tab(browser) as page:
        page.goto(clinic.address(api_url))
        expect(box(page, clinic.lee, "Anna")).to_be_visible()
        page.evaluate("window.print = () => { dispatchEvent(new Event('beforeprint')) }")
        page.get_by_role("button", name="Print").click()
        page.emulate_media(media="print")
        paper = page.locator("#paper")
        expect(paper.get_by_role("heading")).to_have_count(3)
        expect(paper.get_by_role("heading").first).to_contain_text("Dr Ada Lee")
        expect(paper).to_contain_text("Farid Haddad")
        expect(paper.locator("tr").filter(has_text="Farid")).to_contain_text("11:00 \u2013 12:30")
        expect(paper.locator("tr").filter(has_text="Deep clean")).to_contain_text("Blocked")
        expect(page.locator(".bar")).not_to_be_visible()
        page.screenshot(path=SCREENS / "desk-paper.png", full_page=True)
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        expect(paper).to_be_empty()


def test_a_day_of_25_hours_shows_both_passes_of_an_hour(browser: Browser, clinic: Clinic, api_url: str) -> None:
    day, calendar_id = last_sunday_of_october(clinic.day.year), f"night-{clinic.lee}"
    assert clinic.call("PUT", f"/calendars/{calendar_id}", {"timeZone": "Europe/Berlin"}).status == 200
    for name, start, end in (("First", "00:15", "00:45"), ("Second", "01:15", "01:45")):
        times = {"startTime": f"{day}T{start}:00Z", "endTime": f"{day}T{end}:00Z"}
        clinic.book(name, "09:00", "09:30", calendar_id, **times)
    with tab(browser) as page:
        page.goto(f"{api_url}/desk?day={day}&calendars={calendar_id}")
        page.get_by_label("24 hours").check()
        first, second = (box(page, calendar_id, name) for name in ("First", "Second"))
        for one in (first, second):
            expect(one).to_contain_text("02:15")
        tops = [one.evaluate("box => box.offsetTop") for one in (first, second)]
        assert tops[1] - tops[0] == pytest.approx(60 * PIXELS, abs=2)
        assert column(page, calendar_id).evaluate("one => one.offsetHeight") == pytest.approx(25 * 60 * PIXELS, abs=2)
        expect(page.locator(".tick.again")).to_have_text("02:00again")
        # What is selected in the second pass is booked in it.
        place = second.bounding_box()
        assert place
        x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] + 4
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x, y + 8 * PIXELS, steps=3)
        page.mouse.up()
        form = page.get_by_role("dialog")
        expect(form.get_by_label("Start")).to_have_value(re.compile("02:(45|50)"))
        form.get_by_label("Name").fill("Third")
        form.get_by_role("button", name="Book", exact=True).click()
        third = box(page, calendar_id, "Third")
        expect(third).to_be_visible()
        assert third.evaluate("box => box.offsetTop") > tops[1]
        page.screenshot(path=SCREENS / "desk-25-hours.png")


def last_sunday_of_october(year: int) -> str:
    last = date(year, 10, 31)
    return (last - timedelta(days=(last.weekday() + 1) % 7)).isoformat()


def test_without_a_connection_the_desk_says_so_and_comes_back(browser: Browser, clinic: Clinic, api_url: str) -> None:
    clinic.book("Anna", "09:00", "09:30")
    with tab(browser, excused="net::ERR_INTERNET_DISCONNECTED") as page:
        page.goto(clinic.address(api_url))
        expect(box(page, clinic.lee, "Anna")).to_be_visible()
        page.context.set_offline(True)
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("No connection. You see what was known at")
        expect(box(page, clinic.lee, "Anna")).to_be_visible()
        page.screenshot(path=SCREENS / "desk-offline.png")
        # The day beside it was asked for beforehand, the one after it was not.
        page.get_by_role("button", name="Next day").click()
        expect(alert).to_contain_text("You see what was known at")
        page.get_by_role("button", name="Next day").click()
        expect(alert).to_contain_text("Nothing is known of this day yet")
        page.context.set_offline(False)
        expect(alert).to_have_count(0)
        expect(page.get_by_text("Nothing is booked")).to_be_visible()


def test_a_server_that_fails_is_told_and_asked_again(browser: Browser, clinic: Clinic, api_url: str) -> None:
    with tab(browser, excused="the server responded with a status of 5") as page:
        page.route("**/calendars?*", lambda route: route.fulfill(status=500, body="{}"))
        page.route("**/calendars", lambda route: route.fulfill(status=500, body="{}"))
        page.goto(clinic.address(api_url))
        expect(page.get_by_role("heading", name="The desk cannot be shown")).to_be_visible()
        page.screenshot(path=SCREENS / "desk-failed.png")
        page.unroute_all()
        page.get_by_role("button", name="Try again").click()
        expect(column(page, clinic.lee)).to_be_visible()


def test_a_finger_scrolls_taps_and_drags_what_it_rested_on(browser: Browser, clinic: Clinic, api_url: str) -> None:
    booked = clinic.book("Anna", "09:00", "09:40")
    with tab(browser, viewport=PHONE, has_touch=True, is_mobile=True) as page:
        page.goto(clinic.address(api_url, only=clinic.lee))
        held = box(page, clinic.lee, "Anna").bounding_box()
        assert held
        x, y = held["x"] + 60, held["y"] + 8
        session = page.context.new_cdp_session(page)

        def touch(kind: str, *points: tuple[float, float]) -> None:
            session.send(
                "Input.dispatchTouchEvent",
                {"type": kind, "touchPoints": [{"x": left, "y": top} for left, top in points]},
            )

        touch("touchStart", (x, y))
        expect(page.locator(".ghost")).to_be_visible()
        for down in (20, 40, 60 * PIXELS):
            touch("touchMove", (x, y + down))
        touch("touchEnd")
        expect(page.locator(".toast")).to_contain_text("Moved to 10:00")
        assert clinic.now(booked)["startTime"] == clinic.at("10:00")
        page.touchscreen.tap(*point(page, clinic.lee, "11:05"))
        expect(page.get_by_role("dialog").get_by_label("Start")).to_have_value("11:00")
