"""MACs under keys of KMS that never leave it. Secrets, links and digests are made of them, and stored nowhere."""

from __future__ import annotations

from typing import Any, Protocol


class Kms(Protocol):
    """What is used of KMS's client."""

    def generate_mac(self, **request: Any) -> dict[str, Any]:
        """The MAC of a message under a key."""


def mac(kms: Kms, key_id: str, message: bytes) -> bytes:
    """The 32 bytes of HMAC-SHA256 of a message: the same each time."""
    made: bytes = kms.generate_mac(KeyId=key_id, Message=message, MacAlgorithm="HMAC_SHA_256")["Mac"]
    return made
