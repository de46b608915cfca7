"""The deployed stack as a user meets it: real gateway, real roles, real rules, on the embedded engine."""

from __future__ import annotations

import gzip
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from local.front_door import COMPRESS_FROM
from support import template

if TYPE_CHECKING:
    from collections.abc import Callable


def booking(user_id: str, start: datetime, **more: object) -> dict[str, object]:
    end = start + timedelta(minutes=30)
    return {"userId": user_id, "startTime": start.isoformat(), "endTime": end.isoformat()} | more


def in_days(days: int) -> datetime:
    return (datetime.now(UTC) + timedelta(days=days)).replace(hour=10, minute=0, second=0, microsecond=0)


def test_books_refuses_and_reads_back(call: Callable[..., Any], calendar_id: str) -> None:
    booked = call("POST", "/appointments", booking(calendar_id, in_days(10)))
    assert booked.status == 201, booked.body
    refused = call("POST", "/appointments", booking(calendar_id, in_days(10) + timedelta(minutes=10)))
    assert refused.status == 409
    assert [conflict["calendarId"] for conflict in refused.body["conflicts"]] == [calendar_id]
    read = call("GET", booked.headers["Location"])
    assert (read.status, read.body) == (200, booked.body)


def test_large_answers_are_compressed_for_those_who_accept_it(api_url: str) -> None:
    """On AWS by API Gateway, here by the front door, from the same size on."""
    assert template()["Resources"]["Api"]["Properties"]["MinimumCompressionSize"] == COMPRESS_FROM

    def get(path: str, accepted: str) -> tuple[str | None, bytes]:
        request = urllib.request.Request(f"{api_url}{path}", headers={"Accept-Encoding": accepted})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.headers["Content-Encoding"], answer.read()

    plain, script = get("/docs/swagger-ui.js", "identity")
    encoding, compressed = get("/docs/swagger-ui.js", "gzip, deflate, br")
    assert (plain, encoding) == (None, "gzip")
    assert gzip.decompress(compressed) == script
    assert len(compressed) < len(script) / 3
    assert get("/docs/page.js", "gzip")[0] is None
