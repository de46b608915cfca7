"""The secrets of webhooks. They are stored nowhere: a key in KMS derives each from its webhook's id and a nonce."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from appointments.macs import mac
from appointments.webhooks import secret_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from appointments.macs import Kms


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
        return self._known.setdefault((webhook_id, nonce), secret_of(mac(self.kms, self.key_id, message)))

    def all_of(self, webhook_id: str, nonces: Iterable[str]) -> list[str]:
        """The secrets under several nonces."""
        return [self.of(webhook_id, nonce) for nonce in nonces]
