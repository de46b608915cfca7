"""Least privilege, read from the template: nothing broad without a reason, and nothing that no code calls."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from botocore import xform_name
from botocore.session import Session

from reachable import parts
from support import resources

if TYPE_CHECKING:
    from collections.abc import Sequence

# Why a policy may hold a "*", by resource and statement. In all others it fails.
TIMERS = "timers are made at run time: only the beginning of their names is known"
THIS_KEY = "in a key's policy, * is the key itself"
TRACES = "X-Ray knows no resources for these actions"
IDENTITY = "the identity may be the address or a domain of it, and a condition says what it is sent from"
DENIES = "what is denied is denied to everyone"
REASONS = {
    "ConflictDetectorRole/CreateAndRemoveReminderRules": TIMERS,
    "ConflictDetectorRole/CreateAndRemoveReminderSchedules": TIMERS,
    "ReminderSenderRole/ReadAndRemoveReminderRules": TIMERS,
    "ReminderSweepRole/CreateAndRemoveReminderRules": TIMERS,
    "ReminderSweepRole/CreateAndRemoveReminderSchedules": TIMERS,
    "ReminderSweepRole/ListRules": "both actions list a whole bus, and IAM knows no narrower resource for them",
    "ConflictDetectorRole/SendTraces": TRACES,
    "ReminderSenderRole/SendTraces": TRACES,
    "ReminderSweepRole/SendTraces": TRACES,
    "EventRelayRole/SendTraces": TRACES,
    "WebhookSenderRole/SendTraces": TRACES,
    "ReachFeedbackRole/SendTraces": TRACES,
    "ReminderSenderRole/SendEmailFromOneAddress": IDENTITY,
    "ReminderSweepRole/SendEmailFromOneAddress": IDENTITY,
    "NoticeSenderRole/SendEmailFromOneAddress": IDENTITY,
    "NoticeSenderRole/SendTraces": TRACES,
    "SmsRepliesRole/SendTraces": TRACES,
    "MessagingKey/SesTellsWhatBecameOfEmail": THIS_KEY,
    "MessagingKey/AccountAdministersThisKey": THIS_KEY + ", and without kms:* for the account nobody could mend it",
    "ContactKey/AccountAdministersThisKey": THIS_KEY + ", as above",
    "WebhookKey/AccountAdministersThisKey": THIS_KEY + ", as above",
    "LinkKey/AccountAdministersThisKey": THIS_KEY + ", as above",
    "MessagingKey/EventBridgeWritesDeadLetters": THIS_KEY,
    "MessagingKey/TopicsDeliverToEncryptedQueues": THIS_KEY,
    "MessagingKey/AlarmsOfThisStackPublish": THIS_KEY,
    "NotificationTopicPolicy/NothingWithoutTls": DENIES,
    "OperationsTopicPolicy/NothingWithoutTls": DENIES,
    "ReminderDeliveryDeadLetterQueuePolicy/NothingWithoutTls": DENIES,
    "ReminderExecutionDeadLetterQueuePolicy/NothingWithoutTls": DENIES,
    "ReminderSweepDeadLetterQueuePolicy/NothingWithoutTls": DENIES,
    "RelayFailuresPolicy/NothingWithoutTls": DENIES,
    "WebhookDeliveriesPolicy/NothingWithoutTls": DENIES,
    "WebhookFailuresPolicy/NothingWithoutTls": DENIES,
    "NoticeChangesPolicy/NothingWithoutTls": DENIES,
    "NoticeFailuresPolicy/NothingWithoutTls": DENIES,
    "SmsRepliesFailuresPolicy/NothingWithoutTls": DENIES,
    "ReachFeedbackTopicPolicy/NothingWithoutTls": DENIES,
}
# A phone number is no resource, so SMS can only be allowed by what else a message can be published to.
ALL_BUT = {
    "ReminderSenderRole/SendSmsToPhoneNumbers": {"Fn::Sub": "arn:${AWS::Partition}:sns:*:*:*"},
    "ReminderSweepRole/SendSmsToPhoneNumbers": {"Fn::Sub": "arn:${AWS::Partition}:sns:*:*:*"},
    "NoticeSenderRole/SendSmsToPhoneNumbers": {"Fn::Sub": "arn:${AWS::Partition}:sns:*:*:*"},
}
# Actions that AWS itself uses in a function's name, so that no line of the code calls them.
FOR_THE_RUNTIME = {
    "logs:CreateLogStream": "Lambda writes the log",
    "logs:PutLogEvents": "Lambda writes the log",
    "sqs:ReceiveMessage": "Lambda reads the queue for the function",
    "sqs:DeleteMessage": "Lambda removes what the function has done",
    "sqs:GetQueueAttributes": "Lambda reads the queue for the function",
    "sqs:SendMessage": "Lambda and Scheduler hand over what failed",
    "kms:GenerateDataKey": "SNS and SQS encrypt for the caller",
    "kms:Decrypt": "SNS and SQS encrypt for the caller",
    "xray:PutTraceSegments": "Lambda sends its traces",
    "xray:PutTelemetryRecords": "Lambda sends its traces",
    "dynamodb:DescribeStream": "Lambda reads the streams",
    "dynamodb:GetRecords": "Lambda reads the streams",
    "dynamodb:GetShardIterator": "Lambda reads the streams",
    "dynamodb:ListStreams": "Lambda reads the streams",
    "ses:SendRawEmail": "SES asks for it beside SendEmail where the email is given whole",
    "iam:PassRole": "CreateSchedule and UpdateSchedule name a role",
}
CALLED_SERVICES = ("dynamodb", "events", "kms", "scheduler", "sns", "sqs")
# The statements of TransactWriteItems, and the action that each of them needs.
TRANSACTED = {"Put": "PutItem", "Update": "UpdateItem", "ConditionCheck": "ConditionCheckItem", "Delete": "DeleteItem"}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def plain(statement: dict[str, Any]) -> list[dict[str, Any]]:
    """A statement, or those that a condition chooses from."""
    if "Fn::If" not in statement:
        return [statement]
    return [part for part in statement["Fn::If"][1:] if "Effect" in part]


@cache
def documents() -> dict[str, list[dict[str, Any]]]:
    """The statements of every policy in the template, by the resource that has them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, role in resources("AWS::IAM::Role").items():
        assert role["Properties"].keys() <= {"AssumeRolePolicyDocument", "Policies"}
        found[name] = [s for policy in role["Properties"]["Policies"] for s in policy["PolicyDocument"]["Statement"]]
    for kind in ("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"):
        found |= {n: r["Properties"]["PolicyDocument"]["Statement"] for n, r in resources(kind).items()}
    found |= {n: r["Properties"]["KeyPolicy"]["Statement"] for n, r in resources("AWS::KMS::Key").items()}
    return {name: [part for s in statements for part in plain(s)] for name, statements in found.items()}


