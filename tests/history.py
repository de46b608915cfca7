"""Is a recorded history of one calendar explained by doing its operations one after the other?

A search in the manner of Wing and Gong (1993): an operation may come next if it began before every other
remaining one had ended, and if its answer is what the calendar, as it then stands, would give.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appointments.model import Interval


@dataclass(frozen=True)
class Operation:
    """What one client asked of one calendar: `wanted` is None for a cancel; `done` tells whether it was granted."""

    began: float
    ended: float
    appointment_id: str
    wanted: Interval | None
    done: bool


def is_serial(history: Sequence[Operation]) -> bool:
    """Whether some order of the operations explains every answer."""
    seen: set[tuple[frozenset[int], frozenset[tuple[str, Interval]]]] = set()
    open_: list[tuple[frozenset[int], frozenset[tuple[str, Interval]]]] = [
        (frozenset(range(len(history))), frozenset())
    ]
    while open_:
        remaining, calendar = open_.pop()
        if not remaining:
            return True
        if (remaining, calendar) in seen:
            continue
        seen.add((remaining, calendar))
        first_end = min(history[index].ended for index in remaining)
        for index in remaining:
            operation = history[index]
            if operation.began > first_end:
                continue
            after = _apply(operation, calendar)
            if after is not None:
                open_.append((remaining - {index}, after))
    return False


def _apply(operation: Operation, calendar: frozenset[tuple[str, Interval]]) -> frozenset[tuple[str, Interval]] | None:
    """The calendar afterwards, or None where the answer would have been another one."""
    others = frozenset(entry for entry in calendar if entry[0] != operation.appointment_id)
    if operation.wanted is None:
        return others
    fits = not any(operation.wanted.overlaps(busy) for _, busy in others)
    if fits != operation.done:
        return None
    return others | {(operation.appointment_id, operation.wanted)} if operation.done else calendar
