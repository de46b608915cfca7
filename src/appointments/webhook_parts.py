"""What webhooks are made of, for whoever configures them or sends to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from appointments.storage.deliveries import Deliveries
    from appointments.storage.webhooks import WebhookItems
    from appointments.targets import Targets
    from appointments.webhook_queue import DeliveryQueue
    from appointments.webhook_secrets import WebhookSecrets


class WebhookParts(NamedTuple):
    """Webhooks, the records of their deliveries, their secrets, the queue, and where they may go."""

    items: WebhookItems
    deliveries: Deliveries
    secrets: WebhookSecrets
    queue: DeliveryQueue
    targets: Targets
