"""The booking page in a real browser, on the deployed stack: from a free time to an appointment, and what can go wrong.

Screenshots of each step are kept in `.local/screens`, to be looked at.
"""

from __future__ import annotations

import http.server
import re
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from icalendar import Calendar
from playwright.sync_api import expect, sync_playwright

from browsing import BROWSER, QUIET
from local.places import LOCAL
from support import NO_NODE, NODE, NODE_MODULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

    from local.deploy import Stack

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no browser to open the page with: run `make browser`, or install Debian's package chromium"
)
SCREENS = LOCAL / "screens"
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# From the day after tomorrow on, so that whatever the time is, the next free day is free from its beginning.
MORNINGS = {
    (datetime.now(UTC) + timedelta(days=days)).date().isoformat(): [{"start": "09:00", "end": "12:00"}]
    for days in range(2, 45)
}
WIDTHS = {390: 844, 1280: 860}
LANGUAGES = {
    "en": ("Your details", "Your appointment is booked"),
    "de": ("Ihre Angaben", "Ihr Termin ist gebucht"),
    "fr": ("Vos coordonnées", "Votre rendez-vous est réservé"),
    "es": ("Sus datos", "Su cita está reservada"),
    "pt": ("Os seus dados", "O seu horário está marcado"),
    "it": ("I Suoi dati", "Il Suo appuntamento è prenotato"),
    "nl": ("Uw gegevens", "Uw afspraak is geboekt"),
    "pl": ("Twoje dane", "Wizyta jest zarezerwowana"),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=QUIET.split())
        yield browser
        browser.close()


@dataclass
class Place:
    """A service of this test's own, and the doctor who gives it."""

    service: str
    doctor: str
    call: Callable[..., Any]
    site: str

    def address(self, **query: str) -> str:
        return f"{self.site}/book?{urlencode({'service': self.service} | query)}"

    def booked(self) -> list[Any]:
        """What lies on the doctor's calendar."""
        start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
        span = urlencode({"from": start.isoformat(), "to": (start + timedelta(days=60)).isoformat()})
        found: list[Any] = self.call("GET", f"/appointments?calendarId={self.doctor}&{span}").body["appointments"]
        return [one for one in found if one["status"] not in ("cancelled", "expired")]


@pytest.fixture
def offer(call: Callable[..., Any], deployed_stack: Stack) -> Callable[..., Place]:
    """Make a service, each morning in a zone, or by the `hours` of a week."""

    def made(zone: str = "Europe/Berlin", hours: Any = None, calendar: Any = None, **service: Any) -> Place:
        name = uuid.uuid4().hex[:8]
        overrides = MORNINGS if hours is None else {}
        settings = {"timeZone": zone, "workingHours": hours or {}, "overrides": overrides} | (calendar or {})
        assert call("PUT", f"/calendars/dr-{name}", settings).status == 200
        steps = {"steps": [{"durationMinutes": 30, "resourceIds": [f"dr-{name}"]}]}
        body = {"title": "Check-up"} | steps | service
        assert call("PUT", f"/services/check-up-{name}", body).status == 200
        return Place(f"check-up-{name}", f"dr-{name}", call, deployed_stack.api_target)

    return made


@dataclass
class Visitor:
    """A browser of somebody, and whatever it should not have met."""

    context: BrowserContext
    page: Page
    scheme: str
    width: int
    faults: list[str] = field(default_factory=list)

    def keep(self, name: str) -> None:
        """Keep what is shown, and check that nothing sticks out at the side."""
        SCREENS.mkdir(parents=True, exist_ok=True)
        assert self.page.evaluate("document.documentElement.scrollWidth") <= self.width
        self.page.screenshot(path=SCREENS / f"book-{name}-{self.width}-{self.scheme}.png", full_page=True)

    def pick(self, number: int = 0) -> str:
        """Choose one of the times of the day that is shown, and return it."""
        time = self.page.locator(".side .start").nth(number)
        start = time.get_attribute("data-start")
        time.click()
        return str(start)

    def write(self, name: str = "Anna Vogel", email: str = "anna@example.org", phone: str = "") -> None:
        for what, text in (("name", name), ("email", email), ("phone", phone)):
            self.page.fill(f"#{what}", text)

    def send(self) -> None:
        self.page.locator("form button.main").click()


