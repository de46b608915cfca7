"""The bus: events as EventBridge takes them, ten a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from appointments.batches import batches
from appointments.json_text import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

    from appointments.events import Event

SOURCE = "appointments"
# EventBridge's limits of one call. An entry counts with its names and its time.
ENTRIES = 10
MAX_BYTES = 256 * 1024
BESIDE_DETAIL = 512


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Bus:
    """Puts events on a bus."""

    client: EventBridgeClient
    name: str

    def send(self, events: Sequence[Event]) -> set[str]:
        """Put events, and return the ids of those that EventBridge did not take.

        A call that fails is no reason to leave out the others; it is raised where no call was answered.
        """
        left: set[str] = set()
        errors: list[Exception] = []
        calls = 0
        entries = ((event, self._entry(event)) for event in events)
        sized = ((each, len(each[1]["Detail"].encode()) + BESIDE_DETAIL) for each in entries)
        for batch in batches(sized, MAX_BYTES, ENTRIES):
            calls += 1
            try:
                answer = self.client.put_events(Entries=[entry for _, entry in batch])
            except Exception as exc:  # noqa: BLE001 - raised below, or told by what is left
                errors.append(exc)
                left |= {event.event_id for event, _ in batch}
                continue
            left |= {
                event.event_id
                for (event, _), result in zip(batch, answer["Entries"], strict=True)
                if "ErrorCode" in result
            }
        if errors and len(errors) == calls:
            raise errors[0]
        return left

    def _entry(self, event: Event) -> PutEventsRequestEntryTypeDef:
        return {
            "EventBusName": self.name,
            "Source": SOURCE,
            "DetailType": event.type,
            "Time": event.time,
            "Detail": to_json(event.detail),
        }
