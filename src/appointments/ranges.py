"""Sets of moments in whole seconds since 1970: half-open ranges `(first, end)` in order that do not touch. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Range = tuple[int, int]


def rest(holes: Iterable[Range], first: int, end: int) -> list[Range]:
    """What holes leave of a range. They are in order of their first moment, and may overlap."""
    left = []
    at = first
    for hole, over in holes:
        if hole > at:
            if hole >= end:
                break
            left.append((at, hole))
        if over > at:  # noqa: PLR1730 - many times as fast as `max`
            at = over
    if at < end:
        left.append((at, end))
    return left


def both(a: Sequence[Range], b: Sequence[Range]) -> list[Range]:
    """The moments that are in both."""
    common = []
    i = j = 0
    while i < len(a) and j < len(b):
        (first, end), (other, over) = a[i], b[j]
        first = max(first, other)
        if first < min(end, over):
            common.append((first, min(end, over)))
        if end < over:
            i += 1
        else:
            j += 1
    return common


def in_at_least(many: Sequence[Sequence[Range]], times: int) -> list[Range]:
    """The moments that are in so many of the sets.

    Where n ranges have begun, so many of them are still there if and only if no more than n - `times` have ended: from
    the n-th beginning until the end that is the (n - `times` + 1)-th, whichever range's it is.
    """
    if len(many) == 1 and times == 1:
        return list(many[0])
    firsts = sorted([first for ranges in many for first, _ in ranges])[times - 1 :]
    ends = sorted([end for ranges in many for _, end in ranges])
    found: list[Range] = []
    for first, end in zip(firsts, ends, strict=False):
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], end
        elif first < end:
            found.append((first, end))
    return found
