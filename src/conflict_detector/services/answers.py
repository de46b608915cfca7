"""What a service looks like over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appointments.times import to_utc_text
from conflict_detector.appointments.cursors import encode_texts
from conflict_detector.responses import json_response

if TYPE_CHECKING:
    from collections.abc import Iterable

    from appointments.storage.services import StoredService
    from conflict_detector.responses import Response


def service_body(stored: StoredService) -> dict[str, Any]:
    """A service as the API shows it, defaults filled in where they depend on nothing else."""
    buffer = stored.body.get("bufferMinutes", {})
    body = {
        "serviceId": stored.service_id,
        "strictSteps": False,
        "minNoticeMinutes": 0,
        "approval": False,
        **stored.body,
        "bufferMinutes": {"before": 0, "after": 0} | (buffer if isinstance(buffer, dict) else {"after": buffer}),
        "version": stored.version,
        "updatedAt": to_utc_text(stored.updated_at),
    }
    if stored.deleted_at:
        body["deletedAt"] = to_utc_text(stored.deleted_at)
    return body


def list_response(services: Iterable[StoredService], go_on_from: str | None) -> Response:
    """200 with one page of services."""
    more = {"nextCursor": encode_texts(go_on_from)} if go_on_from else {}
    return json_response({"services": [service_body(stored) for stored in services], **more})