STATEMENTS = {f"{name}/{s['Sid']}": s for name, statements in documents().items() for s in statements}


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_has_a_wildcard_without_a_reason(name: str) -> None:
    statement = STATEMENTS[name]
    resource = statement.get("Resource", "")
    broad = "*" in json.dumps([statement["Action"], resource, statement.get("Principal")])
    assert broad == (name in REASONS)


def test_every_reason_is_needed() -> None:
    assert REASONS.keys() <= STATEMENTS.keys()


@pytest.mark.parametrize("name", [name for name in STATEMENTS if STATEMENTS[name]["Effect"] == "Allow"])
def test_what_is_allowed_is_named_in_full(name: str) -> None:
    """A prefix is a wildcard for a resource's name, and never for an action."""
    actions = as_list(STATEMENTS[name]["Action"])
    if not name.endswith("/AccountAdministersThisKey"):
        assert all(re.fullmatch(r"[a-z]+:[A-Za-z]+", action) for action in actions)
    assert "NotAction" not in STATEMENTS[name]
    assert STATEMENTS[name].get("NotResource") == ALL_BUT.get(name)


# --- what the code calls -----------------------------------------------------------------------------


def operations() -> dict[str, str]:
    """The IAM action of every boto3 method of the services that are called."""
    session = Session()
    return {
        xform_name(operation): f"{service}:{operation}"
        for service in CALLED_SERVICES
        for operation in session.get_service_model(service).operation_names
    }


# IAM has names of its own for these.
OPERATIONS = operations() | {
    "invoke": "lambda:InvokeFunction",
    "send_email": "ses:SendEmail",
    "change_message_visibility_batch": "sqs:ChangeMessageVisibility",
}


def actions_in(nodes: Sequence[ast.AST]) -> set[str]:
    """What the boto3 calls, paginators and transactions that are written in a piece of code need."""
    found = {OPERATIONS[part.attr] for part in nodes if isinstance(part, ast.Attribute) and part.attr in OPERATIONS}
    for part in nodes:
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr == "get_paginator":
            (argument,) = part.args
            assert isinstance(argument, ast.Constant)
            found.add(OPERATIONS[str(argument.value)])
        if isinstance(part, ast.Dict):
            keys = {key.value for key in part.keys if isinstance(key, ast.Constant)}
            found |= {f"dynamodb:{TRANSACTED[str(key)]}" for key in keys if key in TRANSACTED}
    return found - {"dynamodb:TransactWriteItems"}  # IAM asks for the actions of its parts


@pytest.mark.parametrize("name", resources("AWS::Serverless::Function"))
def test_no_function_may_do_what_its_code_never_does(name: str) -> None:
    properties = resources("AWS::Serverless::Function")[name]["Properties"]
    role = properties["Role"]["Fn::GetAtt"][0]
    granted = {action for s in documents()[role] for action in as_list(s["Action"])}
    assert granted - FOR_THE_RUNTIME.keys() <= actions_in(parts(properties["Handler"]))
