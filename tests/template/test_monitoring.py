"""Alarms and dashboard, which the embedded engine does not know: what they read exists, and what they say is there."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from monitoring.__main__ import BEGIN, with_monitoring
from monitoring.table import CHARTS, EVENTS, FIGURES
from support import ROOT, STAGES, resources, stage_parameters, template

if TYPE_CHECKING:
    from collections.abc import Callable

ALARMS = resources("AWS::CloudWatch::Alarm")
RUNBOOK = (ROOT / "docs" / "operations.md").read_text()
OURS = "Appointments/${AWS::StackName}"
COUNTED = {
    r["Properties"]["MetricTransformations"][0]["MetricName"] for r in resources("AWS::Logs::MetricFilter").values()
}
# Metrics of AWS that are in use here, and what their dimensions must name.
OF_AWS: dict[str, tuple[set[str], dict[str, str | None]]] = {
    "AWS/Lambda": ({"Errors", "Throttles", "Duration", "IteratorAge"}, {"FunctionName": "AWS::Serverless::Function"}),
    "AWS/SQS": (
        {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"},
        {"QueueName": "AWS::SQS::Queue"},
    ),
    "AWS/DynamoDB": ({"ReadThrottleEvents", "WriteThrottleEvents"}, {"TableName": "AWS::DynamoDB::Table"}),
    "AWS/SES": (
        {"Reputation.BounceRate", "Reputation.ComplaintRate"},
        {"ses:configuration-set": "AWS::SES::ConfigurationSet"},
    ),
    "AWS/SNS": ({"SMSMonthToDateSpentUSD"}, {}),
    "AWS/ApiGateway": ({"5XXError"}, {"ApiName": None, "Stage": None}),
}


def metrics_of(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """The metrics that an alarm reads, whether it is one or math over several."""
    if "MetricName" in alarm["Properties"]:
        return [alarm["Properties"]]
    return [part["MetricStat"]["Metric"] for part in alarm["Properties"]["Metrics"] if "MetricStat" in part]


def headings(text: str) -> set[str]:
    """The anchors of a Markdown file."""
    found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in found}


def dashboard_as_written() -> str:
    (resource,) = resources("AWS::CloudWatch::Dashboard").values()
    return str(resource["Properties"]["DashboardBody"]["Fn::Sub"])


def dashboard() -> Any:
    """Its body as JSON: numbers that are parameters are 0, and other references stay."""
    return json.loads(re.sub(r"\$\{\w+\}(?=[,}\]])", "0", dashboard_as_written()))


def text_of(value: Any) -> str:
    return str(value["Fn::Sub"] if isinstance(value, dict) else value)


def test_the_template_holds_what_the_table_says() -> None:
    """After a change of monitoring/table.py: `make monitoring`."""
    written = (ROOT / "template.yaml").read_text()
    assert with_monitoring(written) == written


def test_a_template_without_the_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="two marks"):
        with_monitoring((ROOT / "template.yaml").read_text().replace(BEGIN, ""))


def test_every_row_of_the_table_is_counted_once() -> None:
    metrics = [row.metric for row in (*EVENTS, *FIGURES)]
    assert len(set(metrics)) == len(metrics)
    assert set(metrics) == COUNTED
    filters = resources("AWS::Logs::MetricFilter")
    by_version = [event for event in EVENTS if event.by_version]
    assert len(filters) == sum(len(row.sources) for row in (*EVENTS, *FIGURES)) + len(by_version)
    assert {event.chart for event in EVENTS if event.chart} <= {chart.title for chart in CHARTS}


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_reads_a_metric_that_somebody_writes(name: str) -> None:
    for metric in metrics_of(ALARMS[name]):
        namespace = text_of(metric["Namespace"])
        if namespace == OURS:
            assert metric["MetricName"] in COUNTED
            # A metric filter without dimensions writes none, and one with them needs all.
            given = {dimension["Name"] for dimension in metric.get("Dimensions", [])}
            assert given in [
                {dimension["Key"] for dimension in transformation.get("Dimensions", [])}
                for found in resources("AWS::Logs::MetricFilter").values()
                for transformation in found["Properties"]["MetricTransformations"]
                if transformation["MetricName"] == metric["MetricName"]
            ]
            continue
        metric_names, kinds = OF_AWS[namespace]
        assert metric["MetricName"] in metric_names
        dimensions = {dimension["Name"]: dimension["Value"] for dimension in metric.get("Dimensions", [])}
        index = dimensions.pop("GlobalSecondaryIndexName", None)
        if "ExecutedVersion" in dimensions:
            function = dimensions["FunctionName"]["Ref"]
            assert dimensions.pop("ExecutedVersion") == {"Fn::GetAtt": [function, "Version.Version"]}
            assert dimensions.pop("Resource") == {"Fn::Sub": f"${{{function}}}:live"}
        assert dimensions.keys() == kinds.keys()
        for dimension, kind in kinds.items():
            value = dimensions[dimension]
            referred = value.get("Ref") or value["Fn::GetAtt"][0]
            if kind:
                assert referred in resources(kind)
                if index:
                    indexes = resources(kind)[referred]["Properties"]["GlobalSecondaryIndexes"]
                    assert index in [found["IndexName"] for found in indexes]


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_tells_somebody_what_it_means_and_what_to_do(name: str) -> None:
    properties = ALARMS[name]["Properties"]
    assert properties["AlarmActions"] == properties["OKActions"] == [{"Ref": "OperationsTopic"}]
    assert properties["TreatMissingData"] in ("notBreaching", "breaching")
    assert (properties["TreatMissingData"] == "breaching") == (name == "SweepNotRunningAlarm")
    # CloudWatch may use the key for alarms of this name only.
    assert re.fullmatch(r"\$\{AWS::StackName\}-[a-z0-9-]+", properties["AlarmName"]["Fn::Sub"])
    description = text_of(properties["AlarmDescription"])
    assert 100 < len(description) < 1024
    anchor = re.search(r"docs/operations\.md#([a-z0-9-]+)$", description.strip())
    assert anchor
    assert anchor[1] in headings(RUNBOOK)
    assert properties["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}-") in RUNBOOK


def test_a_gradual_deployment_is_taken_back_by_the_new_version_alone() -> None:
    """An alarm that rings for the version before would take back the fix."""
    for name, function in resources("AWS::Serverless::Function").items():
        watches = {
            None: "WatchesNewVersions",
            "ReachesPeople": "WatchesNewVersionsOfNotices",
            "HearsSmsReplies": "WatchesNewVersionsOfSmsReplies",
        }[function.get("Condition")]
        condition, alarms, otherwise = function["Properties"]["DeploymentPreference"]["Alarms"]["Fn::If"]
        assert (condition, otherwise) == (watches, [{"Ref": "AWS::NoValue"}])
        assert alarms
        for alarm in (ALARMS[ref["Ref"]] for ref in alarms):
            assert alarm["Condition"] == watches
            assert f'["{name}", "Version.Version"]' in json.dumps(alarm["Properties"]["Dimensions"])
            # A deployment takes five minutes, and is watched for no longer.
            assert alarm["Properties"]["Period"] * alarm["Properties"]["EvaluationPeriods"] == 300
            assert alarm["Properties"]["Period"] * alarm["Properties"]["DatapointsToAlarm"] < 300
    watching = {name for name, alarm in ALARMS.items() if alarm["Condition"].startswith("WatchesNewVersions")}
    used = json.dumps(resources("AWS::Serverless::Function"))
    assert all(f'"{name}"' in used for name in watching)


@pytest.mark.parametrize("name", [name for name in ALARMS if "Metrics" in ALARMS[name]["Properties"]])
def test_metric_math_returns_one_series_over_what_it_reads(name: str) -> None:
    parts = ALARMS[name]["Properties"]["Metrics"]
    (expression,) = [part for part in parts if part.get("ReturnData", True)]
    read = {part["Id"] for part in parts if part is not expression}
    names = set(re.findall(r"[a-z][A-Za-z]*", re.sub(r"\$\{\w+\}", "", text_of(expression["Expression"]))))
    assert names == read
    assert len(parts) <= 10


def success_rate(**counts: int) -> float:
    """The alarm's expression, on made-up five minutes by metric. CloudWatch's IF is Python's, turned around."""
    expression, *read = ALARMS["BookingSuccessRateAlarm"]["Properties"]["Metrics"]
    match = re.fullmatch(r"IF\((.+), (.+), (\d+)\)", text_of(expression["Expression"]))
    assert match
    condition, rate, otherwise = match.groups()
    values = {part["Id"]: counts.get(part["MetricStat"]["Metric"]["MetricName"], 0) for part in read}
    return float(eval(f"({rate}) if ({condition}) else {otherwise}", {"__builtins__": {}}, values))