@pytest.fixture
def visit(browser: Browser, deployed_stack: Stack) -> Iterator[Callable[..., Visitor]]:
    """Open a browser; at the end nothing may have gone wrong in it, and no other host have been asked for anything."""
    opened: list[Visitor] = []

    def visitor(scheme: str = "light", width: int = 1280, *, told: str = "(?!)", **more: Any) -> Visitor:
        """`told` is what the browser may say in its console: also a request that was refused is an error to it."""
        given = {"locale": "en-GB", "timezone_id": "Europe/Berlin", "color_scheme": scheme} | more
        context = browser.new_context(viewport={"width": width, "height": WIDTHS[width]}, **given)
        page = context.new_page()
        one = Visitor(context, page, scheme, width)

        def said(message: ConsoleMessage) -> None:
            # The page behind a link names no icon, so a browser looks for one by itself.
            icon = message.location["url"].endswith("/favicon.ico")
            if message.type == "error" and not icon and not re.search(told, message.text):
                one.faults.append(message.text)

        page.on("console", said)
        page.on("pageerror", lambda error: one.faults.append(str(error)))

        def asked(request: Request) -> None:
            if not request.url.startswith((deployed_stack.api_target, "data:", "http://127.0.0.1")):
                one.faults.append(request.url)

        page.on("request", asked)
        opened.append(one)
        return one

    yield visitor
    for one in opened:
        one.context.close()
        assert one.faults == []


def is_accessible(page: Page) -> None:
    """By axe: no rule may be broken."""
    page.evaluate((NODE_MODULES / "axe-core" / "axe.min.js").read_text())
    found: Any = page.evaluate("axe.run(document)")
    assert [(rule["id"], node["target"]) for rule in found["violations"] for node in rule["nodes"]] == []
    assert {rule["id"] for rule in found["passes"]} >= {"color-contrast", "button-name", "html-has-lang"}


