"""`make monitoring`: write the rows of `table.py` into `template.yaml`, between its two marks."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from monitoring.shapes import Alarm, Chart, Event, Figure, Metric, Series, Source
from monitoring.table import ALARMS, CHARTS, EVENTS, FIGURES, OURS

TEMPLATE = Path(__file__).resolve().parent.parent / "template.yaml"
BEGIN = "  # BEGIN of what `make monitoring` writes from monitoring/table.py: change it there.\n"
END = "  # END of what `make monitoring` writes.\n"
COMPARISONS = {
    ">=": "GreaterThanOrEqualToThreshold",
    ">": "GreaterThanThreshold",
    "<": "LessThanThreshold",
}
OPERATIONS = "OperationsTopic"


class Tagged(NamedTuple):
    """A value with a short intrinsic function: `!Ref`, `!Sub`, `!GetAtt`."""

    tag: str
    text: str


def resolved(text: str) -> str | Tagged:
    """A text as CloudFormation must be given it, `${…}` being references."""
    if whole := re.fullmatch(r"\$\{([\w:]+)((?:\.\w+)*)\}", text):
        return Tagged("!GetAtt" if whole[2] else "!Ref", text[2:-1])
    return Tagged("!Sub", text) if "${" in text else text


# --- metric filters ----------------------------------------------------------------------------------------


def metric_filter(source: Source, terms: list[str], metric: str, **more: Any) -> dict[str, Any]:
    """A filter that publishes a metric for each line of a log group that meets every term."""
    transformation = {"MetricNamespace": resolved(OURS), "MetricName": metric} | more
    return {
        "Type": "AWS::Logs::MetricFilter",
        **({"Condition": source.condition} if source.condition else {}),
        "Properties": {
            "LogGroupName": Tagged("!Ref", source.log_group),
            "FilterPattern": f"{{ {' && '.join(terms)} }}",
            "MetricTransformations": [transformation],
        },
    }


def filters_of(row: Event | Figure) -> dict[str, Any]:
    """A filter for each source; the first one's is named after the metric alone."""
    if isinstance(row, Event):
        terms, more = [f'$.event_type = "{row.type}"'], {"MetricValue": "1", "DefaultValue": 0, "Unit": "Count"}
    else:
        # CloudWatch keeps no percentiles of a metric that was ever negative: a reminder sent early is not late.
        terms = [f'$.event_type = "{row.event}"'] if row.event else []
        terms, more = [*terms, f"$.{row.field} >= 0"], {"MetricValue": f"$.{row.field}", "Unit": row.unit}
    first, *others = row.sources
    filters = {f"{row.metric}Metric": metric_filter(first, terms, row.metric, **more)}
    filters |= {f"{row.metric}{s.ending}Metric": metric_filter(s, terms, row.metric, **more) for s in others}
    if isinstance(row, Event) and row.by_version:
        # With dimensions there is no default value, so a version without errors is no metric and costs nothing.
        of_version = [{"Key": "Version", "Value": "$.function_version"}]
        counted = {"MetricValue": "1", "Unit": "Count", "Dimensions": of_version}
        filters[f"{row.metric}ByVersionMetric"] = metric_filter(first, terms, row.metric, **counted)
    return filters


# --- alarms ------------------------------------------------------------------------------------------------


def named(metric: Metric) -> dict[str, Any]:
    """A metric as alarms name it."""
    found: dict[str, Any] = {"Namespace": resolved(metric.namespace), "MetricName": metric.name}
    if metric.dimensions:
        found["Dimensions"] = [{"Name": name, "Value": resolved(value)} for name, value in metric.dimensions]
    return found


def watched(alarm: Alarm) -> dict[str, Any]:
    """What an alarm reads: a metric, or an expression over several."""
    if isinstance(alarm.of, Metric):
        kind = "ExtendedStatistic" if alarm.statistic.startswith("p") else "Statistic"
        return named(alarm.of) | {kind: alarm.statistic, "Period": alarm.seconds}
    math = alarm.of
    reads = [
        {
            "Id": id_,
            "ReturnData": False,
            "MetricStat": {"Metric": named(metric), "Period": alarm.seconds, "Stat": alarm.statistic},
        }
        for id_, metric in math.reads.items()
    ]
    return {"Metrics": [{"Id": math.id, "Label": math.label, "Expression": resolved(math.expression)}, *reads]}


