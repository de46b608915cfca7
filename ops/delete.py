"""Remove a stack with everything that it made at run time: `make delete STACK=appointments-dev`.

CloudFormation knows nothing of the rules that bookings made. They are found by what they aim at, this stack's sender,
so that those of another stack on the same bus stay. Those that aim at nothing go too. Nothing is booked and no sweep
begins meanwhile. What runs already goes on and may make rules, so they are removed once more when the stack is gone.
Schedules go with their group, which the stack owns.

The tables stay, and so does a user pool: `DATA=delete` removes them too. It refuses before it changes anything where
one is protected from deletion. It is safe to run again, also when the stack is gone and something was left.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from appointments.firing import TIMER_PREFIX
from appointments.rules import Rules, remove_rule
from ops import restore
from ops.stack import NoStackError, Stack, StillHaltedError
from ops.terminal import BROKEN_OFF, confirmed, working

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TABLE, USER_POOL = "AWS::DynamoDB::Table", "AWS::Cognito::UserPool"
# What a stack leaves behind on purpose, by its kind.
RETAINED = (TABLE, USER_POOL)
SENDER = "ReminderSenderFunction"
# As what it halts a stack, and what of it.
OPERATION = "delete"
HALTED = ("ConflictDetectorFunction", "ReminderSweepFunction")
SAM = Path(sys.executable).with_name("sam")
# Between two looks for rules that something still made while the stack went.
LOOK_AGAIN_SECONDS = 10
MOST_LOOKS = 30


class Kept(NamedTuple):
    """A table or a user pool that outlives its stack."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Doomed:
    """What is to go, of a stack that exists or of one that was deleted."""

    name: str
    exists: bool
    sender_arn: str | None
    data: tuple[Kept, ...]


def look(cloudformation: Any, name: str) -> Doomed:
    """What there is of the stack of this name, or else of the last one that was deleted. Raises NoStackError."""
    stack_id, exists = _stack_id(cloudformation, name)
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id)
    events = [event for page in pages for event in page["StackEvents"]]
    kept = [event for event in events if event["ResourceStatus"] == "DELETE_SKIPPED"]
    if exists:
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
        kept = [resource for page in pages for resource in page["StackResourceSummaries"]] + kept
    data = {Kept(each["ResourceType"], each.get("PhysicalResourceId", "")) for each in kept}
    sender = next(
        (e["PhysicalResourceId"] for e in events if e["LogicalResourceId"] == SENDER and e.get("PhysicalResourceId")),
        "",
    )
    _, partition, _, region, account, *_ = stack_id.split(":")
    return Doomed(
        name,
        exists,
        f"arn:{partition}:lambda:{region}:{account}:function:{sender}" if sender else None,
        tuple(sorted(each for each in data if each.kind in RETAINED and each.name)),
    )


def _stack_id(cloudformation: Any, name: str) -> tuple[str, bool]:
    """The id of the stack, and whether it exists. CloudFormation knows deleted ones for 90 days."""
    try:
        return cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"], True
    except ClientError as exc:
        if "does not exist" not in str(exc):
            raise
    pages = cloudformation.get_paginator("list_stacks").paginate(StackStatusFilter=["DELETE_COMPLETE"])
    gone = [stack for page in pages for stack in page["StackSummaries"] if stack["StackName"] == name]
    if not gone:
        raise NoStackError(f"there is no stack {name}, nor was one deleted lately")
    # Two of one name never exist at a time, so the last to be made is the last to be deleted.
    return max(gone, key=lambda stack: stack["CreationTime"])["StackId"], False


