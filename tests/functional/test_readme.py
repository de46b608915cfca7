"""The README is true: its tables are those of the template and the code, and its first request answers as it says."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from appointments.telemetry import EventType
from support import ROOT, resources, template

if TYPE_CHECKING:
    from world import World

README = (ROOT / "README.md").read_text()


def table(header: str) -> list[list[str]]:
    """The cells of the table that begins with this header cell."""
    lines = README[README.index(f"| {header} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_parameter_stands_there_with_its_default() -> None:
    documented = {row[0].strip("`"): row[1].strip("`") for row in table("parameter")}
    assert documented == {name: str(p.get("Default", "")) for name, p in template()["Parameters"].items()}


def test_every_event_stands_there_with_its_metrics() -> None:
    documented = {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1])) for row in table("`event_type`")}
    counted: dict[str, set[str]] = {event: set() for event in EventType}
    for resource in resources("AWS::Logs::MetricFilter").values():
        event = re.search(r'event_type = "(\w+)"', resource["Properties"]["FilterPattern"])
        if event:
            counted[event[1]] |= {t["MetricName"] for t in resource["Properties"]["MetricTransformations"]}
    assert documented == counted


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?m)(?:^|`)make (?:[A-Z]+=\S+ )?([a-z]+)", README))))
def test_every_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_first_request_answers_as_it_says(world: World) -> None:
    request = json.loads(re.search(r"/appointments\"? -H .* -d '(\{.*?\})'", README, re.DOTALL)[1])  # type: ignore[index]
    key = {"Idempotency-Key": re.search(r"-H 'Idempotency-Key: ([\w-]+)'", README)[1]}  # type: ignore[index]
    answers = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", README, re.DOTALL)]
    booked: dict[str, Any] = world.request("POST", "/appointments", request, headers=key)[2]
    assert world.request("POST", "/appointments", request, headers=key)[2] == booked
    found = [booked, world.request("POST", "/appointments", request)[2]]
    for told, answered in zip(answers, found, strict=True):
        same = {"requestId"}  # which is different each time
        assert {name: value for name, value in told.items() if name not in same} == {
            name: value for name, value in answered.items() if name not in same
        }
        assert told.keys() == answered.keys()
