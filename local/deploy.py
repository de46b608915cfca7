"""The real `sam build` and `sam deploy`, pointed at the engine."""

from __future__ import annotations

import fcntl
import hashlib
import json
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from botocore.exceptions import BotoCoreError, ClientError
from samtranslator.yaml_helper import yaml_parse

from local import LocalError
from local.engine import Engine
from local.places import LOCAL, ROOT, TEMPLATE
from local.waiting import Heartbeat, Say, patiently, pause

CONFIG = ROOT / "samconfig.toml"
CONFIG_SECTION = "local"
SAM = Path(sys.executable).with_name("sam")
# Apart from `.aws-sam`, so that a build for AWS is never replaced by one for this machine.
BUILD = LOCAL / "build"
USABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
UNUSABLE = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS")


@dataclass(frozen=True)
class Stack:
    """What a deployed stack consists of, as its outputs name it."""

    name: str
    api_target: str
    appointments_table: str
    calendars_table: str
    topic_arn: str
    event_bus: str
    conflict_detector: str
    reminder_sender: str
    reminder_sweep: str
    event_relay: str
    webhook_sender: str
    reach_feedback: str
    notice_sender: str

    @classmethod
    def of(cls, engine: Engine, name: str) -> Stack:
        """Read the outputs of the stack ``name`` on ``engine``."""
        found = engine.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
        # https://<id>.execute-api.<region>.amazonaws.com/<stage>, which the engine serves under a path.
        url = urlsplit(outputs["ApiUrl"])
        api_id = url.netloc.split(".")[0]
        return cls(
            name=name,
            api_target=f"{engine.url}/restapis/{api_id}/{url.path.strip('/')}/_user_request_",
            appointments_table=outputs["AppointmentsTableName"],
            calendars_table=outputs["CalendarsTableName"],
            topic_arn=outputs["NotificationTopicArn"],
            event_bus=f"appointments-{name}",
            conflict_detector=outputs["ConflictDetectorFunctionName"],
            reminder_sender=outputs["ReminderSenderFunctionName"],
            reminder_sweep=outputs["ReminderSweepFunctionName"],
            event_relay=f"{name}-event-relay",
            webhook_sender=f"{name}-webhook-sender",
            reach_feedback=f"{name}-reach-feedback",
            notice_sender=f"{name}-notice-sender",
        )


def runtime() -> dict[str, str]:
    """The parameters that make what is built fit this machine: the engine runs functions as processes on it."""
    arm = platform.machine().lower() in ("arm64", "aarch64")
    return {
        "Runtime": f"python{sys.version_info.major}.{sys.version_info.minor}",
        "Architectures": "arm64" if arm else "x86_64",
    }


def parameters(overrides: Mapping[str, str] | None = None) -> dict[str, str]:
    """The local section's parameters, this machine's, and ``overrides``: `sam` takes them as a whole or not at all."""
    section = tomllib.loads(CONFIG.read_text()).get(CONFIG_SECTION, {})
    written = section.get("deploy", {}).get("parameters", {}).get("parameter_overrides", [])
    pairs = shlex.split(written) if isinstance(written, str) else written
    return dict(pair.split("=", 1) for pair in pairs) | runtime() | dict(overrides or {})


