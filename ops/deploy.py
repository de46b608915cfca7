"""Build and deploy a stage of `samconfig.toml`: `make deploy STAGE=dev`.

What would fail only after minutes, or with a message that does not say what to do, is refused first.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "samconfig.toml"
SAM = Path(sys.executable).with_name("sam")
# Lambda takes 64 characters, and the longest of the functions' names is `<stack>-conflict-detector`.
LONGEST_NAME = 64 - len("-conflict-detector")
# What CloudFormation leaves of a stack whose first deployment, or deletion, failed.
UNUSABLE = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")


class RefusedError(Exception):
    """The deployment would fail, for the reason that the message gives."""


def settings(stage: str) -> tuple[str, str]:
    """The stack's name and region of a section of `samconfig.toml`. Raises RefusedError."""
    stages = tomllib.loads(CONFIG.read_text())
    stages.pop("version")
    if stage == "local":
        raise RefusedError("the stage local is deployed by `make run`")
    if stage not in stages:
        raise RefusedError(f"samconfig.toml has no stage {stage!r}: it has {', '.join(sorted(stages))}")
    found = stages[stage]["global"]["parameters"]
    return found["stack_name"], found["region"]


def require_short(name: str) -> None:
    """Raises RefusedError for a stack's name with which the functions' names would be too long."""
    if len(name) > LONGEST_NAME:
        raise RefusedError(
            f"the stack's name {name} has {len(name)} characters. At most {LONGEST_NAME} are possible, because Lambda "
            "takes 64 for a function's name. Choose a shorter stack_name in samconfig.toml"
        )


def require_deployable(cloudformation: Any, name: str) -> None:
    """Raises RefusedError for a stack in a state from which CloudFormation updates none."""
    try:
        status = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return  # there is no such stack yet
        raise
    if status in UNUSABLE:
        raise RefusedError(
            f"{name} is in the state {status} and takes no deployment. "
            f"Remove it first: sam delete --stack-name {name}. "
            "If tables of it are protected from deletion, see docs/operations.md#deploy"
        )


def main() -> int:
    """Deploy the stage that the arguments name, and pass the rest of them on to `sam deploy`."""
    parser = argparse.ArgumentParser(prog="make deploy", description="Build and deploy a stage of samconfig.toml.")
    parser.add_argument("stage", help="a section of samconfig.toml, such as dev")
    arguments, more = parser.parse_known_args()
    try:
        name, region = settings(arguments.stage)
        require_short(name)
        require_deployable(boto3.client("cloudformation", region_name=region), name)
    except (RefusedError, ClientError, BotoCoreError) as problem:
        print(f"deploy: {problem}", file=sys.stderr)
        return 1
    for command in (["build"], ["deploy", "--config-env", arguments.stage, *more]):
        if code := subprocess.run([str(SAM), *command], cwd=ROOT, check=False).returncode:  # noqa: S603 - typed by the caller
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
