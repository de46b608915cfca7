"""What webhooks are made of, for whoever configures them or sends to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from appointments.storage.deliveries import Deliveries
from appointments.storage.webhooks import WebhookItems
from appointments.targets import Targets
from appointments.webhook_queue import DeliveryQueue
from appointments.webhook_secrets import WebhookSecrets

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from appointments.storage.dynamodb import Database
    from appointments.webhook_secrets import Kms


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WebhookParts:
    """Webhooks, the records of their deliveries, their secrets, the queue, and where they may go."""

    items: WebhookItems
    deliveries: Deliveries
    secrets: WebhookSecrets
    queue: DeliveryQueue
    targets: Targets

    @classmethod
    def of(  # noqa: PLR0913 - a name for each thing that the template makes
        cls,
        database: Database,
        table: str,
        kms: Kms,
        key_id: str,
        sqs: SQSClient,
        queue_urls: tuple[str, str],
        targets: str,
    ) -> Self:
        """Over clients. `queue_urls` are those of deliveries and of their dead letters."""
        return cls(
            WebhookItems(database, table),
            Deliveries(database, table),
            WebhookSecrets(kms, key_id),
            DeliveryQueue(sqs, *queue_urls),
            Targets(targets),
        )
