"""Filling in a template for tools that follow neither conditions nor references."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.resolved import decide, fill_in, holds, policies
from local.security import EVERY_OPTION, beyond, stage_parameters, transformed

YES = {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}
NO = {"Fn::Equals": [{"Ref": "Stage"}, "dev"]}
TABLE = {"Type": "AWS::DynamoDB::Table", "Properties": {}}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (YES, True),
        (NO, False),
        ({"Fn::Not": [NO]}, True),
        ({"Fn::And": [YES, NO]}, False),
        ({"Fn::Or": [YES, NO]}, True),
        ({"Fn::And": [{"Condition": "IsProd"}, {"Fn::Not": [{"Condition": "IsDev"}]}]}, True),
    ],
)
def test_conditions(condition: dict[str, Any], expected: bool) -> None:
    assert holds(condition, {"IsProd": YES, "IsDev": NO}, {"Stage": "prod"}) is expected


def template(**resources: Any) -> dict[str, Any]:
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "",
        "Conditions": {"IsProd": YES, "IsDev": NO},
        "Resources": resources,
        "Outputs": {},
    }


def test_what_a_condition_leaves_out_is_gone() -> None:
    kept = {"Type": "AWS::SQS::Queue", "Condition": "IsProd", "Properties": {}}
    decided = decide(template(Kept=kept, Gone=kept | {"Condition": "IsDev"}), {"Stage": "prod"})
    assert decided["Resources"] == {"Kept": {"Type": "AWS::SQS::Queue", "Properties": {}}}


def test_choices_are_made_and_nothing_is_left_out() -> None:
    nothing = {"Ref": "AWS::NoValue"}
    choices = {
        "Chosen": {"Fn::If": ["IsDev", "a", {"Fn::If": ["IsProd", "b", "c"]}]},
        "Nothing": {"Fn::If": ["IsDev", "a", nothing]},
        "List": [1, {"Fn::If": ["IsDev", 2, nothing]}, {"Ref": "Units"}],
        "Text": {"Fn::Sub": "${Stage}-${Table}-${AWS::Region}"},
        "Filled": {"Fn::Sub": "${Stage}"},
    }
    decided = decide(template(Table=TABLE | {"Properties": choices}), {"Stage": "prod", "Units": "10"})
    assert decided["Resources"]["Table"]["Properties"] == {
        "Chosen": "b",
        "List": [1, 10],
        "Text": {"Fn::Sub": "prod-${Table}-${AWS::Region}"},
        "Filled": "prod",
    }


def test_references_become_names_and_arns() -> None:
    resources = {"Table": TABLE, "Topic": {"Type": "AWS::SNS::Topic"}}
    table = "arn:aws:dynamodb:us-east-1:123456789012:table/Table"
    assert fill_in({"Ref": "Table"}, resources) == "Table"
    assert fill_in({"Ref": "Topic"}, resources) == "arn:aws:sns:us-east-1:123456789012:Topic"
    assert fill_in([{"Fn::GetAtt": ["Table", "Arn"]}], resources) == [table]
    assert fill_in({"Fn::Sub": "${Table.Arn}/index/${AWS::Region}"}, resources) == f"{table}/index/us-east-1"


@pytest.mark.parametrize("options", [{}, EVERY_OPTION], ids=["prod", "every option"])
def test_nothing_of_the_real_template_is_left_open(options: dict[str, str]) -> None:
    source = transformed()
    decided = decide(source, stage_parameters(source) | options)
    text = json.dumps(decided)
    assert "Fn::If" not in text
    assert "AWS::NoValue" not in text
    assert not [name for name in source["Parameters"] if f'{{"Ref": "{name}"}}' in text]
    found = policies(decided["Resources"])
    assert {place.partition("/")[0] for place in found} >= {
        *(name for name in decided["Resources"] if name.endswith(("Policy", "Key"))),
        *(
            n
            for n, r in decided["Resources"].items()
            if r["Type"] == "AWS::IAM::Role" and "Policies" in r["Properties"]
        ),
    }
    assert "${" not in json.dumps(found)
    assert '"Ref"' not in json.dumps(found)


def test_every_option_is_a_parameter_that_is_taken() -> None:
    parameters = transformed()["Parameters"]
    for name, value in EVERY_OPTION.items():
        assert value in parameters[name].get("AllowedValues", [value])
        assert value != stage_parameters(transformed())[name]


def test_what_is_found_must_be_accepted_and_what_is_accepted_found() -> None:
    found = [("W1", "a: x"), ("W1", "b: x"), ("W2", "c: y")]
    assert beyond(found, {"W1": "it is right", "W2": "so is this"}) == []
    assert beyond(found, {"W1": "it is right"}) == ["W2: c: y"]
    assert beyond([], {"W1": "it is right"}) == ["W1 is accepted and not found any more"]
