"""The statuses of an appointment. This is the only table of what each one means. No I/O."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self


class Status(StrEnum):
    """A status: its name, whether it occupies its calendars, whether it reminds, and what it may become."""

    occupies: bool
    reminds: bool
    becomes: tuple[str, ...]

    def __new__(cls, name: str, *meaning: Any) -> Self:
        status = str.__new__(cls, name)
        status._value_ = name
        status.occupies, status.reminds, status.becomes = meaning
        return status

    # name, occupies, reminds, becomes
    SCHEDULED = "scheduled", True, True, ("cancelled",)
    CANCELLED = "cancelled", False, False, ()

    def may_become(self, other: Status) -> bool:
        """Whether the table has this transition."""
        return other.value in self.becomes


REMINDING = tuple(status for status in Status if status.reminds)
