"""What an appointment looks like over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appointments.bodies import appointment_body
from appointments.json_text import to_json
from appointments.model import is_block
from conflict_detector.responses import json_response

if TYPE_CHECKING:
    from appointments.model import Appointment
    from appointments.storage.lists import Page
    from conflict_detector.responses import Response

# A page ends where its next appointment would make it larger. One appointment is some 20 KB at most.
MAX_PAGE_BYTES = 900_000

RETRY_AFTER_SECONDS = 1


def appointment_response(appointment: Appointment, seats_left: int | None = None) -> Response:
    """200 with an appointment, and how many seats are left of the session that it is or that it joins."""
    body = appointment_body(appointment)
    return json_response(body if seats_left is None else body | {"seatsLeft": seats_left}, appointment.version)


def created_response(appointment: Appointment, base: str, seats_left: int | None = None) -> Response:
    """201 with a new appointment and where it is to be found."""
    response = appointment_response(appointment, seats_left)
    response["headers"]["Location"] = f"{base}/appointments/{appointment.appointment_id}"
    return response | {"statusCode": 201}


def _body_for(reader: str | None, appointment: Appointment) -> dict[str, Any]:
    """An appointment as it is shown to a person, None for somebody who acts for everyone."""
    body = appointment_body(appointment)
    if reader not in (None, appointment.user_id):
        body.pop("contact", None)
    return body


def page_response(page: Page, reader: str | None = None) -> Response:
    """200 with one page of a list. Where it is one person who reads it, they see no contact but their own."""
    return json_response(page_body(page, reader))


def page_body(page: Page, reader: str | None = None) -> dict[str, Any]:
    """One page of a list, or as much of it as an answer may hold; blocks stand beside appointments."""
    from conflict_detector.appointments.cursors import encode_cursor  # noqa: PLC0415 - only lists have cursors
    from conflict_detector.blocks.answers import block_body  # noqa: PLC0415 - as above

    bodies: list[dict[str, Any]] = []
    blocks: list[dict[str, Any]] = []
    next_position, size = page.next_position, 0
    for number, (_, each) in enumerate(page.entries):
        body = block_body(each) if is_block(each) else _body_for(reader, each)
        size += len(to_json(body).encode())
        if size > MAX_PAGE_BYTES and number:
            next_position, _ = page.entries[number - 1]
            break
        (blocks if is_block(each) else bodies).append(body)
    more = {"nextCursor": encode_cursor(next_position)} if next_position else {}
    return {"appointments": bodies, **({"blocks": blocks} if blocks else {}), **more}
