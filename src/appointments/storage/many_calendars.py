"""What lies on many calendars in a few days, as a desk shows it: page by page, strongly consistent."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from appointments.claims import claims_of
from appointments.model import DayKey
from appointments.storage.appointment_items import appointment_from_item, appointment_key
from appointments.storage.dynamodb import BATCH_GET_KEYS
from appointments.storage.lists import Page, Position

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from appointments.model import Appointment, Interval
    from appointments.storage.store import Storage

# Appointments and blocks on one page. No more are read where these many bytes of details were: an answer has no more.
MOST = 500
MOST_BYTES = 900_000


class ManyQuery(NamedTuple):
    """What occupies any of some calendars somewhere within an interval, by start: appointments and blocks."""

    calendar_ids: tuple[str, ...]
    within: Interval
    after: Position | None = None


def page_of_calendars(storage: Storage, wanted: ManyQuery, now: datetime) -> Page:
    """A page of what lies on the calendars, each once, without what has run out at `now`.

    All days are read, a hundred in one call, then the appointments of the page. What is moved or cancelled in between
    is answered as it was read last, or left out, so that a page may end before it is full.
    Raises TooManyAppointmentsError, CalendarBusyError.
    """
    positions, blocks = _lying(storage, wanted, now)
    if wanted.after is not None:
        positions = [each for each in positions if each > wanted.after]
    entries: list[tuple[Position, Appointment]] = []
    read = size = 0
    while read < min(len(positions), MOST) and size <= MOST_BYTES:
        some = positions[read : min(read + BATCH_GET_KEYS, MOST)]
        there, more = _read(storage, some, blocks)
        entries += [(at, there[at.appointment_id]) for at in some if _occupies(there.get(at.appointment_id), wanted)]
        read, size = read + len(some), size + more
    return Page(entries, positions[read - 1] if read < len(positions) else None)


def _lying(storage: Storage, wanted: ManyQuery, now: datetime) -> tuple[list[Position], Mapping[str, str]]:
    """What lies there, in order, and the calendar of each block. What is on several calendars starts with its first."""
    keys = [DayKey(calendar_id, day) for calendar_id in wanted.calendar_ids for day in wanted.within.days()]
    found: dict[str, Position] = {}
    blocks: dict[str, str] = {}
    for day in storage.read(keys, settings=False).days.values():
        for id_, entry in day.entries.items():
            if not any(one.interval.overlaps(wanted.within) and not one.has_run_out(now) for one in entry):
                continue
            position = Position(min(one.interval.start for one in entry), id_)
            found[id_] = min(found.get(id_, position), position)
            if entry[0].block:
                blocks[id_] = day.key.calendar_id
    return sorted(found.values()), blocks


def _read(
    storage: Storage, positions: Sequence[Position], blocks: Mapping[str, str]
) -> tuple[dict[str, Appointment], int]:
    """Appointments and blocks in one call, by their ids, and how many bytes of details they have."""
    table = storage.appointments.table
    keys = [
        storage.blocks.key(blocks[id_], id_) if id_ in blocks else (table, appointment_key(id_)) for _, id_ in positions
    ]
    there: dict[str, Appointment] = {}
    size = 0
    for name, item in storage.database.get_many(keys):
        each = appointment_from_item(item) if name == table else storage.blocks.from_item(item)
        there[each.appointment_id] = each
        size += len(item["details"]["S"]) if name == table else 0
    return there, size


def _occupies(appointment: Appointment | None, wanted: ManyQuery) -> bool:
    return appointment is not None and any(
        claim.calendar_id in wanted.calendar_ids and claim.interval.overlaps(wanted.within)
        for claim in claims_of(appointment)
    )
