"""Cancels who joined a session that takes place no more.

The session's item says that this is still to be done, in the transaction that cancels it, and the due index finds it
until it is done. Nobody can join any more by then, so whoever has an entry on the session's calendar is everybody. What
is written does not depend on who writes it, nor on when.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from appointments.decision import Change, Reading
from appointments.model import with_status
from appointments.statuses import Status
from appointments.storage.appointments import AppointmentChangedError
from appointments.storage.dynamodb import ContentionError, pause

if TYPE_CHECKING:
    from collections.abc import Callable

    from appointments.model import Appointment
    from appointments.storage.store import Storage

# How often to try again where others are at the same items.
TRIES = 8


def clear(
    session: Appointment,
    storage: Storage,
    cancelled: Callable[[Appointment, Appointment], None],
    most: int | None = None,
) -> bool:
    """Cancel everybody who joined, or the first so many, and say whether that was everybody.

    `cancelled` is told of each, before and after. Raises ContentionError.
    """
    joined = sorted(storage.days.joined(session))
    for appointment_id in joined[:most]:
        _cancel(appointment_id, session, storage, cancelled)
    if most is not None and len(joined) > most:
        return False
    now: Appointment | None = session
    while now is not None and now.clearing:
        try:
            storage.appointments.change(now, replace(now, clearing=None))
            break
        except AppointmentChangedError as exc:
            now = exc.now
    return True


def _cancel(
    appointment_id: str, session: Appointment, storage: Storage, cancelled: Callable[[Appointment, Appointment], None]
) -> None:
    """Cancel one of them, whatever its status: as the session was cancelled, or later if it was changed later."""
    before = storage.appointments.get(appointment_id)
    change_id = str(uuid.uuid4())
    tries = 0
    while before is not None and before.status.occupies:
        after = with_status(before, Status.CANCELLED, max(before.updated_at, session.clearing or session.updated_at))
        try:
            done = storage.commit(Change.of(before, after), Reading(), change_id)
        except AppointmentChangedError as exc:
            before = exc.now
        except ContentionError:
            tries += 1
            if tries == TRIES:
                raise
            pause(min(0.02 * 2**tries, 0.5))
        else:
            cancelled(before, done.after)
            return
