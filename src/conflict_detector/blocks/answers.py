"""What a block looks like over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from appointments.blocks import Block
from appointments.bodies import interval_body
from appointments.times import to_utc_text
from conflict_detector.responses import json_response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appointments.storage.lists import Page
    from conflict_detector.responses import Response

# What a segment of a path may hold as it is, besides letters and digits (RFC 3986, `pchar`).
_IN_A_PATH = "-._~!$&'()*+,;=:@"


def block_response(block: Block, meets: Sequence[str]) -> Response:
    """200 with a block and the appointments that it meets."""
    return json_response({**block_body(block), "meets": list(meets)})


def placed_response(block: Block, meets: Sequence[str], base: str) -> Response:
    """201 with a new block and where it is to be found."""
    response = block_response(block, meets)
    calendar_id = quote(block.user_id, safe=_IN_A_PATH)
    response["headers"]["Location"] = f"{base}/calendars/{calendar_id}/blocks/{block.appointment_id}"
    return response | {"statusCode": 201}


def list_response(page: Page) -> Response:
    """200 with one page of blocks; one has a few hundred bytes."""
    from conflict_detector.appointments.cursors import encode_cursor  # noqa: PLC0415 - only lists have cursors

    blocks = [block_body(each) for _, each in page.entries if isinstance(each, Block)]
    more = {"nextCursor": encode_cursor(page.next_position)} if page.next_position else {}
    return json_response({"blocks": blocks, **more})


def block_body(block: Block) -> dict[str, Any]:
    """A block as the API shows it."""
    body = {
        "blockId": block.appointment_id,
        "calendarId": block.user_id,
        **interval_body(block.interval),
        "createdAt": to_utc_text(block.created_at),
    }
    if block.time_zone:
        body["timeZone"] = block.time_zone
    if block.reason is not None:
        body["reason"] = block.reason
    if block.removed_at:
        body["removedAt"] = to_utc_text(block.removed_at)
    return body