@dataclass(frozen=True)
class Deletion:
    """The steps, over clients that a test can bring along."""

    events: Any
    dynamodb: Any
    pools: Any

    def remove_rules(self, sender_arn: str) -> tuple[int, list[str]]:
        """Remove the rules that aim at a sender, whichever of its versions; how many, and what is left and why.

        And those of appointments that aim at nothing: one was left between the two calls that make or remove it.
        """
        names = {
            name for target in (sender_arn, f"{sender_arn}:live") for name in Rules(self.events, target, "").aimed()
        }
        found = sorted(name for name in names if name.startswith(f"{TIMER_PREFIX}-"))
        left = []
        for name in found:
            try:
                remove_rule(self.events, name)
            except (ClientError, BotoCoreError) as exc:
                left.append(f"rule {name}: {exc}")
        return len(found) - len(left) + self._remove_aimless(set(found), left), left

    def _remove_aimless(self, aimed: set[str], left: list[str]) -> int:
        """Remove appointments' rules without a target; how many. ``left`` gets what is left and why.

        Whose they were nothing tells. Where another stack is about to aim one, its sweep makes it anew.
        """
        pages = self.events.get_paginator("list_rules").paginate(NamePrefix=f"{TIMER_PREFIX}-")
        removed = 0
        for name in [rule["Name"] for page in pages for rule in page["Rules"]]:
            if name in aimed:
                continue
            try:
                if not self.events.list_targets_by_rule(Rule=name)["Targets"]:
                    self.events.delete_rule(Name=name)
                    removed += 1
            except (ClientError, BotoCoreError) as exc:
                # It is gone, or EventBridge refuses because it has got a target by now.
                if isinstance(exc, ClientError) and (_gone(exc) or _code(exc) == "ValidationException"):
                    continue
                left.append(f"rule {name}: {exc}")
        return removed

    def remove_late_rules(self, sender_arn: str) -> tuple[int, list[str]]:
        """Remove what was made while the stack went, until nothing more comes; how many, and what is left and why."""
        total = 0
        for _ in range(MOST_LOOKS):
            removed, left = self.remove_rules(sender_arn)
            total += removed
            if not removed:
                break
            time.sleep(LOOK_AGAIN_SECONDS)
        return total, left

    def protected(self, data: Iterable[Kept]) -> list[str]:
        """How to take the protection away from what is protected from deletion."""
        found = []
        for kept in data:
            try:
                if kept.kind == TABLE:
                    table = self.dynamodb.describe_table(TableName=kept.name)["Table"]
                    if table.get("DeletionProtectionEnabled"):
                        found.append(
                            f"aws dynamodb update-table --table-name {kept.name} --no-deletion-protection-enabled"
                        )
                elif self._pool_is_protected(kept.name):
                    # An update of a pool resets what it does not name, so no command is suggested.
                    found.append(f"switch the deletion protection of the user pool {kept.name} off, in the console")
            except ClientError as exc:
                if not _gone(exc):
                    raise
        return found

    def _pool_is_protected(self, pool_id: str) -> bool:
        pool = self.pools.describe_user_pool(UserPoolId=pool_id)["UserPool"]
        return bool(pool.get("DeletionProtection") == "ACTIVE")

    def remove_data(self, data: Iterable[Kept]) -> list[str]:
        """Delete tables and user pools with all that is in them; what is left and why."""
        left = []
        for kept in data:
            try:
                if kept.kind == TABLE:
                    self.dynamodb.delete_table(TableName=kept.name)
                else:
                    self.pools.delete_user_pool(UserPoolId=kept.name)
            except (ClientError, BotoCoreError) as exc:
                if isinstance(exc, ClientError) and _gone(exc):
                    continue  # an earlier run has deleted it
                left.append(f"{kept}: {exc}")
            else:
                print(f"deleted: {kept}")
        return left


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def _gone(error: ClientError) -> bool:
    return _code(error) == "ResourceNotFoundException"


def remove_stack(stack: Stack, doomed: Doomed, deletion: Deletion, sam: Callable[[], int]) -> list[str]:
    """Halt a stack, remove its rules and delete it; what is left of it and why.

    Unless CloudFormation deletes it, whatever breaks this off lets the stack go on: the sweep makes missing rules anew.
    """
    try:
        stack.halt(*HALTED, by=OPERATION)
        print(f"{stack.name} is halted: nothing is booked any more")
        if doomed.sender_arn:
            removed, left = deletion.remove_rules(doomed.sender_arn)
            print(f"{removed} reminder rules removed{f', {len(left)} left for now' if left else ''}")
        failed = sam()
    except BaseException:
        _let_go_on(stack)
        raise
    if not failed:
        return []
    if not _let_go_on(stack):
        return []
    return _undeleted(stack)


def _let_go_on(stack: Stack) -> bool:
    """Let a stack go on that CloudFormation does not delete; whether it is there."""
    try:
        status = _status(stack)
        if status is None:
            print(f"{stack.name} is gone all the same", file=sys.stderr)
            return False
        if status.startswith("DELETE_"):
            _tell_halted(stack)
            return True
        stack.release(*HALTED, by=OPERATION)
        others = stack.halted_functions(*HALTED)
    except (StillHaltedError, ClientError, BotoCoreError) as exc:
        print(f"delete: {exc}", file=sys.stderr)
        _tell_halted(stack)
        return True
    for name, who in others.items():
        print(f"{name} was halted by {who} before and STAYS HALTED", file=sys.stderr)
    if not others:
        print(f"{stack.name} was not deleted and goes on; its sweep makes removed rules anew", file=sys.stderr)
    return True


def _status(stack: Stack) -> str | None:
    """The status of a stack as CloudFormation has it; None where it is gone."""
    try:
        return str(stack.client("cloudformation").describe_stacks(StackName=stack.name)["Stacks"][0]["StackStatus"])
    except ClientError as exc:
        if "does not exist" not in str(exc):
            raise
    return None


