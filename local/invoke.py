"""What `sam local invoke --config-env local` needs to run a function in a container over the running engine."""

from __future__ import annotations

import json
from pathlib import Path

from samtranslator.yaml_helper import yaml_parse

from local.deploy import BUILD, Stack, runtime
from local.engine import Engine

# As samconfig.toml names them.
TEMPLATE_NAME, VARIABLES_NAME = "invoke.json", "invoke-variables.json"


def write(engine: Engine, stack: Stack, url: str | None, folder: Path) -> None:
    """Write the built template, its functions set up as they are deployed, and the address of the engine.

    `sam local invoke` resolves no name of a deployed resource, and passes a container no variable that the template
    does not declare, so the real names stand in it. The shell's variables win over the template's, and an
    AWS_ENDPOINT_URL there names 127.0.0.1, which in a container is the container itself. So ``url`` stands in a file
    that wins over both.
    """
    endpoint = {"AWS_ENDPOINT_URL": url or engine.url}
    template = yaml_parse((BUILD / "template.yaml").read_text())
    template["Parameters"]["Architectures"]["Default"] = runtime()["Architectures"]
    awslambda = engine.client("lambda")
    names = engine.client("cloudformation").describe_stack_resources(StackName=stack.name)["StackResources"]
    for resource in names:
        if resource["ResourceType"] != "AWS::Lambda::Function":
            continue
        deployed = awslambda.get_function_configuration(FunctionName=resource["PhysicalResourceId"])
        properties = template["Resources"][resource["LogicalResourceId"]]["Properties"]
        properties["CodeUri"] = str(BUILD / properties["CodeUri"].removesuffix(".zip"))
        properties["Environment"] = {"Variables": deployed["Environment"]["Variables"] | endpoint}
    (folder / TEMPLATE_NAME).write_text(json.dumps(template, indent=2) + "\n")
    (folder / VARIABLES_NAME).write_text(json.dumps({"Parameters": endpoint}) + "\n")
