"""What several test folders share: the template as data, tables made from it, and API events."""

from __future__ import annotations

import base64
import json
import shlex
import shutil
import threading
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import yaml
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import intrinsics_multi_constructor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from appointments.memory import Memory
    from appointments.storage.store import Storage

ROOT = Path(__file__).parent.parent
STAGES = ("default", "local", "dev", "prod")
# What `make node` installs: tests that need it are skipped only where there is no Node.js.
NODE = shutil.which("npm")
NODE_MODULES = ROOT / "tests" / "node" / "node_modules"
NO_NODE = "no Node.js: install one from 20.19 on with npm, then run `make node`"


class Loader(yaml.CSafeLoader):
    """Reads a template as SAM's own does, in a third of the time."""


Loader.add_multi_constructor("!", intrinsics_multi_constructor)


@cache
def template() -> dict[str, Any]:
    """`template.yaml` as it is written, intrinsic functions in their long form."""
    found: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), Loader)
    return found


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """The template's resources of one type, by logical id."""
    return {name: r for name, r in template()["Resources"].items() if r["Type"] == kind}


def create_tables(client: DynamoDBClient) -> None:
    """Create every table of the template, named by its logical id, with the keys and indexes it has there."""
    for name, resource in resources("AWS::DynamoDB::Table").items():
        properties = resource["Properties"]
        indexes = [
            {key: value for key, value in index.items() if key != "ProvisionedThroughput"}
            for index in properties.get("GlobalSecondaryIndexes", [])
        ]
        more: Any = {"GlobalSecondaryIndexes": indexes} if indexes else {}
        client.create_table(
            TableName=name,
            KeySchema=properties["KeySchema"],
            AttributeDefinitions=properties["AttributeDefinitions"],
            BillingMode="PAY_PER_REQUEST",
            **more,
        )


def with_memory(storage: Storage, memory: Memory) -> Storage:
    """The same tables, as another process of a function with its own memory sees them."""
    return replace(storage, memory=memory, settings=replace(storage.settings, memory=memory))


def sample_event(name: str) -> dict[str, Any]:
    """One of the sample events in `events/`."""
    found: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return found


def api_event(method: str, path: str, body: object = None, **more: Any) -> dict[str, Any]:
    """A proxy event as API Gateway sends it; a body that is no text is sent as JSON."""
    text = body if body is None or isinstance(body, str) else json.dumps(body)
    if "headers" in more:
        more = {"multiValueHeaders": {name: [value] for name, value in more["headers"].items()}} | more
    proxy = {"proxy": path.removeprefix("/")}
    return sample_event("conflict") | {
        "httpMethod": method, "path": path, "pathParameters": proxy, "body": text, **more,
    }  # fmt: skip


def encoded(claims: dict[str, Any]) -> str:
    """A token of these claims, as it looks; API Gateway has checked its signature before a function sees it."""
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, claims)]
    return ".".join([*texts, "signature"])


def stage_parameters(stage: str) -> dict[str, str]:
    """The parameter overrides of a samconfig section."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    text = config[stage]["deploy"]["parameters"].get("parameter_overrides", "")
    return dict(pair.split("=", 1) for pair in shlex.split(text))


@cache
def transformed(stage: str = "default") -> dict[str, Any]:
    """Plain CloudFormation resources by logical id; conditions and references are still in it."""
    source = deepcopy(template())
    for resource in source["Resources"].values():
        if "CodeUri" in source["Globals"]["Function"] and resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    parameters = {name: p["Default"] for name, p in source["Parameters"].items() if "Default" in p}
    # The template names no managed policy, so the translator needs to look none up.
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name="us-east-1"))
    found: dict[str, Any] = translator.translate(source, parameters | stage_parameters(stage))["Resources"]
    return found


def inconsistencies(
    client: DynamoDBClient, appointments_table: str, calendars_table: str, *, beginning: str = ""
) -> list[str]:
    """Compare both tables by brute force: overlaps on a calendar, entries without appointment, and missing ones.

    Reads the items as they lie in the tables, with none of the project's own code. Capacity is taken to be 1. Where
    other tests' calendars lie beside one's own, `beginning` is how the names of one's own begin.
    """
    wanted: dict[tuple[str, str, str], str] = {}
    on_calendar: dict[str, list[tuple[int, int, str]]] = {}
    for item in _scan(client, appointments_table):
        if item["status"]["S"] in ("cancelled", "declined", "expired"):
            continue
        id_ = item["appointmentId"]["S"]
        until = (
            f";until={datetime.fromisoformat(item['heldUntil']['S']).timestamp():.0f}" if "heldUntil" in item else ""
        )
        for calendar, start, end in _taken(item):
            if not calendar.startswith(beginning):
                continue
            if not until:  # whether a hold was respected depends on clocks
                on_calendar.setdefault(calendar, []).append((start, end, id_))
            for day in range(start // 86400, (end - 1) // 86400 + 1):
                date = datetime.fromtimestamp(day * 86400, UTC).date().isoformat()
                counted = f";service={item['serviceId']['S']}" if "servicePerDay" in item else ""
                own = counted if calendar == item["userId"]["S"] else ""
                wanted[calendar, date, id_] = f"{start}-{end}{own}{until}"
    lying = [
        ((item["calendarId"]["S"], item["day"]["S"].removeprefix("overflow#")[:10], name[2:]), value["S"])
        for item in _scan(client, calendars_table)
        for name, value in item.items()
        if name.startswith("a#") and name != "a#overflow" and item["calendarId"]["S"].startswith(beginning)
    ]
    found = dict(lying)
    overlaps = [
        f"{calendar}: {before[2]} and {after[2]} overlap"
        for calendar, spans in on_calendar.items()
        for before, after in pairwise(sorted(spans))
        if after[0] < before[1]
    ]
    # An entry whose time is over may stay.
    ghosts = [
        f"entry without its appointment: {key}" for key in found.keys() - wanted.keys() if ";until=" not in found[key]
    ]
    lasting = {key for key, text in wanted.items() if ";until=" not in text}
    missing = [f"appointment without its entry: {key}" for key in lasting - found.keys()]
    moved = [f"entry of another time: {key}" for key in found.keys() & wanted.keys() if found[key] != wanted[key]]
    twice = [f"entry in two items: {key}" for key, times in Counter(key for key, _ in lying).items() if times > 1]
    return overlaps + ghosts + missing + moved + twice


def _taken(item: dict[str, Any]) -> set[tuple[str, int, int]]:
    """The calendars of an appointment, with the time that it takes there: all of it, or that of a step."""

    def times(of: dict[str, Any]) -> list[int]:
        return [int(datetime.fromisoformat(of[name]["S"]).timestamp()) for name in ("startTime", "endTime")]

    parts = [step["M"] for step in item["steps"]["L"]] if "steps" in item else [item]
    resources = {(text["S"], *times(part)) for part in parts for text in part["resourceIds"]["L"]}
    return {(item["userId"]["S"], *times(item)), *(one for one in resources if one[0] != item["userId"]["S"])}


def _scan(client: DynamoDBClient, table: str) -> list[dict[str, Any]]:
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [item for page in pages for item in page["Items"]]


def at_once(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run every job on a thread of its own, all let go at the same moment; their results in order."""
    gate = threading.Barrier(len(jobs))

    def run(job: Callable[[], Any]) -> Any:
        gate.wait()
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))
