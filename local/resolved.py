"""A template with its parameters, conditions and references filled in, for tools that do not follow them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

ACCOUNT, REGION = "123456789012", "us-east-1"
PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::StackName": "appointments",
    "AWS::URLSuffix": "amazonaws.com",
}
NOTHING = {"Ref": "AWS::NoValue"}
# What a resource's `Arn` looks like, or its `Ref` where that is an ARN.
ARNS = {
    "AWS::Cognito::UserPool": "cognito-idp:{region}:{account}:userpool/{region}_abc123DEF",
    "AWS::DynamoDB::Table": "dynamodb:{region}:{account}:table/{name}",
    "AWS::Events::EventBus": "events:{region}:{account}:event-bus/{name}",
    "AWS::Events::Rule": "events:{region}:{account}:rule/{name}",
    "AWS::IAM::Role": "iam::{account}:role/{name}",
    "AWS::KMS::Key": "kms:{region}:{account}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "AWS::Lambda::Alias": "lambda:{region}:{account}:function:{name}",
    "AWS::Logs::LogGroup": "logs:{region}:{account}:log-group:{name}:*",
    "AWS::SNS::Topic": "sns:{region}:{account}:{name}",
    "AWS::SQS::Queue": "sqs:{region}:{account}:{name}",
    "AWS::Scheduler::ScheduleGroup": "scheduler:{region}:{account}:schedule-group/{name}",
}
REF_IS_ARN = ("AWS::Lambda::Alias", "AWS::SNS::Topic")


def holds(condition: Any, conditions: Mapping[str, Any], parameters: Mapping[str, str]) -> bool:
    """Whether a condition of a template holds with these parameters."""
    ((kind, argument),) = condition.items()
    if kind == "Condition":
        return holds(conditions[argument], conditions, parameters)
    if kind == "Fn::Equals":
        left, right = (parameters[part["Ref"]] if isinstance(part, dict) else str(part) for part in argument)
        return left == right
    parts = [holds(part, conditions, parameters) for part in argument]
    return {"Fn::Not": not parts[0], "Fn::And": all(parts), "Fn::Or": any(parts)}[kind]


def decide(template: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """The template as these parameters make it: without conditions, and with references to resources alone."""
    conditions = template["Conditions"]

    def chosen(value: Any) -> Any:
        match value:
            case {"Fn::If": [name, yes, no]}:
                return chosen(yes if holds(conditions[name], conditions, parameters) else no)
            case {"Ref": str(name)} if name in parameters:
                return int(parameters[name]) if parameters[name].isdecimal() else parameters[name]
            case {"Fn::Sub": str(text)}:
                filled = re.sub(r"\$\{(\w+)\}", lambda found: parameters.get(found[1], found[0]), text)
                return {"Fn::Sub": filled} if "${" in filled else filled
            case dict():
                parts = {key: chosen(part) for key, part in value.items()}
                return {key: part for key, part in parts.items() if part != NOTHING}
            case list():
                return [part for part in map(chosen, value) if part != NOTHING]
        return value

    def kept(parts: Mapping[str, Any]) -> dict[str, Any]:
        """Those whose condition holds."""
        found = {}
        for name, part in parts.items():
            condition = part.get("Condition")
            if condition is None or holds(conditions[condition], conditions, parameters):
                found[name] = chosen({key: value for key, value in part.items() if key != "Condition"})
        return found

    plain = {key: template[key] for key in ("AWSTemplateFormatVersion", "Description")}
    return plain | {section: kept(template[section]) for section in ("Resources", "Outputs")}


def fill_in(value: Any, resources: Mapping[str, Any]) -> Any:
    """A part of a decided template with plausible texts in place of its references to resources."""

    def text_of(reference: str) -> str:
        if reference in PSEUDO:
            return PSEUDO[reference]
        name, _, attribute = reference.partition(".")
        kind = resources[name]["Type"]
        if attribute == "Arn" or (not attribute and kind in REF_IS_ARN):
            return "arn:aws:" + ARNS[kind].format(region=REGION, account=ACCOUNT, name=name)
        if attribute == "StreamArn":
            return f"{text_of(f'{name}.Arn')}/stream/2026-11-26T120000.000"
        return name

    match value:
        case {"Ref": str(name)}:
            return text_of(name)
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return text_of(f"{name}.{attribute}")
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([\w:.]+)\}", lambda found: text_of(found[1]), text)
        case dict():
            return {key: fill_in(part, resources) for key, part in value.items()}
        case list():
            return [fill_in(part, resources) for part in value]
    return value


def policies(resources: Mapping[str, Any]) -> dict[str, Any]:
    """Every policy that grants or denies something, by where it stands; not who may take a role."""
    found: dict[str, Any] = {}
    for name, resource in resources.items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::Role":
            found |= {
                f"{name}/{policy['PolicyName']}": policy["PolicyDocument"] for policy in properties.get("Policies", [])
            }
        for key in ("PolicyDocument", "KeyPolicy"):
            if key in properties:
                found[name] = properties[key]
    return {place: fill_in(document, resources) for place, document in found.items()}
