"""What the template promises, read from the template itself. Each of the earlier system's faults has a test."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

import pytest

from appointments.firing import TIMER_PREFIX, timer_name
from appointments.notices import NoticeKind
from appointments.storage.calendar_settings import CONFIGURED_INDEX
from appointments.storage.contacts import CONTACT
from appointments.storage.desk import SERVICE_INDEX
from appointments.storage.lists import USER_INDEX
from appointments.storage.notices import NOTICES
from appointments.storage.reminders import DUE_INDEX
from appointments.storage.webhooks import WEBHOOKS
from appointments.targets import Targets
from appointments.telemetry import EventType
from bench.functions import ENVIRONMENT as BENCH
from conflict_detector.access import SCHEDULERS, Auth
from conflict_detector.routes import OPEN, ROUTES
from exploration.test_notices import DELAY, HIDDEN, MOST
from log_filters import Term, parse
from notice_sender.app import ENOUGH_MILLISECONDS
from notice_sender.sender import LEASE as NOTICE_LEASE
from reachable import keys_read, keywords_used, members_used, parts
from reminder_sender.message import SMS_PREFIX
from reminder_sender.sender import LEASE
from reminder_sweep.sweep import STOP_SENDING
from support import ROOT, STAGES, resources, stage_parameters, template, transformed
from webhook_sender.guard import MOST_SECONDS
from webhook_sender.sender import GIVEN_UP_AFTER, LONGEST_PAUSE, SECONDS_PER_RECEIVER

if TYPE_CHECKING:
    from collections.abc import Iterator

FUNCTIONS = resources("AWS::Serverless::Function")
FILTERS = resources("AWS::Logs::MetricFilter")
NAMESPACE = {"Fn::Sub": "Appointments/${AWS::StackName}"}


# --- handlers that do not import ---------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_handler_imports_without_aws_and_without_settings(name: str) -> None:
    module, _, attribute = FUNCTIONS[name]["Properties"]["Handler"].rpartition(".")
    code = f"import {module}; assert callable({module}.{attribute})"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=ROOT / "src", env={}, timeout=60)
    assert callable(getattr(importlib.import_module(module), attribute))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_setting_that_the_code_reads_is_in_the_template_and_the_other_way_round(name: str) -> None:
    read = keys_read(FUNCTIONS[name]["Properties"]["Handler"], "env")
    given = set(template()["Globals"]["Function"]["Environment"]["Variables"])
    given |= set(FUNCTIONS[name]["Properties"]["Environment"]["Variables"])
    assert read == {variable for variable in given if not variable.startswith(("POWERTOOLS_", "PYTHON"))}


@pytest.mark.parametrize("name", ["ConflictDetectorFunction", "ReminderSenderFunction"])
def test_the_bench_gives_a_function_every_setting(name: str) -> None:
    given = FUNCTIONS[name]["Properties"]["Environment"]["Variables"]
    assert [variable for variable in given if variable not in BENCH] == []


# --- log groups that do not exist --------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_writes_to_a_log_group_that_exists_before_it(name: str) -> None:
    properties = FUNCTIONS[name]["Properties"]
    group = properties["LoggingConfig"]["LogGroup"]["Ref"]  # a Ref is a dependency: the group is made first
    assert resources("AWS::Logs::LogGroup")[group]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    assert (
        properties["FunctionName"]["Fn::Sub"]
        in resources("AWS::Logs::LogGroup")[group]["Properties"]["LogGroupName"]["Fn::Sub"]
    )
    role = resources("AWS::IAM::Role")[properties["Role"]["Fn::GetAtt"][0]]
    assert "logs:CreateLogGroup" not in json.dumps(role)  # or a late line would bring a deleted group back


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_reads_a_log_group_of_this_template(name: str) -> None:
    assert FILTERS[name]["Properties"]["LogGroupName"]["Ref"] in resources("AWS::Logs::LogGroup")


# --- metric filters ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_pattern_is_valid(name: str) -> None:
    assert parse(FILTERS[name]["Properties"]["FilterPattern"])


def test_filters_and_code_name_the_same_events() -> None:
    """Of each function: what its filters count, its code logs, and the other way round."""
    handlers = {
        function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]: function["Properties"]["Handler"]
        for function in FUNCTIONS.values()
    }
    logged = {group: members_used(handler, "EventType") for group, handler in handlers.items()}
    assert len(logged) == len(FUNCTIONS)
    counted: dict[str, set[str]] = {group: set() for group in logged}
    for resource in FILTERS.values():
        group = resource["Properties"]["LogGroupName"]["Ref"]
        terms = parse(resource["Properties"]["FilterPattern"])
        counted[group] |= {str(term.value) for term in terms if term.field == "event_type"}
        # Further fields, and the figures that are published, are keyword arguments of some line.
        (transformation,) = resource["Properties"]["MetricTransformations"]
        figures = [transformation["MetricValue"][2:]] if transformation["MetricValue"].startswith("$.") else []
        fields = {*figures, *(term.field for term in terms if term.field != "event_type")}
        assert fields <= keywords_used(handlers[group])
    assert counted == logged
    assert set.union(*logged.values()) == set(EventType)


def test_all_metrics_share_one_namespace() -> None:
    namespaces = {
        json.dumps(transformation["MetricNamespace"])
        for resource in FILTERS.values()
        for transformation in resource["Properties"]["MetricTransformations"]
    }
    assert namespaces == {json.dumps(NAMESPACE)}


def test_a_metric_that_has_percentiles_is_never_negative() -> None:
    for resource in FILTERS.values():
        (transformation,) = resource["Properties"]["MetricTransformations"]
        if transformation["MetricValue"].startswith("$."):
            terms = parse(resource["Properties"]["FilterPattern"])
            assert Term(transformation["MetricValue"][2:], ">=", 0) in terms


# --- roles and policies ------------------------------------------------------------------------------


def test_functions_have_roles_of_their_own_and_no_managed_policies() -> None:
    used = [function["Properties"]["Role"]["Fn::GetAtt"][0] for function in FUNCTIONS.values()]
    assert len(set(used)) == len(FUNCTIONS)
    for stage in STAGES:
        roles = {name: r for name, r in transformed(stage).items() if r["Type"] == "AWS::IAM::Role"}
        # SAM makes a role for CodeDeploy where it shifts the load from version to version.
        gradual = {"CodeDeployServiceRole"} if stage_parameters(stage).get("GradualDeployment") == "true" else set()
        assert roles.keys() == {*used, "ReminderSchedulerRole", *gradual}
        assert not any("ManagedPolicyArns" in roles[name]["Properties"] for name in roles.keys() - gradual)


def granted_to(role: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The statements of a role, by the actions they allow; those behind a condition too."""
    written = [s for policy in role["Properties"]["Policies"] for s in policy["PolicyDocument"]["Statement"]]
    plain = [s["Fn::If"][1] if "Fn::If" in s else s for s in written]
    return {json.dumps(s["Action"]): s for s in plain}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_role_is_passed_only_by_those_who_make_schedules_and_only_to_them(name: str) -> None:
    """EventBridge needs no role to invoke a function by a rule; Scheduler does, and takes no other than its own."""
    role = resources("AWS::IAM::Role")[FUNCTIONS[name]["Properties"]["Role"]["Fn::GetAtt"][0]]
    granted = granted_to(role)
    calls = [part.func for part in parts(FUNCTIONS[name]["Properties"]["Handler"]) if isinstance(part, ast.Call)]
    makes_schedules = any(isinstance(called, ast.Name) and called.id == "Schedules" for called in calls)
    assert any("scheduler:CreateSchedule" in actions for actions in granted) == makes_schedules
    assert ('"iam:PassRole"' in granted) == makes_schedules
    if makes_schedules:
        statement = granted['"iam:PassRole"']
        assert statement["Resource"] == {"Fn::GetAtt": ["ReminderSchedulerRole", "Arn"]}
        assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}


