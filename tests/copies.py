"""Further stacks of the template beside one that `sam deploy` deployed: what it packed is deployed once more."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from botocore.exceptions import WaiterError

from local import LocalError
from local.deploy import Stack, parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.engine import Engine

BUCKET = "copies"
SOON: Any = {"Delay": 1, "MaxAttempts": 120}


def copied(engine: Engine, deployed: Stack, name: str, overrides: Mapping[str, str] | None = None) -> Stack:
    """As `sam deploy` does it, by a change set. Starting sam and packing the code costs most of a deployment."""
    cloudformation, s3 = engine.client("cloudformation"), engine.client("s3")
    template: Any = cloudformation.get_template(StackName=deployed.name, TemplateStage="Original")["TemplateBody"]
    text = template if isinstance(template, str) else json.dumps(template)
    s3.create_bucket(Bucket=BUCKET)
    # Code of its own, since `sam delete` deletes a stack's code too.
    for bucket, key in set(re.findall(r"s3://([\w.-]+)/([\w./-]+)", text)):
        s3.copy_object(Bucket=BUCKET, Key=f"{name}/{key}", CopySource={"Bucket": bucket, "Key": key})
        text = text.replace(f"s3://{bucket}/{key}", f"s3://{BUCKET}/{name}/{key}")
    s3.put_object(Bucket=BUCKET, Key=name, Body=text.encode())
    which = {"StackName": name, "ChangeSetName": "copy"}
    try:
        cloudformation.create_change_set(
            **which,
            ChangeSetType="CREATE",
            TemplateURL=f"{engine.url}/{BUCKET}/{name}",
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters(overrides).items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        cloudformation.get_waiter("change_set_create_complete").wait(**which, WaiterConfig=SOON)
        cloudformation.execute_change_set(**which)
        cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=SOON)
    except (cloudformation.exceptions.ClientError, WaiterError) as problem:
        raise LocalError(f"{name} could not be deployed: {problem}") from problem
    return Stack.of(engine, name)
