"""What a service looks like over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appointments.bodies import service_body
from conflict_detector.appointments.cursors import encode_texts
from conflict_detector.responses import json_response

if TYPE_CHECKING:
    from collections.abc import Iterable

    from appointments.storage.services import StoredService
    from conflict_detector.responses import Response


def list_response(services: Iterable[StoredService], go_on_from: str | None) -> Response:
    """200 with one page of services."""
    more = {"nextCursor": encode_texts(go_on_from)} if go_on_from else {}
    return json_response({"services": [service_body(stored) for stored in services], **more})