# --- the way of a visitor -----------------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.skipif(NODE is None, reason=NO_NODE)
def test_from_a_free_time_to_an_appointment(
    visit: Callable[..., Visitor], offer: Callable[..., Place], scheme: str, width: int, tmp_path: Path
) -> None:
    place = offer(description="Please bring your card.")
    one = visit(scheme, width, told="status of 422", bypass_csp=True)  # for axe alone, which is a script
    page = one.page
    page.goto(place.address())
    expect(page.locator(".next .start")).to_have_count(3)
    expect(page.locator(".side .start")).not_to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_have_text("Check-up")
    one.keep("times")
    is_accessible(page)

    start = one.pick(1)
    expect(page.get_by_role("heading", name="Your details")).to_be_focused()
    expect(page.get_by_role("timer")).to_have_text(re.compile(r"^Held for you for another (9:\d\d|10:00)$"))
    (held,) = place.booked()
    assert (held["status"], held["startTime"]) == ("held", start)
    one.keep("details")
    is_accessible(page)

    one.send()
    expect(page.locator("#name")).to_be_focused()
    expect(page.locator("#name-fault")).to_be_visible()
    one.write(email="anna@example..org", phone="+999 123456")
    one.send()  # what the page itself cannot tell, the API does
    expect(page.locator("#email-fault")).to_have_text("Please check the email address.")
    expect(page.locator("#phone-fault")).to_be_visible()
    one.keep("faults")
    is_accessible(page)

    one.write()
    one.send()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your appointment is booked")
    expect(page.locator(".address")).to_have_text(
        page.get_by_role("link", name="Move or cancel").get_attribute("href") or ""
    )
    one.keep("done")
    is_accessible(page)
    (booked,) = place.booked()
    assert (booked["status"], booked["startTime"]) == ("scheduled", start)
    assert booked["contact"] == {
        "name": "Anna Vogel",
        "email": "anna@example.org",
        "locale": "en-GB",
        "timeZone": "Europe/Berlin",
        "channels": ["email"],
    }

    with page.expect_download() as download:
        page.get_by_role("link", name="Add to your calendar").click()
    download.value.save_as(tmp_path / "appointment.ics")
    event: Any = Calendar.from_ical((tmp_path / "appointment.ics").read_bytes()).walk("VEVENT")[0]
    assert (event["UID"], event["DTSTART"].dt) == (booked["appointmentId"], datetime.fromisoformat(start))

    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your appointment is booked")
    page.get_by_role("link", name="Move or cancel").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your appointment")
    page.get_by_text("Cancel the appointment").click()
    page.get_by_role("button", name="Yes, cancel it").click()
    expect(page.get_by_role("status")).to_have_text("The appointment has been cancelled.")
    assert place.booked() == []
    assert one.context.cookies() == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_from_beginning_to_end(
    visit: Callable[..., Visitor], offer: Callable[..., Place], language: str
) -> None:
    place = offer("America/New_York")
    one = visit(width=390, locale="ja-JP")
    page = one.page
    page.goto(place.address(lang=language))
    expect(page.locator(".side .start")).not_to_have_count(0)
    assert page.evaluate("document.documentElement.lang") == language
    one.keep(f"times-{language}")
    one.pick()
    expect(page.get_by_role("heading", name=LANGUAGES[language][0])).to_be_visible()
    one.send()
    expect(page.locator("#name-fault")).to_be_visible()
    one.keep(f"faults-{language}")
    one.write()
    one.send()
    expect(page.get_by_role("heading", level=1)).to_have_text(LANGUAGES[language][1])
    one.keep(f"done-{language}")
    (booked,) = place.booked()
    assert booked["contact"]["locale"] == language


def test_the_language_is_that_of_the_browser(visit: Callable[..., Visitor], offer: Callable[..., Place]) -> None:
    one = visit(locale="de-AT")
    one.page.goto(offer().address())
    expect(one.page.get_by_role("heading", name="Als Nächstes frei")).to_be_visible()


def test_a_keyboard_is_enough(visit: Callable[..., Visitor], offer: Callable[..., Place]) -> None:
    place = offer()
    one = visit()
    page = one.page
    page.goto(place.address())
    expect(page.locator(".side .start")).not_to_have_count(0)
    page.locator(".day[tabindex='0']").focus()
    was = str(page.locator(".day.chosen").get_attribute("data-day"))
    after = (datetime.fromisoformat(was) + timedelta(days=1)).date().isoformat()
    page.keyboard.press("ArrowRight")
    expect(page.locator(f".day[data-day='{after}']")).to_be_focused()
    page.keyboard.press("PageDown")
    expect(page.locator(".day:focus")).not_to_have_attribute("data-day", after)
    page.keyboard.press("PageUp")
    expect(page.locator(".day:focus")).to_have_attribute("data-day", re.compile(after[:8]))
    page.locator(f".day[data-day='{after}']").focus()
    expect(page.locator(f".day[data-day='{after}']")).to_have_attribute("aria-disabled", "false")
    page.keyboard.press("Enter")
    expect(page.locator(".day.chosen")).to_have_attribute("data-day", after)
    expect(page.locator(".side .start").first).to_have_attribute("data-start", re.compile(f"^{after}"))
    page.locator(".side .start").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your details")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("Anna Vogel")
    page.keyboard.press("Tab")
    page.keyboard.type("anna@example.org")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your appointment is booked")


# --- holds --------------------------------------------------------------------------------------------


