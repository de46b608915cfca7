"""openapi.yaml, the deployed JSON, the routes, the table of problems and the page all name the same things."""

from __future__ import annotations

import inspect
import json
import re
from datetime import date
from html import unescape
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from openapi_spec_validator import validate

from conflict_detector import problems
from conflict_detector.docs.handlers import PAGE
from conflict_detector.routes import ROUTES, Route
from contract import METHODS, contract, operations, resolved, validator
from local.contract import DEPLOYED, as_json
from support import ROOT, template

if TYPE_CHECKING:
    from collections.abc import Iterator

HTML = (PAGE / "index.html").read_text()
EXAMPLES_OF = "https://api.example.org/prod/docs#"
# What API Gateway itself refuses never reaches the function.
BY_API_GATEWAY = {
    problems.Problem(401, "unauthorized", "Unauthorized"),
    problems.Problem(429, "too-many-requests", "Too many requests"),
    problems.Problem(504, "gateway-timeout", "Gateway timeout"),
}
PROBLEMS = {*problems.PROBLEMS.values(), problems.INTERNAL_ERROR, *BY_API_GATEWAY}
# Answered where the contract has no call, so no call of the contract can document them.
OUTSIDE = {"route-not-found", "method-not-allowed"}


def test_the_contract_is_valid() -> None:
    validate(contract())


def test_what_is_deployed_is_what_is_written() -> None:
    assert DEPLOYED.read_text() == as_json(), "openapi.yaml has changed: run `make openapi`"


