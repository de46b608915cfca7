"""The functions as `sam build` makes them, to be run in fresh processes over the boto3 that Lambda's runtime has."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from bench.places import PYTHON
from local import LocalError, deploy
from local.engine import REGION, Engine
from local.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_LAMBDA_FUNCTION_NAME": "bench",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "POWERTOOLS_SERVICE_NAME": "appointments",
    "APPOINTMENTS_TABLE": "AppointmentsTable",
    "CALENDARS_TABLE": "CalendarsTable",
    "RETENTION_DAYS": "400",
    "AUTH": "none",
    "AUTH_CLIENT_ID": "",
    "CORS_ORIGIN": "",
    "REMINDER_BACKEND": "rules",
    "REMINDER_SENDER_ARN": f"arn:aws:lambda:{REGION}:000000000000:function:reminder-sender",
    "REMINDER_DEAD_LETTER_QUEUE_ARN": f"arn:aws:sqs:{REGION}:000000000000:dead-letters",
    "REMINDER_SCHEDULE_GROUP": "appointments",
    "REMINDER_SCHEDULER_ROLE_ARN": "arn:aws:iam::000000000000:role/scheduler",
    "DEFAULT_LOCALE": "en",
    "DESK_CLIENT_ID": "",
    "DESK_DOMAIN": "",
    "EMAIL_CONFIGURATION_SET": "",
    "EMAIL_FROM": "",
    "EMAIL_NAME": "Appointments",
    "LINK_BASE": "",
    "LINK_KEY_ID": "00000000-0000-4000-8000-000000000002",
    "OPEN_BOOKING": "off",
    "HOLDS_PER_ADDRESS": "30",
    "BOOK_FRAME_ORIGINS": "",
    "SMS": "off",
    "SMS_SENDER_ID": "",
    "TEXTS": "",
    "CONTACT_KEY_ID": "00000000-0000-4000-8000-000000000001",
    "WEBHOOK_KEY_ID": "00000000-0000-4000-8000-000000000000",
    "WEBHOOK_QUEUE_URL": f"https://sqs.{REGION}.amazonaws.com/000000000000/deliveries",
    "WEBHOOK_FAILURES_URL": f"https://sqs.{REGION}.amazonaws.com/000000000000/failures",
    "WEBHOOK_TARGETS": "public",
    "NOTIFICATION_TOPIC_ARN": f"arn:aws:sns:{REGION}:000000000000:reminders",
}

_COUNT = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")


def built(function: str) -> Path:
    """The folder that `sam build` fills for a function of the template."""
    deploy.build(Engine(), print)
    return deploy.BUILD / function


def run(arguments: Sequence[str], path: Sequence[Path], more: Mapping[str, str] | None = None) -> str:
    """The output of a fresh process that finds modules in `path` and, of the bench's own environment, little else."""
    return _run([], arguments, path, more).stdout


def millions_of_instructions(
    arguments: Sequence[str], path: Sequence[Path], more: Mapping[str, str] | None = None
) -> float:
    """How many instructions such a process executes: the same again and again, whatever else the machine does."""
    # Sets and dictionaries of texts lie in memory by their hashes.
    done = _run(_COUNT, arguments, path, {"PYTHONHASHSEED": "0", **(more or {})})
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    if not found:
        raise LocalError(f"valgrind counted nothing: {done.stderr[-500:]}")
    return int(found[1].replace(",", "")) / 1e6


def _run(
    under: Sequence[str], arguments: Sequence[str], path: Sequence[Path], more: Mapping[str, str] | None
) -> subprocess.CompletedProcess[str]:
    environment = ENVIRONMENT | {
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        # Lambda cannot keep what it compiles: a package's modules are compiled at every cold start.
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONTZPATH": str(path[0] / "tzdata" / "zoneinfo"),
        **(more or {}),
    }
    return subprocess.run(
        [*under, str(PYTHON), *arguments],
        check=True,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