def test_who_goes_back_lets_the_time_go(visit: Callable[..., Visitor], offer: Callable[..., Place]) -> None:
    place = offer()
    one = visit()
    page = one.page
    page.goto(place.address())
    start = one.pick()
    expect(page.get_by_role("timer")).to_be_visible()
    with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        page.go_back()
    assert place.booked() == []
    expect(page.locator(f".side .start[data-start='{start}']")).to_be_visible()

    # Forward leads to the same time, which is held anew.
    page.go_forward()
    expect(page.get_by_role("timer")).to_be_visible()
    assert [each["startTime"] for each in place.booked()] == [start]
    with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        page.get_by_role("button", name="Choose another time").click()
    expect(page.locator(".side .start")).not_to_have_count(0)
    assert place.booked() == []


def test_a_reload_keeps_the_time_and_leaving_lets_it_go(
    visit: Callable[..., Visitor], offer: Callable[..., Place]
) -> None:
    place = offer()
    one = visit()
    page = one.page
    page.goto(place.address())
    start = one.pick()
    expect(page.get_by_role("timer")).to_be_visible()
    page.reload()
    expect(page.get_by_role("timer")).to_be_visible()
    expect(page.get_by_role("heading", name="Your details")).to_be_visible()
    assert [each["startTime"] for each in place.booked()] == [start]
    page.goto("about:blank")
    until(lambda: place.booked() == [])


def until(is_so: Callable[[], bool]) -> None:
    """Wait for what a page does while it is left, when nobody sees it any more."""
    for _ in range(200):
        if is_so():
            return
        threading.Event().wait(0.1)
    raise AssertionError("it did not happen in 20 seconds")


def test_a_hold_is_renewed_for_who_writes_and_its_end_is_told(
    visit: Callable[..., Visitor], offer: Callable[..., Place], call: Callable[..., Any]
) -> None:
    """The clock of the page alone runs on, so that nobody has to wait for it."""
    place = offer(holdMinutes=1)
    one = visit(told="status of 409")
    page = one.page
    page.clock.install()
    page.goto(place.address())
    start = one.pick()
    expect(page.get_by_role("timer")).to_have_class(re.compile("soon"))
    page.fill("#name", "Anna")

    def run_out() -> int:
        with page.expect_response(lambda answer: answer.request.method == "POST") as renewal:
            page.clock.run_for(67_000)
        return renewal.value.status

    # As on the server, when the time is over.
    assert call("DELETE", f"/book/appointments/{page.evaluate('history.state.token')}").status == 200
    assert run_out() == 201
    expect(page.get_by_role("timer")).to_have_text(re.compile("^Held for you for another (0:5|1:0)"))
    expect(page.locator("#name")).to_have_value("Anna")

    # Here, another hold is in the way: the visitor's own, which the server still knows.
    assert run_out() == 409
    expect(page.get_by_text("This time is no longer held for you.")).to_be_visible()
    one.keep("hold-ended")
    one.write()
    one.send()  # it is free, or one's own, so it is booked all the same
    expect(page.get_by_role("heading", level=1)).to_have_text("Your appointment is booked")
    assert [(each["status"], each["startTime"]) for each in place.booked()] == [("scheduled", start)]


def test_who_was_slower_sees_what_is_free_next(visit: Callable[..., Visitor], offer: Callable[..., Place]) -> None:
    place = offer()
    slow, fast = visit(width=390, told="status of 409"), visit()
    for one in (slow, fast):
        one.page.goto(place.address())
        expect(one.page.locator(".side .start")).not_to_have_count(0)
    start = fast.pick()
    expect(fast.page.get_by_role("timer")).to_be_visible()
    assert slow.pick() == start
    expect(slow.page.get_by_role("alert")).to_contain_text("Somebody was faster")
    expect(slow.page.locator(f"[data-start='{start}']")).to_have_count(0)
    expect(slow.page.locator(".next .start")).to_have_count(3)
    slow.keep("taken")
    slow.page.locator(".next .start").first.click()
    expect(slow.page.get_by_role("timer")).to_be_visible()
    assert len(place.booked()) == 2