def success_rate_on_the_dashboard(**counts: int) -> float:
    (series,) = [
        w["properties"]["metrics"] for w in dashboard()["widgets"] if "success rate" in w["properties"]["title"]
    ]
    ((expression,), *read) = series
    values = {options["id"]: counts.get(name, 0) for _, name, options in read}
    return float(eval(expression["expression"], {"__builtins__": {}}, values))


def test_the_success_rate_is_quiet_at_low_traffic() -> None:
    assert success_rate(BookingConflict=5, BookingRejected=5, BookingError=9) == 100
    assert success_rate(BookingConflict=5, BookingRejected=5, BookingError=10) == 0
    assert success_rate() == 100


@pytest.mark.parametrize("rate", [success_rate, success_rate_on_the_dashboard])
def test_the_success_rate_is_that_of_booking_and_moving(rate: Callable[..., float]) -> None:
    assert rate(BookingSuccess=89, BookingConflict=11) == 89
    assert rate(AppointmentRescheduled=80, BookingConflict=20) == 80
    assert (
        rate(BookingSuccess=60, AppointmentRescheduled=15, BookingConflict=5, BookingRejected=10, BookingError=10) == 75
    )
    assert rate(BookingSuccess=50, AppointmentCancelled=50) == 100


def test_the_alarms_that_are_asked_for_are_there() -> None:
    watched = {(text_of(m["Namespace"]), m["MetricName"]) for alarm in ALARMS.values() for m in metrics_of(alarm)}
    assert watched >= {
        (OURS, "BookingSuccess"),
        (OURS, "BookingError"),
        ("AWS/Lambda", "Errors"),
        ("AWS/Lambda", "Throttles"),
        ("AWS/Lambda", "Duration"),
        ("AWS/ApiGateway", "5XXError"),
        (OURS, "ReminderError"),
        (OURS, "ReminderLateness"),
        (OURS, "SweepOverdue"),
        (OURS, "ReminderRules"),
        (OURS, "RequestsWaiting"),
        ("AWS/DynamoDB", "WriteThrottleEvents"),
    }
    for queue in resources("AWS::SQS::Queue").keys() - {
        "WebhookDeliveries",
        "NoticeChanges",
    }:  # all others hold what failed
        on_queue = [m["MetricName"] for alarm in ALARMS.values() for m in metrics_of(alarm) if queue in json.dumps(m)]
        assert sorted(on_queue) == ["ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"]
    for table in resources("AWS::DynamoDB::Table"):
        assert any(table in json.dumps(alarm) for alarm in ALARMS.values())


