"""The history of an appointment: every version of it, with who made it and what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appointments.errors import AppointmentNotFoundError
from appointments.reader import Reader
from appointments.times import to_utc_text
from conflict_detector.appointments.cursors import decode_texts, encode_texts
from conflict_detector.appointments.parsing import parse_appointment_id
from conflict_detector.responses import json_response

if TYPE_CHECKING:
    from appointments.reader import Query
    from appointments.storage.history import Entry
    from conflict_detector.request import Call
    from conflict_detector.responses import Response


def find(call: Call, appointment_id: str) -> Response:
    """`GET /appointments/{id}/history`: 200, the oldest version first."""
    after = _parse(call.request.query)
    appointment_id = parse_appointment_id(appointment_id)
    appointment = call.storage.appointments.get(appointment_id)
    if appointment is None:
        raise AppointmentNotFoundError
    call.caller.act_for(appointment.user_id)
    entries, go_on_after = call.storage.history.page(appointment_id, after)
    more = {"nextCursor": encode_texts(str(go_on_after))} if go_on_after else {}
    return json_response({"history": [_body(entry) for entry in entries], **more})


def _parse(query: Query) -> int:
    """The version to go on after. Raises InvalidRequestError."""
    reader = Reader.of_query(query, ("cursor",))
    cursor = reader.text("cursor")
    after = 0
    if cursor is not None:
        try:
            (text,) = decode_texts(cursor)
            after = int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else -1
        except ValueError:
            after = -1
        if after < 0:
            reader.fault("cursor", "is not a nextCursor of this history")
    reader.raise_faults()
    return after


def _body(entry: Entry) -> dict[str, Any]:
    return {
        "version": entry.version,
        "at": to_utc_text(entry.at),
        "by": entry.by,
        "type": entry.type,
        "changes": entry.changes,
    }
