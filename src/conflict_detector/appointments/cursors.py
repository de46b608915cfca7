"""The opaque cursor of a list: where the last page ended, as URL-safe text."""

from __future__ import annotations

import base64
import json

from appointments.storage.lists import Position
from appointments.times import InvalidTimeError, parse_time, to_utc_text


def encode_cursor(position: Position) -> str:
    """A cursor for the page that follows a position."""
    return encode_texts(to_utc_text(position.start), position.appointment_id)


def decode_cursor(cursor: str) -> Position:
    """The position in a cursor that `encode_cursor` made. Raises ValueError for everything else."""
    match decode_texts(cursor):
        case [start, appointment_id]:
            try:
                position = Position(parse_time(start, None), appointment_id)
            except InvalidTimeError as exc:
                raise ValueError(str(exc)) from exc
            if encode_cursor(position) == cursor:
                return position
    raise ValueError("not a cursor of ours")


def encode_texts(*texts: str) -> str:
    """A cursor that holds some texts."""
    return base64.urlsafe_b64encode(json.dumps(texts).encode()).decode().rstrip("=")


# A time and the longest id of a calendar have 208 characters.
_MAX_CHARACTERS = 220


def decode_texts(cursor: str) -> list[str]:
    """The texts in a cursor that `encode_texts` made. Raises ValueError for everything else."""
    if len(cursor) > _MAX_CHARACTERS:  # deeply nested brackets would exhaust the stack of the JSON parser
        raise ValueError("too long for a cursor")
    texts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    if isinstance(texts, list) and all(isinstance(text, str) for text in texts) and encode_texts(*texts) == cursor:
        return texts
    raise ValueError("not a cursor of ours")
