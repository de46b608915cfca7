"""The sample events, as the README shows them: `sam remote invoke` and, in a container, `sam local invoke`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.deploy import SAM
from local.invoke import write_template
from support import ROOT

if TYPE_CHECKING:
    from local.engine import Engine
    from local.system import System

# In this order they tell a story: the reminders are those of the booking, the conflict is with it.
STATUS = {"booking": 201, "conflict": 409, "bad-request": 422}
REMINDERS = ("reminder-24h", "reminder-1h")


def sam(engine: Engine, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(SAM), *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=engine.environment(), capture_output=True, text=True, timeout=120, check=False
    )


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    """What the function returned: the last line of the standard output, whatever else is said on it."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def states(system: System) -> dict[str, str]:
    """The state of each reminder of the sample booking."""
    id_ = json.loads((ROOT / "events" / "reminder-1h.json").read_text())["appointmentId"]
    table, client = system.stack.appointments_table, system.engine.client("dynamodb")
    item = client.get_item(TableName=table, Key={"appointmentId": {"S": id_}})["Item"]
    return {offset: reminder["M"]["state"]["S"] for offset, reminder in item["reminders"]["M"].items()}


def test_sam_remote_invoke_runs_every_sample_event(engine: Engine, deployed_system: System) -> None:
    def invoke(function: str, event: str) -> Any:
        arguments = ["--stack-name", deployed_system.stack.name, "--region", "us-east-1"]
        return answer(sam(engine, "remote", "invoke", function, *arguments, "--event-file", f"events/{event}.json"))

    assert {event: invoke("ConflictDetectorFunction", event)["statusCode"] for event in STATUS} == STATUS
    for event in REMINDERS:
        assert invoke("ReminderSenderFunction", event) is None
    assert states(deployed_system) == {"24h": "sent", "1h": "sent"}


def container_engine() -> bool:
    """Whether something listens where Docker's clients look."""
    kind, _, place = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").partition("://")
    if kind != "unix":
        return True  # somebody has named one
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(place) == 0


@pytest.mark.skipif(not container_engine(), reason="sam local invoke needs a container engine, and none answers here")
def test_sam_local_invoke_runs_every_sample_event(engine: Engine, deployed_system: System, tmp_path: Path) -> None:
    template = tmp_path / "template.json"
    write_template(engine, deployed_system.stack, template)

    def invoke(function: str, event: str) -> subprocess.CompletedProcess[str]:
        arguments = ["--template-file", str(template), "--event", f"events/{event}.json", "--skip-pull-image"]
        return sam(engine, "local", "invoke", function, *arguments)

    assert answer(invoke("ConflictDetectorFunction", "bad-request"))["statusCode"] == 422
    booked = invoke("ConflictDetectorFunction", "booking")
    if "Could not connect to the endpoint URL" in booked.stderr:
        pytest.skip("the other events need AWS, and containers here do not reach the engine on the host's 127.0.0.1")
    assert answer(booked)["statusCode"] == 201
    assert answer(invoke("ConflictDetectorFunction", "conflict"))["statusCode"] == 409
    for event in REMINDERS:
        assert answer(invoke("ReminderSenderFunction", event)) is None
    assert states(deployed_system) == {"24h": "sent", "1h": "sent"}
