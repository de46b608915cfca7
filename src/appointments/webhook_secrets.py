"""The secrets of webhooks. They are stored nowhere: a key in KMS derives each from its webhook's id and a nonce."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from appointments.webhooks import secret_of

if TYPE_CHECKING:
    from collections.abc import Iterable


class Kms(Protocol):
    """What is used of KMS's client."""

    def generate_mac(self, **request: Any) -> dict[str, Any]:
        """The MAC of a message under a key that never leaves KMS."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WebhookSecrets:
    """Derives secrets, and remembers those that it derived."""

    kms: Kms
    key_id: str
    _known: dict[tuple[str, str], str] = field(default_factory=dict)

    def of(self, webhook_id: str, nonce: str) -> str:
        """The secret of a webhook under one nonce: the same each time."""
        known = self._known.get((webhook_id, nonce))
        if known is not None:
            return known
        message = f"webhook {webhook_id} {nonce}".encode()
        answer = self.kms.generate_mac(KeyId=self.key_id, Message=message, MacAlgorithm="HMAC_SHA_256")
        return self._known.setdefault((webhook_id, nonce), secret_of(answer["Mac"]))

    def all_of(self, webhook_id: str, nonces: Iterable[str]) -> list[str]:
        """The secrets under several nonces."""
        return [self.of(webhook_id, nonce) for nonce in nonces]
