"""What end-to-end tests share: a way to book, and calendars that no other test touches."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import contract
from copies import copied
from local.deploy import deploy
from local.engine import HOST, free_port
from local.front_door import FrontDoor
from pool import ORIGIN, Clinic, People

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import Message

    from local.deploy import Stack
    from local.engine import Engine


class Answer(NamedTuple):
    status: int
    headers: Message
    body: Any


@pytest.fixture(scope="session")
def call_to() -> Callable[[str], Callable[..., Answer]]:
    """Send requests to the API at an address: ``call_to(url)("POST", "/appointments", {...})``."""

    def send(api_url: str, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(
            api_url + path, data, {"Content-Type": "application/json"} | (headers or {}), method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answer(answer.status, answer.headers, json.loads(answer.read() or b"null"))
        except urllib.error.HTTPError as answer:
            with answer:
                return Answer(answer.code, answer.headers, json.loads(answer.read() or b"null"))

    return lambda api_url: partial(send, api_url)


@pytest.fixture(scope="session")
def call(call_to: Callable[[str], Callable[..., Answer]], api_url: str) -> Callable[..., Answer]:
    """Send a request to the deployed API and hold its answer to the contract: ``call("POST", "/appointments", {})``."""
    send = call_to(api_url)

    def checked(method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        answer = send(method, path, body, headers)
        response = {"statusCode": answer.status, "headers": answer.headers, "body": json.dumps(answer.body)}
        contract.check(method, path.partition("?")[0], response)
        return answer

    return checked


@pytest.fixture(scope="session")
def first_stack(engine: Engine) -> Stack:
    """The stack that `sam` deploys for the tests that need one of their own: `copied` makes more of it."""
    topic = engine.client("sns").create_topic(Name="sms-replies")["TopicArn"]
    stack = deploy(engine, "appointments-logs", print, {"SmsRepliesTopicArn": topic})
    about = {"StackName": stack.name, "LogicalResourceId": "ReminderSweepRule"}
    rule = engine.client("cloudformation").describe_stack_resource(**about)["StackResourceDetail"]["PhysicalResourceId"]
    engine.client("events").disable_rule(Name=rule)  # its lines are counted, however much later that is
    return stack


@pytest.fixture(scope="session")
def clinic(engine: Engine, first_stack: Stack) -> Iterator[Clinic]:
    """Deployed with `Auth=cognito` and a sign-in page, which lies at an address of Cognito's own."""
    port = free_port()
    url = f"http://{HOST}:{port}"
    overrides = {"Auth": "cognito", "CorsOrigin": ORIGIN, "UserPoolDomain": "clinic", "LinkBase": url}
    stack = copied(engine, first_stack, "appointments-cognito", overrides)
    found = engine.client("cloudformation").describe_stacks(StackName=stack.name)["Stacks"][0]["Outputs"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found}
    people = People(engine.client("cognito-idp"), outputs["UserPoolId"], outputs["UserPoolClientId"])
    with FrontDoor(port, stack.api_target):
        yield Clinic(stack, url, people)


@pytest.fixture(scope="session")
def cognito_stack(clinic: Clinic) -> Stack:
    return clinic.stack


@pytest.fixture(scope="session")
def people(clinic: Clinic) -> People:
    return clinic.people


@pytest.fixture
def calendar_id() -> str:
    """A calendar of this test's own, so that tests may share one deployment in any order."""
    return f"calendar-{uuid.uuid4()}"