def test_a_request_is_sent_where_bookings_are_approved(
    visit: Callable[..., Visitor], offer: Callable[..., Place]
) -> None:
    place = offer(approval=True)
    one = visit(told="status of 409")
    one.page.goto(place.address())
    one.pick()
    expect(one.page.get_by_text("This appointment has to be approved.")).to_be_visible()
    one.keep("asking")
    one.write()
    one.send()
    expect(one.page.get_by_role("heading", level=1)).to_have_text("Your request has been sent")
    one.keep("asked")
    assert [each["status"] for each in place.booked()] == ["requested"]


# --- zones --------------------------------------------------------------------------------------------


def test_times_are_the_visitors_and_those_of_the_place_stand_beside_them(
    visit: Callable[..., Visitor], offer: Callable[..., Place]
) -> None:
    place = offer("America/New_York")
    one = visit(timezone_id="Asia/Kolkata")
    page = one.page
    page.goto(place.address())
    first = page.locator(".side .start").first
    expect(first).to_contain_text(re.compile(r"(18|19):30"))
    expect(first).to_contain_text("09:00 in New York")
    one.keep("zones")
    page.get_by_role("button", name="Show the times of the place").click()
    expect(page.locator(".side .start").first).to_have_text("09:00")
    one.keep("zones-there")
    one.pick()
    expect(page.locator(".when .soft")).to_have_text("09:00 in New York")


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_days_are_those_of_the_visitor(visit: Callable[..., Visitor], offer: Callable[..., Place], zone: str) -> None:
    """Where it is another date for them than at the place, both dates are told."""
    place = offer("Europe/Berlin", hours={day: [{"start": "00:00", "end": "24:00"}] for day in WEEK})
    one = visit(timezone_id=zone)
    page = one.page
    page.goto(place.address())
    expect(page.locator(".side .start")).not_to_have_count(0)
    page.get_by_role("button", name="Next month").click()
    page.locator(".day.open").nth(7).click()  # one that is free from its beginning to its end
    expect(page.locator(".side .start")).to_have_count(48)
    day = str(page.locator(".day.chosen").get_attribute("data-day"))
    local = "new Intl.DateTimeFormat('en-CA', {dateStyle: 'short'}).format(new Date(one.dataset.start))"
    days = page.locator(".side .start").evaluate_all(f"all => all.map((one) => {local})")
    assert set(days) == {day}
    other_dates = re.compile(r"[A-Z][a-z]{2}.*, \d\d:\d\d in Berlin")
    expect(page.locator(".side .start small").filter(has_text=other_dates)).not_to_have_count(0)


# --- what can be wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
def test_a_month_without_a_free_time_leads_to_the_next_one(
    visit: Callable[..., Visitor], offer: Callable[..., Place], width: int
) -> None:
    later = (datetime.now(UTC) + timedelta(days=75)).date()
    place = offer(hours={}, calendar={"overrides": {later.isoformat(): [{"start": "09:00", "end": "10:00"}]}})
    one = visit(width=width)
    page = one.page
    page.goto(place.address())
    expect(page.locator(".day.chosen")).to_have_attribute("data-day", later.isoformat())
    page.get_by_role("button", name="Previous month").click()
    expect(page.get_by_text("There is no free time in")).to_be_visible()
    one.keep("empty-month")
    page.get_by_role("button", name="The next free time is").click()
    expect(page.locator(".side .start")).to_have_count(2)


def test_a_place_without_any_free_time_says_so(visit: Callable[..., Visitor], offer: Callable[..., Place]) -> None:
    one = visit(width=390)
    one.page.goto(offer(hours={}).address())
    expect(one.page.get_by_text("There is no free time at present")).to_be_visible()
    one.keep("nothing")


