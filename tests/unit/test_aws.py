"""Our DynamoDB client reads the same as botocore's own parser does, without its walk through every attribute.

And every client says who calls in the SDK's own words.
"""

from __future__ import annotations

import json
import re
from datetime import date
from typing import TYPE_CHECKING, Any

import boto3
import botocore
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from botocore.session import Session

from appointments.aws import client, read_items_as_they_are
from appointments.storage.store import Storage
from network import Raw

if TYPE_CHECKING:
    from collections.abc import Callable

ITEM = {
    "calendarId": {"S": "café"},
    "day": {"S": "2030-01-15"},
    "a#1": {"S": "1894698000-1894701600"},
    "q36": {"N": "12"},
    "reminders": {"M": {"1h": {"M": {"attempts": {"N": "0"}}}}},
    "texts": {"L": [{"S": "a"}, {"NULL": True}, {"BOOL": False}]},
    "words": {"SS": ["a", "b"]},
}
ANSWERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "query": (
        {"TableName": "T", "KeyConditionExpression": "k = :k", "ExpressionAttributeValues": {":k": {"S": "x"}}},
        {"Items": [ITEM, {}], "Count": 2, "ScannedCount": 3, "LastEvaluatedKey": {"calendarId": {"S": "café"}}},
    ),
    "batch_get_item": (
        {"RequestItems": {"T": {"Keys": [{"calendarId": {"S": "x"}}]}}},
        {"Responses": {"T": [ITEM]}, "UnprocessedKeys": {"T": {"Keys": [{"day": {"S": "x"}}], "ConsistentRead": True}}},
    ),
}


def answer_with(client: Any, answer: Callable[..., Any]) -> None:
    """Answer every call of a DynamoDB client, without a network."""
    client.meta.events.register("before-send.dynamodb", answer)


def answering(status: int, body: dict[str, Any]) -> Any:
    """A DynamoDB client whose every call is answered by this, without a network."""
    made = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x").client("dynamodb", "eu-central-1")
    content = json.dumps(body, ensure_ascii=False).encode()

    headers: Any = {"x-amzn-RequestId": "7"}
    answer_with(made, lambda request, **_: AWSResponse(request.url, status, headers, Raw(content)))
    return made


@pytest.mark.parametrize("operation", ANSWERS)
def test_an_answer_is_read_as_botocore_reads_it(operation: str) -> None:
    asked, body = ANSWERS[operation]
    plain, ours = answering(200, body), answering(200, body)
    read_items_as_they_are(ours)
    answer = getattr(ours, operation)(**asked)
    assert answer == getattr(plain, operation)(**asked)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_refusal_is_still_one() -> None:
    ours = answering(400, {"__type": "com.amazonaws.dynamodb.v20120810#ValidationException", "message": "no"})
    read_items_as_they_are(ours)
    with pytest.raises(ClientError, match="ValidationException"):
        ours.query(**ANSWERS["query"][0])


@pytest.fixture
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")


@pytest.mark.usefixtures("_account")
def test_the_functions_client_reads_so() -> None:
    """botocore's parser is not asked about a single attribute."""
    ours = client("dynamodb")
    body = {"Items": [{"calendarId": {"S": "c"}, "day": {"S": "2030-01-15"}, "a#x": {"S": "1894701600-1894702500"}}]}
    content = json.dumps(body).encode()
    seen: list[bytes] = []

    headers: Any = {}
    answer_with(ours, lambda request, **_: AWSResponse(request.url, 200, headers, Raw(content)))
    ours.meta.events.register_last(
        "before-parse.dynamodb.Query", lambda response_dict, **_: seen.append(response_dict["body"])
    )
    (day,) = Storage.of(ours, "A", "C").days.span("c", date(2030, 1, 15), date(2030, 1, 15))
    assert (set(day.entries), seen) == ({"x"}, [b"{}"])


@pytest.mark.usefixtures("_account")
@pytest.mark.parametrize("execution_environment", ["AWS_Lambda_python3.13", None])
def test_the_functions_client_says_who_calls_as_the_sdk_says_it(
    monkeypatch: pytest.MonkeyPatch, execution_environment: str | None
) -> None:
    """CloudTrail keeps it: which SDK, of which version, and that it was Lambda."""
    monkeypatch.delenv("AWS_EXECUTION_ENV", raising=False)
    if execution_environment:
        monkeypatch.setenv("AWS_EXECUTION_ENV", execution_environment)
    ours = client("dynamodb")
    sent: list[str] = []

    def send(request: Any, **_: Any) -> AWSResponse:
        sent.append(request.headers["User-Agent"].decode())
        headers: Any = {}
        return AWSResponse(request.url, 200, headers, Raw(b"{}"))

    answer_with(ours, send)
    ours.list_tables()
    # Powertools adds itself to every session that is made after it was imported, which is another test's affair.
    (said,) = (re.sub(r" PT/\S+ PTEnv/\S+$", "", text) for text in sent)
    assert said == Session().user_agent()
    name, _, rest = said.partition(" ")
    assert name == f"Botocore/{botocore.__version__}"
    assert ("exec-env/AWS_Lambda_python3.13" in rest.split()) == bool(execution_environment)
