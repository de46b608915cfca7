"""The evaluator that proves the template's metric filters, on what AWS documents about them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from log_filters import parse, values


def published(pattern: str, *lines: Any, value: str = "1") -> list[float]:
    messages = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    found = {"Properties": {"FilterPattern": pattern, "MetricTransformations": [{"MetricValue": value}]}}
    return values(found, messages)


def test_counts_exact_texts_only() -> None:
    lines = [{"e": "A"}, {"e": "a"}, {"e": "AB"}, {"f": "A"}, {"e": None}, {"e": ["A"]}, ["A"], '"A"', "no JSON: A", ""]
    assert published('{ $.e = "A" }', *lines) == [1.0]


def test_compares_numbers_only_and_publishes_them() -> None:
    lines = [{"n": 0}, {"n": -1}, {"n": 2.5}, {"n": "3"}, {"n": None}, {"n": True}, {}]
    assert published("{ $.n >= 0 }", *lines, value="$.n") == [0.0, 2.5]


def test_all_terms_must_hold() -> None:
    lines = [{"e": "A", "n": 1}, {"e": "A", "n": -1}, {"e": "B", "n": 1}]
    assert published('{ $.e = "A" && $.n >= 0 }', *lines, value="$.n") == [1.0]


@pytest.mark.parametrize("pattern", ["ERROR", "{ $.e = A }", '{ $.e = "A*" }', '{ $.e = "A" || $.e = "B" }', "{}"])
def test_refuses_what_it_does_not_know(pattern: str) -> None:
    with pytest.raises(ValueError, match="not a pattern"):
        parse(pattern)
