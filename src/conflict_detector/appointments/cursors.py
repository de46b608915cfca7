"""The opaque cursor of a list: where the last page ended, as URL-safe text."""

from __future__ import annotations

import base64
import json

from appointments.storage.appointments import Position
from appointments.times import InvalidTimeError, parse_time, to_utc_text


def encode_cursor(position: Position) -> str:
    """A cursor for the page that follows a position."""
    text = json.dumps([to_utc_text(position.start), position.appointment_id])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


# Those that `encode_cursor` makes have 86 characters.
_MAX_CHARACTERS = 100


def decode_cursor(cursor: str) -> Position:
    """The position in a cursor that `encode_cursor` made. Raises ValueError for everything else."""
    if len(cursor) > _MAX_CHARACTERS:  # deeply nested brackets would exhaust the stack of the JSON parser
        raise ValueError("too long for a cursor")
    decoded = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    match decoded:
        case [str(start), str(appointment_id)]:
            try:
                position = Position(parse_time(start, None), appointment_id)
            except InvalidTimeError as exc:
                raise ValueError(str(exc)) from exc
            if encode_cursor(position) == cursor:
                return position
    raise ValueError("not a cursor of ours")
