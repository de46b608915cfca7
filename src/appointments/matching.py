"""One calendar for each of several wishes, none for two of them. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def distinct(wishes: Sequence[Sequence[str]]) -> tuple[str, ...] | None:
    """For each wish one of what it lists, nothing twice; None if there is not enough.

    Each wish in turn gets the first of its list with which all the later ones can still be met.
    """
    if not _can_be_met(wishes, ()):
        return None
    chosen: list[str] = []
    for number, wish in enumerate(wishes):
        later = wishes[number + 1 :]
        free = (one for one in wish if one not in chosen)
        chosen.append(next(one for one in free if _can_be_met(later, (*chosen, one))))
    return tuple(chosen)


def _can_be_met(wishes: Sequence[Sequence[str]], taken: Sequence[str]) -> bool:
    """Whether there is something for each wish beside what is taken: a matching, built by augmenting paths."""
    holders: dict[str, int] = {}

    def place(number: int, tried: set[str]) -> bool:
        for one in wishes[number]:
            if one in taken or one in tried:
                continue
            tried.add(one)
            if one not in holders or place(holders[one], tried):
                holders[one] = number
                return True
        return False

    return all(place(number, set()) for number in range(len(wishes)))
