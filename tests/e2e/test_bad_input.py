"""Whatever is sent to the deployed API, it answers with a named problem, and writes nothing that it did not confirm."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.system import System

PROBLEM = "application/problem+json"
GOOD: dict[str, Any] = {
    "userId": "of-generated-bodies",
    "startTime": "2030-01-15T09:00:00Z",
    "endTime": "2030-01-15T09:30:00Z",
    "timeZone": "America/New_York",
    "resourceIds": ["room-of-generated-bodies"],
    "details": {"title": "Check-up 💇"},
    "reminders": [],
}
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
# A good body with one to three of its fields, or unknown ones, made into something else.
spoiled = st.dictionaries(st.sampled_from([*GOOD]) | st.text(), values, min_size=1, max_size=3).map(GOOD.__or__)
bodies = spoiled.map(json.dumps) | values.map(json.dumps) | st.text()


def booked_ids(system: System) -> set[str]:
    """The ids of all appointments in the table."""
    pages = system.engine.client("dynamodb").get_paginator("scan")
    found = pages.paginate(TableName=system.stack.appointments_table, ConsistentRead=True)
    return {item["appointmentId"]["S"] for page in found for item in page["Items"]}


def test_200_generated_bodies_are_no_server_error_and_write_nothing(
    call: Callable[..., Any], deployed_system: System
) -> None:
    statuses: list[int] = []
    confirmed: set[str] = set()
    before = booked_ids(deployed_system)

    @settings(max_examples=200, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(bodies)
    def send(body: str) -> None:
        answer = call("POST", "/appointments", body.encode(errors="surrogatepass"))
        statuses.append(answer.status)
        assert answer.status in {201, 400, 409, 413, 422}, answer
        if answer.status == 201:
            confirmed.add(answer.body["appointmentId"])
        else:
            assert answer.headers["Content-Type"] == PROBLEM
            assert answer.body["status"] == answer.status

    send()
    assert len(statuses) >= 200
    assert {400, 422} <= set(statuses)
    assert booked_ids(deployed_system) - before == confirmed


@pytest.mark.parametrize("size", [300_000, 2_000_000])
def test_a_body_that_is_too_large_is_refused(call: Callable[..., Any], size: int) -> None:
    answer = call("POST", "/appointments", GOOD | {"details": {"note": "x" * size}})
    assert (answer.status, answer.headers["Content-Type"]) in [(422, PROBLEM), (413, PROBLEM)]