def test_without_a_service_there_is_a_choice(
    visit: Callable[..., Visitor], offer: Callable[..., Place], call: Callable[..., Any]
) -> None:
    place = offer(title="First of all")
    one = visit(width=390)
    one.page.goto(f"{place.site}/book")
    expect(one.page.get_by_role("heading", level=1)).to_have_text("What would you like to book?")
    one.page.locator(".service").first.click()
    expect(one.page.get_by_role("heading", name="What would you like")).to_have_count(0)
    one.page.go_back()
    expect(one.page.get_by_role("heading", level=1)).to_have_text("What would you like to book?")


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_from_one_service_to_another_and_back(
    visit: Callable[..., Visitor], offer: Callable[..., Place], width: int, scheme: str
) -> None:
    place, other = offer(title="Check-up"), offer(title=f"Other {uuid.uuid4().hex[:6]}")
    title = other.call("GET", f"/services/{other.service}").body["title"]
    one = visit(scheme, width)
    one.page.goto(place.address())
    expect(one.page.locator(".side .start").first).to_be_visible()
    one.page.get_by_role("button", name="Choose another service").click()
    heading = one.page.get_by_role("heading", level=1)
    expect(heading).to_have_text("What would you like to book?")
    expect(heading).to_be_focused()
    expect(one.page.locator(".clinic")).to_have_text("Appointments")  # EmailName of samconfig.toml
    expect(one.page).to_have_title(re.compile("Appointments$"))
    one.page.locator(".service").filter(has_text=title).click()
    expect(heading).to_have_text(title)
    expect(one.page.get_by_role("button", name="Choose another service")).to_be_visible()
    assert one.page.url.endswith(f"/book?service={other.service}")  # as a bookmark keeps it
    one.keep("another")
    one.page.reload()
    expect(heading).to_have_text(title)
    one.page.go_back()
    one.page.go_back()
    expect(heading).to_have_text("Check-up")


def test_with_one_service_alone_there_is_nothing_else_to_choose(
    visit: Callable[..., Visitor], offer: Callable[..., Place]
) -> None:
    place = offer()
    one = visit(width=390)
    alone = {"services": [{"serviceId": place.service, "title": "Check-up", "description": "", "durationMinutes": 30}]}
    one.page.route("**/book/services", lambda route: route.fulfill(json=alone))
    with one.page.expect_response("**/book/services"):
        one.page.goto(place.address())
    expect(one.page.locator(".side .start").first).to_be_visible()
    expect(one.page.get_by_role("button", name="Choose another service")).to_have_count(0)


@pytest.mark.parametrize(
    ("slug", "status", "text"),
    [
        ("booking-closed", 403, "You need a booking link"),
        ("booking-link-unknown", 403, "This link does not work"),
        ("booking-link-expired", 410, "This link has ended"),
        ("service-not-found", 404, "This cannot be booked here"),
        ("internal-error", 500, "That did not work just now."),
    ],
)
def test_why_there_is_nothing_to_book(
    visit: Callable[..., Visitor], offer: Callable[..., Place], slug: str, status: int, text: str
) -> None:
    """As the API answers it; tests/functional/test_book.py holds when it does."""
    place = offer()
    one = visit(width=390, told=f"status of {status}")
    problem = {"type": f"/docs#{slug}", "title": "", "status": status}
    one.page.route("**/book/services/**", lambda route: route.fulfill(status=status, json=problem))
    one.page.goto(place.address())
    expect(one.page.get_by_role("heading", level=1)).to_contain_text(text)
    one.keep(slug)
    if slug == "internal-error":
        one.page.unroute("**/book/services/**")
        one.page.get_by_role("button", name="Try again").click()
        expect(one.page.locator(".side .start")).not_to_have_count(0)