def alarm_resource(alarm: Alarm) -> dict[str, Any]:
    """An alarm that tells operations when it begins and when it is over."""
    comparison, _, threshold = alarm.breach.partition(" ")
    properties = {
        "AlarmName": resolved(f"${{AWS::StackName}}-{alarm.name}"),
        "AlarmDescription": resolved(" ".join(alarm.means.split())),
        **watched(alarm),
        "Unit": alarm.unit,
        "EvaluateLowSampleCountPercentile": alarm.few_samples,
        "EvaluationPeriods": alarm.periods,
        "DatapointsToAlarm": alarm.datapoints if alarm.periods > 1 else None,
        "ComparisonOperator": COMPARISONS[comparison],
        "Threshold": int(threshold) if threshold.isdecimal() else Tagged("!Ref", threshold),
        "TreatMissingData": alarm.missing,
        "AlarmActions": [Tagged("!Ref", OPERATIONS)],
        "OKActions": [Tagged("!Ref", OPERATIONS)],
    }
    given = {name: value for name, value in properties.items() if value is not None}
    return {"Type": "AWS::CloudWatch::Alarm", "Condition": alarm.condition, "Properties": given}


# --- dashboard ---------------------------------------------------------------------------------------------


def drawn(series: Series) -> list[Any]:
    """A series as a dashboard's body has it."""
    options: dict[str, Any] = {"expression": series.of} if isinstance(series.of, str) else {}
    given = {"stat": series.stat, "label": series.label, "color": series.color, "id": series.id}
    options |= {name: value for name, value in given.items() if value is not None}
    options |= {} if series.visible else {"visible": False}
    options |= {"yAxis": "right"} if series.axis == "right" else {}
    if isinstance(series.of, str):
        return [options]
    dimensions = [part for dimension in series.of.dimensions for part in dimension]
    return [series.of.namespace, series.of.name, *dimensions, options]


def widget(number: int, chart: Chart) -> str:
    """A chart as JSON, a line for each series."""
    events = [Series(Metric(OURS, e.metric), e.label, color=e.color) for e in EVENTS if e.chart == chart.title]
    place = {"type": "metric", "x": 12 * (number % 2), "y": 6 * (number // 2), "width": 12, "height": 6}
    properties: dict[str, Any] = {"title": chart.title, "region": "${AWS::Region}"}
    properties |= {"stat": chart.stat} if chart.stat else {}
    properties |= {"period": 300, "view": "timeSeries"}
    properties |= {"stacked": True} if chart.stacked else {}
    if chart.limits:
        properties["yAxis"] = {"left": dict(zip(("min", "max"), chart.limits, strict=True))}
    head = json.dumps(place)[:-1] + ', "properties": ' + json.dumps(properties)[:-1]
    if chart.alarm_at:
        # A number, which a parameter becomes as well: neither is a text of JSON.
        head += f', "annotations": {{"horizontal": [{{"label": "alarm", "value": {chart.alarm_at}}}]}}'
    series = ",\n    ".join(json.dumps(drawn(one)) for one in (*events, *chart.series))
    return f'  {head}, "metrics": [\n    {series}]}}}}'


def dashboard() -> dict[str, Any]:
    """The dashboard with every chart."""
    widgets = ",\n".join(widget(number, chart) for number, chart in enumerate(CHARTS))
    body = f'{{"periodOverride": "inherit", "widgets": [\n{widgets}\n]}}\n'
    return {
        "Type": "AWS::CloudWatch::Dashboard",
        "Condition": "IsMonitored",
        "Properties": {"DashboardName": Tagged("!Ref", "AWS::StackName"), "DashboardBody": Tagged("!Sub", body)},
    }


# --- the template ------------------------------------------------------------------------------------------


class Dumper(yaml.SafeDumper):
    """Writes short intrinsic functions, every value in full, and texts of several lines as they are."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class names it
        return True


def _tagged(dumper: Dumper, value: Tagged) -> yaml.ScalarNode:
    return dumper.represent_scalar(value.tag, value.text, style="|" if "\n" in value.text else None)


Dumper.add_representer(Tagged, _tagged)


def written() -> str:
    """The resources as YAML, each after an empty line."""
    resources = {name: found for row in (*EVENTS, *FIGURES) for name, found in filters_of(row).items()}
    resources |= {alarm.id: alarm_resource(alarm) for alarm in ALARMS}
    resources["Dashboard"] = dashboard()
    blocks = (
        yaml.dump({name: resource}, Dumper=Dumper, sort_keys=False, default_flow_style=None, width=120)
        for name, resource in resources.items()
    )
    text = "\n".join(re.sub(r"^(?=.)", "  ", block, flags=re.MULTILINE) for block in blocks)
    return re.sub(r"(!Ref|!GetAtt) '([\w.]+)'", r"\1 \2", text)  # a name needs no quotes, which yaml gives it


def with_monitoring(template: str) -> str:
    """The template with what lies between the marks written anew."""
    before, begin, rest = template.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("template.yaml lacks the two marks between which the monitoring is written")
    return f"{before}{BEGIN}\n{written()}\n{END}{after}"


if __name__ == "__main__":
    TEMPLATE.write_text(with_monitoring(TEMPLATE.read_text()))
