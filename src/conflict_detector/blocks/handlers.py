"""Block time of a calendar, and read, list and remove blocks. Whoever may configure a calendar may block it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appointments.errors import BlockNotFoundError
from appointments.reader import check_calendar_id
from appointments.storage.lists import page_of_calendar
from appointments.telemetry import EventType, logger
from appointments.times import to_utc_text
from conflict_detector.blocks import blocking
from conflict_detector.blocks.answers import block_body, block_response, list_response, placed_response
from conflict_detector.blocks.parsing import parse_block, parse_block_id, parse_blocks
from conflict_detector.responses import json_response

if TYPE_CHECKING:
    from appointments.blocks import Block
    from conflict_detector.request import Call
    from conflict_detector.responses import Response


def place(call: Call, calendar_id: str) -> Response:
    """`POST /calendars/{id}/blocks`: 201."""
    request = call.request
    request.refuse_parameters()
    check_calendar_id(calendar_id)
    call.caller.configure(calendar_id)
    wanted, faults = parse_block(request.json(), calendar_id, call.now, request.headers)
    block, meets = blocking.place(wanted, faults, call.storage, call.now)
    if block is wanted:
        _log_about(block)
        logger.info("Calendar blocked", event_type=EventType.CALENDAR_BLOCKED, meets=len(meets))
    return placed_response(block, meets, request.base)


def find(call: Call, calendar_id: str) -> Response:
    """`GET /calendars/{id}/blocks`: 200."""
    check_calendar_id(calendar_id)
    call.caller.configure(calendar_id)
    asked = parse_blocks(call.request.query, calendar_id)
    return list_response(page_of_calendar(call.storage, asked, call.now))


def get(call: Call, calendar_id: str, block_id: str) -> Response:
    """`GET /calendars/{id}/blocks/{id}`: 200."""
    call.request.refuse_parameters()
    check_calendar_id(calendar_id)
    call.caller.configure(calendar_id)
    block = call.storage.blocks.get(calendar_id, parse_block_id(block_id))
    if block is None or block.removed_at:
        raise BlockNotFoundError
    return block_response(block, blocking.meets(block, call.storage, call.now))


def remove(call: Call, calendar_id: str, block_id: str) -> Response:
    """`DELETE /calendars/{id}/blocks/{id}`: 200, again and again."""
    call.request.refuse_parameters()
    check_calendar_id(calendar_id)
    call.caller.configure(calendar_id)
    block, by_this_call = blocking.remove(calendar_id, parse_block_id(block_id), call.storage, call.now)
    if by_this_call:
        _log_about(block)
        logger.info("Block removed", event_type=EventType.BLOCK_REMOVED)
    return json_response(block_body(block))


def _log_about(block: Block) -> None:
    """Every further line of this request names the block and its time, and never the reason."""
    logger.append_keys(
        block_id=block.appointment_id,
        calendar_id=block.user_id,
        start_time=to_utc_text(block.interval.start),
        end_time=to_utc_text(block.interval.end),
    )
