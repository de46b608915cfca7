"""Forgets a person: their contacts and the details of their appointments go, the times stay.

A note says that this is to be done, until it is done. So whoever does it may be broken off at any moment, and the next
one begins anew: what was forgotten is passed. Appointments are found by an index that follows the table within moments.
Therefore the note stays for a while, and the last pass sees what was booked just before it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from appointments.storage.appointments import AppointmentChangedError
from appointments.storage.contacts import ContactItems
from appointments.storage.lists import ListQuery, page_of_person

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from appointments.model import Appointment
    from appointments.storage.people import Forgetting
    from appointments.storage.store import Storage

# By then the index has what was committed before.
INDEX_FOLLOWS_WITHIN = timedelta(minutes=1)
_PAGE = 100


class Forgotten(NamedTuple):
    """How many appointments were changed, and whether that was all that the index had."""

    appointments: int
    complete: bool


def forget(forgetting: Forgetting, storage: Storage, now: datetime, stop: Callable[[int], bool]) -> Forgotten:
    """Forget a person, until everything is done or `stop` says so of the number of steps so far.

    What was booked, and which contact was kept, after it was asked for stays. Raises ContentionError and
    CalendarBusyError.
    """
    user_id, started_at, _ = forgetting
    contacts = ContactItems(storage.database, storage.days.table)
    kept = contacts.get(user_id)
    if kept and kept.changed_at <= started_at:
        contacts.delete(user_id)
    query, changed, pages = ListQuery(user_id, limit=_PAGE), 0, 0
    while True:
        page = page_of_person(storage.appointments, query)
        pages += 1
        for _, found in page.entries:
            if not _is_personal(found):
                continue
            if stop(changed + pages):
                return Forgotten(changed, complete=False)
            changed += _forget(found, forgetting, storage, now)
        if page.next_position is None:
            return Forgotten(changed, complete=True)
        if stop(changed + pages):
            return Forgotten(changed, complete=False)
        query = query._replace(after=page.next_position)


def _forget(found: Appointment, forgetting: Forgetting, storage: Storage, now: datetime) -> bool:
    """Forget what an appointment says of its person, however it is changed meanwhile. Whether anything was left."""
    before: Appointment | None = found
    while before and _is_personal(before) and before.created_at <= forgetting.started_at:
        # Its key can be sent again no more: the digest of what was sent would tell who guesses it right.
        after = replace(
            before,
            contact=None,
            details={},
            fingerprint=None,
            version=before.version + 1,
            updated_at=now,
            by=forgetting.by,
        )
        try:
            storage.appointments.change(before, after)
        except AppointmentChangedError as exc:
            before = exc.now
        else:
            return True
    return False


def _is_personal(appointment: Appointment) -> bool:
    return bool(appointment.contact or appointment.details or appointment.fingerprint)
