"""Digests of addresses, by which they are found and nobody reads them: no item's key holds an address."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from appointments.webhook_secrets import Kms

# What the key of the digests is derived from.
_MESSAGE = b"contact digests"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ContactDigests:
    """Digests under a key that KMS derives once per process, so that whoever reads the table cannot try addresses."""

    kms: Kms
    key_id: str
    _key: list[bytes] = field(default_factory=list)

    def digest(self, address: str) -> str:
        """The digest of an email address or a phone number as a contact has it: the same each time."""
        if not self._key:
            answer = self.kms.generate_mac(KeyId=self.key_id, Message=_MESSAGE, MacAlgorithm="HMAC_SHA_256")
            self._key.append(answer["Mac"])
        return hmac.new(self._key[0], address.encode(), sha256).hexdigest()
