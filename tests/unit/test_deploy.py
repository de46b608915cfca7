"""What `make deploy` refuses before it starts."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ops import deploy
from support import STAGES, resources


class CloudFormation:
    """Knows one stack, in one state."""

    def __init__(self, status: str | None, code: str = "ValidationError") -> None:
        self.status, self.code = status, code

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - botocore's name
        if self.status is None:
            raise ClientError({"Error": {"Code": self.code, "Message": f"no {StackName}"}}, "DescribeStacks")
        return {"Stacks": [{"StackName": StackName, "StackStatus": self.status}]}


def longest_name(stack: str) -> int:
    """Characters of the longest function's name in a stack."""
    functions = resources("AWS::Serverless::Function").values()
    return max(len(f["Properties"]["FunctionName"]["Fn::Sub"].replace("${AWS::StackName}", stack)) for f in functions)


def test_a_name_is_refused_when_a_function_could_not_bear_it() -> None:
    fits = "s" * deploy.LONGEST_NAME
    assert longest_name(fits) == 64
    deploy.require_short(fits)
    with pytest.raises(deploy.RefusedError, match=r"47 characters\. At most 46 "):
        deploy.require_short(fits + "s")


@pytest.mark.parametrize("stage", sorted(set(STAGES) - {"local"}))
def test_every_stage_can_be_deployed(stage: str) -> None:
    name, region = deploy.settings(stage)
    deploy.require_short(name)
    assert region


def test_a_stage_that_is_none_is_named_with_those_that_are() -> None:
    with pytest.raises(deploy.RefusedError, match="no stage 'production': it has default, dev, local, prod"):
        deploy.settings("production")
    with pytest.raises(deploy.RefusedError, match="make run"):
        deploy.settings("local")


@pytest.mark.parametrize("status", [None, "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_a_stack_that_is_new_or_at_rest_is_deployed(status: str | None) -> None:
    deploy.require_deployable(CloudFormation(status), "appointments-dev")


@pytest.mark.parametrize("status", deploy.UNUSABLE)
def test_a_stack_whose_first_deployment_failed_must_go_first(status: str) -> None:
    with pytest.raises(deploy.RefusedError, match=rf"{status}.*sam delete --stack-name appointments-dev"):
        deploy.require_deployable(CloudFormation(status), "appointments-dev")


def test_what_aws_refuses_is_not_taken_for_a_new_stack() -> None:
    with pytest.raises(ClientError):
        deploy.require_deployable(CloudFormation(None, "AccessDenied"), "appointments-dev")


def test_it_builds_and_then_deploys_and_stops_at_what_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    fails = {"deploy"}

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        ran.append(command[1:])
        return subprocess.CompletedProcess(command, 2 if command[1] in fails else 0)

    monkeypatch.setattr("ops.deploy.boto3.client", lambda *_, **__: CloudFormation(None))
    monkeypatch.setattr("ops.deploy.subprocess.run", run)
    monkeypatch.setattr("sys.argv", ["deploy", "prod", "--parameter-overrides", "GradualDeployment=false"])
    assert deploy.main() == 2
    assert ran == [["build"], ["deploy", "--config-env", "prod", "--parameter-overrides", "GradualDeployment=false"]]
    ran.clear()
    fails.add("build")
    assert deploy.main() == 2
    assert ran == [["build"]]
