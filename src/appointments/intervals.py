"""Sets of intervals: merged, intersected, subtracted, and where many of them lie over one another. No I/O."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from typing import TYPE_CHECKING

from appointments.model import Interval
from appointments.times import day_around

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from appointments.model import CalendarDay


def full_intervals(entries: Iterable[tuple[Interval, int]], capacity: int = 1) -> Iterator[Interval]:
    """The intervals in which the entries take at least `capacity` places; two may touch, in order.

    An entry is an interval and how many places it takes there. It costs the same however many these are.
    """
    last: Interval | None = None
    for start, end in _full_spans(list(entries), capacity):
        if last and start < last.end:
            last = Interval(last.start, max(end, last.end))
        elif start < end:
            if last:
                yield last
            last = Interval(start, end)
    if last:
        yield last


def _full_spans(entries: list[tuple[Interval, int]], capacity: int) -> Iterator[tuple[datetime, datetime]]:
    """Spans by start, whose union is where `capacity` places are taken; one that ends before its start is none.

    Where n places have been taken, `capacity` of them still are if and only if no more than n - `capacity` have been
    given back. So they are from the start that takes the n-th until the end that gives back the
    (n - `capacity` + 1)-th, whichever entry's it is.
    """
    if all(places == 1 for _, places in entries):
        starts = sorted([interval.start for interval, _ in entries])[capacity - 1 :]
        yield from zip(starts, sorted([interval.end for interval, _ in entries]), strict=False)
        return
    ends = iter(sorted([(interval.end, places) for interval, places in entries]))
    taken = given_back = 0
    for start, places in sorted([(interval.start, places) for interval, places in entries]):
        taken += places
        while given_back <= taken - capacity:
            end, freed = next(ends)
            given_back += freed
        if taken >= capacity:
            yield start, end


def merged(intervals: Iterable[Interval]) -> Iterator[Interval]:
    """Intervals in order of their start, those that touch or overlap made one."""
    last: Interval | None = None
    for interval in sorted(intervals):
        if last is None or interval.start > last.end:
            if last:
                yield last
            last = interval
        else:
            last = Interval(last.start, max(last.end, interval.end))
    if last:
        yield last


def joined(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """As `merged`, of spans that are in order already."""
    last: tuple[int, int] | None = None
    for start, end in spans:
        if last is None or start > last[1]:
            if last:
                yield last
            last = start, end
        elif end > last[1]:
            last = last[0], end
    if last:
        yield last


def subtract(intervals: Iterable[Interval], holes: list[Interval]) -> list[Interval]:
    """What the holes leave of intervals. Neither overlap among themselves, and the holes are in order."""
    left: list[Interval] = []
    for interval in intervals:
        start = interval.start
        for hole in overlapping(holes, interval):
            if hole.start > start:
                left.append(Interval(start, hole.start))
            start = hole.end
        if start < interval.end:
            left.append(Interval(start, interval.end))
    return left


def intersect(a: list[Interval], b: list[Interval]) -> list[Interval]:
    """Where both are. The intervals of each are in order and do not overlap one another."""
    common = []
    i = j = 0
    while i < len(a) and j < len(b):
        both = Interval(max(a[i].start, b[j].start), min(a[i].end, b[j].end))
        if both.start < both.end:
            common.append(both)
        if a[i].end < b[j].end:
            i += 1
        else:
            j += 1
    return common


def start_of(interval: Interval) -> datetime:
    """The start, as a key to search by."""
    return interval.start


def _end(interval: Interval) -> datetime:
    return interval.end


def overlapping(intervals: list[Interval], wanted: Interval) -> Iterator[Interval]:
    """Those of sorted intervals, none of which overlap, that overlap `wanted`."""
    index = bisect_right(intervals, wanted.start, key=_end)
    while index < len(intervals) and intervals[index].start < wanted.end:
        yield intervals[index]
        index += 1


def filled_days(  # noqa: PLR0913, PLR0917 - what is counted, and where
    days: Iterable[CalendarDay],
    zone: ZoneInfo,
    most: int,
    now: datetime,
    ignore: str | None,
    service_id: str | None = None,
) -> tuple[Interval, ...]:
    """The local days on which as many appointments of a calendar begin as may, or as many of one service.

    One whose days show it at several counts with all.
    """
    beginning = {
        (Interval(*day_around(one.interval.start, zone)), id_)
        for day in days
        for id_, entry in day.entries.items()
        for one in entry
        if id_ != ignore
        and not one.block
        and not one.has_run_out(now)
        and (service_id is None or one.service_id == service_id)
    }
    count = Counter(day for day, _ in beginning)
    return tuple(sorted(day for day, many in count.items() if many >= most))
