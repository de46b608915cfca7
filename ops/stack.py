"""The stack that a command works on, found by its name; without a name it is the one of `make run`."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# Written by `make run` for as long as it runs.
LOCAL_STACK = Path(__file__).resolve().parent.parent / ".local" / "stack.json"
# What a halted function remembers: the concurrency that was reserved for it, a number or this.
HALTED_TAG = "halted-with-reserved-concurrency"
NOTHING = "none"
# And which operation halted it.
HALTED_BY_TAG = "halted-by"
# Beyond the SDK's own patience: nobody can book until a stack is let go on. Seconds before each further attempt.
PAUSES = (2, 4, 8, 16)
_PASSING = {"ServiceException", "Throttling", "ThrottlingException", "TooManyRequestsException"}


class NoStackError(Exception):
    """There is no such stack, or `make run` is not running."""


class StillHaltedError(Exception):
    """Not every function could be let go on."""

    def __init__(self, stack: str, names: list[str], cause: Exception) -> None:
        super().__init__(f"STILL HALTED: {', '.join(names)}: {cause}. Run `make release STACK={stack}`")


@dataclass(frozen=True)
class Stack:
    """A deployed stack, reached as every AWS tool reaches its account: by the environment."""

    name: str

    @classmethod
    def find(cls, name: str | None) -> Stack:
        """The stack of this name in the caller's account and region, or else the local one. Raises NoStackError."""
        if name:
            return cls(name)
        try:
            local = json.loads(LOCAL_STACK.read_text())
        except FileNotFoundError:
            raise NoStackError("name a stack, STACK=appointments-prod, or start `make run`") from None
        # The engine's public root credentials; whatever account the caller has set up must not be reached.
        os.environ |= {
            "AWS_ENDPOINT_URL": local["engineUrl"],
            "AWS_DEFAULT_REGION": local["region"],
            "AWS_REGION": local["region"],
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        os.environ.pop("AWS_PROFILE", None)
        os.environ.pop("AWS_SESSION_TOKEN", None)
        return cls(local["stackName"])

    def client(self, service: str) -> Any:
        """A client with the SDK's own patience: no person waits, and no Lambda is billed."""
        return boto3.client(service)  # type: ignore[call-overload]  # a plain str names the service

    def resource(self, logical_id: str) -> str:
        """The physical id of a resource of the template: a function's name, a queue's URL."""
        return self._resources[logical_id]

    def has(self, logical_id: str) -> bool:
        """Whether the stack has a resource, which may be there by a parameter alone."""
        return logical_id in self._resources

    def environment(self, logical_id: str) -> dict[str, str]:
        """The environment variables of one of the stack's functions."""
        found = self.client("lambda").get_function_configuration(FunctionName=self.resource(logical_id))
        return dict(found["Environment"]["Variables"])

    def halt(self, *functions: str, by: str) -> None:
        """Let no invocation of these functions begin any more. What runs goes on to its end.

        Each function remembers in tags what was reserved for it and who halted it first, so that `release` knows it
        even in another run. One that a deletion has removed already is left out.
        """
        client = self.client("lambda")
        for name in self._names(functions):
            try:
                arn = client.get_function_configuration(FunctionName=name)["FunctionArn"]
                reserved = client.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
                # One that is halted already has its tag from then.
                if reserved != 0 or HALTED_TAG not in client.list_tags(Resource=arn)["Tags"]:
                    was = NOTHING if reserved is None else str(reserved)
                    client.tag_resource(Resource=arn, Tags={HALTED_TAG: was, HALTED_BY_TAG: by})
                client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
            except client.exceptions.ResourceNotFoundException:
                continue

    def _names(self, functions: Iterable[str]) -> Iterator[str]:
        """The physical ids of functions, as far as a deletion has left them in the stack."""
        for logical_id in functions:
            with suppress(KeyError):
                yield self.resource(logical_id)

    def release(self, *functions: str, by: str | None = None) -> None:
        """Let halted functions go on, with what was reserved for each before; the last one first.

        With `by`, those that this operation has halted and no other's. Whoever names the API's function first thus
        opens it when all others work. Raises StillHaltedError at the first that stays halted, and leaves those before
        it halted too.
        """
        names = list(self._names(reversed(functions)))
        while names:
            try:
                self._release(names[0], by)
            except (BotoCoreError, ClientError) as exc:
                raise StillHaltedError(self.name, names, exc) from exc
            del names[0]

    def _release(self, name: str, by: str | None) -> None:
        client = self.client("lambda")
        try:
            arn, reserved, who = self._halt_of(client, name)
            if reserved is None or (by is not None and who != by):
                return  # it was never halted, or is another's
            if reserved == NOTHING:
                _patiently(client.delete_function_concurrency, FunctionName=name)
            else:
                _patiently(
                    client.put_function_concurrency, FunctionName=name, ReservedConcurrentExecutions=int(reserved)
                )
            _patiently(client.untag_resource, Resource=arn, TagKeys=[HALTED_TAG, HALTED_BY_TAG])
        except client.exceptions.ResourceNotFoundException:
            return

    @staticmethod
    def _halt_of(client: Any, name: str) -> tuple[str, str | None, str]:
        """The ARN of a function, and if it is halted, what its tags remember."""
        arn = _patiently(client.get_function_configuration, FunctionName=name)["FunctionArn"]
        tags = _patiently(client.list_tags, Resource=arn)["Tags"]
        return arn, tags.get(HALTED_TAG), tags.get(HALTED_BY_TAG, "")

    def halted_functions(self, *functions: str) -> dict[str, str]:
        """By which operation each of these functions is halted, by the function's name."""
        client = self.client("lambda")
        found = {}
        for name in self._names(functions):
            with suppress(client.exceptions.ResourceNotFoundException):
                _, reserved, who = self._halt_of(client, name)
                if reserved is not None:
                    found[name] = who
        return found

    @contextmanager
    def halted(self, *functions: str, by: str) -> Iterator[None]:
        """Halt these functions for as long as the block runs.

        Where it fails they stay halted: what it has left half done, nobody should book on. The next run lets them go.
        """
        try:
            self.halt(*functions, by=by)
            yield
        except BaseException:
            print(f"{self.name} stays halted; run this again to finish it and let it go on", file=sys.stderr)
            raise
        try:
            self.release(*functions, by=by)
        except BaseException:
            print(
                f"All is done, but {self.name} STAYS HALTED, at least in part. Do not run this again: "
                f"`make release STACK={self.name}` lets it go on",
                file=sys.stderr,
            )
            raise
        for name, who in self.halted_functions(*functions).items():
            print(f"{name} stays halted by {who}: `make release STACK={self.name}` lets it go on", file=sys.stderr)

    @cached_property
    def _resources(self) -> dict[str, str]:
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        return {
            resource["LogicalResourceId"]: resource.get("PhysicalResourceId", "")
            for page in pages
            for resource in page["StackResourceSummaries"]
        }


def _patiently(call: Callable[..., Any], **arguments: Any) -> Any:
    """Call, and call again where that was one too many for now."""
    for pause in PAUSES:
        try:
            return call(**arguments)
        except ClientError as exc:
            if exc.response["Error"]["Code"] not in _PASSING:
                raise
        time.sleep(pause)
    return call(**arguments)
