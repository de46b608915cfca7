"""Runs the engine under its own Python, and ends it when its parent does.

The parent holds the other end of this process's standard input and never writes to it. When the parent
dies, however it dies, the pipe closes and the engine stops itself in the orderly way that saves its
state. This file runs in the engine's environment and may import nothing else of this project.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import sys
import threading
import time
from typing import Any

from ministack.app import main
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import error_response_json
from ministack.services import eventbridge, lambda_svc

ASK_AGAIN_SECONDS = 5.0

_resource_arn_as_shipped = iam_actions.extract_resource_arn
_iam_action_as_shipped = iam_actions.extract_iam_action
_invoke_async_as_shipped = lambda_svc.invoke_async_with_retry
_remove_targets_as_shipped = eventbridge._remove_targets  # noqa: SLF001 - there is no public way in
_condition_key_as_shipped = iam_evaluator._resolve_condition_key  # noqa: SLF001 - there is no public way in


def resource_arn(  # noqa: PLR0917 - the engine's own signature
    service: str, method: str, path: str, headers: Any, body: bytes, query: Any, region: str, account: str, **more: Any
) -> str:
    """The resource that a call is authorized against, as AWS names it.

    The engine (1.5.33) calls a rule on the default bus `rule/default/NAME`, which on AWS is `rule/NAME`, and knows
    no resource for calls that name their rule `Rule` (`PutTargets`, `RemoveTargets`). It takes every schedule to be
    in the group `default`. A policy written for AWS would be refused here.
    """
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


def iam_action(  # noqa: PLR0917 - the engine's own signature
    service: str, method: str, path: str, headers: Any, body: bytes, query: Any
) -> str | None:
    """The action that a call is authorized by. Of SQS's batches it is that of one message; the engine's has no such."""
    action: str | None = _iam_action_as_shipped(service, method, path, headers, body, query)
    return action.removesuffix("Batch") if action and service == "sqs" else action


def condition_key(key: str, context: Any) -> Any:
    """What a condition of a policy is compared with.

    The engine speaks plain HTTP, on this machine only, and the template's topics and queues refuse that.
    """
    return "true" if key.lower() == "aws:securetransport" else _condition_key_as_shipped(key, context)


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
    unsaved = Unsaved(logging.ERROR)
    logging.getLogger("persistence").addHandler(unsaved)
    sys.argv = ["ministack"]
    main()
    sys.exit(0 if unsaved.number is None else unsaved.EXIT_CODE + unsaved.number)
