"""How a function starts: what it imports, and what it makes before the first request."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support import ROOT, resources

SRC = Path(ROOT) / "src"
# As the template tells the functions; which value does not matter here.
NAMES = (
    "APPOINTMENTS_TABLE",
    "AUTH_CLIENT_ID",
    "BOOK_FRAME_ORIGINS",
    "CALENDARS_TABLE",
    "CONTACT_KEY_ID",
    "CORS_ORIGIN",
    "DEFAULT_LOCALE",
    "DESK_CLIENT_ID",
    "DESK_DOMAIN",
    "EVENT_BUS",
    "LINK_KEY_ID",
    "NOTIFICATION_TOPIC_ARN",
    "OPEN_BOOKING",
    "RELAY_FAILURES_QUEUE_URL",
    "REMINDER_DEAD_LETTER_QUEUE_ARN",
    "REMINDER_SCHEDULER_ROLE_ARN",
    "REMINDER_SCHEDULE_GROUP",
    "REMINDER_SENDER_ARN",
    "WEBHOOK_FAILURES_URL",
    "WEBHOOK_KEY_ID",
    "WEBHOOK_QUEUE_URL",
)
ENVIRONMENT = dict.fromkeys(NAMES, "x") | {
    "AUTH": "none",
    "AWS_DEFAULT_REGION": "us-east-1",
    "HOLDS_PER_ADDRESS": "30",
    "EMAIL_FROM": "",
    "EMAIL_NAME": "",
    "LINK_BASE": "",
    "REMINDER_BACKEND": "rules",
    "RETENTION_DAYS": "400",
    "WEBHOOK_TARGETS": "public",
}
PUT_OFF = "aws_lambda_powertools.utilities.jmespath_utils"
WATCH = """
import json, sys
from botocore.session import Session
made = []
create = Session.create_client
Session.create_client = lambda self, name, **more: made.append(name) or create(self, name, **more)
import {module}
print(json.dumps([made, sorted(sys.modules)]))
"""


def start(module: str, **environment: str) -> tuple[list[str], list[str]]:
    """The clients that importing a module makes, and what is imported then, in a fresh process."""
    run = [sys.executable, "-c", WATCH.format(module=module)]
    done = subprocess.run(run, check=True, cwd=SRC, env=environment, timeout=60, stdout=subprocess.PIPE)
    made, modules = json.loads(done.stdout)
    return made, modules


@pytest.mark.parametrize(
    ("module", "backend", "clients"),
    [
        ("conflict_detector.app", "rules", ["dynamodb", "events"]),
        ("conflict_detector.app", "scheduler", ["dynamodb", "scheduler"]),
        ("reminder_sender.app", "rules", ["dynamodb", "sns"]),
        ("event_relay.app", "rules", ["dynamodb", "sqs", "events"]),
        ("webhook_sender.app", "rules", ["dynamodb", "kms", "sqs"]),
        ("notice_sender.app", "rules", ["dynamodb", "kms"]),
    ],
)
def test_on_lambda_the_clients_that_every_request_needs_are_made_at_the_start(
    module: str, backend: str, clients: list[str]
) -> None:
    on_lambda = ENVIRONMENT | {"AWS_LAMBDA_FUNCTION_NAME": "f", "REMINDER_BACKEND": backend}
    assert start(module, **on_lambda)[0] == clients


@pytest.mark.parametrize(
    "handler", [f["Properties"]["Handler"] for f in resources("AWS::Serverless::Function").values()]
)
def test_the_collector_rests_during_a_start_and_works_after_it(handler: str) -> None:
    module = handler.rpartition(".")[0]
    code = (
        f"import gc, {module}\n"
        "print(gc.isenabled(), gc.get_freeze_count(), sum(each['collections'] for each in gc.get_stats()))"
    )

    def collector(**environment: str) -> tuple[str, int, int]:
        done = subprocess.run(
            [sys.executable, "-c", code], check=True, cwd=SRC, env=environment, timeout=60, capture_output=True
        )
        works, frozen, passes = done.stdout.decode().split()
        return works, int(frozen), int(passes)

    works, frozen, passes = collector(**ENVIRONMENT, AWS_LAMBDA_FUNCTION_NAME="f")
    assert works == "True"
    assert frozen > 20_000
    elsewhere = collector()
    assert elsewhere[:2] == ("True", 0)
    assert passes < elsewhere[2] / 5


@pytest.mark.parametrize("module", ["conflict_detector.app", "reminder_sender.app"])
def test_a_start_imports_nothing_heavy_that_it_can_do_without(module: str) -> None:
    _, modules = start(module)
    heavy = {"boto3", "s3transfer", "pydantic", "aws_lambda_powertools.event_handler", "multiprocessing"}
    assert heavy.isdisjoint(modules)
    assert ("appointments.calendars" in modules) == (module == "conflict_detector.app")
    assert "botocore" in modules  # else the line above says nothing


@pytest.mark.parametrize(
    "module", [f["Properties"]["Handler"].rpartition(".")[0] for f in resources("AWS::Serverless::Function").values()]
)
def test_a_start_puts_off_what_needs_typing_extensions(module: str) -> None:
    code = f"import sys, {module}; print(vars(sys.modules['{PUT_OFF}']).keys() - vars(type(sys)('empty')).keys())"
    on_lambda = ENVIRONMENT | {"AWS_LAMBDA_FUNCTION_NAME": "f"}
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, check=True, cwd=SRC, env=on_lambda, timeout=60, capture_output=True)
    assert done.stdout == b"{'__getattr__'}\n"


def test_what_is_put_off_is_imported_when_it_is_used() -> None:
    code = (
        "import sys, conflict_detector; from appointments.telemetry import logger\n"
        "class Context: function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = 'f'\n"
        "handler = logger.inject_lambda_context(correlation_id_path='requestContext.id')(lambda event, context: None)\n"
        "handler({'requestContext': {'id': 'seven'}}, Context())\n"
        f"print(logger.get_correlation_id(), 'query' in vars(sys.modules['{PUT_OFF}']))"
    )
    on_lambda = ENVIRONMENT | {"AWS_LAMBDA_FUNCTION_NAME": "f"}
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=SRC, env=on_lambda, timeout=60, capture_output=True
    )
    assert done.stdout.decode().splitlines()[-1] == "seven True"


WITHOUT_CONTACT = """
import sys
from moto import mock_aws
from support import api_event, create_tables
with mock_aws():
    import botocore.session
    from appointments.storage.store import Storage
    from conflict_detector.access import Access, Auth
    from conflict_detector.api import Api
    client = botocore.session.get_session().create_client("dynamodb")
    create_tables(client)
    timers = type("Timers", (), {"arm": lambda *_: []})()
    api = Api(Storage.of(client, "AppointmentsTable", "CalendarsTable"), timers, Access(Auth.NONE))
    body = {"userId": "anna", "startTime": "2130-01-15T09:00:00Z", "endTime": "2130-01-15T10:00:00Z", "reminders": []}
    for contact in ({}, {"contact": {"email": "anna@example.org"}}):
        answer = api.handle(api_event("POST", "/appointments", body | contact | {"userId": f"anna-{len(contact)}"}))
        print(answer["statusCode"], sorted({"email_validator", "phonenumbers"} & sys.modules.keys()))
"""


def test_only_a_booking_with_a_contact_imports_what_checks_addresses() -> None:
    path = f"{SRC}:{ROOT}/tests"
    environment = ENVIRONMENT | {"PYTHONPATH": path, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    run = [sys.executable, "-c", WITHOUT_CONTACT]
    done = subprocess.run(run, check=True, env=environment, timeout=60, stdout=subprocess.PIPE)
    without, with_one = [line for line in done.stdout.decode().splitlines() if line.startswith("201")]
    assert (without, with_one) == ("201 []", "201 ['email_validator', 'phonenumbers']")
