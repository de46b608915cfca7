"""Tables and plots."""

from __future__ import annotations

from collections.abc import Sequence
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


class Figure:
    """One plot, or several side by side, saved among the docs."""

    def __init__(self, count: int = 1) -> None:
        # Only a bench that draws needs it.
        from matplotlib import pyplot as plt  # noqa: PLC0415

        plt.rcParams.update({"svg.hashsalt": "bench", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3})
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