def fingerprint(*more: str) -> str:
    """A digest of everything that decides what is built and deployed, and of ``more``."""
    digest = hashlib.sha256()
    sources = [path for path in (ROOT / "src").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    for path in sorted([*sources, TEMPLATE, CONFIG, ROOT / "requirements" / "engine.txt"]):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    # Outside `src/`: what the template includes, such as the contract.
    for path in sorted(ROOT.glob("*.yaml")):
        digest.update(path.read_bytes())
    digest.update("\0".join(more).encode())
    return digest.hexdigest()


@contextmanager
def only_one(say: Say) -> Iterator[None]:
    """Keep two commands, such as `make run` and `make test`, from building at the same time."""
    LOCAL.mkdir(exist_ok=True)
    with (LOCAL / "build.lock").open("w") as lock:
        heartbeat = Heartbeat(say, "waiting for another command that builds or deploys")
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                pause(0.1)
                heartbeat.beat()
        yield


def run_sam(engine: Engine, arguments: Sequence[str], log: Path, what: str, say: Say) -> None:
    """Run `sam`, keep its output in ``log``, and say now and then that it still works."""
    if not SAM.exists():
        raise LocalError("sam is not installed; run: make setup")
    if shutil.which("make") is None:
        raise LocalError("make is missing, and `sam build` needs it; install the package make")
    environment = engine.environment()
    # `python3` in src/Makefile must be this environment's, which has pip.
    environment["PATH"] = f"{SAM.parent}:{environment.get('PATH', '')}"
    heartbeat = Heartbeat(say, what)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(SAM), *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while process.poll() is None:
                pause(0.1)
                heartbeat.beat()
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
    if process.returncode != 0:
        raise LocalError(f"`sam {arguments[0]}` failed: {reason(log)} (full output: {shown(log)})")


def reason(log: Path) -> str:
    """The line of a tool's output that says most likely why it failed."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    # What make says after a failed command is that it failed, and sam repeats it.
    spoken = [line for line in lines if line and "make: ***" not in line and not line.startswith("Build Failed")]
    telling = [line for line in spoken if "error" in line.lower() or "failed" in line.lower()]
    return (telling or spoken or ["it printed nothing"])[-1].rstrip(".")


def shown(path: Path) -> str:
    """A path as a person in the checkout would type it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def build(engine: Engine, say: Say) -> None:
    """`sam build` for this machine, unless nothing has changed since the last one."""
    mark = BUILD.with_suffix(".fingerprint")
    current = fingerprint(*runtime().values())
    if mark.exists() and mark.read_text() == current and (BUILD / "template.yaml").exists():
        return
    say("building (sam build)")
    mark.unlink(missing_ok=True)
    overrides = [f"{name}={value}" for name, value in parameters().items()]
    arguments = ["build", "--template-file", str(TEMPLATE), "--build-dir", str(BUILD), "--config-file", str(CONFIG)]
    arguments += ["--config-env", CONFIG_SECTION, "--parameter-overrides", *overrides]
    run_sam(engine, arguments, LOCAL / "build.log", "building", say)
    pack(BUILD)
    mark.write_text(current)


def pack(built: Path) -> None:
    """Pack equal code once, and write the template as JSON: for `sam deploy`, most of whose time this takes.

    It packs the folder of each function, and these are the same, and it reads the template seven times.
    """
    path = built / "template.yaml"
    template = yaml_parse(path.read_text())
    packed: dict[str, str] = {}
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            code = resource["Properties"]["CodeUri"]
            resource["Properties"]["CodeUri"] = packed.setdefault(digest_of(built / code), f"{code}.zip")
    for name in packed.values():
        archive(built / name.removesuffix(".zip"), built / name)
    path.write_text(json.dumps(template))


def files_of(folder: Path) -> list[Path]:
    """All files below a folder, in order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def digest_of(folder: Path) -> str:
    """A digest of all files below a folder."""
    digest = hashlib.sha256()
    for path in files_of(folder):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def archive(folder: Path, target: Path) -> None:
    """Pack a folder, so that equal files make an equal archive, whenever they were written."""
    with ZipFile(target, "w", ZIP_DEFLATED) as packed:
        for path in files_of(folder):
            entry = ZipInfo(str(path.relative_to(folder)))
            entry.external_attr = 0o100755 << 16  # as `sam deploy` has it: every function may read and run it
            packed.writestr(entry, path.read_bytes(), ZIP_DEFLATED)


def deploy(engine: Engine, name: str, say: Say, overrides: Mapping[str, str] | None = None) -> Stack:
    """Build and deploy the template as the stack ``name``, and return what it consists of."""
    if not TEMPLATE.exists() or not CONFIG.exists():
        raise LocalError("template.yaml and samconfig.toml must lie in the checkout's folder")
    with only_one(say):
        build(engine, say)
        clear_failed(engine, name)
        say("deploying (sam deploy)")
        pairs = [f"{key}={value}" for key, value in parameters(overrides).items()]
        arguments = ["deploy", "--template-file", str(BUILD / "template.yaml"), "--stack-name", name]
        arguments += ["--config-file", str(CONFIG), "--config-env", CONFIG_SECTION]
        arguments += ["--resolve-s3", "--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"]
        arguments += ["--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "--parameter-overrides", *pairs]
        log = LOCAL / f"deploy-{name}.log"
        try:
            run_sam(engine, arguments, log, "deploying", say)
        except LocalError as problem:
            cause = failed_resource(engine, name)
            raise (
                LocalError(f"`sam deploy` failed: {cause} (full output: {shown(log)})") if cause else problem
            ) from None
    return Stack.of(engine, name)


def deploy_if_changed(
    engine: Engine, name: str, say: Say, memory: Path, overrides: Mapping[str, str] | None = None
) -> Stack:
    """Deploy, unless ``memory`` says that this very code lies in the engine's kept state and the API answers."""
    current = fingerprint(name, json.dumps(parameters(overrides), sort_keys=True))
    if memory.exists() and memory.read_text() == current:
        stack = working_stack(engine, name, say)
        if stack is not None:
            return stack
    memory.unlink(missing_ok=True)
    stack = deploy(engine, name, say, overrides)
    if working_stack(engine, name, say) is None:
        raise LocalError(f"The stack {name} is deployed, but its API does not answer: {reason(engine.log)}")
    memory.write_text(current)
    return stack


def working_stack(engine: Engine, name: str, say: Say) -> Stack | None:
    """The stack, if it is complete and its API answers; asking also starts the function's first process."""
    try:
        status = stack_status(engine, name)
        stack = Stack.of(engine, name) if status in USABLE else None
        works = stack is not None and patiently(lambda: answers(stack), "waiting for the API", say)
        return stack if works else None
    except (ClientError, BotoCoreError, KeyError):
        return None


def answers(stack: Stack) -> bool:
    """Whether the function behind the API answers: its own 404, not the gateway's refusal or a 500."""
    try:
        with urllib.request.urlopen(f"{stack.api_target}/appointments/none", timeout=30):  # noqa: S310 - http to ourselves
            return True
    except urllib.error.HTTPError as answer:
        return answer.code == 404 and "problem+json" in answer.headers.get("Content-Type", "")
    except (urllib.error.URLError, OSError):
        return False


def stack_status(engine: Engine, name: str) -> str | None:
    """The stack's status, or None where there is no such stack."""
    try:
        return str(engine.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
    except ClientError:
        return None


def clear_failed(engine: Engine, name: str) -> None:
    """Remove a stack whose creation failed: CloudFormation updates none of these."""
    if stack_status(engine, name) in UNUSABLE:
        cloudformation = engine.client("cloudformation")
        cloudformation.delete_stack(StackName=name)
        cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )


def failed_resource(engine: Engine, name: str) -> str | None:
    """The first resource that failed in the last deployment, and why."""
    try:
        events = engine.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    except (ClientError, BotoCoreError):
        return None
    cause = None
    for event in events:  # newest first
        why = event.get("ResourceStatusReason", "")
        if event["ResourceStatus"].endswith("_FAILED") and why and "cancelled" not in why.lower():
            cause = f"{event['LogicalResourceId']}: {why}"
        whole = event["LogicalResourceId"] == name
        if whole and event["ResourceStatus"] in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"):
            break  # what is older belongs to an earlier deployment
    return cause
