"""Services as the tests put them: straight into the table."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from appointments.services import check_service

if TYPE_CHECKING:
    from world import World


def put_service(world: World, service_id: str, *steps: dict[str, Any], version: int = 1, **more: Any) -> None:
    """Store a service over whatever is there."""
    body = {"steps": list(steps), **more}
    check_service(body)
    world.dynamodb.put_item(
        TableName="CalendarsTable",
        Item={
            "calendarId": {"S": "services#"},
            "day": {"S": service_id},
            "settings": {"S": json.dumps(body)},
            "version": {"N": str(version)},
            "revision": {"S": str(uuid.uuid4())},
            "updatedAt": {"S": "2029-12-01T12:00:00Z"},
        },
    )


def step(minutes: int, *resource_ids: str, pools: list[Any] | None = None, gap: Any = None) -> dict[str, Any]:
    """A step; a pool is a list of calendars, assigned in their order, or an object as it is sent."""
    body: dict[str, Any] = {"durationMinutes": minutes}
    if resource_ids:
        body["resourceIds"] = list(resource_ids)
    if pools:
        body["pools"] = [one if isinstance(one, dict) else {"anyOf": one, "assign": "inOrder"} for one in pools]
    if gap:
        body["gapMinutes"] = gap
    return body
