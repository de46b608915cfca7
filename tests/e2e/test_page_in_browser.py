"""The page at /docs in a real browser: a person books from it, and is refused the second time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

from browsing import BROWSER, QUIET
from conflict_detector.problems import PROBLEMS
from contract import contract, operations
from support import NO_NODE, NODE, NODE_MODULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no browser to open the page with: run `make browser`, or install Debian's package chromium"
)


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    """One tab of a browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=QUIET.split())
        yield browser.new_page(viewport={"width": 1280, "height": 1000})
        browser.close()


@pytest.fixture
def page(tab: Page, api_url: str) -> Iterator[Page]:
    """The page, which asks nobody but the API, and says nothing in the console, whatever is done with it."""
    asked: list[str] = []
    said: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.goto(f"{api_url}/docs")
    yield tab
    here = urlsplit(api_url).netloc
    assert [url for url in asked if urlsplit(url).netloc != here and not url.startswith("data:")] == []
    # A refusal is an answer like any other, but Chromium reports each in the console.
    assert [text for text in said if "the server responded with a status of 409" not in text] == []


# Swagger UI shows what webhooks send in the same way, in a part of its own.
CALLS = ".opblock:not(.webhooks .opblock)"
# A body with examples, parameters in the query, If-Match, and none of these.
ONE_OF_EACH_KIND = ("bookAppointment", "findAvailability", "putCalendar", "getContract")


def opened(page: Page, operation: str) -> Locator:
    """One call, folded out."""
    found = page.locator(f"[id$=-{operation}]")
    found.locator(".opblock-summary-control").click()
    return found


def execute(call: Locator) -> tuple[int, Any]:
    """Press Execute, and read from the page what came back."""
    clear = call.get_by_role("button", name="Clear")
    if clear.is_visible():
        clear.click()  # or the last answer may still be there
    with call.page.expect_response(lambda response: "/appointments" in response.url):
        call.get_by_role("button", name="Execute").click()
    answer = call.locator(".live-responses-table tbody tr").first
    status = answer.locator(".response-col_status").inner_text()
    return int(status.split()[0]), json.loads(answer.locator(".highlight-code code").first.inner_text())


def test_a_second_visit_finds_its_examples_free(page: Page) -> None:
    for _ in range(2):
        assert execute(opened(page, "bookAppointment"))[0] == 201
        page.reload()


def test_the_settings_of_the_example_are_taken(page: Page) -> None:
    configuring = opened(page, "putCalendar")
    with page.expect_response(lambda response: "/calendars/dr-kim-" in response.url) as answer:
        configuring.get_by_role("button", name="Execute").click()
    assert answer.value.status == 200


@pytest.mark.timeout(600)
def test_everything_folds_out(page: Page) -> None:
    calls = page.locator(CALLS)
    sent = page.locator(".webhooks .opblock")
    expect(sent).to_have_count(len(contract()["webhooks"]))
    expect(calls).to_have_count(len([*operations()]))
    # One after the other: Swagger UI draws everything that is open anew at each click.
    for one in (*calls.all(), *sent.all()):
        one.locator(".opblock-summary-control").click()
        expect(one).to_contain_class("is-open")
        expect(one.locator(".opblock-body")).to_be_visible()
        one.locator(".opblock-summary-control").click()
        expect(one).not_to_contain_class("is-open")
    page.locator("section.models button").first.click()
    expect(page.locator("section.models")).to_contain_text("ConflictProblem")


@pytest.mark.skipif(NODE is None, reason=NO_NODE)
@pytest.mark.timeout(600)
def test_everyone_can_read_and_use_it(page: Page) -> None:
    """By axe: contrast, names of fields, reach by keyboard. In both color schemes, and on a phone.

    One call of each kind is folded out: the others consist of the same parts, and axe's time grows faster than it.
    """
    for operation in ONE_OF_EACH_KIND:
        opened(page, operation)
    page.locator(".webhooks .opblock .opblock-summary-control").first.click()
    page.locator("section.models button").first.click()
    expect(page.locator(".highlight-code").last).to_be_visible()
    try:
        page.evaluate((NODE_MODULES / "axe-core" / "axe.min.js").read_text())
        assert accessible(page) >= {"color-contrast", "label", "select-name"}
        page.set_viewport_size({"width": 390, "height": 800})
        assert accessible(page, "label", "scrollable-region-focusable") == {"label", "scrollable-region-focusable"}
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.emulate_media(color_scheme="dark")
        expect(page.locator("html.dark-mode")).to_have_count(1)
        assert accessible(page, "color-contrast") == {"color-contrast"}  # nothing else differs in the dark
    finally:
        page.emulate_media(color_scheme=None)
        page.set_viewport_size({"width": 1280, "height": 1000})


def accessible(page: Page, *rules: str) -> set[str]:
    """The rules, all or these, that axe found to be kept; none may be broken."""
    found = page.evaluate("rules => axe.run(document, rules.length ? { runOnly: rules } : {})", rules)
    assert [(rule["id"], node["target"]) for rule in found["violations"] for node in rule["nodes"]] == []
    return {rule["id"] for rule in found["passes"]}


def test_the_example_books_then_collides_and_fits_again_once_cancelled(page: Page) -> None:
    booking = opened(page, "bookAppointment")
    status, booked = execute(booking)
    assert (status, booked["userId"][:5], booked["status"]) == (201, "anna-", "scheduled")
    status, refused = execute(booking)
    calendars = [booked["userId"], *booked["resourceIds"]]
    assert (status, [conflict["calendarId"] for conflict in refused["conflicts"]]) == (409, calendars)
    assert len(refused["alternatives"]) == 3
    cancelling = opened(page, "cancelAppointment")
    cancelling.get_by_placeholder("appointmentId").fill(booked["appointmentId"])
    cancelling.get_by_placeholder("If-Match").fill('"1"')
    status, cancelled = execute(cancelling)
    assert (status, cancelled["status"]) == (200, "cancelled")
    assert execute(booking)[0] == 201


def test_every_problem_leads_to_its_section(page: Page, api_url: str) -> None:
    for problem in PROBLEMS.values():
        page.goto(f"{api_url}/docs#{problem.slug}")
        section = page.locator("article:target")
        expect(section.locator("h3")).to_contain_text(problem.title)
        expect(section).to_be_in_viewport()


def test_a_link_to_a_problem_shows_it_after_the_calls_have_come_in(page: Page, api_url: str) -> None:
    page.goto("about:blank")
    page.goto(f"{api_url}/docs#calendar-busy")
    expect(page.locator(".opblock").first).to_be_visible()
    expect(page.locator("#calendar-busy")).to_be_in_viewport()


def test_all_calls_of_the_contract_are_there(page: Page) -> None:
    expect(page.locator(CALLS)).to_have_count(len([*operations()]))
    assert page.title() == "Appointment scheduler: API"
    expect(page.locator(".errors-wrapper, .loading-container")).to_have_count(0)


def test_a_token_can_be_given(page: Page) -> None:
    page.locator(".opblock .authorization__btn").first.click()
    expect(page.get_by_role("heading", name="cognito")).to_be_visible()
    page.locator(".close-modal").click()


def test_it_fits_a_phone(tab: Page, page: Page) -> None:
    tab.set_viewport_size({"width": 390, "height": 800})
    try:
        expect(page.locator(".opblock").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    finally:
        tab.set_viewport_size({"width": 1280, "height": 1000})
