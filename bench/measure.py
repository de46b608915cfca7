"""Tables and plots."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from bench.places import DOCS
from local.places import ROOT

Row = dict[str, Any]


def table(rows: Sequence[Row]) -> str:
    """Rows as Markdown, ready for the docs; numbers to the right."""
    names = list(rows[0])
    texts = [[str(row[name]) for name in names] for row in rows]
    widths = [max(len(line[n]) for line in [names, *texts]) for n in range(len(names))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True)) + " |"

    return "\n".join(
        [line(names), "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|", *map(line, texts)]
    )


def count_overlaps(rows: Iterable[tuple[str, Any, Any]]) -> int:
    """Brute force over everything written: neighbours in time on one calendar that overlap."""
    by_calendar = defaultdict(list)
    for calendar, start, end in rows:
        by_calendar[calendar].append((start, end))
    spans = (pairwise(sorted(found)) for found in by_calendar.values())
    return sum(after[0] < before[1] for pairs in spans for before, after in pairs)


class Figure:
    """One plot, or several side by side, saved among the docs."""

    def __init__(self, count: int = 1) -> None:
        # Only a bench that draws needs it.
        from matplotlib import pyplot as plt  # noqa: PLC0415

        plt.rcParams.update(
            {"svg.hashsalt": "bench", "svg.fonttype": "none", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}
        )
        self.figure, axes = plt.subplots(1, count, figsize=(5.2 * count, 3.4), layout="constrained", squeeze=False)
        self.axes = list(axes[0])

    def save(self, name: str) -> None:
        """Write `docs/<name>.svg`."""
        path = DOCS / f"{name}.svg"
        self.figure.savefig(path, metadata={"Date": None})
        print(f"\ndrawn: {path.relative_to(ROOT)}")


def plot(title: str, x: str, y: str) -> Figure:
    """A figure with one plot, labelled."""
    figure = Figure()
    figure.axes[0].set(title=title, xlabel=x, ylabel=y)
    return figure
