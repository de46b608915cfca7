"""The handlers on moto: the tables of `template.yaml`, and AWS calls that are counted and can be made to fail."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws
from moto.dynamodb.parsing.validators import ActionCountValidator, OverlappingPathsValidator

from appointments.telemetry import logger
from world import REGION, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def clients() -> dict[str, Any]:
    """Made once: a client costs more than the whole of most tests."""
    session = boto3.Session(region_name=REGION, aws_access_key_id="testing", aws_secret_access_key="testing")
    return {
        name: session.client(name)
        for name in ("dynamodb", "dynamodbstreams", "events", "kms", "scheduler", "sesv2", "sns", "sqs")
    }


@pytest.fixture(scope="session", autouse=True)
def validation_once() -> Iterator[None]:
    """Moto validates a whole update at each of its clauses, which takes seconds where a booking takes days."""

    def at_the_root(check: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        return lambda self, node: node if node.parent else check(self, node)

    with pytest.MonkeyPatch.context() as patch:
        for validator, name in (
            (ActionCountValidator, "verify_action_counts"),
            (OverlappingPathsValidator, "check_for_overlapping_paths"),
        ):
            patch.setattr(validator, name, at_the_root(getattr(validator, name)))
        yield


@pytest.fixture
def world(clients: dict[str, Any]) -> Iterator[World]:
    with mock_aws():
        world = World(clients)
        for client in clients.values():
            client.meta.events.register("before-call", world.before_call)
            client.meta.events.register("after-call", world.after_call)
        yield world
        for client in clients.values():
            client.meta.events.unregister("before-call", world.before_call)
            client.meta.events.unregister("after-call", world.after_call)


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
