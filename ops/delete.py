"""Remove a stack with everything that it made at run time: `make delete STACK=appointments-dev`.

CloudFormation knows nothing of the rules that bookings made. They are found by what they aim at, this stack's sender,
so that those of another stack on the same bus stay. Nothing is booked and nothing is swept meanwhile, or new rules
would come after. Schedules go with their group, which the stack owns.

The tables stay, and so does a user pool: `DATA=delete` removes them too, unless they are protected from deletion.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from appointments.reminders import RULE_PREFIX, Rules, remove_rule
from ops.stack import NoStackError, Stack

# What a stack leaves behind on purpose, by its kind.
RETAINED = ("AWS::DynamoDB::Table", "AWS::Cognito::UserPool")


@dataclass(frozen=True)
class Deletion:
    """The steps, over clients that a test can bring along."""

    stack: Stack
    functions: Any
    events: Any

    def remove_rules(self) -> int:
        """Remove the rules that aim at this stack's sender, whichever of its versions; how many there were."""
        function = self.stack.resource("ReminderSenderFunction")
        try:
            arn = self.functions.get_function_configuration(FunctionName=function)["FunctionArn"]
        except self.functions.exceptions.ResourceNotFoundException:
            return 0  # an earlier run has removed it, and the rules before it
        names = {name for target in (arn, f"{arn}:live") for name in Rules(self.events, target, "").aimed()}
        found = sorted(name for name in names if name.startswith(f"{RULE_PREFIX}-"))
        for name in found:
            remove_rule(self.events, name)
        return len(found)


def retained(stack: Stack) -> list[tuple[str, str]]:
    """Kind and physical id of what the stack will leave behind."""
    pages = stack.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack.name)
    found = [resource for page in pages for resource in page["StackResourceSummaries"]]
    return [(r["ResourceType"], r["PhysicalResourceId"]) for r in found if r["ResourceType"] in RETAINED]


def delete_retained(stack: Stack, kind: str, name: str) -> None:
    """Delete a table or a user pool with all that is in it. Raises ClientError where it is protected."""
    if kind == "AWS::DynamoDB::Table":
        stack.client("dynamodb").delete_table(TableName=name)
    else:
        stack.client("cognito-idp").delete_user_pool(UserPoolId=name)


def main() -> int:
    """Delete the stack that the arguments name, and say what was left."""
    parser = argparse.ArgumentParser(prog="make delete", description="Remove a stack with the rules that it made.")
    parser.add_argument("stack", help="such as appointments-dev")
    parser.add_argument("--data", choices=("keep", "delete"), default="keep", help="the tables, and a user pool")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    arguments = parser.parse_args()
    stack = Stack(arguments.stack)
    try:
        data = retained(stack)
        doomed = "with ALL APPOINTMENTS" if arguments.data == "delete" else "and keep its data"
        if not arguments.yes and input(f"Delete {stack.name} {doomed}? Type its name: ") != stack.name:
            print("Nothing was deleted.")
            return 1
        deletion = Deletion(stack, stack.client("lambda"), stack.client("events"))
        stack.halt("ConflictDetectorFunction", "ReminderSweepFunction")
        print(f"{deletion.remove_rules()} reminder rules removed")
        region = stack.client("cloudformation").meta.region_name
        sam = Path(sys.executable).with_name("sam")
        command = [str(sam), "delete", "--no-prompts", "--stack-name", stack.name, "--region", region]
        if code := subprocess.run(command, check=False).returncode:  # noqa: S603 - the argument is a stack's name
            print("sam delete failed; it is safe to run this again", file=sys.stderr)
            return code
        for kind, name in data:
            if arguments.data == "delete":
                delete_retained(stack, kind, name)
            print(f"{'deleted' if arguments.data == 'delete' else 'kept'}: {kind} {name}")
    except (NoStackError, ClientError, BotoCoreError, KeyError) as problem:
        print(f"delete: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
