"""Signing in to the desk at a user pool, in a real browser: in, renewed, out; and who is told that they cannot.

The engine serves what Cognito serves at the address of a pool's domain, so what a browser sends there is handed to it.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

from browsing import BROWSER, QUIET
from local.places import LOCAL
from pool import PASSWORD
from support import NODE, NODE_MODULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Route

    from local.engine import Engine
    from pool import Clinic

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no browser to open the page with: run `make browser`, or install Debian's package chromium"
)

DOMAIN = "https://clinic.auth.us-east-1.amazoncognito.com"
SCREENS = LOCAL / "screens"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=BROWSER, args=QUIET.split())
        yield running
        running.close()


@pytest.fixture
def tab(browser: Browser, engine: Engine, clinic: Clinic) -> Iterator[Page]:
    """A tab that asks nobody but the stack and its pool, and says nothing in the console."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.route(f"{DOMAIN}/**", lambda route: at_the_pool(route, engine, clinic))
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    ours = {urlsplit(clinic.url).netloc, urlsplit(DOMAIN).netloc}
    assert [url for url in asked if urlsplit(url).netloc not in ours and not url.startswith("data:")] == []
    assert said == []


def at_the_pool(route: Route, engine: Engine, clinic: Clinic) -> None:
    """Let the engine answer for Cognito. It has no `/oauth2/revoke`, only the call of the SDK that does the same."""
    address = urlsplit(route.request.url)
    if address.path == "/oauth2/revoke":
        form = parse_qs(route.request.post_data or "")
        clinic.people.cognito.revoke_token(ClientId=form["client_id"][0], Token=form["token"][0])
        route.fulfill(status=200, headers={"Access-Control-Allow-Origin": "*"})
        return
    answer = route.fetch(url=f"{engine.url}{address.path}?{address.query}", max_redirects=0)
    route.fulfill(response=answer)


@pytest.fixture
def scheduler(clinic: Clinic) -> str:
    name = f"clara-{uuid.uuid4().hex[:8]}"
    clinic.people.join(name, scheduler=True)
    return name


def sign_in(tab: Page, name: str) -> None:
    """At the page of the pool."""
    tab.get_by_label("Username").fill(f"{name}@example.org")
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Sign in").click()


def test_a_scheduler_signs_in_and_out(tab: Page, clinic: Clinic, engine: Engine, scheduler: str) -> None:
    assert tab.request.get(f"{clinic.url}/calendars").status == 401
    tab.goto(f"{clinic.url}/desk?day=2030-01-15#week")
    expect(tab).to_have_url(re.compile(re.escape(f"{DOMAIN}/oauth2/authorize")))
    asked = parse_qs(urlsplit(tab.url).query)
    assert (asked["response_type"], asked["code_challenge_method"]) == (["code"], ["S256"])
    sign_in(tab, scheduler)
    out = tab.get_by_role("button", name="Sign out")
    expect(out).to_be_visible()
    # Where they wanted to go, and no code is left in the address.
    assert tab.url == f"{clinic.url}/desk?day=2030-01-15#week"
    user = kept(tab)
    assert status_of(clinic, tab, user["id_token"]) == 200
    # In this tab alone: nothing of it in what other tabs see, or in what is sent along.
    assert tab.evaluate("[localStorage.length, document.cookie]") == [0, ""]
    tab.reload()
    expect(out).to_be_visible()

    out.click()
    expect(tab.get_by_role("status")).to_have_text("You are signed out.")
    assert tab.url == f"{clinic.url}/desk"
    assert users(tab) == []
    # What was kept is of no use to whoever finds it.
    client_id, token = user["profile"]["aud"], user["refresh_token"]
    form = {"grant_type": "refresh_token", "client_id": client_id, "refresh_token": token}
    assert tab.request.post(f"{engine.url}/oauth2/token", form=form).status == 400
    tab.get_by_role("button", name="Sign in").click()
    sign_in(tab, scheduler)
    expect(out).to_be_visible()


def test_a_token_is_renewed_before_it_runs_out_and_nobody_notices(tab: Page, clinic: Clinic, scheduler: str) -> None:
    tab.goto(f"{clinic.url}/desk")
    sign_in(tab, scheduler)
    expect(tab.get_by_role("button", name="Sign out")).to_be_visible()
    for left in (10, -10):  # soon, and as after a night in which the machine slept; each renewal allows the next
        before = kept(tab)
        keep(tab, before | {"expires_at": int(time.time()) + left})
        with tab.expect_request(f"{DOMAIN}/oauth2/token") as renewed:
            tab.reload()
        assert "grant_type=refresh_token" in (renewed.value.post_data or "")
        expect(tab.get_by_role("button", name="Sign out")).to_be_visible()
        after = kept(tab)
        assert after["expires_at"] > time.time() + 600
        assert status_of(clinic, tab, after["id_token"]) == 200
        assert after["id_token"] != before["id_token"]


def test_who_cannot_renew_signs_in_again(tab: Page, clinic: Clinic, scheduler: str) -> None:
    tab.goto(f"{clinic.url}/desk")
    sign_in(tab, scheduler)
    expect(tab.get_by_role("button", name="Sign out")).to_be_visible()
    user = kept(tab)
    del user["refresh_token"]
    keep(tab, user | {"expires_at": int(time.time()) - 10})
    tab.reload()
    expect(tab).to_have_url(re.compile(re.escape(DOMAIN)))


def test_who_is_no_scheduler_is_told_so(tab: Page, clinic: Clinic) -> None:
    name = f"anna-{uuid.uuid4().hex[:8]}"
    clinic.people.join(name)
    tab.goto(f"{clinic.url}/desk")
    sign_in(tab, name)
    expect(tab.get_by_role("alert")).to_contain_text(f"{name}@example.org")
    look(tab, "sign-in-not-allowed")
    tab.get_by_role("button", name="Sign out").click()
    expect(tab.get_by_role("status")).to_have_text("You are signed out.")
    look(tab, "sign-in-signed-out")


@pytest.mark.parametrize("query", ["error=access_denied&error_description=Not+today.", "code=abc"])
def test_a_sign_in_that_was_not_finished_can_be_tried_again(tab: Page, clinic: Clinic, query: str) -> None:
    """The pool refused it, or the address is a bookmark of the way back."""
    tab.goto(f"{clinic.url}/desk?{query}&state=unknown")
    expect(tab.get_by_role("status")).to_contain_text("The sign-in was not finished.")
    assert tab.url == f"{clinic.url}/desk"
    tab.get_by_role("button", name="Sign in").click()
    expect(tab).to_have_url(re.compile(re.escape(DOMAIN)))


@pytest.mark.parametrize("auth", ["iam", "cognito"])
def test_a_desk_that_nobody_can_sign_in_to_says_what_to_do(tab: Page, clinic: Clinic, auth: str) -> None:
    settings = {"auth": auth, "defaultLocale": "en", "version": "0"}
    tab.route("**/desk/settings", lambda route: route.fulfill(json=settings))
    tab.goto(f"{clinic.url}/desk")
    expect(tab.get_by_role("alert")).to_have_text("Nobody can sign in to this desk yet.")
    expect(tab.locator("main")).to_contain_text("UserPoolDomain")
    look(tab, f"sign-in-closed-{auth}")


