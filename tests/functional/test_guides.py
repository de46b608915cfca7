"""The guides are true: their requests, sent in order, get the answers that they show."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from contract import operations
from support import ROOT

if TYPE_CHECKING:
    from world import World

BLOCKS = re.compile(r"^```http\n(.*?)\n```$", re.DOTALL | re.MULTILINE)


def parse(block: str) -> tuple[str, dict[str, str], Any]:
    """The first line, headers and body of a request or of an answer, as HTTP writes them."""
    head, _, body = block.partition("\n\n")
    first, *headers = head.split("\n")
    return first, dict(line.split(": ", 1) for line in headers), json.loads(body) if body else None


def agrees(told: Any, answered: Any) -> bool:
    """Whether an answer shows what is told of it. Of an object, not every field is; of a list, `"…"` is the rest."""
    if isinstance(told, dict):
        return isinstance(answered, dict) and all(
            name in answered and agrees(value, answered[name]) for name, value in told.items()
        )
    if isinstance(told, list):
        if told[-1:] == ["…"]:
            told, answered = told[:-1], answered[: len(told) - 1]
        return len(told) == len(answered) and all(map(agrees, told, answered))
    return bool(told == answered)


GUIDES = ("api.md", "booking-page.md", "calendars.md", "contacts.md", "services.md", "sessions.md", "webhooks.md")
# What a key of KMS makes is another text each time.
MADE = ("key", "token")


@pytest.mark.parametrize("name", GUIDES)
def test_the_guide_shows_what_happens(world: World, name: str) -> None:
    blocks = BLOCKS.findall((ROOT / "docs" / name).read_text())
    asked = 0
    made: dict[str, str] = {}

    def read(block: str) -> tuple[str, dict[str, str], Any]:
        for told, answered in made.items():
            block = block.replace(told, answered)
        return parse(block)

    for request, shown in pairwise([*blocks, ""]):
        first, headers, body = read(request)
        if first.startswith("HTTP/"):
            continue
        asked += 1
        method, target = first.split(" ")
        path, _, query = target.partition("?")
        parameters = dict(parse_qsl(query, strict_parsing=True)) if query else None
        status, answer_headers, answer = world.request(
            method, path, body, headers=headers, queryStringParameters=parameters
        )
        if shown.startswith("HTTP/"):
            before = read(shown)[2] or {}
            made |= {before[one]: answer[one] for one in MADE if one in before and one in answer}
            following, told_headers, told = read(shown)
            assert following.split(" ")[1] == str(status), (first, answer)
            assert agrees(told_headers, answer_headers), first
            assert told is None or agrees(told, answer), (first, answer)
        else:
            assert status in (200, 201), (first, answer)
    assert asked > 5


def test_the_guide_lists_every_call() -> None:
    table = (ROOT / "docs" / "api.md").read_text().partition("| call | answers |")[2].partition("\n\n")[0]
    listed = set(re.findall(r"^\| \[`(\w+ [^`?]+)", table, re.MULTILINE))
    about = {"GET /openapi.json", "GET /docs", "GET /desk", "GET /desk/settings", "GET /book"}
    assert listed == {f"{method.upper()} {path}" for path, method, _ in operations()} - about


def test_what_is_told_and_is_not_so_is_noticed() -> None:
    assert agrees({"a": [1, "…"]}, {"a": [1, 2], "b": 3})
    assert not agrees({"a": [1]}, {"a": [1, 2]})
    assert not agrees({"a": 1, "b": 2}, {"a": 1})
    assert not agrees([{"a": 1}, "…"], [])
