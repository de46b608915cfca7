"""The use case: tell others what was committed, from the records of the tables' streams.

A record comes at least once, and in the order of its item's versions. Whatever is done for it may be repeated: an
entry of the history is written over itself, and an event has the same id. So a batch that fails halfway is given again,
from the first record on that did not get everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from appointments.telemetry import EventType, logger
from event_relay.records import Told, read, sequence_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from appointments.events import Event
    from appointments.storage.contact_index import Listed
    from appointments.storage.history import Kept
    from event_relay.records import Record


class Entries(Protocol):
    """Where entries of the history are kept."""

    def write(self, entries: Sequence[Kept], *, late: bool = False) -> set[tuple[str, int]]:
        """Write entries, and return the appointments and versions of those that were not.

        Of those that come `late`, later versions may be on record already.
        """


class Index(Protocol):
    """Where it is kept who is found by an address."""

    def write(self, puts: Mapping[Listed, int | None], gone: Iterable[Listed]) -> set[Listed]:
        """Write entries and remove others, and return those that were not."""


class Receivers(Protocol):
    """Who hears of events."""

    def send(self, events: Sequence[Event]) -> set[str]:
        """Send events, and return the ids of those that did not get through."""


class Unreadable(Protocol):
    """Where records are noted that cannot be read."""

    def note(self, record: Record, reason: str) -> None:
        """Note a record, for `make redrive`."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Relay:
    """Relays records to the history, to the index of contacts, and to whoever hears of events."""

    history: Entries
    receivers: Sequence[Receivers]
    unreadable: Unreadable
    # None where nobody is found by an address.
    contacts: Index | None = None

    def relay(self, records: Sequence[Record], *, late: bool = False) -> str | None:
        """Relay a batch; the number of the first record that has to come again, with those after it.

        A redrive brings records `late`, when those after them may have been relayed.

        A record that this version cannot read would fail each time and hold up those behind it. It is noted, and
        passed.
        """
        told: list[Told] = []
        unread: dict[str, tuple[Record, Exception]] = {}
        for record in records:
            try:
                told.append(read(record))
            except Exception as exc:  # noqa: BLE001 - reading calls nothing, so it would fail each time
                unread[sequence_number(record)] = record, exc
        failed = self._write(told, late=late) | self._list(told, late=late)
        events = list({event.event_id: event for one in told for event in one.events}.values())
        left = {id_ for receivers in self.receivers for id_ in _sent(receivers.send, events)} if events else set()
        failed |= {one.sequence_number for one in told if any(event.event_id in left for event in one.events)}
        for number in map(sequence_number, records):
            # What comes again is noted when nothing before it fails any more, and so not at each try.
            if number in failed or (number in unread and not self._note(*unread[number])):
                return number
        return None

    def _note(self, record: Record, error: Exception) -> bool:
        number = sequence_number(record)
        try:
            self.unreadable.note(record, type(error).__name__)
        except Exception:  # noqa: BLE001 - then the record has to come again
            logger.exception("Record not noted", event_type=EventType.EVENT_RELAY_ERROR, sequence_number=number)
            return False
        logger.error("Record not read", event_type=EventType.EVENT_RELAY_ERROR, sequence_number=number, exc_info=error)
        return True

    def _write(self, told: Sequence[Told], *, late: bool) -> set[str]:
        """Write the history, and return the numbers of the records of which it was not written."""
        entries = {one.sequence_number: one.entry for one in told if one.entry}
        if not entries:
            return set()
        try:
            left = self.history.write(list(entries.values()), late=late)
        except Exception:  # noqa: BLE001 - as above
            logger.exception("History not written", event_type=EventType.EVENT_RELAY_ERROR, entries=len(entries))
            return set(entries)
        if left:
            logger.error("History not written", event_type=EventType.EVENT_RELAY_ERROR, entries=len(left))
        return {number for number, kept in entries.items() if (kept.entry.appointment_id, kept.entry.version) in left}

    def _list(self, told: Sequence[Told], *, late: bool) -> set[str]:
        """Write the index, and return the numbers of the records of which it was not written.

        Of several records about one entry, the last one counts. What comes late removes nothing: a later record may
        have put it there.
        """
        puts: dict[Listed, int | None] = {}
        gone: set[Listed] = set()
        for one in told:
            puts = {entry: until for entry, until in puts.items() if entry not in one.gone} | dict(one.found)
            gone = (gone | one.gone).difference(one.found)
        if late:
            gone.clear()
        if self.contacts is None or not (puts or gone):
            return set()
        try:
            left = self.contacts.write(puts, gone)
        except Exception:  # noqa: BLE001 - as above
            logger.exception("Contacts not listed", event_type=EventType.EVENT_RELAY_ERROR)
            left = {*puts, *gone}
        else:
            if left:
                logger.error("Contacts not listed", event_type=EventType.EVENT_RELAY_ERROR, entries=len(left))
        return {one.sequence_number for one in told if not left.isdisjoint((*one.found, *one.gone))}


def _sent(send: Callable[[Sequence[Event]], set[str]], events: Sequence[Event]) -> set[str]:
    """Send events, and return the ids of those that did not get through."""
    try:
        left = send(events)
    except Exception:  # noqa: BLE001 - as above
        logger.exception("Events not sent", event_type=EventType.EVENT_RELAY_ERROR, events=len(events))
        return {event.event_id for event in events}
    if left:
        logger.error("Events not sent", event_type=EventType.EVENT_RELAY_ERROR, events=len(left))
    return left
