"""docs/operations.md and docs/cost.md name what there is: parameters, outputs, targets, files, pages."""

from __future__ import annotations

import re

import pytest

from support import ROOT, template

TEXTS = {name: (ROOT / "docs" / name).read_text() for name in ("operations.md", "cost.md")}
EVERYTHING = "\n".join(TEXTS.values())


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", TEXTS)
def test_every_link_leads_somewhere(name: str) -> None:
    for path, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", TEXTS[name]):
        target = ROOT / "docs" / (path or name)
        assert target.exists(), path
        assert not anchor or anchor in anchors(target.read_text()), anchor


def test_every_parameter_that_is_named_exists() -> None:
    named = set(re.findall(r"`([A-Z]\w+)=", EVERYTHING)) | set(re.findall(r"\b([A-Z][a-z]+[A-Z]\w+)=\S", EVERYTHING))
    of_make = {"STACK", "STAGE", "ZONE", "AT", "DATA", "ARGS"}
    assert len(named) > 10
    assert named - of_make <= template()["Parameters"].keys() | {"MetricName"}


def test_every_output_that_is_named_exists() -> None:
    named = set(re.findall(r"output `(\w+)`", EVERYTHING)) | set(re.findall(r"`(\w+Url)`", EVERYTHING))
    assert named
    assert named <= template()["Outputs"].keys()


def test_every_target_and_program_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"(?m)(?:^|[`&] ?)make ([a-z]+)", EVERYTHING))
    assert targets >= {"redrive", "retime", "delete", "restore", "security", "cost", "setup"}
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for path in re.findall(r"`((?:src|local|ops|bench|tests|events|docs)/[\w./]+)`", EVERYTHING):
        assert (ROOT / path).exists(), path


def test_the_numbers_of_the_alarms_are_those_of_the_template() -> None:
    """The table of alarms names each of them once, and no other."""
    listed = re.findall(r"`([a-z0-9-]+)`", "".join(re.findall(r"(?m)^\| (`[a-z].*?) \|", TEXTS["operations.md"])))
    alarms = [r for r in template()["Resources"].values() if r["Type"] == "AWS::CloudWatch::Alarm"]
    names = {alarm["Properties"]["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}-") for alarm in alarms}
    assert names <= set(listed)
    assert len([name for name in listed if name in names]) == len(names)