def test_schedules_may_invoke_the_sender_and_nothing_else() -> None:
    role = resources("AWS::IAM::Role")["ReminderSchedulerRole"]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"]["StringEquals"]["aws:SourceArn"] == {"Fn::GetAtt": ["ReminderScheduleGroup", "Arn"]}
    granted = {
        json.dumps(s["Action"]): s["Resource"].get("Ref") or s["Resource"]["Fn::GetAtt"][0]
        for s in role["Policies"][0]["PolicyDocument"]["Statement"]
    }
    assert granted == {
        '"lambda:InvokeFunction"': "ReminderSenderFunction.Alias",
        '"sqs:SendMessage"': "ReminderDeliveryDeadLetterQueue",
        '["kms:GenerateDataKey", "kms:Decrypt"]': "MessagingKey",
    }


def test_eventbridge_may_invoke_the_sender_for_reminder_rules_only() -> None:
    permissions = {
        p["Properties"]["FunctionName"]["Ref"]: p["Properties"]["SourceArn"]
        for p in transformed().values()
        if p["Type"] == "AWS::Lambda::Permission" and p["Properties"]["Principal"] == "events.amazonaws.com"
    }
    assert permissions.keys() == {"ReminderSenderFunctionAliaslive", "ReminderSweepFunctionAliaslive"}
    assert permissions["ReminderSenderFunctionAliaslive"]["Fn::Sub"].endswith(f":rule/{TIMER_PREFIX}-*")
    assert permissions["ReminderSweepFunctionAliaslive"] == {"Fn::GetAtt": ["ReminderSweepRule", "Arn"]}
    assert timer_name("id", "1h").startswith(f"{TIMER_PREFIX}-")


# --- dead-letter queues, retries, lease --------------------------------------------------------------