def test_every_series_on_the_dashboard_exists() -> None:
    written = dashboard_as_written()
    for name in re.findall(r"\$\{([A-Za-z.:]+)\}", written):
        known = template()["Resources"].keys() | template()["Parameters"].keys()
        assert name.startswith("AWS::") or name.partition(".")[0] in known
    widgets = dashboard()["widgets"]
    corners = [(widget["x"], widget["y"]) for widget in widgets]
    assert len(set(corners)) == len(corners)
    shown = set()
    for widget in widgets:
        for *texts, _ in widget["properties"]["metrics"]:
            if texts:  # or it is an expression
                shown.add((texts[0], texts[1]))
    assert {name for namespace, name in shown if namespace == OURS} >= COUNTED - {
        "ReminderSkipped",
        "RuleCleaned",
        "ReminderLateness",
    }
    assert {name for namespace, name in shown if namespace == OURS} <= COUNTED
    assert (OURS, "ReminderLateness") in shown


@pytest.mark.parametrize("stage", STAGES)
def test_monitoring_is_left_out_of_the_local_stack_alone(stage: str) -> None:
    assert stage_parameters(stage).get("Monitoring", "on") == ("off" if stage == "local" else "on")
    conditions = template()["Conditions"]
    for resource in template()["Resources"].values():
        if resource["Type"].startswith("AWS::CloudWatch::") or "Operations" in json.dumps(resource.get("Properties")):
            assert '"IsMonitored"' in json.dumps([resource["Condition"], conditions[resource["Condition"]]])


def test_only_alarms_of_this_stack_publish_to_the_operations_topic() -> None:
    (policy,) = [p for n, p in resources("AWS::SNS::TopicPolicy").items() if n == "OperationsTopicPolicy"]
    (allowed,) = [s for s in policy["Properties"]["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allowed["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Sub"].endswith(":alarm:${AWS::StackName}-*")
