"""The conditions of the product's writes, each with what shows its loss. Names are those of `dynamo.Atom`."""

from __future__ import annotations

from exploration.explore import Fault

# By condition: the scenario, and the fault if it takes one.
WITHOUT: dict[str, tuple[str, Fault | None]] = {
    "ConditionCheck day: q* =": ("buffer, touched, warm: book before midnight | book after midnight", None),
    "ConditionCheck day: q* absent": ("buffer, touched, warm: book before midnight | book after midnight", None),
    "ConditionCheck settings: version absent": ("untouched: book any | set buffer, book after midnight", None),
    "Put appointment: appointmentId absent": ("capacity 2, warm: book by key | book by key", None),
    "Update appointment: joins =": ("a session that J has left: join | move the session", None),
    "Update appointment: joins absent": ("a session that nobody joined: join | cancel the session", None),
    "Update appointment: reminders =": ("untouched: cancel X | send", None),
    "Update appointment: version =": ("untouched: change details | cancel X", None),
    "Update block: calendarId absent": ("a block: block by key | block by key", None),
    "Update block: removedAt absent": ("a block: remove P | remove P", None),
    "Update day: a#* =": ("a hold: confirm in time | book beside it", None),
    "Update day: q* =": ("capacity 2, warm: book before midnight | book by key", None),
    "Update day: q* absent": ("untouched: book over midnight | book over midnight", None),
    "UpdateItem appointment: joins =": ("a session: join | two seats less", None),
    "UpdateItem appointment: joins absent": ("a session that nobody joined: join for two | two seats less", None),
    "UpdateItem appointment: reminders =": ("untouched: change reminders | send", None),
    "UpdateItem appointment: reminders.*.leaseUntil <=": ("untouched: send | send", None),
    "UpdateItem appointment: reminders.*.state = pending": ("untouched: send | send", None),
    "UpdateItem appointment: status = scheduled": ("of a dead sender: sweep | cancel", None),
    "UpdateItem appointment: version =": (
        "untouched: change details of a version | change details of a version",
        None,
    ),
    "UpdateItem settings: version =": ("untouched: set capacity | set over a version", None),
}

# What is sent without a version is written over the one that was read.
_REPEATED = (
    "it matters only where an answer got lost, and others wrote before the repetition: `test_in_doubt.py` plays that"
)
# Those whose loss shows nowhere, and why.
IMPLIED = {
    "Update block: calendarId exists": "a block that was read is there until DynamoDB deletes what ended long ago",
    "ConditionCheck service: revision =": "as of settings",
    "ConditionCheck service: version =": "as of settings; `test_mutants.py` leaves out both",
    "ConditionCheck settings: revision =": (
        "the version changes with it, except where a restored table counts anew: `test_moved_meanwhile.py` plays that"
    ),
    "ConditionCheck settings: version =": (
        "the revision changes with it, except where release 0.1.0 writes settings: `test_moved_meanwhile.py` plays that"
    ),
    "UpdateItem service: version =": _REPEATED,
    "UpdateItem service: version absent": _REPEATED,
    "UpdateItem settings: version absent": _REPEATED,
    "UpdateItem appointment: reminders.*.dueAt =": (
        "no scenario shows its loss since a reminder that is claimed is kept when its appointment moves"
    ),
    "UpdateItem appointment: reminders.*.claim =": (
        "whoever records a reminder holds all of the appointment's reminders to what was read, the claim included"
    ),
    "UpdateItem appointment: reminders.*.state = sending": (
        "of a record, as above; of a claim, it would take a sender that is slower between two calls than a lease lasts"
    ),
}