def test_reminders_that_fail_end_in_a_dead_letter_queue() -> None:
    sender = FUNCTIONS["ReminderSenderFunction"]["Properties"]
    failure = sender["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
    assert failure["Destination"]["Fn::GetAtt"][0] in resources("AWS::SQS::Queue")
    delivery = FUNCTIONS["ConflictDetectorFunction"]["Properties"]["Environment"]["Variables"]
    assert delivery["REMINDER_DEAD_LETTER_QUEUE_ARN"]["Fn::GetAtt"][0] in resources("AWS::SQS::Queue")
    policy = resources("AWS::SQS::QueuePolicy")["ReminderDeliveryDeadLetterQueuePolicy"]
    assert policy["Properties"]["Queues"] == [{"Ref": "ReminderDeliveryDeadLetterQueue"}]


def test_the_sweep_runs_every_five_minutes_and_ends_before_the_next() -> None:
    (rule,) = resources("AWS::Events::Rule").values()
    assert rule["Properties"]["ScheduleExpression"] == "rate(5 minutes)"
    assert rule["Properties"]["State"] == "ENABLED"
    (target,) = rule["Properties"]["Targets"]
    assert target["Arn"] == {"Ref": "ReminderSweepFunction.Alias"}
    sweep = FUNCTIONS["ReminderSweepFunction"]["Properties"]
    assert STOP_SENDING < sweep["Timeout"] < 300
    # No queue of the sender's: sending a sweep's event to the sender again would mean nothing.
    failure = sweep["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"]
    assert target["DeadLetterConfig"]["Arn"] == failure == {"Fn::GetAtt": ["ReminderSweepDeadLetterQueue", "Arn"]}
    policy = resources("AWS::SQS::QueuePolicy")["ReminderSweepDeadLetterQueuePolicy"]
    assert policy["Properties"]["Queues"] == [{"Ref": "ReminderSweepDeadLetterQueue"}]


def test_a_lease_outlives_its_holder_and_ends_before_the_event_is_repeated() -> None:
    """Lambda repeats a failed asynchronous event after one minute at the earliest."""
    assert FUNCTIONS["ReminderSenderFunction"]["Properties"]["Timeout"] < LEASE.total_seconds() < 60


@pytest.mark.parametrize("name", ["WebhookKey", "ContactKey"])
def test_secrets_and_digests_are_made_by_keys_that_never_leave(name: str) -> None:
    key = resources("AWS::KMS::Key")[name]["Properties"]
    assert (key["KeySpec"], key["KeyUsage"]) == ("HMAC_256", "GENERATE_VERIFY_MAC")
    (statement,) = key["KeyPolicy"]["Statement"]
    assert statement["Principal"]["AWS"]["Fn::Sub"].endswith(":root")


def test_links_have_a_key_of_their_own() -> None:
    """Whoever may derive the secrets of webhooks makes no links by that."""
    key = resources("AWS::KMS::Key")["LinkKey"]["Properties"]
    assert (key["KeySpec"], key["KeyUsage"]) == ("HMAC_256", "GENERATE_VERIFY_MAC")
    variables = FUNCTIONS["ConflictDetectorFunction"]["Properties"]["Environment"]["Variables"]
    assert (variables["LINK_KEY_ID"], variables["WEBHOOK_KEY_ID"]) == ({"Ref": "LinkKey"}, {"Ref": "WebhookKey"})


def test_deliveries_outlive_their_sender_and_the_day_that_they_are_tried() -> None:
    queue = resources("AWS::SQS::Queue")["WebhookDeliveries"]["Properties"]
    sender = FUNCTIONS["WebhookSenderFunction"]["Properties"]
    # Ten receivers are tried at the same time: the last try of each may begin as its time ends.
    assert sender["Timeout"] / 2 > SECONDS_PER_RECEIVER + MOST_SECONDS
    assert sender["Timeout"] < queue["VisibilityTimeout"] <= 120
    assert queue["MessageRetentionPeriod"] >= 2 * GIVEN_UP_AFTER.total_seconds()
    redrive = queue["RedrivePolicy"]
    assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": ["WebhookFailures", "Arn"]}
    # Far more often than the sender receives a message in a day.
    assert redrive["maxReceiveCount"] > 2 * GIVEN_UP_AFTER / LONGEST_PAUSE
    source = resources("AWS::Lambda::EventSourceMapping")["WebhookSenderSource"]["Properties"]
    assert source["FunctionName"] == {"Ref": "WebhookSenderFunction.Alias"}
    assert source["EventSourceArn"] == {"Fn::GetAtt": ["WebhookDeliveries", "Arn"]}
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_webhook_sender_reaches_webhooks_and_records_and_no_calendar() -> None:
    written = granted_to(resources("AWS::IAM::Role")["WebhookSenderRole"])
    (tables,) = [s for s in written.values() if "dynamodb" in json.dumps(s["Action"])]
    assert tables["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [WEBHOOKS, "deliveries#*"]}}


def test_changes_come_back_to_the_notice_sender_when_the_claims_of_a_dead_one_have_run_out() -> None:
    queue = resources("AWS::SQS::Queue")["NoticeChanges"]["Properties"]
    sender = FUNCTIONS["NoticeSenderFunction"]["Properties"]
    # As the exploration of the senders has it.
    assert (queue["DelaySeconds"], queue["VisibilityTimeout"], sender["Timeout"]) == (DELAY, HIDDEN, MOST)
    assert sender["Timeout"] < NOTICE_LEASE.total_seconds() < queue["VisibilityTimeout"]
    assert sender["Timeout"] * 1000 > 2 * ENOUGH_MILLISECONDS
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["NoticeFailures", "Arn"]}
    source = resources("AWS::Lambda::EventSourceMapping")["NoticeSenderSource"]["Properties"]
    assert source["FunctionName"] == {"Ref": "NoticeSenderFunction.Alias"}
    assert source["EventSourceArn"] == {"Fn::GetAtt": ["NoticeChanges", "Arn"]}
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_notice_sender_writes_what_was_told_and_nothing_else() -> None:
    written = granted_to(resources("AWS::IAM::Role")["NoticeSenderRole"])
    writes = [s for s in written.values() if "dynamodb:UpdateItem" in s["Action"]]
    assert [s["Condition"] for s in writes] == [
        {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [keys]}} for keys in (f"{NOTICES}*", "undeliverable#*")
    ]
    assert not any("dynamodb:PutItem" in s["Action"] or "dynamodb:DeleteItem" in s["Action"] for s in written.values())


def test_notices_are_there_where_people_are_reached_alone() -> None:
    of_notices = {name: r for name, r in template()["Resources"].items() if name.startswith("Notice")}
    watches = {"ReachesPeople", "WatchesPeople", "WatchesNewVersionsOfNotices"}
    assert len(of_notices) > 8
    assert {r["Condition"] for r in of_notices.values()} == watches
    default = template()["Parameters"]["Notices"]["Default"].split(",")
    assert default == [*NoticeKind]


def test_only_the_local_stack_may_call_its_own_machine() -> None:
    assert template()["Parameters"]["WebhookTargets"]["AllowedValues"] == [*Targets]
    assert template()["Parameters"]["WebhookTargets"]["Default"] == Targets.PUBLIC
    rule = template()["Rules"]["WebhooksStayOnTheInternet"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "WebhookTargets"}, "loopback"]}
    assert rule["Assertions"][0]["Assert"] == {"Fn::Equals": [{"Ref": "Stage"}, "local"]}
    assert {stage: stage_parameters(stage).get("WebhookTargets", "public") for stage in STAGES} == {
        "default": "public", "local": "loopback", "dev": "public", "prod": "public",
    }  # fmt: skip