def nodes(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value of the contract with its path, without those of examples."""
    yield path, value
    if isinstance(value, dict):
        inner = {str(name): one for name, one in value.items() if name not in ("example", "examples")}
    else:
        inner = {str(index): one for index, one in enumerate(value)} if isinstance(value, list) else {}
    for name, one in inner.items():
        yield from nodes(one, (*path, name))


def test_no_text_is_cut_off() -> None:
    """An unquoted text in a YAML flow mapping ends at its first comma, and the rest becomes a name without a value."""
    assert [path for path, value in nodes(contract()) if value is None] == []


def test_times_are_texts_of_one_kind_in_requests_and_answers() -> None:
    """Generated clients would make another type of what has the format date-time, and no request would take it."""
    assert [path for path, value in nodes(contract()) if path[-1:] == ("format",) and value == "date-time"] == []
    time = validator({"$ref": "#/components/schemas/Time"})
    for kind, text in {"UtcTime": "2030-01-15T09:00:00Z", "ZonedTime": "2030-01-15T10:00:00+01:00"}.items():
        validator({"$ref": f"#/components/schemas/{kind}"}).validate(text)
        time.validate(text)


def test_the_contract_accepts_exactly_the_dates_that_exist() -> None:
    pattern = re.compile(contract()["components"]["schemas"]["Time"]["pattern"])
    for year, month, day in product(range(1969, 2202), range(14), range(33)):
        try:
            exists = 1970 <= date(year, month, day).year <= 2199
        except ValueError:
            exists = False
        assert bool(pattern.search(f"{year}-{month:02}-{day:02}T09:00Z")) == exists, (year, month, day)


def test_a_booking_in_local_time_needs_a_zone() -> None:
    booking = validator({"$ref": "#/components/schemas/Booking"})
    local = {"userId": "anna", "startTime": "2030-01-15T09:00", "endTime": "2030-01-15T10:00Z"}
    assert not booking.is_valid(local)
    assert booking.is_valid(local | {"timeZone": "America/New_York"})
    assert booking.is_valid(local | {"startTime": "2030-01-15T09:00-05:00"})


# --- routes ------------------------------------------------------------------------------------------


def test_the_contract_and_the_routes_name_the_same_paths_and_methods() -> None:
    written = {(method.upper(), path) for path, method, _ in operations()}
    files_of_the_page = {("GET", "/docs/"), ("GET", "/docs/{file}"), ("GET", "/assets/{file}")}
    assert {(route.method, route.path) for route in ROUTES} == written | files_of_the_page
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_has_a_handler_that_takes_what_its_path_names(route: Route) -> None:
    call, *arguments = inspect.signature(route.load()).parameters
    named = [re.sub("([A-Z])", r"_\1", name).lower() for name in re.findall(r"\{(\w+)\}", route.path)]
    assert (call, arguments) == ("call", named)


# --- problems ----------------------------------------------------------------------------------------


def problem_examples() -> dict[str, dict[str, Any]]:
    """Every example of a problem in the contract, by its slug."""
    found: dict[str, dict[str, Any]] = {}
    for _, _, operation in operations():
        for response in operation["responses"].values():
            media = resolved(response).get("content", {}).get("application/problem+json", {})
            given = [media["example"]] if "example" in media else []
            given += [resolved(example)["value"] for example in media.get("examples", {}).values()]
            found |= {example["type"].removeprefix(EXAMPLES_OF): example for example in given}
    return found


def test_the_contract_shows_every_problem_as_the_api_answers_it() -> None:
    shown = {(one["status"], slug, one["title"]) for slug, one in problem_examples().items()}
    assert shown == {tuple(problem) for problem in PROBLEMS if problem.slug not in OUTSIDE}
    details = {problems.PROBLEMS[error].slug: detail for error, detail in problems.DETAILS.items()}
    for slug, example in problem_examples().items():
        assert example["detail"] == details.get(slug, example["detail"])


def test_two_problems_of_one_status_are_told_apart_by_type() -> None:
    responses = contract()["paths"]["/appointments/{appointmentId}"]["patch"]["responses"]
    media = responses["409"]["content"]["application/problem+json"]
    names = ("conflict", "cancelled", "ended", "transition", "full", "joined", "tooLate")
    examples = [resolved(media["examples"][name])["value"] for name in names]
    conflict, cancelled, *_ = examples
    kinds = [validator(schema) for schema in media["schema"]["oneOf"]]
    assert [[kind.is_valid(example) for kind in kinds] for example in examples] == [
        [kind == example for kind in range(len(names))] for example in range(len(names))
    ]
    assert not validator(media["schema"]).is_valid(cancelled | {"type": conflict["type"]})
    assert not validator(media["schema"]).is_valid(conflict | {"type": cancelled["type"]})


def test_every_problem_has_its_section_on_the_page_and_every_section_its_problem() -> None:
    sections = {
        (int(status), slug, unescape(title).strip(), inner)
        for slug, status, title, inner in re.findall(
            r'<article id="([\w-]+)">\s*<h3><span class="status">(\d+)</span>(.*?)<code>([\w-]+)</code></h3>', HTML
        )
    }
    assert sections == {(*problem, problem.slug) for problem in PROBLEMS}
    assert HTML.count("<article") == len(PROBLEMS)


def test_the_guide_names_every_problem() -> None:
    rows = re.findall(r"^\| (\d+) \| `#([\w-]+)` \| (.*?) \|", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    assert {(int(status), slug, title) for status, slug, title in rows} == {tuple(problem) for problem in PROBLEMS}


def test_api_gateway_answers_with_problems_of_the_page_as_well() -> None:
    api = template()["Resources"]["Api"]["Properties"]["DefinitionBody"]
    answered = set()
    for kind, response in api["x-amazon-apigateway-gateway-responses"].items():
        text = response["responseTemplates"]["application/json"]
        text = text.replace("$context.error.messageString", '"Forbidden"').replace("$context.stage", "prod")
        body = json.loads(text)
        assert body["status"] == response["statusCode"], kind
        assert body["requestId"] == "$context.requestId"
        validator({"$ref": "#/components/schemas/Problem"}).validate(body)
        answered.add(problems.Problem(body["status"], body["type"].removeprefix("/prod/docs#"), body["title"]))
        for headers in response["responseParameters"]["Fn::If"][1:]:
            assert headers["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
    assert BY_API_GATEWAY <= answered <= PROBLEMS


def test_a_function_that_fails_is_a_bug_and_no_silence() -> None:
    """AWS answers crashed, throttled and forbidden invocations as INTEGRATION_FAILURE, which is no time-out."""
    answers = template()["Resources"]["Api"]["Properties"]["DefinitionBody"]["x-amazon-apigateway-gateway-responses"]
    assert {kind for kind, answer in answers.items() if answer["statusCode"] >= 500} == {
        "DEFAULT_5XX", "INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT",
    }  # fmt: skip
    assert answers["INTEGRATION_FAILURE"] == answers["DEFAULT_5XX"]
    assert f"docs#{problems.INTERNAL_ERROR.slug}" in json.dumps(answers["INTEGRATION_FAILURE"])


def test_every_call_documents_the_problems_that_it_can_meet() -> None:
    for path, method, operation in operations():
        statuses = set(operation["responses"])
        refused = set() if operation.get("security") == [] else {"401", "403"}  # nobody signs in to use a link
        refused |= {"403"} if path.startswith("/book/services") else set()  # which is needed here
        assert statuses & {"401", "403"} == refused, (path, method)
        assert {"429", "500", "504"} <= statuses, (path, method)
        assert ("400" in statuses) == ("413" in statuses) == ("requestBody" in operation), (path, method)
        if path.startswith("/appointments/"):
            assert "404" in statuses, (path, method)
        parameters = [resolved(parameter)["name"] for parameter in operation.get("parameters", [])]
        assert ("If-Match" in parameters) == ("412" in statuses), (path, method)


# --- examples ----------------------------------------------------------------------------------------


def examples() -> list[tuple[str, Any, Any]]:
    """Every example of the contract with the schema that it is an example of."""
    found = []
    for path, method, operation in operations():
        name = f"{method} {path}"
        found += [
            (f"{name} {parameter['name']}", parameter["schema"], parameter["example"])
            for parameter in map(resolved, operation.get("parameters", []))
            if "example" in parameter
        ]
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for body in (*bodies, *map(resolved, operation["responses"].values())):
            for media in body.get("content", {}).values():
                given = {"": media["example"]} if "example" in media else {}
                given |= {key: resolved(example)["value"] for key, example in media.get("examples", {}).items()}
                found += [(f"{name} {key}", media["schema"], value) for key, value in given.items()]
    return found


@pytest.mark.parametrize(("name", "schema", "value"), examples())
def test_every_example_is_one(name: str, schema: Any, value: Any) -> None:
    validator(schema).validate(value)


def test_every_body_has_an_example_to_try() -> None:
    for path, method, operation in operations():
        if "requestBody" in operation:
            (media,) = operation["requestBody"]["content"].values()
            assert media["examples"], (path, method)


def test_only_links_and_pages_are_used_without_signing_in() -> None:
    unsigned = {(path, method) for path, method, operation in operations() if "security" in operation}
    pages = {(path, "get") for path in ("/desk", "/desk/settings", "/book")}
    visits = {(path, method) for path, method, _ in operations() if path.startswith("/book/")}
    assert unsigned == {("/l/{token}", "get"), ("/l/{token}", "post"), *pages, *visits}
    assert all(operation.get("security", []) == [] for _, _, operation in operations())


def test_every_call_has_a_name_of_its_own_and_says_what_it_does() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))
    assert all(operation["summary"] for _, _, operation in operations())
    methods = {method for item in contract()["paths"].values() for method in item} - {"parameters"}
    assert methods <= set(METHODS)


# --- the page ----------------------------------------------------------------------------------------


def test_the_page_loads_nothing_from_elsewhere_and_runs_no_script_of_its_own() -> None:
    assert re.findall(r"https?://", HTML.replace("http://www.w3.org/2000/svg", "")) == []
    assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=", HTML)
    for name in ("page.css", "page.js"):
        assert not re.search(r"https?:|//[a-z]|@import", (PAGE / name).read_text())


def test_links_within_the_page_lead_somewhere() -> None:
    anchors = set(re.findall(r'id="([\w-]+)"', HTML))
    assert set(re.findall(r'href="#([\w-]+)"', HTML)) <= anchors