def test_an_api_that_is_busy_can_be_asked_again(tab: Page, clinic: Clinic) -> None:
    settings = {"auth": "iam", "defaultLocale": "en", "version": "0"}
    answers: Iterator[Any] = iter([{"status": 200, "body": "nothing of ours"}, {"json": settings}])
    tab.route("**/desk/settings", lambda route: route.fulfill(**next(answers)))
    tab.goto(f"{clinic.url}/desk")
    expect(tab.get_by_role("alert")).to_contain_text("The desk cannot be opened.")
    look(tab, "sign-in-failed")
    tab.get_by_role("button", name="Try again").click()
    expect(tab.get_by_role("alert")).to_have_text("Nobody can sign in to this desk yet.")


def users(tab: Page) -> list[list[str]]:
    found: list[list[str]] = tab.evaluate(
        "Object.entries(sessionStorage).filter(([name]) => name.startsWith('oidc.user'))"
    )
    return found


def kept(tab: Page) -> dict[str, Any]:
    """What the tab keeps of who is signed in."""
    ((_, text),) = users(tab)
    user: dict[str, Any] = json.loads(text)
    return user


def keep(tab: Page, user: dict[str, Any]) -> None:
    ((name, _),) = users(tab)
    tab.evaluate("([name, text]) => sessionStorage.setItem(name, text)", [name, json.dumps(user)])


def status_of(clinic: Clinic, tab: Page, token: str) -> int:
    return tab.request.get(f"{clinic.url}/calendars", headers={"Authorization": f"Bearer {token}"}).status


def look(tab: Page, name: str) -> None:
    """Keep pictures, in light on a screen and in dark on a phone; everyone can read them, and nothing is cut off."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    looks: tuple[tuple[int, Literal["light", "dark"]], ...] = ((1280, "light"), (390, "dark"))
    for width, scheme in looks:
        tab.set_viewport_size({"width": width, "height": 800})
        tab.emulate_media(color_scheme=scheme)
        tab.screenshot(path=SCREENS / f"{name}-{width}-{scheme}.png")
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        if NODE:
            tab.evaluate((NODE_MODULES / "axe-core" / "axe.min.js").read_text())
            found = tab.evaluate("axe.run()")
            assert [rule["id"] for rule in found["violations"]] == []
            assert "color-contrast" in [rule["id"] for rule in found["passes"]]
