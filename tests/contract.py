"""The written contract, and what tests check by it: every answer that a test gets is held to it."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml
from jsonschema import Draft202012Validator

from local.contract import WRITTEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

METHODS = ("get", "put", "post", "patch", "delete")


@cache
def contract() -> dict[str, Any]:
    """`openapi.yaml`, as it is written."""
    found: dict[str, Any] = yaml.load(WRITTEN.read_text(), yaml.CSafeLoader)  # in C, as it is long
    return found


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation of every call."""
    for path, item in contract()["paths"].items():
        yield from ((path, method, item[method]) for method in METHODS if method in item)


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """What a reference stands for; everything else stands for itself."""
    while "$ref" in node:
        found = contract()
        for name in node["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        node = found
    return node


def validator(schema: Mapping[str, Any], components: Mapping[str, Any] | None = None) -> Draft202012Validator:
    """A schema of the contract, with what it refers to."""
    components = components or contract()["components"]
    return Draft202012Validator(
        {**schema, "components": components}, format_checker=Draft202012Validator.FORMAT_CHECKER
    )


@cache
def closed() -> dict[str, Any]:
    """The components, as strict as an answer of ours has to be: it shows nothing that the contract does not name.

    A client, on the other hand, must take fields that a later version adds, so the contract itself leaves them open.
    """
    components: dict[str, Any] = deepcopy(contract()["components"])
    for name, schema in components["schemas"].items():
        if name != "Details" and "properties" in schema:
            schema["additionalProperties"] = False
    return components


def check(method: str, path: str, response: Mapping[str, Any]) -> None:
    """Hold one answer of the function to the contract. What the contract has no call for must be a problem."""
    status, headers = response["statusCode"], response["headers"]
    found = _operation(method.lower(), path)
    if found is None:
        assert status in (403, 404, 405), f"{method} {path} is in no contract and answers {status}"
        found = {"responses": {str(status): contract()["components"]["responses"]["AppointmentNotFound"]}}
    assert str(status) in found["responses"], f"{method} {path}: {status} is not documented"
    documented = resolved(found["responses"][str(status)])
    for name, header in ((name, resolved(header)) for name, header in documented.get("headers", {}).items()):
        if header.get("required"):
            value: Any = headers[name]
            value = int(value) if header["schema"]["type"] == "integer" else value
            validator(header["schema"]).validate(value)
    if status == 304:
        assert response["body"] == ""
        return
    content_type = headers["Content-Type"].partition(";")[0]
    assert content_type in documented["content"], f"{method} {path}: {status} comes as {content_type}"
    if content_type.endswith("json"):
        body = json.loads(response["body"])
        validator(documented["content"][content_type]["schema"], closed()).validate(body)
        assert not content_type.startswith("application/problem") or body["status"] == status


def _operation(method: str, path: str) -> dict[str, Any] | None:
    paths: dict[str, dict[str, dict[str, Any]]] = contract()["paths"]
    for template, item in paths.items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            return item.get(method)
    return None
