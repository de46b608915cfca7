"""The tokens of links: which appointment, and a MAC that nobody makes without the key. No I/O.

A token is 43 characters of base64url: 16 bytes of the appointment's id and 16 of the MAC.
"""

from __future__ import annotations

import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hmac import compare_digest

TOKEN_LENGTH = 43
_HALF = 16
# What the key signs says what it is for, so that no other MAC under this key is a link's.
_PURPOSE = b"link v1 "


def mac_message(appointment_id: str) -> bytes:
    """What the MAC of an appointment's link is made of."""
    return _PURPOSE + uuid.UUID(appointment_id).bytes


def token_of(appointment_id: str, mac: bytes) -> str:
    """The token of an appointment's link, from the MAC of `mac_message`."""
    both = uuid.UUID(appointment_id).bytes + mac[:_HALF]
    return urlsafe_b64encode(both).decode().rstrip("=")


def appointment_in(token: str) -> str | None:
    """The id that a token names, whether or not its MAC is good; None where it is no token at all."""
    if len(token) != TOKEN_LENGTH:
        return None
    try:
        both = urlsafe_b64decode(token.encode("ascii") + b"=")
    except ValueError:
        return None
    # Each link has one spelling: base64 would pass over other characters, and over the last two bits.
    if urlsafe_b64encode(both).decode().rstrip("=") != token:
        return None
    return str(uuid.UUID(bytes=both[:_HALF]))


def is_token_of(appointment_id: str, mac: bytes, token: str) -> bool:
    """Whether a token is that of the appointment, in a time that does not tell how much of it is right."""
    return compare_digest(token_of(appointment_id, mac).encode(), token.encode())
