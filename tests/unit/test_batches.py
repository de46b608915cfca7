"""Batches are as large as a call allows, and no larger."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appointments.batches import batches

MOST, MOST_BYTES = 3, 100


@given(st.lists(st.integers(0, 150)))
def test_nothing_is_lost_and_no_batch_is_too_large_or_ends_too_early(sizes: list[int]) -> None:
    found = list(batches(((number, size) for number, size in enumerate(sizes)), MOST_BYTES, MOST))
    assert [number for batch in found for number in batch] == list(range(len(sizes)))
    bytes_of = [sum(sizes[number] for number in batch) for batch in found]
    for batch, size in zip(found, bytes_of, strict=True):
        assert 1 <= len(batch) <= MOST
        assert size <= MOST_BYTES or len(batch) == 1
    for batch, size, following in zip(found, bytes_of, found[1:], strict=False):
        assert len(batch) == MOST or size + sizes[following[0]] > MOST_BYTES


def test_without_a_number_bytes_alone_count() -> None:
    assert list(batches([(name, 1) for name in "abcdef"], 4)) == [list("abcd"), list("ef")]
    assert list(batches([], 4)) == []