# --- tables, topic, API ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", resources("AWS::DynamoDB::Table"))
def test_tables_are_recoverable_encrypted_and_expire(name: str) -> None:
    table = resources("AWS::DynamoDB::Table")[name]
    assert table["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert table["Properties"]["SSESpecification"]["SSEEnabled"] is True
    assert table["Properties"]["TimeToLiveSpecification"] == {"AttributeName": "expiresAt", "Enabled": True}
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_indexes() -> None:
    indexes = {
        table: {
            index["IndexName"]: [key["AttributeName"] for key in index["KeySchema"]]
            for index in resource["Properties"]["GlobalSecondaryIndexes"]
        }
        for table, resource in resources("AWS::DynamoDB::Table").items()
    }
    assert indexes == {
        "AppointmentsTable": {
            USER_INDEX: ["userId", "startTime"],
            DUE_INDEX: ["reminderShard", "nextReminderAt"],
            SERVICE_INDEX: ["serviceId", "startTime"],
        },
        "CalendarsTable": {CONFIGURED_INDEX: ["day", "updatedAt"]},
    }


@pytest.mark.parametrize(
    ("kind", "policies", "listed"),
    [("AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "Topics"), ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "Queues")],
)
def test_topics_and_queues_are_encrypted_with_a_key_of_our_own_and_on_their_way(
    kind: str, policies: str, listed: str
) -> None:
    guarded = set()
    for policy in resources(policies).values():
        (name,) = (ref["Ref"] for ref in policy["Properties"][listed])
        denied = [s for s in policy["Properties"]["PolicyDocument"]["Statement"] if s.get("Effect") == "Deny"]
        assert [s["Condition"] for s in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]
        assert denied[0]["Principal"] == "*"
        assert name in json.dumps(denied[0]["Resource"])
        guarded.add(name)
    assert guarded == resources(kind).keys()
    for resource in resources(kind).values():
        assert resource["Properties"]["KmsMasterKeyId"] == {"Ref": "MessagingKey"}


def test_the_name_that_an_sms_begins_with_is_the_one_that_is_counted() -> None:
    topic = resources("AWS::SNS::Topic")["NotificationTopic"]
    assert topic["Properties"]["DisplayName"].upper() + "> " == SMS_PREFIX


def test_every_key_is_rotated_that_kms_rotates() -> None:
    for key in resources("AWS::KMS::Key").values():
        rotates = key["Properties"].get("EnableKeyRotation", False)
        assert rotates is not key["Properties"].get("KeySpec", "SYMMETRIC_DEFAULT").startswith("HMAC")


def test_the_key_is_for_eventbridge_topics_and_alarms_and_no_one_else() -> None:
    key = resources("AWS::KMS::Key")["MessagingKey"]
    uses: dict[str, Any] = {}
    for statement in key["Properties"]["KeyPolicy"]["Statement"]:
        plain = statement["Fn::If"][1] if "Fn::If" in statement else statement
        for principal in plain["Principal"].values():
            uses[json.dumps(principal)] = plain
    root = '{"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}'
    services = ("events", "sns", "cloudwatch", "ses")
    assert uses.keys() == {root, *(f'"{service}.amazonaws.com"' for service in services)}
    for principal, statement in uses.items():
        if principal != root:
            assert statement["Action"] == ["kms:GenerateDataKey", "kms:Decrypt"]
    ours = {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert uses['"sns.amazonaws.com"']["Condition"]["StringEquals"] == ours
    assert uses['"cloudwatch.amazonaws.com"']["Condition"]["StringEquals"] == ours
    # EventBridge sends KMS no account: a condition on it would drop every dead letter. So does SES.
    assert "Condition" not in uses['"events.amazonaws.com"'] | uses['"ses.amazonaws.com"']


def test_the_api_is_closed_and_throttled_unless_told_otherwise() -> None:
    assert template()["Parameters"]["Auth"]["Default"] == "iam"
    api = resources("AWS::Serverless::Api")["Api"]["Properties"]
    settings, *of_links = api["MethodSettings"]
    assert settings["ThrottlingRateLimit"] == {"Ref": "ThrottleRate"}
    by_path = dict(api["DefinitionBody"]["paths"])
    # Links and pages alone need no sign-in: each a resource of its own, which is throttled apart.
    unsigned = {
        (path, method)
        for path in by_path.keys() - {"/", "/{proxy+}"}
        for method, one in by_path.pop(path).items()
        if one["security"] == []
    }
    # What visitors book shares one.
    routes = [
        (re.sub("^/book/.*", "/book/{proxy+}", route.path), route.method.lower())
        for route in ROUTES
        if route.path.split("/")[1] in OPEN
    ]
    assert unsigned == {*routes} | {(path, "head") for path, method in routes if method == "get"}
    assert sorted((one["ResourcePath"], one["HttpMethod"].lower()) for one in of_links) == sorted(
        ("/" + path.replace("/", "~1"), method) for path, method in unsigned
    )
    assert all(one["ThrottlingRateLimit"] == {"Ref": "LinkThrottleRate"} for one in of_links)
    assert all(one["ThrottlingBurstLimit"] == {"Ref": "LinkThrottleBurst"} for one in of_links)
    paths = by_path.values()
    secured = [path[method]["security"] for path in paths for method in path if method != "options"]
    assert len(secured) == 12
    pool = {"Fn::If": ["AuthIsCognito", [{"userPool": []}], {"Ref": "AWS::NoValue"}]}
    assert all(security == {"Fn::If": ["AuthIsIam", [{"sigv4": []}], pool]} for security in secured)
    # A browser's question, the one thing that is answered without credentials, and only where pages are let in.
    asked = [path["options"]["security"]["Fn::If"] for path in paths]
    assert asked == [["AllowsCors", {"Ref": "AWS::NoValue"}, secured[0]]] * 2
    assert template()["Parameters"]["CorsOrigin"]["Default"] == ""


def test_tokens_are_checked_by_api_gateway_against_the_pool_of_this_stack() -> None:
    schemes = resources("AWS::Serverless::Api")["Api"]["Properties"]["DefinitionBody"]["components"]["securitySchemes"]
    condition, scheme, otherwise = schemes["userPool"]["Fn::If"]
    assert (condition, otherwise) == ("AuthIsCognito", {"Ref": "AWS::NoValue"})
    assert scheme["x-amazon-apigateway-authorizer"] == {
        "type": "cognito_user_pools",
        "providerARNs": [{"Fn::GetAtt": ["UserPool", "Arn"]}],
    }
    assert schemes["sigv4"]["x-amazon-apigateway-authtype"] == "awsSigv4"
    environment = FUNCTIONS["ConflictDetectorFunction"]["Properties"]["Environment"]["Variables"]
    assert environment["AUTH"] == {"Ref": "Auth"}
    assert environment["AUTH_CLIENT_ID"] == {"Fn::If": ["AuthIsCognito", {"Ref": "UserPoolClient"}, ""]}
    assert set(template()["Parameters"]["Auth"]["AllowedValues"]) == set(Auth)


def test_people_sign_themselves_up_nowhere_and_become_schedulers_nowhere() -> None:
    (pool,) = resources("AWS::Cognito::UserPool").values()
    assert pool["Properties"]["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    assert (pool["DeletionPolicy"], pool["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    client, desk = resources("AWS::Cognito::UserPoolClient").values()
    assert "ALLOW_USER_PASSWORD_AUTH" not in client["Properties"]["ExplicitAuthFlows"]
    assert desk["Properties"]["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]
    (group,) = resources("AWS::Cognito::UserPoolGroup").values()
    assert group["Properties"]["GroupName"] == SCHEDULERS
    kinds = ("AWS::Cognito::UserPool", "AWS::Cognito::UserPoolGroup")
    assert all(r["Condition"] == "AuthIsCognito" for kind in kinds for r in resources(kind).values())
    assert (client["Condition"], desk["Condition"]) == ("AuthIsCognito", "SignsInAtTheDesk")


def test_the_desk_signs_people_in_without_a_secret_and_sends_them_back_to_itself_only() -> None:
    _, desk = resources("AWS::Cognito::UserPoolClient").values()
    properties = desk["Properties"]
    assert (properties["GenerateSecret"], properties["AllowedOAuthFlows"]) == (False, ["code"])
    # A token for the API, and none that reads or changes the account of who signed in.
    assert properties["AllowedOAuthScopes"] == ["openid"]
    assert properties["CallbackURLs"] == properties["LogoutURLs"] == [{"Fn::Sub": "${LinkBase}/desk"}]
    signs_in = template()["Conditions"]["SignsInAtTheDesk"]["Fn::And"]
    assert signs_in == [{"Condition": "AuthIsCognito"}, {"Fn::Not": [{"Fn::Equals": [{"Ref": "UserPoolDomain"}, ""]}]}]
    (assertion,) = template()["Rules"]["TheDeskNeedsItsAddress"]["Assertions"]
    assert assertion["Assert"]["Fn::And"][1] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "LinkBase"}, ""]}]}
    (domain,) = resources("AWS::Cognito::UserPoolDomain").values()
    assert (domain["Condition"], domain["Properties"]["Domain"]) == ("SignsInAtTheDesk", {"Ref": "UserPoolDomain"})
    environment = FUNCTIONS["ConflictDetectorFunction"]["Properties"]["Environment"]["Variables"]
    assert environment["DESK_CLIENT_ID"] == {"Fn::If": ["SignsInAtTheDesk", {"Ref": "DeskClient"}, ""]}


def test_the_user_pool_mails_through_ses_where_a_sender_is_given() -> None:
    """Cognito's own sender takes 50 messages a day, invitations included."""
    (pool,) = resources("AWS::Cognito::UserPool").values()
    condition, email, otherwise = pool["Properties"]["EmailConfiguration"]["Fn::If"]
    assert (condition, otherwise) == ("SendsUserPoolEmail", {"Ref": "AWS::NoValue"})
    assert email["EmailSendingAccount"] == "DEVELOPER"
    assert email["SourceArn"]["Fn::Sub"].endswith(":identity/${UserPoolEmailIdentity}")
    (assertion,) = template()["Rules"]["ASenderNeedsItsIdentity"]["Assertions"]
    assert assertion["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "UserPoolEmailIdentity"}, ""]}]}
    assert pool["Properties"]["UserPoolTier"] == {"Ref": "UserPoolTier"}
    assert pool["Properties"]["MfaConfiguration"] == {"Ref": "UserPoolMfa"}
    assert template()["Parameters"]["UserPoolMfa"]["AllowedValues"] == ["OPTIONAL", "ON"]  # and no YAML true


def test_one_address_can_be_kept_from_using_up_the_throttle_of_all() -> None:
    (acl,) = resources("AWS::WAFv2::WebACL").values()
    (rule,) = acl["Properties"]["Rules"]
    limit = rule["Statement"]["RateBasedStatement"]
    assert limit == {"AggregateKeyType": "IP", "EvaluationWindowSec": 300, "Limit": {"Ref": "RequestsPerAddress"}}
    assert rule["Action"] == {"Block": {}}  # with an answer of its own, WAF would pass over the API's
    (association,) = resources("AWS::WAFv2::WebACLAssociation").values()
    assert association["Condition"] == acl["Condition"] == "LimitsAddresses"
    assert template()["Parameters"]["RequestsPerAddress"]["Default"] == "0"
    accepted = template()["Parameters"]["RequestsPerAddress"]["AllowedPattern"]
    assert [value for value in ("0", "9", "10", "3000") if re.fullmatch(accepted, value)] == ["0", "10", "3000"]
    api = resources("AWS::Serverless::Api")["Api"]["Properties"]
    assert api["DefinitionBody"]["x-amazon-apigateway-gateway-responses"]["WAF_FILTERED"]["statusCode"] == 429


def test_the_api_is_reached_in_its_region() -> None:
    """Edge-optimized is the default, and leads callers of the region through a distribution."""
    assert resources("AWS::Serverless::Api")["Api"]["Properties"]["EndpointConfiguration"] == {"Type": "REGIONAL"}


def test_every_deployment_deploys_the_api() -> None:
    """Or the stage would serve what it served before a parameter closed it."""
    assert resources("AWS::Serverless::Api")["Api"]["Properties"]["AlwaysDeploy"] is True


def test_no_stage_but_local_opens_the_api() -> None:
    opened = [stage for stage in STAGES if stage_parameters(stage).get("Auth") == "none"]
    assert opened == ["local"]
    (assertion,) = template()["Rules"]["OpenOnlyOnTheLocalEngine"]["Assertions"]
    assert assertion["Assert"] == {"Fn::Equals": [{"Ref": "Stage"}, "local"]}


# --- parameters and stages ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", template()["Parameters"])
def test_every_parameter_is_described_and_bounded(name: str) -> None:
    parameter = template()["Parameters"][name]
    assert parameter["Description"]
    assert parameter.keys() & {"AllowedValues", "AllowedPattern", "MinValue"}


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_gives_parameters_that_the_template_takes(stage: str) -> None:
    for name, value in stage_parameters(stage).items():
        parameter = template()["Parameters"][name]
        allowed = [str(choice) for choice in parameter.get("AllowedValues", [value])]
        assert value in allowed
        assert re.fullmatch(parameter.get("AllowedPattern", ".*"), value)
        if parameter["Type"] == "Number":
            assert parameter.get("MinValue", 0) <= int(value) <= parameter.get("MaxValue", 10**6)


@pytest.mark.parametrize("stage", STAGES)
def test_a_new_account_can_deploy_every_stage(stage: str) -> None:
    """It may run 10 instances of functions, of which none can be reserved."""
    assert template()["Parameters"]["ReservedConcurrency"]["Default"] == 0
    assert stage_parameters(stage).get("ReservedConcurrency", "0") == "0"
    reserved = {
        name: function["Properties"].get("ReservedConcurrentExecutions") for name, function in FUNCTIONS.items()
    }
    none = {"Ref": "AWS::NoValue"}
    assert reserved == {
        "ConflictDetectorFunction": {"Fn::If": ["ReservesConcurrency", {"Ref": "ReservedConcurrency"}, none]},
        "ReminderSenderFunction": None,
        "ReminderSweepFunction": {"Fn::If": ["ReservesConcurrency", 1, none]},
        "EventRelayFunction": None,
        "WebhookSenderFunction": None,
        "NoticeSenderFunction": None,
        "ReachFeedbackFunction": None,
        "SmsRepliesFunction": None,
    }
    # It leaves half of them to the others, whatever its receivers do.
    source = resources("AWS::Lambda::EventSourceMapping")["WebhookSenderSource"]["Properties"]
    assert source["ScalingConfig"] == {"MaximumConcurrency": {"Fn::If": ["ReservesConcurrency", 50, 5]}}
    source = resources("AWS::Lambda::EventSourceMapping")["NoticeSenderSource"]["Properties"]
    assert source["ScalingConfig"] == {"MaximumConcurrency": {"Fn::If": ["ReservesConcurrency", 20, 2]}}


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_transforms(stage: str) -> None:
    kinds = {resource["Type"] for resource in transformed(stage).values()}
    assert {"AWS::ApiGateway::RestApi", "AWS::Lambda::Function", "AWS::Lambda::EventInvokeConfig"} <= kinds


# --- versions ----------------------------------------------------------------------------------------


def test_what_invokes_a_function_invokes_its_alias() -> None:
    """Or a new version would get the whole load at once, and one that fails could not be taken back."""
    text = json.dumps(template())
    for name in FUNCTIONS:
        assert f'"{name}.Alias"' in text
        assert f'["{name}", "Arn"]' not in text
        assert f"{name}.Arn" not in text
    assert template()["Globals"]["Function"]["AutoPublishAlias"] == "live"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_changed_setting_makes_a_new_version(name: str) -> None:
    """Or the alias would keep a version that knows the old settings.

    SAM sees what changes in the template, CloudFormation a description that names what changes by parameter. It must
    name no other: a version that differs in nothing is none, and the deployment would fail.
    """
    function = FUNCTIONS[name]["Properties"]
    assert function["AutoPublishAliasAllProperties"] is True
    in_a_version = template()["Globals"]["Function"] | {
        key: value
        for key, value in function.items()
        if key
        in ("Handler", "SnapStart", "Timeout", "MemorySize", "Environment", "Description", "Role", "LoggingConfig")
    }
    variables = template()["Globals"]["Function"]["Environment"]["Variables"] | function["Environment"]["Variables"]
    written = json.dumps([in_a_version | {"DeploymentPreference": None}, variables])
    conditions = {name: json.dumps(condition) for name, condition in template()["Conditions"].items()}
    written += "".join(text for condition, text in conditions.items() if f'"Fn::If": ["{condition}"' in written)
    for _ in conditions:  # as deep as they rest on each other
        written += "".join(text for name, text in conditions.items() if f'{{"Condition": "{name}"}}' in written)
    reached = {parameter for parameter in template()["Parameters"] if f'{{"Ref": "{parameter}"}}' in written}
    # Several that belong together share a name, because there is little room.
    named = re.findall(r"(?:(\w+)=|/|^)\$\{(\w+)\}", function["VersionDescription"]["Fn::Sub"])
    assert {parameter for _, parameter in named} == reached
    assert all(label in (parameter, "") for label, parameter in named)
    (version,) = [r for n, r in transformed("prod").items() if n.startswith(f"{name}Version")]
    assert version["Properties"]["Description"] == function["VersionDescription"]
    assert version["DeletionPolicy"] == version["UpdateReplacePolicy"] == "Retain"  # so that one can go back


def longest(parameter: dict[str, Any]) -> int:
    """The most characters that a value of a parameter has."""
    if "AllowedValues" in parameter:
        return max(len(str(value)) for value in parameter["AllowedValues"])
    if "MaxLength" in parameter:
        return int(parameter["MaxLength"])
    if "MaxValue" in parameter:
        return len(str(parameter["MaxValue"]))
    bounded = parameter["AllowedPattern"].replace("\\.", ".").replace("[1-9]", "1")
    assert re.fullmatch(r"[a-z0-9.]+", bounded), "a pattern without a MaxLength must match one length only"
    return len(bounded)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_description_of_a_version_is_never_too_long(name: str) -> None:
    """Lambda takes 256 characters, and the deployment would fail at the function."""
    written = FUNCTIONS[name]["Properties"]["VersionDescription"]["Fn::Sub"]
    parameters = template()["Parameters"]
    assert len(re.sub(r"\$\{(\w+)\}", lambda found: "x" * longest(parameters[found[1]]), written)) <= 256


def test_the_conflict_detector_starts_from_a_snapshot_where_that_is_asked_for() -> None:
    assert template()["Parameters"]["SnapStart"]["Default"] == "off"
    snapshot = {"ApplyOn": {"Fn::If": ["StartsFromSnapshot", "PublishedVersions", "None"]}}
    with_it = [r["Properties"].get("SnapStart") for r in transformed().values() if r["Type"] == "AWS::Lambda::Function"]
    assert [found for found in with_it if found] == [snapshot]  # nobody waits for the others


@pytest.mark.parametrize("stage", STAGES)
def test_the_load_shifts_gradually_where_it_is_asked_for(stage: str) -> None:
    gradual = stage_parameters(stage).get("GradualDeployment") == "true"
    assert gradual == (stage == "prod")
    groups = [r for r in transformed(stage).values() if r["Type"] == "AWS::CodeDeploy::DeploymentGroup"]
    assert len(groups) == (len(FUNCTIONS) if gradual else 0)
    for group in groups:
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["Properties"]["AutoRollbackConfiguration"]["Events"]
        alarms = group["Properties"]["AlarmConfiguration"]["Fn::If"][1]["Alarms"]
        assert {alarm["Name"]["Ref"] for alarm in alarms} <= resources("AWS::CloudWatch::Alarm").keys()


def names_in(value: Any) -> Iterator[str]:
    """Every resource that a part of the template refers to."""
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            yield name
        case {"Fn::GetAtt": str(text)}:
            yield text.partition(".")[0]
        case {"Fn::Sub": str(text)}:
            yield from re.findall(r"\$\{(\w+)", text)
        case {"Fn::Sub": [str(text), values]}:
            yield from [*re.findall(r"\$\{(\w+)", text), *names_in(values)]
        case dict():
            for key, part in value.items():
                yield from ([part] if isinstance(part, str) else part) if key == "DependsOn" else names_in(part)
        case list():
            for part in value:
                yield from names_in(part)


@pytest.mark.parametrize("stage", STAGES)
def test_no_resource_waits_for_itself(stage: str) -> None:
    """CloudFormation refuses a circle, in which an alias waits for the alarms that watch its deployment too."""
    found = transformed(stage)
    TopologicalSorter({name: [*names_in(r)] for name, r in found.items()}).prepare()  # raises CycleError


def test_traces_are_sent_by_parameter_alone() -> None:
    assert template()["Parameters"]["Tracing"]["Default"] == "PassThrough"
    assert template()["Globals"]["Function"]["Tracing"] == {"Ref": "Tracing"}
    for name in FUNCTIONS:
        role = resources("AWS::IAM::Role")[FUNCTIONS[name]["Properties"]["Role"]["Fn::GetAtt"][0]]
        conditional = [
            s for p in role["Properties"]["Policies"] for s in p["PolicyDocument"]["Statement"] if "Fn::If" in s
        ]
        granted = [(s["Fn::If"][0], s["Fn::If"][1]["Sid"]) for s in conditional]
        assert [one for one in granted if one[0] not in REACHING] == [("Traces", "SendTraces")]


REACHING = ("ReachesPeople", "MakesLinks", "SendsEmail", "SendsSms")


def test_people_are_reached_by_parameter_alone() -> None:
    """Without EmailFrom and Sms no function reads contacts, derives digests, or may send to a person."""
    for name in ("ReminderSenderRole", "ReminderSweepRole"):
        policies = resources("AWS::IAM::Role")[name]["Properties"]["Policies"]
        statements = [s["Fn::If"] for p in policies for s in p["PolicyDocument"]["Statement"] if "Fn::If" in s]
        granted = {statement["Sid"]: condition for condition, statement, _ in statements if condition in REACHING}
        assert granted == {
            "ReadContactsAndUndeliverableAddresses": "ReachesPeople",
            "DeriveTheKeyOfDigests": "ReachesPeople",
            "MakeLinksToAppointments": "MakesLinks",
            "SendEmailFromOneAddress": "SendsEmail",
            "SendSmsToPhoneNumbers": "SendsSms",
            "MarkPhonesThatOptedOut": "SendsSms",
        }
        assert all(otherwise == {"Ref": "AWS::NoValue"} for _, _, otherwise in statements)
        (email,) = [statement for condition, statement, _ in statements if condition == "SendsEmail"]
        assert email["Condition"] == {"StringEquals": {"ses:FromAddress": {"Ref": "EmailFrom"}}}
    parameters = template()["Parameters"]
    assert (parameters["EmailFrom"]["Default"], parameters["Sms"]["Default"]) == ("", "off")


def test_ses_tells_of_what_comes_back_and_the_feedback_function_hears_it() -> None:
    (destination,) = resources("AWS::SES::ConfigurationSetEventDestination").values()
    told = destination["Properties"]["EventDestination"]
    assert (told["Enabled"], told["MatchingEventTypes"]) == (True, ["bounce", "complaint"])
    assert told["SnsDestination"] == {"TopicARN": {"Ref": "ReachFeedbackTopic"}}
    assert destination["DependsOn"] == "ReachFeedbackTopicPolicy"
    (set_,) = resources("AWS::SES::ConfigurationSet").values()
    assert {destination["Condition"], set_["Condition"]} == {"SendsEmail"}
    (subscription,) = [
        s["Properties"]
        for s in resources("AWS::SNS::Subscription").values()
        if s["Properties"]["TopicArn"] == {"Ref": "ReachFeedbackTopic"}
    ]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("lambda", {"Ref": "ReachFeedbackFunction.Alias"})
    permission = resources("AWS::Lambda::Permission")["ReachFeedbackPermission"]["Properties"]
    assert permission["SourceArn"] == {"Ref": "ReachFeedbackTopic"}
    marks = granted_to(resources("AWS::IAM::Role")["ReachFeedbackRole"])['"dynamodb:UpdateItem"']
    assert marks["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["undeliverable#*"]}}


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        ("EmailFrom", ["", "a@b.org", "first.last+x@clinic.example"], ["a", "a b@c.org", "a@b@c", "A <a@b.org>"]),
        ("EmailName", ["", "Praxis Dr. Müller"], ['"x"', "a <b>", "a@b"]),
        ("SmsSenderId", ["", "CLINIC", "+4915112345678"], ["a b", "longerthan11", "+49x"]),
        ("DefaultLocale", ["en", "de-CH"], ["", "EN", "de_CH", "deu"]),
        ("LinkBase", ["", "https://a.example/prod", "http://127.0.0.1:3000"], ["https://a.example/", "ftp://x", "a"]),
        ("Texts", ["", "own", "clinic-1"], ["..", "a/b", "A", "-x"]),
    ],
)
def test_what_the_parameters_of_reaching_people_accept(parameter: str, good: list[str], bad: list[str]) -> None:
    pattern = template()["Parameters"][parameter]["AllowedPattern"]
    assert [value for value in (*good, *bad) if re.fullmatch(pattern, value)] == good


# --- capacity ----------------------------------------------------------------------------------------


def test_every_table_and_index_has_the_capacity_of_the_parameters() -> None:
    capacity = {
        "Fn::If": [
            "IsProvisioned",
            {"ReadCapacityUnits": {"Ref": "ReadCapacity"}, "WriteCapacityUnits": {"Ref": "WriteCapacity"}},
            {"Ref": "AWS::NoValue"},
        ]
    }
    for table in resources("AWS::DynamoDB::Table").values():
        assert table["Properties"]["BillingMode"] == {"Ref": "BillingMode"}
        holders = [table["Properties"], *table["Properties"].get("GlobalSecondaryIndexes", [])]
        assert [holder["ProvisionedThroughput"] for holder in holders] == [capacity] * len(holders)


@pytest.mark.parametrize("stage", STAGES)
def test_the_stages_on_aws_follow_the_load(stage: str) -> None:
    """Provisioned is the default; nothing raises it by itself."""
    given = stage_parameters(stage).get("BillingMode", template()["Parameters"]["BillingMode"]["Default"])
    assert given == ("PAY_PER_REQUEST" if stage in ("dev", "prod") else "PROVISIONED")


def test_tables_are_protected_from_deletion_in_prod() -> None:
    for table in resources("AWS::DynamoDB::Table").values():
        assert table["Properties"]["DeletionProtectionEnabled"] == {"Fn::If": ["IsProd", True, False]}


# --- naive and aware datetimes -----------------------------------------------------------------------


def test_no_source_makes_a_naive_datetime() -> None:
    """Comparing naive with aware raises at run time; ruff's DTZ rules keep naive ones from being made."""
    command = [sys.executable, "-m", "ruff", "check", "--select", "DTZ", "--no-cache", "--ignore-noqa", "src"]
    subprocess.run(command, check=True, cwd=ROOT, timeout=60)


def test_nothing_logs_the_query_of_a_request() -> None:
    """It may hold the address of a person."""
    api = resources("AWS::Serverless::Api")["Api"]["Properties"]
    assert api.keys().isdisjoint({"AccessLogSetting", "CanarySetting"})
    for settings in api["MethodSettings"]:
        assert settings.keys().isdisjoint({"LoggingLevel", "DataTraceEnabled"})
    acl = resources("AWS::WAFv2::WebACL")["AddressLimit"]["Properties"]
    for part in (acl, *acl["Rules"]):
        assert part["VisibilityConfig"]["SampledRequestsEnabled"] is False
    assert not resources("AWS::WAFv2::LoggingConfiguration")


def test_the_relay_gets_contacts_also_when_they_are_removed() -> None:
    patterns = [
        json.loads(one["Pattern"])
        for one in resources("AWS::Lambda::EventSourceMapping")["CalendarsStream"]["Properties"]["FilterCriteria"][
            "Filters"
        ]
    ]
    assert {"dynamodb": {"Keys": {"day": {"S": [CONTACT]}}}} in patterns
