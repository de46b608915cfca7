"""The statuses of an appointment. This is the only table of what each one means. No I/O."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self


class Status(StrEnum):
    """A status: its name, and what it means.

    `occupies`: it takes time on its calendars. `reminds`: its reminders are sent. `expires`: it ends by itself at the
    appointment's `expires_at`, if that is set. `becomes`: what a caller may turn it into.
    """

    occupies: bool
    reminds: bool
    expires: bool
    becomes: tuple[str, ...]

    def __new__(cls, name: str, *meaning: Any) -> Self:
        status = str.__new__(cls, name)
        status._value_ = name
        status.occupies, status.reminds, status.expires, status.becomes = meaning
        return status

    @classmethod
    def stored(cls, name: str) -> Status:
        """The status of this name. One that only another version knows occupies, does not remind, and becomes nothing.

        It is no member: nothing that this version writes or takes from a caller is of it.
        """
        try:
            return cls(name)
        except ValueError:
            status = str.__new__(cls, name)
        status._name_ = status._value_ = name
        status.occupies, status.reminds, status.expires, status.becomes = True, False, False, ()
        return status

    @property
    def is_known(self) -> bool:
        """Whether this version knows what it means."""
        return self in Status

    # name, occupies, reminds, expires, becomes
    HELD = "held", True, False, True, ("scheduled", "cancelled")
    REQUESTED = "requested", True, False, True, ("scheduled", "declined", "cancelled")
    SCHEDULED = "scheduled", True, True, False, ("arrived", "completed", "no_show", "cancelled")
    # From the next three the way back is for a slip of the hand.
    ARRIVED = "arrived", True, False, False, ("completed", "scheduled", "cancelled")
    COMPLETED = "completed", True, False, False, ("arrived", "scheduled")
    NO_SHOW = "no_show", True, False, False, ("arrived", "scheduled")
    CANCELLED = "cancelled", False, False, False, ()
    DECLINED = "declined", False, False, False, ()
    EXPIRED = "expired", False, False, False, ()

    def may_become(self, other: Status) -> bool:
        """Whether the table has this transition."""
        return other.value in self.becomes


REMINDING = tuple(status for status in Status if status.reminds)
# What an appointment becomes only once it has begun.
ONCE_BEGUN = (Status.COMPLETED, Status.NO_SHOW)
