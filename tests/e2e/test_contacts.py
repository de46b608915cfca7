"""Contacts on the deployed stack: the key, the index behind the stream, and what may write and remove them."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from appointments.storage.contact_index import CONTACTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.deploy import Stack
    from local.engine import Engine


def until(condition: Callable[[], bool]) -> None:
    """Wait for what comes of a stream, within seconds."""
    ends = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.2)


def test_a_person_is_found_by_their_address_until_they_are_forgotten(
    call: Callable[..., Any], engine: Engine, deployed_stack: Stack
) -> None:
    person, phone = f"person-{uuid.uuid4()}", "+4915123456789"
    email = f"{person}@example.org"
    start = (datetime.now(UTC) + timedelta(days=42)).replace(minute=0, second=0, microsecond=0)
    times = {"startTime": start.isoformat(), "endTime": (start + timedelta(hours=1)).isoformat()}
    body = {"userId": person, "contact": {"email": email, "phone": phone}, "reminders": []} | times
    booked = call("POST", "/appointments", body)
    assert booked.status == 201

    def found(address: str) -> list[str]:
        answer = call("GET", f"/appointments?contact={quote(address)}")
        assert answer.status == 200
        return [one["appointmentId"] for one in answer.body["appointments"] if one["userId"] == person]

    mine = [booked.body["appointmentId"]]
    until(lambda: found(email) == found(phone) == mine)
    assert call("PATCH", f"/appointments/{mine[0]}", {"contact": None}).status == 200
    assert found(email) == []

    assert call("PUT", f"/calendars/{person}/contact", {"email": email}).status == 200
    until(lambda: found(email) == mine)
    assert call("GET", f"/people/{person}").body["contact"]["email"] == email
    forgotten = call("DELETE", f"/people/{person}")
    assert (forgotten.status, forgotten.body["changed"]) == (200, 0)
    assert call("GET", f"/calendars/{person}/contact").status == 404
    assert found(email) == []

    def left() -> bool:
        pages = engine.client("dynamodb").get_paginator("scan").paginate(TableName=deployed_stack.calendars_table)
        items = [item for page in pages for item in page["Items"]]
        ours = (f"calendar#{person}", mine[0])
        return any(item["calendarId"]["S"].startswith(CONTACTS) and item["day"]["S"].endswith(ours) for item in items)

    until(lambda: not left())
