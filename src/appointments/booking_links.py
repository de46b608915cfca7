"""The keys of booking links: which services, until when, and a MAC that nobody makes without the key. No I/O.

A key is base64url: 5 bytes of the second at which it ends, the ids of the services with commas between them, and 16
bytes of the MAC of all that.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from hmac import compare_digest
from typing import NamedTuple

_MAC = 16
_UNTIL = 5
# Enough for MAX_SERVICES ids of any length.
MAX_KEY = 4096
MAX_SERVICES = 20
# What the key signs says what it is for, so that no other MAC under this key is a booking link's.
_PURPOSE = b"booking link v1 "


class BookingLink(NamedTuple):
    """What its holder may book without signing in, and until when."""

    services: tuple[str, ...]
    until: datetime

    @property
    def signed(self) -> bytes:
        """What the MAC is made of."""
        return _PURPOSE + self._packed

    @property
    def _packed(self) -> bytes:
        return int(self.until.timestamp()).to_bytes(_UNTIL, "big") + ",".join(self.services).encode("ascii")

    def key(self, mac: bytes) -> str:
        """The key of the link, from the MAC of `signed`."""
        return urlsafe_b64encode(self._packed + mac[:_MAC]).decode().rstrip("=")

    def has_key(self, mac: bytes, key: str) -> bool:
        """Whether a key is that of the link, in a time that does not tell how much of it is right."""
        return compare_digest(self.key(mac).encode(), key.encode())


def link_in(key: str) -> BookingLink | None:
    """What a key says, whether or not its MAC is good; None where it is no key at all."""
    if len(key) > MAX_KEY:
        return None
    try:
        packed = urlsafe_b64decode(key.encode("ascii") + b"=" * (-len(key) % 4))[:-_MAC]
        until = datetime.fromtimestamp(int.from_bytes(packed[:_UNTIL], "big"), UTC)
        services = tuple(packed[_UNTIL:].decode("ascii").split(","))
    except (ValueError, OverflowError, OSError):
        return None
    return BookingLink(services, until) if all(services) else None
