"""The handlers on moto: the tables of `template.yaml`, and AWS calls that are counted and can be made to fail."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from appointments.telemetry import logger
from quick_moto import Kept, quick_moto
from world import REGION, Ground, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Watch:
    """Tells the world of the current test of each call. To register each anew would cost as much as some tests."""

    world: World | None = None

    def before_call(self, **call: Any) -> None:
        if self.world:
            self.world.before_call(**call)

    def after_call(self, **call: Any) -> None:
        if self.world:
            self.world.after_call(**call)


@pytest.fixture(scope="session")
def watch() -> Watch:
    return Watch()


@pytest.fixture(scope="session")
def clients(watch: Watch) -> dict[str, Any]:
    """Made once: a client costs more than the whole of most tests."""
    session = boto3.Session(region_name=REGION, aws_access_key_id="testing", aws_secret_access_key="testing")
    names = ("dynamodb", "dynamodbstreams", "events", "kms", "scheduler", "sesv2", "sns", "sqs")
    made: dict[str, Any] = {name: session.client(name) for name in names}  # type: ignore[call-overload]
    for client in made.values():
        client.meta.events.register("before-call", watch.before_call)
        client.meta.events.register("after-call", watch.after_call)
    return made


@pytest.fixture(scope="session", autouse=True)
def quick() -> Iterator[None]:
    with quick_moto():
        yield


@pytest.fixture(scope="session")
def ground(clients: dict[str, Any], quick: None) -> tuple[Ground, Kept]:
    with mock_aws():
        return Ground.made(clients), Kept()


@pytest.fixture
def world(clients: dict[str, Any], ground: tuple[Ground, Kept], watch: Watch) -> Iterator[World]:
    made, kept = ground
    with mock_aws():
        kept.restore()
        watch.world = World(clients, made)
        yield watch.world
        watch.world = None


@pytest.fixture
def events_of() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """The log lines written since the last call, as dictionaries."""
    stream = io.StringIO()
    handler = logger.registered_handler
    before = handler.setStream(stream)  # type: ignore[attr-defined]  # it is a StreamHandler

    def read() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in stream.getvalue().splitlines()]
        stream.seek(0)
        stream.truncate()
        return lines

    yield read
    handler.setStream(before)  # type: ignore[attr-defined]
