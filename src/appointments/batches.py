"""Batches: as many things together as one call takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Thing = TypeVar("Thing")


def batches(sized: Iterable[tuple[Thing, int]], most_bytes: int, most: int | None = None) -> Iterator[list[Thing]]:
    """Things in their order, each with its size in bytes; one that is too large is in a batch of its own."""
    batch: list[Thing] = []
    size = 0
    for thing, more in sized:
        if batch and (len(batch) == most or size + more > most_bytes):
            yield batch
            batch, size = [], 0
        batch.append(thing)
        size += more
    if batch:
        yield batch
