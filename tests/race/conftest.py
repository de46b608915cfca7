"""The template's tables on an engine whose transactions are atomic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from appointments.storage.calendar_days import CalendarDays
from appointments.storage.store import Storage
from support import create_tables

if TYPE_CHECKING:
    from local.engine import Engine


@pytest.fixture
def storage(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """Both tables, fresh. Nobody gives up: how long so many clients take is a matter of the machine."""
    monkeypatch.setattr("conflict_detector.settling.DECIDE_WITHIN", 120.0)
    client = engine.client("dynamodb", max_pool_connections=64)
    for name in ("AppointmentsTable", "CalendarsTable"):
        if name in client.list_tables()["TableNames"]:
            client.delete_table(TableName=name)
    create_tables(client)
    return Storage.of(client, "AppointmentsTable", "CalendarsTable")


@pytest.fixture
def without_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time is taken on a calendar day without the condition that nobody else has taken it."""
    original = CalendarDays.taking

    def careless(self: CalendarDays, *arguments: Any) -> dict[str, Any]:
        entry = original(self, *arguments)
        update = entry["Update"]
        del update["ConditionExpression"]
        used = (":entry", ":expires", ":one")
        update["ExpressionAttributeValues"] = {name: update["ExpressionAttributeValues"][name] for name in used}
        return entry

    monkeypatch.setattr(CalendarDays, "taking", careless)
