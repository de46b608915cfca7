"""How every use case decides and commits: the one loop that starts again if a concurrent request was faster.

A use case hands in a proposal. `appointments.decision` decides; `appointments.storage` commits.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from appointments.claims import carrying_days
from appointments.decision import Accepted, Change, Reading, Refused, agree, decide, rests_on_one_item
from appointments.errors import CalendarBusyError, ConflictError, Fault, InvalidRequestError
from appointments.storage.appointments import AppointmentChangedError
from appointments.storage.dynamodb import TRANSACTION_ACTIONS, ContentionError, pause
from appointments.storage.store import ChangeTooLargeError, ReadingOutdatedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from appointments.model import DayKey, Interval
    from appointments.storage.store import Storage

# A person is waiting: after this many seconds the answer is "try again", with nothing written.
DECIDE_WITHIN = 5.0


class Proposal(Protocol):
    """What a use case asks for: changes of one appointment, any one of which is enough."""

    # The id of the appointment to read with the calendar days, if there may be one.
    lookup: str | None
    # Whether to commit nothing.
    dry_run: bool
    # Whether the answer tells what was read, so that all of it has to have been true at one moment.
    exact: bool
    # The id of the service to read with the calendar days, if one is booked.
    service_id: str | None
    # The same for each attempt to change an appointment, so that the next one knows what an earlier one wrote.
    change_id: str

    def candidates(self, reading: Reading) -> Sequence[Change]:
        """The changes, made from what was read. Raises the errors of the use case itself."""

    def decide(self, candidates: Sequence[Change], reading: Reading, now: datetime) -> Accepted | Refused:
        """Accept one of the changes, or refuse them all."""

    def alternatives(
        self, candidates: Sequence[Change], reading: Reading, storage: Storage, now: datetime
    ) -> list[Interval]:
        """Free intervals for what was refused."""

    def more_days(self) -> Sequence[DayKey]:
        """Calendar days to read in addition to those of the claims. If there are any, all days are read whole."""


def settle(proposal: Proposal, reading: Reading, storage: Storage, now: datetime) -> Change:
    """Decide on a proposal and commit it; start again if what it rests on has changed. This is the only retry loop.

    A refusal and a dry run commit nothing, so no condition proves them. They stand if they rest on one item. Otherwise
    everything is read again until two successive readings agree, as it is before an `exact` proposal is committed.
    Raises InvalidRequestError, ConflictError with alternatives, CalendarBusyError after 5 s, AppointmentExistsError,
    and what the proposal raises.
    """
    give_up_at = time.monotonic() + DECIDE_WITHIN
    contended = 0
    agreed = doubt = False
    while True:
        if time.monotonic() > give_up_at:
            raise CalendarBusyError(in_doubt=doubt)
        candidates = proposal.candidates(reading)
        if reading.lacks(candidates):
            # Also if the appointment was moved concurrently: then other days decide.
            reading = _read(proposal, candidates, reading, storage)
            continue
        decision = proposal.decide(candidates, reading, now)
        try:
            if isinstance(decision, Accepted) and not proposal.dry_run and (agreed or not proposal.exact):
                return storage.commit(decision.change, reading, proposal.change_id)
            earlier, reading = reading, _read_again(proposal, candidates, decision, reading, storage)
            agreed = not earlier.assumed and (reading is earlier or agree(candidates, earlier, reading))
            if agreed and (proposal.dry_run or isinstance(decision, Refused)):
                return _answer(proposal, decision, candidates, reading, storage, now)
        except ReadingOutdatedError as exc:
            agreed = False
            reading.replace(exc.newer)
        except AppointmentChangedError as exc:
            reading.appointment = exc.now
        except ContentionError as exc:
            doubt = exc.in_doubt
            contended += 1
            pause(min(0.02 * 2**contended, 0.5))
        except ChangeTooLargeError as exc:
            raise InvalidRequestError([_too_large(exc.actions)]) from exc


def _read(proposal: Proposal, candidates: Sequence[Change], before: Reading, storage: Storage) -> Reading:
    """Read what the candidates rest on. If the buffers are known, this includes the days that only they reach into."""
    claims = [claim for change in candidates for claim in change.new_claims]
    more = proposal.more_days()
    keys = {*carrying_days(claims), *more}
    if not before.assumed and before.settings.keys() >= {claim.calendar_id for claim in claims}:
        keys |= before.deciding_days(claims)
    return storage.read(
        keys, appointment_id=proposal.lookup, service_id=proposal.service_id, near=() if more else claims
    )


def _read_again(
    proposal: Proposal,
    candidates: Sequence[Change],
    decision: Accepted | Refused,
    reading: Reading,
    storage: Storage,
) -> Reading:
    """A second reading for a decision that is not committed, and the same one where nothing could contradict it.

    Raises ChangeTooLargeError for a dry run, as the commit would.
    """
    if isinstance(decision, Accepted):
        storage.actions(decision.change, reading)
    if not reading.assumed and rests_on_one_item(decision, reading):
        return reading
    return _read(proposal, candidates, reading, storage)


def _answer(  # noqa: PLR0913, PLR0917 - all that an answer is made of
    proposal: Proposal,
    decision: Accepted | Refused,
    candidates: Sequence[Change],
    reading: Reading,
    storage: Storage,
    now: datetime,
) -> Change:
    """Return or raise the answer of a decision that is not committed."""
    if isinstance(decision, Accepted):
        return decision.change
    if not decision.conflicts:
        raise InvalidRequestError(decision.faults)
    if (joining := candidates[0].after).session_id:
        from appointments.sessions import refusal  # noqa: PLC0415 - most bookings join no session

        raise refusal(decision.conflicts, joining, reading, now)
    alternatives = proposal.alternatives(candidates, reading, storage, now)
    raise ConflictError(decision.conflicts, alternatives, decision.faults)


def _too_large(actions: int) -> Fault:
    return Fault(
        "resourceIds",
        f"and the days, with what the settings of the calendars reach into, make {actions} items to check or to write; "
        f"at most {TRANSACTION_ACTIONS} fit into one transaction, so take fewer calendars or days",
    )


class OnCalendars:
    """A proposal of changes that are known before anything is read, except which of them is the one."""

    __slots__ = ()
    service_id: str | None = None
    change_id = ""

    def decide(self, candidates: Sequence[Change], reading: Reading, now: datetime) -> Accepted | Refused:
        return decide(candidates, reading, now)

    def alternatives(
        self, candidates: Sequence[Change], reading: Reading, storage: Storage, now: datetime
    ) -> list[Interval]:
        from conflict_detector.alternatives import alternatives  # noqa: PLC0415 - most bookings are not refused

        return alternatives(candidates, reading, storage, now)

    def more_days(self) -> Sequence[DayKey]:
        return ()