def test_without_a_connection_nothing_is_lost(visit: Callable[..., Visitor], offer: Callable[..., Place]) -> None:
    place = offer()
    one = visit(width=390, told="ERR_INTERNET_DISCONNECTED")
    page = one.page
    page.goto(place.address())
    expect(page.locator(".side .start")).not_to_have_count(0)
    one.context.set_offline(offline=True)
    one.pick()
    expect(page.get_by_role("alert")).to_contain_text("No connection")
    one.keep("offline")
    one.context.set_offline(offline=False)
    one.pick()
    expect(page.get_by_role("timer")).to_be_visible()
    one.write()
    one.context.set_offline(offline=True)
    one.send()
    expect(page.get_by_role("alert")).to_contain_text("Nothing that you wrote is lost.")
    one.keep("offline-details")
    one.context.set_offline(offline=False)
    one.send()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your appointment is booked")


# --- on other sites ------------------------------------------------------------------------------------


@pytest.fixture
def other_site(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """A site of another origin, which shows an address in a frame as docs/booking-page.md says."""
    page = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Clinic</title><link rel="icon" href="data:,">
    <body style="background:#fdf6e3"><h1>Our clinic</h1>
    <iframe id="booking" title="Book" src="{address}" style="width:100%;border:0;height:300px"></iframe>
    <script>addEventListener("message", (event) => {{
      const frame = document.getElementById("booking");
      if (event.source === frame.contentWindow && event.data.appointments)
        frame.style.height = `${{event.data.appointments.height}}px`;
    }});</script></body></html>"""
    handler = partial(Quiet, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def showing(address: str) -> str:
        (tmp_path / "index.html").write_text(page.format(address=address.replace("&", "&amp;")))
        return f"http://127.0.0.1:{server.server_port}/index.html"

    yield showing
    server.shutdown()
    server.server_close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.mark.parametrize("width", WIDTHS)
def test_another_site_shows_it_in_its_own_colours(
    visit: Callable[..., Visitor], offer: Callable[..., Place], other_site: Callable[[str], str], width: int
) -> None:
    place = offer()
    look = {"accent": "b03060", "radius": "0", "scheme": "light", "background": "transparent"}
    one = visit("dark", width)
    page = one.page
    page.goto(other_site(place.address(**look)))
    frame = page.frame_locator("#booking")
    expect(frame.locator(".side .start")).not_to_have_count(0)
    expect(page.locator("#booking")).not_to_have_attribute("style", re.compile("height:300px"))
    expect(frame.locator(".side .start").first).to_have_css("color", "rgb(176, 48, 96)")
    expect(frame.locator(".side .start").first).to_have_css("border-radius", "0px")
    one.keep("framed")
    frame.locator(".side .start").first.click()
    frame.locator("#name").fill("Anna Vogel")
    frame.locator("#phone").fill("+49 30 901820")
    frame.locator("form button.main").click()
    expect(frame.get_by_role("heading", level=1)).to_have_text("Your appointment is booked")
    # The page of the link is in no frame, so it opens beside the site.
    with one.context.expect_page() as opened:
        frame.get_by_role("link", name="Move or cancel").click()
    expect(opened.value.get_by_role("heading", level=1)).to_have_text("Your appointment")
    (booked,) = place.booked()
    assert booked["contact"]["phone"] == "+4930901820"
    assert one.context.cookies() == []


def test_it_needs_no_storage(visit: Callable[..., Visitor], offer: Callable[..., Place]) -> None:
    place = offer()
    one = visit()
    one.page.add_init_script(
        "for (const name of ['localStorage', 'sessionStorage', 'indexedDB'])"
        " Object.defineProperty(window, name, {get() { throw new Error('no storage'); }});"
        " Object.defineProperty(document, 'cookie', {get() { throw new Error('no cookies'); }});"
    )
    one.page.goto(place.address())
    one.pick()
    expect(one.page.get_by_role("timer")).to_be_visible()
    one.page.reload()
    expect(one.page.get_by_role("timer")).to_be_visible()
    one.write()
    one.send()
    expect(one.page.get_by_role("heading", level=1)).to_have_text("Your appointment is booked")
