"""The page of a link in a real browser: a person moves, confirms and cancels without JavaScript."""

from __future__ import annotations

import json
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect, sync_playwright

from appointments.link_keys import LinkKeys
from browsing import BROWSER, QUIET
from conflict_detector.links.phrases import PHRASES
from support import NO_NODE, NODE, NODE_MODULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from local.deploy import Stack
    from local.engine import Engine

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no browser to open the page with: run `make browser`, or install Debian's package chromium"
)
SAY = PHRASES["de"]
# Far ahead, at nine in the morning.
START = (datetime.now(UTC) + timedelta(days=9)).replace(hour=9, minute=0, second=0, microsecond=0)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=QUIET.split())
        yield browser
        browser.close()


@pytest.fixture
def link(engine: Engine, deployed_stack: Stack) -> str:
    """The link of an appointment of this test's own."""
    stack = deployed_stack
    body = {
        "userId": f"anna-{uuid.uuid4()}",
        "resourceIds": [f"dr-{uuid.uuid4()}"],
        "startTime": START.isoformat(),
        "endTime": (START + timedelta(minutes=30)).isoformat(),
        "details": {"location": "Hohe Straße 12"},
    }
    request = urllib.request.Request(f"{stack.api_target}/appointments", json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        booked = json.load(answer)
    found = engine.client("cloudformation").describe_stack_resource(StackName=stack.name, LogicalResourceId="LinkKey")
    keys = LinkKeys(engine.client("kms"), found["StackResourceDetail"]["PhysicalResourceId"], stack.api_target)
    return keys.link_for(booked["appointmentId"])


def test_a_person_moves_confirms_and_cancels_without_javascript(browser: Browser, link: str) -> None:
    phone = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 760}, locale="de-DE")
    page = phone.new_page()
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text(SAY["title"])
    page.get_by_role("link", name=SAY["move"]).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(SAY["move"])
    page.get_by_role("button", name="11:30", exact=True).click()
    expect(page.get_by_role("status")).to_have_text(SAY["done move"])
    expect(page.locator("dd .time")).to_have_text("11:30 \u2013 12:00")
    page.get_by_role("button", name=SAY["confirm"]).click()
    expect(page.get_by_role("status")).to_have_text(SAY["done confirm"])
    expect(page.get_by_role("button", name=SAY["do cancel"])).not_to_be_visible()
    page.get_by_text(SAY["cancel"]).click()
    page.get_by_role("button", name=SAY["do cancel"]).click()
    expect(page.get_by_role("status")).to_have_text(SAY["done cancel"])
    page.goto(link)
    expect(page.get_by_role("status")).to_have_text(SAY["is cancelled"])
    expect(page.get_by_role("button")).to_have_count(0)
    phone.close()


@pytest.mark.skipif(NODE is None, reason=NO_NODE)
def test_everyone_can_read_and_use_it(browser: Browser, link: str) -> None:
    """By axe, on each kind of page, in both color schemes, on a phone and on a desk; nothing sticks out at the side."""
    day = START.date()
    for scheme in ("light", "dark"):
        for width in (320, 1100):
            context = browser.new_context(
                bypass_csp=True,  # for axe alone, which is a script
                color_scheme=scheme,  # type: ignore[arg-type]
                viewport={"width": width, "height": 760},
                locale="pl-PL",
            )
            page = context.new_page()
            for address in (link, f"{link}?day={day}", link[:-4] + "AAAA"):
                page.goto(address)
                for summary in page.locator("summary").all():
                    summary.click()
                assert kept(page) >= {"color-contrast", "document-title", "html-has-lang"}
                assert page.evaluate("document.documentElement.scrollWidth") <= width
            context.close()


def kept(page: Page) -> set[str]:
    """The rules that axe found to be kept; none may be broken."""
    page.evaluate((NODE_MODULES / "axe-core" / "axe.min.js").read_text())
    found: Any = page.evaluate("axe.run(document)")
    assert [(rule["id"], node["target"]) for rule in found["violations"] for node in rule["nodes"]] == []
    return {rule["id"] for rule in found["passes"]}
