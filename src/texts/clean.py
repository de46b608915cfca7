"""Free text, fit to be read by people."""

from __future__ import annotations

import re

# What ends a line, steers a terminal, turns the direction of what follows, or is no character.
_UNREADABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
_LINE_END = re.compile("\r\n|[\n\r\u2028\u2029]")


def one_line(value: object, most: int) -> str | None:
    """A text on one line, of at most so many characters; None where nothing of it can be read."""
    if not isinstance(value, str):
        return None
    return shortened(" ".join(_UNREADABLE.sub(" ", value).split()), most) or None


def lines(value: object, most: int) -> list[str]:
    """The lines of a text that are not empty, of at most so many characters together."""
    if not isinstance(value, str):
        return []
    found = (one_line(line, most) for line in _LINE_END.split(value[:most]))
    return [line for line in found if line]


def shortened(text: str, most: int, end: str = "…") -> str:
    """The text, or what fits of it with an ellipsis."""
    return text if len(text) <= most else text[: max(most - len(end), 0)].rstrip(" ,.;:-") + end
