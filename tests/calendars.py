"""What tests of calendars share: how to configure one, and how to ask for its free slots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from world import World

NINE_TO_FIVE = {
    "timeZone": "America/New_York",
    "workingHours": {
        day: [{"start": "09:00", "end": "17:00"}] for day in ("monday", "tuesday", "wednesday", "thursday", "friday")
    },
}


def configure(world: World, calendar: str = "C", /, **settings: Any) -> Any:
    status, _, body = world.request("PUT", f"/calendars/{calendar}", settings)
    assert status == 200, body
    return body


def available(world: World, **query: str) -> list[str]:
    """The slots as `HH:MM` or whole times in UTC."""
    status, body = asked(world, **query)
    assert status == 200, body
    return [slot["startTime"] for slot in body["available"]]


def asked(world: World, **query: str) -> tuple[int, Any]:
    query = {name.rstrip("_"): value for name, value in query.items()}
    status, _, body = world.request("GET", "/availability", queryStringParameters=query)
    return status, body


def clocks(times: list[str]) -> list[str]:
    return [text[11:16] for text in times]
