"""The desk and the booking page, as the function serves them: the files that the build made, and their headers."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from appointments.errors import ForbiddenError
from conflict_detector.access import Access, Auth
from conflict_detector.pages.handlers import FILES
from conflict_detector.settings import PageSettings
from support import ROOT, api_event

if TYPE_CHECKING:
    from world import World

PAGES = ("desk", "book")
# What a page may be at most, with all that it loads at once: in bytes, as they are sent.
MOST = {"desk": 120_000, "book": 60_000}
SIGN_IN = "https://clinic.auth.eu-central-1.amazoncognito.com"


def get(world: World, path: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
    """The answer where everyone has to sign in, and nobody did."""
    world.api = replace(world.api, access=Access(Auth.COGNITO, "our-client"))
    response = world.api.handle(api_event(method, path))
    return response["statusCode"], response["headers"], response["body"]


def policy(headers: dict[str, str]) -> dict[str, list[str]]:
    return {name: rest for name, *rest in (part.split() for part in headers["Content-Security-Policy"].split(";"))}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_and_everything_that_it_names(world: World, page: str) -> None:
    status, headers, html = get(world, f"/{page}")
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "text/html; charset=utf-8", "no-cache")
    named = re.findall(r'(?:href|src)="(?!data:)([^"]+)"', html)
    assert [re.sub("-[0-9A-Z]{8}", "", name) for name in named] == [f"assets/{page}.css", f"assets/{page}.js"]
    kinds = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
    for name in named:  # relative to the page, so right below any host and stage
        status, headers, body = get(world, f"/{name}")
        assert (status, headers["Content-Type"]) == (200, kinds[name[name.rindex(".") :]])
        assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert body


@pytest.mark.parametrize("page", PAGES)
def test_a_page_draws_with_one_script(page: str) -> None:
    """What it imports at once would be asked for only after it has come in. What is loaded later is another matter."""
    assert not re.search(r"""(import|from)\s*["']\./""", (FILES / asset(page, "js")).read_text())


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_as_small_as_it_is_meant_to_be(page: str) -> None:
    """Also with what it loads later, such as the sign-in: whatever belongs to it."""
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 6)) for path in FILES.glob(f"{page}*")}
    assert {re.sub("-[0-9A-Z]{8}", "", name) for name in sizes} >= {f"{page}.html", f"{page}.js", f"{page}.css"}
    assert sum(sizes.values()) <= MOST[page], sizes


@pytest.mark.parametrize("page", PAGES)
def test_a_page_may_load_from_and_talk_to_its_own_host_only(world: World, page: str) -> None:
    _, headers, html = get(world, f"/{page}")
    allowed = policy(headers)
    assert allowed["default-src"] == allowed["frame-ancestors"] == ["'none'"]
    assert allowed["script-src"] == allowed["style-src"] == allowed["connect-src"] == ["'self'"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=", html)


def test_the_desk_may_talk_to_where_people_sign_in(world: World) -> None:
    world.api = replace(world.api, pages=PageSettings(Auth.COGNITO, SIGN_IN, "desk-client"))
    assert policy(get(world, "/desk")[1])["connect-src"] == ["'self'", SIGN_IN]
    assert policy(get(world, "/book")[1])["connect-src"] == ["'self'"]


def test_the_booking_page_has_the_name_of_the_clinic_as_text(world: World) -> None:
    named = '<meta name="application-name" content="{}">'
    assert named.format("") in get(world, "/book")[2]
    world.api = replace(world.api, pages=PageSettings(name='Praxis <b>"Müller" & Co'))
    assert named.format("Praxis &lt;b&gt;&quot;Müller&quot; &amp; Co") in get(world, "/book")[2]


def test_nothing_that_is_built_is_fetched_from_elsewhere() -> None:
    """Addresses in the code are names, such as that of SVG, and of where a person is sent to read about an error."""
    for path in FILES.iterdir():
        assert not re.search(r"@import|url\(.?https?:|src=.?https?:", path.read_text()), path.name


@pytest.mark.parametrize(
    "path",
    ["/assets/nope.js", "/assets/desk.html", "/assets/version.txt", "/assets/..", "/assets/%2e%2e%2fhandlers.py"]
    + ["/assets/a/b.js", "/assets/", "/desk/", "/desk/nope", "/assets/desk.js%00", "/assets/-.css"],
)
def test_nothing_else_is_served(world: World, path: str) -> None:
    assert get(world, path)[0] == 404


def test_head_answers_as_get_without_a_body(world: World) -> None:
    for path in ("/desk", "/book", "/desk/settings"):
        status, headers, _ = get(world, path)
        assert get(world, path, "HEAD") == (status, headers, "")
        assert get(world, path, "POST")[0] == 405


def test_what_a_page_asks_for_stays_where_it_is_open(world: World) -> None:
    """API Gateway lets everyone reach these resources; none of them is a way to another route."""
    _, _, booked = world.request("POST", "/appointments", {"userId": "anna", **times()})
    for file in ("../appointments", f"../appointments/{booked['appointmentId']}", "..%2fcalendars", "x/../../services"):
        event = api_event("GET", f"/assets/{file}", resource="/assets/{file}", pathParameters={"file": file})
        assert world.api.handle(event)["statusCode"] == 404
    for resource in ("/desk", "/book", "/desk/settings"):
        event = api_event("GET", "/appointments", resource=resource, pathParameters=None)
        assert "appointmentId" not in world.api.handle(event)["body"]


def times() -> dict[str, str]:
    return {"startTime": "2030-01-15T09:00:00Z", "endTime": "2030-01-15T09:30:00Z"}


@pytest.mark.parametrize("base", ["", "/clinic"])
def test_pages_are_found_below_the_base_path_of_a_domain(world: World, base: str) -> None:
    resources = {"/desk": None, "/book": None, "/desk/settings": None, "/assets/{file}": {"file": asset("desk", "css")}}
    for resource, parameters in resources.items():
        path = base + resource.format(**(parameters or {}))
        event = api_event("GET", path, resource=resource, pathParameters=parameters)
        assert world.api.handle(event)["statusCode"] == 200


def asset(page: str, ending: str) -> str:
    (path,) = FILES.glob(f"{page}-????????.{ending}")
    return path.name


def test_a_token_of_the_desk_is_as_good_as_one_of_an_app_and_none_is_of_nobody() -> None:
    access = Access(Auth.COGNITO, "our-client", "desk-client")
    for audience in ("our-client", "desk-client"):
        assert access.caller({"sub": "anna", "token_use": "id", "aud": audience}).user_id == "anna"
    for one, audience in ((access, "other"), (access, ""), (Access(Auth.COGNITO, "our-client"), "")):
        with pytest.raises(ForbiddenError):
            one.caller({"sub": "anna", "token_use": "id", "aud": audience})


def test_a_start_imports_nothing_of_the_pages() -> None:
    code = "import sys, conflict_detector.app; sys.exit('conflict_detector.pages' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT / "src", env={}, timeout=60)
