"""The kinds of rows that `table.py` is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from appointments.telemetry import EventType


class Source(NamedTuple):
    """A function's log group, and the ending of a filter's logical id where the metric has another source too.

    With a `condition`, the function is there only where that holds.
    """

    log_group: str
    ending: str
    condition: str | None = None


@dataclass(frozen=True)
class Event:
    """An `event_type`: where it is logged, and the chart that shows how often. Its metric is named after it."""

    type: EventType
    sources: tuple[Source, ...]
    chart: str | None = None
    label: str | None = None
    color: str | None = None
    by_version: bool = False  # counted by the function's version too

    @property
    def metric(self) -> str:
        """`BookingSuccess` of `BOOKING_SUCCESS`."""
        return self.type.title().replace("_", "")


@dataclass(frozen=True)
class Figure:
    """A number that log lines carry, published as a metric: on lines of one event, or wherever it stands."""

    metric: str
    field: str
    sources: tuple[Source, ...]
    event: EventType | None = None
    unit: Literal["Count", "Milliseconds"] = "Count"


class Metric(NamedTuple):
    """A metric of CloudWatch. Names are written as `Fn::Sub` takes them: `${ConflictDetectorFunction}`."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()


class Math(NamedTuple):
    """An expression over metrics, each of which has an id."""

    id: str
    label: str
    expression: str
    reads: Mapping[str, Metric]


@dataclass(frozen=True)
class Alarm:
    """Triggers when `breach` holds for the statistic in `datapoints` of the last `periods` periods."""

    id: str
    name: str
    of: Metric | Math
    statistic: str
    breach: str  # such as ">= 5", or "< SuccessRatePercent" with the name of a parameter
    means: str  # what happened, what to do, and where docs/operations.md says more
    seconds: int = 300
    datapoints: int = 1
    periods: int = 1
    unit: str | None = None
    few_samples: Literal["ignore"] | None = None  # of a percentile
    missing: Literal["notBreaching", "breaching"] = "notBreaching"
    condition: str = "IsMonitored"


@dataclass(frozen=True)
class Series:
    """A line of a chart: a metric, or an expression over the ids of others."""

    of: Metric | str
    label: str | None = None
    stat: str | None = None
    color: str | None = None
    id: str | None = None
    visible: bool = True
    axis: Literal["left", "right"] = "left"


@dataclass(frozen=True)
class Chart:
    """A chart of the dashboard. Events that name it by its title are drawn before its own series."""

    title: str
    stat: str | None = None
    series: tuple[Series, ...] = ()
    stacked: bool = False
    limits: tuple[int, int] | None = None
    alarm_at: str | None = None  # a number, or `${AParameter}`
