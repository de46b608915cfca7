"""The contract and its page."""

from __future__ import annotations

from typing import Any

from appointments.errors import RouteNotFoundError


def respond(path: list[str]) -> dict[str, Any]:
    """Answer `GET /openapi.json`, `/docs` and `/docs/<asset>`."""
    raise RouteNotFoundError
