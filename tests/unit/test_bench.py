"""What the bench counts with: a figure is worth what its counting is."""

from __future__ import annotations

import pytest

from bench.measure import count_overlaps, table
from bench.scale import simulate
from bench.units import read_units, size, write_units


def test_the_size_of_an_item_is_that_of_names_and_values() -> None:
    item = {
        "calendarId": {"S": "dr-lee"},  # 10 + 6
        "q36": {"N": "1"},  # 3 + 2: two digits a byte, and one byte more
        "tags": {"L": [{"S": "ab"}]},  # 4 + 3 + 2 + 1 for the element
        "reminders": {"M": {"24h": {"BOOL": True}}},  # 9 + 3 + (3 + 1) + 1 for the entry
    }
    assert size(item) == 16 + 5 + 10 + 17


@pytest.mark.parametrize(("item_bytes", "write", "read"), [(1, 1, 1), (1024, 1, 1), (1025, 2, 1), (4097, 5, 2)])
def test_units_are_whole(item_bytes: int, write: int, read: int) -> None:
    assert (write_units(item_bytes), read_units(item_bytes)) == (write, read)


def test_overlaps_are_counted_on_each_calendar_and_not_where_intervals_touch() -> None:
    rows = [("a", 1, 3), ("b", 2, 4), ("a", 3, 5), ("a", 4, 6), ("b", 1, 2)]
    assert count_overlaps(rows) == 1
    assert count_overlaps([*rows, ("b", 1, 9)]) == 3


def test_the_simulation_is_the_same_each_time_and_meets_more_where_more_want_the_same() -> None:
    calm, steep = simulate(60, zipf=0.8), simulate(60, zipf=1.2)
    assert simulate(60, zipf=0.8) == calm
    assert steep.refused > calm.refused
    assert steep.conflicts > calm.conflicts
    assert calm.booked + calm.refused + calm.gave_up == len(calm.waits_ms) + calm.gave_up


def test_a_table_is_markdown_with_its_columns_in_line() -> None:
    assert table([{"a": 1, "bc": "x"}, {"a": 22, "bc": "y"}]) == "|  a | bc |\n|---:|---:|\n|  1 |  x |\n| 22 |  y |"