def _tell_halted(stack: Stack) -> None:
    print(
        f"{stack.name} is not deleted and STAYS HALTED: nothing can be booked. Run this again, "
        f"or `make release STACK={stack.name}` if it is to stay",
        file=sys.stderr,
    )


def _undeleted(stack: Stack) -> list[str]:
    """The resources that CloudFormation could not delete, or at least the stack."""
    pages = stack.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack.name)
    failed = [r for page in pages for r in page["StackResourceSummaries"] if r["ResourceStatus"] == "DELETE_FAILED"]
    return [f"stack {stack.name}: sam delete failed"] + [
        f"{r['ResourceType']} {r['PhysicalResourceId']}: {r.get('ResourceStatusReason', 'could not be deleted')}"
        for r in failed
    ]


def sam_delete(name: str, region: str) -> int:
    """Run `sam delete`; its exit code."""
    command = [str(SAM), "delete", "--no-prompts", "--stack-name", name, "--region", region]
    with working("deleting the stack"):
        return subprocess.run(command, check=False).returncode  # noqa: S603 - the argument is a stack's name


def refusal(stack: Stack, doomed: Doomed, deletion: Deletion, *, data: bool) -> list[str]:
    """Why a stack is not deleted, and what to do about it; empty where it may go."""
    if doomed.exists and not SAM.is_file():
        return [f"SAM is not installed at {SAM}. Run `make setup`."]
    if data and (protected := deletion.protected(doomed.data)):
        how = [f"  {line}" for line in protected]
        return [f"data of {stack.name} is protected. Take the protection away:", *how]
    if doomed.exists and restore.OPERATION in stack.halted_functions(*HALTED).values():
        half = f"{stack.name} is halted by a restore that is not finished: its tables may be half restored."
        if not data:
            way = f"Run `make restore` again, or if they are right, `make release STACK={stack.name}`."
            return [half, way]
        print(half, file=sys.stderr)
    return []


def delete(stack: Stack, *, data: bool, sure: bool) -> int:
    """Delete a stack, and say what was left; 0 where nothing was left that should go."""
    cloudformation = stack.client("cloudformation")
    doomed = look(cloudformation, stack.name)
    deletion = Deletion(stack.client("events"), stack.client("dynamodb"), stack.client("cognito-idp"))
    if reasons := refusal(stack, doomed, deletion, data=data):
        print("Nothing was changed:", "\n".join(reasons), file=sys.stderr)
        return 1
    for kept in doomed.data:
        print(f"{'to be DELETED' if data else 'to be kept'}: {kept}")
    what = stack.name if doomed.exists else f"what is left of {stack.name}"
    question = f"Delete {what} {'with ALL APPOINTMENTS' if data else 'and keep its data'}? Type its name: "
    if not sure and not confirmed(question, stack.name):
        print("Nothing was deleted.")
        return 1
    left: list[str] = []
    if doomed.exists:
        region = cloudformation.meta.region_name
        left = remove_stack(stack, doomed, deletion, lambda: sam_delete(stack.name, region))
    if not left:
        left = remove_rest(doomed, deletion, data=data)
    for what in left:
        print(f"LEFT: {what}", file=sys.stderr)
    if left:
        print("Run this again when the reasons are gone.", file=sys.stderr)
    return 1 if left else 0


def remove_rest(doomed: Doomed, deletion: Deletion, *, data: bool) -> list[str]:
    """Remove what a deleted stack has left behind; what is still left and why."""
    left: list[str] = []
    if doomed.sender_arn:
        removed, left = deletion.remove_late_rules(doomed.sender_arn)
        if removed:
            print(f"{removed} more reminder rules removed, which were made meanwhile")
    if data:
        return left + deletion.remove_data(doomed.data)
    for kept in doomed.data:
        print(f"kept: {kept}")
    return left


def main() -> int:
    """Delete the stack that the arguments name."""
    parser = argparse.ArgumentParser(prog="make delete", description="Remove a stack with the rules that it made.")
    parser.add_argument("stack", help="such as appointments-dev")
    parser.add_argument("--data", choices=("keep", "delete"), default="keep", help="the tables, and a user pool")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    arguments = parser.parse_args()
    try:
        return delete(Stack(arguments.stack), data=arguments.data == "delete", sure=arguments.yes)
    except (NoStackError, ClientError, BotoCoreError, KeyError) as problem:
        print(f"delete: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("delete: broken off", file=sys.stderr)
        return BROKEN_OFF


if __name__ == "__main__":
    sys.exit(main())
