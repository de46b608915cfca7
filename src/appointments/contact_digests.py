"""Digests of addresses, by which they are found and nobody reads them: no item's key holds an address."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from appointments.macs import mac

if TYPE_CHECKING:
    from appointments.macs import Kms

# What the keys of the digests are derived from, so that those of one kind say nothing about the other.
CONTACTS = b"contact digests"
SOURCES = b"source digests"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ContactDigests:
    """Digests under a key that KMS derives once per process, so that whoever reads the table cannot try addresses."""

    kms: Kms
    key_id: str
    purpose: bytes = CONTACTS
    _key: list[bytes] = field(default_factory=list)

    def digest(self, address: str) -> str:
        """The digest of an address, such as an email address as a contact has it: the same each time."""
        if not self._key:
            self._key.append(mac(self.kms, self.key_id, self.purpose))
        return hmac.new(self._key[0], address.encode(), sha256).hexdigest()
