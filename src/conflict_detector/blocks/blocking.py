"""The use cases: block time of a calendar, and free it again.

A block is committed by the loop and the transaction that commit bookings: so each appointment that overlaps it either
was booked before, and is told of, or is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from appointments.blocks import Block
from appointments.claims import carrying_days, claims_of
from appointments.decision import Change, Reading, decide
from appointments.errors import BlockNotFoundError, Fault, InvalidRequestError
from appointments.statuses import Status
from appointments.storage.appointments import AppointmentExistsError
from conflict_detector.booking import same_request
from conflict_detector.settling import OnCalendars, settle

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from appointments.decision import Accepted, Refused
    from appointments.model import CalendarDay
    from appointments.storage.store import Storage

# Their entries lie in the day's own item, which DynamoDB limits, as they are few.
MAX_BLOCKS_ON_A_DAY = 500


@dataclass(slots=True, eq=False, repr=False)
class _Placing(OnCalendars):
    """A new block, with the faults of its request. `meets` is what it met when it was proposed last."""

    block: Block
    now: datetime
    asked: Sequence[Fault]
    meets: list[str] = field(default_factory=list)
    lookup: str | None = None
    dry_run: bool = False
    exact: bool = True

    def candidates(self, reading: Reading) -> Sequence[Change]:
        if reading.appointment is not None:
            raise AppointmentExistsError(reading.appointment)
        if any(_blocks_on(day) >= MAX_BLOCKS_ON_A_DAY for day in reading.days.values()):
            raise InvalidRequestError(
                [Fault("", f"lies on a day with {MAX_BLOCKS_ON_A_DAY} blocks; remove some of them")]
            )
        self.meets = _met(self.block, reading.days.values(), self.now)
        return [Change.of(None, self.block)]

    def decide(self, candidates: Sequence[Change], reading: Reading, now: datetime) -> Accepted | Refused:
        return decide(candidates, reading, now, self.asked)


@dataclass(slots=True, eq=False, repr=False)
class _Removal(OnCalendars):
    """The end of a block; one that was removed stays as it is."""

    now: datetime
    lookup: str | None = None
    dry_run: bool = False
    exact: bool = False

    def candidates(self, reading: Reading) -> Sequence[Change]:
        before = reading.appointment
        if before is None:
            raise BlockNotFoundError
        removed = replace(before, status=Status.CANCELLED, version=before.version + 1, updated_at=self.now)
        return [Change.of(before, removed if before.status.occupies else before)]


def place(block: Block, faults: Sequence[Fault], storage: Storage, now: datetime) -> tuple[Block, list[str]]:
    """Block time of a calendar. Returns the block, and the ids of the appointments that it meets, by start.

    If it has a fingerprint, its id is made of an idempotency key: if this id was used before, that block is returned as
    it is now, and otherwise `faults` are raised. Raises InvalidRequestError, IdempotencyKeyReusedError,
    CalendarBusyError.
    """
    before = storage.blocks.get(block.user_id, block.appointment_id) if block.fingerprint else None
    proposal = _Placing(block, now, faults)
    try:
        settle(proposal, Reading(appointment=before), storage, now)
    except AppointmentExistsError as exc:
        existing = same_request(exc, block)
        assert isinstance(existing, Block)  # noqa: S101 - no appointment's key makes the id of a block
        return existing, meets(existing, storage, now)
    return block, proposal.meets


def meets(block: Block, storage: Storage, now: datetime) -> list[str]:
    """The ids of the appointments that lie in a block at `now`, by start; none if it was removed.

    Raises TooManyAppointmentsError, CalendarBusyError.
    """
    days = storage.read(carrying_days(claims_of(block)), settings=False).days
    return _met(block, days.values(), now)


def _blocks_on(day: CalendarDay) -> int:
    return sum(entry[0].block is not None for entry in day.entries.values())


def _met(block: Block, days: Iterable[CalendarDay], now: datetime) -> list[str]:
    found = {
        (one.interval.start, id_)
        for day in days
        for id_, entry in day.entries.items()
        for one in entry
        if one.interval.overlaps(block.interval) and not one.block and not one.has_run_out(now)
    }
    return list(dict.fromkeys(id_ for _, id_ in sorted(found)))


def remove(calendar_id: str, block_id: str, storage: Storage, now: datetime) -> tuple[Block, bool]:
    """Free the time of a block; idempotent. Returns it as it is then, and whether this call removed it.

    Raises BlockNotFoundError, CalendarBusyError.
    """
    before = storage.blocks.get(calendar_id, block_id)
    done = settle(_Removal(now), Reading(appointment=before), storage, now)
    assert isinstance(done.after, Block)  # noqa: S101 - what was read under the id of a block
    return done.after, done.after is not done.before
