"""What visitors may do who have not signed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from appointments.storage.hold_counts import HoldCounts


def _no_counts() -> HoldCounts:
    raise RuntimeError("this API was made without counts of holds")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Visits:
    """The template's parameters about visitors. Unless it is `open_to_all`, a visitor needs a booking link.

    One source address may ask for `holds_per_address` times an hour. `counts` is made by the first who asks for one.
    """

    open_to_all: bool = False
    holds_per_address: int = 0
    counts: Callable[[], HoldCounts] = _no_counts

    def count(self, source: str, now: datetime) -> None:
        """Count one more time of a source address. Raises TooManyHoldsError."""
        self.counts().count(source, self.holds_per_address, now)


CLOSED = Visits()
