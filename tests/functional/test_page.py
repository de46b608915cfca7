"""The contract and its page, as the function serves them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from conflict_detector.access import Access, Auth
from contract import contract, operations
from services import put_service, step
from support import ROOT, api_event

if TYPE_CHECKING:
    from world import World


def get(world: World, path: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
    response = world.api.handle(api_event(method, path))
    return response["statusCode"], response["headers"], response["body"]


def test_the_contract(world: World) -> None:
    status, headers, body = get(world, "/openapi.json")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(body) == contract()


def test_the_page_and_everything_that_it_names(world: World) -> None:
    status, headers, html = get(world, "/docs")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    named = set(re.findall(r'(?:href|src)="(docs/[^"]+)"', html))
    assert len(named) == 4
    kinds = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
    for name in named:  # relative to the page, so right below any host and stage
        status, headers, body = get(world, f"/{name}")
        assert (status, headers["Content-Type"]) == (200, kinds[name[name.rindex(".") :]])
        most = 2_000_000 if name == "docs/swagger-ui.js" else 1_000_000  # as docs/api.md says
        assert 100 < len(body.encode()) < most


def test_the_page_may_load_from_and_talk_to_its_own_host_only(world: World) -> None:
    _, headers, _ = get(world, "/docs")
    policy = {name: rest for name, *rest in (part.split() for part in headers["Content-Security-Policy"].split(";"))}
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == ["'self'"]
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/docs/nope", "/docs/..", "/docs/%2e%2e%2fapp.py", "/docs/index.html", "/docs/a/b"])
def test_nothing_else_is_served(world: World, path: str) -> None:
    assert get(world, path)[0] == 404


def test_the_page_is_found_with_a_slash_at_its_end(world: World) -> None:
    status, headers, _ = get(world, "/docs/")
    assert (status, headers["Location"]) == (308, "../docs")


def test_head_answers_as_get_without_a_body(world: World) -> None:
    status, headers, _ = get(world, "/docs")
    assert get(world, "/docs", "HEAD") == (status, headers, "")
    assert get(world, "/nope", "HEAD")[0] == 404
    assert "HEAD" in get(world, "/docs", "POST")[1]["Allow"]


def test_a_start_reads_no_page_and_imports_no_resolver() -> None:
    """The page costs nothing to those who never ask for it."""
    code = """
import builtins, io, pathlib, sys
from pathlib import Path
read = Path.read_text
def watched(self, *arguments, **more):
    assert "conflict_detector" not in str(self) and "swagger" not in str(self), self
    return read(self, *arguments, **more)
Path.read_text = watched
import conflict_detector.app
assert not any(name.startswith("aws_lambda_powertools.event_handler") for name in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT / "src", env={}, timeout=60)


# --- the examples of the contract, tried as the page tries them --------------------------------------


def tries() -> list[tuple[str, str, str, Any]]:
    found = []
    for path, method, operation in operations():
        examples = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("examples", {})
        found += [(method.upper(), path, name, example["value"]) for name, example in examples.items()]
    return found


@pytest.mark.parametrize(("method", "path", "name", "body"), tries())
def test_every_example_of_a_body_is_taken(world: World, method: str, path: str, name: str, body: Any) -> None:
    _, booked = world.book("2030-01-15T15:00:00Z", "2030-01-15T15:30:00Z", user="someone")
    put_service(world, "check-up", step(10, "lab"))
    put_service(world, "haircut", step(30, "mia"))
    world.api = world.api_for(Access(Auth.NONE), open_to_all=True)
    if "{token}" in path:
        _, _, held = world.request("POST", "/book/services/haircut/appointments", {"startTime": "2030-01-16T09:00:00Z"})
        path = path.replace("{token}", held["token"])
    path = path.replace("{appointmentId}", booked["appointmentId"]).replace("{calendarId}", "dr-lee")
    path = path.replace("{serviceId}", "check-up").replace("{webhookId}", "crm")
    assert world.request(method, path, body)[0] == (201 if method == "POST" else 200)
    if path == "/appointments" and name != "anyOf":  # which takes the other room then
        assert world.request(method, path, body)[0] == 409


def test_the_example_of_a_query_is_taken(world: World) -> None:
    operation = contract()["paths"]["/availability"]["get"]
    examples = {
        parameter["name"]: parameter["example"] for parameter in operation["parameters"] if "example" in parameter
    }
    query = {name: ",".join(value) if isinstance(value, list) else str(value) for name, value in examples.items()}
    status, _, body = world.request("GET", "/availability", queryStringParameters=query)
    assert (status, len(body["available"])) == (200, 6)
