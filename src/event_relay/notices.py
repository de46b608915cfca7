"""Changes of appointments to the notice sender, through a queue that holds each back for some seconds.

Each version is sent, whatever it changed: the sender tells nothing of one that is not the latest, and so the latest
has to come.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from appointments.notices import Change
from appointments.storage.history import TYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appointments.events import Event
    from appointments.webhook_queue import DeliveryQueue


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NoticeQueue:
    """Puts changes into the queue, with the kinds of which people are told. One that comes twice is told once."""

    queue: DeliveryQueue
    kinds: tuple[str, ...]

    def send(self, events: Sequence[Event]) -> set[str]:
        """The ids of the events that the queue did not take."""
        changes = (Change.of(event, self.kinds) for event in events if event.type.startswith(TYPES))
        return {change.event_id for change in self.queue.send_all(changes)}
