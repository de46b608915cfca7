"""What `sam local invoke --config-env local` needs to run a function in a container over the running engine."""

from __future__ import annotations

import json
from pathlib import Path

from samtranslator.yaml_helper import yaml_parse

from local.deploy import BUILD, Stack, runtime
from local.engine import Engine


def write_template(engine: Engine, stack: Stack, path: Path) -> None:
    """Write the built template to ``path``, its functions set up as they are deployed.

    `sam local invoke` resolves no name of a deployed resource, and passes a container no variable that the template
    does not declare: the real names, and where the engine listens, have to stand in it.
    """
    template = yaml_parse((BUILD / "template.yaml").read_text())
    template["Parameters"]["Architectures"]["Default"] = runtime()["Architectures"]
    awslambda = engine.client("lambda")
    names = engine.client("cloudformation").describe_stack_resources(StackName=stack.name)["StackResources"]
    for resource in names:
        if resource["ResourceType"] != "AWS::Lambda::Function":
            continue
        deployed = awslambda.get_function_configuration(FunctionName=resource["PhysicalResourceId"])
        properties = template["Resources"][resource["LogicalResourceId"]]["Properties"]
        properties["CodeUri"] = str(BUILD / properties["CodeUri"])
        variables = deployed["Environment"]["Variables"] | {"AWS_ENDPOINT_URL": engine.url}
        properties["Environment"] = {"Variables": variables}
    path.write_text(json.dumps(template, indent=2) + "\n")
