"""CloudWatch Logs' metric filters, as far as the template uses them: JSON patterns of terms joined by `&&`.

A term compares one field with a text or a number: `{ $.event_type = "X" && $.lateness_ms >= 0 }`. As in CloudWatch,
a line that is no JSON, or lacks the field, or has another kind of value there, does not match.
"""

from __future__ import annotations

import json
import operator
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_TERM = re.compile(r'\$\.(?P<field>\w+) (?P<operator>=|>=) (?:"(?P<text>[^"*]*)"|(?P<number>-?\d+))')
_OPERATORS = {"=": operator.eq, ">=": operator.ge}


class Term(NamedTuple):
    field: str
    operator: str
    value: str | int

    def matches(self, line: dict[str, Any]) -> bool:
        found = line.get(self.field)
        if isinstance(found, bool) or not isinstance(found, str if isinstance(self.value, str) else (int, float)):
            return False
        return bool(_OPERATORS[self.operator](found, self.value))


def parse(pattern: str) -> list[Term]:
    """Raises ValueError for what is no pattern, or uses more of the language than is known here."""
    inner = re.fullmatch(r"\{ (.*) \}", pattern)
    matches = [_TERM.fullmatch(term) for term in inner[1].split(" && ")] if inner else [None]
    if not all(matches):
        raise ValueError(f"not a pattern that is known here: {pattern}")
    return [Term(m["field"], m["operator"], int(m["number"]) if m["number"] else m["text"]) for m in matches if m]


def values(metric_filter: dict[str, Any], messages: Iterable[str]) -> list[float]:
    """What a filter of the template would publish for these messages, one value per matching line."""
    terms = parse(metric_filter["Properties"]["FilterPattern"])
    (transformation,) = metric_filter["Properties"]["MetricTransformations"]
    published = []
    for message in messages:
        try:
            line = json.loads(message)
        except ValueError:
            continue
        if isinstance(line, dict) and all(term.matches(line) for term in terms):
            value = transformation["MetricValue"]
            published.append(float(line[value.removeprefix("$.")] if value.startswith("$.") else value))
    return published
