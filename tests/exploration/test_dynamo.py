"""The model of DynamoDB answers as moto does, call by call; that its writes are atomic follows from its form."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from exploration.dynamo import Call, Database, InvalidCallError, apply, canonical, key_of
from support import create_tables
from world import REGION

APPOINTMENTS, CALENDARS = "AppointmentsTable", "CalendarsTable"
CALLS = 400


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        session = boto3.Session(region_name=REGION, aws_access_key_id="testing", aws_secret_access_key="testing")
        client = session.client("dynamodb")
        create_tables(client)
        yield client


class Caller:
    """Makes calls such as the product's, at random: the same attributes, expressions of any form."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.values: dict[str, Any] = {}
        self.names: dict[str, str] = {}

    def call(self) -> tuple[str, dict[str, Any]]:
        make = self.random.choice([self.get, self.batch, self.query, self.update, self.update, self.put, self.transact])
        return make()

    def key(self) -> tuple[str, dict[str, Any]]:
        if self.random.random() < 0.5:
            return APPOINTMENTS, {"appointmentId": {"S": self.random.choice("xy")}}
        day = self.random.choice(["settings", "2030-01-15", "2030-01-16"])
        return CALENDARS, {"calendarId": {"S": self.random.choice("cd")}, "day": {"S": day}}

    def get(self) -> tuple[str, dict[str, Any]]:
        table, key = self.key()
        return "get_item", {"TableName": table, "Key": key, "ConsistentRead": True}

    def batch(self) -> tuple[str, dict[str, Any]]:
        asked: dict[str, Any] = {}
        for _ in range(4):
            table, key = self.key()
            keys = asked.setdefault(table, {"Keys": [], "ConsistentRead": True})["Keys"]
            if key not in keys:
                keys.append(key)
        return "batch_get_item", {"RequestItems": asked}

    def query(self) -> tuple[str, dict[str, Any]]:
        match self.random.randrange(3):
            case 0:
                query: dict[str, Any] = {
                    "TableName": CALENDARS,
                    "KeyConditionExpression": "calendarId = :c AND #day BETWEEN :first AND :last",
                    "ExpressionAttributeNames": {"#day": "day"},
                    "ExpressionAttributeValues": {
                        ":c": {"S": self.random.choice("cd")},
                        ":first": {"S": self.random.choice(["2030-01-15", "2030-01-16"])},
                        ":last": {"S": self.random.choice(["2030-01-15", "2030-01-16"])},
                    },
                    "ConsistentRead": True,
                }
                if query["ExpressionAttributeValues"][":first"]["S"] > query["ExpressionAttributeValues"][":last"]["S"]:
                    query["ExpressionAttributeValues"][":last"] = {"S": "2030-01-31"}
                return "query", query
            case 1:
                query = {
                    "TableName": APPOINTMENTS,
                    "IndexName": "DueRemindersIndex",
                    "KeyConditionExpression": "reminderShard = :shard AND nextReminderAt <= :until",
                    "ExpressionAttributeValues": {
                        ":shard": {"N": str(self.random.randrange(2))},
                        ":until": {"S": str(self.random.randrange(4))},
                    },
                    "Limit": self.random.choice([1, 100]),
                }
                return "query", query
        return "query", {
            "TableName": APPOINTMENTS,
            "IndexName": "UserAppointmentsIndex",
            "KeyConditionExpression": "userId = :u AND startTime BETWEEN :first AND :last",
            "ExpressionAttributeValues": {":u": {"S": "u"}, ":first": {"S": "0"}, ":last": {"S": "3"}},
            "Limit": self.random.choice([1, 100]),
        }

    def _begin(self) -> None:
        self.values, self.names = {}, {}

    def _name(self, name: str) -> str:
        placeholder = "#" + "".join(c if c.isalnum() else "_" for c in name)
        self.names[placeholder] = name
        return placeholder

    def _value(self, value: dict[str, Any]) -> str:
        placeholder = f":v{len(self.values)}"
        self.values[placeholder] = value
        return placeholder

    def _path(self) -> tuple[str, str]:
        """A path and the type of what lies there, if anything does."""
        name, kind = self.random.choice(
            [
                ("q1", "N"),
                ("q2", "N"),
                ("version", "N"),
                ("status", "S"),
                ("reminders", "M"),
                ("reminders.1h.state", "S"),
                ("reminders.1h.attempts", "N"),
                ("reminders.1h.leaseUntil", "S"),
            ]
        )
        return ".".join(self._name(part) for part in name.split(".")), kind

    def _of_kind(self, kind: str) -> dict[str, Any]:
        match kind:
            case "N":
                return {"N": self.random.choice(["1", "2", "10"])}
            case "S":
                return {"S": self.random.choice(["pending", "sending", "10", "9"])}
        return self._reminders()

    def _reminders(self) -> dict[str, Any]:
        reminder: dict[str, Any] = {"state": self._of_kind("S"), "attempts": self._of_kind("N")}
        if self.random.random() < 0.5:
            reminder["leaseUntil"] = self._of_kind("S")
        return {"M": {"1h": {"M": reminder}}}

    def _condition(self, depth: int = 2) -> str:
        chance = self.random.random()
        if depth and chance < 0.5:
            joint = self.random.choice([" AND ", " OR "])
            parts = [self._condition(depth - 1) for _ in range(self.random.choice([2, 2, 3]))]
            return "(" + joint.join(parts) + ")"
        if depth and chance < 0.6:
            negated = self._condition(depth - 1)
            return f"NOT {negated}" if negated.startswith("(") else f"NOT ({negated})"
        path, kind = self._path()
        if self.random.random() < 0.4:
            return f"{self.random.choice(['attribute_exists', 'attribute_not_exists'])}({path})"
        comparison = self.random.choice(["=", "<>"] if kind == "M" else ["=", "=", "<>", "<", "<=", ">", ">="])
        return f"{path} {comparison} {self._value(self._of_kind(kind))}"

    def _update(self) -> str:
        clauses: dict[str, list[str]] = {"SET": [], "REMOVE": [], "ADD": []}
        used: set[str] = set()
        for _ in range(self.random.choice([1, 2, 3])):
            path, kind = self._path()
            if used & {path.split(".")[0]}:
                continue
            used.add(path.split(".")[0])
            clause = self.random.choice(["SET", "SET", "REMOVE", "ADD"])
            if clause == "ADD" and (kind != "N" or "." in path):
                clause = "SET"
            match clause:
                case "SET" if kind == "N" and self.random.random() < 0.5:
                    clauses["SET"].append(f"{path} = {path} + {self._value({'N': '1'})}")
                case "SET":
                    clauses["SET"].append(f"{path} = {self._value(self._of_kind(kind))}")
                case "REMOVE":
                    clauses["REMOVE"].append(path)
                case "ADD":
                    clauses["ADD"].append(f"{path} {self._value({'N': '1'})}")
        return " ".join(f"{clause} {', '.join(parts)}" for clause, parts in clauses.items() if parts)

    def _with_placeholders(self, request: dict[str, Any]) -> dict[str, Any]:
        """DynamoDB refuses a placeholder that no expression uses."""
        text = " ".join(value for name, value in request.items() if name.endswith("Expression"))
        used = set(re.findall(r"[#:]\w+", text))
        names = {placeholder: name for placeholder, name in self.names.items() if placeholder in used}
        values = {placeholder: value for placeholder, value in self.values.items() if placeholder in used}
        more = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}
        return request | {name: placeholders for name, placeholders in more.items() if placeholders}

    def _conditional(self, *, often: float = 0.8) -> dict[str, Any]:
        more: dict[str, Any] = {}
        if self.random.random() < often:
            more["ConditionExpression"] = self._condition()
            if self.random.random() < 0.7:
                more["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return more

    def _updating(self) -> dict[str, Any]:
        self._begin()
        table, key = self.key()
        request = {"TableName": table, "Key": key, "UpdateExpression": self._update(), **self._conditional()}
        return self._with_placeholders(request)

    def update(self) -> tuple[str, dict[str, Any]]:
        return "update_item", self._updating() | {"ReturnValues": self.random.choice(["NONE", "ALL_NEW"])}

    def _putting(self) -> dict[str, Any]:
        self._begin()
        item: dict[str, Any] = {
            "appointmentId": {"S": self.random.choice("xy")},
            "userId": {"S": "u"},
            "startTime": {"S": str(self.random.randrange(4))},
            "version": {"N": "1"},
            "status": {"S": "pending"},
            "reminders": self._reminders(),
            "reminderShard": {"N": str(self.random.randrange(2))},
        }
        if self.random.random() < 0.6:
            item["nextReminderAt"] = {"S": str(self.random.randrange(4))}
        return self._with_placeholders({"TableName": APPOINTMENTS, "Item": item, **self._conditional(often=0.3)})

    def put(self) -> tuple[str, dict[str, Any]]:
        return "put_item", self._putting()

    def transact(self) -> tuple[str, dict[str, Any]]:
        actions, keys = [], set()
        for _ in range(self.random.choice([1, 2, 3, 4])):
            match self.random.choice(["Put", "Update", "Update", "ConditionCheck"]):
                case "Put" as kind:
                    request = self._putting()
                case "Update" as kind:
                    request = self._updating()
                case kind:
                    request = self._updating()
                    self._begin()
                    request = {"TableName": request["TableName"], "Key": request["Key"]}
                    request = self._with_placeholders(request | self._conditional(often=1))
            key = key_of(request["TableName"], request.get("Key") or request["Item"])
            if key not in keys:
                keys.add(key)
                actions.append({kind: request})
        return "transact_write_items", {"TransactItems": actions}


def answer_by_moto(client: Any, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
    try:
        answer = getattr(client, operation)(**parameters)
    except ClientError as exc:
        answer = {"code": exc.response["Error"]["Code"], "message": exc.response["Error"]["Message"], **exc.response}
    return comparable(answer)


def comparable(answer: dict[str, Any]) -> dict[str, Any]:
    """Without what is of HTTP, or of no meaning: the order of a batch's items, and the words of a message."""
    kept: dict[str, Any] = {
        name: answer[name]
        for name in ("code", "message", "Item", "Items", "Attributes", "LastEvaluatedKey")
        if name in answer
    }
    for table, items in answer.get("Responses", {}).items():
        kept[table] = sorted(items, key=canonical)
    if "CancellationReasons" in answer:
        kept["reasons"] = [(reason["Code"], reason.get("Item")) for reason in answer["CancellationReasons"]]
    return kept


@pytest.mark.parametrize("seed", range(3))
def test_the_model_answers_as_moto_does(client: Any, seed: int) -> None:
    caller, database = Caller(seed), Database()
    met: Counter[str] = Counter()
    for number in range(CALLS):
        operation, parameters = caller.call()
        expected = answer_by_moto(client, operation, parameters)
        message = expected.pop("message", "")
        try:
            effect = apply(database, Call(operation, parameters))
        except InvalidCallError:
            assert expected["code"] == "ValidationException", (number, operation, parameters, expected)
            met["refused"] += 1
            continue
        code = effect.answer.code
        answered = comparable({**effect.answer.response, **({"code": code} if code else {})})
        if operation == "transact_write_items" and code and expected["code"] == "ValidationException":
            met["refused"] += 1  # an update that cannot be and a condition that fails: either may be told
            continue
        if "LastEvaluatedKey" not in answered:
            expected.pop("LastEvaluatedKey", None)  # a page that ends with the last item may have one or not
        assert answered == expected, (number, operation, parameters, message)
        database = effect.database
        met[f"{operation} {code or ('found' if answered else 'nothing')}"] += 1
    for table in (APPOINTMENTS, CALENDARS):
        stored = client.scan(TableName=table, ConsistentRead=True)["Items"]
        assert sorted(map(canonical, stored)) == sorted(canonical(item) for _, item in database.within(table))
    # Each kind of answer was compared, and not only the easy ones.
    for kind in (
        "get_item found",
        "batch_get_item found",
        "query found",
        "update_item found",
        "update_item ConditionalCheckFailedException",
        "put_item ConditionalCheckFailedException",
        "transact_write_items nothing",
        "transact_write_items TransactionCanceledException",
    ):
        assert met[kind] >= 5, met
