"""The stack that a command works on, found by its name; without a name it is the one of `make run`."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from collections.abc import Iterator

# Written by `make run` for as long as it runs.
LOCAL_STACK = Path(__file__).resolve().parent.parent / ".local" / "stack.json"


class NoStackError(Exception):
    """There is no such stack, or `make run` is not running."""


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

    def environment(self, logical_id: str) -> dict[str, str]:
        """The environment variables of one of the stack's functions."""
        found = self.client("lambda").get_function_configuration(FunctionName=self.resource(logical_id))
        return dict(found["Environment"]["Variables"])

    def halt(self, *functions: str) -> dict[str, int | None]:
        """Let no invocation of these functions begin any more; the concurrency that was reserved for each until now.

        One that a deletion has removed already is left out.
        """
        client, reserved = self.client("lambda"), {}
        for name in map(self.resource, functions):
            try:
                found = client.get_function_concurrency(FunctionName=name)
                client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
            except client.exceptions.ResourceNotFoundException:
                continue
            reserved[name] = found.get("ReservedConcurrentExecutions")
        return reserved

    @contextmanager
    def halted(self, *functions: str) -> Iterator[None]:
        """Halt these functions for as long as the block runs.

        Where it fails they stay halted: what it has left half done, nobody should book on. The next run lets them go.
        """
        try:
            reserved = self.halt(*functions)
            yield
        except BaseException:
            print(f"{self.name} stays halted; run this again to finish it and let it go on", file=sys.stderr)
            raise
        client = self.client("lambda")
        for name, number in reserved.items():
            if number:
                client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=number)
                continue
            client.delete_function_concurrency(FunctionName=name)
            if number == 0:  # left by a run that failed, which alone knew what had been reserved
                print(f"{name} goes on; its reserved concurrency comes back with the next deployment")

    @cached_property
    def _resources(self) -> dict[str, str]:
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        return {
            resource["LogicalResourceId"]: resource.get("PhysicalResourceId", "")
            for page in pages
            for resource in page["StackResourceSummaries"]
        }
