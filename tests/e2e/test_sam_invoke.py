"""The sample events, as the README shows them: `sam remote invoke` and, in a container, `sam local invoke`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local import bridge, invoke
from local.deploy import SAM
from support import ROOT, sample_event

if TYPE_CHECKING:
    from local.engine import Engine
    from local.system import System

# In this order they tell a story: the reminders are those of the booking, the conflict is with it.
STATUS = {"booking": 201, "conflict": 409, "bad-request": 422, "session": 201, "join": 201}
SAMPLE = sample_event("reminder-1h")["appointmentId"]
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
    table, client = system.stack.appointments_table, system.engine.client("dynamodb")
    item = client.get_item(TableName=table, Key={"appointmentId": {"S": SAMPLE}})["Item"]
    return {offset: reminder["M"]["state"]["S"] for offset, reminder in item["reminders"]["M"].items()}


def forget_sample(system: System) -> None:
    """Remove the sample booking that another test has made, with its places on the calendars."""
    dynamodb = system.engine.client("dynamodb")
    dynamodb.delete_item(TableName=system.stack.appointments_table, Key={"appointmentId": {"S": SAMPLE}})
    booking = json.loads(sample_event("booking")["body"])
    for calendar in (booking["userId"], *booking["resourceIds"]):
        key = {"calendarId": {"S": calendar}, "day": {"S": booking["startTime"][:10]}}
        dynamodb.delete_item(TableName=system.stack.calendars_table, Key=key)


def test_sam_remote_invoke_runs_every_sample_event(engine: Engine, deployed_system: System) -> None:
    def invoke(function: str, event: str) -> Any:
        arguments = ["--stack-name", deployed_system.stack.name, "--region", "us-east-1"]
        return answer(sam(engine, "remote", "invoke", function, *arguments, "--event-file", f"events/{event}.json"))

    assert {event: invoke("ConflictDetectorFunction", event)["statusCode"] for event in STATUS} == STATUS
    for event in REMINDERS:
        assert invoke("ReminderSenderFunction", event) is None
    assert states(deployed_system) == {"24h": "sent", "1h": "sent"}


def bridge_found() -> bool:
    """Whether a container engine answers whose containers can reach this machine."""
    try:
        return bridge.find() is not None
    except bridge.NoWayInError:
        return False


@pytest.mark.skipif(not bridge_found(), reason="needs a container engine that is not rootless, and none answers here")
def test_sam_local_invoke_runs_every_sample_event(engine: Engine, deployed_system: System, tmp_path: Path) -> None:
    with bridge.offered(engine.port, print) as url:
        assert url is not None
        invoke.write(engine, deployed_system.stack, url, tmp_path)

        def run(function: str, event: str) -> Any:
            # As the README has it, where samconfig.toml names both files. The shell's AWS_ENDPOINT_URL is set, too.
            arguments = ["--template-file", str(tmp_path / invoke.TEMPLATE_NAME), "--skip-pull-image"]
            arguments += ["--env-vars", str(tmp_path / invoke.VARIABLES_NAME)]
            return answer(sam(engine, "local", "invoke", function, *arguments, "--event", f"events/{event}.json"))

        forget_sample(deployed_system)
        assert {event: run("ConflictDetectorFunction", event)["statusCode"] for event in STATUS} == STATUS
        for event in REMINDERS:
            assert run("ReminderSenderFunction", event) is None
        assert states(deployed_system) == {"24h": "sent", "1h": "sent"}
