"""Runs the engine under its own Python, and ends it when its parent does.

The parent holds the other end of this process's standard input and never writes to it. When the parent
dies, however it dies, the pipe closes and the engine stops itself in the orderly way that saves its
state. This file runs in the engine's environment and may import nothing of this project but what lies beside it
for the same purpose.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ministack.app import main
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import error_response_json
from ministack.services import dynamodb, eventbridge, lambda_svc
from ministack.services.cloudformation import provisioners

if TYPE_CHECKING:
    from local import engine_mail, engine_sign_in, engine_streams
else:
    import engine_mail
    import engine_sign_in
    import engine_streams  # they lie in this file's folder, and the engine's environment knows no package `local`

ASK_AGAIN_SECONDS = 5.0

_resource_arn_as_shipped = iam_actions.extract_resource_arn
_iam_action_as_shipped = iam_actions.extract_iam_action
_invoke_async_as_shipped = lambda_svc.invoke_async_with_retry
_remove_targets_as_shipped = eventbridge._remove_targets  # noqa: SLF001 - there is no public way in
_condition_key_as_shipped = iam_evaluator._resolve_condition_key  # noqa: SLF001 - there is no public way in
_dynamodb_context_as_shipped = iam_actions.dynamodb_service_context


def resource_arn(  # noqa: PLR0917 - the engine's own signature
    service: str, method: str, path: str, headers: Any, body: bytes, query: Any, region: str, account: str, **more: Any
) -> str:
    """The resource that a call is authorized against, as AWS names it.

    The engine (1.5.33) calls a rule on the default bus `rule/default/NAME`, which on AWS is `rule/NAME`, and knows
    no resource for calls that name their rule `Rule` (`PutTargets`, `RemoveTargets`). It takes every schedule to be
    in the group `default`, and a send of SES to have no resource. A policy written for AWS would be refused here.
    """
    if service == "ses" and (identity := engine_mail.identity_of(method, path, body, region, account)):
        return identity
    arn: str = _resource_arn_as_shipped(service, method, path, headers, body, query, region, account, **more)
    if service == "scheduler":
        group = json.loads(body or b"{}").get("GroupName") or query.get("groupName") or "default"
        return arn.replace(":schedule/default/", f":schedule/{group[0] if isinstance(group, list) else group}/", 1)
    if service != "events":
        return arn
    if arn == "*" or ":event-bus/" in arn:
        request = json.loads(body or b"{}")
        if "Rule" in request:
            bus = str(request.get("EventBusName") or "default").rpartition("/")[2]
            arn = f"arn:aws:events:{region}:{account}:rule/{bus}/{request['Rule']}"
    return arn.replace(":rule/default/", ":rule/", 1)


def iam_action(service: str, *request: Any) -> str | None:
    """The action that a call is authorized as. AWS has none for the batches of SQS; the engine (1.5.33) has."""
    action: str | None = _iam_action_as_shipped(service, *request)
    if service == "ses":
        return engine_mail.action_of(request[0], request[1], request[3], action)
    return action.removesuffix("Batch") if action and service == "sqs" else action


def condition_key(key: str, context: Any) -> Any:
    """What a condition of a policy is compared with.

    The engine speaks plain HTTP, on this machine only, and the template's topics and queues refuse that. It does not
    know (1.5.33) whom an email is sent from.
    """
    if key.lower() == "ses:fromaddress":
        return engine_mail.from_address.get()
    return "true" if key.lower() == "aws:securetransport" else _condition_key_as_shipped(key, context)


def dynamodb_context(body: bytes) -> dict[str, Any]:
    """What conditions on a DynamoDB call can name: with `dynamodb:LeadingKeys`, which the engine (1.5.33) leaves out.

    Not for a transaction: AWS looks at each of its parts alone, and the engine gives all of them one context.
    """
    context: dict[str, Any] = _dynamodb_context_as_shipped(body)
    try:
        keys = list(leading_keys(json.loads(body or b"{}")))
    except (ValueError, AttributeError, TypeError):
        keys = []
    return context | ({"dynamodb:LeadingKeys": keys} if keys else {})


def leading_keys(request: Mapping[str, Any]) -> Iterator[str]:
    """The partition keys that a request names: of an item, of the items of a batch, or of a query of a table."""
    for table, asked in (request.get("RequestItems") or {}).items():
        found = asked.get("Keys", []) if isinstance(asked, dict) else [next(iter(one.values())) for one in asked]
        yield from (partition_key(table, one.get("Item") or one.get("Key") or one) for one in found)
    named = request.get("Item") or request.get("Key")
    if named:
        yield partition_key(request["TableName"], named)
    condition = request.get("KeyConditionExpression")
    if condition and "IndexName" not in request:
        names, values = request.get("ExpressionAttributeNames") or {}, request.get("ExpressionAttributeValues") or {}
        equal = {
            names.get(name, name): values[value] for name, value in re.findall(r"([#\w]+)\s*=\s*(:\w+)", condition)
        }
        yield partition_key(request["TableName"], equal)


def partition_key(table: str, attributes: Mapping[str, Mapping[str, str]]) -> str:
    """The value of a table's partition key among some attributes; empty, and so refused, where it is not there."""
    name = dynamodb._tables.get(table, {}).get("pk_name")  # noqa: SLF001
    return next(iter(attributes.get(name, {"": ""}).values()))


