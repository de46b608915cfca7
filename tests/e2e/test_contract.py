"""Schemathesis runs openapi.yaml against the deployed stack: examples, limits, random requests, and chains of calls.

No 5xx, no status, header, content type or body that the contract does not name, and nothing that it forbids is taken.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from contract import operations
from local.contract import WRITTEN
from support import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHECKS = """
    not_a_server_error status_code_conformance content_type_conformance response_headers_conformance
    response_schema_conformance negative_data_rejection unsupported_method allow_header_conformance
    what_was_booked_is_found what_is_refused_is_explained
"""
# Of its other checks, two expect what the contract says is otherwise: `use_after_free`, though a cancelled appointment
# is still found, and `positive_data_acceptance`, though a schema cannot express every rule. Our own checks replace
# that one, and `ensure_resource_availability`, which looks for what a dry run did not book.
EXAMPLES_PER_CALL = 8
# API Gateway takes no TRACE, and answers it itself.
SETTINGS = """
[phases.coverage]
unexpected-methods = ["GET", "PUT", "POST", "DELETE", "PATCH"]
"""


@pytest.fixture
def answers(tmp_path: Path, call: Callable[..., Any]) -> Iterator[Path]:
    """Where the hooks record every answer. What these left behind is taken away: others use the stack, too."""
    path = tmp_path / "answers.jsonl"
    path.touch()
    yield path
    answers = [json.loads(line) for line in path.read_text().splitlines()]
    for location in {a["location"] for a in answers if a["call"].startswith("POST ") and a["location"]}:
        assert call("DELETE", location).status == 200
    for put in {a["path"] for a in answers if a["call"].startswith("PUT ") and a["status"] == 200}:
        gone = "/services/" in put or "/webhooks/" in put or put.endswith("/contact")
        assert (call("DELETE", put) if gone else call("PUT", put, {})).status == 200


@pytest.mark.timeout(900)
def test_the_deployed_api_keeps_the_contract(api_url: str, answers: Path, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    run = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"), "run", WRITTEN, "--url", api_url,
            "--checks", ",".join(CHECKS.split()), "--max-examples", str(EXAMPLES_PER_CALL),
            "--generation-deterministic", "--no-color",
        ],
        check=False,
        cwd=tmp_path,
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT / "tests" / "e2e"),
            "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
            "SCHEMATHESIS_ANSWERS": str(answers),
        },
        capture_output=True,
        text=True,
        timeout=880,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    seen = [json.loads(line) for line in answers.read_text().splitlines()]
    assert len(seen) >= 300
    # It went in: people booked, and nothing was left untried. Whether two of them collide is chance: the acceptance
    # cases hold 409 to the contract, as all that they are answered.
    assert {seen["call"] for seen in seen} >= {f"{method.upper()} {path}" for path, method, _ in operations()}
    statuses = Counter((answer["call"], answer["status"]) for answer in seen)
    for path, method, statuses_wanted in [
        ("/appointments", "POST", {200, 201, 400, 422}),
        ("/appointments", "GET", {200, 422}),
        ("/appointments/{appointmentId}", "GET", {200, 404}),
        ("/appointments/{appointmentId}", "PATCH", {200, 404, 422}),
        ("/appointments/{appointmentId}", "DELETE", {200, 404}),
        ("/calendars/{calendarId}", "PUT", {200, 412, 422}),
        ("/availability", "GET", {200, 422}),
    ]:
        assert statuses_wanted <= {status for call, status in statuses if call == f"{method} {path}"}, statuses
