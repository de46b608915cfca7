"""Blocks: time that nobody may book. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from appointments.model import Appointment

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Block(Appointment):
    """Time that nobody may book on a calendar, which is its `user_id`.

    For the decision and the transaction it is an appointment like any other: it has claims, and an entry in calendar
    days under its id. To everybody else it is none: it lies in another table, reminds nobody and has no status but
    `cancelled` once it is removed.
    """

    offsets: tuple[str, ...] = ()
    reason: str | None = None

    is_block: ClassVar[bool] = True

    @property
    def removed_at(self) -> datetime | None:
        """When it was removed."""
        return None if self.status.occupies else self.updated_at
