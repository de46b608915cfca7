"""docs/architecture.md lists the modules in the order of their dependencies: each once, and none points upwards."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import TYPE_CHECKING

from support import ROOT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

TEXT = (ROOT / "docs" / "architecture.md").read_text().partition("## Modules")[2].partition("\n## ")[0]
# Told beside the list: used at every height, and using nothing of it but types and times.
BESIDE = {"appointments.errors", "appointments.start", "appointments.telemetry"}


def listed() -> list[list[str]]:
    """The modules of each line, highest first. A name without a package is of that of the first one of its line."""
    lines = []
    for line in TEXT.split("```")[1].splitlines():
        names = re.match(r"\w+(\.\w+)+(, \w+)*", line)
        if names:
            first, *others = names[0].split(", ")
            package = first.rpartition(".")[0]
            lines.append([first, *(f"{package}.{other}" for other in others)])
    return lines


def imported(tree: ast.AST, modules: Collection[str]) -> Iterator[str]:
    """The modules of ours that are imported when the code runs, at the top or within a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            named = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from [name for name in named if name in modules] or [node.module]
        yield from imported(node, modules)


@cache
def sources() -> dict[str, ast.Module]:
    paths = [path for path in (ROOT / "src").rglob("*.py") if path.stem != "__init__"]
    return {
        ".".join(path.relative_to(ROOT / "src").with_suffix("").parts): ast.parse(path.read_text()) for path in paths
    }


def test_every_module_is_told_of_once() -> None:
    names = [name for line in listed() for name in line]
    assert sorted([*names, *BESIDE]) == sorted(sources())
    assert all(f"`{name}`" in TEXT for name in BESIDE)


def test_dependencies_point_downwards() -> None:
    height = {name: -number for number, line in enumerate(listed()) for name in line}
    upwards = [
        (name, other)
        for name, tree in sources().items()
        for other in imported(tree, height)
        if name in height and height.get(other, height[name]) > height[name]
    ]
    assert upwards == []
    # What stands beside the list is used by the lowest of it, and so may use the lowest only.
    assert {other for name in BESIDE for other in imported(sources()[name], height)} & height.keys() <= {
        "appointments.times"
    }


@cache
def written() -> dict[str, str]:
    """Each module as code alone: without comments, and in one style."""
    return {name: ast.unparse(tree) for name, tree in sources().items()}


def test_those_that_call_aws_are_named() -> None:
    """Code is handed its clients, so whatever calls a service names the type of one."""
    calling = {name for name, text in written().items() if "mypy_boto3_" in text}
    assert calling == {
        "appointments.storage.dynamodb",
        "appointments.storage.store",
        "appointments.direct",
        "appointments.rules",
        "appointments.schedules",
        "appointments.webhook_queue",
        "reaching.email",
        "reaching.sms",
        "reminder_sender.channels.topic",
        "reminder_sender.sender",
        "event_relay.bus",
        "event_relay.failures",
    }
    assert all(f"`{name.removeprefix('appointments.')}`" in TEXT for name in calling)


def test_modules_and_functions_stay_readable() -> None:
    """A module can be read in some minutes, and a function seen at once; ruff counts the parameters."""
    lines = {path: path.read_text().splitlines() for path in (ROOT / "src").rglob("*.py")}
    assert {path.name: len(text) for path, text in lines.items() if len(text) > 400} == {}
    functions = [
        (name, node)
        for name, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 50
    ]
    assert functions == []


def test_use_cases_know_no_sdk() -> None:
    """DynamoDB's errors are known in storage, those of the other services where these are called."""
    knowing = {name for name, text in written().items() if "botocore" in text}
    assert knowing == {
        "appointments.aws",
        "appointments.storage.dynamodb",
        "appointments.storage.reminders",
        "appointments.timers",
        "appointments.webhook_queue",
        "reaching.email",
        "reaching.recipients",
        "reaching.refusals",
        "reaching.sms",
    }