def invoke_async(func: dict[str, Any], event: dict[str, Any]) -> None:
    """Invoke a function asynchronously, with the retries and the queue for failures that its alias was given.

    The engine (1.5.33) looks for them on the version alone. The template's functions have one alias each.
    """
    function = lambda_svc._functions.get((func.get("config") or func)["FunctionName"]) or {}  # noqa: SLF001
    for config in (function.get("event_invoke_configs") or {}).values():
        func = {**func, "event_invoke_config": func.get("event_invoke_config") or config}
    _invoke_async_as_shipped(func, event)


def remove_targets(request: dict[str, Any]) -> Any:
    """Remove a rule's targets. AWS refuses this for a rule that does not exist; the engine (1.5.33) does not."""
    name = request.get("Rule", "")
    if eventbridge._rule_key(name, request.get("EventBusName", "default")) not in eventbridge._rules:  # noqa: SLF001
        return error_response_json("ResourceNotFoundException", f"Rule {name} does not exist.", 400)
    return _remove_targets_as_shipped(request)


def archive_request(name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """An archive of the template, as EventBridge is asked for it."""
    request = {key: properties[key] for key in ("Description", "RetentionDays") if key in properties}
    request |= {"ArchiveName": name, "EventSourceArn": properties["SourceArn"]}
    pattern = properties.get("EventPattern")
    return request | ({"EventPattern": pattern if isinstance(pattern, str) else json.dumps(pattern)} if pattern else {})


def ask_for_archive(call: Any, request: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Call EventBridge: the archive's name and attributes."""
    status, _, body = call(request)
    answer = json.loads(body)
    if status >= 400:
        raise ValueError(f"AWS::Events::Archive {request['ArchiveName']}: {answer.get('message')}")
    return request["ArchiveName"], {"Arn": answer["ArchiveArn"]}


def create_archive(logical_id: str, properties: Mapping[str, Any], stack: str) -> tuple[str, dict[str, str]]:
    """Create an archive: the engine (1.5.33) knows the call, but not the type in a template."""
    name = properties.get("ArchiveName") or provisioners._physical_name(stack, logical_id, max_len=48)  # noqa: SLF001
    return ask_for_archive(eventbridge._create_archive, archive_request(name, properties))  # noqa: SLF001


def update_archive(
    name: str, old: Mapping[str, Any], properties: Mapping[str, Any], stack: str, logical_id: str
) -> tuple[str, dict[str, str]]:
    """Change an archive, or replace it where it gets another name or source."""
    if any(old.get(key) != properties.get(key) for key in ("ArchiveName", "SourceArn")):
        delete_archive(name, old)
        return create_archive(logical_id, properties, stack)
    return ask_for_archive(eventbridge._update_archive, archive_request(name, properties))  # noqa: SLF001


def delete_archive(name: str, properties: Mapping[str, Any]) -> None:
    """Delete an archive, if it is there."""
    eventbridge._delete_archive({"ArchiveName": name})  # noqa: SLF001


class Unsaved(logging.Handler):
    """Remembers the first part of the state that could not be saved: the engine (1.5.33) logs it and goes on."""

    # As in engine.py: the exit code that says so, to which the number of the system's error is added.
    EXIT_CODE = 100
    number: int | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Take the number of the error, if the record has one."""
        if self.number is None and "failed to load" not in str(record.msg):
            causes = [cause for cause in record.args or () if isinstance(cause, OSError)]
            self.number = (causes[0].errno if causes else None) or errno.EIO


def stop_with_parent() -> None:
    """Wait for the pipe from the parent to close, then ask this process to stop.

    More than once: while the engine starts, its handler raises, and where Python drops that the wish is lost.
    """
    while os.read(0, 4096):
        pass
    while True:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(ASK_AGAIN_SECONDS)


if __name__ == "__main__":
    threading.Thread(target=stop_with_parent, daemon=True).start()
    iam_actions.extract_resource_arn = resource_arn
    iam_actions.extract_iam_action = iam_action
    iam_evaluator._resolve_condition_key = condition_key  # noqa: SLF001
    lambda_svc.invoke_async_with_retry = invoke_async
    eventbridge._remove_targets = remove_targets  # noqa: SLF001
    iam_actions.dynamodb_service_context = dynamodb_context
    provisioners._RESOURCE_HANDLERS["AWS::Events::Archive"] = {  # noqa: SLF001
        "create": create_archive,
        "update": update_archive,
        "update_with_logical_id": True,
        "delete": delete_archive,
    }
    engine_streams.install()
    engine_mail.install()
    engine_sign_in.install()
    unsaved = Unsaved(logging.ERROR)
    logging.getLogger("persistence").addHandler(unsaved)
    sys.argv = ["ministack"]
    main()
    sys.exit(0 if unsaved.number is None else unsaved.EXIT_CODE + unsaved.number)
