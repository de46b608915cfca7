"""Events to webhooks: a delivery into the queue for each webhook that wants an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from appointments.telemetry import logger
from appointments.webhooks import Delivery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appointments.events import Event
    from appointments.storage.webhooks import WebhookItems
    from appointments.webhook_queue import DeliveryQueue


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FanOut:
    """Puts deliveries into the queue. It reads the webhooks anew each time: one consistent query."""

    items: WebhookItems
    queue: DeliveryQueue

    def send(self, events: Sequence[Event]) -> set[str]:
        """The ids of the events that did not get through to every webhook. Sent again, they may arrive twice."""
        if not events:
            return set()
        try:
            webhooks = [(stored.webhook_id, stored.made, stored.webhook) for stored in self.items.every()]
        except Exception:  # noqa: BLE001 - whatever it was, nothing got through
            logger.exception("Webhooks not read")
            return {event.event_id for event in events}
        left = self.queue.send_all(
            Delivery.of(webhook_id, made, event)
            for event in events
            for webhook_id, made, webhook in webhooks
            if webhook.wants(event.type)
        )
        return {delivery.event_id for delivery in left}
