"""Our DynamoDB client reads the same as botocore's own parser does, without its walk through every attribute."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from appointments.aws import client, read_items_as_they_are
from appointments.table import SchedulerTable

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


def answering(status: int, body: dict[str, Any]) -> Any:
    """A DynamoDB client whose every call is answered by this, without a network."""
    made = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x").client("dynamodb", "eu-central-1")
    content = json.dumps(body, ensure_ascii=False).encode()

    class Raw:
        def stream(self) -> list[bytes]:
            return [content]

    made.meta.events.register(
        "before-send.dynamodb", lambda request, **_: AWSResponse(request.url, status, {"x-amzn-RequestId": "7"}, Raw())
    )
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


def test_the_functions_client_reads_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore's parser is not asked about a single attribute."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    ours = client("dynamodb")
    body = {"Items": [{"calendarId": {"S": "c"}, "day": {"S": "2030-01-15"}, "q1": {"N": "1"}}]}
    content = json.dumps(body).encode()
    seen: list[bytes] = []

    class Raw:
        def stream(self) -> list[bytes]:
            return [content]

    ours.meta.events.register("before-send.dynamodb", lambda request, **_: AWSResponse(request.url, 200, {}, Raw()))
    ours.meta.events.register_last(
        "before-parse.dynamodb.Query", lambda response_dict, **_: seen.append(response_dict["body"])
    )
    (day,) = SchedulerTable(ours, "A", "C").read_span("c", date(2030, 1, 15), date(2030, 1, 15))
    assert (day.counters, seen) == ({1: 1}, [b"{}"])
