"""Changes of appointments to the notice sender, through a queue that holds each back for some seconds.

Each version is sent, whatever it changed: the sender tells nothing of one that is not the latest, and so the latest
has to come.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from appointments.notices import Change
from appointments.storage.history import TYPES
from appointments.webhook_queue import put_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_sqs import SQSClient

    from appointments.events import Event


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NoticeQueue:
    """Puts changes into the queue, with the kinds of which people are told. One that comes twice is told once."""

    sqs: SQSClient
    url: str
    kinds: tuple[str, ...]

    def send(self, events: Sequence[Event]) -> set[str]:
        """The ids of the events that the queue did not take."""
        changes = (Change.of(event, self.kinds) for event in events if event.type.startswith(TYPES))
        left = put_all(self.sqs, self.url, changes)
        return {change.event_id for change in left}
